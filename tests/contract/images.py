"""Rows of image preprocessing and augmentation layers."""

from __future__ import annotations

from dataclasses import replace

from tests.contract.rows import (
    SINGLE_IMAGES,
    Row,
    augmenting,
)

FACTOR = [0.1, (-0.2, 0.3)]
IMAGES: dict[str, Row] = {
    "RandomZoom": augmenting("factor", height_factor=FACTOR),
    "RandomCrop": replace(augmenting("factor", height=[3, 5, 9], width=[3, 6]), tables=True),
    "AutoContrast": replace(augmenting("factor", value_range=[(0, 255), (0, 1)]), support="perturbation"),
    "CenterCrop": replace(
        augmenting("factor", height=[3, 5, 9], width=[3, 6, 1]),
        stricter=lambda cell: SINGLE_IMAGES if len(cell.inputs[0]) == 2 else "smaller images are resized",
    ),
    "Resizing": replace(
        augmenting(
            "factor",
            height=[5, 7, 14],
            width=[6, 9, 3],
            interpolation=["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"],
            crop_to_aspect_ratio=[False, True],
            pad_to_aspect_ratio=[False, True],
            antialias=[False, True],
        ),
        dtype="float32",
        tolerance=2e-6,
        tables=True,
    ),
    **{
        f"Random{kind}": augmenting(factor=[0.1, (0.2, 0.3)])
        for kind in ("Brightness", "Contrast", "Hue", "Saturation", "Sharpness", "ColorDegeneration")
    },
    "RandomPosterization": augmenting(factor=[2, 4]),
    **{
        kind: augmenting(factor=[0.1, 1.0])
        for kind in ("RandomElasticTransform", "RandomPerspective", "RandomErasing", "RandomGaussianBlur")
    },
    **{kind: augmenting(factor=[0.1, 1.0]) for kind in ("RandomInvert", "RandomGrayscale", "CutMix")},
    **{kind: augmenting(factor=[0.1, 1.0]) for kind in ("RandAugment", "AugMix")},
    "RandomShear": augmenting("factor", x_factor=[0.0, 0.3]),
    "MixUp": augmenting("factor", alpha=[0.2, 0.4]),
    "RandomColorJitter": augmenting("factor", hue_factor=[None, 0.1]),
    "Solarization": augmenting("factor", addition_factor=[0.0, 0.1]),
    "Equalization": augmenting("factor", bins=[256, 16]),
}
