"""What the report of `gradient_flow` shows, from what its run measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from archcalc.keras.symptoms import DETECTORS, Series, symptoms
from experiments.common import figures, flow_figures
from experiments.common.experiment import Outcome, Picture
from experiments.common.stacks import Stack


def pictures(outcome: Outcome, cells: Sequence[Stack], labels: Sequence[str]) -> Iterator[Picture]:
    """The figures of the report, in order; `labels` are those of the stacks that were trained."""
    measured, said_of = records(outcome), verdicts(outcome.prediction, labels)
    first = {name: seeds[0] for name, seeds in measured.items()}
    chosen = [name for name in first if name in said_of][:12]
    yield from _of_starts(outcome, cells)
    groups = {
        kind: [n for n, v in said_of.items() if v == kind] for kind in ("vanishing", "stable", "exploding")
    }
    yield Picture(
        "losses",
        "Loss on the monitor's batch, a line a seed, grouped by what archcalc says of the start.",
        flow_figures.losses(measured, {kind: names for kind, names in groups.items() if names}),
    )
    yield Picture(
        "gradients",
        "Gradients of the kernels, layer by layer (rows, first on top) and step by step (columns), "
        "first seed.",
        flow_figures.heat({name: first[name] for name in chosen}),
    )
    yield _of_alarms(outcome, measured)
    residual = {name: each for name, each in first.items() if each.branches.shape[1]}
    if residual:
        yield Picture(
            "branches",
            "How large residual branches are beside their skips.",
            flow_figures.branches(residual),
        )
    yield Picture(
        "idle",
        "Dead (relu) and saturated (sigmoid, tanh) units by layer.",
        flow_figures.idle({name: first[name] for name in chosen[:8]}),
    )
    yield from _of_resnets(outcome, first)


def _of_starts(outcome: Outcome, cells: Sequence[Stack]) -> Iterator[Picture]:
    from experiments.common import starts

    said = outcome.prediction["further"]["starts"]
    found = starts.read(cells, outcome.folder / "starts")
    for series, text in (("noise", "on noise, as archcalc assumes"), ("images", "on real images")):
        yield Picture(
            f"starts_{series}",
            f"The first layer's gradient over the output's at {outcome.config.starts} random starts each, "
            f"{text}: bands are predicted, dots measured.",
            flow_figures.starts(cells, said, found, series),
        )


def _of_alarms(outcome: Outcome, measured: Mapping[str, Sequence[Series]]) -> Picture:
    from experiments.common import healthy

    shares = {
        name: {
            d: float(np.mean([any(s.name == d for s in symptoms(each)) for each in seeds])) for d in DETECTORS
        }
        for name, seeds in measured.items()
    }
    quiet = healthy.read(outcome.folder / "healthy")
    if quiet:
        counts = healthy.false_alarms(quiet, list(DETECTORS))
        shares[f"{len(quiet)} healthy trainings"] = {name: n / len(quiet) for name, n in counts.items()}
    return Picture(
        "alarms",
        "Which symptoms the detectors find in which trainings; the last row are trainings with nothing "
        "wrong.",
        flow_figures.alarms(shares, list(DETECTORS)),
    )


def _of_resnets(outcome: Outcome, first: Mapping[str, Series]) -> Iterator[Picture]:
    pairs = resnet_starts(outcome.prediction, outcome.config.resnet_depths)
    if pairs:
        yield Picture(
            "resnets",
            "Plain and residual networks with batch normalisation: loss and accuracy, epoch by epoch.",
            figures.curves({key: rows for key, rows in outcome.histories.items() if key[0] in pairs}),
        )
        yield Picture(
            "resnet_gradients",
            "And their gradients by layer: nothing vanishes at the start nor at the end.",
            flow_figures.by_layer({name: first[name] for name in pairs}),
        )


def findings(outcome: Outcome, labels: Sequence[str]) -> list[str]:
    """A sentence a network: archcalc's verdict, the accuracy in training, the detectors' alarms."""
    said_of, found = verdicts(outcome.prediction, labels), []
    reached = accuracies(outcome)
    for name, seeds in records(outcome).items():
        cries = list(dict.fromkeys(s.name for each in seeds for s in symptoms(each)))
        shown = ", ".join(f"{value:.2f}" for value in reached[name])
        said = f" (archcalc: {said_of[name]})" if name in said_of else ""
        found.append(f"{name}{said}: training accuracy {shown}; {', '.join(cries) or 'no alarm'}")
    return found


def verdicts(prediction: Mapping[str, Any], labels: Sequence[str]) -> dict[str, str]:
    """What archcalc says of each stack's gradient at the start."""
    return {label: prediction["models"][label]["verdicts"][0]["verdict"] for label in labels}


def resnet_starts(prediction: Mapping[str, Any], depths: Sequence[int]) -> dict[str, Any]:
    """What archcalc expects of the networks with batch normalisation, by name."""
    names = [f"{kind} {depth}" for depth in depths for kind in ("plain", "resnet")]
    found = {}
    for name in names:
        said = prediction["models"][name]["verdicts"][0]
        found[name] = {"log10": said["log10"], "low": said["log10_low"], "high": said["log10_high"]}
    return found


def records(outcome: Outcome) -> dict[str, list[Series]]:
    """Measurements of every training, by condition, a series a seed."""
    from experiments.common import recording

    found: dict[str, list[Series]] = {}
    for name, seed in outcome.histories:
        found.setdefault(name, []).append(recording.read(outcome.records((name, seed))))
    return found


def accuracies(outcome: Outcome) -> dict[str, list[float]]:
    """Training accuracy of the last epoch by condition and seed; 0 where the loss was no number."""
    found: dict[str, list[float]] = {}
    for (name, _), rows in outcome.histories.items():
        last = rows[-1]
        found.setdefault(name, []).append(last["accuracy"] if np.isfinite(last["loss"]) else 0.0)
    return found
