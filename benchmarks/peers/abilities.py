"""What each tool says of one small network, column by column of docs/coming-from.md.

Runs inside the tools' own environment. The network is two convolutions, the second dilated, pooling and a
dense layer; a unit of the second sees 7 pixels along an axis.
"""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import importlib
import inspect
import io
import pkgutil
import re
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

Figures = dict[str, Any]
MEMORY = re.compile(r"bytes|memory", re.IGNORECASE)
FIELD = re.compile(r"recept", re.IGNORECASE)
TAKE_SIZES = {"input_size", "input_res", "input_shape"}


class Small(nn.Module):
    """The network; it counts how often it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, dilation=2)
        self.pool, self.out = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 10)
        self.runs = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        return self.out(self.pool(self.second(self.first(x))).flatten(1))


def torchinfo(model: Small, size: Any) -> Figures:
    """Its summary, whose sizes may be given alone."""
    import torchinfo

    found = torchinfo.summary(model, input_size=(1, 3, size, size), verbose=0)
    rows = {row.var_name: row.macs for row in found.summary_list if row.depth == 1}
    return {"layers": rows} | {n: v for n, v in vars(found).items() if MEMORY.search(n)}


def fvcore(model: Small, size: Any) -> Figures:
    """By module, and by operator."""
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(model, torch.rand(1, 3, size, size)).unsupported_ops_warnings(False)
    by_module = {name: count for name, count in analysis.by_module().items() if name}
    return {"layers": by_module, "by operator": dict(analysis.by_operator())}


def thop(model: Small, size: Any) -> Figures:
    """With `ret_layer_info`."""
    from thop import profile

    inputs = (torch.rand(1, 3, size, size),)
    *_, layers = profile(model, inputs=inputs, verbose=False, ret_layer_info=True)
    return {"layers": {name: figures[0] for name, figures in layers.items()}}


def ptflops(model: Small, size: Any) -> Figures:
    """The lines of its printed table."""
    from ptflops import get_model_complexity_info

    told = io.StringIO()
    get_model_complexity_info(model, (3, size, size), backend="pytorch", ost=told)
    lines = re.findall(r"^ +\((\w+)\): \w+\(.*?, ([\d.]+ \w*Mac)", told.getvalue(), re.MULTILINE)
    return {"layers": dict(lines)}


def calflops(model: Small, size: Any) -> Figures:
    """The lines of its printed table."""
    from calflops import calculate_flops

    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        calculate_flops(model, input_shape=(1, 3, size, size), output_precision=4)
    lines = re.findall(r"^ +\((\w+)\): .*?, ([\d.]+ \w*FLOPS) =", told.getvalue(), re.MULTILINE)
    return {"layers": dict(lines)}


# the tool: how it is measured, and what is called for that
TORCH: dict[str, tuple[Callable[[Small, Any], Figures], str]] = {
    "torchinfo": (torchinfo, "torchinfo.summary"),
    "fvcore": (fvcore, "fvcore.nn.FlopCountAnalysis"),
    "thop": (thop, "thop.profile"),
    "ptflops": (ptflops, "ptflops.get_model_complexity_info"),
    "calflops": (calflops, "calflops.calculate_flops"),
}


def names(package: str, wanted: re.Pattern[str]) -> str:
    """The names of a package that match, in all its modules."""
    root = importlib.import_module(package)
    modules = [package, *(m.name for m in pkgutil.walk_packages(root.__path__, f"{package}."))]
    found: set[str] = set()
    for name in modules:
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            found |= {n for n in dir(importlib.import_module(name)) if wanted.search(n)}
    return f"{', '.join(sorted(found)) or 'no name'} in {len(modules)} modules"


def counter(name: str) -> None:
    """Print the columns of a tool that counts operations of torch models."""
    measure, called = TORCH[name]
    module, _, function = called.rpartition(".")
    arguments = list(inspect.signature(getattr(importlib.import_module(module), function)).parameters)
    model = Small().eval()
    figures = measure(model, 32)
    print(f"{name} {version(name)}")
    print(f"  called           {called}({', '.join(arguments[:3])}, ...)")
    for label, value in figures.items():
        print(f"  {label:16} {value}")
    print(f"  runs the model   {model.runs} times")
    print(f"  memory           {names(name, MEMORY)} with 'bytes' or 'memory'")
    print(f"  receptive field  {names(name, FIELD)} with 'recept'")
    if not TAKE_SIZES & set(arguments):
        print("  an open size     no: it takes a tensor")
        return
    try:
        measure(Small().eval(), None)
    except Exception as refusal:
        print(f"  an open size     {type(refusal).__name__}: {str(refusal).splitlines()[0]}")


def fields() -> None:
    """Print what rfa-toolbox makes of a dilated convolution."""
    try:
        importlib.import_module("rfa_toolbox.encodings.pytorch")
    except ImportError as refusal:
        reason = str(refusal).partition(" (")[0]
        print(f"rfa-toolbox {version('rfa-toolbox')}\n  as published     ImportError: {reason}")
    for module in [name for name in sys.modules if name.startswith("rfa_toolbox")]:
        del sys.modules[module]
    collections.Sequence = collections.abc.Sequence  # type: ignore[attr-defined]
    from rfa_toolbox import create_graph_from_pytorch_model

    for dilation in (1, 2):
        layers = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, dilation=dilation)
        graph = create_graph_from_pytorch_model(nn.Sequential(*layers))
        size = int(max(graph.receptive_field_info[0].receptive_field))
        true = 5 if dilation == 1 else 7
        print(f"  receptive field  {size} of two 3x3, the second with dilation {dilation}; in truth {true}")


def main(tools: list[str]) -> None:
    """Print the columns of these tools."""
    warnings.simplefilter("ignore")
    for name in tools:
        fields() if name == "rfa-toolbox" else counter(name)


if __name__ == "__main__":
    main(sys.argv[1:])
