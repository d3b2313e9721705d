"""Mistakes in recurrent layers, in attention, and in layers around other layers."""

from __future__ import annotations

from tests.mutations.mutants import Mutant

RECURRENT = "archcalc/layers/recurrent.py"
ATTENTION = "archcalc/layers/attention.py"
WRAPPERS = "archcalc/layers/wrappers.py"
INNER = "archcalc/layers/inner.py"

_PREFIX = "return Prefix(0, backwards=self.go_backwards, mirrored=self.go_backwards)"

SEQUENCES = [
    # recurrent layers
    Mutant("one gate for all", RECURRENT, "wide = self.gates * self.units", "wide = self.units"),
    Mutant("no weights for the state", RECURRENT, "(self.units, wide)", "(0, wide)"),
    Mutant(
        "one bias where reset_after has two",
        RECURRENT,
        "(2, 3 * self.units) if self.reset_after",
        "(3 * self.units,) if self.reset_after",
    ),
    Mutant("an LSTM without its cell state", RECURRENT, "    states = 2\n", "    states = 1\n"),
    Mutant("four gates of a GRU", RECURRENT, "    gates = 3\n", "    gates = 4\n"),
    Mutant(
        "return_sequences ignored",
        RECURRENT,
        "(inputs[0][0], *output) if self.return_sequences else output",
        "output",
    ),
    Mutant(
        "return_state ignored",
        RECURRENT,
        "(out, *self._cell.state_shapes(inputs[0][1:])) if self.return_state else (out,)",
        "(out,)",
    ),
    Mutant(
        "work of one step",
        RECURRENT,
        "inputs[0][0] * self._cell.step_macs(inputs[0][1:])",
        "self._cell.step_macs(inputs[0][1:])",
    ),
    Mutant(
        "products with the state forgotten",
        RECURRENT,
        "(prod(step) + self.units) * self.gates",
        "prod(step) * self.gates",
    ),
    Mutant("each step reads its own only", RECURRENT, _PREFIX, "return identity_read(0)"),
    Mutant("each step reads all steps", RECURRENT, _PREFIX, "return WHOLE"),
    Mutant("go_backwards ignored", RECURRENT, _PREFIX, "return Prefix(0)"),
    Mutant(
        "the last output reads its own step only",
        RECURRENT,
        "            return WHOLE\n",
        "            return Prefix(0)\n",
    ),
    Mutant(
        "stacked cells all read the sequence",
        RECURRENT,
        "            step = cell.layer.step_shape(step)\n",
        "",
    ),
    Mutant(
        "a frozen cell trained",
        INNER,
        "trainable=w.trainable and self.layer.trainable",
        "trainable=w.trainable",
    ),
    # wrappers
    Mutant(
        "one direction counted",
        WRAPPERS,
        "for inner in self.inside for w in",
        "for inner in self.inside[:1] for w in",
    ),
    Mutant(
        "work of one direction",
        WRAPPERS,
        "total(inner.layer.macs(inputs[0]) for inner in self.inside)",
        "self.forward.macs(inputs[0])",
    ),
    Mutant("concatenated directions as one", WRAPPERS, "(*y[:-1], y[-1] + z[-1])", "y"),
    Mutant("summed directions side by side", WRAPPERS, 'if self.merge_mode == "concat":', "if True:"),
    Mutant(
        "both directions read the past",
        WRAPPERS,
        "UnknownRead(_SEVERAL) if two_sequences else WHOLE, *rest",
        "self.forward.along(), *rest",
    ),
    Mutant(
        "work of one of the steps",
        WRAPPERS,
        "return inputs[0][0] * macs",
        "return macs",
    ),
    Mutant(
        "every step sees all steps",
        WRAPPERS,
        "((identity_read(0), *with_leading_axes(",
        "((WHOLE, *with_leading_axes(",
    ),
    Mutant(
        "the layer inside sees the steps as an axis",
        WRAPPERS,
        "with_leading_axes(of_step, 1,",
        "with_leading_axes(of_step, 0,",
    ),
    # attention
    Mutant(
        "bias of projections forgotten",
        ATTENTION,
        "adapted(self._adapter(name)[0], kernel, *bias)",
        "adapted(self._adapter(name)[0], kernel)",
    ),
    Mutant(
        "no projection of the result",
        ATTENTION,
        'return (*weights, *self._projection("attention_output", (query[0], value[1]), out))',
        "return tuple(weights)",
    ),
    Mutant(
        "value_dim ignored",
        ATTENTION,
        "self.key_dim if self.value_dim is None else self.value_dim",
        "self.key_dim",
    ),
    Mutant(
        "keys projected from the query",
        ATTENTION,
        '("key", shapes.key[-1:], key)',
        '("key", shapes.query[-1:], key)',
    ),
    Mutant(
        "the value in place of the key", ATTENTION, "(*inputs, inputs[1])[:3]", "(*inputs[:2], inputs[1])"
    ),
    Mutant(
        "as many keys as queries",
        ATTENTION,
        "shared = (self.num_key_value_heads, self.head_dim)",
        "shared = (self.num_query_heads, self.head_dim)",
    ),
    Mutant("causal mask ignored", ATTENTION, "Prefix(axis) if self.use_causal_mask else Whole()", "Whole()"),
    Mutant(
        "attention to the same position only",
        ATTENTION,
        "*(self.along(a) if a in attended else identity_read(a) for a in range(free)),",
        "*map(identity_read, range(free)),",
    ),
    Mutant(
        "scores without the values",
        ATTENTION,
        "self.pairs(shapes) * query[0] * (query[1] + value[1])",
        "self.pairs(shapes) * query[0] * query[1]",
    ),
    Mutant(
        "scores linear in the sequence",
        ATTENTION,
        "return prod(shapes.query[:-1]) * prod(shapes.value[a] for a in attended)",
        "return prod(shapes.query[:-1])",
    ),
    Mutant(
        "scores of one head",
        ATTENTION,
        "return (self.num_query_heads, shapes.query[0], shapes.key[0])",
        "return (shapes.query[0], shapes.key[0])",
    ),
]
