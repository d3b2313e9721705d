"""Spectrograms of signals, computed by convolutions."""

from __future__ import annotations

from typing import Annotated, ClassVar

from archcalc.arith import Shape, Size, prod
from archcalc.errors import LayerError
from archcalc.layers.activations import INFINITY
from archcalc.layers.base import Weight, Window, layer, one_input, require_rank
from archcalc.layers.fields import ChoiceKind, Flag, PlainCountKind, Untracked
from archcalc.layers.primitives import Branches, Convolve, Merge, Pointwise, Primitives, Scale, SlidingWindow
from archcalc.layers.spatial import Spatial, pad_before, window_count
from archcalc.layers.window import Blocks, Read, Taps, identity_read

_LEAST = 1e-7**0.5  # the root of Keras's epsilon, a lower bound of the sum of squares

PlainCount = Annotated[int, PlainCountKind()]
OptionalPlainCount = Annotated[int | None, PlainCountKind(optional=True)]


@layer
class STFTSpectrogram(Spatial):
    """Short-time Fourier transform by two trained convolutions, whose kernels start as sines and cosines.

    Each channel is transformed by itself; the frequencies become channels, or an axis
    (`expand_dims`). Source: Keras's `STFTSpectrogram`.
    """

    rank = 1
    # operations after the convolutions, per frequency and frame
    _OPS: ClassVar[dict[str, int]] = {
        "log": 7, "magnitude": 5, "psd": 4, "angle": 1, "real": 0, "imag": 0, "stft": 0
    }  # fmt: skip

    mode: Annotated[str, ChoiceKind("log", "magnitude", "psd", "real", "imag", "angle", "stft")] = "log"
    frame_length: PlainCount = 256
    frame_step: OptionalPlainCount = None
    fft_length: OptionalPlainCount = None
    window_function: Untracked = "hann"
    periodic: Untracked = False
    scaling: Untracked = "density"
    padding: Annotated[str, ChoiceKind("valid", "same")] = "valid"
    expand_dims: Flag = False

    spec_names = {"window": "window_function"}

    def check(self) -> None:
        if self.frame_step is not None and self.frame_step > self.frame_length:
            raise LayerError(f"frame_step={self.frame_step} exceeds frame_length={self.frame_length}")
        if self.fft_length is not None and self.fft_length < self.frame_length:
            raise LayerError(f"fft_length={self.fft_length} is less than frame_length={self.frame_length}")
        if self.step < 1:
            raise LayerError(f"frame_length={self.frame_length} needs a frame_step, half of it being 0")

    @property
    def step(self) -> int:
        """The distance between frames; by default half a frame."""
        return self.frame_length // 2 if self.frame_step is None else self.frame_step

    @property
    def bins(self) -> int:
        """The number of frequencies: half of `fft_length` (by default a power of two), plus 1."""
        length = 1 << (self.frame_length - 1).bit_length() if self.fft_length is None else self.fft_length
        return int(length // 2 + 1)

    @property
    def parts(self) -> int:
        """The number of computed parts: 2 for real and imaginary part, or 1 of them."""
        return 1 if self.mode in ("real", "imag") else 2

    @property
    def frequencies(self) -> int:
        """The number of outputs for each channel and frame."""
        return 2 * self.bins if self.mode == "stft" else self.bins

    def frames(self, x: Shape) -> Size:
        (n,) = self.sides(x)
        return window_count(n, self.frame_length, self.step, 1, self.padding)

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        require_rank(self, x, 2)
        frames, channels = self.frames(x), self.channels(x)
        if not self.expand_dims:
            return self.shape_of((frames,), channels * self.frequencies)
        return self.shape_of((frames, self.frequencies), channels)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        shape = (self.frame_length, 1, self.bins)
        names = [n for n in ("real", "imag") if self.mode not in ("real", "imag") or n == self.mode]
        return tuple(Weight(f"{name}_kernel", shape, initializer="stft") for name in names)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        (n,) = self.sides(x)
        before = pad_before(n, self.frame_length, self.step, 1, self.padding)
        time = Taps(int(self.channels_first), self.step, -before, self.frame_length)
        if not self.expand_dims:
            channel: Read = Blocks(self.channel_axis, self.frequencies, 1)
        else:
            channel = identity_read(0 if self.channels_first else 2)
        return (self.reads((time,), channel),)

    def macs(self, *inputs: Shape) -> Size:
        (x,) = inputs
        return self.parts * self.bins * self.frame_length * self.frames(x) * self.channels(x)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return self._OPS[self.mode] * prod(self.output_shape(*inputs))

    def primitives(self, *inputs: Shape) -> Primitives:
        (x,) = inputs
        (n,) = self.sides(x)
        before = pad_before(n, self.frame_length, self.step, 1, self.padding)
        slide = SlidingWindow(
            int(self.channels_first), n, self.frames(x), self.frame_length, self.step, pad_before=before
        )
        parts: tuple[Primitives, ...] = tuple(
            (Convolve(w.name, (slide,), self.channel_axis, depthwise=True, shared_kernel=True),)
            for w in self.weights(x)
        )
        if len(parts) == 1:
            return parts[0]
        if self.mode == "psd":
            # all frequencies except the first and last are doubled
            squares = tuple((*part, Pointwise("square")) for part in parts)
            return (Branches(squares, Merge("add", (1, 1), (1.0, 1.0))), Scale(2.0))
        kind = {"stft": "concatenate", "angle": "arctan2"}.get(self.mode, "hypot")
        joined = Branches(parts, Merge(kind, (1, 1), axis=self.channel_axis))
        if self.mode != "log":
            return (joined,)
        return (joined, Pointwise("clip", (("x_min", _LEAST), ("x_max", INFINITY))), Pointwise("log"))
