"""What each tool reports for a torch module: its total for one sample, or why there is none."""

from __future__ import annotations

import contextlib
import io
import logging
import multiprocessing
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

Shapes = list[tuple[int, ...]]
TOOLS: dict[str, Callable[[nn.Module, list[torch.Tensor]], Any]] = {}
PACKAGES = {"ptflops-aten": "ptflops", "fvcore-activations": "fvcore"}


def tool(name: str) -> Callable[[Any], Any]:
    """Register a function that measures with the tool of this name."""

    def register(measure: Any) -> Any:
        TOOLS[name] = measure
        return measure

    return register


@tool("torchinfo")
def _torchinfo(model: nn.Module, inputs: list[torch.Tensor]) -> Any:
    from torchinfo import summary

    return summary(model, input_data=inputs, verbose=0, mode="eval").total_mult_adds


@tool("fvcore")
def _fvcore(model: nn.Module, inputs: list[torch.Tensor]) -> Any:
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(model, tuple(inputs))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return analysis.total()


@tool("fvcore-activations")
def _activations(model: nn.Module, inputs: list[torch.Tensor]) -> Any:
    from fvcore.nn import ActivationCountAnalysis

    analysis = ActivationCountAnalysis(model, tuple(inputs))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return analysis.total()


def _ptflops(model: nn.Module, inputs: list[torch.Tensor], backend: str) -> Any:
    from ptflops import get_model_complexity_info

    names = [f"x{i}" for i in range(len(inputs))]
    macs, _ = get_model_complexity_info(
        _Keyed(model),
        (1,),
        input_constructor=lambda _: dict(zip(names, inputs, strict=True)),
        as_strings=False,
        print_per_layer_stat=False,
        backend=backend,
    )
    if macs is None:
        raise RuntimeError("the tool gave up")
    return macs


@tool("ptflops")
def _ptflops_pytorch(model: nn.Module, inputs: list[torch.Tensor]) -> Any:
    return _ptflops(model, inputs, "pytorch")


@tool("ptflops-aten")
def _ptflops_aten(model: nn.Module, inputs: list[torch.Tensor]) -> Any:
    return _ptflops(model, inputs, "aten")


@tool("thop")
def _thop(model: nn.Module, inputs: list[torch.Tensor]) -> Any:
    from thop import profile

    return profile(model, inputs=tuple(inputs), verbose=False)[0]


@tool("torch")
def _torch(model: nn.Module, inputs: list[torch.Tensor]) -> Any:
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter:
        model(*inputs)
    return counter.get_total_flops()


@tool("calflops")
def _calflops(model: nn.Module, inputs: list[torch.Tensor]) -> Any:
    from calflops import calculate_flops

    flops, _, _ = calculate_flops(
        _Anchored(model),
        args=inputs,
        print_results=False,
        print_detailed=False,
        output_as_string=False,
    )
    return flops


class _Keyed(nn.Module):
    """Takes inputs by keyword, as ptflops passes several of them; adds nothing to what is counted."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: torch.Tensor) -> Any:
        return self.model(*inputs.values())


class _Anchored(nn.Module):
    """A module with a parameter, without which calflops finds no device; it computes nothing."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.model(*inputs)


def totals(build: Callable[[], nn.Module], shapes: Shapes) -> dict[str, Any]:
    """The total of every tool for a fresh copy of the module; the reason where it fails.

    Runs in a separate process, because a tool that fails leaves torch's functions patched. calflops,
    which does not restore all of them, comes last.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=lambda: there.send({n: _measured(n, build, shapes) for n in TOOLS}))
    child.start()
    there.close()
    figures: dict[str, Any] = here.recv()
    child.join()
    return figures


def _measured(name: str, build: Callable[[], nn.Module], shapes: Shapes) -> Any:
    torch.manual_seed(0)
    model = build().eval()
    inputs = [torch.rand(1, *shape) for shape in shapes]
    if any(isinstance(m, nn.Embedding) for m in model.modules()):
        inputs = [x.long() for x in inputs]
    quiet = io.StringIO()
    logging.disable()
    try:
        with (
            contextlib.redirect_stdout(quiet),
            contextlib.redirect_stderr(quiet),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            return exact(TOOLS[name](model, inputs))
    except Exception as fault:
        return {"fails": f"{type(fault).__name__}: {fault}".splitlines()[0][:200]}


def exact(figure: Any) -> int:
    """A whole number, whatever number type the tool counts in."""
    if int(figure) != figure:
        raise ValueError(f"not a whole number: {figure}")
    return int(figure)


def versions() -> dict[str, str]:
    """The installed version of each tool."""
    return {name: version(PACKAGES.get(name, name)) for name in TOOLS}
