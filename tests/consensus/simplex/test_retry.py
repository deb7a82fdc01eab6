"""Rule R13: what is said again is bounded, and in time it is everything that matters."""

from consensus.simplex.events import Broadcast, Status
from consensus.simplex.types import Certificate, Vote
from tests.consensus.simplex.bench import BLOCK, A, B, Bench, C, D, F, N, X, broadcasts


def after_many_skips(views: int) -> Bench:
    """B, after that many views without a leader."""
    bench = Bench(B)
    for view in range(1, views + 1):
        bench.hear(bench.vote(X, view, A), bench.vote(X, view, C), bench.vote(X, view, D))
    assert bench.core.view == views + 1
    return bench


def retry(bench: Bench) -> list[object]:
    effects = bench.pass_time(bench.deadline or 0)
    while not broadcasts(effects, Status):
        effects = bench.pass_time(bench.deadline or 0)
    return [effect.message for effect in effects if isinstance(effect, Broadcast)]


def test_a_retry_stays_small_however_many_views_have_passed() -> None:
    """Found by the simulator (seeds 102, 142, 318): a slow node was drowned by repetitions."""
    said = retry(after_many_skips(40))
    assert len([m for m in said if isinstance(m, Certificate)]) <= 5
    assert len([m for m in said if isinstance(m, Vote)]) <= 1
    assert len(said) <= 7


def test_all_certificates_are_said_again_in_time() -> None:
    bench = after_many_skips(12)
    heard = set()
    for _ in range(8):
        heard |= {m.view for m in retry(bench) if isinstance(m, Certificate)}
    assert heard == set(range(1, 13))


def test_a_finalize_vote_of_an_older_view_is_repeated() -> None:
    bench = Bench(B)
    bench.hear(bench.vote(N, 1, A))
    bench.verdict(BLOCK)
    bench.hear(bench.vote(N, 1, C))
    assert bench.core.view == 2
    assert bench.vote(F, 1, B) in retry(bench)


def test_an_observer_asks_where_the_others_are() -> None:
    bench = Bench(None)
    assert any(isinstance(message, Status) for message in retry(bench))
