"""Models as evaluation sees them, a track through one or several of them, and the distances that come out.

T frames, R feature rows, W picture windows, K lags, D features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.align import MARGIN_ROWS, Aligned, align
from clapboard.dataset.store import Stored
from clapboard.errors import UsageError
from clapboard.models.session import SyncModel
from clapboard.models.spec import Calibration
from clapboard.sound.kinds import KINDS
from clapboard.sync.distance import distances
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ
from clapboard.values import F32, F64, Crops, Distances, Embeddings, Features, Hook


class Inputs(Protocol):
    """What goes into a model: see `clapboard.models.spec.ModelSpec`, which is one."""

    @property
    def view(self) -> str:
        """Which crops."""
        ...

    @property
    def sound(self) -> str:
        """Which kind of sound."""
        ...

    @property
    def window_frames(self) -> int:
        """Frames that one picture embedding sees."""
        ...

    @property
    def window_rows(self) -> int:
        """Rows that one sound embedding sees."""
        ...


class Embedder(Protocol):
    """A two-stream model, whatever runs it: `clapboard.models.session.SyncModel`, or a network in training."""

    @property
    def spec(self) -> Inputs:
        """What goes in."""
        ...

    def embed_picture(self, crops: Crops) -> Embeddings:
        """(T, px, px[, 3]) uint8 -> (T - window_frames + 1, D) at the middles of the windows."""
        ...

    def embed_sound(self, rows: F32, valid: NDArray[np.bool_], first_s: float) -> Embeddings:
        """(R, F) finished rows, (R,) bool, middle of row 0 -> (R - window_rows + 1, D), NaN without sound."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A model to be judged, with what belongs to it.

    ``zero_ms`` is added to its offsets, ``calibration`` gives its probability; None where it has none.
    """

    embedder: Embedder
    name: str
    sha256: str = ""
    zero_ms: float = 0.0
    calibration: Calibration | None = None

    @classmethod
    def of(cls, model: SyncModel) -> "Candidate":
        """An exported model, as `clapboard.models.session.load_model` gives it."""
        spec = model.spec
        return cls(model, spec.name, model.model.sha256, spec.zero_ms, spec.calibration)


def see(embedder: Embedder, images: NDArray[np.uint8]) -> Embeddings:
    """Picture embeddings of a track, its frame i at ``i / 25`` s."""
    return embedder.embed_picture(Crops(0, images, np.arange(len(images)) / PICTURE_HZ))


def hear(embedder: Embedder, clip: Aligned) -> Embeddings:
    """Sound embeddings of an aligned track every 10 ms, on the clock of `see`."""
    first_s = (clip.window_frames - 1) / 2 / PICTURE_HZ - ((clip.window_rows - 1) / 2 + MARGIN_ROWS) / FEATURE_HZ
    rows = KINDS[clip.kind].finish(Features(clip.bands, clip.valid, first_s))
    return embedder.embed_sound(rows, clip.valid, first_s)


def embed(embedder: Embedder, clip: Aligned) -> tuple[Embeddings, Embeddings]:
    """Picture (W, D) at 25 Hz and sound (R - window_rows + 1, D) at 100 Hz of an aligned track, on one clock."""
    return see(embedder, clip.images), hear(embedder, clip)


def embed_all(
    embedder: Embedder, clips: Sequence[Aligned], step: str, hook: Hook | None = None
) -> list[tuple[Embeddings, Embeddings]]:
    """What `embed` gives for each clip; ``hook(step, done, total)`` is told how many are done."""
    found = []
    for clip in clips:
        found.append(embed(embedder, clip))
        if hook:
            hook(step, len(found), len(clips))
    return found


def hear_stored(candidate: Candidate, stored: Stored, offset_ms: float) -> Embeddings:
    """Sound embeddings of a track once its sound is delayed by ``offset_ms``, so that offsets count from there.

    The candidate's own zero is taken out to the sample as well: what is measured is on Clapboard's zero.
    """
    spec = candidate.embedder.spec
    clip = align(
        stored.images,
        stored.time_s,
        stored.samples,
        stored.start_s,
        offset_ms - candidate.zero_ms,
        kind=spec.sound,
        window_frames=spec.window_frames,
        window_rows=spec.window_rows,
    )
    return hear(candidate.embedder, clip)


def has_unit_length(found: Embeddings) -> bool:
    """Whether all vectors lie on the unit sphere."""
    lengths = np.linalg.norm(found.values[np.isfinite(found.values).all(1)], axis=1)
    return bool(np.all(np.abs(lengths - 1) < 0.01))


def compare(pairs: Sequence[tuple[Embeddings, Embeddings]], max_offset_s: float) -> Distances:
    """Distances of picture and sound at every lag; of several models those of the mean of their similarities.

    The similarity of unit vectors at a distance d is ``1 - d^2 / 2``, so the mean of similarities has the root mean
    square of the distances. Windows are those that every model has; a wider one has fewer.

    Raises
    ------
    UsageError : there is no model, or one of several has vectors of other lengths than 1
    """
    if not pairs:
        raise UsageError("at least one model is needed")
    found = [distances(picture, sound, max_offset_s) for picture, sound in pairs]
    if len(found) == 1:
        return found[0]
    if not all(has_unit_length(picture) for picture, _ in pairs):
        raise UsageError("models are joined by the mean of their similarities, which needs vectors of length 1")
    # Middles of windows lie on multiples of half a frame: whole hundredths of a second name them exactly.
    names = [np.round(one.time_s * FEATURE_HZ).astype(np.int64) for one in found]
    common = names[0]
    for other in names[1:]:
        common = np.intersect1d(common, other)
    rows = [np.searchsorted(name, common) for name in names]
    squares = np.stack([one.values[row] ** 2 for one, row in zip(found, rows, strict=True)])
    lags_s: F64 = np.mean([one.lags_s for one in found], axis=0)
    return Distances(np.sqrt(squares.mean(0)), lags_s, found[0].time_s[rows[0]])


def scores(found: Distances, reach_frames: int, *, unit: bool) -> NDArray[np.floating[Any]]:
    """How well every window matches the sound at lags of whole frames, higher for a better match.

    Parameters
    ----------
    found : (W, K), lags every 10 ms
    reach_frames : lags from minus to plus this
    unit : whether the vectors have length 1: then it is their cosine, else the distance with a minus, as the published
        work averages them

    Returns
    -------
    (W, 2 reach + 1), NaN where there is no sound
    """
    step, middle = FEATURE_HZ // PICTURE_HZ, found.values.shape[1] // 2
    if middle < reach_frames * step:
        raise UsageError(f"distances reach {middle} rows, {reach_frames * step} are needed")
    some = found.values[:, middle - reach_frames * step : middle + reach_frames * step + 1 : step].astype(np.float64)
    return 1 - some**2 / 2 if unit else -some
