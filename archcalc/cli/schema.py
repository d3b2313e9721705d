"""`archcalc schema`."""

from __future__ import annotations

import click

from archcalc.cli import options
from archcalc.cli.output import emit


@click.command("schema", context_settings={"max_content_width": 100})
@options.output_option
def command(output: str | None) -> None:
    """Print the JSON Schema (draft 2020-12) of the spec, for completion and checks in editors."""
    import json

    from archcalc.readers.schema import schema

    emit(json.dumps(schema(), indent=1) + "\n", output)
