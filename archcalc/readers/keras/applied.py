"""A rule applied to one layer: from the layer's arguments and the shapes of its inputs to a small network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archcalc.arith import Shape
from archcalc.arith.expressions import is_symbol_name
from archcalc.arith.symbolic import Expr
from archcalc.errors import ArchcalcError, SourceError
from archcalc.graph import Graph
from archcalc.readers.keras.classes import OF_A_RULE, Alternative, Rule
from archcalc.readers.keras.declare import plain_activation
from archcalc.readers.names import show
from archcalc.readers.spec import read_spec
from archcalc.readers.spec.entries import BLOCK_KEYS

USE = "layer"  # the name of the described layer in the small network
_BLOCK = "class"
_NO_ARGUMENTS = frozenset(
    {"name", "trainable", "dtype", "autocast", "batch_input_shape", "activity_regularizer"}
)


class MisfitError(ArchcalcError):
    """A rule does not describe this layer."""


def by(rule: Rule) -> str:
    return f"the rule for {show(rule.name)} in {rule.source}"


def chosen(
    rule: Rule, config: Mapping[str, Any], inputs: Sequence[Shape]
) -> tuple[Alternative, dict[str, Any]]:
    """The first alternative that holds, and its arguments; raises `MisfitError` if none does."""
    reasons = []
    for alternative in rule.alternatives:
        values = {**config, **_of_input(inputs)}
        reason = _fault(alternative.entry, config, values)
        if not reason:
            return alternative, values
        reasons.append(reason)
    raise MisfitError(
        f"{by(rule)} does not fit: {reasons[-1] if len(reasons) == 1 else 'no alternative holds'}"
    )


def _of_input(inputs: Sequence[Shape]) -> dict[str, Any]:
    """What formulas may say of the inputs; sizes are those of the first one."""
    values: dict[str, Any] = {"input_count": len(inputs)}
    for x in inputs[:1]:
        values |= {f"input_axis_{i + 1}": n for i, n in enumerate(x)}
        values |= {"input_axes": len(x), "input_open": any(type(n) is not int for n in x)}
        values |= {"input_ones": [1] * len(x)}
        values |= {"input_channels": x[-1], "input_channel_shape": [*[1] * (len(x) - 1), x[-1]]} if x else {}
    return values


def _fault(entry: Mapping[str, Any], config: Mapping[str, Any], values: dict[str, Any]) -> str:
    """Why an alternative does not hold for a layer; empty if it does. Defaults are added to `values`."""
    if "parameters" in entry:
        for name, default in entry["parameters"].items():
            if name not in values:
                if default is None:
                    return f"the layer does not state its argument {show(name)}"
                values[name] = default
        known = {*entry["parameters"], *entry.get("ignores", ())} | _NO_ARGUMENTS
        more = next(
            (k for k, v in config.items() if v is not None and k not in known and not _is_value(k)), None
        )
        if more is not None:
            return f"it does not know the argument {show(more)}"
    for name, wanted in entry.get("if", {}).items():
        allowed = wanted if isinstance(wanted, list) else [wanted]
        if not any(_same(values.get(name), value) for value in allowed):
            return f"it holds for {show(name)} = {show(wanted)} only, and here it is {show(values.get(name))}"
    return ""


def _is_value(name: str) -> bool:
    """Whether an argument only says which values weights have, or may have."""
    return name.endswith(("initializer", "regularizer", "constraint"))


def _same(value: Any, other: Any) -> bool:
    """Whether two values of JSON are equal; `true` is not 1 there."""
    return type(value) is type(other) and bool(value == other)


def network(
    rule: Rule, alternative: Alternative, values: Mapping[str, Any], inputs: Sequence[Shape]
) -> Graph:
    """The graph of one alternative; raises `MisfitError` with the fault's place in the rule's file."""
    entry = alternative.entry
    names = entry.get("inputs") if alternative.is_block else None
    names = (
        names or ["input"] if len(inputs) == 1 or names else [f"input_{i + 1}" for i in range(len(inputs))]
    )
    if len(names) != len(inputs):
        raise MisfitError(f"{by(rule)} takes {len(names)} inputs, and the layer gets {len(inputs)}")
    open_names = {s for shape in inputs for n in shape if isinstance(n, Expr) for s in n.symbols}
    arguments = {k: v for k, v in _expressions(values) if k not in open_names}
    layers = entry["layers"] if alternative.is_block else [_single(entry, names)]
    block = {"inputs": names, "parameters": dict.fromkeys(arguments), "layers": _filled(layers, values)}
    spec = {
        "archcalc": 1,
        "symbols": dict.fromkeys(sorted(open_names)),
        "inputs": {name: list(map(_text, shape)) for name, shape in zip(names, inputs, strict=True)},
        "blocks": {_BLOCK: block},
        "layers": [{"name": USE, "block": _BLOCK, "inputs": names, **arguments}],
    }
    if alternative.is_block and "outputs" in entry:
        spec["outputs"] = [f"{USE}/{name}" for name in entry["outputs"]]
    try:
        graph = read_spec(spec, rule.source)
    except SourceError as problem:
        first = problem.faults[0]
        inside = first.path.removeprefix(f"$.blocks.{_BLOCK}").removeprefix("$")
        inside = inside if alternative.is_block else inside.removeprefix(".layers[0]")
        raise MisfitError(f"{rule.source}: {alternative.path}{inside}: {first.message}") from None
    if graph.repeats:
        raise MisfitError(f"{rule.source}: {alternative.path}: a repeat needs a number here")
    return graph if alternative.is_block else _unnested(graph)


def _unnested(graph: Graph) -> Graph:
    """The part of a rule that is one layer, which has the name of the layer itself."""
    last = dataclasses.replace(graph.nodes[-1], name=USE)
    return dataclasses.replace(graph, nodes=(*graph.nodes[:-1], last))


def _single(entry: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    stated = {k: v for k, v in entry.items() if k not in OF_A_RULE}
    return {"name": USE, "inputs": list(names), **stated}


def _text(size: Any) -> Any:
    if isinstance(size, int | Expr):
        return size if isinstance(size, int) else str(size)
    raise MisfitError(f"the size of its input is unknown ({size})")


def _expressions(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments that formulas may name: integers, sizes, and the integers in lists (`kernel_size_1`)."""
    for key, value in values.items():
        each = value if isinstance(value, list) else []
        for name, one in ((key, value), *((f"{key}_{i + 1}", v) for i, v in enumerate(each[:8]))):
            if not is_symbol_name(name) or name in (*BLOCK_KEYS, "type", "shared_with"):
                continue
            if isinstance(one, Expr):
                yield name, str(one)
            elif isinstance(one, int) or (isinstance(one, float) and one.is_integer() and abs(one) < 2**31):
                yield name, int(one)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """A part of a rule with `{"argument": name}` replaced by that argument's value."""
    if isinstance(value, list):
        return [_filled(v, values) for v in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {"argument"}:
        return {k: _filled(v, values) for k, v in value.items()}
    name = value["argument"]
    if not isinstance(name, str) or name not in values:
        raise MisfitError(f"the layer has no argument {show(name)}")
    found = values[name]
    if isinstance(found, list):
        return [_text(v) if isinstance(v, Expr) else v for v in found]
    return _text(found) if isinstance(found, Expr) else plain_activation(found)
