"""Scenes in memory: shots with pictures of 64 x 64 and log-mel sound, from a data set or from a rendered clip.

T frames 40 ms apart, R rows 10 ms apart, S sources, E events. Rows are made once, cut so that a frame's four rows lie
around its time to the sample: the same place as where lips are aligned (`clapboard.dataset.align`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.store import Dataset
from clapboard.errors import MediaError, UsageError
from clapboard.sound.kinds import KINDS
from clapboard.timebase import FEATURE_HZ, ROWS_PER_FRAME, SAMPLE_RATE_HZ, SAMPLES_PER_ROW, begin_s, row_positions
from clapboard.training.anysound.shifts import period_of
from clapboard.values import F32, F64

KIND = KINDS["log-mel-40"]
VIEW = "scene-64"
SIDE_PX = 64
LEAST_FRAMES = 25
"""A shorter shot, under a second, is left out: it has no block."""
ROWS_BEFORE_S = (ROWS_PER_FRAME - 1) / 2 / FEATURE_HZ
"""The middle of a frame's first row lies so long before the frame's time: its four rows lie around it."""


class EventLike(Protocol):
    """An event of a rendered clip; ``source`` is -1 off screen."""

    @property
    def time_s(self) -> float:
        """When it sounds, s."""

    @property
    def source(self) -> int:
        """Index into the boxes."""

    @property
    def loudness(self) -> float:
        """From 0 to 1."""


class EventClipLike(Protocol):
    """What `scene_of` takes of a rendered clip; see `clapboard.testing.events`."""

    @property
    def images(self) -> NDArray[np.uint8]:
        """(T, px, px) or (T, px, px, 3)."""

    @property
    def time_s(self) -> F64:
        """(T,) s."""

    @property
    def samples(self) -> F32:
        """(N,) or (N, channels) in [-1, 1]."""

    @property
    def sound_hz(self) -> int:
        """Rate of the samples."""

    @property
    def start_s(self) -> float:
        """Time of the first sample."""

    @property
    def events(self) -> Sequence[EventLike]:
        """All that sounds."""

    @property
    def boxes(self) -> F32:
        """(S, T, 4) x0, y0, x1, y1, px."""

    @property
    def period_s(self) -> float | None:
        """Of an exactly regular clip."""

    @property
    def kind(self) -> str:
        """What is seen."""

    @property
    def split(self) -> str:
        """How it was drawn."""

    @property
    def seed(self) -> int:
        """Everything follows from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One shot.

    Attributes
    ----------
    images : (T, 64, 64) uint8, on disk where it comes from a data set
    begin_s : time of frame 0 on the file's clock, s; the others are 40 ms apart
    bands : (R, 40) float16, natural log power of ``log-mel-40``
    valid : (R,) bool, False where there is no sound
    first_row_s : middle of row 0, s
    id, group, file : as in the manifest
    period_s : of a sound that repeats itself exactly, else None
    kind, split : of a rendered clip, else empty
    events : (E, 3) float64, time (s), source (-1 off screen), loudness; None where nobody knows
    boxes : (S, T, 4) float32, x0, y0, x1, y1 of each source, px, NaN where it is not seen; None where nobody knows
    """

    images: NDArray[np.uint8]
    begin_s: float
    bands: NDArray[np.float16]
    valid: NDArray[np.bool_]
    first_row_s: float
    id: str = ""
    group: str = ""
    file: str = ""
    period_s: float | None = None
    kind: str = ""
    split: str = ""
    events: F64 | None = None
    boxes: F32 | None = None

    @property
    def zero_row(self) -> int:
        """The first of the four rows of frame 0; negative where the sound begins after it."""
        return int(row_positions(np.array([self.begin_s - ROWS_BEFORE_S]), self.first_row_s)[0][0])

    def sounding(self, margin_rows: int = 0) -> tuple[int, int]:
        """Frames from first up to end whose rows, and so many more before and after, are there."""
        first = -((self.zero_row - margin_rows) // ROWS_PER_FRAME)
        end = (len(self.bands) - margin_rows - self.zero_row) // ROWS_PER_FRAME
        return max(0, first), min(len(self.images), end)


def make_scene(
    images: NDArray[np.uint8], time_s: F64, samples: F32, start_s: float, *, period_s: float | None = None, **more: Any
) -> Scene:
    """A scene of pictures and sound.

    Parameters
    ----------
    images, time_s : (T, 64, 64) uint8, and (T,) true times, s, on the 25 Hz grid
    samples : (N,) float32 in [-1, 1] at 16 kHz, the first one at ``start_s``
    more : the other attributes of `Scene`

    Raises
    ------
    UsageError : other shapes
    """
    if (
        images.ndim != 3
        or images.shape[1:] != (SIDE_PX, SIDE_PX)
        or time_s.shape != images.shape[:1]
        or not len(images)
    ):
        raise UsageError(f"a scene is (T, 64, 64) and (T,), not {images.shape} and {time_s.shape}")
    if samples.ndim != 1:
        raise UsageError(f"a scene's sound is (N,), one channel, not {samples.shape}")
    begin = begin_s(np.asarray(time_s, np.float64))
    middle_s = KIND.row_samples / 2 / SAMPLE_RATE_HZ
    first = round((begin - ROWS_BEFORE_S - middle_s - start_s) * SAMPLE_RATE_HZ) % SAMPLES_PER_ROW
    bands = KIND.bands(np.asarray(samples[first:], np.float32)).astype(np.float16)
    first_row_s = start_s + first / SAMPLE_RATE_HZ + middle_s
    return Scene(images, begin, bands, np.ones(len(bands), np.bool_), first_row_s, period_s=period_s, **more)


def scene_of(clip: EventClipLike) -> Scene:
    """A rendered clip as a scene, without a file; colours and channels become their means.

    Raises
    ------
    UsageError : its sound is not at 16 kHz, or its pictures are not 64 x 64
    """
    if clip.sound_hz != SAMPLE_RATE_HZ:
        raise UsageError(f"a scene's sound comes at {SAMPLE_RATE_HZ} Hz, not {clip.sound_hz} Hz; render it so")
    images = np.round(clip.images.mean(-1)).astype(np.uint8) if clip.images.ndim == 4 else clip.images
    samples = clip.samples.mean(1) if clip.samples.ndim == 2 else clip.samples
    name = f"{clip.kind}-{clip.split}-{clip.seed}"
    return make_scene(
        images,
        np.asarray(clip.time_s, np.float64),
        np.asarray(samples, np.float32),
        clip.start_s,
        period_s=clip.period_s,
        id=name,
        group=name,
        file=name,
        kind=clip.kind,
        split=clip.split,
        events=_events([(event.time_s, event.source, event.loudness) for event in clip.events]),
        boxes=np.asarray(clip.boxes, np.float32),
    )


def load_scenes(
    folder: str | Path,
    *,
    groups: Sequence[str] | None = None,
    limit: int | None = None,
    least_frames: int = LEAST_FRAMES,
) -> list[Scene]:
    """Scenes of a data set, their pictures left on disk.

    Where ``truth.jsonl`` lies beside the manifest, events, boxes and periods come from there; otherwise the period is
    looked for in the sound.

    Parameters
    ----------
    groups : only of these recordings
    limit : no more than so many scenes, the first ones
    least_frames : shorter shots are left out

    Raises
    ------
    MediaError : the data set or its truth is missing or damaged
    UsageError : it is no data set of small scenes
    """
    found = Dataset.open(folder)
    if found.view != VIEW:
        raise UsageError(f"{folder}: holds {found.view}, not {VIEW}; make it with clapboard prepare --kind sounds")
    truth = read_truth(found.folder / "truth.jsonl")
    wanted = None if groups is None else set(groups)
    scenes: list[Scene] = []
    for entry in found.entries:
        if limit is not None and len(scenes) >= limit:
            break
        if entry.frames < least_frames or (wanted is not None and entry.group not in wanted):
            continue
        stored = found.stored(entry)
        if truth is not None and entry.id not in truth:
            raise MediaError(f"{found.folder / 'truth.jsonl'}: says nothing of {entry.id}; make the data set anew")
        samples = np.asarray(stored.samples, np.float32) / np.float32(32767)
        said: dict[str, Any] = truth[entry.id] if truth is not None else {"period_s": period_of(samples)}
        names: dict[str, Any] = {"id": entry.id, "group": entry.group, "file": entry.file}
        scenes.append(make_scene(stored.images, stored.time_s, samples, stored.start_s, **names, **said))
    return scenes


def read_truth(path: Path) -> dict[str, dict[str, Any]] | None:
    """What ``truth.jsonl`` says of each entry, as attributes of `Scene`; None where there is no such file.

    A line without an end was never finished, and its entry is not in the manifest.

    Raises
    ------
    MediaError : it cannot be read
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
        return {str(row["id"]): _truth(row) for row in rows}
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path}: is damaged ({error}); make the data set anew") from None


def _truth(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the truth."""
    boxes = [[[np.nan] * 4 if box is None else box for box in source] for source in row["boxes"]]
    period_s = row["period_s"]
    return {
        "kind": str(row["kind"]),
        "split": str(row["split"]),
        "period_s": None if period_s is None else float(period_s),
        "events": _events(row["events"]),
        "boxes": np.array(boxes, np.float32).reshape(len(boxes), -1, 4) if boxes else np.zeros((0, 0, 4), np.float32),
    }


def _events(rows: Sequence[Sequence[float]]) -> F64:
    """Events as (E, 3) float64."""
    return np.array(rows, np.float64).reshape(-1, 3)


def split_by_group(scenes: Sequence[Scene], share: float, seed: int = 0) -> tuple[list[Scene], list[Scene]]:
    """Scenes to learn from, and those of held-out recordings: a share of the recordings, never split.

    The same recordings are held out whatever the order of the scenes.

    Raises
    ------
    UsageError : the share is not between 0 and 1
    """
    if not 0 <= share < 1:
        raise UsageError(f"the share of held-out recordings is from 0 to less than 1, not {share}")
    groups = sorted({scene.group for scene in scenes})
    count = min(max(round(share * len(groups)), 1), len(groups) - 1) if share and groups else 0
    away = {groups[i] for i in np.random.default_rng(seed).permutation(len(groups))[:count]}
    return [s for s in scenes if s.group not in away], [s for s in scenes if s.group in away]
