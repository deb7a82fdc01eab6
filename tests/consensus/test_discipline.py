"""Jail, rule by rule (M8, M9), on blocks without transactions."""

from __future__ import annotations

from consensus.discipline import read_conduct
from consensus.parameters import ConsensusParameters
from consensus.sets import validator_set
from tests.consensus.chain import Chain


def silent_run(chain: Chain, blocks: int, *, late: bool = False) -> str:
    """Blocks without the votes of one member, in time or at all; returns who it is."""
    absent = chain.election().entries[2]
    for _ in range(blocks):
        # no turn is missed, so only votes decide
        votes = (chain.late_vote(chain.height - 1, absent.index),) if chain.height > 1 else ()
        chain.advance(1, chain.commits(1, absent=[absent.index], late=votes if late else ()))
    return absent.address


def test_m8_votes_on_less_than_half_of_the_blocks_jail_at_the_boundary() -> None:
    chain = Chain(7, ConsensusParameters(boundary_blocks=10))
    who = silent_run(chain, 8)
    assert read_conduct(chain.state)[who].votes == 0
    assert chain.member(who).status == "active"
    chain.advance()
    assert chain.member(who).status == "jailed"
    assert chain.member(who).jailed_until == 9 + 600
    assert chain.tokens(who) == 0
    assert bytes.fromhex(who) not in validator_set(chain.state, 10).keys
    assert read_conduct(chain.state) == {}


def test_m8_late_votes_count() -> None:
    chain = Chain(7, ConsensusParameters(boundary_blocks=10))
    who = silent_run(chain, 9, late=True)
    assert chain.member(who).status == "active"


def test_m8_an_attendance_of_zero_is_asked_of_nobody_where_the_chain_says_so() -> None:
    chain = Chain(7, ConsensusParameters(boundary_blocks=10, least_attendance_bp=0))
    who = silent_run(chain, 9)
    assert chain.member(who).status == "active"


def test_m8_one_missed_turn_too_many_jails_at_once() -> None:
    chain = Chain(7, ConsensusParameters(jail_skips=0))
    chain.advance()
    who = chain.election().leader(1).address
    chain.advance(2)
    assert chain.member(who).status == "jailed"
    assert "member.jailed" in [event.kind for event in chain.events]
    assert chain.election().order[-1] == chain.election().entries.index(
        next(entry for entry in chain.election().entries if entry.address == who)
    )


def test_m8_at_most_f_are_in_jail_and_the_worst_go_first() -> None:
    chain = Chain(7, ConsensusParameters(jail_skips=0))
    for _ in range(4):
        chain.advance(4)
    jailed = [m for m in chain.keys if chain.member(m).status == "jailed"]
    assert len(jailed) == 2


def test_m9_nothing_counts_while_origin_views_pass_n() -> None:
    chain = Chain(4, ConsensusParameters(boundary_blocks=10, jail_skips=0))
    for _ in range(9):
        chain.advance(6, chain.commits(6, absent=[3]))
    assert all(chain.member(who).status == "active" for who in chain.keys)
