"""Counting answers, on tables made by hand."""

import json
import math

import pytest

from clapboard.metrics import wilson
from clapboard.study import report
from clapboard.study.results import Given, count
from clapboard.study.store import PAIR, REAL

SOURCES = ("original", "frame", "fast", "flow")


def real(person: int, variant: int, *, fooled: bool, left: bool = True) -> Given:
    """One answer of the first game: the variant on the left or not, taken for the original or not."""
    sides = (variant, 0) if left else (0, variant)
    return Given(person, REAL, *sides, "original", "left" if fooled == left else "right")


def pair(person: int, left: int, right: int, chosen: str, question: str = "noise") -> Given:
    """One answer of the second game."""
    return Given(person, PAIR, left, right, question, chosen)


def test_fooled_is_counted_whatever_the_side() -> None:
    """Protects the main figure: 3 of 4 of frame and 1 of 5 of fast were taken for the original."""
    given = [real(1, 1, fooled=n != 0, left=n % 2 == 0) for n in range(4)]
    given += [real(2, 2, fooled=n == 0, left=n % 2 == 0) for n in range(5)]
    found = count(SOURCES, given, participants=2, finished=1)
    frame, fast, flow = (found.real[name] for name in SOURCES[1:])
    assert (frame.hits, frame.answers, frame.share, frame.people) == (3, 4, 0.75, 1)
    assert (fast.hits, fast.answers, fast.people) == (1, 5, 1)
    assert (frame.low, frame.high) == wilson.interval(3, 4)
    assert (found.real_all.hits, found.real_all.answers, found.real_all.people) == (4, 9, 2)
    assert flow.answers == 0
    assert math.isnan(flow.share)
    assert (found.participants, found.finished, found.answers) == (2, 1, 9)


def test_pairs_count_wins_of_the_first_and_leave_out_who_cannot_tell() -> None:
    """Protects the second game: frame beat fast 2 to 1 with 2 undecided, whatever side they were on."""
    given = [pair(1, 1, 2, "left"), pair(1, 2, 1, "right"), pair(2, 1, 2, "right")]
    given += [pair(2, 2, 1, "neither"), pair(3, 1, 2, "neither"), pair(3, 3, 1, "left", "timing")]
    found = count(SOURCES, given)
    met = found.pairs["noise"]["frame", "fast"]
    assert (met.hits, met.answers, met.neither, met.people) == (2, 3, 2, 2)
    assert list(found.pairs["noise"]) == [("frame", "fast")], "pairs that nobody heard are no rows"
    assert found.pairs["timing"]["frame", "flow"].hits == 0
    assert (found.wins["noise"]["fast"].hits, found.wins["noise"]["fast"].answers) == (1, 3)
    assert (found.wins["timing"]["flow"].hits, found.wins["timing"]["flow"].answers) == (1, 1)
    assert found.wins["correctness"]["frame"].answers == 0


def test_people_widen_the_interval_and_one_has_none() -> None:
    """Protects honesty: twenty answers each of four people who all differ are no eighty."""
    given = [real(person, 1, fooled=n < hits) for person, hits in enumerate((0, 4, 16, 20)) for n in range(20)]
    found = count(SOURCES, given).real["frame"]
    assert found.people == 4
    assert found.people_high - found.people_low > 2 * (found.high - found.low)
    alone = count(SOURCES, given[:20]).real["frame"]
    assert math.isnan(alone.people_low)
    assert alone.high < 0.2


def test_the_report_says_what_has_to_be_known() -> None:
    """Protects readers: few people, a side that is preferred, rounds that were not played, answers that depend."""
    given = [Given(1, REAL, 1, 0, "original", "left") for _ in range(9)]
    found = count(SOURCES, given, participants=1, unplayable=2)
    said = "\n".join(report.lines(found))
    assert "1 person: too few to speak of others" in said
    assert "real or fake: the left one was chosen in 100 %, which chance does not give" in said
    assert "2 rounds could not be played and were left out" in said
    assert "those of one person are not: quote the one by people" in said
    assert "frame" in said
    assert "70 to 100 %" in said
    assert "note: no answers yet" in report.lines(count(SOURCES, []))


def test_the_json_has_no_nan() -> None:
    """Protects other programs: unknown numbers are null, and the shares are those of the table."""
    found = json.loads(report.to_json(report.record(count(SOURCES, [real(1, 1, fooled=True)]), {"seed": 0}, "s")))
    frame, fast, _ = found["real_or_fake"]
    assert (frame["variant"], frame["hits"], frame["answers"], frame["share"]) == ("frame", 1, 1, 1.0)
    assert frame["low"] == pytest.approx(wilson.interval(1, 1)[0], abs=1e-4)
    assert fast["share"] is None
    assert found["schema"] == 1


def test_the_page_draws_what_is_known() -> None:
    """Protects the page: names of variants are words, and both games are drawn."""
    given = [real(1, 1, fooled=True), real(2, 1, fooled=False), pair(1, 1, 2, "left")]
    drawn = report.page(count(("original", "<b>", "fast", "flow"), given), "my study")
    assert "&lt;b&gt;" in drawn
    assert "<b>" not in drawn
    assert drawn.count('<svg class="plot"') == 2
    assert "No answers yet" in report.page(count(SOURCES, []), "my study")
