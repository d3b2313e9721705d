"""Keras's named activation functions: one row each, from which every analysis takes what it needs.

Formulas use the functions of `archcalc.arith.functions`, which they get as `m`. If the supremum of a slope
is attained at a finite input (gelu at sqrt(2), silu, mish), it was computed at a root of the second
derivative, to 30 digits. Tests compare every entry with Keras's function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from archcalc.arith import Shape, Size, prod
from archcalc.layers.primitives import Pointwise, Primitive, Primitives, Softmax, Sparsemax, Unbounded
from archcalc.layers.window import Window, whole_along

INFINITY = float("inf")
Range = tuple[float, float]
Formula: TypeAlias = "Callable[[Any, Any], Any]"  # of the functions `m` and an array


class SavedByActivation(NamedTuple):
    """What the backward pass reads: input, output, and per unit `hidden` values and bytes of masks."""

    input: bool = False
    output: bool = False
    hidden: int = 0
    masks: int = 0


_NOTHING, _INPUT, _OUTPUT = SavedByActivation(), SavedByActivation(input=True), SavedByActivation(output=True)

_UNIT = (0.0, 1.0)
_EITHER = (-1.0, 1.0)
_ANY = (-INFINITY, INFINITY)
_POSITIVE = (0.0, INFINITY)


class Activation(NamedTuple):
    """One function, with its default arguments.

    `slopes`: [inf phi', sup phi'] over all inputs at which the derivative exists, rounded outward; `value`
    and `slope`: the function and its derivative (without them the mean field has no rule); `image`: all its
    values, rounded outward; `at_zero`: phi(0), None if |phi(x) - phi(0)| may exceed max|phi'| |x| (a jump);
    `rising`: whether it is nondecreasing; `kinks`: where it or its slope is not smooth; `pieces`: the slopes
    left and right of 0 of a function that is linear on either side; `saved`: what the backward pass reads
    (None: no rule); `given`: the row for other arguments; `along`: the primitive of a function that couples
    the units of its last axis, by the number of that axis and its size.

    `aliases`: other names in Keras; `operation`: whether `keras.ops` has a function of this name, and
    `arguments` its further arguments with their defaults; `layer`: the layer type, and its arguments, that
    computes the same; `keeps_integers`: whether integers stay integers.
    """

    slopes: Range = _ANY
    value: Formula | None = None
    slope: Formula | None = None
    image: Range = _ANY
    at_zero: float | None = 0.0
    rising: bool = False
    kinks: tuple[float, ...] = ()
    pieces: Range | None = None
    saved: SavedByActivation | None = None
    given: Callable[..., Activation] | None = None
    along: Callable[[int, Size], Primitive] | None = None
    aliases: tuple[str, ...] = ()
    operation: bool = True
    arguments: Mapping[str, Any] = {}
    layer: tuple[str, Mapping[str, Any]] | None = None
    keeps_integers: bool = False

    @property
    def couples_channels(self) -> bool:
        """Whether each output depends on the whole last axis (softmax)."""
        return self.along is not None


def row(make: Callable[..., Activation], **facts: Any) -> Activation:
    """The row of a function with arguments, from one that makes the row for given arguments."""
    return make()._replace(given=make, **facts)


# -- functions with arguments --------------------------------------------------------------------
def hull(*values: float) -> Range:
    low, *_, high = sorted(map(float, values))
    return low, high


def broken(left: float, right: float) -> Activation:
    """A line on either side of 0."""
    low, high = left > 0 or right < 0, left < 0 or right > 0
    return Activation(
        hull(left, right),
        lambda m, x: m.where(x > 0, right * x, left * x),
        lambda m, x: m.where(x > 0, right, left) * 1.0,
        image=(-INFINITY if low else 0.0, INFINITY if high else 0.0),
        rising=left >= 0 and right >= 0,
        kinks=(0.0,),
        pieces=(left, right),
    )


def line(slope: float) -> Activation:
    return broken(slope, slope)._replace(
        value=lambda _, x: slope * x, slope=lambda m, x: m.full_like(x, slope), kinks=()
    )


def clipped(low: float, high: float, gain: float = 1.0, shift: float = 0.0, **facts: Any) -> Activation:
    """`gain * x + shift`, constant outside of [low, high]."""
    return Activation(
        (0.0, gain),
        lambda m, x: gain * m.clip(x, low, high) + shift,
        lambda m, x: m.where((x > low) & (x < high), gain, 0.0),
        image=(gain * low + shift, gain * high + shift),
        at_zero=shift,
        rising=True,
        kinks=(low, high),
        **facts,
    )


def _relu(
    negative_slope: float | None = 0.0,
    max_value: float | None = None,
    threshold: float | None = 0.0,
    **_: Any,  # those that every layer has, in a configuration
) -> Activation:
    below, start = negative_slope or 0.0, threshold or 0.0
    saved: SavedByActivation | None = None
    match (max_value, below, start):
        case (None | 6, 0, 0):
            saved = _OUTPUT
        case (None, _, 0):
            saved = _INPUT
        case (_, 0, 0):
            saved = SavedByActivation(hidden=2)
    if start == 0 and max_value is None:
        return broken(below, 1.0)._replace(saved=saved)
    top = INFINITY if max_value is None else float(max_value)
    flat = () if max_value is None else (0.0,)
    return Activation(
        hull(below, 1.0, *flat),
        lambda m, x: m.where(x >= start, m.minimum(x, top), below * (x - start)),
        # as TensorFlow's at the kink, where units that ReLU made zero are
        lambda m, x: m.where(x > start, m.where(x < top, 1.0, 0.0), below),
        image=(-INFINITY if below > 0 else 0.0, INFINITY if below < 0 else top),
        at_zero=None if start else 0.0,
        rising=below >= 0 and start >= 0,
        kinks=(start,) if max_value is None else (start, top),
        saved=saved,
    )


def _elu(alpha: float = 1.0) -> Activation:
    return Activation(
        hull(0.0, 1.0, alpha),
        lambda m, x: m.where(x > 0, x, alpha * m.expm1(m.minimum(x, 0))),
        lambda m, x: m.where(x > 0, 1.0, alpha * m.exp(m.minimum(x, 0))),
        image=(-float(alpha) if alpha > 0 else 0.0, INFINITY),
        rising=alpha >= 0,
        kinks=(0.0,),
        saved=_OUTPUT if alpha == 1 else SavedByActivation(hidden=1, masks=1),
    )


def _celu(alpha: float = 1.0) -> Activation:
    return Activation(
        (0.0, 2.0),  # Keras adds a maximum and a minimum; at 0, as after a ReLU, both pass the gradient
        lambda m, x: m.maximum(x, 0) + alpha * m.expm1(m.divide(m.minimum(x, 0), alpha)),
        lambda m, x: m.where(x > 0, 1.0, m.exp(m.divide(m.minimum(x, 0), alpha))),
        image=(-float(alpha), INFINITY),
        rising=True,
        kinks=(0.0,),
        saved=SavedByActivation(input=True, hidden=2),
    )


def _selu() -> Activation:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    inner = _elu(alpha)
    value, slope = inner.value, inner.slope
    assert value is not None
    assert slope is not None
    return Activation(
        (0.0, 1.7580993409),
        lambda m, x: scale * value(m, x),
        lambda m, x: scale * slope(m, x),
        image=(-1.7580994, INFINITY),
        rising=True,
        kinks=(0.0,),
        saved=_OUTPUT,
    )


def _silu_slope(m: Any, x: Any) -> Any:
    share = m.sigmoid(x)  # once: it is most of the cost
    return share * (1 + x * (1 - share))


def _gelu(approximate: bool = False) -> Activation:
    if not approximate:
        return Activation(
            (-0.1289041452, 1.1289041452),
            lambda m, x: x * m.cumulative(x),
            lambda m, x: m.cumulative(x) + x * m.density(x),
            image=(-0.1699713, INFINITY),
            saved=SavedByActivation(hidden=3),
        )
    root, cubic = 0.7978845608028654, 0.044715  # sqrt(2 / pi)

    def inner(x: Any) -> Any:
        return root * (x + cubic * x**3)

    def slope(m: Any, x: Any) -> Any:
        inner_slope = root * (1 + 3 * cubic * x * x)
        return 0.5 * (1 + m.tanh(inner(x))) + 0.5 * x * m.tanh_slope(inner(x)) * inner_slope

    return Activation(
        (-0.1289930687, 1.1289930687),
        lambda m, x: 0.5 * x * (1 + m.tanh(inner(x))),
        slope,
        image=(-0.1700408, INFINITY),
    )


def _squareplus(b: float = 4) -> Activation:
    return Activation(
        _UNIT,
        lambda m, x: 0.5 * (x + m.sqrt(x * x + b)),
        lambda m, x: 0.5 * (1 + m.divide(x, m.sqrt(x * x + b))),
        image=_POSITIVE,
        at_zero=0.5 * float(b) ** 0.5,
        rising=True,
        saved=SavedByActivation(input=True, hidden=2),
    )


# hard_shrink and threshold are discontinuous, with no derivative at the jumps
def _hard_shrink(threshold: float = 0.5) -> Activation:
    return Activation(
        _UNIT,
        lambda m, x: m.where(m.absolute(x) > threshold, x, 0.0),
        lambda m, x: m.where(m.absolute(x) > threshold, 1.0, 0.0),
        rising=True,
        kinks=(-threshold, threshold),
        saved=SavedByActivation(masks=1),
    )


def _soft_shrink(threshold: float = 0.5) -> Activation:
    return Activation(
        _UNIT,
        lambda m, x: m.sign(x) * m.maximum(m.absolute(x) - threshold, 0.0),
        lambda m, x: m.where(m.absolute(x) > threshold, 1.0, 0.0),
        rising=True,
        kinks=(-threshold, threshold),
        saved=SavedByActivation(masks=2),
    )


def _threshold(threshold: float = 0.0, default_value: float = 0.0) -> Activation:
    return Activation(
        _UNIT,
        lambda m, x: m.where(x > threshold, x, default_value),
        lambda m, x: m.where(x > threshold, 1.0, 0.0),
        image=(hull(threshold, default_value)[0], INFINITY),
        at_zero=None,
        rising=default_value <= threshold,
        kinks=(threshold,),
    )


# -- the table -----------------------------------------------------------------------------------
ROWS: dict[str, Activation] = {
    "linear": line(1.0)._replace(saved=_NOTHING, operation=False, keeps_integers=True),
    "relu": row(
        _relu,
        layer=("ReLU", {"max_value": None, "negative_slope": 0, "threshold": 0}),
        keeps_integers=True,
    ),
    "relu6": _relu(max_value=6.0)._replace(
        layer=("ReLU", {"max_value": 6, "negative_slope": 0, "threshold": 0}), keeps_integers=True
    ),
    "leaky_relu": row(
        lambda negative_slope=0.2: broken(negative_slope, 1.0)._replace(saved=_INPUT),
        arguments={"negative_slope": 0.2},
        layer=("LeakyReLU", {"negative_slope": 0.2}),
    ),
    "elu": row(_elu, arguments={"alpha": 1.0}, layer=("ELU", {"alpha": 1})),
    "celu": row(_celu, arguments={"alpha": 1.0}),
    "selu": _selu(),
    # exact by name, the tanh form by default in keras.ops
    "gelu": row(_gelu, arguments={"approximate": True}),
    "silu": Activation(
        (-0.0998393202, 1.0998393202),
        lambda m, x: x * m.sigmoid(x),
        _silu_slope,
        image=(-0.2784646, INFINITY),
        saved=_INPUT,
        aliases=("swish",),
    ),
    "mish": Activation(
        (-0.1125261224, 1.0884981613),
        lambda m, x: x * m.tanh(m.softplus(x)),
        lambda m, x: m.tanh(m.softplus(x)) + x * m.tanh_slope(m.softplus(x)) * m.sigmoid(x),
        image=(-0.3088435, INFINITY),
        saved=SavedByActivation(input=True, hidden=1),
        operation=False,
    ),
    "softplus": Activation(
        _UNIT,
        lambda m, x: m.softplus(x),
        lambda m, x: m.sigmoid(x),
        image=_POSITIVE,
        at_zero=0.6931472,
        rising=True,
        saved=_INPUT,
    ),
    "softsign": Activation(
        _UNIT,
        lambda m, x: m.divide(x, 1 + m.absolute(x)),
        lambda m, x: m.divide(1, (1 + m.absolute(x)) ** 2),
        image=_EITHER,
        rising=True,
        kinks=(0.0,),
        saved=_INPUT,
    ),
    "squareplus": row(_squareplus, arguments={"b": 4}),
    "sigmoid": Activation(
        (0.0, 0.25),
        lambda m, x: m.sigmoid(x),
        lambda m, x: m.sigmoid_slope(x),
        image=_UNIT,
        at_zero=0.5,
        rising=True,
        saved=_OUTPUT,
    ),
    "log_sigmoid": Activation(
        _UNIT,
        lambda m, x: -m.softplus(-x),
        lambda m, x: m.sigmoid(-x),
        image=(-INFINITY, 0.0),
        at_zero=-0.6931472,
        rising=True,
        saved=SavedByActivation(hidden=1),
    ),
    "tanh": Activation(
        _UNIT,
        lambda m, x: m.tanh(x),
        lambda m, x: m.tanh_slope(x),
        image=_EITHER,
        rising=True,
        saved=_OUTPUT,
    ),
    "tanh_shrink": Activation(
        _UNIT,
        lambda m, x: x - m.tanh(x),
        lambda m, x: m.tanh(x) ** 2,
        rising=True,
        saved=SavedByActivation(hidden=1),
    ),
    "hard_sigmoid": clipped(-3.0, 3.0, 1 / 6, 0.5, saved=SavedByActivation(hidden=1))._replace(
        slopes=(0.0, 1 / 6 + 1e-12)
    ),
    "hard_silu": Activation(
        (-0.5, 1.5),
        lambda m, x: x * (1 / 6 * m.clip(x, -3.0, 3.0) + 0.5),
        lambda m, x: 1 / 6 * m.clip(x, -3.0, 3.0) + 0.5 + x * m.where((x > -3.0) & (x < 3.0), 1 / 6, 0.0),
        image=(-0.375, INFINITY),
        kinks=(-3.0, 3.0),
        saved=SavedByActivation(input=True, hidden=2),
        aliases=("hard_swish",),
    ),
    "hard_tanh": clipped(-1.0, 1.0, saved=SavedByActivation(input=True, hidden=1)),
    "hard_shrink": row(_hard_shrink, arguments={"threshold": 0.5}),
    "threshold": row(_threshold, arguments={"threshold": None, "default_value": None}),
    "soft_shrink": row(_soft_shrink, arguments={"threshold": 0.5}),
    "sparse_plus": Activation(
        _UNIT,
        lambda m, x: m.where(x <= -1, 0.0, m.where(x < 1, 0.25 * (m.clip(x, -1, 1) + 1) ** 2, x)),
        lambda m, x: m.where(x <= -1, 0.0, m.where(x < 1, 0.5 * (x + 1), 1.0)),
        image=_POSITIVE,
        at_zero=0.25,
        rising=True,
        kinks=(-1.0, 1.0),
        saved=SavedByActivation(hidden=1, masks=2),
    ),
    "sparse_sigmoid": clipped(-1.0, 1.0, 0.5, 0.5, saved=SavedByActivation(masks=2)),
    "exponential": Activation(
        _POSITIVE,
        lambda m, x: m.exp(x),
        lambda m, x: m.exp(x),
        image=_POSITIVE,
        at_zero=1.0,
        rising=True,
        saved=_OUTPUT,
        operation=False,
    ),
    "softmax": Activation(
        along=lambda axis, n: Softmax((axis,), n), saved=_OUTPUT, layer=("Softmax", {"axis": -1})
    ),
    "log_softmax": Activation(along=lambda axis, n: Softmax((axis,), n, log=True), saved=_OUTPUT),
    "sparsemax": Activation(along=lambda axis, n: Sparsemax((axis,), n)),
    "glu": Activation(along=lambda *_: Unbounded("glu multiplies one half by the other")),
}
_NAMES = {alias: name for name, known in ROWS.items() for alias in known.aliases}
# a function of another package: it acts on each unit, and nothing else is known of it
FOREIGN = "unknown"
# by every name in Keras, and that one
ACTIVATIONS = {
    **ROWS,
    **{alias: ROWS[name] for alias, name in _NAMES.items()},
    FOREIGN: Activation(at_zero=None),
}

# activations that are layers too, with arguments of theirs that an activation may state
LAYERS = {name: known.layer[0] for name, known in ROWS.items() if known.layer and known.given}
ARGUMENTS = {name: tuple(known.layer[1]) for name, known in ROWS.items() if known.layer and known.given}


def activation_name(activation: Any) -> str:
    """The first name of an activation that is given as a name, a Keras configuration object or None."""
    name = str(activation.get("class_name")) if isinstance(activation, dict) else activation or "linear"
    return _NAMES.get(name, name)


def is_identity(activation: Any) -> bool:
    """Whether an activation, or none, changes nothing."""
    return activation_name(activation) == "linear"


def activation_ops(activation: Any, shape: Shape) -> Size:
    """Elementwise operations of an activation: one per unit, none for the identity."""
    return 0 if is_identity(activation) else prod(shape)


def coupled(window: Window, activation: Any, axes: int | None = None) -> Window:
    """The window of a layer after this activation; `axes` is its output's rank (default: its input's)."""
    if not ACTIVATIONS[activation_name(activation)].couples_channels:
        return window
    return whole_along(window, (len(window) if axes is None else axes) - 1)


def activated(activation: Any, shape: Shape) -> Primitives:
    """The primitives of an activation of a tensor of this shape."""
    name = activation_name(activation)
    if name == "linear":
        return ()
    known = ACTIVATIONS[name]
    if known.along is not None:
        return (known.along(len(shape) - 1, shape[-1]),)
    stated = activation.get("config") if isinstance(activation, dict) else None
    return (Pointwise(name, tuple(sorted((stated or {}).items()))),)
