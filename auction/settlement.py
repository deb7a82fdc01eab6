"""Who pays and gets what in a trade, to the unit (Eqs 6, 8, 11, 12).

On a pair with the frozen prices bid and ask, its own fees (sigma N lambda for the buyer, the rest
of N lambda for the seller) and a price p between ask and bid:

    rule          buyer pays      seller receives   broker keeps
    paper         bid + own fee   ask - own fee     bid - ask + N lambda
    midpoint      p + own fee     p - own fee       N lambda             p = (bid + ask) / 2
    core_buyer    the same                                               p = ask + p_j
    core_seller   the same                                               p = bid - u_i
    kappa         bid - refund    ask + refund      the rest of bid - ask, + N lambda
                  + own fee       - own fee
    mcafee        b + own fee     s - own fee       b - s + lambda       one b, one s a class

p_j are the least labels of sellers (the prices best for buyers), u_i the least labels of buyers.
Under `paper` no money changes hands at p; the middle is shown.  Rounding: the middle goes down.

`kappa` spans two rules.  Of what a pair would share if the broker took nothing, it leaves each side
the part 1 - kappa, rounded down; dust is the broker's.  What it shares are, on `surplus` weights,
the labels u_i and p_j of `core_buyer`, on `spread` weights the two halves of bid - ask.  So kappa
1000000 is `paper` to the unit, 0 is `core_buyer` to the unit (`surplus`), or `midpoint` up to the
odd micro-token, which stays with the broker (`spread`).

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
    class_prices: tuple[int, int] = (0, 0)
    """Under `mcafee` what buyers pay and sellers get before fees, the same for the whole class."""


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
    buyer_price, seller_price = own_prices(tariff, pair, price)
    paid, received = buyer_price + own_buyer, seller_price - own_seller
    settlement = Settlement(price, paid, received, paid - received, own_buyer + own_seller)
    reserves = (pair.ask, pair.cost + own_seller)
    chain = (pair.value - own_buyer, pair.bid, buyer_price, price, seller_price, *reserves)
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
        case "kappa" if tariff.weights == "surplus":
            return pair.ask + pair.label
        case "mcafee":
            return sum(pair.class_prices) // 2
        case _:
            return (pair.bid + pair.ask) // 2


def own_prices(tariff: Tariff, pair: Pair, price: int) -> tuple[int, int]:
    """Return what the buyer pays and the seller gets before fees, micro-tokens."""
    match tariff.pricing:
        case "paper":
            return pair.bid, pair.ask
        case "mcafee":
            return pair.class_prices
        case "kappa":
            margin = pair.bid - pair.ask
            seller = pair.label if tariff.weights == "surplus" else margin // 2
            buyer = margin - pair.label if tariff.weights == "surplus" else margin // 2
            left = PPM - tariff.kappa_ppm
            return pair.bid - buyer * left // PPM, pair.ask + seller * left // PPM
        case _:
            return price, price


def chain_share(broker: int, share_ppm: int) -> int:
    """Return the reward pool's part of a broker's income, rounded down: dust is the broker's."""
    return broker * share_ppm // PPM
