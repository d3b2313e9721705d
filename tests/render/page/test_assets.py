"""The script and the style of pages are what their sources give; by a hash, where there is no node."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import archcalc.render.page as page

FOLDER = Path(page.__file__).parent


def sources_hash() -> str:
    """Over the names and contents of all that the assets are built from."""
    whole = hashlib.sha256()
    folder = FOLDER / "ts"
    files = [*(folder / "src").iterdir(), folder / "build.mjs", folder / "package-lock.json"]
    for path in sorted(files, key=lambda p: p.name):
        whole.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:16]


def test_they_are_current() -> None:
    for name in ("page.js", "page.css"):
        stated = re.match(r"/\* sources ([0-9a-f]{16})", (FOLDER / name).read_text(encoding="utf-8"))
        assert stated is not None
        assert stated[1] == sources_hash(), f"npm run build in {FOLDER / 'ts'} makes {name} anew"


def test_the_lock_file_has_no_address() -> None:
    assert "http" not in (FOLDER / "ts" / "package-lock.json").read_text(encoding="utf-8")
