"""What a silent picture tells of its sound, every 10 ms: cues, and the grid that they and the sound are on.

Frame n of a shot, at t_n, owns the sound from 20 ms before t_n to 20 ms after it: 640 samples at 16 kHz, four rows of
10 ms. The wave of T frames is (640 T,), its first sample at t_0 - 20 ms; row r of the R = 4 T rows spans the samples
160 r to 160 r + 160, and position r on the rows (a float) means its middle, sample 160 r + 80.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, ROWS_PER_FRAME, SAMPLES_PER_ROW
from clapboard.values import F32, F64

SAMPLES_PER_FRAME = ROWS_PER_FRAME * SAMPLES_PER_ROW
"""Samples that a frame owns: 640."""
LEAD_S = 0.5 / PICTURE_HZ
"""The wave of a shot begins so long before its first frame, s."""
MEL_BANDS = 80
"""Bands of the log-mel."""
NONE = "none"
BLOWS = ("wood", "metal", "skin", "glass", "earth", "powder")
"""Materials that sound when they are struck; ``powder`` bursts."""
TEXTURES = ("water", "engine", "rotor", "saw")
"""What sounds all the time while it is seen to move."""
MATERIALS = (NONE, *BLOWS, *TEXTURES)
"""All that a row can be made of, in the order of `Cues.materials`."""


@dataclass(frozen=True, slots=True, eq=False)
class Cues:
    """What the picture tells of R rows.

    Attributes
    ----------
    onset : (R,) float32, 0 to 1, probability that a blow begins in the row
    energy : (R,) float32, natural log of the row's mel power, summed over its bands
    materials : (R, M) float32, probabilities of `MATERIALS`, which sum to 1
    mel : (R, 80) float32, natural log of mel power; see `clapboard.synthesis.mel`

    Raises
    ------
    UsageError : the shapes do not fit together
    """

    onset: F32
    energy: F32
    materials: F32
    mel: F32

    def __post_init__(self) -> None:
        """Check shapes."""
        rows = len(self.onset)
        wanted = {"onset": (rows,), "energy": (rows,), "materials": (rows, len(MATERIALS)), "mel": (rows, MEL_BANDS)}
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise UsageError(f"the cues' {name} is {shape} float32, not {array.shape} {array.dtype}")

    def __len__(self) -> int:
        """Rows, R."""
        return len(self.onset)

    def part(self, begin: int, end: int) -> "Cues":
        """Rows from ``begin`` up to ``end``, as views."""
        some = slice(begin, end)
        return Cues(self.onset[some], self.energy[some], self.materials[some], self.mel[some])

    def share(self, names: tuple[str, ...]) -> F32:
        """Probability that a row is one of some materials, (R,)."""
        found: F32 = self.materials[:, [MATERIALS.index(name) for name in names]].sum(1, dtype=np.float32)
        return found


def rows_of(time_s: NDArray[np.float64] | float, first_s: float) -> F64:
    """Positions on the rows of times; ``first_s`` is t_0, the time of the first frame, s. Whole at rows' middles."""
    return (np.asarray(time_s, np.float64) - first_s + LEAD_S) * FEATURE_HZ - 0.5


def times_of(rows: NDArray[np.floating] | float, first_s: float) -> F64:
    """Times of positions on the rows, s: the inverse of `rows_of`."""
    return (np.asarray(rows, np.float64) + 0.5) / FEATURE_HZ - LEAD_S + first_s


def samples_of(rows: NDArray[np.floating] | float) -> NDArray[np.int64]:
    """Samples of the wave nearest to positions on the rows."""
    return np.floor(np.asarray(rows, np.float64) * SAMPLES_PER_ROW + SAMPLES_PER_ROW // 2 + 0.5).astype(np.int64)


def rows_in(frames: int) -> int:
    """Rows of so many frames."""
    return ROWS_PER_FRAME * frames
