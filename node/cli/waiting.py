"""Waits until a member has come as far as asked, and says meanwhile what it waits for."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from node.cli.exits import ExitCode, fail
from node.cli.remote import Document

if TYPE_CHECKING:
    from node.client.sync import SyncClient

GOALS = ("applied", "admitted", "active", "seated", "unseated", "left", "ejected", "unbonded")
LOOK_S = 0.5
REPEAT_S = 15.0

Say = Callable[[str], None]


def wait_for(node: str, address: str, goal: str, timeout_s: float, say: Say) -> Document:
    """The member once `goal` is reached.  Exit 2: never can be; 4: not in time.

    A node that restarts meanwhile costs a pause, not the answer.
    """
    from node.client.client import ApiError, Unreachable
    from node.client.sync import SyncClient

    if goal not in GOALS:
        fail(ExitCode.USAGE, f"--until takes {', '.join(GOALS)}; not {goal!r}")
    deadline, told, told_at = time.monotonic() + timeout_s, "", 0.0
    with SyncClient(node, tries=1) as client:
        while True:
            try:
                found, what = _look(client, address)
            except (Unreachable, ApiError) as problem:
                found, what = {}, f"{node}: {problem}"
            if reached(found, goal):
                return found
            if found.get("status") == "ejected" and goal not in ("unseated", "unbonded"):
                fail(ExitCode.USAGE, f"{found.get('name')} was ejected: it will not be {goal}")
            now = time.monotonic()
            if not now <= deadline:  # so that no number of seconds waits for ever
                fail(ExitCode.TIMED_OUT, f"not {goal} after {timeout_s:g} s: {what}")
            if told != _kind(what) or now - told_at > REPEAT_S:
                say(what)
                told, told_at = _kind(what), now
            time.sleep(LOOK_S)


def reached(member: Document, goal: str) -> bool:
    """Whether the member has come as far as `goal`."""
    if goal == "seated":
        return bool(member.get("seated")) and member.get("status") == "active"
    if goal == "unseated":
        return bool(member) and not member.get("seated")
    if goal == "unbonded":
        held = (member.get("stake_micro"), member.get("unbonding"), member.get("deposit_micro"))
        return bool(member) and not member.get("seated") and not any(held)
    return member.get("status") == goal


def _look(client: "SyncClient", address: str) -> tuple[Document, str]:
    """The member, and where it stands in words."""
    from node.client.client import ApiError

    coming = client.get("/v1/validator-sets/next")["data"]
    height = coming["height"]
    try:
        found: Document = client.get(f"/v1/members/{address}")["data"]
    except ApiError as problem:
        if problem.status != 404:
            raise
        return {}, f"block {height}: the chain does not know it: no application yet"
    words = [str(found["status"]) + (", has a seat" if found.get("seated") else ", no seat")]
    block_ms = coming["expected_ms"] // max(1, coming["blocks_left"])
    for name, text in (("seat_from", "seat from"), ("seat_until", "seat until")):
        at = found.get(name)
        if isinstance(at, int) and at > 0:
            left = at - 1 - height
            words.append(f"{text} block {at}, in {left} blocks, about {left * block_ms // 1000} s")
    if found["status"] == "jailed":
        words.append(f"jailed until block {found['jailed_until']}; then `twinchain tx unjail`")
    if found["status"] == "admitted":
        words.append(f"to stake until block {found['bond_until']}")
    unbonding = found.get("unbonding")
    if isinstance(unbonding, list) and unbonding:
        words.append(f"stake free at block {unbonding[-1]['unlock_height']}")
    if found["status"] in ("left", "ejected") and found.get("deposit_micro"):
        words.append(f"deposit free after block {found['deposit_until']}")
    return found, f"block {height}: {'; '.join(words)}"


def _kind(words: str) -> str:
    """Words without the numbers that change by themselves."""
    return words.partition(": ")[2].partition(", in ")[0]
