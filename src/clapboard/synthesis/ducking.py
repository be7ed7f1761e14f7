"""Where textures sound, and what of them blows take away, so that nothing sounds twice."""

import numpy as np

from clapboard.timebase import SAMPLES_PER_ROW
from clapboard.values import F32, F64

LIKELY = 0.5
"""A texture sounds where it is at least so likely."""
SMOOTH_ROWS, GAP_ROWS, SHORTEST_ROWS = 50, 30, 50
"""Likelihoods are means over 0.5 s; gaps below 0.3 s are filled, and what is shorter than 0.5 s is left out. With 0.2 s
the network of the picture found textures in 3 of 40 rendered clips that have none, with these in 1."""
RAMP_ROWS = 5
"""Textures begin and end within 50 ms."""
BEFORE_ROWS, BLOW_ROWS, EDGE_ROWS = 2, 15, 4
"""A blow reaches from 20 ms before its row to 150 ms after it; what is around it is told by 40 ms on each side."""


def stretches(share: F32) -> list[tuple[int, int]]:
    """Rows in which a texture sounds, half-open.

    Parameters
    ----------
    share : (R,) probability that a row is a texture
    """
    if not len(share):
        return []
    sums = np.concatenate([[0.0], np.cumsum(share, dtype=np.float64)])
    ends = np.clip(np.arange(len(share)) + SMOOTH_ROWS // 2, 0, len(share))
    starts = np.clip(np.arange(len(share)) - SMOOTH_ROWS // 2, 0, len(share) - 1)
    on = (sums[ends] - sums[starts]) / np.maximum(ends - starts, 1) >= LIKELY
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(np.int8), [0]])))
    found: list[tuple[int, int]] = []
    for begin, end in edges.reshape(-1, 2).tolist():
        if found and begin - found[-1][1] < GAP_ROWS:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return [(begin, end) for begin, end in found if end - begin >= SHORTEST_ROWS]


def ducked(mel: F32, rows: F64) -> F32:
    """A texture's log-mel without the blows in it: beside each, no louder than a line from before to after it.

    Parameters
    ----------
    mel : (R, 80)
    rows : (E,) where blows begin, ascending, on the same rows
    """
    found = mel.copy()
    begins = np.clip(np.floor(rows).astype(int) - BEFORE_ROWS, 0, len(mel))
    ends = np.clip(np.floor(rows).astype(int) + BLOW_ROWS, 0, len(mel))
    runs: list[list[int]] = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if runs and begin <= runs[-1][1]:
            runs[-1][1] = end
        elif begin < end:
            runs.append([begin, end])
    for begin, end in runs:
        sides = [mel[max(begin - EDGE_ROWS, 0) : begin], mel[end : end + EDGE_ROWS]]
        levels = [side.mean(0) for side in sides if len(side)]
        if not levels:  # blows all the time: what there is least of is the texture
            levels = [np.quantile(mel[begin:end], 0.1, axis=0).astype(np.float32)]
        part = ((np.arange(end - begin) + 0.5) / (end - begin)).astype(np.float32)[:, None]
        found[begin:end] = np.minimum(mel[begin:end], (1 - part) * levels[0] + part * levels[-1])
    return found


def ramped(wave: F32, *, begins: bool, ends: bool) -> F32:
    """A stretch of texture (N,) that begins or ends within a shot: faded there."""
    found, count = wave.copy(), min(RAMP_ROWS * SAMPLES_PER_ROW, len(wave) // 2)
    rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / max(count, 1))).astype(np.float32)
    if begins:
        found[:count] *= rise
    if ends:
        found[len(found) - count :] *= rise[::-1]
    return found
