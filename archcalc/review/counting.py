"""Everything that a miscount of some layers can give: single slips, and pairs of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from archcalc.arith import total
from archcalc.errors import ArchcalcError
from archcalc.report.columns import Figures
from archcalc.review.around import around
from archcalc.review.network_edits import edited_figures
from archcalc.review.slips.catalogue import Slip
from archcalc.review.slips.counts import COUNT_SLIPS, PARAMETERS, WORK, CountSlip
from archcalc.review.slips.finishing import (
    LAYER_OMITTED,
    LAYER_TWICE,
    SHARED_TWICE,
    TYPE_OMITTED,
    Finish,
    digit_slips,
    finishes,
    other_quantities,
)
from archcalc.review.subject import NotJudgedError, Subject
from archcalc.review.terms import LayerCount, layer_count

COUNTED = ("parameters", "trainable_parameters", "macs", "flops", "weight_bytes", "non_trainable_parameters")
MOST_LAYERS = 400  # of which each may be the one that is miscounted
MOST_MISREAD = 20  # misread networks in which counts are miscounted too
MOST_PAIRED = 40  # layers of a sum, above which so many pairs add up to any number that none is tried


class Candidate(NamedTuple):
    """A value that slips lead to; `where` names the layer if it is one of several."""

    value: int
    slips: tuple[Slip, ...]
    where: tuple[str, ...] = ()
    oddity: float = 0.0


class Atom(NamedTuple):
    """One slip at one layer, or (`node` None) wherever it applies; `counts` replaces those of layers."""

    slip: Slip
    node: int | None
    counts: dict[int, LayerCount]
    delta: int


class Counting:
    """The counts of a subject's layers, and what slips make of them."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.of: Figures = subject.of
        self.kind = WORK if subject.quantity in ("macs", "flops") else PARAMETERS
        self.owned_before: dict[int, LayerCount] = {}  # of later calls, whose weights count at the first
        self.counts = dict(self._counts(self.of))
        self.total = sum(c.value for c in self.counts.values())

    @cached_property
    def possible(self) -> bool:
        """Whether the counts, put together the right way, give the true figure."""
        try:
            truth = self.subject.truth
        except NotJudgedError:
            return False
        return bool(self.counts) and type(truth) is int and self.finish[0].apply(self.total) == truth

    def _counts(self, of: Figures) -> Iterator[tuple[int, LayerCount]]:
        quantity = self.subject.quantity
        counted = "macs" if self.kind == WORK else "parameters"
        if quantity == "trainable_parameters":
            counted = quantity
        nodes = self.subject.nodes
        if self.subject.claim.per is not None:
            nodes = tuple(i for i in nodes if getattr(of, counted)[i] != 0)[:1] or nodes[:1]
        for i in nodes:
            node = of.graph.nodes[i]
            inputs = of.graph.input_shapes(of.output_shapes, node)
            copies = of.copies[i]
            if not inputs or type(copies) is not int:
                continue
            count = layer_count(
                of.name[i],
                of.type[i],
                node.layer,
                inputs,
                of.output_shapes[i][0],
                counted,
                {w.name: w.trainable for w in of.weights[i]},
                around=around(of, i),
                copies=copies,
            )
            if count is None:
                raise ArchcalcError(f"{of.name[i]}: its count is not a sum of products")
            if quantity == "non_trainable_parameters":
                count = count.having(t for t in count.terms if not t.trainable)
            if node.shared_with is not None and self.kind == PARAMETERS:
                self.owned_before[i] = count
                count = count.having(())
            yield i, count

    @cached_property
    def finish(self) -> list[Finish]:
        subject = self.subject
        per_filter = None
        if subject.claim.per == "filter":
            per_filter = subject.filters(next(iter(self.counts)))
        return list(finishes(subject.quantity, per_filter, subject.of.options.precision.weight))

    # -- single slips --------------------------------------------------------------------------------
    @cached_property
    def singles(self) -> list[Candidate]:
        """What every single slip leads to."""
        return list(self._singles())

    @cached_property
    def by_pairs(self) -> dict[int, float]:
        """The values that two slips lead to, each with the oddity of the likeliest pair."""
        return likeliest(self.pairs())

    @cached_property
    def misread(self) -> list[tuple[Slip, str, Figures]]:
        """The network as somebody reads it who overlooks its padding, strides ..."""
        return list(edited_figures(self.of, self.subject.nodes))

    @cached_property
    def atoms(self) -> list[Atom]:
        """Every slip at every layer, and everywhere at once."""
        return [a for s in COUNT_SLIPS if self.kind in s.of for a in self._of_slip(s)] + list(
            self._structural()
        )

    def _of_slip(self, s: CountSlip) -> Iterator[Atom]:
        applied = {i: self._variants(s, c) for i, c in self.counts.items()}
        applied = {i: v for i, v in applied.items() if v}
        for number in range(max(map(len, applied.values()), default=0)):
            everywhere = {i: v[min(number, len(v) - 1)] for i, v in applied.items()}
            yield Atom(s.slip, None, everywhere, self._delta(everywhere))
        if len(self.counts) > 1 and len(applied) <= MOST_LAYERS:
            for i, variants in applied.items():
                for count in variants:
                    if len(applied) > 1:
                        yield Atom(s.slip, i, {i: count}, self._delta({i: count}))

    def _variants(self, s: CountSlip, count: LayerCount) -> list[LayerCount]:
        """What a slip makes of a layer's count, without repetitions and what changes nothing."""
        by_value = {e.value: e for e in s.edit(count)}
        by_value.pop(count.value, None)
        return list(by_value.values())

    def _delta(self, counts: dict[int, LayerCount]) -> int:
        return sum(c.value - self.counts[i].value for i, c in counts.items())

    def _structural(self) -> Iterator[Atom]:
        """Layers left out, counted twice, or shared weights counted again."""
        several = sum(c.value != 0 for c in self.counts.values()) > 1
        for i, count in self.counts.items() if several and len(self.counts) <= MOST_LAYERS else ():
            if count.value:
                gone = {i: count.having(())}
                yield Atom(LAYER_OMITTED, i, gone, -count.value)
                twice = {i: count.having((*count.terms, *count.terms))}
                yield Atom(LAYER_TWICE, i, twice, count.value)
        types = dict.fromkeys(c.type for c in self.counts.values() if c.value)
        for name in types if several and len(types) > 1 else ():
            gone = {i: c.having(()) for i, c in self.counts.items() if c.type == name}
            yield Atom(TYPE_OMITTED, next(iter(gone)), gone, self._delta(gone))
        if self.owned_before:
            yield Atom(SHARED_TWICE, None, self.owned_before, self._delta(self.owned_before))

    def _singles(self) -> Iterator[Candidate]:
        truth = self.subject.truth
        for finish in self.finish:
            if finish.slip is not None:
                yield from _finished(self.total, (), finish)
        for atom in self.atoms:
            yield from _finished(self.total + atom.delta, (self._named(atom),), self.finish[0])
        yield from self._edited()
        yield from (
            candidate(v, ((s, ""),)) for s, v in other_quantities(self._others(), self.subject.quantity)
        )
        yield from (candidate(v, ((s, ""),)) for s, v in digit_slips(truth))

    def _named(self, atom: Atom) -> tuple[Slip, str]:
        if atom.node is None or len(self.counts) == 1:
            return atom.slip, ""
        count = self.counts[atom.node]
        return atom.slip, count.type if atom.slip is TYPE_OMITTED else count.name

    def _others(self) -> dict[str, Any]:
        if self.subject.claim.per is not None:
            return {}
        of = self.of
        sums = {
            name: total(getattr(of, name)[i] for i in self.subject.nodes)
            for name in ("parameters", "trainable_parameters", "macs", "elementwise_operations")
        }
        return sums | {"non_trainable_parameters": sums["parameters"] - sums["trainable_parameters"]}

    def _edited(self) -> Iterator[Candidate]:
        """The figure in a network that was read wrongly: without its padding, its strides ..."""
        for slip, where, figures in self.misread:
            try:
                value = Subject(figures, self.subject.claim, self.subject.nodes).truth
            except ArchcalcError:
                continue
            if type(value) is int:
                yield candidate(value, ((slip, where),))

    # -- pairs -----------------------------------------------------------------------------------------
    def pairs(self) -> Iterator[Candidate]:
        """What two slips lead to: one after the other, each at its own layer, or one and a finish."""
        right, *wrong = self.finish
        for atom in self.atoms:
            for finish in wrong:
                yield from _finished(self.total + atom.delta, (self._named(atom),), finish)
        few_layers = len(self.counts) <= MOST_PAIRED
        for atom in self.atoms if few_layers else ():
            yield from self._after(atom, right)
        if len(self.counts) > 1 and few_layers:
            yield from self._apart(right)
        for misread, where, figures in self.misread[:MOST_MISREAD] if few_layers else ():
            yield from self._misread((misread, where), figures)

    def _misread(self, misread: tuple[Slip, str], figures: Figures) -> Iterator[Candidate]:
        """A network that was read wrongly, and then miscounted."""
        try:
            other = Counting(Subject(figures, self.subject.claim, self.subject.nodes))
        except ArchcalcError:
            return
        right, *wrong = other.finish
        for atom in other.atoms if other.possible else ():
            yield from _finished(other.total + atom.delta, (misread, other._named(atom)), right)
        for finish in wrong if other.possible else ():
            yield from _finished(other.total, (misread,), finish)

    def _after(self, atom: Atom, finish: Finish) -> Iterator[Candidate]:
        """A second slip made at the layers that the first one changed (or where the first does not apply)."""
        base = {**self.counts, **atom.counts} if atom.node is None else atom.counts
        rest = self.total - sum(self.counts[i].value for i in base)
        for s in COUNT_SLIPS:
            if self.kind not in s.of or s.slip is atom.slip:
                continue
            edited = {i: self._variants(s, c) for i, c in base.items()}
            most = max(map(len, edited.values()), default=0)
            for number in range(most):
                value = rest + sum(
                    v[min(number, len(v) - 1)].value if v else base[i].value for i, v in edited.items()
                )
                where = self._named(atom)[1]
                yield from _finished(value, (self._named(atom), (s.slip, where)), finish)

    def _apart(self, finish: Finish) -> Iterator[Candidate]:
        """Two slips at different layers: their differences add up."""
        atoms = [a for a in self.atoms if a.node is not None]
        for k, a in enumerate(atoms):
            for b in atoms[k + 1 :]:
                if a.node != b.node:
                    yield from _finished(
                        self.total + a.delta + b.delta, (self._named(a), self._named(b)), finish
                    )


def likeliest(candidates: Iterable[Candidate]) -> dict[int, float]:
    """The oddity of the likeliest candidate of each value."""
    best: dict[int, float] = {}
    for each in candidates:
        best[each.value] = min(best.get(each.value, each.oddity), each.oddity)
    return best


def _finished(total: int, slips: Sequence[tuple[Slip, str]], finish: Finish) -> Iterator[Candidate]:
    value = finish.apply(total)
    if value is not None and value > 0:
        yield candidate(value, (*slips, (finish.slip, "")) if finish.slip is not None else tuple(slips))


def candidate(value: int, slips: Sequence[tuple[Slip, str]]) -> Candidate:
    oddity = sum(s.oddity + (0.4 if where else 0.0) for s, where in slips)
    where = tuple(dict.fromkeys(w for _, w in slips if w))
    return Candidate(value, tuple(s for s, _ in slips), where, oddity)
