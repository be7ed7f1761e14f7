"""SQLite under pages: whole transactions, several writers, and files of others."""

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from clapboard.errors import MediaError
from clapboard.serving import database as module
from clapboard.serving.database import BusyError, Database

SCHEMA = "CREATE TABLE home (id INTEGER PRIMARY KEY); CREATE TABLE vote (home INTEGER NOT NULL REFERENCES home)"


def made(tmp_path: Path, name: str = "votes ?#%20.sqlite") -> Database:
    """Return a new database; its name would be misread in an address that nobody quotes."""
    found = Database(tmp_path / name, "vote box", "CLvt", 2, SCHEMA)
    found.create()
    return found


def test_what_is_written_stays_and_what_fails_does_not(tmp_path: Path) -> None:
    """Protects answers: a transaction is there whole or not at all."""
    box = made(tmp_path)
    with box.write() as db:
        db.execute("INSERT INTO home VALUES (1)")
    with pytest.raises(RuntimeError), box.write() as db:  # noqa: PT012 - what is tested is the pair
        db.execute("INSERT INTO home VALUES (2)")
        raise RuntimeError
    with box.read() as db:
        assert [row["id"] for row in db.execute("SELECT id FROM home")] == [1]
    assert (tmp_path / "votes ?#%20.sqlite").is_file()


def test_keys_to_other_tables_are_held(tmp_path: Path) -> None:
    """Protects against answers to questions that nobody asked: SQLite checks them only where told to."""
    with pytest.raises(sqlite3.IntegrityError), made(tmp_path).write() as db:
        db.execute("INSERT INTO vote VALUES (7)")


def test_readers_go_on_while_somebody_writes(tmp_path: Path) -> None:
    """Protects several people at once: WAL, and a reader that sees the state before."""
    box = made(tmp_path)
    with box.write() as db:
        db.execute("INSERT INTO home VALUES (1)")
        with box.read() as other:
            assert other.execute("SELECT COUNT(*) FROM home").fetchone()[0] == 0
            assert other.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_writers_queue_up(tmp_path: Path) -> None:
    """Protects counts: what one reads before it writes cannot change under it."""
    box = made(tmp_path)

    def one_more() -> None:
        for _ in range(10):
            with box.write() as db:
                (count,) = db.execute("SELECT COUNT(*) FROM home").fetchone()
                db.execute("INSERT INTO home VALUES (?)", (count,))  # twice the same would be refused

    threads = [threading.Thread(target=one_more) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with box.read() as db:
        assert db.execute("SELECT COUNT(*) FROM home").fetchone()[0] == 40


def test_a_lock_that_stays_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects people who wait: somebody else's lock ends in words."""
    box = made(tmp_path)
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    with box.write(), pytest.raises(BusyError, match="being written by somebody else; try again"), box.write():
        pass


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mark": "abcd"}, "is no vote box of Clapboard"),
        ({"version": 1}, r"made by a newer Clapboard \(schema 2, this one has 1\)"),
        ({"version": 3}, "made by an older Clapboard"),
        ({"path": Path("nowhere.sqlite")}, "no such file; is this the folder of a vote box"),
    ],
)
def test_files_of_others_are_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    """Protects foreign databases, and ours from other versions: one line, and nothing is changed."""
    before = made(tmp_path)
    bytes_before = before.path.read_bytes()
    with pytest.raises(MediaError, match=said):
        replace(before, **change).require()  # type: ignore[arg-type]
    assert before.path.read_bytes() == bytes_before
    assert not Path("nowhere.sqlite").exists()


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be read " * 100])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """Protects against any file under that name."""
    box = Database(tmp_path / "x.sqlite", "vote box", "CLvt", 2, SCHEMA)
    box.path.write_bytes(content)
    with pytest.raises(MediaError, match="no vote box of Clapboard"):
        box.require()
    assert box.path.read_bytes() == content


def test_an_existing_file_is_not_taken(tmp_path: Path) -> None:
    """Protects what is there: only a new file gets tables."""
    box = made(tmp_path)
    with pytest.raises(MediaError, match="cannot be made"):
        box.create()
    box.require()
