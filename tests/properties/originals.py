"""Models in real Keras, and whether what archcalc makes of them is the same model in Keras.

Nothing here asks archcalc for a figure: counts, flags and outputs are Keras's, on both sides.
"""

from __future__ import annotations

import inspect
import json
import runpy
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

import archcalc
from archcalc.graph import Graph
from archcalc.layers.keras_names import from_keras_name, to_keras_name
from archcalc.writers.convert import as_text, save_keras
from archcalc.writers.losses import losses
from archcalc.writers.spec import write_spec

FORMS = ("spec", "python", "keras")


def counts(model: Any) -> tuple[int, int]:
    """Parameters, and those that are trained, as Keras counts them."""
    return model.count_params(), sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def converted(graph: Graph, form: str, folder: Path) -> Any:
    """The model that Keras builds of the network in another form, read or run again."""
    if form == "spec":
        return archcalc.to_keras(archcalc.load(json.loads(as_text(graph, "spec"))))
    path = folder / f"net.{'py' if form == 'python' else 'keras'}"
    if form == "python":
        path.write_text(as_text(graph, "python"), encoding="utf-8")
        found = runpy.run_path(str(path))
        return found.get("model") or found["build"]()
    save_keras(graph, path)
    return keras.models.load_model(path)


# -- weights and inputs ----------------------------------------------------------------------------
def layers(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every layer with its path, through models inside models and inside TimeDistributed."""
    for layer in model.layers:
        path, inside = f"{prefix}{from_keras_name(layer.name)}", layer
        while type(inside).__name__ == "TimeDistributed":
            inside = inside.layer
            path_inside = f"{path}/{inside.name}"
        if hasattr(inside, "layers") and hasattr(inside, "inputs"):
            yield from layers(inside, f"{path if inside is layer else path_inside}/")
        else:
            yield path, layer


def randomise(model: Any, seed: int) -> None:
    """Give every weight a value of its own: positive, so that variances and divisors make sense."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "float" in str(getattr(weight.dtype, "name", weight.dtype)):
            weight.assign(rng.uniform(0.05, 0.45, weight.shape).astype("float32"))


def copy_weights(original: Any, model: Any, graph: Graph, names: Mapping[str, str]) -> None:
    """Give a converted model the weights of the original, layer by layer."""
    found = dict(layers(original))
    for node in graph.nodes:
        if node.shared_with is not None or node.name not in found or not found[node.name].weights:
            continue
        # `set_weights` of archcalc's own layers and of wrappers take the arrays in Keras's order
        arrays = [np.asarray(w) for w in found[node.name].weights]
        target = model.get_layer(to_keras_name(names[node.name]))
        assert [a.shape for a in arrays] == [tuple(w.shape) for w in target.weights], node.name
        for weight, array in zip(target.weights, arrays, strict=True):
            weight.assign(array)


def sample(model: Any, seed: int) -> list[np.ndarray]:
    """A batch for every input: zeros and ones, which embeddings and masks take too; ones come first."""
    rng = np.random.default_rng(seed)
    batch = []
    for tensor in model.inputs:
        shape = [n if n is not None else 8 for n in tensor.shape[1:]]
        values = rng.integers(0, 2, (2, *shape))
        if shape:
            values[:, 0] = 1
        if str(tensor.dtype).startswith("float"):
            values = values + rng.uniform(0, 0.4, values.shape) * (values.ndim > 2)
        batch.append(values.astype(getattr(tensor.dtype, "name", tensor.dtype)))
    return batch


def outputs(model: Any, batch: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs at inference; raises what TensorFlow does, or `RuntimeError` where it ends the process."""
    if any(type(layer).__name__.startswith("AdaptiveMaxPooling") for _, layer in layers(model)):
        raise RuntimeError("TensorFlow's adaptive maximum divides by zero on some sizes")
    results = model(batch if len(batch) > 1 else batch[0], training=False)
    return [np.asarray(keras.ops.convert_to_numpy(y), dtype="float64") for y in keras.tree.flatten(results)]


# -- what calls say --------------------------------------------------------------------------------
def calls_in_training(config: Mapping[str, Any], given: Any = None) -> Counter[tuple[str, Any]]:
    """How often each class is called with which `training`, where its call takes the argument.

    A model hands its own argument on to everything inside.
    """
    found: Counter[tuple[str, Any]] = Counter()
    for entry in config["layers"]:
        kind = entry["class_name"]
        nested = "layers" in entry["config"]
        real = getattr(keras.layers, kind, None)
        takes = nested or (real is not None and "training" in inspect.signature(real.call).parameters)
        nodes = entry.get("inbound_nodes") or [{}]
        for node in nodes if takes and kind != "InputLayer" else ():
            stated = node.get("kwargs", {}).get("training") if isinstance(node, dict) else None
            stated = given if given is not None else stated
            if nested:
                found += calls_in_training(entry["config"], stated)
            elif stated is not None and kind not in _SAME:
                found[kind, stated] += 1
    return found


# their calls take the argument, and compute the same with it
_SAME = ("Dense", "EinsumDense", "AutoContrast", "CenterCrop", "Resizing", "ActivityRegularization")


# -- the comparison --------------------------------------------------------------------------------
def differences(original: Any, graph: Graph, form: str, folder: Path, seed: int = 0) -> list[str]:
    """What is not the same in Keras after a conversion: counts, flags, calls, outputs on equal weights."""
    model = converted(graph, form, folder)
    names = write_spec(graph).names if form != "keras" else {n.name: n.name for n in graph.nodes}
    found = []
    said = [loss for loss in losses(graph, form) if form == "keras" and "output" not in loss]
    if counts(model) != counts(original) and not said:
        found.append(f"{form}: {counts(model)} parameters, trained; originally {counts(original)}")
    if isinstance(original, keras.Model):
        before, after = (calls_in_training(json.loads(m.to_json())["config"]) for m in (original, model))
        if before != after:
            found.append(f"{form}: calls in training {dict(after)}; originally {dict(before)}")
    if any("adapters" in loss for loss in said):
        return found
    randomise(original, seed)
    copy_weights(original, model, graph, names)
    batch = sample(original, seed)
    try:
        expected = outputs(original, batch)
    except Exception as fault:  # TensorFlow has no kernel here for every valid layer
        return found or [f"{CANNOT_RUN}: {str(fault)[:80]}"]
    actual = outputs(model, batch)
    half = any("16" in str(getattr(layer, "dtype_policy", "")) for _, layer in layers(original) if layer)
    for k, (a, b) in enumerate(zip(expected, actual, strict=True)):
        near = 2e-2 if half else 1e-3
        if a.shape != b.shape or not np.allclose(a, b, rtol=near, atol=1e-4, equal_nan=True):
            found.append(f"{form}: output {k} is another one")
    return found


CANNOT_RUN = "cannot run here"
