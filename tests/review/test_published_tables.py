"""Published tables of parameters as claims: every deviation is explained, or left open.

Sources
-------
LeNet-5: LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11), section II.B. VGG: Simonyan & Zisserman 2015 (arXiv 1409.1556), tables 1
and 2. GoogLeNet: Szegedy et al. 2014 (arXiv 1409.4842), table 1, where K is 1,024.
"""

from __future__ import annotations

from typing import Any

import pytest

from archcalc.graph.claims import Claim
from archcalc.review.audit import Checked, audit
from archcalc.review.sheets import Sheet


def checked(network: Any, claims: list[Claim]) -> dict[str, Checked]:
    """The claims by layer and quantity."""
    result = audit(network, [Sheet("the paper", "table", tuple(claims))])
    return {f"{'+'.join(c.claim.layers) or 'total'} {c.claim.quantity}": c for c in result.checked}


def conv(name: str, filters: int, kernel: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "Conv2D", "filters": filters, "kernel_size": kernel, **more}


def pool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "MaxPooling2D", "pool_size": 3, "strides": 2, "padding": "same", **more}


# -- LeNet-5 -------------------------------------------------------------------------------------------
# subsampling has a coefficient and a bias for each map: a depthwise 1×1 convolution after the mean
LENET = {
    "archcalc": 1,
    "name": "lenet5",
    "inputs": {"image": [32, 32, 1]},
    "layers": [
        conv("c1", 6, 5),
        {"name": "s2_mean", "type": "AveragePooling2D", "pool_size": 2},
        {"name": "s2", "type": "DepthwiseConv2D", "kernel_size": 1},
        conv("c3", 16, 5),
        {"name": "s4_mean", "type": "AveragePooling2D", "pool_size": 2},
        {"name": "s4", "type": "DepthwiseConv2D", "kernel_size": 1},
        conv("c5", 120, 5),
        {"name": "flat", "type": "Flatten"},
        {"name": "f6", "type": "Dense", "units": 84},
    ],
}


def test_lenet5() -> None:
    """C3 reads chosen maps only (table I of the paper), which no layer of Keras does; the total follows."""
    parameters = {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48_120, "f6": 10_164}
    claims = [Claim("parameters", n, (name,)) for name, n in parameters.items()]
    claims += [Claim("parameters", 60_000), Claim("macs", 122_304, ("c1",), note="connections")]
    claims += [Claim("output_shape", (28, 28, 6), ("c1",)), Claim("output_shape", (10, 10, 16), ("c3",))]
    found = checked(LENET, claims)
    wrong = {key: c for key, c in found.items() if c.verdict == "wrong"}
    assert set(wrong) == {"c3 parameters", "total parameters", "c1 macs"}
    assert wrong["c3 parameters"].truth == 2416
    assert wrong["c3 parameters"].explanation == "no known slip"
    assert wrong["total parameters"].follow_on is not None
    assert wrong["total parameters"].follow_on.claims == (3,)
    # connections of the paper include those of the bias
    assert "bias_in_macs" in wrong["c1 macs"].slips


# -- VGG -------------------------------------------------------------------------------------------------
DEPTHS = {"A": (1, 1, 2, 2, 2), "B": (2, 2, 2, 2, 2), "D": (2, 2, 3, 3, 3), "E": (2, 2, 4, 4, 4)}
MILLIONS = {"A": 133, "B": 133, "C": 134, "D": 138, "E": 144}


def vgg(name: str) -> dict[str, Any]:
    layers: list[dict[str, Any]] = []
    for block, depth in enumerate(DEPTHS["D" if name == "C" else name]):
        for i in range(depth):
            kernel = 1 if name == "C" and i == 2 else 3  # the third convolution of a block of C
            layers.append(conv(f"conv{block + 1}_{i + 1}", min(64 * 2**block, 512), kernel, padding="same"))
        layers.append({"name": f"pool{block + 1}", "type": "MaxPooling2D"})
    layers.append({"name": "flat", "type": "Flatten"})
    layers += [{"name": f"fc{6 + i}", "type": "Dense", "units": n} for i, n in enumerate((4096, 4096, 1000))]
    return {"archcalc": 1, "name": f"vgg_{name}", "inputs": {"image": [224, 224, 3]}, "layers": layers}


@pytest.mark.parametrize("name", MILLIONS)
def test_vgg(name: str) -> None:
    """Table 2, in millions: all five are right."""
    claim = Claim("parameters", MILLIONS[name] * 10**6, rounded_to=10**6)
    assert checked(vgg(name), [claim])["total parameters"].verdict == "right"


def test_vgg_without_biases_or_dense_layers_would_be_seen() -> None:
    found = checked(vgg("D"), [Claim("parameters", 14_714_688)])
    assert found["total parameters"].slips == ("type_left_out",)


# -- GoogLeNet -------------------------------------------------------------------------------------------
# 1×1, reduce 3×3, 3×3, reduce 5×5, 5×5, projection of the pooling; parameters in K
MODULES = {
    "3a": ((64, 96, 128, 16, 32, 32), 159),
    "3b": ((128, 128, 192, 32, 96, 64), 380),
    "4a": ((192, 96, 208, 16, 48, 64), 364),
    "4b": ((160, 112, 224, 24, 64, 64), 437),
    "4c": ((128, 128, 256, 24, 64, 64), 463),
    "4d": ((112, 144, 288, 32, 64, 64), 580),
    "4e": ((256, 160, 320, 32, 128, 128), 840),
    "5a": ((256, 160, 320, 32, 128, 128), 1072),
    "5b": ((384, 192, 384, 48, 128, 128), 1388),
}


def googlenet() -> dict[str, Any]:
    layers = [
        conv("conv1", 64, 7, strides=2, padding="same"),
        pool("pool1"),
        conv("reduce2", 64, 1),
        conv("conv2", 192, 3, padding="same"),
        pool("pool2"),
    ]
    for name, (widths, _) in MODULES.items():
        before = layers[-1]["name"]
        a, b, c, d, e, f = widths
        same = {"padding": "same"}
        layers += [
            conv(f"{name}_1", a, 1, inputs=[before]),
            conv(f"{name}_3r", b, 1, inputs=[before]),
            conv(f"{name}_3", c, 3, **same),
            conv(f"{name}_5r", d, 1, inputs=[before]),
            conv(f"{name}_5", e, 5, **same),
            pool(f"{name}_pool", strides=1, inputs=[before]),
            conv(f"{name}_p", f, 1),
            {"name": name, "type": "Concatenate", "inputs": [f"{name}_{x}" for x in ("1", "3", "5", "p")]},
        ]
        if name in ("3b", "4e"):
            layers.append(pool(f"pool{name}"))
    layers.append({"name": "gap", "type": "GlobalAveragePooling2D"})
    layers.append({"name": "linear", "type": "Dense", "units": 1000})
    return {"archcalc": 1, "name": "googlenet", "inputs": {"image": [224, 224, 3]}, "layers": layers}


# row -> the likeliest slip, of the rows that are wrong
EXPLAINED = {
    "3a": "bias_forgotten",
    "linear": "bias_forgotten",
    **dict.fromkeys(("conv1", "4a", "4b", "4c", "4d", "4e", "5a", "5b"), "no known slip"),
}


def test_googlenet() -> None:
    """Two rows are right, two are counted without biases; the others no known slip explains."""
    k = 1024
    rows = {"conv1": (["conv1"], 2.7), "conv2": (["reduce2", "conv2"], 112), "linear": (["linear"], 1000)}
    for name, (_, thousands) in MODULES.items():
        rows[name] = ([f"{name}_{x}" for x in ("1", "3r", "3", "5r", "5", "p")], thousands)
    claims = [
        Claim("parameters", round(n * k), tuple(layers), rounded_to=0.1 * k if n < 10 else k)
        for layers, n in rows.values()
    ]
    found = dict(zip(rows, checked(googlenet(), claims).values(), strict=True))
    verdicts = {
        name: c.slips[0] if c.slips else c.explanation for name, c in found.items() if c.verdict == "wrong"
    }
    assert verdicts == EXPLAINED
