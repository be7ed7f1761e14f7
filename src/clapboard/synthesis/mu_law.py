"""Samples as one of 256 levels, finer where it is quiet: mu-law companding (ITU-T G.711, mu = 255, not in segments)."""

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F32

LEVELS = 256
SILENCE = LEVELS // 2
"""Level of digital silence."""
MU = LEVELS - 1


def compress(samples: F32) -> NDArray[np.uint8]:
    """Samples in [-1, 1], of any shape, as levels 0 to 255; what lies beyond is cut."""
    inside = np.clip(samples, -1, 1)
    bent = np.sign(inside) * np.log1p(MU * np.abs(inside)) / np.log1p(MU)
    found: NDArray[np.uint8] = np.clip(np.floor((bent + 1) / 2 * LEVELS), 0, MU).astype(np.uint8)
    return found


def expand(levels: NDArray[np.uint8]) -> F32:
    """Samples in the middle of their levels, float32 in (-1, 1); `SILENCE` is 0."""
    return np.asarray(TABLE[levels], np.float32)


def _table() -> F32:
    """Sample of each level, (256,); the two levels about 0 share it, so that silence is silent."""
    bent = (np.arange(LEVELS) + 0.5) / LEVELS * 2 - 1
    table = np.sign(bent) * np.expm1(np.abs(bent) * np.log1p(MU)) / MU
    table[SILENCE - 1 : SILENCE + 1] = 0.0
    found: F32 = table.astype(np.float32)
    found.setflags(write=False)
    return found


TABLE = _table()
"""Sample of each level, (256,) float32."""
