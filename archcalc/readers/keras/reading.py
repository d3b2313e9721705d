"""The state of reading one configuration: its options, and every fault so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archcalc.errors import Fault
from archcalc.layers.base import Layer
from archcalc.layers.keras_names import from_keras_name
from archcalc.readers.json_text import MAX_FAULTS
from archcalc.readers.keras.statements import NONE, Statements
from archcalc.readers.limits import MAX_LAYERS
from archcalc.readers.names import did_you_mean, show

UNKNOWN_REMEDY = (
    "--allow-unknown (allow_unknown=True) continues with the shapes in the file and reports this layer's "
    "figures as unknown; --as CLASS=TYPE or --classes FILE says what it is"
)

SHAPE_REMEDY = "--shape {}=32,32,8 (shapes=) gives it; --as or --classes says what the layer is"

RESHAPE = "ops.reshape"  # the type that may fold parts of a sample into the batch

UNBUILT = (
    "this Sequential was never built, so the file does not hold its input's shape; "
    "give it (without the batch): --input-shape 32,32,3 (input_shape=(32, 32, 3))"
)


@dataclass(eq=False, repr=False)
class Reading:
    """What all parts of the reader share."""

    source: str
    allow_unknown: bool = False
    symbols: Mapping[str, Any] = field(default_factory=dict)
    input_shape: tuple[Any, ...] | None = None
    max_layers: int = MAX_LAYERS
    unbuilt: str = UNBUILT
    version: str | None = None  # of the Keras that wrote the file
    statements: Statements = NONE
    used: set[str] = field(default_factory=set)  # names of classes and rows that `statements` speak of
    foreign: dict[str, None] = field(default_factory=dict)  # classes that archcalc has no rule of its own for
    # row -> the recorded shape of its output, of layers with such an activation
    activation_shapes: dict[str, tuple[int | None, ...] | None] = field(default_factory=dict)
    functions: dict[str, None] = field(default_factory=dict)  # activations that archcalc does not know
    inside: list[str] = field(default_factory=list)  # the nested models that are being read, outermost first
    rows: dict[str, None] = field(default_factory=dict)  # names of layers, as rows have them
    whole: str = ""  # the row that is the model itself, if it is one layer
    claimed: dict[str, str] = field(default_factory=dict)  # row -> class, of layers that `--as` speaks of
    faults: list[Fault] = field(default_factory=list)
    declared: dict[tuple[str, str], Layer | None] = field(default_factory=dict)  # by class and arguments
    objects: dict[int, int] = field(default_factory=dict)  # mark of an object -> the node of its first call
    left_out: list[str] = field(default_factory=list)  # what the file states and no graph holds
    open_symbols: dict[str, Any] = field(default_factory=dict)
    letters: dict[str, int] = field(default_factory=dict)  # letter of open axes -> the last number used
    # path -> shape in the file of each input that has `input_shape` instead
    replaced: dict[str, tuple[int | None, ...]] = field(default_factory=dict)

    @property
    def reshaped(self) -> bool:
        """Whether an input has another shape than in the file, so that recorded shapes are not its."""
        return any(not self.fits(shape) for shape in self.replaced.values())

    def fits(self, shape: tuple[int | None, ...]) -> bool:
        """Whether `input_shape` only gives sizes to axes that the file leaves open."""
        given = self.input_shape or ()
        return all(n is None or n == m for n, m in zip(shape, given, strict=True))

    def row(self, name: str) -> str:
        """The name that the row of a member of the model being read has."""
        return "/".join([*self.inside, from_keras_name(name)])

    def fault(self, path: str, message: str) -> None:
        self.faults.append(Fault(path, message))

    def hint(self, word: str, known: Collection[str]) -> str:
        """`; did you mean ...?`, or nothing once enough faults are noted: the search takes time."""
        return did_you_mean(word, known) if len(self.faults) < MAX_FAULTS else ""

    def worst(self) -> list[Fault]:
        """At most `MAX_FAULTS` of the faults, each once, and how many more there are."""
        each = list(dict.fromkeys(self.faults))
        if len(each) <= MAX_FAULTS:
            return each
        return [*each[: MAX_FAULTS - 1], Fault("", f"and {len(each) - MAX_FAULTS + 1} more faults")]

    def mapping(self, value: Any, path: str, what: str) -> dict[str, Any]:
        """The value if it is an object; else a fault and an empty one."""
        if isinstance(value, dict):
            return value
        self.fault(path, f"expected {what} (a JSON object), got {show(value)}")
        return {}

    def sequence(self, value: Any, path: str, what: str) -> list[Any]:
        """The value if it is a list; else a fault and an empty one."""
        if isinstance(value, list | tuple):
            return list(value)
        self.fault(path, f"expected {what} (a JSON list), got {show(value)}")
        return []

    def text(self, value: Any, path: str, what: str) -> str | None:
        """The value if it is a string that is not empty; else a fault and None."""
        if isinstance(value, str) and value:
            return value
        self.fault(path, f"expected {what} (a string), got {show(value)}")
        return None


def agree(shape: Sequence[Any], recorded: Sequence[int | None]) -> bool:
    """Whether no known size of a shape contradicts what a file records."""
    return len(shape) == len(recorded) and all(
        type(n) is not int or m is None or n == m for n, m in zip(shape, recorded, strict=True)
    )


def printable(name: str) -> str:
    """The name with control and other unprintable characters escaped."""
    return name if name.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in name)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
