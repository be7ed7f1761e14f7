"""Write what scripts of users of the published SyncNet pipeline read; see ``docs/export-syncnet.md``.

::

    export_syncnet("talk.mp4", "talk")      # talk/pycrop/00000.avi ..., talk/pywork/{faces,scene,tracks,activesd}.pckl
                                            # and talk/pywork/offsets.txt
"""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clapboard import __version__
from clapboard.errors import MediaError, UsageError
from clapboard.metrics.lse import published
from clapboard.models import DEFAULT_MODEL
from clapboard.models.session import SyncModel
from clapboard.pipeline import measure, opened, report_on
from clapboard.published import published_distances
from clapboard.report.wording import sentence
from clapboard.syncnet_files.crops import name_of, write_crops
from clapboard.syncnet_files.tables import Grid, Row, faces, offsets, pickled, scenes, track_of
from clapboard.timebase import FRAME_MS, begin_s
from clapboard.values import F32, Hook, Report, Track
from clapboard.verdict import DEFAULT_PROFILE, parse_profile
from clapboard.vision.detect import Detector

MAX_OFFSET_MS = 1000.0
"""How far the offset of the whole file is searched, both ways (ms): as `clapboard.check` does."""
CROPS, WORK = "pycrop", "pywork"
_OURS = {CROPS: re.compile(r"\d{5}\.avi"), WORK: re.compile(r"(faces|scene|tracks|activesd)\.pckl|offsets\.txt")}
"""Names that may be replaced where overwriting is allowed; nothing else is ever touched."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the folders of films and tables, a row for each track, and what is said of the whole file."""

    crops: Path
    work: Path
    rows: tuple[Row, ...]
    report: Report


def export_syncnet(
    path: str | Path,
    out: str | Path,
    *,
    reference: str | None = None,
    min_track: int = 0,
    overwrite: bool = False,
    audio_track: int | None = None,
    model: str | Path | SyncModel = DEFAULT_MODEL,
    detector: Detector | None = None,
    hook: Hook | None = None,
    threads: int = 1,
) -> Exported:
    """Measure a file and write the files that the published pipeline would have left.

    Parameters
    ----------
    path : any mp4, mov, mkv, webm, avi, ts, mpg ... with a face that speaks
    out : folder; made if it is not there
    reference : a folder of this name is put below ``pycrop`` and ``pywork``, as the pipeline does
    min_track : tracks are kept whose face was seen in more frames than this; the pipeline's own is 100
    overwrite : replace files of an earlier export; others in the folder are left alone
    audio_track : which audio stream, counted from 0; the default one where None
    model : bundled name, path of a model's JSON, or a loaded model
    detector : finds faces; MTCNN where None
    hook : called as ``hook(step, done, total)`` while it works
    threads : for decoding, encoding and the networks

    Raises
    ------
    UsageError : an argument makes no sense, or ``out`` holds something and may not be overwritten
    MediaError : the file cannot be read, has no picture or no sound, or nothing can be written
    ModelError : the model cannot be loaded
    """
    source, target = Path(path), Path(out)
    if min_track < 0:
        raise UsageError(f"the least length of a track is a number of frames from 0 on, not {min_track}")
    folders = _folders(reference)
    require_room(target, folders, source, overwrite)
    loaded = opened(model, threads)
    measured = measure(source, loaded, audio_track=audio_track, detector=detector, hook=hook, threads=threads)
    report = report_on(str(path), measured, loaded, parse_profile(DEFAULT_PROFILE), MAX_OFFSET_MS, hook=hook)
    distances = published_distances(measured, loaded)
    kept = [track for track in measured.tracks.values() if np.count_nonzero(~track.interpolated) > min_track]
    rows = tuple(_row(number, track, distances[track.number]) for number, track in enumerate(kept))
    with _workplace(target) as part:
        for folder in folders.values():
            (part / folder).mkdir(parents=True)
        films = (lambda _, done, total: hook("films", done, total)) if hook else None
        grid = write_crops(measured.clip, kept, part / folders[CROPS], hook=films, threads=threads)
        tables = {
            "faces.pckl": pickled(faces(list(measured.tracks.values()), grid)),
            "scene.pckl": pickled(scenes(measured.shots, grid)),
            "tracks.pckl": pickled([track_of(track, grid) for track in kept]),
            "activesd.pckl": pickled([distances[track.number] for track in kept]),
            "offsets.txt": offsets(rows, _remarks(report, grid)).encode(),
        }
        for name, content in tables.items():
            (part / folders[WORK] / name).write_bytes(content)
        _put_in_place(part, target, folders, overwrite)
    return Exported(target / folders[CROPS], target / folders[WORK], rows, report)


def _folders(reference: str | None) -> dict[str, Path]:
    """Where films and tables go, below the folder that is written."""
    if reference is None:
        return {kind: Path(kind) for kind in _OURS}
    if not reference.strip(". ") or set(reference) & set("/\\:\0"):
        raise UsageError(f"{reference!r} is no name of a folder; give --reference a plain name")
    return {kind: Path(kind, reference) for kind in _OURS}


def require_room(out: Path, folders: Mapping[str, Path], source: Path, overwrite: bool) -> None:
    """Refuse a folder that is in the way, or where nothing can be written.

    With a reference only its own two folders need to be empty: the others are exports of other files.
    """
    try:
        if (out.exists() or out.is_symlink()) and not out.is_dir():
            raise UsageError(f"{out}: is not a folder; give another -o")
        if not out.parent.is_dir():
            raise UsageError(f"{out}: there is no folder {out.parent}; make it first")
        if not os.access(out if out.is_dir() else out.parent, os.W_OK):
            raise MediaError(f"{out}: cannot be written to; give another -o")
        named = any(len(folder.parts) > 1 for folder in folders.values())
        taken = [out / folder for folder in folders.values()] if named else [out]
        for folder in taken:
            if not overwrite and folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
                raise UsageError(f"{folder}: is not empty; give --overwrite or another -o")
        for kind, folder in folders.items():
            if _OURS[kind].fullmatch(source.name) and source.resolve().parent == (out / folder).resolve():
                raise UsageError(f"{source}: lies where {kind} is written, and the input is never replaced; move it")
    except OSError as error:
        raise MediaError(f"{out}: cannot be written ({error.strerror}); give another -o") from error


@contextlib.contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """A hidden folder beside the one to be, or in it where it is there; whatever is left of it is removed."""
    home = out if out.is_dir() else out.parent
    part = home / f".{secrets.token_hex(4)}.clapboard"
    try:
        part.mkdir()
        yield part
    except OSError as error:
        raise MediaError(f"{out}: cannot be written ({error.strerror}); make room or give another -o") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put_in_place(part: Path, out: Path, folders: Mapping[str, Path], overwrite: bool) -> None:
    """Give what was written its place: at once where nothing is there, else file by file."""
    if not out.exists():
        try:
            part.replace(out)
            return
        except OSError:
            if not out.is_dir():  # else somebody was faster with another reference: then file by file
                raise
    moves = [(file, out / folder / file.name) for folder in folders.values() for file in (part / folder).iterdir()]
    for _, place in moves:
        if place.exists() and not overwrite:
            raise UsageError(f"{place}: was made by someone else in the meantime; give another -o")
    for file, place in moves:
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
    fresh = {place for _, place in moves}
    for kind, folder in folders.items():  # films of an earlier export that had more of them
        for old in list((out / folder).glob("*")):
            if old not in fresh and _OURS[kind].fullmatch(old.name):
                old.unlink()


def _row(number: int, track: Track, distances: F32) -> Row:
    """What the published rule says of a track."""
    name, begin, nothing = name_of(number), begin_s(track.time_s), float("nan")
    if not len(distances):
        return Row(name, nothing, nothing, nothing, nothing, track.number, begin)
    found = published(distances)
    offset_ms = found.offset_frames * FRAME_MS
    return Row(name, found.offset_frames, found.confidence, offset_ms, found.min_distance, track.number, begin)


def _remarks(report: Report, grid: Grid) -> dict[str, str]:
    """What stands below the table of offsets."""
    offset = report.offset
    return {
        "offsets": "frames of 40 ms, positive where the sound is early; nan where there is no sound under the track",
        "model": f"{report.model.name} {report.model.sha256[:12]}, clapboard {__version__}",
        "frame 0": f"at {grid.start_s:.2f} s of the file's clock, then one every 40 ms",
        "file": sentence(report),
        "file_offset_ms": f"{offset.offset_ms:.1f}" if offset.trusted else "nan",
    }
