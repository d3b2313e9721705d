"""Graph -> readable Keras code: running it builds the same model."""

from __future__ import annotations

import builtins
import json
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from archcalc import arith
from archcalc.analyses import parameters, shapes
from archcalc.arith import symbolic
from archcalc.arith.expressions import parse
from archcalc.arith.symbolic import Expr
from archcalc.errors import ArchcalcError
from archcalc.graph import CallMask, Graph, Tap
from archcalc.graph.substitution import open_symbols
from archcalc.layers.activations import LAYERS
from archcalc.layers.attention import PROJECTIONS
from archcalc.layers.base import Layer
from archcalc.layers.inner import with_inner
from archcalc.layers.keras_names import to_keras_name
from archcalc.layers.operand import Constant
from archcalc.layers.operations.base import Operation
from archcalc.layers.operations.indexing import Slice
from archcalc.layers.recurrent import Cell
from archcalc.layers.registry import layer_type
from archcalc.readers import as_graph
from archcalc.writers.arguments import Arguments, states_arguments, with_sizes, written
from archcalc.writers.blocks import Block, Blocks
from archcalc.writers.bodies import Body, Leaf, Use, bodies
from archcalc.writers.compiled import compile_code
from archcalc.writers.fold import fold as fold_body

WIDTH = 100
_TAKEN = ("keras", "layers", "ops", "name", "build", "model", "range", "slice", "i", "x")


def keras_code(graph: Any, *, fold: bool = True) -> str:
    """Python code that builds a network's model with the functional API.

    `graph` is a graph, or anything that `archcalc.load` takes.
    Blocks become functions and `repeat` a loop; layers have the names that `to_keras` gives
    them. Open symbols are arguments of `build`. Operations keep the names that Keras gives.

    Raises `ArchcalcError` for layers that Keras does not have.
    """
    return _Code(as_graph(graph), fold).text()


class _Code:
    def __init__(self, graph: Graph, fold: bool) -> None:
        self.graph = graph
        for node in graph.nodes:
            for layer in with_inner([node.layer]):
                if layer.lacking:
                    raise ArchcalcError(f"layer {node.name!r}: {layer.lacking}, so there is no code to write")
            if node.shared_with is not None and states_arguments(graph, node):
                owner = graph.nodes[node.shared_with].name
                raise ArchcalcError(f"layer {node.name!r} is a weight of {owner!r}: Keras code cannot say so")
        with arith.scope():
            inferred = shapes.infer(graph)
            self.weights = parameters.weights(graph, inferred)
        sizes = [n for row in self.weights for w in row for n in w.shape]
        self.several = [len(outputs) > 1 for outputs in inferred]
        self.in_weights = {s for n in sizes if isinstance(n, Expr) for s in n.symbols}
        inputs = set(graph.inputs)
        self.arguments: list[Arguments | None] = [
            None if i in inputs else written(node.layer) for i, node in enumerate(graph.nodes)
        ]
        self.body = bodies(graph)
        if fold:
            fold_body(graph, self.body, self.arguments)
        self.owners = {n.shared_with for n in graph.nodes if n.shared_with is not None}
        _inline_uses_read_from_outside(graph, self.body)
        self.symbols = list(open_symbols(graph))
        self.blocks = Blocks(graph, self.arguments, self.symbols)
        self.blocks.collect(self.body)
        self.imports = self._imports()
        self.taken = {*_TAKEN, *self.symbols, *(name for names in self.imports.values() for name in names)}
        self.functions = {id(b): identifier(b.name, self.taken) for b in self.blocks.ordered}

    def text(self) -> str:
        operations = any(isinstance(node.layer, Operation) for node in self.graph.nodes)
        title = self.graph.name.encode("unicode_escape").decode("ascii").replace('"', "'")
        lines = [f'"""{title}: a model in Keras code, written by archcalc."""', ""]
        lines += ["import keras", f"from keras import layers{', ops' if operations else ''}"]
        for module, names in self.imports.items():
            lines += [f"from {module} import {', '.join(sorted(names))}"]
        for block in self.blocks.ordered:
            lines += ["", "", *self._function(block)]
        lines += ["", "", *self._build()]
        if all(self._may_stay_open(s) for s in self.symbols):
            lines += ["", "", "model = build()"]
        return "\n".join(lines) + "\n"

    def _imports(self) -> dict[str, set[str]]:
        """Modules of layers that are not in `keras.layers`, with their names."""
        imports: dict[str, set[str]] = {}
        for layer in with_inner(node.layer for node in self.graph.nodes):
            module, _, name = layer.keras_class.partition(":")
            if module not in ("keras.layers", "keras.ops"):
                imports.setdefault(module, set()).add(name)
        return dict(sorted(imports.items()))

    # -- functions ---------------------------------------------------------------------------------
    def _function(self, block: Block) -> Iterator[str]:
        taken = {*self.taken, *block.parameters}
        scope = _Scope(self, block.body, taken)
        inputs = [scope.give(tap, name) for tap, name in zip(block.body.inputs, block.inputs, strict=True)]
        arguments = [*inputs, "name", *block.parameters, *self._symbols_in(block)]
        yield f"def {self.functions[id(block)]}({', '.join(arguments)}):"
        yield from self._items(block.body, scope, iter(block.written), inside=True)
        yield f"    return {scope.variable(Tap(block.body.last))}"

    def _build(self) -> Iterator[str]:
        symbols = sorted(f"{s}=None" if self._may_stay_open(s) else s for s in self.symbols)
        yield f"def build({', '.join(sorted(symbols, key=lambda s: '=' in s))}):"
        scope = _Scope(self, self.body, set(self.taken))
        inputs = []
        for i in self.graph.inputs:
            name = self.graph.nodes[i].name
            inputs.append(scope.give(Tap(i), name, alone=False))
            yield f"    {inputs[-1]} = keras.Input({self._input(i)}, name={_text(to_keras_name(name))})"
        yield from self._items(self.body, scope, None, inside=False)
        outputs = [scope.variable(tap) for tap in self.graph.outputs]
        name = f", name={_text(to_keras_name(self.graph.name))}" if self.graph.name else ""
        model = f"keras.Model({_one_or_list(inputs)}, {_one_or_list(outputs)}{name})"
        compiled = compile_code(self.graph.compiled)
        if compiled:
            yield from (f"    model = {model}", f"    {compiled}", "    return model")
        else:
            yield f"    return {model}"

    def _input(self, node: int) -> str:
        layer: Any = self.graph.nodes[node].layer
        dtype = "" if layer.dtype in (None, "float32") else f", dtype={_value(layer.dtype)}"
        return f"{_tuple([_code(n) for n in layer.shape])}{dtype}"

    def _may_stay_open(self, symbol: str) -> bool:
        """Whether a symbol is only an axis of an input, on which no weight depends."""
        if symbol in self.in_weights:
            return False
        for i, node in enumerate(self.graph.nodes):
            if i in self.graph.inputs:
                sizes: Sequence[Any] = node.layer.shape  # type: ignore[attr-defined]
                if any(isinstance(n, Expr) and symbol in n.symbols and str(n) != symbol for n in sizes):
                    return False
            elif any(symbol in _names(size) for _, size in self._arguments(i).sizes):
                return False
        return not any(symbol in _names(str(r.count)) for r in self.graph.repeats)

    def _arguments(self, node: int) -> Arguments:
        arguments = self.arguments[node]
        assert arguments is not None
        return arguments

    def _symbols_in(self, block: Block) -> list[str]:
        """Open symbols that a block's function needs besides its parameters."""
        used = {name for value in block.written for name in _names(value)} - set(block.parameters)
        for item in block.body.items:
            if isinstance(item, Use):
                inner, _ = self.blocks.of_body[id(item.copies[0])]
                used |= {*self._symbols_in(inner), *_names(str(item.count))}
        return [s for s in self.symbols if s in used]

    # -- statements --------------------------------------------------------------------------------
    def _items(
        self, body: Body, scope: _Scope, sizes: Iterator[Any] | None, *, inside: bool
    ) -> Iterator[str]:
        for item in body.items:
            before = [scope.variable(tap) for tap in _inputs(self.graph, item)]
            if isinstance(item, Leaf):
                yield from self._leaf(item, before, scope, sizes, inside)
                continue
            block, row = self.blocks.of_body[id(item.copies[0])]
            row = row if sizes is None else [next(sizes) for _ in row]
            # the function returns the first output alone
            result = scope.give(Tap(item.copies[-1].last), item.name, whole=False)
            yield from self._use(item, block, row, before, result, inside)

    def _use(
        self, use: Use, block: Block, row: list[Any], before: list[str], result: str, inside: bool
    ) -> Iterator[str]:
        function = self.functions[id(block)]
        keywords = [
            f"{name}={_code(row[source])}"
            for name, source in zip(block.parameters, block.sources, strict=True)
        ]
        keywords += [f"{s}={s}" for s in self._symbols_in(block)]
        if use.count is None:
            arguments = [*before, _name(use.name, inside), *keywords]
            yield from _statement("    ", f"{result} = {function}", arguments)
            return
        if before[0] != result:
            yield f"    {result} = {before[0]}"
        yield f"    for i in range({_code(use.count)}):"
        arguments = [result, *before[1:], _name(use.name, inside, copies=True), *keywords]
        yield from _statement("        ", f"{result} = {function}", arguments)

    def _leaf(
        self, item: Leaf, before: list[str], scope: _Scope, sizes: Iterator[Any] | None, inside: bool
    ) -> Iterator[str]:
        node = self.graph.nodes[item.node]
        stated = self._arguments(item.node)
        if sizes is None or node.shared_with is not None:
            # `sizes` holds those of layers that own their weights, each once
            sizes = iter([size for _, size in stated.sizes])
        filled = with_sizes(stated, [_size(next(sizes)) for _ in stated.sizes])
        # which weights are trained is set once there are weights; some layers without refuse the argument
        left_out = ("type", "trainable", *node.layer.state_fields)
        arguments = {k: _value(v) for k, v in filled.items() if k not in left_out}
        if isinstance(node.layer, Operation):
            values = node.layer.keras_arguments()
            arguments |= {k: _constant(values[k]) for k in arguments if _holds_constant(values.get(k))}
            called = _operation(node.layer, before, arguments)
            yield from _statement("    ", f"{scope.give(Tap(item.node), item.name)} = {called[0]}", called[1])
            return
        keywords = [f"{k}={arguments.pop(k)}" for k in node.layer.call_arguments if k in arguments]
        keywords += [f"{mask.argument}={scope.mask(mask)}" for mask in node.masks]
        tensors = ", ".join([*_tensors(node.layer, before), *keywords])
        if node.shared_with is not None:
            layer = scope.layers[node.shared_with]
            yield f"    {scope.give(Tap(item.node), item.name)} = {layer}({tensors})"
            return
        function = _function(stated.data["type"])
        words = [*(f"{k}={v}" for k, v in arguments.items()), f"name={_name(item.name, inside)}"]
        flags = list(self._flags(item.node))
        if item.node in self.owners or flags:
            layer = scope.layer(item)
            yield from _statement("    ", f"{layer} = {function}", words)
            yield f"    {scope.give(Tap(item.node), item.name)} = {layer}({tensors})"
            yield from (f"    {layer}{flag}" for flag in flags)
            return
        result = scope.give(Tap(item.node), item.name)
        yield from _statement("    ", f"{result} = {function}", words, f"({tensors})")

    def _flags(self, node: int) -> Iterator[str]:
        """What follows a layer's name to bring it into its state: adapters, and which weights are trained."""
        layer, weights = self.graph.nodes[node].layer, self.weights[node]
        for part, stated in (getattr(layer, "lora", None) or {}).items():
            rank, alpha = (stated["rank"], stated["alpha"]) if isinstance(stated, dict) else (stated, None)
            more = "" if alpha is None else f", lora_alpha={alpha}"
            yield f".{PROJECTIONS[part]}.enable_lora({rank}{more})"
        if weights and not layer.trainable:
            yield ".trainable = False"
        for i, weight in enumerate(weights):
            if weight.name in (layer.trained or {}):
                yield f".weights[{i}].trainable = {weight.trainable}  # {weight.name}"


def _function(kind: str) -> str:
    """The class of a layer type in the code, where other classes than `keras.layers` are imported."""
    cls = layer_type(kind)
    assert cls is not None
    module, _, name = cls.keras_class.partition(":")
    return f"layers.{name}" if module == "keras.layers" else name


def _tensors(layer: Layer, tensors: list[str]) -> list[str]:
    """The tensors of a call as the layer takes them: in a list, separately, or a tensor and its states."""
    if layer.call_style == "separate":
        return tensors
    if layer.call_style == "states" and len(tensors) > 1:
        states = layer.nested(tensors[1:]) if isinstance(layer, Cell) else tensors[1:]
        return [tensors[0], _nest(states)]
    return [_one_or_list(tensors)]


def _nest(value: Any) -> str:
    return value if isinstance(value, str) else f"[{', '.join(map(_nest, value))}]"


class _Scope:
    """The variables of one function: `x` for what only the next item reads, names for the rest."""

    def __init__(self, code: _Code, body: Body, taken: set[str]) -> None:
        self.code = code
        self.taken = taken
        self.variables: dict[int | Tap, str] = {}
        self.layers: dict[int, str] = {}
        self._alone = _read_next_only(code.graph, body)

    def give(self, tap: Tap, name: str, *, alone: bool = True, whole: bool = True) -> str:
        """A variable for a tensor, or (`whole`) for all outputs of its node where there are several."""
        key = tap.node if whole and tap.output == 0 and self.code.several[tap.node] else tap
        variable = "x" if alone and tap in self._alone else identifier(name, self.taken)
        self.variables[key] = variable
        return variable

    def layer(self, item: Leaf) -> str:
        """A variable for a layer that is called again."""
        self.layers[item.node] = identifier(f"{item.name}_layer", self.taken)
        return self.layers[item.node]

    def mask(self, mask: CallMask) -> str:
        """The expression for a mask: a tensor, or a list with one for each input."""
        names = ["None" if tap is None else self.variable(tap) for tap in mask.taps]
        return f"[{', '.join(names)}]" if mask.several else names[0]

    def variable(self, tap: Tap) -> str:
        """The expression for a tensor."""
        if tap in self.variables:
            return self.variables[tap]
        return f"{self.variables[tap.node]}[{tap.output}]"


def _read_next_only(graph: Graph, body: Body) -> set[Tap]:
    """Tensors that only the next item reads, so that one variable serves them all."""
    maker: dict[Tap, int] = dict.fromkeys(body.inputs[:1], -1)
    for k, item in enumerate(body.items):
        maker[Tap(item.node if isinstance(item, Leaf) else item.copies[-1].last)] = k
    outputs = set(graph.outputs)
    alone = {tap for tap in maker if tap not in outputs or maker[tap] == len(body.items) - 1}
    for k, item in enumerate(body.items):
        for tap in _reads(graph, item):
            if maker.get(tap) != k - 1:
                alone.discard(tap)
                alone.discard(Tap(tap.node))
    return alone


def _reads(graph: Graph, item: Leaf | Use) -> Sequence[Tap]:
    return graph.nodes[item.node].reads if isinstance(item, Leaf) else item.copies[0].inputs


def _inputs(graph: Graph, item: Leaf | Use) -> Sequence[Tap]:
    return graph.nodes[item.node].inputs if isinstance(item, Leaf) else item.copies[0].inputs


# -- uses that cannot become functions -------------------------------------------------------------
def _inline_uses_read_from_outside(graph: Graph, body: Body) -> None:
    """Replace a use by its layers where their tensors or weights are used outside of it."""
    read: dict[int, list[int]] = {}
    for i, node in enumerate(graph.nodes):
        for tap in node.reads:
            read.setdefault(tap.node, []).append(i)
        if node.shared_with is not None:
            read.setdefault(node.shared_with, []).append(i)
    outputs = {t.node for t in graph.outputs}
    # whose other outputs than the first are used: a function returns the first
    several = {t.node for taps in (*(n.reads for n in graph.nodes), graph.outputs) for t in taps if t.output}
    _open(graph, body, read, outputs, several)


def _open(graph: Graph, body: Body, read: dict[int, list[int]], outputs: set[int], several: set[int]) -> None:
    opened: list[Leaf | Use] = []
    for item in body.items:
        if isinstance(item, Use):
            for copy in item.copies:
                _open(graph, copy, read, outputs, several)
            closed = all(_is_closed(graph, copy, item, read, outputs) for copy in item.copies)
            if not closed or any(copy.last in several for copy in item.copies):
                opened.extend(_contents(item))
                continue
        opened.append(item)
    body.items = opened


def _is_closed(graph: Graph, copy: Body, use: Use, read: dict[int, list[int]], outputs: set[int]) -> bool:
    inside = set(copy.nodes())
    following = set() if copy is use.copies[-1] else set(use.copies[use.copies.index(copy) + 1].nodes())
    for i in inside:
        shared = graph.nodes[i].shared_with
        if shared is not None and shared not in inside:
            return False
        readers = [r for r in read.get(i, ()) if r not in inside]
        if i == copy.last and copy is use.copies[-1]:
            if any(graph.nodes[r].shared_with == i for r in readers):
                return False
        elif i in outputs or any(i != copy.last or r not in following for r in readers):
            return False
    return True


def _contents(use: Use) -> Iterator[Leaf | Use]:
    """The items of all copies, under their names outside of the use."""
    for k, copy in enumerate(use.copies, start=1):
        prefix = use.name if use.count is None else f"{use.name}[{k}]"
        for item in copy.items:
            item.name = f"{prefix}/{item.name}"
            yield item


# -- code ----------------------------------------------------------------------------------------
def _statement(indent: str, head: str, arguments: list[str], tail: str = "") -> Iterator[str]:
    """`head(arguments)tail`, over several lines where it is long."""
    line = f"{indent}{head}({', '.join(arguments)}){tail}"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{indent}{head}("
    inner = f"{indent}    "
    row = inner
    for k, argument in enumerate(arguments):
        piece = f"{argument}," if k < len(arguments) - 1 else argument
        if row != inner and len(row) + len(piece) + 1 > WIDTH:
            yield row.rstrip()
            row = inner
        row += piece + " "
    yield row.rstrip()
    yield f"{indent}){tail}"


def _operation(operation: Operation, tensors: list[str], arguments: dict[str, str]) -> tuple[str, list[str]]:
    left = iter(tensors)
    function = f"ops.{operation.function}"
    if operation.takes_list:
        return function, [f"[{', '.join(tensors)}]", *(f"{k}={v}" for k, v in arguments.items())]
    # the only function whose tensors follow an argument of another kind
    words = [arguments.pop("subscripts")] if operation.function == "einsum" else []
    for name in operation.parameters:
        if name in arguments:
            words.append(arguments.pop(name))
        elif name in operation.operands:
            words.append(next(left))
        else:
            break
    return function, [*words, *(f"{k}={v}" for k, v in arguments.items())]


def _holds_constant(value: Any) -> bool:
    """Whether a value holds something that a spec writes as a list but Python does not."""
    if isinstance(value, tuple) and not isinstance(value, Slice):
        return any(map(_holds_constant, value))
    return isinstance(value, Constant | Slice) or value is ...


def _constant(value: Any) -> str:
    """Python code for arrays, slices and the other parts of an index."""
    if isinstance(value, Constant):
        return f"ops.array({_listed(value.value)}, dtype={_text(value.dtype)})"
    if isinstance(value, Slice):
        return f"slice({', '.join(map(repr, value))})"
    if isinstance(value, tuple):
        return _tuple([_constant(v) for v in value])
    return repr(value)


def _listed(value: Any) -> str:
    return f"[{', '.join(map(_listed, value))}]" if isinstance(value, list | tuple) else repr(value)


def _value(value: Any) -> str:
    """An argument as Python; a size may be an expression."""
    if isinstance(value, _Size):
        return _code(value)
    if isinstance(value, dict) and "type" in value:
        inner = [f"{k}={_value(v)}" for k, v in value.items() if k != "type"]
        return f"{_function(value['type'])}({', '.join(inner)})"
    if isinstance(value, dict) and value.get("class_name") in LAYERS and value.get("config"):
        inner = [f"{k}={_value(v)}" for k, v in value["config"].items()]
        return f"layers.{LAYERS[value['class_name']]}({', '.join(inner)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_value(k)}: {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return _tuple([_value(v) for v in value])
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


class _Size(str):
    """An expression for a size, to tell it from texts that are not code."""


def _size(size: Any) -> Any:
    return _Size(size) if isinstance(size, str) else size


def _code(size: Any) -> str:
    """A size, or an expression of the language, as Python that computes an integer."""
    if isinstance(size, str) and "/" in size.replace("//", ""):
        size = parse(size, {name: symbolic.symbol(name) for name in _names(size)})
    if isinstance(size, Expr):
        top, bottom = symbolic.fraction_of(size)
        return str(top) if bottom == 1 else f"({top})//({bottom})"
    return str(size)


def _name(name: str, inside: bool, *, copies: bool = False) -> str:
    """Code for a layer's name; inside a function it follows the name of the use."""
    if not inside and not copies:
        return _text(to_keras_name(name))
    # what an inner name adds to any name before it
    text = to_keras_name(f"x/{name}")[1:] if inside else to_keras_name(name)
    text = text.replace("{", "{{").replace("}", "}}")
    lead = "{name}" if inside else ""
    return f'f"{lead}{text}>.{{i + 1}}"' if copies else f'f"{lead}{text}"'


def _names(text: Any) -> set[str]:
    return set(re.findall(r"[^\W\d]\w*", text)) if isinstance(text, str) else set()


def identifier(name: str, taken: set[str]) -> str:
    """A free Python name like this one; adds it to `taken`."""
    plain = re.sub(r"\W+", "_", name).strip("_").lower() or "block"
    if plain in dir(builtins):
        plain += "s"
    if not plain[0].isalpha() or keyword.iskeyword(plain):
        plain = f"_{plain}"
    free, number = plain, 2
    while free in taken or not free.isidentifier():
        free = f"{plain if plain.isidentifier() else 'block'}_{number}"
        number += 1
    taken.add(free)
    return free


def _tuple(items: Sequence[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _one_or_list(items: Iterable[str]) -> str:
    values = list(items)
    return values[0] if len(values) == 1 else f"[{', '.join(values)}]"
