"""Transport and programme streams that were joined end to end: one clock made of several."""

from typing import Any

from clapboard.media.rational import fraction

RESTART_S = 1.0
"""Decoding times that go back by more than this mean that the clock started again (s)."""


class Splice:
    """Moves the packets behind each restart of the clock so that they follow what was before.

    Every stream sees a restart at its own packet; all of them are moved by the same time, so that the sound of the
    second part stays with its picture.
    """

    def __init__(self) -> None:
        self._moves_s = [0.0]  # for each part, how much later it is put
        self._part: dict[int, int] = {}
        self._last_s: dict[int, float] = {}  # last decoding time, on the clock of its own part
        self._end_s = -float("inf")

    def __call__(self, packet: Any) -> Any:
        """Move a packet if it has to be."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            return packet
        index, tick = packet.stream.index, fraction(packet.time_base)
        time_s = float(stamp * tick)
        part = self._part.setdefault(index, 0)
        if time_s < self._last_s.get(index, time_s) - RESTART_S:
            part = self._part[index] = part + 1
            if part == len(self._moves_s):
                self._moves_s.append(self._end_s - time_s)
        self._last_s[index] = time_s
        move_s = self._moves_s[part]
        self._end_s = max(self._end_s, time_s + move_s + float((packet.duration or 0) * tick))
        if move_s:
            ticks = round(move_s / tick)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return packet
