"""What a network is trained with, as specs and Keras's files state it."""

from __future__ import annotations

from typing import Any

import pytest

import archcalc
from archcalc.errors import ArchcalcError, SourceError
from archcalc.graph.compiled import LOSSES, Compile, Loss
from archcalc.readers.spec.training import CompileDeclaration
from tests.readers.specs import CONV, read, spec

FULL = {
    "loss": "categorical_crossentropy(from_logits=True)",
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "labels": "one_hot",
    "classes": 4,
    "metrics": ["accuracy"],
}


def faults(*layers: Any, **sections: Any) -> list[str]:
    with pytest.raises(SourceError) as caught:
        read(*layers, **sections)
    return [str(fault) for fault in caught.value.faults]


A, B = {"name": "a", **CONV}, {"name": "b", **CONV}


def test_a_spec_states_what_it_is_trained_with() -> None:
    graph = read(A, compile=FULL)
    assert graph.compiled == Compile(
        (Loss("categorical_crossentropy", True),), "sgd", 0.1, 0.9, (), "one_hot", 4, ("accuracy",)
    )
    assert archcalc.to_spec(graph)["compile"] == FULL
    assert read(A).compiled is None
    assert archcalc.load(archcalc.to_spec(graph)).compiled == graph.compiled


def test_every_key_is_read_and_written() -> None:
    """A key that the reader takes and the writer loses would differ here."""
    other = {"loss": "mse", "optimizer": "rmsprop", "centered": True, "momentum": 0.5, "labels": "real"}
    other |= {"learning_rate": 1, "classes": 1, "metrics": ["mae"], "amsgrad": True}
    assert set(other) == set(CompileDeclaration.model_fields)
    assert archcalc.to_spec(read(A, compile=other))["compile"] == other | {"loss": "mean_squared_error"}


def test_losses_of_several_outputs() -> None:
    two = {"outputs": ["a", "b"]}
    listed = read(A, B, compile={"loss": ["mse", None]}, **two).compiled
    named = read(A, B, compile={"loss": {"b": "mae"}}, **two).compiled
    one = read(A, B, compile={"loss": "mae"}, **two).compiled
    assert listed is not None
    assert named is not None
    assert one is not None
    assert [listed.loss(0), listed.loss(1)] == [Loss("mean_squared_error"), None]
    assert [named.loss(0), named.loss(1)] == [None, Loss("mean_absolute_error")]
    assert [one.loss(0), one.loss(1)] == [Loss("mean_absolute_error")] * 2


@pytest.mark.parametrize(
    ("wrong", "where", "said"),
    [
        ({"losss": "mse"}, "$.compile.losss", "did you mean 'loss'"),
        ({"loss": "catgorical_crossentropy"}, "$.compile.loss", "did you mean 'categorical_crossentropy'"),
        ({"loss": 3}, "$.compile.loss", "got 3"),
        ({"loss": ["mse", "mse"]}, "$.compile.loss", "2 losses for 1 outputs"),
        ({"loss": {"b": "mse"}}, "$.compile.loss", "no output is named 'b'; did you mean 'a'"),
        ({"learning_rate": 0}, "$.compile.learning_rate", "a number above 0, got 0"),
        ({"momentum": 1}, "$.compile.momentum", "got 1"),
        ({"labels": "onehot"}, "$.compile.labels", "expected one of one_hot"),
        ({"classes": True}, "$.compile.classes", "a positive integer, got true"),
        (3, "$.compile", "expected an object"),
    ],
)
def test_faults_of_compile(wrong: Any, where: str, said: str) -> None:
    (fault,) = faults(A, compile=wrong)
    assert fault.startswith(where)
    assert said in fault or said.replace("; did you mean 'a'", "") in fault


def test_findings_that_are_meant() -> None:
    ignore = [{"rule": "AC301", "reason": "as in the paper", "layers": ["a*"]}]
    graph = read(A, lint={"ignore": ignore})
    (meant,) = graph.suppressions
    assert meant.covers("abc")
    assert not meant.covers("b")
    assert not meant.covers(None)
    assert archcalc.to_spec(graph)["lint"] == {"ignore": [{**ignore[0], "layers": ["a"]}]}
    (fault,) = faults(A, lint={"ignore": [{"rule": "AC301"}]})
    assert fault == '$.lint.ignore[0]: "reason" is missing'


@pytest.mark.parametrize("name", LOSSES)
def test_the_names_of_losses(name: str) -> None:
    camel = "".join(map(str.capitalize, name.split("_")))
    assert Loss.of(name) == Loss.of(camel) == Loss(name)
    assert Loss.of(f"{camel}(from_logits=True)") == Loss(name, True)
    assert Loss.of(str(Loss(name, True))) == Loss(name, True)


def test_a_loss_of_ones_own() -> None:
    assert Loss.of("custom:mine") == Loss("custom:mine")
    with pytest.raises(ArchcalcError, match="custom:NAME"):
        Loss.of("mine")


@pytest.mark.parametrize(
    ("stated", "bytes_of_one"),
    [
        ({"optimizer": "adam"}, 8),
        ({"optimizer": "sgd"}, 0),
        ({"optimizer": "sgd", "momentum": 0.9}, 4),
        ({"optimizer": "momentum"}, 4),
        ({"optimizer": "RMSprop"}, 4),
        ({}, 8),
    ],
)
def test_the_optimizer_decides_its_memory(stated: Any, bytes_of_one: int) -> None:
    totals = archcalc.analyze(read(A, compile=stated)).totals
    assert totals.optimizer_bytes == bytes_of_one * totals.parameters
    assert archcalc.analyze(read(A, compile=stated), optimizer="sgd").totals.optimizer_bytes == 0


def test_an_option_in_place_of_the_optimizer_of_the_file() -> None:
    compiled = read(A, compile=FULL).compiled
    assert compiled is not None
    assert compiled.with_optimizer("momentum") == compiled
    assert compiled.with_optimizer("adam").learning_rate is None
    assert compiled.with_optimizer("adam").losses == compiled.losses


def config(**more: Any) -> dict[str, Any]:
    dense = {"class_name": "Dense", "config": {"name": "d", "units": 2}}
    layers = [{"class_name": "InputLayer", "config": {"batch_shape": [None, 3], "name": "x"}}, dense]
    return {"class_name": "Sequential", "config": {"name": "net", "layers": layers}, **more}


@pytest.mark.parametrize(
    ("stated", "losses"),
    [
        ("mse", [Loss("mean_squared_error")]),
        ({"class_name": "CategoricalCrossentropy", "config": {"from_logits": True}}, None),
        ({"class_name": "function", "config": "mean_absolute_error"}, [Loss("mean_absolute_error")]),
        ({"class_name": "function", "config": "mine"}, [Loss("custom:mine")]),
        ({"class_name": "pack>Mine", "config": {}}, [Loss("custom:Mine")]),
        ({"d": "mse"}, [Loss("mean_squared_error")]),
        ({"elsewhere": "mse"}, [None]),
        (["mse"], [Loss("mean_squared_error")]),
        ([[1, {}], 3, None], [None, None, None]),
        ({"class_name": 3}, []),
        (None, []),
    ],
)
def test_losses_of_a_configuration(stated: Any, losses: Any) -> None:
    graph = archcalc.load(config(compile_config={"loss": stated, "optimizer": "adam"}))
    assert graph.compiled is not None
    expected = [Loss("categorical_crossentropy", True)] if losses is None else losses
    assert list(graph.compiled.losses) == expected


def test_a_learning_rate_is_what_was_written() -> None:
    """Keras writes the float32; a schedule is no number."""
    for stated, rate in ((0.0010000000474974513, 0.001), ({"class_name": "Decay"}, None), (True, None)):
        optimizer = {"class_name": "Adam", "config": {"learning_rate": stated, "amsgrad": True}}
        compiled = archcalc.load(config(compile_config={"optimizer": optimizer})).compiled
        assert compiled == Compile((), "adam", rate, None, ("amsgrad",))
    assert archcalc.load(config(compile_config={})).compiled is None


def test_the_training_config_of_an_older_file() -> None:
    old = {"optimizer_config": {"class_name": "SGD", "config": {"lr": 0.01, "momentum": 0.9}}, "loss": "mse"}
    compiled = archcalc.load(config(training_config=old | {"metrics": ["acc", ["mae"]]})).compiled
    losses = (Loss("mean_squared_error"),)
    assert compiled == Compile(losses, "sgd", 0.01, 0.9, metrics=("acc", "mae"))


def test_a_spec_that_states_training_follows_the_schema() -> None:
    from jsonschema import Draft202012Validator

    from archcalc.readers.schema import schema

    check = Draft202012Validator(schema())
    assert check.is_valid(spec(A, compile=FULL, lint={"ignore": [{"rule": "AC1", "reason": "why"}]}))
    assert not check.is_valid(spec(A, compile={"losss": "mse"}))
    assert not check.is_valid(spec(A, lint={"ignore": [{"rule": "AC1"}]}))
