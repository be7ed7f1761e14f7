"""Laying sounds on a track: each at its exact sample."""

from clapboard.values import F32


def add_at(track: F32, start: int, sound: F32) -> None:
    """Add a sound (n,) to a track (N,) from sample ``start`` on, in place; what lies outside is cut."""
    first, last = max(start, 0), min(start + len(sound), len(track))
    if first < last:
        track[first:last] += sound[first - start : last - start]
