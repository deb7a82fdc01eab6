"""State and overlays: reads, ordered scans, rollback, and merging."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger.state import Event, Overlay, State

KEYS = [
    table + rest
    for table in (b"account/", b"order/", b"order2/", b"o/", b"solo")
    for rest in (b"", b"\0", b"a", b"a/b", b"ab", b"b", b"\xff", b"\xff\xff")
]
PREFIXES = [b"", b"o", b"order", b"order/", b"order/a", b"order/a/", b"order/\xff", b"nothing/"]

some_keys = st.sampled_from(KEYS)
some_values = st.binary(max_size=3)


def expected_scan(values: dict[bytes, bytes], prefix: bytes) -> list[tuple[bytes, bytes]]:
    return sorted(item for item in values.items() if item[0].startswith(prefix))


class Views(RuleBasedStateMachine):
    """A state and an overlay against plain dictionaries, with marks to roll back to."""

    @initialize(start=st.dictionaries(some_keys, some_values, max_size=10))
    def begin(self, start: dict[bytes, bytes]) -> None:
        self.state = State.from_items(start.items())
        self.committed = dict(start)
        self.renew()

    def renew(self) -> None:
        self.overlay = Overlay(self.state)
        self.model = dict(self.committed)
        self.emitted: list[Event] = []
        self.marks: list[tuple[int, dict[bytes, bytes], list[Event]]] = []

    @rule(key=some_keys, value=some_values)
    def put(self, key: bytes, value: bytes) -> None:
        self.overlay.put(key, value)
        self.model[key] = value

    @rule(key=some_keys)
    def delete(self, key: bytes) -> None:
        self.overlay.delete(key)
        self.model.pop(key, None)

    @rule(number=st.integers(0, 9))
    def emit(self, number: int) -> None:
        event = Event("kind", (), {"number": number})
        self.overlay.emit(event)
        self.emitted.append(event)

    @rule()
    def mark(self) -> None:
        self.marks.append((self.overlay.checkpoint(), dict(self.model), list(self.emitted)))

    @rule()
    def rollback(self) -> None:
        if self.marks:
            mark, self.model, self.emitted = self.marks.pop()
            self.overlay.rollback(mark)

    @rule(prefix=st.sampled_from(PREFIXES))
    def scan(self, prefix: bytes) -> None:
        assert list(self.overlay.scan(prefix)) == expected_scan(self.model, prefix)
        assert list(self.state.scan(prefix)) == expected_scan(self.committed, prefix)

    @rule()
    def merge(self) -> None:
        promised = self.overlay.root()
        self.state.merge(self.overlay)
        self.committed = self.model
        assert self.state.root == promised == State.from_items(self.committed.items()).root
        self.renew()

    @rule()
    def drop(self) -> None:
        self.renew()

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "overlay"):
            assert all(self.overlay.get(key) == self.model.get(key) for key in KEYS)
            assert all(self.state.get(key) == self.committed.get(key) for key in KEYS)
            assert len(self.state) == len(self.committed)
            assert list(self.overlay.events) == self.emitted


Views.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


class TestViewsAgainstDictionaries(Views.TestCase):
    """Hypothesis drives the machine above."""


@pytest.fixture
def state() -> State:
    return State.from_items((b"order/%d" % number, b"v") for number in range(6))


def test_a_scan_shows_the_state_at_its_start_while_the_caller_writes(state: State) -> None:
    overlay = Overlay(state)
    overlay.put(b"order/2x", b"own")
    before = list(overlay.scan(b"order/"))
    seen = []
    for key, value in overlay.scan(b"order/"):
        seen.append((key, value))
        overlay.put(key, b"changed")
        overlay.put(key + b"new", b"added")
        overlay.delete(b"order/5")
    assert seen == before


def test_a_key_rolled_back_after_a_scan_is_gone_from_later_scans(state: State) -> None:
    overlay = Overlay(state)
    overlay.put(b"order/kept", b"1")
    mark = overlay.checkpoint()
    overlay.put(b"order/new", b"2")
    assert len(list(overlay.scan(b"order/"))) == 8
    overlay.rollback(mark)
    assert b"order/new" not in dict(overlay.scan(b"order/"))
    overlay.put(b"order/new", b"3")
    assert dict(overlay.scan(b"order/"))[b"order/new"] == b"3"
    assert len(list(overlay.scan(b"order/"))) == 8


def test_an_overlay_on_an_overlay_reads_through_both(state: State) -> None:
    lower = Overlay(state)
    lower.put(b"order/9", b"low")
    lower.delete(b"order/0")
    upper = Overlay(lower)
    upper.put(b"order/7", b"up")
    upper.delete(b"order/1")
    keys = [key for key, _ in upper.scan(b"order/")]
    assert keys == [b"order/%d" % number for number in (2, 3, 4, 5, 7, 9)]
    with pytest.raises(ValueError, match="committed state"):
        upper.root()


def test_only_an_overlay_of_this_state_as_it_is_now_can_be_merged(state: State) -> None:
    stale, fresh = Overlay(state), Overlay(state)
    stale.put(b"order/1", b"stale")
    fresh.put(b"order/1", b"fresh")
    state.merge(fresh)
    root = state.root
    with pytest.raises(ValueError, match="made on"):
        state.merge(stale)
    with pytest.raises(ValueError, match="this state"):
        State().merge(Overlay(state))
    assert state.root == root
    assert state.get(b"order/1") == b"fresh"


def test_changes_list_what_a_merge_writes_in_order_of_first_change(state: State) -> None:
    overlay = Overlay(state)
    overlay.put(b"order/b", b"1")
    overlay.delete(b"order/1")
    overlay.put(b"order/b", b"2")
    overlay.delete(b"never/was")
    assert list(overlay.changes.items()) == [(b"order/b", b"2"), (b"order/1", None)]


def test_scanning_one_table_does_not_sort_another() -> None:
    state = State.from_items([(b"account/1", b""), (b"order/1", b"")])
    entries: Iterator[tuple[bytes, bytes]] = state.scan(b"order/")
    assert [key for key, _ in entries] == [b"order/1"]
    assert b"account/" not in state._index._sorted
