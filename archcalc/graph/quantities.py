"""The quantities of a network: one row each, from which every output follows.

A quantity of rows is filled by the member of its name of `report.columns.Figures`, one of the whole
network only by that of `report.totals.Totals`. Rows, sums, JSON, CSV, columns of tables, lines of the
summary, claims and the JSON Schema read this table, in its order.
"""

from __future__ import annotations

from typing import NamedTuple


class Quantity(NamedTuple):
    """One quantity; all but the name may be left out.

    `unit`: what it counts, bytes being shown as KiB, MiB ...
    `note`: what exactly counts, in the `conventions` of JSON.
    `in_rows`: whether each layer has one; `total`: "sum" of the rows, "whole" if it is computed for the
    whole network, "" if the network has none.
    `column`: the heading of its column in tables (in lower case its name in `--columns`); `line`: the label
    of its line in the summary;
    `formula`: the label of its closed form. It is shown in none of these where they are empty.
    `claimed`: whether a claim of a spec may be about it.
    """

    name: str
    unit: str = ""
    note: str = ""
    in_rows: bool = True
    total: str = "sum"
    column: str = ""
    line: str = ""
    formula: str = ""
    claimed: bool = True


BYTES = "bytes"
PARAMETERS, MACS, OPERATIONS = "parameters", "MACs", "operations"

TABLE = (
    Quantity("parameters", PARAMETERS, column="Parameters", formula="parameters"),
    Quantity("trainable_parameters", PARAMETERS, column="Trainable", formula="trainable"),
    Quantity("non_trainable_parameters", PARAMETERS, in_rows=False, total="whole"),
    Quantity("output_shape", total=""),
    Quantity("weight_bytes", BYTES, in_rows=False, total="whole"),
    Quantity("macs", MACS, "multiply-adds of one sample's forward pass", column="MACs", formula="MACs"),
    Quantity(
        "training_macs",
        MACS,
        "multiply-adds of one sample's forward and backward pass",
        in_rows=False,
        total="whole",
        claimed=False,
    ),
    Quantity("flops", OPERATIONS, column="FLOPs"),
    Quantity(
        "elementwise_operations",
        OPERATIONS,
        "bias, activation, normalisation, pooling and merging, not part of FLOPs",
        column="Elementwise",
        line="Elementwise",
        formula="elementwise",
    ),
    Quantity("activation_bytes", BYTES, "one tensor for each layer call, whole batch", column="Activations"),
    Quantity(
        "peak_activation_bytes",
        BYTES,
        "inference in Keras's order, a tensor kept until its last reader",
        in_rows=False,
        total="whole",
        formula="peak bytes",
    ),
    Quantity("best_peak_activation_bytes", BYTES, in_rows=False, total="whole", claimed=False),
    Quantity(
        "receptive_field",
        "input units",
        "of one position with all channels, not clipped at borders (clipped_size is)",
        total="",
    ),
    Quantity("receptive_field_stride", "input units", total=""),
    Quantity(
        "effective_receptive_field_sigma",
        "input units",
        "linear layers with uniform kernels, whose gain is 1",
        total="",
        claimed=False,
    ),
    Quantity(
        "training_activation_bytes",
        BYTES,
        "what the backward pass reads, each tensor once",
        column="Training",
    ),
    Quantity("gradient_bytes", BYTES, in_rows=False, total="whole", claimed=False),
    Quantity("optimizer_bytes", BYTES, in_rows=False, total="whole", claimed=False),
    Quantity(
        "training_bytes",
        BYTES,
        "the most that a training step holds: weights, optimizer state, activations and gradients alive",
        in_rows=False,
        total="whole",
        formula="train bytes",
        claimed=False,
    ),
)
# those that each layer has, and that add up; those that the network has; those that a claim may state
SUMMED = tuple(q.name for q in TABLE if q.in_rows and q.total == "sum")
TOTALS = tuple(q.name for q in TABLE if q.total)
CLAIMED = tuple(q.name for q in TABLE if q.claimed)
