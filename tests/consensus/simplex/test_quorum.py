"""Quorum arithmetic for every size a network may have, and the bitmaps that name quorums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.simplex.certificates import (
    assemble,
    bitmap,
    extend_certificate,
    is_well_formed,
    verify_certificate,
    votes_of,
)
from consensus.simplex.types import Certificate, ValidatorSet, max_faulty, quorum_size
from tests.consensus.simplex.bench import (
    GENESIS,
    OTHER,
    Bench,
    F,
    N,
    X,
    stub_verify,
    validator_keys,
    validator_set,
)

SIZES = st.integers(4, 21)


@pytest.mark.parametrize("n", range(1, 101))
def test_any_two_quorums_share_an_honest_validator(n: int) -> None:
    f, quorum = max_faulty(n), quorum_size(n)
    assert 3 * f < n <= 3 * f + 3
    assert 2 * quorum - n > f


@pytest.mark.parametrize("n", range(1, 101))
def test_the_honest_alone_are_a_quorum(n: int) -> None:
    assert n - max_faulty(n) >= quorum_size(n)


@pytest.mark.parametrize("n", [5, 6, 8, 9, 11, 12])
def test_two_thirds_of_the_faulty_count_would_not_do(n: int) -> None:
    f = max_faulty(n)
    wrong = 2 * f + 1
    assert 2 * wrong - n <= f


@st.composite
def two_quorums(draw: st.DrawFn) -> tuple[int, set[int], set[int], set[int]]:
    n = draw(SIZES)
    everyone = st.permutations(range(n))
    quorum = quorum_size(n)
    left, right = set(draw(everyone)[:quorum]), set(draw(everyone)[:quorum])
    return n, left, right, set(draw(everyone)[: max_faulty(n)])


@given(two_quorums())
def test_drawn_quorums_meet_outside_the_faulty(case: tuple[int, set, set, set]) -> None:
    _, left, right, faulty = case
    assert (left & right) - faulty


@given(SIZES.flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_a_bitmap_names_exactly_its_signers(case: tuple[int, set[int]]) -> None:
    n, signers = case
    certificate = Certificate(N, 1, 1, 0, bytes(32), bitmap(signers, n), ())
    assert len(certificate.signers) == -(-n // 8)
    assert certificate.signer_indices() == tuple(sorted(signers))


@pytest.mark.parametrize("n", [4, 5, 7, 8, 9, 16, 17, 21])
def test_a_certificate_needs_a_quorum_of_good_signatures(n: int) -> None:
    bench = Bench(0, n=n)
    validators, quorum = bench.validators, quorum_size(n)
    for kind in (N, X, F):
        good = bench.certificate(kind, 3, signers=range(n - quorum, n))
        assert verify_certificate(good, validators, GENESIS, stub_verify)
        assert assemble(votes_of(good), n) == good
        small = bench.certificate(kind, 3, signers=range(quorum - 1))
        assert not is_well_formed(small, validators)
        assert not verify_certificate(good, validators, bytes(32), stub_verify)


def test_a_certificate_grows_by_equal_votes_only() -> None:
    bench = Bench(0, n=7)
    certificate = bench.certificate(F, 2)
    more = [bench.vote(F, 2, 5), bench.vote(F, 2, 6, OTHER), bench.vote(F, 3, 6)]
    grown = extend_certificate(certificate, more, 7)
    assert grown.signer_indices() == (0, 1, 2, 3, 4, 5)
    assert verify_certificate(grown, bench.validators, GENESIS, stub_verify)


def test_unequal_or_repeated_votes_make_no_certificate() -> None:
    bench = Bench(0)
    with pytest.raises(ValueError, match="equal votes"):
        assemble([bench.vote(N, 1, 0), bench.vote(N, 1, 1, OTHER)], 4)
    with pytest.raises(ValueError, match="equal votes"):
        assemble([bench.vote(N, 1, 0), bench.vote(N, 1, 0)], 4)
    with pytest.raises(ValueError, match="equal votes"):
        assemble([], 4)


def test_a_validator_set_is_a_sorted_list_of_distinct_keys() -> None:
    keys = validator_keys(4)
    for wrong in (keys[::-1], (keys[0], keys[0]), (), (b"short",)):
        with pytest.raises(ValueError):
            ValidatorSet(wrong, wrong)
    with pytest.raises(ValueError, match="VRF"):
        ValidatorSet(keys, keys[:3])


def test_the_digest_of_a_set_depends_on_every_key_of_both_kinds() -> None:
    base = validator_set(4)
    other_vrf = ValidatorSet(base.keys, (*base.vrf_keys[:3], b"\x09" * 32))
    digests = {base.digest, validator_set(5).digest, other_vrf.digest}
    assert len(digests) == 3
