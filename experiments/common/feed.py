"""Images and targets as a tf.data pipeline: ordered, batched, prepared, prefetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Feed:
    """What `fit` gets where arrays will not do: bytes stay bytes until their batch is due.

    `prepare` maps a batch of images (N, H, W, C), uint8, to the tensors that the model takes.
    """

    images: NDArray[np.uint8]
    targets: NDArray[Any]
    prepare: Callable[[Any], Any]

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, batch_size: int, order: NDArray[np.integer[Any]] | None = None) -> tf.data.Dataset:
        """Batches of (inputs, targets), in `order` (all of them as they stand where None).

        The order is given and not drawn by tf.data, whose shuffle cannot be taken up again where a
        killed run left it.
        """
        import tensorflow as tf

        chosen = np.arange(len(self)) if order is None else order
        return (
            tf.data.Dataset.from_tensor_slices((self.images[chosen], self.targets[chosen]))
            .batch(batch_size)
            .map(lambda images, targets: (self.prepare(images), targets))
            .prefetch(2)
        )


Arrays = tuple[NDArray[Any], NDArray[Any]]  # inputs, targets
Examples = Arrays | Feed


def count(examples: Examples) -> int:
    return len(examples) if isinstance(examples, Feed) else len(examples[0])


def ordered(examples: Examples, batch_size: int, order: NDArray[np.integer[Any]]) -> dict[str, Any]:
    """Arguments of `fit` for one epoch in that order."""
    if isinstance(examples, Feed):
        return {"x": examples.batches(batch_size, order), "shuffle": False}
    inputs, targets = examples
    return {"x": inputs[order], "y": targets[order], "batch_size": batch_size, "shuffle": False}


def held_out(examples: Examples, batch_size: int) -> dict[str, Any]:
    """Arguments of `fit` for validation."""
    if isinstance(examples, Feed):
        return {"validation_data": examples.batches(batch_size)}
    return {"validation_data": examples, "validation_batch_size": batch_size}


def batches_of_inputs(examples: Examples, batch_size: int) -> Iterator[Any]:
    """The inputs alone, batch by batch."""
    if isinstance(examples, Feed):
        yield from (batch for batch, _ in examples.batches(batch_size))
        return
    for start in range(0, len(examples[0]), batch_size):
        yield examples[0][start : start + batch_size]
