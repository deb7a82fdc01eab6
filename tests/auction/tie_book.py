"""A book made hard on purpose: equal orders, so that every exchange of partners is a tie."""

import random

from auction import keys
from auction.book_sides import pack
from auction.edges import Edge, link
from auction.orders import OpenOrder, commit, insert, row_key
from auction.pairing import AskSide, BidSide, evaluate
from auction.parameters import MarketParameters
from ledger.accounts import reserve, total_money
from ledger.crypto import digest
from ledger.members import Resources
from ledger.state import Overlay
from tests.auction.town import BROKERS, BUYERS, SERVERS, TARIFFS, Town, ask, bid

TIED = 3
"""The broker of the book: of `surplus` weights, so equal orders always tie."""

BOOK = keys.book_key(bytes.fromhex(BROKERS[TIED].address), 1)


def tie_book(side: int, degree: int, work: int, calls_per_block: int = 10_000) -> Town:
    """Return a town with a book of `side` orders a side, due at the next height, 2.

    The pairs form a random graph of at most `degree` an order, as an attacker leaves them who
    arranged the arrivals.  The orders are put into the state as a chain that admitted them has
    them.
    """
    market = MarketParameters(
        orders_per_account=10_000,
        degree_cap=degree,
        work_per_block=work,
        pairs_per_block=60_000,
        calls_per_block=calls_per_block,
    )
    town = Town(market=market, resources=Resources(10**9, 10**9, 10**9))
    overlay, chance = Overlay(town.state), random.Random(side)
    wanted, offered = bid(TIED, limit=900, expires=500), ask(TIED, floor=100, expires=500)
    bids, asks = [], []
    for number in range(side):
        buyer, seller = BUYERS[number % len(BUYERS)].address, SERVERS[number % len(SERVERS)].address
        buying = OpenOrder(
            owner=buyer,
            submitted=0,
            admitted=1,
            reserved_micro=market.order_deposit_micro + 900,
            resource=market.largest_resource,
            terms=wanted,
        )
        selling = OpenOrder(
            owner=seller,
            submitted=0,
            admitted=1,
            reserved_micro=market.order_deposit_micro,
            resource=100,
            terms=offered,
        )
        for record in (buying, selling):
            order = digest("tie book", b"%s%d" % (record.side.encode(), number))
            reserve(overlay, record.owner, record.reserved_micro)
            insert(overlay, order, record)
            overlay.put(row_key(record, order), pack(record))
            (bids if record is buying else asks).append(order)
        commit(overlay, seller, offered.resources)
    for key, _ in list(overlay.scan(keys.ARRIVAL)):
        overlay.delete(key)
    quote = evaluate(BidSide(buying, wanted), AskSide(selling, offered), TARIFFS[TIED])
    assert quote is not None
    room = dict.fromkeys(asks, degree)
    for order in bids:
        for other in chance.sample(list(room), min(degree, len(room))):
            room[other] -= 1
            if not room[other]:
                del room[other]
            edge = Edge(other, quote.weight, 2, quote.bid, quote.ask, quote.rounds)
            link(overlay, BOOK, order, edge, 2)
    town.state.merge(overlay)
    town.height = 1
    assert total_money(town.state) == town.money
    return town
