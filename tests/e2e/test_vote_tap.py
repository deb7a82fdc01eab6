"""The judge of votes is not blind: a second vote is found, an allowed pair and a forgery told."""

from consensus.simplex.types import ValidatorSet, Vote, VoteKind, vote_message
from ledger.crypto import SigningKey
from tests.e2e.vote_tap import VoteLedger

GENESIS_HASH = b"g" * 32
KEYS = sorted(
    (SigningKey.from_seed(bytes([number]) * 32) for number in range(1, 5)),
    key=lambda key: key.public_key,
)
VALIDATORS = ValidatorSet(
    tuple(key.public_key for key in KEYS), tuple(key.public_key for key in KEYS)
)


def vote(
    kind: VoteKind, payload: bytes, signer: int = 0, genesis_hash: bytes = GENESIS_HASH
) -> Vote:
    """A vote of height 5, view 1."""
    body = b"" if kind is VoteKind.NULLIFY else payload * 32
    message = vote_message(genesis_hash, VALIDATORS.digest, kind, 5, 1, 0, body)
    return Vote(kind, 5, 1, 0, body, signer, KEYS[signer].sign(message))


def test_a_second_vote_is_found_and_the_same_vote_twice_is_none() -> None:
    ledger = VoteLedger()
    ledger.add([vote(VoteKind.NOTARIZE, b"a"), vote(VoteKind.NOTARIZE, b"a")])
    ledger.add([vote(VoteKind.NULLIFY, b""), vote(VoteKind.NOTARIZE, b"b", signer=1)])
    assert ledger.signed_twice() == []
    assert ledger.forged(VALIDATORS, GENESIS_HASH) == []
    ledger.add([vote(VoteKind.NOTARIZE, b"b")])
    assert {pair[0].signer for pair in ledger.signed_twice()} == {0}


def test_a_skip_beside_a_finalization_is_found() -> None:
    ledger = VoteLedger()
    ledger.add([vote(VoteKind.NULLIFY, b""), vote(VoteKind.FINALIZE, b"a")])
    assert ledger.signed_twice()


def test_a_forged_vote_is_told_from_a_real_one() -> None:
    ledger = VoteLedger()
    forged = vote(VoteKind.FINALIZE, b"a", genesis_hash=b"h" * 32)
    ledger.add([forged, vote(VoteKind.FINALIZE, b"a", signer=1)])
    assert ledger.forged(VALIDATORS, GENESIS_HASH) == [forged]
