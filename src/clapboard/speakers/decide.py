"""Decisions from what was compared: which face has the voice at every moment, and the turns that come of it.

F faces, R rows, T points of the picture grid.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.speakers.evidence import bridged
from clapboard.speakers.states import SpeakingModel, log_evidence, posteriors
from clapboard.speakers.turns import turns_of
from clapboard.speakers.windows import MEDIAN_FRAMES, largest, median_filter, window_means
from clapboard.timebase import PICTURE_HZ
from clapboard.values import F32, F64, FaceSpeech, OffsetFrom, Report, Speakers, Track, Turn

Method = Literal["states", "window", "median"]
METHODS: tuple[Method, ...] = get_args(Method)
WINDOW_FRAMES = 25
"""Frames that the method ``window`` averages over unless told otherwise: 1 s. The paper takes 10 and 100."""
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


def decide(compared: Compared, *, method: Method = "states", window_frames: int = WINDOW_FRAMES) -> Speakers:
    """Who speaks when, from what was compared; see `who_speaks`."""
    require_method(method, window_frames)
    sounding = bridged(compared.active, PAUSE_S)
    nobody = sounding.copy()
    best = np.zeros(len(sounding), np.float32)
    said, turns = [], list[Turn]()
    for group, first, place in _in_view_together(compared):
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


def _in_view_together(compared: Compared) -> Iterator[tuple[list[Face], int, slice]]:
    """Faces in groups that share no moment with those of another group, so that each can be judged alone.

    Yields
    ------
    group, its first grid point, its place in ``compared.active``
    """
    groups, end = list[list[Face]](), 0
    for face in sorted(compared.faces, key=lambda face: face.first):
        if groups and face.first < end:
            groups[-1].append(face)
        else:
            groups.append([face])
        end = max(end, face.last)
    for group in groups:
        first, last = group[0].first, max(face.last for face in group)
        yield group, first, slice(first - compared.first, last - compared.first)


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


def evidence_of(compared: Compared) -> float:
    """How clearly faces match the sound at this offset, whoever it is that speaks; natural log."""
    total = 0.0
    for group, first, place in _in_view_together(compared):
        found = _evidence(group, _rows(group, 0), first, compared.active[place], compared.model)
        total += log_evidence(*found, compared.model.stay)
    return total
