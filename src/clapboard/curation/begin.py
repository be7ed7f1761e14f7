"""Taking media in: files and lists become ranges with a class, and these become segments on paper."""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from clapboard.curation.judging import QUESTIONS
from clapboard.curation.plan import Extent, classes_by_mid, classes_by_name, extent, pieces
from clapboard.curation.project import FILE, Project, Settings
from clapboard.dataset.classes import read_class_names
from clapboard.dataset.segments import Recordings, read_segments
from clapboard.dataset.sources import Cut, places
from clapboard.errors import MediaError, UsageError
from clapboard.media.probe import probe
from clapboard.report.printable import shown
from clapboard.values import Clip, Hook

SEGMENT_S, VOTERS = 2.0, 3
"""As in VEGAS."""
SEGMENTS_S = (0.5, 60.0)
MOST_VOTERS = 15
NOT_IN_NAMES = '/\\:*?"<>|'
"""Characters that no folder or file may have on one system or another."""
LONGEST_CLASS = 60
LONGEST_STEM = 120
"""Longer names are cut: what is written bears two times more (characters)."""
OTHER_NAME = "rename one, or give a folder above both: what lies directly in it are the classes then, but for --class"
LEFT_OUT = (
    "no picture",
    "no sound",
    "picture and sound at different times",
    "shorter than half a segment",
    "a name that is no text",
)


@dataclass(frozen=True, slots=True)
class Item:
    """One range that is to be judged: a file, what the project calls it, its class, and what of it (None: all)."""

    path: Path
    name: str
    class_name: str
    cut: Cut | None = None


@dataclass(slots=True)
class Begun:
    """What was taken in: how many new files, videos and segments, what was left out and why, and what was not found.

    ``changed`` are files that are no longer what they were, ``missing`` rows of the list without a file.
    """

    project: Project
    files: int = 0
    videos: int = 0
    segments: int = 0
    known: int = 0
    missing: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> Counter[str]:
        """How often each reason was given."""
        return Counter(self.left_out.values())


def open_project(folder: str | Path, *, segment_s: float | None = None, voters: int | None = None) -> Project:
    """The project of a folder, begun where there is none.

    Parameters
    ----------
    folder : made where it is not there
    segment_s, voters : None takes what the project has, else 2 s and 3

    Raises
    ------
    UsageError : they make no sense, or the project has others
    MediaError : it cannot be read or written
    """
    if segment_s is not None and not SEGMENTS_S[0] <= segment_s <= SEGMENTS_S[1]:
        raise UsageError(f"segments last from {SEGMENTS_S[0]:g} to {SEGMENTS_S[1]:g} s, not {segment_s:g}")
    if voters is not None and (voters % 2 == 0 or not 1 <= voters <= MOST_VOTERS):
        raise UsageError(f"{voters} voters have no majority for sure; give an odd number up to {MOST_VOTERS}")
    if not (Path(folder) / FILE).exists():
        segment_ms = round((SEGMENT_S if segment_s is None else segment_s) * 1000)
        return Project.create(folder, Settings(segment_ms, VOTERS if voters is None else voters))
    project = Project(folder)
    has = project.settings
    if segment_s is not None and round(segment_s * 1000) != has.segment_ms:
        raise UsageError(f"{folder}: was begun with segments of {has.segment_ms / 1000:g} s; give these or none")
    if voters is not None and voters != has.voters:
        raise UsageError(f"{folder}: was begun with {has.voters} voters; give this number or none")
    return project


def of_folders(
    inputs: Sequence[str | Path], *, class_name: str | None = None, classes: str | None = None
) -> list[Item]:
    """Every video of files and folders: its class is the folder that it lies in.

    That is the first folder below the one that was given, and this one itself for what lies directly in it.

    Parameters
    ----------
    inputs : folders, which are searched with all below them, and files
    class_name : one class for all of them
    classes : only these, see `classes_by_name`

    Raises
    ------
    UsageError : an input does not exist, or nothing is found
    """
    where = ", ".join(map(str, inputs))
    found = []
    for place in sorted(places(inputs), key=lambda place: (place.inner.parts, str(place.path))):
        inner = place.inner.parts
        folder = inner[0] if len(inner) > 1 else place.folder.resolve().name
        name = place.inner.as_posix() if len(inner) > 1 else f"{folder}/{place.inner.as_posix()}"
        found.append(Item(place.path, name, class_name or folder))
    if not found:
        raise UsageError(f"{where}: no video file was found there")
    if class_name is not None:
        return found
    chosen = classes_by_name(classes, [item.class_name for item in found], where=where)
    return [
        Item(item.path, item.name, chosen[item.class_name], item.cut) for item in found if item.class_name in chosen
    ]


def of_list(
    inputs: Sequence[str | Path],
    path: str | Path,
    *,
    classes: str | None = None,
    class_names: str | Path | None = None,
    part: str | None = None,
) -> tuple[list[Item], int]:
    """What a list of segments names: one item for each row and class that has a file.

    Parameters
    ----------
    inputs : folders, which are searched with all below them, and files
    path : the list, as AudioSet has them
    classes, class_names : see `classes_by_mid`, and the CSV with the names
    part : only rows of this part

    Returns
    -------
    items, missing : and how many rows of these classes have no file

    Raises
    ------
    MediaError : a table cannot be read
    UsageError : it makes no sense, or no row has a file
    """
    names = None if class_names is None else read_class_names(class_names)
    wanted = classes_by_mid(classes, names, where=str(class_names or path))
    recordings = Recordings(inputs)
    found, missing, rows = list[Item](), 0, 0
    for row in read_segments(path):
        of = [name for name, mids in wanted.items() if mids.intersection(row.labels)]
        if not of or (part is not None and row.part != part):
            continue
        rows += 1
        held = recordings.file_of(row)
        if held is None:
            missing += 1
            continue
        place, cut = held
        found += [Item(place.path, place.inner.as_posix(), name, cut) for name in of]
    if not found:
        of_part = f" of part {part}" if part is not None else ""
        below = ", ".join(map(str, inputs))
        raise UsageError(f"{path}: none of {rows} rows of these classes{of_part} has a file below {below}")
    return found, missing


def begin(project: Project, items: Iterable[Item], *, hook: Hook | None = None) -> Begun:
    """Take in what is not there yet; what is there stays as it is, with its votes.

    Each file is one transaction: what an interrupted run has taken in stays. A file that has moved is found again by
    its name and size.

    Parameters
    ----------
    project : to be added to
    items : from `of_folders` or `of_list`
    hook : called as ``hook("taking in", done, total)``

    Raises
    ------
    UsageError : two files would have one name
    MediaError : the project cannot be written
    """
    by_file: dict[Path, list[Item]] = {}
    named: dict[str, Path] = {}
    done = Begun(project)
    for item in items:
        require_class(item.class_name)
        if any("\ud800" <= char <= "\udfff" for char in f"{item.name}{os.path.realpath(item.path)}"):
            done.left_out[shown(item.name)] = LEFT_OUT[4]  # what is no text has no place in a table
            continue
        other = named.setdefault(item.name, item.path)
        if os.path.realpath(other) != os.path.realpath(item.path):
            raise UsageError(f"{item.path} and {other} would both be called {item.name}; {OTHER_NAME}")
        by_file.setdefault(Path(os.path.realpath(item.path)), []).append(item)
    for number, (path, of_file) in enumerate(by_file.items()):
        if hook is not None:
            hook("taking in", number, len(by_file))
        _take(done, path, of_file)
    return done


def _take(done: Begun, path: Path, items: Sequence[Item]) -> None:
    """Take in all ranges of one file."""
    name = items[0].name
    with done.project.writing() as db:
        status = path.stat()
        known = db.execute(
            "SELECT id, name, path, size_bytes, modified_ns FROM files WHERE path = ?1 OR name = ?2 "
            "ORDER BY path = ?1 DESC",
            (str(path), name),
        ).fetchone()
        if known is not None:
            number, name, before, size_bytes, modified_ns = known
            if Path(before) != path:
                if size_bytes != status.st_size or _there(before, size_bytes, modified_ns):
                    raise UsageError(f"{path} and {before} would both be called {name}; {OTHER_NAME}")
                db.execute(
                    "UPDATE files SET path = ?, modified_ns = ? WHERE id = ?", (str(path), status.st_mtime_ns, number)
                )
            elif (size_bytes, modified_ns) != (status.st_size, status.st_mtime_ns):
                done.changed.append(name)
                return
        db.execute("DELETE FROM left_out WHERE name = ?", (name,))
        try:
            clip = probe(path)
            both = _extent(clip)
        except MediaError as error:
            both = str(error).removeprefix(f"{path}: ").split(";", maxsplit=1)[0]
        ranges = [] if isinstance(both, str) else [(item, cut) for item in items if (cut := _range(item, both))]
        rows = [(item, cut, found) for item, cut in ranges if (found := pieces(*cut, done.project.settings.segment_ms))]
        if not rows:
            why = both if isinstance(both, str) else LEFT_OUT[3]
            done.left_out[name] = why
            db.execute("INSERT OR REPLACE INTO left_out VALUES (?, ?)", (name, shown(why)))
            return
        if known is None:
            number = db.execute(
                "INSERT INTO files (name, path, stem, size_bytes, modified_ns) VALUES (?, ?, ?, ?, ?)",
                (name, str(path), _stem(db, name), status.st_size, status.st_mtime_ns),
            ).lastrowid
            done.files += 1
        for item, (start_ms, end_ms), found in rows:
            begun_ms = round(item.cut.start_s * 1000) - start_ms if item.cut is not None and item.cut.begun else 0
            _add(db, done, (number, item.class_name, start_ms, end_ms, begun_ms), found, f"{item.class_name}/{name}")


def _add(
    db: sqlite3.Connection,
    done: Begun,
    video: tuple[int | None, str, int, int, int],
    found: Sequence[tuple[int, int]],
    above: str,
) -> None:
    """Add one video with its segments and their questions, unless it is there."""
    row = db.execute(
        "INSERT OR IGNORE INTO videos (file, class, start_ms, end_ms, begun_ms) VALUES (?, ?, ?, ?, ?)", video
    )
    if not row.rowcount:
        done.known += 1
        return
    done.videos += 1
    for start_ms, end_ms in found:
        name = f"{above}#t={start_ms / 1000:.10g},{end_ms / 1000:.10g}"
        segment = db.execute(
            "INSERT OR IGNORE INTO segments (video, name, start_ms, end_ms) VALUES (?, ?, ?, ?)",
            (row.lastrowid, name, start_ms, end_ms),
        )
        if not segment.rowcount:  # two rows of a list overlap: it is asked about once
            continue
        done.segments += 1
        db.executemany(
            "INSERT INTO questions (segment, question, class, place) VALUES (?, ?, ?, ?)",
            [(segment.lastrowid, question, video[1], _place(name, question)) for question in QUESTIONS],
        )


def _place(name: str, question: str) -> int:
    """Where in the order a question comes: by chance, another for picture and sound, but always the same."""
    return int.from_bytes(sha256(f"{question}\0{name}".encode(errors="surrogateescape")).digest()[:6], "big")


def _stem(db: sqlite3.Connection, name: str) -> str:
    """What the clips of a file will be called: its name alone, without ending, with a number where that is taken."""
    kept = "".join(char if char.isprintable() and char not in NOT_IN_NAMES else "_" for char in Path(name).stem)
    kept = kept[:LONGEST_STEM].strip(". ") or "clip"
    taken = {stem.casefold() for (stem,) in db.execute("SELECT stem FROM files WHERE stem LIKE ? || '%'", (kept[:1],))}
    return next(stem for stem in _numbered(kept) if stem.casefold() not in taken)


def _numbered(stem: str) -> Iterator[str]:
    """A name, then the same with numbers."""
    yield stem
    number = 2
    while True:
        yield f"{stem}~{number}"
        number += 1


def _there(path: str, size_bytes: int, modified_ns: int) -> bool:
    """Whether a file is still where it was, unchanged."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (size_bytes, modified_ns)


def _extent(clip: Clip) -> Extent | str:
    """From when to when there is picture and sound; or why nothing of it can be used."""
    if clip.video is None:
        return LEFT_OUT[0]
    if clip.audio is None:
        return LEFT_OUT[1]
    whole_s = clip.duration_s
    ends = []
    for stream in (clip.video, clip.audio):
        if stream.duration_s is not None:
            ends.append(stream.start_s + stream.duration_s)
        elif whole_s is not None:
            ends.append(whole_s)
        else:
            return "length not known; copy it into another container first"
    return extent((clip.video.start_s, ends[0]), (clip.audio.start_s, ends[1])) or LEFT_OUT[2]


def _range(item: Item, both: Extent) -> tuple[int, int] | None:
    """What of a file is meant, ms of its clock; None where nothing of it is there."""
    if item.cut is None:
        return both.start_ms, both.end_ms
    start_ms, end_ms = round(item.cut.start_s * 1000), round(item.cut.end_s * 1000)
    if item.cut.begun:
        start_ms, end_ms = both.start_ms, both.start_ms + end_ms - start_ms
    start_ms, end_ms = max(start_ms, both.start_ms), min(end_ms, both.end_ms)
    return (start_ms, end_ms) if end_ms > start_ms else None


def require_class(name: str) -> None:
    """Refuse a class whose clips could have no folder.

    Raises
    ------
    UsageError : as said
    """
    if not name.strip() or name != name.strip() or len(name) > LONGEST_CLASS or not name.isprintable():
        raise UsageError(f"{shown(name)!r} is no name for a class; give 1 to {LONGEST_CLASS} characters with --class")
    if name.startswith(".") or any(char in name for char in NOT_IN_NAMES):
        raise UsageError(
            f"{name}: a class has a folder of its name; give one without a dot in front and {NOT_IN_NAMES}"
        )
