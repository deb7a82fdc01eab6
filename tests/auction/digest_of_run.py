"""Print a digest of everything a random run of the market did; run by test_determinism."""

import random
from hashlib import sha256

from auction.parameters import MarketParameters
from ledger.codec import encode
from ledger.members import Resources
from tests.auction.model import Model
from tests.auction.test_random_market import follow, random_entries
from tests.auction.town import KEYS, RICH, Town


def main() -> None:
    """Run thirty blocks and print the digest of roots, seals and events."""
    chance = random.Random(77)
    market = MarketParameters(
        order_deposit_micro=11, largest_resource=400, rating_blocks=4, tariff_notice_blocks=4
    )
    town = Town(market=market, resources=Resources(4_000, 4_000, 4_000))
    model = Model(market, dict.fromkeys((key.address for key in KEYS), RICH))
    seen = sha256()
    for _ in range(30):
        follow(town, model, random_entries(chance, model, town.height + 1))
        seen.update(town.state.root + town.sealed)
        for event in town.events:
            seen.update(encode(event))
    print(seen.hexdigest())


if __name__ == "__main__":
    main()
