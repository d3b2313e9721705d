"""`Size` as mypy sees it: rules may add, subtract, multiply, floor-divide and take powers, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

mypy_api = pytest.importorskip("mypy.api")

ROOT = Path(__file__).parents[2]
SNIPPET = """\
from __future__ import annotations

import math

from archcalc.arith import Shape, Size, prod
from archcalc.layers.convolution import Conv2D


class Rules(Conv2D):
"""
# ten offences that a rule is likely to commit, and how mypy names each
OFFENCES = {
    "quotient": ("return n / 2", "operator"),
    "maximum": ("return max(n, 1)", "call-overload"),
    "minimum": ("return min(k for k in x)", "type-var"),
    "rounding": ("return math.ceil(n)", "call-overload"),
    "order": ("return 1 if prod(x) < 3 else 2", "operator"),
    "order_of_a_field": ("return next(k for k in self.strides if k > 1)", "operator"),
    "truth": ("return self.groups or 1", "truthy-bool"),
    "branch": ("if n:\n            return 1\n        return 2", "truthy-bool"),
    "range": ("return prod(k for k in range(n))", "call-overload"),
    "equality": ("return 1 if x[0] == x[1] else 2", None),  # every object has `==`
}
ALLOWED = {
    "arithmetic": "return -n + 2 * x[0] - n % 3 + (n - 1) // 2 + 2**n",
    "plain": "return prod(x) if len(x) == 2 else 1",
    "optional": "return n if self.bias_initializer is None else self.filters",
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The errors of mypy in each rule."""
    code = SNIPPET
    ends: list[tuple[int, str]] = []
    for name, body in {**{n: b for n, (b, _) in OFFENCES.items()}, **ALLOWED}.items():
        code += f"    def {name}(self, x: Shape, n: Size) -> Size:\n        {body}\n\n"
        ends.append((code.count("\n"), name))
    path = tmp_path_factory.mktemp("size") / "rules.py"
    path.write_text(code, encoding="utf-8")
    report, fault, _ = mypy_api.run([str(path), "--config-file", str(ROOT / "pyproject.toml")])
    assert not fault
    found = dict.fromkeys([*OFFENCES, *ALLOWED], "")
    for line in report.splitlines():
        place, _, text = line.partition(": error: ")
        if text:
            file, _, number = place.rpartition(":")
            assert file.endswith(path.name), line  # the folder may be that of a cached run
            found[next(name for end, name in ends if int(number) <= end)] += text
    return found


@pytest.mark.parametrize("name", OFFENCES)
def test_mypy_sees(seen: dict[str, str], name: str) -> None:
    _, code = OFFENCES[name]
    assert (f"[{code}]" in seen[name]) if code else not seen[name]


@pytest.mark.parametrize("name", ALLOWED)
def test_mypy_leaves_alone(seen: dict[str, str], name: str) -> None:
    assert not seen[name]
