"""The film with a box about every face, its score, and who speaks."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from clapboard.errors import UsageError
from clapboard.files import require_writable
from clapboard.footage.source import HALF_PERIOD_S, measured_clip, named
from clapboard.media.film import Film
from clapboard.media.read import read
from clapboard.media.source import JOINABLE, require_file
from clapboard.report.overlay import draw_face, draw_line
from clapboard.values import F64, FaceSpeech, Frame, Hook, Speakers

OVERLAY_ENDINGS = (".mp4", ".m4v", ".mov", ".mkv")
"""Containers that an overlay can be written to: each keeps times of single pictures and takes H.264."""
OFF_SCREEN = "voice: nobody on screen"
"""What is written in the picture while the voice belongs to nobody in it."""


class Shown(NamedTuple):
    """A face at one moment: its box (4,) px, its score, and whether it speaks."""

    box: F64
    score: float
    speaking: bool


def face_at(face: FaceSpeech, time_s: float) -> Shown | None:
    """A face at the time of any frame: between two points of the grid its box and score are interpolated.

    Parameters
    ----------
    face : T frames of one track
    time_s : on the clock of the file

    Returns
    -------
    Shown, or None further than half a period of the grid from the track. ``speaking`` is that of the nearer point.
    """
    times = face.time_s
    if not len(times) or not times[0] - HALF_PERIOD_S <= time_s <= times[-1] + HALF_PERIOD_S:
        return None
    right = min(int(np.searchsorted(times, time_s)), len(times) - 1)
    left = max(right - 1, 0)
    gap_s = float(times[right] - times[left])
    share = min(max((time_s - float(times[left])) / gap_s, 0.0), 1.0) if gap_s > 0 else 1.0
    nearer = right if share >= 0.5 else left
    box = (1 - share) * face.boxes[left].astype(np.float64) + share * face.boxes[right].astype(np.float64)
    score = (1 - share) * float(face.score[left]) + share * float(face.score[right])
    if math.isnan(score):
        score = float(face.score[nearer])
    return Shown(box, score, bool(face.speaking[nearer]))


def write_overlay(
    found: Speakers,
    path: str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
    hook: Hook | None = None,
    threads: int = 1,
) -> None:
    """Write the film with a box about every face, red for a score of 0 to green for 1, its number and its score.

    Boxes of faces that speak are thick, and a line tells when the voice belongs to nobody in the picture. Every picture
    keeps its own time and is shown upright, in colour; pictures longer than 1920 px are shrunk as for measuring. The
    sound that was measured is copied as it is; only where the container does not take its codec is it encoded anew.

    Parameters
    ----------
    found : who speaks when in this file
    path : the file; it is never changed
    out : mp4, m4v, mov or mkv, by its ending
    overwrite : replace an existing file
    hook : called as ``hook("overlay", done_s, total_s)``
    threads : for decoding and encoding

    Raises
    ------
    UsageError : ``out`` is the input, exists already, or has another ending
    MediaError : a file cannot be read or written
    """
    source, target = Path(path), Path(out)
    require_file(source)
    if target.suffix.lower() not in OVERLAY_ENDINGS:
        raise UsageError(f"{target}: an overlay is written as {', '.join(OVERLAY_ENDINGS)}; give such a name")
    require_writable(target, source, overwrite, "--overlay")
    clip = measured_clip(found, source)
    # where clocks may start again, reading sound and picture together moves both alike, as the copied sound is
    items = read(clip, audio=clip.container in JOINABLE, colour=True, hook=named("overlay", hook), threads=threads)
    pictures = (item for item in items if isinstance(item, Frame))
    first = next(pictures)
    sound = clip if clip.audio is not None else None
    height, width = first.image.shape
    with Film(
        target, width_px=width, height_px=height, rate=clip.rate, sound=sound, overwrite=overwrite, threads=threads
    ) as film:
        painter = _Painter(found)
        film.picture(painter(first), first.time_s)
        for frame in pictures:
            film.picture(painter(frame), frame.time_s)


class _Painter:
    """Draws on frames as they come, in ascending order of their time."""

    def __init__(self, found: Speakers) -> None:
        seen = [face for face in found.faces if len(face.time_s)]
        self._coming = sorted(seen, key=lambda face: -float(face.time_s[0]))
        self._live: list[FaceSpeech] = []
        self._nobody = sorted((turn for turn in found.turns if turn.face is None), key=lambda turn: -turn.start_s)

    def __call__(self, frame: Frame) -> Any:
        """Return the picture of a frame, drawn on."""
        assert frame.colour is not None
        now_s = frame.time_s
        image = np.array(frame.colour)
        while self._coming and self._coming[-1].time_s[0] - HALF_PERIOD_S <= now_s:
            self._live.append(self._coming.pop())
        self._live = [face for face in self._live if face.time_s[-1] + HALF_PERIOD_S >= now_s]
        shown = [(face.number, at) for face in self._live if (at := face_at(face, now_s)) is not None]
        # who speaks is drawn last, over the others
        for number, at in sorted(shown, key=lambda pair: (pair[1].speaking, -pair[0])):
            draw_face(image, at.box, number, at.score, speaking=at.speaking)
        while self._nobody and self._nobody[-1].end_s <= now_s:
            self._nobody.pop()
        if self._nobody and self._nobody[-1].start_s <= now_s:
            draw_line(image, OFF_SCREEN)
        return image
