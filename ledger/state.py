"""Committed state as a sorted map of bytes to bytes, and overlays of what a block changes.

A key is `table/` followed by the entry's own key: `account/` and 32 raw bytes, for instance.  Two
classes hold one map.  `State` is what is committed, in memory, with its tree of digests.  An
`Overlay` holds the changes of one block on top of it and touches nothing below: a refused block is
a dropped overlay, a committed one is merged.  There is no full copy anywhere.

Within a block every transaction is all or nothing.  The overlay therefore keeps a journal of what
each write replaced; `checkpoint` names a point in it and `rollback` undoes everything since, events
included.

`scan` needs keys in order.  Each table gets a sorted index when it is first scanned and keeps it up
to date from then on; a table nobody scans (accounts, by the million) is never sorted.  An overlay
merges its own index with the one below.  A scan fixes the entries it will visit when it starts, so
the caller may write while it reads: what it gets is the state as it was when the scan started.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, Protocol

from ledger.codec import Record
from ledger.table_index import TableIndex
from ledger.tree import StateProof, Tree, TreeChange, verify_state_proof
from ledger.types import Address, Digest
from ledger.witness import Witness

__all__ = ["Event", "Overlay", "State", "StateProof", "View", "Witness", "verify_state_proof"]


class View(Protocol):
    """Read access to a state, committed or being built."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key."""

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose key starts with `prefix`, in ascending order of key."""


class Event(Record):
    """Something a block did that a reader may want to know; integers and strings only."""

    kind: str
    accounts: tuple[Address, ...]
    data: dict[str, str | int | list[str] | list[int]]


class State:
    """Committed state in memory, with its root."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._index = TableIndex()
        self._tree = Tree()

    @classmethod
    def from_items(cls, items: Iterable[tuple[bytes, bytes]]) -> "State":
        """Return the state that holds exactly these entries."""
        state = cls()
        overlay = Overlay(state)
        for key, value in items:
            overlay.put(key, value)
        state.merge(overlay)
        return state

    @property
    def root(self) -> Digest:
        """Root of the digest tree: it commits to every entry."""
        return self._tree.root

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key."""
        return self._values.get(key)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries with this prefix in ascending order, as they are now."""
        keys = self._index.keys(prefix)
        return iter(list(zip(keys, map(self._values.__getitem__, keys), strict=True)))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every entry, in no promised order."""
        return iter(self._values.items())

    def __len__(self) -> int:
        return len(self._values)

    def change_tree(self, changes: Mapping[bytes, bytes | None]) -> TreeChange:
        """Return what these changes do to the digest tree, without doing it."""
        return self._tree.change(changes)

    def merge(self, overlay: "Overlay") -> None:
        """Make an overlay of this very state part of it; the overlay is then spent."""
        if overlay.base is not self:
            raise ValueError("only an overlay of this state can be merged into it")
        self._tree.apply(overlay.tree_change())
        values = self._values
        for key, value in overlay.changes.items():
            if value is None:
                if key in values:
                    del values[key]
                    self._index.remove(key)
            else:
                if key not in values:
                    self._index.add(key)
                values[key] = value

    def prove(self, key: bytes) -> StateProof:
        """Return the proof that `key` has its value, or that it has none, under `root`."""
        return self._tree.prove(key)

    def witness(self, keys: Iterable[bytes]) -> Witness:
        """Return the values of these keys as they are now, with all that proves them."""
        wanted = dict.fromkeys(keys)
        return Witness({key: self.get(key) for key in wanted}, *self._tree.part(wanted))


class _Mark(Enum):
    MISSING = "not changed here, which is not the same as deleted here"


_MISSING: Final = _Mark.MISSING

_Journal = list[tuple[bytes, bytes | _Mark | None] | None]
"""What each write replaced, oldest first; None stands for an event."""


class Overlay:
    """Changes on top of a view: read-through, undoable, with a root of their own."""

    __slots__ = (
        "_base_root",
        "_changes",
        "_events",
        "_index",
        "_indexed",
        "_journal",
        "_order",
        "_tree_change",
        "base",
    )

    def __init__(self, base: View) -> None:
        self.base = base
        self._base_root = base.root if isinstance(base, State) else None
        self._changes: dict[bytes, bytes | None] = {}
        self._order: list[bytes] = []  # the changed keys, in order of first change
        self._journal: _Journal = []
        self._events: list[Event] = []
        self._index = TableIndex()  # of the first `_indexed` changed keys
        self._indexed = 0
        self._tree_change: TreeChange | None = None

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key, the changed one if there is one."""
        value = self._changes.get(key, _MISSING)
        return self.base.get(key) if value is _MISSING else value

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value under a key."""
        self._write(key, value)

    def delete(self, key: bytes) -> None:
        """Remove a key; nothing happens if it is not there."""
        if self.get(key) is not None:
            self._write(key, None)

    def _write(self, key: bytes, value: bytes | None) -> None:
        old = self._changes.get(key, _MISSING)
        self._journal.append((key, old))
        if old is _MISSING:
            self._order.append(key)
        self._changes[key] = value
        self._tree_change = None

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries with this prefix in ascending order, as they are now."""
        for key in self._order[self._indexed :]:
            self._index.add(key)
        self._indexed = len(self._order)
        own = [(key, self._changes[key]) for key in self._index.keys(prefix)]
        below = self.base.scan(prefix)
        return _merged(below, own) if own else below

    def emit(self, event: Event) -> None:
        """Note an event; it goes with a rollback like any change."""
        self._events.append(event)
        self._journal.append(None)

    @property
    def events(self) -> tuple[Event, ...]:
        """Events in order of emission."""
        return tuple(self._events)

    @property
    def changes(self) -> Mapping[bytes, bytes | None]:
        """Changed keys with their new values, None for deleted; in order of first change."""
        return MappingProxyType(self._changes)

    def checkpoint(self) -> int:
        """Return a mark to which `rollback` can return."""
        return len(self._journal)

    def rollback(self, mark: int) -> None:
        """Undo every change and event since the mark."""
        journal, changes = self._journal, self._changes
        while len(journal) > mark:
            entry = journal.pop()
            if entry is None:
                self._events.pop()
                continue
            key, old = entry
            if old is not _MISSING:
                changes[key] = old
                continue
            del changes[key]
            self._order.pop()  # first changes are undone newest first
            if self._indexed > len(self._order):
                self._index.remove(key)
                self._indexed -= 1
        self._tree_change = None

    def root(self) -> Digest:
        """Return the root the state would have after a merge; costs 1 to 5 us per changed key."""
        return self.tree_change().root

    def tree_change(self) -> TreeChange:
        """Return what a merge does to the digest tree; computed once until the next write.

        Raises ValueError when the view below is no State, or has moved on since.
        """
        if not isinstance(self.base, State) or self.base.root != self._base_root:
            raise ValueError("a root needs the committed state the overlay was made on")
        if self._tree_change is None:
            self._tree_change = self.base.change_tree(self._changes)
        return self._tree_change


def _merged(
    below: Iterator[tuple[bytes, bytes]], own: list[tuple[bytes, bytes | None]]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield two ascending runs as one; of equal keys the own entry wins, None hides it."""
    entry = next(below, None)
    for key, value in own:
        while entry is not None and entry[0] < key:
            yield entry
            entry = next(below, None)
        if entry is not None and entry[0] == key:
            entry = next(below, None)
        if value is not None:
            yield key, value
    if entry is not None:
        yield entry
        yield from below
