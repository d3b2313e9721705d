"""Underfitting, overfitting, or only noise: linear, MLP, classifier and augmented side by side.

Question     Which of these models underfits, which overfits, how does that change with the number of
             images, and what else makes a validation curve jump?
Hypothesis   On 50,000 images of colour32 the linear model underfits (below 30 % test accuracy), the MLP
             stays below 45 %, the classifier passes 70 %. On few images the classifier memorises. With
             BatchNormalization's default momentum .99 and few steps, validation is noise that looks like
             overfitting and is not; a tenfold learning rate makes noise as well.
Command      python -m experiments run fitting --profile full
Time         smoke 20 s, quick 2 min, full 20 min a seed on one idle core
Found        full: 20.1 %, 43.1 %, 72.2 %; momentum .99 leaves validation at chance instead of shaking it,
             and the high learning rate shakes it and helps (docs/experiments.md)

The verdicts come from `experiments.common.diagnosis`, which anybody may ask about a history.csv.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from experiments.common import figures
from experiments.common.classification import Classification
from experiments.common.data.splits import Data
from experiments.common.experiment import Condition, Expectation, Outcome, Picture
from experiments.common.summary import written
from experiments.image_classifier import ClassifierConfig, build, compiled

if TYPE_CHECKING:
    import keras

AUGMENTED = ("horizontal_flip", "shift")
SLOW_MOMENTUM = 0.99  # Keras's default


@dataclasses.dataclass(frozen=True)
class FittingConfig(ClassifierConfig):
    """The classifier's settings, and what is special here."""

    mlp_units: tuple[int, ...] = (512, 256)
    # fewer images, longer: a learning curve asks what the data teach, not how many steps they allow
    curve_images: tuple[int, ...] = (1_000, 4_000)
    curve_epochs: int = 30
    rival_images: int = 4_000  # few steps an epoch; one of curve_images
    rival_learning_rate: float = 0.01


PROFILES = {
    "smoke": FittingConfig(
        "smoke",
        train_images=256,
        validation_images=64,
        test_images=128,
        epochs=2,
        batch_size=128,
        eager=True,
        filters=4,
        dense_units=16,
        mlp_units=(32,),
        curve_images=(128,),
        curve_epochs=2,
        rival_images=128,
    ),
    "quick": FittingConfig(
        "quick",
        epochs=12,
        batch_size=64,
        filters=8,
        curve_images=(500, 1_500),
        curve_epochs=20,
        rival_images=1_500,
    ),
    "full": FittingConfig(
        "full",
        garments="all",
        train_images=50_000,
        validation_images=5_000,
        test_images=10_000,
        # small, so that the four trainings on all images take most of the time
        curve_images=(2_000, 10_000),
        curve_epochs=15,
        rival_images=2_000,
    ),
}


def linear(config: FittingConfig, shape: Sequence[int], classes: int) -> keras.Model:
    """Softmax regression on the pixels: k(n²c + 1) weights."""
    import keras
    from keras import layers

    x = inputs = keras.Input(tuple(shape), name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(classes, activation="softmax", name="classes")(x)
    return compiled(keras.Model(inputs, x, name="linear"), config)


def mlp(config: FittingConfig, shape: Sequence[int], classes: int) -> keras.Model:
    """Dense layers only: more weights than the classifier, and nothing that knows what a neighbour is."""
    import keras
    from keras import layers

    x = inputs = keras.Input(tuple(shape), name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate(config.mlp_units, 1):
        x = layers.Dense(units, activation="relu", name=f"hidden{number}")(x)
    x = layers.Dense(classes, activation="softmax", name="classes")(x)
    return compiled(keras.Model(inputs, x, name="mlp"), config)


class Fitting(Classification):
    name = "fitting"
    claim = "A jumping or bad validation curve means overfitting."
    found = (
        "slow BatchNormalization looks the same and is not; linear 20 %, MLP 43 %, classifier 72 %, "
        "each as expected: hit"
    )
    question = "Which model underfits, which overfits, and when is a jumping validation curve neither?"
    hypothesis = (
        "On 50,000 images the linear model stays below 30 %, the MLP below 45 %, the classifier passes 70 %; "
        "few images make it memorise; momentum .99 at few steps makes validation noise, no overfitting."
    )
    profiles = PROFILES
    expected_time = {"smoke": "20 s", "quick": "2 min", "full": "20 min per seed"}

    def conditions(self, config: FittingConfig, data: Data) -> tuple[Condition, ...]:
        shape, classes = data.train.images.shape[1:], len(data.classes)

        def small(name: str, images: int, **options: Any) -> Condition:
            epochs = min(config.curve_epochs, -(-config.epochs * len(data.train) // images))
            momentum = options.get("batchnorm_momentum", config.batchnorm_momentum)
            return Condition(
                name,
                lambda: build(config, shape, classes, **options),
                epochs,
                config.batch_size,
                train_images=images,
                batchnorm_momentum=momentum,
            )

        def whole(name: str, make: Callable[[], keras.Model], momentum: float | None = None) -> Condition:
            return Condition(name, make, config.epochs, config.batch_size, batchnorm_momentum=momentum)

        momentum = config.batchnorm_momentum
        return (
            whole("linear", lambda: linear(config, shape, classes)),
            whole("mlp", lambda: mlp(config, shape, classes)),
            whole("classifier", lambda: build(config, shape, classes), momentum),
            whole("augmented", lambda: build(config, shape, classes, augmentation=AUGMENTED), momentum),
            *(small(curve_name(images), images) for images in config.curve_images),
            small(f"momentum {SLOW_MOMENTUM}", config.rival_images, batchnorm_momentum=SLOW_MOMENTUM),
            small(
                f"learning rate {config.rival_learning_rate:g}",
                config.rival_images,
                learning_rate=config.rival_learning_rate,
            ),
        )

    def expectations(self, config: FittingConfig) -> tuple[Expectation, ...]:
        if config.dataset == "colour32" and config.train_images >= 50_000:
            return (
                Expectation("linear", "accuracy", below=0.30),
                Expectation("mlp", "accuracy", below=0.45),
                Expectation("classifier", "accuracy", at_least=0.70),
            )
        return ()

    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        config, histories = outcome.config, outcome.histories
        yield self.samples(outcome)
        side_by_side = ("linear", "mlp", "classifier", "augmented")
        yield Picture(
            "side_by_side",
            "The four models on all training images.",
            figures.curves({key: rows for key, rows in histories.items() if key[0] in side_by_side}),
        )
        sizes = [*config.curve_images, len(outcome.data.train)]
        names = [*map(curve_name, config.curve_images), "classifier"]
        yield Picture(
            "learning_curve",
            "The classifier with fewer images: training, validation and test accuracy at the end.",
            figures.learning_curve(sizes, _curve(outcome, names), "accuracy at the end"),
        )
        rivals = (curve_name(config.rival_images), *_rivals(config))
        yield Picture(
            "rival_causes",
            f"The same network on {config.rival_images:,} images: as it is, with slow BatchNormalization, "
            "with a high learning rate.",
            figures.curves({key: rows for key, rows in histories.items() if key[0] in rivals}),
        )
        accuracies = {name: outcome.values(name, "accuracy") for name in outcome.conditions}
        yield Picture(
            "accuracy",
            "Test accuracy after the last epoch.",
            figures.spread_over_seeds({k: v for k, v in accuracies.items() if v}, "test accuracy"),
        )
        yield from self.mistakes(outcome, ("classifier", config.seed))

    def findings(self, outcome: Outcome) -> list[str]:
        found = []
        for name in outcome.conditions:
            accuracies = outcome.values(name, "accuracy")
            judged = [d for (condition, _), d in outcome.diagnoses.items() if condition == name]
            verdicts = ", ".join(dict.fromkeys(d["verdict"] for d in judged))
            test = f"test accuracy {written(accuracies)}; " if accuracies else ""
            found.append(f"{name}: {test}{verdicts}")
            found += [f"{name}: suspect {suspect}" for suspect in judged[0]["suspects"]]
        return found


def curve_name(images: int) -> str:
    return f"classifier {images}"


def _rivals(config: FittingConfig) -> tuple[str, str]:
    return f"momentum {SLOW_MOMENTUM}", f"learning rate {config.rival_learning_rate:g}"


def _curve(outcome: Outcome, names: list[str]) -> dict[str, list[float]]:
    """Training, validation and test accuracy at the end, mean over seeds, by condition."""

    def mean(values: list[float]) -> float:
        return sum(values) / len(values) if values else float("nan")

    def last(name: str, key: str) -> float:
        return mean(
            [rows[-1][key] for (condition, _), rows in outcome.histories.items() if condition == name]
        )

    return {
        "training": [last(name, "accuracy") for name in names],
        "validation": [last(name, "val_accuracy") for name in names],
        "test": [mean(outcome.values(name, "accuracy")) for name in names],
    }
