"""A report as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from archcalc.arith import integer
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import ArchcalcError
from archcalc.graph.quantities import TABLE, TOTALS
from archcalc.render import summary, text
from archcalc.render.page.assemble import assembled
from archcalc.render.page.data import page_data, source_name
from archcalc.render.page.opened import Opened, opened
from archcalc.render.page.photo import Photo, read_photo
from archcalc.render.text import UNICODE, printable
from archcalc.report.report import Report
from archcalc.report.verification import AGREES, DIFFERS, Verification

LONGEST_FORMULA = 3000
# the rows of a page; more are refused, since browsers take long for them
MOST_LAYERS = 20_000


class Card(NamedTuple):
    """A headline figure; `total` is the name of the total that it follows."""

    term: str
    value: str
    note: str = ""
    total: str = ""


def report_page(
    report: Report,
    *,
    image: str | None = None,
    verification: Verification | None = None,
    no_gradients: str = "",
) -> str:
    """The page of a report.

    Parameters
    ----------
    image
        The file of an image to draw receptive fields on, instead of a built-in one.
    verification
        The comparison with real Keras to show.
    no_gradients
        Why the report has no gradients.

    Raises
    ------
    ArchcalcError
        An image that cannot be read, an input that is none, too many layers, or open symbols for which
        no value is known.
    """
    if len(report.rows) > MOST_LAYERS:
        raise ArchcalcError(
            f"{report.source or report.name}: {len(report.rows):,} layers; a page has {MOST_LAYERS:,} at most"
        )
    photo = None if image is None else _photo(report, image)
    network = opened(report)
    at = network.at
    return assembled(
        "report.html",
        page_data(network),
        name=printable(at.name),
        through=summary.headline(at, UNICODE),
        source=source_name(at),
        layers=f"{len(at.rows):,} layers",
        cards=list(_cards(at)),
        symbols=list(network.start),
        no_sliders=printable(network.why),
        chosen=_chosen(report, network),
        photo=photo and photo.address,
        photo_note=photo and photo.note,
        memory=_memory(at),
        no_gradients=printable(no_gradients),
        verdict=[(label, printable(line)) for v in at.verdicts for label, line in v.points],
        formulas=list(_formulas(network)),
        assumptions=[] if network.closed is None else list(map(text.in_words, network.closed.assumptions)),
        findings=[{k: printable(v or "") for k, v in f._asdict().items()} for f in at.findings],
        check=list(_check(verification, at)),
        conventions=[(k.replace("_", " "), printable(str(v))) for k, v in _conventions(at)],
    )


def _photo(report: Report, image: str) -> Photo:
    shape = next(iter(report.inputs.values()), ())
    if len(shape) < 3:
        raise ArchcalcError(f"--image: the first input of {printable(report.name)} is no image")
    rows, columns = (n if type(n) is int else 224 for n in shape[:2])
    return read_photo(image, rows, columns)


def _chosen(report: Report, network: Opened) -> str:
    """The symbols that the network leaves open, and the values that the page chose."""
    chosen = [f"{n} open ({n} = {network.start[n]})" for n, v in report.symbols.items() if v is None]
    return ", ".join(chosen)


# -- the headline -------------------------------------------------------------------------------------
def _cards(report: Report) -> Iterator[Card]:
    t = report.totals
    trained = text.count(t.trainable_parameters)
    yield Card("Parameters", text.count(t.parameters), f"{trained} trainable", "parameters")
    yield Card(
        "MACs of one sample", text.count(t.macs), f"{text.count(t.training_macs)} in a training step", "macs"
    )
    yield Card("FLOPs", text.count(t.flops), summary.flops_in_words(report), "flops")
    weights = text.amount(t.weight_bytes)
    batch = f"batch {report.conventions['batch']:,}, {report.conventions['dtype']}"
    at = f" at {printable(t.peak_activation_layer)}" if t.peak_activation_layer else ""
    yield Card(
        "Activations in inference, at their peak",
        text.amount(t.peak_activation_bytes),
        f"{batch}{at}; weights {weights}",
        "peak_activation_bytes",
    )
    where = f"; most {printable(t.training_peak)}" if t.training_peak else ""
    optimizer = f"with {report.conventions['optimizer']}"
    yield Card(
        "A training step, at its peak", text.amount(t.training_bytes), f"{optimizer}{where}", "training_bytes"
    )
    for fact in summary.facts(report, UNICODE):
        if fact.label in ("Fits", "Checkpoint"):
            yield Card(fact.label, "", fact.text)
    yield from _fields(report)
    for verdict in report.verdicts:
        yield Card("Gradient at initialisation", verdict.verdict, printable(verdict.diagnosis))


def _fields(report: Report) -> Iterator[Card]:
    """What the first output sees of the first input."""
    facts = [f.text for f in summary.facts(report, UNICODE) if f.label == "Field"]
    field = report.layers[report.outputs[0]].receptive_field if report.outputs else None
    if facts and field is not None and field.size:
        size = text.shape(field.size)
        yield Card("Receptive field of the output", size, facts[0])


def _memory(report: Report) -> list[str]:
    """The peak of inference, explained."""
    usual, best = report.peaks
    if not isinstance(usual.bytes, int):
        reason = usual.bytes.reason if isinstance(usual.bytes, Unknown) else "it depends on symbols"
        return [f"The peak is unknown: {printable(reason)}"]
    lines = []
    if usual.layer:
        held = ", ".join(
            f"{printable(name)} {text.amount(size)}"
            for name, size in sorted(usual.held.items(), key=lambda item: -integer(item[1]))[:5]
        )
        lines.append(
            f"The peak of {text.amount(usual.bytes)} occurs at {printable(usual.layer)}; alive then: {held}."
        )
    if best.order is not None and isinstance(best.bytes, int):
        proved = "no order needs less" if best.optimal else "the best order found"
        lines.append(f"In another order of the layers {text.amount(best.bytes)} are enough ({proved}).")
    return lines


# -- formulas, check, conventions -----------------------------------------------------------------------
def _formulas(network: Opened) -> Iterator[dict[str, str]]:
    if network.closed is None:
        return
    labels = {q.name: q.formula or q.line or q.name.replace("_", " ") for q in TABLE}
    for name in TOTALS:
        figure = getattr(network.closed.totals, name)
        if isinstance(figure, Expr):
            form = text.formula(figure)
            if len(form) > LONGEST_FORMULA:
                form = (
                    f"{form[:LONGEST_FORMULA]} … ({len(form):,} characters; all of them with --format json)"
                )
            yield {"term": labels[name], "total": name, "text": printable(form)}


def _check(result: Verification | None, report: Report) -> Iterator[dict[str, str]]:
    if result is None:
        source = source_name(report) or "SOURCE"
        yield {
            "style": "hint",
            "text": f"Not run for this page: archcalc report {source} --verify compares with Keras.",
        }
        return
    counts = result.counts()
    known = counts[AGREES] + counts[DIFFERS]
    if result.agrees and known:
        yield {"style": "agrees", "text": f"✓ All {known:,} figures that could be compared agree with Keras."}
    elif not known:
        yield {"style": "hint", "text": "No figure could be compared with Keras."}
    else:
        yield {"style": "differs", "text": f"✗ {counts[DIFFERS]:,} of {known:,} figures differ from Keras."}
    for check in result.differences[:50]:
        where = printable(check.layer or "the whole network")
        line = f"{check.what} of {where}: {check.predicted} here, {check.measured} in Keras. {check.reason}"
        yield {"style": "differs", "text": printable(line)}
    kinds = ", ".join(f"{what} ({len(checks):,})" for what, checks in result.by_what().items())
    yield {"style": "", "text": f"Compared: {kinds}."}
    for what in result.skipped:
        yield {"style": "hint", "text": f"Skipped: {printable(what)}"}


def _conventions(report: Report) -> Iterator[tuple[str, Any]]:
    from archcalc import __version__

    yield "archcalc", __version__
    yield from report.conventions.items()
