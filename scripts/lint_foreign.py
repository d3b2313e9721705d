"""Lint thirty networks of other packages (docs/evidence/lint.md).

    python -m scripts.lint_foreign kimm|keras-hub|k3im|kyolo|medicai [-o FILE]

Needs the package beside archcalc's extra `keras`, in the versions of scripts/traced_models.py and
scripts/foreign_networks.py. Which networks was decided before any of them was linted: of the names that
these two scripts know for a package, in alphabetical order, six at equal distances, the first one included;
one that cannot be built or read live is replaced by the next. Each is linted twice, without any setting:
live, where custom layers are traced, and from its `.keras` file alone with unknown layers allowed, as a user
would who only has the file; open texts have 8 tokens, open images 224x224 pixels. Prints every finding; -o
writes them as JSON lines, for counting.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
from keras.src.initializers import random_initializers

import archcalc
from archcalc.keras import from_keras
from archcalc.review.lint.run import Judgement
from scripts import foreign_networks

EACH = 6


def networks(package: str) -> list[tuple[str, Callable[[], Any]]]:
    """All networks of a package that the scripts know, by name."""
    if package in ("kimm", "keras-hub"):
        from scripts import traced_models

        found = [(n.split(" ", 1)[1], b) for n, b in traced_models.models([]) if n.startswith(package)]
    else:
        found = list(foreign_networks.networks(package))
    return sorted(found, key=lambda pair: pair[0])


def chosen(package: str) -> Iterator[tuple[str, str, list[Judgement]]]:
    """The findings of each of the six, live and from its file."""
    known = networks(package)
    taken = set()
    for position in range(EACH):
        for name, build in known[position * len(known) // EACH :]:
            if name in taken:
                continue
            keras.backend.clear_session()
            try:
                model = build()
                live = of_model(model)
            except Exception as fault:  # of packages that this script does not know
                print(f"{package} {name}: left out, {' '.join(str(fault).split())[:150]}", flush=True)
                continue
            taken.add(name)
            yield name, "live", live
            if (found := of_file(model)) is not None:
                yield name, "file", found
            break


def stated_shape(model: Any) -> tuple[int, ...] | None:
    """A shape of the input where the model leaves it open: a text's length, an image's sides."""
    shapes = [tuple(x.shape) for x in model.inputs]
    if all(shape == (None, None) for shape in shapes):
        return (8,)
    return (224, 224, 3) if shapes == [(None, None, None, 3)] else None


def of_model(model: Any) -> list[Judgement]:
    """The findings of a live model."""
    return list(archcalc.lint(from_keras(model, input_shape=stated_shape(model))).findings)


def of_file(model: Any) -> list[Judgement] | None:
    """The findings of its file; None for a model that Keras cannot write."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            model.save(path)
        except NotImplementedError:
            return None
        graph = archcalc.load(path, allow_unknown=True, input_shape=stated_shape(model))
        return list(archcalc.lint(graph).findings)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("package", choices=["kimm", "keras-hub", "k3im", "kyolo", "medicai"])
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    for name in ("GlorotUniform", "VarianceScaling", "RandomNormal", "TruncatedNormal", "RandomUniform"):
        getattr(random_initializers, name).__call__ = foreign_networks._zeros
    lines = []
    for name, road, findings in chosen(given.package):
        print(f"{given.package} {name}, {road}: {len(findings)}", flush=True)
        for f in findings:
            print(f"    {f.rule.severity} {f.rule.id} {f.layer}: {f.message}", flush=True)
            lines.append({"package": given.package, "network": name, "road": road, **f.to_dict()})
    if given.output:
        given.output.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
