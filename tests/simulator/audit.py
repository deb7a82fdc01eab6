"""The chain judged from outside: its money, its draws, its rewards, its transactions, its replay.

At every height the rules are computed again from raw records, with arithmetic of this file's own:
who could win, in which order, what each member's tokens became, what was paid to whom.  At the end
the whole chain is executed again from genesis, every signature checked.  Rule numbers (E1 to E8)
are those of consensus/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha512
from typing import TYPE_CHECKING, Any

from consensus.commits import Commits
from consensus.parameters import ConsensusParameters, consensus_parameters
from consensus.simplex.types import ValidatorSet
from consensus.simplex.wire import encode_certificate
from ledger import vrf
from ledger.state import State
from node.application.application import Application
from node.application.genesis import LoadedGenesis
from node.application.replay import replay
from node.storage.batch import CommittedBlock
from tests.node import small_chain
from tests.simulator.checkers import Violation

if TYPE_CHECKING:
    from tests.simulator.node import SimulatedNode

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Picture:
    """What the state of a height holds, read as plain JSON."""

    money_micro: int
    pool_micro: int
    members: dict[str, Record]
    tokens: dict[str, int]
    last_live: dict[str, int]
    weights: dict[str, int]
    """Base weights computed here (E2), by address."""
    seed: bytes


def table(state: State, prefix: str) -> dict[str, Record]:
    """The records of a table by what follows the prefix, in hex (in ASCII for pots)."""
    found = {}
    for key, value in state.scan(prefix.encode()):
        rest = key[len(prefix) :]
        found[rest.decode() if prefix == "pot/" else rest.hex()] = json.loads(value)
    return found


def picture(state: State, seed: bytes, parameters: ConsensusParameters) -> Picture:
    """Read the state; amounts must be whole and not negative (I12)."""
    accounts, pots, members = (table(state, f"{name}/") for name in ("account", "pot", "member"))
    tokens = table(state, "tokens/")
    amounts = [entry.get(name, 0) for entry in accounts.values() for name in ("free", "reserved")]
    amounts += [pot["micro"] for pot in pots.values()]
    for member in members.values():
        amounts += [member["stake_micro"], member.get("deposit_micro", 0)]
        amounts += [part["amount_micro"] for part in member.get("unbonding", ())]
    if any(type(amount) is not int or amount < 0 for amount in amounts):
        raise Violation("an amount of money is negative or not whole")
    held = {who: int(entry.get("tokens", "0")) for who, entry in tokens.items()}
    weights = {}
    for who, member in members.items():
        means = accounts.get(who, {}).get("free", 0) + member.get("deposit_micro", 0)
        able = member.get("status", "active") == "active" and means >= parameters.deposit_micro
        weights[who] = held.get(who, 0) if able else 0
    live = {who: entry.get("last_live", 0) for who, entry in tokens.items()}
    pool = pots["pool"]["micro"]
    return Picture(sum(amounts), pool, members, held, live, weights, seed)


def drawn_order(seed: bytes, weights: Mapping[str, int]) -> list[str]:
    """The order of leaders by Eq. 2, one place after the other; the weightless in a hashed tail."""
    left = sorted((who, weight) for who, weight in weights.items() if weight > 0)
    order: list[str] = []
    while left:
        total = sum(weight for _, weight in left)
        number, counter = 1 << 512, 0
        while number >= (1 << 512) // total * total:
            salt = len(order).to_bytes(4, "big") + counter.to_bytes(4, "big")
            number = int.from_bytes(sha512(b"twinchain/draw/v1\0" + salt + seed).digest(), "big")
            counter += 1
        number %= total
        for who, weight in left:
            number -= weight
            if number < 0:
                order.append(who)
                left.remove((who, weight))
                break
    tail = [who for who, weight in weights.items() if weight <= 0]
    tail.sort(key=lambda who: sha512(b"twinchain/tail/v1\0" + seed + bytes.fromhex(who)).digest())
    return order + tail


@dataclass
class Audit:
    """Sees the first commit of every height; all others agree with it by their state root."""

    genesis: LoadedGenesis
    honest: tuple[bytes, ...] = ()
    """Keys of the members that never lie."""
    pictures: dict[int, Picture] = field(default_factory=dict)
    sets: dict[int, ValidatorSet] = field(default_factory=dict)
    orders: dict[int, list[str]] = field(default_factory=dict)
    consumed: dict[int, list[str]] = field(default_factory=dict)
    _builders: dict[int, str] = field(default_factory=dict)
    _forgone: dict[int, bool] = field(default_factory=dict)
    """Whether the builder of a height put a book off and so gave up its reward."""
    _paid_votes: dict[tuple[int, int], None] = field(default_factory=dict)
    _transactions: dict[bytes, None] = field(default_factory=dict)
    _nonces: dict[tuple[str, int], None] = field(default_factory=dict)
    _ejected: dict[str, None] = field(default_factory=dict)

    def validators(self, height: int) -> ValidatorSet:
        """set(h), as the chain below it says; of a height not yet known, the last known."""
        self._begin()
        return self.sets[min(max(height, 1), max(self.sets))]

    def committed(self, application: Application, committed: CommittedBlock) -> None:
        """Judge the state after a block."""
        self._begin()
        height = committed.height
        if height in self.pictures:
            return
        before = self.pictures[height - 1]
        parameters = consensus_parameters(application.state)
        seed = self._next_seed(before.seed, committed)
        after = picture(application.state, seed, parameters)
        self.pictures[height] = after
        self.sets[height + 1] = application.validators
        if after.money_micro != before.money_micro:
            self._fail(height, f"money went from {before.money_micro} to {after.money_micro}")
        self._check_turn(committed)
        self._check_offences(committed)
        self._check_tokens(height, before, after, parameters)
        self._check_rewards(committed, before, after, parameters)
        self._check_transactions(application, committed)
        self._check_order(application, height + 1, after, parameters)

    def finish(self, nodes: list[SimulatedNode]) -> None:
        """Replay the longest chain from genesis as a stranger would (I18, I19)."""
        node = max(nodes, key=lambda one: len(one.blocks))
        application = node.application
        if not isinstance(application, Application):
            return

        def read(height: int) -> tuple[bytes, bytes] | None:
            stored = node.blocks.get(height)
            if stored is None:
                return None
            return stored.data, encode_certificate(stored.certificate)

        roots = {0: b""}
        for replayed in replay(application.chain, read, signatures=True):
            roots[replayed.height] = replayed.state_root
        if roots[max(roots)] != application.state.root and node.is_up:
            raise Violation(f"replay of {max(roots)} blocks leads to another root")
        if State.from_items(application.state.items()).root != application.state.root:
            raise Violation("the root is not that of the entries")

    # -- one rule each

    def _begin(self) -> None:
        if self.pictures:
            return
        application = small_chain.fresh_application(self.genesis, None)
        seed = sha512(b"twinchain/seed/v1\0" + self.genesis.hash).digest()
        parameters = consensus_parameters(application.state)
        self.pictures[0] = picture(application.state, seed, parameters)
        self.sets[1] = application.validators
        self._check_order(application, 1, self.pictures[0], parameters)

    def _fail(self, height: int, what: str) -> None:
        raise Violation(f"height {height}: {what}")

    def _next_seed(self, seed: bytes, committed: CommittedBlock) -> bytes:
        """E1: the builder's one output for this height, mixed into the seed."""
        height, header = committed.height, committed.block.header
        place = height.to_bytes(8, "big")
        alpha = b"twinchain/vrf/v1\0" + self.genesis.hash + place + seed
        keys = dict(zip(self.sets[height].keys, self.sets[height].vrf_keys, strict=True))
        beta = vrf.verify(keys[bytes.fromhex(header.builder)], alpha, bytes.fromhex(header.vrf))
        if beta is None:
            self._fail(height, "the VRF proof is not the builder's")
        return sha512(b"twinchain/seed/v1\0" + seed + place + (beta or b"")).digest()

    def _check_turn(self, committed: CommittedBlock) -> None:
        """E1, E6: the builder leads the origin view; views 1 .. w-1 are voted out if w <= n."""
        height, header = committed.height, committed.block.header
        order = self.orders[height]
        if header.builder != order[(header.view - 1) % len(order)]:
            self._fail(height, f"{header.builder} built in the view of another")
        skipped = order[: header.view - 1] if header.view <= len(order) else []
        moved = [who for who in skipped if self._is_moved(height - 1, who)]
        self.consumed[height] = [who for who in skipped if who not in moved] + [header.builder]
        self._builders[height] = header.builder

    def _is_moved(self, height: int, who: str) -> bool:
        member = self.pictures[height].members.get(who)
        return member is None or member.get("status", "active") in ("jailed", "ejected")

    def _check_offences(self, committed: CommittedBlock) -> None:
        """E7: nobody honest is ejected, and nobody twice."""
        for event in committed.events:
            if event.kind != "member.ejected":
                continue
            who = event.accounts[0]
            if bytes.fromhex(who) in self.honest or who in self._ejected:
                self._fail(committed.height, f"{who} is ejected, honest or again")
            self._ejected[who] = None

    def _check_tokens(
        self, height: int, before: Picture, after: Picture, parameters: ConsensusParameters
    ) -> None:
        """E8, E6: tokens are cleared by a turn and grow by stake times satisfaction, capped."""
        seats = [key.hex() for key in self.sets[height].keys]
        for who in seats:
            cleared = who in self.consumed[height] or who in self._ejected
            start = 0 if cleared else before.tokens.get(who, 0)
            member = after.members[who]
            added = member["stake_micro"] * member["satisfaction_bp"]
            grown = min(start + added, parameters.age_cap_rounds * len(seats) * added)
            window = max(16, 4 * len(seats))
            earns = member.get("status", "active") == "active"
            earns = earns and after.last_live.get(who, 0) > height - window
            expected = grown if earns else start
            jailed = not earns and after.tokens.get(who, 0) == 0
            if after.tokens.get(who, 0) != expected and not jailed:
                found = after.tokens.get(who, 0)
                self._fail(height, f"{who} has {found} tokens, expected {expected}")

    def _check_rewards(
        self,
        committed: CommittedBlock,
        before: Picture,
        after: Picture,
        parameters: ConsensusParameters,
    ) -> None:
        """E7: the schedule, each vote paid once, and no more leaves the pool than is told."""
        height = committed.height
        commits = Commits.decode(committed.block.commits)
        paid = [event for event in committed.events if event.kind == "reward.paid"]
        votes, expected = 0, 0
        if commits.last_commit is not None:
            certificate = commits.last_commit
            counted = [(height - 1, signer) for signer in certificate.signer_indices()]
            counted += [(vote.height, vote.signer) for vote in commits.late_votes]
            for place in counted:
                if place in self._paid_votes:
                    self._fail(height, f"vote {place} is paid twice")
                self._paid_votes[place] = None
                expected += parameters.vote_reward_micro // len(self.sets[place[0]].keys)
            votes = len(counted)
        numbers: Mapping[str, Any] = paid[0].data if paid else {}
        if len(paid) != (1 if height > 1 else 0):
            self._fail(height, f"{len(paid)} payments of rewards")
        if numbers.get("votes_micro", 0) != expected:
            self._fail(height, f"votes earned {numbers.get('votes_micro')}, expected {expected}")
        if numbers.get("inclusion_micro", 0) != votes * parameters.inclusion_bonus_micro:
            self._fail(height, "the bonus for including votes is not by schedule")
        sealed = json.loads(committed.block.clearings)
        rounds = (*sealed["books"], *sealed["classes"])
        self._forgone[height] = any(each["deferred"] for each in rounds)
        due = height > 1 and not self._forgone[height - 1]
        if numbers.get("block_micro", 0) != due * parameters.block_reward_micro:
            self._fail(height, "the block's reward is not by schedule")
        names = ("block_micro", "votes_micro", "inclusion_micro")
        out = sum(numbers.get(name, 0) for name in names)
        fees = sum(
            event.data["fee_micro"] for event in committed.events if event.kind == "turn.skipped"
        )
        if after.pool_micro < before.pool_micro - out + fees:
            lost = before.pool_micro - out + fees - after.pool_micro
            self._fail(height, f"{lost} micro left the pool and nobody says why")

    def _check_transactions(self, application: Application, committed: CommittedBlock) -> None:
        """I7: each transaction once, each nonce of an account once."""
        for raw in committed.block.transactions:
            transaction = application.codec.decode(raw)
            place = (transaction.envelope.from_, transaction.envelope.nonce)
            if transaction.id in self._transactions or place in self._nonces:
                self._fail(committed.height, f"transaction {place} is there twice")
            self._transactions[transaction.id] = None
            self._nonces[place] = None

    def _check_order(
        self,
        application: Application,
        height: int,
        state: Picture,
        parameters: ConsensusParameters,
    ) -> None:
        """E2 to E5: base weights of L heights ago, consumed turns at zero, the jailed last."""
        keys = self.sets[height].keys
        lookback = parameters.lookback(len(keys))
        base = self.pictures[max(0, height - 1 - lookback)].weights
        used = [who for at in range(max(1, height - lookback), height) for who in self.consumed[at]]
        weights = {key.hex(): 0 if key.hex() in used else base.get(key.hex(), 0) for key in keys}
        drawn = drawn_order(state.seed, weights)
        moved = [who for who in drawn if self._is_moved(height - 1, who)]
        order = [who for who in drawn if who not in moved] + moved
        self.orders[height] = order
        found = [keys[index].hex() for index in application.height_start().order]
        if found != order:
            self._fail(height, f"the order of leaders is {found}, drawn anew {order}")
