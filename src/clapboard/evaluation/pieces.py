"""Offsets of pieces of tracks that were moved onto zero: what a model finds where 0 is right.

W picture windows, K lags. A piece of so many seconds has that many windows of five frames, so 1 s are 25 windows that
see 29 frames; a network with wider windows gets the same frames, and so fewer windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.align import WINDOW_FRAMES, Aligned
from clapboard.evaluation.embedder import Embedder, compare, embed, embed_all
from clapboard.sync.distance import curves
from clapboard.sync.search import offset_of
from clapboard.timebase import PICTURE_HZ
from clapboard.values import Distances, Embeddings, Hook, Offset

QUIET = 0.2
"""A window whose sound is speech for no more than this part of it counts as quiet."""
LEAST_SPEECH = 0.25
"""A piece is measured when at least this part of its windows is not quiet."""
SEARCH_S = 1.0
"""How far is searched, both ways (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One piece of a track: its length, what was found (true offset 0), and whose it is."""

    seconds: float
    offset: Offset
    clip: Aligned


def places(loud: NDArray[np.floating], seconds: float, window_frames: int = WINDOW_FRAMES) -> list[slice]:
    """Windows of all non-overlapping pieces of a length in which there is speech.

    Parameters
    ----------
    loud : (W,) how much of each window's sound is speech, 0 to 1
    seconds : length of the pieces
    window_frames : frames that one window sees
    """
    step = round(seconds * PICTURE_HZ)
    frames = step + WINDOW_FRAMES - 1
    size = frames - window_frames + 1
    if size < 1:
        return []
    starts = range(0, len(loud) - size + 1, step)
    found = [slice(start, start + size) for start in starts]
    return [part for part in found if (loud[part] > QUIET).mean() >= LEAST_SPEECH]


def offset_in(found: Distances, part: slice) -> Offset:
    """Offset of some of the windows; the sound of the whole track stays around them."""
    return offset_of(curves(Distances(found.values[part], found.lags_s, found.time_s[part])))


def pieces(
    embedder: Embedder, clips: Sequence[Aligned], lengths_s: Sequence[float] = (1, 2, 4), foreign: int = 0
) -> list[Piece]:
    """Offsets of all non-overlapping pieces of each length; the sound of the whole track stays around a piece.

    ``foreign`` > 0 takes the sound from the track that many places further on, where that is another speaker's: nothing
    there is right.
    """
    embedded = [embed(embedder, clip) for clip in clips]
    return _measured(embedded, clips, lengths_s, foreign)


def own_and_foreign(
    embedder: Embedder, clips: Sequence[Aligned], lengths_s: Sequence[float], voices: int, hook: Hook | None = None
) -> tuple[list[Piece], list[Piece]]:
    """Pieces with their own sound, and with that of up to ``voices`` others; everything is embedded once.

    ``hook(step, done, total)`` is told how many clips are embedded.
    """
    embedded = embed_all(embedder, clips, "calibrating", hook)
    own = _measured(embedded, clips, lengths_s, 0)
    steps = range(1, min(len(clips), 1 + voices))
    return own, [piece for step in steps for piece in _measured(embedded, clips, lengths_s, step)]


def _measured(
    embedded: Sequence[tuple[Embeddings, Embeddings]],
    clips: Sequence[Aligned],
    lengths_s: Sequence[float],
    foreign: int,
) -> list[Piece]:
    """Pieces of every track, its sound that of the track ``foreign`` places further on."""
    found = []
    for index, clip in enumerate(clips):
        other = (index + foreign) % len(clips)
        if foreign and clips[other].speaker == clip.speaker:
            continue
        rows = compare([(embedded[index][0], embedded[other][1])], SEARCH_S)
        parts = [(s, part) for s in lengths_s for part in places(clip.loud, s, clip.window_frames)]
        found += [Piece(seconds, offset_in(rows, part), clip) for seconds, part in parts]
    return found


def table(found: Sequence[Piece]) -> str:
    """One line: share of pieces within 40 ms and median error, by length."""
    cells = []
    for seconds in sorted({p.seconds for p in found}):
        errors = np.abs([p.offset.offset_ms for p in found if p.seconds == seconds])
        right, median = np.mean(errors <= 40), np.median(errors)
        cells.append(f"{seconds:g} s: {right:.1%} within 40 ms, median {median:.0f} ms of {len(errors)}")
    return "; ".join(cells)
