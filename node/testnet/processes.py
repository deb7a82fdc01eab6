"""Small facts about processes and ports that the supervisor of a test network needs."""

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from node.testnet.layout import TestnetError

# linux/prctl.h
PR_SET_PDEATHSIG = 1


def die_with(parent_pid: int) -> None:
    """Make the kernel kill this process when its parent ends, however that ends.

    The call works for the parent at the moment it is made, so a parent that is gone already is
    looked for afterwards.  Without prctl (not Linux) a thread looks twice a second.
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None, use_errno=True)
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent_pid,), daemon=True).start()
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def write_pid(path: Path, pid: int) -> None:
    """Say which process runs the node; best effort, a read-only directory is no obstacle."""
    with contextlib.suppress(OSError):
        path.write_text(f"{pid}\n", encoding="ascii")


def remove_pid(path: Path, pid: int) -> None:
    """Remove the file if it still speaks of `pid`; a node started since then keeps its own."""
    with contextlib.suppress(OSError):
        if path.read_text(encoding="ascii").strip() == str(pid):
            path.unlink()


@contextlib.contextmanager
def own_pid(path: Path) -> Iterator[None]:
    """Say in `path` that this process runs the node, as long as it does; best effort.

    The file is locked meanwhile, so that a second start on the directory of a running node, which
    is about to be refused, leaves alone what the first one says.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            file = stack.enter_context(path.open("ab"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            write_pid(path, os.getpid())
            stack.callback(remove_pid, path, os.getpid())
        yield


def require_free_ports(host: str, ports: Iterable[int]) -> None:
    """Raise TestnetError that names every port somebody else listens on."""
    taken = [port for port in ports if not _is_free(host, port)]
    if taken:
        words = ", ".join(str(port) for port in taken)
        raise TestnetError(
            f"port in use on {host}: {words}; stop what listens there or give another --base-port"
        )


def _is_free(host: str, port: int) -> bool:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As the server does: a socket that only lingers after a stop is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            if problem.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise TestnetError(f"cannot bind {host}:{port}: {problem.strerror}") from None
    return True
