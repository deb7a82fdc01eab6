"""Which keys a map holds, by table, sorted only where somebody scans.

A key is `table/` and the rest.  A table's keys are kept as they come until they are first asked for
in order; then they are sorted once, and every later key is put in its place.  So a table that is
scanned (orders, agreements, members) costs one insertion per new key, and a table that never is
(accounts, by the million) costs no sorting at all.
"""

from bisect import bisect_left, insort

_SEPARATOR = b"/"


def _table(key: bytes) -> bytes:
    """Return the table a key or a prefix of a key lies in, empty if the prefix names none."""
    name, separator, _ = key.partition(_SEPARATOR)
    return name + separator if separator else b""


def _after(prefix: bytes) -> bytes | None:
    """Return the least key above all keys with this prefix, None if there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None


class TableIndex:
    """Keys by table, each table sorted when first asked for and kept sorted from then on."""

    __slots__ = ("_sorted", "_unsorted")

    def __init__(self) -> None:
        self._unsorted: dict[bytes, dict[bytes, None]] = {}
        self._sorted: dict[bytes, list[bytes]] = {}

    def add(self, key: bytes) -> None:
        """Take in a key that is not yet in the index."""
        table = _table(key)
        keys = self._sorted.get(table)
        if keys is not None:
            insort(keys, key)
        elif table in self._unsorted:
            self._unsorted[table][key] = None
        else:
            self._unsorted[table] = {key: None}

    def remove(self, key: bytes) -> None:
        """Forget a key that is in the index."""
        table = _table(key)
        keys = self._sorted.get(table)
        if keys is not None:
            del keys[bisect_left(keys, key)]
        else:
            del self._unsorted[table][key]

    def keys(self, prefix: bytes) -> list[bytes]:
        """Return a new list of the keys with this prefix, ascending."""
        table = _table(prefix)
        if not table:
            tables = sorted(self._sorted.keys() | self._unsorted.keys())
            return sorted(key for t in tables if t.startswith(prefix) for key in self._keys_of(t))
        keys = self._keys_of(table)
        end = _after(prefix)
        return keys[bisect_left(keys, prefix) : None if end is None else bisect_left(keys, end)]

    def _keys_of(self, table: bytes) -> list[bytes]:
        keys = self._sorted.get(table)
        if keys is None:
            keys = sorted(self._unsorted.pop(table, ()))
            self._sorted[table] = keys
        return keys
