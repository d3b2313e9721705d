"""Networks drawn at random, nine kinds of them, whose memory grows with the batch for the larger part.

`SEED` was written down before any of them was measured. A step holds 100 to 400 MiB, so that
TensorFlow's own few MiB weigh little and a step takes seconds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

SEED = 20261129
EACH = 5  # networks of each kind
MIB = 2**20

Entry = dict[str, Any]


class Drawn(NamedTuple):
    """A network as a spec, the samples of a step and the dtype policy."""

    name: str
    spec: Mapping[str, Any]
    batch: int
    dtype: str = "float32"


class _Spec:
    """A spec that is being drawn."""

    def __init__(self, choose: random.Random, *shape: int) -> None:
        self.choose = choose
        self.shape = shape
        self.layers: list[Entry] = []

    def add(self, kind: str, /, **arguments: Any) -> str:
        name = f"l{len(self.layers)}"
        self.layers.append({"name": name, "type": kind, **arguments})
        return name

    def activation(self) -> str:
        return self.choose.choice(["relu", "relu", "relu", "tanh", "gelu", "silu", "elu"])

    def head(self, units: int = 10) -> None:
        self.add("Dense", units=units)

    def done(self) -> dict[str, Any]:
        return {"archcalc": 1, "inputs": {"x": list(self.shape)}, "layers": self.layers}


def _cnn(choose: random.Random, **frozen: Any) -> dict[str, Any]:
    """Stages of convolutions of several types, with or without normalisation, and pooling between them."""
    s = _Spec(choose, *[choose.choice([32, 48, 64])] * 2, 3)
    width = choose.choice([8, 16, 24])
    normalised = choose.random() < 0.5
    separable = choose.random() < 0.3
    for stage in range(choose.randint(2, 3)):
        for _ in range(choose.randint(1, 3)):
            kind = "SeparableConv2D" if separable and stage else "Conv2D"
            act = {} if normalised else {"activation": s.activation()}
            s.add(
                kind, filters=width, kernel_size=choose.choice([1, 3, 3, 5]), padding="same", **act, **frozen
            )
            if normalised:
                s.add("BatchNormalization", **frozen)
                s.add("ReLU")
        if choose.random() < 0.5:
            s.add(choose.choice(["MaxPooling2D", "AveragePooling2D"]), pool_size=2)
        else:
            s.add(
                "Conv2D", filters=width, kernel_size=3, strides=2, padding="same", activation="relu", **frozen
            )
        if choose.random() < 0.3:
            s.add("Dropout", rate=0.3)
        width *= 2
    s.add(choose.choice(["GlobalAveragePooling2D", "Flatten"]))
    s.head()
    return s.done()


def _unet(choose: random.Random) -> dict[str, Any]:
    """Down and up again with skip connections, by transposed convolutions or interpolation."""
    s = _Spec(choose, *[choose.choice([32, 64, 96])] * 2, choose.choice([1, 3]))
    width, depth = choose.choice([8, 12, 16]), choose.randint(2, 3)
    normalised = choose.random() < 0.4
    up = choose.choice(["Conv2DTranspose", "nearest", "bilinear"])

    def block(filters: int) -> str:
        for _ in range(2):
            s.add(
                "Conv2D",
                filters=filters,
                kernel_size=3,
                padding="same",
                activation=None if normalised else "relu",
            )
            if normalised:
                s.add("BatchNormalization")
                s.add("Activation", activation="relu")
        return str(s.layers[-1]["name"])

    skips = []
    for level in range(depth):
        skips.append(block(width * 2**level))
        s.add("MaxPooling2D", pool_size=2)
    block(width * 2**depth)
    for level in reversed(range(depth)):
        if up == "Conv2DTranspose":
            last = s.add("Conv2DTranspose", filters=width * 2**level, kernel_size=2, strides=2)
        else:
            last = s.add("UpSampling2D", size=2, interpolation=up)
        s.add("Concatenate", inputs=[skips[level], last])
        block(width * 2**level)
    s.add("Conv2D", filters=1, kernel_size=1, activation="sigmoid")
    return s.done()


def _attention(choose: random.Random) -> dict[str, Any]:
    """Blocks of a transformer, before or after normalisation."""
    steps, width = choose.choice([96, 128, 256]), choose.choice([32, 64, 96])
    heads = choose.choice([2, 4, 8])
    s = _Spec(choose, steps, width)
    dropout = choose.choice([0.0, 0.0, 0.1])
    before = choose.random() < 0.5
    x = "x"
    for _ in range(choose.randint(1, 3)):
        inside = s.add("LayerNormalization", inputs=[x]) if before else x
        y = s.add(
            "MultiHeadAttention",
            num_heads=heads,
            key_dim=width // heads,
            dropout=dropout,
            inputs=[inside, inside],
        )
        x = s.add("Add", inputs=[x, y])
        x = x if before else s.add("LayerNormalization")
        inside = s.add("LayerNormalization", inputs=[x]) if before else x
        s.add(
            "Dense",
            units=width * choose.choice([2, 4]),
            activation=choose.choice(["gelu", "relu"]),
            inputs=[inside],
        )
        y = s.add("Dense", units=width)
        x = s.add("Add", inputs=[x, y])
        x = x if before else s.add("LayerNormalization")
    s.add("GlobalAveragePooling1D")
    s.head()
    return s.done()


def _recurrent(choose: random.Random) -> dict[str, Any]:
    """One to three recurrences, over a sequence or over frames."""
    if choose.random() < 0.2:
        s = _Spec(choose, choose.choice([4, 8]), 24, 24, 4)
        s.add("ConvLSTM2D", filters=8, kernel_size=3, padding="same", return_sequences=choose.random() < 0.5)
        s.add("Flatten")
        s.head()
        return s.done()
    s = _Spec(choose, choose.choice([24, 48, 96]), choose.choice([16, 32, 64]))
    count = choose.randint(1, 3)
    for i in range(count):
        kind, units = choose.choice(["LSTM", "LSTM", "GRU", "GRU", "SimpleRNN"]), choose.choice([32, 64, 96])
        again = i < count - 1 or choose.random() < 0.5
        if choose.random() < 0.3:
            s.add("Bidirectional", layer={"type": kind, "units": units, "return_sequences": again})
        else:
            s.add(kind, units=units, return_sequences=again)
    s.head()
    return s.done()


def _one_d(choose: random.Random) -> dict[str, Any]:
    """Convolutions over time: dilated, causal or strided, with residual connections or without."""
    s = _Spec(choose, choose.choice([256, 512, 1024]), choose.choice([4, 8, 16]))
    width = choose.choice([16, 32, 48])
    causal, residual = choose.random() < 0.5, choose.random() < 0.5
    x = s.add("Conv1D", filters=width, kernel_size=1)
    for i in range(choose.randint(2, 5)):
        y = s.add(
            "Conv1D", filters=width, kernel_size=choose.choice([3, 5]),
            padding="causal" if causal else "same", dilation_rate=2**i if causal else 1, activation="relu",
        )  # fmt: skip
        if choose.random() < 0.5:
            y = s.add(choose.choice(["BatchNormalization", "LayerNormalization"]))
        x = s.add("Add", inputs=[x, y]) if residual else y
        if choose.random() < 0.3:
            x = s.add(choose.choice(["MaxPooling1D", "AveragePooling1D"]), pool_size=2)
    s.add("GlobalAveragePooling1D")
    s.head()
    return s.done()


def _local(choose: random.Random) -> dict[str, Any]:
    """Locally connected layers, in each of Keras's implementations."""
    if choose.random() < 0.5:
        s = _Spec(choose, *[choose.choice([16, 20, 24])] * 2, choose.choice([3, 6]))
        kind = "LocallyConnected2D"
    else:
        s = _Spec(choose, choose.choice([96, 160]), choose.choice([6, 12]))
        kind = "LocallyConnected1D"
    for _ in range(choose.randint(1, 2)):
        s.add(
            kind, filters=choose.choice([8, 12, 16]), kernel_size=3,
            implementation=choose.choice([1, 1, 3]), activation=choose.choice(["relu", "tanh", "sigmoid"]),
        )  # fmt: skip
    s.add("Flatten")
    s.head()
    return s.done()


def _shared(choose: random.Random) -> dict[str, Any]:
    """The same layers called several times."""
    width, calls = choose.choice([16, 24, 32]), choose.randint(3, 8)
    dense = choose.random() < 0.4
    s = _Spec(choose, choose.choice([128, 256]), width) if dense else _Spec(choose, 32, 32, 3)
    kind: Entry = {"type": "Dense", "units": width} if dense else {
        "type": "Conv2D", "filters": width, "kernel_size": 3, "padding": "same"
    }  # fmt: skip
    s.add("Dense", units=width)
    first = s.add(kind.pop("type"), activation="relu", **kind)
    for _ in range(calls):
        s.layers.append({"name": f"l{len(s.layers)}", "shared_with": first})
        if choose.random() < 0.3:
            s.add("BatchNormalization")
    s.add("GlobalAveragePooling1D" if dense else "GlobalAveragePooling2D")
    s.head()
    return s.done()


def _frozen(choose: random.Random) -> dict[str, Any]:
    """A backbone that is not trained, and a head that is."""
    spec = _cnn(choose, trainable=False)
    if choose.random() < 0.5:  # two trained layers
        spec["layers"].insert(-1, {"name": "hidden", "type": "Dense", "units": 32, "activation": "relu"})
    return spec


def _half(choose: random.Random) -> dict[str, Any]:
    """Small networks for a mixed policy."""
    return choose.choice([_cnn, _one_d, _attention, _unet])(choose)


KINDS: Mapping[str, Callable[[random.Random], dict[str, Any]]] = {
    "cnn": _cnn, "unet": _unet, "attention": _attention, "recurrent": _recurrent, "one_d": _one_d,
    "local": _local, "shared": _shared, "frozen": _frozen, "half": _half,
}  # fmt: skip


def networks(seed: int = SEED) -> Iterator[Drawn]:
    """All of them, with batches for which the tensors of all layers are 100 to 130 MiB."""
    import archcalc

    for number in range(EACH):
        for kind, draw in KINDS.items():
            choose = random.Random(f"{seed}/{kind}/{number}")
            dtype = choose.choice(["mixed_float16", "mixed_bfloat16"]) if kind == "half" else "float32"
            while True:
                spec = draw(choose)
                totals = archcalc.analyze(archcalc.load(spec), dtype=dtype).totals
                steps = spec["inputs"]["x"][0]
                units = totals.activation_bytes + sum(_inside(layer, steps) for layer in spec["layers"])
                batch = math.ceil(choose.uniform(100, 130) * MIB / units)
                if batch > 1 and 4 * totals.weight_bytes < units * batch:
                    break
            yield Drawn(f"{kind}{number}", spec, batch, dtype)


def _inside(layer: Entry, steps: int) -> int:
    """Roughly, the bytes of one sample inside a layer: scores of attention, gates of a recurrence."""
    layer = layer.get("layer", layer)
    match layer.get("type"):
        case "MultiHeadAttention":
            return 4 * 2 * int(layer["num_heads"]) * steps**2
        case "LSTM" | "GRU" | "SimpleRNN":
            return 4 * 6 * int(layer["units"]) * steps
    return 0
