"""Members and proposals through the API."""

from __future__ import annotations

import httpx

from ledger.proposals import Approve, Propose, SetParameter, proposal_id
from tests.node.api.small_node import MEMBERS, SmallNode, key_of

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
