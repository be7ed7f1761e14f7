"""From decoded audio frames to sound at 16 kHz, one channel, whose samples sit at the right time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from av import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from clapboard.media.place import Placed, Placer
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import F32, Audio


class Listener:
    """Places, mixes and resamples the audio frames of one stream.

    Mixing down is libswresample's (ITU-R BS.775 weights: centre and sides at -3 dB against left and right),
    normalised so that the sum cannot clip; layouts that it does not know are averaged. The resampler adds no delay:
    sample 0 of a run is at the time of the first sample that went in.

    Parameters
    ----------
    fallback_s : start of the sound where no frame has a timestamp, s
    rate_hz : rate of the result
    """

    def __init__(self, fallback_s: float = 0.0, rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self._rate_hz = rate_hz
        self._placer = Placer(fallback_s)
        self._resampler: AudioResampler | None = None
        self._averages = False
        self._start_s = 0.0
        self._emitted = 0

    def push(self, frame: AudioFrame) -> Iterator[Audio]:
        """Take one decoded frame; give back the sound that can be placed by now."""
        for placed in self._placer.push(frame):
            yield from self._take(placed)

    def flush(self) -> Iterator[Audio]:
        """Give back what is left and end the run."""
        for placed in self._placer.flush():
            yield from self._take(placed)
        yield from self._end_run()

    def _take(self, placed: Placed) -> Iterator[Audio]:
        """Hand one frame to the resampler, a new one where a run starts."""
        if placed.fresh:
            yield from self._end_run()
            self._start_s, self._emitted = placed.start_s, 0
            self._resampler = self._new_resampler()
            self._averages = False
        yield from self._resample(placed.frame)

    def _resample(self, frame: AudioFrame) -> Iterator[Audio]:
        """Mix and resample one frame."""
        assert self._resampler is not None
        frame.pts = None  # the count places the sound, not the filter
        if not self._averages:
            try:
                yield from self._blocks(self._resampler.resample(frame))
                return
            except (FFmpegError, ValueError):  # no matrix for this layout
                self._resampler = self._new_resampler()
                self._averages = True
        yield from self._blocks(self._resampler.resample(_average(frame)))

    def _new_resampler(self) -> AudioResampler:
        """A resampler for whatever comes first."""
        return AudioResampler("flt", "mono", self._rate_hz, options={"rematrix_maxval": "1.0"})

    def _end_run(self) -> Iterator[Audio]:
        """Get the last samples out of the resampler."""
        if self._resampler is not None:
            yield from self._blocks(self._resampler.resample(None))
            self._resampler = None

    def _blocks(self, frames: list[AudioFrame]) -> Iterator[Audio]:
        """Values of resampled frames, each placed by the count of samples before it."""
        for frame in frames:
            samples: F32 = np.array(frame.to_ndarray()[0], np.float32)
            if len(samples):
                yield Audio(samples, self._rate_hz, self._start_s + self._emitted / self._rate_hz)
                self._emitted += len(samples)


def _average(frame: Any) -> AudioFrame:
    """Plain mean of all channels, for layouts that nobody named."""
    values: NDArray[Any] = frame.to_ndarray()
    channels = frame.layout.nb_channels
    if not frame.format.is_planar:
        values = values.reshape(-1, channels).T
    if values.dtype == np.uint8:
        mixed = (values.astype(np.float32).mean(axis=0) - 128) / 128
    elif values.dtype.kind == "i":
        mixed = values.astype(np.float64).mean(axis=0) / -float(np.iinfo(values.dtype).min)
    else:
        mixed = values.mean(axis=0)
    out = AudioFrame.from_ndarray(np.ascontiguousarray(mixed[None, :], np.float32), format="flt", layout="mono")
    out.sample_rate = frame.sample_rate
    out.time_base = frame.time_base
    return out
