"""A small chain to test on: fixed keys, a genesis state, transactions and blocks in one call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger import vrf
from ledger.crypto import SigningKey
from ledger.execution import BlockContext, Execution, Handler, Rules, Step, execute
from ledger.genesis import GenesisAccount, GenesisMember, LedgerGenesis, seed_state
from ledger.members import Resources
from ledger.native import ACTIONS, HANDLERS
from ledger.parameters import BlockLimits, LedgerParameters
from ledger.state import Overlay, State
from ledger.transactions import Action, Transaction, TransactionCodec, build_transaction

CHAIN = "test"
GENESIS_HASH = bytes(range(32))
FEE = 10
STAKE_MIN = 1_000
STAKE_MAX = 1_000_000

MEMBER_COUNT = 4
KEYS = tuple(SigningKey.from_seed(bytes([number]) * 32) for number in range(1, 11))
"""The first four are members; all ten have an account with money."""

MEMBERS, USERS = KEYS[:MEMBER_COUNT], KEYS[MEMBER_COUNT:]


def parameters(**changed: int) -> LedgerParameters:
    """Return small parameters, so that bounds are reached quickly."""
    values: dict[str, int] = {
        "fee_per_action_micro": FEE,
        "stake_min_micro": STAKE_MIN,
        "stake_max_micro": STAKE_MAX,
        "unbonding_blocks": 5,
    }
    return LedgerParameters(chain=CHAIN, **(values | changed))  # type: ignore[arg-type]


def genesis(chain_parameters: LedgerParameters | None = None) -> LedgerGenesis:
    """Return the genesis of the test chain."""
    return LedgerGenesis(
        parameters=chain_parameters or parameters(),
        accounts=tuple(
            GenesisAccount(key.address, f"account {number}", "", 1_000_000)
            for number, key in enumerate(KEYS)
        ),
        members=tuple(
            GenesisMember(
                address=key.address,
                name=f"server {number}",
                vrf_key=vrf.public_key(key.public_key).hex(),
                endpoint="",
                resources=Resources(1000, 1000, 1000),
                stake_micro=10_000,
                satisfaction_bp=5_000,
            )
            for number, key in enumerate(MEMBERS)
        ),
        pool_micro=500_000,
    )


def genesis_state(chain_parameters: LedgerParameters | None = None) -> State:
    """Return the committed state after genesis."""
    state = State()
    overlay = Overlay(state)
    seed_state(overlay, genesis(chain_parameters))
    state.merge(overlay)
    return state


def contents(view: State | Overlay) -> dict[bytes, bytes]:
    """Return everything a view holds."""
    return dict(view.scan(b""))


def no_round(_context: BlockContext, _overlay: Overlay, _sealed: bytes | None) -> bytes:
    """Sealer of a chain without an auction."""
    return b""


@dataclass
class Chain:
    """A chain that grows block by block."""

    parameters: LedgerParameters = field(default_factory=parameters)
    actions: tuple[type[Action], ...] = ACTIONS
    handlers: dict[type[Action], Handler] = field(default_factory=lambda: dict(HANDLERS))
    closing: tuple[Step, ...] = ()
    sealer: Callable[[BlockContext, Overlay, bytes | None], bytes] = no_round
    height: int = 0

    def __post_init__(self) -> None:
        self.state = genesis_state(self.parameters)
        self.codec = TransactionCodec(
            self.actions, CHAIN, GENESIS_HASH, self.parameters.max_transaction_bytes
        )
        self.nonces = dict.fromkeys((key.address for key in KEYS), 0)

    def sign(
        self, key: SigningKey, *actions: Action, nonce: int | None = None, expires: int = 0
    ) -> Transaction:
        """Return a signed transaction; without `nonce` it takes the sender's next."""
        if nonce is None:
            nonce = self.nonces[key.address]
            self.nonces[key.address] += 1
        raw = build_transaction(key, GENESIS_HASH, CHAIN, nonce, actions, expires)
        return self.codec.decode(raw)

    def context(self) -> BlockContext:
        """Return the context of the next block."""
        return BlockContext(
            genesis_hash=GENESIS_HASH,
            parameters=self.parameters,
            height=self.height + 1,
            time_ms=1_000 * (self.height + 1),
            view=1,
            builder=MEMBERS[0].address,
            seed=bytes(64),
        )

    def execute(
        self,
        transactions: Sequence[Transaction],
        *,
        building: bool = False,
        limits: BlockLimits | None = None,
    ) -> Execution:
        """Execute the next block without committing it."""
        rules = Rules(self.handlers, (), self.sealer, self.closing)
        return execute(
            self.state, self.context(), transactions, rules, None, building=building, limits=limits
        )

    def commit(self, *transactions: Transaction) -> Execution:
        """Execute and commit the next block."""
        execution = self.execute(transactions)
        self.state.merge(execution.overlay)
        self.height += 1
        return execution

    def outcome(self, key: SigningKey, *actions: Action) -> str:
        """Commit a block with one transaction and return its receipt's code."""
        return self.commit(self.sign(key, *actions)).receipts[0].code
