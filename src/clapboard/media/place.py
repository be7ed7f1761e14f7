"""When each audio frame sounds: the count of samples, held to the timestamps.

Timestamps of containers are rounded (1 ms in Matroska) and may jitter; the count of samples does neither, but knows
nothing of gaps. So sound runs on its count, placed by the median of the timestamps ahead, and a new run starts only
where the timestamps leave the count for good.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from statistics import median
from typing import Any

AHEAD_FRAMES = 16
"""Audio frames whose timestamps are weighed together to place the first of them."""
AHEAD_S = 1.0
"""No more than this is held back for it (s), whatever the size of the frames."""
TOGETHER_S = 0.010
"""Frames whose timestamps agree this well on where the sound belongs are taken as one piece (s)."""
TOLERANCE_S = 0.0005
"""A run is left when the timestamps depart from its count by more than this and more than one tick (s)."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One decoded frame, the time of its first sample (s), and whether it starts a new run."""

    frame: Any
    start_s: float
    fresh: bool


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A decoded frame, and where its timestamp puts sample 0 of the count (s; NaN where it has none)."""

    frame: Any
    origin_s: float
    seconds: float


class Placer:
    """Gives each audio frame of one stream its time.

    Parameters
    ----------
    fallback_s : start of the sound where no frame has a timestamp, s
    """

    def __init__(self, fallback_s: float = 0.0) -> None:
        self._fallback_s = fallback_s
        self._ahead: deque[_Waiting] = deque()
        self._held_s = 0.0
        self._counted_s = 0.0  # seconds of sound taken so far, by count
        self._placed_s = 0.0  # seconds of sound handed out so far, by count
        self._origin_s = float("nan")  # time of count 0 in the current run
        self._kind: tuple[int, str, str] = (0, "", "")

    def push(self, frame: Any) -> Iterator[Placed]:
        """Take one decoded frame; give back those that can be placed by now."""
        if not frame.samples or not frame.sample_rate:
            return
        seconds = frame.samples / frame.sample_rate
        stamp, tick = frame.pts, frame.time_base
        # not pts * tick: fractions are slow, and this rounds just as well
        stamp_s = float("nan") if stamp is None or tick is None else stamp * tick.numerator / tick.denominator
        self._ahead.append(_Waiting(frame, stamp_s - self._counted_s, seconds))
        self._counted_s += seconds
        self._held_s += seconds
        while len(self._ahead) > AHEAD_FRAMES or (self._held_s > AHEAD_S and len(self._ahead) > 2):
            yield self._place()

    def flush(self) -> Iterator[Placed]:
        """Place what is left."""
        while self._ahead:
            yield self._place()

    def _place(self) -> Placed:
        """Place the oldest frame: in the current run, or in a new one."""
        head = self._ahead[0]
        frame = head.frame
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        origin_s = self._origin_ahead(float(frame.time_base or 0))
        fresh = origin_s != self._origin_s or kind != self._kind
        self._kind, self._origin_s = kind, origin_s
        start_s = origin_s + self._placed_s
        self._ahead.popleft()
        self._held_s -= head.seconds
        self._placed_s += head.seconds
        return Placed(frame, start_s, fresh)

    def _origin_ahead(self, tick_s: float) -> float:
        """Time of count 0 for the oldest frame: that of the current run unless the timestamps ahead depart from it."""
        now, head_s = self._origin_s, self._ahead[0].origin_s
        if isnan(head_s):
            if not isnan(now):
                return now
            known = [w.origin_s for w in self._ahead if not isnan(w.origin_s)]
            return median(known) if known else self._fallback_s
        together = []
        for waiting in self._ahead:
            if isnan(waiting.origin_s):
                continue
            if abs(waiting.origin_s - head_s) > TOGETHER_S:
                break
            together.append(waiting.origin_s)
        there = median(together)
        if isnan(now):
            return there
        # one odd timestamp does not move the sound
        departs = abs(there - now) > max(TOLERANCE_S, tick_s) and (len(together) > 1 or len(self._ahead) == 1)
        return there if departs and abs(head_s - there) <= abs(head_s - now) else now
