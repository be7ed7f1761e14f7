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
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.rows import Dropped, Entry, Head, append_rows, read_head, read_rows, write_head
from clapboard.dataset.shards import Shard, write_shard
from clapboard.errors import MediaError, UsageError
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import F64

__all__ = ["Dataset", "Dropped", "Entry", "Stored", "Writer", "shard_path"]

SHARD_BYTES = 256 * 2**20
"""A shard is closed when its arrays reach this size."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """The arrays of one track, straight from disk: ``images`` (T, px, px) or (T, px, px, 3) uint8.

    ``time_s`` (T,) are true times of the frames, s; ``samples`` (N,) int16 at 16 kHz, the first one at ``start_s``.
    In a data set of scenes these are the whole pictures of one shot, and the sound is as its settings say: (N, 2)
    where it has two channels.
    """

    images: NDArray[np.uint8]
    time_s: F64
    samples: NDArray[np.int16]
    start_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A data set to read from; pictures and sound stay on disk until they are looked at."""

    folder: Path
    view: str
    settings: Mapping[str, Any]
    entries: tuple[Entry, ...]
    dropped: tuple[Dropped, ...]
    shards: tuple[Shard, ...]

    @property
    def kind(self) -> str:
        """What it holds: "faces", or "sounds" for scenes."""
        return str(self.settings.get("kind", "faces"))

    @property
    def picture_hz(self) -> Fraction:
        """Points per second of the picture grid."""
        return Fraction(str(self.settings.get("picture_hz", PICTURE_HZ)))

    @property
    def sound_hz(self) -> int:
        """Rate of the sound, Hz."""
        return int(self.settings.get("sound_hz", SAMPLE_RATE_HZ))

    @classmethod
    def open(cls, folder: str | Path) -> "Dataset":
        """Open a data set and see that all of it is there.

        Raises
        ------
        MediaError : there is none, it is of a newer version, or a part of it is missing or damaged
        """
        folder = Path(folder)
        head = read_head(folder)
        entries = tuple(read_rows(folder / "manifest.jsonl", head.tracks, Entry))
        dropped = tuple(read_rows(folder / "dropped.jsonl", head.dropped, Dropped))
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
    _head: Head = field(init=False)
    _ids: set[str] = field(init=False, default_factory=set)
    _files: dict[str, int] = field(init=False, default_factory=dict)
    _arrays: dict[str, NDArray[Any]] = field(init=False, default_factory=dict)
    _kept: list[Entry] = field(init=False, default_factory=list)
    _dropped: list[Dropped] = field(init=False, default_factory=list)
    _whole: tuple[int, int, int] = field(init=False, default=(0, 0, 0))
    _bytes: int = field(init=False, default=0)
    _lock: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Look at what is there."""
        self.folder = Path(self.folder)
        settings = json.loads(json.dumps(dict(self.settings)))
        there = (self.folder / "dataset.json").exists()
        if not there and self.folder.exists() and (not self.folder.is_dir() or any(_foreign(self.folder))):
            raise UsageError(f"{self.folder}: exists and is no data set; name another folder")
        try:
            (self.folder / "shards").mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.folder)
            if not there:
                write_head(self.folder, Head(self.view, settings))
        except OSError as error:
            raise MediaError(f"{self.folder}: cannot be written ({error.strerror or error})") from None
        try:
            self._head, found = read_head(self.folder), Dataset.open(self.folder)
            if found.view != self.view or found.settings != settings:
                raise UsageError(f"{self.folder}: {_difference(found, self.view, settings)}; name another folder")
        except BaseException:
            self.close()
            raise
        self._ids = {entry.id for entry in found.entries}
        self._note_files(found.entries, found.dropped)

    def __enter__(self) -> "Writer":
        """Nothing to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Keep what is finished, whatever happened."""
        try:
            self._forget_unfinished()
            self.commit()
        finally:
            self.close()

    def close(self) -> None:
        """Let others write; what is not committed is lost."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

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
        if not good or samples.ndim not in (1, 2) or samples.dtype != np.int16 or entry.frames != len(images):
            seen = f"{images.shape} {images.dtype}, {stored.time_s.shape}, {samples.shape} {samples.dtype}"
            raise UsageError(f"a track is (T, px, px[, 3]) uint8, (T,), (N,) or (N, channels) int16, not {seen}")
        if entry.id in self._ids or f"{entry.id}/images" in self._arrays:
            raise UsageError(f"{self.folder}: holds {entry.id} already")
        arrays: dict[str, NDArray[Any]] = {
            "images": images,
            "time_s": np.asarray(stored.time_s, np.float64),
            "samples": samples,
            "start_s": np.array(stored.start_s, np.float64),
        }
        self._arrays |= {f"{entry.id}/{name}": array for name, array in arrays.items()}
        self._bytes += sum(array.nbytes for array in arrays.values())
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
        kept, dropped, _ = self._whole
        self._note_files(self._kept[kept:], self._dropped[dropped:])
        self._whole = (len(self._kept), len(self._dropped), len(self._arrays))
        full = self._bytes >= self.shard_bytes
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
            append_rows(self.folder / "manifest.jsonl", head.tracks, kept)
            append_rows(self.folder / "dropped.jsonl", head.dropped, [asdict(row) for row in self._dropped])
            new = replace(
                head,
                shards=head.shards + bool(kept),
                tracks=head.tracks + len(kept),
                dropped=head.dropped + len(self._dropped),
            )
            write_head(self.folder, new)
        except OSError as error:
            raise MediaError(f"{self.folder}: cannot be written ({error.strerror or error}); make room") from error
        self._ids |= {entry.id for entry in self._kept}
        # An interruption before this line only means that the same is written once more.
        self._kept, self._dropped, self._arrays, self._whole, self._bytes = [], [], {}, (0, 0, 0), 0
        self._head = new

    def _note_files(self, kept: Iterable[Entry], dropped: Iterable[Dropped]) -> None:
        """Remember which files are finished."""
        self._files |= {row.file: row.size_bytes for row in kept} | {row.file: row.size_bytes for row in dropped}

    def _forget_unfinished(self) -> None:
        """Leave out the tracks of a file that was interrupted."""
        kept, dropped, arrays = self._whole
        del self._kept[kept:], self._dropped[dropped:]
        self._arrays = dict(list(self._arrays.items())[:arrays])


def _foreign(folder: Path) -> Iterable[Path]:
    """What lies in a folder that is to become a data set, but for what an attempt that was killed at once leaves."""
    return (path for path in folder.iterdir() if path.name != "shards" and not path.name.startswith("."))


def _locked(folder: Path) -> int | None:
    """Keep other writers out of a folder as long as this stays open; None where the system has no such lock.

    Raises
    ------
    UsageError : somebody else is writing there
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(f"{folder}: is being written by another process; wait for it to end") from None
    except OSError:  # a network disk without locks
        os.close(handle)
        return None
    return handle


def _difference(there: Dataset, view: str, settings: Mapping[str, Any]) -> str:
    """In words, what was set otherwise when a data set was begun."""
    old, new = {"view": there.view, **there.settings}, {"view": view, **settings}
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    said = ", ".join(f"{name} {old.get(name)} and not {new.get(name)}" for name in names)
    return f"is a data set with other settings ({said})"
