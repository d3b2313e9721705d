"""Published counts of image models against archcalc's counts of the same models in Keras 3.

    python -m scripts.published_counts timm_counts.csv [-o FILE] [NAME ...]

The CSV file has the columns model, image_size, parameters_millions, gmacs and activations_millions, as in the
benchmark tables of timm (huggingface/pytorch-image-models), which were counted with fvcore in torch. The
models in Keras are those of kimm 0.2.5 (`pip install kimm==0.2.5`), with branches fused where kimm can, as
published. Parameters are trainable ones; multiply-adds and activations are compared in the convention
`fvcore`. Prints a table in Markdown, one row for each model and image size;
docs/evidence/published-counts.md explains the deviations.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import keras
import kimm
from keras import ops

import archcalc
from archcalc.analyses.shapes import Shapes, infer
from archcalc.arith import prod, total
from archcalc.conventions.counting import activations, flops
from archcalc.graph import Graph

# kimm's name -> timm's
_NAMES: list[tuple[str, str]] = [
    ("ConvMixer1024D20", "convmixer_1024_20_ks9_p14"),
    ("ConvMixer1536D20", "convmixer_1536_20"),
    ("ConvMixer736D32", "convmixer_768_32"),
    (r"ConvNeXt(\w+)", r"convnext_\1"),
    (r"DenseNet(\d+)", r"densenet\1"),
    (r"EfficientNetB(\d)", r"efficientnet_b\1"),
    (r"EfficientNetLiteB(\d)", r"efficientnet_lite\1"),
    (r"EfficientNetV2B(\d)", r"tf_efficientnetv2_b\1"),
    (r"EfficientNetV2(S|M|L|XL)", r"efficientnetv2_\1"),
    (r"GhostNetW(\d+)", r"ghostnet_\1"),
    (r"GhostNetV(\d)W(\d+)", r"ghostnetv\1_\2"),
    (r"HGNet(Base|Small|Tiny)", r"hgnet_\1"),
    (r"HGNetV2B(\d)", r"hgnetv2_b\1"),
    (r"InceptionNeXt(\w+)", r"inception_next_\1"),
    ("InceptionV3", "inception_v3"),
    (r"LCNet(\d+)", r"lcnet_\1"),
    (r"MobileNetV2W(110|120)", r"mobilenetv2_\1d"),
    (r"MobileNetV2W(\d+)", r"mobilenetv2_\1"),
    (r"MobileNetV3W(\d+)(Small|Large)Minimal", r"tf_mobilenetv3_\2_minimal_\1"),
    (r"MobileNetV3W(\d+)(Small|Large)", r"mobilenetv3_\2_\1"),
    (r"MobileOneS(\d)", r"mobileone_s\1"),
    (r"MobileViTV2W(\d+)", r"mobilevitv2_\1"),
    (r"MobileViT(S|XS|XXS)", r"mobilevit_\1"),
    (r"RegNet(X|Y)(\d+)", r"regnet\1_\2"),
    (r"RepVGG(A|B)(\d)", r"repvgg_\1\2"),
    (r"ResNet(\d+)", r"resnet\1"),
    (r"TinyNet(\w)", r"tinynet_\1"),
    (r"VGG(\d+)", r"vgg\1_bn"),
    (r"VisionTransformer(Tiny|Small|Base|Large)(\d+)", r"vit_\1_patch\2_224"),
    ("Xception", "legacy_xception"),
]


class Published(NamedTuple):
    """A row of the file: sizes in pixels, counts in millions, multiply-adds in billions."""

    model: str
    size: int
    parameters: float
    gmacs: float
    activations: float


class Counted(NamedTuple):
    """archcalc's figures of one model at one size, in units."""

    parameters: int
    macs: Any
    activations: Any


class Cause(NamedTuple):
    """Why the published table differs, and what it leaves out for that reason."""

    words: str
    macs: Any
    activations: Any


def published_name(name: str) -> str:
    """Timm's name of a model of kimm."""
    for pattern, replacement in _NAMES:
        match = re.fullmatch(pattern, name)
        if match:
            return match.expand(replacement).lower()
    return name.lower()


def read(path: Path) -> dict[str, list[Published]]:
    """The rows of the file by model."""
    rows: dict[str, list[Published]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            figures = (row["parameters_millions"], row["gmacs"], row["activations_millions"])
            rows.setdefault(row["model"], []).append(
                Published(row["model"], int(row["image_size"]), *map(float, figures))
            )
    return rows


# -- kimm's own layers, written as Keras's layers and operations -----------------------------------
def _attention(layer: Any, x: Any) -> Any:
    *shape, width = x.shape[1:]
    heads, size = layer.num_heads, layer.head_dim
    qkv = ops.reshape(layer.qkv(x), (-1, *shape, 3, heads, size))
    rank = len(shape)
    order = (0, *range(1, rank), rank + 2, rank + 1, rank, rank + 3)
    query, key, value = ops.unstack(ops.transpose(qkv, order), 3, axis=rank + 1)
    scores = ops.softmax(ops.matmul(ops.multiply(query, layer.scale), ops.swapaxes(key, -2, -1)))
    result = ops.swapaxes(ops.matmul(layer.attention_dropout(scores), value), -3, -2)
    return layer.projection_dropout(layer.projection(ops.reshape(result, (-1, *shape, width))))


def _position(layer: Any, x: Any) -> Any:
    """The token is one more position; its numbers do not matter here."""
    return ops.add(ops.pad(x, [[0, 0], [1, 0], [0, 0]]), layer.pos_embed)


def _fused(layer: Any, x: Any) -> Any:
    padded = x if layer.zero_padding is None else layer.zero_padding(x)
    y = layer.reparameterized_conv2d(padded)
    return y if layer.act is None else layer.act(y)


_WRITTEN_OUT: dict[str, Callable[[Any, Any], Any]] = {
    "Attention": _attention,
    "LayerScale": lambda layer, x: layer.call(x),
    "LearnableAffine": lambda layer, x: layer.call(x),
    "PositionEmbedding": _position,
    "ReparameterizableConv2D": _fused,
}


def count(name: str, size: int) -> tuple[Counted, list[Cause]]:
    """The figures of a model of kimm at an image size, and what may explain other published ones."""
    keras.backend.clear_session()
    build = getattr(kimm.models, name)
    build._weights_url = None  # MobileNetV3W100Large reads it before it is set
    fused = {"reparameterized": True} if name.startswith(("GhostNetV3", "MobileOne", "RepVGG")) else {}
    model = build(weights=None, input_shape=(size, size, 3), include_preprocessing=False, **fused)
    own = 0  # weights of kimm's layers themselves, which are constants where these are written out

    def call(layer: Any, *arguments: Any, **more: Any) -> Any:
        nonlocal own
        rule = _WRITTEN_OUT.get(type(layer).__name__)
        if rule is None or not type(layer).__module__.startswith("kimm."):
            return layer(*arguments, **more)
        own += _size(layer)
        return rule(layer, *arguments)

    functional = keras.Model(model.inputs, model.outputs, name=name)
    written = keras.models.clone_model(functional, clone_function=lambda layer: layer, call_function=call)
    graph = archcalc.from_keras(written)
    shapes = infer(graph)
    by_node = [counted.flops for counted in flops(graph, shapes, "fvcore")]
    parameters = archcalc.analyze(graph).totals.trainable_parameters + own
    return (
        Counted(parameters, total(by_node), activations(graph, shapes)),
        list(_causes(name, graph, by_node, shapes)),
    )


def _causes(name: str, graph: Graph, by_node: list[Any], shapes: Shapes) -> Iterator[Cause]:
    kinds = [type(node.layer).__name__ for node in graph.nodes]
    means = [n for kind, n in zip(kinds, by_node, strict=True) if kind.startswith("GlobalAverage")]
    yield Cause(
        "means inside the network are `x.mean((2, 3))`, which fvcore does not count", total(means[:-1]), 0
    )
    resized = [i for i, kind in enumerate(kinds) if kind in ("Resizing", "ops.image.resize")]
    words = "gates are resized by `nearest`, which fvcore counts, kimm's by pixel centres, which it does not"
    yield Cause(words, -total(prod(shapes[i][0]) for i in resized), 0)
    if name.startswith("ConvMixer"):
        depthwise = [i for i, kind in enumerate(kinds) if kind == "DepthwiseConv2D"]
        units = total(prod(shapes[i][0]) for i in depthwise)
        words = '`padding="same"` makes an operation that fvcore does not count'
        yield Cause(words, total(by_node[i] for i in depthwise), units)


def _size(layer: Any) -> int:
    """The number of elements of the weights that a layer itself holds."""
    counts = (int(ops.size(variable)) for variable in layer._trainable_variables)
    return sum(counts)


def compared(
    wanted: list[str], rows: dict[str, list[Published]]
) -> Iterator[tuple[str, Published, Counted, list[Cause]]]:
    """Each published row of each model, and archcalc's figures."""
    for name in wanted or kimm.list_models():
        for row in rows.get(published_name(name), []):
            with keras.StatelessScope(initialize_variables=False):  # no weights are allocated
                figures = count(name, row.size)
            yield name, row, *figures


def agrees(figure: Any, published: float, unit: float) -> bool:
    """Whether a figure is the published one, which has two digits after the point."""
    return isinstance(figure, int) and abs(figure / unit - published) <= 0.005 + 1e-9


def table(wanted: list[str], rows: dict[str, list[Published]], out: TextIO) -> None:
    """Write the table, and how many figures agree."""
    names = ("parameters", "multiply-adds", "activations")
    print("| model | size | parameters, M | multiply-adds, G | activations, M | cause |", file=out)
    print("| --- | ---: | ---: | ---: | ---: | --- |", file=out)
    agreed, seen, explained = dict.fromkeys(names, 0), 0, 0
    for name, row, counted, causes in compared(wanted, rows):
        pairs = (
            (counted.parameters, row.parameters, 1e6),
            (counted.macs, row.gmacs, 1e9),
            (counted.activations, row.activations, 1e6),
        )
        cells = []
        for quantity, (figure, published, unit) in zip(names, pairs, strict=True):
            same = agrees(figure, published, unit)
            agreed[quantity] += same
            shown = f"{figure / unit:.2f}" if isinstance(figure, int) else "unknown"
            cells.append(shown if same else f"{shown}, published {published:.2f}")
        seen += 1
        cause = _cause(row, counted, causes) if any("published" in cell for cell in cells) else ""
        explained += bool(cause)
        print(f"| {name} | {row.size} | {' | '.join(cells)} | {cause} |", file=out, flush=True)
    figures = ", ".join(f"{n} of {seen} {quantity}" for quantity, n in agreed.items())
    print(f"\nAgree with the published table: {figures}; {explained} more rows follow exactly.", file=out)


def _cause(row: Published, counted: Counted, causes: list[Cause]) -> str:
    """The cause without which the published multiply-adds and activations follow, if there is one."""
    if not agrees(counted.parameters, row.parameters, 1e6):
        return ""  # another network
    for cause in causes:
        macs, units = counted.macs - cause.macs, counted.activations - cause.activations
        if agrees(macs, row.gmacs, 1e9) and agrees(units, row.activations, 1e6):
            return cause.words
    return ""


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("published", type=Path, help="the published table, as CSV")
    parser.add_argument("-o", "--output", type=Path, help="default: standard output")
    parser.add_argument("names", nargs="*", help="models of kimm; default: all")
    options = parser.parse_intermixed_args()
    if options.output is None:
        table(options.names, read(options.published), sys.stdout)
    else:
        with options.output.open("w", encoding="utf-8") as out:
            table(options.names, read(options.published), out)


if __name__ == "__main__":
    main()
