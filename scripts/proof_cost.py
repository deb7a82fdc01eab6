"""What keeping the proofs of trades costs a block: processor time beside its check, and bytes.

python3 scripts/proof_cost.py            a minute; the state has 20,000 and 500,000 entries
"""

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auction.parameters import MarketParameters
from auction.proof_keys import closed_by, needed_of_block
from ledger.execution import Execution
from ledger.members import Resources
from ledger.state import Overlay
from ledger.witness import Witness, encode_witnesses
from tests.auction.town import BUYERS, SERVERS, Town, ask, bid

REPEATS = 5
ORDERS_AT_ONCE = 64


def crowded(trades: int, entries: int) -> Town:
    """A book whose next round makes about so many trades, beside so many entries of the state."""
    chance = random.Random(trades)
    town = Town(
        market=MarketParameters(orders_per_account=100), resources=Resources(10**6, 10**6, 10**6)
    )
    overlay = Overlay(town.state)
    for number in range(entries):
        overlay.put(b"filler/%d" % number, b"%d" % number)
    town.state.merge(overlay)
    entries_of_block: list[tuple[object, list[object]]] = []
    for place in range(0, trades, ORDERS_AT_ONCE):
        count = min(ORDERS_AT_ONCE, trades - place)
        bids = [bid(limit=chance.randint(2_000, 9_000)) for _ in range(count)]
        asks = [ask(floor=chance.randint(50, 2_000)) for _ in range(count)]
        entries_of_block.append((BUYERS[place // ORDERS_AT_ONCE], list(bids)))
        entries_of_block.append((SERVERS[place // ORDERS_AT_ONCE], list(asks)))
    town.block(*entries_of_block)  # type: ignore[arg-type]
    return town


def keep(town: Town, built: Execution) -> tuple[Witness, Witness]:
    """What `node/application/witness.py` keeps around the merge."""
    closed = closed_by(built.overlay.changes, town.height + 1)
    needed = needed_of_block(town.state, built.clearings, closed, town.height + 1)
    return town.state.witness(needed.before), town.state.witness(needed.after)


def main() -> None:
    """Print one line for each size."""
    print("trades  entries   check ms  keep/check  bytes/trade  of them buckets")
    for trades, entries in ((1, 20_000), (10, 20_000), (100, 20_000), (100, 500_000)):
        town = crowded(trades, entries)
        built = town.run()
        began = time.process_time()
        town.run(sealed=built.clearings)
        check = time.process_time() - began
        best, size, buckets = check, 0, 0
        for _ in range(REPEATS):
            began = time.process_time()
            kept = keep(town, built)
            size = len(encode_witnesses(kept))
            best = min(best, time.process_time() - began)
            buckets = sum(map(len, kept[0].buckets.values()))
        made = built.clearings.count(b'"label_micro"') or 1
        print(
            f"{made:6}  {entries:7}  {1000 * check:9.1f}  {100 * best / check:8.1f} %"
            f"  {size // made:11}  {buckets // made:15}"
        )


if __name__ == "__main__":
    main()
