"""How tight bounds are on whole networks, by tier: docs/evidence/gradient-bounds.md, with fewer inputs."""

from __future__ import annotations

import pytest

from scripts.gradient_tightness import worst_rows
from tests.analyses.gradient_bounds.networks import NETWORKS

# the worst row's bound over the largest norm that is measured with eight inputs: symbolic, tight, centred
WORST = {
    "sigmoid_mlp": (787, 787, 104),
    "he_relu_mlp": (210, 210, 59.8),
    "residual_mlp": (36.5, 36.5, 7.53),
    "small_resnet": (764, 48.5, 9.65),
    "dense_concat": (323, 29.4, 8.0),
    "mobile_block": (1120, 700, 145),
    "unet": (402, 51.5, 12.4),
    "inception": (64.0, 30.5, 23.3),
}


pytestmark = pytest.mark.usefixtures("double_precision")


@pytest.mark.parametrize("name", NETWORKS)
def test_worst_rows(name: str) -> None:
    worst = worst_rows(NETWORKS[name](), inputs=8)
    for tier, most in zip(("symbolic", "tight", "centred"), WORST[name], strict=True):
        ratio, row = worst[tier]
        assert 1 <= ratio <= most, (tier, row)
