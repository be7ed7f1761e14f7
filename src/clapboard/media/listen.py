"""From decoded audio frames to sound at 16 kHz whose samples sit at the right time.

Timestamps of containers are rounded (1 ms in Matroska) and may jitter; the count of samples does neither, but knows
nothing of gaps. So sound runs on its count, placed by the median of the timestamps ahead, and a new run starts only
where the timestamps leave the count for good.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from av import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import F32, Audio

AHEAD_FRAMES = 16
"""Audio frames whose timestamps are weighed together to place the first of them."""
AHEAD_S = 1.0
"""No more than this is held back for it (s), whatever the size of the frames."""
TOGETHER_S = 0.010
"""Frames whose timestamps agree this well on where the sound belongs are taken as one piece (s)."""
TOLERANCE_S = 0.0005
"""A run is left when the timestamps depart from its count by more than this and more than one tick (s)."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A decoded frame, and where its timestamp puts sample 0 of the count (s; NaN where it has none)."""

    frame: Any
    origin_s: float
    seconds: float


class Listener:
    """Places, mixes and resamples the audio frames of one stream.

    Mixing down is libswresample's (ITU-R BS.775 weights; centre and sides at -3 dB against left and right), normalised
    so that the sum cannot clip; layouts that it does not know are averaged. The resampler adds no delay: sample 0 of
    a run is at the time of the first sample that went in.

    Parameters
    ----------
    fallback_s : start of the sound where no frame has a timestamp
    rate_hz : rate of the result
    """

    def __init__(self, fallback_s: float = 0.0, rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self._rate_hz = rate_hz
        self._ahead: deque[_Waiting] = deque()
        self._held_s = 0.0
        self._counted_s = 0.0  # seconds of sound pushed so far, by count
        self._fallback_s = fallback_s
        self._origin_s = float("nan")  # time of count 0 in the current run
        self._spent_s = 0.0  # seconds of sound placed so far, by count
        self._kind: tuple[int, str, str] = (0, "", "")
        self._resampler: AudioResampler | None = None
        self._averages = False
        self._start_s = 0.0
        self._emitted = 0

    def push(self, frame: Any) -> Iterator[Audio]:
        """Take one decoded frame; give back the sound that can be placed by now."""
        if not frame.samples or not frame.sample_rate:
            return
        seconds = frame.samples / frame.sample_rate
        known = frame.pts is not None and frame.time_base is not None
        stamp = float(frame.pts * frame.time_base) if known else float("nan")
        self._ahead.append(_Waiting(frame, stamp - self._counted_s, seconds))
        self._counted_s += seconds
        self._held_s += seconds
        while len(self._ahead) > AHEAD_FRAMES or (self._held_s > AHEAD_S and len(self._ahead) > 2):
            yield from self._place()

    def flush(self) -> Iterator[Audio]:
        """Place what is left and end the run."""
        while self._ahead:
            yield from self._place()
        yield from self._end_run()

    def _place(self) -> Iterator[Audio]:
        """Hand the oldest frame to the resampler, in a new run where needed."""
        head = self._ahead[0]
        kind = (head.frame.sample_rate, head.frame.layout.name, head.frame.format.name)
        origin_s = self._origin_ahead(float(head.frame.time_base or 0))
        if origin_s != self._origin_s or kind != self._kind:
            yield from self._end_run()
            self._kind, self._origin_s = kind, origin_s
            self._begin_run(head.frame, origin_s + self._spent_s)
        self._ahead.popleft()
        self._held_s -= head.seconds
        self._spent_s += head.seconds
        yield from self._resample(head.frame)

    def _origin_ahead(self, tick_s: float) -> float:
        """Time of count 0 for the oldest frame: that of the current run unless the timestamps ahead depart from it."""
        now, head_s = self._origin_s, self._ahead[0].origin_s
        if np.isnan(head_s):
            if not np.isnan(now):
                return now
            known = [w.origin_s for w in self._ahead if not np.isnan(w.origin_s)]
            return float(np.median(known)) if known else self._fallback_s
        together = []
        for waiting in self._ahead:
            if np.isnan(waiting.origin_s):
                continue
            if abs(waiting.origin_s - head_s) > TOGETHER_S:
                break
            together.append(waiting.origin_s)
        there = float(np.median(together))
        if np.isnan(now):
            return there
        # one odd timestamp does not move the sound
        departs = abs(there - now) > max(TOLERANCE_S, tick_s) and (len(together) > 1 or len(self._ahead) == 1)
        return there if departs and abs(head_s - there) <= abs(head_s - now) else now

    def _begin_run(self, frame: AudioFrame, start_s: float) -> None:
        """Set up a resampler for frames of this kind."""
        self._start_s, self._emitted = start_s, 0
        self._resampler = AudioResampler("flt", "mono", self._rate_hz, options={"rematrix_maxval": "1.0"})
        self._averages = False

    def _resample(self, frame: AudioFrame) -> Iterator[Audio]:
        """Mix and resample one frame."""
        assert self._resampler is not None
        frame.pts = None  # the count places the sound, not the filter
        if not self._averages:
            try:
                done = self._resampler.resample(frame)
            except (FFmpegError, ValueError):
                if self._emitted:
                    raise
                self._averages = True
        if self._averages:
            done = self._resampler.resample(_average(frame))
        yield from self._blocks(done)

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
