"""Low-rank adapters (LoRA) of a layer's main weight, and refusal of quantised dtype policies.

Source: Hu et al. 2021 (arXiv 2106.09685); Keras's `enable_lora`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archcalc.arith import Size
from archcalc.errors import LayerError
from archcalc.layers.base import Weight
from archcalc.layers.fields import FieldError, Kind, RealKind, size
from archcalc.layers.primitives import Adapter


def adapted(rank: Size | None, main: Weight, *others: Weight) -> tuple[Weight, ...]:
    """The weights with a LoRA adapter of this rank: the main weight is frozen, two factors are added."""
    if rank is None:
        return (main, *others)
    return (
        main._replace(trainable=False),
        *others,
        Weight(f"lora_{main.name}_a", (*main.shape[:-1], rank), initializer="he_uniform"),
        Weight(f"lora_{main.name}_b", (rank, main.shape[-1]), initializer="zeros"),
    )


def adapter(rank: Size | None, alpha: Any) -> Adapter | None:
    """The adapter of a weight as a part of primitives; None without a rank."""
    return None if rank is None else Adapter(alpha, rank)


class AdaptersKind(Kind):
    """Adapters by the name of the part they adapt: `{"query": 4}`, or with Keras's alpha where it is another
    than the rank, `{"query": {"rank": 4, "alpha": 8}}`; None without any.
    """

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None:
            return None
        if not isinstance(value, Mapping) or not set(value) <= set(self.parts):
            known = ", ".join(self.parts)
            raise FieldError(f'expected ranks for some of {known}, as in {{"query": 4}}, got {value!r:.60}')
        return {k: self._one(v) for k, v in value.items()} or None

    def _one(self, value: Any) -> Any:
        stated = value if isinstance(value, Mapping) else {"rank": value}
        if not {"rank"} <= set(stated) <= {"rank", "alpha"}:
            raise FieldError(f"expected a rank, or a rank and an alpha, got {value!r:.60}")
        rank, alpha = size(stated["rank"], 1, "a positive integer"), stated.get("alpha")
        RealKind(optional=True).normalise(alpha, 0)
        return rank if alpha in (None, rank) else {"rank": rank, "alpha": alpha}

    def schema(self, rank: int) -> dict[str, Any]:
        size = {"type": "integer", "minimum": 1}
        stated = {"rank": size, "alpha": {"type": ["number", "null"]}}
        one = {"type": "object", "properties": stated, "required": ["rank"], "additionalProperties": False}
        parts = {key: {"anyOf": [size, one]} for key in self.parts}
        return {"type": ["object", "null"], "properties": parts, "additionalProperties": False}


def refuse_quantized(dtype: Any) -> None:
    """Raise `LayerError` for a dtype policy that stores packed weights and their scales."""
    name = str(dtype.get("config", {}).get("name", "")) if isinstance(dtype, dict) else str(dtype)
    if "_from_" in name:
        raise LayerError(f"dtype={name!r}: quantised weights are not counted; give the plain dtype")
