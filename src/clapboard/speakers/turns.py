"""Stretches of speech from decisions frame by frame."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clapboard.timebase import PICTURE_HZ
from clapboard.values import F32, F64, Turn

LEAST_S = 0.2
"""Nobody says anything in less: such a stretch is no turn (s)."""


def runs(where: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First and one past the last place of every run of True, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(np.int8)))
    yield from zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True)


def turns_of(face: int | None, where: NDArray[np.bool_], score: F32 | F64, time_s: F64) -> list[Turn]:
    """Turns of one face, or of nobody on screen (None).

    Parameters
    ----------
    where, score, time_s : (T,), consecutive frames of the picture grid and their true times, s

    Returns
    -------
    From the time of the first frame of each run to that of the next one behind it, so that turns of two faces meet;
    where there is none, or all of a run is one still, to 40 ms after the last one's
    """
    found = []
    for start, stop in runs(where):
        if (stop - start) / PICTURE_HZ >= LEAST_S:
            end_s = float(time_s[stop]) if stop < len(time_s) else -np.inf
            if end_s <= time_s[start]:
                end_s = float(time_s[stop - 1]) + 1 / PICTURE_HZ
            found.append(Turn(float(time_s[start]), end_s, face, float(np.mean(score[start:stop]))))
    return found
