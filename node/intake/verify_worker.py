"""The process that checks signatures beside a node: bytes in, verdicts out, nothing else.

Reads from standard input a u32 count and that many items of 128 bytes (key 32, message 32,
signature 64), answers with one byte per item, 1 or 0.  Ends when its input ends, so it cannot
outlive the node; ignores an interrupt from the terminal, which the node turns into an orderly stop.
It gives way to the node itself: under overload new transactions wait, votes and blocks do not.
"""

import os
import signal
import sys
from typing import BinaryIO

from ledger.crypto import verify

COUNT_BYTES = 4
ITEM_BYTES = 128
NICENESS = 10


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the source ends."""
    while len(head := source.read(COUNT_BYTES)) == COUNT_BYTES:
        length = int.from_bytes(head, "big") * ITEM_BYTES
        data = source.read(length)
        if len(data) != length:
            return
        sink.write(check_packed(data))
        sink.flush()


def check_packed(data: bytes) -> bytes:
    """One verdict byte for each item of 128 bytes."""
    return bytes(
        verify(
            data[start : start + 32], data[start + 32 : start + 64], data[start + 64 : start + 128]
        )
        for start in range(0, len(data), ITEM_BYTES)
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    serve(sys.stdin.buffer, sys.stdout.buffer)
