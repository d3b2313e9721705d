"""FLOPs of einsum and of attention as TensorFlow's profiler counts them.

Keras replaces some equations by products of matrices, which count; TensorFlow's own einsum has no registered
figure and counts nothing.
"""

from __future__ import annotations

import string
from typing import Any

from archcalc.arith import Shape, Size, exact_div, prod
from archcalc.conventions.tf_activations import ACTIVATION_FLOPS
from archcalc.layers.activations import activation_name

SOFTMAX = ACTIVATION_FLOPS["softmax"]

# the equations, in the letters that Keras gives them (`keras.src.backend.tensorflow.numpy.einsum`)
_BY_MATRICES = {
    *("a,b->ab", "ab,b->a", "ab,bc->ac", "ab,cb->ac", "abc,cd->abd", "abc,dc->abd"),
    *("abcd,abde->abce", "abcd,abed->abce", "abcd,acbe->adbe", "abcd,adbe->acbe"),
    *("abcd,aecd->acbe", "abcd,aecd->aceb", "abc,cde->abde", "abc,dce->abde", "abc,dec->abde"),
    *("abcd,cde->abe", "abcd,ced->abe", "abcd,ecd->abe", "abcde,aebf->adbcf", "abcde,afce->acdbf"),
}


def by_matrices(equation: str) -> bool:
    """Whether Keras computes an einsum of two operands as a product of matrices."""
    letters = dict.fromkeys(c for c in equation if c in string.ascii_letters)
    names = str.maketrans(dict(zip(letters, string.ascii_letters, strict=False)))
    return equation.translate(names) in _BY_MATRICES


def einsum_products(layer: Any, *inputs: Shape) -> Size:
    return 2 * layer.macs(*inputs) if by_matrices(layer.equation) else 0


def einsum_dense(layer: Any, x: Shape) -> Size:
    each = int(layer.bias_axes is not None) + ACTIVATION_FLOPS[activation_name(layer.activation)]
    return einsum_products(layer, x) + each * prod(layer.output_shape(x))


# -- attention with projections ---------------------------------------------------------------------
def _fused(layer: Any, rank: int) -> bool:
    """Whether Keras calls `dot_product_attention`, whose scores are an einsum of TensorFlow's own."""
    return not layer.dropout and not layer.return_attention_scores and rank == 2


def projected_products(layer: Any, *inputs: Shape) -> Size:
    """Twice the multiply-adds of what Keras computes as products of matrices."""
    shapes = layer.named_inputs(inputs)
    if len(shapes.query) != 2:
        return 0  # no equation of more axes is one of those
    query, key, value = layer.heads(shapes)
    result = layer.result(shapes)
    wide = query[0] * value[1]
    of_query = prod(query) + int(layer.use_gate) * wide
    of_others = prod(shapes.key) * prod(key) + prod(shapes.value) * prod(value)
    projections: Size = prod(shapes.query) * of_query + of_others
    if len(result) == 1:
        projections += shapes.query[0] * wide * result[0]
    scores: Size = 0 if _fused(layer, 2) else layer.pairs(shapes) * query[0] * (key[1] + value[1])
    return 2 * (projections + scores)


def projected(layer: Any, *inputs: Shape) -> Size:
    """Products, biases, scaled scores and their softmax, masks and gates."""
    shapes = layer.named_inputs(inputs)
    query, key, value = layer.heads(shapes)
    positions, others = prod(shapes.query[:-1]), prod(shapes.value[:-1])
    wide = query[0] * value[1]
    of_query = prod(query) + int(layer.use_gate) * wide + prod(layer.result(shapes))
    biases = int(layer.use_bias) * (positions * of_query + others * (prod(key) + prod(value)))
    gate = int(layer.use_gate) * positions * wide
    scores: Size = query[0] * layer.pairs(shapes)
    fused = _fused(layer, len(shapes.query))
    scaled = scores if fused else positions * prod(query)
    axes = [shapes.value[a] for a in layer.attended(shapes)]
    soft = SOFTMAX * scores if len(axes) == 1 else 3 * scores + exact_div(scores, prod(axes))
    work: Size = projected_products(layer, *inputs) + biases + gate + scaled + soft
    return work + _masks(layer, fused) * positions * prod(axes)


def _masks(layer: Any, fused: bool) -> int:
    """Integer operations per query and key that compute the masks; a causal mask alone may be a kernel's."""
    window = layer.sliding_window is not None
    return 2 * int(window) + int(layer.use_causal_mask and (window or not fused))


def grouped(layer: Any, *inputs: Shape) -> Size:
    """As `projected`; repeating keys and values multiplies two sizes."""
    return projected(layer, *inputs) + 2


# -- attention without projections --------------------------------------------------------------------
def unprojected_products(layer: Any, *inputs: Shape) -> Size:
    shapes = layer.named_inputs(inputs)
    scored = shapes.query[-1] if getattr(layer, "score_mode", None) == "dot" else 0
    macs: Size = layer.pairs(shapes) * (scored + shapes.value[-1])
    return 2 * macs


def unprojected(layer: Any, *inputs: Shape) -> Size:
    """Per score: its softmax, what scales it, a causal mask, and the sum over features of the tanh."""
    shapes = layer.named_inputs(inputs)
    scaled, width = int(layer.use_scale), shapes.query[-1]
    each: Size = SOFTMAX + 2 * int(layer.use_causal_mask)
    match getattr(layer, "score_mode", None):
        case "dot":
            each += scaled
        case "concat":
            each += (2 + scaled) * width
        case _:
            each += 3 * width - 1  # without a scale Keras multiplies by 1
    each *= layer.pairs(shapes)
    return unprojected_products(layer, *inputs) + each
