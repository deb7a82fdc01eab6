"""All reachable states of two views: agreement holds, and without any one rule it does not.

The same search runs over the rules as written in `exhaustive.py` and over the predicates that the
core asks (`consensus/simplex/safety.py`); both must allow exactly the same.
"""

from dataclasses import replace

import pytest

from consensus.simplex.events import Checked
from consensus.simplex.safety import (
    Standing,
    judge_proposal,
    may_finalize,
    may_notarize,
    may_nullify,
)
from consensus.simplex.state import HeightState
from consensus.simplex.types import Certificate, HeightStart, ValidatorSet, Vote, VoteKind
from tests.consensus.simplex.exhaustive import (
    Atom,
    Known,
    Rules,
    Search,
    agreement,
    atoms_of,
    every_lemma,
    finalize,
    gaps_are_skipped,
    notarize,
    notarize_once,
    parent_is_notarized,
)

KEYS = tuple(bytes([index]) * 32 for index in range(1, 5))
START = HeightStart(1, ValidatorSet(KEYS, KEYS), (0, 1, 2, 3), b"r" * 32, None, 0)


def payload_of(atom: Atom) -> bytes:
    return atom.value.encode() * 32 if atom.value else b""


def held_state(own: Known, held: Known, view: int) -> HeightState:
    """What the core would know: own votes, all certificates, and that every block is valid.

    A block proposed on the root names its view as origin; to allow the most, every block here
    names the view that is asked about.
    """
    state = HeightState(START, view=view)
    for value in "ab":
        state.verdicts[value.encode() * 32] = Checked(value.encode() * 32, True, view)
    for atom in sorted(held.atoms, key=str):
        record = state.record(atom.view)
        certificate = Certificate(
            atom.kind, 1, atom.view, atom.parent, payload_of(atom), b"\x07", ()
        )
        if atom.kind == VoteKind.NOTARIZE:
            record.notarization = certificate
            state.notarized_views.append(atom.view)
        elif atom.kind == VoteKind.NULLIFY:
            record.nullification = certificate
    for atom in own.atoms:
        vote = Vote(atom.kind, 1, atom.view, atom.parent, payload_of(atom), 0, b"")
        state.record(atom.view).sent[atom.kind] = vote
    return state


def notarize_of_the_core(own: Known, held: Known, atom: Atom) -> bool:
    state = held_state(own, held, atom.view)
    record = state.record(atom.view)
    record.proposal = (atom.parent, payload_of(atom))
    return may_notarize(record) and judge_proposal(state, atom.view).standing is Standing.READY


def nullify_of_the_core(own: Known, held: Known, atom: Atom) -> bool:
    return may_nullify(held_state(own, held, atom.view).record(atom.view))


def finalize_of_the_core(own: Known, held: Known, atom: Atom) -> bool:
    state = held_state(own, held, atom.view)
    held_proposal = state.record(atom.view).notarization
    return (
        may_finalize(state, atom.view)
        and held_proposal is not None
        and held_proposal.proposal == (atom.parent, payload_of(atom))
    )


CORE = Rules(
    notarize=notarize_of_the_core, nullify=nullify_of_the_core, finalize=finalize_of_the_core
)


@pytest.mark.parametrize("rules", [Rules(), CORE], ids=["as written", "of the core"])
def test_no_reachable_state_of_four_validators_and_two_views_breaks_a_lemma(rules: Rules) -> None:
    found = Search(rules, every_lemma).run()
    assert found.broken is None, found.trace
    # The search is not vacuous: it knows how many states there are, and values do become final.
    assert (found.states, found.final) == (15_162, 4_044)


@pytest.mark.parametrize(("n", "views"), [(5, 2), (6, 1), (7, 1)])
def test_nor_does_one_of_more_validators(n: int, views: int) -> None:
    found = Search(Rules(n=n, views=views, quorum=n - (n - 1) // 3), every_lemma).run()
    assert found.broken is None, found.trace
    assert found.final > 0


def knowledge(kinds: tuple[VoteKind, ...], views: tuple[int, ...]) -> list[Known]:
    """All sets with at most one vote of each kind and view."""
    found: list[tuple[Atom, ...]] = [()]
    for kind in kinds:
        for view in views:
            same = [atom for atom in atoms_of(2) if (atom.kind, atom.view) == (kind, view)]
            found += [(*chosen, atom) for chosen in found for atom in same]
    return [Known(frozenset(chosen)) for chosen in found]


def test_the_core_allows_exactly_what_the_rules_say_whatever_it_has_sent_and_holds() -> None:
    """Also in states no run reaches, as long as a view has at most one notarized proposal."""
    compared = 0
    for held in knowledge((VoteKind.NOTARIZE, VoteKind.NULLIFY), (1, 2)):
        for view in (1, 2):
            for own in knowledge(tuple(VoteKind), (view,)):
                # A vote once cast is not cast again, which the search itself sees to.
                for atom in (one for one in atoms_of(2) if one.view == view):
                    if atom not in own.atoms:
                        compared += 1
                        assert CORE.allows(own, held, atom) == Rules().allows(own, held, atom)
    assert compared > 20_000


# ---------------------------------------------------------------- the same with one rule missing


def notarize_twice(own: Known, held: Known, atom: Atom) -> bool:
    return (
        not own.has(VoteKind.NULLIFY, atom.view)
        and gaps_are_skipped(held, atom)
        and parent_is_notarized(held, atom)
    )


def notarize_over_gaps(own: Known, held: Known, atom: Atom) -> bool:
    return notarize_once(own, atom) and parent_is_notarized(held, atom)


def notarize_any_parent(own: Known, held: Known, atom: Atom) -> bool:
    return notarize_once(own, atom) and gaps_are_skipped(held, atom)


def nullify_after_finalize(own: Known, held: Known, atom: Atom) -> bool:
    return True


def finalize_after_nullify(own: Known, held: Known, atom: Atom) -> bool:
    without = Known(frozenset(each for each in own.atoms if each.kind != VoteKind.NULLIFY))
    return finalize(without, held, atom)


def finalize_unseen(own: Known, held: Known, atom: Atom) -> bool:
    return not own.has(VoteKind.NULLIFY, atom.view) and not own.has(VoteKind.FINALIZE, atom.view)


SOUND = Rules()
MUTANTS: list[tuple[Rules, int]] = [
    (replace(SOUND, nullify=nullify_after_finalize), 10),
    (replace(SOUND, finalize=finalize_after_nullify), 10),
    (replace(SOUND, notarize=notarize_twice), 10),
    (replace(SOUND, notarize=notarize_over_gaps), 8),
    (replace(SOUND, notarize=notarize_any_parent), 8),
    (replace(SOUND, finalize=finalize_unseen), 4),
    (Rules(n=5, views=1, quorum=3), 8),
    (Rules(n=6, views=1, quorum=3), 8),
    (replace(SOUND, quorum=2), 4),
]
NAMES = [
    "X after F",
    "F after X",
    "two N in a view",
    "a gap without X",
    "a parent not notarized",
    "F without N",
    "2f + 1 of five",
    "2f + 1 of six",
    "two of four",
]


@pytest.mark.parametrize(("rules", "votes"), MUTANTS, ids=NAMES)
def test_without_one_rule_two_values_become_final(rules: Rules, votes: int) -> None:
    """`votes`: how many honest votes the shortest way to a fork takes."""
    found = Search(rules, agreement).run()
    assert found.broken == "two values are final"
    assert len(found.trace) == votes, found.trace


def test_a_lemma_breaks_before_agreement_does() -> None:
    """Why the proof is needed step by step: F and X of one view, two votes before the fork."""
    found = Search(replace(SOUND, finalize=finalize_after_nullify), every_lemma).run()
    assert found.broken == "view 1 is skipped and final"
    assert len(found.trace) == 6, found.trace


def test_n_after_x_would_be_harmless_here_and_is_refused_all_the_same() -> None:
    """Agreement does not rest on the rule against N after X (R7)."""

    def notarize_after_nullify(own: Known, held: Known, atom: Atom) -> bool:
        without = Known(frozenset(each for each in own.atoms if each.kind != VoteKind.NULLIFY))
        return notarize(without, held, atom)

    found = Search(replace(SOUND, notarize=notarize_after_nullify), every_lemma).run()
    assert found.broken is None
    assert found.steps > Search(SOUND, every_lemma).run().steps
