"""The options of an analysis, one field each: its default, the values it takes, and what it does.

The arguments of `archcalc.analyze`, their checks and documentation, and the options of the command line
are generated from these fields.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from archcalc.analyses.memory.precision import OPTIMIZERS, PRECISIONS, Precision
from archcalc.conventions import NAMES as CONVENTIONS
from archcalc.errors import ArchcalcError
from archcalc.graph.quantities import TABLE

WEIGHTS = ("symbolic", "expected", "actual")
TIERS = ("symbolic", "tight", "centred")
SORTED = tuple(q.column.lower() for q in TABLE if q.column)
COLUMNS = ("type", "output", *SORTED, "field", "sigma", "gradient")


class Values:
    """What an option takes; `metavar` is its form on the command line."""

    metavar: ClassVar[str] = ""

    def check(self, value: Any) -> Any:
        """The value, from Python or as text of the command line; raises `ArchcalcError`."""
        return value


class Flag(Values):
    """Yes or no."""


class Word(Values):
    """A name that the analysis checks."""

    metavar: ClassVar[str] = "NAME"


class Positive(Values):
    """A positive integer."""

    def check(self, value: Any) -> int:
        from archcalc.arith.integers import integer  # `--help` does without

        try:
            plain = integer(value)
        except TypeError:
            plain = 0
        if plain < 1:
            raise ArchcalcError(f"expected a positive integer, got {value!r}")
        return plain


@dataclass(frozen=True)
class Choice(Values):
    """One of some names; in Python also `or_mapping` from names to arrays."""

    names: tuple[str, ...]
    or_mapping: bool = False

    def check(self, value: Any) -> Any:
        if value in self.names if isinstance(value, str) else self.or_mapping and isinstance(value, Mapping):
            return value
        raise ArchcalcError(f"expected one of {', '.join(self.names)}, got {value!r}")


@dataclass(frozen=True)
class Names(Values):
    """Some of these names, in any order; on the command line with commas between them."""

    metavar: ClassVar[str] = "A,B,..."
    names: tuple[str, ...]

    def check(self, value: Any) -> tuple[str, ...]:
        chosen = value.split(",") if isinstance(value, str) else list(value)
        chosen = [name.strip().lower() for name in chosen if name.strip()]
        for name in chosen:
            if name not in self.names:
                raise ArchcalcError(f"unknown column {name!r}; the columns are {', '.join(self.names)}")
        if not chosen or len(set(chosen)) < len(chosen):
            raise ArchcalcError(f"expected names, each once, as in {','.join(self.names[:2])}")
        return tuple(chosen)


class Blocks(Values):
    """Names of blocks; on the command line with commas between them."""

    metavar: ClassVar[str] = "BLOCK,..."

    def check(self, value: Any) -> tuple[str, ...]:
        names = value.split(",") if isinstance(value, str) else list(value)
        named = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
        if not named:
            raise ArchcalcError("expected names of blocks, as in stem,body")
        return named


class Amount(Values):
    """An amount of memory."""

    metavar: ClassVar[str] = "SIZE"

    def check(self, value: Any) -> int:
        return bytes_of(value)


class Interval(Values):
    """The least and the largest value, as `0:1` on the command line."""

    metavar: ClassVar[str] = "LOW:HIGH"

    def check(self, value: Any) -> tuple[float, float]:
        ends = value.split(":") if isinstance(value, str) else value
        try:
            low, high = map(float, ends)
            if -float("inf") < low <= high < float("inf"):
                return low, high
        except (TypeError, ValueError):
            pass
        raise ArchcalcError(f"{value!r}: expected LOW:HIGH, as in 0:1")


def option(default: Any, values: Values, help: str, python: str = "") -> Any:
    """A field: its default, its values, one sentence for both, and what only Python takes."""
    return dataclasses.field(default=default, metadata={"values": values, "help": help, "python": python})


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """Options whose values are checked; each error names the option."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None:
                try:
                    object.__setattr__(self, field.name, field.metadata["values"].check(value))
                except ArchcalcError as wrong:
                    raise ArchcalcError(f"{field.name}: {wrong}") from None


@dataclass(frozen=True, kw_only=True)
class AnalysisOptions(_Checked):
    """What is counted, and for which use of the network."""

    batch: int = option(1, Positive(), "Batch size of the memory figures; work is always that of one sample.")
    dtype: str | None = option(
        None, Choice(tuple(PRECISIONS)), "Keras dtype policy. Default: the file's, else float32."
    )
    optimizer: str | None = option(
        None,
        Choice(tuple(OPTIMIZERS)),
        "Optimizer whose state counts as training memory. Default: the file's, else adam.",
        "`momentum` is SGD with momentum.",
    )
    ema: bool = option(False, Flag(), "The optimizer averages weights (use_ema): one more number for each.")
    accumulation: bool = option(
        False, Flag(), "The optimizer accumulates gradients (gradient_accumulation_steps): one more number."
    )
    checkpoint: tuple[str, ...] | str | None = option(
        None,
        Blocks(),
        "Recompute these blocks in the backward pass (keras.remat): bytes saved, multiply-adds paid.",
        "Blocks as `depth` shows them, layers, or `body` for all copies of a repeated block.",
    )
    memory: int | str | None = option(
        None,
        Amount(),
        "Report whether it fits into SIZE, and the largest batch that does (24GiB, 16GB).",
        "Text, or a number of bytes.",
    )
    convention: str = option(
        "archcalc",
        Choice(tuple(CONVENTIONS)),
        "Count FLOPs as this tool does.",
        "See docs/flop-conventions.md.",
    )
    clipped: bool = option(False, Flag(), "Clip every row's field to the pixels that exist (json, csv).")
    gradients: bool = option(
        False,
        Flag(),
        "Bound each layer's gradient; predict it at initialisation.",
        "See docs/gradients.md and docs/gradients-expected.md.",
    )

    @property
    def precision(self) -> Precision:
        return PRECISIONS[self.dtype or DTYPE]


@dataclass(frozen=True, kw_only=True)
class TableOptions(_Checked):
    """Which rows and columns a table for people shows."""

    depth: int | None = option(None, Positive(), "Show blocks below this level as one row.")
    columns: tuple[str, ...] | str | None = option(
        None, Names(COLUMNS), f"Columns after the layer's name: {', '.join(COLUMNS)}."
    )
    sort: str | None = option(None, Choice(SORTED), "Show the rows with the largest figure first.")
    top: int | None = option(
        None, Positive(), "Show the N largest rows, by --sort or else by parameters, and the others as one."
    )
    unfolded: bool = option(False, Flag(), "Show each of several equal rows in succession.")


DTYPE, OPTIMIZER = "float32", "adam"  # where neither the user nor the file says


@dataclass(frozen=True, kw_only=True)
class GradientOptions(_Checked):
    """How gradients are bounded."""

    weights: str | Mapping[str, Mapping[str, Any]] = option(
        "expected",
        Choice(WEIGHTS, or_mapping=True),
        "Norms of weights: left open, expected at initialisation, or those in the .keras file.",
        "Or arrays by node name and weight name, as `archcalc.read_weights` gives them.",
    )
    tier: str | None = option(
        None, Choice(TIERS), "Kind of bound; tight and centred need actual weights, whose default is tight."
    )
    training: bool = option(False, Flag(), "Bounds for training mode: batch statistics, dropout.")
    input_range: tuple[float, float] | None = option(None, Interval(), "Range of the input values, if known.")
    loss: str | None = option(
        None,
        Word(),
        "Loss whose gradient in kernels is bounded (json, csv). Default: the cross-entropy that fits.",
        "`categorical_crossentropy`, `sparse_categorical_crossentropy`, `binary_crossentropy` or "
        "`mean_squared_error`.",
    )

    @property
    def kind(self) -> str:
        """`symbolic`, `expected` or `actual` weights."""
        return self.weights if isinstance(self.weights, str) else "actual"


@dataclass(frozen=True, kw_only=True)
class Options(GradientOptions, AnalysisOptions):
    """Every option of `archcalc.analyze`."""

    def split(self) -> tuple[AnalysisOptions, GradientOptions | None]:
        """Those of the analysis, and those of its gradients if they are requested.

        Raises `ArchcalcError` for options that change gradients only where none are requested.
        """
        analysis, gradients = _part(self, AnalysisOptions), _part(self, GradientOptions)
        if self.gradients:
            return analysis, gradients
        changed = [f.name for f in dataclasses.fields(gradients) if getattr(gradients, f.name) != f.default]
        if changed:
            raise ArchcalcError(
                f"{', '.join(changed)}: for gradients only, which were not requested; "
                "add gradients=True (--gradients)"
            )
        return analysis, None


_T = TypeVar("_T", bound=_Checked)


def _part(whole: Options, cls: type[_T]) -> _T:
    return cls(**{field.name: getattr(whole, field.name) for field in dataclasses.fields(cls)})


def documentation() -> Iterator[str]:
    """The options as entries of a docstring's parameters."""
    for field in dataclasses.fields(Options):
        yield field.name
        yield f"    {field.metadata['help']}"
        if field.metadata["python"]:
            yield f"    {field.metadata['python']}"


_UNITS = {"": 1, **{p: 1000**i for i, p in enumerate("kmgtp", 1)}}
_UNITS |= {f"{p}i": 1024**i for i, p in enumerate("kmgtp", 1)}
_AMOUNT = r"(?ai)(\d{1,20})(?:\.(\d{1,20}))?\s*([kmgtp]i?|)b?"


def bytes_of(amount: str | int) -> int:
    """Bytes of `24GiB`, `16 GB`, `1.5g`, `800B` or an integer; fractions of a byte are dropped.

    Raises `ArchcalcError` if it is not such an amount.
    """
    if isinstance(amount, int) and not isinstance(amount, bool) and amount > 0:
        return amount
    match = re.fullmatch(_AMOUNT, amount.strip()) if isinstance(amount, str) else None
    if match is None:
        raise ArchcalcError(f"expected an amount such as 24GiB or 16GB, got {amount!r}")
    whole, part, unit = match[1], match[2] or "", match[3].lower()
    if isinstance(amount, str) and amount.strip()[-1].isdecimal():
        number = amount.strip()
        raise ArchcalcError(f"expected a unit after {number}; {number}GiB? ({number}B for bytes)")
    count: int = int(whole + part) * _UNITS[unit] // 10 ** len(part)
    if count < 1:
        raise ArchcalcError(f"expected at least one byte, got {amount!r}")
    return count
