"""The lines under every table: totals, assumptions, and what the figures mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arith import integer
from archcalc.arith.factoring import shortest
from archcalc.arith.symbolic import Expr, Extremum
from archcalc.arith.unknown import AtLeast, Unknown
from archcalc.graph.quantities import TABLE
from archcalc.render import text
from archcalc.render.checkpoint import recomputed
from archcalc.render.fit import fits
from archcalc.render.text import Glyphs
from archcalc.report.report import Report
from archcalc.report.rows import Row

if TYPE_CHECKING:
    from archcalc.analyses.fields.receptive_field import Field


class Fact(NamedTuple):
    """One labelled line."""

    label: str
    text: str


def headline(report: Report, glyphs: Glyphs) -> str:
    """The inputs and outputs: `image 224×224×3 → predictions 1000`."""
    ins = ", ".join(f"{text.printable(n, glyphs)} {text.shape(s, glyphs)}" for n, s in report.inputs.items())
    outs = ", ".join(
        f"{text.printable(n, glyphs)} {text.shape(shape, glyphs)}"
        for n, shape in zip(report.outputs, report.output_shapes, strict=True)
    )
    return f"{ins or 'nothing'} {glyphs.arrow} {outs}"


def facts(report: Report, glyphs: Glyphs) -> list[Fact]:
    """The totals as labelled lines."""
    return [part for section in _SECTIONS for part in section(report, glyphs)]


def _parameters(report: Report, glyphs: Glyphs) -> Iterator[Fact]:
    t = report.totals
    if isinstance(t.parameters, Expr):
        return
    line = _figure(report, "parameters", glyphs)
    if isinstance(t.non_trainable_parameters, int) and t.non_trainable_parameters:
        line += (
            f" = {text.count(t.trainable_parameters, glyphs)} trainable"
            f" + {text.count(t.non_trainable_parameters, glyphs)} non-trainable"
        )
    yield Fact("Parameters", line)
    if t.as_built:
        work = f"{text.count(t.as_built['macs'], glyphs)} MACs"
        yield Fact(
            "As built",
            f"{text.count(t.as_built['parameters'], glyphs)} parameters, {work} in Keras's model, "
            "which is without the layers that lead to no output",
        )


def _work(report: Report, glyphs: Glyphs) -> Iterator[Fact]:
    t = report.totals
    ours = report.conventions["flops"] == "archcalc"
    if isinstance(t.macs, int):
        equal = f" = {text.count(t.flops, glyphs)} FLOPs" if ours else ""
        step = f"; {text.count(t.training_macs, glyphs)} MACs in a training step"
        yield Fact("Work", f"{text.count(t.macs, glyphs)} MACs{equal}{step}")
    elif isinstance(t.macs, Unknown):
        yield Fact("MACs", _figure(report, "macs", glyphs))
    if not ours:
        yield from _foreign_flops(report, glyphs)
    for quantity in TABLE:
        value = getattr(t, quantity.name) if quantity.line else None
        if quantity.line and not isinstance(value, Expr):
            unit = "" if isinstance(value, Unknown) else f" {quantity.unit}"
            yield Fact(quantity.line, _figure(report, quantity.name, glyphs) + unit)


def _foreign_flops(report: Report, glyphs: Glyphs) -> Iterator[Fact]:
    """The total in another tool's convention, why it is unknown, and what that tool does not count."""
    c, flops = report.conventions, report.totals.flops
    line = f"{_figure(report, 'flops', glyphs)}, as {c['flops_tool']} counts ({c['flops_unit']})"
    if isinstance(flops, Unknown):
        line += f"; {text.printable(flops.reason, glyphs)}"
    if c["flops_not_counted"]:
        line += f"; it does not count {', '.join(c['flops_not_counted'])}"
    yield Fact("FLOPs", line)


def flops_in_words(report: Report) -> str:
    """What FLOPs mean here, in words."""
    c = report.conventions
    if c["flops"] == "archcalc":
        return "one MAC being two FLOPs"
    return f"FLOPs as {c['flops_tool']} counts them"


def _memory(report: Report, glyphs: Glyphs) -> Iterator[Fact]:
    t = report.totals
    at = f" (most at {text.printable(t.peak_activation_layer, glyphs)})" if t.peak_activation_layer else ""
    if isinstance(t.weight_bytes, int) and isinstance(t.peak_activation_bytes, int):
        whole = t.weight_bytes + t.peak_activation_bytes
        parts: list[tuple[str, Any]] = [("weights", t.weight_bytes), ("activations", t.peak_activation_bytes)]
        yield Fact("Inference", text.amounts(whole, parts) + at)
    elif isinstance(t.peak_activation_bytes, int):
        yield Fact("Activations", f"{text.amount(t.peak_activation_bytes, glyphs)} at their peak{at}")
    yield from _orders(report, glyphs)
    if isinstance(t.training_bytes, int):
        parts = [
            ("weights", t.weight_bytes),
            (str(report.conventions["optimizer"]), t.optimizer_bytes),
            ("activations and gradients", t.training_bytes - t.weight_bytes - t.optimizer_bytes),
        ]
        at = text.printable(t.training_peak, glyphs)
        yield Fact("Training", text.amounts(t.training_bytes, parts) + (f" (most {at})" if at else ""))
    elif isinstance(t.training_bytes, Unknown):
        yield Fact("Training", f"unknown; {text.printable(t.training_bytes.reason, glyphs)}")
    if report.checkpoint is not None:
        yield Fact("Checkpoint", recomputed(report.checkpoint, glyphs))
    if report.fit is not None:
        yield Fact("Fits", fits(report.fit, report.conventions["batch"], glyphs))


def _orders(report: Report, glyphs: Glyphs) -> Iterator[Fact]:
    """The tensors that are alive at the peak, and an order of the layers that needs less."""
    usual, best = report.peaks
    if not isinstance(usual.bytes, int) or not isinstance(best.bytes, int):
        return
    if usual.held:
        most = sorted(usual.held.items(), key=lambda item: -integer(item[1]))
        listed = ", ".join(
            f"{text.printable(name, glyphs)} {text.amount(size, glyphs)}" for name, size in most[:MAX_HELD]
        )
        more = f" and {len(most) - MAX_HELD} more" if len(most) > MAX_HELD else ""
        yield Fact("Peak", f"holds {listed}{more}")
    if best.order is not None:
        how = "no order needs less" if best.optimal else "the best order found"
        yield Fact("Best order", f"{text.amount(best.bytes, glyphs)} of activations at the peak; {how}")


MAX_HELD = 4


def _fields(report: Report, glyphs: Glyphs) -> Iterator[Fact]:
    for name in report.outputs:
        for source, field in report.layers[name].receptive_fields.items():
            if field is None or not field.size:
                continue
            viewer, viewed = text.printable(name, glyphs), text.printable(source, glyphs)
            seen = _seen(field, viewed, glyphs)
            if all(text.reads_whole(field)):
                seen += _last_local(report.rows, source, glyphs)
            yield Fact("Field", f"{viewer} sees {seen}")


def _seen(field: Field, source: str, glyphs: Glyphs) -> str:
    if any(isinstance(s, Unknown) for s in field.size):
        return f"an unknown part of {source}"
    if not all(text.reads_whole(field)):
        return f"{text.field(field, glyphs)} of {source}"
    if any(s is None for s in field.local_size):
        return f"all of {source}"
    return f"all of {source}, {text.shape(field.local_size, glyphs)} of it along the local path"


def _last_local(rows: tuple[Row, ...], source: str, glyphs: Glyphs) -> str:
    """The last layer that still has positions along every axis, and reads no axis as a whole."""
    for row in reversed(rows):
        field = row.receptive_fields.get(source)
        if field is None or any(s is None for s in field.stride) or any(text.reads_whole(field)):
            continue
        return f"; before that, {text.printable(row.name, glyphs)} {text.field(field, glyphs)}"
    return ""


def _gradients(report: Report, glyphs: Glyphs) -> Iterator[Fact]:
    statement = report.conventions.get("gradients")
    if statement:
        yield Fact("Gradients", str(statement))
    for verdict in report.verdicts:
        for label, point in verdict.points:
            yield Fact(label, text.printable(point, glyphs))


_SECTIONS = (_parameters, _work, _memory, _fields, _gradients)


def formulas(report: Report, glyphs: Glyphs) -> list[Fact]:
    """Closed forms of the totals that contain a symbol."""
    figures = {name: getattr(report.totals, name) for name in report.formulas}
    if figures.get("trainable_parameters") == figures.get("parameters"):
        figures.pop("trainable_parameters", None)
    named = [q for q in TABLE if q.formula and q.name in figures]
    return [Fact(q.formula, _closed_form(report, q.name, figures[q.name], glyphs)) for q in named]


def _closed_form(report: Report, name: str, figure: Expr, glyphs: Glyphs) -> str:
    """The formula, its value at the defaults of the symbols, and from which symbols on it holds."""
    value = report.formula_values.get(name)
    shown = _formula(figure, glyphs) if value is None else f"{_formula(figure, glyphs)} = {value:,}"
    needed = report.formula_conditions.get(name, ())
    return f"{shown}, for {' and '.join(needed)}" if needed else shown


def _formula(figure: Expr, glyphs: Glyphs) -> str:
    """As a sum, or where that is shorter as a product; of too many alternatives only their number."""
    (first, *others) = figure.atoms()
    if not others and isinstance(first, Extremum) and len(first.values) > MAX_ALTERNATIVES:
        return f"the largest of {len(first.values)} formulas; in full with --format json"
    return text.formula(shortest(figure), glyphs)


MAX_ALTERNATIVES = 6


def premises(report: Report) -> list[Fact]:
    """Symbols, and the assumptions about them in plain words."""
    fixed = [f"{n} = {v}" for n, v in report.symbols.items() if v is not None]
    free = [
        _range(n, *report.ranges.get(n, (1, None)), report.defaults.get(n))
        for n, v in report.symbols.items()
        if v is None
    ]
    lines = []
    if fixed:
        lines.append(Fact("With", ", ".join(fixed)))
    if free:
        lines.append(Fact("Open", ", ".join(free) + " (a value: --set NAME=VALUE)"))
    for name, (block, count) in report.copy_numbers.items():
        lines.append(Fact("Copies", f"{name} = 0, ..., {count - 1} numbers the copies of {block}"))
    if report.assumptions:
        lines.append(Fact("Assumes", "; ".join(map(text.in_words, report.assumptions))))
    return lines


def _range(name: str, low: int, high: int | None, default: int | None) -> str:
    """A symbol, with its declared range and its default where it has them."""
    usual = "" if default is None else f" (default {default:,})"
    if high is None:
        return (f"{name} from {low} on" if low > 1 else name) + usual
    return f"{name} from {low} to {high}{usual}"


def remarks(report: Report, shown: Mapping[str, Sequence[str]], glyphs: Glyphs) -> list[Fact]:
    """What the figures mean, as far as the columns that are shown need it."""
    c = report.conventions
    flops = " = 2 FLOPs" if c["flops"] == "archcalc" else f"; {flops_in_words(report)}"
    lines = [
        Fact(
            "Work",
            f"one sample; 1 MAC = 1 multiply-add{flops}; bias, activation, pooling, normalisation and "
            "merging are counted separately, as elementwise operations",
        ),
        Fact(
            "Memory",
            f"batch {c['batch']}, {c['dtype']}; inference frees a tensor after its last reader, "
            "training keeps what the backward pass reads",
        ),
    ]
    if any(text not in ("", glyphs.nothing) for text in shown.get("field", ())):
        lines.append(Fact("Field", _field_remark(report, shown["field"], glyphs)))
    if "sigma" in shown:
        lines.append(
            Fact(
                glyphs.sigma,
                "standard deviation of that dependence, in input units, with every layer linear and every "
                "kernel uniform; unknown where it depends on values",
            )
        )
    if "gradient" in shown:
        lines.append(Fact("Gradient", _gradient_remark(shown["gradient"], glyphs)))
    if "shared" in shown.get("parameters", ()):
        lines.append(Fact("shared", "weights that an earlier call owns, counted there"))
    return lines


def _field_remark(report: Report, shown: Sequence[str], glyphs: Glyphs) -> str:
    several = len(report.inputs) > 1
    first = f"in {text.printable(next(iter(report.inputs)), glyphs)}, the first input: " if several else ""
    words = f"{first}what one unit depends on, not clipped at borders; /s: step between units"
    told = [fact.text for fact in _fields(report, glyphs)]
    if any(re.search(rf"[0-9)]{glyphs.upto}[(0-9]", x) for x in (*shown, *told)):
        words += f"; 3{glyphs.upto}5: from 3 to 5, by the position of the unit"
    if any(x.startswith("whole (") for x in shown):
        words += "; whole (9): all of it, 9 along the local path"
    elif any("whole" in x for x in shown):
        words += "; whole: all of it"
    return words


def _gradient_remark(shown: Sequence[str], glyphs: Glyphs) -> str:
    likely, most = text.likely(glyphs), text.most(glyphs)
    words = (
        f"{most} bound of the output's Jacobian with respect to this row's output, whatever the input; "
        f"{likely} norm of the gradient here over that at the output, as expected at initialisation"
    )
    if any(x.endswith(f"{most}{glyphs.upto}") for x in shown):
        words += f"; {most}{glyphs.upto}: no bound"
    return words


NAMED = 8  # unknown layers in one line


def _figure(report: Report, name: str, glyphs: Glyphs) -> str:
    value = getattr(report.totals, name)
    if isinstance(value, Unknown):
        layers = value.layers if isinstance(value, AtLeast) else ()
        names = ", ".join(text.printable(n, glyphs) for n in layers[:NAMED])
        names += f" and {len(layers) - NAMED} more layers" if len(layers) > NAMED else ""
        known = f"at least {text.count(value.known, glyphs)}, " if isinstance(value, AtLeast) else ""
        return f"{known}unknown in {names}" if names else "unknown"
    return text.count(value, glyphs)
