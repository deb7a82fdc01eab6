"""Roots of lists: no two different lists share one, and proofs prove exactly one item."""

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.merkle import ListProof, list_proof, list_root, verify_list_proof

item_lists = st.lists(st.binary(max_size=6), max_size=20)


def slow_root(tag: str, items: list[bytes]) -> bytes:
    """Build the tree by recursion: the left half is the largest power of two below the size."""

    def top(part: list[bytes]) -> bytes:
        if len(part) == 1:
            return sha256(b"twinchain/list-leaf/v1\0" + part[0]).digest()
        half = 1
        while half * 2 < len(part):
            half *= 2
        return sha256(b"twinchain/list-node/v1\0" + top(part[:half]) + top(part[half:])).digest()

    summit = top(items) if items else bytes(32)
    count = len(items).to_bytes(8, "big")
    return sha256(b"twinchain/list-root/v1\0" + tag.encode() + b"\0" + count + summit).digest()


@given(item_lists)
def test_the_root_is_the_one_a_recursive_oracle_builds(items: list[bytes]) -> None:
    assert list_root("thing", items) == slow_root("thing", items)


@given(item_lists, item_lists)
def test_different_lists_have_different_roots(first: list[bytes], second: list[bytes]) -> None:
    assert (list_root("thing", first) == list_root("thing", second)) == (first == second)


def test_v1_moved_boundaries_splits_merges_and_orders_change_the_root() -> None:
    variants = [
        [],
        [b""],
        [b"", b""],
        [b"abcd"],
        [b"ab", b"cd"],
        [b"abc", b"d"],
        [b"cd", b"ab"],
        [b"ab", b"", b"cd"],
        [b"ab", b"cd", b""],
        [b"a", b"b", b"c", b"d"],
    ]
    assert len({list_root("thing", items) for items in variants}) == len(variants)


def test_v3_an_odd_last_item_is_not_the_same_item_twice() -> None:
    for count in range(1, 12):
        items = [bytes([number]) for number in range(count)]
        assert list_root("thing", items) != list_root("thing", [*items, items[-1]])


def test_v3_a_node_cannot_be_passed_off_as_a_leaf() -> None:
    leaves = [sha256(b"twinchain/list-leaf/v1\0" + item).digest() for item in (b"a", b"b")]
    assert list_root("thing", [b"a", b"b"]) != list_root("thing", [b"".join(leaves)])


def test_the_tag_separates_kinds_of_lists() -> None:
    assert list_root("thing", [b"a"]) != list_root("other", [b"a"])


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=20), st.data())
def test_a_proof_holds_for_its_item_and_for_no_other(
    items: list[bytes], data: st.DataObject
) -> None:
    root = list_root("thing", items)
    index = data.draw(st.integers(0, len(items) - 1))
    proof = list_proof(items, index)
    assert verify_list_proof(root, "thing", items[index], proof)
    assert not verify_list_proof(root, "thing", items[index] + b"x", proof)
    assert not verify_list_proof(root, "other", items[index], proof)
    assert not verify_list_proof(sha256(root).digest(), "thing", items[index], proof)


def test_every_altered_field_of_a_proof_is_refused() -> None:
    items = [bytes([number]) for number in range(11)]
    root = list_root("thing", items)
    for index in range(11):
        proof = list_proof(items, index)
        altered = [
            replace(proof, index=(index + 1) % 11),
            replace(proof, index=index + 11),
            replace(proof, count=proof.count + 1),
            replace(proof, count=proof.count - 1),
            replace(proof, count=0),
            replace(proof, siblings=proof.siblings[1:]),
            replace(proof, siblings=(*proof.siblings, "00" * 32)),
            replace(proof, siblings=("00" * 32, *proof.siblings[1:])),
            replace(proof, siblings=()),
        ]
        assert not any(verify_list_proof(root, "thing", items[index], other) for other in altered)


def test_a_long_list_of_siblings_costs_nothing_and_proves_nothing() -> None:
    proof = ListProof(0, 1, ("00" * 32,) * 53)
    assert not verify_list_proof(list_root("thing", [b"a"]), "thing", b"a", proof)


def test_there_is_no_proof_outside_the_list() -> None:
    for index in (-1, 3):
        with pytest.raises(IndexError):
            list_proof([b"a", b"b", b"c"], index)


def test_roots_of_growing_lists_all_differ() -> None:
    roots = [list_root("thing", [b"same"] * count) for count in range(70)]
    assert all(first != second for first, second in pairwise(roots))
    assert len(set(roots)) == 70
