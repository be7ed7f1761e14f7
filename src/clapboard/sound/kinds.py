"""The kinds of sound that networks take: how rows are made of samples, and what is handed to the network in the end.

Every kind has a row every 10 ms. Its bands are natural logarithms of power, so that noise and other voices can be added
to them whatever the kind; only the last step, `SoundKind.finish`, makes of them what the network was trained on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from clapboard.sound import features, mel80, mfcc13
from clapboard.values import F32, Features


class Finish(Protocol):
    """The last step of a kind: rows ``start`` to ``stop`` as the network takes them, (stop - start, F) float32."""

    def __call__(self, features: Features, start: int = 0, stop: int | None = None) -> F32:
        """See the class."""
        ...


@dataclass(frozen=True, slots=True)
class SoundKind:
    """One kind of sound.

    Attributes
    ----------
    name : what model files call it
    columns : bands in a row
    features : numbers in a row as the network takes it
    row_samples : samples (16 kHz) that a row spans; row r begins at sample 160 r
    lead_rows : rows that have to be made before the first one wanted, since pre-emphasis looks one sample back
    dtype : what bands are stored as
    floor : band of digital silence, natural-log power
    bands : samples (N,) float32 -> (R, columns) float32, R = 1 + (N - row_samples) // 160, or 0
    finish : see `Finish`
    phases : how many times a row holds the same bands, one after the other in time
    energy : whether the last column is that of all bands together
    """

    name: str
    columns: int
    features: int
    row_samples: int
    lead_rows: int
    dtype: type[np.floating[Any]]
    floor: float
    bands: Callable[[F32], F32]
    finish: Finish
    phases: int = 1
    energy: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        SoundKind(
            name="log-mel-40",
            columns=features.MEL_BINS,
            features=features.MEL_BINS,
            row_samples=features.WINDOW_SAMPLES,
            lead_rows=0,
            dtype=np.float16,
            floor=float(np.log(features.FLOOR)),
            bands=features.log_mel,
            finish=features.normalise,
        ),
        SoundKind(
            name="mfcc-13",
            columns=mfcc13.COLUMNS,
            features=mfcc13.COEFFICIENTS,
            row_samples=mfcc13.WINDOW_SAMPLES,
            lead_rows=1,
            dtype=np.float32,
            floor=float(np.log(mfcc13.LEAST_POWER)),
            bands=mfcc13.bands,
            finish=mfcc13.finish,
            energy=True,
        ),
        SoundKind(
            name="mel-80",
            columns=mel80.COLUMNS,
            features=mel80.COLUMNS,
            row_samples=mel80.ROW_SAMPLES,
            lead_rows=1,
            dtype=np.float16,
            floor=mel80.FLOOR_DB / mel80.NEPER_DB,
            bands=mel80.bands,
            finish=mel80.finish,
            phases=mel80.COLUMNS_PER_ROW,
        ),
    )
}
"""Every kind by its name."""
SPEECH_KIND = "log-mel-40"
"""Whether there is speech is told by rows of this kind, whatever the network takes; see `clapboard.sound.activity`."""
