"""Motion energy against the strength of the sound: what anyone would try first, and what a network has to beat.

T frames 40 ms apart, R rows of log-mel 10 ms apart, C cells of the picture. Something moves where neighbouring frames
differ, something sounds where a row is louder than the one before. Both, as curves over the T - 1 gaps between frames,
are correlated [1]_. Nothing is learned here.

References
----------
.. [1] J. Hershey and J. Movellan, "Audio-vision: using audio-visual synchrony to locate sounds", NIPS 1999: sound
   energy against each pixel; whole pictures and cells are ours.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.sync.distance import lag_rows
from clapboard.sync.search import MIN_COVERAGE, confidence, minimum
from clapboard.timebase import FEATURE_HZ, ROWS_PER_FRAME, offset_ms_of_lag
from clapboard.values import F64, Offset

GAP_ROW = 1
"""The middle between a frame and the next lies 2 rows after the frame, and so between rows 3 and 4 of its four: about
it lie the five steps between rows 1 and 6, of which the outer two count half."""
GAP_WEIGHTS = np.array([0.5, 1.0, 1.0, 1.0, 0.5]) / ROWS_PER_FRAME
LEAST_GAPS = 25
"""Over fewer gaps between frames, 1 s, correlations of anything are high by chance."""
PIECE = 256
"""Gaps of which the motion is computed at once."""
LAGS_AT_ONCE = 64
"""Lags that are compared at once."""
FLAT = 1e-9
"""Two curves whose standard deviations have a product below this do not move, and correlate with nothing."""


def motion_energy(images: NDArray[np.uint8], cells: int = 1) -> F64:
    """How much each cell of the picture changes from frame to frame.

    A frame that is repeated once, as files of 13 to 24 frames a second have them on the grid of 25 Hz, would look like
    a standstill at regular intervals: its gap takes the value between its neighbours. Longer standstills stay.

    Parameters
    ----------
    images : (T, h, w) uint8
    cells : along each side; sides need not be whole multiples of it

    Returns
    -------
    (T - 1, cells * cells) mean absolute difference, levels of 255

    Raises
    ------
    UsageError : not (T, h, w), fewer than two frames, or more cells than pixels
    """
    if images.ndim != 3 or len(images) < 2 or not 1 <= cells <= min(images.shape[1:]):
        raise UsageError(f"motion needs at least two gray pictures of at least {cells} px, not {images.shape}")
    found = np.empty((len(images) - 1, cells, cells))
    edges = [np.linspace(0, size, cells + 1).astype(int)[:-1] for size in images.shape[1:]]
    sizes = [np.diff(edge, append=size) for edge, size in zip(edges, images.shape[1:], strict=True)]
    area = sizes[0][:, None] * sizes[1][None]
    for start in range(0, len(found), PIECE):  # in pieces, so that a long file is never held as whole numbers
        steps = np.diff(images[start : start + PIECE + 1].astype(np.int16), axis=0)
        rows = np.add.reduceat(np.abs(steps), edges[0], axis=1, dtype=np.int32)
        found[start : start + PIECE] = np.add.reduceat(rows, edges[1], axis=2) / area
    flat = found.reshape(len(found), -1)
    moves = np.asarray(flat.max(axis=1) > 0)
    alone = 1 + np.flatnonzero(moves[:-2] & ~moves[1:-1] & moves[2:])
    flat[alone] = (flat[alone - 1] + flat[alone + 1]) / 2
    return flat


def onset_strength(rows: NDArray[np.floating]) -> F64:
    """How much louder each row is than the one before it, mean over bands of what rises, (R - 1,).

    `clapboard.sound.onsets.strength` is made to be looked at and compresses by the level of a file; this is for
    correlations, which no level changes.
    """
    return np.asarray(np.maximum(np.diff(np.asarray(rows, np.float64), axis=0), 0).mean(axis=1))


def level(rows: NDArray[np.floating]) -> F64:
    """How loud it is between one row and the next, mean over bands, (R - 1,)."""
    loud = np.asarray(rows, np.float64).mean(axis=1)
    return np.asarray((loud[1:] + loud[:-1]) / 2)


def correlations(motion: F64, sound: F64, there: NDArray[np.bool_] | None = None) -> F64:
    """Pearson's coefficient of every cell with each of L sounds, (L, C); 0 where either does not change.

    Parameters
    ----------
    motion : (N, C)
    sound : (L, N)
    there : (L, N) bool, what of each sound is there, and is to be compared with what is seen then; all where None
    """
    real = np.ones(sound.shape) if there is None else np.asarray(there, np.float64)
    count = np.maximum(real.sum(axis=1, keepdims=True), 1)
    # Taking the common means out first keeps the differences below from losing digits.
    m, s = motion - motion.mean(axis=0), (sound - sound.mean()) * real
    seen, heard = real @ m / count, s.sum(axis=1, keepdims=True) / count
    both = s @ m / count - seen * heard
    size2 = (real @ m**2 / count - seen**2) * ((s**2).sum(axis=1, keepdims=True) / count - heard**2)
    return np.asarray(np.divide(both, np.sqrt(np.maximum(size2, 0)), out=np.zeros_like(both), where=size2 > FLAT**2))


@dataclass(frozen=True, slots=True)
class MotionScorer:
    """One way to compare motion and sound; a higher score is more in sync.

    Attributes
    ----------
    cells : along each side of the picture
    best : the score is the mean over so many cells that correlate best
    steady : the median over all cells is taken away from every gap, so that a camera that moves or a light that
        changes counts for little
    sound : ``onset``, how much it rises, or ``level``, how loud it is
    slack_frames : the score is the best of these shifts, frames, both included, positive where the sound is late. What
        is seen comes before what is heard: a hand is fastest before it strikes, and sound takes 3 ms for a metre
    """

    cells: int = 1
    best: int = 1
    steady: bool = False
    sound: Literal["onset", "level"] = "onset"
    slack_frames: tuple[int, int] = (0, 0)

    def __call__(self, images: NDArray[np.uint8], rows: NDArray[np.floating]) -> float:
        """Score of a picture with its sound.

        Parameters
        ----------
        images : (T, h, w) uint8, 40 ms apart
        rows : (4 T, F) log-mel; rows 4 t to 4 t + 3 lie around the time of frame t

        Raises
        ------
        UsageError : the two are not of one length, or too short
        """
        gaps = len(images) - 1
        if len(rows) != ROWS_PER_FRAME * len(images):
            raise UsageError(f"{len(images)} frames go with {ROWS_PER_FRAME * len(images)} rows, not {len(rows)}")
        first, last = min(self.slack_frames[0], 0), max(self.slack_frames[1], 0)
        if gaps - last + first < LEAST_GAPS:
            raise UsageError(f"{len(images)} frames are too few to correlate; give {LEAST_GAPS + 1 + last - first}")
        heard = self._heard(rows)[GAP_ROW::ROWS_PER_FRAME]
        # Every shift is judged by the same pictures, those that have sound at all of them.
        motion = self._seen(images)[-first : gaps - last]
        begins = np.arange(self.slack_frames[0], self.slack_frames[1] + 1) - first
        return float(self._agree(correlations(motion, heard[begins[:, None] + np.arange(len(motion))])).max())

    def offset(
        self, images: NDArray[np.uint8], rows: NDArray[np.floating], start_row: int, max_offset_ms: float = 2000.0
    ) -> Offset:
        """Offset where motion and sound correlate best, positive = sound early; ``curve`` is minus the correlation.

        Parameters
        ----------
        images : (T, h, w) uint8, 40 ms apart
        rows : (R, F) log-mel of sound without gaps, 10 ms apart
        start_row : the first of the four rows of frame 0; may lie outside
        max_offset_ms : search range, both ways
        """
        lags = lag_rows(max_offset_ms / 1000)
        motion, heard = self._seen(images), self._heard(rows)
        at = start_row + GAP_ROW + ROWS_PER_FRAME * np.arange(len(motion))
        curve = np.full(len(lags), np.nan, np.float32)
        for start in range(0, len(lags) if len(heard) else 0, LAGS_AT_ONCE):
            where = at + lags[start : start + LAGS_AT_ONCE, None]
            there = (where >= 0) & (where < len(heard))
            found = -self._agree(correlations(motion, heard[np.clip(where, 0, len(heard) - 1)], there))
            enough = there.sum(axis=1) >= max(LEAST_GAPS, MIN_COVERAGE * len(at))
            curve[start : start + LAGS_AT_ONCE] = np.where(enough, found, np.nan)
        lowest = minimum(curve, lags / FEATURE_HZ)
        return Offset(
            offset_ms=offset_ms_of_lag(lowest.lag_s),
            confidence=confidence(curve),
            min_distance=lowest.value,
            curve=curve,
            offsets_ms=-1000.0 * lags / FEATURE_HZ,
            windows=len(at),
        )

    def _seen(self, images: NDArray[np.uint8]) -> F64:
        """The motion in each cell, (T - 1, C)."""
        motion = motion_energy(images, self.cells)
        return motion - np.median(motion, axis=1, keepdims=True) if self.steady else motion

    def _heard(self, rows: NDArray[np.floating]) -> F64:
        """The sound from one frame to the next, for every row, (R - 5,): value j is that about row j + 2.5."""
        steps = onset_strength(rows) if self.sound == "onset" else level(rows)
        return np.convolve(steps, GAP_WEIGHTS, "valid") if len(steps) >= len(GAP_WEIGHTS) else steps[:0]

    def _agree(self, found: F64) -> F64:
        """Mean of the best cells of correlations (L, C), (L,)."""
        return np.asarray(np.sort(found, axis=1)[:, -self.best :].mean(axis=1))


BASELINES = {
    "motion energy": MotionScorer(),
    "motion energy, best cell": MotionScorer(cells=8),
    "motion energy, chosen": MotionScorer(cells=8, best=8, steady=True, slack_frames=(-1, 4)),
}
"""What networks are held against: the whole picture, the best cell of 8 x 8, and what did best of about 50 ways on the
train part of the real clips."""
