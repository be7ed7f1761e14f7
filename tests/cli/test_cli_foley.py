"""``clapboard foley`` through the real program: a sound where the picture shows it, and one clear line where not."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clapboard.cli import main
from clapboard.cli.foley import BUNDLED, default_out, in_words, record
from clapboard.dubbing import VARIANTS, FoleyReport
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.media.read import read_audio, read_frames
from clapboard.values import Shot
from tiny_foley import appearing, write_tiny_foley

SEEN = (20, 45, 90, 110)
"""Frames in which something appears."""
PAGE = Path(__file__).parents[2] / "docs" / "json.md"


def picture(path: Path, frames: int = 130, **options: Any) -> Path:
    """A silent clip in which noise changes at the frames of `SEEN` and stands still otherwise."""
    images = [np.kron(image, np.ones((2, 2), np.uint8)) for image in appearing(frames, SEEN)]
    write_clip(path, images, 25, **options)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes change for a blow on wood."""
    return write_tiny_foley(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A silent clip; nobody may change it."""
    return picture(tmp_path_factory.mktemp("clip") / "silent.mp4")


def loud_at_s(path: Path, near_s: float) -> float:
    """The first sample about a time that is not silent, s on the clock of the pictures."""
    first_s = next(frame.time_s for frame in read_frames(probe(path)))
    (sound,) = read_audio(probe(path))
    clock = sound.start_s - first_s + np.arange(len(sound.samples)) / sound.rate_hz
    inside = (clock > near_s - 0.2) & (clock < near_s + 0.2)
    loud = np.abs(sound.samples[inside])
    return float(clock[inside][np.argmax(loud > 0.1 * loud.max())])


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm", "avi"])
def test_sound_lies_where_it_is_seen(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    """The whole way, measured on the decoded file: blows are as told, within 3 ms, where the picture changes."""
    late_s = 0.0 if ending == "avi" else 0.4
    # at the usual rate VP8 draws some of the noise later
    fine = {"crf": "4", "b": "20M"} if ending == "webm" else {}
    silent = picture(tmp_path / f"silent.{ending}", video_start_s=late_s, video_options=fine)
    content = silent.read_bytes()
    assert main(["foley", str(silent), "--model", str(model), "--candidates", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    out = tmp_path / f"silent.foley.{ending}"
    assert Path(answer["out"]) == out
    assert [blow["material"] for blow in answer["blows"]] == ["wood"] * len(SEEN)
    for blow, frame in zip(answer["blows"], SEEN, strict=True):
        shown_s = blow["start_s"] - late_s
        assert shown_s == pytest.approx(frame / 25, abs=0.02)
        assert loud_at_s(out, shown_s) == pytest.approx(shown_s, abs=0.003)
    assert answer["duration_s"] == pytest.approx(130 / 25, abs=0.01)
    assert silent.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([silent.name, out.name])


def test_words(tmp_path: Path, model: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is said of a file that was written, and that the model for any sound could not judge it."""
    out = tmp_path / "out.mkv"
    assert main(["foley", str(clip), "-o", str(out), "--model", str(model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{out}: written, 5.2 s of sound, 4 blows (4 wood); by tiny-foley, candidate 1 of 3"
    assert "not judged; the first of 3 candidates was taken" in lines[1]
    assert out.exists()


def test_the_same_seed_gives_the_same_sound(tmp_path: Path, model: Path, clip: Path) -> None:
    """And another one another."""
    outs = [tmp_path / f"{name}.avi" for name in ("one", "two", "three")]
    silent = picture(tmp_path / "silent.avi")
    for out, seed in zip(outs, ("1", "1", "2"), strict=True):
        assert main(["foley", str(silent), "-o", str(out), "--model", str(model), "--seed", seed, "-q"]) == 0
    one, two, three = (read_audio(probe(out))[0].samples for out in outs)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, three)


def test_a_bank_of_recordings_is_used(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Blows come from the folder, and are of the material that its name says."""
    (tmp_path / "bank" / "wood").mkdir(parents=True)
    knock = np.zeros(16_000, np.float32)
    knock[4_000:6_000] = 0.6 * np.exp(-np.arange(2_000) / 300) * np.sin(2 * np.pi * 440 * np.arange(2_000) / 16_000)
    write_clip(
        tmp_path / "bank" / "wood" / "knock.mkv", [np.zeros((16, 16), np.uint8)] * 25, 25, knock, 16_000,
        audio_codec="flac",
    )  # fmt: skip
    silent, out = picture(tmp_path / "silent.avi"), tmp_path / "out.avi"
    call = ["foley", str(silent), "-o", str(out), "--model", str(model), "--candidates", "1", "--json"]
    assert main([*call, "--bank", str(tmp_path / "bank")]) == 0
    assert [blow["material"] for blow in json.loads(capsys.readouterr().out)["blows"]] == ["wood"] * 4
    (sound,) = read_audio(probe(out))
    at = round(sound.rate_hz * loud_at_s(out, SEEN[0] / 25))
    spectrum = np.abs(np.fft.rfft(sound.samples[at : at + 1600]))
    assert 10 * int(np.argmax(spectrum)) == pytest.approx(440, abs=20)


def test_a_file_without_a_change_stays_silent(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is seen, so nothing is heard, and that is said."""
    still, out = tmp_path / "still.mp4", tmp_path / "out.mp4"
    write_clip(still, [np.full((64, 64), 90, np.uint8)] * 50, 25)
    assert main(["foley", str(still), "-o", str(out), "--model", str(model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "2.0 s of sound, no blow" in lines[0]
    assert any("the track is silent" in line for line in lines)
    assert max(float(np.abs(run.samples).max()) for run in read_audio(probe(out))) < 1e-3


def test_a_sound_is_replaced_only_when_asked(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --replace-sound a file with a sound is refused, in one line that says what to do."""
    silent = tmp_path / "noisy.mp4"
    images = [np.kron(image, np.ones((2, 2), np.uint8)) for image in appearing(60, (20, 45))]
    write_clip(silent, images, 25, np.full(16_000 * 2, 0.3, np.float32), 16_000)
    out = tmp_path / "out.mp4"
    call = ["foley", str(silent), "-o", str(out), "--model", str(model), "-q"]
    assert main(call) == 2
    assert "has a sound already (aac); give --replace-sound" in capsys.readouterr().err
    assert not out.exists()
    assert main([*call, "--replace-sound"]) == 0
    (sound,) = read_audio(probe(out))
    assert np.abs(sound.samples[:8_000]).max() < 0.01  # the old tone is gone
    assert capsys.readouterr() == ("", "")


def missing(path: Path) -> None:
    pass


def folder(path: Path) -> None:
    path.mkdir()


def text(path: Path) -> None:
    path.write_text("this is no video\n" * 100)


def playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.mp4\n#EXT-X-ENDLIST\n")


def truncated(path: Path) -> None:
    picture(path, 30)
    path.write_bytes(path.read_bytes()[:3000])


def no_picture(path: Path) -> None:
    song = path.with_suffix(".mkv")
    write_clip(song, [np.zeros((16, 16), np.uint8)] * 25, 25, np.zeros(16_000, np.float32), 16_000)
    import av

    with av.open(str(song)) as whole, av.open(str(path), "w") as alone:
        stream = alone.add_stream_from_template(whole.streams.audio[0])
        for packet in whole.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                alone.mux(packet)
    song.unlink()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (missing, "no such file"),
        (folder, "is a directory"),
        (text, "can be read"),
        (playlist, "an HLS playlist"),
        (truncated, "get a complete copy"),
        (no_picture, "has no picture"),
    ],
)
def test_inputs_that_cannot_be_used(
    tmp_path: Path, model: Path, make: Callable[[Path], None], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the file and what is wrong, the exit code of the help, nothing written; JSON all the same."""
    path = tmp_path / "bad.mp4"
    make(path)
    before = sorted(tmp_path.iterdir())
    call = ["foley", str(path), "-o", str(tmp_path / "out.mp4"), "--model", str(model)]
    assert main([*call, "--replace-sound"]) == 4
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(rf"clapboard: {re.escape(str(path))}: [^\n]*({says})[^\n]*\n", told.err)
    assert main([*call, "--replace-sound", "--json"]) == 4
    answer = json.loads(capsys.readouterr().out)
    assert (answer["status"], answer["out"]) == ("error", None)
    assert re.search(says, answer["error"])
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--variant", "loud"], 2, "there is no variant loud; there is fast, frame, seq, flow"),
        (["--candidates", "0"], 2, "candidates are 1 to 16"),
        (["--candidates", "17"], 2, "candidates are 1 to 16"),
        (["--candidates", "many"], 2, "--candidates"),
        (["--seed", "-1"], 2, "the seed is 0 or more"),
        (["--vocoder", "wavenet"], 2, "a vocoder is one of auto, griffin-lim, istft, not wavenet"),
        (["--vocoder", "istft"], 2, "has no vocoder of its own"),
        (["--bank", "nowhere"], 2, "nowhere: is no folder of recordings"),
        (["--variant", "frame"], 2, "tiny-foley is a model of the variant fast, not frame"),
        (["--threads", "0"], 2, "--threads"),
        (["--model", "nonsense"], 5, "nonsense"),
        (["--model", "any-sound-s"], 5, "any-sound"),
        (["-o", "out.txt"], 2, "cannot write a .txt file"),
        (["-o", "out.webm"], 2, "cannot hold video stream 0"),
        (["-o", "out.avi"], 2, "avi has no timestamps"),
        (["-o", "nowhere/out.mp4"], 2, "there is no folder nowhere"),
    ],
)
def test_arguments_that_make_no_sense(
    *,
    tmp_path: Path,
    model: Path,
    clip: Path,
    arguments: list[str],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line with what is wrong, the exit code of the help, and nothing left behind."""
    monkeypatch.chdir(tmp_path)
    call = ["foley", str(clip), "-o", "out.mp4", "--model", str(model)]
    assert main([*call, *arguments]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"clapboard: [^\n]+\n", told.err)
    assert says in told.err
    assert list(tmp_path.iterdir()) == []


def test_outputs_in_the_way(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The input is never written, by whatever name; what exists is replaced with --overwrite alone."""
    silent, out = picture(tmp_path / "silent.mp4", 40), tmp_path / "out.mp4"
    content = silent.read_bytes()
    os.link(silent, tmp_path / "hard.mp4")
    out.write_text("precious")
    call = ["foley", str(silent), "--model", str(model), "-q", "-o"]
    for name in ("silent.mp4", "hard.mp4"):
        assert main([*call, str(tmp_path / name), "--overwrite"]) == 2
    assert main([*call, str(out)]) == 2
    assert main([*call, str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert f"{out}: exists already; give --overwrite" in lines[2]
    assert out.read_text() == "precious"
    assert silent.read_bytes() == content
    assert main([*call, str(out), "--overwrite"]) == 0
    assert probe(out).audio is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hard.mp4", "out.mp4", "silent.mp4"]


def test_the_program_itself(tmp_path: Path, model: Path, clip: Path) -> None:
    """A process of its own: nothing but the answer on stdout, no traceback, and exit code 0."""
    out = tmp_path / "out.mp4"
    call = [sys.executable, "-m", "clapboard", "foley", str(clip), "-o", str(out), "--model", str(model)]
    done = subprocess.run([*call, "--json", "--candidates", "1"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["status"] == "written"
    again = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.count("\n") == 1


def made(**values: Any) -> FoleyReport:
    """A report by hand."""
    known: dict[str, Any] = {
        "out": Path("a.foley.mp4"),
        "variant": "fast",
        "model": "mine",
        "onsets_s": np.array([0.5, 1.25]),
        "materials": ("metal", "none"),
        "shots": (Shot(0.0, 2.0),),
        "scores": (0.1, 0.4),
        "chosen": 1,
        "judged": True,
        "in_sync_ms": -12.0,
        "hints": ("left out: subtitle stream 1 (subrip)",),
        "versions": {"clapboard": "0"},
        "seconds": 2.0,
    }
    return FoleyReport(**{**known, **values})


def test_words_of_a_judged_sound() -> None:
    """How far off the model for any sound says that it is, which candidate it chose, and all hints."""
    assert in_words(made()) == [
        "a.foley.mp4: written, 2.0 s of sound, 2 blows (1 metal, 1 of unknown material); by mine, candidate 2 of 2",
        "a.foley.mp4: any-sound-s says: audio is 12 ms late",
        "a.foley.mp4: left out: subtitle stream 1 (subrip)",
    ]
    assert "cannot tell" in in_words(made(in_sync_ms=None))[1]
    drawn = made(variant="flow", onsets_s=np.zeros(0), materials=(), judged=False, in_sync_ms=None, hints=())
    assert in_words(drawn) == [
        "a.foley.mp4: written, 2.0 s of sound, drawn sample by sample; by mine, candidate 2 of 2"
    ]


def test_bundled_models_say_what_they_know() -> None:
    """Nobody takes a guess for knowledge: the last line says that they learned from rendered pictures alone."""
    assert set(BUNDLED) == set(VARIANTS.values())
    for name in BUNDLED:
        assert "rendered pictures alone" in in_words(made(model=name))[-1]
        assert record(Path("a.mp4"), made(model=name))["rendered_only"] is True
    assert not any("rendered" in line for line in in_words(made()))


def test_json_tells_all_and_no_nan() -> None:
    """The page names every key and no other; an error has the same keys; what is not known is null."""
    found = record(Path("a.mp4"), made(in_sync_ms=float("nan")), seed=3)
    assert found["offset_ms"] is None
    assert found["blows"] == [{"start_s": 0.5, "material": "metal"}, {"start_s": 1.25, "material": None}]
    assert found.keys() == record(Path("a.mp4"), error="no such file").keys()
    section = PAGE.read_text(encoding="utf-8").split("\n## `clapboard foley --json`\n", 1)[1].split("\n## ")[0]
    named = re.findall(r"^\| (`[^|]*`) \|", section, re.MULTILINE)
    assert {key for cell in named for key in re.findall(r"`(\w+)`", cell)} == set(found)
    json.dumps(found, allow_nan=False)


def test_the_default_name() -> None:
    """Beside the input, in its container where that can be written."""
    names = {"a.mp4": "a.foley.mp4", "b.c.MOV": "b.c.foley.MOV", "x.avi": "x.foley.avi", "w.wmv": "w.foley.mkv"}
    for given, wanted in names.items():
        assert default_out(Path("there") / given) == Path("there") / wanted
