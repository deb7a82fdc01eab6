"""A chain of four members, two bus fleets and a broker, driven by hand: no network, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from auction.actions import Ask, Bid, FlatFloor, FlatLimit
from auction.brokers import Tariff
from auction.genesis import GenesisBroker, MarketGenesis
from auction.parameters import MarketParameters
from consensus.genesis import ConsensusGenesis
from consensus.parameters import ConsensusParameters
from consensus.simplex.application import BuildRequest
from consensus.simplex.types import Certificate, Vote, VoteKind, vote_message
from ledger import vrf
from ledger.crypto import SigningKey
from ledger.genesis import GenesisAccount, GenesisMember, LedgerGenesis
from ledger.members import Resources
from ledger.native import Transfer
from ledger.parameters import LedgerParameters
from ledger.transactions import Action, Transaction, build_transaction
from node.application.application import Application, CommitSink, Options
from node.application.building import Builder
from node.application.chain import Chain, chain_of
from node.application.checking import DOUBT
from node.application.genesis import Genesis, LoadedGenesis, from_genesis, genesis_state
from node.application.head import genesis_head
from node.application.mempool import MempoolLimits
from node.storage.batch import CommittedBlock

CHAIN = "small-chain"
START_MS = 1_700_000_000_000
TOKEN = 1_000_000


def seed(kind: int, index: int) -> bytes:
    return bytes([kind]) * 30 + index.to_bytes(2, "big")


MEMBERS = [SigningKey.from_seed(seed(1, index)) for index in range(4)]
VRF_SEEDS = [seed(2, index) for index in range(4)]
FLEETS = [SigningKey.from_seed(seed(3, index)) for index in range(2)]
BROKER = SigningKey.from_seed(seed(4, 0))
PEOPLE = [SigningKey.from_seed(seed(5, index)) for index in range(20)]


def make_genesis(
    block_time_ms: int = 1_000,
    fee_micro: int = 100,
    people: int = len(PEOPLE),
    consensus: ConsensusParameters | None = None,
) -> LoadedGenesis:
    keys = [*MEMBERS, *PEOPLE[:people]]
    accounts = [
        GenesisAccount(key.address, f"a{i}", "", 1_000 * TOKEN) for i, key in enumerate(keys)
    ]
    accounts += [
        GenesisAccount(key.address, f"fleet {i}", "its", 5_000 * TOKEN)
        for i, key in enumerate(FLEETS)
    ]
    accounts.append(GenesisAccount(BROKER.address, "north broker", "broker", 10 * TOKEN))
    members = tuple(
        GenesisMember(
            address=key.address,
            name=f"server {index}",
            vrf_key=vrf.public_key(VRF_SEEDS[index]).hex(),
            endpoint=f"http://127.0.0.1:{8000 + index}",
            resources=Resources(100_000, 200_000, 100_000),
            stake_micro=(index + 1) * 10 * TOKEN,
            satisfaction_bp=8_000,
        )
        for index, key in enumerate(MEMBERS)
    )
    tariff = Tariff(
        lambda_micro=500_000, sigma_ppm=500_000, fee_basis="deal", weights="spread", pricing="paper"
    )
    genesis = Genesis(
        chain=CHAIN,
        time_ms=START_MS,
        ledger=LedgerGenesis(
            parameters=LedgerParameters(
                chain=CHAIN, block_time_ms=block_time_ms, fee_per_action_micro=fee_micro
            ),
            accounts=tuple(accounts),
            members=members,
            pool_micro=1_000_000 * TOKEN,
        ),
        consensus=ConsensusGenesis(consensus or ConsensusParameters()),
        market=MarketGenesis(
            MarketParameters(), (GenesisBroker(BROKER.address, "north broker", tariff),)
        ),
    )
    return from_genesis(genesis)


def options(index: int | None) -> Options:
    """How member `index` runs the application; None for an observer."""
    builder = None if index is None else Builder(MEMBERS[index].address, VRF_SEEDS[index])
    return Options(builder, MempoolLimits(), DOUBT)


def fresh_application(
    genesis: LoadedGenesis, index: int | None, sink: CommitSink | None = None
) -> Application:
    head = genesis_head(genesis_state(genesis), genesis)
    return Application(chain_of(genesis), head, options(index), sink or (lambda _: None))


@dataclass
class Wallet:
    """Signs with growing nonces."""

    chain: Chain
    nonces: dict[str, int] = field(default_factory=dict)

    def sign(self, key: SigningKey, *actions: Action, expires: int = 0) -> Transaction:
        nonce = self.nonces.get(key.address, 0)
        self.nonces[key.address] = nonce + 1
        raw = build_transaction(key, self.chain.genesis_hash, CHAIN, nonce, actions, expires)
        return self.chain.codec.decode(raw)

    def pay(self, key: SigningKey, to: SigningKey, micro: int = TOKEN) -> Transaction:
        return self.sign(key, Transfer(to.address, micro))


def bid(limit_micro: int = 60 * TOKEN, expires: int = 500) -> Bid:
    return Bid(
        broker=BROKER.address,
        expires=expires,
        open_ppm=900_000,
        omega_micro=100_000,
        mu=1,
        service_blocks=3,
        interval_blocks=1,
        theta_milli=1_500,
        least_resource=1_000,
        valuation=FlatLimit(limit_micro),
    )


def ask(floor_micro: int = 20 * TOKEN, expires: int = 500) -> Ask:
    return Ask(
        broker=BROKER.address,
        expires=expires,
        open_ppm=1_200_000,
        omega_micro=100_000,
        mu=1,
        longest_blocks=200,
        resources=Resources(20_000, 40_000, 20_000),
        cost=FlatFloor(floor_micro),
    )


def signed_vote(
    application: Application, index: int, kind: VoteKind, view: int, payload: bytes
) -> Vote:
    """The vote of member `index` at the application's next height, for a fresh proposal."""
    height, validators = application.head.height + 1, application.validators
    key = MEMBERS[index]
    message = vote_message(
        application.chain.genesis_hash, validators.digest, kind, height, view, 0, payload
    )
    signer = validators.index(key.public_key)
    assert signer is not None
    return Vote(kind, height, view, 0, payload, signer, key.sign(message))


def certify(
    application: Application,
    kind: VoteKind,
    view: int,
    payload: bytes,
    members: tuple[int, ...] = (0, 1, 2),
) -> Certificate:
    """A certificate signed by these members."""
    votes = [signed_vote(application, index, kind, view, payload) for index in members]
    votes.sort(key=lambda vote: vote.signer)
    bits = sum(1 << vote.signer for vote in votes)
    signatures = tuple(vote.signature for vote in votes)
    height = application.head.height + 1
    return Certificate(kind, height, view, 0, payload, bytes([bits]), signatures)


def skips(application: Application, view: int) -> tuple[Certificate, ...]:
    return tuple(certify(application, VoteKind.NULLIFY, each, b"") for each in range(1, view))


def leader(applications: list[Application], view: int) -> Application:
    """Whose turn the view is."""
    address = applications[0].election.leader(view).address
    (index,) = [index for index, key in enumerate(MEMBERS) if key.address == address]
    return applications[index]


def build(applications: list[Application], view: int = 1, now_ms: int | None = None) -> bytes:
    """The block of the view's leader."""
    builder = leader(applications, view)
    head = builder.head
    now = START_MS + (head.height + 1) * 1_000 if now_ms is None else now_ms
    request = BuildRequest(head.height + 1, view, head.hash, now, skips(builder, view))
    data = builder.build(request)
    assert data is not None
    return data


def decide(
    applications: list[Application],
    data: bytes,
    view: int = 1,
    members: tuple[int, ...] = (0, 1, 2),
) -> Certificate:
    """Check a block everywhere and commit it everywhere; all must then agree."""
    digest = applications[0].inspect(data).digest
    certificate = certify(applications[0], VoteKind.FINALIZE, view, digest, members)
    starts = []
    for application in applications:
        application.check(data)
        starts.append(application.commit(digest, certificate))
    assert len({application.state.root for application in applications}) == 1
    assert all(start == starts[0] for start in starts)
    return certificate


def commit_into(blocks: list[CommittedBlock]) -> CommitSink:
    return blocks.append
