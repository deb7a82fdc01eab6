"""What a four-node network commits, measured against this machine's own limit in the same run.

    python3 scripts/bench.py                       # 30 s of overload, then 15 s at half of it
    python3 scripts/bench.py --seconds 10 --json
    python3 scripts/bench.py --profile profile/    # cProfile of every node beside the figures

The load is signed beforehand and goes through the public API, in batches: transfers among many
accounts, and bids and asks that trade.  The figure that counts is the ratio

    committed transactions per second / L,    L = raw signature verifications per second and node

with L measured before and after the load by as many verify-only processes as there are nodes, with
the same library and the run's own transactions (each node checks each transaction once).  Absolute
figures depend on the machine, the ratio much less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from ledger.native import Transfer
from ledger.transactions import TransactionCodec
from scripts.benchmark.limit import SignedItem, raw_limit
from scripts.benchmark.load import Load, Prepared, Watch, percentile
from scripts.benchmark.prepare import Plan, fund, make_keys, next_nonce, read_network, sign_all

ROOT = Path(__file__).resolve().parents[2]
Figures = dict[str, Any]
"""What a run prints: names to numbers, and the phases as a list of such."""

TICKS = os.sysconf("SC_CLK_TCK")
WARM_UP_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Phase:
    """Figures of one load phase."""

    name: str
    seconds: float
    committed: int
    per_second: float
    finality_p50_ms: float
    finality_p95_ms: float
    block_interval_ms: float
    blocks: int
    largest_block: int
    cpu_us_per_transaction: float
    generator_cpu_share: float
    answers: dict[str, int]


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of these processes and their living children, from the kernel's accounting."""
    total = 0.0
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    todo = list(pids)
    while todo:
        pid = todo.pop()
        todo += parents.get(pid, [])
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def start_network(directory: Path, arguments: argparse.Namespace) -> subprocess.Popen[str]:
    """Start the validators as a user would and wait for the line that says they serve."""
    command = [sys.executable, "-m", "node.cli.main", "testnet", "start", "--json"]
    command += ["--validators", str(arguments.validators), "--dir", str(directory)]
    command += ["--base-port", str(arguments.base_port), "--block-time", arguments.block_time]
    environment = dict(os.environ)
    if arguments.profile:
        environment["TWINCHAIN_PROFILE"] = str(Path(arguments.profile).resolve())
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment
    )
    line = process.stdout.readline() if process.stdout else ""
    if not line or not json.loads(line).get("ready"):
        raise SystemExit("the test network did not start")
    return process


def signed_items(prepared: list[Prepared], codec: TransactionCodec) -> list[SignedItem]:
    """Key, message and signature of up to 256 transfers, for the raw limit."""
    items = []
    for one in prepared:
        if b'"type":"transfer"' in one.raw:
            transaction = codec.decode(one.raw)
            envelope = transaction.envelope
            signature = bytes.fromhex(envelope.sig)
            items.append((bytes.fromhex(envelope.from_), transaction.id, signature))
            if len(items) == 256:
                break
    return items


async def run_phase(
    name: str,
    client: httpx.AsyncClient,
    urls: tuple[str, ...],
    pids: list[int],
    load: Load,
    seconds: float,
) -> Phase:
    """Send for `seconds`, watch one node, and count what became final after the warm-up."""
    status = (await client.get(f"{urls[0]}/v1/status")).json()["data"]
    watch = Watch(urls[0])
    watching = asyncio.create_task(watch.run(client, status["height"] + 1))
    started = time.perf_counter()
    window_start = started + min(WARM_UP_SECONDS, seconds / 4)
    sending = asyncio.create_task(load.run(client, seconds))
    await asyncio.sleep(window_start - time.perf_counter())
    cpu_before, own_before = cpu_seconds(pids), time.process_time()
    await sending
    window_end = time.perf_counter()
    cpu, own = cpu_seconds(pids) - cpu_before, time.process_time() - own_before
    await drain(client, urls)
    watch.stopped = True
    await watching
    blocks = watch.between(window_start, window_end)
    hashes = [(block, one) for block in blocks for one in block.hashes if one in load.sent_at]
    latencies = [block.seen_at - load.sent_at[one] for block, one in hashes]
    span = window_end - window_start
    times = [block.time_ms for block in blocks]
    return Phase(
        name=name,
        seconds=round(span, 2),
        committed=len(hashes),
        per_second=round(len(hashes) / span, 1),
        finality_p50_ms=round(percentile(latencies, 0.5) * 1000, 1),
        finality_p95_ms=round(percentile(latencies, 0.95) * 1000, 1),
        block_interval_ms=round((times[-1] - times[0]) / max(1, len(times) - 1), 1) if times else 0,
        blocks=len(blocks),
        largest_block=max((len(block.hashes) for block in blocks), default=0),
        cpu_us_per_transaction=round(cpu * 1e6 / max(1, len(hashes)), 1),
        generator_cpu_share=round(own / span, 2),
        answers=dict(load.answers),
    )


async def drain(client: httpx.AsyncClient, urls: tuple[str, ...]) -> None:
    """Wait until no node has a transaction waiting (a minute at most)."""
    for _ in range(300):
        waiting = 0
        for url in urls:
            status = (await client.get(f"{url}/v1/status")).json()["data"]
            waiting += status["mempool"]["transactions"]
        if not waiting:
            return
        await asyncio.sleep(0.2)


async def measure(arguments: argparse.Namespace, directory: Path) -> Figures:
    """Run set-up, the limit, overload, half load and the limit again."""
    network = read_network(directory)
    description = json.loads((directory / "testnet.json").read_text())
    pids = [node["pid"] for node in description["nodes"]]
    codec = TransactionCodec((Transfer,), network.chain, network.genesis_hash, 65_536)
    payers = make_keys("payer", arguments.accounts)
    buyers = payers[:64] if arguments.orders_percent else []
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=60, limits=limits, trust_env=False) as client:
        say(f"funding {len(payers)} accounts")
        await fund(client, network, payers, len(buyers))
        height = (await client.get(f"{network.urls[0]}/v1/status")).json()["data"]["height"]
        nonces = {key.address: 0 for key in payers}
        for key in network.members:
            nonces[key.address] = await next_nonce(client, network.urls[0], key.address)
        guess = raw_limit(sample_items(network.chain, codec), arguments.validators, 1.0)
        # Enough for the limit itself over both phases; a machine busy with other work guesses low.
        needed = int(max(guess, 4000) * arguments.seconds * 1.5)
        rounds = max(1, min(needed, arguments.max_transactions) // len(payers))
        plan = Plan(
            network=network,
            payers=tuple(payers),
            buyers=tuple(buyers),
            first_nonces=nonces,
            rounds=rounds,
            orders_percent=arguments.orders_percent,
            expires=height + 2000,
        )
        say(f"signing {rounds * len(payers)} transfers and their orders")
        prepared = await asyncio.to_thread(sign_all, plan)
        items = signed_items(prepared, codec)
        before = await asyncio.to_thread(raw_limit, items, arguments.validators)
        say(f"limit before: {before:.0f} tx/s; overload for {arguments.seconds} s")
        queue = deque(prepared)
        load = Load(network.urls, queue, arguments.batch)
        overload = await run_phase("overload", client, network.urls, pids, load, arguments.seconds)
        half_rate = overload.per_second / 2
        say(f"overload: {overload.per_second:.0f} tx/s; half load for {arguments.seconds / 2} s")
        # Small requests: at half load a client does not wait to fill a batch.
        half_load = Load(network.urls, queue, max(1, arguments.batch // 8), 2, half_rate)
        half = await run_phase(
            "half load", client, network.urls, pids, half_load, arguments.seconds / 2
        )
        after = await asyncio.to_thread(raw_limit, items, arguments.validators)
    limit = (before + after) / 2
    return {
        "validators": arguments.validators,
        "block_time_ms": description["block_time_ms"],
        "raw_limit_before": round(before, 1),
        "raw_limit_after": round(after, 1),
        "ratio": round(overload.per_second / limit, 3),
        "block_time_ratio_overloaded": round(
            overload.block_interval_ms / description["block_time_ms"], 2
        ),
        "half_load_p95_in_block_times": round(
            half.finality_p95_ms / description["block_time_ms"], 2
        ),
        "phases": [asdict(overload), asdict(half)],
    }


def sample_items(chain: str, codec: TransactionCodec) -> list[SignedItem]:
    """A few signed transfers for the first guess of the limit."""
    from ledger.transactions import build_transaction

    keys = make_keys("guess", 64)
    genesis_hash = b"\0" * 32
    codec = TransactionCodec((Transfer,), chain, genesis_hash, 65_536)
    action = Transfer(to=keys[0].address, amount_micro=1)
    raws = [build_transaction(key, genesis_hash, chain, 0, [action]) for key in keys]
    return signed_items([Prepared(raw, "") for raw in raws], codec)


def say(text: str) -> None:
    """Progress for people, on standard error."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def report(figures: Figures) -> None:
    """Print the figures as a table."""
    limit = (figures["raw_limit_before"], figures["raw_limit_after"])
    print(f"raw verification limit, tx/s: {limit[0]} before, {limit[1]} after the load")
    for name in figures["phases"][0]:
        row = [str(phase[name]) for phase in figures["phases"]]
        print(f"{name:26} {row[0]:>28} {row[1]:>28}")
    print(f"ratio committed / limit:               {figures['ratio']}   (first target 0.25)")
    print(
        f"half load p95 finality, block times:   {figures['half_load_p95_in_block_times']}"
        "   (target below 3)"
    )
    print(
        f"block interval / block time, overload: {figures['block_time_ratio_overloaded']}"
        "   (target at most 1.5)"
    )


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--validators", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--block-time", default="500ms")
    parser.add_argument("--base-port", type=int, default=18080)
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=250, help="transactions a request")
    parser.add_argument("--orders-percent", type=int, default=2)
    parser.add_argument("--max-transactions", type=int, default=400_000)
    parser.add_argument("--profile", help="folder for a cProfile file of every node")
    parser.add_argument("--dir", help="keep the network's files here instead of a temporary folder")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="twinchain-bench-") as name:
        directory = Path(arguments.dir or name) / "net"
        process = start_network(directory, arguments)
        try:
            figures = asyncio.run(measure(arguments, directory))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
    print(json.dumps(figures, indent=2)) if arguments.json else report(figures)


if __name__ == "__main__":
    main()
