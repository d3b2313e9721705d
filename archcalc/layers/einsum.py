"""EinsumDense: a dense layer whose product is an einsum equation."""

from __future__ import annotations

import re
import string
from typing import Annotated, Any, NamedTuple

from archcalc.arith import Shape, Size, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers.activations import activated, activation_ops, coupled
from archcalc.layers.base import Weight, Window, layer, one_input, show
from archcalc.layers.fields import (
    SIZE_SCHEMA,
    ActivationName,
    FieldError,
    Kind,
    OptionalCount,
    Untracked,
    size,
)
from archcalc.layers.low_rank import adapted, adapter, refuse_quantized
from archcalc.layers.primitives import Matrix, Primitives, Reduce
from archcalc.layers.spatial import KernelAndBias
from archcalc.layers.window import Read, Whole, identity_read

# the forms of equations that Keras accepts; `...` are unnamed axes
_FORMS = (
    re.compile(r"(?P<x>[a-zA-Z]+),(?P<kernel>[a-zA-Z]+)->(?P<y>[a-zA-Z]+)"),
    re.compile(r"(?P<left>\.\.\.)(?P<x>[a-zA-Z]+),(?P<kernel>[a-zA-Z]+)->\.\.\.(?P<y>[a-zA-Z]+)"),
    re.compile(r"(?P<x>[a-zA-Z]{2,})(?P<right>\.\.\.),(?P<kernel>[a-zA-Z]+)->(?P<y>[a-zA-Z]+)\.\.\."),
)
# labels for unnamed axes, the batch included
_UNNAMED = "".join(map(chr, range(0x3B1, 0x3B1 + 24)))


class EquationKind(Kind):
    """`[X],[Y]->[Z]`, `...[X],[Y]->...[Z]` or `[X]...,[Y]->[Z]...` in letters; Y is the kernel."""

    example = "...x,xy->...y"

    def normalise(self, value: Any, rank: int) -> Any:
        if isinstance(value, str) and _matched(value) is not None:
            return value
        raise FieldError(f"expected an equation such as {self.example!r}, got {value!r:.60}")

    def schema(self, rank: int) -> dict[str, Any]:
        return {"type": "string", "pattern": "->"}


class LettersKind(Kind):
    """Letters of the equation, or None."""

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None or (isinstance(value, str) and value and set(value) <= set(string.ascii_letters)):
            return value
        raise FieldError(f"expected letters of the equation, got {value!r:.60}")

    def schema(self, rank: int) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "pattern": "^[a-zA-Z]+$"}, {"type": "null"}]}


class PartialShapeKind(Kind):
    """A list of sizes, or one size; None is the size of the input."""

    holds_sizes = True

    def normalise(self, value: Any, rank: int) -> Any:
        sizes = value if isinstance(value, list | tuple) else (value,)
        return tuple(None if v is None else size(v, 1, "a positive integer or none") for v in sizes)

    def schema(self, rank: int) -> dict[str, Any]:
        item = {"anyOf": [*SIZE_SCHEMA["anyOf"], {"type": "null"}]}
        return {"anyOf": [*item["anyOf"], {"type": "array", "items": item}]}


def _matched(equation: str) -> re.Match[str] | None:
    return next((m for form in _FORMS if (m := form.fullmatch(equation))), None)


class Labels(NamedTuple):
    """A letter for each axis (the batch included) of input, kernel and output."""

    x: str
    kernel: str
    y: str
    named: str  # the letters of the output in the equation
    inferred: str  # of the output as Keras infers its shape, which reverses leading unnamed axes
    trailing: int  # unnamed axes of the output after the named ones


@layer
class EinsumDense(KernelAndBias):
    """An einsum of input and kernel (`equation`); axes that are not in the output are summed over."""

    spec_names = {"output_shape": "partial_shape"}

    equation: Annotated[str, EquationKind()]
    partial_shape: Annotated[Any, PartialShapeKind()]
    activation: ActivationName = None
    bias_axes: Annotated[str | None, LettersKind()] = None
    lora_rank: OptionalCount = None
    lora_alpha: Untracked = None
    gptq_unpacked_column_size: Untracked = None
    quantization_config: Untracked = None

    def check(self) -> None:
        refuse_quantized(self.dtype)
        parts = self._parts()
        for word in ("x", "kernel", "y"):
            if len(set(parts[word])) < len(parts[word]):
                raise LayerError(f"equation={self.equation!r} names an axis of one tensor twice")
        for label in parts["y"]:
            if label not in parts["x"] + parts["kernel"]:
                raise LayerError(f"equation={self.equation!r}: {label!r} of the output appears nowhere else")
        for label in parts["kernel"]:
            if label not in parts["x"] + parts["y"]:
                raise LayerError(f"equation={self.equation!r}: {label!r} of the kernel appears nowhere else")
        for label in self.bias_axes or "":
            if label not in parts["y"]:
                raise LayerError(
                    f"bias_axes={self.bias_axes!r}: {label!r} is no axis of the output of {self.equation!r}"
                )

    def _parts(self) -> dict[str, str]:
        match = _matched(self.equation)
        assert match is not None
        return {k: v or "" for k, v in match.groupdict(default="").items()}

    def labels(self, x: Shape) -> Labels:
        """The letters of all axes; raises `LayerError` if the rank of the input does not fit."""
        parts = self._parts()
        unnamed = 1 + len(x) - len(parts["x"])
        anything = "left" in parts or "right" in parts
        if unnamed < 0 or (unnamed > 0 and not anything) or unnamed > len(_UNNAMED):
            raise LayerError(f"equation={self.equation!r} does not fit an input of shape {show(x)}")
        more = _UNNAMED[:unnamed]
        leading, trailing = (more, "") if "left" in parts else ("", more)
        labels = Labels(
            leading + parts["x"] + trailing,
            parts["kernel"],
            leading + parts["y"] + trailing,
            parts["y"],
            leading[:1] + leading[:0:-1] + parts["y"] + trailing,
            len(trailing),
        )
        batch = labels.x[0]
        if labels.y[0] != batch or batch in labels.kernel:
            raise LayerError(
                f"equation={self.equation!r}: the batch must stay the first axis, out of the kernel"
            )
        return labels

    def sizes(self, inputs: tuple[Shape, ...]) -> tuple[Labels, dict[str, Size]]:
        """The letters of all axes, and the size of each letter."""
        (x,) = one_input(self, inputs)
        labels = self.labels(x)
        sizes: dict[str, Size] = dict(zip(labels.x[1:], x, strict=True))
        stated = [label for label in labels.y[1:] if label in labels.named]
        if len(stated) != len(self.partial_shape):
            raise LayerError(
                f"output_shape={show(self.partial_shape)} for the {len(stated)} axes {''.join(stated)} "
                f"of equation={self.equation!r}"
            )
        for i, label in enumerate(stated):
            n = self.partial_shape[i]
            if n is None and label in labels.kernel + (self.bias_axes or ""):
                raise LayerError(
                    f"output_shape={show(self.partial_shape)}: axis {label!r} has weights and needs a size"
                )
            if n is not None:
                m = sizes.get(label, n)
                words = f"equation={self.equation!r}: the input has {m} where output_shape says {n} ({label})"
                sizes[label] = require_equal(m, n, words)
        return labels, sizes

    def output_shape(self, *inputs: Shape) -> Shape:
        labels, sizes = self.sizes(inputs)
        return tuple(sizes[label] for label in labels.inferred[1:])

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        labels, sizes = self.sizes(inputs)
        kernel = tuple(sizes[label] for label in labels.kernel)
        weights = [Weight("kernel", kernel, initializer=self.kernel_initializer)]
        if self.bias_axes:
            shape = self._bias_shape(labels, sizes, self.bias_axes)
            weights.append(Weight("bias", shape, initializer=self.bias_initializer))
        return adapted(self.lora_rank, *weights)

    def _bias_shape(self, labels: Labels, sizes: dict[str, Size], bias_axes: str) -> Shape:
        """The shape of the bias: from the first axis of `bias_axes` on, 1 for axes without a bias."""
        first = next(i for i, label in enumerate(labels.named) if label in bias_axes)
        from_first = labels.named[first:]
        if labels.x[0] in bias_axes:
            raise LayerError(f"bias_axes={self.bias_axes!r}: the batch has no bias")
        return (*(sizes[label] if label in bias_axes else 1 for label in from_first), *(1,) * labels.trailing)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        labels = self.labels(x)

        def read(label: str) -> Read:
            return identity_read(labels.y.index(label) - 1) if label in labels.y else Whole()

        window = tuple(map(read, labels.x[1:]))
        return (coupled(window, self.activation, len(labels.y) - 1),)

    def macs(self, *inputs: Shape) -> Size:
        _, sizes = self.sizes(inputs)
        return prod(sizes.values())

    def elementwise_ops(self, *inputs: Shape) -> Size:
        out = self.output_shape(*inputs)
        return prod(out) * int(self.bias_axes is not None) + activation_ops(self.activation, out)

    def primitives(self, *inputs: Shape) -> Primitives:
        (x,) = inputs
        labels, _ = self.sizes(inputs)
        # axes of the input alone are summed before the product
        summed_axes = tuple(
            a for a, label in enumerate(labels.x[1:]) if label not in labels.kernel + labels.y
        )
        remaining = "".join(label for a, label in enumerate(labels.x[1:]) if a not in summed_axes)
        positions = range(len(labels.kernel))
        matrix = Matrix(
            "kernel",
            "bias" if self.bias_axes else None,
            tuple(a for a in positions if labels.kernel[a] not in labels.y),
            tuple(a for a in positions if labels.kernel[a] not in labels.x),
            tuple(a for a in positions if labels.kernel[a] in labels.x and labels.kernel[a] in labels.y),
            _in_letters(f"{remaining},{labels.kernel}->{labels.y[1:]}"),
            adapter(self.lora_rank, self.lora_alpha),
        )
        summed = (Reduce("sum", summed_axes, prod(x[a] for a in summed_axes)),) if summed_axes else ()
        return (*summed, matrix, *activated(self.activation, self.output_shape(*inputs)))


def _in_letters(equation: str) -> str:
    """The equation with letters for unnamed axes, as einsum needs them."""
    free = iter(letter for letter in string.ascii_letters if letter not in equation)
    for label in dict.fromkeys(equation):
        if label in _UNNAMED:
            equation = equation.replace(label, next(free))
    return equation
