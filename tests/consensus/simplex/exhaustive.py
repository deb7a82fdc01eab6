"""Every state that one height can reach, when votes may be cast in any order and time is left out.

The statement: n - f honest validators vote by rules; f faulty ones are taken to have signed every
possible vote; whatever quorum exists is known to whoever wants it.  That is more than any network
and any schedule can do, so what holds in all states here holds in all runs of the protocol (for
the few views and values that are tried).

A vote is one bit of a number: of view v the bits N(p, d) for each parent view p below v and each
value d, then X, then F(p, d).  A validator is the number of its votes; a state is the sorted tuple
of the honest validators, since only how many say a thing counts.  Values are interchangeable, so
of a state and its mirror image only the smaller is kept.  The search is breadth first: the first
state that breaks a promise is one with the fewest votes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

from consensus.simplex.types import VoteKind

VALUES = "ab"
State = tuple[int, ...]


@dataclass(frozen=True)
class Atom:
    """One thing a validator may sign; `value` is "" for a NULLIFY."""

    kind: VoteKind
    view: int
    parent: int
    value: str

    def __str__(self) -> str:
        subject = f",{self.parent},{self.value}" if self.value else ""
        return (
            f"{self.kind.name[0] if self.kind != VoteKind.NULLIFY else 'X'}({self.view}{subject})"
        )


def atoms_of(views: int) -> tuple[Atom, ...]:
    """All votes of `views` views, in the order of their bits."""
    found: list[Atom] = []
    for view in range(1, views + 1):
        proposals = [(parent, value) for parent in range(view) for value in VALUES]
        found += [Atom(VoteKind.NOTARIZE, view, *proposal) for proposal in proposals]
        found.append(Atom(VoteKind.NULLIFY, view, 0, ""))
        found += [Atom(VoteKind.FINALIZE, view, *proposal) for proposal in proposals]
    return tuple(found)


@dataclass(frozen=True)
class Known:
    """A set of votes (or of certified votes), asked about."""

    atoms: frozenset[Atom]

    def has(self, kind: VoteKind, view: int) -> bool:
        return any(atom.kind == kind and atom.view == view for atom in self.atoms)

    def notarized(self, view: int, value: str) -> bool:
        return any(
            atom.kind == VoteKind.NOTARIZE and (atom.view, atom.value) == (view, value)
            for atom in self.atoms
        )


Rule = Callable[[Known, Known, Atom], bool]
"""rule(own votes, certificates, vote): may this validator cast this vote now?"""


def notarize(own: Known, held: Known, atom: Atom) -> bool:
    """R7: once in a view, not after X; the parent notarized; every view between skipped."""
    return (
        notarize_once(own, atom)
        and gaps_are_skipped(held, atom)
        and parent_is_notarized(held, atom)
    )


def notarize_once(own: Known, atom: Atom) -> bool:
    return not own.has(VoteKind.NOTARIZE, atom.view) and not own.has(VoteKind.NULLIFY, atom.view)


def gaps_are_skipped(held: Known, atom: Atom) -> bool:
    between = range(atom.parent + 1, atom.view)
    return all(held.has(VoteKind.NULLIFY, view) for view in between)


def parent_is_notarized(held: Known, atom: Atom) -> bool:
    return atom.parent == 0 or held.notarized(atom.parent, atom.value)


def nullify(own: Known, held: Known, atom: Atom) -> bool:
    """R8: not after F."""
    return not own.has(VoteKind.FINALIZE, atom.view)


def finalize(own: Known, held: Known, atom: Atom) -> bool:
    """R10: what is notarized, not after X, once."""
    return (
        not own.has(VoteKind.NULLIFY, atom.view)
        and not own.has(VoteKind.FINALIZE, atom.view)
        and Atom(VoteKind.NOTARIZE, atom.view, atom.parent, atom.value) in held.atoms
    )


@dataclass(frozen=True)
class Rules:
    """Who votes how, and how many equal votes are a quorum."""

    n: int = 4
    views: int = 2
    quorum: int = 3
    notarize: Rule = notarize
    nullify: Rule = nullify
    finalize: Rule = finalize

    @property
    def honest(self) -> int:
        return self.n - self.faulty

    @property
    def faulty(self) -> int:
        return (self.n - 1) // 3

    def allows(self, own: Known, held: Known, atom: Atom) -> bool:
        by_kind = {
            VoteKind.NOTARIZE: self.notarize,
            VoteKind.NULLIFY: self.nullify,
            VoteKind.FINALIZE: self.finalize,
        }
        return by_kind[atom.kind](own, held, atom)


@dataclass
class Outcome:
    """What the search found.

    steps: votes tried, over all states.  final: states in which something is final.  trace: the
    votes that lead to the first broken promise (from line to line a and b may change places).
    """

    states: int = 0
    most_votes: int = 0
    steps: int = 0
    final: int = 0
    broken: str | None = None
    trace: tuple[str, ...] = ()


@dataclass
class Search:
    """Breadth first through all states of these rules."""

    rules: Rules
    promises: Callable[[Known], str | None]
    atoms: tuple[Atom, ...] = ()
    _moves: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)
    _verdicts: dict[int, str | None] = field(default_factory=dict)
    _mirror: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.atoms = atoms_of(self.rules.views)
        swap = {"a": "b", "b": "a", "": ""}
        images = [
            1 << self.atoms.index(Atom(atom.kind, atom.view, atom.parent, swap[atom.value]))
            for atom in self.atoms
        ]
        self._mirror = [0]
        for image in images:
            self._mirror += [low | image for low in self._mirror]

    def run(self) -> Outcome:
        """Look at every reachable state, until one breaks a promise."""
        found = Outcome()
        start: State = (0,) * self.rules.honest
        came: dict[State, tuple[State, int] | None] = {start: None}
        level: list[State] = [start]
        while level:
            following: list[State] = []
            for state in level:
                for after, bit in self._successors(state, found):
                    if after in came:
                        continue
                    came[after] = (state, bit)
                    broken = self._broken(self.certified(after))
                    if broken is not None:
                        found.states, found.broken = len(came), broken
                        found.trace = self._trace(came, after)
                        return found
                    following.append(after)
            found.most_votes += bool(following)
            level = following
        found.states = len(came)
        found.final = sum(self._is_final(state) for state in came)
        return found

    def certified(self, state: State) -> int:
        """The votes of which a quorum exists; the faulty have signed everything."""
        needed = self.rules.quorum - self.rules.faulty
        together = 0
        for chosen in combinations(state, needed):
            common = chosen[0]
            for votes in chosen[1:]:
                common &= votes
            together |= common
        return together

    def _successors(self, state: State, found: Outcome) -> Iterator[tuple[State, int]]:
        held = self.certified(state)
        previous = -1
        for index, own in enumerate(state):
            if own == previous:
                continue
            previous = own
            rest = state[:index] + state[index + 1 :]
            for bit in self._allowed(own, held):
                found.steps += 1
                yield self._canonical((*rest, own | bit)), bit

    def _allowed(self, own: int, held: int) -> tuple[int, ...]:
        moves = self._moves.get((own, held))
        if moves is None:
            votes, certificates = self.known(own), self.known(held)
            moves = self._moves[own, held] = tuple(
                1 << place
                for place, atom in enumerate(self.atoms)
                if not own >> place & 1 and self.rules.allows(votes, certificates, atom)
            )
        return moves

    def _canonical(self, state: State) -> State:
        mirror = self._mirror
        return min(tuple(sorted(state)), tuple(sorted(mirror[votes] for votes in state)))

    def _broken(self, held: int) -> str | None:
        if held not in self._verdicts:
            self._verdicts[held] = self.promises(self.known(held))
        return self._verdicts[held]

    def _is_final(self, state: State) -> bool:
        certified = self.known(self.certified(state)).atoms
        return any(atom.kind == VoteKind.FINALIZE for atom in certified)

    def known(self, mask: int) -> Known:
        """The votes whose bits are set."""
        return Known(frozenset(atom for at, atom in enumerate(self.atoms) if mask >> at & 1))

    def _trace(self, came: dict[State, tuple[State, int] | None], last: State) -> tuple[str, ...]:
        """The votes from the start to this state."""
        lines: list[str] = []
        step = came[last]
        while step is not None:
            before, bit = step
            lines.append(str(self.atoms[bit.bit_length() - 1]))
            step = came[before]
        return tuple(reversed(lines))


def agreement(held: Known) -> str | None:
    """No two different values are final."""
    final = {atom.value for atom in held.atoms if atom.kind == VoteKind.FINALIZE}
    return "two values are final" if len(final) > 1 else None


def every_lemma(held: Known) -> str | None:
    """Agreement, and the three steps of its proof, each of which must hold by itself."""
    if agreement(held) is not None:
        return agreement(held)
    for view in {atom.view for atom in held.atoms}:
        if held.has(VoteKind.NULLIFY, view) and held.has(VoteKind.FINALIZE, view):
            return f"view {view} is skipped and final"
    notarized = [atom for atom in held.atoms if atom.kind == VoteKind.NOTARIZE]
    if len({atom.view for atom in notarized}) != len(notarized):
        return "two proposals of one view are notarized"
    for atom in held.atoms:
        if atom.kind != VoteKind.FINALIZE:
            continue
        if Atom(VoteKind.NOTARIZE, atom.view, atom.parent, atom.value) not in held.atoms:
            return f"{atom} without a notarization"
        if any(each.view > atom.view and each.value != atom.value for each in notarized):
            return f"another value notarized above {atom}"
    return None
