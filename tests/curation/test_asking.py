"""Who is asked what: nothing twice of one voter, never more votes than needed, nothing lost."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pieces import names_of, small_project

from clapboard.curation.asking import ASIDE_S, LEASE_S, Desk
from clapboard.curation.project import Project


class Clock:
    """Seconds that somebody else moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project of five segments, two of a dog and three of a drum: ten questions, three votes each."""
    return small_project(tmp_path_factory.mktemp("asking"), {"dog/a": 4.0, "drum/b": 6.0})


@pytest.fixture
def desk(made: Project) -> Desk:
    """Return the desk of this project, without votes."""
    return fresh(made)


def fresh(project: Project) -> Desk:
    """A project as it was before the first vote."""
    with project.writing() as db:
        for table in ("votes", "leases", "voters"):
            db.execute(f"DELETE FROM {table}")
        db.execute("UPDATE questions SET yes = 0, no = 0, open = 1")
        db.execute("UPDATE segments SET broken = NULL")
    return Desk(project, Clock())


def clock_of(desk: Desk) -> Clock:
    """The clock of a desk under test."""
    assert isinstance(desk._clock, Clock)
    return desk._clock


def votes(project: Project) -> Counter[tuple[int, str]]:
    """How many votes each question has, and at the same time that what is counted is what is there."""
    with project.reading() as db:
        rows = db.execute("SELECT segment, question, COUNT(*), SUM(answer) FROM votes GROUP BY 1, 2").fetchall()
        kept = {(s, q): (yes, no) for s, q, yes, no in db.execute("SELECT segment, question, yes, no FROM questions")}
    found = Counter({(segment, question): count for segment, question, count, _ in rows})
    for segment, question, count, yes in rows:
        assert kept[segment, question] == (yes, count - yes)
    assert sum(map(sum, kept.values())) == found.total()
    return found


# What happens to a voter: they ask, answer what they were asked, take a vote back, come late, or close the browser.
STEPS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from(["ask", "yes", "no", "undo", "late", "gone"])), max_size=60
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS)
def test_nothing_twice_and_never_too_many(made: Project, steps: list[tuple[str, str]]) -> None:
    """Whatever five people do, in whatever order: never more than three votes, never two of one voter."""
    desk = fresh(made)
    held: dict[str, list[tuple[int, str]]] = {}
    said: set[tuple[str, int, str]] = set()
    for voter, step in steps:
        if step == "ask":
            asked = desk.ask(voter)
            held[voter] = [(one.segment, one.question) for one in asked]
            assert not said.intersection((voter, *one) for one in held[voter]), "asked twice"
            assert len(set(held[voter])) == len(held[voter])
        elif step in ("yes", "no") and held.get(voter):
            segment, question = held[voter].pop(0)
            if desk.answer(voter, segment, question, step == "yes") == "noted":  # type: ignore[arg-type]
                said.add((voter, segment, question))
        elif step == "undo":
            back = desk.undo(voter)
            if back is not None:
                said.remove((voter, back.segment, back.question))
        elif step == "late":
            clock_of(desk).now_s += LEASE_S + 1
        elif step == "gone":
            held.pop(voter, None)
        counts = votes(made)
        assert max(counts.values(), default=0) <= 3
        assert counts.total() == len(said)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.randoms(use_true_random=False), voters=st.integers(3, 6))
def test_it_always_comes_to_an_end(made: Project, seed: object, voters: int) -> None:
    """Three or more people who answer what they are asked get every question its three votes; then nothing is asked."""
    desk, people = fresh(made), [f"v{number}" for number in range(voters)]
    for _ in range(80):
        voter = seed.choice(people)  # type: ignore[attr-defined]
        asked = desk.ask(voter)
        if asked:
            assert desk.answer(voter, asked[0].segment, asked[0].question, True) == "noted"
    clock_of(desk).now_s += LEASE_S + 1
    for voter in people:
        while asked := desk.ask(voter):
            desk.answer(voter, asked[0].segment, asked[0].question, True)
    counts = votes(made)
    assert set(counts.values()) == {3}
    assert len(counts) == 10
    assert all(desk.left(voter) == 0 and desk.ask(voter) == [] for voter in people)


def test_the_last_place_is_kept_for_whoever_has_it(desk: Desk) -> None:
    """Two people never answer for the same place: it is free again only when the first one has been away too long."""
    for voter in ("anna", "ben"):
        while asked := desk.ask(voter):
            desk.answer(voter, asked[0].segment, asked[0].question, True)
    held = {(one.segment, one.question) for one in desk.ask("cleo", count=10)}
    assert len(held) == 10
    assert desk.ask("dora") == []
    assert desk.left("dora") == 10
    clock_of(desk).now_s += LEASE_S + 1
    given_ = desk.ask("dora")
    assert {(one.segment, one.question) for one in given_} <= held
    taken, other = given_[0], given_[1]
    assert desk.answer("dora", taken.segment, taken.question, True) == "noted"
    assert desk.answer("cleo", taken.segment, taken.question, False) == "not asked"
    assert desk.answer("cleo", other.segment, other.question, False) == "answered by others"  # dora has it open
    free = next(one for one in held if one not in {(one.segment, one.question) for one in given_})
    assert desk.answer("cleo", *free, False) == "noted"  # type: ignore[arg-type]


def test_whoever_comes_again_gets_what_they_had(desk: Desk) -> None:
    """A page that is loaded again, or a second window, shows the same question; the first answer counts."""
    first = desk.ask("anna")
    assert desk.ask("ANNA ") == first  # one person, however they write it
    assert Desk(desk.project, desk._clock).ask("anna") == first  # and when the server was started again
    assert desk.answer("anna", first[0].segment, first[0].question, True) == "noted"
    assert desk.answer("anna", first[0].segment, first[0].question, False) == "noted before"
    assert desk.ask("anna")[0] == first[1]


def test_only_what_was_asked_is_taken(desk: Desk) -> None:
    """Numbers that somebody makes up change nothing."""
    asked = {(one.segment, one.question) for one in desk.ask("anna")}
    for segment in (*names_of(desk.project).values(), 0, 999, -1):
        for question in ("seen", "heard"):
            if (segment, question) not in asked:
                assert desk.answer("anna", segment, question, True) == "not asked"  # type: ignore[arg-type]
    assert votes(desk.project).total() == 0


def test_undo_asks_again_and_goes_back_step_by_step(desk: Desk) -> None:
    """A slip of the key can be mended, also the one before, and the vote is gone until it is given again."""
    given_ = []
    for answer in (True, False, True):
        one = desk.ask("anna")[0]
        desk.answer("anna", one.segment, one.question, answer)
        given_.append(one)
    assert desk.undo("anna") == given_[2]
    assert desk.ask("anna")[0] == given_[2]
    assert desk.undo("anna") == given_[1]
    assert [*desk.ask("anna", count=3)][:2] == [given_[1], given_[2]]
    assert votes(desk.project).total() == 1
    assert desk.undo("anna") == given_[0]
    assert desk.undo("anna") is None
    assert votes(desk.project).total() == 0


def test_one_thing_at_a_time_and_sound_before_picture(desk: Desk) -> None:
    """A voter stays with one class and one question, and has not just heard what they see: the order is another."""
    order = []
    while asked := desk.ask("anna"):
        order.append(asked[0])
        desk.answer("anna", asked[0].segment, asked[0].question, True)
    groups = list(dict.fromkeys((one.class_name, one.question) for one in order))
    assert groups == [("dog", "heard"), ("dog", "seen"), ("drum", "heard"), ("drum", "seen")]
    assert [(one.class_name, one.question) for one in order] == sorted(
        ((one.class_name, one.question) for one in order), key=groups.index
    )


def test_nobody_is_asked_about_what_cannot_be_shown(desk: Desk) -> None:
    """A segment that cannot be decoded leaves the desk, with the leases on it, and votes on it cannot be undone."""
    one = desk.ask("anna")[0]
    desk.project.mark_broken(one.segment, "nothing can be decoded")
    again = desk.ask("anna", count=20)
    assert one.segment not in {each.segment for each in again}
    assert desk.answer("anna", one.segment, one.question, True) == "not asked"
    assert desk.progress("anna").wanted == 8 * 3


def test_a_file_that_cannot_be_read_stops_nobody(desk: Desk) -> None:
    """Its questions are put aside with all of its segments, the others go on, and after a while it is tried again."""
    with desk.project.reading() as db:
        dog = {number for (number,) in db.execute("SELECT id FROM segments WHERE name LIKE 'dog/%'")}
    one = desk.ask("anna")[0]
    assert one.segment in dog
    desk.set_aside(one.segment)
    assert not dog & {each.segment for each in [*desk.ask("anna", count=20), *desk.ask("ben", count=20)]}
    assert desk.left("anna") == 10
    clock_of(desk).now_s += ASIDE_S
    assert dog & {each.segment for each in desk.ask("anna", count=20)}


def test_a_clock_that_is_set_back_keeps_no_place_for_long(desk: Desk) -> None:
    """Who has gone gives their places back some minutes later, though the clock says that it is a day earlier."""
    for name in ("anna", "ben", "cleo"):
        assert len(desk.ask(name, count=20)) == 10
    clock_of(desk).now_s -= 86_400
    assert desk.ask("dora", count=20) == []
    clock_of(desk).now_s += LEASE_S + 1
    assert len(desk.ask("dora", count=20)) == 10


def test_accents_may_be_coded_in_two_ways(desk: Desk) -> None:
    """A table from one system and the page on another mean one person by one name."""
    one = desk.ask("Jos\u00e9")[0]
    assert desk.answer("Jose\u0301", one.segment, one.question, True) == "noted"
    assert desk.progress("Jos\u00e9").own == 1
