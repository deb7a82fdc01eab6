"""Takes a node of a test network in, step by step: money, application, votes, stake, seat.

The stake comes last, when the node has caught up: with it the seat is only boundaries away, and who
does not vote by then is jailed.

On a test network all keys lie in one place, so one program signs for the newcomer, for the members
and for the treasury.  Each step looks first whether it is done, so a run that was cut short is
finished by the next.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.crypto import SigningKey
from ledger.members import Resources
from ledger.membership import Apply
from ledger.native import Stake, Transfer
from ledger.proposals import AdmitMember, Approve, Propose, proposal_id
from ledger.transactions import Action
from node.client.client import ApiError, Document
from node.client.sync import SyncClient
from node.client.wallet import STALE, Wallet
from node.keyfiles import KeyKind, load_seed, read_password_file
from node.testnet import plan
from node.testnet.genesis import STAKE_MICRO
from node.testnet.layout import Description, Layout, NodeEntry, TestnetError, TestnetTimeout

PURSE_MICRO = STAKE_MICRO + 1_000 * plan.TOKEN
"""What the treasury gives a newcomer: its stake, and room for fees and deposits."""
FINAL_S = 60.0
LOOK_S = 0.5
NEAR_BLOCKS = 3
TRIES = 5

Say = Callable[[str], None]
Height = Callable[[str, float], int]
"""Height of the newest final block at a URL, seconds to wait; raises OSError or ValueError."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """The node to be taken in, and how to sign for everybody."""

    layout: Layout
    description: Description
    entry: NodeEntry
    vrf_key: str


class Admission:
    """One run through all steps, over one node's API."""

    def __init__(
        self,
        client: SyncClient,
        newcomer: Newcomer,
        say: Say,
        height_of: Height,
        timeout_s: float,
    ) -> None:
        """`timeout_s`: how long to wait for the node to catch up."""
        self._client = client
        self._who = newcomer
        self._say = say
        self._height_of = height_of
        self._timeout_s = timeout_s

    def run(self) -> None:
        """All steps up to the stake.  Raises TestnetError, ApiError, KeyFileError."""
        entry = self._who.entry
        member = self.member()
        if member.get("status") == "ejected":
            raise TestnetError(f"{entry.name} was ejected, and who was ejected does not come back")
        self._fund()
        standing = ("applied", "admitted", "active", "jailed")
        if member.get("status") not in standing and "application" not in member:
            self._apply()
        if self.member().get("status") not in ("admitted", "active", "jailed"):
            self._vote()
        if self.member().get("status") == "admitted":
            self._await_sync()
            self._send(entry, f"stakes {STAKE_MICRO // plan.TOKEN} tokens", Stake(STAKE_MICRO))

    def member(self) -> Document:
        """What the chain says of the newcomer; empty when it knows nothing."""
        try:
            data = self._client.get(f"/v1/members/{self._who.entry.address}")["data"]
        except ApiError as problem:
            if problem.status != 404:
                raise
            return {}
        return data if isinstance(data, dict) else {}

    def _fund(self) -> None:
        account = self._client.account(self._who.entry.address)
        if account["free_micro"] + account.get("member", {}).get("stake_micro", 0) >= STAKE_MICRO:
            return
        layout = self._who.layout
        path = layout.account_key(plan.TREASURY)
        gift = Transfer(self._who.entry.address, PURSE_MICRO, "to join")
        amount = PURSE_MICRO // plan.TOKEN
        self._sign(unlock(path), plan.TREASURY, f"gives it {amount} tokens", [gift])

    def _apply(self) -> None:
        profile = plan.server_profile(self._who.entry.index)
        resources = Resources(
            profile.computation_mhz * profile.slots,
            profile.communication_kbps * profile.slots,
            profile.modelling * profile.slots,
        )
        entry = self._who.entry
        action = Apply(entry.name, self._who.vrf_key, entry.url, resources)
        self._send(entry, f"applies with endpoint {entry.url}", action)

    def _vote(self) -> None:
        """Members of this network approve, one after the other, until the proposal is carried."""
        change = AdmitMember(self._who.entry.address)
        identity = proposal_id(change).hex()
        by_address = {node.address: node for node in self._who.description.nodes}
        rows = self._client.get("/v1/members", status="active", limit=200)["data"]
        for node in [by_address[row["address"]] for row in rows if row["address"] in by_address]:
            if self.member().get("status") in ("admitted", "active"):
                return
            found = self._proposal(identity)
            if node.address in found.get("approvals", ()):
                continue
            if found:
                self._send(node, "approves", Approve(identity))
            else:
                self._send(node, f"proposes to admit it ({identity[:16]}…)", Propose(change))
        if self.member().get("status") not in ("admitted", "active"):
            raise TestnetError("the members whose keys are here are too few to admit anybody")

    def _await_sync(self) -> None:
        """Wait until the node has the chain, so that it votes from its first height on."""
        entry, told = self._who.entry, ""
        deadline = time.monotonic() + self._timeout_s
        while True:
            tip = int(self._client.status()["height"])
            try:
                height = self._height_of(entry.url, LOOK_S * 4)
            except (OSError, ValueError):
                words = f"{entry.name} does not answer at {entry.url}: start it"
            else:
                if height >= tip - NEAR_BLOCKS:
                    self._say(f"block {tip}: {entry.name} has caught up")
                    return
                words = f"block {tip}: {entry.name} is at block {height}"
            if time.monotonic() > deadline:
                raise TestnetTimeout(f"not caught up after {self._timeout_s:g} s: {words}")
            if words.partition(": ")[2] != told:
                self._say(words)
            told = words.partition(": ")[2]
            time.sleep(LOOK_S)

    def _proposal(self, identity: str) -> Document:
        try:
            data: Document = self._client.get(f"/v1/proposals/{identity}")["data"]
        except ApiError as problem:
            if problem.status != 404:
                raise
            return {}
        return data if data["status"] == "open" else {}

    def _send(self, node: NodeEntry, deed: str, action: Action) -> None:
        key = unlock(self._who.layout.node(node.index) / "signing.json")
        self._sign(key, node.name, deed, [action])

    def _sign(self, key: SigningKey, name: str, deed: str, actions: Sequence[Action]) -> None:
        wallet = Wallet(self._client.client, key)
        for left in range(TRIES - 1, -1, -1):
            try:
                done = self._client.run(wallet.send_final(*actions, timeout_s=FINAL_S))
                break
            except ApiError as problem:
                # The demo signs with the members' keys too.
                if problem.code not in STALE or not left:
                    raise
        if done["code"] != "ok":
            raise TestnetError(f"{name} {deed}: failed in block {done['height']}: {done['code']}")
        self._say(f"block {done['height']}: {name} {deed}")


def unlock(path: Path) -> SigningKey:
    """The signing key of a file whose password lies beside it."""
    password = read_password_file(path.parent / "password")
    return SigningKey.from_seed(load_seed(path, password, KeyKind.SIGNING))
