"""Transfer: features and fine-tuning belong together, parts are parts, random is never called transfer."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from experiments import transfer
from experiments.common import backbones, features, files, runner
from experiments.common import weights as stored
from experiments.common.data.splits import Data
from experiments.registry import EXPERIMENTS
from tests.experiments import deaths, small_backbone

EXPERIMENT = transfer.Transfer()
SMOKE = dataclasses.replace(
    transfer.PROFILES["smoke"], fine_tune_epochs=2, curve_images=(32,), curve_classes=(2,)
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_backbone.install(monkeypatch)


@pytest.fixture
def pretrained(tmp_path: Path) -> transfer.TransferConfig:
    """Weights from a file, a stand-in for them."""
    (tmp_path / "w.h5").write_bytes(b"weights")
    return EXPERIMENT.settled(
        dataclasses.replace(SMOKE, backbone="mobilenetv2", weights=str(tmp_path / "w.h5"))
    )


@pytest.fixture
def data() -> Data:
    return EXPERIMENT.load(SMOKE, None)


def test_resnet_with_its_head_is_the_network_described() -> None:
    """Parameters by hand: ResNet50's 23,587,712; 4 a normalised channel; 2048 -> 8; 8 -> 10."""
    config = SMOKE
    model = transfer.build_whole(config, 10)
    assert model.count_params() == 23_587_712 + 4 * 2048 + (2048 * 8 + 8) + (8 * 10 + 10)
    assert [type(layer).__name__ for layer in model.layers[-4:]] == [
        *("BatchNormalization", "Conv2D", "Flatten", "Dense")
    ]
    trained = {layer.name for layer in model.layers if layer.trainable_weights}
    assert {name.split("_")[0] for name in trained} == {"conv5", "head", "classes"}
    assert not any(norm.trainable for norm in backbones.normalisations(model))
    assert float(model.optimizer.learning_rate) == pytest.approx(config.fine_tune_rate)


@pytest.mark.usefixtures("small")
def test_fine_tuning_begins_with_the_backbone_and_head_that_came_before(
    data: Data, pretrained: transfer.TransferConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole model, before its first step, says what the trained head says of the features."""
    given = keras.Input((32, 32, 3))
    source = backbones.build("mobilenetv2", given)
    monkeypatch.setattr(stored, "give", lambda model, _: model.set_weights(source.get_weights()))
    images = data.train.images
    extracted = features.extracted(
        features.Extractor("mobilenetv2", 32, pretrained.weights, pretrained.weights_sha256, seed=5), data
    )
    head = transfer.build_head(pretrained, 10)
    values = extracted.of(images)
    head.fit(values, np.eye(10)[data.train.targets], epochs=1, verbose=0)
    whole = transfer.build_whole(pretrained, 10)
    transfer.take_over(whole, head)
    prepared = backbones.preparation("mobilenetv2", 32)(images)
    wanted = np.asarray(head(values, training=False))
    assert np.allclose(whole(prepared, training=False), wanted, atol=1e-5)
    # in training too: normalisation keeps the averages that it came with
    assert np.allclose(whole(prepared, training=True), wanted, atol=1e-5)


def test_a_random_backbone_is_set_to_the_images() -> None:
    """MobileNetV2's signal vanishes as it is built, and has the scale of its last norm afterwards."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    model = backbones.build("mobilenetv2", inputs)
    images = np.random.default_rng(0).uniform(-1, 1, (16, 32, 32, 3)).astype(np.float32)
    momenta = [norm.momentum for norm in backbones.normalisations(model)]
    assert np.std(model(images, training=False)) < 1e-6
    features.calibrate(model, images)
    assert 0.1 < np.std(model(images, training=False)) < 1.0  # ReLU of mean 0, variance 1 has .58
    assert [norm.momentum for norm in backbones.normalisations(model)] == momenta


@pytest.mark.usefixtures("small")
def test_features_are_computed_once_and_found_by_image(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = features.Extractor("mobilenetv2", 32, "none", "", seed=0)
    first = features.extracted(extractor, data)
    monkeypatch.setattr(features, "_computed", lambda *_: pytest.fail("computed again"))
    again = features.extracted(extractor, data)
    assert (again.values == first.values).all()
    assert again.seconds == first.seconds > 0
    order = [5, 0, 3]
    assert (first.of(data.train.images[order]) == first.values[order]).all()
    assert (first.of(data.test.images) == first.values[-len(data.test) :]).all()


def test_features_hang_on_all_that_they_depend_on(data: Data) -> None:
    base = features.Extractor("mobilenetv2", 32, "none", "", 0)
    others = [
        dataclasses.replace(base, seed=1),
        dataclasses.replace(base, size=64),
        dataclasses.replace(base, backbone="resnet50"),
        dataclasses.replace(base, weights="/w.h5", weights_sha256="ab"),
        dataclasses.replace(base, weights="/w.h5", weights_sha256="cd"),
    ]
    assert len({extractor.key(data) for extractor in (base, *others)}) == 6
    given = others[3]  # whose seed plays no part, nor where the file lies
    assert dataclasses.replace(given, seed=7, weights="/elsewhere.h5").key(data) == given.key(data)


def test_seconds_owed_to_features_and_to_the_head_are_counted(
    data: Data, pretrained: transfer.TransferConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features of 96 images took 9.6 s, and 48 of them are for training; the head took 3 s."""
    kept = features.Features({}, np.zeros((96, 1), np.float32), 9.6)
    experiment = transfer.Transfer()
    monkeypatch.setattr(experiment, "_extracted", lambda *_: kept)
    names = ("transfer", "transfer fine-tuned", "random features", "classifier")
    outcome = SimpleNamespace(
        config=pretrained,
        data=data,
        histories={(name, 0): [] for name in names},
        seconds={(name, 0): [1.0, 2.0] for name in names},
    )
    found = experiment.before(outcome)  # type: ignore[arg-type]
    assert [found[name, 0] for name in names] == pytest.approx([4.8, 7.8, 4.8, 0.0])


def test_a_part_has_its_classes_and_images_and_nothing_else(data: Data) -> None:
    conditions = {c.name: c for c in EXPERIMENT.conditions(SMOKE, data)}
    few = EXPERIMENT.part(conditions["classifier, 2 classes"], data)
    assert few.classes == data.classes[:2]
    for part, whole in zip(few.splits.values(), data.splits.values(), strict=True):
        assert set(part.targets) == {0, 1}
        assert len(part) == (whole.targets < 2).sum()
    less = EXPERIMENT.part(conditions["classifier, 32 images"], data)
    assert len(less.train) == 32
    assert len(less.test) == len(data.test)


def test_random_features_are_never_called_transfer(data: Data) -> None:
    names = [c.name for c in EXPERIMENT.conditions(SMOKE, data)]
    assert names[:2] == ["random features", "classifier"]
    assert not any("transfer" in name for name in names)


def test_with_weights_both_kinds_of_features_are_compared(
    data: Data, pretrained: transfer.TransferConfig
) -> None:
    names = [c.name for c in EXPERIMENT.conditions(pretrained, data)]
    assert names[:4] == ["transfer", "transfer fine-tuned", "random features", "classifier"]
    assert {"transfer, 2 classes", "random features, 32 images"} <= set(names)


@pytest.mark.usefixtures("small")
def test_a_run_with_weights_says_what_it_owes_to_them(pretrained: transfer.TransferConfig, out: Path) -> None:
    config = dataclasses.replace(
        pretrained, epochs=1, head_epochs=1, fine_tune_epochs=1, curve_images=(), curve_classes=(2,)
    )
    folder = runner.start(transfer.Transfer(), config, None, out)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "not verified" in page
    assert "points above chance per minute" in page
    assert files.read_json(folder / "check.json")["agrees"] is True
    names = {path.stem for path in (folder / "figures").glob("*.png")}
    assert {"over_time", "classes", "accuracy", "side_by_side"} <= names


@pytest.mark.usefixtures("small")
def test_a_training_that_dies_ends_with_the_same_bits(
    pretrained: transfer.TransferConfig, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead within the fine-tuning, which starts from another training's head."""
    config = dataclasses.replace(pretrained, curve_images=(), curve_classes=())
    deaths.same_bits(transfer.Transfer(), config, out, 0.45, monkeypatch, training_only=True)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("moment", [0.2, 0.4, 0.6, 0.8])
def test_a_run_that_dies_ends_with_the_same_bits(
    moment: float, pretrained: transfer.TransferConfig, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths.same_bits(transfer.Transfer(), pretrained, out, moment, monkeypatch)


def test_the_registry_knows_it() -> None:
    assert EXPERIMENTS["transfer"].profiles["quick"].backbone == "resnet50"
