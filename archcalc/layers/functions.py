"""Functions of each unit that are not activations, and what is known of a `Pointwise` primitive."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from archcalc.layers.activations import (
    INFINITY,
    ROWS,
    Activation,
    Range,
    SavedByActivation,
    broken,
    line,
    row,
)

_UNIT = (0.0, 1.0)
_EITHER = (-1.0, 1.0)
_ANY = (-INFINITY, INFINITY)
_POSITIVE = (0.0, INFINITY)
UNKNOWN = Activation(at_zero=None)
_OF_CLIP = SavedByActivation(input=True, hidden=1)


def _clip(x_min: Any = None, x_max: Any = None) -> Activation:
    if not isinstance(x_min, int | float) or not isinstance(x_max, int | float):
        return Activation(_UNIT, at_zero=None, saved=_OF_CLIP)
    top = float(x_max)
    bottom = float(x_min) if x_min <= x_max else top  # Keras takes the smaller of the two
    return Activation(
        _UNIT,
        lambda m, x: m.clip(x, bottom, top),
        lambda m, x: m.where((x > bottom) & (x < top), 1.0, 0.0),
        image=(bottom, top),
        at_zero=None,
        rising=True,
        kinks=(bottom, top),
        saved=_OF_CLIP,
    )


def _step(image: Range = _ANY, **facts: Any) -> Activation:
    return Activation((0.0, 0.0), image=image, at_zero=None, **facts)


_OF_UNKNOWN_SLOPE = (
    *("arccos", "arccosh", "arcsin", "arctanh", "cbrt", "cosh", "erfinv", "exp2", "log", "log10", "log1p"),
    *("log2", "reciprocal", "rsqrt", "sinh", "tan"),
)

FUNCTIONS: dict[str, Activation] = {
    **dict.fromkeys(_OF_UNKNOWN_SLOPE, UNKNOWN),
    "absolute": broken(-1.0, 1.0)._replace(keeps_integers=True),
    "arcsinh": Activation(_UNIT),
    "arctan": Activation(_UNIT, image=(-1.5707964, 1.5707964)),
    "ceil": _step(),
    "clip": row(_clip, arguments={"x_min": None, "x_max": None}, keeps_integers=True),
    "cos": Activation(_EITHER, lambda m, x: m.cos(x), lambda m, x: -m.sin(x), _EITHER, at_zero=1.0),
    "deg2rad": Activation((0.0, 0.0174532926)),
    "erf": Activation(
        (0.0, 1.1283791671),
        lambda m, x: m.erf(x),
        lambda m, x: 2 * 2**0.5 * m.density(2**0.5 * x),
        _EITHER,
        rising=True,
    ),
    "erfc": Activation((-1.1283791671, 0.0), image=(0.0, 2.0), at_zero=1.0),
    "exp": ROWS["exponential"],
    "expm1": Activation(image=(-1.0, INFINITY)),
    "floor": _step(),
    **dict.fromkeys(["isfinite", "isinf", "isnan", "logical_not"], _step(_UNIT)),
    "nan_to_num": Activation(
        _UNIT,
        at_zero=None,
        arguments=dict.fromkeys(["nan", "posinf", "neginf"]),
        keeps_integers=True,
    ),
    "negative": line(-1.0)._replace(keeps_integers=True),
    "rad2deg": Activation((0.0, 57.2957795131)),
    "round": _step(arguments={"decimals": None}, keeps_integers=True),
    "sign": _step(_EITHER, keeps_integers=True),
    "sin": Activation(_EITHER, lambda m, x: m.sin(x), lambda m, x: m.cos(x), _EITHER),
    "sinc": Activation((-1.3703055928, 1.3703055928), image=(-0.2172337, 1.0), at_zero=1.0),
    "sqrt": Activation(image=_POSITIVE, at_zero=None),
    "square": Activation(_ANY, lambda _, x: x * x, lambda _, x: 2 * x, image=_POSITIVE, keeps_integers=True),
    "trunc": _step(keeps_integers=True),
}
# what the backward pass reads; functions whose slope is zero stop the gradient
_SAVED: dict[str, SavedByActivation] = {
    **dict.fromkeys(["deg2rad", "negative", "rad2deg", "sign"], SavedByActivation()),
    **dict.fromkeys(["absolute", "arccos", "arcsin", "arctan", "arctanh"], SavedByActivation(input=True)),
    **dict.fromkeys(["cos", "cosh", "erf", "erfc", "expm1", "log", "log1p"], SavedByActivation(input=True)),
    **dict.fromkeys(["sin", "sinh", "square", "tan"], SavedByActivation(input=True)),
    **dict.fromkeys(["arccosh", "arcsinh", "erfinv", "exp2"], SavedByActivation(output=True)),
    **dict.fromkeys(["reciprocal", "rsqrt", "sqrt"], SavedByActivation(output=True)),
    **dict.fromkeys(["clip", "log10", "log2"], _OF_CLIP),
    "cbrt": SavedByActivation(input=True, hidden=3),
    "nan_to_num": SavedByActivation(masks=3),
    "sinc": SavedByActivation(hidden=2, masks=1),
}
FUNCTIONS.update({name: FUNCTIONS[name]._replace(saved=saved) for name, saved in _SAVED.items()})
# of a tensor and a constant
_WITH_CONSTANT = {name: Activation(_UNIT, at_zero=None) for name in ("logaddexp", "maximum", "minimum")}


def described(function: str, parameters: Mapping[str, Any]) -> Activation:
    """What is known of a function with these arguments; nothing if it does not take them."""
    stated = tuple((name, value) for name, value in parameters.items() if value is not None)
    try:
        return _described(function, stated)
    except TypeError:  # not its arguments, or no numbers
        return UNKNOWN


@lru_cache(maxsize=256)
def _described(function: str, stated: tuple[tuple[str, Any], ...]) -> Activation:
    known = ROWS.get(function) or FUNCTIONS.get(function) or _WITH_CONSTANT.get(function, UNKNOWN)
    return known.given(**dict(stated)) if known.given is not None and stated else known
