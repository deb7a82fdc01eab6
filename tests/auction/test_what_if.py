"""What an order lacks, or could give up, in the coming round: against solving it anew."""

import random

from auction import keys
from auction.matching import FREE, LEFT, solve
from auction.mcafee import reduce_trades
from auction.rounds import LiveBook, live_books
from auction.what_if import ClassPlace, standing, what_if
from tests.auction.test_clearing import crowded_town
from tests.auction.test_mcafee import busy_town
from tests.auction.town import Town

Graph = list[list[tuple[int, int]]]


def graph_of(book: LiveBook, side: int) -> Graph:
    """Return the pairs by the orders of one side."""
    own, other = (book.bid, book.ask) if side == LEFT else (book.ask, book.bid)
    graph: Graph = [[] for _ in (book.bids if side == LEFT else book.asks)]
    for here, there, weight in zip(own.tolist(), other.tolist(), book.weight.tolist(), strict=True):
        graph[here].append((there, weight))
    return graph


def best(graph: Graph, others: int) -> tuple[int, tuple[int, ...]]:
    mates = solve(graph, others, 10**9).mates
    made = enumerate(mates)
    return sum(dict(graph[own])[mate] for own, mate in made if mate != FREE), mates


def test_it_says_what_solving_the_altered_book_says() -> None:
    short = spare = 0
    for seed in range(3):
        town = crowded_town(seed=seed, brokers=(seed % 5,))
        (book,) = live_books(town.state, town.height + 1)
        sides = (book.bids, book.asks)
        for side, orders in enumerate(sides):
            graph, others = graph_of(book, side), len(sides[1 - side])
            whole, _ = best(graph, others)
            for place, order in enumerate(orders):
                told = what_if(town.state, town.height + 1, order)
                assert told is not None
                if told["matched"]:
                    spare += 1
                    rest = [pairs if other != place else [] for other, pairs in enumerate(graph)]
                    assert told["spare_micro"] == whole - best(rest, others)[0]
                    continue
                short += 1
                lack = told["short_micro"]
                assert isinstance(lack, int)
                assert lack >= 0
                for more in (lack, lack + 1):
                    raised = [
                        [(there, weight + more * (other == place)) for there, weight in pairs]
                        for other, pairs in enumerate(graph)
                    ]
                    weight, mates = best(raised, others)
                    assert weight == whole + more - lack
                assert mates[place] != FREE
    assert short >= 3
    assert spare >= 30


def test_an_order_that_is_not_in_the_round_has_no_answer() -> None:
    town = Town()
    assert what_if(town.state, town.height + 1, bytes(32)) is None


def test_a_book_beyond_the_work_of_an_answer_is_said_to_be_unsolved() -> None:
    town = crowded_town(brokers=(0,))
    (book,) = live_books(town.state, town.height + 1)
    told = what_if(town.state, town.height + 1, book.bids[0], work=5)
    assert told == {"solved": False}


def class_place(caps: list[int], floors: list[int], side: int, vertex: int) -> ClassPlace:
    ranked = [sorted(caps, reverse=True), sorted(floors)]
    own = (caps, floors)[side][vertex]
    ranked[side].remove(own)
    return ClassPlace(side, own, ranked[side], ranked[1 - side])


def trades_at(place: ClassPlace, better: int) -> bool:
    """Whether the order trades when its price is better by so much, equal ones before it."""
    own = place.own + better if place.side == LEFT else place.own - better
    sign = 1 if place.side == LEFT else -1
    beside = [price for price in place.beside if sign * price >= sign * own]
    ranked = [*beside, own, *place.beside[len(beside) :]]
    pair = (ranked, place.against) if place.side == LEFT else (place.against, ranked)
    return len(beside) < reduce_trades(*pair)[0]


def test_in_a_class_it_says_from_which_price_on_an_order_trades() -> None:
    """Every price in reach is tried: the order trades from one on, and that one is told."""
    chance = random.Random(11)
    short = spare = never = 0
    for _ in range(400):
        wide = chance.choice((3, 12, 40))
        caps = [chance.randint(1, wide) for _ in range(chance.randint(1, 6))]
        floors = [chance.randint(1, wide) for _ in range(chance.randint(1, 6))]
        side = chance.randrange(2)
        place = class_place(caps, floors, side, chance.randrange(len((caps, floors)[side])))
        told = standing(place)
        at = [better for better in range(-wide - 2, wide + 3) if trades_at(place, better)]
        if not at:
            assert told == {"solved": True, "matched": False}
            never += 1
            continue
        assert at == list(range(at[0], wide + 3))
        if at[0] > 0:
            assert told == {"solved": True, "matched": False, "short_micro": at[0] - 1}
            short += 1
        else:
            assert told == {"solved": True, "matched": True, "spare_micro": 1 - at[0]}
            spare += 1
    assert min(short, spare, never) > 40, (short, spare, never)


def test_orders_of_a_class_that_is_cleared_next_have_an_answer_and_trade_as_it_says() -> None:
    town = busy_town((1_000, 900, 800, 300), (310, 320, 330))
    answers = {
        order: what_if(town.state, town.height + 1, order)
        for order in (key[-32:] for key, _ in town.state.scan(keys.ORDER))
    }
    assert len(answers) == 7
    town.block()
    trades = town.of_kind("trade.made")
    traded = {bytes.fromhex(str(trade[side])) for trade in trades for side in ("bid", "ask")}
    assert traded == {order for order, told in answers.items() if told and told["matched"]}
    assert len(traded) == 4
    left = next(iter(set(answers) - traded))
    assert what_if(town.state, town.height + 1, left) is None
