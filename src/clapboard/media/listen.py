"""From decoded audio frames to sound of one rate, 16 kHz in one channel or another, at the right time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from av import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.media.place import Placed, Placer
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import F32, Audio

_LAYOUTS = {1: "mono", 2: "stereo"}


class Resampler:
    """Places the audio frames of one stream and brings them to one rate, layout and format.

    Mixing down is libswresample's (ITU-R BS.775 weights: centre and sides at -3 dB against left and right),
    normalised so that the sum cannot clip; layouts that it does not know are averaged. Resampling adds no delay:
    sample 0 of a run is at the time of the first sample that went in.

    Parameters
    ----------
    sample_format, layout, rate_hz : what is wanted, by FFmpeg's names
    fallback_s : start of the sound where no frame has a timestamp, s
    """

    def __init__(self, sample_format: str, layout: str, rate_hz: int, fallback_s: float = 0.0) -> None:
        self._wanted = (sample_format, layout, rate_hz)
        self._rate_hz = rate_hz
        self._placer = Placer(fallback_s)
        self._resampler: AudioResampler | None = None
        self._average: _Average | None = None
        self._start_s = 0.0
        self._emitted = 0

    def push(self, frame: Any) -> Iterator[tuple[Any, float]]:
        """Take one decoded frame; give back the frames that are ready, with the time of their first sample, s."""
        for placed in self._placer.push(frame):
            yield from self._take(placed)

    def flush(self) -> Iterator[tuple[Any, float]]:
        """Give back what is left."""
        for placed in self._placer.flush():
            yield from self._take(placed)
        yield from self._end_run()

    def _take(self, placed: Placed) -> Iterator[tuple[Any, float]]:
        """Hand one frame to the resampler, a new one where a run starts."""
        frame = placed.frame
        if placed.fresh or self._resampler is None:
            yield from self._end_run()
            self._start_s, self._emitted, self._average = placed.start_s, 0, None
            self._resampler = self._new_resampler()
        frame.pts = None  # the count places the sound, not the filter
        if self._average is None:
            try:
                yield from self._timed(self._resampler.resample(frame))
                return
            except (FFmpegError, ValueError):  # no matrix for this layout
                self._resampler = self._new_resampler()
                self._average = _Average()
        for mixed in self._average(frame):
            yield from self._timed(self._resampler.resample(mixed))

    def _new_resampler(self) -> AudioResampler:
        """A resampler for whatever comes first."""
        return AudioResampler(*self._wanted, options={"rematrix_maxval": "1.0"})

    def _end_run(self) -> Iterator[tuple[Any, float]]:
        """Get the last samples out of the resampler."""
        if self._resampler is not None:
            yield from self._timed(self._resampler.resample(None))
            self._resampler = None

    def _timed(self, frames: list[Any]) -> Iterator[tuple[Any, float]]:
        """Each frame with its time, by the count of samples before it."""
        for frame in frames:
            if frame is not None and frame.samples:
                yield frame, self._start_s + self._emitted / self._rate_hz
                self._emitted += frame.samples


class Listener:
    """The sound of one stream as values: one channel at the rate of the networks, or as asked for.

    Parameters
    ----------
    fallback_s : start of the sound where no frame has a timestamp, s
    rate_hz, channels : what is wanted; 1 channel gives samples (N,), 2 give (N, 2): left and right

    Raises
    ------
    UsageError : another number of channels
    """

    def __init__(self, fallback_s: float = 0.0, rate_hz: int = SAMPLE_RATE_HZ, channels: int = 1) -> None:
        if channels not in _LAYOUTS or rate_hz < 1:
            raise UsageError(f"sound comes in 1 or 2 channels at 1 Hz or more, not {channels} at {rate_hz} Hz")
        self._rate_hz, self._channels = rate_hz, channels
        self._resampler = Resampler("flt", _LAYOUTS[channels], rate_hz, fallback_s)

    def push(self, frame: Any) -> Iterator[Audio]:
        """Take one decoded frame; give back the sound that can be placed by now."""
        return self._values(self._resampler.push(frame))

    def flush(self) -> Iterator[Audio]:
        """Give back what is left."""
        return self._values(self._resampler.flush())

    def _values(self, timed: Iterator[tuple[Any, float]]) -> Iterator[Audio]:
        """Copy samples out of frames."""
        for frame, start_s in timed:
            samples: F32 = np.array(frame.to_ndarray()[0], np.float32)
            if self._channels > 1:
                samples = samples.reshape(-1, self._channels)
            yield Audio(samples, self._rate_hz, start_s)


class _Average:
    """Plain mean of all channels, for layouts that nobody named."""

    def __init__(self) -> None:
        self._interleave = AudioResampler("flt")  # PyAV cannot read eight planes or more

    def __call__(self, frame: Any) -> Iterator[Any]:
        """Frames of one channel."""
        for table in self._interleave.resample(frame):
            channels = table.layout.nb_channels
            mixed: NDArray[np.float32] = table.to_ndarray().reshape(-1, channels).mean(axis=1, dtype=np.float32)
            out = AudioFrame.from_ndarray(mixed[None, :], format="flt", layout="mono")
            out.sample_rate, out.time_base = table.sample_rate, table.time_base
            yield out
