"""Counting the answers of a study: shares, each with two intervals.

Wilson's interval takes all answers as independent. Those of one person are not: a good ear is good on every clip. So
beside it stands the interval of a bootstrap that draws people, then their answers; it is the one to quote where there
are several people, and neither says much of fewer than five.

An answer ``cannot tell``, which only the second game has, is no half win: it is counted beside, and shares are those of
the answers that decided.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from clapboard.metrics import bootstrap, wilson
from clapboard.study.store import NEITHER, PAIR, QUESTIONS, REAL, Study

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Given:
    """One answer: by whom, in which game, of which sources (0 the original), and what was chosen."""

    participant: int
    game: int
    left: int
    right: int
    question: str
    chosen: str

    @property
    def source(self) -> int | None:
        """What was chosen; None where it was neither."""
        return None if self.chosen == NEITHER else self.left if self.chosen == "left" else self.right


@dataclass(frozen=True, slots=True)
class Share:
    """How often something was so, of the answers that decided.

    Attributes
    ----------
    hits, answers : counts
    neither : answers that did not decide, which are in neither
    people : how many gave the answers that decided
    low, high : Wilson's interval, 95 %; NaN without an answer
    people_low, people_high : interval by people, 95 %; NaN for fewer than two of them
    """

    hits: int
    answers: int
    neither: int
    people: int
    low: float
    high: float
    people_low: float
    people_high: float

    @property
    def share(self) -> float:
        """Hits over answers; NaN without an answer."""
        return self.hits / self.answers if self.answers else math.nan


@dataclass(frozen=True, slots=True)
class Results:
    """All that a study has found.

    Attributes
    ----------
    participants : who came
    finished : who has answered everything
    answers : of both games
    unplayable : rounds that a browser could not play
    real : by variant, how often it was taken for the original; 50 % means that it cannot be told from it
    real_all : the same of all variants together
    pairs : by question and pair, how often the first of the pair was better
    wins : by question and variant, how often it was better than another one
    left : by game, how often the left one was chosen; far from 50 % it tells of people who do not listen
    """

    participants: int
    finished: int
    answers: int
    unplayable: int
    real: dict[str, Share]
    real_all: Share
    pairs: dict[str, dict[tuple[str, str], Share]]
    wins: dict[str, dict[str, Share]]
    left: dict[int, Share]


def results(study: Study) -> Results:
    """Count.

    Raises
    ------
    MediaError : it is no study, or cannot be read
    """
    with study.database.read() as db:  # all of one moment, though people may be answering
        names = [str(row["name"]) for row in db.execute("SELECT name FROM source ORDER BY id")]
        rows = db.execute(
            "SELECT participant, game, left_source, right_source, question, chosen FROM answer "
            "JOIN round ON round.id = answer.round ORDER BY answer.id"
        )
        given = [Given(*row) for row in rows]
        (came,) = db.execute("SELECT COUNT(*) FROM participant").fetchone()
        (waiting,) = db.execute("SELECT COUNT(DISTINCT participant) FROM round WHERE NOT over").fetchone()
        (unplayable,) = db.execute("SELECT COUNT(*) FROM round WHERE unplayable").fetchone()
    return count(names, given, participants=came, finished=came - waiting, unplayable=unplayable)


def count(
    sources: Sequence[str], given: Sequence[Given], *, participants: int = 0, finished: int = 0, unplayable: int = 0
) -> Results:
    """Count answers; ``sources`` are their names, the original first."""
    real = [one for one in given if one.game == REAL]
    met = [one for one in given if one.game == PAIR]
    variants = list(enumerate(sources))[1:]
    pairs: dict[str, dict[tuple[str, str], Share]] = {}
    wins: dict[str, dict[str, Share]] = {}
    for question in QUESTIONS if met else ():
        asked = [one for one in met if one.question == question]
        of_pair = {
            (name, other): share([one for one in asked if {one.left, one.right} == {at, second}], at)
            for (at, name), (second, other) in combinations(variants, 2)
        }
        pairs[question] = {pair: found for pair, found in of_pair.items() if found.answers + found.neither}
        wins[question] = _of_variants(asked, variants)
    return Results(
        participants=participants,
        finished=finished,
        answers=len(given),
        unplayable=unplayable,
        real=_of_variants(real, variants),
        real_all=_shared(real, [one.source != 0 for one in real]),
        pairs=pairs,
        wins=wins,
        left={REAL: _left(real), PAIR: _left(met)},
    )


def _of_variants(given: Sequence[Given], variants: Sequence[tuple[int, str]]) -> dict[str, Share]:
    """By variant, how often it was chosen where it was one of the two."""
    return {name: share([one for one in given if at in (one.left, one.right)], at) for at, name in variants}


def _left(given: Sequence[Given]) -> Share:
    """How often the left one was chosen."""
    return _shared(given, [one.chosen == "left" for one in given])


def share(given: Sequence[Given], source: int) -> Share:
    """How often a source was chosen."""
    return _shared(given, [one.source == source for one in given])


def _shared(given: Sequence[Given], hit: Sequence[bool]) -> Share:
    """The share of answers that are hits, among those that decided."""
    decided = [(one.participant, yes) for one, yes in zip(given, hit, strict=True) if one.chosen != NEITHER]
    people, values = [str(person) for person, _ in decided], [float(yes) for _, yes in decided]
    hits, several = sum(yes for _, yes in decided), len(set(people)) > 1
    low, high = wilson.interval(hits, len(decided))
    drawn = bootstrap.resamples(people, RESAMPLES) if several else None
    by_people = (math.nan, math.nan) if drawn is None else bootstrap.of_mean(values, drawn)
    return Share(hits, len(decided), len(given) - len(decided), len(set(people)), low, high, *by_people)
