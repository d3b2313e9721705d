"""Low-rank adapters (LoRA) of a layer's main weight, and refusal of quantised dtype policies.

Source: Hu et al. 2021 (arXiv 2106.09685); Keras's `enable_lora`.
"""

from __future__ import annotations

from typing import Any

from archcalc.arith import Size
from archcalc.errors import LayerError
from archcalc.layers.base import Weight
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


def refuse_quantized(dtype: Any) -> None:
    """Raise `LayerError` for a dtype policy that stores packed weights and their scales."""
    name = str(dtype.get("config", {}).get("name", "")) if isinstance(dtype, dict) else str(dtype)
    if "_from_" in name:
        raise LayerError(f"dtype={name!r}: quantised weights are not counted; give the plain dtype")
