"""archcalc's figures of a model, written down before training, and their check against Keras."""

from __future__ import annotations

from typing import Any

import keras

import archcalc
from experiments.common.errors import CheckFailedError
from experiments.common.memory import available, foreseen

TOTALS = ("parameters", "trainable_parameters", "non_trainable_parameters")


def predict(model: keras.Model, *, gradients: bool = False) -> dict[str, Any]:
    """The analysis of a live model, as `archcalc analyze --format json` gives it, and what lint says of it.

    With `gradients` also what is expected of them at initialisation. Raises CheckFailedError where archcalc
    cannot analyse the model.
    """
    found = _analysis(model, 1, gradients)
    for row in found["layers"]:
        if row.get("gradient"):
            row["gradient"].pop("formula", None)  # longer than everything else together
    findings = archcalc.lint(model).findings
    found["lint"] = [{**finding.to_dict(), "says": _said(finding)} for finding in findings]
    return found


def _said(finding: Any) -> str:
    rule = finding.rule
    return f"{rule.severity} {rule.id} [{rule.name}] {finding.layer or ''}: {finding.message}".replace(
        " :", ":"
    )


def memory(model: keras.Model, batch_size: int) -> dict[str, Any]:
    """What training it takes at that batch size, against what this machine has (`memory.foreseen`)."""
    return foreseen(_analysis(model, batch_size)["totals"], batch_size, available())


def _analysis(model: keras.Model, batch_size: int, gradients: bool = False) -> dict[str, Any]:
    # by its class: its own name may carry a number
    optimizer = type(model.optimizer).__name__.lower() if getattr(model, "optimizer", None) else "adam"
    try:
        report: dict[str, Any] = archcalc.analyze(
            archcalc.from_keras(model), batch=batch_size, optimizer=optimizer, gradients=gradients
        ).to_dict()
    except archcalc.ArchcalcError as fault:
        raise CheckFailedError(f"no prediction for {model.name}, nothing was trained: {fault}") from fault
    return report


def check(model: keras.Model, predicted: dict[str, Any]) -> dict[str, Any]:
    """Every layer's output shape and parameters, and the totals, as predicted and as Keras has them.

    Keras's side is read from the built layers themselves, not from their configs.
    """
    rows = {row["name"]: row for row in predicted["layers"]}
    layers = [_check_layer(layer, rows.get(layer.name)) for layer in model.layers]
    counts = dict(zip(TOTALS, _keras_totals(model), strict=True))
    totals = [
        {"quantity": name, "predicted": predicted["totals"][name], "keras": counts[name]} for name in TOTALS
    ]
    agrees = all(entry["agrees"] for entry in layers) and all(t["predicted"] == t["keras"] for t in totals)
    return {"agrees": agrees, "totals": totals, "layers": layers}


def _check_layer(layer: keras.Layer, row: dict[str, Any] | None) -> dict[str, Any]:
    output = layer.output
    shape = [list(tensor.shape[1:]) for tensor in (output if isinstance(output, list) else [output])]
    measured = {"output_shape": shape[0] if len(shape) == 1 else shape, "parameters": layer.count_params()}
    wanted = {key: row[key] for key in measured} if row else None
    return {"name": layer.name, "predicted": wanted, "keras": measured, "agrees": wanted == measured}


def _keras_totals(model: keras.Model) -> tuple[int, int, int]:
    def distinct(weights: list[Any]) -> int:
        return sum(_elements(w.shape) for w in {id(w): w for w in weights}.values())

    return model.count_params(), distinct(model.trainable_weights), distinct(model.non_trainable_weights)


def _elements(shape: Any) -> int:
    count = 1
    for side in shape:
        count *= int(side)
    return count


def require_agreement(checks: dict[str, dict[str, Any]]) -> None:
    """Stop the run where a prediction and Keras differ, naming each difference.

    Raises CheckFailedError.
    """
    wrong = [
        f"{model}/{layer['name']}: predicted {layer['predicted']}, Keras {layer['keras']}"
        for model, check in checks.items()
        for layer in check["layers"]
        if not layer["agrees"]
    ] + [
        f"{model}: predicted {total['quantity']} {total['predicted']}, Keras {total['keras']}"
        for model, check in checks.items()
        for total in check["totals"]
        if total["predicted"] != total["keras"]
    ]
    if wrong:
        raise CheckFailedError("archcalc and Keras differ, nothing was trained:\n" + "\n".join(wrong[:20]))
