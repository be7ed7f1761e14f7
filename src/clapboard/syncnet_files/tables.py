"""What the published pipeline keeps of a file beside its films, as plain values, and their pickles.

Keys, shapes and types are those of ``run_pipeline.py`` and ``run_syncnet.py`` [1]_. Frames are counted on the 25 Hz
grid from the start of the picture: frame n shows the picture nearest to ``start_s + n / 25`` on the file's clock.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016; the released code,
   https://github.com/joonson/syncnet_python.
"""

import io
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F64, Shot, Track
from clapboard.vision.views import VIEWS, poses

VIEW = VIEWS["face-224"]
"""What the published network sees of a face."""
DOWN, SIDE = 0.4, 2.8
"""How far the middle of its square lies below that of the face, and how long its side is, in halves of the longer side
of the face."""
PICKLE_PROTOCOL = 4
"""Read by Python 3.4 and later."""
COLUMNS = ("FILENAME", "OFFSET", "CONF", "OFFSET_MS", "MIN_DIST", "TRACK", "BEGIN_S")
"""The first three are those that ``run_syncnet.py`` wrote as long as it wrote the table."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The frames of a file: ``numbers`` (N,) of those that exist, from 0 on, and the true times ``time_s`` (N,).

    ``start_s`` is the time of the grid's frame 0.
    """

    numbers: NDArray[np.int64]
    time_s: F64
    start_s: float

    @property
    def frames(self) -> int:
        """How many there are, those in holes of the picture counted too."""
        return int(self.numbers[-1]) + 1 if len(self.numbers) else 0

    def number(self, time_s: float) -> int:
        """Number of the first frame that shows the picture of this time, or a later one."""
        at = int(np.searchsorted(self.time_s, time_s))
        return int(self.numbers[at]) if at < len(self.numbers) else self.frames


class Row(NamedTuple):
    """One line of ``offsets.txt``: what the published rule says of one track.

    Offset and distances are NaN where there is no sound under the track; see `clapboard.metrics.lse.published`.
    """

    file: str
    offset_frames: float
    confidence: float
    offset_ms: float
    min_distance: float
    track: int
    begin_s: float


def frames_of(track: Track, grid: Grid) -> NDArray[np.int64]:
    """Numbers of the frames of a track, (T,) int64, one after the other."""
    return grid.number(float(track.time_s[0])) + np.arange(len(track.time_s), dtype=np.int64)


def faces(tracks: Sequence[Track], grid: Grid) -> list[list[dict[str, Any]]]:
    """For every frame the faces that were seen in it: ``frame`` int, ``bbox`` [x1, y1, x2, y2] px, ``conf`` 0 to 1."""
    found: list[list[dict[str, Any]]] = [[] for _ in range(grid.frames)]
    for track in tracks:
        scores = np.where(track.interpolated, np.nan, 1.0) if track.scores is None else track.scores
        frames = frames_of(track, grid)
        for at in np.flatnonzero(np.isfinite(scores)).tolist():  # elsewhere it was not seen: its place is interpolated
            frame = int(frames[at])
            found[frame].append({"frame": frame, "bbox": track.boxes[at].tolist(), "conf": float(scores[at])})
    return found


def scenes(shots: Sequence[Shot], grid: Grid) -> list[tuple[int, int]]:
    """First frame of each shot, and the first one after it; the published pipeline has objects with a timecode here."""
    starts = [grid.number(shot.start_s) for shot in shots]
    return list(zip(starts, [*starts[1:], grid.frames], strict=False))


def track_of(track: Track, grid: Grid) -> dict[str, Any]:
    """A track as it was found and as it was cut out.

    Returns
    -------
    ``track``: ``frame`` (T,) int64, ``bbox`` (T, 4) float64 px; ``proc_track``: middle of the face ``x``, ``y`` and
    half of its longer side ``s``, each (T,) float64 px, as the square was laid that was cut out
    """
    pose = poses(VIEW, track.boxes, track.landmarks)
    half = pose[:, 3] / SIDE
    return {
        "track": {"frame": frames_of(track, grid), "bbox": track.boxes.astype(np.float64)},
        "proc_track": {"x": pose[:, 0].copy(), "y": pose[:, 1] - DOWN * half, "s": half},
    }


def offsets(rows: Sequence[Row], remarks: Mapping[str, str]) -> str:
    """The table, values parted by tabs, and below it what else there is to know, each line with a # in front."""
    table = [
        f"{row.file}\t{row.offset_frames:.0f}\t{row.confidence:.3f}\t{row.offset_ms:.0f}\t{row.min_distance:.3f}"
        f"\t{row.track}\t{row.begin_s:.4f}"
        for row in rows
    ]
    below = [f"# {name}: {value}" for name, value in remarks.items()]
    return "\n".join(["\t".join(COLUMNS), *table, *below]) + "\n"


def pickled(value: Any) -> bytes:
    """A pickle that needs numpy of any version, and nothing else, to be loaded.

    Raises
    ------
    TypeError : it holds anything but arrays of numbers and what is built into Python
    """
    out = io.BytesIO()
    _Plain(out, PICKLE_PROTOCOL).dump(value)
    return out.getvalue()


class _Plain(pickle.Pickler):
    """By itself numpy names a module that is called ``numpy.core`` before version 2 and ``numpy._core`` since."""

    def reducer_override(self, value: Any) -> Any:
        """Arrays as the type itself, called and filled."""
        if type(value) is np.ndarray and value.dtype.kind in "biuf":
            return np.ndarray, ((0,), value.dtype), (1, value.shape, value.dtype, False, value.tobytes())
        if isinstance(value, np.dtype) or value is np.ndarray or value is np.dtype:
            return NotImplemented
        raise TypeError(f"a {type(value).__name__} is no plain value")
