"""From bodies to nodes: blocks are bound to their arguments, repeated, and written out.

`{"name": "stem", "block": "pair"}` becomes `stem/a`, `stem/b`; with an integer `repeat`
`stem[1]/a`, `stem[1]/b`, `stem[2]/a`, ...; with a symbolic one `stem[*]/a`, `stem[*]/b`, which
represent all copies. The first input of a copy is the output of the copy before it; its other
inputs, if the block has several, are the same for every copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from archcalc import arith
from archcalc.arith.symbolic import Expr, symbol
from archcalc.errors import ArchcalcError, UndecidedError
from archcalc.graph import CallMask, Node, Repeat, Tap
from archcalc.graph.substitution import index_name
from archcalc.layers.base import Layer
from archcalc.layers.fields import FieldError
from archcalc.layers.parameter import Parameter
from archcalc.readers.json_text import member
from archcalc.readers.limits import WRITTEN_A_LAYER
from archcalc.readers.names import did_you_mean, show
from archcalc.readers.spec import arguments
from archcalc.readers.spec.bodies import Body
from archcalc.readers.spec.entries import BLOCK_KEYS, BlockEntry, Entry, LayerEntry, SharedEntry, path_of
from archcalc.readers.spec.faults import Faults, Severity
from archcalc.readers.spec.sizes import MAX_SIZE, Sizes

MAX_BLOCK_DEPTH = 16
EACH = "[*]"  # in names: every copy of a block that is repeated a symbolic number of times
_EVERY_COPY = "stands for every copy of a block whose repeat is symbolic; only the block's output can be"

Binding = tuple[tuple[str, Any], ...]


class TooManyLayersError(Exception):
    """The limit on layers is reached, so reading ends."""


class Expansion:
    """The nodes of a network, added as its bodies are written out.

    `taps` maps each name to its tensor: layers, block uses (the output of their last layer) and
    copies (`body[2]`); `paths` holds the JSON path of each node.
    """

    def __init__(
        self, blocks: Mapping[str, Body], symbols: Mapping[str, Any], faults: Faults, max_layers: int
    ) -> None:
        self.blocks = blocks
        self.symbols = symbols
        self.faults = faults
        self.max_layers = max_layers
        self._limit = max_layers  # each input raises it by one
        self._left = WRITTEN_A_LAYER * max(max_layers, 10_000)
        self.nodes: list[Node] = []
        self.paths: list[str] = []
        self.taps: dict[str, Tap] = {}
        self.repeats: list[Repeat] = []
        self._taken = set(symbols)
        self.owners: dict[int, str] = {}  # node -> name of the node whose weights it shares
        self._numbers: dict[str, int] = {}
        self._own: dict[int, SharedEntry] = {}  # sharing node -> its entry
        self._sizes: dict[Binding, Sizes] = {}
        self._interned: dict[tuple[str, Sizes], Layer] = {}
        self._built: dict[tuple[str, Binding], list[Layer | None]] = {}

    # -- checking, before anything is written out ---------------------------------------------------
    def check_block(self, body: Body) -> None:
        """Note what is wrong with a block's layers for any values of its parameters."""
        unbound = {name: symbol(name, -MAX_SIZE) for name in body.parameters}
        binding = tuple(unbound.items())
        with arith.scope():
            self._layers(body, binding, undecided_is_fine=True)
        del self._built[body.path, binding]

    def check_network(self, body: Body) -> None:
        """Note what is wrong with the layers of the network itself."""
        self._layers(body, ())

    # -- writing out --------------------------------------------------------------------------------
    def add_input(self, name: str, layer: Layer, path: str) -> Tap:
        self._limit += 1
        return self._node(name, layer, (), Entry(path=path, name=name))

    def expand(
        self, body: Body, binding: Binding, env: dict[str, Tap], prefix: str = "", twin: str | None = None
    ) -> Tap:
        """Write out a body; `env` gives its inputs, `twin` the prefix of the copy that owns the weights."""
        layers = self._layers(body, binding)
        for index in body.order:
            entry = body.entries[index]
            reads = self._reads(entry, env, prefix)
            name = prefix + entry.name
            owner = None if twin is None else twin + entry.name
            use: Entry | None = entry
            if isinstance(entry, SharedEntry) and body.is_block(index):
                use = body.entries[body.indices[entry.target]]
                owner = owner or prefix + entry.target
            if isinstance(use, BlockEntry):
                tap = self._use(use, entry, binding, reads, name, owner)
            elif isinstance(entry, SharedEntry):
                if f"{EACH}/" in entry.target:
                    where = f"{entry.path}.shared_with"
                    self.faults.add(Severity.NAMES, where, f"{show(entry.target)} {_EVERY_COPY} read")
                tap = self._node(name, None, reads, entry, prefix + entry.target)
                self._own[tap.node] = entry
            else:
                if isinstance(entry, LayerEntry) and entry.owner is not None:
                    owner = prefix + entry.owner
                tap = self._node(name, layers[index], reads, entry, owner)
            env[entry.name] = tap
        return env[body.entries[-1].name]

    def _use(
        self,
        use: BlockEntry,
        entry: Entry,
        binding: Binding,
        reads: tuple[Tap, ...],
        name: str,
        owner: str | None,
    ) -> Tap:
        body = self.blocks[use.block]
        bound = self._bound(use, body, binding)
        count = self._count(use, binding)
        if bound is None or count is None or not self._reads_fit(use, entry):
            return self._alias(name, Tap(0), entry)  # the fault is noted; readers of this output have none
        if use.repeat is None:
            return self._alias(name, self._copy(body, bound, reads, name, owner), entry)
        if isinstance(count, Expr):
            first = len(self.nodes)
            each = None if owner is None else owner + EACH
            out = self._copy(body, bound, reads, name + EACH, each)
            index = index_name(self._taken)
            self._taken.add(index)
            self.repeats.append(Repeat(first, len(self.nodes) - 1, reads[0], out, count, index))
            return self._alias(name, out, entry)
        out = reads[0]
        for copy in range(1, count + 1):
            twin = None if owner is None else f"{owner}[{copy}]"
            out = self._copy(body, bound, (out, *reads[1:]), f"{name}[{copy}]", twin)
            self._alias(f"{name}[{copy}]", out, entry)
        return self._alias(name, out, entry)

    def _copy(self, body: Body, bound: Binding, reads: tuple[Tap, ...], name: str, twin: str | None) -> Tap:
        env = dict(zip(body.inputs, reads, strict=True))
        return self.expand(body, bound, env, f"{name}/", None if twin is None else f"{twin}/")

    def _node(
        self, name: str, layer: Layer | None, reads: tuple[Tap, ...], entry: Entry, owner: str | None = None
    ) -> Tap:
        number, path = len(self.nodes), entry.path
        if number >= self._limit:
            self.faults.add(
                Severity.FORMAT,
                path,
                f"more than {self.max_layers:,} layers once blocks are written out (--max-layers raises it)",
            )
            raise TooManyLayersError
        self._left -= len(name) + len(reads)
        if self._left < 0:
            text = "names and inputs are too long once blocks are written out; shorten them, or repeat less"
            self.faults.add(Severity.FORMAT, path, text)
            raise TooManyLayersError
        if name in self._numbers:
            first = self.paths[self._numbers[name]]
            self.faults.add(Severity.NAMES, path, f"the name {show(name)} already comes from {first}")
        # a missing layer is that of the owner of the weights; `share` fills it in
        inputs = reads[: len(entry.inputs or ())] if entry.masks else reads
        masks = _masks(entry, reads[len(inputs) :]) if entry.masks else ()
        self.nodes.append(Node(name, layer, inputs, masks=masks))  # type: ignore[arg-type]
        self.paths.append(path)
        self._numbers[name] = number
        if owner is not None:
            self.owners[number] = owner
        tap = self.taps[name] = Tap(number)
        return tap

    def _alias(self, name: str, tap: Tap, entry: Entry) -> Tap:
        if name in self._numbers:
            self.faults.add(
                Severity.NAMES, f"{entry.path}.name", f"the name {show(name)} is taken by a layer"
            )
        self.taps[name] = tap
        return tap

    def _reads(self, entry: Entry, env: Mapping[str, Tap], prefix: str) -> tuple[Tap, ...]:
        taps = []
        for k, (name, output) in enumerate(entry.reads):
            tap = env.get(name) or self.inner(name, entry.path_of_tensor(k), prefix) or Tap(0)
            taps.append(Tap(tap.node, output) if output else tap)
        return tuple(taps)

    def inner(self, name: str, path: str, prefix: str = "") -> Tap | None:
        """The tensor of a layer inside a block; None, with a fault noted, if there is no such layer."""
        tap = self.taps.get(prefix + name)
        if f"{EACH}/" in name and tap is not None:
            self.faults.add(Severity.NAMES, path, f"{show(name)} {_EVERY_COPY} read")
        elif tap is None:
            self.faults.add(Severity.NAMES, path, partial(self.missing, name, prefix))
        return tap

    def missing(self, name: str, prefix: str = "") -> str:
        """The message for a name that no layer has after all blocks are written out."""
        head = prefix + name.split("/")[0].split("[")[0]
        inside = [n[len(prefix) :] for n in self.taps if n.startswith(head)]
        return f"no layer is named {show(name)}{did_you_mean(name, inside or self.taps)}"

    # -- shared weights -----------------------------------------------------------------------------
    def share(self) -> None:
        """Give every sharing node the number of the node that owns its weights, and its layer."""
        roots: dict[int, int] = {}  # sharing node -> the node that owns its weights
        for number in self.owners:
            root = number
            chain: dict[int, None] = {}
            while root in self.owners and root not in roots:
                chain[root] = None
                owner = self._numbers.get(self.owners[root])
                problem = (
                    "no layer has that name; weights are shared with a layer or a block use"
                    if owner is None
                    else "it shares its weights with this layer in turn, so no layer owns them"
                )
                if owner is None or owner in chain:
                    text = f"{show(self.owners[root])}: {problem}"
                    self.faults.add(Severity.NAMES, f"{self.paths[number]}.shared_with", text)
                    break
                root = owner
            roots.update(dict.fromkeys(chain, roots.get(root, root)))
        called: dict[int, dict[str, Any]] = {}
        for number, root in roots.items():
            node = self.nodes[number]
            if isinstance(node.layer, Parameter):  # of another layer's weight, in a shape of its own
                self.nodes[number] = replace(node, shared_with=root)
                continue
            layer: Any = self.nodes[root].layer
            stated = self._stated(number, root, layer, called)
            layer = replace(layer, **stated) if stated else layer
            self.nodes[number] = replace(node, layer=layer, shared_with=root)

    def _stated(
        self, number: int, root: int, layer: Layer, called: dict[int, dict[str, Any]]
    ) -> dict[str, Any]:
        """The arguments of this call, or else of the one it repeats; `called` holds those known so far."""
        chain: list[int] = []
        while number != root and number not in called:
            chain.append(number)
            number = self._numbers[self.owners[number]]
        stated = called.get(number, {})
        for each in reversed(chain):
            own = self._own_arguments(each, layer)
            stated = called[each] = {**stated, **own} if own else stated
        return stated

    def _own_arguments(self, number: int, layer: Layer) -> dict[str, Any]:
        """What the entry of one call states beside what it shares."""
        stated: dict[str, Any] = {}
        entry = self._own.get(number)
        if entry is None:
            return stated
        owner = self._numbers[self.owners[number]]
        for key, value in entry.also.items():
            if key in layer.call_arguments:
                self._state(stated, key, value, layer, path_of(entry, key))
            elif owner in self._own or "/" in entry.target:
                text = f"everything but the call comes from {show(entry.target)}; remove {show(key)}"
                self.faults.add(Severity.STRUCTURE, path_of(entry, key), text)
        return stated

    def _state(self, stated: dict[str, Any], key: str, value: Any, layer: Layer, where: str) -> None:
        """Note an argument of a call."""
        try:
            stated[key] = layer.kinds[key].normalise(value, layer.rank)
        except FieldError as fault:
            self.faults.add(Severity.VALUES, where, str(fault))

    # -- values -------------------------------------------------------------------------------------
    def sizes(self, binding: Binding = ()) -> Sizes:
        """Evaluates sizes with these values of block parameters."""
        cached = self._sizes.get(binding)
        if cached is None:
            cached = self._sizes[binding] = Sizes({**self.symbols, **dict(binding)})
        return cached

    def _layers(self, body: Body, binding: Binding, *, undecided_is_fine: bool = False) -> list[Layer | None]:
        """The layer of each entry that declares one; faults are noted, with the parameters' values."""
        layers = self._built.get((body.path, binding))
        if layers is None:
            sizes = self.sizes(binding)
            layers = [self._layer(entry, sizes, body, binding, undecided_is_fine) for entry in body.entries]
            self._built[body.path, binding] = layers
        return layers

    def _layer(
        self, entry: Entry, sizes: Sizes, body: Body, binding: Binding, undecided_is_fine: bool
    ) -> Layer | None:
        if isinstance(entry, SharedEntry):
            self._check_repeated(entry, sizes, body)
            return None
        if isinstance(entry, BlockEntry):
            self._check_use(entry, binding)
        if not isinstance(entry, LayerEntry):
            return None
        # layers are immutable, and deep networks repeat a few of them thousands of times
        identity = (entry.text, sizes)
        same = self._interned.get(identity)
        if same is not None:
            return same
        try:
            built = arguments.build(entry.cls, entry.arguments, sizes)
        except UndecidedError as open_question:
            built = [] if undecided_is_fine else [(None, str(open_question))]
        if isinstance(built, Layer):
            self._interned[identity] = built
            return built
        bound = ", ".join(f"{name} = {value}" for name, value in binding)
        for key, problem in built:
            text = problem if undecided_is_fine or not bound else f"{problem} (with {bound})"
            severity = Severity.STRUCTURE if "has no argument" in problem else Severity.VALUES
            self.faults.add(severity, path_of(entry, key), text)
        return None

    def _check_repeated(self, entry: SharedEntry, sizes: Sizes, body: Body) -> None:
        """Note arguments of a sharing layer that contradict those of the owner."""
        index = body.indices.get(entry.target)
        target = None if index is None else body.entries[index]
        if not isinstance(target, LayerEntry):
            return
        for key, value in entry.also.items():
            where = path_of(entry, key)
            if key == "type":
                if value != target.cls.__name__:
                    text = (
                        f"{show(value)} contradicts {target.cls.__name__}, the type of {show(entry.target)}"
                    )
                    self.faults.add(Severity.VALUES, where, text)
                continue
            if key in target.cls.call_arguments:
                continue  # each call has its own
            if key not in arguments.keys(target.cls):
                text = f"{target.cls.__name__} has no argument {show(key)}"
                self.faults.add(
                    Severity.STRUCTURE, where, text + did_you_mean(key, arguments.keys(target.cls))
                )
                continue
            try:
                stated = arguments.normalised(target.cls, key, value, sizes)
                built = arguments.build(target.cls, target.arguments, sizes)
            except (ArchcalcError, ValueError) as fault:
                self.faults.add(Severity.VALUES, where, str(fault))
                continue
            field = target.cls.spec_names.get(key, key)
            if isinstance(built, Layer) and getattr(built, field) != stated:
                text = (
                    f"{show(value)} contradicts {show(entry.target)}, whose weights and arguments it shares"
                )
                self.faults.add(Severity.VALUES, where, text)

    def _check_use(self, use: BlockEntry, binding: Binding) -> None:
        """Check a block use against the block's declaration, and its values and repeat."""
        body = self.blocks[use.block]
        for key in use.arguments:
            if key in body.parameters:
                continue
            hint = did_you_mean(key, [*body.parameters, *BLOCK_KEYS])
            known = f"; its parameters: {', '.join(body.parameters) or 'none'}"
            self.faults.add(
                Severity.STRUCTURE,
                path_of(use, key),
                f"block {show(use.block)} has no parameter {show(key)}{hint or known}",
            )
        for name, default in body.parameters.items():
            if default is None and name not in use.arguments:
                self.faults.add(
                    Severity.VALUES, use.path, f"block {show(use.block)} needs a value for {show(name)}"
                )
        self._reads_fit(use, use)
        self._bound(use, body, binding)
        self._count(use, binding)

    def _reads_fit(self, use: BlockEntry, entry: Entry) -> bool:
        """Whether an entry (the use, or one that shares its weights) has the block's number of inputs."""
        wanted = self.blocks[use.block].inputs
        if entry.inputs is None or len(entry.inputs) == len(wanted):
            return entry.inputs is not None
        names = ", ".join(map(show, list(wanted)[:5]))
        text = f"block {show(use.block)} takes {len(wanted)} inputs ({names}), got {len(entry.inputs)}"
        self.faults.add(Severity.NAMES, f"{entry.path}.inputs", text)
        return False

    def _bound(self, use: BlockEntry, body: Body, binding: Binding) -> Binding | None:
        """The block's parameters with their values at this use; None after a fault."""
        values = []
        for name, default in body.parameters.items():
            if name in use.arguments:
                value = self._value(use.arguments[name], self.sizes(binding), path_of(use, name))
            else:
                value = self._value(default, self.sizes(), member(f"{body.path}.parameters", name))
            values.append((name, value))
        return None if any(value is None for _, value in values) else tuple(values)

    def _count(self, use: BlockEntry, binding: Binding) -> Any:
        """How many copies: 1, an integer from 0 on, or an expression; None after a fault."""
        if use.repeat is None:
            return 1
        where = f"{use.path}.repeat"
        count = self._value(use.repeat, self.sizes(binding), where)
        if count is None:
            return None
        try:
            # no copy at all is another network: a closed form is that of one copy or more
            least = 0 if isinstance(count, int) else 1
            arith.require_at_least(count, least, f"expected a number of copies, got {count}")
        except ArchcalcError as fault:
            self.faults.add(Severity.VALUES, where, str(fault))
            return None
        return count

    def _value(self, raw: Any, sizes: Sizes, where: str) -> Any:
        """One integer or expression; None after a fault."""
        if raw is None:
            return None  # a parameter without a value; that fault is noted elsewhere
        try:
            if isinstance(raw, str) or (isinstance(raw, int) and not isinstance(raw, bool)):
                return sizes(raw)
            self.faults.add(Severity.VALUES, where, f"expected an integer or an expression, got {show(raw)}")
        except ArchcalcError as fault:
            self.faults.add(Severity.VALUES, where, str(fault))
        return None


def _masks(entry: Entry, taps: tuple[Tap, ...]) -> tuple[CallMask, ...]:
    left: Iterator[Tap] = iter(taps)
    return tuple(
        CallMask(argument, (next(left),))
        if isinstance(names, str)
        else CallMask(argument, tuple(None if name is None else next(left) for name in names), several=True)
        for argument, names in entry.masks.items()
    )


def check_nesting(blocks: Mapping[str, Body], faults: Faults) -> None:
    """Note blocks that contain themselves, and blocks nested too deep."""
    depth: dict[str, int] = {}
    inner = {
        name: {e.block: e.path for e in body.entries if isinstance(e, BlockEntry)}
        for name, body in blocks.items()
    }
    waiting = {name: len(uses) for name, uses in inner.items()}
    users: dict[str, list[str]] = {name: [] for name in blocks}
    for name, uses in inner.items():
        for used in uses:
            users[used].append(name)
    ready = [name for name, count in waiting.items() if count == 0]
    while ready:
        name = ready.pop()
        depth[name] = 1 + max((depth[used] for used in inner[name]), default=0)
        for user in users[name]:
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    for name, level in depth.items():
        if level == MAX_BLOCK_DEPTH + 1:
            faults.add(Severity.VALUES, blocks[name].path, f"blocks nested deeper than {MAX_BLOCK_DEPTH}")
    left = [name for name in blocks if name not in depth]
    if left:
        chain = dict.fromkeys([left[0]])
        last = left[0]
        while (last := next(used for used in inner[last] if used not in depth)) not in chain:
            chain[last] = None
        names = list(chain)
        loop = [*names[names.index(last) :], last]
        where = inner[loop[0]][loop[1]]
        shown = loop if len(loop) <= 8 else [*loop[:4], "...", *loop[-2:]]
        faults.add(
            Severity.NAMES,
            f"{where}.block",
            f"block {show(loop[0])} contains itself: {' -> '.join(shown)}",
        )
