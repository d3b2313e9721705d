"""Deep stacks, plain and residual, dense and convolutional: the networks of `gradient_flow`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

DENSE, CONV = "dense", "conv"


@dataclass(frozen=True)
class Stack:
    """One network and how it is trained. Depth counts layers with weights, the last ten logits excluded.

    A skip spans two layers, h + W2 f(W1 h); `scaled` divides each branch by the root of the number of blocks.
    """

    kind: str
    depth: int
    activation: str
    initializer: str
    skip: bool = False
    scaled: bool = False
    normalised: bool = False
    learning_rate: float = 0.05
    clip: float = 0.0  # global norm of the gradient in a step
    adam: bool = False
    note: str = ""

    @property
    def name(self) -> str:
        words = [self.kind, str(self.depth), self.activation, self.initializer.split("_")[0]]
        words += ["skip"] if self.skip else []
        words += ["scaled"] if self.scaled else []
        words += ["norm"] if self.normalised else []
        return " ".join(words)

    @property
    def label(self) -> str:
        """The name with how it is trained."""
        words = [self.name, f"{'adam' if self.adam else 'lr'} {self.learning_rate:g}"]
        words += [f"clip {self.clip:g}"] if self.clip else []
        return " ".join(words)

    @property
    def blocks(self) -> int:
        return (self.depth - 1) // 2


def build(stack: Stack, shape: Sequence[int], classes: int, width: int) -> keras.Model:
    """The network, from standardised values of `shape` to logits.

    Convolutions are 3x3, `same`; the first has stride 2 where the side is above 16. Dense stacks flatten.
    """
    import keras
    from keras import layers

    inputs = keras.Input(tuple(shape), name="image")
    x: Any = inputs
    if stack.kind == DENSE and len(shape) > 1:
        x = layers.Flatten(name="flatten")(x)
    strides = 2 if stack.kind == CONV and shape[0] > 16 else 1
    x = _layer(stack, width, "stem", strides=strides)(x)
    x = _finished(stack, x, "stem")
    if stack.skip:
        for number in range(1, stack.blocks + 1):
            x = _block(stack, x, width, f"block{number:02d}")
    else:
        for number in range(2, stack.depth + 1):
            x = _layer(stack, width, f"layer{number:02d}")(x)
            x = _finished(stack, x, f"layer{number:02d}")
    if stack.kind == CONV:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, outputs, name=stack.kind)


def _layer(stack: Stack, width: int, name: str, *, linear: bool = False, strides: int = 1) -> Any:
    from keras import layers

    activation = None if linear or stack.normalised else stack.activation
    options: dict[str, Any] = {
        "kernel_initializer": stack.initializer,
        "activation": activation,
        "name": name,
    }
    if stack.kind == DENSE:
        return layers.Dense(width, **options)
    return layers.Conv2D(width, 3, strides=strides, padding="same", **options)


def _finished(stack: Stack, x: Any, name: str) -> Any:
    """Normalisation and the activation after it, where the stack has them."""
    from keras import layers

    if not stack.normalised:
        return x
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation(stack.activation, name=f"{name}_act")(x)


def _block(stack: Stack, x: Any, width: int, name: str) -> Any:
    from keras import layers

    branch = _finished(stack, _layer(stack, width, f"{name}_a")(x), f"{name}_a")
    branch = _layer(stack, width, f"{name}_b", linear=True)(branch)
    if stack.scaled:
        branch = layers.Rescaling(1 / math.sqrt(stack.blocks), name=f"{name}_scale")(branch)
    return layers.Add(name=f"{name}_add")([x, branch])


def compiled(model: keras.Model, stack: Stack, *, eager: bool = False) -> keras.Model:
    """With cross-entropy of logits, SGD with momentum .9 (or adam), accuracy."""
    import keras

    options = {"global_clipnorm": stack.clip} if stack.clip else {}
    make: Callable[..., Any] = keras.optimizers.Adam if stack.adam else keras.optimizers.SGD
    momentum = {} if stack.adam else {"momentum": 0.9}
    model.compile(
        optimizer=make(stack.learning_rate, **momentum, **options),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        run_eagerly=eager,
    )
    return model


def thin_resnet(depth: int, shape: Sequence[int], classes: int, filters: int, *, skip: bool) -> keras.Model:
    """Plain-n or ResNet-n of He et al. 2016 (n = 6k+2), with BatchNormalization, for small images.

    The stem has stride 2; three stages of k blocks with filters, 2 filters, 4 filters; shortcuts that change
    the shape are 1x1 convolutions, as in their option B.
    """
    import keras
    from keras import layers

    x: Any = keras.Input(tuple(shape), name="image")
    inputs = x
    x = _conv_norm(x, filters, "stem", strides=2)
    x = layers.ReLU(name="stem_relu")(x)
    for stage in range(3):
        for number in range((depth - 2) // 6):
            name, strides = f"stage{stage + 1}_{number + 1:02d}", 2 if stage and not number else 1
            width = filters * 2**stage
            branch = _conv_norm(x, width, f"{name}_a", strides=strides)
            branch = layers.ReLU(name=f"{name}_a_relu")(branch)
            branch = _conv_norm(branch, width, f"{name}_b")
            if skip:
                if strides > 1:
                    x = layers.Conv2D(
                        width,
                        1,
                        strides=strides,
                        use_bias=False,
                        kernel_initializer="he_normal",
                        name=f"{name}_shortcut",
                    )(x)
                branch = layers.Add(name=f"{name}_add")([x, branch])
            x = layers.ReLU(name=f"{name}_relu")(branch)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, outputs, name="resnet" if skip else "plain")


def _conv_norm(x: Any, filters: int, name: str, strides: int = 1) -> Any:
    from keras import layers

    x = layers.Conv2D(
        filters, 3, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
