"""Members and proposals through the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from ledger import vrf
from ledger.members import Resources
from ledger.membership import Apply, Leave
from ledger.native import Stake
from ledger.proposals import AdmitMember, Approve, Changes, Propose, SetParameter, proposal_id
from ledger.state import Event
from ledger.transactions import Action
from node.api.app import create_app
from tests.node.api.small_node import MEMBERS, NEWCOMER, SmallNode, key_of, vrf_seed
from tests.node.light_kit import Living

JSON = {"content-type": "application/json"}


async def test_proposals_show_their_approvals_until_they_are_carried(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    change = SetParameter("ledger", "bond_blocks", 7)
    identity = proposal_id(change).hex()
    keys = [key_of(name) for name in MEMBERS]
    await http.post("/v1/txs", content=node.sign(keys[0], 0, Propose(change)), headers=JSON)
    node.advance()
    (row,) = (await http.get("/v1/proposals")).json()["data"]
    assert row["proposal"] == identity
    assert row["approvals"] == [keys[0].address]
    assert row["change"]["name"] == "bond_blocks"
    assert (row["counted"], row["needed"], row["electorate"]) == (1, 3, 4)
    for key in keys[1:3]:
        await http.post("/v1/txs", content=node.sign(key, 0, Approve(identity)), headers=JSON)
    node.advance()
    assert (await http.get("/v1/proposals")).json()["data"] == []
    parameters = (await http.get("/v1/params")).json()["data"]
    assert parameters["ledger"]["bond_blocks"] == 7


async def test_members_show_status_seat_and_attendance(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    node.advance(3)
    rows = (await http.get("/v1/members")).json()["data"]
    assert [row["status"] for row in rows] == ["active"] * 4
    assert all(row["seated"] for row in rows)
    assert {(row["votes_due"], row["votes_seen"], row["turns_missed"]) for row in rows} == {
        (2, 2, 0)
    }


async def send(
    node: SmallNode, http: httpx.AsyncClient, name: str, nonce: int, *actions: Action
) -> None:
    raw = node.sign(key_of(name), nonce, *actions)
    answer = await http.post("/v1/txs", content=raw, headers=JSON)
    assert answer.status_code == 202, answer.text


async def carry(node: SmallNode, http: httpx.AsyncClient, nonce: int, change: Changes) -> None:
    """Three of four members decide a change, in one block."""
    await send(node, http, MEMBERS[0], nonce, Propose(change))
    for name in MEMBERS[1:3]:
        await send(node, http, name, nonce, Approve(proposal_id(change).hex()))
    node.advance()


async def data(http: httpx.AsyncClient, path: str) -> Any:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_member_can_be_followed_from_its_application_to_its_last_seat(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    who = key_of(NEWCOMER).address
    path = f"/v1/members/{who}"
    assert (await http.get(path)).json()["code"] == "not_found"
    await carry(node, http, 0, SetParameter("consensus", "boundary_blocks", 4))
    vrf_key = vrf.public_key(vrf_seed(NEWCOMER)).hex()
    resources = Resources(100_000, 100_000, 100_000)
    await send(node, http, NEWCOMER, 0, Apply("five", vrf_key, "http://five:1", resources))
    node.advance()
    (asking,) = await data(http, "/v1/applications")
    assert (asking["address"], asking["proposal"]) == (who, "")
    found = await data(http, path)
    assert (found["status"], found["seated"], found["name"]) == ("applied", False, "five")

    await carry(node, http, 1, AdmitMember(who))
    assert await data(http, "/v1/applications") == []
    assert (await data(http, path))["status"] == "admitted"
    await send(node, http, NEWCOMER, 1, Stake(100_000_000))
    node.advance()  # block 4; the boundary at 4 was before: announced at 8, seated at 12
    found = await data(http, path)
    assert (found["status"], found["seat_from"], found["seat_since"]) == ("active", 12, 0)
    coming = await data(http, "/v1/validator-sets/next")
    assert (coming["boundary"], coming["blocks_left"], coming["announced"]) == (8, 3, [who])
    assert coming["expected_ms"] == 3_000
    node.advance(4)
    assert (await data(http, "/v1/validator-sets/next"))["joining"] == [who]
    node.advance(3)
    found = await data(http, path)
    assert (found["seated"], found["seat_since"], found["seat_from"]) == (True, 12, 0)

    await send(node, http, NEWCOMER, 2, Leave())
    node.advance(1)
    found = await data(http, path)
    assert (found["status"], found["seated"], found["seat_until"]) == ("left", True, 16)
    node.advance(3)
    found = await data(http, path)
    assert (found["seated"], found["seat_since"]) == (False, 0)
    kinds = [event["kind"] for event in found["history"]][::-1]
    assert kinds == [
        *("member.applied", "proposal.opened", "proposal.approved", "proposal.approved"),
        *("member.admitted", "proposal.carried", "member.bonded", "validators.changed"),
        *("member.left", "validators.changed"),
    ]
    sets = await data(http, "/v1/validator-sets")
    assert [(row["first"], row["size"]) for row in sets] == [(16, 4), (12, 5), (1, 4)]
    assert (sets[1]["joined"], sets[0]["left"]) == ([who], [who])
    assert [row["address"] for row in await data(http, "/v1/members?status=left")] == [who]


async def test_decided_proposals_tell_who_approved_and_have_a_page_each(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    change = SetParameter("ledger", "bond_blocks", 7)
    identity = proposal_id(change).hex()
    assert (await http.get(f"/v1/proposals/{identity}")).json()["code"] == "not_found"
    await send(node, http, MEMBERS[0], 0, Propose(change))
    node.advance()
    found = await data(http, f"/v1/proposals/{identity}")
    voters = sorted(key_of(name).address for name in MEMBERS)
    assert found["status"] == "open"
    assert found["missing"] == [one for one in voters if one != key_of(MEMBERS[0]).address]
    for name in MEMBERS[1:3]:
        await send(node, http, name, 0, Approve(identity))
        node.advance()
    found = await data(http, f"/v1/proposals/{identity}")
    assert (found["status"], found["decided"]) == ("carried", 3)
    assert found["approvals"] == [key_of(name).address for name in MEMBERS[:3]]
    assert found["change"] == {
        "kind": "set_parameter",
        "scope": "ledger",
        "name": "bond_blocks",
        "value": 7,
    }
    assert [event["kind"] for event in found["history"]][::-1] == [
        *("proposal.opened", "proposal.approved", "proposal.approved", "proposal.carried"),
    ]


async def test_lists_of_membership_have_pages_and_refuse_other_cursors(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    for nonce, value in enumerate((7, 8, 9)):
        await carry(node, http, nonce, SetParameter("ledger", "bond_blocks", value))
    for path, key in (
        ("/v1/members?limit=3", "address"),
        ("/v1/proposals?status=decided&limit=2", "event"),
        ("/v1/membership?limit=4", "id"),
    ):
        seen: list[str] = []
        page = (await http.get(path)).json()
        while True:
            seen += [row[key] for row in page["data"]]
            if page["next_cursor"] is None:
                break
            page = (await http.get(f"{path}&cursor={page['next_cursor']}")).json()
        whole = await data(http, path.rsplit("limit=", 1)[0] + "limit=200")
        assert seen == [row[key] for row in whole]
        assert len(seen) > 2
    for path in (
        "members?cursor=12",
        "proposals?status=decided&cursor=zz",
        "membership?cursor=1",
        "validator-sets?cursor=1.2",
        "proposals?status=lost",
        "membership?account=1",
    ):
        assert (await http.get(f"/v1/{path}")).json()["code"] == "validation_error", path


async def test_the_history_of_membership_can_be_asked_for_one_account(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    await carry(node, http, 0, SetParameter("ledger", "bond_blocks", 7))
    last = key_of(MEMBERS[3]).address
    assert await data(http, f"/v1/membership?account={last}") == []
    rows = await data(http, f"/v1/membership?account={key_of(MEMBERS[2]).address}")
    assert [row["kind"] for row in rows] == ["proposal.carried", "proposal.approved"]


async def test_a_set_that_changes_while_events_are_read_does_not_spoil_the_older_ones() -> None:
    node = Living()
    node.join()
    node.send(key_of(NEWCOMER), Leave())
    app = create_app(node, now_ms=lambda: node.now)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        coming = await data(http, "/v1/validator-sets/next")
        while not coming["leaving"] or coming["blocks_left"] > 1:
            node.advance()
            coming = await data(http, "/v1/validator-sets/next")
        before = await data(http, "/v1/validator-sets")
        path = f"/v1/members/{key_of(NEWCOMER).address}"
        since = (await data(http, path))["seat_since"]
        read = node.queries.membership

        def meanwhile(
            before_height: int | None, limit: int
        ) -> list[tuple[int, Sequence[tuple[int, Event]]]]:
            node.advance()
            return read(before_height, limit)

        node.queries.membership = meanwhile  # type: ignore[method-assign]
        assert (await data(http, path))["seat_since"] == since > 0
        assert node.seats() == 4
        after = await data(http, "/v1/validator-sets")
        assert after[1:] == before
    app.state.api.close()


async def test_a_node_that_began_with_a_snapshot_does_not_guess_the_sets_before_it() -> None:
    node = Living()
    node.join()
    node.advance(3)
    app = create_app(node, now_ms=lambda: node.now)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        sizes = [(row["first"], row["size"]) for row in await data(http, "/v1/validator-sets")]
        assert [size for _, size in sizes] == [5, 4]
        anchor = node.tip().height
        node.queries.first_height = anchor + 1
        del node.queries.committed[:]
        assert await data(http, "/v1/validator-sets") == []
        assert await data(http, "/v1/proposals?status=decided") == []
        assert await data(http, "/v1/headers") == []
        found = await data(http, f"/v1/members/{key_of(NEWCOMER).address}")
        assert (found["seated"], found["seat_since"]) == (True, 0)
    app.state.api.close()
