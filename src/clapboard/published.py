"""Distances on the grid of the published pipeline: whole frames of 40 ms, 15 to either side, zeros beyond the track.

`clapboard.sync.distance` measures every 10 ms and leaves out what has no sound. This module exists to reproduce numbers
that people publish (LSE-D, LSE-C) and files that their scripts read, so it keeps the published ways [1]_:

- Each face track stands for itself, and its sound is only that under it. Window i of the picture is frames i to i + 4
  of the track, window i of the sound begins with frame i; there are five windows fewer than frames, or than whole
  frames of sound.
- A window of sound before the first or behind the last one of the track is a vector of zeros, though the file may have
  sound there. The columns at the ends therefore hold distances to nothing in the first and last 15 windows; on streams
  that do not belong together such a column often wins.
- Every window counts, in silence too.

Two things are not as there. Times are those of the file: where its sound begins elsewhere than its picture, or frames
come unevenly, the published pipeline errs, see `clapboard.timebase.begin_s`. And windows in a hole of the file's sound
are zeros, where its decoder fills the hole with silence.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016; ``evaluate`` and
   ``calc_pdist`` of the released ``SyncNetInstance.py``, with ``vshift`` 15 as ``run_syncnet.py`` calls it.
"""

import numpy as np
from numpy.typing import NDArray

from clapboard.models.session import SyncModel
from clapboard.pipeline import CHUNK_S, Measured, sound_between
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, ROWS_PER_FRAME, SAMPLE_RATE_HZ, begin_s
from clapboard.values import F32

SHIFT_FRAMES = 15
"""How far is searched, to either side, frames of 40 ms."""
LAGS = 2 * SHIFT_FRAMES + 1
"""Columns of the distances. Column k compares with sound k - 15 frames later: where it is least, the sound is 15 - k
frames early."""
EPSILON = 1e-6
"""Added to every difference before it is squared, as torch's ``pairwise_distance`` does."""
BLOCK_WINDOWS = 2048
"""Windows that are compared at once."""


def published_distances(measured: Measured, model: SyncModel) -> dict[int, F32]:
    """Distances of every face track of a file, as the published code has them.

    Parameters
    ----------
    measured : a file, decoded for this model
    model : the published one, converted with ``clapboard models import``, or any other: then the distances are its own,
        on the same grid and with the same zero

    Returns
    -------
    by track number (T, 31) float32, T five less than the frames of the track that have sound; (0, 31) for a track that
    is too short or has none. ``15 - argmin`` of a row is the offset in frames, positive when the sound is early.
    """
    rows = {number: _window_rows(measured, model, number) for number in sorted(measured.lips)}
    heard = _heard(measured, model, rows)
    return {number: _distances(measured.lips[number].values[: len(of)], heard[number]) for number, of in rows.items()}


def _window_rows(measured: Measured, model: SyncModel, number: int) -> NDArray[np.int64]:
    """First feature row of each window of sound of a track, (T,): nearest in time, so within 5 ms."""
    features, spec = measured.features, model.spec
    frames, valid = len(measured.tracks[number].time_s), np.flatnonzero(features.valid)
    if not len(valid) or frames <= spec.window_frames:
        return np.zeros(0, np.int64)
    start_s, half_row_s = begin_s(measured.tracks[number].time_s), model.kind.row_samples / 2 / SAMPLE_RATE_HZ
    # Up to one sample less than a row may follow the last row: only with it are sound and picture of equal length.
    end_s = features.first_s + (valid[-1] + 1) / FEATURE_HZ + half_row_s - 1 / SAMPLE_RATE_HZ
    sounding = int(np.floor((end_s - start_s) * PICTURE_HZ + 1e-6))
    count = max(0, min(frames, sounding) - spec.window_frames)
    # Lag 0 of Clapboard pairs middles; the zero of a model is where it finds the sound of what is in sync.
    picture_s = start_s + (spec.window_frames - 1) / 2 / PICTURE_HZ
    first_s = picture_s + spec.zero_ms / 1000 - (spec.window_rows - 1) / 2 / FEATURE_HZ
    first = int(np.floor((first_s - features.first_s) * FEATURE_HZ + 0.5))
    return first + ROWS_PER_FRAME * np.arange(count)


def _heard(measured: Measured, model: SyncModel, rows: dict[int, NDArray[np.int64]]) -> dict[int, F32]:
    """Vectors of the windows of sound that begin with these rows, zeros where there is none; each row embedded once."""
    found = {number: np.zeros((len(of), model.spec.embedding), np.float32) for number, of in rows.items()}
    ends = [int(end) for of in rows.values() if len(of) for end in (of[0], of[-1] + 1)]
    size = round(CHUNK_S * FEATURE_HZ)
    for begin in range(max(0, min(ends, default=0)), max(ends, default=0), size):
        if not any(((of >= begin) & (of < begin + size)).any() for of in rows.values()):
            continue
        sound = sound_between(measured.features, model, begin, begin + size + model.spec.window_rows - 1).values
        for number, of in rows.items():
            here = (of >= begin) & (of < begin + len(sound))
            found[number][here] = np.nan_to_num(sound[of[here] - begin])
    return found


def _distances(picture: F32, sound: F32) -> F32:
    """Distances (T, 31) of T windows of picture, (T, D), to those of sound, (T, D), up to 15 windows away."""
    count = len(picture)
    padded = np.pad(sound, ((SHIFT_FRAMES, SHIFT_FRAMES), (0, 0)))
    found = np.empty((count, LAGS), np.float32)
    for start in range(0, count, BLOCK_WINDOWS):
        stop = min(start + BLOCK_WINDOWS, count)
        vectors = picture[start:stop].astype(np.float32)
        for lag in range(LAGS):
            apart = vectors - padded[start + lag : stop + lag] + np.float32(EPSILON)
            found[start:stop, lag] = np.sqrt(np.einsum("td,td->t", apart, apart))
    return found
