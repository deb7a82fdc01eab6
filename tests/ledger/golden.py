"""Golden bytes of every wire type of the ledger, for readers in any language.

`python -m tests.ledger.golden` writes tests/vectors/ledger_*.json anew.  A changed file is a
changed protocol: look at the difference before committing it.

Each case has a name, the bytes as hex and what they mean; digests and signatures beside them.
Signing keys come from the seeds listed, so the signatures can be made again.
"""

import json
from pathlib import Path
from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from auction.brokers import ServiceClass, Tariff
from auction.licences import ApplyBroker
from auction.tariffs import ChangeTariff
from consensus.actions import Accuse
from ledger import vrf
from ledger.accounts import Account, Pot
from ledger.blocks import (
    Header,
    clearings_root,
    commits_root,
    encode_block,
    make_block,
    transactions_root,
)
from ledger.codec import Record, encode, pack
from ledger.crypto import SigningKey, digest
from ledger.execution import Receipt, receipts_root
from ledger.genesis import GenesisAccount, GenesisMember, LedgerGenesis
from ledger.members import Member, Registration, Resources, Unbonding
from ledger.membership import ACTIONS as MEMBERSHIP_ACTIONS
from ledger.membership import Application, Apply, Leave, Unjail, Update
from ledger.merkle import list_proof, list_root
from ledger.native import ACTIONS as NATIVE_ACTIONS
from ledger.native import Register, Stake, Transfer, Unstake
from ledger.parameters import LedgerParameters
from ledger.proposals import ACTIONS as PROPOSAL_ACTIONS
from ledger.proposals import (
    AdmitBroker,
    AdmitMember,
    Approve,
    Changes,
    EjectMember,
    Proposal,
    Propose,
    SetParameter,
    SuspendBroker,
    proposal_id,
)
from ledger.state import State
from ledger.transactions import Action, TransactionCodec, build_transaction

FOLDER = Path(__file__).parents[1] / "vectors"
GENESIS_HASH = bytes(range(32))
CHAIN = "vectors"
SEEDS = (b"\x01" * 32, b"\x02" * 32)
FIRST, SECOND = (SigningKey.from_seed(seed) for seed in SEEDS)

Vectors = dict[str, Any]

ACTIONS = (
    *NATIVE_ACTIONS,
    *MEMBERSHIP_ACTIONS,
    *PROPOSAL_ACTIONS,
    Accuse,
    ApplyBroker,
    ChangeTariff,
)


def _value(name: str, value: Record) -> Vectors:
    return {"name": name, "hex": encode(value).hex(), "value": to_builtins(value)}


def _stored_values() -> list[Vectors]:
    member = Member(
        name="Server One",
        vrf_key=vrf.public_key(SEEDS[0]).hex(),
        endpoint="https://one.example:9000",
        resources=Resources(3_000, 2_000, 1_000),
        stake_micro=5_000_000,
        unbonding=(Unbonding(250_000, 1_100),),
        deposit_micro=10_000,
        deposit_until=1_050,
        satisfaction_bp=7_500,
        status="jailed",
        jailed_until=1_200,
    )
    parameters = LedgerParameters(chain=CHAIN)
    founder = GenesisMember(
        address=FIRST.address,
        name=member.name,
        vrf_key=member.vrf_key,
        endpoint=member.endpoint,
        resources=member.resources,
        stake_micro=member.stake_micro,
        satisfaction_bp=member.satisfaction_bp,
    )
    account = GenesisAccount(SECOND.address, "Bus fleet", "its", 2_000_000)
    return [
        _value("account", Account(free=12_345, reserved=678, nonce=9)),
        _value("largest account", Account(free=2**53 - 1, reserved=0, nonce=2**53 - 1)),
        _value("pot", Pot(7_000_000)),
        _value("member", member),
        _value(
            "application",
            Application(member.name, member.vrf_key, member.endpoint, member.resources, 900),
        ),
        _value(
            "proposal",
            Proposal(SetParameter("ledger", "bond_blocks", 7), FIRST.address, 9, (FIRST.address,)),
        ),
        _value("registration", Registration("Busse & Züge", "its", FIRST.address, 12)),
        _value("parameters", parameters),
        _value("genesis", LedgerGenesis(parameters, (account,), (founder,), 1_000_000)),
    ]


def _transactions() -> list[Vectors]:
    codec = TransactionCodec(ACTIONS, CHAIN, GENESIS_HASH, 65_536)
    vrf_key = vrf.public_key(SEEDS[1]).hex()
    tariff = Tariff(
        lambda_micro=7, sigma_ppm=5, fee_basis="deal", weights="surplus", pricing="core_buyer"
    )
    kind = ServiceClass(service_blocks=9, interval_blocks=3, theta_milli=1_500, least_resource=0)
    classes = replace(tariff, pricing="mcafee", classes=(kind,))
    changes: dict[str, Changes] = {
        "admit_member": AdmitMember(SECOND.address),
        "eject_member": EjectMember(SECOND.address),
        "admit_broker": AdmitBroker(SECOND.address),
        "suspend_broker": SuspendBroker(SECOND.address),
        "set_parameter": SetParameter("consensus", "block_reward_micro", 900_000),
    }
    plans: list[tuple[str, int, int, list[Action]]] = [
        ("transfer", 0, 0, [Transfer(SECOND.address, 1_500_000)]),
        ("transfer with memo", 1, 0, [Transfer(SECOND.address, 1, 'Grüße, "quoted" \\ back')]),
        ("stake", 2, 100, [Stake(1_000_000)]),
        ("unstake", 3, 2**53 - 1, [Unstake(1)]),
        ("register", 4, 0, [Register(SECOND.address, "Bus fleet", "its")]),
        ("apply", 5, 0, [Apply("Server Two", vrf_key, "", Resources(3, 2, 1))]),
        ("update", 6, 0, [Update(vrf_key, "http://two.example", Resources(6, 4, 2))]),
        ("unjail", 7, 0, [Unjail()]),
        ("leave", 8, 0, [Leave()]),
        *((f"propose {name}", 9, 0, [Propose(change)]) for name, change in changes.items()),
        ("approve", 10, 0, [Approve(proposal_id(changes["admit_member"]).hex())]),
        ("evidence", 11, 0, [Accuse("00ff")]),
        ("apply_broker", 12, 0, [ApplyBroker("South Broker", tariff)]),
        ("change_tariff", 13, 0, [ChangeTariff(classes)]),
        (
            "several actions",
            2**53 - 1,
            7,
            [Transfer(SECOND.address, 5), Stake(6), Unstake(7), Transfer(SECOND.address, 8)],
        ),
    ]
    cases = []
    for name, nonce, expires, actions in plans:
        raw = build_transaction(FIRST, GENESIS_HASH, CHAIN, nonce, actions, expires)
        transaction = codec.decode(raw)
        cases.append(
            {
                "name": name,
                "hex": raw.hex(),
                "value": to_builtins(transaction.envelope),
                "id": transaction.id.hex(),
                "cache_key": transaction.cache_key.hex(),
            }
        )
    return cases


def _blocks() -> list[Vectors]:
    empty = Header(
        chain=CHAIN,
        height=1,
        parent=GENESIS_HASH.hex(),
        view=1,
        builder=FIRST.address,
        time_ms=1_700_000_000_000,
        vrf=vrf.prove(SEEDS[0], b"alpha").hex(),
        transactions_root=transactions_root(()).hex(),
        receipts_root=receipts_root(()).hex(),
        clearings_root=clearings_root(b"").hex(),
        commits_root=commits_root(b"").hex(),
        state_root=State().root.hex(),
        validators_hash=digest("validators", b"").hex(),
    )
    raws = tuple(bytes.fromhex(case["hex"]) for case in _transactions()[:3])
    receipts = (Receipt("ok", 100), Receipt("insufficient_funds", 100), Receipt("ok", 100))
    full = replace(
        empty,
        height=2,
        view=3,
        transactions_root=transactions_root(raws).hex(),
        receipts_root=receipts_root(receipts).hex(),
        clearings_root=clearings_root(b"clearings").hex(),
        commits_root=commits_root(b"commits").hex(),
    )
    cases = []
    for name, header, body in (
        ("empty block", empty, ((), b"", b"")),
        ("block of three", full, (raws, b"clearings", b"commits")),
    ):
        block = make_block(header, *body, GENESIS_HASH)
        cases.append(
            {
                "name": name,
                "hex": encode_block(block).hex(),
                "header": to_builtins(header),
                "header_hex": block.header_bytes.hex(),
                "hash": block.hash.hex(),
            }
        )
    return cases


def _list(items: list[bytes]) -> Vectors:
    return {
        "items": [item.hex() for item in items],
        "packed": pack(items).hex(),
        "tag": "transaction",
        "root": list_root("transaction", items).hex(),
        "last_proof": to_builtins(list_proof(items, len(items) - 1)) if items else None,
    }


def _lists() -> list[Vectors]:
    return [_list(items) for items in ([], [b"a"], [b"a", b"b"], [b"", b"ab", b"c", b"d", b"e"])]


def _states() -> list[Vectors]:
    cases = []
    for count in (0, 1, 2, 300):
        items = [(b"account/%d" % number, b"value %d" % number) for number in range(count)]
        state = State.from_items(items)
        cases.append(
            {
                "entries": {key.hex(): value.hex() for key, value in items},
                "root": state.root.hex(),
                "proof_of": b"account/0".hex(),
                "proof": to_builtins(state.prove(b"account/0")),
            }
        )
    return cases


def _keys() -> list[Vectors]:
    cases = []
    for seed in SEEDS:
        key, proof = SigningKey.from_seed(seed), vrf.prove(seed, b"alpha")
        message = digest("vote", b"body", GENESIS_HASH)
        cases.append(
            {
                "seed": seed.hex(),
                "public_key": key.address,
                "digest_of_vote_body": message.hex(),
                "signature": key.sign(message).hex(),
                "vrf_public_key": vrf.public_key(seed).hex(),
                "vrf_alpha": b"alpha".hex(),
                "vrf_proof": proof.hex(),
                "vrf_beta": vrf.output(proof).hex(),
            }
        )
    return cases


def documents() -> dict[str, Vectors]:
    """Return the contents of every vector file under its name."""
    common = {"chain": CHAIN, "genesis_hash": GENESIS_HASH.hex()}
    parts = {
        "ledger_keys.json": _keys(),
        "ledger_values.json": _stored_values(),
        "ledger_transactions.json": _transactions(),
        "ledger_blocks.json": _blocks(),
        "ledger_lists.json": _lists(),
        "ledger_states.json": _states(),
    }
    return {name: {**common, "cases": cases} for name, cases in parts.items()}


def render(document: Vectors) -> str:
    """Return the text of a vector file."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all vector files."""
    FOLDER.mkdir(exist_ok=True)
    for name, document in documents().items():
        (FOLDER / name).write_text(render(document))


if __name__ == "__main__":
    main()
