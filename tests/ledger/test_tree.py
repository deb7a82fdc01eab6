"""The state root: incremental equals from scratch, and proofs of presence and absence."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.codec import Codec, encode
from ledger.state import Overlay, State, StateProof, verify_state_proof
from ledger.tree import _with_entry

table_names = st.sampled_from([b"account/", b"member/", b"order/", b"x/"])
state_keys = st.builds(bytes.__add__, table_names, st.binary(max_size=3))
entries = st.dictionaries(state_keys, st.binary(max_size=5), max_size=30)
changes = st.dictionaries(state_keys, st.none() | st.binary(max_size=5), max_size=30)


def slow_root(values: dict[bytes, bytes]) -> bytes:
    """Build the whole tree by recursion over bits of the key's hash; nothing shared with it."""
    hashed = sorted((sha256(key).digest(), sha256(value).digest()) for key, value in values.items())

    def node(part: list[tuple[bytes, bytes]], depth: int) -> bytes:
        if depth == 12:
            body = b"".join(key + value for key, value in part)
            count = len(part).to_bytes(4, "big")
            return sha256(b"twinchain/state-bucket/v1\0" + count + body).digest()

        def bit(key: bytes) -> int:
            return int.from_bytes(key, "big") >> (255 - depth) & 1

        left = node([entry for entry in part if not bit(entry[0])], depth + 1)
        right = node([entry for entry in part if bit(entry[0])], depth + 1)
        return sha256(b"twinchain/state-node/v1\0" + left + right).digest()

    return node(hashed, 0)


def keys_of_one_bucket(count: int) -> list[bytes]:
    """Find keys that share a bucket."""
    found: list[bytes] = []
    number = 0
    while len(found) < count:
        key = b"x/%d" % number
        if sha256(key).digest()[:2] < b"\0\x10":
            found.append(key)
        number += 1
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_the_root_is_the_one_a_recursive_oracle_builds(count: int) -> None:
    values = {b"account/%d" % number: b"v%d" % number for number in range(count)}
    values |= dict.fromkeys(keys_of_one_bucket(min(count, 5)), b"crowded")
    assert State.from_items(values.items()).root == slow_root(values)


@given(entries, changes, changes)
def test_roots_after_changes_equal_roots_from_scratch_in_any_order(
    start: dict[bytes, bytes],
    first: dict[bytes, bytes | None],
    second: dict[bytes, bytes | None],
) -> None:
    state = State.from_items(start.items())
    expected = dict(start)
    for change in (first, second):
        before = state.root
        overlay = Overlay(state)
        for key, value in change.items():
            if value is None:
                overlay.delete(key)
                expected.pop(key, None)
            else:
                overlay.put(key, value)
                expected[key] = value
        promised = overlay.root()
        assert state.root == before, "a root is computed without touching the state"
        state.merge(overlay)
        assert state.root == promised
    again = State.from_items(sorted(expected.items(), reverse=True))
    assert state.root == again.root
    assert dict(state.items()) == expected


def test_a_crowded_bucket_inserts_replaces_and_removes_in_order() -> None:
    state, expected = State(), dict[bytes, bytes]()
    keys = keys_of_one_bucket(12)
    for step, key in enumerate([*keys, *reversed(keys), keys[3], keys[7]]):
        overlay = Overlay(state)
        if key in expected and step % 3:
            overlay.delete(key)
            del expected[key]
        else:
            overlay.put(key, b"value %d" % step)
            expected[key] = b"value %d" % step
        state.merge(overlay)
        assert state.root == slow_root(expected)


def test_a_key_hash_standing_where_a_value_hash_stands_is_not_mistaken_for_the_key() -> None:
    """The fast search finds bytes anywhere; only whole entries count."""
    first, second = (sha256(key).digest() for key in keys_of_one_bucket(2))
    for present, added in ((first, second), (second, first)):
        bucket = present + added  # one entry, whose value hash looks like the other key
        entry = added + sha256(b"v").digest()
        assert _with_entry(bucket, added, b"v") == b"".join(sorted([bucket, entry]))
        assert _with_entry(bucket, added, None) == bucket


@given(entries, state_keys, st.binary(max_size=5))
def test_proofs_show_what_is_there_what_is_not_and_nothing_else(
    values: dict[bytes, bytes], key: bytes, other: bytes
) -> None:
    state = State.from_items(values.items())
    for asked in [key, *values]:
        proof = state.prove(asked)
        truth = values.get(asked)
        assert verify_state_proof(state.root, asked, truth, proof)
        for wrong in (None, other, b"wrong"):
            if wrong != truth:
                assert not verify_state_proof(state.root, asked, wrong, proof)
        assert not verify_state_proof(sha256(state.root).digest(), asked, truth, proof)


def test_altered_proofs_are_refused() -> None:
    keys = keys_of_one_bucket(3)
    state = State.from_items((key, b"v") for key in keys)
    good = state.prove(keys[1])
    assert len(good.entries) == 3
    zero = "00" * 32
    altered = [
        replace(good, entries=good.entries[::-1]),
        replace(good, entries=good.entries[:2]),
        replace(good, entries=(*good.entries, good.entries[-1])),
        replace(good, entries=(*good.entries, "ff" * 64)),
        replace(good, entries=()),
        replace(good, siblings=good.siblings[::-1]),
        replace(good, siblings=good.siblings[:-1]),
        replace(good, siblings=(*good.siblings, zero)),
        replace(good, siblings=(zero, *good.siblings[1:])),
    ]
    for proof in altered:
        assert not verify_state_proof(state.root, keys[1], b"v", proof)
        assert not verify_state_proof(state.root, keys[1], None, proof)


def test_a_proof_for_one_bucket_says_nothing_about_a_key_of_another() -> None:
    state = State.from_items([(b"account/1", b"v")])
    proof = state.prove(keys_of_one_bucket(1)[0])
    assert not verify_state_proof(state.root, b"account/1", None, proof)
    assert not verify_state_proof(state.root, b"account/1", b"v", proof)


def test_a_proof_travels_as_canonical_bytes() -> None:
    state = State.from_items([(b"account/1", b"v")])
    proof = state.prove(b"account/1")
    received = Codec(StateProof).decode(encode(proof))
    assert verify_state_proof(state.root, b"account/1", b"v", received)
