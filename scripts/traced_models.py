"""Networks of kimm and KerasHub, built live and traced, against Keras's own counts.

    python -m scripts.traced_models [--verify N] [-o FILE] [NAME ...]

Needs `pip install kimm==0.2.5 keras-hub==0.32.0` beside archcalc's extra `keras`. The models are built in
`keras.StatelessScope(initialize_variables=False)`, so that no weights are allocated. Compared are parameters,
trainable parameters, and the output shape of every layer of the model itself that has a row of its name;
`--verify N` runs `archcalc.verify` on the traced network, with the gradients of N layers. Prints a table in
Markdown; docs/evidence/traced-models.md holds it.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import keras
import kimm
from keras import KerasTensor

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.keras import from_keras
from archcalc.layers.opaque import Opaque
from archcalc.report.verification import AGREES

_KIMM = (
    *("ConvMixer736D32", "ConvNeXtAtto", "DenseNet121", "EfficientNetB0", "EfficientNetLiteB0"),
    *("EfficientNetV2B0", "GhostNetW050", "GhostNetV2W100", "GhostNetV3W050", "HGNetTiny", "HGNetV2B0"),
    *("InceptionNeXtTiny", "InceptionV3", "LCNet035", "MobileNetV2W050", "MobileNetV3W050Small"),
    *("MobileNetV3W100LargeMinimal", "MobileOneS0", "MobileViTXXS", "MobileViTV2W050", "RegNetX002"),
    *("RegNetY002", "RepVGGA0", "ResNet18", "TinyNetE", "VGG11", "VisionTransformerTiny32", "Xception"),
)

_TEXT = {"vocabulary_size": 100, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
_TOKENS = (8,)  # the length of a text
_DECODER = {
    "vocabulary_size": 100,
    "num_layers": 2,
    "num_query_heads": 4,
    "num_key_value_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 32,
}
_HUB: dict[str, dict[str, Any]] = {
    "AlbertBackbone": {**_TEXT, "num_groups": 1, "embedding_dim": 8, "max_sequence_length": 12},
    "BartBackbone": {**_TEXT, "max_sequence_length": 12},
    "BertBackbone": {**_TEXT, "max_sequence_length": 12},
    "BloomBackbone": {**_TEXT},
    "DebertaV3Backbone": {**_TEXT, "max_sequence_length": 12, "bucket_size": 4},
    "DistilBertBackbone": {**_TEXT, "max_sequence_length": 12},
    "ElectraBackbone": {
        **{k: v for k, v in _TEXT.items() if k != "vocabulary_size"},
        "vocab_size": 100,
        "embedding_dim": 8,
        "max_sequence_length": 12,
    },
    "FNetBackbone": {**{k: v for k, v in _TEXT.items() if k != "num_heads"}, "max_sequence_length": 12},
    "FalconBackbone": {**{k: v for k, v in _TEXT.items() if k != "num_heads"}, "num_attention_heads": 2},
    "GPT2Backbone": {**_TEXT, "max_sequence_length": 12},
    "GPTNeoXBackbone": {**_TEXT, "max_sequence_length": 12},
    "GemmaBackbone": {**_DECODER, "head_dim": 4},
    "LlamaBackbone": {**_DECODER},
    "MistralBackbone": {**_DECODER, "sliding_window": 8},
    "MiTBackbone": {
        "layerwise_depths": [1, 1],
        "num_layers": 2,
        "layerwise_num_heads": [1, 2],
        "layerwise_sr_ratios": [2, 1],
        "max_drop_path_rate": 0.1,
        "layerwise_patch_sizes": [7, 3],
        "layerwise_strides": [4, 2],
        "image_shape": (32, 32, 3),
        "hidden_dims": [8, 16],
    },
    "OPTBackbone": {**_TEXT, "max_sequence_length": 12},
    "Phi3Backbone": {**_DECODER},
    "QwenBackbone": {**_DECODER},
    "RobertaBackbone": {**_TEXT, "max_sequence_length": 12},
    "T5Backbone": {**_TEXT},
    "ViTBackbone": {
        "image_shape": (32, 32, 3),
        "patch_size": 8,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 16,
        "mlp_dim": 32,
    },
    "WhisperBackbone": {
        **_TEXT,
        "num_mels": 8,
        "max_encoder_sequence_length": 16,
        "max_decoder_sequence_length": 12,
    },
    "XLNetBackbone": {
        "vocabulary_size": 100,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 16,
        "intermediate_dim": 32,
    },
}


class Row(NamedTuple):
    """One network: Keras's counts and archcalc's, and how it was read."""

    name: str
    parameters: int
    agrees: bool
    layers: int
    rows: int
    macs: str
    untraced: list[str]
    seconds: float
    verified: str


def models(names: list[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The name of each network and the function that builds it."""
    for name in _KIMM:
        if not names or name in names:
            yield f"kimm {name}", lambda name=name: getattr(kimm.models, name)(weights=None)  # type: ignore[misc]
    import keras_hub

    for name, arguments in _HUB.items():
        if not names or name in names:
            build = getattr(keras_hub.models, name)
            yield f"keras-hub {name}", lambda build=build, a=arguments: build(**a)  # type: ignore[misc]


def measure(name: str, build: Callable[[], Any], sample: int | None) -> Row:
    """The row of one network; raises what building and tracing it raise."""
    with keras.StatelessScope(initialize_variables=False):
        model = build()
    start = time.process_time()
    graph = from_keras(
        model, input_shape=_TOKENS if name.startswith("keras-hub") and _is_text(model) else None
    )
    seconds = time.process_time() - start
    report = archcalc.analyze(graph)
    counts = (
        [math.prod(w.shape) for w in model.weights],
        [math.prod(w.shape) for w in model.trainable_weights],
    )
    totals = [report.totals.parameters, report.totals.trainable_parameters]
    shapes = [(n, s) for n, s in _shapes(model) if n in report.layers]
    agrees = totals == list(map(sum, counts)) and all(
        _same(report.layers[n].output_shapes[0], shape) for n, shape in shapes
    )
    untraced = [f"{n.name}: {n.layer.reason}" for n in graph.nodes if isinstance(n.layer, Opaque)]
    macs = report.totals.macs
    written = (
        "unknown" if isinstance(macs, Unknown) else f"{macs:,}" if isinstance(macs, int) else "closed form"
    )
    verified = _verified(graph, sample) if sample else ""
    return Row(
        name, sum(counts[0]), agrees, len(shapes), len(graph.nodes), written, untraced, seconds, verified
    )


def _is_text(model: Any) -> bool:
    """Whether every input is a sequence of tokens of an open length."""
    return all(tuple(x.shape) == (None, None) for x in model.inputs)


def _shapes(model: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The output shape of each layer of the model that has one output."""
    for layer in model.layers:
        output = getattr(layer, "output", None) if len(layer._inbound_nodes) == 1 else None
        if isinstance(output, KerasTensor):
            yield layer.name, tuple(output.shape[1:])


def _same(shape: tuple[Any, ...], stated: tuple[Any, ...]) -> bool:
    return len(shape) == len(stated) and all(
        m is None or type(n) is not int or n == m for n, m in zip(shape, stated, strict=True)
    )


def _verified(graph: Graph, sample: int) -> str:
    symbols = {name: 32 if name in "HW" else 8 for name in graph.symbols}
    checks = archcalc.verify(graph, sample=sample, symbols=symbols).checks
    verdicts = Counter(check.verdict for check in checks)
    for check in checks:
        if check.verdict != AGREES:
            figures = f"{check.predicted!s:.60} for {check.measured!s:.60}"
            what = f"{check.verdict}: {check.what} of {check.layer}: {check.reason} ({figures})"
            print(f"    {what}", file=sys.stderr)
    return ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())


def write(rows: Iterator[Row], out: TextIO) -> int:
    """Write the table; the number of networks that differ."""
    columns = (
        "network",
        "parameters",
        "agree",
        "layers",
        "rows",
        "multiply-adds",
        "untraced",
        "CPU s",
        "checks",
    )
    print(f"| {' | '.join(columns)} |", file=out)
    print(f"|{'---|' * 9}", file=out)
    differ = 0
    for row in rows:
        differ += not row.agrees
        cells = (
            row.name, f"{row.parameters:,}", "yes" if row.agrees else "NO", row.layers, row.rows, row.macs,
            len(row.untraced), f"{row.seconds:.1f}", row.verified,
        )  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |", file=out, flush=True)
        for text in dict.fromkeys(text.split(": ", 1)[1] for text in row.untraced):
            print(f"    {row.name}: {text}", file=sys.stderr)
    return differ


def _measured(names: list[str], sample: int | None) -> Iterator[Row]:
    for name, build in models(names):
        try:
            yield measure(name, build, sample)
        except Exception as fault:  # of packages that this script does not know
            import traceback

            traceback.print_exc()
            print(f"{name}: {type(fault).__name__}: {' '.join(str(fault).split())[:300]}", file=sys.stderr)


def main() -> int:
    """Print the table; the exit code is 1 if a network differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--verify", type=int, metavar="N", help="verify with the gradients of N layers")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    rows = _measured(given.names, given.verify)
    if given.output is None:
        return int(write(rows, sys.stdout) > 0)
    with given.output.open("w", encoding="utf-8") as file:
        return int(write(rows, file) > 0)


if __name__ == "__main__":
    sys.exit(main())
