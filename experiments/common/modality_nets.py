"""The networks of `modalities`: texts as word numbers, voices as spectrograms, rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from experiments.common.data.splits import Data

if TYPE_CHECKING:
    import keras

CNN, LSTM, GRU, TRANSFORMER, MLP = "cnn", "lstm", "gru", "transformer", "mlp"
TEXTS, VOICES, TABLES = ("grammar", "sentences"), ("words", "speakers"), ("customers", "tumours")
NETWORKS: dict[str, tuple[str, ...]] = {}
NETWORKS |= dict.fromkeys(TEXTS, (CNN, LSTM, GRU, TRANSFORMER))
NETWORKS |= dict.fromkeys(VOICES, (CNN, GRU))
NETWORKS |= dict.fromkeys(TABLES, (CNN, MLP))
# axes of one example over which the CNN shares its weights
SHARED: Mapping[str, Mapping[str, int]] = {
    **{name: {"words": 0} for name in TEXTS},
    **{name: {"time": 0, "bands": 1} for name in VOICES},
    **{name: {"columns": 0} for name in TABLES},
}


def build(
    modality: str, network: str, data: Data, width: int, learning_rate: float, eager: bool
) -> keras.Model:
    """The compiled network for a data set."""
    import keras
    from keras import layers

    shape, classes = data.train.images.shape[1:], len(data.classes)
    text = modality in TEXTS
    inputs = keras.Input(shape, name="input", dtype="int32" if text else "float32")
    x = _read(modality, inputs, data, width)
    if modality in VOICES and network == CNN:
        x = _spectrogram_cnn(x, width)
    elif modality in TABLES:
        x = _row_cnn(x, width) if network == CNN else _mlp(x, width)
    else:
        x = _SEQUENCES[network](x, width)
    outputs = layers.Dense(classes, activation="softmax", name="classes")(x)
    model = keras.Model(inputs, outputs, name=f"{modality}_{network}")
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        run_eagerly=eager,
    )
    return model


def _read(modality: str, inputs: Any, data: Data, width: int) -> Any:
    from keras import layers

    if modality in TEXTS:
        return layers.Embedding(data.provenance["words"] + 2, width, name="embedding")(inputs)
    return layers.Rescaling(1 / 127.5, -1, name="rescale")(inputs) if modality in VOICES else inputs


def _sequence_cnn(x: Any, width: int) -> Any:
    from keras import layers

    for number in (1, 2):
        x = layers.Conv1D(2 * width, 3, padding="same", activation="relu", name=f"conv{number}")(x)
    return layers.GlobalMaxPooling1D(name="largest")(x)


def _lstm(x: Any, width: int) -> Any:
    from keras import layers

    return layers.LSTM(2 * width, name="lstm")(x)


def _gru(x: Any, width: int) -> Any:
    from keras import layers

    return layers.GRU(2 * width, name="gru")(x)


def _transformer(x: Any, width: int) -> Any:
    """One block of an encoder (Vaswani et al. 2017), after a learned number for each position and feature.

    A LayerNormalization over positions and features has these numbers as its gamma and beta; Keras has no
    layer for positions alone.
    """
    from keras import initializers, layers

    start = initializers.RandomNormal(stddev=0.5)
    x = layers.LayerNormalization(axis=(1, 2), beta_initializer=start, name="positions")(x)
    attended = layers.MultiHeadAttention(2, width // 2, name="attention")(x, x)
    x = layers.LayerNormalization(name="norm1")(layers.Add(name="add1")([x, attended]))
    hidden = layers.Dense(4 * width, activation="relu", name="hidden")(x)
    hidden = layers.Dense(width, name="back")(hidden)
    x = layers.LayerNormalization(name="norm2")(layers.Add(name="add2")([x, hidden]))
    return layers.GlobalAveragePooling1D(name="mean")(x)


_SEQUENCES: Mapping[str, Callable[[Any, int], Any]] = {
    CNN: _sequence_cnn,
    LSTM: _lstm,
    GRU: _gru,
    TRANSFORMER: _transformer,
}


def _spectrogram_cnn(x: Any, width: int) -> Any:
    """A picture of time and frequency; the mean over both at the end."""
    from keras import layers

    x = layers.Reshape((*x.shape[1:], 1), name="channel")(x)
    for number in range(3):
        filters = width * 2**number // 2
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number + 1}")(x)
        if number < 2:
            x = layers.MaxPooling2D(name=f"pool{number + 1}")(x)
    return layers.GlobalAveragePooling2D(name="mean")(x)


def _row_cnn(x: Any, width: int) -> Any:
    """Neighbouring columns as if they were neighbouring moments."""
    from keras import layers

    x = layers.Reshape((x.shape[1], 1), name="channel")(x)
    for number in (1, 2):
        x = layers.Conv1D(width, 3, padding="same", activation="relu", name=f"conv{number}")(x)
    return layers.Flatten(name="flatten")(x)


def _mlp(x: Any, width: int) -> Any:
    from keras import layers

    for number in (1, 2):
        x = layers.Dense(2 * width, activation="relu", name=f"hidden{number}")(x)
    return x
