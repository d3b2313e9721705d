"""From a Keras model to archcalc's graph: nested models are unfolded, every call becomes a node."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from archcalc.errors import Fault, SourceError
from archcalc.graph import Graph, Node, Tap, topological_order
from archcalc.layers.base import Layer
from archcalc.layers.keras_names import from_keras_name
from archcalc.readers.keras.model import Call, Member, Model, Ref, leaves
from archcalc.readers.keras.reading import Reading
from archcalc.readers.limits import WRITTEN_A_LAYER

# nested models may be used without adding a layer, so what is walked through has a cap of its own
STEPS_A_LAYER = 10


@dataclass
class _Unfolding:
    reading: Reading
    nodes: list[Node] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)  # and how often each was asked for
    owners: dict[Any, int] = field(default_factory=dict)  # an object's identity -> the node of its first call
    orders: dict[int, list[tuple[Member, int, Call]]] = field(default_factory=dict)  # of each model's calls
    inputs: int = 0
    steps: int = 0
    characters: int = 0

    def add(self, name: str, layer: Layer, inputs: tuple[Tap, ...], identity: Any, *, frozen: bool) -> int:
        if len(self.nodes) - self.inputs >= self.reading.max_layers:
            self._refuse()
        self.characters += len(name)
        if self.characters > WRITTEN_A_LAYER * max(self.reading.max_layers, 10_000):
            text = "names are too long once nested models are unfolded"
            raise SourceError(self.reading.source, [Fault("$", text)])
        if frozen and layer.trainable:
            layer = dataclasses.replace(layer, trainable=False)
        owner = self.owners.setdefault(identity, len(self.nodes))
        self.nodes.append(
            Node(self._unique(name), layer, inputs, None if owner == len(self.nodes) else owner)
        )
        return len(self.nodes) - 1

    def step(self, count: int) -> None:
        """Note work that adds no layer by itself."""
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
        found = name
        while found in self.names:
            self.names[name] += 1
            found = f"{name}[{self.names[name]}]"
        self.names[found] = 1
        return found


def unfold(model: Model, reading: Reading, kind: str) -> Graph | None:
    """The graph of a model; faults and None where its calls do not fit together."""
    unfolding = _Unfolding(reading)
    given: list[Tap | None] = []
    inputs: list[int] = []
    for ref in leaves(model.inputs):
        member = model.members.get(ref.member)
        if member is None or member.kind != "input":
            reading.fault(ref.path, f"{ref.member!r} is no input of this model")
            given.append(None)
        elif member.layer is None:
            given.append(None)
        else:
            unfolding.inputs += 1  # they come on top of the layers
            inputs.append(
                unfolding.add(from_keras_name(member.name), member.layer, (), member.name, frozen=False)
            )
            given.append(Tap(inputs[-1]))
    if reading.faults:
        _check(model, reading)
        return None
    outputs = _model(unfolding, model, given, "", (), frozen=model.frozen)
    if reading.faults:
        return None
    return Graph(
        name=from_keras_name(model.name),
        nodes=tuple(unfolding.nodes),
        inputs=tuple(inputs),
        outputs=tuple(t for t in outputs if t is not None),
        symbols=dict(reading.open_symbols),
        source=reading.source,
        format=kind,
    )


def _check(model: Model, reading: Reading) -> None:
    """References that lead nowhere, in a model that has other faults too."""
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


def _model(
    unfolding: _Unfolding,
    model: Model,
    given: list[Tap | None],
    prefix: str,
    identity: tuple[Any, ...],
    *,
    frozen: bool,
) -> list[Tap | None]:
    """Add the nodes of one use of a model; its outputs. `identity` tells uses of the same model apart.

    `frozen`: the model as a whole is not trainable. In Keras 3 only that of the outermost
    model counts, because setting it sets every layer's own; in Keras 2 that of all around.
    """
    reading = unfolding.reading
    made: dict[tuple[str, int], list[Tap | None] | int | None] = {}
    for ref, tap in zip(leaves(model.inputs), given, strict=True):
        made[ref.member, 0] = [tap]
    unfolding.step(1 + len(given) + sum(1 for _ in leaves(model.outputs)))
    for member, number, call in unfolding.order(model):
        unfolding.step(1 + len(call.inputs))
        inputs = tuple(_tap(model, ref, made, unfolding.nodes, reading) for ref in call.inputs)
        whole = tuple(t for t in inputs if t is not None)
        if len(whole) < len(inputs):
            made[member.name, number] = None
            continue
        mine = (*identity, member.name) if member.shared_id is None else ("shared", member.shared_id)
        if member.model is not None:
            name = from_keras_name(member.name)
            name = name if number == 0 else f"{name}[{number + 1}]"
            inner = f"{prefix}{name}/"
            inside = frozen or (model.legacy and member.model.frozen)
            made[member.name, number] = _model(
                unfolding, member.model, list(inputs), inner, mine, frozen=inside
            )
        elif call.layer is not None:
            name = prefix + from_keras_name(member.name)
            made[member.name, number] = unfolding.add(name, call.layer, whole, mine, frozen=frozen)
    return [_tap(model, ref, made, unfolding.nodes, reading) for ref in leaves(model.outputs)]


def _tap(model: Model, ref: Ref, made: dict[Any, Any], nodes: list[Node], reading: Reading) -> Tap | None:
    member = _known(model, ref, reading)
    if member is None:
        return None
    found = made.get((ref.member, ref.call))
    if isinstance(found, int):
        if ref.output and type(nodes[found].layer).output_shapes is Layer.output_shapes:
            reading.fault(ref.path, f"output number {ref.output} of {ref.member!r}, which has one")
            return None
        return Tap(found, ref.output)
    if isinstance(found, list):
        if ref.output < len(found):
            return found[ref.output]  # type: ignore[no-any-return]
        reading.fault(ref.path, f"output number {ref.output} of {ref.member!r}, which has {len(found)}")
    return None


def _ordered(model: Model, reading: Reading) -> Iterator[tuple[Member, int, Call]]:
    """All calls so that none comes before what it reads; else in the order of the file."""
    calls = [(m, n, c) for m in model.members.values() for n, c in enumerate(m.calls)]
    place = {(m.name, n): i for i, (m, n, _) in enumerate(calls)}
    parents = [[place[key] for r in c.inputs if (key := (r.member, r.call)) in place] for _, _, c in calls]
    order = topological_order(parents)
    if len(order) < len(calls):
        stuck = sorted(set(range(len(calls))) - set(order))
        names = list(dict.fromkeys(calls[i][0].name for i in stuck))
        reading.fault(
            calls[stuck[0]][2].path,
            f"layers read one another in a circle: {', '.join(map(repr, names[:5]))}"
            + (", ..." if len(names) > 5 else ""),
        )
    for i in order:
        yield calls[i]
