"""Equivocation: punished once, in time, on proof; never otherwise."""

import pytest

from consensus.offences import check_evidence
from consensus.parameters import ConsensusParameters
from consensus.simplex.evidence import Evidence, accuse
from consensus.simplex.types import VoteKind
from consensus.simplex.wire import encode_evidence
from ledger.accounts import BURNED, pot_balance, total_money
from ledger.crypto import verify
from ledger.errors import Reason, Rejected
from tests.consensus.chain import GENESIS_HASH, Chain, block_hash


@pytest.fixture
def chain() -> Chain:
    made = Chain(7, ConsensusParameters(deposit_blocks=20), signed=True)
    for _ in range(5):
        made.advance()
    return made


def double(chain: Chain, signer: int, height: int = 3) -> Evidence:
    left = chain.vote(VoteKind.FINALIZE, height, 1, signer, block_hash(height))
    right = chain.vote(VoteKind.NULLIFY, height, 1, signer, b"")
    return accuse(left, right)


def accept(chain: Chain, evidence: Evidence) -> str:
    return check_evidence(chain.state, evidence, chain.height + 1, GENESIS_HASH, verify)


def refuse(chain: Chain, evidence: Evidence) -> None:
    with pytest.raises(Rejected) as refusal:
        accept(chain, evidence)
    assert refusal.value.reason is Reason.BAD_COMMITS


def test_an_equivocator_is_ejected_its_deposit_burned_its_tokens_cleared(chain: Chain) -> None:
    signer = chain.advance(1, chain.commits()).leader(1).index
    evidence = double(chain, signer)
    accused = accept(chain, evidence)
    deposit, stake = chain.member(accused).deposit_micro, chain.member(accused).stake_micro
    assert deposit == chain.parameters.deposit_micro
    burned = pot_balance(chain.state, BURNED)
    chain.advance(1, chain.commits(evidence=(encode_evidence(evidence),)))
    assert chain.member(accused).status == "ejected"
    assert chain.member(accused).deposit_micro == 0
    assert chain.tokens(accused) == 0
    assert pot_balance(chain.state, BURNED) == burned + deposit + stake // 10
    assert chain.member(accused).stake_micro == stake - stake // 10
    assert total_money(chain.state) == chain.money
    assert chain.election().leader(7).address == accused
    assert "member.ejected" in [event.kind for event in chain.events]


def test_an_offence_is_punished_once_and_a_second_one_not_at_all(chain: Chain) -> None:
    chain.advance(1, chain.commits(evidence=(encode_evidence(double(chain, 2)),)))
    refuse(chain, double(chain, 2))
    refuse(chain, double(chain, 2, height=4))
    chain.advance()
    refuse(chain, double(chain, 2))


def test_evidence_counts_while_the_deposit_of_its_time_is_held(chain: Chain) -> None:
    evidence = double(chain, 1, height=4)
    while chain.height + 1 < 4 + 20:
        chain.advance()
    accept(chain, evidence)
    chain.advance()
    refuse(chain, evidence)


def test_votes_that_an_honest_validator_may_sign_do_not_convict(chain: Chain) -> None:
    notarize = chain.vote(VoteKind.NOTARIZE, 3, 1, 1, block_hash(3))
    nullify = chain.vote(VoteKind.NULLIFY, 3, 1, 1, b"")
    other_final = chain.vote(VoteKind.FINALIZE, 3, 1, 1, block_hash(8))
    other_view = chain.vote(VoteKind.NOTARIZE, 3, 2, 1, block_hash(8))
    for left, right in (
        (notarize, nullify),
        (notarize, other_final),
        (notarize, other_view),
        (notarize, notarize),
    ):
        refuse(chain, accuse(left, right))


def test_evidence_with_swapped_votes_or_a_bad_signature_or_of_the_future_is_refused(
    chain: Chain,
) -> None:
    good = double(chain, 1)
    refuse(chain, Evidence(good.second, good.first))
    forged = chain.vote(VoteKind.NULLIFY, 3, 1, 2, b"")
    refuse(chain, Evidence(good.first, forged))
    refuse(chain, double(chain, 1, height=7))
    with pytest.raises(Rejected):
        check_evidence(chain.state, good, chain.height + 1, bytes(32), verify)


def test_a_member_without_deposit_can_still_be_ejected() -> None:
    chain = Chain(4, free=dict.fromkeys(range(4), 0), pool=0, signed=True)
    for _ in range(3):
        chain.advance()
    evidence = double(chain, 0, height=2)
    chain.advance(1, chain.commits(evidence=(encode_evidence(evidence),)))
    assert chain.member(chain.election().entries[0].address).status == "ejected"
    assert pot_balance(chain.state, BURNED) == 400_000
