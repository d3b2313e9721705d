"""The rules of the findings of `archcalc.analyze`, with their explanations."""

from __future__ import annotations

from typing import Any

from archcalc.report.rule import Rule


def _rule(id: str, name: str, severity: str, what: str, why: str, sure: str, **examples: Any) -> Rule:
    return Rule(id, name, severity, what, why, sure, SOURCE, **examples)


def _net(*layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"archcalc": 1, "inputs": {"x": [8]}, "layers": list(layers), **more}


SOURCE = "archcalc's own rules: docs/findings.md"
_DENSE = {"name": "out", "type": "Dense", "units": 2}
_OPAQUE = {"name": "own", "type": "Opaque", "output_shape": [8]}
_STATED = {**_OPAQUE, "weights": [], "macs": 0, "elementwise_ops": 8, "window": "whole"}
_ON_SERIES = {**_STATED, "output_shape": [9, 2]}
_WITHOUT_WINDOW = {key: value for key, value in _ON_SERIES.items() if key != "window"}
_ASIDE = {"name": "aside", "type": "Dense", "units": 4, "inputs": ["x"]}
_MAP = {
    "name": "up",
    "type": "Conv2DTranspose",
    "filters": 2,
    "kernel_size": 4,
    "strides": 2,
    "padding": "same",
}
_TINY, _BIG = {"memory": "1KiB"}, {**_DENSE, "units": 4096}

# every rule that a finding of `archcalc.analyze` may come from, by its name; docs/findings.md lists them
RULES = {
    rule.name: rule
    for rule in (
        _rule(
            "AC901",
            "unknown-layer",
            "warning",
            "Figures that nothing states for a layer without a rule.",
            "Totals that contain the layer are unknown too; they are never counted as zero.",
            "Certain.",
            faulty=_net(_OPAQUE, _DENSE),
            mended=_net(_STATED, _DENSE),
        ),
        _rule(
            "AC902",
            "assumed-shape",
            "warning",
            "A layer of a file, or another package's activation, that is taken to keep its input's shape.",
            "If it changes the shape, every figure after it is wrong.",
            "Depends on the layer: describe it in a spec if it changes the shape.",
        ),
        _rule(
            "AC903",
            "dead-layer",
            "warning",
            "A layer that leads to no output.",
            "Keras builds the model without it, so the file describes more than the model is.",
            "Certain.",
            faulty=_net(_ASIDE, {**_DENSE, "inputs": ["x"]}),
            mended=_net({**_DENSE, "inputs": ["x"]}),
        ),
        _rule(
            "AC904",
            "unread-input",
            "warning",
            "An input that no layer reads.",
            "The data that it stands for decide nothing.",
            "Certain.",
            faulty=_net({**_DENSE, "inputs": ["x"]}, inputs={"x": [8], "y": [8]}),
            mended=_net({**_DENSE, "inputs": ["x"]}),
        ),
        _rule(
            "AC905",
            "not-runnable",
            "warning",
            "A layer whose shape Keras infers and which TensorFlow cannot run.",
            "The model is built, and stops at its first batch.",
            "Certain, on TensorFlow.",
            faulty=_net({**_MAP, "output_padding": 0}, inputs={"x": [8, 8, 2]}),
            mended=_net(_MAP, inputs={"x": [8, 8, 2]}),
        ),
        _rule(
            "AC906",
            "training-memory",
            "warning",
            "A batch with which training does not fit into --memory.",
            "Training stops with an error of memory, or moves to slower memory.",
            "As sure as the memory figures (docs/memory.md).",
            faulty=_net(_BIG),
            mended=_net({**_DENSE, "units": 1}),
            options=_TINY,
        ),
        _rule(
            "AC907",
            "inference-memory",
            "error",
            "A batch with which inference does not fit into --memory.",
            "The network cannot run at all.",
            "As sure as the memory figures (docs/memory.md).",
            faulty=_net(_BIG),
            mended=_net({**_DENSE, "units": 1}),
            options=_TINY,
        ),
        _rule(
            "AC908",
            "dtype-policies",
            "info",
            "Layers that declare another dtype policy than the one that counts.",
            "Only their outputs are counted in their own type; --dtype chooses one for all.",
            "Certain.",
            faulty=_net(
                {**_DENSE, "name": "a", "dtype": "float16"},
                {**_DENSE, "name": "b", "dtype": "float16"},
                {**_DENSE, "dtype": "float32"},
            ),
            mended=_net({**_DENSE, "dtype": "float32"}),
        ),
        _rule(
            "AC909",
            "optimizer",
            "info",
            "An optimizer of the file whose state is not known.",
            "The training memory counts the state of another optimizer; --optimizer chooses it.",
            "Certain.",
            faulty=_net(_DENSE, compile={"optimizer": "own"}),
            mended=_net(_DENSE, compile={"optimizer": "adam"}),
        ),
        _rule(
            "AC910",
            "measured",
            "warning",
            "A layer of a live model whose window was measured, since its code cannot be read.",
            "Gradients at random weights may miss a unit; receptive fields that pass it are measured too.",
            "Depends on the layer: state its window in an Opaque layer if it reads more.",
        ),
        _rule(
            "AC911",
            "memory-estimate",
            "info",
            "Layers of which a step is known to hold other bytes than are counted.",
            "Kernels also need memory to work in; how much depends on the machine.",
            "Measured on one machine (docs/evidence/memory.md).",
        ),
        _rule(
            "AC912",
            "recomputed-layer",
            "warning",
            "A layer in a block of --checkpoint that does not compute the same again.",
            "The backward pass works with other values than the forward pass had.",
            "Certain for layers that draw at random and for moving statistics.",
        ),
        _rule(
            "AC913",
            "unchecked-claims",
            "info",
            "Claims of a spec, which `archcalc audit` checks and nothing else does.",
            "A wrong claim passes in silence here.",
            "Certain.",
            faulty=_net(_DENSE, claims=[{"quantity": "parameters", "value": 18}]),
            mended=_net(_DENSE),
        ),
        _rule(
            "AC914",
            "unknown-field",
            "info",
            "A layer whose receptive field alone is unknown; all its other figures are exact.",
            "Fields of the layers after it are unknown too, and so is what depends on them.",
            "Certain; the message says why.",
            faulty=_net(_WITHOUT_WINDOW, _DENSE, inputs={"x": [9, 2]}),
            mended=_net(_ON_SERIES, _DENSE, inputs={"x": [9, 2]}),
        ),
    )
}
