"""`archcalc convert`."""

from __future__ import annotations

from typing import Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit
from archcalc.cli.sources import read


@click.command("convert", context_settings={"max_content_width": 100})
@options.source_argument
@options.reading_options
@options.output_option
@click.option(
    "--to",
    "form",
    type=click.Choice(["spec", "python", "keras"]),
    help="Output form. Default: by the suffix of the -o file (.json, .py, .keras), else spec.",
)
@click.option(
    "--keep-names", is_flag=True, help="Fold nothing into blocks, so that every layer keeps its name."
)
@click.option("--names", type=click.Path(), metavar="FILE", help="Write which layer got which name, as JSON.")
def command(
    source: str, output: str | None, form: str | None, keep_names: bool, names: str | None, **reading: Any
) -> None:
    """Write a network as a spec, as Keras code, or as a .keras archive.

    Repeated layers become blocks, named after the common beginning of their names; figures stay the
    same.
    """
    from archcalc.writers.convert import as_text, form_of, save_keras

    to_file = output is not None and output != "-"
    form = form or (form_of(output) if to_file and output else "spec")
    if form == "keras" and not to_file:
        raise click.UsageError("a .keras archive needs a file: -o model.keras", click.get_current_context())
    if form == "keras":
        options.refuse(("keep_names", "names"), "does not apply to a .keras archive, where all names stay")
    graph = read(source, **reading)
    if names is not None:
        from archcalc.render.json import json_text
        from archcalc.writers.spec import write_spec

        emit(json_text(dict(write_spec(graph, fold=not keep_names).names)), names)
    if form == "keras":
        from archcalc.cli.keras_quietly import import_quietly

        import_quietly("archcalc.keras.build")
        save_keras(graph, str(output))
    else:
        emit(as_text(graph, form, fold=not keep_names), output)
