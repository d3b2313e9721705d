"""What Keras's summary and the two tools for receptive fields say, column by column of docs/coming-from.md.

Runs in archcalc's own environment, with the extra `keras`. Arguments: tools, and for receptive_field the
folder of its checkout, which no registry has.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ASKED = re.compile(r"flop|mac|memory|recept", re.IGNORECASE)


def keras() -> None:
    """Print the summary of an open network, and the methods that a model has."""
    import keras

    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(8, 3), keras.layers.Conv2D(8, 3)]
    model = keras.Sequential(layers)
    print(f"keras {keras.__version__}")
    model.summary()
    where = {"keras.Model": keras.Model, "keras.utils": keras.utils, "keras.layers.Layer": keras.layers.Layer}
    for name, holder in where.items():
        found = [n for n in dir(holder) if ASKED.search(n)]
        print(f"  {name}: {', '.join(found) or 'no name'} with 'flop', 'mac', 'memory' or 'recept'")


def receptive_field(checkout: str) -> None:
    """Print size, step and padding of known networks and of layers that it may refuse."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    sys.path.insert(0, checkout)
    import receptive_field as rf  # type: ignore[import-not-found]
    import tf_keras
    from tensorflow.compat import v1 as tf

    def measured(name: str, build: Callable[[Any], Any], size: int | None = None) -> None:
        graph = tf.Graph()
        with graph.as_default():
            tf_keras.backend.set_learning_phase(0)
            image = tf.placeholder(tf.float32, (1, size, size, 3), name="image")
            output = build(image).op.name
        sizes = None if size is None else [size, size]
        try:
            found = rf.compute_receptive_field_from_graph_def(
                graph.as_graph_def(), "image", output, input_resolution=sizes
            )
            x = [None if value is None else int(value) for value in list(found)[::2]]
            print(f"  {name:24} size {x[0]}, step {x[1]}, padding {x[2]}")
        except ValueError as refusal:
            print(f"  {name:24} ValueError: {refusal}")

    layers, applications = tf_keras.layers, tf_keras.applications
    print(f"receptive_field, with tf_keras {tf_keras.__version__}")
    for name in ("VGG16", "ResNet50", "InceptionV3", "MobileNet"):
        make = getattr(applications, name)
        measured(name, lambda x, make=make: make(weights=None, include_top=False, input_tensor=x).output)
    measured("a dilated convolution", layers.Conv2D(8, 3, dilation_rate=2))
    measured("a transposed one", layers.Conv2DTranspose(8, 3, strides=2))
    measured("a sigmoid", layers.Conv2D(8, 3, activation="sigmoid"))
    steps = layers.Conv2D(8, 1, strides=2), layers.Conv2D(8, 3, strides=2, padding="same")
    measured("branches that are shifted", lambda x: steps[0](x) + steps[1](x), 32)


if __name__ == "__main__":
    for tool in sys.argv[1:]:
        keras() if tool == "keras" else receptive_field(tool)
