"""Write docs/keras-applications.md: the figures of every network that ships, as a table.

    python scripts/applications_table.py [--output PATH]

Needs no Keras; a slow test compares every figure with it. Takes about half a minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from archcalc.analyze import analyze
from archcalc.readers.applications import names, read_application
from archcalc.report.report import Report, Row

OUTPUT = Path(__file__).parent.parent / "docs" / "keras-applications.md"
OPEN_SIDE = 224  # for networks that take any image

PAGE = """# The networks of keras.applications

How large are the networks of keras.applications, how much do they compute and how much do they see? Every
network is at its defaults, as `archcalc analyze keras:NAME` prints it without Keras: the architectures ship
with archcalc, and tests compare them with [Keras's](evidence/known-networks.md). The field is that of one
unit of the last feature map; where a squeeze-and-excite gate makes it the whole image, it is that of the
local path (\\*). MobileNetV3 takes any image; its MACs are those at 224 × 224.
`scripts/applications_table.py` writes this page.

| network | input | parameters | trainable | not trainable | MACs | field | stride |
|---|---|--:|--:|--:|--:|--:|--:|
"""


def line(name: str) -> str:
    """The row of one network."""
    graph = read_application(f"keras:{name}")
    report = analyze(graph, symbols=dict.fromkeys(graph.symbols, OPEN_SIDE))
    (shape,) = report.inputs.values()
    totals = report.totals
    last = last_map(report)
    (field,) = last.receptive_fields.values()
    assert field is not None
    gated = "\\*" if field.local_size != field.size else ""
    cells = [
        name,
        " × ".join(map(str, shape)),
        f"{totals.parameters:,}",
        f"{totals.trainable_parameters:,}",
        f"{totals.non_trainable_parameters:,}",
        f"{totals.macs:,}",
        f"{field.local_size[0]}{gated}",
        f"{field.stride[0]}",
    ]
    return f"| {' | '.join(cells)} |"


def last_map(report: Report) -> Row:
    """The last row that still has positions: what the classifier, or its pooling, reads."""
    maps = [r for r in report.rows if len(r.output_shapes[0]) == 3 and r.output_shapes[0][0] > 1]
    return maps[-1]


def page(which: Iterable[str]) -> str:
    return PAGE + "".join(f"{line(name)}\n" for name in which)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output: Path = parser.parse_args().output
    output.write_text(page(names()), encoding="utf-8")
    print(f"{output}: {len(names())} networks")


if __name__ == "__main__":
    main()
