"""Constructor arguments of layers, as a spec writes them: one pydantic model per layer type.

The models are derived from the layer classes, and only for the types that a spec uses: building a
union of all of them takes longer than reading most specs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    create_model,
)

from archcalc.errors import LayerError
from archcalc.layers import registry
from archcalc.layers.base import Layer
from archcalc.layers.fields import Kind
from archcalc.layers.inner import InnerKind, inner_of
from archcalc.layers.refusals import REFUSALS
from archcalc.readers.counterparts import argument_hint, meant_argument, type_hint
from archcalc.readers.names import show
from archcalc.readers.spec.sizes import Sizes

Misfit = tuple[str | None, str]  # an argument (None: several of them together) and what is wrong with it


def layer_type(name: str) -> type[Layer] | None:
    """The layer class, or operation (`ops.add`), of this name.

    Raises `LayerError` for one of another package that cannot be imported.
    """
    return registry.layer_type(name) or registry.operation_type(name)


def type_names() -> list[str]:
    """Every type that a spec may name. Inputs are declared in their own section."""
    return [name for name in registry.type_names() if name != "InputLayer"]


def refused(name: str) -> str:
    """Why archcalc has no rule for a class of Keras, and what to do instead."""
    return f"{REFUSALS[name].described(name)}, has no rule; {REFUSALS[name].remedy}"


def keys(cls: type[Layer]) -> list[str]:
    """The keys of a layer's arguments in a spec, in the order of declaration."""
    return [cls.spec_key(f.name) for f in dataclasses.fields(cast(Any, cls))]


def build(cls: type[Layer], arguments: Mapping[str, Any], sizes: Sizes) -> Layer | list[Misfit]:
    """The layer with these arguments, or everything that is wrong with them.

    Raises `UndecidedError` where the value of a symbol decides whether the arguments are valid.
    """
    model = _model(cls)
    try:
        validated = model.model_validate(arguments, context=sizes)
    except ValidationError as problem:
        return list(_misfits(cls, problem.errors(include_url=False, include_context=True)))
    try:
        return cls(**{name[len(_PREFIX) :]: getattr(validated, name) for name in validated.model_fields_set})
    except LayerError as fault:
        return [(None, str(fault))]


def normalised(cls: type[Layer], key: str, value: Any, sizes: Sizes) -> Any:
    """One argument as the layer would hold it; raises `ValueError`."""
    name = cls.spec_names.get(key, key)
    kind = cls.kinds.get(name)
    return value if kind is None else _checked(value, kind, cls.rank, sizes)


# pydantic's models have attributes of their own, so the names of fields get a prefix
_PREFIX = "argument_"


@cache
def _model(cls: type[Layer]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for f in dataclasses.fields(cast(Any, cls)):
        required = f.default is dataclasses.MISSING
        annotation = Annotated[Any, AfterValidator(_validator(cls.kinds.get(f.name), cls.rank))]
        alias = cls.spec_key(f.name)
        fields[_PREFIX + f.name] = (annotation, Field(alias=alias) if required else Field(None, alias=alias))
    model: type[BaseModel] = create_model(
        f"{cls.__name__}Arguments",
        __config__=ConfigDict(extra="forbid"),
        **fields,
    )
    return model


def _validator(kind: Kind | None, rank: int) -> Any:
    def validate(value: Any, info: ValidationInfo) -> Any:
        return value if kind is None else _checked(value, kind, rank, cast(Sizes, info.context))

    return validate


def _checked(value: Any, kind: Kind, rank: int, sizes: Sizes) -> Any:
    if isinstance(kind, InnerKind):
        value = _inner(value, sizes)
    if kind.holds_sizes:
        value = sizes(value, getattr(kind, "choices", ()))
    return kind.normalise(value, rank)


def _inner(value: Any, sizes: Sizes) -> Any:
    """Layers inside an argument, `{"type": ...}`, constructed; raises `ValueError` with all that is wrong."""
    if isinstance(value, list):
        return [_inner(v, sizes) for v in value]
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return value
    kind, name = value["type"], value.get("name")
    if kind in REFUSALS:
        raise ValueError(refused(kind))
    cls = registry.layer_type(kind)
    if cls is None:
        raise ValueError(f"no layer type {show(kind)}{type_hint(kind, type_names())}")
    if name is not None and (not isinstance(name, str) or not name or "/" in name):
        raise ValueError(f"expected a name without '/', got {show(name)}")
    built = build(cls, {k: v for k, v in value.items() if k not in ("type", "name")}, sizes)
    if isinstance(built, Layer):
        return inner_of(built, name)
    raise ValueError(
        "; ".join(f"{kind}: {text}" if key is None else f"{kind}.{key}: {text}" for key, text in built)
    )


def _misfits(cls: type[Layer], errors: Sequence[Any]) -> Iterator[Misfit]:
    known = [*keys(cls), "name", "type", "inputs", "masks"]
    unknown = [str(error["loc"][0]) for error in errors if error["type"] == "extra_forbidden"]
    meant = {key: meant_argument(key, known) for key in unknown}
    for error in errors:
        key = str(error["loc"][0])
        match error["type"]:
            case "missing":
                if key not in meant.values():  # which is there, under another name
                    yield None, f'{cls.__name__} needs "{key}"'
            case "extra_forbidden":
                yield key, f"{cls.__name__} has no argument {show(key)}{argument_hint(key, meant[key])}"
            case "value_error":
                yield key, str(error["ctx"]["error"])
            case _:
                yield key, str(error["msg"])
