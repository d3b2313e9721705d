"""The command line: one module per command, imported when that command runs.

Exit codes: 0 it ran, 1 it ran and a check failed, 2 bad usage or bad input, 3 a defect in
archcalc, 130 interrupted; a closed pipe is silent.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from archcalc.cli.errors import exit_code
from archcalc.errors import did_you_mean

YOUNG = 500_000  # new objects until garbage is looked for among them, 700 by default

# name -> what it does, in one line; the module archcalc.cli.<name> holds `command`
COMMANDS = {
    "analyze": "Parameters, shapes, MACs, memory and receptive fields: a table of layers, and totals.",
    "audit": "Check stated figures, and name the slip that reproduces a wrong one.",
    "completion": "Print the completion of archcalc for bash, zsh or fish.",
    "convert": "Write a network as a spec, as Keras code, or as a .keras archive.",
    "diff": "What changed from one network to another, layer by layer and in total.",
    "examples": "List the example networks, or copy one to a file.",
    "explain": "Each figure of a layer step by step; or which layers have a given count or field.",
    "layers": "List the layer types, their fields and their formulas.",
    "lint": "Find faults of networks, and figures beyond budgets: made for CI.",
    "report": "Write one self-contained HTML page: the network to look at, with its figures.",
    "rules": "List the rules of lint, or explain one.",
    "schema": "Print the JSON Schema of archcalc's own spec, or of what a command prints as JSON.",
    "solve": "Answer a design question exactly: the widest, deepest, cheapest network under budgets.",
    "sweep": "Every configuration of a design space, exact, and the Pareto front of the best.",
    "verify": "Build the real Keras model and compare it with every figure.",
}


class _Commands(click.Group):
    """Lists commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from archcalc.cli.usage import epilog

        command: click.Command = import_module(f"archcalc.cli.{cmd_name}").command
        command.epilog = epilog(cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            hint = did_you_mean(args[0], COMMANDS, f"the commands are {', '.join(COMMANDS)}")
            if args[0].startswith("keras:") or "." in args[0]:
                hint = f"; did you mean archcalc analyze {args[0]}?"
            raise click.UsageError(f"no command is named {args[0]!r}{hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from archcalc import __version__

        click.echo(f"archcalc {__version__}")
        ctx.exit()


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    epilog="Start with: archcalc examples copy vgg16, then archcalc analyze vgg16.json",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_context
def commands(ctx: click.Context) -> None:
    """What a convolutional network costs, sees and can learn, from its architecture alone."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code, after writing to stderr what went wrong."""
    thresholds = gc.get_threshold()
    # hardly anything that a command makes is garbage before its end, and looking for it takes 5 %
    gc.set_threshold(YOUNG, *thresholds[1:])
    try:
        result: Any = commands.main(
            args=None if arguments is None else list(arguments), prog_name="archcalc", standalone_mode=False
        )
        if sys.stdout is not None:
            sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BaseException as problem:
        return exit_code(problem)
    finally:
        gc.set_threshold(*thresholds)
