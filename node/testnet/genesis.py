"""The genesis of a test network: who is there, with how much, under which parameters.

Units follow the paper's: computation in MHz, communication in kbit/s, so alpha = 2 Mbit/s per GHz
is 2 kbit/s per MHz and beta = 0.5 model units per MHz.  A height is one unit of service time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from auction.brokers import Tariff
from auction.genesis import GenesisBroker, MarketGenesis
from auction.parameters import MarketParameters
from consensus.genesis import ConsensusGenesis
from consensus.parameters import ConsensusParameters
from ledger.genesis import GenesisAccount, GenesisMember, LedgerGenesis
from ledger.members import Resources
from ledger.parameters import LedgerParameters
from node.application.genesis import Genesis
from node.testnet import plan

STAKE_MICRO = 2_000 * plan.TOKEN
START_SATISFACTION_BP = 5_000
DEFAULTS = ConsensusParameters()
# Valuing a pair takes 5 to 50 microseconds, so that a block's share of it stays within what the
# chain grants execution on a shared machine; arrivals beyond it wait for the next block.
PAIRS_PER_BLOCK = 8_000


@dataclass(frozen=True, slots=True)
class ValidatorPlan:
    """One validator of the genesis; keys in hex."""

    name: str
    address: str
    vrf_key: str
    endpoint: str
    profile: plan.ServerProfile


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """One funded account; role its, broker or account."""

    name: str
    address: str
    role: str
    free_micro: int


def build_genesis(
    chain: str,
    time_ms: int,
    block_time_ms: int,
    validators: Sequence[ValidatorPlan],
    accounts: Sequence[AccountPlan],
    parameters: ConsensusParameters = DEFAULTS,
) -> Genesis:
    """Return the genesis of a test network.  Pure: the same arguments give the same bytes."""
    return Genesis(
        chain=chain,
        time_ms=time_ms,
        ledger=_ledger(chain, block_time_ms, validators, accounts),
        consensus=ConsensusGenesis(parameters=parameters),
        market=_market(accounts),
    )


def _ledger(
    chain: str,
    block_time_ms: int,
    validators: Sequence[ValidatorPlan],
    accounts: Sequence[AccountPlan],
) -> LedgerGenesis:
    members = tuple(
        GenesisMember(
            address=one.address,
            name=one.name,
            vrf_key=one.vrf_key,
            endpoint=one.endpoint,
            resources=_resources(one.profile),
            stake_micro=STAKE_MICRO,
            satisfaction_bp=START_SATISFACTION_BP,
        )
        for one in sorted(validators, key=lambda one: one.address)
    )
    funded = [
        GenesisAccount(
            address=one.address,
            name=one.name,
            role=cast(Literal["its", "broker", "account"], one.role),
            free_micro=one.free_micro,
        )
        for one in accounts
    ]
    funded += [
        GenesisAccount(address=one.address, name=one.name, role="", free_micro=plan.MEMBER_MICRO)
        for one in validators
    ]
    return LedgerGenesis(
        accounts=tuple(sorted(funded, key=lambda one: one.address)),
        members=members,
        pool_micro=plan.POOL_MICRO,
        parameters=LedgerParameters(
            chain=chain,
            block_time_ms=block_time_ms,
            max_block_bytes=2**20,
            max_block_transactions=2_500,
            stake_min_micro=STAKE_MICRO // 2,
            stake_max_micro=STAKE_MICRO * 2,
            alpha_ppm=2_000_000,
            beta_ppm=500_000,
            resource_threshold=10_000,
        ),
    )


def _resources(profile: plan.ServerProfile) -> Resources:
    return Resources(
        computation=profile.computation_mhz * profile.slots,
        communication=profile.communication_kbps * profile.slots,
        modelling=profile.modelling * profile.slots,
    )


def _market(accounts: Sequence[AccountPlan]) -> MarketGenesis:
    brokers = [one for one in accounts if one.role == "broker"]
    return MarketGenesis(
        parameters=MarketParameters(
            largest_resource=plan.LARGEST_RESOURCE_MHZ,
            inertia_micro=500 * plan.TOKEN,
            orders_per_side=PAIRS_PER_BLOCK,
            pairs_per_block=PAIRS_PER_BLOCK,
        ),
        brokers=tuple(
            GenesisBroker(address=one.address, name=one.name, tariff=_tariff(one.name))
            for one in sorted(brokers, key=lambda one: one.address)
        ),
    )


def _tariff(name: str) -> Tariff:
    profile = plan.broker_profile(name)
    return Tariff(
        lambda_micro=profile.fee_micro,
        sigma_ppm=500_000,
        fee_basis=profile.fee_basis,
        weights=profile.weights,
        pricing=profile.pricing,
        kappa_ppm=profile.kappa_ppm,
        classes=profile.classes,
    )
