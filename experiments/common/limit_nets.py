"""The networks and data of `cnn_limits`: garments, garments on a larger black canvas, spots in noise."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common.config import Config
from experiments.common.data.splits import Data, Split
from experiments.common.downsampling import blur_kernel
from experiments.common.errors import ExperimentError

if TYPE_CHECKING:
    import keras

GARMENTS, CANVAS, SPOTS = "garments", "canvas", "spots"
SIDE = 36  # of the canvas on which is trained: four pixels of margin around a garment
WIDE = 72  # of the canvas on which shifts are looked at: no unit sees both its border and the garment
FIELD = 32  # side of the pictures with spots
SIZES = (1, 2, 3, 4, 5, 6, 8, 10)  # of a spot, in pixels
FIRST, LAST, MEAN = "first", "last", "mean"  # layers whose fields and strides predict, or whose outputs tell


@dataclasses.dataclass(frozen=True)
class LimitConfig(Config):
    """Widths and numbers of images for overfitting, filters of the others, how many images are looked at."""

    dataset: str = "fashion-mnist"
    widths: tuple[int, ...] = (2, 12)
    amounts: tuple[int, ...] = (200, 800, 3_000)
    amount_epochs: tuple[int, ...] = (12, 6, 3)
    amount_batch: int = 16
    filters: int = 8
    canvas_images: int = 2_000  # of training, for the networks of shifts and of spots
    looked_at: int = 200  # test images that are moved, turned, covered, scaled, scrambled
    spots: int = 150  # test pictures of each size

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.amounts) != len(self.amount_epochs):
            raise ExperimentError("amounts and amount_epochs must be as many")
        if not self.widths or not self.amounts or max(self.amounts) > self.train_images:
            raise ExperimentError(f"widths and amounts must be there, amounts at most {self.train_images}")

    @property
    def whole(self) -> str:
        """The condition whose network is covered, scaled and scrambled."""
        return capacity_name(max(self.widths), max(self.amounts))


def capacity_name(width: int, images: int) -> str:
    return f"{GARMENTS} width {width}, {images} images"


# -- data -----------------------------------------------------------------------------------------------
def on_canvas(images: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Garments (N, 28, 28, 1) in the middle of a black canvas."""
    margin = (side - images.shape[1]) // 2
    return np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))


def spots(count: int, seed: int) -> Split:
    """Half of them with one square spot anywhere, (N, 32, 32, 1), of random size, contrast and noise."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, count)
    contrast, noise = draw.uniform(0.3, 1.0, count), draw.uniform(0.02, 0.15, count)
    chosen = draw.choice(SIZES, count)
    images = np.stack(
        [spot(draw, int(d), c * on, n) for d, c, n, on in zip(chosen, contrast, noise, labels, strict=True)]
    )
    return Split(images, labels.astype(np.int64))


def spot(draw: np.random.Generator, size: int, contrast: float, noise: float) -> NDArray[np.uint8]:
    """Grey noise with a square spot that is brighter by `contrast` (1 is from grey to white)."""
    picture = np.full((FIELD, FIELD, 1), 0.5)
    row, column = draw.integers(0, FIELD - size + 1, 2)
    picture[row : row + size, column : column + size] += contrast / 2
    noisy = picture + draw.normal(0.0, noise, picture.shape)
    return np.clip(np.round(255 * noisy), 0, 255).astype(np.uint8)


def sets(garments: Data) -> dict[str, Data]:
    """All three, with as many images each."""
    canvas = {part: Split(on_canvas(split.images), split.targets) for part, split in garments.splits.items()}
    counts = {part: len(split) for part, split in garments.splits.items()}
    noisy = {part: spots(count, 180_001 + place) for place, (part, count) in enumerate(counts.items())}
    return {
        GARMENTS: garments,
        CANVAS: Data(CANVAS, garments.classes, provenance={}, **canvas),
        SPOTS: Data(SPOTS, ("noise", "spot"), provenance={}, **noisy),
    }


# -- networks -------------------------------------------------------------------------------------------
def compiled(inputs: Any, outputs: Any, name: str, config: LimitConfig) -> keras.Model:
    import keras

    model = keras.Model(inputs, outputs, name=name)
    single = outputs.shape[-1] == 1
    losses, metrics = keras.losses, keras.metrics
    model.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate),
        loss=losses.BinaryCrossentropy() if single else losses.SparseCategoricalCrossentropy(),
        metrics=[(metrics.BinaryAccuracy if single else metrics.SparseCategoricalAccuracy)(name="accuracy")],
        run_eagerly=config.eager,
    )
    return model


def classifier(config: LimitConfig, width: int, *, pooled: bool, side: int | None = 28) -> keras.Model:
    """Two convolutions with max pooling; then all positions, or the mean over them."""
    import keras
    from keras import layers

    x = inputs = keras.Input((side, side, 1), name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(x)
    for number in (1, 2):
        filters = width * number
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(name=f"pool{number}" if number == 1 else LAST)(x)
    x = (layers.GlobalAveragePooling2D if pooled else layers.Flatten)(name=MEAN if pooled else "flatten")(x)
    return compiled(inputs, layers.Dense(10, activation="softmax", name="classes")(x), "classifier", config)


def strided(config: LimitConfig, factor: int, *, blurred: bool = False, side: int = SIDE) -> keras.Model:
    """Convolutions that halve, until the map is smaller by `factor`; the mean over positions at the end."""
    import keras
    from keras import layers

    x = inputs = keras.Input((side, side, 1), name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(x)
    halvings, blurs = factor.bit_length() - 1, []
    for number in range(1, 4):
        halve = number <= halvings
        filters, strides = config.filters * min(number, 2), 2 if halve and not blurred else 1
        convolution = layers.Conv2D(
            filters, 3, strides=strides, padding="same", activation="relu", name=f"conv{number}"
        )
        x = convolution(x)
        if halve and blurred:
            blur = layers.DepthwiseConv2D(
                3, strides=2, padding="same", use_bias=False, trainable=False, name=f"blur{number}"
            )
            x = blur(x)
            blurs.append((blur, filters))
    x = layers.GlobalAveragePooling2D(name=MEAN)(x)
    for blur, filters in blurs:
        blur.set_weights([blur_kernel(2, filters)])
    return compiled(inputs, layers.Dense(10, activation="softmax", name="classes")(x), "strided", config)


def finder(config: LimitConfig, stride: int) -> keras.Model:
    """A convolution of stride 1, 4 or 8, another one, and whether anything anywhere is a spot."""
    import keras
    from keras import layers

    x = inputs = keras.Input((FIELD, FIELD, 1), name="image")
    x = layers.Rescaling(1 / 127.5, -1, name="rescale")(x)
    x = layers.Conv2D(config.filters, 3, strides=stride, padding="same", activation="relu", name=FIRST)(x)
    x = layers.Conv2D(2 * config.filters, 3, padding="same", activation="relu", name="second")(x)
    x = layers.GlobalMaxPooling2D(name="largest")(x)
    return compiled(inputs, layers.Dense(1, activation="sigmoid", name="spot")(x), "finder", config)
