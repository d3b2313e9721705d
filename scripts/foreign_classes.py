"""Facts about classes of other packages, for the rules in archcalc/data/classes.json.

    python -m scripts.foreign_classes modern|legacy -o FILE

`modern` needs kimm 0.2.5, keras-hub 0.32.0 and vit-keras 0.2.0; `legacy` tensorflow-addons 0.23.0,
keras-cv-attention-models 1.4.3, efficientnet 1.1.1, keras-self-attention 0.51.0 and typeguard 2.13.3, which
run on tf_keras. Each class is built in a model of its own; recorded are the model's JSON, what Keras counts,
its output shapes, and (`modern`) the multiply-adds of the traced model.
tests/readers/keras/foreign_classes.json holds both results, and a test compares them with the rules.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Case = tuple[str, Callable[[], Any], tuple[tuple[int, ...], ...], dict[str, Any]]


def modern() -> Iterator[Case]:
    """Classes of Keras 3: a name, what builds the layer, the shapes of its inputs, arguments of its call."""
    import keras_hub
    import kimm
    import vit_keras.layers as vit

    own, hub = kimm.layers, keras_hub.layers
    yield "LayerScale", own.LayerScale, ((8, 8, 6),), {}
    yield "LearnableAffine", own.LearnableAffine, ((8, 8, 6),), {}
    yield "kimm PositionEmbedding", lambda: own.PositionEmbedding(4, 4), ((16, 6),), {}
    yield "Attention", lambda: own.Attention(6, 2), ((16, 6),), {}
    yield "Attention, 4 axes", lambda: own.Attention(6, 2, use_qkv_bias=True), ((4, 16, 6),), {}
    for depthwise in (False, True):
        for skip, scale, branches, again in (
            (True, True, 1, False), (True, False, 4, False), (False, True, 4, False), (True, True, 1, True),
        ):  # fmt: skip
            yield (
                f"ReparameterizableConv2D {depthwise} {skip} {scale} {branches} {again}",
                lambda d=depthwise, s=skip, c=scale, b=branches, r=again: own.ReparameterizableConv2D(
                    6, 3, has_skip=s, has_scale=c, branch_size=b, use_depthwise=d, reparameterized=r,
                    activation="relu",
                ),
                ((8, 8, 6),), {},
            )  # fmt: skip
    for first in (False, True):
        yield (
            f"TransformerEncoder {first}",
            lambda f=first: hub.TransformerEncoder(10, 2, activation="gelu", normalize_first=f),
            ((5, 6),), {},
        )  # fmt: skip
        yield (
            f"TransformerDecoder {first}",
            lambda f=first: hub.TransformerDecoder(10, 2, normalize_first=f),
            ((5, 6),),
            {},
        )
        yield (
            f"TransformerDecoder {first}, two inputs",
            lambda f=first: hub.TransformerDecoder(10, 2, normalize_first=f),
            ((5, 6), (7, 6)),
            {},
        )
    yield "PositionEmbedding", lambda: hub.PositionEmbedding(9), ((5, 6),), {}
    yield "TokenAndPositionEmbedding", lambda: hub.TokenAndPositionEmbedding(11, 9, 6), ((5,),), {}
    yield "SinePositionEncoding", hub.SinePositionEncoding, ((5, 6),), {}
    yield "RotaryEmbedding", hub.RotaryEmbedding, ((5, 2, 6),), {}
    yield "FNetEncoder", lambda: hub.FNetEncoder(10), ((5, 6),), {}
    yield "ClassToken", vit.ClassToken, ((5, 6),), {}
    yield "AddPositionEmbs", vit.AddPositionEmbs, ((5, 6),), {}
    yield "MultiHeadSelfAttention", lambda: vit.MultiHeadSelfAttention(num_heads=2), ((5, 6),), {}
    yield (
        "TransformerBlock",
        lambda: vit.TransformerBlock(num_heads=2, mlp_dim=10, dropout=0.1),
        ((5, 6),),
        {},
    )


def legacy() -> Iterator[Case]:
    """Classes of Keras 2, in the same way."""
    import efficientnet.tfkeras as efficientnet
    import keras_self_attention as attention
    import tensorflow_addons as addons
    from keras_cv_attention_models import efficientdet, nfnets
    from keras_cv_attention_models.cmt.cmt import BiasPositionalEmbedding
    from keras_cv_attention_models.levit.levit import MultiHeadPositionalEmbedding
    from keras_cv_attention_models.llama2.llama2 import RMSNorm
    from keras_cv_attention_models.mlp_family.res_mlp import ChannelAffine
    from keras_cv_attention_models.model_surgery.model_surgery import DropConnect
    from keras_cv_attention_models.swin_transformer_v2.swin_transformer_v2 import ExpLogitScale
    from keras_cv_attention_models.swin_transformer_v2.swin_transformer_v2_timm import DivideScale
    from keras_cv_attention_models.volo import volo

    dropout = efficientnet.get_dropout() if hasattr(efficientnet, "get_dropout") else None
    if dropout is None:
        from efficientnet import inject_tfkeras_modules, model

        dropout = inject_tfkeras_modules(model.get_dropout)()
    image, line, plain = (8, 8, 6), (5, 6), (6,)
    yield "FixedDropout", lambda: dropout(0.2, noise_shape=(None, 1, 1, 1)), (image,), {}
    for approximate in (True, False):
        yield f"GELU {approximate}", lambda a=approximate: addons.layers.GELU(a), (image,), {}
    yield "GroupNormalization", lambda: addons.layers.GroupNormalization(3), (image,), {}
    yield "InstanceNormalization", addons.layers.InstanceNormalization, (image,), {}
    yield "StochasticDepth", addons.layers.StochasticDepth, (image, image), {"list": True}
    for shape in (plain, line, image):
        yield f"Maxout {len(shape)}", lambda: addons.layers.Maxout(2), (shape,), {}
    yield "Sparsemax", addons.layers.Sparsemax, (plain,), {}
    yield "Snake", addons.layers.Snake, (image,), {}
    for learned in (True, False):
        yield (
            f"FilterResponseNormalization {learned}",
            lambda e=learned: addons.layers.FilterResponseNormalization(learned_epsilon=e),
            (image,),
            {},
        )
    for bias in (True, False):
        yield f"NoisyDense {bias}", lambda b=bias: addons.layers.NoisyDense(4, use_bias=b), (plain,), {}
        yield f"ChannelAffine {bias}", lambda b=bias: ChannelAffine(use_bias=b), (image,), {}
        yield f"ZeroInitGain {bias}", lambda b=bias: nfnets.nfnets.ZeroInitGain(use_bias=b), (image,), {}
        yield f"volo ClassToken {bias}", lambda b=bias: volo.ClassToken(2, is_at_end=b), (line,), {}
        yield (
            f"SeqSelfAttention {bias}",
            lambda b=bias: attention.SeqSelfAttention(
                4, use_attention_bias=b, attention_type="multiplicative"
            ),
            (line,),
            {},
        )
        yield (
            f"SeqSelfAttention additive {bias}",
            lambda b=bias: attention.SeqSelfAttention(4, use_additive_bias=b),
            (line,),
            {},
        )
    for axes, shape, size in ((1, (8, 6), 4), (2, image, (4, 2)), (3, (8, 8, 8, 6), (4, 2, 2))):
        for kind in ("Average", "Max"):
            pooling = getattr(addons.layers, f"Adaptive{kind}Pooling{axes}D")
            yield f"Adaptive{kind}Pooling{axes}D", lambda p=pooling, s=size: p(s), (shape,), {}
    yield "DropConnect", lambda: DropConnect(0.1), (image, image), {"list": True}
    yield "ReluWeightedSum", efficientdet.efficientdet.ReluWeightedSum, (image,) * 3, {"list": True}
    yield "RMSNorm", RMSNorm, (line,), {}
    yield "ExpLogitScale", ExpLogitScale, (image,), {}
    yield "DivideScale", DivideScale, (image,), {}
    yield "BiasLayer", volo.BiasLayer, (image,), {}
    yield "volo PositionalEmbedding", volo.PositionalEmbedding, (image,), {}
    yield "volo PositionalEmbedding, 2 axes", volo.PositionalEmbedding, ((4, 6),), {}
    yield "BiasPositionalEmbedding", BiasPositionalEmbedding, ((2, 16, 4),), {}
    yield "MultiHeadPositionalEmbedding", MultiHeadPositionalEmbedding, ((2, 16, 16),), {}


def fact(keras: Any, case: Case, *, trace: bool) -> dict[str, Any]:
    """What Keras says of one class."""
    name, build, shapes, more = case
    dtype = "int32" if name.startswith("Token") else "float32"
    inputs = [keras.Input(shape, name=f"x{i}", dtype=dtype) for i, shape in enumerate(shapes)]
    outputs = build()(inputs) if more.get("list") else build()(*inputs)
    model = keras.Model(inputs, outputs)
    each = outputs if isinstance(outputs, list | tuple) else [outputs]
    found = {
        "name": name,
        "config": json.loads(model.to_json()),
        "parameters": model.count_params(),
        "trainable_parameters": sum(math.prod(w.shape) for w in model.trainable_weights),
        "output_shapes": [[None if n is None else int(n) for n in y.shape[1:]] for y in each],
    }
    if trace:
        from archcalc import analyze
        from archcalc.arith.unknown import Unknown
        from archcalc.keras import from_keras

        macs = analyze(from_keras(model)).totals.macs
        found["macs"] = None if isinstance(macs, Unknown) else macs
    return found


def main() -> None:
    """Write the facts of one generation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("generation", choices=["modern", "legacy"])
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    if given.generation == "legacy":
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
        import tensorflow  # noqa: F401
        import tf_keras as keras

        for module in [m for m in sys.modules if m.split(".")[0] == "tf_keras"]:
            sys.modules["keras" + module[8:]] = sys.modules[module]
        cases = legacy()
    else:
        import keras

        cases = modern()
    facts = []
    for case in cases:
        try:
            facts.append(fact(keras, case, trace=given.generation == "modern"))
        except Exception as fault:  # of packages that this script does not know
            print(f"{case[0]}: {type(fault).__name__}: {fault}"[:300], file=sys.stderr)
    given.output.write_text("[\n" + ",\n".join(map(json.dumps, facts)) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
