"""Who speaks when in a file: every face's lips against the sound at the file's own offset, smoothed over time.

::

    found = clapboard.who_speaks("panel.mp4")
    for turn in found.turns:
        print(f"{turn.start_s:.2f} to {turn.end_s:.2f} s: ", "nobody on screen" if turn.face is None else turn.face)

Lips and sound are compared once (`compare`), and decisions taken from that (`decide`) as often as one likes.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import MediaError, ModelError, UsageError
from clapboard.models import DEFAULT_MODEL
from clapboard.models.session import SyncModel
from clapboard.pipeline import Measured, measure, opened, report_on, side_by_side
from clapboard.sound.activity import active_rows
from clapboard.speakers.decide import WINDOW_FRAMES, Compared, Face, Method, decide, evidence_of, require_method
from clapboard.speakers.evidence import REACH_S, contrast, first_grid, to_frames
from clapboard.speakers.states import SpeakingModel
from clapboard.sync.distance import distances
from clapboard.timebase import FEATURE_HZ, MAX_GRID_POINTS, PICTURE_HZ
from clapboard.values import F32, Embeddings, Hook, OffsetFrom, Report, Speakers
from clapboard.verdict import DEFAULT_PROFILE, parse_profile
from clapboard.vision.detect import Detector

SOUND_S = 0.2
"""A frame sounds where more than half of the sound around it, as much as one embedding hears, is not quiet (s)."""
WIDEST_OFFSET_MS = 3_600_000.0
"""Nobody means an offset of more than an hour (ms)."""
APART_MS = 80.0
"""Offsets this far apart are different answers, so that a search has twice its range by this many (ms)."""


def who_speaks(
    path: str | Path,
    *,
    offset_ms: float | None = None,
    method: Method = "states",
    window_frames: int | None = None,
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
    window_frames : length of the window of ``window``, frames of 40 ms; 25 where None
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
    if window_frames is not None and method != "window":
        raise UsageError(f"window_frames is for the method window, not for {method}")
    frames = WINDOW_FRAMES if window_frames is None else window_frames
    require_method(method, frames)
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
    return decide(compared, method=method, window_frames=frames)


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
    gained = evidence_of(likely) - evidence_of(assumed)
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
    if last - first > MAX_GRID_POINTS:
        raise MediaError(f"{measured.clip.path}: its picture and sound lie days apart; remux it first")
    sums = np.concatenate([[0], np.cumsum(active_rows(speech))])
    rows = np.round(((first + np.arange(last - first)) / PICTURE_HZ + lag_s - speech.first_s) * FEATURE_HZ)
    half = round(SOUND_S / 2 * FEATURE_HZ)
    low, high = (np.clip(rows + by, 0, len(sums) - 1).astype(np.int64) for by in (-half, half))
    return first, np.asarray(sums[high] - sums[low] > half)
