"""`analyze`: every analysis of one network, composed into a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from archcalc import arith
from archcalc.analyses import memory as activation
from archcalc.analyses import optimizers, parameters, receptive_field, shapes, work
from archcalc.analyses.effective_field import effective_fields
from archcalc.analyses.inference import Inference, inference
from archcalc.analyses.precision import OPTIMIZERS, PRECISIONS, Precision
from archcalc.analyses.training import activations as held_in_training
from archcalc.analyses.windows import windows
from archcalc.arith import Size, total
from archcalc.conventions import NAMES as CONVENTIONS
from archcalc.errors import ArchcalcError
from archcalc.fit import bytes_of, fit
from archcalc.graph import Graph
from archcalc.layers.base import Layer
from archcalc.layers.operations.base import Operation
from archcalc.report import Finding, PeakActivations, Report, Row, Totals
from archcalc.substitution import restate, with_values
from archcalc.symbolic import Expr, Symbol
from archcalc.unknown import Unknown

if TYPE_CHECKING:
    from archcalc.analyses.gradients import Gradient
    from archcalc.analyses.mean_field.verdicts import Verdict


def analyze(
    graph: Graph,
    symbols: Mapping[str, int] | None = None,
    *,
    batch: int = 1,
    dtype: str = "float32",
    optimizer: str = "adam",
    memory: str | int | None = None,
    convention: str = "archcalc",
    clipped: bool = False,
    gradients: bool = False,
    weights: str | Mapping[str, Mapping[str, Any]] = "expected",
    tier: str | None = None,
    training: bool = False,
    input_range: tuple[float, float] | None = None,
    loss: str | None = None,
) -> Report:
    """Everything that the architecture alone says about a network.

    Parameters
    ----------
    graph
        The network, from `archcalc.load` or `archcalc.from_keras`.
    symbols
        Values for open symbols; those left open stay in the figures as closed forms.
    batch
        Samples that memory is counted for; work is always that of one sample.
    dtype
        A Keras dtype policy: `float32`, `float16`, `bfloat16`, `float64`, `mixed_float16`,
        `mixed_bfloat16`.
    optimizer
        Whose state is counted in training memory, by Keras's name; `momentum` is SGD with it.
    memory
        Bytes, or an amount such as `24GiB`: `Report.fit` then says whether it fits, and the
        largest batch that does.
    convention
        Whose way of counting FLOPs: `archcalc`, or that of another tool (docs/flop-conventions.md).
    clipped
        Whether every row (not only the outputs) gets the field clipped to the pixels that exist.
    gradients
        Whether every row gets bounds of its gradient (docs/gradients.md), which the arguments below
        shape, and the gradient expected at initialisation (docs/gradients-expected.md).
    weights
        `symbolic`, `expected` (at initialisation), `actual` (read from the network's own `.keras` file),
        or arrays by node name and weight name, as `archcalc.read_weights` gives them.
    tier
        `symbolic`, `tight` or `centred`; the last two need the weights themselves.
    training
        Bounds of training (batch statistics, dropout) and not of inference.
    input_range
        The interval that all inputs lie in, where it is known.
    loss
        The loss whose gradient in kernels is bounded, by Keras's name: `categorical_crossentropy`,
        `sparse_categorical_crossentropy`, `binary_crossentropy` or `mean_squared_error`. Default: the
        cross-entropy that belongs to a softmax or a sigmoid at the end.

    Raises
    ------
    NetworkError
        Layers that do not fit together, every independent fault named.
    ArchcalcError
        An option that does not exist or a value out of range.
    """
    batch = _positive(batch, "batch")
    precision = _choice(dtype, PRECISIONS, "dtype")
    _choice(optimizer, OPTIMIZERS, "optimizer")
    room = None if memory is None else bytes_of(memory)
    _choice(convention, dict.fromkeys(CONVENTIONS), "convention")
    with arith.scope() as scope:
        if symbols:
            graph = with_values(graph, {name: _positive(value, name) for name, value in symbols.items()})
        restate(graph)
        found = shapes.infer(graph)
        owned = parameters.weights(graph, found)
        counts = parameters.counts(graph, owned)
        macs = work.macs(graph, found)
        flops = _flops(graph, found, convention, macs)
        elementwise = work.elementwise(graph, found)
        made = activation.tensors(graph, found, precision, batch)
        activations = activation.activations(graph, made)
        peaks = inference(graph, made)
        owners = [i if node.shared_with is None else node.shared_with for i, node in enumerate(graph.nodes)]
        trained = [_is_trained(counts[owner]) for owner in owners]
        held = held_in_training(graph, found, made, trained, precision, batch)
        reads = windows(graph, found)
        seen = receptive_field.fields(graph, found, "all" if clipped else "outputs", reads)
        spread = effective_fields(graph, found, reads)
        bounds, of_loss = _gradients(graph, found, gradients, weights, tier, training, input_range, loss)
        verdicts = _verdicts(graph, found, bounds)
        copies = graph.multiplicities()
        names = [node.name for node in graph.nodes]
        rows = tuple(
            Row(
                name=node.name,
                type=_type_name(node.layer),
                inputs=tuple(names[t.node] for t in node.inputs),
                output_shapes=found[i],
                shared_with=None if node.shared_with is None else names[node.shared_with],
                weights=owned[i],
                parameters=counts[i].parameters,
                trainable_parameters=counts[i].trainable,
                macs=macs[i],
                flops=flops[i],
                elementwise_operations=elementwise[i],
                activation_bytes=activations[i],
                training_activation_bytes=held[i],
                receptive_fields=seen[i],
                effective_fields=spread[i],
                copies=copies.get(i, 1),
                gradient=bounds[i],
            )
            for i, node in enumerate(graph.nodes)
        )
        kept = zip(names, (row.copies for row in rows), owned, strict=True)
        state = precision.weight * optimizers.state(optimizer, kept)
        totals = _totals(rows, precision, state, peaks, names)
        free = _symbols_in(totals, rows)
    return Report(
        name=graph.name,
        source=graph.source,
        format=graph.format,
        inputs={names[i]: found[i][0] for i in graph.inputs},
        outputs=tuple(names[t.node] for t in graph.outputs),
        symbols={**dict.fromkeys(free), **graph.symbols},
        ranges={name: (s.minimum, s.maximum) for name, s in free.items()},
        assumptions=tuple(scope.assumptions.texts()),
        conventions={
            **_conventions(batch, dtype, optimizer, convention, rows),
            **_said(gradients, weights, tier, training, input_range, of_loss),
        },
        totals=totals,
        peaks=_peaks(peaks, names),
        fit=None if room is None else fit(totals, room, batch),
        rows=rows,
        findings=tuple(_unknown_layers(rows)),
        verdicts=verdicts,
    )


def _gradients(
    graph: Graph,
    known: shapes.Shapes,
    wanted: bool,
    weights: str | Mapping[str, Mapping[str, Any]],
    tier: str | None,
    training: bool,
    input_range: tuple[float, float] | None,
    loss: str | None,
) -> tuple[Sequence[Gradient | None], str]:
    """The gradient figures of every row, and of which loss those in kernels are."""
    if not wanted:
        return [None] * len(graph.nodes), ""
    from archcalc.analyses.gradients import gradients
    from archcalc.analyses.mean_field.expectation import expected_gradients

    values = None if isinstance(weights, str) else weights
    if weights == "actual":
        from archcalc.readers.keras_weights import read_weights

        values = read_weights(graph.source, graph)
    found = gradients(
        graph,
        known,
        weights=weights if isinstance(weights, str) else "actual",
        values=values,
        tier=tier,
        training=training,
        input_range=input_range,
        loss=loss,
    )
    rows = [
        replace(
            bound,
            expected_log10=each.log10,
            expected_log10_low=each.low,
            expected_log10_high=each.high,
            no_expectation=each.reason,
        )
        for bound, each in zip(found.rows, expected_gradients(graph, known), strict=True)
    ]
    return rows, found.loss


def _verdicts(graph: Graph, known: shapes.Shapes, rows: Sequence[Gradient | None]) -> tuple[Verdict, ...]:
    found = [row for row in rows if row is not None]
    if not found:
        return ()
    from archcalc.analyses.mean_field.expectation import Expected
    from archcalc.analyses.mean_field.verdicts import verdict

    expected = [
        Expected(r.expected_log10, r.expected_log10_low, r.expected_log10_high, r.no_expectation)
        for r in found
    ]
    judged = verdict(graph, known, expected)
    return () if judged is None else (judged,)


def _said(
    wanted: bool,
    weights: Any,
    tier: str | None,
    training: bool,
    input_range: tuple[float, float] | None,
    loss: str,
) -> dict[str, str]:
    """What the gradients of a report are and assume."""
    if not wanted:
        return {}
    known = weights if isinstance(weights, str) else "actual"
    assumed = {
        "symbolic": "norms of weights left open",
        "expected": "norms of weights as expected at initialisation",
        "actual": f"norms of the actual weights ({tier or 'tight'})",
    }[known]
    inputs = "any inputs" if input_range is None else f"inputs from {input_range[0]:g} to {input_range[1]:g}"
    return {
        "gradients": "bounds of the output's Jacobian (2-norm) in "
        f"{'training' if training else 'inference'}, {assumed}, {inputs}",
        "weight_gradients": f"norm of the loss's gradient in a layer's kernels, of one sample: {loss}",
        "expected_gradients": "log10 of the gradient's norm over that at the output, in training at "
        "initialisation, on inputs of mean 0 and variance 1, large batches (docs/gradients-expected.md)",
    }


def _type_name(layer: Layer) -> str:
    """The type as users write it: a class of Keras, `ops.add`, the name of an unknown class."""
    if isinstance(layer, Operation):
        return f"ops.{layer.function}"
    return str(getattr(layer, "class_name", None) or type(layer).__name__)


def _totals(
    rows: Sequence[Row], precision: Precision, state: Size, peaks: Inference, names: Sequence[str]
) -> Totals:
    all_parameters = _sum(rows, "parameters")
    trainable = _sum(rows, "trainable_parameters")
    macs = _sum(rows, "macs")
    kept = _sum(rows, "training_activation_bytes")
    weight_bytes = precision.weight * all_parameters
    gradients = precision.weight * trainable
    return Totals(
        parameters=all_parameters,
        trainable_parameters=trainable,
        non_trainable_parameters=all_parameters - trainable,
        weight_bytes=weight_bytes,
        macs=macs,
        flops=_sum(rows, "flops"),
        elementwise_operations=_sum(rows, "elementwise_operations"),
        peak_activation_bytes=peaks.usual.bytes,
        best_peak_activation_bytes=peaks.best.bytes,
        activation_bytes=_sum(rows, "activation_bytes"),
        training_activation_bytes=kept,
        gradient_bytes=gradients,
        optimizer_bytes=state,
        training_bytes=weight_bytes + gradients + state + kept,
        peak_activation_layer=None if peaks.usual.node is None else names[peaks.usual.node],
    )


def _peaks(found: Inference, names: Sequence[str]) -> tuple[PeakActivations, PeakActivations]:
    """In Keras's order and in the best one found, with names in place of numbers."""

    def named(peak: activation.Peak, order: Sequence[int] | None, optimal: bool) -> PeakActivations:
        held: dict[str, Size] = {}
        for tap, size in peak.held:
            held[names[tap.node]] = held.get(names[tap.node], 0) + size
        return PeakActivations(
            peak.bytes,
            None if peak.node is None else names[peak.node],
            held,
            None if order is None else tuple(names[i] for i in order),
            optimal,
        )

    optimal = found.optimal and found.order is None
    return named(found.usual, None, optimal), named(found.best, found.order, found.optimal)


def _symbols_in(totals: Totals, rows: Sequence[Row]) -> dict[str, Symbol]:
    """Open symbols, which a graph built by hand need not have declared."""
    figures = [getattr(totals, f.name) for f in fields(totals)]
    figures += [size for row in rows if row.type == "InputLayer" for size in row.output_shape]
    found = {name: s for x in figures if isinstance(x, Expr) for name, s in x.symbols.items()}
    return dict(sorted(found.items()))


def _sum(rows: Sequence[Row], figure: str) -> Size:
    """A column's sum; unknown, with every layer that hides it, if any row's is."""
    hidden = [row for row in rows if isinstance(getattr(row, figure), Unknown)]
    if hidden:
        names = ", ".join(repr(row.name) for row in hidden[:3]) + (", …" if len(hidden) > 3 else "")
        return Unknown(f"depends on {names}: {getattr(hidden[0], figure).reason}")
    return total(getattr(row, figure) for row in rows)


def _unknown_layers(rows: Sequence[Row]) -> Iterator[Finding]:
    """A finding for each layer that brings something unknown into the network."""
    unknown = {row.name: found for row in rows if (found := row.unknown)}
    for row in rows:
        mine = unknown.get(row.name)
        if not mine:
            continue
        inherited = {figure for name in row.inputs for figure in unknown.get(name, ())}
        if "output_shape" in inherited:
            continue
        own = {f: mine[f] for f in _STATED if f in mine and not (f in inherited and f == "receptive_field")}
        if own:
            yield Finding(
                rule="unknown-layer",
                severity="warning",
                layer=row.name,
                # the other figures' reasons stand on their row
                message=f"unknown {', '.join(own).replace('_', ' ')}: {next(iter(own.values()))}",
                suggestion="state them in an Opaque layer, or use a type that `archcalc layers` lists",
            )


# what a layer states; all other figures follow from these
_STATED = ("output_shape", "parameters", "macs", "elementwise_operations", "receptive_field")


def _is_trained(count: parameters.Count) -> bool:
    """Whether weights are trained; those nobody knows may be."""
    return isinstance(count.trainable, Unknown) or count.trainable != 0


def _flops(graph: Graph, found: shapes.Shapes, convention: str, macs: Sequence[Size]) -> list[Size]:
    """Each node's FLOPs in a convention; only those of other tools need their rules."""
    if convention == "archcalc":
        return [work.FLOPS_PER_MAC * n for n in macs]
    from archcalc.conventions.counting import flops

    return [counted.flops for counted in flops(graph, found, convention)]


def _whose_flops(convention: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Which tool's FLOPs these are, and which types do work that it does not count."""
    if convention == "archcalc":
        return {"flops": convention, "flops_per_mac": work.FLOPS_PER_MAC}
    from archcalc.conventions.counting import CONVENTIONS

    used = CONVENTIONS[convention]
    skipped = {
        row.type for row in rows if row.flops == 0 and (row.macs, row.elementwise_operations) != (0, 0)
    }
    return {
        "flops": convention,
        "flops_tool": used.tool,
        "flops_unit": used.unit,
        "flops_per_mac": used.per_mac,
        "flops_not_counted": sorted(skipped),
    }


def _conventions(
    batch: int, dtype: str, optimizer: str, convention: str, rows: Sequence[Row]
) -> dict[str, Any]:
    return {
        **_whose_flops(convention, rows),
        "macs": "multiply-adds of one sample's forward pass",
        "elementwise_operations": "bias, activation, normalisation, pooling and merging, not part of FLOPs",
        "batch": batch,
        "dtype": dtype,
        "optimizer": optimizer,
        "activation_bytes": "one tensor for each layer call, whole batch",
        "peak_activation_bytes": "inference in Keras's order, a tensor kept until its last reader",
        "receptive_field": "of one place with all its channels, not clipped at borders (clipped_size is)",
        "effective_receptive_field_sigma": "linear layers with uniform kernels, whose gain is 1",
        "training_activation_bytes": "what the backward pass reads, each tensor once",
        "training_bytes": "weights, gradients, optimizer state and training activations",
    }


def _positive(value: Any, what: str) -> int:
    try:
        plain = arith.integer(value)
    except TypeError:
        raise ArchcalcError(f"{what}: expected a positive integer, got {value!r}") from None
    if plain < 1:
        raise ArchcalcError(f"{what}: expected a positive integer, got {plain}")
    return plain


def _choice(name: str, table: Mapping[str, Any], what: str) -> Any:
    if name in table:
        return table[name]
    raise ArchcalcError(f"{what}: expected one of {', '.join(table)}, got {name!r}")
