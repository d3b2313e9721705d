"""A claim that people repeat, the figure predicted for it before training, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

ARCHCALC, EXPECTED = "archcalc", "expectation"
HIT, MISS, SPLIT, OPEN = "hit", "miss", "seeds differ", "not measured"
COUNTED = "keras counts the same"


@dataclass(frozen=True)
class Claim:
    """What is said, what is predicted of it in words, and the interval that makes the prediction a hit."""

    key: str
    says: str
    predicted: str
    at_least: float | None = None
    at_most: float | None = None
    by: str = ARCHCALC  # computed from the architecture, or only expected

    def to_dict(self) -> dict[str, Any]:
        """As JSON, for prediction.json."""
        return asdict(self)


@dataclass(frozen=True)
class Measurement:
    """What was measured of a claim: a value (of each seed), in words, and what explains a miss."""

    values: tuple[float, ...]
    text: str
    why: str = ""


def verdict(claim: Mapping[str, Any], measurement: Measurement | None) -> str:
    """`hit` where every seed lies in the claim's interval, `miss` where none does, else `seeds differ`."""
    if measurement is None or not measurement.values or not all(map(math.isfinite, measurement.values)):
        return OPEN
    low, high = claim["at_least"], claim["at_most"]
    inside = {(low is None or v >= low) and (high is None or v <= high) for v in measurement.values}
    return SPLIT if len(inside) > 1 else HIT if inside.pop() else MISS


def verdicts(
    claims: Sequence[Mapping[str, Any]], measured: Mapping[str, Measurement]
) -> list[dict[str, Any]]:
    """The last table of a report: claim, prediction, measurement, verdict."""
    rows = []
    for claim in claims:
        found = measured.get(claim["key"])
        judged = verdict(claim, found)
        rows.append(
            {
                "claim": claim["says"],
                "prediction": claim["predicted"],
                "by": claim["by"],
                "measured": OPEN if found is None else found.text,
                "verdict": judged,
                "why": found.why if found is not None and judged in (MISS, SPLIT) else "",
            }
        )
    return rows


def usual(claim: str, expectations: Sequence[Mapping[str, Any]], predicted: Mapping[str, Any]) -> list[Claim]:
    """Of every experiment: its expectations, and archcalc's count of its models."""
    stated = [
        Claim(_key(e), claim, e["text"], e["at_least"], _below(e["below"]), EXPECTED) for e in expectations
    ]
    models = predicted["models"].values()
    layers = sum(len(model["layers"]) for model in models)
    weights = sum(model["totals"]["parameters"] for model in models)
    stated.append(
        Claim(
            COUNTED,
            "Shapes and parameters follow from the architecture alone.",
            f"{len(predicted['models'])} models, {layers:,} layers, {weights:,} parameters",
            at_least=1.0,
        )
    )
    return stated


def usual_measurements(check: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Measurement]:
    """What became of the claims of `usual`, from check.json and result.json."""
    layers = [layer["agrees"] for model in check["models"].values() for layer in model["layers"]]
    found = {
        _key(e): Measurement(
            tuple(math.nan if value is None else value for value in e["measured"]),
            ", ".join("–" if value is None else f"{value:.3f}" for value in e["measured"]),
        )
        for e in result["expectations"]
    }
    found[COUNTED] = Measurement(
        (float(check["agrees"]),), f"Keras agrees in {sum(layers):,} of {len(layers):,} layers"
    )
    return found


def _key(expectation: Mapping[str, Any]) -> str:
    return str(expectation["text"])


def _below(limit: float | None) -> float | None:
    return None if limit is None else math.nextafter(limit, -math.inf)
