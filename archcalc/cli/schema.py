"""`archcalc schema`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit

# what has a schema -> the module and the function that give it
SCHEMAS = {
    "spec": ("archcalc.readers.schema", "schema"),
    "solve": ("archcalc.design.schema_solve", "solve"),
    "sweep": ("archcalc.design.schema_sweep", "sweep"),
}


@click.command("schema", context_settings={"max_content_width": 100})
@click.argument("what", type=click.Choice(list(SCHEMAS)), default="spec")
@options.output_option
def command(what: str, output: str | None) -> None:
    """Print a JSON Schema (draft 2020-12): of the spec, for editors, or of a command's JSON."""
    import json

    module, name = SCHEMAS[what]
    schema: Callable[[], dict[str, Any]] = getattr(import_module(module), name)
    emit(json.dumps(schema(), indent=1) + "\n", output)
