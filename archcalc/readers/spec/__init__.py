"""archcalc's own format, the spec: from JSON data to a graph, or to the list of all its faults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import PurePath
from typing import Any

from archcalc import arith
from archcalc.analyses import parameters, shapes
from archcalc.arith import symbolic
from archcalc.arith.expressions import is_symbol_name
from archcalc.errors import NetworkError
from archcalc.graph import Graph, Origin, Tap, owners_first
from archcalc.graph.claims import Claim
from archcalc.graph.compiled import Compile
from archcalc.readers.json_text import MAPPING, STANDARD_INPUT, member
from archcalc.readers.limits import MAX_LAYERS
from archcalc.readers.names import did_you_mean, fault_of_name, show
from archcalc.readers.spec.arguments import build, layer_type
from archcalc.readers.spec.bodies import Body, check_input_names, dangling, read_body
from archcalc.readers.spec.comments import without_comments
from archcalc.readers.spec.declarations import Envelope, SymbolDeclaration, read_envelope
from archcalc.readers.spec.entries import BLOCK_KEYS
from archcalc.readers.spec.expansion import (
    Expansion,
    TooManyLayersError,
    check_nesting,
)
from archcalc.readers.spec.faults import Faults, Severity
from archcalc.readers.spec.sizes import MAX_SIZE

FORMAT_NAME = "archcalc-1"


def is_spec(data: Any) -> bool:
    """Whether decoded JSON looks like a spec rather than another tool's configuration."""
    if not isinstance(data, dict) or "archcalc" in data:
        return isinstance(data, dict)
    layers = data.get("layers")
    typed = isinstance(layers, list) and any(isinstance(x, dict) and "type" in x for x in layers)
    return typed or ("layers" in data and "inputs" in data)


def read_spec(
    data: Any,
    source: str,
    *,
    symbols: Mapping[str, int | None] | None = None,
    max_layers: int = MAX_LAYERS,
) -> Graph:
    """The graph that a spec describes.

    Parameters
    ----------
    data
        The decoded JSON.
    source
        The file's name in messages.
    symbols
        Values that override those of the file; None leaves a symbol open even if it has a value.
    max_layers
        The most layers after blocks and repeats are written out.

    Raises
    ------
    SourceError
        Every fault of the file with its JSON path, the worst first, at most twenty.
    """
    faults = Faults(source)
    if not isinstance(data, dict):
        faults.add(Severity.FORMAT, "$", f'a spec is an object {{"archcalc": 1, ...}}, got {show(data)}')
        faults.raise_any()
    reader = _Reader(faults, symbols or {}, max_layers)
    with arith.scope():
        graph = reader.read(without_comments(data), source)
    if not graph.symbols:
        return graph
    again = partial(_with_symbols, data, source, max_layers)
    return dataclasses.replace(graph, origin=Origin(graph.nodes, again))


def _with_symbols(data: Any, source: str, max_layers: int, symbols: Mapping[str, int | None]) -> Graph:
    return read_spec(data, source, symbols=symbols, max_layers=max_layers)


class _Reader:
    """Reads one spec: sections, bodies, nodes, shapes; a step with faults ends the reading."""

    def __init__(self, faults: Faults, overrides: Mapping[str, int | None], max_layers: int) -> None:
        self.faults = faults
        self.overrides = overrides
        self.max_layers = max_layers

    def read(self, data: dict[str, Any], source: str) -> Graph:
        envelope = read_envelope(data, self.faults)
        self._check_name(envelope.name)
        values = self._symbols(envelope)
        self._check_size(envelope)
        blocks = self._blocks(envelope)
        inputs = list(envelope.inputs)
        check_input_names("$.inputs", inputs, self.faults, listed=False)
        network = read_body("$", envelope.layers, inputs, {}, envelope.blocks, self.faults)
        outputs = self._outputs(envelope, network)
        expansion = Expansion(blocks, values, self.faults, self.max_layers)
        check_nesting(blocks, self.faults)
        for body in blocks.values():
            expansion.check_block(body)
        expansion.check_network(network)
        env = self._inputs(envelope, expansion)
        self._check_claims(envelope)
        self.faults.raise_any()
        try:
            expansion.expand(network, (), env)
        except TooManyLayersError:
            self.faults.raise_any()
        expansion.share()
        taps = [self._output(name, number, expansion, i) for i, (name, number) in enumerate(outputs)]
        claims = self._claims(envelope, expansion)
        compiled = self._compiled(envelope, network)
        self.faults.raise_any()
        graph = Graph(
            name=envelope.name or _stem(source),
            nodes=owners_first(tuple(expansion.nodes)),
            inputs=tuple(range(len(inputs))),
            outputs=tuple(taps),
            repeats=tuple(expansion.repeats),
            symbols={n: v if isinstance(v, int) else None for n, v in values.items()},
            compiled=compiled,
            claims=claims,
            suppressions=tuple(each.read() for each in envelope.lint.ignore),
            source=source,
            format=FORMAT_NAME,
        )
        self._check_shapes(graph, expansion)
        return graph

    def _check_name(self, name: str) -> None:
        problem = fault_of_name(name.replace("/", " ")) if name else None
        if problem is not None:
            self.faults.add(Severity.NAMES, "$.name", problem)

    def _check_size(self, envelope: Envelope) -> None:
        """Refuse a spec with too many layers before any is read."""
        count = len(envelope.layers) + sum(len(block.layers) for block in envelope.blocks.values())
        if count > self.max_layers:
            text = f"{count:,} layers (limit {self.max_layers:,}; --max-layers raises it)"
            self.faults.add(Severity.FORMAT, "$.layers", text)
            self.faults.raise_any()

    # -- sections -----------------------------------------------------------------------------------
    def _symbols(self, envelope: Envelope) -> dict[str, Any]:
        for name in self.overrides:
            if name not in envelope.symbols:
                hint = did_you_mean(name, envelope.symbols)
                declared = f"; declared: {', '.join(list(envelope.symbols)[:20]) or 'none'}"
                self.faults.add(
                    Severity.VALUES, "$.symbols", f"no symbol is named {show(name)}{hint or declared}"
                )
        values = {name: self._symbol(name, declared) for name, declared in envelope.symbols.items()}
        return {name: value for name, value in values.items() if is_symbol_name(name)}

    def _symbol(self, name: str, declared: SymbolDeclaration) -> Any:
        where = member("$.symbols", name)
        if not is_symbol_name(name):
            self.faults.add(
                Severity.NAMES,
                where,
                f"{show(name)} cannot name a symbol; letters, digits and _ can, floor ceil min max cannot",
            )
        low, high = declared.min, declared.max
        if high is not None and low > high:
            self.faults.add(Severity.VALUES, where, f"min {low} is above max {high}")
            return symbolic.symbol("broken")
        value = self.overrides.get(name, declared.default)
        if value is None:
            return symbolic.symbol(name, low, high)
        if isinstance(value, bool) or not isinstance(value, int):
            self.faults.add(Severity.VALUES, where, f"expected a positive integer, got {show(value)}")
        elif value < low or (high is not None and value > high):
            upper = "" if high is None else f" and at most {high}"
            self.faults.add(Severity.VALUES, where, f"{name} = {show(value)} must be at least {low}{upper}")
        elif value > MAX_SIZE:
            self.faults.add(Severity.VALUES, where, f"{name} = {show(value)} is larger than any size")
        else:
            return value
        return symbolic.symbol(name)

    def _blocks(self, envelope: Envelope) -> dict[str, Body]:
        bodies = {}
        for name, declared in envelope.blocks.items():
            where = member("$.blocks", name)
            for parameter in declared.parameters:
                if not is_symbol_name(parameter) or parameter in (*BLOCK_KEYS, "type", "shared_with"):
                    self.faults.add(
                        Severity.NAMES, f"{where}.parameters", f"{show(parameter)} cannot name a parameter"
                    )
            check_input_names(f"{where}.inputs", declared.inputs, self.faults, listed=True)
            bodies[name] = read_body(
                where, declared.layers, declared.inputs, declared.parameters, envelope.blocks, self.faults
            )
        return bodies

    def _inputs(self, envelope: Envelope, expansion: Expansion) -> dict[str, Tap]:
        cls = layer_type("InputLayer")
        assert cls is not None
        env = {}
        for name, declared in envelope.inputs.items():
            where = member("$.inputs", name)
            if None in declared.shape:
                text = 'an open axis is a symbol: declare "symbols": {"H": null} and write "H"; no batch axis'
                self.faults.add(Severity.VALUES, where, text)
                continue
            layer = build(cls, {"shape": declared.shape, "dtype": declared.dtype}, expansion.sizes())
            if isinstance(layer, list):
                for _, problem in layer:
                    self.faults.add(Severity.VALUES, where, problem)
            else:
                env[name] = expansion.add_input(name, layer, where)
        return env

    def _outputs(self, envelope: Envelope, network: Body) -> list[tuple[str, int]]:
        if envelope.outputs is None:
            return [(network.entries[-1].name, 0)]
        references = []
        for i, name in enumerate(envelope.outputs):
            reference = network.reference(name)
            if reference is None:
                self.faults.add(Severity.NAMES, f"$.outputs[{i}]", partial(dangling, name, network))
            else:
                references.append(reference)
        return references

    def _output(self, name: str, number: int, expansion: Expansion, index: int) -> Tap:
        tap = expansion.inner(name, f"$.outputs[{index}]") or Tap(0)
        return Tap(tap.node, number) if number else tap

    def _compiled(self, envelope: Envelope, network: Body) -> Compile | None:
        if "compile" not in envelope.model_fields_set:
            return None
        return envelope.compile.read(envelope.outputs or [network.entries[-1].name], self.faults)

    # -- claims -------------------------------------------------------------------------------------
    def _check_claims(self, envelope: Envelope) -> None:
        for i, claim in enumerate(envelope.claims):
            if claim.layer is not None and claim.layers is not None:
                self.faults.add(
                    Severity.STRUCTURE, f"$.claims[{i}]", '"layer" and "layers" exclude each other'
                )

    def _claims(self, envelope: Envelope, expansion: Expansion) -> tuple[Claim, ...]:
        claims = []
        for i, claim in enumerate(envelope.claims):
            where = f"$.claims[{i}]"
            for k, name in enumerate(claim.named):
                path = f"{where}.layer" if claim.layer is not None else f"{where}.layers[{k}]"
                if name not in expansion.taps:
                    self.faults.add(Severity.CLAIMS, path, partial(expansion.missing, name))
            claims.append(claim.stated(where))
        return tuple(claims)

    # -- shapes -------------------------------------------------------------------------------------
    def _check_shapes(self, graph: Graph, expansion: Expansion) -> None:
        try:
            inferred = shapes.infer(graph)
            if expansion.owners:
                parameters.weights(graph, inferred)
        except NetworkError as problem:
            numbers = graph.index()
            for name, reason in problem.faults:
                path = expansion.paths[numbers[name]]
                self.faults.add(Severity.SHAPES, path, f"layer {show(name)}: {reason}")
        self.faults.raise_any()


def _stem(source: str) -> str:
    """The name of a network without one: that of its file."""
    named = "" if source in (STANDARD_INPUT, MAPPING) else PurePath(source).stem
    return named or "network"
