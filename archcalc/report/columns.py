"""The figures of one network, column by column; an analysis runs when one of its figures is first read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from archcalc import arith
from archcalc.analyses import parameters, shapes, work
from archcalc.analyses.copies import last_copies
from archcalc.analyses.fields import receptive_field
from archcalc.analyses.fields.effective_field import effective_fields
from archcalc.analyses.fields.windows import windows
from archcalc.analyses.memory import blocks, optimizers, peak, recompute, step_work, tensors
from archcalc.analyses.memory.calls import calls, held_by_node, without_gradient_at_first
from archcalc.analyses.memory.held import Call, Held
from archcalc.analyses.memory.inference import CHANGING, UNKNOWN, Inference, inference
from archcalc.analyses.memory.order import keras_order
from archcalc.analyses.memory.training import activations as held_in_training
from archcalc.arith import Shape, Size, total
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.graph.substitution import EACH, restate, with_first_copies
from archcalc.layers.base import Layer
from archcalc.layers.operations.base import Operation
from archcalc.report import row_data
from archcalc.report.elements import Elements, Memory, memory
from archcalc.report.options import OPTIMIZER, AnalysisOptions, GradientOptions
from archcalc.report.stated import completed

if TYPE_CHECKING:
    from archcalc.analyses.fields.effective_field import EffectiveField
    from archcalc.analyses.fields.receptive_field import Field
    from archcalc.analyses.gradient_bounds.gradients import Gradient
    from archcalc.analyses.mean_field.shared import Shared
    from archcalc.analyses.mean_field.verdicts import Verdict

_T = TypeVar("_T")

NOT_IN_LAST = Unknown(
    "it runs again in all copies of a repeated block inside one of --checkpoint but the last, in which "
    "nothing reads its output; give their number a value"
)


class once(cached_property[_T]):  # noqa: N801 - a decorator
    """A figure that is computed when it is first read, in the scope of its network's analysis."""

    @overload
    def __get__(self, of: None, owner: type[Any] | None = None) -> once[_T]: ...
    @overload
    def __get__(self, of: Any, owner: type[Any] | None = None) -> _T: ...
    def __get__(self, of: Any, owner: type[Any] | None = None) -> Any:
        if of is None:
            return self
        with arith.scope(of.scope):
            return super().__get__(of, owner)


class Figures:
    """Every column of a network's report, with one entry per node.

    Errors are found at once: that layers do not fit together, or share weights of different shapes;
    gradients, if requested. All other figures are computed when they are read, since a user who asks
    for parameters need not wait for fields. `has_symbols`: an analysis may use what an earlier one
    assumed about an open symbol, so their order matters, and `analyze` runs all of them. `elements`: the
    graph before its symbols got arrays, and these.

    Raises `NetworkError` with every independent fault, `ArchcalcError` where gradients cannot be
    computed as requested.
    """

    def __init__(
        self,
        graph: Graph,
        asked: AnalysisOptions,
        gradient_options: GradientOptions | None = None,
        valid: Any = True,
        elements: Elements | None = None,
    ) -> None:
        self.graph = graph
        self.asked = asked
        self.options = completed(asked, graph)
        self.gradient_options = gradient_options
        self.scope = arith.Scope(valid=valid)
        self.elements = elements
        with arith.scope(self.scope):
            self.has_symbols = restate(graph)
            self.output_shapes, weights = shapes.shapes_and_weights(graph)
            self.weights = parameters.owned(graph, weights)
            self.blocks = blocks.blocks(graph, self.options.checkpoint or ())
            self.gradient, self.loss, self._shared = self._gradients()

    # -- names and structure -------------------------------------------------------------
    @once
    def name(self) -> Sequence[str]:
        return [node.name for node in self.graph.nodes]

    @once
    def type(self) -> Sequence[str]:
        return list(self.graph.each_layer(type_name))

    @once
    def inputs(self) -> Sequence[tuple[str, ...]]:
        return [tuple(self.name[t.node] for t in node.inputs) for node in self.graph.nodes]

    @once
    def shared_with(self) -> Sequence[str | None]:
        owners = (node.shared_with for node in self.graph.nodes)
        return [None if i is None else self.name[i] for i in owners]

    @once
    def copies(self) -> Sequence[Size]:
        counts = self.graph.multiplicities()
        return [counts.get(i, 1) for i in range(len(self.graph.nodes))]

    @once
    def members(self) -> Sequence[int]:
        return [1] * len(self.graph.nodes)

    @once
    def leading(self) -> Set[int]:
        """The nodes that lead to an output."""
        return self.graph.leading_to_outputs()

    @once
    def final_shapes(self) -> Sequence[tuple[Shape, ...]]:
        """The output shapes, in blocks whose copies differ those of the last copy."""
        return last_copies(self.graph, self.output_shapes)

    # -- parameters and work -------------------------------------------------------------
    @once
    def _counts(self) -> Sequence[parameters.Count]:
        return parameters.counts(self.graph, self.weights)

    @once
    def parameters(self) -> Sequence[Size]:
        return [count.parameters for count in self._counts]

    @once
    def trainable_parameters(self) -> Sequence[Size]:
        return [count.trainable for count in self._counts]

    @once
    def macs(self) -> Sequence[Size]:
        return work.macs(self.graph, self.output_shapes)

    @once
    def flops(self) -> Sequence[Size]:
        """Each node's FLOPs in the convention; only other tools' conventions need their own rules."""
        if self.options.convention == "archcalc":
            return [work.FLOPS_PER_MAC * n for n in self.macs]
        from archcalc.conventions.counting import flops

        return [counted.flops for counted in flops(self.graph, self.output_shapes, self.options.convention)]

    @once
    def elementwise_operations(self) -> Sequence[Size]:
        return work.elementwise(self.graph, self.output_shapes)

    # -- first copies --------------------------------------------------------------------
    @once
    def _apart(self) -> tuple[Figures, Sequence[int]] | None:
        """Where the first copy of a repeated block trains otherwise: figures with it as nodes of its own.

        So it is where its input, unlike that of later copies, has no gradient: as the batch has none. With
        the figures, by node, the node of this graph.
        """
        figures: Figures = self
        origin: Sequence[int] = range(len(self.graph.nodes))
        names = self.asked.checkpoint and tuple(name.replace(EACH, "") for name in self.asked.checkpoint)
        asked = dataclasses.replace(self.asked, checkpoint=names)
        while differing := without_gradient_at_first(figures.graph, figures.training_calls):
            graph, copied = with_first_copies(figures.graph, differing)
            origin = [origin[i] for i in copied]
            figures = Figures(graph, asked, valid=self.scope.valid)
            figures.options = dataclasses.replace(self.options, checkpoint=names)  # not those of more layers
        return None if figures is self else (figures, origin)

    def _of_all_nodes(self, apart: tuple[Figures, Sequence[int]], figure: str) -> Sequence[Size]:
        """A column of `_apart`, added up by this graph's nodes."""
        figures, origin = apart
        of_node: list[list[Size]] = [[] for _ in self.graph.nodes]
        for i, size in zip(origin, getattr(figures, figure), strict=True):
            of_node[i].append(size)
        return [*map(total, of_node)]

    # -- memory --------------------------------------------------------------------------
    @once
    def _tensors(self) -> Sequence[Sequence[Size]]:
        """The bytes of one sample's tensors, by node and output."""
        declared, precision = self.asked.dtype is None, self.options.precision
        return tensors.tensors(self.graph, self.output_shapes, precision, 1, declared=declared)

    @once
    def activation_bytes(self) -> Sequence[Size]:
        return self._batched(tensors.activations(self.graph, self._tensors))

    def _batched(self, of_one_sample: Sequence[Size]) -> list[Size]:
        return [self.options.batch * size for size in of_one_sample]

    @once
    def _held(self) -> Sequence[Held | None]:
        return held_by_node(self.graph, self.output_shapes, self.weights)

    def _calls(self, tensor_bytes: Sequence[Sequence[Size]]) -> list[Call]:
        precision = self.options.precision
        return calls(self.graph, self.output_shapes, self._held, tensor_bytes, self.weights, precision)

    @once
    def inference_calls(self) -> Sequence[Call]:
        return self._calls(self._tensors)

    @once
    def _memory(self) -> Memory | None:
        """That of each configuration, where symbols have arrays of values."""
        if self.elements is None:
            return None
        return memory(self.elements, lambda graph: Figures(graph, self.asked))

    @once
    def _order(self) -> Sequence[int]:
        return keras_order(self.graph)

    @once
    def peaks(self) -> Inference:
        if self._memory is not None:
            usual = peak.Peak(self._memory.usual, None)
            return Inference(peak.fixed(usual.bytes), usual, peak.Peak(self._memory.best, None))
        if self.output_shapes.indices:
            return UNKNOWN
        return inference(self.graph, self.inference_calls, self._order, self.options.batch)

    @once
    def training_calls(self) -> Sequence[Call]:
        # layers in half precision keep a copy of a float32 input in their own type
        graph, shapes, precision = self.graph, self.output_shapes, self.options.precision
        cast = {i: tensors.of_input(graph, shapes, i, precision) for i in graph.inputs}
        if all(arith.certainly(arith.equal(cast[i][0], self._tensors[i][0])) for i in cast):
            return self.inference_calls
        return self._calls([cast.get(i, own) for i, own in enumerate(self._tensors)])

    @once
    def training_activation_bytes(self) -> Sequence[Size]:
        if self._memory is not None:
            return self._memory.held
        if self._apart is not None:
            return self._of_all_nodes(self._apart, "training_activation_bytes")
        return self._batched(held_in_training(self.graph, self.training_calls, self._held, self.recomputed))

    @once
    def recomputed(self) -> recompute.Plan:
        """Which layers of the blocks in `checkpoint` run again, where no first copy is set apart."""
        return recompute.plan(self.graph, self.training_calls, self.blocks)

    @once
    def runs_again(self) -> Set[int]:
        """The nodes that run again, in all copies or in some."""
        if self._apart is None:
            return self.recomputed.again
        figures, origin = self._apart
        return frozenset(origin[i] for i in figures.recomputed.again)

    @once
    def recomputed_macs(self) -> Size:
        if self._apart is not None:
            return self._apart[0].recomputed_macs
        return total(self._macs_again[i] for i in sorted(self.recomputed.again))

    @once
    def _macs_again(self) -> Sequence[Size]:
        """The multiply-adds of each node that runs again, where it does."""
        uneven = self.recomputed.not_in_last
        return [NOT_IN_LAST if i in uneven else n for i, n in enumerate(self.macs)] if uneven else self.macs

    @once
    def training_macs(self) -> Sequence[Size]:
        if self._apart is not None:
            return self._of_all_nodes(self._apart, "training_macs")
        step = step_work.macs(self.graph, self.output_shapes, self.training_calls, self.macs)
        again = self.recomputed.again
        return [n + self._macs_again[i] if i in again else n for i, n in enumerate(step)]

    def _training(self, recomputed: bool) -> peak.Course:
        if self.output_shapes.indices:
            return peak.Course((), reason=CHANGING)
        if self._apart is not None:
            figures, origin = self._apart
            return figures._training(recomputed).renumbered(origin)
        fixed = self.options.precision.weight * total(self.parameters) + self.optimizer_bytes
        forward = self.peaks.course.run
        again = self.blocks if recomputed else ()
        return peak.training(self.graph, self.training_calls, self._order, fixed, again, forward)

    @once
    def training(self) -> peak.Course:
        """A training step, in Keras's order."""
        if self._memory is not None:
            return peak.fixed(self._memory.training)
        return self._training(recomputed=True)

    @once
    def training_without_recomputation(self) -> peak.Course:
        """The same, without `checkpoint`."""
        return self._training(recomputed=False)

    @once
    def optimizer_bytes(self) -> Size:
        owned = zip(self.name, self.weights, strict=True)
        options = self.options
        further = int(options.ema) + int(options.accumulation)
        state = optimizers.state(options.optimizer or OPTIMIZER, owned, further)
        return options.precision.weight * total(self.graph.of_all_copies(state))

    # -- fields --------------------------------------------------------------------------
    @once
    def _windows(self) -> Any:
        return windows(self.graph, self.output_shapes)

    @once
    def receptive_fields(self) -> Sequence[Mapping[str, Field | None]]:
        clipped = "all" if self.options.clipped else "outputs"
        return receptive_field.fields(self.graph, self.output_shapes, clipped, self._windows)

    @once
    def effective_fields(self) -> Sequence[Mapping[str, EffectiveField | None]]:
        return effective_fields(self.graph, self.output_shapes, self._windows)

    @once
    def kinds(self) -> Set[Any]:
        return row_data.kinds(self)

    @once
    def all_known(self) -> bool:
        return row_data.all_known(self)

    @once
    def all_plain(self) -> bool:
        return row_data.all_plain(self)

    # -- gradients, if requested -----------------------------------------------------------
    def _gradients(self) -> tuple[Sequence[Gradient | None], str, Shared | None]:
        """Every row's gradient, the loss whose gradient is bounded, and what the verdicts need again."""
        if self.gradient_options is None:
            return [None] * len(self.graph.nodes), "", None
        from archcalc.report.gradients import gradients

        return gradients(self.graph, self.output_shapes, self.gradient_options)

    @once
    def gradient_conventions(self) -> Mapping[str, str]:
        if self.gradient_options is None:
            return {}
        from archcalc.report.gradients import conventions

        return conventions(self.gradient_options, self.loss)

    @once
    def verdicts(self) -> tuple[Verdict, ...]:
        if self.gradient_options is None:
            return ()
        from archcalc.report.gradients import verdicts

        shared, self._shared = self._shared, None  # megabytes, which nothing else reads
        rows = [row for row in self.gradient if row is not None]
        return verdicts(self.graph, self.output_shapes, rows, shared)


def type_name(layer: Layer) -> str:
    """The type as users write it: a class of Keras, `ops.add`, the name of an unknown class.

    "(measured)" marks a class whose window no rule states.
    """
    if isinstance(layer, Operation):
        return f"ops.{layer.function}"
    name = str(getattr(layer, "class_name", None) or type(layer).__name__)
    return f"{name} (measured)" if getattr(layer, "measured", False) else name
