"""`archcalc rules`."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from archcalc.cli import completion, options
from archcalc.cli.output import emit
from archcalc.render.screen import MIN_WIDTH

FORMATS = ("table", "json", "markdown")


@click.command("rules", context_settings={"max_content_width": 100})
@click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=completion.rules)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Output format. Default: table.")
@options.output_option
@click.option(
    "--width", type=click.IntRange(min=MIN_WIDTH), help="Width in columns. Default: the terminal's."
)
def command(ids: tuple[str, ...], **given: Any) -> None:
    """List the rules of lint; with ID (AC101, or a name), what one finds, why, how sure, and examples."""
    from archcalc.render.lint.text import rule_page, rules_markdown, rules_text
    from archcalc.review.lint.catalogue import catalogue, rule_of

    show = options.Showing.of(given | {"ascii": False}, FORMATS)
    chosen = [rule_of(word) for word in ids] or list(catalogue().values())
    if show.form == "json":
        from archcalc.render.json import json_text

        fields = [f.name for f in dataclasses.fields(chosen[0]) if f.name != "check"]
        emit(json_text({"rules": [{f: getattr(r, f) for f in fields} for r in chosen]}), show.output)
    elif show.form == "markdown":
        emit(rules_markdown(chosen), show.output)
    elif ids:
        emit("\n".join(rule_page(rule, show.width) for rule in chosen), show.output)
    else:
        emit(rules_text(chosen, show.width), show.output)
