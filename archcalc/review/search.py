"""Which slips reproduce a stated value, and when a coincidence would be as likely.

Single slips are named wherever they reproduce the value. Pairs are so many that some reach almost any small
number; they are named only where a value drawn at random near the stated one would rarely be reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from archcalc.errors import ArchcalcError
from archcalc.review.counting import COUNTED, Candidate, Counting, candidate, likeliest
from archcalc.review.network_edits import edited_figures
from archcalc.review.slips.catalogue import Slip
from archcalc.review.slips.fields import field_slips
from archcalc.review.slips.finishing import bytes_slips, digit_slips
from archcalc.review.slips.shapes import shape_slips
from archcalc.review.structure import as_written
from archcalc.review.subject import LISTS, NotJudgedError, Subject

MOST_CAUSES = 3
CHANCE = 0.04  # at most, that a pair named reaches a value drawn near the stated one
FEW, SMALL = 2, 0.1  # among small numbers so many values may be reached, with a chance of at most this
ODD = 1.1  # a single slip at least as odd as this may be less likely than two usual ones
NEAR = 2.0  # the factor that is near


class Cause(NamedTuple):
    """Slips that together reproduce a stated value; `where` names the layers, if some of several."""

    slips: tuple[str, ...]
    says: str
    where: tuple[str, ...] = ()


class Causes(NamedTuple):
    """The most plausible causes, and how many more reproduce the value too."""

    named: tuple[Cause, ...]
    more: int = 0


class Reached(NamedTuple):
    """Sizes that a slip leads to; `where` names the layer if it is one of several."""

    slip: Slip
    where: str
    sizes: Any


class Search:
    """The causes of wrong claims about one network; what slips lead to is worked out once for all authors."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Counting | None] = {}
        self._sizes: dict[tuple[Any, ...], list[Reached]] = {}

    def causes(self, subject: Subject, value: Any, written: str | None = None) -> Causes:
        """The slips that lead to this value, at most three; none if no known slip does.

        `written`: the arithmetic, whose factors may tell the slip.
        """
        if subject.quantity in LISTS:
            key = subject.quantity, subject.node, subject.claim.per
            if key not in self._sizes:
                self._sizes[key] = list(_sizes(subject))
            return _ranked(_listed(subject, value, self._sizes[key]))
        if not isinstance(value, int) or isinstance(value, bool):
            return Causes(())
        if subject.quantity not in COUNTED:
            truth = subject.truth
            wrong = (
                (
                    *bytes_slips(truth, subject.quantity, subject.of.options.precision.activation),
                    *digit_slips(truth),
                )
                if type(truth) is int
                else ()
            )
            return _ranked(candidate(v, ((s, ""),)) for s, v in wrong if v == value)
        counting = self._counting(subject)
        return (
            Causes(()) if counting is None else _counted(counting, value, written, subject.claim.rounded_to)
        )

    def _counting(self, subject: Subject) -> Counting | None:
        """The counts of a subject; None where they are no sums of products."""
        key = subject.quantity, subject.nodes, subject.claim.per
        if key not in self._known:
            try:
                counting = Counting(subject)
                self._known[key] = counting if counting.possible else None
            except (ArchcalcError, NotJudgedError):
                self._known[key] = None
        return self._known[key]


def _counted(counting: Counting, value: int, written: str | None, unit: float) -> Causes:
    as_they_wrote = list(as_written(counting, value, written)) if written else []
    if as_they_wrote:
        return _ranked(as_they_wrote)
    found = [c for c in counting.singles if _rounds(c.value, value, unit)]
    if found and unit and _by_chance(likeliest(counting.singles), value, unit):
        found = []
    if min((c.oddity for c in found), default=ODD) >= ODD:
        reached = (
            any(_rounds(v, value, unit) for v in counting.by_pairs) if unit else value in counting.by_pairs
        )
        if reached and not _by_chance(counting.by_pairs, value, unit):
            found += [c for c in counting.pairs() if _rounds(c.value, value, unit)]
    return _ranked(found)


def _rounds(reached: int, value: int, unit: float) -> bool:
    """Whether a value that slips lead to is the stated one, or rounds to it."""
    return 2 * abs(reached - value) <= unit


def _by_chance(reached: dict[int, float], value: int, unit: float) -> bool:
    """Whether slips at least as plausible as those that reproduce a value reach too many values near it."""
    low, high = value / NEAR, value * NEAR
    oddity = min((o for v, o in reached.items() if _rounds(v, value, unit)), default=0.0)
    as_plausible = sum(low <= v <= high and o <= oddity for v, o in reached.items())
    allowed = max(CHANCE * (high - low), min(FEW, SMALL * (high - low)))
    return as_plausible * max(unit, 1) > allowed


def _sizes(subject: Subject) -> Iterator[Reached]:
    """What slips in a shape, a field or a step lead to."""
    if subject.quantity == "output_shape":
        yield from (Reached(slip, "", shape) for slip, shape in shape_slips(subject.of, subject.node))
    elif subject.quantity == "receptive_field":
        yield from (Reached(*found) for found in field_slips(subject.of, subject.node))
    for slip, where, figures in edited_figures(subject.of, (subject.node,)):
        try:
            yield Reached(slip, where, Subject(figures, subject.claim, subject.nodes).truth)
        except ArchcalcError:
            continue


def _listed(subject: Subject, value: Any, reached: Iterable[Reached]) -> Iterator[Candidate]:
    """The slips that lead to these sizes."""
    truth = subject.truth
    stated = tuple(value) if isinstance(value, tuple) else (value,)
    for slip, where, sizes in reached:
        if sizes != truth and _same(stated, sizes, subject.quantity):
            yield Candidate(0, (slip,), (where,) if where else (), slip.oddity + (0.4 if where else 0.0))


def _same(stated: tuple[Any, ...], reached: Any, quantity: str) -> bool:
    if not isinstance(reached, tuple):
        return False
    if len(stated) == 1 and quantity != "output_shape":
        stated = stated * len(reached)
    return stated == reached and all(type(n) is int for n in reached)


def _ranked(candidates: Iterable[Candidate]) -> Causes:
    """Each set of slips once, the least odd first; the same slips at several layers are one cause."""
    best: dict[tuple[str, ...], list[Candidate]] = {}
    for each in candidates:
        best.setdefault(tuple(sorted(s.name for s in each.slips)), []).append(each)
    # what fewer of the slips reproduce already needs no more of them
    needed = [same for key, same in best.items() if not any(set(other) < set(key) for other in best)]
    ranked = sorted(needed, key=lambda same: min(c.oddity for c in same))
    named = tuple(_cause(same) for same in ranked[:MOST_CAUSES])
    return Causes(named, max(len(ranked) - MOST_CAUSES, 0))


def _cause(same: list[Candidate]) -> Cause:
    first = min(same, key=lambda c: c.oddity)
    places = list(dict.fromkeys(name for c in same for name in c.where)) if first.where else []
    says = " and ".join(s.says for s in first.slips)
    text = f"as if {says}"
    if first.where and len(same) > 1 and len(first.where) == 1:
        shown = ", ".join(places[:3]) + (" …" if len(places) > 3 else "")
        text += f" (in one of {shown})" if len(places) > 1 else f" (in {shown})"
    elif first.where:
        text += f" (in {' and '.join(first.where)})"
    return Cause(tuple(s.name for s in first.slips), text, first.where)
