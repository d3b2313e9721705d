"""Slips recognised by the written arithmetic itself: its factors are those of a miscounted layer.

`1*3*32` has the factors 3 and 32. A count of one layer with the same factors, term by term, explains it
even where many other slips would reach its value; so up to two edits and a finish are tried.
"""

from __future__ import annotations

from collections.abc import Iterator

from archcalc.review.counting import Candidate, Counting, candidate
from archcalc.review.slips.catalogue import Slip
from archcalc.review.slips.counts import COUNT_SLIPS, CountSlip
from archcalc.review.slips.finishing import LAYER_AS_FILTER
from archcalc.review.terms import FILTERS, LayerCount
from archcalc.review.written import normalised

Structure = tuple[tuple[int, ...], ...]
FEWEST = 2  # factors other than 1, below which a match says nothing


def structure(text: str) -> Structure | None:
    """The factors of each term of a sum of products; None for any other arithmetic."""
    terms = []
    for term in normalised(text).partition("=")[0].split("+"):
        factors = [f.strip() for f in term.split("*")]
        if not all(f.isdigit() and len(f) < 12 for f in factors):
            return None
        terms.append(tuple(sorted(n for n in map(int, factors) if n != 1)))
    return tuple(sorted(terms)) if sum(map(len, terms)) >= FEWEST else None


def as_written(counting: Counting, value: int, text: str) -> Iterator[Candidate]:
    """Up to two edits, and a finish, that give the value and have the written factors."""
    wanted = structure(text)
    if wanted is None or len(counting.counts) != 1:
        return
    ((_, count),) = counting.counts.items()
    finishes = [(f, f.slip is LAYER_AS_FILTER) for f in counting.finish if f.slip in (None, LAYER_AS_FILTER)]
    for slips, edited in _edits(counting, count):
        for finish, whole in finishes:
            per_filter = counting.subject.claim.per == "filter" and not whole
            if finish.apply(edited.value) == value and _structure(edited, per_filter) == wanted:
                named = [(s, "") for s in slips]
                yield candidate(value, [*named, (finish.slip, "")] if finish.slip is not None else named)


def _edits(counting: Counting, count: LayerCount) -> Iterator[tuple[list[Slip], LayerCount]]:
    yield [], count
    slips = [s for s in COUNT_SLIPS if counting.kind in s.of]
    for first in slips:
        for once in _changing(first, count):
            yield [first.slip], once
            for second in slips:
                for twice in _changing(second, once) if second is not first else ():
                    yield [first.slip, second.slip], twice


def _changing(slip: CountSlip, count: LayerCount) -> Iterator[LayerCount]:
    return (edited for edited in slip.edit(count) if edited.value != count.value)


def _structure(count: LayerCount, per_filter: bool) -> Structure:
    terms = [t.without(FILTERS) if per_filter else t for t in count.terms]
    return tuple(sorted(tuple(sorted(f.value for f in t.factors if f.value != 1)) for t in terms))
