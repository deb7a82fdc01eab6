"""The orderly end of a network.  Runs last: it stops the network the other modules share."""

import signal
import threading
import time

import httpx
import pytest

from tests.e2e.kit import Net, descendants, has_ended

pytestmark = pytest.mark.slow

STOP_S = 10.0


def test_sigterm_stops_the_whole_network_within_10_s_with_exit_code_0_and_no_child_left(
    net: Net,
) -> None:
    supervisor = net.supervisor
    assert supervisor is not None
    net.heal()
    children = descendants(supervisor.pid)
    assert {net.pid(index) for index in range(net.size)} <= children
    last = max(net.heights())
    held = [threading.Thread(target=hold, args=(net.url(0) + path,)) for path in STREAMS]
    for thread in held:
        thread.start()

    started = time.monotonic()
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(STOP_S) == 0
    assert time.monotonic() - started < STOP_S
    assert [pid for pid in children if not has_ended(pid)] == []
    for thread in held:
        thread.join(STOP_S)
        assert not thread.is_alive()
    assert len(net.said().splitlines()) == 1
    assert [net.height(index) for index in range(net.size)] == [-1] * net.size
    stopped = [line for line in net.logs() if '"event": "stopped"' in line]
    assert len(stopped) == net.size
    assert last >= 1
    net.require_clean_logs()


STREAMS = ("/v1/events", f"/v1/txs/{'ab' * 32}?wait=final&timeout=60")
"""Requests that last: a node that stops must end them."""


def hold(url: str) -> None:
    """Read one answer until the node ends it."""
    try:
        with httpx.stream("GET", url, timeout=90.0, trust_env=False) as answer:
            for _ in answer.iter_bytes():
                pass
    except httpx.TransportError:
        return
