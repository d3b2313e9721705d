"""`archcalc completion`, and what the shell offers for SOURCE, TYPE, NAME and `--columns`."""

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
    from archcalc.readers.applications import SCHEME, names

    files = [CompletionItem(incomplete, type="file")]
    if not incomplete or not (SCHEME.startswith(incomplete) or incomplete.startswith(SCHEME)):
        return files
    found = _starting(incomplete, (f"{SCHEME}{name}" for name in names()))
    return found if incomplete.startswith(SCHEME) else [*found, *files]


def layer_types(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The types that `archcalc layers` knows."""
    from archcalc.layers.refusals import REFUSALS
    from archcalc.layers.registry import registered

    return _starting(incomplete, sorted({*registered(), *REFUSALS}))


def examples(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The examples that ship with archcalc."""
    from archcalc.cli import shipped

    return _starting(incomplete, shipped.available())


def listed(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The names after a list that is written already: `macs,fi` is completed to `macs,field`."""
    before, comma, _ = incomplete.rpartition(",")
    return _starting(
        incomplete, (f"{before}{comma}{name}" for name in names if name not in before.split(","))
    )


def _starting(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    """The words that begin alike, in any case."""
    return [CompletionItem(word) for word in words if word.lower().startswith(incomplete.lower())]
