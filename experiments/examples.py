"""The experiments' own networks as examples of archcalc: `python -m experiments.examples` writes the files.

A test compares each file with the network that the experiment trains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import cnn_limits, fitting, image_classifier, modalities, segmentation, transfer
from experiments.common import defects, downsampling, heads, limit_nets, modality_nets
from experiments.defect_detection import PROFILES as DEFECTS

if TYPE_CHECKING:
    import keras

FOLDER = Path(__file__).parents[1] / "examples"
WIDTH = 120


def _of_modality(modality: str, network: str) -> keras.Model:
    config = modalities.PROFILES["full"]
    data = modalities.load(modality, config.counts(modality))
    return modality_nets.build(modality, network, data, config.width, config.learning_rate, config.eager)


def _unet() -> keras.Model:
    from dataclasses import replace

    config = replace(segmentation.PROFILES["full"], weights="none")
    return segmentation.build(config, 2, segmentation.TRAINABLE)


def networks() -> Mapping[str, Callable[[], Any]]:
    """Functions that build the networks of the full profiles, by the example's name."""
    small, side = fitting.PROFILES["full"], (32, 32, 3)
    limits = cnn_limits.PROFILES["full"]
    return {
        "defect_detector": lambda: defects.build(DEFECTS["full"], defects.Kind("relu"), (48, 48, 3)),
        "text_cnn": lambda: _of_modality("grammar", "cnn"),
        "text_lstm": lambda: _of_modality("grammar", "lstm"),
        "text_gru": lambda: _of_modality("grammar", "gru"),
        "text_transformer": lambda: _of_modality("grammar", "transformer"),
        "speech_cnn": lambda: _of_modality("words", "cnn"),
        "speech_gru": lambda: _of_modality("words", "gru"),
        "table_cnn": lambda: _of_modality("customers", "cnn"),
        "table_mlp": lambda: _of_modality("customers", "mlp"),
        "limits_flatten": lambda: limit_nets.classifier(limits, 12, pooled=False),
        "limits_pooled": lambda: limit_nets.classifier(limits, 12, pooled=True),
        "limits_blurred": lambda: limit_nets.strided(limits, 4, blurred=True),
        "spot_finder": lambda: limit_nets.finder(limits, 1),
        "colour32_linear": lambda: fitting.linear(small, side, 10),
        "colour32_mlp": lambda: fitting.mlp(small, side, 10),
        "colour32_classifier": lambda: image_classifier.build(small, side, 10),
        "pooled_classifier": lambda: downsampling.classifier("max", 2, side, 10, 16),
        "dilated_segmenter": lambda: downsampling.segmenter("max", 2, (96, 96, 3), 2, 8),
        "transfer_head": lambda: heads.build_head(transfer.PROFILES["full"], 10),
        "mobilenet_v2_unet": _unet,
    }


def main() -> None:
    """Write every example anew."""
    from archcalc.writers.spec import to_spec
    from archcalc.writers.spec_text import spec_text

    for name, build in networks().items():
        spec = {**to_spec(build()), "name": name}
        spec = {"archcalc": spec.pop("archcalc"), "name": spec.pop("name"), **spec}
        spec.get("compile", {}).pop("metrics", None)  # some are the experiments' own
        lines = "\n".join(map(wrapped, spec_text(spec).split("\n")))
        (FOLDER / f"{name}.json").write_text(lines, encoding="utf-8")


def wrapped(line: str) -> str:
    """A line of JSON, broken after a comma where it is longer than the examples' lines may be."""
    indent = " " * (len(line) - len(line.lstrip()) + 1)
    parts: list[str] = []
    while len(line) > WIDTH:
        cut = line.rindex(", ", 0, WIDTH) + 1
        parts, line = [*parts, line[:cut]], indent + line[cut:].lstrip()
    return "\n".join([*parts, line])


if __name__ == "__main__":
    from experiments.common import environment

    environment.prepare()
    main()
