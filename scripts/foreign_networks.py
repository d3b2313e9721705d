"""Networks of four packages that no rule was written for: live, and from their `.keras` files alone.

    python -m scripts.foreign_networks k3im|kyolo|medicai|zeromodels [--live] [-o FILE] [NAME ...]

Needs the package beside archcalc's extra `keras` (k3im 0.1.1, kyolo 0.1.5, medicai 0.0.4, zeromodels 1.3.6,
chosen before any of them was opened). Weights are zeros, for which a file is smaller to write. Compared are
parameters and trainable parameters with Keras's own, the output shape of every layer that has a row of its
name, and the parameters that `archcalc.load(file, allow_unknown=True)` finds. With `--live` nothing is saved,
and no weights are allocated. Prints a table in Markdown;
docs/evidence/foreign-networks.md holds the results.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
from keras.src.initializers import random_initializers

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.keras import from_keras

_IMAGE = {"image_size": 32, "patch_size": 8, "num_classes": 5}
_LINE = {"seq_len": 32, "patch_size": 8, "num_classes": 5}
_VIDEO = {"image_size": 16, "image_patch_size": 8, "frames": 8, "frame_patch_size": 4, "num_classes": 5}
_DEEP = {"dim": 16, "depth": 2}
_HEADS = {**_DEEP, "heads": 2, "mlp_dim": 24}
_HEAD = {"dim_head": 8}
_BLOCKS = {"embedding_dim": 16, "num_blocks": 2, "dropout_rate": 0.1}
_HIDDEN = {**_DEEP, "hidden_units": 24, "dropout_rate": 0.1}
_CCT = {
    "num_heads": 2, "projection_dim": 16, "kernel_size": 3, "stride": 1, "padding": 1,
    "transformer_units": [16, 16], "stochastic_depth_rate": 0.1, "transformer_layers": 2, "num_classes": 5,
}  # fmt: skip
_TIME = {"spatial_depth": 2, "temporal_depth": 2, "dim": 16, "heads": 2, "mlp_dim": 24}

K3IM: dict[str, dict[str, Any]] = {
    "cait.CaiTModel": {**_IMAGE, **_HEADS, **_HEAD, "cls_depth": 1},
    "cait_1d.CAiT_1DModel": {**_LINE, **_HEADS, **_HEAD, "cls_depth": 1},
    "cait_3d.CAiT3DModel": {**_VIDEO, **_HEADS, **_HEAD, "cls_depth": 1},
    "cct.CCT": {"input_shape": (32, 32, 3), **_CCT},
    "cct_1d.CCT_1DModel": {"input_shape": (32, 3), **_CCT},
    "cct_3d.CCT3DModel": {"input_shape": (16, 16, 8, 3), **_CCT},
    "convmixer.ConvMixer": {"image_size": 32, "filters": 16, "depth": 2, "num_classes": 5},
    "convmixer_1d.ConvMixer1DModel": {"seq_len": 32, "filters": 16, "depth": 2},
    "convmixer_3d.ConvMixer3DModel": {"image_size": 16, "num_frames": 8, "filters": 8, "depth": 2},
    "cross_vit.CrossViT": {
        "image_size": 48, "num_classes": 5, "sm_dim": 16, "lg_dim": 24, "channels": 3, "sm_enc_heads": 2,
        "lg_enc_depth": 2, "lg_enc_heads": 2, "cross_attn_heads": 2, "sm_enc_mlp_dim": 16,
        "lg_enc_mlp_dim": 16, "depth": 2,
    },
    "deepvit.DeepViT": {**_IMAGE, **_HEADS, **_HEAD},
    "eanet.EANet": {
        "input_shape": (32, 32, 3), "patch_size": 8, "embedding_dim": 16, "num_transformer_blocks": 2,
        "mlp_dim": 16, "num_heads": 2, "dim_coefficient": 2, "attention_dropout": 0.1,
        "projection_dropout": 0.1, "num_classes": 5,
    },
    "eanet3d.EANet3DModel": {**_VIDEO, **_HEADS},
    "eanet_1d.EANet1DModel": {**_LINE, **_HEADS},
    "fnet.FNetModel": {**_IMAGE, **_BLOCKS},
    "fnet_1d.FNet1DModel": {**_LINE, **_DEEP},
    "fnet_3d.FNet3DModel": {**_VIDEO, **_HIDDEN},
    "focalnet.FocalNetModel": {"img_size": 64},
    "gmlp.gMLPModel": {**_IMAGE, **_BLOCKS},
    "gmlp_1d.gMLP1DModel": {**_LINE, **_DEEP},
    "gmlp_3d.gMLP3DModel": {**_VIDEO, **_HIDDEN},
    "mlp_mixer.MlpMixer": {
        "num_classes": 5, "img_size": 32, "patch_size": 8, "num_blocks": 2, "embed_dim": 16,
    },
    "mlp_mixer_1d.Mixer1DModel": {**_LINE, **_DEEP, "hidden_units": 24},
    "mlp_mixer_3d.MLPMixer3DModel": {**_VIDEO, **_HIDDEN},
    "simple_vit.SimpleViT": {**_IMAGE, **_HEADS, **_HEAD},
    "simple_vit_1d.SimpleViT1DModel": {**_LINE, **_HEADS, **_HEAD},
    "simple_vit_3d.SimpleViT3DModel": {**_VIDEO, **_HEADS, **_HEAD},
    "simple_vit_with_fft.SimpleViTFFT": {**_IMAGE, **_HEADS, **_HEAD, "freq_patch_size": 8},
    "simple_vit_with_register_tokens.SimpleViT_RT": {**_IMAGE, **_HEADS, **_HEAD},
    "swint.SwinTModel": {
        "img_size": 32, "patch_size": 2, "embed_dim": 16, "num_heads": 2, "window_size": 2, "num_mlp": 24,
        "qkv_bias": True, "dropout_rate": 0.1, "shift_size": 1, "num_classes": 5,
    },
    "token_learner.ViTokenLearner": {**_IMAGE, **_HEADS, **_HEAD, "token_learner_units": 4},
    "video_eanet.VideoEANet": {**_VIDEO, **_TIME},
    "video_mixer.VideoMixerModel": {**_VIDEO, **{k: v for k, v in _TIME.items() if k != "heads"}},
    "vit.ViT": {**_IMAGE, **_HEADS, **_HEAD},
    "vit_1d.ViT1DModel": {**_LINE, **_HEADS, **_HEAD},
    "vit_3d.ViT3DModel": {**_VIDEO, **_HEADS, **_HEAD, "pool": "mean"},
    "vit_with_patch_dropout.SimpleViTPD": {**_IMAGE, **_HEADS, **_HEAD},
    "vivit.ViViT": {**_VIDEO, **_TIME, **_HEAD},
}  # fmt: skip
KYOLO = ("yolov5n", "yolov5s", "yolov8n", "yolov8s", "yolov9t", "yolov9s", "yolov10n", "yolov10s", "yolo11n",
         "yolo11s", "yolo12n", "yolo12s", "yolo26n", "yolo26s")  # fmt: skip
MEDICAI_PLAIN = ("ConvNeXtTiny", "ConvNeXtV2Atto", "ConvNeXtV2Pico", "DenseNet121", "EfficientNetB0",
                 "EfficientNetB1", "EfficientNetV2B0", "EfficientNetV2B1", "MixViTB0", "MixViTB1", "ResNet18",
                 "ResNet34", "ResNet50", "ResNet50v2", "ResNet50vd", "ResNeXt50", "SEResNet18", "SEResNet50",
                 "SwinTiny", "SwinTinyV2", "Xception")  # fmt: skip
MEDICAI_DEEP = (
    "ConvNeXtV2Atto",
    "DenseNet121",
    "EfficientNetB0",
    "MixViTB0",
    "ResNet18",
    "SEResNet18",
    "SwinTiny",
)
MEDICAI_HEADS = {
    "UNet": "resnet18", "AttentionUNet": "resnet18", "UNetPlusPlus": "resnet18", "DeepLabV3Plus": "resnet18",
    "SegFormer": "mit_b0", "TransUNet": "resnet18", "UPerNet": "resnet18",
}  # fmt: skip
ZEROMODELS = ("cait", "convmixer", "convnext", "convnextv2", "deit", "densenet", "efficientnet",
              "efficientnet_lite", "efficientnetv2", "inception_next", "inceptionv3", "inceptionv4",
              "levit", "maxvit", "mlp_mixer", "mobilenetv2", "mobilenetv3", "mobilenetv4", "mobilevit",
              "mobilevitv2", "nextvit", "pit", "poolformer", "pvt", "pvt_v2", "regnet", "res2net",
              "resmlp", "resnet", "resnetv2", "resnext", "senet", "swin", "swinv2", "xception")  # fmt: skip

# images of 64 pixels are too small for them, or no multiple of their windows
ZEROMODELS_SIZES = {"inceptionv3": 96, "inceptionv4": 96, "maxvit": 224}


def networks(package: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The name of each network and what builds it."""
    if package == "k3im":
        for name, arguments in K3IM.items():
            module, function = name.split(".")
            yield (
                function,
                lambda m=module, f=function, a=arguments: getattr(import_module(f"k3im.{m}"), f)(**a),
            )
    elif package == "kyolo":
        models = import_module("kyolo.models")
        for name in KYOLO:
            yield name, partial(getattr(models, name), nc=5, input_shape=(64, 64, 3))
    elif package == "medicai":
        models = import_module("medicai.models")
        for axes, names in ((2, MEDICAI_PLAIN), (3, MEDICAI_DEEP)):
            shape = (*[64, 32][axes - 2 : axes - 1] * axes, 3)
            for name in names:
                yield f"{name} {axes}D", partial(getattr(models, name), input_shape=shape, num_classes=5)
        for name, encoder in MEDICAI_HEADS.items():
            yield (
                name,
                partial(getattr(models, name), input_shape=(64, 64, 3), encoder_name=encoder, num_classes=2),
            )
    else:
        for family in ZEROMODELS:
            module = import_module(f"zeromodels.models.{family}")
            name = next(n for n in module.__all__ if n.endswith("ImageClassify"))
            size = ZEROMODELS_SIZES.get(family, 64)
            yield name, partial(getattr(module, name), image_size=size, num_classes=5)


def measured(name: str, build: Callable[[], Any], folder: Path | None) -> list[str]:
    """The cells of one network's row; raises what building and reading it raise."""
    keras.backend.clear_session()
    if folder is None:
        with keras.StatelessScope(initialize_variables=False):
            model = build()
    else:
        model = build()
    start = time.process_time()
    report = archcalc.analyze(from_keras(model))
    seconds = time.process_time() - start
    counts = [
        sum(math.prod(w.shape) for w in weights) for weights in (model.weights, model.trainable_weights)
    ]
    totals = [report.totals.parameters, report.totals.trainable_parameters]
    agree = totals == counts and all(
        _fits(report.layers[n].output_shapes[0], shape) for n, shape in _shapes(model) if n in report.layers
    )
    macs = report.totals.macs
    figure = (
        "unknown" if isinstance(macs, Unknown) else f"{macs:,}" if isinstance(macs, int) else "closed form"
    )
    rows = [report.layers[n] for n in report.layers]
    fields = all(_is_known(row) for row in rows if row.name in _outputs(report))
    cells = [
        name,
        f"{counts[0]:,}",
        _yes(agree),
        "–" if folder is None else _of_file(model, counts[0], folder / "model.keras"),
        figure,
        _yes(fields),
    ]
    unknown = [row for row in rows if isinstance(row.macs, Unknown)]
    for reason in dict.fromkeys(row.macs.reason for row in unknown):
        print(f"    {name}: {reason}", file=sys.stderr)
    return [*cells, str(len(unknown)), f"{seconds:.1f}"]


def _of_file(model: Any, count: int, path: Path) -> str:
    """Whether the model's file alone gives as many parameters."""
    try:
        model.save(path)
    except NotImplementedError:  # a class without get_config: Keras writes no such file
        return "no file"
    stored = archcalc.analyze(archcalc.load(path, allow_unknown=True)).totals.parameters
    path.unlink()
    return _yes(stored == count)


def _outputs(report: Any) -> set[str]:
    return {str(name) for name in report.to_dict()["model"]["outputs"]}


def _is_known(row: Any) -> bool:
    return not any(
        isinstance(n, Unknown) for field in row.receptive_fields.values() if field for n in field.size or ()
    )


def _yes(good: bool) -> str:
    return "yes" if good else "NO"


def _shapes(model: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for layer in model.layers:
        output = getattr(layer, "output", None) if len(layer._inbound_nodes) == 1 else None
        if isinstance(output, keras.KerasTensor):
            yield layer.name, tuple(output.shape[1:])


def _fits(shape: tuple[Any, ...], stated: tuple[Any, ...]) -> bool:
    if len(shape) == len(stated) + 1:  # parts of a sample along the model's batch are an axis of the row
        shape = shape[1:]
    return len(shape) == len(stated) and all(
        m is None or type(n) is not int or n == m for n, m in zip(shape, stated, strict=True)
    )


def _zeros(_: Any, shape: Any, dtype: Any = None, **__: Any) -> Any:
    return keras.ops.zeros(shape, dtype or "float32")


def main() -> None:
    """Print the table of one package."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("package", choices=["k3im", "kyolo", "medicai", "zeromodels"])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--live", action="store_true", help="save nothing, and allocate no weights")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_intermixed_args()
    for name in ("GlorotUniform", "VarianceScaling", "RandomNormal", "TruncatedNormal", "RandomUniform"):
        getattr(random_initializers, name).__call__ = _zeros
    out = sys.stdout if given.output is None else given.output.open("w", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name, build in networks(given.package):
            if given.names and name not in given.names:
                continue
            try:
                cells = measured(name, build, None if given.live else Path(folder))
            except Exception as fault:  # of packages that this script does not know
                reason = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
                print(f"    {given.package} {name}: {reason}", file=sys.stderr, flush=True)
                continue
            print(f"| {given.package} {' | '.join(cells)} |", file=out, flush=True)


if __name__ == "__main__":
    main()
