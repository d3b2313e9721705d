"""`archcalc layers`."""

from __future__ import annotations

from typing import Any

import click

from archcalc.cli import completion, options
from archcalc.cli.output import emit
from archcalc.layers.refusals import REFUSALS
from archcalc.render.screen import MIN_WIDTH

FORMATS = ("table", "json", "markdown")


@click.command("layers", context_settings={"max_content_width": 100})
@click.argument("names", nargs=-1, metavar="[TYPE]...", shell_complete=completion.layer_types)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Output format. Default: table.")
@options.output_option
@click.option(
    "--width", type=click.IntRange(min=MIN_WIDTH), help="Width in columns. Default: the terminal's."
)
@click.option("--ascii", is_flag=True, help="Use only ASCII.")
def command(names: tuple[str, ...], **given: Any) -> None:
    """List the layer types and their parameters in closed form; with TYPE, the details of that type."""
    from archcalc.layers import registry
    from archcalc.render import catalogue as render
    from archcalc.report import catalogue

    if names:
        known = [name for name in registry.type_names() if not name.startswith("ops.")]
        chosen = [_known(name, [*known, *REFUSALS]) for name in names]
        entries = [catalogue.entry(cls) for name in chosen if (cls := registry.layer_type(name))]
        refused = {name: REFUSALS[name] for name in chosen if name in REFUSALS}
    else:
        entries, refused = catalogue.entries(), catalogue.refused()
    show = options.Showing.of(given, FORMATS)
    if show.form == "json":
        from archcalc.render.json import json_text

        data: dict[str, object] = {"layers": [render.as_data(e) for e in entries]}
        data["refused"] = [{"name": k, **v._asdict()} for k, v in refused.items()]
        data |= {} if names else {"operations": catalogue.operations()}
        text = json_text(data, ascii=show.ascii)
    elif show.form == "markdown":
        text = render.markdown(entries, None if names else catalogue.operations(), refused)
    else:
        if names:
            text = render.details(entries, show.width, show.ascii, refused)
        else:
            text = render.overview(entries, show.width, show.ascii, catalogue.operations(), refused)
    emit(text, show.output)


def _known(name: str, known: list[str]) -> str:
    from archcalc.readers.counterparts import type_hint

    exact = next((k for k in known if k.lower() == name.lower()), None)
    if exact is not None:
        return exact
    hint = type_hint(name, known) or "; `archcalc layers` lists them all"
    raise click.UsageError(f"no layer type is named {name!r}{hint}", click.get_current_context())
