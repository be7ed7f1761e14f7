"""LSE-D and LSE-C of files, the numbers by which lip-sync generators are scored, in two ways that are not comparable.

``better``, the default: this package's model, sound only where the file has some, lags of 10 ms up to 600 ms both ways,
windows near speech only. ``compatible``: the network that the published numbers come from [1]_, on its grid and by its
rule, see `clapboard.published`; its weights are for the user to bring.

::

    found = clapboard.score("talk.mp4")
    metric = LipSyncError()
    metric.update("a.mp4", "b.mp4")
    metric.compute().lse_d.mean

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time", 2016; K. R. Prajwal et al., "A lip sync expert is all you need",
   2020, whose evaluation calls its minimal distance LSE-D and its confidence LSE-C.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from clapboard.errors import EXIT_IN_SYNC, EXIT_MEDIA, EXIT_UNDECIDED, MediaError, ModelError, UsageError
from clapboard.metrics import lse
from clapboard.models import DEFAULT_MODEL
from clapboard.models.session import SyncModel
from clapboard.pipeline import Measured, measure, opened, report_on
from clapboard.published import SHIFT_FRAMES, published_distances
from clapboard.timebase import FRAME_MS
from clapboard.values import Hook, Model, TrackReport
from clapboard.verdict import DEFAULT_PROFILE, parse_profile
from clapboard.vision.detect import Detector

Mode = Literal["better", "compatible"]
Status = Literal["scored", "undecided", "not_scored"]
MODES: tuple[Mode, ...] = ("better", "compatible")
REACH_MS = SHIFT_FRAMES * FRAME_MS
"""How far is searched, both ways (ms): as far as the published evaluation does."""
HOW = (
    "get syncnet_v2.model, run clapboard models import syncnet_v2.model -o FOLDER, then give "
    "--model FOLDER/syncnet-v2.json"
)
"""How to come by the model of ``compatible``."""
PUBLISHED_FRAMES = 100
"""The published pipeline keeps tracks of more frames than this."""


@dataclass(frozen=True, slots=True)
class TrackScore:
    """What one face says, and whether it counts for its file; ``offset_ms`` is positive when the sound is early."""

    number: int
    start_s: float
    end_s: float
    face_px: float
    windows: int
    lse_d: float
    lse_c: float
    offset_ms: float
    counts: bool


@dataclass(frozen=True, slots=True)
class Score:
    """LSE-D and LSE-C of one file.

    Attributes
    ----------
    file : as it was given
    status : ``scored``; ``undecided``: there are numbers, but lips and sound do not fit clearly, and ``reasons`` say
        why; ``not_scored``: there are none, and ``reasons`` say why
    lse_d, lse_c : NaN where not scored
    offset_ms : where the minimum lies, positive when the sound is early; NaN where not known
    windows : picture windows that were averaged
    tracks : every face
    exit_code : 0 where there are numbers, else that of what is in the way
    """

    file: str
    status: Status
    lse_d: float
    lse_c: float
    offset_ms: float
    windows: int
    reasons: tuple[str, ...] = ()
    tracks: tuple[TrackScore, ...] = ()
    exit_code: int = EXIT_IN_SYNC


@dataclass(frozen=True, slots=True)
class Summary:
    """Over files: how many, and the means over those with numbers, with their intervals.

    ``files`` = ``scored`` + ``not_scored``; ``undecided`` are those of the scored whose numbers may be chance.
    """

    files: int
    scored: int
    undecided: int
    not_scored: int
    lse_d: lse.Mean
    lse_c: lse.Mean


def mode_of(name: str) -> Mode:
    """The mode of that name.

    Raises
    ------
    UsageError : there is none
    """
    for mode in MODES:
        if mode == name:
            return mode
    raise UsageError(f"no mode is called {name}; there is {' and '.join(MODES)}")


def scorer(mode: str, model: str | Path | SyncModel | None = None, threads: int = 1) -> SyncModel:
    """The model of a mode.

    Raises
    ------
    UsageError : there is no such mode
    ModelError : the model cannot be loaded, or the published one is asked for and this is not it
    """
    if mode_of(mode) == "better":
        return opened(DEFAULT_MODEL if model is None else model, threads)
    _require_named(mode, model)
    assert model is not None
    loaded = opened(model, threads)
    if not loaded.spec.is_published:
        raise ModelError(f"{loaded.spec.name} is not the published SyncNet, so its scores are not compatible; {HOW}")
    return loaded


def _require_named(mode: str, model: object) -> None:
    """See that a model is named where the package has none.

    Raises
    ------
    ModelError : as said
    """
    if mode == "compatible" and model is None:
        raise ModelError(
            f"compatible scores need the published SyncNet weights, which are not part of Clapboard; {HOW}"
        )


def score(
    path: str | Path,
    *,
    mode: Mode = "better",
    model: str | Path | SyncModel | None = None,
    audio_track: int | None = None,
    detector: Detector | None = None,
    hook: Hook | None = None,
    threads: int = 1,
) -> Score:
    """LSE-D and LSE-C of a file.

    Parameters
    ----------
    path : any mp4, mov, mkv, webm, avi ...
    mode : ``better`` or ``compatible``, see the module
    model : for ``better`` any model, by default the bundled one; for ``compatible`` the published one, imported
    audio_track : which audio stream, counted from 0; the default one where None
    detector : finds faces; MTCNN where None
    hook : called as ``hook(step, done, total)`` while it works
    threads : for decoding and for the networks

    Returns
    -------
    Score; a file without a face or without sound has the status ``not_scored`` and says why

    Raises
    ------
    MediaError : the file cannot be read, or has no picture
    UsageError : an argument makes no sense
    ModelError : the model cannot be loaded, or is not the one that the mode needs
    """
    loaded = scorer(mode, model, threads)
    measured = measure(
        path, loaded, audio_track=audio_track, detector=detector, hook=hook, threads=threads, silent=True
    )
    if mode == "compatible":
        return _compatible(str(path), measured, loaded)
    return _better(str(path), measured, loaded, hook)


def score_or_reason(path: str | Path, **options: Any) -> Score:
    """The same as `score`, but a file that cannot be read becomes a row that says so.

    Raises
    ------
    UsageError, ModelError : as `score` does
    """
    try:
        return score(path, **options)
    except MediaError as error:
        return without(str(path), str(error).removeprefix(f"{path}: "), EXIT_MEDIA)


def without(file: str, reason: str, exit_code: int) -> Score:
    """The row of a file that has no numbers."""
    nan = float("nan")
    return Score(file, "not_scored", nan, nan, nan, 0, (reason,), exit_code=exit_code)


def _better(file: str, measured: Measured, loaded: SyncModel, hook: Hook | None) -> Score:
    """The curves of the faces, each weighted by its windows, and of that mean the minimum and the median."""
    if not measured.features.valid.any():
        return without(file, "the file has no sound", EXIT_MEDIA)
    report = report_on(file, measured, loaded, parse_profile(DEFAULT_PROFILE), REACH_MS, hook=hook)
    counting = _leading(report.tracks, measured)
    tracks = []
    for track in report.tracks:
        found = lse.of_curve(track.offset.curve)
        tracks.append(_track(track.number, measured, track.offset.windows, found, track.offset.offset_ms))
    tracks = [replace(track, counts=track.number in counting) for track in tracks]
    chosen = [t.offset for t in report.tracks if t.number in counting and np.isfinite(t.offset.curve).any()]
    reasons = report.offset.reasons
    if not chosen:
        row = without(file, "", EXIT_UNDECIDED)
        return replace(row, reasons=reasons or ("nothing could be compared",), tracks=tuple(tracks))
    curves = np.stack([offset.curve for offset in chosen]).astype(np.float64)
    weights = np.isfinite(curves) * np.array([[offset.windows] for offset in chosen], np.float64)
    known = weights.sum(0) > 0
    mean = (np.nan_to_num(curves) * weights).sum(0) / np.where(known, weights.sum(0), 1)
    found = lse.of_curve(np.where(known, mean, np.nan))
    return Score(
        file,
        "undecided" if reasons else "scored",
        *found,
        report.offset.offset_ms,
        sum(offset.windows for offset in chosen),
        reasons,
        tuple(tracks),
    )


def _leading(tracks: Sequence[TrackReport], measured: Measured) -> set[int]:
    """The faces that count: those that decide, and those never seen beside one that counts.

    A face that is alone on the screen counts whether it matches or not, or shots that fail would improve a score.
    """
    found, taken_ms = set[int](), set[int]()
    for track in sorted(tracks, key=lambda t: (not t.decides, -t.offset.windows, t.number)):
        times_ms = np.round(measured.tracks[track.number].time_s * 1000).astype(np.int64).tolist()
        if track.offset.windows and (track.decides or taken_ms.isdisjoint(times_ms)):
            found.add(track.number)
            taken_ms.update(times_ms)
    return found


def _compatible(file: str, measured: Measured, loaded: SyncModel) -> Score:
    """The mean over the tracks that the published pipeline would keep; where it keeps none, the longest."""
    tables = {number: of for number, of in published_distances(measured, loaded).items() if len(of)}
    if not tables:
        if not measured.lips:
            return without(file, "no face was found", EXIT_UNDECIDED)
        if not measured.features.valid.any():
            return without(file, "the file has no sound", EXIT_MEDIA)
        return without(file, "no face is seen for six frames with sound", EXIT_UNDECIDED)
    kept = {number for number in tables if len(measured.tracks[number].time_s) > PUBLISHED_FRAMES}
    counting = kept or {max(tables, key=lambda number: (len(tables[number]), -number))}
    tracks = []
    for number, table in sorted(tables.items()):
        found = lse.published(table)
        row = lse.Lse(found.min_distance, found.confidence)
        one = _track(number, measured, len(table), row, found.offset_frames * FRAME_MS)
        tracks.append(replace(one, counts=number in counting))
    counted = [track for track in tracks if track.counts]
    short = f"no face is seen for more than {PUBLISHED_FRAMES} frames, where the published pipeline gives no number"
    return Score(
        file,
        "scored",
        float(np.mean([track.lse_d for track in counted])),
        float(np.mean([track.lse_c for track in counted])),
        max(counted, key=lambda track: track.windows).offset_ms,
        sum(track.windows for track in counted),
        () if kept else (short,),
        tuple(tracks),
    )


def _track(number: int, measured: Measured, windows: int, found: lse.Lse, offset_ms: float) -> TrackScore:
    """One face's row."""
    of = measured.tracks[number]
    begin_s, end_s = (float(of.time_s[0]), float(of.time_s[-1])) if len(of.time_s) else (of.shot.start_s, of.shot.end_s)
    return TrackScore(number, begin_s, end_s, of.face_px, windows, *found, offset_ms, counts=False)


def _names(rows: Sequence[Score]) -> list[str]:
    """Names of rows; those without one get one of their own."""
    return [row.file or f"\0{number}" for number, row in enumerate(rows)]


def summary(rows: Sequence[Score], resamples: int = 1000, seed: int = 0) -> Summary:
    """Means over the rows that have numbers, with the interval that a bootstrap over files gives."""
    names = _names(rows)
    count = {status: sum(row.status == status for row in rows) for status in ("scored", "undecided", "not_scored")}
    return Summary(
        len(rows),
        count["scored"] + count["undecided"],
        count["undecided"],
        count["not_scored"],
        lse.mean_of([row.lse_d for row in rows], names, resamples, seed),
        lse.mean_of([row.lse_c for row in rows], names, resamples, seed),
    )


class LipSyncError:
    """LSE-D and LSE-C over many files, fed piece by piece: ``update``, ``compute``, ``reset``, as torchmetrics has it.

    It pickles, and what several processes have gathered can be merged. Models are opened when they are first needed,
    but ``compatible`` wants one to be named at once, also for distances of one's own.

    Parameters
    ----------
    mode, model, audio_track, threads : as `score` takes them; the model by name or path, so that it can be pickled
    resamples, seed : of the bootstrap

    Raises
    ------
    UsageError : there is no such mode, or the model is one that is loaded
    ModelError : the mode is ``compatible``, and no model is named
    """

    higher_is_better = None
    """LSE-D is better when lower, LSE-C when higher."""

    def __init__(
        self,
        mode: Mode = "better",
        model: str | Path | None = None,
        *,
        audio_track: int | None = None,
        threads: int = 1,
        resamples: int = 1000,
        seed: int = 0,
    ) -> None:
        if isinstance(model, SyncModel):
            raise UsageError("a metric takes the name or the path of a model, not one that is loaded: it must pickle")
        self.mode, self.model = mode_of(mode), None if model is None else str(model)
        _require_named(mode, model)
        self._options = {"audio_track": audio_track, "threads": threads}
        self._resamples, self._seed = resamples, seed
        self.rows: list[Score] = []
        """One for each file, in the order in which they came."""

    @property
    def needs(self) -> Model:
        """Name and fingerprint of the model.

        Raises
        ------
        ModelError : it cannot be loaded, or is not the one that the mode needs
        """
        return scorer(self.mode, self.model, self._options["threads"] or 1).model

    def update(self, *paths: str | Path, hook: Hook | None = None) -> None:
        """Score files; one that cannot be read, or has no face or sound, gets a row that says so.

        Raises
        ------
        ModelError : the model cannot be loaded, or is not the one that the mode needs
        """
        for path in paths:
            self.rows.append(score_or_reason(path, mode=self.mode, model=self.model, hook=hook, **self._options))

    def update_distances(self, distances: ArrayLike, counted: ArrayLike | None = None, *, name: str = "") -> None:
        """Score distances of one's own, (T, K) float: windows of picture by lags.

        Parameters
        ----------
        distances : NaN where there is no sound; in the mode ``compatible`` there is no NaN, and K is odd
        counted : (T,) bool, windows that count; for ``better`` only
        name : of the row; rows without one stand for a file each

        Raises
        ------
        UsageError : the shapes do not fit
        """
        nan = float("nan")
        if self.mode == "compatible":
            if counted is not None:
                raise UsageError("the published rule counts every window; give counted in the mode better only")
            found = lse.published(distances)
            row = lse.Lse(found.min_distance, found.confidence)
        else:
            row = lse.masked(distances, counted)
        windows = len(np.asarray(distances)) if counted is None else int(np.asarray(counted, np.bool_).sum())
        made = Score(name, "scored", *row, nan, windows)
        known = np.isfinite(row.lse_d)
        self.rows.append(made if known else without(name, "nothing could be compared", EXIT_UNDECIDED))

    def compute(self) -> Summary:
        """Means over all rows so far; NaN where there are none."""
        return summary(self.rows, self._resamples, self._seed)

    def reset(self) -> None:
        """Forget all rows."""
        self.rows = []

    def merge(self, other: "LipSyncError") -> None:
        """Take over the rows of another one, which stays as it is.

        Raises
        ------
        UsageError : it has another mode or model, so that the numbers cannot be compared
        """
        if (other.mode, other.model) != (self.mode, self.model):
            raise UsageError(
                f"scores of {other.mode} ({other.model}) and {self.mode} ({self.model}) cannot be compared, nor merged"
            )
        self.rows += other.rows


def pairs(rows: Sequence[Score], references: Sequence[Score | None]) -> list[tuple[Score, Score]]:
    """Files and their originals, where both have numbers."""
    return [
        (row, reference)
        for row, reference in zip(rows, references, strict=True)
        if reference is not None and row.status != "not_scored" and reference.status != "not_scored"
    ]


def difference(
    rows: Sequence[Score], references: Sequence[Score | None], resamples: int = 1000, seed: int = 0
) -> dict[str, lse.Mean]:
    """Mean of file minus original over the pairs, with its interval: of ``lse_d`` and ``lse_c``."""
    both = pairs(rows, references)
    names = _names([row for row, _ in both])
    return {
        name: lse.mean_of([getattr(a, name) - getattr(b, name) for a, b in both], names, resamples, seed)
        for name in ("lse_d", "lse_c")
    }
