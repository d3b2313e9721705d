"""Keras's dtypes: their sizes, and the dtype of a result by type promotion."""

from __future__ import annotations

BYTES = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
}


# names that numpy and TensorFlow accept, and the earlier generations of Keras wrote
_SYNONYMS = {"float": "float32", "double": "float64", "half": "float16", "int": "int64"}


def canonical(name: str) -> str:
    """The dtype by the name that Keras 3 gives it."""
    return _SYNONYMS.get(name, name)


def floating(dtype: str) -> bool:
    """Whether this is a floating-point type."""
    return "float" in dtype


def promoted(*dtypes: str) -> str:
    """The common type of all these types, by Keras's type promotion.

    A floating type takes precedence over integers, integers over truth values, and the wider type
    over the narrower; if neither of two types contains the other, the result is the next type that
    contains both. A type that is not in `BYTES` (complex numbers, strings) is returned unchanged.
    """
    kinds = dict.fromkeys(dtypes)
    if foreign := [d for d in kinds if d not in BYTES]:
        return foreign[0]
    floats = [d for d in kinds if floating(d)]
    signed = [d for d in kinds if d.startswith("int")]
    unsigned = [d for d in kinds if d.startswith("uint")]
    if {"float16", "bfloat16"} <= {*floats}:
        floats.append("float32")
    if signed and unsigned:
        signed.append(f"int{min(64, 16 * max(map(BYTES.__getitem__, unsigned)))}")
    return max(floats or signed or unsigned or ["bool"], key=BYTES.__getitem__)
