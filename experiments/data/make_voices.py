"""Make `voices/`: spoken words and sentences as mel spectrograms, by the speech synthesiser espeak-ng.

    python -m pip install espeakng-loader      # not a dependency: what it says ships
    python -m experiments.data.make_voices

`words.npz`: eight commands, each said by 26 voices at several speeds and pitches; voices of validation and
test are not those of training. `speakers.npz`: eight voices at overlapping pitches and speeds read
sentences; no sentence is in two parts. A clip is 32 mel bands (80 to 7,600 Hz) by 48 frames (0.77 s), in
bytes (0 to 255 are 60 dB), with noise, and the word begins anywhere.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent / "voices"
RATE, WINDOW, HOP, BANDS, FRAMES = 22_050, 512, 353, 32, 48
WORDS = ("yes", "no", "up", "down", "left", "right", "stop", "go")
VOICES = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt2"),
    *("Alex", "Andy", "Annie", "Denis", "Gene", "Hugo", "Lee", "Michael", "Mike", "steph", "linda"),
)
PARTS = {"train": slice(0, 16), "validation": slice(16, 20), "test": slice(20, 26)}
SPEAKERS = ("m1", "m3", "m7", "f2", "f4", "Alex", "Gene", "linda")
SUBJECTS = (
    "the old sailor",
    "my neighbour",
    "a young doctor",
    "the tall gardener",
    "our teacher",
    "the baker",
)
VERBS = ("found", "painted", "carried", "forgot", "wanted", "bought")
OBJECTS = ("a yellow boat", "seven bottles", "the broken clock", "two heavy books", "a loaf of bread")
PER_SPEAKER = {"train": 75, "validation": 20, "test": 35}

Audio = NDArray[np.float64]
_KEPT: list[Any] = []  # a function that C calls must outlive the call


def synthesiser() -> Callable[[str, str, int, int], Audio]:
    """A function of text, voice, words a minute and pitch."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Initialize(2, 0, str(espeakng_loader.get_data_path()).encode(), 0)  # 2: synchronous
    pieces: list[NDArray[np.int16]] = []

    def receive(samples: Any, count: int, _: Any) -> int:
        if samples and count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    callback = kind(receive)
    library.espeak_SetSynthCallback(callback)

    def say(text: str, voice: str, speed: int, pitch: int) -> Audio:
        pieces.clear()
        if library.espeak_SetVoiceByName(f"en+{voice}".encode()):
            raise SystemExit(f"{voice}: no such voice")
        library.espeak_SetParameter(1, speed, 0)
        library.espeak_SetParameter(3, pitch, 0)
        raw = text.encode()
        library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, 1, None, None)
        library.espeak_Synchronize()
        return np.concatenate(pieces) / 32768.0

    _KEPT.append(callback)
    return say


def mel_bank() -> Audio:
    """Triangles over the bins of the spectrum, (bands, bins)."""
    low, high = (float(2595 * np.log10(1 + hertz / 700)) for hertz in (80.0, 7600.0))
    mels = np.linspace(low, high, BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rise, fall = (bins - left) / (middle - left), (right - bins) / (right - middle)
    bank: Audio = np.clip(np.minimum(rise, fall), 0, None)
    return bank


def clip(audio: Audio, random: np.random.Generator) -> NDArray[np.uint8]:
    """A spectrogram (frames, bands) of the sound somewhere in the clip, with noise."""
    length = WINDOW + HOP * (FRAMES - 1)
    audible = np.flatnonzero(np.abs(audio) > 0.02)
    audio = audio[audible[0] : audible[-1] + 1]
    if len(audio) > length:
        start = random.integers(0, len(audio) - length + 1)
        audio = audio[start : start + length]
    place = random.integers(0, length - len(audio) + 1)
    sound = np.zeros(length)
    sound[place : place + len(audio)] = audio / np.sqrt(np.mean(audio**2)) * 0.1
    sound += random.normal(0.0, random.uniform(0.005, 0.03), length)
    starts = HOP * np.arange(FRAMES)[:, None] + np.arange(WINDOW)
    power = np.abs(np.fft.rfft(sound[starts] * np.hanning(WINDOW))) ** 2 @ mel_bank().T
    level = 10 * np.log10(power + 1e-10)
    return np.clip((level + 25) / 60 * 255, 0, 255).astype(np.uint8)


def words(say: Callable[..., Audio]) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(1)
    made: dict[str, NDArray[Any]] = {}
    for part, chosen in PARTS.items():
        clips, labels = [], []
        for voice in VOICES[chosen]:
            for number, word in enumerate(WORDS):
                for _ in range(6):
                    speed, pitch = int(random.integers(140, 240)), int(random.integers(20, 80))
                    clips.append(clip(say(word, voice, speed, pitch), random))
                    labels.append(number)
        made |= shuffled(part, clips, labels, random)
    return made


def speakers(say: Callable[..., Audio]) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(2)
    made: dict[str, NDArray[Any]] = {}
    sentences = [f"{s} {v} {o}" for s in SUBJECTS for v in VERBS for o in OBJECTS]
    order = [sentences[i] for i in random.permutation(len(sentences))]
    texts = {"train": order[:100], "validation": order[100:130], "test": order[130:]}
    for part, count in PER_SPEAKER.items():
        clips, labels = [], []
        for number, voice in enumerate(SPEAKERS):
            for _ in range(count):
                text = texts[part][int(random.integers(len(texts[part])))]
                speed, pitch = int(random.integers(140, 220)), int(random.integers(20, 80))
                clips.append(clip(say(text, voice, speed, pitch), random))
                labels.append(number)
        made |= shuffled(part, clips, labels, random)
    return made


def shuffled(part: str, clips: list[Any], labels: list[int], random: Any) -> dict[str, NDArray[Any]]:
    order = random.permutation(len(labels))
    return {f"{part}_clips": np.stack(clips)[order], f"{part}_labels": np.array(labels, np.int64)[order]}


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    say = synthesiser()
    for name, made in (("words", words(say)), ("speakers", speakers(say))):
        np.savez_compressed(HERE / f"{name}.npz", allow_pickle=False, **made)
