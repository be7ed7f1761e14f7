"""Which video files are prepared, what each is called, and what is known of it, from folders, names and labels."""

import csv
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from clapboard.errors import MediaError, UsageError

VIDEO_SUFFIXES = {
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4",
    ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv",
}  # fmt: skip
"""What is looked for in folders; a file that is named itself may end as it likes."""
SPEAKER_FROM = ("folder", "file")
LEFT_OUT = "left out by the labels"
TWICE = "the same file as another one"


@dataclass(frozen=True, slots=True)
class Cut:
    """The segment of a recording that counts, s; ``begun`` where the file begins with it, by its name."""

    start_s: float
    end_s: float
    begun: bool


@dataclass(frozen=True, slots=True)
class Source:
    """One video file, or a cut of it: where it is, what the data set calls it, what is known of it; see `Entry`."""

    path: Path
    file: str
    corpus: str
    speaker: str
    group: str
    offset_ms: float | None = None
    size_bytes: int = 0
    label: str = ""
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The files to prepare, ascending by name, and those left out with the reason."""

    sources: tuple[Source, ...]
    left_out: tuple[tuple[Source, str], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A file, its path below the folder that was given, and that folder; a given file lies in the folder around it."""

    path: Path
    inner: PurePath
    folder: Path


@dataclass(frozen=True, slots=True)
class Labels:
    """Rows of a label file, by the real path of the video."""

    folder: Path = Path()
    rows: Mapping[Path, Mapping[str, str]] = field(default_factory=dict)

    @property
    def classes(self) -> dict[str, str]:
        """Every class that is named, by itself."""
        return {name: name for name in sorted({row.get("class") or "" for row in self.rows.values()}) if name}

    @classmethod
    def read(cls, path: str | Path) -> "Labels":
        """Read a CSV with the column file, and any of corpus, speaker or recording, class, part, offset_ms, usable.

        Files are relative to the CSV's folder, or absolute.

        Raises
        ------
        MediaError : it cannot be read
        UsageError : it has no column file, or an offset that is no number
        """
        path = Path(path)
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                table = list(csv.DictReader(file))
        except OSError as error:
            raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise MediaError(f"{path}: is no table of text ({error}); save it as CSV in UTF-8") from None
        rows = {}
        for number, row in enumerate(table, start=2):
            said = {
                name: (value or "").strip() for name, value in row.items() if isinstance(value, str | None) and name
            }
            if not said.get("file"):
                raise UsageError(
                    f"{path}: row {number} names no file; the first line must name the columns, one is file"
                )
            if said.get("offset_ms") and _number(said["offset_ms"]) is None:
                raise UsageError(f"{path}: row {number} has the offset {said['offset_ms']}; give milliseconds")
            rows[Path(os.path.realpath(path.parent / said["file"]))] = said
        return cls(Path(os.path.realpath(path.parent)), rows)


def find(
    inputs: Sequence[str | Path],
    *,
    labels: Labels | None = None,
    part: str | None = None,
    corpus: str | None = None,
    speaker_from: str | None = None,
    classes: Collection[str] | None = None,
) -> Found:
    """Look for video files and what is known of them.

    A file's name in the data set is that of the label file, else its path below the folder that was given. Without
    labels its corpus is that folder's name, its speaker the first folder below that, or the file itself where it lies
    in none; the group is ``corpus/speaker``.

    Parameters
    ----------
    inputs : folders, which are searched with all below them, and files
    labels : what is known; with a row for a file, its filled columns go before everything else
    part : only files whose row has this part
    corpus : in place of the folder's name
    speaker_from : "folder" or "file", or a regular expression on the file's name in the data set, whose first group (or
        whole match) is the speaker
    classes : only files whose row has one of these classes

    Returns
    -------
    Found : a file given twice, or under a second name (hard link), is there once

    Raises
    ------
    UsageError : an input does not exist, nothing is found, two files get one name, or the expression does not match
    """
    labels = labels or Labels()
    sources: list[Source] = []
    left_out: list[tuple[Source, str]] = []
    seen: dict[tuple[int, int], Path] = {}
    named: dict[str, Path] = {}
    for place in sorted(places(inputs), key=lambda place: (place.inner.parts, str(place.path))):
        row = labels.rows.get(Path(os.path.realpath(place.path)))
        if part is not None and (row is None or row.get("part") != part):
            continue
        if classes is not None and (row is None or row.get("class") not in classes):
            continue
        status = place.path.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen and os.path.realpath(seen[identity]) == os.path.realpath(place.path):
            continue
        file = _name(place, row or {}, labels.folder)
        of_corpus = (row or {}).get("corpus") or corpus or place.folder.resolve().name or "videos"
        said = (row or {}).get("speaker") or (row or {}).get("recording")
        speaker, heard = said or _speaker(place, file, speaker_from), (row or {}).get("class") or ""
        known = row.get("offset_ms") if row and row.get("usable") != "no" else None
        group = f"{of_corpus}/{speaker}"
        source = Source(place.path, file, of_corpus, speaker, group, _number(known), status.st_size, heard)
        if source.file in named:
            raise UsageError(
                f"{source.path} and {named[source.file]} would both be called {source.file}; give the folder above them"
            )
        named[source.file] = source.path
        if status.st_ino and identity in seen:
            left_out.append((source, TWICE))
        elif row is not None and row.get("usable") == "drop":
            left_out.append((source, LEFT_OUT))
        else:
            sources.append(source)
        seen.setdefault(identity, place.path)
    if not sources and not left_out:
        where = ", ".join(map(str, inputs))
        of_class = " of these classes" if classes is not None else ""
        raise UsageError(
            f"{where}: no video {f'of part {part}' if part is not None else 'file'}{of_class} was found there"
        )
    return Found(tuple(sources), tuple(left_out))


def _name(place: Place, row: Mapping[str, str], labelled: Path) -> str:
    """What the data set calls a file: as its label does, relative to the label file where it lies below that."""
    if not row:
        return place.inner.as_posix()
    said = PurePath(row["file"])
    return (said.relative_to(labelled) if said.is_absolute() and said.is_relative_to(labelled) else said).as_posix()


def _speaker(place: Place, file: str, speaker_from: str | None) -> str:
    """Who speaks, as far as names tell."""
    if speaker_from is not None and speaker_from not in SPEAKER_FROM:
        match = _pattern(speaker_from).search(file)
        if match is None:
            raise UsageError(f"--speaker-from {speaker_from}: does not match {file}")
        return str(match.group(1) if match.re.groups else match.group())
    in_folder = len(place.inner.parts) > 1 and speaker_from != "file"
    return place.inner.parts[0] if in_folder else file


def _number(text: str | None) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _pattern(text: str) -> re.Pattern[str]:
    """The regular expression that says who speaks."""
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(
            f"--speaker-from {text}: is no regular expression ({error}); or give folder, or file"
        ) from None


def places(inputs: Iterable[str | Path], suffixes: Collection[str] = VIDEO_SUFFIXES) -> Iterator[Place]:
    """Every file that is asked for, and those with such an ending below every folder.

    Raises
    ------
    UsageError : an input does not exist
    """
    for given in map(Path, inputs):
        if given.is_dir():
            yield from _below(given, suffixes)
        elif given.is_file():
            yield Place(given, PurePath(given.name), given.parent)
        else:
            raise UsageError(f"{given}: there is no such file or folder")


def _below(folder: Path, suffixes: Collection[str]) -> Iterator[Place]:
    """Files with such an ending below a folder, also through links, each folder once; hidden ones are left out."""
    been: set[str] = set()
    for inside, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(inside)
        folders[:] = [] if real in been else sorted(name for name in folders if not name.startswith("."))
        if real in been:
            continue
        been.add(real)
        for name in files:
            path = Path(inside, name)
            if path.suffix.lower() in suffixes and not name.startswith(".") and path.is_file():
                yield Place(path, path.relative_to(folder), folder)
