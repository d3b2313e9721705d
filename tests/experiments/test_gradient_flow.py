"""What `gradient_flow` is made of: stacks, starts against archcalc, records that survive a death, claims."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from archcalc.keras.symptoms import symptoms
from experiments.common import flow_claims, healthy, recording, stacks, starts
from experiments.common.stacks import CONV, DENSE, Stack
from experiments.gradient_flow import PROFILES, TRAINED, GradientFlow, cells, trained
from tests.experiments.deaths import same_bits

SMOKE = PROFILES["smoke"]
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.standard_normal((16, 8, 8, 1)).astype(np.float32)
LABELS = RANDOM.integers(0, 10, 16)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("kind", [DENSE, CONV])
def test_depth_counts_layers_with_weights(kind: str, skip: bool) -> None:
    model = stacks.build(Stack(kind, 11, "relu", "he_normal", skip=skip), (8, 8, 1), 10, 4)
    assert sum(bool(layer.weights) for layer in model.layers) == 11 + 1


@pytest.mark.parametrize(("depth", "skip"), [(20, False), (20, True), (56, True)])
def test_a_resnet_has_its_depth(depth: int, skip: bool) -> None:
    model = stacks.thin_resnet(depth, (28, 28, 1), 10, 2, skip=skip)
    main = [x for x in model.layers if isinstance(x, keras.layers.Conv2D) and "shortcut" not in x.name]
    assert len(main) + 1 == depth
    assert model.get_layer("pool").output.shape[-1] == 8
    assert any(isinstance(layer, keras.layers.Add) for layer in model.layers) is skip


@pytest.mark.parametrize(
    "stack",
    [
        Stack(DENSE, 8, "sigmoid", "glorot_uniform"),
        Stack(DENSE, 9, "relu", "he_normal", skip=True),
        Stack(CONV, 6, "tanh", "glorot_uniform"),
    ],
    ids=lambda stack: stack.name,
)
def test_starts_lie_in_the_predicted_band(stack: Stack) -> None:
    model = stacks.build(stack, (8, 8, 1), 10, 32)
    said = starts.expected(model)
    found = starts.measure(model, 20, 0, IMAGES, LABELS)["noise"]
    inside = [said["low"] <= value <= said["high"] for value in found if value is not None]
    assert np.mean(inside) >= 0.7
    assert np.mean(found) == pytest.approx(said["log10"], abs=0.2)


def test_starts_differ_and_repeat() -> None:
    model = stacks.build(Stack(DENSE, 3, "relu", "he_normal"), (8, 8, 1), 10, 8)
    kernels = []
    for start in (0, 1, 0):
        starts.redraw(model, 7, start)
        kernels.append(np.array(model.get_layer("layer02").kernel))
    assert (kernels[0] == kernels[2]).all()
    assert (kernels[0] != kernels[1]).any()


def test_a_dead_start_is_a_number_outside_every_band() -> None:
    model = stacks.build(Stack(DENSE, 2, "relu", "zeros"), (8, 8, 1), 10, 4)
    found = starts.measure(model, 1, 0, IMAGES, LABELS)
    assert found == {"noise": [starts.DEAD], "images": [starts.DEAD]}


def test_labels_are_distinct_and_name_folders() -> None:
    labels = [stack.label for stack in TRAINED]
    assert len(set(labels)) == len(labels)
    assert not any("/" in label for label in labels)
    names = [cell.name for cell in cells(PROFILES["full"])]
    assert len(set(names)) == len(names)


def test_networks_with_batch_normalisation_are_trained_with_one_seed() -> None:
    experiment = GradientFlow()
    data = experiment.load(SMOKE, None)
    config = dataclasses.replace(SMOKE, resnet_depths=(8, 14))
    conditions = {c.name: c.first_seed_only for c in experiment.conditions(config, data)}
    assert [name for name, one in conditions.items() if one] == [
        "plain 8",
        "resnet 8",
        "plain 14",
        "resnet 14",
    ]
    assert sum(not one for one in conditions.values()) == len(trained(config))


def test_records_survive_a_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = dataclasses.replace(SMOKE, train_images=64, starts=2, dense_depths=(3,), functions=("relu",))
    same_bits(GradientFlow(), config, tmp_path, 0.5, monkeypatch)
    (whole,) = (tmp_path / "whole").iterdir()
    series = recording.read(whole / "records" / f"{trained(config)[0].label}-seed0")
    assert series.steps.tolist() == [0, 1, 2, 3, 4]
    assert len(series.weight_names) == series.weights.shape[1] == 2 * 11


def test_a_healthy_training_is_told_by_its_accuracy() -> None:
    experiment = GradientFlow()
    data = experiment.load(dataclasses.replace(SMOKE, train_images=600), None)
    examples = experiment.arrays(SMOKE, data.train, 10)
    good = healthy.train(Stack(DENSE, 2, "relu", "he_normal", learning_rate=0.02), 0, examples, 10, 32, 6, 10)
    bad = healthy.train(Stack(DENSE, 10, "sigmoid", "glorot_uniform"), 0, examples, 10, 16, 1, 2)
    assert good["healthy"]
    assert not good["alarms"]
    assert not bad["healthy"]
    assert "early weights stand" in bad["alarms"]


def test_claims_cover_every_symptom_that_people_list() -> None:
    verdicts = dict(zip([s.label for s in TRAINED], ["vanishing", "exploding", "stable"] * 5, strict=True))
    keys = {claim.key for claim in flow_claims.of_trainings(TRAINED, verdicts)}
    wanted = {f"symptom {name}" for group in flow_claims.SYMPTOMS.values() for name in group}
    assert wanted | {"learns", "false alarms", "clipping"} <= keys
    judged = flow_claims.judged_trainings(
        TRAINED, verdicts, {s.label: [0.9] for s in TRAINED}, {s.label: [[]] for s in TRAINED}
    )
    assert keys - {"false alarms"} == set(judged)


def test_symptoms_are_read_from_records(tmp_path: Path) -> None:
    stack = Stack(DENSE, 12, "sigmoid", "glorot_uniform")
    model = stacks.compiled(stacks.build(stack, (8, 8, 1), 10, 8), stack, eager=True)
    model.fit(
        IMAGES, LABELS, batch_size=2, verbose=0, callbacks=[recording.Recorder((IMAGES, LABELS), 1, tmp_path)]
    )
    series = recording.read(tmp_path)
    assert series.activations.count("sigmoid") == 12
    assert "early weights stand" in {symptom.name for symptom in symptoms(series)}
