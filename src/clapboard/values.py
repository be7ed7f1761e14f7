"""The values that pass between stages: few, frozen, their shapes and units checked where they are made.

Letters of shapes: T frames or windows, N samples, K lags, D features, n faces. Times are seconds on the file's clock.
Offsets are positive when the sound is early; see `clapboard.timebase`. Arrays are left out when a value is printed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
By = Literal["lips", "any sound"]
OffsetFrom = Literal["file", "user", "likely", "assumed"]
Status = Literal["in_sync", "out_of_sync", "undecided", "error"]
Hook = Callable[[str, float, float | None], None]
"""What long work is told of: ``hook(step, done, total)``, the total None while it is not known."""


def _require(what: str, good: bool, **shapes: NDArray[Any]) -> None:
    """Raise with every shape at hand when a value does not fit together."""
    if not good:
        seen = ", ".join(f"{name} {array.shape} {array.dtype}" for name, array in shapes.items())
        raise UsageError(f"{what}: {seen}")


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a file.

    ``index`` counts all streams of the container; ``start_s`` and ``duration_s`` are on the file's clock, the latter
    None where the container does not say.
    """

    index: int
    kind: Literal["video", "audio", "other"]
    codec: str
    start_s: float
    duration_s: float | None
    language: str = ""
    default: bool = False
    rate_hz: int = 0
    channels: int = 0
    width_px: int = 0
    height_px: int = 0


@dataclass(frozen=True, slots=True)
class Clip:
    """What a container says of itself before anything is decoded.

    ``rate`` is the average frame rate as a fraction (0 when unknown), ``variable_rate`` whether the container's two
    ideas of it disagree, ``rotation_deg`` the clockwise turn to be applied for display, ``sample_aspect`` the width of
    a pixel over its height. ``video`` and ``audio`` are the streams that will be read. ``data`` are the bytes of a file
    that is in memory, whose ``path`` is only a name.
    """

    path: Path
    container: str
    streams: tuple[Stream, ...]
    video: Stream | None
    audio: Stream | None
    rate: Fraction
    variable_rate: bool
    rotation_deg: int
    sample_aspect: Fraction
    duration_s: float | None
    versions: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture: ``time_s`` is its presentation time, ``image`` (H, W) uint8 luma, upright, square pixels.

    ``thumbnail`` (h, w, 3) uint8 is a coarse colour view (luma and both chroma planes) for finding cuts. ``colour``
    (H, W, 3) uint8 is RGB, 0 to 255, where it was asked for.
    """

    time_s: float
    image: NDArray[np.uint8] = field(repr=False)
    thumbnail: NDArray[np.uint8] = field(repr=False)
    colour: NDArray[np.uint8] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check shapes."""
        _require("image must be (H, W) uint8", self.image.ndim == 2 and self.image.dtype == np.uint8, image=self.image)
        if self.colour is not None:
            good = self.colour.shape == (*self.image.shape, 3) and self.colour.dtype == np.uint8
            _require(
                "colour must be (H, W, 3) uint8, as large as the image", good, image=self.image, colour=self.colour
            )


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A run of sound without gaps: ``samples`` float32 in [-1, 1], ``start_s`` the time of the first one.

    They are (N,), or (N, 2) where two channels were asked for.
    """

    samples: F32 = field(repr=False)
    rate_hz: int
    start_s: float

    def __post_init__(self) -> None:
        """Check shapes."""
        _require(
            "samples must be (N,) or (N, channels) float32",
            self.samples.ndim in (1, 2) and self.samples.dtype == np.float32,
            samples=self.samples,
        )

    @property
    def end_s(self) -> float:
        """Time just after the last sample, s."""
        return self.start_s + len(self.samples) / self.rate_hz


@dataclass(frozen=True, slots=True)
class Shot:
    """The time between two cuts, half-open, s."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Faces of one frame: ``boxes`` (n, 4) x0 y0 x1 y1 px, ``scores`` (n,), ``landmarks`` (n, 5, 2) x y px.

    Landmarks are left eye, right eye, nose, left and right corner of the mouth, as the viewer sees them.
    """

    boxes: F32 = field(repr=False)
    scores: F32 = field(repr=False)
    landmarks: F32 = field(repr=False)

    def __post_init__(self) -> None:
        """Check shapes."""
        n = len(self.boxes)
        good = self.boxes.shape == (n, 4) and self.scores.shape == (n,) and self.landmarks.shape == (n, 5, 2)
        _require(
            "faces must be (n, 4), (n,), (n, 5, 2)",
            good,
            boxes=self.boxes,
            scores=self.scores,
            landmarks=self.landmarks,
        )

    def __len__(self) -> int:
        """Number of faces."""
        return len(self.boxes)


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face through one shot, on the picture grid.

    ``time_s`` (T,) are the true times of the frames that fill the grid, ``boxes`` (T, 4) px, ``landmarks`` (T, 5, 2)
    px as detected, ``interpolated`` (T,) bool where the detector missed. ``scores`` (T,) float32 are how sure the
    detector was, 0 to 1, NaN where it missed; None where that was not kept.
    """

    number: int
    shot: Shot
    time_s: F64 = field(repr=False)
    boxes: F32 = field(repr=False)
    landmarks: F32 = field(repr=False)
    interpolated: NDArray[np.bool_] = field(repr=False)
    scores: F32 | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check shapes."""
        n = len(self.time_s)
        good = self.boxes.shape == (n, 4) and self.landmarks.shape == (n, 5, 2) and self.interpolated.shape == (n,)
        good = good and (self.scores is None or self.scores.shape == (n,))
        _require(
            "track must be (T,), (T, 4), (T, 5, 2), (T,)",
            good,
            time_s=self.time_s,
            boxes=self.boxes,
            landmarks=self.landmarks,
            interpolated=self.interpolated,
        )

    @property
    def face_px(self) -> float:
        """Median width of the face, px."""
        return float(np.median(self.boxes[:, 2] - self.boxes[:, 0])) if len(self.boxes) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Crops of one track: ``images`` on consecutive points of the picture grid, ``time_s`` (T,).

    ``images`` are (T, h, w) uint8 luma, or (T, h, w, 3) uint8 RGB.
    """

    track: int
    images: NDArray[np.uint8] = field(repr=False)
    time_s: F64 = field(repr=False)

    def __post_init__(self) -> None:
        """Check shapes."""
        _require(
            "crops must be (T, h, w) or (T, h, w, 3) uint8, and (T,)",
            (self.images.ndim == 3 or (self.images.ndim == 4 and self.images.shape[3] == 3))
            and self.images.dtype == np.uint8
            and self.time_s.shape == self.images.shape[:1],
            images=self.images,
            time_s=self.time_s,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Rows of a file's sound: ``values`` (R, F) float16 or float32, ``valid`` (R,) False where there is none.

    ``first_s`` is the middle of row 0, s; rows are 10 ms apart.
    """

    values: NDArray[np.floating[Any]] = field(repr=False)
    valid: NDArray[np.bool_] = field(repr=False)
    first_s: float

    def __post_init__(self) -> None:
        """Check shapes."""
        good = self.values.ndim == 2 and self.valid.shape == self.values.shape[:1]
        _require("features must be (R, F) and (R,)", good, values=self.values, valid=self.valid)


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Vectors of one stream: ``values`` (T, D), unit length, NaN rows where nothing was there; ``time_s`` (T,).

    The time is the middle of what the network saw.
    """

    values: F32 = field(repr=False)
    time_s: F64 = field(repr=False)

    def __post_init__(self) -> None:
        """Check shapes."""
        _require(
            "embeddings must be (T, D) and (T,)",
            self.values.ndim == 2 and self.time_s.shape == self.values.shape[:1],
            values=self.values,
            time_s=self.time_s,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a network for any sound makes of the picture: ``values`` (T, D), ``places`` (T, h, w), ``time_s`` (T,).

    ``places``, not negative, are how much attention each place of the picture gets; ``values`` are the vectors of all
    places, summed with that attention. The time is the middle of the window that was seen.
    """

    values: F32 = field(repr=False)
    places: F32 = field(repr=False)
    time_s: F64 = field(repr=False)

    def __post_init__(self) -> None:
        """Check shapes."""
        n = len(self.time_s)
        good = self.values.ndim == 2 and self.places.ndim == 3 and len(self.values) == len(self.places) == n
        shapes: dict[str, NDArray[Any]] = {"values": self.values, "places": self.places, "time_s": self.time_s}
        _require("what is seen must be (T, D), (T, h, w), (T,)", good and self.time_s.ndim == 1, **shapes)


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """``values`` (T, K): Euclidean distance between the picture at ``time_s`` and the sound ``lags_s`` later.

    NaN where the file has no sound there. ``lags_s`` (K,) ascends.
    """

    values: F32 = field(repr=False)
    lags_s: F64 = field(repr=False)
    time_s: F64 = field(repr=False)

    def __post_init__(self) -> None:
        """Check shapes."""
        _require(
            "distances must be (T, K), (K,), (T,)",
            self.values.shape == (len(self.time_s), len(self.lags_s)),
            values=self.values,
            lags_s=self.lags_s,
            time_s=self.time_s,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Offset:
    """How far the sound is from the picture, and how sure that is.

    Attributes
    ----------
    offset_ms : positive when the sound is early; NaN where there was nothing to measure
    confidence : median of the mean curve minus its minimum
    min_distance : minimum of the mean curve
    curve : (K,) the mean curve, NaN at lags without enough sound
    offsets_ms : (K,) the offset that each point of the curve stands for, descending
    windows : picture windows that were averaged
    p_within_frame : probability that the offset is right within one frame of 40 ms
    reasons : why not to believe it; empty means that it is trusted
    """

    offset_ms: float
    confidence: float
    min_distance: float
    curve: F32 = field(repr=False)
    offsets_ms: F64 = field(repr=False)
    windows: int
    p_within_frame: float = float("nan")
    reasons: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against acting on it."""
        return not self.reasons and bool(np.isfinite(self.offset_ms))


@dataclass(frozen=True, slots=True)
class Model:
    """Which model gave the numbers: its name and the SHA-256 of its weights."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class TrackReport:
    """What one face track says: when it is seen, how wide the face is, its own offset, and whether it decided.

    ``speaking_share`` is the part of its windows that have speech and so were averaged, 0 to 1.
    """

    number: int
    start_s: float
    end_s: float
    face_px: float
    speaking_share: float
    offset: Offset
    decides: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a tolerance says of an offset: the profile's name, how far sound may lead and lag, ms, and the answer."""

    profile: str
    max_lead_ms: float
    max_lag_ms: float
    status: Status


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """When and where in the picture was looked for what sounds, and whether the file could be told at all.

    Attributes
    ----------
    blocks_s : (B, 2) start and end of each block of time, s
    weights : (B,) float32, share of all attention that the block got; they sum to 1, or are all 0 where there was none
    maps : (B, h, w) float32, the same share by place; each block's sums to its weight
    synchronisable : whether the picture shows when the sound happens, the sound does not just repeat, and the offset is
        likely enough to be right, where the model knows; see `clapboard.sync.any_trust.judge`
    p_synchronisable : probability of that, 0 to 1; NaN for a model that is not calibrated for it
    """

    blocks_s: F64 = field(repr=False)
    weights: F32 = field(repr=False)
    maps: F32 = field(repr=False)
    synchronisable: bool
    p_synchronisable: float

    def __post_init__(self) -> None:
        """Check shapes."""
        n = len(self.weights)
        good = self.blocks_s.shape == (n, 2) and self.weights.ndim == 1 and self.maps.ndim == 3 and len(self.maps) == n
        shapes: dict[str, NDArray[Any]] = {"blocks_s": self.blocks_s, "weights": self.weights, "maps": self.maps}
        _require("attention must be (B, 2), (B,), (B, h, w)", good, **shapes)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a check found out about one file.

    ``offset`` is that of the whole file, from the faces whose lips match the sound; ``hints`` say what would help when
    it is undecided; ``error`` holds the one line when the file could not be measured at all. ``by`` is what was
    measured by; of lips there are ``tracks``, of any sound there is ``attention``. ``why_by`` is empty where the user
    chose, else why it is not lips.
    """

    file: str
    clip: Clip | None
    offset: Offset
    tracks: tuple[TrackReport, ...]
    verdict: Verdict
    model: Model
    hints: tuple[str, ...] = ()
    error: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: int = 1
    by: By = "lips"
    attention: Attention | None = None
    why_by: str = ""

    @property
    def status(self) -> Status:
        """``in_sync``, ``out_of_sync``, ``undecided`` or ``error``."""
        return "error" if self.error else self.verdict.status


@dataclass(frozen=True, slots=True, eq=False)
class FaceSpeech:
    """When one face speaks: T frames of its track, on the picture grid, 40 ms apart.

    Attributes
    ----------
    number : of the track, as in reports
    time_s : (T,) true times of the frames, s
    boxes : (T, 4) float32 x0 y0 x1 y1 of the face, px of the upright picture
    distance : (T,) float32 between these lips and the sound within one frame of the file's offset; NaN without sound
    score : (T,) float32, 0 to 1: how likely it is that this face speaks here
    speaking : (T,) bool, what was decided
    """

    number: int
    time_s: F64 = field(repr=False)
    boxes: F32 = field(repr=False)
    distance: F32 = field(repr=False)
    score: F32 = field(repr=False)
    speaking: NDArray[np.bool_] = field(repr=False)

    def __post_init__(self) -> None:
        """Check shapes."""
        n = len(self.time_s)
        good = self.boxes.shape == (n, 4) and self.distance.shape == self.score.shape == self.speaking.shape == (n,)
        _require(
            "speech of a face must be (T,), (T, 4), (T,), (T,), (T,)",
            good,
            time_s=self.time_s,
            boxes=self.boxes,
            distance=self.distance,
            score=self.score,
            speaking=self.speaking,
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of speech, half-open, s: of the face with this track number, or of nobody on screen (None).

    ``score`` is the mean score of the face over it, 0 to 1; of nobody, one minus that of the likeliest face.
    """

    start_s: float
    end_s: float
    face: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who speaks when in one file.

    Attributes
    ----------
    report : what `clapboard.check` says of the file
    offset_ms : the offset at which lips and sound were compared, positive = sound early
    offset_from : where it comes from: the ``file``; the ``user``; ``likely``, measured in the file and not trusted for
        the whole of it, but lips match the sound better there than at 0; or ``assumed``, 0 where nothing says more
    faces : every face track, in the order of its number
    turns : stretches of speech in the order of their start; those of different faces may overlap
    method : how distances became decisions
    """

    report: Report
    offset_ms: float
    offset_from: OffsetFrom
    faces: tuple[FaceSpeech, ...]
    turns: tuple[Turn, ...]
    method: str
