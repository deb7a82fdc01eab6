"""What a snapshot costs: size and time of export and import for a state of many accounts.

    python3 scripts/snapshots.py --accounts 100000
    python3 scripts/snapshots.py --accounts 1000000 --json

One validator makes a chain with that many funded accounts and one block in a temporary directory.
Export and import then run as processes of their own, as an operator runs them, so that their time
includes starting; the memory of a command that does nothing with a database is given beside theirs.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

if __name__ == "__main__" and not __package__:
    # Run as a file: go on as a module of the project's own environment.
    from bootstrap import RUN, hand_over

    hand_over("scripts.snapshots", RUN)

from auction.genesis import MarketGenesis
from auction.parameters import MarketParameters
from consensus.genesis import ConsensusGenesis
from consensus.parameters import ConsensusParameters
from consensus.simplex.application import BuildRequest
from consensus.simplex.types import Certificate, VoteKind, vote_message
from ledger import vrf
from ledger.crypto import SigningKey
from ledger.genesis import GenesisAccount, GenesisMember, LedgerGenesis
from ledger.members import Resources
from ledger.parameters import LedgerParameters
from node.application.application import Application, Options
from node.application.building import Builder
from node.application.genesis import Genesis, LoadedGenesis, from_genesis
from node.application.startup import open_application
from node.storage.store import Store

CHAIN = "snapshot-bench"
MEMBER = SigningKey.from_seed(bytes(31) + b"\x01")
VRF_SEED = bytes(31) + b"\x02"
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds that passed, and of the processor; memory is the peak resident size in MB."""

    accounts: int
    entries: int
    file_bytes: int
    export_s: float
    export_busy_s: float
    export_mb: int
    import_s: float
    import_busy_s: float
    import_mb: int
    idle_mb: int


def genesis_with(accounts: int) -> LoadedGenesis:
    """One member, and this many accounts with a token each."""
    seeds = (sha256(f"account {index}".encode()).digest() for index in range(accounts))
    addresses = [MEMBER.address, *(SigningKey.from_seed(seed).address for seed in seeds)]
    member = GenesisMember(
        address=MEMBER.address,
        name="server",
        vrf_key=vrf.public_key(VRF_SEED).hex(),
        endpoint="http://127.0.0.1:8000",
        resources=Resources(100_000, 200_000, 100_000),
        stake_micro=10 * MICRO,
        satisfaction_bp=8_000,
    )
    return from_genesis(
        Genesis(
            chain=CHAIN,
            time_ms=1_700_000_000_000,
            ledger=LedgerGenesis(
                parameters=LedgerParameters(chain=CHAIN),
                accounts=tuple(
                    GenesisAccount(address, f"n{at}", "", MICRO)
                    for at, address in enumerate(addresses)
                ),
                members=(member,),
                pool_micro=1_000 * MICRO,
            ),
            consensus=ConsensusGenesis(ConsensusParameters()),
            market=MarketGenesis(MarketParameters(), ()),
        )
    )


def decide_block(application: Application) -> None:
    """The only validator builds a block, signs it final, and commits it."""
    head = application.head
    now_ms = head.time_ms + 1_000
    data = application.build(BuildRequest(head.height + 1, 1, head.hash, now_ms, ()))
    if data is None:
        raise SystemExit("the validator did not build its block")
    digest = application.inspect(data).digest
    genesis, kind = application.chain.genesis_hash, VoteKind.FINALIZE
    validators, height = application.validators, head.height + 1
    message = vote_message(genesis, validators.digest, kind, height, 1, 0, digest)
    application.check(data)
    signature = MEMBER.sign(message)
    application.commit(digest, Certificate(kind, height, 1, 0, digest, b"\x01", (signature,)))


def make_chain(home: Path, accounts: int) -> None:
    """A node's directory with a chain of one block."""
    home.mkdir()
    genesis = genesis_with(accounts)
    (home / "genesis.json").write_bytes(genesis.data)
    (home / "config.toml").write_text('[node]\nname = "server"\n')
    store = Store.open(home / "data", genesis.hash)
    options = Options(builder=Builder(MEMBER.address, VRF_SEED))
    application = open_application(store, genesis, options, store.commit_block)
    decide_block(application)
    store.flush()
    store.close()


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended well."""

    told: str
    seconds: float
    busy_seconds: float
    memory_mb: int


def command(*arguments: str) -> Ran:
    """Run `twinchain` in a process of its own."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "node.cli.main", *arguments], stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None:
        raise SystemExit("no pipe")
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    busy = usage.ru_utime + usage.ru_stime
    return Ran(
        told, round(time.perf_counter() - started, 2), round(busy, 2), usage.ru_maxrss // 1024
    )


def measure(directory: Path, accounts: int) -> Figures:
    """Make a chain, export it, and import it into a second directory."""
    first, second = directory / "first", directory / "second"
    # In another process: a child's peak memory counts from what its parent held.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(make_chain, first, accounts).result()
    second.mkdir()
    for name in ("genesis.json", "config.toml"):
        (second / name).write_bytes((first / name).read_bytes())
    out = directory / "state.snapshot"
    idle = command("db", "import", "--help")
    config = ("--config", str(first / "config.toml"))
    exported = command("db", "export", *config, "--out", str(out), "--json")
    made = json.loads(exported.told)
    trust = f"{made['height']}:{made['hash']}"
    config = ("--config", str(second / "config.toml"))
    imported = command("db", "import", *config, "--from", str(out), "--trust", trust, "--json")
    return Figures(
        accounts=accounts,
        entries=made["entries"],
        file_bytes=made["bytes"],
        export_s=exported.seconds,
        export_busy_s=exported.busy_seconds,
        export_mb=exported.memory_mb,
        import_s=imported.seconds,
        import_busy_s=imported.busy_seconds,
        import_mb=imported.memory_mb,
        idle_mb=idle.memory_mb,
    )


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=100_000, help="funded accounts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="twinchain-snapshots-") as directory:
        figures = measure(Path(directory), options.accounts)
    if options.json:
        print(json.dumps(asdict(figures)))
        return
    print(f"{figures.accounts} accounts, {figures.entries} entries")
    print(f"file    {figures.file_bytes / 1e6:.1f} MB")
    for name, seconds, busy, memory in (
        ("export", figures.export_s, figures.export_busy_s, figures.export_mb),
        ("import", figures.import_s, figures.import_busy_s, figures.import_mb),
    ):
        print(f"{name}  {seconds} s, {busy} s of the processor, {memory} MB of memory at most")
    print(f"(a command that reads nothing: {figures.idle_mb} MB)")


if __name__ == "__main__":
    main()
