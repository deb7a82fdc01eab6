"""The main path: order, round, trade, agreement, payment, rating."""

from auction.actions import Cancel, Rate
from ledger.accounts import POOL, pot_balance, read_account
from ledger.members import read_member
from tests.auction.town import BROKERS, BUYERS, RICH, SERVERS, Town, ask, bid


def test_a_bid_and_an_ask_trade_one_block_later_and_are_paid_at_the_end() -> None:
    town = Town()
    town.opened((BUYERS[0], bid(limit=1_000)), (SERVERS[0], ask(floor=500)))
    assert not town.of_kind("trade.made")
    town.block()
    (trade,) = town.of_kind("trade.made")
    assert (trade["bid_micro"], trade["ask_micro"]) == (950, 550)
    assert (trade["paid_micro"], trade["received_micro"], trade["broker_micro"]) == (
        1_000,
        500,
        500,
    )
    assert read_account(town.state, BROKERS[0].address).free == RICH + 400
    assert pot_balance(town.state, POOL) == 10**12 + 100 + 14
    buyer = read_account(town.state, BUYERS[0].address)
    assert buyer.reserved == 500
    assert buyer.free == RICH - 1_000 - 7
    for _ in range(5):
        assert read_account(town.state, SERVERS[0].address).free == RICH - 7
        town.block()
    (ended,) = town.of_kind("agreement.ended")
    assert ended["paid_micro"] == 500
    assert read_account(town.state, SERVERS[0].address).free == RICH - 7 + 500
    assert town.block((BUYERS[0], Rate(str(trade["agreement"]), 10_000))) == ["ok"]
    member = read_member(town.state, SERVERS[0].address)
    assert member is not None
    assert member.satisfaction_bp == (5_000 * 10**8 + 10_000 * 500) // (10**8 + 500)
    assert town.block((BUYERS[0], Rate(str(trade["agreement"]), 0))) == ["rating_closed"]


def test_an_order_cancelled_in_the_clearing_block_does_not_trade() -> None:
    town = Town()
    (order, _) = town.opened((BUYERS[0], bid()), (SERVERS[0], ask()))
    town.block((BUYERS[0], Cancel(order)))
    assert not town.of_kind("trade.made")
    assert read_account(town.state, BUYERS[0].address).reserved == 0
