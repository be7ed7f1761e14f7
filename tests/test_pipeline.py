"""The whole flow on rendered talking faces: known offsets come back, and what cannot be measured is not answered.

The people in these clips have seeds below those that the model was trained on.
"""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import clapboard
from clapboard.errors import NoAudioError, UsageError
from clapboard.media.write import bake, shift, write_clip
from clapboard.models.session import SyncModel, load_model
from clapboard.testing import make_clip
from clapboard.values import Report

WITHIN_MS = 40.0
"""One frame: what is promised."""
FOLLOWS_MS = 5.0
"""How exactly an answer follows a known shift of the same clip."""


@pytest.fixture(scope="module")
def model() -> SyncModel:
    """The bundled model, loaded once."""
    return load_model()


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of a talking face, in sync."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    make_clip(path, seed=11, duration_s=6.0, width_px=320, height_px=240, face_px=110)
    return path


@pytest.fixture(scope="module")
def plain(talk: Path, model: SyncModel) -> Report:
    """What is measured on it as it is."""
    return clapboard.check(talk, model=model)


def test_a_clip_in_sync_is_called_in_sync(plain: Report) -> None:
    """Protects the zero of rendered clips and the whole report: one face, sure, versions and model named."""
    assert plain.status == "in_sync"
    assert abs(plain.offset.offset_ms) < WITHIN_MS
    assert plain.offset.p_within_frame > 0.9
    assert [t.decides for t in plain.tracks] == [True]
    assert plain.tracks[0].face_px == pytest.approx(110, rel=0.35)
    assert plain.model.name == "clapboard-s"
    assert len(plain.model.sha256) == 64
    assert {"clapboard", "onnxruntime", "numpy", "av"} <= set(plain.versions)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("delay_ms", "way"), [(-800, shift), (400, shift), (-300, bake), (800, bake)])
def test_delaying_the_sound_moves_the_answer_by_as_much(  # noqa: PLR0917
    talk: Path, plain: Report, model: SyncModel, tmp_path: Path, suffix: str, delay_ms: int, way
) -> None:
    """Protects the property that no peer holds: by timestamps or samples, answer(file delayed by d) = answer - d."""
    moved = tmp_path / f"moved.{suffix}"
    way(talk, moved, delay_ms / 1000)
    found = clapboard.check(moved, model=model).offset
    assert found.trusted
    assert found.offset_ms == pytest.approx(plain.offset.offset_ms - delay_ms, abs=FOLLOWS_MS)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(50)])
def test_any_frame_rate_gives_the_same_offset(model: SyncModel, tmp_path: Path, rate: Fraction) -> None:
    """Protects the picture grid: rates that are not the grid's do not shift the answer."""
    path = tmp_path / "rate.mp4"
    options = {"width_px": 320, "height_px": 240, "face_px": 110, "duration_s": 5.0, "offset_ms": 240.0}
    make_clip(path, seed=13, rate=rate, **options)
    assert clapboard.check(path, model=model).offset.offset_ms == pytest.approx(240, abs=WITHIN_MS)


def test_starts_of_streams_are_honoured(model: SyncModel, tmp_path: Path) -> None:
    """Protects container times: streams that start apart but play together are in sync."""
    path = tmp_path / "start.mkv"
    options = {"width_px": 320, "height_px": 240, "face_px": 110, "duration_s": 5.0}
    make_clip(path, seed=14, video_start_s=0.4, audio_start_s=0.0, **options)
    assert abs(clapboard.check(path, model=model).offset.offset_ms) < WITHIN_MS


def test_somebody_elses_voice_is_not_answered(model: SyncModel, tmp_path: Path) -> None:
    """Protects against confident nonsense: another text by another voice has no offset."""
    path = tmp_path / "foreign.mp4"
    make_clip(path, seed=15, duration_s=6.0, width_px=320, height_px=240, face_px=110, voice_of=77)
    report = clapboard.check(path, model=model)
    assert report.status == "undecided"
    assert "do not match clearly" in report.offset.reasons[0]
    assert report.hints


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"static": True}, "does not move|do not match"), ({"silent": True}, "silent")],
    ids=["still picture", "silence"],
)
def test_what_cannot_be_measured_is_undecided(model: SyncModel, tmp_path: Path, options: dict, reason: str) -> None:
    """Protects stills and silent sound: no offset, and the plain cause."""
    path = tmp_path / "nothing.mp4"
    make_clip(path, seed=16, duration_s=4.0, width_px=320, height_px=240, face_px=110, **options)
    report = clapboard.check(path, model=model)
    assert report.status == "undecided"
    assert any(re.search(reason, r) for r in report.offset.reasons)


def test_no_sound_at_all_is_an_error(model: SyncModel, tmp_path: Path) -> None:
    """Protects the difference between silence and no sound."""
    path = tmp_path / "mute.mp4"
    make_clip(path, seed=16, duration_s=1.0, width_px=160, height_px=120, face_px=60, audio=False)
    with pytest.raises(NoAudioError):
        clapboard.check(path, model=model)


def test_the_speaker_among_listeners_decides(model: SyncModel, tmp_path: Path) -> None:
    """Protects several faces: three in view, the middle one speaks, and it alone gives the offset."""
    path = tmp_path / "panel.mp4"
    make_clip(path, seed=17, duration_s=6.0, faces=3, speaking=1, face_px=110, offset_ms=-160)
    report = clapboard.check(path, model=model)
    assert len(report.tracks) == 3
    assert report.offset.offset_ms == pytest.approx(-160, abs=WITHIN_MS)
    deciders = [t for t in report.tracks if t.decides]
    assert len(deciders) == 1
    assert deciders[0].offset.confidence == max(t.offset.confidence for t in report.tracks)


def test_shots_are_joined(model: SyncModel, tmp_path: Path) -> None:
    """Protects cuts: each shot is a track of its own, and together they give one offset."""
    path = tmp_path / "cuts.mp4"
    make_clip(path, seed=18, duration_s=7.0, face_px=110, cuts_s=(2.5, 4.7), offset_ms=120)
    report = clapboard.check(path, model=model)
    assert len(report.tracks) == 3
    assert report.offset.offset_ms == pytest.approx(120, abs=WITHIN_MS)
    assert sum(t.decides for t in report.tracks) >= 2


def test_a_wider_search_finds_a_larger_offset(talk: Path, model: SyncModel, tmp_path: Path) -> None:
    """Protects ``max_offset_ms``: 1.7 s are out of reach of the default, and are never reported as something else."""
    moved = tmp_path / "far.mp4"
    shift(talk, moved, -1.7)
    near = clapboard.check(moved, model=model)
    assert near.status == "undecided"
    assert any("--max-offset-ms" in hint or "longer piece" in hint for hint in near.hints)
    assert clapboard.check(moved, model=model, max_offset_ms=3000).offset.offset_ms == pytest.approx(
        1700, abs=WITHIN_MS
    )


def test_progress_is_told_step_by_step(talk: Path, model: SyncModel) -> None:
    """Protects the hook: both steps come, and what is done never falls."""
    told: dict[str, list[float]] = {}
    clapboard.check(talk, model=model, hook=lambda step, done, _total: told.setdefault(step, []).append(done))
    assert set(told) == {"read", "compare"}
    assert all(done == sorted(done) for done in told.values())


@pytest.mark.parametrize("bad", [{"max_offset_ms": 10}, {"profile": "loose"}, {"max_offset_ms": float("nan")}])
def test_senseless_arguments_are_refused_before_decoding(bad: dict) -> None:
    """Protects users' time: a wrong argument is told at once, even for a file that is not there."""
    with pytest.raises(UsageError):
        clapboard.check("not-there.mp4", **bad)


def test_the_same_file_gives_the_same_numbers(talk: Path, plain: Report, model: SyncModel) -> None:
    """Protects determinism."""
    again = clapboard.check(talk, model=model)
    assert again.offset.offset_ms == plain.offset.offset_ms
    np.testing.assert_array_equal(again.offset.curve, plain.offset.curve)


def test_faces_too_small_for_the_model_are_not_trusted(model: SyncModel, tmp_path: Path) -> None:
    """Protects wide shots: lips of a few pixels may be measured, but nothing is decided by them."""
    path = tmp_path / "small.mp4"
    make_clip(path, seed=19, duration_s=4.0, width_px=480, height_px=270, face_px=26)
    report = clapboard.check(path, model=model)
    assert report.status == "undecided"
    assert any("px" in text for text in (*report.offset.reasons, *report.hints))


def test_nothing_measured_is_null_and_not_zero(model: SyncModel, tmp_path: Path) -> None:
    """Protects the numbers of a file without a face: not known is not 0 %."""
    path = tmp_path / "faceless.mp4"
    write_clip(path, [np.full((120, 160), n, np.uint8) for n in range(40, 90)], 25, np.zeros(32000, np.float32), 16000)
    report = clapboard.check(path, model=model, any_sound=False)
    assert report.offset.reasons == ("no face was found",)
    assert (report.by, report.attention) == ("lips", None)
    assert np.isnan(report.offset.p_within_frame)
    assert np.isnan(report.offset.offset_ms)
