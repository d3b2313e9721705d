"""The figures of one network, column by column; an analysis runs when one of its figures is first read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from archcalc import arith
from archcalc.analyses import parameters, shapes, work
from archcalc.analyses.fields import receptive_field
from archcalc.analyses.fields.effective_field import effective_fields
from archcalc.analyses.fields.windows import windows
from archcalc.analyses.memory import optimizers, tensors
from archcalc.analyses.memory.inference import Inference, inference
from archcalc.analyses.memory.training import activations as held_in_training
from archcalc.arith import Size
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.graph.substitution import restate
from archcalc.layers.base import Layer
from archcalc.layers.operations.base import Operation
from archcalc.report.options import OPTIMIZER, AnalysisOptions, GradientOptions
from archcalc.report.stated import completed

if TYPE_CHECKING:
    from archcalc.analyses.fields.effective_field import EffectiveField
    from archcalc.analyses.fields.receptive_field import Field
    from archcalc.analyses.gradient_bounds.gradients import Gradient
    from archcalc.analyses.mean_field.verdicts import Verdict

_T = TypeVar("_T")


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
    assumed about an open symbol, so their order matters, and `analyze` runs all of them.

    Raises `NetworkError` with every independent fault, `ArchcalcError` where gradients cannot be
    computed as requested.
    """

    def __init__(
        self, graph: Graph, asked: AnalysisOptions, gradient_options: GradientOptions | None = None
    ) -> None:
        self.graph = graph
        self.asked = asked
        self.options = completed(asked, graph)
        self.gradient_options = gradient_options
        self.scope = arith.Scope()
        with arith.scope(self.scope):
            self.has_symbols = restate(graph)
            self.output_shapes, weights = shapes.shapes_and_weights(graph)
            self.weights = parameters.owned(graph, weights)
            self.gradient, self.loss = self._gradients()

    # -- names and structure -------------------------------------------------------------
    @once
    def name(self) -> Sequence[str]:
        return [node.name for node in self.graph.nodes]

    @once
    def type(self) -> Sequence[str]:
        return [type_name(node.layer) for node in self.graph.nodes]

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

    # -- memory --------------------------------------------------------------------------
    def _tensor_bytes(self, *, declared: bool) -> list[list[Size]]:
        precision, batch = self.options.precision, self.options.batch
        return tensors.tensors(self.graph, self.output_shapes, precision, batch, declared=declared)

    @once
    def _tensors(self) -> Sequence[Sequence[Size]]:
        return self._tensor_bytes(declared=self.asked.dtype is None)

    @once
    def activation_bytes(self) -> Sequence[Size]:
        return tensors.activations(self.graph, self._tensors)

    @once
    def peaks(self) -> Inference:
        return inference(self.graph, self._tensors)

    @once
    def training_activation_bytes(self) -> Sequence[Size]:
        owners = [i if n.shared_with is None else n.shared_with for i, n in enumerate(self.graph.nodes)]
        trained = [_is_trained(self._counts[owner]) for owner in owners]
        # layers in half precision keep a copy of a float32 input in their own type
        cast = self._tensor_bytes(declared=False)
        kept = [cast[i] if i in self.graph.inputs else own for i, own in enumerate(self._tensors)]
        options = self.options
        return held_in_training(
            self.graph, self.output_shapes, kept, trained, options.precision, options.batch
        )

    @once
    def optimizer_bytes(self) -> Size:
        owned = zip(self.name, self.copies, self.weights, strict=True)
        return self.options.precision.weight * optimizers.state(self.options.optimizer or OPTIMIZER, owned)

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

    # -- gradients, if requested -----------------------------------------------------------
    def _gradients(self) -> tuple[Sequence[Gradient | None], str]:
        """Every row's gradient, and the loss whose gradient with respect to kernels is bounded."""
        if self.gradient_options is None:
            return [None] * len(self.graph.nodes), ""
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

        return verdicts(self.graph, self.output_shapes, [row for row in self.gradient if row is not None])


def type_name(layer: Layer) -> str:
    """The type as users write it: a class of Keras, `ops.add`, the name of an unknown class."""
    if isinstance(layer, Operation):
        return f"ops.{layer.function}"
    return str(getattr(layer, "class_name", None) or type(layer).__name__)


def _is_trained(count: parameters.Count) -> bool:
    """Whether weights are trained; unknown weights may be."""
    return isinstance(count.trainable, Unknown) or count.trainable != 0
