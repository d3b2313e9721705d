"""Texts, voices and tables: what their classes depend on, and the permutation test."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from experiments import modalities
from experiments.common.data import tables, texts, voices
from experiments.common.data.draw import Draw
from experiments.common.modality_baselines import bag

SMOKE = modalities.PROFILES["smoke"]
EXPERIMENT = modalities.Modalities()


def who_acts(sentence: str) -> int:
    """By reading: who stands before the verb, unless passive, unless all of it is false."""
    words = sentence.split()
    people = [word in texts.ANIMALS for word in words if word in (*texts.ANIMALS, *texts.PERSONS)]
    acts = people[1] if "by" in words else people[0]
    return int(acts != ("false" in words))


def test_labels_are_what_the_sentences_say() -> None:
    for number in range(300):
        sentence, label = texts.sentence(Draw(texts.SEED, number))
        assert label == who_acts(sentence)


def test_words_without_their_order_leave_both_classes_open() -> None:
    """The same bag of words with the two nouns exchanged has the other class."""
    bags = defaultdict(Counter)
    for number in range(400):
        sentence, label = texts.sentence(Draw(texts.SEED, number))
        kinds = [
            "animal" if w in texts.ANIMALS else "person" if w in texts.PERSONS else w
            for w in sentence.split()
            if w in (*texts.ANIMALS, *texts.PERSONS, "was", "false")
        ]
        bags[tuple(sorted(kinds))][label] += 1
    for counted in bags.values():
        if counted.total() > 30:
            assert 0.3 < counted[1] / counted.total() < 0.7


def test_word_numbers() -> None:
    words = texts.vocabulary_of(["b a b", "c b"], most=4)
    assert words == {"b": 2, "a": 3}
    np.testing.assert_array_equal(texts.numbered(["a b zzz"], words, 4), [[0, 3, 2, 1]])
    np.testing.assert_array_equal(texts.numbered(["a a a b b"], words, 3), [[3, 2, 2]])
    np.testing.assert_array_equal(bag(np.array([[0, 0, 3, 2]]), 5), [[0, 0, 1, 1, 0]])


@pytest.mark.parametrize("name", voices.CLASSES)
def test_shipped_voices(name: str) -> None:
    data = voices.load(name, modalities.COUNTS[name])
    assert data.train.images.shape[1:] == (48, 32)
    assert {*data.train.targets} == {*data.test.targets} == set(range(8))
    clips = [{clip.tobytes() for clip in split.images} for split in data.splits.values()]
    assert not (clips[0] & clips[1] | clips[0] & clips[2] | clips[1] & clips[2])


def test_shipped_sentences_stand_in_one_part_and_class() -> None:
    lines = [
        line
        for name in texts.LIBRARIES
        for line in (texts.SHIPPED / f"{name}.txt").read_text(encoding="ascii").splitlines()
    ]
    assert len(lines) == 2_400
    assert sum(count - 1 for count in Counter(lines).values()) < 20
    assert sum(modalities.COUNTS["sentences"]) == 2_400


def test_customers_leave_for_the_reasons_that_are_written_down() -> None:
    columns, left = tables.process(4_000)
    table = dict(zip(tables.COLUMNS, columns.T, strict=True))
    late = table["days since purchase"] * table["purchases a year"] / 365
    for cause, more in ((late, 1), (table["complaints"], 1), (table["products"], -1), (table["age"], 0)):
        with_it = np.corrcoef(cause, left)[0, 1]
        assert with_it * more > 0.08 if more else abs(with_it) < 0.05


def test_a_permutation_is_the_same_for_all_examples_and_another_one_for_each_seed() -> None:
    data = EXPERIMENT.load(SMOKE, None)
    conditions = {c.name: c for c in EXPERIMENT.conditions(SMOKE, data)}
    plain, shuffled = conditions["words cnn"], conditions["words cnn bands shuffled"]
    for split in ("train", "test"):
        before, _ = EXPERIMENT.examples(SMOKE, plain, data, split, 0)
        after, _ = EXPERIMENT.examples(SMOKE, shuffled, data, split, 0)
        other, _ = EXPERIMENT.examples(SMOKE, shuffled, data, split, 1)
        order = np.random.default_rng([0, 2]).permutation(32)
        np.testing.assert_array_equal(after, before[:, :, order])
        assert (after != other).any()
