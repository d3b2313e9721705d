"""Runs side by side: what differs in their settings, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.common import files, folders


def rows(runs: Sequence[Path]) -> list[list[str]]:
    """A table's lines: each setting in which the runs differ, then test metrics by condition.

    Raises ExperimentError for a folder that is no finished run.
    """
    configs, results = [], []
    for run in runs:
        folder = folders.finished(run)
        configs.append(files.read_json(folder / "config.json"))
        results.append(files.read_json(folder / "result.json"))
    return [*_settings(configs, results), *_metrics(results)]


def _settings(configs: list[dict[str, Any]], results: list[dict[str, Any]]) -> list[list[str]]:
    lines = [["experiment", *(config["experiment"] for config in configs)]]
    keys = dict.fromkeys(key for config in configs for key in config["config"])
    for key in keys:
        values = [str(config["config"].get(key, "–")) for config in configs]
        if len(set(values)) > 1:
            lines.append([key, *values])
    for key, label in (("data_sha256", "data"),):
        values = [config[key][:12] for config in configs]
        lines.append([label, *(values if len(set(values)) > 1 else ["the same", *[""] * (len(values) - 1)])])
    values = [result["prediction_sha256"][:12] for result in results]
    lines.append(
        ["prediction", *(values if len(set(values)) > 1 else ["the same", *[""] * (len(values) - 1)])]
    )
    return lines


def _metrics(results: list[dict[str, Any]]) -> list[list[str]]:
    lines = []
    for condition in dict.fromkeys(name for result in results for name in result["conditions"]):
        found = [result["conditions"].get(condition) or {} for result in results]
        for quantity in dict.fromkeys(key for metrics in found for key in metrics):
            if quantity.endswith("standard_error"):
                continue
            lines.append(
                [f"{condition}: test {quantity}", *(_spread(metrics.get(quantity)) for metrics in found)]
            )
        verdicts = [
            ", ".join(
                dict.fromkeys(
                    r["diagnosis"]["verdict"] for r in result["runs"] if r["condition"] == condition
                )
            )
            or "–"
            for result in results
        ]
        lines.append([f"{condition}: diagnosis", *verdicts])
    lines.append(["seconds of training", *(f"{result['seconds']:,.0f}" for result in results)])
    return lines


def _spread(found: dict[str, Any] | None) -> str:
    if not found:
        return "–"
    deviation = found["standard_deviation"]
    return f"{found['mean']:.4f}" + ("" if deviation is None else f" ± {deviation:.4f} ({found['seeds']})")
