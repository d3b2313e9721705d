"""Writes archcalc/data/applications.json.xz: the configuration of every network of keras.applications.

    python scripts/generate_applications.py [--output PATH]

Needs the `keras` extra; takes about two minutes, because every network is built once. The file holds a
line of JSON with the Keras version and the span of each configuration, and then the configurations.
`keras.models.model_from_json` still reads them; arguments that repeat a default, and records that only
serve a loaded model (build and compile), are left out.
"""

from __future__ import annotations

import argparse
import inspect
import json
import lzma
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

OUTPUT = Path(__file__).parent.parent / "archcalc" / "data" / "applications.json.xz"

# records of a live model, and what every entry repeats
DROPPED = frozenset({"build_config", "compile_config", "registered_name"})
FLOAT32 = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}


def constructors() -> dict[str, Any]:
    """The functions of keras.applications that build a network, by name."""
    return {
        name: constructor
        for name, constructor in sorted(vars(keras.applications).items())
        if inspect.isfunction(constructor) and name[0].isupper()
    }


def stripped(value: Any) -> Any:
    """A configuration without what Keras would assume anyway."""
    if isinstance(value, list | tuple):
        return [stripped(v) for v in value]
    if not isinstance(value, dict):
        return value
    entries = {k: stripped(v) for k, v in value.items() if k not in DROPPED and v != FLOAT32}
    if value.get("class_name") == "__keras_tensor__" or "class_name" in value:
        return entries
    # inside a layer's arguments None and trainable=True are always defaults
    return {k: v for k, v in entries.items() if not (v is None or (k == "trainable" and v is True))}


def configuration(name: str) -> str:
    """The stripped configuration of one network at its defaults, as JSON."""
    keras.backend.clear_session()
    model = constructors()[name](weights=None)
    return json.dumps(stripped(json.loads(model.to_json())), separators=(",", ":"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output: Path = parser.parse_args().output
    texts = {name: configuration(name) for name in constructors()}
    positions: dict[str, tuple[int, int]] = {}
    start = 0
    for name, text in texts.items():
        positions[name] = (start, len(text))
        start += len(text)
    header = json.dumps({"keras_version": keras.__version__, "configurations": positions})
    plain = "\n".join([header, "".join(texts.values())]).encode("ascii")
    packed = lzma.compress(plain, preset=9 | lzma.PRESET_EXTREME)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(packed)
    print(f"{output}: {len(texts)} networks, {len(plain):,} bytes, packed {len(packed):,}")


if __name__ == "__main__":
    main()
