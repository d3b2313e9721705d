"""Fields of published networks, fields with symbolic sizes and depths, and special cases."""

from __future__ import annotations

import json
from math import isclose
from pathlib import Path
from typing import Any

import pytest

from archcalc import arith
from archcalc.analyses.fields.effective_field import EffectiveField, effective_fields
from archcalc.analyses.fields.receptive_field import Field, fields
from archcalc.analyses.shapes import infer
from archcalc.arith import substitute
from archcalc.arith.arrays import array
from archcalc.arith.symbolic import Expr, symbol
from archcalc.arith.unknown import Unknown
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph, Node, Repeat, Tap
from archcalc.layers.registry import registered, registered_operations
from archcalc.layers.window import Fixed, Phases, Taps, Whole
from archcalc.readers import load
from tests.analyses.fields.toy import Toy

ROOT = Path(__file__).parents[3]
LAYERS = {**registered(), **registered_operations()}
H = symbol("H")


def network(*rows: Any) -> Graph:
    """A graph from (name, type, arguments, inputs) rows; the last is the output."""
    nodes = [(name, LAYERS[kind](**arguments), inputs) for name, kind, arguments, inputs in rows]
    return Graph.of("net", nodes, [rows[-1][0]])


def chain(shape: Any, *layers: tuple[str, dict[str, Any]]) -> Graph:
    rows: list[Any] = [("x", "InputLayer", {"shape": shape}, [])]
    for i, (kind, arguments) in enumerate(layers):
        rows.append((f"l{i}", kind, arguments, [rows[-1][0]]))
    return network(*rows)


def conv(rank: int = 2, **arguments: Any) -> tuple[str, dict[str, Any]]:
    return f"Conv{rank}D", {"filters": 4, "kernel_size": 3, **arguments}


def all_fields(graph: Graph, clipped: str = "outputs") -> dict[str, dict[str, Field | None]]:
    with arith.scope():
        return dict(zip((n.name for n in graph.nodes), fields(graph, infer(graph), clipped), strict=True))


def all_spreads(graph: Graph) -> dict[str, dict[str, EffectiveField | None]]:
    with arith.scope():
        return dict(zip((n.name for n in graph.nodes), effective_fields(graph, infer(graph)), strict=True))


def last(graph: Graph, clipped: str = "outputs") -> Field:
    (field,) = all_fields(graph, clipped)[graph.nodes[-1].name].values()
    assert field is not None
    return field


def spread(graph: Graph) -> EffectiveField:
    (field,) = all_spreads(graph)[graph.nodes[-1].name].values()
    assert field is not None
    return field


def example(name: str, tmp_path: Path, **symbols: Any) -> Graph:
    """A network of `examples/`, with other values of its symbols; H is the width of the image."""
    spec = json.loads((ROOT / "examples" / f"{name}.json").read_text(encoding="utf-8"))
    spec["symbols"] |= symbols
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    return load(path)


# -- published values -----------------------------------------------------------------------------
# Araujo, Norris & Sim 2019, table of the supplement; EfficientNet: its size without squeeze-and-excite paths
PUBLISHED = [
    ("VGG16", "block5_pool", 212),
    ("ResNet50", "conv5_block3_out", 483),
    ("ResNet101", "conv5_block3_out", 1027),
    ("ResNet152", "conv5_block3_out", 1507),
    ("InceptionV3", "mixed10", 1311),
    ("InceptionResNetV2", "conv_7b", 3039),
    ("MobileNet", "conv_pw_13_relu", 315),
    ("EfficientNetB0", "top_conv", 851),
]


@pytest.mark.parametrize(("model", "layer", "size"), PUBLISHED)
def test_published_fields_of_keras_applications(model: str, layer: str, size: int) -> None:
    (field,) = all_fields(load(f"keras:{model}"))[layer].values()
    assert field is not None
    assert field.local_size == (size, size)
    assert field.stride == (32, 32)
    if model != "EfficientNetB0":
        assert field.size == field.min_size == (size, size)


@pytest.mark.parametrize(("name", "size"), [("vgg16", 212), ("resnet50", 483)])
def test_a_symbolic_image_changes_no_field_of_a_window(name: str, size: int, tmp_path: Path) -> None:
    by_layer = all_fields(example(name, tmp_path, H=None))
    sizes = [f.size for row in by_layer.values() for f in row.values() if f and f.local_size[0] is not None]
    assert (size, size) in sizes
    assert max(int(s[0]) for s in sizes) == size


def test_squeeze_and_excite_makes_later_layers_global_and_keeps_their_local_size() -> None:
    by_layer = all_fields(load("keras:EfficientNetB0"))
    (before,) = by_layer["stem_conv"].values()
    (after,) = by_layer["top_activation"].values()
    assert before is not None
    assert before.is_global == (False, False)
    assert after is not None
    assert after.is_global == (True, True)
    assert after.size[0] > after.local_size[0] == 851


def test_effective_field_of_chains() -> None:
    ten = chain((64, 64, 3), *[conv(padding="same")] * 10)
    assert isclose(spread(ten).sigma[0], 2.581989, abs_tol=1e-6)  # sqrt(10 * 8/12)
    (vgg,) = all_spreads(load("keras:VGG16"))["block5_pool"].values()
    assert vgg is not None
    assert isclose(vgg.sigma[0], 27.639, abs_tol=5e-4)


# -- symbolic sizes and depths ----------------------------------------------------------------------
def at(figure: Any, **values: int) -> Any:
    return substitute(figure, values) if isinstance(figure, Expr) else figure


def real_at(figure: Any, **values: int) -> float:
    """An expression that need not be an integer."""
    if not isinstance(figure, Expr):
        return float(figure)
    return float(substitute(figure * figure.denominator, values) / figure.denominator)


def test_symbolic_sizes_agree_with_integers(tmp_path: Path) -> None:
    for name in ("resnet50", "resnet50_v15", "vgg16", "unet"):
        symbolic = all_fields(example(name, tmp_path, H=None))
        for side in (188 + 16 * 4, 572) if name == "unet" else (64, 75, 224):
            plain = all_fields(example(name, tmp_path, H=side))
            for layer, row in plain.items():
                (field,), (other,) = row.values(), symbolic[layer].values()
                if field is None:
                    assert other is None
                    continue
                assert other is not None
                for figure in ("size", "min_size", "stride", "offset", "local_size"):
                    value = tuple(at(f, H=side) for f in getattr(other, figure))
                    # a small tensor may lack units of some phases
                    if name != "unet" or side == 572:
                        assert value == getattr(field, figure), (name, layer, figure, side)
                for known, truth in zip(other.is_global, field.is_global, strict=True):
                    assert known is None or known is truth


@pytest.mark.parametrize("name", ["resnet_depth_n", "plain_sigmoid_n"])
def test_fields_of_symbolic_depth_are_those_of_the_last_copy(name: str, tmp_path: Path) -> None:
    symbolic = all_fields(example(name, tmp_path, n=None))
    spreads = all_spreads(example(name, tmp_path, n=None))
    for n in (2, 3, 7):
        graph = example(name, tmp_path, n=n)
        plain, plain_spreads = all_fields(graph), all_spreads(graph)
        compared = 0
        for layer, row in symbolic.items():
            copies = (layer.replace("[*]", f"[{k}]") for k in range(n, 0, -1))
            real = next(name for name in copies if name in plain)
            (field,), (other,) = plain[real].values(), row.values()
            assert field is not None
            assert other is not None
            for figure in ("size", "min_size", "stride", "offset", "local_size"):
                assert tuple(at(f, n=n) for f in getattr(other, figure)) == getattr(field, figure), layer
            (real_spread,), (spread_n,) = plain_spreads[real].values(), spreads[layer].values()
            assert real_spread is not None
            assert spread_n is not None
            assert isclose(real_at(spread_n.variance[0], n=n), real_spread.variance[0], rel_tol=1e-12)
            compared += 1
        assert compared > 3


def repeated(count: Any, inner: Any) -> Graph:
    """A stem, then `count` blocks of a convolution, `inner` convolutions of size 5 and a convolution."""
    rows: list[Any] = [("InputLayer", {"shape": (64, 4)}, ()), (*conv(1, padding="same"), (0,))]
    kinds = [
        conv(1, padding="same"),
        conv(1, kernel_size=5, padding="same"),
        conv(1, padding="same"),
    ]
    repeats: tuple[Repeat, ...] = ()
    if isinstance(count, Expr):
        rows += [(*kind, (2 + k - 1,)) for k, kind in enumerate(kinds)]
        repeats = (Repeat(2, 4, Tap(1), Tap(4), count), Repeat(3, 3, Tap(2), Tap(3), inner))
    else:
        for _ in range(count):
            for kind in (kinds[0], *[kinds[1]] * inner, kinds[2]):
                rows.append((*kind, (len(rows) - 1,)))
    rows.append((*conv(1, strides=2, padding="same"), (len(rows) - 1,)))
    nodes = tuple(
        Node(f"n{i}", LAYERS[kind](**arguments), tuple(map(Tap, inputs)))
        for i, (kind, arguments, inputs) in enumerate(rows)
    )
    return Graph("net", nodes, (0,), (Tap(len(nodes) - 1),), repeats)


def test_nested_symbolic_repeats() -> None:
    graph = repeated(symbol("n"), symbol("m"))
    field, wide = last(graph), spread(graph)
    for n, m in [(1, 1), (2, 3), (4, 2)]:
        plain = repeated(n, m)
        assert at(field.size[0], n=n, m=m) == last(plain).size[0] == 5 + n * (4 + 4 * m)
        assert at(field.offset[0], n=n, m=m) == last(plain).offset[0]
        assert isclose(real_at(wide.variance[0], n=n, m=m), spread(plain).variance[0])


def test_gates_inside_a_symbolic_repeat_stay_whole_axis_reads() -> None:
    def block(source: int) -> list[Any]:
        first = source + 1
        return [
            (*conv(1, padding="same"), (source,)),
            ("GlobalAveragePooling1D", {"keepdims": True}, (first,)),
            ("Multiply", {}, (first, first + 1)),
        ]

    def build(copies: int, repeats: tuple[Repeat, ...]) -> Graph:
        rows: list[Any] = [("InputLayer", {"shape": (30, 4)}, ())]
        for _ in range(copies):
            rows += block(len(rows) - 1)
        nodes = tuple(
            Node(f"n{i}", LAYERS[kind](**arguments), tuple(map(Tap, inputs)))
            for i, (kind, arguments, inputs) in enumerate(rows)
        )
        return Graph("net", nodes, (0,), (Tap(len(nodes) - 1),), repeats)

    symbolic = last(build(1, (Repeat(1, 3, Tap(0), Tap(3), symbol("n")),)))
    for n in (2, 3, 5):
        plain = last(build(n, ()))
        assert symbolic.is_global == plain.is_global == (True,)
        assert at(symbolic.local_size[0], n=n) == plain.local_size[0] == 2 * n + 1
        assert at(symbolic.size[0], n=n) == plain.size[0] == 30 + 2 * n


def test_strided_blocks_in_a_symbolic_repeat_are_unknown() -> None:
    nodes = (
        Node("x", LAYERS["InputLayer"](shape=(64, 4))),
        Node("down", LAYERS["Conv1D"](filters=4, kernel_size=3, strides=2, padding="same"), (Tap(0),)),
        Node("up", LAYERS["UpSampling1D"](size=2), (Tap(1),)),
    )
    graph = Graph("net", nodes, (0,), (Tap(2),), (Repeat(1, 2, Tap(0), Tap(2), symbol("n")),))
    assert isinstance(last(graph).size[0], Unknown)
    assert isinstance(spread(graph).sigma[0], Unknown)


# -- special cases ----------------------------------------------------------------------------------
def test_several_inputs_have_a_field_each() -> None:
    graph = network(
        ("image", "InputLayer", {"shape": (32, 32, 3)}, []),
        ("sound", "InputLayer", {"shape": (100, 2)}, []),
        ("ci", *conv(), ["image"]),
        ("cs", *conv(1, kernel_size=5), ["sound"]),
        ("gi", "GlobalAveragePooling2D", {}, ["ci"]),
        ("gs", "GlobalAveragePooling1D", {}, ["cs"]),
        ("sum", "Add", {}, ["gi", "gs"]),
    )
    by_layer = all_fields(graph)
    assert by_layer["ci"]["sound"] is None
    assert by_layer["cs"]["image"] is None
    assert by_layer["cs"]["sound"] is not None
    assert by_layer["cs"]["sound"].size == (5,)
    both = by_layer["sum"]
    assert both["image"] is not None
    assert both["image"].size == both["image"].clipped_size == (32, 32)
    assert both["sound"] is not None
    assert both["sound"].size == (100,)
    assert all_spreads(graph)["ci"]["sound"] is None


def test_axes_of_one_extent_that_are_read_in_different_ways() -> None:
    graph = network(
        ("x", "InputLayer", {"shape": (4, 4, 1)}, []),
        ("y", "InputLayer", {"shape": (4, 4, 2)}, []),
        ("rows", "Conv2D", {"filters": 2, "kernel_size": (1, 4)}, ["x"]),
        ("mean", "ops.mean", {"axis": 1, "keepdims": True}, ["rows"]),
        ("sum", "Add", {}, ["mean", "y"]),
    )
    both = all_fields(graph)["sum"]["x"]
    assert both is not None
    assert (both.size, both.local_size) == ((4, 4), (None, 4))  # the mean reads its whole axis


def test_axes_of_one_extent_of_which_one_has_fewer_positions() -> None:
    enlarged = ("UpSampling2D", {}), ("Conv2D", {"filters": 1, "kernel_size": 2})
    cut = last(chain((3, 3, 1), *enlarged, ("Cropping2D", {"cropping": ((0, 4), (0, 0))})))
    assert (cut.size, cut.min_size) == ((1, 2), (1, 1))  # the first position sees one unit twice


def test_axes_are_those_of_the_data_format() -> None:
    first = chain((3, 20, 30), conv(kernel_size=(3, 5), data_format="channels_first"))
    assert last(first).size == last(first).clipped_size == (3, 5)
    words = chain((12,), ("Embedding", {"input_dim": 9, "output_dim": 4}), conv(1))
    assert last(words).size == (3,)
    table = chain((12,), ("Dense", {"units": 3}))
    assert last(table).size == ()


def test_a_concatenation_of_channels_sees_all_of_its_inputs() -> None:
    graph = network(
        ("x", "InputLayer", {"shape": (16, 16, 3)}, []),
        ("a", *conv(padding="same"), ["x"]),
        ("b", *conv(kernel_size=5, padding="same"), ["x"]),
        ("both", "Concatenate", {}, ["a", "b"]),
    )
    assert last(graph).size == last(graph).min_size == last(graph).clipped_size == (5, 5)


def test_upsampling_gives_phases_and_fractional_strides() -> None:
    graph = chain((16, 16, 3), ("UpSampling2D", {"size": 2}), conv(padding="same"))
    field = last(graph)
    assert (field.size, field.min_size, field.stride) == ((2, 2), (2, 2), ("1/2", "1/2"))
    assert field.offset == (-1, -1)
    wider = last(chain((16, 3), ("UpSampling1D", {"size": 4}), conv(1, padding="same")))
    assert (wider.size, wider.min_size, wider.stride) == ((2,), (1,), ("1/4",))


def test_transposed_convolutions_with_kernel_below_stride_leave_units_that_see_nothing() -> None:
    graph = chain((8, 3), ("Conv1DTranspose", {"filters": 2, "kernel_size": 2, "strides": 3}))
    field = last(graph)
    assert (field.size, field.min_size) == ((1,), (0,))


def test_flattened_units_see_what_one_unit_sees_and_a_dense_layer_after_them_sees_all() -> None:
    graph = chain((16, 16, 3), conv(), ("Flatten", {}), ("Dropout", {"rate": 0.5}), ("Dense", {"units": 2}))
    by_layer = all_fields(graph, "all")
    flat, dense = by_layer["l2"]["x"], by_layer["l3"]["x"]
    assert flat is not None
    assert (flat.size, flat.offset, flat.clipped_size) == (
        (3, 3),
        (None, None),
        (None, None),
    )
    assert dense is not None
    assert dense.size == dense.clipped_size == (16, 16)
    assert dense.is_global == (True, True)
    assert dense.local_size == (None, None)


def test_causal_and_sequence_reads() -> None:
    causal = last(chain((50, 3), conv(1, padding="causal", dilation_rate=4)))
    assert (causal.size, causal.offset) == ((9,), (-8,))


def test_fields_after_an_unknown_window_are_unknown() -> None:
    graph = chain((16, 16, 3), ("Opaque", {"stated_shape": (16, 16, 3)}), conv())
    for row in list(all_fields(graph).values())[1:]:
        (field,) = row.values()
        assert field is not None
        assert all(isinstance(s, Unknown) for s in field.size)
        assert "window" in field.size[0].reason
    assert all(isinstance(s, Unknown) for s in spread(graph).sigma)


def test_spread_is_unknown_where_values_decide() -> None:
    graph = network(
        ("x", "InputLayer", {"shape": (16, 16, 3)}, []),
        ("a", *conv(padding="same", filters=3), ["x"]),
        ("product", "Multiply", {}, ["x", "a"]),
    )
    (sigma, _) = spread(graph).sigma
    assert isinstance(sigma, Unknown)
    assert "Multiply" in sigma.reason
    normal = chain((16, 16, 3), ("LayerNormalization", {"axis": [1, 2, 3]}))
    assert isinstance(spread(normal).sigma[0], Unknown)


def test_spread_of_mixtures_by_hand() -> None:
    graph = network(
        ("x", "InputLayer", {"shape": (16, 1)}, []),
        ("a", *conv(1, padding="same", filters=1), ["x"]),
        ("b", *conv(1, padding="same", filters=2), ["x"]),
        ("sum", "Add", {}, ["x", "a"]),
        ("join", "Concatenate", {}, ["sum", "b"]),
        ("mean", "Average", {}, ["x", "a"]),
        ("pool", "GlobalAveragePooling1D", {}, ["join"]),
    )
    by_layer = {name: row["x"].variance[0] for name, row in all_spreads(graph).items() if row["x"]}
    assert isclose(by_layer["sum"], 1 / 3)  # half of 0, half of 2/3
    # the sum weighs 2 in one channel of three, b weighs 1 in two of three
    assert isclose(by_layer["join"], (2 * (1 / 3) + 2 * (2 / 3)) / 4)
    assert isclose(by_layer["mean"], 1 / 3)
    assert isclose(by_layer["pool"], by_layer["join"] + (16**2 - 1) / 12)


def test_clipped_takes_a_keyword_or_node_numbers() -> None:
    graph = chain((16, 3), conv(1), conv(1))
    with pytest.raises(ArchcalcError, match="'outputs', 'all', 'none'"):
        fields(graph, infer(graph), "output")
    (_, one, two) = fields(graph, infer(graph), [1])
    assert one["x"] is not None
    assert one["x"].clipped_size == (3,)
    assert two["x"] is not None
    assert two["x"].clipped_size is None


def test_dilated_taps_in_the_padding_do_not_count() -> None:
    graph = chain((3, 1), conv(1, padding="same", dilation_rate=2))
    field = last(graph)
    assert (field.size, field.clipped_size) == ((5,), (1,))


def test_sixty_strided_convolutions_over_a_symbolic_axis() -> None:
    for kernel in (2, 3):
        arguments = {"kernel_size": kernel, "strides": 2, "padding": "same"}
        field = last(chain((H, H, 3), *[conv(**arguments)] * 60))
        assert field.size[0] == 1 + (kernel - 1) * (2**60 - 1)
        assert field.stride[0] == 2**60


def test_excessive_strides_are_unknown_and_no_error() -> None:
    graph = chain((1, 1), *[conv(1, strides=1000, padding="same")] * 500)
    assert isinstance(last(graph).size[0], Unknown)
    assert isinstance(spread(graph).sigma[0], Unknown)


def test_arrays_evaluate_element_by_element() -> None:
    def net(side: Any, kernel: Any, stride: Any, width: Any) -> Graph:
        return network(
            ("x", "InputLayer", {"shape": (side, side, 3)}, []),
            ("a", *conv(filters=width, kernel_size=kernel, strides=stride, padding="same"), ["x"]),
            ("b", *conv(filters=width, padding="same"), ["a"]),
            ("sum", "Add", {}, ["a", "b"]),
            ("pool", "MaxPooling2D", {}, ["sum"]),
            ("up", "UpSampling2D", {}, ["pool"]),
            ("skip", "Concatenate", {}, ["up", "sum"]),
            ("c", *conv(padding="same"), ["skip"]),
            ("mean", "GlobalAveragePooling2D", {}, ["c"]),
        )

    columns = ([32, 64, 48], [3, 5, 7], [1, 2, 2], [4, 8, 16])
    together = all_fields(net(*map(array, columns)))
    for i, row in enumerate(zip(*columns, strict=True)):
        for name, alone in all_fields(net(*row)).items():
            field, plain = together[name]["x"], alone["x"]
            assert field is not None
            assert plain is not None
            for figure in ("size", "min_size", "stride", "offset", "is_global", "local_size"):
                value = getattr(field, figure)[0]
                value = value[i] if arith.is_array(value) else value
                assert value == getattr(plain, figure)[0], (name, figure)


def test_patches_reshaped_into_a_sequence() -> None:
    rows = [conv(), ("Reshape", {"target_shape": (36, 4)}), ("Dense", {"units": 5})]
    patch = last(chain((8, 8, 3), *rows))
    assert (patch.size, patch.stride, patch.is_global) == ((3, 3), (None, None), (False, False))
    pooled = last(chain((8, 8, 3), *rows, ("GlobalAveragePooling1D", {})))
    assert (pooled.size, pooled.is_global) == ((8, 8), (True, True))
    slid = last(chain((8, 8, 3), *rows, conv(1)))
    assert isinstance(slid.size[0], Unknown)
    assert "flattened" in slid.size[0].reason


def test_a_branch_that_sees_nothing_merged_with_one_along_another_axis() -> None:
    seldom = Phases(0, 1, ((), ((0, 1.0),)))  # only every second unit reads anything; this axis has one unit
    nodes: list[Any] = [
        ("x", LAYERS["InputLayer"](shape=(5, 5, 1)), []),
        ("none", Toy(out=(1, 4, 1), reads=((seldom, Fixed(0), Whole()),)), ["x"]),
        ("some", Toy(out=(1, 4, 1), reads=((Taps(1, 1, 0, 2), Fixed(0), Whole()),)), ["x"]),
        ("both", Toy(out=(1, 4, 1), reads=((Taps(0), Taps(1), Whole()),) * 2), ["none", "some"]),
    ]
    graph = Graph.of("toy", nodes, ["both"])
    assert last(graph).size == (2, 1)
