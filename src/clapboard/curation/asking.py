"""Who is asked what: leases on questions, votes, and taking a vote back.

The rule: of each question no more than the project's number of voters is ever under way or answered, and nobody gets
one that they have answered. A question that is given out is *leased*: nobody else gets its place until the lease ends,
which is some minutes after somebody has closed their browser. Whoever comes again gets what they had.

Questions come class by class, sound before picture, so that one thing is looked for at a time and the two questions of
one segment lie far apart; within that, those that others have begun go first, and then chance decides.
"""

import json
import sqlite3
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from clapboard.curation.judging import QUESTIONS, Question
from clapboard.curation.project import Project

LEASE_S = 180.0
"""How long a question is kept for whoever was asked (s)."""
AHEAD = 2
"""Questions that are given out at once: the one that is shown and the next, so that it can be loaded meanwhile."""
ASIDE_S = 60.0
"""How long nobody is asked about a file that cannot be read now (s)."""
PAGE = "page"
"""Source of votes that were given here, not read from a table."""

Told = Literal["noted", "noted before", "not asked", "answered by others"]


@dataclass(frozen=True, slots=True)
class Asking:
    """One question to one voter."""

    segment: int
    question: Question
    class_name: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: votes of one voter, votes of all, and how many there will be."""

    own: int
    given: int
    wanted: int


def voter_key(name: str) -> str:
    """Names that differ only by capitals, blanks or the coding of accents are one voter."""
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


def voter_id(db: sqlite3.Connection, name: str) -> int:
    """The number of a voter, new where the name is."""
    db.execute("INSERT OR IGNORE INTO voters (key, name) VALUES (?, ?)", (voter_key(name), " ".join(name.split())))
    return int(db.execute("SELECT id FROM voters WHERE key = ?", (voter_key(name),)).fetchone()[0])


class Desk:
    """Gives out questions and takes votes; any number of them, in any number of processes, may share a project.

    Parameters
    ----------
    project : whose questions are asked
    clock : seconds that go on while the program is not running
    """

    def __init__(self, project: Project, clock: Callable[[], float] = time.time) -> None:
        self.project = project
        self._clock = clock
        self._aside: dict[int, float] = {}

    def ask(self, name: str, count: int = AHEAD) -> list[Asking]:
        """What somebody is to answer next: what they have open already, then new ones; empty where there is nothing.

        Parameters
        ----------
        name : of the voter
        count : how many at most
        """
        now_s = self._clock()
        with self.project.writing() as db:
            voter = voter_id(db, name)
            # A clock that was set back must not keep places longer than any lease lasts.
            db.execute("UPDATE leases SET until_s = ?1 WHERE until_s > ?1 + 1", (now_s + LEASE_S,))
            held = self._held(db, voter, now_s)
            while len(held) < count:
                found = self._find(db, voter, held[-1] if held else self._last(db, voter), now_s)
                if found is None:
                    break
                held.append(found)
                db.execute("INSERT INTO leases VALUES (?, ?, ?, ?)", (found.segment, found.question, voter, now_s))
            for number, one in enumerate(held):  # their order is that in which they were given out
                db.execute(
                    "UPDATE leases SET until_s = ? WHERE segment = ? AND question = ? AND voter = ?",
                    (now_s + LEASE_S + number / 1000, one.segment, one.question, voter),
                )
            return held[:count]

    def answer(self, name: str, segment: int, question: Question, answer: bool) -> Told:
        """Take a vote, if it was asked for and has a place.

        ``noted before`` where the voter has answered this, whatever they said: the first word counts until it is taken
        back.
        """
        with self.project.writing() as db:
            voter = voter_id(db, name)
            asked: tuple[int, Question] = (segment, question)
            if db.execute(
                "SELECT 1 FROM votes WHERE segment = ? AND question = ? AND voter = ?", (*asked, voter)
            ).fetchone():
                return "noted before"
            lease = db.execute(
                "SELECT 1 FROM leases WHERE segment = ? AND question = ? AND voter = ?", (*asked, voter)
            ).fetchone()
            if lease is None:
                return "not asked"
            db.execute("DELETE FROM leases WHERE segment = ? AND question = ? AND voter = ?", (*asked, voter))
            if not _has_place(db, self.project.settings.voters, *asked, now_s=self._clock()):
                return "answered by others"
            add_vote(db, self.project.settings.voters, asked, voter, answer, source=PAGE)
            return "noted"

    def undo(self, name: str) -> Asking | None:
        """Take back the last vote that somebody gave here, and ask it again; None where there is none."""
        with self.project.writing() as db:
            voter = voter_id(db, name)
            row = db.execute(
                "SELECT v.id, v.segment, v.question, v.answer, q.class FROM votes v JOIN questions q "
                "ON q.segment = v.segment AND q.question = v.question JOIN segments s ON s.id = v.segment "
                "WHERE v.voter = ? AND v.source = ? AND s.broken IS NULL ORDER BY v.id DESC LIMIT 1",
                (voter, PAGE),
            ).fetchone()
            if row is None:
                return None
            number, segment, question, answer, class_name = row
            db.execute("DELETE FROM votes WHERE id = ?", (number,))
            db.execute(
                "UPDATE questions SET yes = yes - ?, no = no - ?, open = 1 WHERE segment = ? AND question = ?",
                (answer, 1 - answer, segment, question),
            )
            first_s = db.execute("SELECT MIN(until_s) FROM leases WHERE voter = ?", (voter,)).fetchone()[0]
            until_s = min(first_s or float("inf"), self._clock() + LEASE_S) - 0.001  # before what waits already
            db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", (segment, question, voter, until_s))
            return Asking(segment, question, class_name)

    def set_aside(self, segment: int) -> None:
        """Ask nobody about the file of a segment for `ASIDE_S`: it cannot be read now, and all would wait for it."""
        until_s = self._clock() + ASIDE_S
        with self.project.reading() as db:
            rows = db.execute(
                "SELECT s.id FROM segments s JOIN videos v ON v.id = s.video WHERE v.file = (SELECT w.file "
                "FROM segments t JOIN videos w ON w.id = t.video WHERE t.id = ?)",
                (segment,),
            ).fetchall()
        self._aside.update({number: until_s for (number,) in rows})

    def _now_aside(self, now_s: float) -> set[int]:
        """Segments that nobody is asked about now."""
        return {number for number, until_s in tuple(self._aside.items()) if now_s < until_s <= now_s + ASIDE_S}

    def progress(self, name: str) -> Progress:
        """How far it is, for one voter and in all; segments that cannot be shown do not count."""
        with self.project.reading() as db:
            given, broken_given, segments, broken, own = db.execute(
                "SELECT (SELECT COUNT(*) FROM votes), (SELECT COUNT(*) FROM segments s JOIN votes v "
                "ON v.segment = s.id WHERE s.broken IS NOT NULL), (SELECT COUNT(*) FROM segments), "
                "(SELECT COUNT(*) FROM segments WHERE broken IS NOT NULL), "
                "(SELECT COUNT(*) FROM votes v JOIN voters w ON w.id = v.voter WHERE w.key = ?)",
                (voter_key(name),),
            ).fetchone()
            each = len(QUESTIONS) * self.project.settings.voters
            return Progress(own, given - broken_given, (segments - broken) * each)

    def left(self, name: str) -> int:
        """How many questions still want votes and have none of this voter, whoever may have them open."""
        with self.project.reading() as db:
            row = db.execute(
                "SELECT COUNT(*) FROM questions q WHERE q.open = 1 AND NOT EXISTS (SELECT 1 FROM votes v JOIN voters w "
                "ON w.id = v.voter WHERE v.segment = q.segment AND v.question = q.question AND w.key = ?)",
                (voter_key(name),),
            ).fetchone()
            return int(row[0])

    def is_open(self, segment: int, question: Question) -> bool:
        """Whether a question has not all its votes."""
        with self.project.reading() as db:
            row = db.execute(
                "SELECT open FROM questions WHERE segment = ? AND question = ?", (segment, question)
            ).fetchone()
            return row is not None and bool(row[0])

    def knows(self, name: str) -> bool:
        """Whether somebody of this name has voted."""
        with self.project.reading() as db:
            row = db.execute(
                "SELECT 1 FROM votes v JOIN voters w ON w.id = v.voter WHERE w.key = ? LIMIT 1", (voter_key(name),)
            ).fetchone()
            return row is not None

    def _held(self, db: sqlite3.Connection, voter: int, now_s: float) -> list[Asking]:
        """What a voter has open; of leases that have ended those whose place is still free."""
        rows = db.execute(
            "SELECT l.segment, l.question, q.class, l.until_s FROM leases l JOIN questions q "
            "ON q.segment = l.segment AND q.question = l.question WHERE l.voter = ? ORDER BY l.until_s",
            (voter,),
        ).fetchall()
        held, aside = [], self._now_aside(now_s)
        for segment, question, class_name, until_s in rows:
            others = _has_place(db, self.project.settings.voters, segment, question, now_s=now_s, but=voter)
            if segment not in aside and (until_s > now_s or others):
                held.append(Asking(segment, question, class_name))
            else:
                db.execute(
                    "DELETE FROM leases WHERE segment = ? AND question = ? AND voter = ?", (segment, question, voter)
                )
        return held

    def _last(self, db: sqlite3.Connection, voter: int) -> Asking | None:
        """What a voter has answered last."""
        row = db.execute(
            "SELECT v.segment, v.question, q.class FROM votes v JOIN questions q ON q.segment = v.segment "
            "AND q.question = v.question WHERE v.voter = ? ORDER BY v.id DESC LIMIT 1",
            (voter,),
        ).fetchone()
        return None if row is None else Asking(*row)

    def _find(self, db: sqlite3.Connection, voter: int, last: Asking | None, now_s: float) -> Asking | None:
        """A question with a place for a voter: of the class and kind of the last one first."""
        if last is not None:
            found = self._find_in(db, voter, (last.class_name, last.question), now_s)
            if found is not None:
                return found
        groups = [tuple(row) for row in db.execute("SELECT DISTINCT class, question FROM questions WHERE open = 1")]
        groups.sort(key=lambda group: (group[0], QUESTIONS[::-1].index(group[1])))
        return next((found for group in groups if (found := self._find_in(db, voter, group, now_s))), None)

    def _find_in(self, db: sqlite3.Connection, voter: int, group: tuple[str, Question], now_s: float) -> Asking | None:
        """A question of one class and kind with a place for a voter."""
        aside = json.dumps(sorted(self._now_aside(now_s)))
        row = db.execute(
            "SELECT q.segment FROM questions q WHERE q.open = 1 AND q.class = ? AND q.question = ? "
            "AND q.segment NOT IN (SELECT value FROM json_each(?)) "
            "AND NOT EXISTS (SELECT 1 FROM votes v "
            "WHERE v.segment = q.segment AND v.question = q.question AND v.voter = ?) "
            "AND NOT EXISTS (SELECT 1 FROM leases l "
            "WHERE l.segment = q.segment AND l.question = q.question AND l.voter = ?) "
            "AND q.yes + q.no + (SELECT COUNT(*) FROM leases l "
            "WHERE l.segment = q.segment AND l.question = q.question AND l.until_s > ?) < ? "
            "ORDER BY q.yes + q.no DESC, q.place LIMIT 1",
            (*group, aside, voter, voter, now_s, self.project.settings.voters),
        ).fetchone()
        return None if row is None else Asking(row[0], group[1], group[0])


def _has_place(
    db: sqlite3.Connection, voters: int, segment: int, question: Question, *, now_s: float, but: int | None = None
) -> bool:
    """Whether a question has a place that is neither answered nor kept for somebody, but for one voter."""
    row = db.execute(
        "SELECT open, yes + no, (SELECT COUNT(*) FROM leases l WHERE l.segment = q.segment "
        "AND l.question = q.question AND l.until_s > ? AND l.voter IS NOT ?) "
        "FROM questions q WHERE segment = ? AND question = ?",
        (now_s, but, segment, question),
    ).fetchone()
    return bool(row is not None and row[0] and row[1] + row[2] < voters)


def add_vote(
    db: sqlite3.Connection, voters: int, asked: tuple[int, Question], voter: int, answer: bool, *, source: str
) -> None:
    """Write a vote that is known to have a place, and close its question where it was the last."""
    segment, question = asked
    cast_at = datetime.now(UTC).isoformat(timespec="seconds")
    db.execute(
        "INSERT INTO votes (segment, question, voter, answer, source, cast_at) VALUES (?, ?, ?, ?, ?, ?)",
        (segment, question, voter, int(answer), source, cast_at),
    )
    db.execute(
        "UPDATE questions SET yes = yes + ?, no = no + ? WHERE segment = ? AND question = ?",
        (int(answer), int(not answer), segment, question),
    )
    db.execute(
        "UPDATE questions SET open = yes + no < ? WHERE segment = ? AND question = ?", (voters, segment, question)
    )
    db.execute(
        "DELETE FROM leases WHERE segment = ? AND question = ? AND "
        "NOT (SELECT open FROM questions q WHERE q.segment = leases.segment AND q.question = leases.question)",
        (segment, question),
    )
