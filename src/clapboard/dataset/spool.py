"""What one file gave, on disk until its turn comes: pictures of each piece, sound, and rows; whole or not there at all.

Files are worked on side by side but enter the data set in the order of their names, so that it is the same whatever the
number of processes; and what is finished is not done again after a crash.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.extract import Extractor, Faces, Rules, Seen
from clapboard.dataset.scenes import SceneRules, Scenes
from clapboard.dataset.shards import Shard, write_shard
from clapboard.dataset.sources import Source
from clapboard.dataset.store import Dropped, Entry, Stored
from clapboard.errors import ClapboardError, NoAudioError, NoVideoError
from clapboard.values import F64

MAPPED_BYTES = 4 * 2**20
"""Pictures of more than this are mapped when a shard is made: each map is an open file, of which there may be 1024."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to work on: where its results go, which crops or scene, and what is kept of which kind."""

    source: Source
    folder: Path
    view: str
    rules: Rules | SceneRules


def name_of(source: Source) -> str:
    """Name of a file's results, and beginning of the ids of its tracks: readable, and never that of another file."""
    stem = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in Path(source.file).stem)
    whole = hashlib.sha256(f"{source.corpus}\0{source.file}".encode(errors="surrogateescape")).hexdigest()
    return f"{stem[:40].strip('-') or 'video'}-{whole[:12]}"


class _StoreError(Exception):
    """The disk of the data set is full or gone, which no other file would help against."""


def prepare_one(job: Job) -> str:
    """Work on one file; whatever is wrong with it is part of the result.

    Returns
    -------
    why the result itself could not be written, or nothing
    """
    rows: dict[str, Any] = {"size_bytes": job.source.size_bytes, "kept": [], "dropped": []}
    try:
        rows |= _work(job)
    except NoAudioError:
        rows["dropped"].append(_row("no sound"))
    except NoVideoError:
        rows["dropped"].append(_row("no picture"))
    except ClapboardError as error:
        rows["dropped"].append(_row("cannot be read", detail=str(error).removeprefix(f"{job.source.path}: ")))
    except _StoreError as error:
        return str(error)
    except MemoryError:
        rows["dropped"].append(_row("too large for the memory"))
    except Exception as error:  # one file never stops the others, whatever is wrong with it or with us
        rows["dropped"].append(_row("a defect of Clapboard", detail=f"{type(error).__name__}: {error}"))
    try:
        with _storing(job):
            path = _paths(job)[0]
            part = path.with_suffix(".part")
            part.write_text(json.dumps(rows), encoding="utf-8")
            part.replace(path)
    except _StoreError as error:
        return str(error)
    return ""


@contextmanager
def _storing(job: Job) -> Iterator[None]:
    """Tell errors of the data set's disk from those of the video."""
    try:
        yield
    except OSError as error:
        raise _StoreError(f"{job.folder}: cannot be written ({error.strerror or error}); make room") from error


def _row(reason: str, track: int | None = None, seconds: float = 0.0, detail: str = "") -> dict[str, Any]:
    """A row of what is not kept."""
    return {"track": track, "reason": reason, "seconds": round(seconds, 3), "detail": detail}


def _paths(job: Job, track: int = 0, part: int = 0) -> tuple[Path, Path, Path]:
    """Where rows, sound, and the pictures of a piece go."""
    name = name_of(job.source)
    return tuple(job.folder / f"{name}{end}" for end in (".json", ".safetensors", f"-{track}.{part}.npy"))  # type: ignore[return-value]


def _extractor(job: Job) -> Extractor:
    """Who finds what is wanted in a file."""
    if isinstance(job.rules, SceneRules):
        return Scenes(job.source.path, job.view, job.rules, job.source.cut)
    return Faces(job.source.path, job.view, job.rules)


def _work(job: Job) -> dict[str, Any]:
    """Find the pieces of one file, choose, and store pictures and sound."""
    extractor, found = _extractor(job), list[tuple[Seen, F64]]()
    for piece in extractor.pieces():
        found.append((extractor.seen(piece), piece.time_s))
        with _storing(job):
            np.save(_paths(job, piece.track, piece.part)[2], piece.images, allow_pickle=False)
    if not found:
        return {"dropped": [_row(extractor.nothing, seconds=extractor.seconds)]}
    kept, dropped, arrays = [], [], dict[str, NDArray[Any]]()
    for part, time_s in sorted(found, key=lambda each: (each[0].track, each[0].part)):
        judged = extractor.judge(part)
        if judged.reason:
            _paths(job, part.track, part.part)[2].unlink()
            dropped.append(_row(judged.reason, part.track, part.end_s - part.start_s))
            continue
        key = f"{part.track}.{part.part}"
        arrays |= {f"{key}/samples": judged.samples, f"{key}/start_s": np.array(judged.start_s)}
        arrays[f"{key}/time_s"] = time_s
        kept.append(asdict(part) | dict(judged.measured))
    if kept:
        with _storing(job):
            write_shard(_paths(job)[1], arrays)
    return {"kept": kept, "dropped": dropped}


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What one file gave, and the files that can go once it is stored elsewhere."""

    kept: tuple[tuple[Entry, Stored], ...]
    dropped: tuple[Dropped, ...]
    paths: tuple[Path, ...]


def is_done(job: Job) -> bool:
    """Whether the results of a file, as large as it is now, are there."""
    try:
        said = json.loads(_paths(job)[0].read_text(encoding="utf-8"))
        return bool(said["size_bytes"] == job.source.size_bytes)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def collect(job: Job) -> Result:
    """The results of one file; large pictures stay on disk.

    Raises
    ------
    MediaError : they were damaged meanwhile
    """
    source, (rows, sound_path, _) = job.source, _paths(job)
    said = json.loads(rows.read_text(encoding="utf-8"))
    sound: Shard | dict[str, NDArray[Any]] = Shard(sound_path) if said["kept"] else {}
    kept, paths = [], [rows, sound_path]
    for row in said["kept"]:
        track, part = row["track"], row["part"]
        images_path = _paths(job, track, part)[2]
        paths.append(images_path)
        key = f"{track}.{part}"
        stored = Stored(
            np.load(images_path, mmap_mode="r" if images_path.stat().st_size > MAPPED_BYTES else None),
            sound[f"{key}/time_s"].copy(),
            sound[f"{key}/samples"].copy(),
            float(sound[f"{key}/start_s"]),
        )
        kept.append((_entry(source, row), stored))
    dropped = tuple(dropped_row(source, row) for row in said["dropped"])
    return Result(tuple(kept), dropped, tuple(paths))


def _entry(source: Source, row: Mapping[str, Any]) -> Entry:
    """The row of the manifest: what is known of the file, and what was measured of the piece."""
    part = f".{row['part']}" if row["part"] else ""
    return Entry(
        id=f"{name_of(source)}-{row['track']}{part}",
        file=source.file,
        corpus=source.corpus,
        speaker=source.speaker,
        group=source.group,
        shard=0,
        offset_ms=source.offset_ms,
        label=source.label,
        size_bytes=source.size_bytes,
        **{name: value for name, value in row.items() if name not in ("part", "still")},
    )


def dropped_row(source: Source, row: Mapping[str, Any]) -> Dropped:
    """A row of what is not kept, with the file's name."""
    return replace(Dropped(source.file, None, "", size_bytes=source.size_bytes), **row)


def died(source: Source, how: str) -> Dropped:
    """The row of a file that killed its process."""
    return dropped_row(source, _row("its process died", detail=how))
