"""Votes from tables and into tables: segment, question, voter, answer."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clapboard.curation.asking import add_vote, voter_id
from clapboard.curation.judging import QUESTIONS, Question
from clapboard.curation.project import Project
from clapboard.errors import MediaError, UsageError
from clapboard.files import require_writable, write_text

COLUMNS = ("segment", "question", "voter", "answer")
ANSWERS = {"yes": True, "y": True, "1": True, "true": True, "no": False, "n": False, "0": False, "false": False}
MOST_NAME = 40
"""Characters of a voter's name, as on the page."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One row: the name of the segment, and who says what of it."""

    segment: str
    question: Question
    voter: str
    answer: bool
    where: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a table came to: votes that are new, and those that were known already."""

    fresh: int
    known: int


def read_votes(path: str | Path) -> Iterator[Vote]:
    """Rows of a table with the columns segment, question, voter and answer, in any order and among others.

    Raises
    ------
    MediaError : it cannot be read
    UsageError : a row makes no sense; it is named
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, skipinitialspace=True)
            columns = [(name or "").strip().casefold() for name in rows.fieldnames or ()]
            missing = [name for name in COLUMNS if name not in columns]
            if missing:
                raise UsageError(f"{path}: has no column {missing[0]}; its first line must name {', '.join(COLUMNS)}")
            rows.fieldnames = columns
            for row in rows:
                where = f"{path}: line {rows.line_num}"
                said = {name: row[name].strip() if isinstance(row[name], str) else "" for name in COLUMNS}
                if any(said.values()):
                    yield _vote(said, where)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise MediaError(f"{path}: is no table of text ({error}); save it as CSV in UTF-8") from None


def _vote(said: dict[str, str], where: str) -> Vote:
    """One row."""
    question = next((known for known in QUESTIONS if known == said["question"].casefold()), None)
    if question is None:
        raise UsageError(f"{where}: the question is {said['question'] or 'empty'}; give seen or heard")
    answer = ANSWERS.get(said["answer"].casefold())
    if answer is None:
        raise UsageError(f"{where}: the answer is {said['answer'] or 'empty'}; give yes or no")
    voter = " ".join(said["voter"].split())
    if not voter or len(voter) > MOST_NAME or not voter.isprintable():
        raise UsageError(f"{where}: a voter has a name of 1 to {MOST_NAME} characters")
    if not said["segment"]:
        raise UsageError(f"{where}: names no segment")
    return Vote(said["segment"], question, voter, answer, where)


def take_votes(project: Project, path: str | Path) -> Taken:
    """Add the votes of a table, all or none; those that are there already are passed over.

    Raises
    ------
    MediaError : it cannot be read
    UsageError : a row makes no sense: there is no such segment, its question has all its votes, or the voter has said
        the opposite
    """
    voters = project.settings.voters
    fresh = known = 0
    with project.writing() as db:
        for vote in read_votes(path):
            row = db.execute("SELECT id, broken FROM segments WHERE name = ?", (vote.segment,)).fetchone()
            if row is None:
                raise UsageError(
                    f"{vote.where}: there is no segment {vote.segment}; clapboard curate status --segments lists them"
                )
            segment, broken = row
            voter = voter_id(db, vote.voter)
            before = db.execute(
                "SELECT answer FROM votes WHERE segment = ? AND question = ? AND voter = ?",
                (segment, vote.question, voter),
            ).fetchone()
            if before is not None:
                if bool(before[0]) != vote.answer:
                    word = "yes" if before[0] else "no"
                    raise UsageError(
                        f"{vote.where}: {vote.voter} has said {word} of this before; leave one of the two out"
                    )
                known += 1
                continue
            if broken is not None:
                raise UsageError(f"{vote.where}: {vote.segment} cannot be shown ({broken}), so nobody can judge it")
            count = db.execute(
                "SELECT yes + no FROM questions WHERE segment = ? AND question = ?", (segment, vote.question)
            ).fetchone()[0]
            if count >= voters:
                raise UsageError(f"{vote.where}: {vote.segment} ({vote.question}) has its {voters} votes already")
            add_vote(db, voters, (segment, vote.question), voter, vote.answer, source="table")
            fresh += 1
    return Taken(fresh, known)


def write_votes(project: Project, path: str | Path, *, overwrite: bool = False) -> int:
    """Write all votes as a table that `take_votes` reads, in the order in which they were given; how many there are.

    Raises
    ------
    UsageError : the file exists
    MediaError : it cannot be written
    """
    path = Path(path)
    require_writable(path, project.folder, overwrite)
    words = io.StringIO()
    table = csv.writer(words, lineterminator="\n")
    table.writerow((*COLUMNS, "cast_at"))
    count = 0
    with project.reading() as db:
        for name, question, voter, answer, cast_at in db.execute(
            "SELECT s.name, v.question, w.name, v.answer, v.cast_at FROM votes v "
            "JOIN segments s ON s.id = v.segment JOIN voters w ON w.id = v.voter ORDER BY v.id"
        ):
            table.writerow((name, question, voter, "yes" if answer else "no", cast_at))
            count += 1
    write_text(words.getvalue(), path, overwrite)
    return count
