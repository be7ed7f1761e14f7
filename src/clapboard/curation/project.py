"""One SQLite file holds a project: files, videos, segments, questions and votes.

Several programs may have ``PROJECT/curate.sqlite`` open at once, and every change is one transaction; see
`clapboard.serving.database`. A *video* is a range of a file with one class; the same range of two classes is two of
them.
"""

import os
import sqlite3
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clapboard.errors import MediaError, UsageError
from clapboard.serving.database import Database

FILE = "curate.sqlite"
SCHEMA = 1
"""Version of the tables."""
MARK = "ClCu"
"""Tells these files from other SQLite files."""
TABLES = """
CREATE TABLE settings (segment_ms INTEGER NOT NULL, voters INTEGER NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL, stem TEXT NOT NULL UNIQUE,
    size_bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL
);
CREATE TABLE videos (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES files, class TEXT NOT NULL,
    start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, begun_ms INTEGER NOT NULL,
    UNIQUE (file, class, start_ms, end_ms)
);
CREATE TABLE segments (
    id INTEGER PRIMARY KEY, video INTEGER NOT NULL REFERENCES videos, name TEXT NOT NULL UNIQUE,
    start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, broken TEXT
);
CREATE INDEX segments_of ON segments (video, start_ms);
CREATE INDEX segments_broken ON segments (broken) WHERE broken IS NOT NULL;
CREATE TABLE questions (
    segment INTEGER NOT NULL REFERENCES segments, question TEXT NOT NULL CHECK (question IN ('seen', 'heard')),
    class TEXT NOT NULL, place INTEGER NOT NULL,
    yes INTEGER NOT NULL DEFAULT 0, no INTEGER NOT NULL DEFAULT 0, open INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (segment, question)
) WITHOUT ROWID;
CREATE INDEX questions_open ON questions (open, class, question, yes + no DESC, place);
CREATE TABLE voters (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE votes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, segment INTEGER NOT NULL, question TEXT NOT NULL,
    voter INTEGER NOT NULL REFERENCES voters, answer INTEGER NOT NULL CHECK (answer IN (0, 1)),
    source TEXT NOT NULL, cast_at TEXT NOT NULL,
    UNIQUE (segment, question, voter), FOREIGN KEY (segment, question) REFERENCES questions
);
CREATE INDEX votes_of ON votes (voter, id);
CREATE TABLE leases (
    segment INTEGER NOT NULL, question TEXT NOT NULL, voter INTEGER NOT NULL REFERENCES voters, until_s REAL NOT NULL,
    PRIMARY KEY (segment, question, voter)
) WITHOUT ROWID;
CREATE INDEX leases_of ON leases (voter);
CREATE TABLE left_out (name TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the whole project: length of a segment, ms, and how many voters answer each question."""

    segment_ms: int
    voters: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of a file as it was when it was noted, ms of the file's clock; ``id`` is that of the segment."""

    id: int
    name: str
    class_name: str
    path: Path
    size_bytes: int
    modified_ns: int
    start_ms: int
    end_ms: int
    broken: str | None = None

    def require_same(self) -> None:
        """Refuse a file that is gone or is another one by now.

        Raises
        ------
        MediaError : as said
        """
        require_same(self.path, self.size_bytes, self.modified_ns)


def require_same(path: Path, size_bytes: int, modified_ns: int) -> None:
    """Refuse a file that is gone, or has another size or date than when it was noted.

    Raises
    ------
    MediaError : as said
    """
    try:
        status = path.stat()
    except OSError as error:
        why = error.strerror or error
        raise MediaError(f"{path}: cannot be read ({why}); bring it back, or begin from where it is") from None
    if (status.st_size, status.st_mtime_ns) != (size_bytes, modified_ns):
        raise MediaError(f"{path}: has changed since it was taken in; bring back what it was")


class Project:
    """A folder with a project in it.

    Raises
    ------
    UsageError : there is none
    MediaError : it cannot be read, or is of another version
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._database = _database(self.folder)
        if not self._database.path.is_file():
            raise UsageError(f"{folder}: no curation was begun there; see clapboard curate begin --help")
        with self.reading() as db:
            self.settings = Settings(*db.execute("SELECT segment_ms, voters FROM settings").fetchone())

    @classmethod
    def create(cls, folder: str | Path, settings: Settings) -> "Project":
        """Begin a project, whole or not at all.

        Raises
        ------
        MediaError : it cannot be written
        """
        database = _database(Path(folder))
        candidate = replace(database, path=database.path.with_name(f".{os.getpid()}.{FILE}"))
        try:
            database.path.parent.mkdir(parents=True, exist_ok=True)
            candidate.create()
            with candidate.write() as db:
                db.execute("INSERT INTO settings VALUES (?, ?)", (settings.segment_ms, settings.voters))
            with suppress(FileExistsError):  # somebody else was faster: theirs counts
                os.link(candidate.path, database.path)
        except OSError as error:
            raise MediaError(f"{folder}: cannot be written ({error.strerror}); give another folder") from None
        finally:
            for ending in ("", "-wal", "-shm"):
                with suppress(OSError):
                    Path(f"{candidate.path}{ending}").unlink()
        return cls(folder)

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection that sees one state of the project.

        Raises
        ------
        MediaError : it cannot be read
        """
        return self._database.read()

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection whose changes count together when the body ends well, and not at all otherwise.

        Nobody else changes anything meanwhile.

        Raises
        ------
        MediaError : it cannot be written
        """
        return self._database.write()

    def piece(self, segment: int) -> Piece | None:
        """One segment by its number; None where there is none of this number."""
        with self.reading() as db:
            row = db.execute(
                "SELECT s.id, s.name, v.class, f.path, f.size_bytes, f.modified_ns, s.start_ms, s.end_ms, s.broken "
                "FROM segments s JOIN videos v ON v.id = s.video JOIN files f ON f.id = v.file WHERE s.id = ?",
                (segment,),
            ).fetchone()
        return None if row is None else _piece(*row)

    def mark_broken(self, segment: int, reason: str) -> None:
        """Note that a segment cannot be shown: nobody is asked about it any more, and it is not kept."""
        with self.writing() as db:
            db.execute("UPDATE segments SET broken = ? WHERE id = ?", (reason, segment))
            db.execute("UPDATE questions SET open = 0 WHERE segment = ?", (segment,))
            db.execute("DELETE FROM leases WHERE segment = ?", (segment,))


def _database(folder: Path) -> Database:
    """The file of a project."""
    return Database(folder / FILE, "curation project", MARK, SCHEMA, TABLES)


def _piece(number: int, name: str, class_name: str, path: str, *rest: Any) -> Piece:
    """A row as a value."""
    return Piece(number, name, class_name, Path(path), *rest)
