"""Cuts between shots, from a small colour histogram of each frame.

A dissolve changes the histogram too slowly to be seen here; a flash is recognised when the picture comes back.
"""

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F32

BINS = 32
"""Bins of each plane."""
CUT = 0.15
"""Least change of the histogram at a cut. Hard cuts between talking heads give 0.33 and more, all else below 0.06."""
FLASH_FRAMES = 3
"""A picture that is back after at most so many frames was interrupted by a flash, not cut."""


def histogram(thumbnail: NDArray[np.uint8]) -> F32:
    """Shares of pixels per bin of every plane, (planes * BINS,) float32; each plane sums to one.

    Parameters
    ----------
    thumbnail : (h, w, planes) uint8
    """
    height, width, planes = thumbnail.shape
    binned = (thumbnail // (256 // BINS)).astype(np.intp)
    binned += np.arange(planes) * BINS
    counts = np.bincount(binned.reshape(-1), minlength=planes * BINS)
    return np.asarray(counts / (height * width), np.float32)


def difference(a: F32, b: F32) -> float:
    """Change between two histograms: half their L1 distance, mean over the planes; 0 same, 1 nothing in common."""
    return float(np.abs(a - b).sum()) / 2 / (len(a) // BINS)


class ShotDetector:
    """Says of each frame whether a new shot starts there.

    Parameters
    ----------
    cut : least change of the histogram at a cut, 0 to 1
    flash_frames : longest interruption that still counts as a flash
    """

    def __init__(self, cut: float = CUT, flash_frames: int = FLASH_FRAMES) -> None:
        self.cut = cut
        self.flash_frames = flash_frames
        self.back = False
        """Whether the frame pushed last takes up the shot that was left by the cut before: it was a flash."""
        self._last: F32 | None = None
        self._left: F32 | None = None
        self._away = 0

    def push(self, thumbnail: NDArray[np.uint8]) -> bool:
        """Whether this frame is the first of a new shot; the first frame of all is.

        Parameters
        ----------
        thumbnail : (h, w, 3) uint8, the coarse colour view of a frame
        """
        now, last = histogram(thumbnail), self._last
        self.back = False
        self._last = now
        if last is None or len(last) != len(now):
            self._left = None
            return True
        if self._left is not None:
            self._away += 1
            if self._away > self.flash_frames:
                self._left = None
        if difference(now, last) < self.cut:
            return False
        if self._left is None:
            self._left, self._away = last, 0
        elif difference(now, self._left) < self.cut:
            self._left, self.back = None, True
            return False
        return True
