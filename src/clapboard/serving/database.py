"""SQLite under a page: one file that several processes and threads share, known by its kind and schema version.

Every use opens a connection of its own and is one transaction, so nothing is shared between threads and whatever fails
leaves no half of it. WAL lets readers go on while somebody writes; answers of people are worth a flush to disk each, so
``synchronous`` stays FULL.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clapboard.errors import MediaError

WAIT_S = 10.0
"""How long a transaction waits for another one."""


class BusyError(MediaError):
    """Somebody else is writing for longer than anyone waits."""


@dataclass(frozen=True, slots=True)
class Database:
    """One SQLite file.

    Attributes
    ----------
    path : the file
    kind : what it is, in words: ``study``
    mark : four letters that are in the file (SQLite's ``application_id``), so that files of others are told apart
    version : of the schema (SQLite's ``user_version``); goes up when the tables change
    schema : statements that make the tables
    """

    path: Path
    kind: str
    mark: str
    version: int
    schema: str

    @property
    def _mark(self) -> int:
        return int.from_bytes(self.mark.encode("ascii"), "big")

    def create(self) -> None:
        """Make the file with its tables.

        Raises
        ------
        MediaError : it is there already, or cannot be written
        """
        try:
            self.path.touch(exist_ok=False)
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be made ({error.strerror}); give another place") from error
        with self._told(), contextlib.closing(self._opened()) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(
                f"BEGIN; {self.schema}; PRAGMA application_id = {self._mark}; "
                f"PRAGMA user_version = {self.version}; COMMIT;"
            )

    def require(self) -> None:
        """Make sure that it is ours.

        Raises
        ------
        MediaError : it is missing, no file of this kind, or of another version
        """
        with self.read():
            pass

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees one state of the file, whatever others write meanwhile.

        Raises
        ------
        MediaError : as in `require`, or it cannot be read
        """
        with self._transaction("BEGIN") as db:
            yield db

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection with the right to write; all is kept at the end of the body, nothing if it raises.

        Raises
        ------
        BusyError : somebody else writes for longer than `WAIT_S`
        MediaError : as in `require`, or it cannot be written
        """
        with self._transaction("BEGIN IMMEDIATE") as db:
            yield db

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._told(), contextlib.closing(self._opened()) as db:
            self._check(db)
            db.execute(begin)
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()

    def _opened(self) -> sqlite3.Connection:
        """A connection; the file has to be there, since SQLite would make an empty one without a word."""
        if not self.path.is_file():
            raise MediaError(f"{self.path}: no such file; is this the folder of a {self.kind}?")
        where = f"{self.path.resolve().as_uri()}?mode=rw"
        db = sqlite3.connect(where, uri=True, timeout=WAIT_S, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        """Refuse what is not ours."""
        (mark,), (version,) = (
            db.execute("PRAGMA application_id").fetchone(),
            db.execute("PRAGMA user_version").fetchone(),
        )
        if mark != self._mark:
            raise MediaError(f"{self.path}: is no {self.kind} of Clapboard; give one that it made")
        if version != self.version:
            which = "a newer" if version > self.version else "an older"
            raise MediaError(
                f"{self.path}: was made by {which} Clapboard (schema {version}, this one has {self.version}); "
                "use the one that made it"
            )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn errors of SQLite into one line; those of the caller's own rows are the caller's."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise BusyError(f"{self.path}: is being written by somebody else; try again") from error
            raise MediaError(f"{self.path}: cannot be used ({error}); is the disk full or read-only?") from error
        except sqlite3.DatabaseError as error:
            raise MediaError(f"{self.path}: is damaged or no {self.kind} of Clapboard ({error})") from error
