"""`archcalc lint`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import completion, options
from archcalc.cli.output import emit
from archcalc.errors import ArchcalcError
from archcalc.graph.compiled import LABELS
from archcalc.report.options import AnalysisOptions

if TYPE_CHECKING:
    from archcalc.review.lint.run import Lint
    from archcalc.review.lint.settings import Settings

FORMATS = ("text", "json", "github", "sarif", "junit")
_SUFFIXES = {".json": "json", ".sarif": "sarif", ".xml": "junit"}
# options that are keys of [tool.archcalc.lint]
_KEYS = (
    *("select", "ignore", "fail_on", "loss", "optimizer", "learning_rate", "momentum", "labels", "classes_"),
    *("batch", "dtype", "memory", "largest_object", "smallest_object", "input_range"),
)


@click.command("lint", context_settings={"max_content_width": 100})
@options.sources_argument
@options.reading_options
@click.option(
    "--select",
    metavar="RULES",
    shell_complete=completion.listed_rules,
    help="Run only these rules: AC101, AC1 (all that begin so), names.",
)
@click.option(
    "--ignore",
    metavar="RULES",
    shell_complete=completion.listed_rules,
    help="Leave out these rules, besides those of the configuration.",
)
@click.option(
    "--fail-on",
    type=click.Choice(options.SEVERITIES),
    help="Exit with 1 if there is a finding of this level or above. Default: warning.",
)
@click.option(
    "--loss",
    metavar="NAME",
    help="Loss it is trained with, or one for each output: mse,CategoricalCrossentropy(from_logits=True).",
)
@click.option("--learning-rate", type=float, metavar="RATE", help="Learning rate of the optimizer.")
@click.option("--momentum", type=float, metavar="M", help="Momentum of the optimizer.")
@click.option("--labels", type=click.Choice(LABELS), help="What the labels are.")
@click.option("--num-classes", "classes_", type=click.IntRange(min=1), metavar="N", help="Number of classes.")
@options.generated(AnalysisOptions, ("batch", "dtype", "optimizer", "memory"))
@click.option(
    "--budget", "budgets", metavar="NAME=LIMIT", multiple=True, help="max-parameters=5e6 (repeatable)."
)
@click.option(
    "--largest-object", type=click.IntRange(min=1), metavar="N", help="Pixels of the largest object."
)
@click.option(
    "--smallest-object", type=click.IntRange(min=1), metavar="N", help="Pixels of the smallest object."
)
@click.option(
    "--input-range", metavar="LOW:HIGH", help="Range of the input values, if they are scaled before."
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="TOML with [tool.archcalc.lint]. Default: the nearest pyproject.toml.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: text, or by the suffix of -o.")
@options.output_option
def command(sources: tuple[str, ...], config: str | None, budgets: tuple[str, ...], **given: Any) -> int:
    """Find faults of networks, and figures beyond budgets: made for CI.

    Each SOURCE is a spec, a Keras config (model.to_json()), a .keras or .h5 file, keras:NAME, or - for
    standard input. Exit code 1 if there is a finding at the level of --fail-on, whatever the format.
    """
    from archcalc.review.lint.settings import configuration

    output, form = given.pop("output"), given.pop("form")
    form = form or _form(output)
    reading = options.taken(given, options.READING)
    stated = {p.name for p in options.given()}
    words = {key.strip("_").replace("_", "-"): given[key] for key in _KEYS if key in stated}
    words |= dict(_budget(text) for text in budgets)
    configured = configuration(config)
    results = [_lint(s, configured.of(s).with_words(words, "options"), reading) for s in sources]
    emit(_text(results, form), output)
    return int(any(result.failed for result in results))


def _form(output: str | None) -> str:
    return next((form for end, form in _SUFFIXES.items() if (output or "").lower().endswith(end)), "text")


def _budget(text: str) -> tuple[str, Any]:
    """`max-parameters=5e6`, `max-training-memory=24GiB`."""
    from archcalc.review.lint.budgets import NAMES

    name, sign, value = text.partition("=")
    if not sign or name.strip() not in NAMES:
        known = ", ".join(NAMES[::2])
        raise click.UsageError(f"--budget {text!r}: expected NAME=LIMIT; the names are {known}, and min-...")
    try:
        number = float(value)
        return name.strip(), int(number) if number == int(number) else number
    except (OverflowError, ValueError):
        return name.strip(), value.strip()


def _lint(source: str, settings: Settings, reading: dict[str, Any]) -> Lint:
    from archcalc.cli.sources import naming, read
    from archcalc.review.lint.run import lint_graph

    graph = read(source, **reading)
    with naming(source):
        try:
            return lint_graph(graph, source, settings)
        except ArchcalcError as problem:
            if hasattr(problem, "faults"):
                raise
            raise ArchcalcError(f"{source}: {problem}") from None


def _text(results: list[Lint], form: str) -> str:
    if form == "text":
        from archcalc.render.lint.text import lint_text

        return lint_text(results)
    from archcalc.render.lint.formats import FORMATS as WRITERS

    return WRITERS[form](results)
