"""`audit`: stated figures against the true ones, and the slip that explains each wrong one, if known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archcalc.analyze import analyze
from archcalc.arith import scope
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.claims import Claim
from archcalc.graph.substitution import with_values
from archcalc.readers import as_graph
from archcalc.report.report import Report
from archcalc.report.values import stamp, to_json_value
from archcalc.review.follow import Earlier, Follow, follow
from archcalc.review.search import Causes, Search
from archcalc.review.sheets import Sheet, as_sheets
from archcalc.review.slips.catalogue import slip
from archcalc.review.subject import (
    NotJudgedError,
    Subject,
    holds,
    is_open,
    subject,
    values_that_hold,
)
from archcalc.review.written import value_of

if TYPE_CHECKING:
    from archcalc.report.derivation import Derivation

RIGHT, WRONG, OPEN = "right", "wrong", "not judged"
VERDICTS = (RIGHT, WRONG, OPEN)
WRITTEN = slip("written_mismatch", "the written arithmetic gave another value", 0.3)
NO_SLIP = "no known slip"
# quantity -> the figure of a derivation that shows it
DERIVED = {
    **dict.fromkeys(("trainable_parameters", "non_trainable_parameters", "weight_bytes"), "parameters"),
    "flops": "macs",
    "receptive_field_stride": "receptive_field",
}


@dataclass(frozen=True)
class Checked:
    """One claim with its verdict.

    `truth` is None where the claim is not judged, and `reason` says why. `follow_on`: the claims (by number)
    that it is a consequence of. `written`: what the written arithmetic gives, where that is not the value.
    """

    number: int
    claim: Claim
    verdict: str
    truth: Any = None
    reason: str = ""
    causes: Causes = field(default_factory=lambda: Causes(()))
    follow_on: Follow | None = None
    written: int | None = None
    of_written: bool = False  # whether what follows and the causes explain the written arithmetic's value
    layers: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        """In words: what the claim follows from, the slips that reproduce it, or that none is known."""
        if self.verdict != WRONG:
            return self.reason
        parts = [self.reason] if self.reason else []
        if self.written is not None:
            parts.append(f"the written arithmetic gives {self.written:,}")
        which = "that is " if self.of_written else ""
        if self.follow_on is not None:
            *most, last = map(str, self.follow_on.claims)
            numbers = f"claims {', '.join(most)} and {last}" if most else f"claim {last}"
            parts.append(f"{which}right given {numbers} ({self.follow_on.how})")
        if self.causes.named:
            parts.append(which + "; or ".join(c.says for c in self.causes.named))
        if self.causes.more:
            parts.append(f"{self.causes.more} more slips lead to it too")
        if not (self.causes.named or self.follow_on or self.written is not None):
            parts.append(NO_SLIP)
        return "; ".join(parts)

    @property
    def slips(self) -> tuple[str, ...]:
        """The names of the slips, those of one cause joined by `+`."""
        named = [" + ".join(c.slips) for c in self.causes.named]
        return (*((WRITTEN.name,) if self.written is not None else ()), *named)

    def to_dict(self) -> dict[str, Any]:
        claim = self.claim
        return {
            "claim": self.number,
            "path": claim.path,
            "quantity": claim.quantity,
            "layers": list(claim.layers),
            "per": claim.per,
            "value": to_json_value(claim.value),
            "written": claim.written,
            "note": claim.note,
            "verdict": self.verdict,
            "truth": to_json_value(self.truth),
            "reason": self.reason,
            "written_value": self.written,
            "follows_from": [] if self.follow_on is None else list(self.follow_on.claims),
            "causes": [
                {"slips": list(c.slips), "layers": list(c.where), "says": c.says} for c in self.causes.named
            ],
            "more_causes": self.causes.more,
            "explanation": self.explanation,
        }


@dataclass(frozen=True)
class Graded:
    """A sheet with every claim checked."""

    sheet: Sheet
    checked: tuple[Checked, ...]

    def count(self, verdict: str) -> int:
        return sum(c.verdict == verdict for c in self.checked)

    def to_dict(self) -> dict[str, Any]:
        return {
            "student": self.sheet.student,
            "source": self.sheet.source,
            "fault": self.sheet.fault,
            "about_other_networks": self.sheet.others,
            **{verdict.replace(" ", "_"): self.count(verdict) for verdict in VERDICTS},
            "claims": [c.to_dict() for c in self.checked],
        }


@dataclass(frozen=True)
class Audit:
    """Every claim about one network, checked; `agrees`: none is wrong, and every sheet could be read."""

    name: str
    source: str
    sheets: tuple[Graded, ...]
    report: Report

    @property
    def agrees(self) -> bool:
        return not any(g.count(WRONG) or g.sheet.fault for g in self.sheets)

    @property
    def checked(self) -> list[Checked]:
        return [c for g in self.sheets for c in g.checked]

    def counts(self) -> dict[str, int]:
        counted = Counter(c.verdict for c in self.checked)
        return {verdict: counted[verdict] for verdict in VERDICTS}

    @cached_property
    def by_slip(self) -> dict[str, int]:
        """How many wrong claims each slip explains, the most frequent first."""
        names: Counter[str] = Counter()
        for c in self.checked:
            if c.verdict != WRONG:
                continue
            if c.follow_on is not None:
                names["follows from another claim"] += 1
            names.update(c.slips[:2] if c.written is not None else c.slips[:1])
            if not (c.slips or c.follow_on):
                names[NO_SLIP] += 1
        return dict(sorted(names.items(), key=lambda item: (-item[1], item[0])))

    def derivations(self) -> dict[str, Derivation]:
        """The true derivation of each figure of a layer that a wrong claim is about."""
        wanted: dict[str, set[str]] = {}
        for c in self.checked:
            for name in c.layers if c.verdict == WRONG else ():
                wanted.setdefault(name, set()).add(DERIVED.get(c.claim.quantity, c.claim.quantity))
        every = {
            name: self.report.layers[name].derivation().only(figures) for name, figures in wanted.items()
        }
        return {name: d for name, d in every.items() if d.figures}

    def to_dict(self) -> dict[str, Any]:
        """JSON of `archcalc audit`."""
        return {
            **stamp(),
            "model": {"name": self.name, "source": self.source},
            "verdicts": self.counts(),
            "slips": self.by_slip,
            "sheets": [g.to_dict() for g in self.sheets],
            "derivations": [d.to_dict() for d in self.derivations().values()],
        }

    def to_markdown(self) -> str:
        from archcalc.render.audit import markdown

        return markdown(self)

    def to_csv(self) -> str:
        from archcalc.render.audit import csv_text

        return csv_text(self)

    def __str__(self) -> str:
        from archcalc.render.audit import text
        from archcalc.render.screen import only_ascii, screen_width

        return text(self, width=screen_width(), ascii=only_ascii()).rstrip("\n")

    def _repr_html_(self) -> str:
        from archcalc.render.audit import html

        return html(self)


def audit(graph: Any, claims: Any = None, symbols: Mapping[str, int | None] | None = None) -> Audit:
    """Every claim against the network's figures.

    Parameters
    ----------
    graph
        The network: what `archcalc.analyze` takes.
    claims
        Claims as a spec holds them (a list of dicts), files of claims, or the sheets that
        `archcalc.read_claims` makes of these. Default: the claims in the network's own spec.
    symbols
        Values of symbols; with open ones a claim is right only if it holds for all their values.

    Raises
    ------
    ArchcalcError
        There are no claims, neither given nor in the spec.
    """
    network: Graph = as_graph(graph)
    if symbols:
        network = with_values(network, symbols)
    own = [Sheet("", network.source or network.name, network.claims)]
    sheets = own if claims is None else as_sheets(claims)
    if not any(s.claims or s.fault or s.others for s in sheets):
        raise ArchcalcError(
            'there are no claims: the spec has no "claims", and no file of claims was given (--claims)'
        )
    report = analyze(network)
    with scope(report.scope):
        search = Search()
        graded = tuple(Graded(s, check(report, s.claims, search)) for s in sheets)
    return Audit(network.name, network.source, graded, report)


def check(report: Report, claims: Sequence[Claim], search: Search | None = None) -> tuple[Checked, ...]:
    """The claims of one author; a wrong one may explain those after it, and those before it."""
    search = search or Search()
    judged = [_judged(report, claim, i) for i, claim in enumerate(claims, 1)]
    wrong = [Earlier(c.number, s) for c, s in judged if c.verdict == WRONG and s is not None]
    return tuple(
        c
        if c.verdict != WRONG or s is None
        else _explained(c, s, [e for e in wrong if e.number != c.number], search)
        for c, s in judged
    )


def _judged(report: Report, claim: Claim, number: int) -> tuple[Checked, Subject | None]:
    try:
        of = subject(report._of, claim)
        truth = of.truth
    except NotJudgedError as why:
        return Checked(number, claim, OPEN, reason=str(why)), None
    named = tuple(of.of.name[i] for i in of.nodes) if claim.layers else ()
    if of.claim.quantity in ("output_shape", "receptive_field", "receptive_field_stride"):
        named = (of.of.name[of.node],)
    verdict, reason = (RIGHT, "") if of.right else (WRONG, "")
    if verdict == WRONG and is_open(truth):
        verdict, reason = _with_open_symbols(claim, truth)
    return Checked(number, claim, verdict, truth, reason, layers=named), of


def _with_open_symbols(claim: Claim, truth: Any) -> tuple[str, str]:
    tried = values_that_hold(claim, truth)
    if tried is None:
        return OPEN, "the figure depends on several open symbols; give them values (--set)"
    name, values, last = tried
    if not values:
        return WRONG, f"no {name} up to {last:,} gives it"
    shown = ", ".join(f"{name} = {n:,}" for n in values[:3]) + (" …" if len(values) > 3 else "")
    return OPEN, f"right only for {shown}; give {name} a value (--set)"


def _explained(checked: Checked, of: Subject, wrong: Sequence[Earlier], search: Search) -> Checked:
    """A wrong claim with what it follows from, or the slips that reproduce it."""
    claim = checked.claim
    value = claim.value[0] if isinstance(claim.value, tuple) and len(claim.value) == 1 else claim.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    written = value_of(claim.written) if claim.written else None
    if not isinstance(value, int) or written == value:
        written = None
    found: dict[str, Any] = {"written": written, "follow_on": _follow(of, value, wrong)}
    if found["follow_on"] is not None:
        return replace(checked, **found)
    if written is not None:
        if holds(replace(claim, value=written), of.truth):
            return replace(checked, **found)
        found |= {"follow_on": _follow(of, written, wrong), "of_written": True}
        if found["follow_on"] is None:
            found["causes"] = search.causes(of, written, claim.written)
    if found["follow_on"] is None and not found.get("causes", Causes(())).named:
        found |= {"causes": search.causes(of, value, claim.written), "of_written": False}
    return replace(checked, **found)


def _follow(of: Subject, value: Any, wrong: Sequence[Earlier]) -> Follow | None:
    return None if is_open(of.truth) and not _adds(of) else follow(of, value, wrong)


def _adds(of: Subject) -> bool:
    """Whether the figure is a sum, which may be followed even where other parts are open."""
    return of.quantity == "parameters"
