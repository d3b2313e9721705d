"""`archcalc completion`, and what the shell offers for SOURCE, TYPE, NAME, ID and `--columns`."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from archcalc.cli.output import emit

SHELLS = ("bash", "zsh", "fish")
# bash would otherwise see three words in keras:ResNet50
_BASH = "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n"


@click.command("completion", context_settings={"max_content_width": 100})
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion of archcalc for a shell.

    Once for all: eval "$(archcalc completion bash)" in ~/.bashrc, the same with zsh in ~/.zshrc;
    archcalc completion fish > ~/.config/fish/completions/archcalc.fish
    """
    from click.shell_completion import get_completion_class

    from archcalc.cli import commands

    cls = get_completion_class(shell)
    assert cls is not None
    text: str = cls(commands, {}, "archcalc", "_ARCHCALC_COMPLETE").source()
    # click splits type,value at every comma, and a list of columns or a description holds more of them
    text = text.replace('(string split "," $completion)', '(string split --max 1 "," $completion)')
    emit((_BASH if shell == "bash" else "") + text.strip("\n") + "\n", None)


def sources(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, and `keras:NAME` once something of it is written."""
    from glob import glob

    from archcalc.readers.applications import SCHEME, names

    if not incomplete or not (SCHEME.startswith(incomplete) or incomplete.startswith(SCHEME)):
        return [CompletionItem(incomplete, type="file")]
    # bash would drop the names for a type of files, so these are names too
    files = sorted(glob(f"{incomplete}*")) if SCHEME.startswith(incomplete) else []
    return _starting(incomplete, [*(f"{SCHEME}{name}" for name in names()), *files])


def layer_types(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The types that `archcalc layers` knows."""
    from archcalc.layers.refusals import REFUSALS
    from archcalc.layers.registry import registered

    return _starting(incomplete, sorted({*registered(), *REFUSALS}))


def examples(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The examples that ship with archcalc."""
    from archcalc.cli import shipped

    return _starting(incomplete, shipped.available())


def rules(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The rules of lint: their ids, and their names once something of one is written."""
    return _starting(incomplete, _rules(incomplete))


def listed_rules(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The same after a list that is written already."""
    return listed(_rules(incomplete.rpartition(",")[2]), incomplete)


def _rules(incomplete: str) -> list[str]:
    from archcalc.review.lint.catalogue import catalogue

    ids = catalogue()
    return [*ids, *(rule.name for rule in ids.values())] if incomplete else [*ids]


def listed(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The names after a list that is written already: `macs,fi` is completed to `macs,field`."""
    before, comma, _ = incomplete.rpartition(",")
    return _starting(
        incomplete, (f"{before}{comma}{name}" for name in names if name not in before.split(","))
    )


def _starting(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    """The words that begin alike, in any case."""
    return [CompletionItem(word) for word in words if word.lower().startswith(incomplete.lower())]
