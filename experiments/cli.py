"""`python -m experiments`: list, run, resume, report, compare."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import ModuleType

import click

from experiments.common import config as configs
from experiments.common import console, exits, files, folders
from experiments.common.errors import ExperimentError
from experiments.registry import EXPERIMENTS, find

RUN = click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Train what archcalc analyses: predicted first, checked against Keras, resumable, reported."""


@cli.command("list")
def show() -> None:
    """The experiments, a line each: what is claimed, what became of it, how long each profile takes."""
    width = max(map(len, EXPERIMENTS))
    for experiment in EXPERIMENTS.values():
        times = ", ".join(f"{profile} {time}" for profile, time in experiment.expected_time.items())
        console.say(f"{experiment.name:<{width}}  {experiment.claim} Found: {experiment.found}. [{times}]")


@cli.command()
@click.argument("name")
@click.option("--profile", type=click.Choice(["smoke", "quick", "full"]), default="quick", show_default=True)
@click.option("--seed", type=int, default=None, help="First seed (default 0).")
@click.option("--seeds", type=int, default=None, help="How many seeds, one after the other (default 1).")
@click.option("--data", metavar="PATH|URL", help="A file or folder of the data, or a zip's URL.")
@click.option("--weights", metavar="imagenet|FILE|none", help="Of the backbone; the same as --set weights=.")
@click.option("--backbone", metavar="NAME", help="The same as --set backbone=.")
@click.option("--cost-miss", metavar="N", help="Of a missed defect; the same as --set cost_miss=.")
@click.option("--cost-false-alarm", metavar="N", help="The same as --set cost_false_alarm=.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a setting; repeatable.")
def run(
    name: str,
    profile: str,
    seed: int | None,
    seeds: int | None,
    data: str | None,
    weights: str | None,
    backbone: str | None,
    cost_miss: str | None,
    cost_false_alarm: str | None,
    out: Path,
    settings: tuple[str, ...],
) -> None:
    """Run the experiment NAME in a new folder under --out."""
    experiment = find(name)
    given = (
        ("weights", weights),
        ("backbone", backbone),
        ("cost_miss", cost_miss),
        ("cost_false_alarm", cost_false_alarm),
    )
    settings += tuple(f"{key}={value}" for key, value in given if value is not None)
    pairs = dict(_pair(setting) for setting in settings)
    config = configs.changed(experiment.profiles[profile], pairs)
    config = dataclasses.replace(
        config,
        seed=config.seed if seed is None else seed,
        seeds=config.seeds if seeds is None else seeds,
    )
    _runner().start(experiment, config, _source(data), out, settings)


@cli.command()
@RUN
def resume(folder: Path) -> None:
    """Continue RUN from its last checkpoint; to the same bits as if nothing had happened."""
    experiment = find(_experiment_of(folder))
    _runner().resume(experiment, folder)


@cli.command()
@RUN
def report(folder: Path) -> None:
    """Draw RUN's figures and write its report.html again."""
    experiment = find(_experiment_of(folder))
    _runner().draw(experiment, folder)


@cli.command()
@click.argument("runs", metavar="RUN RUN ...", nargs=-1, required=True, type=click.Path(path_type=Path))
def compare(runs: tuple[Path, ...]) -> None:
    """RUNs side by side: settings that differ, test metrics with their spread, diagnoses."""
    from experiments.common import comparison

    if len(runs) < 2:
        raise ExperimentError("compare needs two runs or more")
    console.show_table("", ["", *(run.name for run in runs)], comparison.rows(runs))


def _source(data: str | None) -> Path | None:
    """The local file or folder of --data, fetched first where it is a URL."""
    from experiments.common.data import archives

    if data is None:
        return None
    source = archives.fetched(data) if archives.is_url(data) else Path(data)
    if not source.exists():
        raise ExperimentError(f"--data {source}: no such file or folder")
    return source


def _pair(setting: str) -> tuple[str, str]:
    key, equals, value = setting.partition("=")
    if not equals:
        raise ExperimentError(f"--set {setting}: write KEY=VALUE")
    return key.strip(), value.strip()


def _experiment_of(folder: Path) -> str:
    path = folders.existing(folder) / "config.json"
    stored = files.read_json(path)
    if not isinstance(stored, dict) or not isinstance(stored.get("experiment"), str):
        raise ExperimentError(f"{path}: names no experiment; it is not the config of a run")
    name: str = stored["experiment"]
    return name


def _runner() -> ModuleType:
    """The runner, behind TensorFlow's five seconds of import."""
    from experiments.common import environment

    environment.prepare()
    from experiments.common import runner

    return runner


def main() -> None:
    """Run the command line; a fault that the user can mend is one or two lines on stderr."""
    try:
        cli.main(standalone_mode=False, prog_name="python -m experiments")
    except BaseException as problem:
        sys.exit(exits.code(problem))
