"""What the overlay and the crops share: the file with the sound that was measured, and telling of progress."""

from dataclasses import replace
from pathlib import Path

from clapboard.errors import UsageError
from clapboard.media.probe import probe
from clapboard.timebase import PICTURE_HZ
from clapboard.values import Clip, Hook, Speakers

HALF_PERIOD_S = 0.5 / PICTURE_HZ
"""A point of the grid stands for the frames that are no further away than this (s)."""


def measured_clip(found: Speakers, source: Path) -> Clip:
    """What the file says of itself, with the sound that was measured."""
    clip, measured = probe(source), found.report.clip
    if measured is None or measured.audio is None:
        return clip
    same = next((s for s in clip.streams if s.kind == "audio" and s.index == measured.audio.index), None)
    if same is None:
        raise UsageError(f"{source}: its sound is not that which was measured; was it another file?")
    return replace(clip, audio=same)


def named(step: str, hook: Hook | None) -> Hook | None:
    """A hook that tells of the reading under another name."""
    return None if hook is None else lambda _, done, total: hook(step, done, total)
