"""The driver's inbox, the node's clock, and the hub of final heights."""

import asyncio

import pytest

from consensus.simplex.events import Tick
from node.driver.host import BlockArrived
from node.driver.inbox import PER_PEER_MAX, Inbox
from node.service.clock import Clock
from node.service.hub import LISTENERS_MAX, Hub, TooManyListeners


def block(name: str) -> BlockArrived:
    return BlockArrived(None, name.encode())


async def take(inbox: Inbox, count: int) -> list[str]:
    items = [await inbox.get() for _ in range(count)]
    return ["tick" if isinstance(item, Tick) else item.data.decode() for item in items]  # type: ignore[union-attr]


# ---------------------------------------------------------------- inbox
async def test_peers_are_served_in_turn_each_in_its_own_order() -> None:
    inbox = Inbox()
    for number in range(3):
        inbox.put(b"flood", block(f"f{number}"))
    inbox.put(b"other", block("o0"))
    assert await take(inbox, 4) == ["f0", "o0", "f1", "f2"]


async def test_a_flood_drops_the_oldest_of_its_sender_and_nothing_else() -> None:
    inbox = Inbox()
    inbox.put(b"other", block("o0"))
    for number in range(PER_PEER_MAX + 5):
        inbox.put(b"flood", block(f"f{number}"))
    assert inbox.dropped == 5
    assert len(inbox) == PER_PEER_MAX + 1
    assert await take(inbox, 2) == ["o0", "f5"]


async def test_a_deadline_becomes_a_tick_and_a_new_one_replaces_it() -> None:
    inbox = Inbox()
    inbox.set_deadline(1)
    assert await take(inbox, 1) == ["tick"]
    inbox.set_deadline(60_000)
    inbox.set_deadline(None)
    inbox.put(b"p", block("b"))
    assert await take(inbox, 1) == ["b"]


async def test_who_waits_for_an_input_is_told_when_the_driver_asks_for_the_next() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.put_and_wait(b"p", block("b")))
    assert await take(inbox, 1) == ["b"]
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.set_deadline(0)
    assert await take(inbox, 1) == ["tick"]
    await waiting


async def test_a_dropped_input_does_not_leave_anybody_waiting() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.put_and_wait(b"p", block("b")))
    await asyncio.sleep(0)
    for number in range(PER_PEER_MAX):
        inbox.put(b"p", block(str(number)))
    await waiting


# ---------------------------------------------------------------- clock
def test_a_step_of_the_wall_clock_moves_header_times_and_no_timer() -> None:
    wall, elapsed = [1_000_000], [5]
    clock = Clock(lambda: wall[0], lambda: elapsed[0])
    before = clock.now_ms()
    for step in (3_600_000, -7_200_000):
        wall[0] += step
        elapsed[0] += 1
        assert clock.wall_ms() == wall[0]
    assert clock.now_ms() == before + 2


# ---------------------------------------------------------------- hub
async def test_a_slow_listener_hears_the_newest_height_only() -> None:
    hub = Hub()
    listener = hub.subscribe()
    for height in (1, 2, 3):
        hub.publish(height, ())
    assert await anext(listener) == 3
    hub.close()
    assert [height async for height in listener] == []


async def test_a_waiter_is_woken_by_its_transaction_only() -> None:
    hub = Hub()
    mine, other = hub.waiter(b"mine"), hub.waiter(b"other")
    hub.publish(1, [b"mine"])
    assert mine.result()
    assert not other.done()
    hub.drop(b"other", other)
    hub.close()
    assert hub._waiters == {}


async def test_closing_ends_waits_and_later_subscriptions() -> None:
    hub = Hub()
    waiter = hub.waiter(b"x")
    hub.close()
    assert not waiter.result()
    assert not hub.waiter(b"y").result()
    assert [height async for height in hub.subscribe()] == []


async def test_listeners_are_bounded() -> None:
    hub = Hub()
    listeners = [hub.subscribe() for _ in range(LISTENERS_MAX)]
    with pytest.raises(TooManyListeners):
        hub.subscribe()
    listeners[0].close()
    hub.subscribe()
