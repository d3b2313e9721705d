"""What does weight sharing buy? Convolutions against locally connected layers.

Question     How do a pair of convolutions, a pair of locally connected layers, one of each, and an
             Inception-ResNet-A block differ in parameters, memory, time, accuracy, and on shifted images?
Hypothesis   All see the same 5x5 pixels with the same multiply-adds; local layers hold a thousand times the
             parameters, overfit more and are no better. On shifted garments convolutions lose nothing where
             the head averages over positions, and local layers lose most of what they had.
Command      python -m experiments run conv_vs_local --profile full
Time         smoke 20 s, quick 3 min, full 11 min of the processor; three seeds
Found        full: 1,036 times the parameters for the same accuracy (.825 and .819); equal multiply-adds take
             5.0 times as long; sharing protects from shifts only under a head that averages over positions

Bodies are those of examples/conv_pair.json, conv_then_local.json, local_pair.json and
inception_resnet_a.json with rectifiers, on Fashion-MNIST in the middle of a black field of 36x36. Each is
trained with a head that knows positions (max pooling, Flatten, Dense) and one that cannot (global average,
Dense).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import equal_time, figures, files, sharing, sharing_claims, sharing_figures
from experiments.common.claims import Claim, Measurement
from experiments.common.classification import Classification, probabilities
from experiments.common.config import Config
from experiments.common.data.splits import Data, Split
from experiments.common.experiment import Condition, Expectation, Outcome, Picture
from experiments.common.sharing import AVERAGE, FLAT, NAMES
from experiments.common.sharing_claims import SHIFTS
from experiments.common.summary import written

if TYPE_CHECKING:
    import keras

ENOUGH = 500  # training images below which accuracies say nothing


@dataclasses.dataclass(frozen=True)
class SharingConfig(Config):
    """Filters of the two layers (the examples' 16 and 32), and the batch at which memory is measured."""

    dataset: str = "fashion-mnist"
    filters: tuple[int, ...] = (16, 32)
    heads: tuple[str, ...] = (FLAT, AVERAGE)
    average_rate: float = 0.005  # a mean over a thousand positions passes small gradients on
    memory_batch: int = 512  # 0: memory is not measured


PROFILES = {
    "smoke": SharingConfig(
        "smoke",
        train_images=64,
        validation_images=32,
        test_images=32,
        epochs=1,
        batch_size=32,
        eager=True,
        filters=(2, 4),
        heads=(AVERAGE,),
        memory_batch=0,
    ),
    "quick": SharingConfig(
        "quick",
        train_images=1_000,
        validation_images=200,
        test_images=400,
        epochs=4,
        batch_size=64,
        learning_rate=0.002,
    ),
    "full": SharingConfig(
        "full",
        train_images=1_500,
        validation_images=300,
        test_images=800,
        epochs=5,
        batch_size=64,
        learning_rate=0.002,
        seeds=3,
    ),
}


class ConvVsLocal(Classification):
    name = "conv_vs_local"
    claim = "Weight sharing saves parameters, generalises better and makes a network indifferent to shifts."
    found = (
        "full: 1,036 times the parameters, as predicted: hit; equal multiply-adds take 5.0 times as long: "
        "miss; sharing protects from shifts only under a head that averages"
    )
    question = "What does weight sharing buy, in parameters, memory, time, accuracy and under shifts?"
    hypothesis = (
        "All see 5x5 pixels with the same multiply-adds; local layers hold a thousand times the "
        "parameters, overfit "
        "more and are no better; under shifts convolutions lose nothing where the head averages over "
        "positions."
    )
    profiles = PROFILES
    expected_time = {"smoke": "15 s", "quick": "3 min", "full": "11 min"}

    def arrays(self, config: SharingConfig, split: Split, classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
        return sharing.placed(split.images), split.targets

    def compact(self, outputs: NDArray[np.float32]) -> NDArray[Any]:
        return probabilities(outputs)

    def conditions(self, config: SharingConfig, data: Data) -> tuple[Condition, ...]:
        return tuple(
            Condition(
                f"{name} {head}",
                partial(_compiled, config, name, head, len(data.classes)),
                config.epochs,
                config.batch_size,
            )
            for head in config.heads
            for name in NAMES
        )

    def expectations(self, config: SharingConfig) -> tuple[Expectation, ...]:
        return ()  # the claims say more

    # -- claims --------------------------------------------------------------------------------------
    def foresee(self, config: SharingConfig, data: Data) -> dict[str, Any]:
        found: dict[str, Any] = {"examples": {name: sharing.predicted(name) for name in NAMES}}
        if config.memory_batch:
            conditions = {c.name: c for c in self.conditions(config, data)}
            found["activations"] = {
                f"{name} {config.heads[0]}": _activations(
                    conditions[f"{name} {config.heads[0]}"], config.memory_batch
                )
                for name in NAMES
            }
        return found

    def claims(self, config: SharingConfig, prediction: Mapping[str, Any]) -> tuple[Claim, ...]:
        heads = config.heads if config.train_images >= ENOUGH else ()
        return sharing_claims.claims(
            prediction["further"], heads, config.memory_batch, timed=not config.eager
        )

    def study(self, outcome: Outcome) -> None:
        from experiments.common import peak_memory

        config, folder = outcome.config, outcome.folder
        if not (folder / "summaries.json").is_file():
            files.write_json(folder / "summaries.json", {name: sharing.measured(name) for name in NAMES})
        (folder / "shifts").mkdir(exist_ok=True)
        for key in outcome.histories:
            path = folder / "shifts" / f"{key[0]}-seed{key[1]}.json"
            if not path.is_file():
                files.write_json(path, _shifted(outcome, key))
        if config.memory_batch and not (folder / "memory.json").is_file():
            measured = {
                f"{name} {config.heads[0]}": peak_memory.measure(
                    folder / "checkpoints" / f"{name} {config.heads[0]}-seed{config.seed}" / "last.keras",
                    config.memory_batch,
                )
                for name in NAMES
            }
            files.write_json(folder / "memory.json", measured)

    def judged(self, outcome: Outcome) -> Mapping[str, Measurement]:
        return sharing_claims.judged(outcome)

    # -- what the report shows -------------------------------------------------------------------------
    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        config, test = outcome.config, outcome.data.test
        shown = [(f"by {shift}", list(sharing.placed(test.images[:7], shift, shift))) for shift in SHIFTS]
        yield Picture(
            "shifted",
            "Test garments, and the same shifted (here down and to the right).",
            figures.variants(shown),
        )
        for head in config.heads:
            histories = {key: rows for key, rows in outcome.histories.items() if key[0].endswith(f" {head}")}
            yield Picture(
                f"curves_{head}",
                f"Loss and accuracy under the head `{head}`, epoch by epoch.",
                figures.curves(histories),
            )
        yield Picture(
            "shifts",
            "Test accuracy on garments shifted by so many pixels, mean over four directions; a thin line a "
            "seed.",
            sharing_figures.shifts(sharing_claims.shifts(outcome), config.heads, SHIFTS),
        )
        yield Picture(
            "parameters",
            "Parameters and accuracy: a thousand times the parameters, and what they buy.",
            sharing_figures.parameters(
                {name: model["totals"]["parameters"] for name, model in outcome.prediction["models"].items()},
                {name: sharing_claims.last(outcome, name, "accuracy") for name in outcome.conditions},
                {name: outcome.values(name, "accuracy") for name in outcome.conditions},
            ),
        )
        if config.memory_batch:
            yield Picture(
                "memory",
                f"Memory of {config.memory_batch} samples over that of one in training: predicted and "
                f"measured.",
                sharing_figures.memory(
                    outcome.prediction["further"]["activations"],
                    files.read_json(outcome.folder / "memory.json"),
                ),
            )
        yield Picture(
            "time",
            "Predicted multiply-adds (bars) and processor time (diamonds), over those of conv_pair.",
            sharing_figures.time(
                {name: model["totals"]["macs"] for name, model in outcome.prediction["models"].items()},
                {name: equal_time.cost(outcome.processor_seconds, name) for name in outcome.conditions},
            ),
        )

    def findings(self, outcome: Outcome) -> list[str]:
        shifts, found = sharing_claims.shifts(outcome), []
        for name in outcome.conditions:
            test, last = outcome.values(name, "accuracy"), sharing_claims.last(outcome, name, "accuracy")
            moved = [each[str(SHIFTS[-1])] for each in shifts[name]]
            parameters = outcome.prediction["models"][name]["totals"]["parameters"]
            found.append(
                f"{name}: {parameters:,} parameters, test accuracy {written(test)}, in training "
                f"{written(last)}, shifted by {SHIFTS[-1]} pixels {written(moved)}, "
                f"{equal_time.cost(outcome.processor_seconds, name):.1f} s of the processor an epoch"
            )
        return found


def _compiled(config: SharingConfig, name: str, head: str, classes: int) -> keras.Model:
    import keras

    model = sharing.build(name, head, config.filters, classes)
    model.compile(
        optimizer=keras.optimizers.Adam(config.average_rate if head == AVERAGE else config.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        run_eagerly=config.eager,
    )
    return model


def _activations(condition: Condition, batch: int) -> int | None:
    """Predicted bytes of training at `batch` over those at one sample; None where archcalc does not know."""
    from experiments.common import prediction

    model = condition.build()
    many, one = (prediction.memory(model, count)["training_bytes"] for count in (batch, 1))
    return None if many is None or one is None else many - one


def _shifted(outcome: Outcome, key: tuple[str, int]) -> dict[str, float]:
    """Test accuracy by shift, the mean over four directions."""
    test, model = outcome.data.test, outcome.model(key)
    found = {}
    for shift in SHIFTS:
        moves = [(shift, 0), (-shift, 0), (0, shift), (0, -shift)] if shift else [(0, 0)]
        right = [
            (
                np.asarray(_logits(model, sharing.placed(test.images, *move))).argmax(axis=-1) == test.targets
            ).mean()
            for move in moves
        ]
        found[str(shift)] = float(np.mean(right))
    return found


def _logits(model: keras.Model, images: NDArray[np.float32]) -> NDArray[np.float32]:
    parts = [np.asarray(model(images[start : start + 256])) for start in range(0, len(images), 256)]
    return np.concatenate(parts)
