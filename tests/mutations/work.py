"""Comparison of the work of single layers with sums of ones in real Keras and counts by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from archcalc.layers.registry import registered


# -- recording ---------------------------------------------------------------------------------------
def record() -> list[Any]:
    """(type, arguments, inputs, number of products) of layers without padding."""
    from tests.layers.test_work import WITH_MACS, ones_summed
    from tests.mutations.corpus import ONE_D, THREE_D, TWO_D

    products = []
    for shape, layers in (((11, 6), ONE_D), ((9, 8, 6), TWO_D), ((5, 6, 4, 2), THREE_D)):
        for kind, arguments in layers:
            if kind not in WITH_MACS:
                continue
            drop = ("activation", "lora_rank", "output_padding", "padding")
            plain = {k: v for k, v in arguments.items() if k not in drop}
            try:
                count = ones_summed(registered()[kind](**plain), (shape,))
            except Exception:
                continue
            products.append((kind, plain, (shape,), count))
            if kind == "DepthwiseConv2D":
                count += ones_summed(
                    registered()["Conv2D"](filters=5, kernel_size=1),
                    (registered()[kind](**plain).output_shape(shape),),
                )
                products.append(("SeparableConv2D", {**plain, "filters": 5}, (shape,), count))
    a, b = (4, 6), (6, 5)
    products.append(("Dot", {"axes": (2, 1)}, (a, b), ones_summed(registered()["Dot"](axes=(2, 1)), (a, b))))
    return products


# -- comparing ---------------------------------------------------------------------------------------
def differences(products: list[Any]) -> Iterator[str]:
    """The differences in archcalc's counts."""
    for kind, arguments, inputs, count in products:
        macs = registered()[kind](**arguments).macs(*inputs)
        if macs != count:
            yield f"multiply-adds of {kind} {arguments}: {macs} for {count} products of ones"
    for check, rows in _by_hand():
        for row in rows:
            try:
                check(*row)
            except AssertionError as fault:
                yield f"{check.__name__} {row}: {fault}"


def _by_hand() -> Iterator[tuple[Callable[..., None], Any]]:
    """The checks of counts by hand in the test suite, with their rows."""
    from tests.layers import test_operations, test_sequences, test_work

    for check in (test_work.test_elementwise_operations, test_sequences.test_work_of_a_sequence):
        (mark,) = [m for m in check.pytestmark if m.name == "parametrize"]
        yield check, mark.args[1]
    yield test_sequences.test_work_of_attention, [()]
    yield test_operations.test_products_count_their_multiply_adds, [()]
    yield test_operations.test_elementwise_work_is_one_operation_a_unit_and_moving_is_free, [()]
