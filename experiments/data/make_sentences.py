"""Make `sentences/`: 600 sentences each from the docstrings of four libraries, a line each, lower case.

    python -m experiments.data.make_sentences

The libraries are NumPy, scikit-learn, scikit-image and NetworkX, all under the BSD licence of three
clauses. Their own names are left out, which would tell a sentence's origin, and so is whatever is no word.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "sentences"
LIBRARIES = ("numpy", "sklearn", "skimage", "networkx")
NAMES = re.compile(r"\b(numpy|np|scipy|sklearn|scikit|learn|skimage|image|networkx|nx)\b")
COUNT, SHORTEST, LONGEST = 600, 7, 24


def docstrings(name: str) -> Iterator[str]:
    """Of every public function and class of a library, once."""
    root, seen = importlib.import_module(name), set()
    modules = [root]
    for found in pkgutil.walk_packages(root.__path__, f"{name}."):
        if any(
            part.startswith("_") or part in ("tests", "conftest", "testing", "f2py", "distutils")
            for part in found.name.split(".")
        ):
            continue
        try:
            modules.append(importlib.import_module(found.name))
        except Exception:  # an optional dependency that is not there
            continue
    for module in modules:
        for _, thing in sorted(inspect.getmembers(module)):
            text = inspect.getdoc(thing) if callable(thing) else None
            home = getattr(thing, "__module__", None) or ""
            if text and home.split(".")[0] == name and text not in seen:
                seen.add(text)
                yield text


def sentences(text: str) -> Iterator[str]:
    """Those of running text: no headings, code, lists or tables."""
    for paragraph in re.split(r"\n\s*\n", text):
        if ">>>" in paragraph or "---" in paragraph or "::" in paragraph or ".. " in paragraph:
            continue
        for sentence in re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split())):
            if re.fullmatch(r"[A-Z][A-Za-z ,;'()-]*\.", sentence):
                cleaned = re.sub(r"[^a-z ]", " ", NAMES.sub(" ", sentence.lower()))
                if SHORTEST <= len(cleaned.split()) <= LONGEST:
                    yield " ".join(cleaned.split())


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for library in LIBRARIES:
        found = sorted({sentence for text in docstrings(library) for sentence in sentences(text)})
        chosen = np.random.default_rng(0).permutation(len(found))[:COUNT]
        lines = "\n".join(found[n] for n in chosen)
        (HERE / f"{library}.txt").write_text(lines + "\n", encoding="ascii")
