"""Graph -> spec: with blocks and `repeat` where the network repeats itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archcalc.errors import ArchcalcError
from archcalc.graph import CallMask, Graph, Tap
from archcalc.graph.claims import Claim
from archcalc.graph.compiled import Compile, Suppression
from archcalc.graph.substitution import EACH, open_symbols
from archcalc.readers import as_graph
from archcalc.writers.arguments import Arguments, call_arguments, states_arguments, with_sizes, written
from archcalc.writers.blocks import Block, Blocks
from archcalc.writers.bodies import Body, Leaf, Use, bodies, free_name, legal_name
from archcalc.writers.fold import fold as fold_body

FORMAT = 1


@dataclass(frozen=True)
class WrittenSpec:
    """A spec as data, and the spec's name of every layer of the graph."""

    data: dict[str, Any]
    names: Mapping[str, str]


def to_spec(graph: Any, *, fold: bool = True) -> dict[str, Any]:
    """The spec of a network: the same network, figure by figure, when it is read again.

    `graph` is a graph, or anything that `archcalc.load` takes.
    With `fold`, layers that the network repeats become uses of a block, named after the common
    beginning of their names (`block1_conv2` becomes `block1/conv2`); without it every name stays that
    a spec accepts. Raises `ArchcalcError` where sizes are arrays, or there are no layers.
    """
    return write_spec(as_graph(graph), fold=fold).data


def write_spec(graph: Graph, *, fold: bool = True) -> WrittenSpec:
    """Like `to_spec`, together with the names that layers have in it."""
    return _Writer(graph, fold).write()


class _Writer:
    def __init__(self, graph: Graph, fold: bool) -> None:
        self.graph = graph
        inputs = set(graph.inputs)
        self.arguments: list[Arguments | None] = [
            None if i in inputs else written(node.layer) for i, node in enumerate(graph.nodes)
        ]
        self.body = bodies(graph)
        if fold:
            fold_body(graph, self.body, self.arguments)
        self.symbols = open_symbols(graph)
        self.blocks = Blocks(graph, self.arguments, self.symbols)
        self.blocks.collect(self.body)

    def write(self) -> WrittenSpec:
        graph = self.graph
        taken = {item.name for item in self.body.items}
        inputs = [free_name(legal_name(graph.nodes[i].name), taken) for i in graph.inputs]
        scope = _Scope(graph, self.body, inputs)
        data: dict[str, Any] = {"archcalc": FORMAT}
        if graph.name:
            data["name"] = graph.name
        if self.symbols:
            data["symbols"] = {name: _symbol(symbol) for name, symbol in self.symbols.items()}
        data["inputs"] = {
            name: _input(graph.nodes[i].layer) for name, i in zip(inputs, graph.inputs, strict=True)
        }
        if self.blocks.ordered:
            data["blocks"] = {block.name: self._block(block) for block in self.blocks.ordered}
        if not self.body.items:
            raise ArchcalcError("a spec needs layers, and this network has only inputs")
        data["layers"] = list(self._entries(self.body, scope, None))
        outputs = [scope.reference(tap) for tap in graph.outputs]
        if outputs != [self.body.items[-1].name]:
            data["outputs"] = outputs
        names = dict(zip((graph.nodes[i].name for i in graph.inputs), inputs, strict=True))
        names |= {graph.nodes[i].name: name for i, name in _paths(self.body, "")}
        if graph.claims:
            data["claims"] = [_claim(claim, names) for claim in graph.claims]
        if graph.compiled is not None:
            data["compile"] = _compile(graph.compiled)
        if graph.suppressions:
            data["lint"] = {"ignore": [_ignore(each, names) for each in graph.suppressions]}
        return WrittenSpec(data, names)

    def _block(self, block: Block) -> dict[str, Any]:
        data: dict[str, Any] = {}
        if block.parameters:
            data["parameters"] = dict.fromkeys(block.parameters)
        if block.inputs != ["input"]:
            data["inputs"] = block.inputs
        scope = _Scope(self.graph, block.body, block.inputs)
        data["layers"] = list(self._entries(block.body, scope, iter(block.written)))
        return data

    def _entries(self, body: Body, scope: _Scope, sizes: Iterator[Any] | None) -> Iterator[dict[str, Any]]:
        """The entry of each item; `sizes` replace the layers' own sizes."""
        before: str | None = scope.inputs[0] if len(scope.inputs) == 1 else None
        for item in body.items:
            entry: dict[str, Any] = {"name": item.name}
            masks: tuple[CallMask, ...] = ()
            if isinstance(item, Leaf):
                node = self.graph.nodes[item.node]
                if node.shared_with is not None:
                    entry["shared_with"] = scope.path(node.shared_with)
                if states_arguments(self.graph, node):
                    entry |= self._layer(item.node, sizes)
                elif node.shared_with is not None:
                    entry |= call_arguments(node.layer, self.graph.nodes[node.shared_with].layer)
                taps, masks = node.inputs, node.masks
            else:
                if item.twin is not None:
                    entry["shared_with"] = item.twin.name
                else:
                    entry |= self._use(item, sizes)
                taps = tuple(item.copies[0].inputs)
            reads = [scope.reference(tap) for tap in taps]
            if reads != [before]:
                entry["inputs"] = reads
            if masks:
                entry["masks"] = {mask.argument: scope.mask(mask) for mask in masks}
            before = item.name
            yield entry

    def _layer(self, node: int, sizes: Iterator[Any] | None) -> dict[str, Any]:
        arguments = self.arguments[node]
        assert arguments is not None
        if sizes is None:
            return arguments.data
        return with_sizes(arguments, [next(sizes) for _ in arguments.sizes])

    def _use(self, use: Use, sizes: Iterator[Any] | None) -> dict[str, Any]:
        block, row = self.blocks.of_body[id(use.copies[0])]
        if sizes is not None:
            row = [next(sizes) for _ in row]
        entry: dict[str, Any] = {"block": block.name}
        entry |= {name: row[source] for name, source in zip(block.parameters, block.sources, strict=True)}
        if use.count is not None:
            entry["repeat"] = use.count if isinstance(use.count, int) else str(use.count)
        return entry


class _Scope:
    """The names that a body uses for its inputs, its layers, and the layers inside its block uses."""

    def __init__(self, graph: Graph, body: Body, inputs: list[str]) -> None:
        self.graph = graph
        self.inputs = inputs
        self._inputs = dict(zip(body.inputs, inputs, strict=True))
        self._paths = dict(_paths(body, ""))
        self._lasts = dict(_lasts(body))

    def reference(self, tap: Tap) -> str:
        """The name of a tensor in this body."""
        if tap in self._inputs:
            return self._inputs[tap]
        name = self._lasts.get(tap.node) or self._paths[tap.node]
        return f"{name}:{tap.output}" if tap.output else name

    def mask(self, mask: CallMask) -> str | list[str | None]:
        """The names of a mask's tensors in this body."""
        names = [None if tap is None else self.reference(tap) for tap in mask.taps]
        return names if mask.several else str(names[0])

    def path(self, node: int) -> str:
        """The name of a node in this body."""
        return self._paths[node]


def _paths(body: Body, prefix: str) -> Iterator[tuple[int, str]]:
    for item in body.items:
        if isinstance(item, Leaf):
            yield item.node, prefix + item.name
            continue
        for inside, copy in _copies(item):
            yield from _paths(copy, f"{prefix}{inside}/")


def _lasts(body: Body) -> Iterator[tuple[int, str]]:
    """Nodes that the name of a use, or of a copy, refers to."""
    for item in body.items:
        if isinstance(item, Use):
            for inside, copy in _copies(item):
                yield copy.last, inside
            yield item.copies[-1].last, item.name


def _copies(use: Use) -> Iterator[tuple[str, Body]]:
    if use.count is None:
        yield use.name, use.copies[0]
    elif isinstance(use.count, int):
        for k, copy in enumerate(use.copies, start=1):
            yield f"{use.name}[{k}]", copy
    else:
        yield f"{use.name}{EACH}", use.copies[0]


def _symbol(symbol: Any) -> Any:
    bounds = {}
    if symbol.minimum != 1:
        bounds["min"] = symbol.minimum
    if symbol.maximum is not None:
        bounds["max"] = symbol.maximum
    return bounds or None


def _input(layer: Any) -> Any:
    shape = [n if isinstance(n, int) else str(n) for n in layer.shape]
    return shape if layer.dtype in (None, "float32") else {"shape": shape, "dtype": layer.dtype}


def _claim(claim: Claim, names: Mapping[str, str]) -> dict[str, Any]:
    data: dict[str, Any] = {"quantity": claim.quantity}
    layers = [name for layer in claim.layers for name in _claimed(layer, names)]
    if len(layers) == 1:
        data["layer"] = layers[0]
    elif layers:
        data["layers"] = layers
    if claim.per is not None:
        data["per"] = claim.per
    data["value"] = list(claim.value) if isinstance(claim.value, tuple) else claim.value
    if claim.rounded_to:
        data["rounded_to"] = claim.rounded_to
    data |= {k: v for k, v in (("written", claim.written), ("note", claim.note)) if v is not None}
    return data


def _claimed(name: str, names: Mapping[str, str]) -> list[str]:
    """A layer's new name, or the new names of the layers of a block."""
    if name in names:
        return [names[name]]
    inside = [new for old, new in names.items() if old.startswith((f"{name}/", f"{name}["))]
    return [name] if all(new.startswith((f"{name}/", f"{name}[")) for new in inside) else inside


def _compile(compiled: Compile) -> dict[str, Any]:
    losses = [None if loss is None else str(loss) for loss in compiled.losses]
    data: dict[str, Any] = {"loss": losses[0] if len(losses) == 1 else losses or None}
    data |= {key: getattr(compiled, key) for key in ("optimizer", "learning_rate", "momentum")}
    data |= dict.fromkeys(compiled.options, True)
    data |= {
        "labels": compiled.labels,
        "classes": compiled.classes,
        "metrics": list(compiled.metrics) or None,
    }
    return {key: value for key, value in data.items() if value is not None}


def _ignore(suppression: Suppression, names: Mapping[str, str]) -> dict[str, Any]:
    """With the layers' new names; a pattern also stands for the new names of all layers that it matched."""
    data: dict[str, Any] = {"rule": suppression.rule, "reason": suppression.reason}
    if suppression.layers:
        data["layers"] = [new for old, new in names.items() if suppression.covers(old)]
    return data
