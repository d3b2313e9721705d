"""`archcalc examples`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from archcalc.cli import completion, options
from archcalc.cli.errors import OutputError
from archcalc.cli.output import emit


@click.group("examples", invoke_without_command=True, context_settings={"max_content_width": 100})
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the example networks, or copy one to a file."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(listing, output=None)


@command.command("list")
@options.output_option
def listing(output: str | None) -> None:
    """List the examples, one per line."""
    from archcalc.cli import shipped
    from archcalc.render.text import folded

    examples = shipped.available()
    claims = shipped.claims()
    longest = max((len(name) for name in (*examples, *claims)), default=0)
    entries = {name: _summary(path) for name, path in examples.items()}
    entries |= dict.fromkeys(claims, "claims about examples, for archcalc audit")
    width = None if output else options.chosen_width(None)
    lines = [
        line for name, text in entries.items() for line in folded(f"{name.ljust(longest)}  ", text, width)
    ]
    emit("\n".join(lines) + "\n", output)
    if output is None and sys.stdout.isatty():
        click.echo("next: archcalc examples copy NAME", err=True)


def _summary(path: Path) -> str:
    """An example's shapes and parameters, computed from its file."""
    from archcalc.analyze import analyze
    from archcalc.readers import load
    from archcalc.render.summary import headline
    from archcalc.render.text import ASCII, UNICODE, count

    glyphs = ASCII if options.wants_ascii(False, None) else UNICODE
    report = analyze(load(str(path)))
    return f"{headline(report, glyphs)}, {count(report.totals.parameters, glyphs)} parameters"


@command.command("copy")
@click.argument("name", shell_complete=completion.examples)
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="Write to FILE. Default: NAME.json.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def copy(name: str, output: str | None, force: bool) -> None:
    """Copy the example NAME to a file, to read and to edit."""
    import os

    from archcalc.cli import shipped

    path = shipped.path_of(name)
    text = path.read_text(encoding="utf-8")
    target = output or path.name
    if target != "-" and os.path.isfile(target) and not force:
        raise OutputError(f"{target} exists already; --force overwrites it, -o FILE writes elsewhere")
    then = f"analyze {target}" if path.suffix == ".json" else f"audit NETWORK --claims {target}"
    emit(text, target, then)
