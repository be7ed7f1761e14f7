"""Samples to packets of a new audio stream, each sample at its own time."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec import Codec

from clapboard.errors import UsageError
from clapboard.values import F32

CHUNK = 4096
"""Samples handed to the encoder at once."""
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


class Voice:
    """Samples to packets of a new stream.

    Parameters
    ----------
    out : ``av.container.OutputContainer``; the stream is added to it
    rate_hz, channels, codec : of the stream; FFmpeg's name of the encoder
    from_zero : the container has no start times: what is before 0 is cut, what is missing there is silence

    Raises
    ------
    UsageError : a rate or a number of channels that cannot be encoded
    """

    def __init__(self, out: Any, rate_hz: int, channels: int, codec: str, *, from_zero: bool) -> None:
        if channels not in _LAYOUTS:
            raise UsageError(f"1, 2, 6 or 8 channels can be written, not {channels}")
        known = Codec(codec, "w").audio_rates
        if rate_hz < 1 or (known and rate_hz not in known):
            raise UsageError(f"{codec} does not take sound of {rate_hz} Hz; 16000 and 48000 are taken")
        self._stream = out.add_stream(codec, rate=rate_hz, layout=_LAYOUTS[channels])
        self._stream.codec_context.thread_count = 1
        self._stream.codec_context.time_base = Fraction(1, rate_hz)
        self._rate_hz, self._channels = rate_hz, channels
        self._first: int | None = 0 if from_zero else None
        self._written = 0

    def push(self, samples: F32, start_s: float) -> Iterator[Any]:
        """Packets that are ready."""
        table = np.atleast_2d(samples)
        if table.ndim != 2 or len(table) != self._channels:
            raise UsageError(f"sound must be (N,) or ({self._channels}, N), not {samples.shape}")
        place = round(start_s * self._rate_hz)
        if self._first is None:
            self._first = place
        hole = place - self._first - self._written
        while hole > 0:
            count = min(hole, CHUNK)
            yield from self._encode(np.zeros((self._channels, count), np.float32))
            hole -= count
        table = table[:, max(0, -hole) :]
        for begin in range(0, table.shape[1], CHUNK):
            yield from self._encode(table[:, begin : begin + CHUNK])

    def flush(self) -> Iterator[Any]:
        """The last packets."""
        if self._written:
            yield from self._moved(self._stream.encode(None))

    def _encode(self, table: F32) -> Iterator[Any]:
        """Encode samples (C, n) right after the last."""
        # interleaved: PyAV cannot take exactly eight planes
        chunk = np.ascontiguousarray(table.T, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(chunk, format="flt", layout=self._stream.codec_context.layout)
        frame.sample_rate, frame.pts, frame.time_base = self._rate_hz, self._written, Fraction(1, self._rate_hz)
        self._written += table.shape[1]
        yield from self._moved(self._stream.encode(frame))

    def _moved(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Packets at their place in the file; what an encoder puts in front lies before it."""
        for packet in packets:
            for name in ("pts", "dts"):
                value = getattr(packet, name)
                setattr(packet, name, None if value is None else value + (self._first or 0))
            yield packet
