"""A page from its template: one file that asks for nothing, and runs nothing but its own script."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from importlib.resources import files
from typing import Any

from archcalc.errors import MissingExtraError


def assembled(template: str, data: Any, **content: Any) -> str:
    """A template of this folder with its texts, all escaped, and its data as JSON.

    Raises `MissingExtraError` without jinja2.
    """
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError:
        raise MissingExtraError("a page needs jinja2: python -m pip install jinja2") from None
    from archcalc import __version__

    folder = files(__package__)
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    script = folder.joinpath("page.js").read_text(encoding="utf-8")
    return environment.get_template(template).render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=Markup(as_json(data)),
        version=__version__,
        **content,
    )


def as_json(data: Any) -> str:
    """JSON that ends no element of HTML, whatever the texts in it."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded, and only this style and this script apply."""
    return (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
