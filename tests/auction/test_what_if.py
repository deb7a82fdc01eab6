"""What an order lacks, or could give up, in the coming round: against solving it anew."""

from auction.matching import FREE, LEFT, solve
from auction.rounds import LiveBook, live_books
from auction.what_if import what_if
from tests.auction.test_clearing import crowded_town
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
