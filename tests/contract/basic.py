"""Rows of the layer types of most convolutional networks."""

from __future__ import annotations

from archcalc.layers.activations import ACTIVATIONS, FOREIGN
from tests.contract.rows import (
    ANY_RANK,
    BATCH_AXIS,
    CAUSAL,
    MERGING,
    Row,
    augmenting,
    elementwise,
    pooling,
    softmax_axes,
    spatial,
)

BASIC: dict[str, Row] = {
    "InputLayer": Row(
        [()],
        {"shape": [(), (5,), (4, 3), (7, 6, 3)]},
        left_out={
            "batch_shape": "another form of `shape`, which the Keras reader translates",
            "input_tensor": "a live tensor",
        },
    ),
    "Opaque": Row([((5, 4),)], keras=False),
    "Parameter": Row([((5, 4),)], keras=False),  # tests/keras/test_parameter.py
    # tests/readers/keras/test_generations.py compares these with tf_keras
    **{name: Row([((5, 4),)], keras=False) for name in ("CuDNNLSTM", "CuDNNGRU", "PruneLowMagnitude")},
    "Dense": Row(
        [*ANY_RANK, ((),)],
        {"units": [2, 5]},
    ),
    "Embedding": Row(
        [((5,),), ((3, 4),), ((),)],
        {"input_dim": [7, 11], "output_dim": [3, 1]},
        left_out={"weights": "initial values; their shape is known without them"},
        support="perturbation",
        step=1.0,
    ),
    "Identity": elementwise(),
    "Masking": elementwise(mask_value=[0.0, 1.0]),
    "Rescaling": elementwise(scale=[2.0, 0.5], offset=[0.0, -1.0]),
    "Conv1D": spatial(1, values=CAUSAL),
    "Conv2D": spatial(2),
    "Conv3D": spatial(3),
    "DepthwiseConv1D": spatial(1),
    "DepthwiseConv2D": spatial(2),
    "SeparableConv1D": spatial(1),
    "SeparableConv2D": spatial(2),
    "Conv1DTranspose": spatial(1),
    "Conv2DTranspose": spatial(2),
    "Conv3DTranspose": spatial(3),
    "LocallyConnected1D": spatial(1, values={"implementation": [1, 2, 3]}),
    "LocallyConnected2D": spatial(2, values={"implementation": [1, 2, 3]}),
    **{f"MaxPooling{n}D": pooling(n) for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": pooling(n) for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": pooling(n) for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": pooling(n) for n in (1, 2, 3)},
    "BatchNormalization": Row(ANY_RANK, {"axis": [-1, 1, 2, 0], "renorm": [False, True]}),
    "LayerNormalization": Row(
        ANY_RANK,
        {"axis": [-1, 1, (2, 1), (1, -1), 3, 0], "rms_scaling": [False, True]},
        added={"rms_scaling": "read from **kwargs, and written to every config"},
        stricter=lambda cell: BATCH_AXIS if cell.arguments["axis"] == 0 else "",
    ),
    "Activation": Row(
        [((5,),), ((3, 5, 4),)],
        {"activation": [None, *(a for a in ACTIVATIONS if a != FOREIGN)]},
        support="perturbation",
    ),
    "ReLU": elementwise(max_value=[None, 6.0], negative_slope=[0.0, 0.2], threshold=[0.0, 0.25]),
    "LeakyReLU": elementwise(negative_slope=[0.3, 0.0]),
    "ELU": elementwise(alpha=[1.0, 0.5]),
    "PReLU": elementwise(shared_axes=[None, 1, (1, 2), (-1,), 0, (3,)]),
    "Softmax": Row(
        ANY_RANK,
        {"axis": [-1, 1, (1, 2), 3, 0]},
        stricter=softmax_axes,
    ),
    "Dropout": elementwise(),
    "AlphaDropout": elementwise(),
    "GaussianDropout": elementwise(),
    "GaussianNoise": elementwise(stddev=[0.0, 0.5]),
    "ActivityRegularization": elementwise(),
    "RandomFlip": augmenting("factor", mode=["horizontal", "vertical"]),
    "RandomRotation": augmenting(factor=[0.1, (-0.2, 0.3)]),
    "RandomTranslation": augmenting("factor", height_factor=[0.1, (-0.2, 0.3)], width_factor=[0.1, 0.5]),
    **{f"SpatialDropout{n}D": spatial(n) for n in (1, 2, 3)},
    "Flatten": Row([*ANY_RANK, ((1, 1, 5),), ((1, 4, 1),), ((),)]),
    "Reshape": Row(
        [((24,),), ((4, 6),), ((2, 3, 4),), ((1, 24, 1),), ((5, 3),)],
        {
            "target_shape": [
                (24,),
                (-1,),
                (4, 6),
                (2, -1, 3),
                (4, 1, 6),
                (2, 2, 6),
                (-1, -1),
                (1, 1, -1),
                (5, -1),
            ]
        },
    ),
    "Permute": Row(
        [((3, 4),), ((3, 4, 5),), ((3, 3),)],
        {"dims": [(2, 1), (1, 2), (3, 1, 2), (1, 3, 2), (1,), (1, 1)]},
    ),
    "RepeatVector": Row([((5,),), ((4, 3),)], {"n": [1, 3]}),
    "ZeroPadding1D": spatial(1, values={"padding": [1, 0, (2, 3)]}),
    "ZeroPadding2D": spatial(2, values={"padding": [1, (2, 0), ((1, 2), (0, 3))]}),
    "ZeroPadding3D": spatial(3, values={"padding": [1, (2, 0, 1), ((1, 2), (0, 3), (1, 0))]}),
    "Cropping1D": spatial(1, values={"cropping": [1, 0, (2, 1)]}),
    "Cropping2D": spatial(2, values={"cropping": [0, (1, 2), ((1, 0), (2, 3))]}),
    "Cropping3D": spatial(3, values={"cropping": [1, (1, 0, 1), ((1, 2), (0, 1), (1, 0))]}),
    "UpSampling1D": spatial(1, values={"size": [2, 1, 3]}),
    "UpSampling2D": spatial(
        2,
        values={
            "size": [2, (1, 3), (4, 1)],
            "interpolation": ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"],
        },
        dtype="float32",  # TensorFlow has no float64 gradient of Lanczos; weights are rounded by 1e-6
        tolerance=2e-6,
    ),
    "UpSampling3D": spatial(3, values={"size": [2, (1, 3, 2)]}),
    "Normalization": Row(
        [*ANY_RANK, ((2, 3),)],
        {
            "axis": [-1, (1,), (1, 2), None, 0],
            "mean": [None, 0.5, (0.1, 0.2, 0.3)],
            "variance": [None, 2.0, (1.0, 2.0, 3.0)],
            "invert": [False, True],
        },
    ),
    "LayerScale": Row(
        [*ANY_RANK, ((3, 1),), ((4, 4),)], {"init_values": [0.1, 1.0], "projection_dim": [3, 4, 5]}
    ),
    "CustomScaleLayer": Row([m for m in MERGING if len(m) < 3], {"scale": [0.5, 2.0]}),
    **{name: Row(MERGING) for name in ("Add", "Average", "Multiply", "Subtract")},
    **{name: Row(MERGING, support="perturbation") for name in ("Maximum", "Minimum")},
    "Concatenate": Row(
        [*MERGING, ((4, 5), (2, 5)), ((3, 4, 2), (3, 1, 2), (3, 2, 2)), ((3, 4), (3, 4, 1))],
        {"axis": [-1, 1, 2, -2, 0]},
        stricter=lambda cell: BATCH_AXIS if cell.arguments["axis"] == 0 else "",
    ),
    "Dot": Row(
        [((4,), (4,)), ((3, 4), (5, 4)), ((3, 4), (4, 2)), ((2, 3, 4), (4, 3)), ((4, 5), (4, 6)), ((4,),)],
        {"axes": [-1, 1, 2, (1, 2), (2, 1), (-1, -2), (1, 2, 3), 0], "normalize": [False, True]},
        stricter=lambda cell: BATCH_AXIS if cell.arguments["axes"] == 0 else "",
    ),
}
