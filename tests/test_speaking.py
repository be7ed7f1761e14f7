"""Who speaks, from files: scenes rendered in code, in which that is known exactly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import clapboard
from clapboard.errors import MediaError, ModelError, NoAudioError, UsageError
from clapboard.pipeline import measure, opened
from clapboard.speakers.decide import METHODS, Face, Method, decide
from clapboard.speaking import compare, compare_measured, who_speaks
from clapboard.testing import SceneTruth, render_scene
from clapboard.values import Speakers
from tiny_models import SURE, write_tiny

NEAR_S = 0.3
"""Turns may begin and end this much off: a frame sees 0.2 s, and pauses up to 0.3 s belong to a turn."""
TURNS = [(0.3, 2.6, 0), (3.0, 5.2, 1), (5.6, 7.8, 0)]


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> SceneTruth:
    """Two people who take turns; the sound is 200 ms early."""
    path = tmp_path_factory.mktemp("panel") / "panel.mp4"
    return render_scene(path, cast=(12, 13), turns=TURNS, duration_s=8.0, sound_early_ms=200)


def agreement(found: Speakers, truth: SceneTruth) -> float:
    """F1 of speaking over all faces and frames, those within `NEAR_S` of a change left out."""
    right = wrong = missed = 0
    for face in found.faces:
        middle = len(face.time_s) // 2
        seat = truth.seat_of(face.time_s[middle], face.boxes[middle])
        assert seat is not None
        before, true, after = (truth.speaking(seat, face.time_s + by) for by in (-NEAR_S, 0, NEAR_S))
        steady = (before == true) & (true == after)
        right += int((face.speaking & true & steady).sum())
        wrong += int((face.speaking & ~true & steady).sum())
        missed += int((~face.speaking & true & steady).sum())
    return 2 * right / max(2 * right + wrong + missed, 1)


def seats_of_turns(found: Speakers, truth: SceneTruth) -> list[int | None]:
    """The seats of all turns, in the order of time, each named once where it goes on."""
    seats: dict[int | None, int | None] = {None: None}
    for face in found.faces:
        middle = len(face.time_s) // 2
        seats[face.number] = truth.seat_of(face.time_s[middle], face.boxes[middle])
    named = [seats[turn.face] for turn in found.turns]
    return [seat for place, seat in enumerate(named) if place == 0 or named[place - 1] != seat]


def test_a_window_that_nothing_uses_is_refused(tmp_path: Path) -> None:
    """As by the command: who gives a length has to know that it changes nothing."""
    with pytest.raises(UsageError, match="window_frames is for the method window, not for states"):
        who_speaks(tmp_path / "none.mp4", window_frames=5)
    with pytest.raises(MediaError, match="no such file"):
        who_speaks(tmp_path / "none.mp4", method="window", window_frames=5)


def test_two_people_who_take_turns_are_told_apart(panel: SceneTruth) -> None:
    """Protects the command's purpose, at an offset that is not zero."""
    assert panel.path is not None
    found = clapboard.who_speaks(panel.path)
    assert found.offset_from == "file"
    assert found.offset_ms == pytest.approx(200, abs=40)
    assert seats_of_turns(found, panel) == [0, 1, 0]
    assert agreement(found, panel) > 0.95
    for turn, (start_s, end_s, _) in zip(found.turns, TURNS, strict=True):
        assert start_s - NEAR_S < turn.start_s < turn.end_s < end_s + NEAR_S


def test_one_comparison_serves_every_method(panel: SceneTruth) -> None:
    """The two published rules find the same people; scores stay between 0 and 1 and are 0 in silence."""
    assert panel.path is not None
    compared = compare(panel.path)
    for method, least in (("window", 0.9), ("median", 0.75)):
        found = decide(compared, method=method, window_frames=25)
        assert agreement(found, panel) > least, method
        for face in found.faces:
            assert ((face.score >= 0) & (face.score <= 1)).all()
            assert len(face.time_s) == len(face.boxes) == len(face.score)


def test_at_a_wrong_offset_nobody_in_view_has_the_voice(panel: SceneTruth) -> None:
    """The control: lips are compared at the file's offset and nowhere else."""
    assert panel.path is not None
    found = who_speaks(panel.path, offset_ms=-500)
    assert (found.offset_ms, found.offset_from) == (-500, "user")
    spoken_s = sum(turn.end_s - turn.start_s for turn in found.turns)
    away_s = sum(turn.end_s - turn.start_s for turn in found.turns if turn.face is None)
    assert away_s > 0.8 * spoken_s


def test_sound_and_picture_days_apart_are_refused(panel: SceneTruth) -> None:
    """Protects memory: a recorder that stamps only the sound by the calendar claims a grid of years."""
    assert panel.path is not None
    model = opened("clapboard-s")
    measured = measure(panel.path, model)
    far = replace(measured.speech, first_s=1.7e9)
    with pytest.raises(MediaError, match="lie days apart; remux it first"):
        compare_measured("x.mkv", replace(measured, speech=far, features=far), model)


@pytest.mark.parametrize("method", METHODS)
def test_many_faces_of_one_long_take_need_few_rows(
    panel: SceneTruth, monkeypatch: pytest.MonkeyPatch, method: Method
) -> None:
    """Protects memory, hundreds of faces times hours: sharing rows changes no decision, score or turn."""
    assert panel.path is not None
    compared, rng = compare(panel.path), np.random.default_rng(3)
    pieces = list[Face]()
    for number in range(60):  # pieces of one track as if each was another face; each overlaps with some others
        face, first = compared.faces[number % 2], int(rng.integers(0, 100))
        cut = slice(first, first + int(rng.integers(55, 90)))
        track = replace(
            face.track,
            number=number,
            time_s=face.track.time_s[: cut.stop - first] + 2.0 * number,
            boxes=face.track.boxes[cut],
            landmarks=face.track.landmarks[cut],
            interpolated=face.track.interpolated[cut],
            scores=None,
        )
        pieces.append(Face(track, face.first + 50 * number, face.distance[cut], face.contrast[cut]))
    whole = replace(compared, faces=tuple(pieces), active=np.tile(compared.active, 20))
    shared = decide(whole, method=method, window_frames=30)
    most = list[int]()

    def one_each(group: list[Face], apart_frames: int) -> list[int]:
        most.append(len(group))
        return list(range(len(group)))

    monkeypatch.setattr("clapboard.speakers.decide._rows", one_each)
    alone = decide(whole, method=method, window_frames=30)
    assert most == [60]
    assert shared.turns == alone.turns
    for one, other in zip(shared.faces, alone.faces, strict=True):
        np.testing.assert_allclose(one.score, other.score, atol=1e-6)
        np.testing.assert_array_equal(one.speaking, other.speaking)


def test_a_voice_of_nobody_in_view_is_named_as_such(tmp_path: Path) -> None:
    """Protects off-screen voices beside a face that rests and one that talks unheard, through a cut."""
    truth = render_scene(
        tmp_path / "narrated.mkv",
        cast=(14, 15),
        turns=[(0.3, 3.0, 0), (3.6, 7.6, None)],
        listeners=("quiet", "talking"),
        layout=[(0.0, (0, 1)), (3.3, (1, 0))],
        duration_s=8.0,
        rate=30,
    )
    found = who_speaks(tmp_path / "narrated.mkv")
    assert seats_of_turns(found, truth) == [0, None]
    assert len(found.faces) == 4


def test_a_face_out_of_view_speaks_as_nobody(tmp_path: Path) -> None:
    """A voice that goes on after the cut away from its face is that of nobody in view, without any face too."""
    truth = render_scene(
        tmp_path / "cut.mp4", cast=(12, 16), turns=[(0.3, 5.8, 0)], layout=[(0.0, (0,)), (3.0, (1,))], duration_s=6.0
    )
    found = who_speaks(tmp_path / "cut.mp4")
    assert seats_of_turns(found, truth) == [0, None]


def test_what_cannot_be_told_is_refused(panel: SceneTruth, tmp_path: Path) -> None:
    """One clear line for a method that there is not, a window of nothing, and a model that was not fitted."""
    assert panel.path is not None
    with pytest.raises(UsageError, match="no method is called mean; there is states, window, median"):
        who_speaks(panel.path, method="mean")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least one frame"):
        who_speaks(panel.path, method="window", window_frames=0)
    for wrong in (float("nan"), float("inf"), 1e9):
        with pytest.raises(UsageError, match="an offset must be a number"):
            who_speaks(panel.path, offset_ms=wrong)
    tiny = write_tiny(tmp_path, calibration=SURE)
    with pytest.raises(ModelError, match="was not fitted to tell who speaks"):
        who_speaks(panel.path, model=tiny)


def test_a_file_without_sound_is_refused(tmp_path: Path) -> None:
    """Nobody speaks in a film without sound, but that is no measurement."""
    from clapboard.media.write import write_clip
    from clapboard.testing import scene_arrays

    staged = scene_arrays(turns=[(0.3, 1.2, 0)], duration_s=1.5)
    write_clip(tmp_path / "silent.mp4", staged.frames, 25, None, 48_000)
    with pytest.raises(NoAudioError):
        who_speaks(tmp_path / "silent.mp4")
