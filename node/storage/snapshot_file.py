"""The snapshot file: one state with the block that commits to it, streamed, checked as it is read.

    magic line, then frames: kind u8, length u32, payload, SHA-256

    MANIFEST     canonical JSON: version, chain, genesis, height, hash and root of the block, counts
    HEADER       the block's header, as hashed
    CERTIFICATE  a FINALIZE certificate of the block
    STATE ...    packed key, value, key, value, ...; keys ascend over all frames; about 1 MiB each
    END          canonical JSON: number of STATE frames, digest of everything before

Each frame's SHA-256 covers its place, kind and length too, so frames cannot be lost, swapped or
cut.  All that finds damage; it proves nothing about who wrote the file.  Whether its state is that
of the chain is judged by `node/application/snapshots.py`, against a block hash that is trusted.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, BinaryIO, Final, TypeVar

from msgspec import Meta

from ledger.codec import Codec, Record, encode, pack, unpack
from ledger.errors import Rejected
from ledger.types import MAX_INTEGER, ChainName, Hex32, PositiveCount
from node.storage.errors import Refusal, SnapshotRefused, StorageFailed

MAGIC: Final = b"twinchain snapshot\n"
VERSION: Final = 1
CHUNK_BYTES: Final = 1024 * 1024
MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
"""Above any entry a chain can have, and a bound for who reads."""

_FRAME_TAG = b"twinchain/snapshot/v1\0"
_DIGEST_BYTES = 32
Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Entry = tuple[bytes, bytes]
T = TypeVar("T")


class FrameKind(IntEnum):
    """What a frame holds; the values are on disk."""

    MANIFEST = 1
    HEADER = 2
    CERTIFICATE = 3
    STATE = 4
    END = 5


class Manifest(Record):
    """What the file says it is.  `entries`, `size`: state keys, and bytes of keys and values."""

    version: PositiveCount
    chain: ChainName
    genesis: Hex32
    height: PositiveCount
    block: Hex32
    state_root: Hex32
    entries: Count
    size: Count


class End(Record):
    """The last frame.  `digest`: SHA-256 of all bytes of the file before it."""

    chunks: Count
    digest: Hex32


_MANIFESTS = Codec(Manifest, max_bytes=4096)
_ENDS = Codec(End, max_bytes=4096)


def _checksum(place: int, head: bytes, payload: bytes) -> bytes:
    return sha256(_FRAME_TAG + place.to_bytes(8, "big") + head + payload).digest()


class SnapshotWriter:
    """Writes one file: the block first, then `add` per entry in order of key, then `finish`."""

    def __init__(
        self, stream: BinaryIO, manifest: Manifest, header: bytes, certificate: bytes
    ) -> None:
        self._stream = stream
        self._digest = sha256()
        self._place = 0
        self._chunks = 0
        self._items: list[bytes] = []
        self._size = 0
        self._put(MAGIC)
        self._frame(FrameKind.MANIFEST, encode(manifest))
        self._frame(FrameKind.HEADER, header)
        self._frame(FrameKind.CERTIFICATE, certificate)

    def add(self, key: bytes, value: bytes) -> None:
        """The next entry of the state; its key is above the one before."""
        self._items += (key, value)
        self._size += len(key) + len(value)
        if self._size >= CHUNK_BYTES:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and the last frame."""
        self._flush()
        end = End(self._chunks, self._digest.hexdigest())
        self._frame(FrameKind.END, encode(end))

    def _flush(self) -> None:
        if self._items:
            self._frame(FrameKind.STATE, pack(self._items))
            self._chunks += 1
            self._items, self._size = [], 0

    def _frame(self, kind: FrameKind, payload: bytes) -> None:
        head = bytes((kind,)) + len(payload).to_bytes(4, "big")
        self._put(head + payload + _checksum(self._place, head, payload))
        self._place += 1

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._stream.write(data)


class SnapshotFile:
    """Reads one file in one pass.  Every method raises SnapshotRefused."""

    def __init__(self, stream: BinaryIO) -> None:
        """Read up to the first state frame: `manifest`, `header` and `certificate` are there."""
        self._stream = stream
        self._digest = sha256()
        self._place = 0
        magic = stream.read(len(MAGIC))
        if magic != MAGIC:
            raise SnapshotRefused(Refusal.NOT_A_SNAPSHOT, "the file does not begin like one")
        self._digest.update(magic)
        manifest = self._expect(FrameKind.MANIFEST)
        # Only the version may be asked of a file of another version.
        if f'"version":{VERSION}}}'.encode() not in manifest:
            raise SnapshotRefused(Refusal.UNKNOWN_VERSION, f"version {VERSION} is read here")
        self.manifest = _decode(_MANIFESTS, manifest)
        self.header = self._expect(FrameKind.HEADER)
        self.certificate = self._expect(FrameKind.CERTIFICATE)

    def chunks(self) -> Iterator[list[Entry]]:
        """The entries of each state frame; when it ends, all counts and digests have held."""
        chunks = entries = size = 0
        last = b""
        before = self._digest.hexdigest()
        kind, payload = self._next()
        while kind is FrameKind.STATE:
            chunk = _entries(payload)
            for key, value in chunk:
                if key <= last:
                    raise SnapshotRefused(Refusal.ORDER, f"key {key!r} after {last!r}")
                last = key
                size += len(key) + len(value)
            chunks += 1
            entries += len(chunk)
            yield chunk
            before = self._digest.hexdigest()
            kind, payload = self._next()
        if kind is not FrameKind.END:
            raise SnapshotRefused(Refusal.ORDER, f"a frame {kind.name} among the state")
        end = _decode(_ENDS, payload)
        if end.digest != before:
            raise SnapshotRefused(Refusal.CHECKSUM, "the digest of the whole file differs")
        found = (chunks, entries, size)
        if found != (end.chunks, self.manifest.entries, self.manifest.size):
            raise SnapshotRefused(Refusal.COUNTS, f"{found} chunks, entries and bytes")
        if self._stream.read(1):
            raise SnapshotRefused(Refusal.LEFT_OVER, "bytes after the last frame")

    def _expect(self, wanted: FrameKind) -> bytes:
        kind, payload = self._next()
        if kind is not wanted:
            raise SnapshotRefused(Refusal.ORDER, f"a frame {kind.name} for {wanted.name}")
        return payload

    def _next(self) -> tuple[FrameKind, bytes]:
        head = self._read(5)
        length = int.from_bytes(head[1:], "big")
        if length > MAX_FRAME_BYTES:
            raise SnapshotRefused(Refusal.CHECKSUM, f"a frame of {length} bytes")
        payload = self._read(length)
        if self._read(_DIGEST_BYTES) != _checksum(self._place, head, payload):
            raise SnapshotRefused(Refusal.CHECKSUM, f"frame {self._place} is damaged")
        self._place += 1
        try:
            return FrameKind(head[0]), payload
        except ValueError:
            raise SnapshotRefused(Refusal.NOT_CANONICAL, f"frame kind {head[0]}") from None

    def _read(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) != count:
            raise SnapshotRefused(Refusal.TRUNCATED, f"the file ends in frame {self._place}")
        self._digest.update(data)
        return data


def _decode(codec: Codec[T], data: bytes) -> T:
    try:
        return codec.decode(data)
    except Rejected as error:
        raise SnapshotRefused(Refusal.NOT_CANONICAL, str(error)) from None


def _entries(payload: bytes) -> list[Entry]:
    try:
        items = unpack(payload, len(payload), len(payload))
    except Rejected as error:
        raise SnapshotRefused(Refusal.NOT_CANONICAL, str(error)) from None
    if len(items) % 2 or not items:
        raise SnapshotRefused(Refusal.NOT_CANONICAL, "a chunk without entries, or half an entry")
    return list(zip(items[::2], items[1::2], strict=True))


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A new file that is at `path` complete and durable, or not at all.  Raises StorageFailed."""
    partial = path.with_name(path.name + ".partial")
    if path.exists():
        raise StorageFailed(f"{path} exists already")
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.rename(path)
        sync_directory(path.parent)
    except OSError as error:
        raise StorageFailed(f"{path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
