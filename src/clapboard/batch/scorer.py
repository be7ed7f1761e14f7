"""A scorer for Ray Data, Spark, a pool of processes or a plain loop: batches of clips in, equal rows out.

::

    from clapboard import Scorer

    scorer = Scorer(preset="latentsync")
    scorer({"path": ["a.mp4", "b.mp4"]})["offset_ms"]
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clapboard.batch.columns import columns_of, gather
from clapboard.batch.presets import against, preset_of
from clapboard.errors import ClapboardError, UsageError
from clapboard.models import DEFAULT_MODEL
from clapboard.models.session import SyncModel
from clapboard.pipeline import measure, opened, report_on
from clapboard.report.record import record
from clapboard.speakers.decide import decide
from clapboard.speaking import compare_at
from clapboard.sync.consensus import AGREE_MS
from clapboard.sync.distance import lag_rows
from clapboard.values import Hook, Model, Report, Speakers, TrackReport
from clapboard.verdict import DEFAULT_PROFILE, parse_profile

MAX_BYTES = 2**31 - 1
"""Largest clip that is taken from memory: as much as one Arrow value holds."""
NO_FACE = "no face was found"
SPOKEN_S = 0.5
"""Who has the voice for less than this in all is not counted as a speaker: a word, or chance (s)."""


class _TookTooLongError(Exception):
    """A clip has had its time."""


class Scorer:
    """Measures batches of clips; no clip, whatever is wrong with it, raises.

    It pickles: what it was made with goes along, what it has loaded does not. Models are loaded at the first batch.
    The result depends on the clip alone, not on batches or on what was measured before.

    Parameters
    ----------
    model : bundled name, or path of a model's JSON
    preset : which clips to keep, a name of `clapboard.batch.presets.PRESETS`; None measures only
    max_offset_ms : search range, both ways, 40 to 60000
    audio_track : which audio stream, counted from 0; the default one where None
    timeout_s : a clip that takes longer than this is given up with status ``error``. The time is looked at after each
        half second of the clip that was decoded: a decoder that hangs inside one packet is not interrupted.
    threads : for decoding and the networks; more processes do more than more threads

    Raises
    ------
    UsageError : an argument makes no sense
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        preset: str | None = None,
        max_offset_ms: float = 1000.0,
        audio_track: int | None = None,
        timeout_s: float | None = None,
        threads: int = 1,
    ) -> None:
        lag_rows(max_offset_ms / 1000)
        if timeout_s is not None and not timeout_s > 0:
            raise UsageError(f"a clip cannot be measured within {timeout_s} s; give a positive number")
        self.model = str(model)
        self.preset = preset_of(preset)
        self.max_offset_ms = float(max_offset_ms)
        self.audio_track = audio_track
        self.timeout_s = timeout_s
        self.threads = threads
        self._loaded: SyncModel | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What it was made with, not what it has loaded."""
        return vars(self) | {"_loaded": None}

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Measure a batch.

        Parameters
        ----------
        batch : equally long columns: ``bytes`` (the files' contents), ``path``, or both, when ``path`` is but the name;
            any others are passed through

        Returns
        -------
        the columns that came in, without ``bytes``, and those of `clapboard.batch.columns`, which replace others of the
        same name; as many rows, in the same order

        Raises
        ------
        UsageError : there is neither ``path`` nor ``bytes``, or the columns are not equally long, or the preset cannot
            judge this model
        ModelError : the model cannot be loaded
        """
        lengths = {name: len(values) for name, values in batch.items()}
        if not {"path", "bytes"} & set(lengths):
            raise UsageError("a batch needs a column path or bytes")
        if len(set(lengths.values())) != 1:
            raise UsageError(f"the columns of a batch must be equally long, not {lengths}")
        self.load()
        count = next(iter(lengths.values()))
        paths = batch["path"] if "path" in batch else [f"clip {number}" for number in range(count)]
        if "bytes" in batch:
            rows = [self.row(paths[n], batch["bytes"][n], in_memory=True) for n in range(count)]
        else:
            rows = [self.row(paths[n]) for n in range(count)]
        passed = {name: values for name, values in batch.items() if name != "bytes"}
        return passed | gather(rows, preset=self.preset is not None)

    def row(self, path: Any, data: Any = None, *, in_memory: bool = False) -> dict[str, Any]:
        """Measure one clip: the columns by name, None for what is not known.

        Parameters
        ----------
        path : of the file, or its name
        data : with ``in_memory``, what the file holds

        Raises
        ------
        UsageError, ModelError : as `load` does; never for the clip's sake
        """
        self.load()
        try:
            found = _of_report(*self._measure(path, data, in_memory=in_memory))
        except _TookTooLongError:
            found = self._failed(f"took longer than {self.timeout_s:g} s")
        except ClapboardError as error:
            found = self._failed(str(error).removeprefix(f"{path}: "))
        except MemoryError:
            found = self._failed("too large for the memory")
        except Exception as error:  # one clip never stops the others, whatever is wrong with it or with us
            found = self._failed(f"a defect of Clapboard, {type(error).__name__}: {' '.join(str(error).split())}")
        return self._judged(found)

    def failed(self, reason: str) -> dict[str, Any]:
        """The row of a clip that could not be measured, for a reason in one line."""
        return self._judged(self._failed(reason))

    def _measure(self, path: Any, data: Any, *, in_memory: bool) -> tuple[Report, Speakers | None]:
        """Measure one clip, or raise; who speaks when is looked at where there is a choice."""
        if in_memory:
            data = _plain_bytes(data)
        elif not isinstance(path, str | Path):
            raise UsageError(f"the row names no file: its path is {path!r}")
        loaded, hook = self._model(), self._hook()
        measured = measure(
            str(path),
            loaded,
            data=data if in_memory else None,
            audio_track=self.audio_track,
            hook=hook,
            threads=self.threads,
        )
        profile = parse_profile(DEFAULT_PROFILE)
        report = report_on(str(path), measured, loaded, profile, self.max_offset_ms, hook=hook)
        calibration = loaded.spec.calibration
        told = calibration is not None and calibration.speaking is not None
        if not told or len(report.tracks) < 2 or not report.offset.trusted:
            return report, None
        return report, decide(compare_at(report.offset.offset_ms, "file", measured, loaded, report, hook=hook))

    def _hook(self) -> Hook | None:
        """What ends a clip that takes too long."""
        if self.timeout_s is None:
            return None
        end_s = time.monotonic() + self.timeout_s

        def hook(step: str, done: float, total: float | None) -> None:
            if time.monotonic() > end_s:
                raise _TookTooLongError

        return hook

    def load(self) -> Model:
        """Load the model, and see that the preset can judge what it measures; a batch does it by itself.

        Raises
        ------
        UsageError, ModelError : as for a batch
        """
        return self._model().model

    def _model(self) -> SyncModel:
        """The model, which is kept: its files may be out of reach later, which is no clip's fault."""
        if self._loaded is not None:
            return self._loaded
        loaded = opened(self.model, self.threads)
        spec = loaded.spec
        if self.preset is not None and spec.calibration is None and not spec.is_published:
            raise UsageError(
                f"--preset {self.preset.name} judges by the probability, which {spec.name} has none of: "
                "calibrate it (clapboard models calibrate), or leave the preset away"
            )
        self._loaded = loaded
        return loaded

    def _judged(self, found: dict[str, Any]) -> dict[str, Any]:
        """A row with what the preset says of it."""
        if self.preset is None:
            return found
        published = self._model().spec.is_published
        tracks = []
        for track in found["tracks"]:
            reasons = against(track, found, self.preset, published=published)
            tracks.append({**track, "keep": not reasons, "drop_reasons": reasons})
        keep = any(track["keep"] for track in tracks)
        if keep:
            reasons = []
        elif found["status"] == "error":
            reasons = [f"error: {reason}" for reason in found["reasons"]]
        elif not tracks:
            reasons = [NO_FACE] if NO_FACE in found["reasons"] else [f"undecided: {r}" for r in found["reasons"]]
        else:  # a listener beside who speaks is not why a clip is dropped
            heard = [track for track in tracks if track["decides"] or track["speaks"]] or tracks
            nearest = min(heard, key=lambda track: (len(track["drop_reasons"]), not track["decides"]))
            reasons = list(nearest["drop_reasons"])
        return {**found, "tracks": tracks, "keep": keep, "drop_reasons": reasons}

    def _failed(self, reason: str) -> dict[str, Any]:
        """The row of a clip that could not be measured, without the preset."""
        row: dict[str, Any] = dict.fromkeys(columns_of(preset=False))
        return {**row, "status": "error", "reasons": [reason], "faces": 0, "speakers": 0, "tracks": []}


def _of_report(report: Report, spoken: Speakers | None = None) -> dict[str, Any]:
    """The columns of a clip that was measured."""
    said = record(report)
    found = {name: said[name] for name in columns_of(preset=False) if name in said}
    speak = [_speaks(track, report) for track in report.tracks]
    speaking = [track for track, speaks in zip(report.tracks, speak, strict=True) if speaks]
    widths_px = [track.face_px for track in speaking or report.tracks]
    found["tracks"] = [{**track, "speaks": speaks} for track, speaks in zip(said["tracks"], speak, strict=True)]
    found["faces"] = len(report.tracks)
    heard = speaking if spoken is None else _with_turns(report, spoken)
    found["speakers"] = max(Counter(track.start_s for track in heard).values(), default=0)  # tracks begin with shots
    found["face_px"] = round(max(widths_px), 4) if widths_px else None
    return found


def _speaks(track: TrackReport, report: Report) -> bool:
    """Whether a face has made the clip's offset, or is as sure of the same one: two who speak in turn."""
    own, common = track.offset, report.offset
    agrees = own.trusted and abs(own.offset_ms - common.offset_ms) <= AGREE_MS
    return bool(common.trusted and (track.decides or agrees))


def _with_turns(report: Report, spoken: Speakers) -> list[TrackReport]:
    """Faces that have the voice for some time: who speaks little has no offset to be sure of, but turns."""
    had_s = {track.number: 0.0 for track in report.tracks}
    for turn in spoken.turns:
        if turn.face in had_s:
            had_s[turn.face] += turn.end_s - turn.start_s
    return [track for track in report.tracks if had_s[track.number] >= SPOKEN_S]


def _plain_bytes(data: Any) -> bytes:
    """The content of a file, from anything that holds bytes."""
    try:
        plain = data if isinstance(data, bytes) else memoryview(data).tobytes()
    except TypeError:
        raise UsageError(f"the row holds no bytes but {type(data).__name__}") from None
    if len(plain) > MAX_BYTES:
        raise UsageError(too_large(len(plain)))
    return plain


def too_large(size_bytes: int) -> str:
    """What is said of a clip that is too large to be taken from memory."""
    return f"holds {size_bytes} bytes, at most {MAX_BYTES} are taken from memory; give its path"
