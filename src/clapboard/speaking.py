"""Who speaks when in a file: every face's lips against the sound at the file's own offset, smoothed over time.

::

    found = clapboard.who_speaks("panel.mp4")
    for turn in found.turns:
        print(f"{turn.start_s:.2f} to {turn.end_s:.2f} s: ", "nobody on screen" if turn.face is None else turn.face)

Lips and sound are compared once (`compare`), and decisions taken from that (`decide`) as often as one likes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import MediaError, ModelError, UsageError
from clapboard.models import DEFAULT_MODEL
from clapboard.models.session import SyncModel
from clapboard.pipeline import Measured, measure, opened, report_on, side_by_side
from clapboard.sound.activity import active_rows
from clapboard.speakers.evidence import REACH_S, bridged, contrast, first_grid, to_frames
from clapboard.speakers.states import SpeakingModel, log_evidence, posteriors
from clapboard.speakers.turns import turns_of
from clapboard.speakers.windows import MEDIAN_FRAMES, largest, median_filter, window_means
from clapboard.sync.distance import distances
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ
from clapboard.values import F32, F64, Embeddings, FaceSpeech, Hook, OffsetFrom, Report, Speakers, Track, Turn
from clapboard.verdict import DEFAULT_PROFILE, parse_profile
from clapboard.vision.detect import Detector

Method = Literal["states", "window", "median"]
METHODS: tuple[Method, ...] = get_args(Method)
WINDOW_FRAMES = 25
"""Frames that the method ``window`` averages over unless told otherwise: 1 s. The paper takes 10 and 100."""
SOUND_S = 0.2
"""A frame sounds where more than half of the sound around it, as much as one embedding hears, is not quiet (s)."""
WIDEST_OFFSET_MS = 3_600_000.0
"""Nobody means an offset of more than an hour (ms)."""
MAX_POINTS = 10_000_000
"""More points of the grid than any film has (111 hours): timestamps that claim them are damaged."""
APART_MS = 80.0
"""Offsets this far apart are different answers, so that a search has twice its range by this many (ms)."""
PAUSE_S = 0.3
"""A pause inside speech that is not longer than this belongs to it (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One track on the picture grid: ``first`` is the point of its first frame, the rest is (T,) each.

    ``distance`` and ``contrast`` as `clapboard.speakers.evidence.contrast` gives them.
    """

    track: Track
    first: int
    distance: F32
    contrast: F32

    @property
    def last(self) -> int:
        """One past the grid point of its last frame."""
        return self.first + len(self.contrast)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Lips and sound of one file, compared at one offset: all that decisions are made from.

    ``active`` (G,) bool is whether the sound that belongs to grid point ``first + i`` is not quiet; see `Speakers` for
    the rest.
    """

    report: Report
    offset_ms: float
    offset_from: OffsetFrom
    faces: tuple[Face, ...]
    first: int
    active: NDArray[np.bool_]
    model: SpeakingModel


def who_speaks(
    path: str | Path,
    *,
    offset_ms: float | None = None,
    method: Method = "states",
    window_frames: int = WINDOW_FRAMES,
    max_offset_ms: float = 1000.0,
    audio_track: int | None = None,
    model: str | Path | SyncModel = DEFAULT_MODEL,
    detector: Detector | None = None,
    hook: Hook | None = None,
    threads: int = 1,
) -> Speakers:
    """Who speaks when in a file, from one decode.

    Parameters
    ----------
    path : any mp4, mov, mkv, webm, avi, ts, mpg ... with picture and sound
    offset_ms : the offset of the file, positive = sound early; measured where None. Where what was measured is not
        trusted it is taken nevertheless if faces then match the sound clearly better, in parts of the file, than at 0;
        else 0 is
    method : ``states``, a two-state model smoothed over time; ``window``, the mean over a sliding window; ``median``,
        every frame through a median filter
    window_frames : length of the window of ``window``, frames of 40 ms
    max_offset_ms : search range of the offset, both ways, 40 to 60000
    audio_track : which audio stream, counted from 0; the default one where None
    model : bundled name, path of a model's JSON, or a loaded model
    detector : finds faces; MTCNN where None
    hook : called as ``hook(step, done, total)`` while it works
    threads : for decoding and for the networks

    Raises
    ------
    MediaError : the file cannot be read, or has no picture or no sound
    UsageError : an argument makes no sense
    ModelError : the model cannot be loaded, or was not fitted to tell who speaks
    """
    require_method(method, window_frames)
    compared = compare(
        path,
        offset_ms=offset_ms,
        max_offset_ms=max_offset_ms,
        audio_track=audio_track,
        model=model,
        detector=detector,
        hook=hook,
        threads=threads,
    )
    return decide(compared, method=method, window_frames=window_frames)


def compare(
    path: str | Path,
    *,
    offset_ms: float | None = None,
    max_offset_ms: float = 1000.0,
    audio_track: int | None = None,
    model: str | Path | SyncModel = DEFAULT_MODEL,
    detector: Detector | None = None,
    hook: Hook | None = None,
    threads: int = 1,
) -> Compared:
    """Decode a file once and compare every face with its sound; see `who_speaks`."""
    if offset_ms is not None and not abs(offset_ms) <= WIDEST_OFFSET_MS:
        raise UsageError(
            f"an offset must be a number from -{WIDEST_OFFSET_MS:g} to {WIDEST_OFFSET_MS:g} ms, not {offset_ms}"
        )
    loaded = opened(model, threads)
    speaking_of(loaded)  # a model that cannot tell is refused before the file is decoded
    measured = measure(path, loaded, audio_track=audio_track, detector=detector, hook=hook, threads=threads)
    return compare_measured(str(path), measured, loaded, offset_ms=offset_ms, max_offset_ms=max_offset_ms, hook=hook)


def compare_measured(
    file: str,
    measured: Measured,
    loaded: SyncModel,
    *,
    offset_ms: float | None = None,
    max_offset_ms: float = 1000.0,
    hook: Hook | None = None,
) -> Compared:
    """The same for a file that has been decoded already; ``file`` is its name in the report."""
    report = report_on(file, measured, loaded, parse_profile(DEFAULT_PROFILE), max_offset_ms, hook=hook)
    if offset_ms is not None:
        return compare_at(offset_ms, "user", measured, loaded, report, hook=hook)
    found = report.offset
    if found.trusted:
        return compare_at(found.offset_ms, "file", measured, loaded, report, hook=hook)
    assumed = compare_at(0.0, "assumed", measured, loaded, report, hook=hook)
    if not np.isfinite(found.offset_ms):
        return assumed
    likely = compare_at(found.offset_ms, "likely", measured, loaded, report, hook=hook)
    # The lowest of many places is low by chance: what is measured has to pay for the choice.
    gained = _log_evidence(likely) - _log_evidence(assumed)
    return likely if gained > np.log(2 * max_offset_ms / APART_MS) else assumed


def compare_at(
    offset_ms: float,
    offset_from: OffsetFrom,
    measured: Measured,
    loaded: SyncModel,
    report: Report,
    *,
    hook: Hook | None = None,
) -> Compared:
    """Compare lips and sound of a file that was decoded and measured already, at one offset."""
    lag_s = -(offset_ms - loaded.spec.zero_ms) / 1000
    parts = dict[int, list[tuple[F32, F32]]]()
    for number, picture, sound in side_by_side(measured, loaded, REACH_S, hook, lag_s=lag_s):
        in_place = Embeddings(sound.values, sound.time_s - lag_s)  # the sound of a moment, moved to that moment
        parts.setdefault(number, []).append(contrast(distances(picture, in_place, REACH_S)))
    faces = []
    for number, track in sorted(measured.tracks.items()):
        windows = [np.concatenate(some) for some in zip(*parts.get(number, []), strict=True)]
        distance, found = windows or (np.zeros(0, np.float32), np.zeros(0, np.float32))
        frames = len(track.time_s)
        faces.append(Face(track, first_grid(track.time_s), to_frames(distance, frames), to_frames(found, frames)))
    first, active = _activity(measured, lag_s, faces)
    return Compared(report, offset_ms, offset_from, tuple(faces), first, active, speaking_of(loaded))


def decide(compared: Compared, *, method: Method = "states", window_frames: int = WINDOW_FRAMES) -> Speakers:
    """Who speaks when, from what was compared; see `who_speaks`."""
    require_method(method, window_frames)
    sounding = bridged(compared.active, PAUSE_S)
    nobody = sounding.copy()
    best = np.zeros(len(sounding), np.float32)
    said, turns = [], list[Turn]()
    for group in _in_view_together(compared.faces):
        first, last = min(face.first for face in group), max(face.last for face in group)
        place = slice(first - compared.first, last - compared.first)
        rows = _rows(group, max(window_frames, MEDIAN_FRAMES))
        speaking, likely = _judged(
            group, rows, first, compared.active[place], model=compared.model, method=method, window_frames=window_frames
        )
        speaking &= sounding[place]
        score = np.where(sounding[place], likely, 0.0).astype(np.float32)
        nobody[place] &= ~speaking.any(axis=0)
        best[place] = np.maximum(best[place], score.max(axis=0))
        for row, face in zip(rows, group, strict=True):
            own = slice(face.first - first, face.last - first)
            track = face.track
            said.append(
                FaceSpeech(
                    track.number, track.time_s, track.boxes, face.distance, score[row, own], speaking[row, own].copy()
                )
            )
            turns += turns_of(track.number, speaking[row, own], score[row, own], track.time_s)
    grid_s = (compared.first + np.arange(len(sounding))) / PICTURE_HZ
    turns += turns_of(None, nobody, 1 - best, grid_s)
    return Speakers(
        report=compared.report,
        offset_ms=compared.offset_ms,
        offset_from=compared.offset_from,
        faces=tuple(sorted(said, key=lambda face: face.number)),
        turns=tuple(sorted(turns, key=lambda turn: (turn.start_s, turn.end_s))),
        method=method if method != "window" else f"window of {window_frames} frames",
    )


def require_method(method: str, window_frames: int) -> None:
    """Refuse a method that there is not, or a window without frames.

    Raises
    ------
    UsageError : as said
    """
    if method not in METHODS:
        raise UsageError(f"no method is called {method}; there is {', '.join(METHODS)}")
    if window_frames < 1:
        raise UsageError(f"a window must have at least one frame, not {window_frames}")


def speaking_of(model: SyncModel) -> SpeakingModel:
    """What was fitted to tell speakers by this model.

    Raises
    ------
    ModelError : nothing was
    """
    calibration = model.spec.calibration
    if calibration is None or calibration.speaking is None:
        raise ModelError(
            f"the model {model.spec.name} was not fitted to tell who speaks; do that with clapboard models calibrate "
            f"(docs/training.md), or use --model {DEFAULT_MODEL}"
        )
    return calibration.speaking


def _activity(measured: Measured, lag_s: float, faces: list[Face]) -> tuple[int, NDArray[np.bool_]]:
    """First point of the grid that has a face or sound, and at which points the sound that belongs there is loud."""
    speech = measured.speech
    ends_s = np.array([speech.first_s, speech.first_s + len(speech.values) / FEATURE_HZ]) - lag_s
    begin, end = (round(float(s) * PICTURE_HZ) for s in ends_s)
    first, last = min([begin, *(f.first for f in faces)]), max([end, *(f.last for f in faces)])
    if last - first > MAX_POINTS:
        raise MediaError(f"{measured.clip.path}: its picture and sound lie days apart; remux it first")
    sums = np.concatenate([[0], np.cumsum(active_rows(speech))])
    rows = np.round(((first + np.arange(last - first)) / PICTURE_HZ + lag_s - speech.first_s) * FEATURE_HZ)
    half = round(SOUND_S / 2 * FEATURE_HZ)
    low, high = (np.clip(rows + by, 0, len(sums) - 1).astype(np.int64) for by in (-half, half))
    return first, np.asarray(sums[high] - sums[low] > half)


def _in_view_together(faces: tuple[Face, ...]) -> list[list[Face]]:
    """Faces in groups that share no moment with those of another group, so that each can be judged alone."""
    groups, end = list[list[Face]](), 0
    for face in sorted(faces, key=lambda face: face.first):
        if groups and face.first < end:
            groups[-1].append(face)
        else:
            groups.append([face])
        end = max(end, face.last)
    return groups


def _judged(
    group: list[Face],
    rows: list[int],
    first: int,
    active: NDArray[np.bool_],
    *,
    model: SpeakingModel,
    method: Method,
    window_frames: int,
) -> tuple[NDArray[np.bool_], F64]:
    """Decisions and scores of faces that are in view together, (R, T) each, `_rows`, from grid point ``first`` on."""
    heard, visible = _evidence(group, rows, first, active, model)
    if method == "states":
        score = posteriors(heard, visible, model.stay)
        return (score > 1 - score.sum(axis=0)) & (score == score.max(axis=0)) & (score > 0), score
    if method == "window":
        means, frames = window_means(heard, active, window_frames), window_frames
    else:
        means, frames = median_filter(heard), 1
    means = np.where(visible, means, np.nan)
    score = np.where(np.isfinite(means), 1 / (1 + np.exp(-np.clip(frames * np.nan_to_num(means), -30, 30))), 0.0)
    return largest(means), score


def _evidence(
    group: list[Face], rows: list[int], first: int, active: NDArray[np.bool_], model: SpeakingModel
) -> tuple[F64, NDArray[np.bool_]]:
    """Log likelihood ratios, NaN where nothing sounds, and who is in view, (R, T) each from grid point ``first`` on."""
    evidence = np.full((max(rows) + 1, len(active)), np.nan)
    visible = np.zeros(evidence.shape, np.bool_)
    for row, face in zip(rows, group, strict=True):
        own = slice(face.first - first, face.last - first)
        evidence[row, own], visible[row, own] = model.evidence(face.contrast), True
    return np.where(active, evidence, np.nan), visible


def _rows(group: list[Face], apart_frames: int) -> list[int]:
    """A row for each face, in the order of their start; faces that follow each other share one.

    More than ``apart_frames`` lie between them, so that nothing passes from one to the other: hundreds of faces of a
    long take need as many rows as are in view at once.
    """
    ends, rows = list[int](), list[int]()
    for face in group:
        row = next((row for row, end in enumerate(ends) if end + apart_frames < face.first), len(ends))
        if row == len(ends):
            ends.append(face.last)
        ends[row] = face.last
        rows.append(row)
    return rows


def _log_evidence(compared: Compared) -> float:
    """How clearly faces match the sound at this offset, whoever it is that speaks; natural log."""
    total = 0.0
    for group in _in_view_together(compared.faces):
        first, last = min(face.first for face in group), max(face.last for face in group)
        active = compared.active[first - compared.first : last - compared.first]
        total += log_evidence(*_evidence(group, _rows(group, 0), first, active, compared.model), compared.model.stay)
    return total
