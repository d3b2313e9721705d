"""`archcalc convert`."""

from __future__ import annotations

from typing import Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit, tell
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
    same. What the form cannot keep, and how many names are new, is said on stderr.
    """
    from archcalc.writers.convert import as_text, form_of, save_keras
    from archcalc.writers.losses import losses, renamed
    from archcalc.writers.spec import write_spec
    from archcalc.writers.spec_text import spec_text

    to_file = output is not None and output != "-"
    form = form or (form_of(output) if to_file and output else "spec")
    if form == "keras" and not to_file:
        raise click.UsageError("a .keras archive needs a file: -o model.keras", click.get_current_context())
    if form == "keras":
        options.refuse(("keep_names", "names"), "does not apply to a .keras archive, where all names stay")
    graph = read(source, **reading)
    # code has the names of a spec, which needs layers
    named = form == "spec" or (form == "python" and len(graph.nodes) > len(graph.inputs))
    written = write_spec(graph, fold=not keep_names) if named else None
    new_names = {} if written is None else dict(written.names)
    if names is not None:
        from archcalc.render.json import json_text

        emit(json_text(new_names), names)
    if form == "keras":
        from archcalc.cli.keras_quietly import import_quietly

        import_quietly("archcalc.keras.build")
        save_keras(graph, str(output))
        tell(str(output))
    elif form == "spec" and written is not None:
        emit(spec_text(written.data), output)
    else:
        emit(as_text(graph, form, fold=not keep_names), output)
    notes = losses(graph, form)
    if changed := renamed(new_names):
        more = "" if keep_names else "; --keep-names keeps them, --names FILE lists all"
        notes.append(f"{changed}{more}")
    for note in notes:
        click.echo(f"note: {note}", err=True)
