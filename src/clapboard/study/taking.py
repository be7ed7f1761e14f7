"""Taking part: somebody comes, gets the next round, plays it, answers. All of it is in the database at once."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from clapboard.serving.asked import RefusedError
from clapboard.study.order import draw
from clapboard.study.store import NEITHER, PAIR, QUESTIONS, Study

TOKEN_BYTES = 18
STALE = "this was answered already, perhaps in another window"


def now() -> str:
    """The time by the clock of this machine, UTC; only told, never computed with, since clocks are set."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def known(study: Study, name: str) -> bool:
    """Whether somebody of this name has begun; capitals do not count."""
    with study.database.read() as db:
        return db.execute("SELECT 1 FROM participant WHERE key = ?", (name.casefold(),)).fetchone() is not None


def current(study: Study, name: str) -> dict[str, Any]:
    """The next thing to be asked of somebody; whoever comes for the first time gets their rounds drawn.

    Returns
    -------
    ``over`` True where all is answered; else ``round``, ``game``, ``question``, ``words`` (the question), ``neither``
    (whether that may be answered), ``left`` and ``right`` (tokens of the two files), ``plays`` of both, and ``done`` of
    ``of`` rounds of this game. Nothing in it tells what the sources are.
    """
    with study.database.read() as db:
        person = _person(db, name)
        if person is not None:
            return _next(db, person)
    with study.database.write() as db:
        return _next(db, _join(db, study, name))


def played(study: Study, name: str, number: int, side: str) -> dict[str, Any]:
    """One side of the round at hand was played to its end.

    Raises
    ------
    RefusedError : 404 there is no such round of theirs, 409 it is not the one at hand
    """
    with study.database.write() as db:
        _at_hand(db, name, number)
        column = {"left": "left_plays", "right": "right_plays"}[side]
        db.execute(f"UPDATE round SET {column} = {column} + 1 WHERE id = ?", (number,))
        row = db.execute("SELECT left_plays, right_plays FROM round WHERE id = ?", (number,)).fetchone()
        return {"plays": [row["left_plays"], row["right_plays"]]}


def answer(study: Study, name: str, number: int, question: str, *, chosen: str, after_ms: int) -> dict[str, Any]:
    """Keep an answer; gives what is asked next.

    The same answer sent twice, as by a key pressed twice, counts once.

    Raises
    ------
    RefusedError : 400 the question is not asked there, 404 there is no such round of theirs, 409 it was answered
        otherwise, is not the one at hand, or a side was not played to its end
    """
    with study.database.write() as db:
        person = _person(db, name)
        before = _answered(db, person, number, question)
        if person is not None and before is not None:
            if before != chosen:
                raise RefusedError(409, STALE)
            return _next(db, person)
        row = _at_hand(db, name, number)
        if question not in row["questions"].split(","):
            raise RefusedError(400, "that question is not asked here")
        if chosen == NEITHER and row["game"] != PAIR:
            raise RefusedError(400, "one of the two is the original: choose one, by chance if need be")
        if not row["left_plays"] or not row["right_plays"]:
            raise RefusedError(409, "hear both to the end first")
        db.execute(
            "INSERT INTO answer (round, question, chosen, answered_at, after_ms, left_plays, right_plays) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, question, chosen, now(), after_ms, row["left_plays"], row["right_plays"]),
        )
        if not _open(db, row):
            db.execute("UPDATE round SET over = 1 WHERE id = ?", (number,))
        return _next(db, row["participant"])


def cannot(study: Study, name: str, number: int) -> dict[str, Any]:
    """The browser cannot play the round at hand: it is left out and counted; gives what is asked next.

    Raises
    ------
    RefusedError : as in `played`
    """
    with study.database.write() as db:
        row = _at_hand(db, name, number)
        db.execute("UPDATE round SET unplayable = 1, over = 1 WHERE id = ?", (number,))
        return _next(db, row["participant"])


def file_of(study: Study, name: str, token: str) -> Path:
    """The file behind a token.

    Raises
    ------
    RefusedError : 404, there is none, or it is somebody else's
    """
    with study.database.read() as db:
        row = db.execute(
            "SELECT file.name FROM round JOIN participant ON participant.id = round.participant JOIN file "
            "ON file.clip = round.clip AND file.source = CASE ? WHEN left_token THEN left_source ELSE right_source END "
            "WHERE participant.key = ? AND ? IN (left_token, right_token)",
            (token, name.casefold(), token),
        ).fetchone()
    if row is None:
        raise RefusedError(404, "there is nothing here")
    return study.clips / str(row["name"])


def _person(db: sqlite3.Connection, name: str) -> int | None:
    """The participant of a name."""
    row = db.execute("SELECT id FROM participant WHERE key = ?", (name.casefold(),)).fetchone()
    return None if row is None else int(row["id"])


def _join(db: sqlite3.Connection, study: Study, name: str) -> int:
    """A new participant with all their rounds; in the transaction of the caller, so that two tabs make one person."""
    person = _person(db, name)
    if person is not None:
        return person
    about = {row["key"]: row["value"] for row in db.execute("SELECT key, value FROM about")}
    seed, most = int(about["seed"]), None if about["most"] == "null" else int(about["most"])
    clips = [row["id"] for row in db.execute("SELECT id FROM clip ORDER BY id")]
    (variants,) = db.execute("SELECT COUNT(*) FROM source WHERE id > 0").fetchone()
    (number,) = db.execute("SELECT COUNT(*) FROM participant").fetchone()
    came = db.execute(
        "INSERT INTO participant (key, name, number, seed, came_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (name.casefold(), name, number, seed, now()),
    ).fetchone()
    for place, one in enumerate(draw(len(clips), variants, number, seed, most)):
        tokens = (token_urlsafe(TOKEN_BYTES), token_urlsafe(TOKEN_BYTES))
        db.execute(
            "INSERT INTO round (participant, game, place, clip, left_source, right_source, left_token, right_token, "
            "questions) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (came["id"], one.game, place, clips[one.clip], one.left, one.right, *tokens, ",".join(one.questions)),
        )
    return int(came["id"])


def _open(db: sqlite3.Connection, row: sqlite3.Row) -> list[str]:
    """The questions of a round that have no answer yet."""
    given = {found["question"] for found in db.execute("SELECT question FROM answer WHERE round = ?", (row["id"],))}
    return [question for question in row["questions"].split(",") if question not in given]


def _first_open(db: sqlite3.Connection, person: int) -> sqlite3.Row | None:
    """The round at hand."""
    found: sqlite3.Row | None = db.execute(
        "SELECT * FROM round WHERE participant = ? AND NOT over ORDER BY game, place LIMIT 1", (person,)
    ).fetchone()
    return found


def _at_hand(db: sqlite3.Connection, name: str, number: int) -> sqlite3.Row:
    """The round of that number, which has to be theirs and at hand."""
    person = _person(db, name)
    theirs = db.execute("SELECT 1 FROM round WHERE id = ? AND participant = ?", (number, person)).fetchone()
    if person is None or theirs is None:
        raise RefusedError(404, "there is no such round")
    row = _first_open(db, person)
    if row is None or row["id"] != number:
        raise RefusedError(409, STALE)
    return row


def _answered(db: sqlite3.Connection, person: int | None, number: int, question: str) -> str | None:
    """What was answered there already."""
    row = db.execute(
        "SELECT chosen FROM answer JOIN round ON round.id = answer.round "
        "WHERE round.id = ? AND participant = ? AND question = ?",
        (number, person, question),
    ).fetchone()
    return None if row is None else str(row["chosen"])


def _next(db: sqlite3.Connection, person: int) -> dict[str, Any]:
    """What is asked next; see `current`."""
    row = _first_open(db, person)
    if row is None:
        return {"over": True}
    done, of = db.execute(
        "SELECT SUM(over), COUNT(*) FROM round WHERE participant = ? AND game = ?", (person, row["game"])
    ).fetchone()
    question = _open(db, row)[0]
    return {
        "over": False,
        "round": row["id"],
        "game": row["game"],
        "question": question,
        "words": QUESTIONS.get(question, "Which sound is the original?"),
        "neither": row["game"] == PAIR,
        "left": row["left_token"],
        "right": row["right_token"],
        "plays": [row["left_plays"], row["right_plays"]],
        "done": done,
        "of": of,
    }
