"""The eight networks on which the tightness of gradient bounds is measured: 4 to 12 layers, width 4 to 48."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archcalc.graph import Graph
from tests.networks import chain, made


class Wiring:
    """A graph under construction: each call adds a layer, by default on top of the last one."""

    def __init__(self, *shape: int) -> None:
        self.nodes: list[tuple[str, Any, list[str]]] = [("x", made("InputLayer", shape=shape), [])]
        self.last = "x"

    def __call__(self, name: str, kind: str, *inputs: str, **arguments: Any) -> str:
        self.nodes.append((name, made(kind, **arguments), list(inputs or (self.last,))))
        self.last = name
        return name

    def graph(self, name: str) -> Graph:
        return Graph.of(name, self.nodes, [self.last])


def sigmoid_mlp() -> Graph:
    layers = [(f"d{i}", made("Dense", units=32, activation="sigmoid")) for i in range(12)]
    return chain("sigmoid_mlp", (32,), *layers)


def he_relu_mlp() -> Graph:
    def dense(i: int) -> Any:
        return made("Dense", units=32, activation="relu" if i < 7 else None, kernel_initializer="he_normal")

    return chain("he_relu_mlp", (32,), *[(f"d{i}", dense(i)) for i in range(8)])


def residual_mlp() -> Graph:
    """Ten pre-activation blocks x + W relu(x), where the variance of W is scaled by 1/10."""
    net = Wiring(24)
    start = {"class_name": "VarianceScaling", "config": {"scale": 0.1, "mode": "fan_in"}}
    for i in range(10):
        skip = net.last
        net(f"b{i}/relu", "Activation", activation="relu")
        net(f"b{i}/dense", "Dense", units=24, kernel_initializer=start)
        net(f"b{i}/add", "Add", f"b{i}/dense", skip)
    return net.graph("residual_mlp")


def small_resnet() -> Graph:
    net = Wiring(8, 8, 3)
    net("stem", "Conv2D", filters=8, kernel_size=3, padding="same")
    for i in range(2):
        skip = net.last
        net(f"b{i}/bn1", "BatchNormalization")
        net(f"b{i}/relu1", "Activation", activation="relu")
        net(f"b{i}/conv1", "Conv2D", filters=8, kernel_size=3, padding="same")
        net(f"b{i}/bn2", "BatchNormalization")
        net(f"b{i}/relu2", "Activation", activation="relu")
        net(f"b{i}/conv2", "Conv2D", filters=8, kernel_size=3, padding="same")
        net(f"b{i}/add", "Add", f"b{i}/conv2", skip)
    net("gap", "GlobalAveragePooling2D")
    net("out", "Dense", units=10)
    return net.graph("small_resnet")


def dense_concat() -> Graph:
    net = Wiring(8, 8, 4)
    for i in range(4):
        before = net.last
        net(f"c{i}", "Conv2D", filters=6, kernel_size=3, padding="same", activation="relu")
        net(f"cat{i}", "Concatenate", before, f"c{i}")
    net("gap", "GlobalAveragePooling2D")
    net("out", "Dense", units=6)
    return net.graph("dense_concat")


def mobile_block() -> Graph:
    """Expansion, depthwise, squeeze-and-excite, a grouped dilated convolution, projection."""
    net = Wiring(8, 8, 8)
    net("expand", "Conv2D", filters=16, kernel_size=1, activation="relu6")
    net("depthwise", "DepthwiseConv2D", kernel_size=3, padding="same", activation="relu6")
    body = net.last
    net("squeeze", "GlobalAveragePooling2D", keepdims=True)
    net("reduce", "Conv2D", filters=4, kernel_size=1, activation="relu")
    net("gate", "Conv2D", filters=16, kernel_size=1, activation="sigmoid")
    net("scale", "Multiply", body, "gate")
    net("grouped", "Conv2D", filters=16, kernel_size=3, padding="same", groups=4, dilation_rate=2)
    net("project", "Conv2D", filters=8, kernel_size=1)
    net("add", "Add", "project", "x")
    net("gap", "GlobalAveragePooling2D")
    net("out", "Dense", units=6)
    return net.graph("mobile_block")


def unet() -> Graph:
    net = Wiring(8, 8, 3)
    net("down1", "Conv2D", filters=6, kernel_size=3, padding="same", activation="relu")
    net("pool1", "MaxPooling2D", pool_size=2)
    net("down2", "Conv2D", filters=8, kernel_size=3, padding="same", activation="relu")
    net("pool2", "MaxPooling2D", pool_size=2)
    net("bottom", "Conv2D", filters=12, kernel_size=3, padding="same", activation="relu")
    net("up2", "Conv2DTranspose", filters=8, kernel_size=2, strides=2)
    net("cat2", "Concatenate", "up2", "down2")
    net("merge2", "Conv2D", filters=8, kernel_size=3, padding="same", activation="relu")
    net("up1", "UpSampling2D", size=2, interpolation="bilinear")
    net("cat1", "Concatenate", "up1", "down1")
    net("out", "Conv2D", filters=2, kernel_size=1)
    return net.graph("unet")


def inception() -> Graph:
    net = Wiring(8, 8, 6)
    net("a", "Conv2D", "x", filters=4, kernel_size=1, activation="relu")
    net("b1", "Conv2D", "x", filters=4, kernel_size=1, activation="relu")
    net("b2", "Conv2D", filters=4, kernel_size=3, padding="same", activation="relu")
    net("c1", "Conv2D", "x", filters=4, kernel_size=1, activation="relu")
    net("c2", "Conv2D", filters=4, kernel_size=5, padding="same", activation="relu")
    net("d1", "AveragePooling2D", "x", pool_size=3, strides=1, padding="same")
    net("d2", "Conv2D", filters=4, kernel_size=1, activation="relu")
    net("cat", "Concatenate", "a", "b2", "c2", "d2")
    net("gap", "GlobalAveragePooling2D")
    net("out", "Dense", units=10, activation="softmax")
    return net.graph("inception")


NETWORKS: dict[str, Callable[[], Graph]] = {
    f.__name__: f
    for f in (
        sigmoid_mlp,
        he_relu_mlp,
        residual_mlp,
        small_resnet,
        dense_concat,
        mobile_block,
        unet,
        inception,
    )
}
