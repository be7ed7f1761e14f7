"""A file as vectors for other work, such as reading lips: what the networks make of every face and of the sound.

::

    found = clapboard.features("talk.mp4")
    found.faces[0].picture.values       # (T, 256) float16, one window of 0.2 s every 40 ms
    found.sound.values                  # (R, 256) float16, on the same clock
    save(found, "talk.npz")

Every vector of 256 numbers is half a kilobyte: 46 MB an hour for a face, as much for sound at 25 Hz, 184 MB at 100 Hz.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import MediaError, UsageError
from clapboard.files import candidate_beside, put_in_place, require_writable
from clapboard.models import DEFAULT_MODEL
from clapboard.models.session import SyncModel
from clapboard.pipeline import CHUNK_S, Measured, measure, opened, report_on, sound_between
from clapboard.sound.activity import active_rows
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, row_positions
from clapboard.values import F32, Embeddings, Hook, Report, TrackReport
from clapboard.verdict import DEFAULT_PROFILE, parse_profile
from clapboard.vision.detect import Detector

SCHEMA = 1
"""Goes up when a name in the files that are written changes its meaning."""
SOUND_HZ = (PICTURE_HZ, FEATURE_HZ)
"""Sound embeddings per second that can be had (Hz): one for each of the picture, or all there are."""
MAX_OFFSET_MS = 1000.0
"""How far the offset is searched, both ways (ms): as `clapboard.check` does unless told otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceEmbeddings:
    """One face through one shot.

    Attributes
    ----------
    number : of the track, as in reports
    picture : values (T, D) float16, time_s (T,) the mean of the true times of each window's frames
    boxes_px : (T, 4) float32, x0 y0 x1 y1 of the face in the middle of each window, px
    report : offset and share of speech of this face alone; None where it was seen for less than one window
    """

    number: int
    picture: Embeddings
    boxes_px: F32
    report: TrackReport | None


@dataclass(frozen=True, slots=True, eq=False)
class FileEmbeddings:
    """What the networks make of one file.

    Attributes
    ----------
    faces : by the number of their track; empty where no face was found
    sound : values (R, D) float16, NaN where a window holds a gap in the sound; none for a file without sound
    sound_active : (R,) bool, whether the middle of the window sounds: within 30 dB of the loud parts of the file
    report : what `clapboard.check` says of the file; times above are those of the file, not moved by its offset
    """

    faces: tuple[FaceEmbeddings, ...]
    sound: Embeddings
    sound_active: NDArray[np.bool_]
    report: Report

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything by the names that it has in a file, see ``docs/features.md``; no object needs pickling."""
        offset = self.report.offset
        found: dict[str, NDArray[Any]] = {
            "schema": np.array(SCHEMA),
            "source": np.array(self.report.file),
            "model": np.array(self.report.model.name),
            "model_sha256": np.array(self.report.model.sha256),
            "clapboard": np.array(self.report.versions["clapboard"]),
            "offset_ms": np.array(offset.offset_ms, np.float64),
            "p_within_frame": np.array(offset.p_within_frame, np.float64),
            "reasons": np.array(offset.reasons, np.str_),
            "tracks": np.array([face.number for face in self.faces], np.int64),
            "sound": self.sound.values,
            "sound_time_s": self.sound.time_s,
            "sound_active": self.sound_active,
        }
        for face in self.faces:
            name = f"track_{face.number}"
            told = face.report
            found |= {
                f"{name}_picture": face.picture.values,
                f"{name}_time_s": face.picture.time_s,
                f"{name}_boxes_px": face.boxes_px,
                f"{name}_offset_ms": np.array(np.nan if told is None else told.offset.offset_ms, np.float64),
                f"{name}_speaking_share": np.array(np.nan if told is None else told.speaking_share, np.float64),
                f"{name}_decides": np.array(told is not None and told.decides),
            }
        return found


def features(
    path: str | Path,
    *,
    sound_hz: int = PICTURE_HZ,
    audio_track: int | None = None,
    model: str | Path | SyncModel = DEFAULT_MODEL,
    detector: Detector | None = None,
    hook: Hook | None = None,
    threads: int = 1,
) -> FileEmbeddings:
    """Embeddings of every face and of the sound of a file, from one decode.

    Parameters
    ----------
    path : any mp4, mov, mkv, webm, avi, ts, mpg ...; it needs no sound
    sound_hz : sound embeddings per second: 25, those nearest in time to the picture grid, or 100
    audio_track : which audio stream, counted from 0; the default one where None
    model : bundled name, path of a model's JSON, or a loaded model
    detector : finds faces; MTCNN where None
    hook : called as ``hook(step, done, total)`` while it works
    threads : for decoding and for the networks

    Raises
    ------
    MediaError : the file cannot be read, or has no picture
    UsageError : an argument makes no sense
    ModelError : the model cannot be loaded
    """
    if sound_hz not in SOUND_HZ:
        raise UsageError(f"sound embeddings come {SOUND_HZ[0]} or {SOUND_HZ[1]} times a second, not {sound_hz}")
    loaded = opened(model, threads)
    measured = measure(
        path, loaded, audio_track=audio_track, detector=detector, hook=hook, threads=threads, silent=True
    )
    report = report_on(str(path), measured, loaded, parse_profile(DEFAULT_PROFILE), MAX_OFFSET_MS, hook=hook)
    sound, active = _sound(measured, loaded, sound_hz)
    told = {track.number: track for track in report.tracks}
    faces = tuple(
        FaceEmbeddings(number, lips, _boxes_at(measured, number), told.get(number))
        for number, lips in sorted(measured.lips.items())
    )
    return FileEmbeddings(faces, sound, active, report)


def _sound(measured: Measured, model: SyncModel, sound_hz: int) -> tuple[Embeddings, NDArray[np.bool_]]:
    """Sound embeddings of the whole file and where it sounds, made in pieces so that only what is kept is held."""
    rows, window = measured.features, model.spec.window_rows
    count = max(0, len(rows.values) - window + 1)
    time_s = rows.first_s + (np.arange(count) + (window - 1) / 2) / FEATURE_HZ
    step = FEATURE_HZ // sound_hz
    # of every four windows the one whose middle lies nearest to a point of the picture grid
    off_grid = np.abs((time_s[:step] * sound_hz + 0.5) % 1 - 0.5)
    chosen = np.arange(int(np.argmin(off_grid)) if count else 0, count, step)
    values: NDArray[Any] = np.empty((len(chosen), model.spec.embedding), np.float16)
    size = round(CHUNK_S * FEATURE_HZ)
    for begin in range(0, count, size):
        here = (chosen >= begin) & (chosen < begin + size)
        part = sound_between(rows, model, begin, begin + size + window - 1)
        values[here] = part.values[chosen[here] - begin]
    speech = active_rows(measured.speech)
    at = row_positions(time_s[chosen], measured.speech.first_s)[0]
    return Embeddings(values, time_s[chosen]), speech[np.clip(at, 0, len(speech) - 1)] if len(chosen) else speech[:0]


def _boxes_at(measured: Measured, number: int) -> F32:
    """Boxes of one face in the middle of each of its windows: those of the frames nearest in time, (T, 4)."""
    track, wanted_s = measured.tracks[number], measured.lips[number].time_s
    middles_s = (track.time_s[1:] + track.time_s[:-1]) / 2
    return track.boxes[np.searchsorted(middles_s, wanted_s)]


def save(found: FileEmbeddings, out: str | Path, *, overwrite: bool = False) -> None:
    """Write embeddings as one uncompressed npz, whole or not at all; ``numpy.load`` reads it without pickles.

    Raises
    ------
    UsageError : ``out`` is the input, or exists and may not be replaced
    MediaError : it cannot be written
    """
    target = Path(out)
    require_writable(target, Path(found.report.file), overwrite)
    arrays: dict[str, Any] = {**found.arrays()}
    with candidate_beside(target) as candidate:
        try:
            with candidate.open("xb") as file:
                np.savez(file, **arrays)
        except OSError as error:
            raise MediaError(f"{target}: cannot be written ({error.strerror or error}); make room first") from error
        put_in_place(candidate, target, overwrite)
