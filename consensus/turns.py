"""The two steps DT-DPoS adds to the execution of a block: `open_block` first, `close_block` last.

Opening, before any transaction (E6, E7):
    1  count the embedded votes, pay for block h-1; note who voted and who missed a turn
    2  top up the deposits of the leaders whose turns this block consumes
    3  charge the skip fee to those voted out, clear their tokens
    4  act on evidence
Closing, after everything else in the block:
    5  clear the builder's tokens (it had its turn), note that it is alive
    6  accrue tau * s for every live and compliant member of the voting set (E8)
    7  give back deposits whose time is over
    8  jail whom consensus/discipline.py names; at a boundary, seat the next voting set
    9  write what later elections need: base weights of this state, the turn, the seed; prune

With origin view w <= n the leaders of views 1 .. w-1 are voted out; with w > n only the builder's
turn counts (E6).  A block that is proposed again in a later view is still its builder's.

Nothing cryptographic is verified here: `check_turn` and consensus/checks.py came before.
"""

from msgspec.structs import replace

from consensus.commits import Commits
from consensus.deposits import charge, release_due, top_up
from consensus.discipline import judge, observe
from consensus.election import Election, base_weight
from consensus.history import Tip, Turn, prune, write_tip, write_turn, write_weights
from consensus.offences import punish
from consensus.parameters import LATE_VOTE_DEPTH, ConsensusParameters, consensus_parameters
from consensus.rewards import settle
from consensus.sets import close_boundary, is_active, voting_set
from consensus.simplex.wire import decode_evidence
from consensus.tokens import accrue, clear, is_live, read_standing, write_standing
from ledger.errors import Reason, Rejected
from ledger.execution import BlockContext
from ledger.members import is_compliant, read_member
from ledger.parameters import LedgerParameters
from ledger.state import Event, Overlay
from ledger.types import Address


def check_turn(election: Election, view: int, builder: Address) -> None:
    """Rejected(WRONG_BUILDER) unless `builder` leads the origin view (E1)."""
    leader = election.leader(view).address
    if builder != leader:
        raise Rejected(Reason.WRONG_BUILDER, f"view {view} belongs to {leader}, not {builder}")


def open_block(
    context: BlockContext, overlay: Overlay, commits: Commits, election: Election
) -> None:
    """The opening step of block `context.height`; `commits` and the builder have been checked."""
    parameters = consensus_parameters(overlay)
    settle(overlay, context.height, context.builder, commits, parameters)
    skipped = election.skipped(context.view)
    observe(overlay, context.height, commits, [entry.address for entry in skipped])
    leader = election.leader(context.view)
    until = context.height + parameters.deposit_blocks
    for entry in (*skipped, leader):
        if not entry.excluded:
            top_up(overlay, entry.address, parameters.deposit_micro, until)
    for entry in skipped:
        fee = charge(overlay, entry.address, parameters.skip_fee_micro)
        cleared = clear(overlay, entry.address)
        standing = read_standing(overlay, entry.address)
        skips = standing.turns_skipped + 1
        missed = replace(standing, turns_skipped=skips, last_turn=context.height)
        write_standing(overlay, entry.address, missed)
        numbers = {"height": context.height, "view": entry.position + 1, "fee_micro": fee}
        words = {"address": entry.address, "tokens_cleared": str(cleared)}
        overlay.emit(Event("turn.skipped", (entry.address,), {**numbers, **words}))
    for item in commits.evidence:
        punish(overlay, context.height, decode_evidence(item))


def close_block(
    context: BlockContext, overlay: Overlay, election: Election, *, forgo_reward: bool = False
) -> None:
    """The last closing step of a block: it snapshots what later elections read.

    `forgo_reward`: the builder gave up the reward of this block (a round it sealed as deferred).
    """
    parameters = consensus_parameters(overlay)
    height = context.height
    _take_turn(overlay, context)
    _accrue_all(overlay, height, parameters, context.parameters)
    release_due(overlay, height)
    judge(overlay, height, parameters)
    close_boundary(overlay, height, parameters)
    snapshot(overlay, height, parameters, context.parameters)
    consumed = [entry.address for entry in election.skipped(context.view)]
    consumed.append(context.builder)
    turn = Turn(context.builder, context.view, tuple(consumed), forgo_reward)
    write_turn(overlay, height, turn)
    write_tip(overlay, Tip(height, context.seed.hex()))
    keep_sets = max(parameters.deposit_blocks, LATE_VOTE_DEPTH)
    prune(overlay, height, parameters.history_heights(), keep_sets)


def _take_turn(overlay: Overlay, context: BlockContext) -> None:
    cleared = clear(overlay, context.builder)
    standing = read_standing(overlay, context.builder)
    built = replace(
        standing,
        last_live=context.height,
        last_turn=context.height,
        blocks_built=standing.blocks_built + 1,
    )
    write_standing(overlay, context.builder, built)
    numbers = {"height": context.height, "view": context.view}
    words = {"address": context.builder, "tokens_cleared": str(cleared)}
    overlay.emit(Event("turn.taken", (context.builder,), {**numbers, **words}))


def _accrue_all(
    overlay: Overlay, height: int, parameters: ConsensusParameters, ledger: LedgerParameters
) -> None:
    """Rule E8: once per block, after clearing, for all who are active, compliant and live."""
    seats = voting_set(overlay, height).seats
    window = parameters.liveness_window(len(seats))
    for seat in seats:
        member = read_member(overlay, seat.address)
        if member is None or not is_active(member) or not is_compliant(member, ledger):
            continue
        standing = read_standing(overlay, seat.address)
        if is_live(standing, height, window):
            grown = accrue(standing, member, len(seats), parameters)
            write_standing(overlay, seat.address, grown)


def snapshot(
    overlay: Overlay, height: int, parameters: ConsensusParameters, ledger: LedgerParameters
) -> None:
    """Write the base weights of state_height, over the set that votes next (E2)."""
    rules = (ledger, parameters)
    weights = []
    for seat in voting_set(overlay, height + 1).seats:
        address = seat.address
        member = read_member(overlay, address)
        tokens = read_standing(overlay, address).amount
        weights.append((address, base_weight(overlay, address, member, tokens, rules)))
    write_weights(overlay, height, weights)
