"""Tracks of a data set in memory, each moved onto one zero: its sound cut so that it lies exactly on its pictures.

T frames, R feature rows, W = T - window_frames + 1 picture windows. Row ``4 i + MARGIN_ROWS`` begins the rows of sound
whose middle is the middle of the picture window that begins with frame i: alignment is exact to the sample.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.store import Dataset
from clapboard.errors import MediaError, UsageError
from clapboard.files import candidate_beside, put_in_place
from clapboard.sound.activity import active_rows
from clapboard.sound.features import WINDOW_SAMPLES
from clapboard.sound.kinds import KINDS, SPEECH_KIND, SoundKind
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, ROWS_PER_FRAME, SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32, F64, Features

MARGIN_ROWS = 300
"""Rows kept before the first window and after the last: as far as normalisation looks."""
WINDOW_FRAMES, WINDOW_ROWS = 5, 20
"""Frames and rows that one embedding sees, unless said otherwise: 0.2 s."""
LEAST_WINDOWS = 11
"""A track with fewer picture windows teaches nothing about when."""


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """One track on the common zero.

    Attributes
    ----------
    images : (T, px, px) or (T, px, px, 3) uint8, on disk where it comes from a data set
    bands : (R, columns) log power of the bands of ``kind``
    valid : (R,) bool, False where the file has no sound
    loud : (W,) float32, how much of each window's sound is speech, 0 to 1
    corpus, speaker, file : as in the manifest
    kind : name of the kind of sound
    window_frames, window_rows : what one embedding sees
    group, id : as in the manifest
    offset_ms : what was taken out of it, positive where its sound was early
    """

    images: NDArray[np.uint8]
    bands: NDArray[np.floating[Any]]
    valid: NDArray[np.bool_]
    loud: F32
    corpus: str
    speaker: str
    file: str
    kind: str
    window_frames: int = WINDOW_FRAMES
    window_rows: int = WINDOW_ROWS
    group: str = ""
    id: str = ""
    offset_ms: float = 0.0

    @property
    def windows(self) -> int:
        """Number of picture windows."""
        return len(self.images) - self.window_frames + 1


def align(
    images: NDArray[np.uint8],
    time_s: F64,
    samples: NDArray[np.int16],
    start_s: float,
    offset_ms: float,
    *,
    kind: str = "log-mel-40",
    window_frames: int = WINDOW_FRAMES,
    window_rows: int = WINDOW_ROWS,
    corpus: str = "",
    speaker: str = "",
    file: str = "",
    group: str = "",
    id: str = "",
) -> Aligned:
    """Cut the sound of a track so that its rows lie exactly on the picture windows.

    Parameters
    ----------
    images, time_s : (T, px, px) or (T, px, px, 3) uint8, and (T,) true times, s
    samples : (N,) int16 at 16 kHz, the first one at ``start_s``
    offset_ms : the track's own offset, positive where its sound is early; it is taken out
    kind : name of a kind of sound
    window_frames, window_rows : frames and rows that one embedding sees

    Raises
    ------
    UsageError : no such kind of sound, or the track is shorter than one window
    """
    made = _kind(kind)
    windows = len(images) - window_frames + 1
    if windows < 1:
        raise UsageError(f"{file or 'a track'}: {len(images)} frames are fewer than one window of {window_frames}")
    # Frames filled from the nearest in time jitter about the grid: their mean fixes the track's place.
    first_window_s = float(np.mean(time_s - np.arange(len(time_s)) / PICTURE_HZ)) + (window_frames - 1) / 2 / PICTURE_HZ
    middle_of_rows_s = (window_rows - 1) / 2 / FEATURE_HZ + made.row_samples / 2 / SAMPLE_RATE_HZ
    begin_s = first_window_s - offset_ms / 1000 - middle_of_rows_s - MARGIN_ROWS / FEATURE_HZ
    lead = made.lead_rows * SAMPLES_PER_ROW
    begin = round((begin_s - start_s) * SAMPLE_RATE_HZ) - lead
    count = 2 * MARGIN_ROWS + ROWS_PER_FRAME * (windows - 1) + window_rows
    length = lead + (count - 1) * SAMPLES_PER_ROW + made.row_samples
    low, high = max(begin, 0), min(begin + length, len(samples))
    strip, real = np.zeros(length, np.float32), np.zeros(length, np.bool_)
    if high > low:
        strip[low - begin : high - begin] = samples[low:high] / 32767
        real[low - begin : high - begin] = True
    bands = made.bands(strip)[made.lead_rows :].astype(made.dtype)
    strip, real = strip[lead:], real[lead:]
    starts = np.arange(count) * SAMPLES_PER_ROW
    speech = KINDS[SPEECH_KIND]
    rows = bands if made is speech else speech.bands(strip).astype(speech.dtype)
    return Aligned(
        images,
        bands,
        real[starts] & real[starts + made.row_samples - 1],
        _loud(rows, real, windows, (window_rows - 1) * SAMPLES_PER_ROW + made.row_samples),
        corpus,
        speaker,
        file,
        kind,
        window_frames,
        window_rows,
        group,
        id,
        offset_ms,
    )


def _kind(name: str) -> SoundKind:
    """The kind of sound of that name."""
    if name not in KINDS:
        raise UsageError(f"no kind of sound is called {name}; there are {', '.join(KINDS)}")
    return KINDS[name]


def _loud(rows: NDArray[np.floating[Any]], real: NDArray[np.bool_], windows: int, span: int) -> F32:
    """Part of each window's sound, ``span`` samples, that is not quiet, (windows,), by rows of `SPEECH_KIND`."""
    starts = np.arange(len(rows)) * SAMPLES_PER_ROW
    valid = real[starts] & real[starts + WINDOW_SAMPLES - 1]
    sums = np.concatenate([[0], np.cumsum(active_rows(Features(rows, valid, 0.0)).astype(np.float32))])
    inside = (span - WINDOW_SAMPLES) // SAMPLES_PER_ROW + 1
    at = MARGIN_ROWS + ROWS_PER_FRAME * np.arange(windows)
    return np.asarray((sums[at + inside] - sums[at]) / inside, np.float32)


def load(
    folders: str | Path | Iterable[str | Path],
    kind: str = "log-mel-40",
    offsets_ms: Mapping[str, float] | None = None,
    corpus_offsets_ms: Mapping[str, float] | None = None,
    *,
    window_frames: int = WINDOW_FRAMES,
    window_rows: int = WINDOW_ROWS,
) -> list[Aligned]:
    """All tracks of some data sets, their pictures left on disk, each moved by its own offset, else by its corpus's.

    Parameters
    ----------
    folders : one or more data sets of the same view
    kind : name of a kind of sound
    offsets_ms : by ``file`` or ``id`` of the manifest; NaN leaves the track out. Goes before what the manifest says
    corpus_offsets_ms : by corpus, for tracks whose own offset is not known

    Raises
    ------
    MediaError : a data set is missing or damaged
    UsageError : the data sets have not the same view, or there is no such kind of sound
    """
    of_clip, of_corpus = offsets_ms or {}, corpus_offsets_ms or {}
    sets = [Dataset.open(folder) for folder in ([folders] if isinstance(folders, str | Path) else folders)]
    views = sorted({found.view for found in sets})
    if len(views) > 1:
        raise UsageError(f"data sets of different views ({', '.join(views)}) cannot be mixed; prepare them with one")
    tracks = []
    for found in sets:
        for entry in found.entries:
            if entry.frames < window_frames - 1 + LEAST_WINDOWS:
                continue
            known = (of_clip.get(entry.id), of_clip.get(entry.file), entry.offset_ms, of_corpus.get(entry.corpus))
            offset_ms = next((value for value in known if value is not None), 0.0)
            if np.isnan(offset_ms):
                continue
            stored = found.stored(entry)
            tracks.append(
                align(
                    stored.images,
                    stored.time_s,
                    stored.samples,
                    stored.start_s,
                    offset_ms,
                    kind=kind,
                    window_frames=window_frames,
                    window_rows=window_rows,
                    corpus=entry.corpus,
                    speaker=entry.speaker,
                    file=entry.file,
                    group=entry.group,
                    id=entry.id,
                )
            )
    return tracks


def read_offsets(path: str | Path) -> dict[str, float]:
    """Offsets of files from a CSV with the columns file, offset_ms and usable.

    A row whose ``usable`` is "no" is as if it were not there; "drop" gives NaN: the file is not to be learned from.

    Raises
    ------
    MediaError : the file cannot be read, or is no such table
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.DictReader(file) if row["usable"] != "no"]
        return {row["file"]: float("nan" if row["usable"] == "drop" else row["offset_ms"]) for row in rows}
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (KeyError, ValueError, TypeError) as error:
        raise MediaError(f"{path}: is no table of file, offset_ms, usable ({error})") from None


def write_offsets(path: str | Path, rows: Iterable[tuple[str | float, ...]], more_columns: Sequence[str] = ()) -> None:
    """Write such a CSV: rows of file, offset in ms, and usable ("yes", "no" or "drop"); and more, to the tenth.

    Raises
    ------
    MediaError : it cannot be written
    """
    path = Path(path)
    try:
        with candidate_beside(path) as part:
            with part.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(("file", "offset_ms", "usable", *more_columns))
                for name, offset_ms, usable, *more in rows:
                    numbers = [f"{value:.1f}" if isinstance(value, float) else value for value in more]
                    writer.writerow((name, f"{offset_ms:.0f}", usable, *numbers))
            put_in_place(part, path, overwrite=True)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror or error})") from None
