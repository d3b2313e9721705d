"""Expected gradients of stacks against many initialisations (docs/evidence/expected-gradients.md).

    python scripts/gradient_study.py dense [--seeds 100]
    python scripts/gradient_study.py convolution [--seeds 50]
    python scripts/gradient_study.py rectified [--seeds 30]
    python scripts/gradient_study.py applications [--seeds 4 --batch 32]

`dense` draws fully connected stacks in float64 with numpy; the others run real Keras. Each line compares the
mean of log10 of the gradient norm with the prediction, and single runs with its 90 % band.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from archcalc.analyses.mean_field.expectation import Expected, expected_gradients
from archcalc.analyses.mean_field.functions import Function, function
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from archcalc.layers.registry import registered

ACTIVATIONS = ("sigmoid", "tanh", "relu", "gelu", "selu", "silu")
GAINS = {
    "glorot_uniform": 1.0,
    "he_uniform": 2.0,
    "lecun_uniform": 1.0,
}  # of Var(W) * width, for square matrices
DEPTHS = (10, 30, 60)
WIDTHS = (128, 256)


class Figures(NamedTuple):
    """One stack: the prediction for its first row, and the measured runs."""

    name: str
    expected: Expected
    runs: np.ndarray

    @property
    def miss(self) -> float:
        return abs(float(self.runs.mean()) - self.expected.log10)

    @property
    def covered(self) -> float:
        return float(((self.runs >= self.expected.low) & (self.runs <= self.expected.high)).mean())

    @property
    def width(self) -> float:
        """The band's width over the measured one, both as standard deviations."""
        return (self.expected.high - self.expected.low) / (2 * 1.6449 * float(self.runs.std()))

    def line(self) -> str:
        e = self.expected
        return (
            f"{self.name:<44}{e.log10:10.3f}{self.runs.mean():10.3f}{self.miss:8.3f}"
            f"   [{e.low:.2f}, {e.high:.2f}] covers {100 * self.covered:3.0f} %, "
            f"{self.width:.2f} of the spread"
        )


# -- dense stacks --------------------------------------------------------------------------------------
def stack(activation: str, initializer: str, depth: int, width: int, residual: bool) -> Graph:
    """A plain stack, or blocks h + W2 phi(W1 h)."""
    layers = registered()
    dense: Any = layers["Dense"]
    nodes: list[Any] = [("input", layers["InputLayer"](shape=(width,)), ())]
    last = "input"
    for i in range(depth):
        first = dense(units=width, activation=activation, kernel_initializer=initializer)
        if not residual:
            nodes.append((f"h{i}", first, (last,)))
        else:
            nodes.append((f"a{i}", first, (last,)))
            nodes.append((f"b{i}", dense(units=width, kernel_initializer=initializer), (f"a{i}",)))
            nodes.append((f"h{i}", layers["Add"](), (last, f"b{i}")))
        last = f"h{i}"
    return Graph.of("stack", nodes, [last])


def dense_runs(width: int, residual: bool, seeds: int) -> dict[tuple[str, float, int], np.ndarray]:
    """log10 of the first row's gradient norm over the output's: by activation, gain and depth, one per seed.

    All stacks of one seed share their random numbers; a shallower stack is the beginning of a deeper one.
    """
    columns = [(a, g) for a in ACTIVATIONS for g in sorted(set(GAINS.values()))]
    functions = [function(a) for a in ACTIVATIONS]
    gains = np.array([math.sqrt(g) for _, g in columns])
    results: dict[tuple[str, float, int], list[float]] = {}
    deepest = max(DEPTHS)
    for seed in range(seeds):
        random = np.random.default_rng([seed, width, residual])
        h = np.repeat(random.standard_normal((width, 1)), len(columns), axis=1)
        kernels, slopes = [], []
        for _ in range(deepest):
            kernel = _kernel(random, width)
            z = gains * (kernel @ h)
            kernels.append([kernel])
            slopes.append(_each(functions, z, slope=True))
            outputs = _each(functions, z, slope=False)
            if residual:
                kernels[-1].append(_kernel(random, width))
                h = h + gains * (kernels[-1][1] @ outputs)
            else:
                h = outputs
        for depth in DEPTHS:
            g = np.repeat(random.standard_normal((width, 1)), len(columns), axis=1)
            start = np.linalg.norm(g, axis=0)
            # down to the output of the first layer or block
            for layer in range(depth - 1, 0, -1):
                if residual:
                    inner = slopes[layer] * (gains * (kernels[layer][1].T @ g))
                    g = g + gains * (kernels[layer][0].T @ inner)
                else:
                    g = gains * (kernels[layer][0].T @ (slopes[layer] * g))
            logs = np.log10(np.linalg.norm(g, axis=0) / start)
            for (activation, gain), value in zip(columns, logs, strict=True):
                results.setdefault((activation, gain, depth), []).append(float(value))
    return {key: np.array(values) for key, values in results.items()}


def _kernel(random: np.random.Generator, width: int) -> np.ndarray:
    """Uniform as Keras's initialisers draw it, with variance 1/width."""
    limit = math.sqrt(3 / width)
    return random.uniform(-limit, limit, (width, width))


def _each(functions: list[Function], z: np.ndarray, *, slope: bool) -> np.ndarray:
    """Each activation, applied to its own columns."""
    values = np.empty_like(z)
    n = z.shape[1] // len(functions)
    for i, phi in enumerate(functions):
        part = z[:, i * n : (i + 1) * n]
        values[:, i * n : (i + 1) * n] = phi.slope(part) if slope else phi.value(part)
    return values


def dense(seeds: int) -> Iterator[Figures]:
    for width in WIDTHS:
        for residual in (False, True):
            runs = dense_runs(width, residual, seeds)
            for activation in ACTIVATIONS:
                for initializer, gain in GAINS.items():
                    for depth in DEPTHS:
                        graph = stack(activation, initializer, depth, width, residual)
                        row = graph.index()["h0"]
                        kind = "residual" if residual else "plain"
                        name = f"{activation} {initializer.split('_')[0]} {depth} {width} {kind}"
                        expected = expected_gradients(graph, infer(graph))[row]
                        yield Figures(name, expected, runs[activation, gain, depth])


# -- convolutions and whole networks, by Keras ----------------------------------------------------------
CONVOLUTIONS = (  # activation, initialiser, channels, side
    ("relu", "he_uniform", 32, 16),
    ("tanh", "glorot_uniform", 32, 16),
    ("sigmoid", "glorot_uniform", 32, 8),
    ("gelu", "he_uniform", 32, 8),
    ("selu", "lecun_normal", 32, 8),
    ("silu", "he_normal", 32, 8),
)
APPLICATIONS = ("ResNet50", "MobileNetV2", "EfficientNetB0")


def convolution(seeds: int, depth: int = 20) -> Iterator[Figures]:
    """Stacks of 3x3 convolutions with `same` padding, the first row's gradient of one sample."""
    from archcalc.keras.measure_gradients import gradient_runs

    layers = registered()
    conv: Any = layers["Conv2D"]
    for activation, initializer, channels, side in CONVOLUTIONS:
        nodes: list[Any] = [("input", layers["InputLayer"](shape=(side, side, channels)), ())]
        for i in range(depth):
            layer = conv(
                filters=channels,
                kernel_size=3,
                padding="same",
                activation=activation,
                kernel_initializer=initializer,
            )
            nodes.append((f"h{i}", layer, (nodes[-1][0],)))
        graph = Graph.of("stack", nodes, [nodes[-1][0]])
        row = graph.index()["h0"]
        runs = np.array([run[row] for run in gradient_runs(graph, seeds)])
        name = f"{activation} {initializer} {depth} convolutions, {side}x{side}x{channels}"
        yield Figures(name, expected_gradients(graph, infer(graph))[row], runs)


RECTIFIED = 20  # networks drawn by `rectified_network`
_NON_NEGATIVE = ("relu", "relu", "sigmoid", "softplus", "relu6", "hard_sigmoid")


def rectified_network(number: int) -> Graph:
    """A network drawn by its number, with ReLUs (and their kin) on what is nowhere negative."""
    random = np.random.default_rng([17, number])
    layers: Any = registered()
    width, images = int(random.choice([64, 128])), bool(random.integers(2))
    shape = [16, 16, width] if images else [width]
    nodes: list[Any] = [("input", layers["InputLayer"](shape=tuple(shape)), ())]

    def then(kind: str, *inputs: str, **arguments: Any) -> str:
        name = f"{kind.lower()}{len(nodes)}"
        nodes.append((name, layers[kind](**arguments), inputs or (nodes[-1][0],)))
        return name

    def weights(*inputs: str) -> str:
        if images:
            kernel = {"filters": width, "kernel_size": int(random.choice([1, 3])), "padding": "same"}
            return then("Conv2D", *inputs, **kernel, kernel_initializer="he_normal")
        return then("Dense", *inputs, units=width, kernel_initializer="he_normal")

    def function() -> str:
        return then("Activation", activation=str(random.choice(_NON_NEGATIVE)))

    for _ in range(3):
        weights()
        before = function()
        for _ in range(int(random.integers(1, 4))):
            step = int(random.integers(6))
            if step == 0 and shape[0] in (8, 16):
                then("MaxPooling2D", pool_size=2)
                shape[:2] = [shape[0] // 2] * 2
            elif step == 1:
                weights()
                then("BatchNormalization", gamma_initializer="zeros")
                then("Add", before, nodes[-1][0])
            elif step == 2:
                then("LeakyReLU", negative_slope=0.1)
            elif step == 3:
                then("Reshape", target_shape=(math.prod(shape),))
                then("Reshape", target_shape=tuple(shape))
            before = then("ReLU")
    if images:
        then("GlobalAveragePooling2D")
    then("Dense", units=10)
    return Graph.of(f"rectified {number}", nodes, [nodes[-1][0]])


def rectified(seeds: int) -> Iterator[Figures]:
    """Every network at its first layer with weights, in training with batches of 8."""
    from archcalc.keras.measure_gradients import gradient_runs

    for number in range(RECTIFIED):
        graph = rectified_network(number)
        runs = np.array([run[1] for run in gradient_runs(graph, seeds, batch=8)])
        yield Figures(graph.name, expected_gradients(graph, infer(graph), batch=8)[1], runs)


def applications(seeds: int, batch: int) -> None:
    """Every row of whole networks, in training."""
    from archcalc.keras.measure_gradients import gradient_runs
    from archcalc.readers import load

    for name in APPLICATIONS:
        start = time.perf_counter()
        graph = load(f"keras:{name}")
        rows = expected_gradients(graph, infer(graph), batch=batch)
        took = time.perf_counter() - start
        measured = np.array(list(gradient_runs(graph, seeds, batch=batch)))
        band = np.array([[r.low, r.high, r.log10] for r in rows], float)
        inside = ((measured >= band[:, 0]) & (measured <= band[:, 1])).mean(axis=0)
        off = measured.mean(axis=0) - band[:, 2]
        worst = int(np.nanargmax(np.abs(off)))
        print(
            f"{name}: {len(rows)} rows in {took:.2f} s; "
            f"{100 * inside.mean():.1f} % of measured rows in the band ({seeds} starts, batch {batch}); "
            f"off by {np.sqrt(np.nanmean(off**2)):.3f} in log10 (root mean square), "
            f"most at {graph.nodes[worst].name}: {off[worst]:+.3f}",
            flush=True,
        )


def report(figures: Iterator[Figures], tolerance: float) -> None:
    """Print each line, and how many means are within `tolerance` (a factor) of the prediction."""
    start = time.process_time()
    all_ = []
    for each in figures:
        all_.append(each)
        print(each.line() + ("" if each.miss <= math.log10(tolerance) else "   MISS"), flush=True)
    within = sum(f.miss <= math.log10(tolerance) for f in all_)
    covered = sum(f.covered * len(f.runs) for f in all_) / sum(len(f.runs) for f in all_)
    print(
        f"{within} of {len(all_)} means within a factor {tolerance}; "
        f"the bands cover {100 * covered:.1f} % of all runs, "
        f"each between {100 * min(f.covered for f in all_):.0f} "
        f"and {100 * max(f.covered for f in all_):.0f} %; "
        f"their width is {min(f.width for f in all_):.2f} to {max(f.width for f in all_):.2f} "
        f"of the measured spread; "
        f"{time.process_time() - start:.0f} s of CPU"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["dense", "convolution", "rectified", "applications"])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--batch", type=int, default=32, help="of whole networks")
    options = parser.parse_args()
    if options.part == "dense":
        report(dense(options.seeds), 1.2)
    elif options.part == "convolution":
        report(convolution(options.seeds), 1.3)
    elif options.part == "rectified":
        report(rectified(options.seeds), 1.3)
    else:
        applications(options.seeds, options.batch)


if __name__ == "__main__":
    main()
