"""Any sound from files to answers, with a network of a few numbers that really measures; see `tiny_any`."""

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import clapboard
from clapboard import anysound
from clapboard.anysound import Sight, check_any_sound
from clapboard.cli import main
from clapboard.errors import MediaError, ModelError, UsageError
from clapboard.media.write import bake, shift, write_clip
from clapboard.models import store
from clapboard.models.any_session import AnySoundModel, load_any_sound
from clapboard.models.session import load_model
from clapboard.sync.any_trust import judge
from clapboard.testing import make_clip
from clapboard.testing.events import render_events, write_events
from clapboard.values import Crops
from tiny_any import write_clicks, write_tiny_any

Capture = pytest.CaptureFixture[str]
WITHIN_MS = 15.0
"""What the tiny network promises on clicks."""
NTSC, PAL, FILM = Fraction(30000, 1001), Fraction(25), Fraction(24000, 1001)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the tiny model's JSON."""
    return write_tiny_any(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def model(tiny: Path) -> AnySoundModel:
    """The tiny model, loaded once."""
    return load_any_sound(tiny)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of squares that change with a click, in sync."""
    return write_clicks(tmp_path_factory.mktemp("clip") / "clicks.mp4", seconds=6.0)


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the tiny model among the bundled ones, under the name of the default one for any sound."""
    folder = tmp_path / "bundled"
    write_tiny_any(folder, name="any-sound-s")
    for path in store.BUNDLED.glob("clapboard-s.*"):
        shutil.copy(path, folder)
    monkeypatch.setattr(store, "BUNDLED", folder)
    return folder


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"offset_ms": 300.0}),
        ("b.mkv", {"offset_ms": -1540.0, "rate": NTSC, "video_start_s": 0.4}),
        ("c.ts", {"offset_ms": 730.0, "rate": FILM, "audio_start_s": 0.7}),
        ("d.webm", {"offset_ms": -90.0, "rate": Fraction(50), "size_px": (96, 96)}),
        ("e.mov", {"offset_ms": 0.0, "rate": Fraction(30), "size_px": (640, 360)}),
    ],
)
def test_offsets_of_files_come_back(tiny: Path, tmp_path: Path, capsys: Capture, name: str, options: dict) -> None:
    """Protects the whole way through: containers, rates, starts of streams, both signs, shapes of pictures."""
    path = write_clicks(tmp_path / name, **options)
    code = main(["check", "--any-sound", "--model", str(tiny), "--json", str(path)])
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], code) == (("in_sync", 0) if options["offset_ms"] == 0 else ("out_of_sync", 1))
    assert found["offset_ms"] == pytest.approx(options["offset_ms"], abs=WITHIN_MS)
    assert (found["by"], found["tracks"], found["synchronisable"]) == ("any sound", [], True)
    assert found["why_by"] is None
    assert found["p_synchronisable"] > 0.9
    assert found["model"]["name"] == "tiny-any"
    assert sum(block["weight"] for block in found["blocks"]) == pytest.approx(1, abs=1e-4)
    assert all(block["end_s"] - block["start_s"] == pytest.approx(1) for block in found["blocks"])


@pytest.mark.parametrize(("delay_ms", "way"), [(-800, shift), (400, shift), (-300, bake)])
def test_delaying_the_sound_moves_the_answer_by_as_much(
    clip: Path, model: AnySoundModel, tmp_path: Path, delay_ms: int, way
) -> None:
    """Protects the property that no peer holds: by timestamps or samples, answer(file delayed by d) = answer - d."""
    moved = tmp_path / "moved.mkv"
    way(clip, moved, delay_ms / 1000)
    before, after = check_any_sound(clip, model=model).offset, check_any_sound(moved, model=model).offset
    assert after.trusted
    assert after.offset_ms == pytest.approx(before.offset_ms - delay_ms, abs=6)


@pytest.mark.parametrize(("kind", "seed"), [("stick", 2), ("bounce", 2), ("firework", 2)])
def test_rendered_events_are_measured(model: AnySoundModel, tmp_path: Path, kind: str, seed: int) -> None:
    """Protects more than flashing squares: things that fall, hit and burst among distractors, in both directions."""
    events = render_events(seed, seconds=8.0, px=64, kinds=(kind,))
    for offset_ms in (240.0, -680.0):
        path = write_events(events, tmp_path / f"{offset_ms:g}.mp4", offset_ms=offset_ms)
        found = check_any_sound(path, model=model).offset
        assert found.offset_ms == pytest.approx(offset_ms, abs=40)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"still": True}, "the picture does not move"),
        ({"silent": True}, "the sound is silent"),
        ({"sound_seed": 77}, "picture and sound do not match clearly"),
        ({"period_s": 0.8}, "the sound repeats every 0.80 s"),
        ({"offset_ms": 2012.0}, "the edge of the search of 2000 ms"),
        ({"seconds": 1.6}, "only 1.6 s of picture to compare"),
    ],
    ids=["still", "silence", "another sound", "metronome", "edge", "short"],
)
def test_what_cannot_be_told_is_undecided(
    tiny: Path, tmp_path: Path, capsys: Capture, options: dict, reason: str
) -> None:
    """Protects against confident nonsense: exit code 3, the plain cause, and no repair is offered."""
    path = write_clicks(tmp_path / "x.mkv", **{"seconds": 7.0, **options})
    assert main(["check", "--any-sound", "--model", str(tiny), "--json", str(path)]) == 3
    found = json.loads(capsys.readouterr().out)
    assert any(reason in one for one in found["reasons"]), found["reasons"]
    assert found["correction"] is None
    if "offset_ms" not in options:
        assert found["synchronisable"] is False
    json.dumps(found, allow_nan=False)


def test_a_wider_search_finds_a_larger_offset(model: AnySoundModel, tmp_path: Path) -> None:
    """Protects ``max_offset_ms``: what is out of reach is never reported as something else."""
    path = write_clicks(tmp_path / "far.mp4", offset_ms=-2700.0, seconds=10.0)
    assert check_any_sound(path, model=model).status == "undecided"
    found = check_any_sound(path, model=model, max_offset_ms=4000)
    assert found.offset.offset_ms == pytest.approx(-2700, abs=WITHIN_MS)
    narrow = check_any_sound(path, model=model, max_offset_ms=1000)
    assert narrow.offset.curve.shape == (51,)
    with pytest.raises(UsageError):
        check_any_sound("not-there.mp4", model=model, max_offset_ms=10)


def test_where_is_looked_is_where_it_happens(model: AnySoundModel, tmp_path: Path) -> None:
    """Protects maps of attention: the corner in which something happens has nearly all the weight."""
    for corner in (0, 3):
        report = check_any_sound(write_clicks(tmp_path / f"{corner}.mkv", seconds=4.0, corner=corner), model=model)
        assert report.attention is not None
        inside = np.zeros((4, 4), bool)
        inside[(corner // 2) * 2 : (corner // 2) * 2 + 2, (corner % 2) * 2 : (corner % 2) * 2 + 2] = True
        assert report.attention.maps[:, inside].sum() > 0.95
        np.testing.assert_allclose(report.attention.maps.sum((1, 2)), report.attention.weights, atol=1e-5)


def test_no_window_reaches_over_a_cut(model: AnySoundModel) -> None:
    """Protects against cuts taken for events: frames of two shots are never looked at together."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 64, 64), dtype=np.uint8)
    sight = Sight(model)
    for shot, part in ((0, slice(0, 7)), (0, slice(7, 12)), (1, slice(12, 13)), (2, slice(13, 30))):
        sight.push(Crops(shot, images[part], np.arange(30)[part] / 25))
    assert len(sight.times_s()) == 11 + 0 + 16
    np.testing.assert_allclose(sight.times_s()[:11], (np.arange(11) + 0.5) / 25)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e5])
def test_what_is_kept_of_the_picture_is_exact_enough(model: AnySoundModel, scale: float) -> None:
    """Protects networks whose attention is large or small: float16 holds it whatever its scale."""

    class Scaled(AnySoundModel):
        def _arrays(self, stream: str, array: np.ndarray, window: int) -> list[np.ndarray]:
            found = super()._arrays(stream, array, window)
            return [np.float32(scale) * one for one in found] if stream == "picture" else found

    spoilt = Scaled.__new__(Scaled)
    spoilt.__dict__.update(model.__dict__)
    pictures = Crops(0, np.random.default_rng(1).integers(0, 256, (12, 64, 64), dtype=np.uint8), np.arange(12) / 25)
    sight, whole = Sight(spoilt), spoilt.look(pictures)
    sight.push(pictures)
    kept = sight.seen(np.ones(11, bool), sight.times_s())
    np.testing.assert_allclose(kept.values, whole.values, rtol=2e-3)
    np.testing.assert_allclose(kept.places, whole.places, rtol=5e-3)
    np.testing.assert_allclose(kept.places.sum((1, 2)), whole.places.sum((1, 2)), rtol=1e-5)


def test_pieces_of_a_long_file_give_the_same_answer(
    clip: Path, model: AnySoundModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects streaming: sound in pieces of 1.5 s gives what one piece gives."""
    whole = check_any_sound(clip, model=model)
    monkeypatch.setattr(anysound, "CHUNK_S", 1.5)
    told: list[tuple[str, float]] = []
    pieces = check_any_sound(clip, model=model, hook=lambda step, done, _: told.append((step, done)))
    assert pieces.offset.offset_ms == pytest.approx(whole.offset.offset_ms, abs=0.01)
    np.testing.assert_allclose(pieces.offset.curve, whole.offset.curve, atol=1e-5)
    assert {step for step, _ in told} == {"read", "compare"}
    assert [done for step, done in told if step == "compare"] == sorted(d for step, d in told if step == "compare")


def test_a_file_in_memory_is_measured_as_on_disk(clip: Path, model: AnySoundModel) -> None:
    """Protects ``data``."""
    held = check_any_sound("name.mp4", data=clip.read_bytes(), model=model)
    assert held.offset.offset_ms == check_any_sound(clip, model=model).offset.offset_ms
    assert held.file == "name.mp4"


def test_without_a_face_it_is_measured_by_any_sound(bundled: Path, clip: Path, capsys: Capture) -> None:
    """Protects the choice: no face in the whole file, so any sound; both kinds of output say so."""
    assert main(["check", str(clip)]) == 0
    assert "  measured by any sound, no face was found\n" in capsys.readouterr().out
    assert main(["check", "--json", str(clip)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["by"], found["why_by"]) == ("any sound", "no face was found")
    assert main(["check", "--json", "--model", "clapboard-s", str(clip)]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["name"] == "any-sound-s"
    for command, said in (("check", True), ("fix", False)):
        assert main([command, "--help"]) == 0
        words = " ".join(capsys.readouterr().out.split())
        assert ("a file without a face is measured by any-sound-s all the same" in words) is said
    told: list[str] = []
    report = clapboard.check(clip, hook=lambda step, *_: told.append(step))
    assert (report.by, report.why_by, report.model.name) == ("any sound", "no face was found", "any-sound-s")
    assert list(dict.fromkeys(told)) == ["read", "read again", "compare again"]
    assert main(["check", "--lips-only", str(clip)]) == 3
    out = capsys.readouterr().out
    assert "no face was found" in out
    assert "measured by" not in out
    assert clapboard.check(clip, any_sound=False).by == "lips"


def test_both_ways_say_why_where_neither_answers(bundled: Path, tmp_path: Path) -> None:
    """Protects who sees "undecided": the reasons of lips and of any sound, and what would help either."""
    report = clapboard.check(write_clicks(tmp_path / "x.mp4", seconds=5.0, sound_seed=5))
    assert report.status == "undecided"
    assert report.offset.reasons[0] == "no face was found"
    assert "picture and sound do not match clearly" in report.offset.reasons[1]
    assert report.hints == ("a longer piece, with more that is both seen and heard, would tell",)
    lips = clapboard.check(tmp_path / "x.mp4", any_sound=False)
    assert any("a face must be at least" in hint for hint in lips.hints)


def test_a_wider_search_is_proposed_only_for_a_clear_match(model: AnySoundModel, tmp_path: Path) -> None:
    """Protects the time of users: chance lies at the edge too, and no wider search makes a match of it."""
    path = write_clicks(tmp_path / "edge.mp4", offset_ms=2012.0, seconds=7.0)
    watched = anysound.watch(path, model)
    found = anysound.blocks_of(watched, model, 2.0)
    assert found is not None
    for bias, proposed in ((20.0, ["search further: --max-offset-ms 6000"]), (-20.0, [])):
        answer = judge(found, bias, {"gap": 0.0})
        assert "edge of the search" in answer.offset.reasons[0]
        assert len(answer.offset.reasons) == (1 if proposed else 2)
        hints = anysound.hints(answer, watched.clip, 2000.0)
        assert [hint for hint in hints if "search further" in hint] == proposed


def test_a_face_is_measured_by_lips_unless_any_sound_is_asked_for(bundled: Path, tmp_path: Path) -> None:
    """Protects faces: lips win wherever there are some; whoever asks gets the other, which says what it is."""
    path = tmp_path / "talk.mp4"
    make_clip(path, seed=11, duration_s=3.0, width_px=320, height_px=240, face_px=110)
    report = clapboard.check(path)
    assert (report.by, report.model.name, report.attention) == ("lips", "clapboard-s", None)
    forced = clapboard.check(path, any_sound=True)
    assert (forced.by, forced.why_by, forced.tracks) == ("any sound", "", ())


def test_models_of_the_other_kind_are_refused(tiny: Path, model: AnySoundModel, clip: Path, capsys: Capture) -> None:
    """Protects users who mix them up: one line, exit code 5, before the file is read."""
    for arguments, what in (
        (["--any-sound", "--model", "clapboard-s"], "a model for lips"),
        (["--model", str(tiny)], "a model for any sound, not for lips; clapboard check --any-sound takes it"),
    ):
        assert main(["check", *arguments, str(clip)]) == 5
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        assert what in err
    with pytest.raises(UsageError, match="for lips"):
        clapboard.check(clip, model=load_model(), any_sound=True)
    with pytest.raises(UsageError, match="any_sound=True"):
        clapboard.check(clip, model=model)


def test_an_uncalibrated_model_measures_and_decides_nothing(clip: Path, tmp_path: Path) -> None:
    """Protects against trust without evidence."""
    report = check_any_sound(clip, model=write_tiny_any(tmp_path, calibration=None))
    assert report.status == "undecided"
    assert abs(report.offset.offset_ms) < WITHIN_MS
    assert any("not calibrated" in reason for reason in report.offset.reasons)
    assert any("docs/any-sound.md" in hint for hint in report.hints)
    assert report.attention is not None
    assert np.isnan(report.attention.p_synchronisable)


def test_files_that_are_none_are_one_line(tiny: Path, tmp_path: Path, capsys: Capture) -> None:
    """Protects against tracebacks: no video, no sound, no picture."""
    (tmp_path / "text.mp4").write_text("no film")
    write_clip(tmp_path / "mute.mp4", [np.full((64, 64), n, np.uint8) for n in range(30)], 25)
    for name in ("text.mp4", "mute.mp4", "absent.mp4"):
        code = main(["check", "--any-sound", "--model", str(tiny), str(tmp_path / name)])
        out, err = capsys.readouterr()
        assert (code, out, len(err.splitlines())) == (4, "", 1)
    with pytest.raises(MediaError):
        check_any_sound(tmp_path / "mute.mp4", model=tiny)
    with pytest.raises(ModelError):
        check_any_sound(tmp_path / "mute.mp4", model="nothing")


def test_shots_shorter_than_a_window_are_told(model: AnySoundModel, tmp_path: Path) -> None:
    """Protects montages: a file of single frames has nothing to look at, and says so."""
    path = tmp_path / "one.mkv"
    samples = np.random.default_rng(0).standard_normal(3200).astype(np.float32) / 8
    write_clip(path, [np.full((64, 64), 90, np.uint8)], 25, samples, 16_000)
    report = check_any_sound(path, model=model)
    assert report.offset.reasons == ("no shot is as long as 0.08 s",)
    assert report.attention is not None
    assert (len(report.attention.weights), report.attention.synchronisable) == (0, False)


def test_fix_by_any_sound(tiny: Path, tmp_path: Path, capsys: Capture) -> None:
    """Protects the repair: shifted, measured again by the same means, and refused where it is not sure."""
    source, out = write_clicks(tmp_path / "a.mp4", offset_ms=420.0, seconds=6.0), tmp_path / "b.mp4"
    how = ["--any-sound", "--model", str(tiny), "-q"]
    assert main(["fix", *how, str(source), "-o", str(out)]) == 0
    assert abs(check_any_sound(out, model=tiny).offset.offset_ms) < WITHIN_MS
    foreign = write_clicks(tmp_path / "c.mp4", sound_seed=9, seconds=6.0)
    assert main(["fix", *how, str(foreign)]) == 3
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "c.synced.mp4").exists()
