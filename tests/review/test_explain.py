"""`explain`: against brute force over small spaces with formulas of its own, and the known answers."""

from __future__ import annotations

import json
import random
import time
from itertools import product
from typing import Any

import pytest

from archcalc.analyze import analyze
from archcalc.cli import main
from archcalc.errors import ArchcalcError
from archcalc.review.explain import Explanation, explain
from archcalc.review.explain_field import explain_field
from archcalc.review.space import Space
from tests.networks import chain, made

RANKS = {"Conv1D": 1, "Conv2D": 2, "Conv3D": 3, "DepthwiseConv2D": 2, "SeparableConv2D": 2, "Dense": 0}
LOCAL = {"LocallyConnected1D": 1, "LocallyConnected2D": 2}


# -- brute force ---------------------------------------------------------------------------------------
def by_hand(kind: str, k: int, c: int, f: int, bias: bool, g: int) -> int | None:
    """The parameters by the textbook's formula; None where the layer does not exist."""
    if c % g or f % g:
        return None
    area = k ** RANKS[kind]
    if kind == "DepthwiseConv2D":
        return area * c * f + bias * c * f
    if kind == "SeparableConv2D":
        return area * c + c * f + bias * f
    return area * (c // g) * f + bias * f


def connections(n: int, k: int) -> int:
    """How many units inside an axis of n the windows of a `same` layer read, counted one by one."""
    return sum(0 <= i - k // 2 + j < n for i in range(n) for j in range(k))


def local_by_hand(rank: int, k: int, c: int, f: int, bias: bool, n: int, mode: tuple[int, str]) -> int | None:
    implementation, padding = mode
    positions = (n if padding == "same" else n - k + 1) ** rank
    if n < k or (implementation == 1 and padding == "same"):
        return None
    weights = positions * k**rank * c * f
    if implementation == 2:
        weights = n**rank * c * positions * f
    elif padding == "same":
        weights = connections(n, k) ** rank * c * f
    return weights + bias * positions * f


def question(seed: int) -> tuple[int, Space, set[tuple[Any, ...]], int]:
    """A count that some layer of a random space has, the space, all answers, and the space's size."""
    draw = random.Random(seed)
    kinds = draw.sample([*RANKS, *LOCAL], 2)
    kernels = tuple(sorted(draw.sample(range(1, 8), 3)))
    channels, filters = sorted(draw.choices(range(1, 25), k=2)), sorted(draw.choices(range(1, 25), k=2))
    groups = tuple(sorted({1, draw.choice((1, 2, 3, 4))}))
    sizes = tuple(draw.sample(range(3, 12), 2))
    both = draw.choice(((True,), (False,), (True, False)))
    table: dict[tuple[Any, ...], int] = {}
    size = 0
    spans = range(channels[0], channels[1] + 1), range(filters[0], filters[1] + 1)
    for kind, c, f, bias in product(kinds, *spans, both):
        if kind in LOCAL:
            for k, n, mode in product(kernels, sizes, product((1, 2, 3), ("valid", "same"))):
                count = local_by_hand(LOCAL[kind], k, c, f, bias, n, mode)
                if count is not None:
                    table[kind, k, c, f, bias, n, mode] = count
            continue
        grouped = groups if kind.startswith("Conv") else (1,)
        for k, g in product(kernels if RANKS[kind] else (1,), grouped):
            count = by_hand(kind, k, c, f, bias, g)
            if count is not None:
                table[kind, k, c, f, bias, g] = count
    size = len(table)
    asked = draw.choice([*table.values(), draw.randint(1, 5000)])
    space = Space(
        types=tuple(kinds),
        kernel_sizes=kernels,
        input_channels=(channels[0], channels[1]),
        filters=(filters[0], filters[1]),
        bias=both,
        groups=groups,
    ).with_inputs(sizes)
    return asked, space, {key for key, count in table.items() if count == asked}, size


def keys(explanation: Explanation) -> set[tuple[Any, ...]]:
    found = set()
    for answer in explanation.answers:
        a = answer.arguments
        key = [answer.type, a.get("kernel_size", (1,))[0], answer.input_channels, answer.width, a["use_bias"]]
        if answer.type in LOCAL:
            found.add((*key, answer.input_shape[0], (a["implementation"], a["padding"])))
        else:
            found.add((*key, a.get("groups", 1)))
    assert len(found) == len(explanation.answers)
    return found


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_brute_force_agrees(start: int) -> None:
    for seed in range(start, start + 50):
        asked, space, expected, size = question(seed)
        explanation = explain(asked, space)
        assert keys(explanation) == expected, seed
        assert explanation.size == size, seed


@pytest.mark.parametrize("seed", range(40))
def test_chains_agree_with_the_analysis(seed: int) -> None:
    """Every chain with the field, and no other, by the analysis of the whole network."""
    draw = random.Random(seed)
    kernel, asked = draw.choice((2, 3, 5)), draw.randint(2, 30)
    explanation = explain_field(asked, layers=1, kernel_sizes=(kernel,))
    found = {chain for chain in explanation.answers if len(chain) == 2}
    links = [(s, d) for s in range(1, 5) for d in range(1, 5) if s == 1 or d == 1]
    expected = set()
    for first, last in product(links, [d for s, d in links if s == 1]):
        layers = [
            (f"c{i}", made("Conv2D", filters=1, kernel_size=kernel, strides=s, dilation_rate=d))
            for i, (s, d) in enumerate((first, (1, last)))
        ]
        if analyze(chain("net", (500, 500, 1), *layers)).rows[-1].receptive_field.size == (asked, asked):
            expected.add(((kernel, *first), (kernel, 1, last)))
    assert {tuple(tuple(link) for link in chain) for chain in found} == expected


# -- known answers -------------------------------------------------------------------------------------
def first(parameters: int, **narrowed: Any) -> tuple[Any, ...]:
    answer = explain(parameters, **narrowed).answers[0]
    a = answer.arguments
    return answer.type, a.get("kernel_size"), answer.input_channels, answer.width, a.get("use_bias")


def test_the_most_plausible_answers() -> None:
    assert first(448, input_channels=(3, 3)) == ("Conv2D", (3, 3), 3, 16, True)
    assert first(4640) == ("Conv2D", (3, 3), 16, 32, True)
    assert first(1792, input_channels=(3, 3)) == ("Conv2D", (3, 3), 3, 64, True)
    assert first(9408, input_channels=(3, 3)) == ("Conv2D", (7, 7), 3, 64, False)
    assert first(4_097_000) == ("Dense", None, 4096, 1000, True)


def test_no_locally_connected_layer_has_14656() -> None:
    explanation = explain(14_656, types=("LocallyConnected2D",), kernel_sizes=(3,), input_channels=(16, 16))
    assert not explanation.found
    assert explanation.size == 4096 * 2 * 32 * 5


def test_a_field_of_7_from_two_layers() -> None:
    chains = explain_field(7, layers=2, kernel_sizes=(3,)).answers
    described = {tuple((link.stride, link.dilation) for link in chain) for chain in chains}
    assert described == {((1, 1),) * 3, ((2, 1), (1, 1)), ((1, 1), (1, 2)), ((1, 2), (1, 1))}


def test_one_layer_is_quick() -> None:
    explain(448)
    started = time.process_time()
    explain(4640)
    assert time.process_time() - started < 0.3


# -- the command ---------------------------------------------------------------------------------------
def run(*arguments: str) -> int:
    return main(["explain", *arguments])


def test_formats(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--parameters", "448", "--input-channels", "3", "--type", "Conv2D")
    assert run(*asked, "--format", "json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["answers"][0]["filters"] == 16
    assert (data["found"], data["exhausted"]) == (len(data["answers"]), True)
    assert run(*asked, "--format", "csv") == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("Conv2D,3x3,3,16,true,")
    assert run(*asked, "--format", "markdown", "--top", "1") == 0
    assert "1. Conv2D 3×3, 3 → 16, bias" in capsys.readouterr().out
    assert run(*asked, "--ascii") == 0
    assert capsys.readouterr().out.isascii()
    for form in ("table", "csv", "json", "markdown"):
        assert run("--receptive-field", "7", "--layers", "2", "--kernel-size", "3", "--format", form) == 0
    assert "<ol>" in explain(448)._repr_html_()


def test_exhaustion_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--type", "LocallyConnected2D", "--kernel-size", "3", "--input-channels", "16")
    assert run("--parameters", "14656", *asked) == 1
    assert "none of 1,310,720 layers searched has 14,656 parameters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "what is to be explained"),
        (("--parameters", "0"), "--parameters"),
        (("--parameters", str(10**16)), "at most"),
        (("--parameters", "5", "--type", "Conv2d"), "did you mean 'Conv2D'"),
        (("--parameters", "5", "--type", "Dense", "--kernel-size", "3"), "changes nothing for Dense"),
        (("--parameters", "5", "--type", "Conv1D", "--kernel-size", "3x3"), "changes nothing for Conv1D"),
        (("--parameters", "5", "--filters", "1:1000000000"), "1 to 100,000"),
        (("--parameters", "5", "--kernel-size", "3y5"), "expected 3, or 3x5"),
        (("--parameters", "5", "--filters", "9:2"), "expected the least and the most"),
        (("--parameters", "5", "--layers", "2"), "does not apply to --parameters"),
        (("--receptive-field", "5", "--bias", "yes"), "does not apply to --receptive-field"),
        (("--parameters", "5", "--format", "json", "--top", "3"), "does not apply to json"),
        (("examples/unet.json", "--parameters", "5"), "does not apply with SOURCE"),
    ],
)
def test_refusals(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err


def test_options_choose_the_types_that_have_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--parameters", "4640", "--kernel-size", "3", "--format", "json") == 0
    types = {a["type"] for a in json.loads(capsys.readouterr().out)["answers"]}
    assert "Conv2D" in types
    assert not types & {"Dense", "BatchNormalization"}


def test_long_chains_are_quick() -> None:
    started = time.process_time()
    assert not explain_field(10**6, layers=3).found
    assert time.process_time() - started < 2


def test_python_refuses_too() -> None:
    for part, value in (("input_channels", 3), ("types", "Conv2D"), ("kernel_sizes", 3), ("bias", True)):
        with pytest.raises(ArchcalcError, match=f"{part}: expected a tuple"):
            explain(5, **{part: value})
    with pytest.raises(ArchcalcError, match="groups: expected positive"):
        explain(5, groups=(0,))
    with pytest.raises(ArchcalcError, match="positive integer"):
        explain(True)
    with pytest.raises(ArchcalcError, match="positive integer"):
        explain_field(0)
    with pytest.raises(ArchcalcError, match="1 to 3"):
        explain_field(7, layers=9)
