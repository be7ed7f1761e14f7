"""The small files of a data set: rows of what was kept and dropped, and the head that says how many of them count."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from clapboard import __version__
from clapboard.errors import MediaError

FORMAT, VERSION = "clapboard-dataset", 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One track of a data set, or one shot where it holds scenes: a row of the manifest.

    Attributes
    ----------
    id : unique in the data set; names the arrays in the shard
    file : the video, as in the label file, else below the folder that was given; with ``/``
    corpus, speaker : where it comes from, who speaks; of scenes the recording
    group : never to be split between learning and judging: ``corpus/speaker``
    track : number of the face, or of the shot, in its file
    shard : number of the shard
    start_s, end_s : from the first frame up to the end of the last, s on the file's clock
    frames : frames of the picture grid, T: at 25 Hz, or at ``picture_hz`` of the settings
    face_px : median width of the face, px of the video; 0 of scenes
    speech_share : part of the track's sound that is not quiet, of scenes that is not silent, 0 to 1
    shot_start_s, shot_end_s : the shot around it, s
    repeated_frames : grid points that were filled by the frame of the point before
    offset_ms : by how much the sound is early, where a label file said so
    size_bytes : size of the video file
    label : what is heard, where a label file said so
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
    label: str = ""


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
class Head:
    """What ``dataset.json`` says."""

    view: str
    settings: dict[str, Any]
    clapboard: str = __version__
    shards: int = 0
    tracks: int = 0
    dropped: int = 0
    format: str = FORMAT
    version: int = VERSION


Row = TypeVar("Row", Entry, Dropped, Head)


def read_head(folder: Path) -> Head:
    """Read and judge ``dataset.json``."""
    path = folder / "dataset.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["format"] != FORMAT:
            raise ValueError("another format")
        version = int(said["version"])
        if version <= VERSION:
            return _value(Head, said)
    except (FileNotFoundError, NotADirectoryError):
        raise MediaError(
            f"{folder}: is no data set (it has no dataset.json); make one with clapboard prepare"
        ) from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path}: is damaged, or belongs to something else ({_said(error)})") from None
    raise MediaError(f"{folder}: is a data set of version {version}, this Clapboard reads {VERSION}; update Clapboard")


def read_rows(path: Path, count: int, kind: type[Row]) -> Iterator[Row]:
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


def append_rows(path: Path, keep: int, rows: Iterable[Mapping[str, Any]]) -> None:
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


def write_head(folder: Path, head: Head) -> None:
    """Replace ``dataset.json`` in one step: from here on the rows that it counts are there."""
    path, text = folder / "dataset.json", json.dumps(asdict(head), indent=1) + "\n"
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
