"""A witness gives, long after, the proofs its state would have given."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Corrupt
from ledger.state import Overlay, State, verify_state_proof
from ledger.witness import decode_witnesses, encode_witnesses

keys = st.binary(min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(keys, st.binary(max_size=20), max_size=60),
    st.lists(keys, max_size=12),
    st.data(),
)
def test_what_was_cut_out_proves_what_the_state_proved_and_goes_on_doing_so(
    entries: dict[bytes, bytes], others: list[bytes], data: st.DataObject
) -> None:
    state = State.from_items(entries.items())
    known = data.draw(st.lists(st.sampled_from(sorted(entries)), max_size=12)) if entries else []
    wanted = [*known, *others]
    root, proofs = state.root, {key: state.prove(key) for key in wanted}
    (kept,) = decode_witnesses(encode_witnesses((state.witness(wanted),)))
    overlay = Overlay(state)
    for key in wanted:
        overlay.put(key, b"something else")
    state.merge(overlay)
    for key in wanted:
        assert kept.prove(key) == proofs[key]
        assert kept.values[key] == entries.get(key)
        assert verify_state_proof(root, key, kept.values[key], kept.prove(key))


def test_a_witness_holds_shared_paths_once_and_only_what_was_asked_for() -> None:
    state = State.from_items((b"key/%d" % number, b"value") for number in range(500))
    one, many = state.witness([b"key/1"]), state.witness(b"key/%d" % n for n in range(100))
    assert len(one.nodes) == 12
    assert len(many.nodes) < 100 * 12 * 2 // 3
    with pytest.raises(KeyError):
        one.prove(b"key/2")


def test_stored_bytes_that_are_no_witnesses_are_refused() -> None:
    for stored in (b"", b"\x93", b"\x91\x92\x80\x80", b"\x91\xc0"):
        with pytest.raises(Corrupt):
            decode_witnesses(stored)
