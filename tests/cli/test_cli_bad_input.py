"""Bad input through the real program: one clear line, the right exit code, and no file left behind."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clapboard.cli import main
from clapboard.media.encode import write_clip
from clapboard.testing import make_clip, talking_arrays

FRAMES = 40
RATE_HZ = 16_000


def pictures(count: int = FRAMES) -> list[NDArray[np.uint8]]:
    """Return a moving pattern without any face."""
    y, x = np.mgrid[:120, :160]
    return [((x + y + 3 * n) % 200 + 20).astype(np.uint8) for n in range(count)]


def noise(seconds: float) -> NDArray[np.float32]:
    """Return sound that can be heard."""
    return (0.1 * np.random.default_rng(1).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def missing(path: Path) -> None:
    pass


def empty(path: Path) -> None:
    path.touch()


def folder(path: Path) -> None:
    path.mkdir()


def text(path: Path) -> None:
    path.write_text("this is no video\n" * 100)


def playlist(path: Path) -> None:
    write_clip(path.with_name("other.mp4"), pictures(), 25, noise(FRAMES / 25), RATE_HZ)
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.mp4\n#EXT-X-ENDLIST\n")


def concat_script(path: Path) -> None:
    write_clip(path.with_name("other.mp4"), pictures(), 25, noise(FRAMES / 25), RATE_HZ)
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")


def truncated(path: Path) -> None:
    write_clip(path, pictures(), 25, noise(FRAMES / 25), RATE_HZ)
    path.write_bytes(path.read_bytes()[:3000])


def no_sound(path: Path) -> None:
    write_clip(path, pictures(), 25)


def no_face(path: Path) -> None:
    write_clip(path, pictures(), 25, noise(FRAMES / 25), RATE_HZ)


def silent(path: Path) -> None:
    write_clip(path, pictures(), 25, 0 * noise(FRAMES / 25), RATE_HZ)


def one_frame(path: Path) -> None:
    write_clip(path, pictures(1), 25, noise(1.0), RATE_HZ)


def silent_face(path: Path) -> None:
    make_clip(path, duration_s=2.0, silent=True)


def hardly_any_sound(path: Path) -> None:
    talk = talking_arrays(duration_s=2.0)
    assert talk.samples is not None
    write_clip(path, talk.frames, 25, talk.samples[: round(0.15 * talk.truth.sample_rate_hz)])


def photograph(path: Path) -> None:
    make_clip(path, duration_s=3.0, static=True)


CASES = [
    (missing, 4, "no such file"),
    (empty, 4, "empty"),
    (folder, 4, "directory"),
    (text, 4, "not a video"),
    (playlist, 4, "playlist"),
    (concat_script, 4, "concat script"),
    (truncated, 4, "cut off"),
    (no_sound, 4, "no sound"),
    (no_face, 3, "no face"),
    (silent, 3, "no face"),
    (one_frame, 3, "no face"),
    (silent_face, 3, "silent"),
    (hardly_any_sound, 3, "cannot tell"),
    (photograph, 3, "does not move"),
]


@pytest.mark.parametrize(("make", "code", "what"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_check(
    make: Callable[[Path], None], code: int, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``check`` says on one line what is wrong; the JSON says the same."""
    path = tmp_path / "bad.mp4"
    make(path)
    assert main(["check", str(path)]) == code
    out, err = capsys.readouterr()
    line = (err if code == 4 else out).splitlines()[0]
    assert what in line
    assert str(path) in line
    assert len(err.splitlines()) == (code == 4)
    assert main(["check", "--json", str(path)]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == ("error" if code == 4 else "undecided")
    assert what in found["sentence"]
    assert found["correction"] is None


@pytest.mark.parametrize(("make", "code", "what"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_fix(
    make: Callable[[Path], None], code: int, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``fix`` refuses with one line on stderr and writes nothing."""
    path = tmp_path / "bad.mp4"
    make(path)
    before = sorted(tmp_path.iterdir())
    assert main(["fix", str(path)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert what in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "name", ["-x.mp4", "a:b 'c' \"d\".mp4", "http:x.mp4", "日本 [b].mp4", "caf\udce9.mp4", "%03d.mp4"]
)
def test_odd_names_are_opened(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No name is taken for an option, a protocol or a pattern."""
    monkeypatch.chdir(tmp_path)
    no_face(tmp_path / "plain.mp4")
    try:
        (tmp_path / "plain.mp4").rename(tmp_path / name)
    except OSError:
        pytest.skip("this file system does not take such a name")
    assert main(["check", "--", name]) == 3
    out, err = capsys.readouterr()
    assert "no face" in out
    assert err == ""


def test_track_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Asking for audio track 5 of a file that has one is a usage error, said in one line."""
    path = tmp_path / "a.mp4"
    no_face(path)
    assert main(["check", "--audio-track", "5", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
