"""A small market to test on: fixed keys, brokers, helpers for orders, one call per block.

Every block is executed twice: built by solving, then checked from its sealed bytes, and both must
lead to the same root.  Signatures are left out; the market never sees them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from auction import licences, tariffs
from auction.actions import Ask, Bid, FlatFloor, FlatLimit
from auction.brokers import ServiceClass, Tariff
from auction.clearing import seal
from auction.closing import close
from auction.genesis import GenesisBroker, MarketGenesis, seed_state
from auction.handlers import ACTIONS, HANDLERS
from auction.mcafee import SealedClass
from auction.parameters import MarketParameters
from auction.round_views import round_document
from auction.sealed import Clearing, SealedBook, decode_clearing
from ledger import membership, native, proposals, vrf
from ledger.accounts import total_money
from ledger.codec import encode
from ledger.crypto import SigningKey, digest
from ledger.execution import BlockContext, Execution, Rules, execute
from ledger.genesis import GenesisAccount, GenesisMember, LedgerGenesis
from ledger.genesis import seed_state as seed_ledger
from ledger.members import Resources
from ledger.parameters import LedgerParameters
from ledger.state import Event, Overlay, State
from ledger.transactions import Action, TransactionCodec, build_transaction

CHAIN = "town"
GENESIS_HASH = bytes(range(32))
KEYS = tuple(SigningKey.from_seed(number.to_bytes(32, "big")) for number in range(1, 31))
SERVERS, BUYERS, BROKERS, OTHERS = KEYS[:8], KEYS[8:20], KEYS[20:27], KEYS[27:]
RICH = 10**12
ALL_ACTIONS = (
    *native.ACTIONS,
    *ACTIONS,
    *tariffs.ACTIONS,
    *licences.ACTIONS,
    *proposals.ACTIONS,
)
RULES = Rules(
    {
        **native.HANDLERS,
        **HANDLERS,
        **tariffs.HANDLERS,
        **licences.HANDLERS,
        **proposals.governance({**licences.EXECUTORS, proposals.EjectMember: membership.eject}),
    },
    (),
    seal,
    (close,),
)

PAPER = Tariff(
    lambda_micro=100, sigma_ppm=500_000, fee_basis="deal", weights="spread", pricing="paper"
)
TARIFFS = (
    PAPER,
    Tariff(
        lambda_micro=101, sigma_ppm=300_000, fee_basis="round", weights="spread", pricing="paper"
    ),
    Tariff(lambda_micro=77, sigma_ppm=0, fee_basis="deal", weights="spread", pricing="midpoint"),
    Tariff(
        lambda_micro=33,
        sigma_ppm=1_000_000,
        fee_basis="deal",
        weights="surplus",
        pricing="core_buyer",
    ),
    Tariff(
        lambda_micro=50,
        sigma_ppm=250_000,
        fee_basis="deal",
        weights="surplus",
        pricing="core_seller",
    ),
    Tariff(
        lambda_micro=40,
        sigma_ppm=500_000,
        fee_basis="deal",
        weights="surplus",
        pricing="kappa",
        kappa_ppm=300_000,
    ),
)
"""Tariffs whose books hold any order."""

CLASSES = (
    ServiceClass(service_blocks=4, interval_blocks=2, theta_milli=1_000, least_resource=0),
    ServiceClass(service_blocks=4, interval_blocks=2, theta_milli=1_500, least_resource=100),
    ServiceClass(service_blocks=6, interval_blocks=1, theta_milli=1_000, least_resource=0),
)
MCAFEE = Tariff(
    lambda_micro=30,
    sigma_ppm=400_000,
    fee_basis="deal",
    weights="surplus",
    pricing="mcafee",
    classes=CLASSES,
)
AT_MCAFEE = len(TARIFFS)
"""Number of the broker of equal services."""


def ledger_genesis(resources: Resources) -> LedgerGenesis:
    """Return the ledger's part: servers are members, buyers ITS subsystems."""
    roles = {key.address: "its" for key in BUYERS} | {key.address: "broker" for key in BROKERS}
    return LedgerGenesis(
        parameters=LedgerParameters(chain=CHAIN, fee_per_action_micro=7),
        accounts=tuple(
            GenesisAccount(key.address, f"account {number}", roles.get(key.address, ""), RICH)  # type: ignore[arg-type]
            for number, key in enumerate(KEYS)
        ),
        members=tuple(
            GenesisMember(
                address=key.address,
                name=f"server {number}",
                vrf_key=vrf.public_key(key.public_key).hex(),
                endpoint="",
                resources=resources,
                stake_micro=10**9,
                satisfaction_bp=5_000,
            )
            for number, key in enumerate(SERVERS)
        ),
        pool_micro=10**12,
    )


def bid(broker: int = 0, **changed: Any) -> Bid:
    """Return a flat bid that opens at its limit."""
    values: dict[str, Any] = {
        "broker": BROKERS[broker].address,
        "expires": 50,
        "open_ppm": 1_000_000,
        "omega_micro": 500_000,
        "mu": 1,
        "service_blocks": 5,
        "interval_blocks": 2,
        "theta_milli": 1_000,
        "least_resource": 0,
    }
    if "limit" in changed:
        changed["valuation"] = FlatLimit(changed.pop("limit"))
    return Bid(**({"valuation": FlatLimit(1_000)} | values | changed))


def class_bid(number: int, limit: int, **changed: Any) -> Bid:
    """Return a bid for a class of the broker of equal services."""
    kind = CLASSES[number]
    service = {name: getattr(kind, name) for name in kind.__struct_fields__}
    return bid(AT_MCAFEE, limit=limit, **(service | changed))


def class_ask(number: int, floor: int, **changed: Any) -> Ask:
    """Return an ask that stands in a class of the broker of equal services."""
    kind = CLASSES[number]
    units = max(50, kind.least_resource)
    terms = {
        "longest_blocks": kind.service_blocks,
        "resources": Resources(units, units, units),
    }
    return ask(AT_MCAFEE, floor=floor, **(terms | changed))


def ask(broker: int = 0, **changed: Any) -> Ask:
    """Return a flat ask that opens at its floor."""
    values: dict[str, Any] = {
        "broker": BROKERS[broker].address,
        "expires": 50,
        "open_ppm": 1_000_000,
        "omega_micro": 500_000,
        "mu": 1,
        "longest_blocks": 100,
        "resources": Resources(100, 100, 100),
    }
    if "floor" in changed:
        changed["cost"] = FlatFloor(changed.pop("floor"))
    return Ask(**({"cost": FlatFloor(500)} | values | changed))


def put_off_rounds(sealed: bytes, chosen: Callable[[SealedBook | SealedClass], bool]) -> bytes:
    """Return a seal with some of its rounds deferred."""
    clearing = decode_clearing(sealed)
    zero = {"buyer_price_micro": 0, "seller_price_micro": 0, "pairs": ()}
    return encode(
        Clearing(
            tuple(
                replace(part, deferred=True, pairs=()) if chosen(part) else part
                for part in clearing.books
            ),
            tuple(
                replace(part, deferred=True, **zero) if chosen(part) else part
                for part in clearing.classes
            ),
        )
    )


@dataclass
class Town:
    """A chain with a market that grows block by block."""

    market: MarketParameters = field(default_factory=MarketParameters)
    tariffs: Sequence[Tariff] = (*TARIFFS, MCAFEE)
    resources: Resources = field(default_factory=lambda: Resources(10_000, 10_000, 10_000))
    salt: bytes = b""

    def __post_init__(self) -> None:
        self.height = 0
        self.events: list[Event] = []
        self.codes: list[str] = []
        self.sealed = b""
        self.state = State()
        overlay = Overlay(self.state)
        genesis = ledger_genesis(self.resources)
        self.parameters = genesis.parameters
        seed_ledger(overlay, genesis)
        entries = tuple(
            GenesisBroker(key.address, f"broker {number}", tariff)
            for number, (key, tariff) in enumerate(zip(BROKERS, self.tariffs, strict=False))
        )
        seed_state(overlay, MarketGenesis(self.market, entries))
        self.state.merge(overlay)
        self.money = total_money(self.state)
        self.codec = TransactionCodec(
            ALL_ACTIONS, CHAIN, GENESIS_HASH, self.parameters.max_transaction_bytes
        )
        self.nonces = dict.fromkeys((key.address for key in KEYS), 0)
        self.round: dict[str, Any] = {"books": [], "classes": []}
        """The document of the last block's round."""

    def context(self) -> BlockContext:
        """Return the context of the next block."""
        height = self.height + 1
        return BlockContext(
            genesis_hash=GENESIS_HASH,
            parameters=self.parameters,
            height=height,
            time_ms=height * 1_000,
            view=1,
            builder=SERVERS[0].address,
            seed=self.seed_at(height),
        )

    def seed_at(self, height: int) -> bytes:
        """Return the seed of the block of a height."""
        return digest("seed", self.salt + height.to_bytes(8, "big"))

    def run(
        self, *entries: tuple[SigningKey, Sequence[Action] | Action], sealed: bytes | None = None
    ) -> Execution:
        """Execute the next block without committing it."""
        transactions = []
        nonces = dict(self.nonces)
        for key, actions in entries:
            several = actions if isinstance(actions, (list, tuple)) else [actions]
            raw = build_transaction(key, GENESIS_HASH, CHAIN, nonces[key.address], several)
            nonces[key.address] += 1
            transactions.append(self.codec.decode(raw))
        self.pending = nonces
        self.sent = transactions
        return execute(self.state, self.context(), transactions, RULES, sealed, building=False)

    def block(
        self,
        *entries: tuple[SigningKey, Sequence[Action] | Action],
        put_off: Callable[[SealedBook | SealedClass], bool] | None = None,
    ) -> list[str]:
        """Build, check and commit the next block; return the receipts' codes.

        `put_off` says which rounds its builder defers though it has solved them.
        """
        built = self.run(*entries)
        sealed = put_off_rounds(built.clearings, put_off) if put_off else built.clearings
        checked = self.run(*entries, sealed=sealed)
        if sealed == built.clearings:
            assert checked.state_root == built.state_root
            assert checked.events == built.events
        events, height = checked.events, self.height + 1
        self.round = round_document(sealed, events, self.state, height, self.context().seed)
        self.state.merge(checked.overlay)
        self.nonces = self.pending
        self.height += 1
        self.sealed = sealed
        self.events = list(checked.events)
        assert total_money(self.state) == self.money
        self.codes = [receipt.code for receipt in checked.receipts]
        return self.codes

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of the last block's events of a kind."""
        return [event.data for event in self.events if event.kind == kind]

    def opened(self, *entries: tuple[SigningKey, Sequence[Action] | Action]) -> list[str]:
        """Commit a block whose actions must all succeed; return the ids of the orders opened."""
        codes = self.block(*entries)
        assert set(codes) <= {"ok"}, codes
        return [str(data["order"]) for data in self.of_kind("order.opened")]
