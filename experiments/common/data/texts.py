"""Texts as word numbers: sentences whose words tell nothing without their order, and sentences by subject.

**grammar** is generated: "yesterday the old dog chased the girl", "it is false that the girl was chased by
the dog". The class is whether the animal acted on the person or the person on the animal; active and
passive, both orders and negation are drawn apart, so that the words alone, without order, leave both
classes equally likely. **sentences** are from the docstrings of four libraries; the class is the library.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.common.data.draw import Draw
from experiments.common.data.splits import Data, Split

SHIPPED = Path(__file__).parents[2] / "data" / "sentences"
LIBRARIES = ("numpy", "sklearn", "skimage", "networkx")
PADDING, UNKNOWN = 0, 1
LENGTH = {"grammar": 16, "sentences": 24}
MOST_WORDS = 1_500  # of the vocabulary
SEED = 160_001

PERSONS = ("man", "woman", "boy", "girl", "farmer")
ANIMALS = ("dog", "cat", "horse", "goat", "fox")
VERBS = ("chased", "pushed", "followed", "scared", "helped", "watched")
QUALITIES = ("old", "young", "small", "brown", "tired", "angry")
TIMES = ("yesterday", "today", "last night", "on monday", "in the morning")


def sentence(draw: Draw) -> tuple[str, int]:
    """A sentence and its class: 1 where the animal acted."""

    def pick(words: Sequence[str]) -> str:
        return words[draw.integer(0, len(words) - 1)]

    def noun(kind: Sequence[str]) -> str:
        quality = f"{pick(QUALITIES)} " if draw.chance(0.4) else ""
        return f"the {quality}{pick(kind)}"

    animal_first, passive, negated = draw.chance(0.5), draw.chance(0.5), draw.chance(0.2)
    first, second = (ANIMALS, PERSONS) if animal_first else (PERSONS, ANIMALS)
    verb = pick(VERBS)
    words = f"{noun(first)} {f'was {verb} by' if passive else verb} {noun(second)}"
    words = f"it is false that {words}" if negated else words
    when = pick(TIMES)
    place = draw.integer(0, 2)
    words = f"{when} {words}" if place == 0 else f"{words} {when}" if place == 1 else words
    return words, int(animal_first ^ passive ^ negated)


def numbered(texts: Sequence[str], vocabulary: dict[str, int], length: int) -> NDArray[np.int32]:
    """Word numbers (N, length), the end at the end."""
    table = np.full((len(texts), length), PADDING, np.int32)
    for row, text in enumerate(texts):
        numbers = [vocabulary.get(word, UNKNOWN) for word in text.split()][-length:]
        table[row, length - len(numbers) :] = numbers
    return table


def vocabulary_of(texts: Sequence[str], most: int = MOST_WORDS) -> dict[str, int]:
    """Numbers from 2 for the commonest words."""
    counted = Counter(word for text in texts for word in text.split())
    ranked = sorted(counted, key=lambda word: (-counted[word], word))[: most - 2]
    return {word: place + 2 for place, word in enumerate(ranked)}


def _data(
    name: str,
    classes: tuple[str, ...],
    texts: Sequence[str],
    labels: NDArray[np.int64],
    counts: Sequence[int],
) -> Data:
    """In order: training, validation, test; the vocabulary is that of training."""
    edges = np.cumsum([0, *counts])
    words = vocabulary_of(texts[: counts[0]])
    table = numbered(texts, words, LENGTH[name])
    train, validation, test = (Split(table[a:b], labels[a:b]) for a, b in itertools.pairwise(edges))
    return Data(name, classes, train, validation, test, provenance={"words": len(words)})


def grammar(counts: Sequence[int]) -> Data:
    """Generated; every sentence from its own seed."""
    made = [sentence(Draw(SEED, number)) for number in range(sum(counts))]
    labels = np.array([label for _, label in made], np.int64)
    return _data("grammar", ("person acts", "animal acts"), [text for text, _ in made], labels, counts)


def sentences(counts: Sequence[int]) -> Data:
    """From docstrings; at most 600 of each library."""
    listed = [
        (text, number)
        for number, name in enumerate(LIBRARIES)
        for text in (SHIPPED / f"{name}.txt").read_text(encoding="ascii").splitlines()
    ]
    order = np.random.default_rng(SEED).permutation(len(listed))
    texts, labels = [listed[n][0] for n in order], np.array([listed[n][1] for n in order], np.int64)
    return _data("sentences", LIBRARIES, texts, labels, counts)
