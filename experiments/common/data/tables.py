"""Tables: customers who stay or leave, by a process that is written down, and scikit-learn's tumours.

**customers**: twelve columns, of which age, region and channel say nothing. A customer leaves with the
probability of a logistic function of: how long ago the last purchase was, in units of the customer's usual
gap between purchases; complaints, which count threefold in the first two years; a falling spend; discounts;
and products held, which keep. No column tells it alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.common.data.splits import Data, Split

SEED = 170_001
COLUMNS = (
    *("days since purchase", "purchases a year", "spend", "spend the year before", "years as customer"),
    *("complaints", "discount share", "products", "visits", "age", "region", "channel"),
)


def process(count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The columns of `count` customers, (count, 12), and whether each left."""
    draw = np.random.default_rng(SEED)
    purchases = draw.gamma(2.0, 4.0, count) + 0.5
    gap = 365 / purchases
    since = draw.exponential(gap)
    before = draw.lognormal(5.0, 0.6, count)
    spend = before * draw.lognormal(0.0, 0.35, count)
    years = draw.gamma(1.5, 3.0, count)
    complaints = draw.poisson(0.7, count)
    discount = draw.beta(1.5, 4.0, count)
    products = draw.integers(1, 6, count)
    visits = draw.poisson(purchases * 1.8)
    age, region, channel = draw.uniform(18, 80, count), draw.integers(0, 8, count), draw.integers(0, 3, count)
    score = (
        -1.4
        + 1.6 * np.minimum(since / gap, 3.0)
        + complaints * np.where(years < 2, 1.5, 0.5)
        - 2.2 * np.log(spend / before)
        + 1.5 * discount
        - 0.45 * products
    )
    left = draw.random(count) < 1 / (1 + np.exp(-1.5 * score))
    columns = (since, purchases, spend, before, years, complaints, discount, products, visits, age, region)
    return np.stack([*columns, channel], axis=1).astype(np.float64), left.astype(np.int64)


def customers(counts: Sequence[int]) -> Data:
    return _data("customers", ("stays", "leaves"), *process(sum(counts)), counts)


def tumours(counts: Sequence[int]) -> Data:
    """Wisconsin's breast cancer data, 569 rows of 30 columns, shuffled."""
    from sklearn.datasets import load_breast_cancer

    table, labels = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(labels))
    return _data("tumours", ("malignant", "benign"), table[order], labels[order].astype(np.int64), counts)


def _data(
    name: str,
    classes: tuple[str, ...],
    table: NDArray[np.float64],
    labels: NDArray[np.int64],
    counts: Sequence[int],
) -> Data:
    """In order: training, validation, test; standardised by training's means and deviations."""
    edges = np.cumsum([0, *counts])
    known = table[: counts[0]]
    scaled = ((table - known.mean(axis=0)) / (known.std(axis=0) + 1e-9)).astype(np.float32)
    train, validation, test = (Split(scaled[a:b], labels[a:b]) for a, b in itertools.pairwise(edges))
    return Data(name, classes, train, validation, test, provenance={})
