"""Who pays and gets what in a trade, to the unit (Eqs 6, 8, 11, 12).

On a pair with the frozen prices bid and ask, its own fees (sigma N lambda for the buyer, the rest
of N lambda for the seller) and a price p between ask and bid:

    rule          buyer pays      seller receives   broker keeps
    paper         bid + own fee   ask - own fee     bid - ask + N lambda
    midpoint      p + own fee     p - own fee       N lambda             p = (bid + ask) / 2
    core_buyer    the same                                               p = ask + p_j
    core_seller   the same                                               p = bid - u_i

p_j are the least labels of sellers (the prices best for buyers), u_i the least labels of buyers.
Under `paper` no money changes hands at p; the middle is shown.  Rounding: the middle goes down.

What must hold on every trade is asserted, in this order of the paper's corrected Eq 11 and C1-C4:
G >= bid + own fee, bid >= p >= ask, ask - own fee >= C; and the gains of buyer, seller and broker
add up to G - C, with nothing lost and nothing made.
"""

from dataclasses import dataclass
from itertools import pairwise

from auction.brokers import Tariff, buyer_fee, seller_fee
from ledger.types import PPM


@dataclass(frozen=True, slots=True)
class Pair:
    """What settlement needs to know of a matched pair, micro-tokens."""

    value: int
    cost: int
    bid: int
    ask: int
    rounds: int
    label: int
    """Least label of its seller, or of its buyer under `core_seller`."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The money of one trade, micro-tokens."""

    price: int
    paid: int
    received: int
    broker: int
    fee: int
    """The part of `broker` that is fee; the rest is margin."""


def settle(tariff: Tariff, pair: Pair) -> Settlement:
    """Return the money of a trade.  Raises AssertionError if a party would lose: that is a bug."""
    own_buyer, own_seller = buyer_fee(tariff, pair.rounds), seller_fee(tariff, pair.rounds)
    price = price_of(tariff, pair)
    if tariff.pricing == "paper":
        paid, received = pair.bid + own_buyer, pair.ask - own_seller
    else:
        paid, received = price + own_buyer, price - own_seller
    settlement = Settlement(price, paid, received, paid - received, own_buyer + own_seller)
    chain = (pair.value - own_buyer, pair.bid, price, pair.ask, pair.cost + own_seller)
    if any(high < low for high, low in pairwise(chain)):
        raise AssertionError(f"G >= bid >= p >= ask >= C does not hold: {pair}")
    gains = (pair.value - paid, received - pair.cost, settlement.broker - settlement.fee)
    if min(gains) < 0 or sum(gains) + settlement.fee != pair.value - pair.cost:
        raise AssertionError(f"gains do not add up: {pair}, {settlement}")
    return settlement


def price_of(tariff: Tariff, pair: Pair) -> int:
    """Return the hammer price of a trade, micro-tokens."""
    match tariff.pricing:
        case "core_buyer":
            return pair.ask + pair.label
        case "core_seller":
            return pair.bid - pair.label
        case _:
            return (pair.bid + pair.ask) // 2


def chain_share(broker: int, share_ppm: int) -> int:
    """Return the reward pool's part of a broker's income, rounded down: dust is the broker's."""
    return broker * share_ppm // PPM
