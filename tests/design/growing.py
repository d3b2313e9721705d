"""Random networks with blocks that change the shape their copies read, with an open number of copies."""

from __future__ import annotations

import random
from typing import Any

Layer = dict[str, Any]


class Growing:
    """One random spec: stages of blocks with `n`, `m` copies, and sizes in the symbols `w` and `H`."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.blocks: dict[str, Any] = {}
        self.count = 0

    def spec(self) -> dict[str, Any]:
        stages = [self.stage(name) for name in self.draw.sample(["n", "m"], self.draw.randint(1, 2))]
        head = self.draw.choice(
            [
                [],
                [self.layer("Conv2D", filters="2*w", kernel_size=1)],
                [self.layer("GlobalAveragePooling2D"), self.layer("Dense", units=5, activation="softmax")],
                [self.layer("MaxPooling2D", pool_size=2), self.layer("BatchNormalization")],
            ]
        )
        stem = self.layer("Conv2D", filters=self.draw.choice([4, 8, "w", "2*w"]), kernel_size=3)
        side = self.draw.choice(["H", "H", 40])
        return {
            "archcalc": 1,
            "symbols": {
                "H": {"default": 48, "min": 40},
                "w": 3,
                "n": 2,
                "m": 1,
            },
            "inputs": {"image": [side, side, self.draw.choice([1, 3, "w"])]},
            "blocks": self.blocks,
            "layers": [stem, *stages, *head],
        }

    def layer(self, kind: str, **more: Any) -> Layer:
        self.count += 1
        return {"name": f"l{self.count}", "type": kind, **more}

    def stage(self, count: str, depth: int = 0) -> Layer:
        self.count += 1
        name = f"b{self.count}"
        self.blocks[name] = {}
        repeat = self.draw.choice([count, count, f"{count} + 1", f"2*{count}"])
        self.blocks[name] = {"layers": self.body(count, depth)}
        return {"name": f"s{name}", "block": name, "repeat": repeat}

    def body(self, count: str, depth: int) -> list[Layer]:
        draw = self.draw
        layers = [self.plain() for _ in range(draw.randint(0, 2))]
        if depth == 0 and draw.random() < 0.25:
            layers.append(self.stage("m" if count == "n" else "n", 1))
        layers.append(self.end(layers[-1]["name"] if layers else "input"))
        if draw.random() < 0.4:
            layers.append(self.layer(*draw.choice([("BatchNormalization",), ("ReLU",)])))
        return layers

    def plain(self) -> Layer:
        kind = self.draw.choice(["BatchNormalization", "ReLU", "DepthwiseConv2D", "AveragePooling2D"])
        if kind == "DepthwiseConv2D":
            return self.layer(kind, kernel_size=3, padding="same")
        if kind == "AveragePooling2D":
            return self.layer(kind, pool_size=3, strides=1, padding="same")
        return self.layer(kind)

    def end(self, before: str) -> Layer:
        """A layer that changes the shape: channels, positions, or both."""
        draw = self.draw
        kind = draw.choice(["dense", "dense", "double", "valid", "deeper", "pad", "crop", "shrink"])
        if kind == "dense":
            grown = self.layer(
                draw.choice(["Conv2D", "SeparableConv2D"]),
                filters=draw.choice([4, "w", "w + 1"]),
                kernel_size=draw.choice([1, 3]),
                padding="same",
                activation=draw.choice(["relu", "linear"]),
                inputs=[before],
            )
            inner = f"g{self.count}"
            self.blocks[inner] = {
                "layers": [
                    {**grown, "inputs": ["input"]},
                    {"name": "join", "type": "Concatenate", "inputs": ["input", grown["name"]]},
                ]
            }
            return {"name": f"u{self.count}", "block": inner}
        if kind == "double":
            return self.layer("Concatenate", inputs=[before, before])
        if kind == "valid":
            return self.layer("DepthwiseConv2D", kernel_size=draw.choice([2, 3]))
        if kind == "deeper":
            return self.layer("DepthwiseConv2D", kernel_size=3, depth_multiplier=2, padding="same")
        if kind == "pad":
            return self.layer("ZeroPadding2D", padding=draw.choice([1, [[1, 0], [0, 2]]]))
        if kind == "crop":
            return self.layer("Cropping2D", cropping=[[1, 0], [0, 1]])
        return self.layer("MaxPooling2D", pool_size=2, strides=1)


# each copy halves the image, rounding up: no closed form in the number of copies
HALVING: dict[str, Any] = {
    "archcalc": 1,
    "symbols": {"n": 2, "w": 8},
    "inputs": {"x": [75, 75, 3]},
    "blocks": {
        "down": {
            "layers": [
                {"name": "c", "type": "Conv2D", "filters": "w", "kernel_size": 3, "padding": "same"},
                {"name": "p", "type": "MaxPooling2D", "pool_size": 2, "padding": "same"},
            ]
        }
    },
    "layers": [
        {"name": "stem", "type": "Conv2D", "filters": "w", "kernel_size": 3},
        {"name": "b", "block": "down", "repeat": "n"},
        {"name": "f", "type": "Flatten"},
        {"name": "d", "type": "Dense", "units": 10},
    ],
}
