"""Taking part: what is asked next, what is kept, and what is refused, without a server."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from studies import without_media

from clapboard.serving.asked import RefusedError
from clapboard.study import taking
from clapboard.study.results import results
from clapboard.study.store import PAIR, REAL, Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Return a study of 3 clips and 2 variants: 3 rounds of the first game, 3 of the second with 3 questions each."""
    return without_media(tmp_path / "study")


def hear(study: Study, name: str, asked: dict[str, Any]) -> None:
    """Play both sides once."""
    for side in ("left", "right"):
        taking.played(study, name, asked["round"], side)


def reply(study: Study, name: str, asked: dict[str, Any], chosen: str = "left") -> dict[str, Any]:
    """Answer what is asked."""
    return taking.answer(study, name, asked["round"], asked["question"], chosen=chosen, after_ms=5)


def go_through(study: Study, name: str, choose: Callable[[dict[str, Any]], str] = lambda asked: "left") -> list[Any]:
    """Answer everything; return what was asked."""
    met, asked = [], taking.current(study, name)
    while not asked["over"]:
        met.append(asked)
        if not all(asked["plays"]):
            hear(study, name, asked)
        asked = reply(study, name, asked, choose(asked))
    return met


def test_everything_is_asked_once(study: Study) -> None:
    """Protects participants and counts: every round of both games, then it is over, and stays over."""
    met = go_through(study, "Ada")
    assert [one["game"] for one in met] == [REAL] * 3 + [PAIR] * 9
    assert len({(one["round"], one["question"]) for one in met}) == 12
    assert [(one["done"], one["of"]) for one in met[:3]] == [(0, 3), (1, 3), (2, 3)]
    assert taking.current(study, "Ada") == {"over": True}
    assert results(study).finished == 1


def test_what_is_asked_does_not_tell_the_original(study: Study) -> None:
    """Protects blindness: tokens are new for each round and side, and nothing else names a source or a clip."""
    met = go_through(study, "Ada")
    keys = {"over", "round", "game", "question", "words", "neither", "left", "right", "plays", "done", "of"}
    assert all(set(one) == keys for one in met)
    tokens = {one[side] for one in met for side in ("left", "right")}
    assert len(tokens) == 12
    assert all(len(token) == 24 for token in tokens)


def test_going_on_later(study: Study) -> None:
    """Protects people who stop: the same round comes again, as far as it was heard, under the name in any capitals."""
    asked = taking.current(study, "Ada")
    taking.played(study, "Ada", asked["round"], "left")
    again = taking.current(study, "ADA")
    assert again == {**asked, "plays": [1, 0]}
    assert taking.known(study, "aDa")
    assert not taking.known(study, "Grace")


def test_both_have_to_be_heard(study: Study) -> None:
    """Protects answers from impatience, also of scripts: the server counts what was played."""
    asked = taking.current(study, "Ada")
    for side in ("left", "right"):
        with pytest.raises(RefusedError, match="hear both to the end first"):
            reply(study, "Ada", asked)
        taking.played(study, "Ada", asked["round"], side)
    assert reply(study, "Ada", asked)["round"] != asked["round"]


def test_sent_twice_counts_once(study: Study) -> None:
    """Protects counts from a key pressed twice, and from a second window that has another opinion."""
    asked = taking.current(study, "Ada")
    hear(study, "Ada", asked)
    first = reply(study, "Ada", asked, "left")
    assert reply(study, "Ada", asked, "left") == first
    with pytest.raises(RefusedError, match="answered already") as refused:
        reply(study, "Ada", asked, "right")
    assert refused.value.status == 409
    with pytest.raises(RefusedError, match="answered already"):
        taking.played(study, "Ada", asked["round"], "left")
    assert results(study).answers == 1


def test_others_are_strangers(study: Study) -> None:
    """Protects participants from each other: neither rounds nor files of somebody else."""
    asked = taking.current(study, "Ada")
    taking.current(study, "Grace")
    for name in ("Grace", "Nobody"):
        for call in (
            lambda name=name: taking.played(study, name, asked["round"], "left"),
            lambda name=name: reply(study, name, asked),
            lambda name=name: taking.cannot(study, name, asked["round"]),
            lambda name=name: taking.file_of(study, name, asked["left"]),
        ):
            with pytest.raises(RefusedError) as refused:
                call()
            assert refused.value.status == 404
    assert taking.file_of(study, "Ada", asked["left"]).parent == study.clips


def test_files_are_those_of_their_sides(study: Study) -> None:
    """Protects everything that is counted: the file behind a token is that of the source that is written down."""
    for asked in go_through(study, "Ada"):
        with study.database.read() as db:
            row = db.execute("SELECT * FROM round WHERE id = ?", (asked["round"],)).fetchone()
        for side in ("left", "right"):
            assert taking.file_of(study, "Ada", asked[side]).name == f"{row['clip']}-{row[f'{side}_source']}.mp4"


@pytest.mark.parametrize("token", ["", "x", "../study.sqlite", "' OR 1=1 --", "%"])
def test_other_tokens_lead_nowhere(study: Study, token: str) -> None:
    """Protects the disk: a token is looked up, never a path."""
    taking.current(study, "Ada")
    with pytest.raises(RefusedError, match="there is nothing here"):
        taking.file_of(study, "Ada", token)


def test_wrong_questions_are_refused(study: Study) -> None:
    """Protects the table: only what is asked is answered, and the first game has no way out."""
    asked = taking.current(study, "Ada")
    hear(study, "Ada", asked)
    with pytest.raises(RefusedError, match="choose one"):
        reply(study, "Ada", asked, "neither")
    with pytest.raises(RefusedError, match="not asked here"):
        taking.answer(study, "Ada", asked["round"], "noise", chosen="left", after_ms=0)
    with pytest.raises(RefusedError, match="no such round"):
        taking.answer(study, "Ada", 10**15, "original", chosen="left", after_ms=0)


def test_what_cannot_be_played_is_left_out(study: Study) -> None:
    """Protects people whose browser fails on one file, and the report, which counts it."""
    asked = taking.current(study, "Ada")
    following = taking.cannot(study, "Ada", asked["round"])
    assert following["round"] != asked["round"]
    assert following["done"] == 1
    go_through(study, "Ada")
    found = results(study)
    assert (found.unplayable, found.answers, found.finished) == (1, 11, 1)


def test_two_windows_make_one_participant(study: Study) -> None:
    """Protects against rounds drawn twice when somebody opens two windows at once."""
    found: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: found.append(taking.current(study, "Ada"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(one == found[0] for one in found)
    assert results(study).participants == 1


def test_participants_at_once_do_not_mix(study: Study) -> None:
    """Protects several people at once: each gets all of their own rounds, and all answers arrive."""
    names = [f"person {n}" for n in range(4)]
    threads = [threading.Thread(target=go_through, args=(study, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = results(study)
    assert (found.participants, found.finished, found.answers) == (4, 4, 48)
    assert found.real_all.people == 4
    assert {one.answers for one in found.real.values()} == {6}, "each variant as often"


def test_the_clock_may_be_set(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects against clocks that go back: times are told, nothing is computed with them."""
    times = iter(["2026-11-21T03:00:00+00:00", "1970-01-01T00:00:00+00:00", *["2026-11-21T02:00:00+00:00"] * 40])
    monkeypatch.setattr(taking, "now", lambda: next(times))
    met = go_through(study, "Ada")
    assert len({(one["round"], one["question"]) for one in met}) == 12


def test_the_right_ones_are_counted(study: Study) -> None:
    """Protects the path from a key to the table: who always takes the original is never fooled, and v1 always wins."""

    def choose(asked: dict[str, Any]) -> str:
        with study.database.read() as db:
            row = db.execute("SELECT * FROM round WHERE id = ?", (asked["round"],)).fetchone()
        if asked["question"] == "timing":
            return "neither"
        return "left" if row["left_source"] < row["right_source"] else "right"

    go_through(study, "Ada", choose)
    found = results(study)
    assert (found.real_all.hits, found.real_all.answers) == (0, 3)
    for question in ("correctness", "noise"):
        met = found.pairs[question]["v1", "v2"]
        assert (met.hits, met.answers, met.neither) == (3, 3, 0)
    assert (found.pairs["timing"]["v1", "v2"].answers, found.pairs["timing"]["v1", "v2"].neither) == (0, 3)


def test_no_more_rounds_than_were_asked_for(tmp_path: Path) -> None:
    """Protects people's time: at most so many rounds of each game."""
    met = go_through(without_media(tmp_path / "short", clips=5, variants=3, most=2), "Ada")
    assert [one["game"] for one in met] == [REAL] * 2 + [PAIR] * 6
