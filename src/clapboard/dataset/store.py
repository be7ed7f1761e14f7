"""A data set on disk: shards of crops and sound, a manifest with one row for each track, and what was dropped.

::

    dataset.json             format, version, view, settings, and how many rows and shards count
    manifest.jsonl           one row for each track that was kept: the fields of `Entry`
    dropped.jsonl            one row for each file or track that was not: file, track, reason
    shards/00000.safetensors ID/images, ID/time_s, ID/samples, ID/start_s of each track

Rows are only ever appended, and count as soon as ``dataset.json`` says so. It is replaced last, in one step, so that a
shard and its rows become visible together: whatever a killed process left behind is overwritten by the next one.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clapboard import __version__
from clapboard.dataset.shards import Shard, write_shard
from clapboard.errors import MediaError, UsageError
from clapboard.values import F64

FORMAT, VERSION = "clapboard-dataset", 1
SHARD_BYTES = 256 * 2**20
"""A shard is closed when its arrays reach this size."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One track of a data set: a row of the manifest.

    Attributes
    ----------
    id : unique in the data set; names the arrays in the shard
    file : the video, as in the label file, else below the folder that was given; with ``/``
    corpus, speaker : where it comes from, who speaks
    group : never to be split between learning and judging: ``corpus/speaker``
    track : number of the face in its file
    shard : number of the shard
    start_s, end_s : from the first frame up to the end of the last, s on the file's clock
    frames : frames of the 25 Hz grid, T
    face_px : median width of the face, px of the video
    speech_share : part of the track's sound that is not quiet, 0 to 1
    shot_start_s, shot_end_s : the shot around it, s
    repeated_frames : grid points that were filled by the frame of the point before
    offset_ms : by how much the sound is early, where a label file said so
    size_bytes : size of the video file
    """

    id: str
    file: str
    corpus: str
    speaker: str
    group: str
    track: int
    shard: int
    start_s: float
    end_s: float
    frames: int
    face_px: float
    speech_share: float
    shot_start_s: float = 0.0
    shot_end_s: float = 0.0
    repeated_frames: int = 0
    offset_ms: float | None = None
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """The arrays of one track, straight from disk: ``images`` (T, px, px) or (T, px, px, 3) uint8.

    ``time_s`` (T,) are true times of the frames, s; ``samples`` (N,) int16 at 16 kHz, the first one at ``start_s``.
    """

    images: NDArray[np.uint8]
    time_s: F64
    samples: NDArray[np.int16]
    start_s: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file, or one track of it, that was not kept, why, and how much of it there was where that is known, s.

    ``reason`` is one of few, so that they can be counted; ``detail`` is what else there is to say.
    """

    file: str
    track: int | None
    reason: str
    seconds: float = 0.0
    size_bytes: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Head:
    """What ``dataset.json`` says."""

    view: str
    settings: dict[str, Any]
    clapboard: str = __version__
    shards: int = 0
    tracks: int = 0
    dropped: int = 0
    format: str = FORMAT
    version: int = VERSION


Row = TypeVar("Row", Entry, Dropped, _Head)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A data set to read from; pictures and sound stay on disk until they are looked at."""

    folder: Path
    view: str
    settings: Mapping[str, Any]
    entries: tuple[Entry, ...]
    dropped: tuple[Dropped, ...]
    shards: tuple[Shard, ...]

    @classmethod
    def open(cls, folder: str | Path) -> "Dataset":
        """Open a data set and see that all of it is there.

        Raises
        ------
        MediaError : there is none, it is of a newer version, or a part of it is missing or damaged
        """
        folder = Path(folder)
        head = _read_head(folder)
        entries = tuple(_rows(folder / "manifest.jsonl", head.tracks, Entry))
        dropped = tuple(_rows(folder / "dropped.jsonl", head.dropped, Dropped))
        shards = tuple(Shard(shard_path(folder, number)) for number in range(head.shards))
        if any(not 0 <= entry.shard < head.shards for entry in entries):
            raise MediaError(f"{folder / 'manifest.jsonl'}: is damaged (it names a shard that does not exist)")
        return cls(folder, head.view, head.settings, entries, dropped, shards)

    def stored(self, entry: Entry) -> Stored:
        """The arrays of one track, as views of the memory-mapped shard.

        Raises
        ------
        MediaError : the shard does not hold them
        """
        shard, name = self.shards[entry.shard], entry.id
        images = shard[f"{name}/images"]
        if len(images) != entry.frames:
            raise MediaError(f"{self.folder}: manifest and shard {entry.shard} do not belong together ({name})")
        start_s = float(shard[f"{name}/start_s"])
        return Stored(images, shard[f"{name}/time_s"], shard[f"{name}/samples"], start_s)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the files again instead of being sent their contents."""
        return Dataset.open, (self.folder,)


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / "shards" / f"{number:05d}.safetensors"


def _read_head(folder: Path) -> _Head:
    """Read and judge ``dataset.json``."""
    path = folder / "dataset.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["format"] != FORMAT:
            raise ValueError("another format")
        version = int(said["version"])
        if version <= VERSION:
            return _value(_Head, said)
    except (FileNotFoundError, NotADirectoryError):
        raise MediaError(
            f"{folder}: is no data set (it has no dataset.json); make one with clapboard prepare"
        ) from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path}: is damaged, or belongs to something else ({_said(error)})") from None
    raise MediaError(f"{folder}: is a data set of version {version}, this Clapboard reads {VERSION}; update Clapboard")


def _rows(path: Path, count: int, kind: type[Row]) -> Iterator[Row]:
    """The first rows of a file; what comes behind them was never finished."""
    if not count:
        return
    try:
        with path.open(encoding="utf-8") as file:
            lines = [line for line, _ in zip(file, range(count), strict=False)]
        if len(lines) < count:
            raise ValueError(f"{len(lines)} of {count} rows")
        for line in lines:
            yield _value(kind, json.loads(line))
    except FileNotFoundError:
        raise MediaError(f"{path}: is missing; copy the whole data set again") from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path}: is damaged ({_said(error)}); copy the data set again") from None


def _value(kind: type[Row], said: Mapping[str, Any]) -> Row:
    """A row as a value; fields that this version does not know are left aside, a missing one is a KeyError."""
    needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    for name in needed - set(said):
        raise KeyError(f"no {name}")
    return kind(**{f.name: said[f.name] for f in fields(kind) if f.name in said})


def _said(error: Exception) -> str:
    """Words of an error without the quotes that a KeyError puts around them."""
    return str(error.args[0]) if error.args else type(error).__name__


@dataclass(slots=True)
class Writer:
    """Writes a data set, or goes on with one: tracks of one file with `add` and `drop`, then `finished`.

    What a file gives becomes visible as a whole. Nothing is there for good before `commit`, which `finished` calls
    whenever a shard is full; leaving the ``with`` block commits the rest, also after an error.

    Parameters
    ----------
    folder : made where it does not exist
    view : which crops; see `clapboard.vision`
    settings : whatever decides what is kept: a data set is only continued with the same
    shard_bytes : size at which a shard is closed

    Raises
    ------
    UsageError : the folder holds something else, or a data set of another view or other settings
    MediaError : the data set that is there cannot be read
    """

    folder: Path
    view: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    shard_bytes: int = SHARD_BYTES
    _head: _Head = field(init=False)
    _ids: set[str] = field(init=False, default_factory=set)
    _files: dict[str, int] = field(init=False, default_factory=dict)
    _arrays: dict[str, NDArray[Any]] = field(init=False, default_factory=dict)
    _kept: list[Entry] = field(init=False, default_factory=list)
    _dropped: list[Dropped] = field(init=False, default_factory=list)
    _whole: tuple[int, int, int] = field(init=False, default=(0, 0, 0))

    def __post_init__(self) -> None:
        """Look at what is there."""
        self.folder = Path(self.folder)
        settings = json.loads(json.dumps(dict(self.settings)))
        if (self.folder / "dataset.json").exists():
            there = Dataset.open(self.folder)
            if there.view != self.view or there.settings != settings:
                raise UsageError(f"{self.folder}: {_difference(there, self.view, settings)}; name another folder")
            self._head = _read_head(self.folder)
            self._ids = {entry.id for entry in there.entries}
            self._note_files(there.entries, there.dropped)
            return
        if self.folder.exists() and (not self.folder.is_dir() or any(_foreign(self.folder))):
            raise UsageError(f"{self.folder}: exists and is no data set; name another folder")
        self._head = _Head(self.view, settings)
        try:
            (self.folder / "shards").mkdir(parents=True, exist_ok=True)
            self._publish()
        except OSError as error:
            raise MediaError(f"{self.folder}: cannot be written ({error.strerror or error})") from None

    def __enter__(self) -> "Writer":
        """Nothing to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Keep what is finished, whatever happened."""
        self._forget_unfinished()
        self.commit()

    @property
    def files(self) -> Mapping[str, int]:
        """Files that are finished, kept or dropped, and their sizes, bytes."""
        return self._files

    def add(self, entry: Entry, stored: Stored) -> None:
        """Add one track; the arrays are read when the shard is written, and may be memory maps. ``shard`` is set here.

        Raises
        ------
        UsageError : the id is there already, or the arrays do not fit together
        """
        images, samples = stored.images, stored.samples
        good = images.ndim in (3, 4) and images.dtype == np.uint8 and stored.time_s.shape == images.shape[:1]
        if not good or samples.ndim != 1 or samples.dtype != np.int16 or entry.frames != len(images):
            seen = f"{images.shape} {images.dtype}, {stored.time_s.shape}, {samples.shape} {samples.dtype}"
            raise UsageError(f"a track is (T, px, px[, 3]) uint8, (T,), (N,) int16, not {seen}")
        if entry.id in self._ids or f"{entry.id}/images" in self._arrays:
            raise UsageError(f"{self.folder}: holds {entry.id} already")
        arrays: dict[str, NDArray[Any]] = {
            "images": images,
            "time_s": np.asarray(stored.time_s, np.float64),
            "samples": samples,
            "start_s": np.array(stored.start_s, np.float64),
        }
        self._arrays |= {f"{entry.id}/{name}": array for name, array in arrays.items()}
        self._kept.append(entry)

    def drop(self, dropped: Dropped) -> None:
        """Note a file or a track that is not kept."""
        self._dropped.append(dropped)

    def finished(self) -> bool:
        """The tracks added so far are all of their file; returns whether a shard was full and is written.

        Raises
        ------
        MediaError : the shard cannot be written
        """
        self._whole = (len(self._kept), len(self._dropped), len(self._arrays))
        self._note_files(self._kept, self._dropped)
        full = sum(array.nbytes for array in self._arrays.values()) >= self.shard_bytes
        if full:
            self.commit()
        return full

    def commit(self) -> None:
        """Write what is finished as a shard with its rows.

        Raises
        ------
        MediaError : it cannot be written; the data set stays as it was
        """
        if not self._kept and not self._dropped:
            return
        head = self._head
        try:
            if self._kept:
                write_shard(shard_path(self.folder, head.shards), self._arrays)
            kept = [asdict(entry) | {"shard": head.shards} for entry in self._kept]
            _append(self.folder / "manifest.jsonl", head.tracks, kept)
            _append(self.folder / "dropped.jsonl", head.dropped, [asdict(row) for row in self._dropped])
            self._head = _Head(
                head.view,
                head.settings,
                head.clapboard,
                head.shards + bool(kept),
                head.tracks + len(kept),
                head.dropped + len(self._dropped),
            )
            self._publish()
        except OSError as error:
            self._head = head
            raise MediaError(f"{self.folder}: cannot be written ({error.strerror or error}); make room") from error
        self._ids |= {entry.id for entry in self._kept}
        self._kept, self._dropped, self._arrays, self._whole = [], [], {}, (0, 0, 0)

    def _note_files(self, kept: Iterable[Entry], dropped: Iterable[Dropped]) -> None:
        """Remember which files are finished."""
        self._files |= {row.file: row.size_bytes for row in kept} | {row.file: row.size_bytes for row in dropped}

    def _forget_unfinished(self) -> None:
        """Leave out the tracks of a file that was interrupted."""
        kept, dropped, arrays = self._whole
        del self._kept[kept:], self._dropped[dropped:]
        self._arrays = dict(list(self._arrays.items())[:arrays])

    def _publish(self) -> None:
        """Replace ``dataset.json``: from here on its rows count."""
        _write(self.folder / "dataset.json", json.dumps(asdict(self._head), indent=1) + "\n")


def _foreign(folder: Path) -> Iterable[Path]:
    """What lies in a folder that is to become a data set, but for what an attempt that was killed at once leaves."""
    return (path for path in folder.iterdir() if path.name != "shards" and not path.name.startswith("."))


def _difference(there: Dataset, view: str, settings: Mapping[str, Any]) -> str:
    """In words, what was set otherwise when a data set was begun."""
    old, new = {"view": there.view, **there.settings}, {"view": view, **settings}
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    said = ", ".join(f"{name} {old.get(name)} and not {new.get(name)}" for name in names)
    return f"is a data set with other settings ({said})"


def _append(path: Path, keep: int, rows: Iterable[Mapping[str, Any]]) -> None:
    """Put rows behind the first ``keep`` ones of a file; what an interrupted attempt left behind these goes."""
    lines = b"".join(_line(row) for row in rows)
    with path.open("ab+") as file:
        file.seek(0)
        for _ in range(keep):
            file.readline()
        file.truncate(file.tell())
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def _line(row: Mapping[str, Any]) -> bytes:
    """One row of JSON; names that are no text (a file may have any bytes as its name) are escaped."""
    try:
        return (json.dumps(row, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(row) + "\n").encode()


def _write(path: Path, text: str) -> None:
    """Write a small file by a temporary name."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
