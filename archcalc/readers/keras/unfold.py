"""From a Keras model to a `Graph`: nested models are unfolded, and every call becomes a node."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from archcalc.errors import Fault, SourceError
from archcalc.graph import CallMask, Graph, Node, Tap, cycle, shown_cycle, topological_order
from archcalc.layers.base import Layer
from archcalc.layers.keras_names import from_keras_name
from archcalc.layers.operations.base import Operation
from archcalc.readers.keras.model import Call, Member, Model, Ref, leaves
from archcalc.readers.keras.reading import Reading
from archcalc.readers.limits import WRITTEN_A_LAYER

# a nested model may be called without adding a layer, so the calls walked through have a limit of their own
STEPS_A_LAYER = 10
SHARED = "shared"  # begins the identity of an object that the file marks


@dataclass(eq=False, repr=False)
class _Unfolding:
    reading: Reading
    nodes: list[Node] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)  # name -> how often it was used
    owners: dict[Any, int] = field(default_factory=dict)  # an object's identity -> the node of its first call
    orders: dict[int, list[tuple[Member, int, Call]]] = field(default_factory=dict)  # by the model's id
    inputs: int = 0
    steps: int = 0
    characters: int = 0

    def add(
        self,
        name: str,
        layer: Layer,
        inputs: tuple[Tap, ...],
        identity: Any,
        masks: tuple[CallMask, ...] = (),
        **state: Any,
    ) -> int:
        """Add a call; `state` replaces arguments of its layer."""
        if len(self.nodes) - self.inputs >= self.reading.max_layers:
            self._refuse()
        self.characters += len(name)
        if self.characters > WRITTEN_A_LAYER * max(self.reading.max_layers, 10_000):
            text = "names are too long once nested models are unfolded"
            raise SourceError(self.reading.source, [Fault("$", text)])
        changed = {k: v for k, v in state.items() if getattr(layer, k) != v}
        if changed:
            layer = dataclasses.replace(layer, **changed)
        owner = self.owners.setdefault(identity, len(self.nodes))
        self.nodes.append(
            Node(self._unique(name), layer, inputs, None if owner == len(self.nodes) else owner, masks)
        )
        return len(self.nodes) - 1

    def step(self, count: int) -> None:
        """Count a step that adds no layer."""
        self.steps += count
        if self.steps > STEPS_A_LAYER * self.reading.max_layers:
            self._refuse()

    def order(self, model: Model) -> list[tuple[Member, int, Call]]:
        if id(model) not in self.orders:
            self.orders[id(model)] = list(_ordered(model, self.reading))
        return self.orders[id(model)]

    def _refuse(self) -> NoReturn:
        limit = self.reading.max_layers
        text = f"more than {limit:,} layers once nested models are unfolded (--max-layers raises it)"
        raise SourceError(self.reading.source, [Fault("$", text)])

    def _unique(self, name: str) -> str:
        unique = name
        while unique in self.names:
            self.names[name] += 1
            unique = f"{name}[{self.names[name]}]"
        self.names[unique] = 1
        return unique


def unfold(model: Model, reading: Reading, kind: str) -> Graph | None:
    """The graph of a model; None, with faults noted, if its calls do not fit together."""
    unfolding = _Unfolding(reading)
    taps: list[Tap | None] = []
    inputs: list[int] = []
    for ref in leaves(model.inputs):
        member = model.members.get(ref.member)
        if member is None or member.kind != "input":
            reading.fault(ref.path, f"{ref.member!r} is not an input of this model")
            taps.append(None)
        elif member.layer is None:
            taps.append(None)
        else:
            unfolding.inputs += 1  # they do not count as layers
            inputs.append(unfolding.add(from_keras_name(member.name), member.layer, (), member.name))
            taps.append(Tap(inputs[-1]))
    if reading.faults:
        _check(model, reading)
        return None
    outputs = _model(unfolding, _Use(model, "", (), frozen=model.frozen), taps)
    if reading.faults:
        return None
    marked = (key for key in unfolding.owners if key[0] == SHARED and len(key) == 2 and type(key[1]) is int)
    reading.objects.update((key[1], unfolding.owners[key]) for key in marked)
    return Graph(
        name=from_keras_name(model.name),
        nodes=tuple(unfolding.nodes),
        inputs=tuple(inputs),
        outputs=tuple(t for t in outputs if t is not None),
        symbols=dict(reading.open_symbols),
        source=reading.source,
        format=kind,
        left_out=tuple(dict.fromkeys(reading.left_out)),
    )


def _check(model: Model, reading: Reading) -> None:
    """Note references to nothing, in a model that has other faults too."""
    for member in model.members.values():
        for call in member.calls:
            for ref in call.inputs:
                _known(model, ref, reading)
        if member.model is not None:
            _check(member.model, reading)


def _known(model: Model, ref: Ref, reading: Reading) -> Member | None:
    member = model.members.get(ref.member)
    if member is None:
        hint = reading.hint(ref.member, model.members)
        reading.fault(ref.path, f"no layer of this model is named {ref.member!r}{hint}")
        return None
    calls = 1 if member.kind == "input" else len(member.calls)
    if not 0 <= ref.call < calls:
        reading.fault(ref.path, f"call number {ref.call} of {ref.member!r}, which is called {calls} times")
        return None
    return member


class _Use(NamedTuple):
    """One use of a model; `identity` tells uses of the same model apart.

    `frozen`: the model as a whole is not trainable. In Keras 3 only the outermost model's flag counts,
    because setting it sets the flag of every layer; in Keras 2 those of all enclosing models count.
    `steps`: leading axes at each of which the model runs, one for each TimeDistributed around it.
    `training`: the argument of its call, which Keras hands to every layer inside.
    """

    model: Model
    prefix: str
    identity: tuple[Any, ...]
    frozen: bool
    steps: int = 0
    training: bool | None = None

    def inside(self, member: Member, number: int, call: Call, identity: tuple[Any, ...]) -> _Use:
        """The use of a nested model by its call of this number."""
        assert member.model is not None
        name = from_keras_name(member.name)
        name = name if number == 0 else f"{name}[{number + 1}]"
        if member.steps:
            name = f"{name}/{from_keras_name(member.model.name)}"
        frozen = self.frozen or (self.model.legacy and member.model.frozen)
        stated = call.kwargs.get("training")
        training = stated if isinstance(stated, bool) and self.training is None else self.training
        prefix = f"{self.prefix}{name}/"
        return _Use(member.model, prefix, identity, frozen, self.steps + member.steps, training)

    def state(self, layer: Layer) -> dict[str, Any]:
        """The arguments of a layer inside that the use decides."""
        frozen = self.frozen and not isinstance(layer, Operation)  # a function has no such flag
        state: dict[str, Any] = {"trainable": False} if frozen else {}
        if self.training is not None and "training" in layer.call_arguments:
            state["training"] = self.training
        return state


def _model(unfolding: _Unfolding, use: _Use, taps: list[Tap | None]) -> list[Tap | None]:
    """Add the nodes of one use of a model; its outputs."""
    reading, model = unfolding.reading, use.model
    results: dict[tuple[str, int], list[Tap | None] | int | None] = {}
    for ref, tap in zip(leaves(model.inputs), taps, strict=True):
        results[ref.member, 0] = [tap]
    unfolding.step(1 + len(taps) + sum(1 for _ in leaves(model.outputs)))
    for member, number, call in unfolding.order(model):
        unfolding.step(1 + len(call.inputs))
        inputs = tuple(_tap(model, ref, results, unfolding.nodes, reading) for ref in call.inputs)
        whole = tuple(t for t in inputs if t is not None)
        if len(whole) < len(inputs):
            results[member.name, number] = None
            continue
        key = (*use.identity, member.name) if member.shared_id is None else (SHARED, member.shared_id)
        if member.model is not None:
            inside = use.inside(member, number, call, key)
            results[member.name, number] = _model(unfolding, inside, list(inputs))
        elif call.layer is not None:
            name = from_keras_name(member.name)
            layer = call.layer
            if use.steps:
                from archcalc.readers.keras.distributed import at_every_step

                layer = at_every_step(layer, name, use.steps, member.path, reading)
            masks = tuple(
                _mask(model, *mask, results, unfolding.nodes, reading) for mask in call.masks.items()
            )
            results[member.name, number] = unfolding.add(
                use.prefix + name, layer, whole, key, masks, **use.state(layer)
            )
    return [_tap(model, ref, results, unfolding.nodes, reading) for ref in leaves(model.outputs)]


def _mask(
    model: Model,
    argument: str,
    stated: list[Ref | None] | Ref,
    results: dict[Any, Any],
    nodes: list[Node],
    reading: Reading,
) -> CallMask:
    several = isinstance(stated, list)
    refs = stated if isinstance(stated, list) else [stated]
    taps = (None if ref is None else _tap(model, ref, results, nodes, reading) for ref in refs)
    return CallMask(argument, tuple(taps), several)


def _tap(model: Model, ref: Ref, results: dict[Any, Any], nodes: list[Node], reading: Reading) -> Tap | None:
    member = _known(model, ref, reading)
    if member is None:
        return None
    result = results.get((ref.member, ref.call))
    if isinstance(result, int):
        if ref.output and type(nodes[result].layer).output_shapes is Layer.output_shapes:
            reading.fault(ref.path, f"output number {ref.output} of {ref.member!r}, which has one")
            return None
        return Tap(result, ref.output)
    if isinstance(result, list):
        if ref.output < len(result):
            return result[ref.output]  # type: ignore[no-any-return]
        reading.fault(ref.path, f"output number {ref.output} of {ref.member!r}, which has {len(result)}")
    return None


def _ordered(model: Model, reading: Reading) -> Iterator[tuple[Member, int, Call]]:
    """All calls, each after the calls that it reads, otherwise in the order of the file."""
    calls = [(m, n, c) for m in model.members.values() for n, c in enumerate(m.calls)]
    index = {(m.name, n): i for i, (m, n, _) in enumerate(calls)}
    parents = [[index[key] for r in _read(c) if (key := (r.member, r.call)) in index] for _, _, c in calls]
    order = topological_order(parents)
    if len(order) < len(calls):
        loop = cycle(parents)
        shown = shown_cycle([repr(calls[i][0].name) for i in loop])
        reading.fault(calls[loop[0]][2].path, f"these layers form a cycle: {shown}")
    for i in order:
        yield calls[i]


def _read(call: Call) -> Iterator[Ref]:
    """The tensors that a call needs: its inputs, and its masks."""
    yield from call.inputs
    for stated in call.masks.values():
        yield from (r for r in (stated if isinstance(stated, list) else [stated]) if r is not None)
