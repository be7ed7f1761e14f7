"""``clapboard check --report``: a page a file through the real entry point, never over a video, never half."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from clapboard.cli import main
from clapboard.errors import MediaError
from clapboard.report.blocks import BAR_PX
from clapboard.testing import make_clip
from clapboard.values import Report
from tiny_any import write_clicks, write_tiny_any

Make = Callable[..., Report]


@pytest.fixture
def videos(tmp_path: Path, make_report: Make, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Make files that answer by their stem: early, late, or cannot be read."""

    def check(path: Path, **_: object) -> Report:
        if path.stem == "broken":
            raise MediaError("the index is missing; get a complete copy")
        if path.stem == "stopped":
            raise KeyboardInterrupt
        return make_report(str(path), 300.0 if path.stem == "early" else -200.0)

    monkeypatch.setattr("clapboard.checking.check", check)

    def make(*names: str) -> list[str]:
        for name in names:
            (tmp_path / name).write_bytes(b"a video")
        return [str(tmp_path / name) for name in names]

    return make


def test_a_rendered_clip_from_the_shell(tmp_path: Path) -> None:
    """The real entry point: exit code and answer as without a page, and a page that says the same in words."""
    make_clip(tmp_path / "talk.mp4", seed=3, offset_ms=300, duration_s=4.0)
    call = [sys.executable, "-m", "clapboard", "check", "talk.mp4", "--report", "out.html"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    headline, *_, last = done.stdout.splitlines()
    assert last == "out.html: written"
    html = (tmp_path / "out.html").read_text(encoding="utf-8")
    sentence = headline.removeprefix("talk.mp4: ")
    assert sentence.startswith("audio is ")
    assert "ms early; delay it by" in sentence
    assert sentence in html
    assert {path.name for path in tmp_path.iterdir()} == {"talk.mp4", "out.html"}


@pytest.mark.parametrize("offset_ms", [240, -160])
def test_any_sound_from_the_shell(tmp_path: Path, offset_ms: int) -> None:
    """The whole way of any sound: squares that change with a click, the side in words, and the corner they are in."""
    model = write_tiny_any(tmp_path / "model")
    write_clicks(tmp_path / "squares.mp4", offset_ms=offset_ms, seconds=10.0, corner=0)
    call = [sys.executable, "-m", "clapboard", "check", "--any-sound", "--model", str(model), "squares.mp4"]
    done = subprocess.run(
        [*call, "--json", "--report", "out.html"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (1, "")
    answer = json.loads(done.stdout)
    assert answer["offset_ms"] == pytest.approx(offset_ms, abs=20)
    html = (tmp_path / "out.html").read_text(encoding="utf-8")
    side = "early; delay it by" if offset_ms > 0 else "late; advance it by"
    assert f"audio is {abs(round(answer['offset_ms']))} ms {side}" in html
    assert "most of it in the upper part, on the left" in html
    (strip,) = re.findall(r"<svg[^>]*><title>Weight of each block.*?</svg>", html)
    heights = [float(bar.attrib["height"]) for bar in ElementTree.fromstring(strip).findall("rect")]
    weights = [block["weight"] for block in answer["blocks"]]
    assert heights == pytest.approx([BAR_PX * weight / max(weights) for weight in weights], abs=0.05)


def test_several_files_have_a_page_each(
    videos: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder takes them, under their whole names; one that cannot be read has none, and does not stop the others."""
    files = videos("early.mp4", "broken.mp4", "late.mp4")
    assert main(["check", *files, "--report", str(tmp_path / "pages")]) == 4
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert out.count(": written\n") == 2
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "pages").iterdir()}
    assert set(pages) == {"early.mp4.html", "late.mp4.html"}
    assert "audio is 300 ms early; delay it by 300 ms" in pages["early.mp4.html"]
    assert "audio is 200 ms late; advance it by 200 ms" in pages["late.mp4.html"]


def test_json_stays_json(videos: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs read stdout: a page is no line of it, and quiet prints nothing at all."""
    (file,) = videos("early.mp4")
    assert main(["check", "--json", file, "--report", str(tmp_path / "a.html")]) == 1
    assert json.loads(capsys.readouterr().out)["status"] == "out_of_sync"
    assert main(["check", "-q", file, "--report", str(tmp_path / "b.html")]) == 1
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "b.html").is_file()


@pytest.mark.parametrize(
    ("out", "files", "says"),
    [
        ("early.mp4", ["early.mp4"], "ends in .html or .htm"),
        ("page.html", ["page.html"], "is an input, which is never overwritten"),
        ("there.html", ["early.mp4"], "exists already; give --overwrite or another --report"),
        ("no/page.html", ["early.mp4"], "there is no folder"),
        ("new.html", ["early.mp4", "late.mp4"], "one file cannot hold what 2 give"),
        ("pages", ["early.mp4", "early.mp4"], "would be written twice"),
    ],
)
def test_pages_that_make_no_sense_are_refused(
    videos: Callable[..., list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    out: str,
    files: list[str],
    says: str,
) -> None:
    """Exit code 2, one line, every file as it was: no video and no older page is ever lost."""
    given = videos(*files)
    (tmp_path / "there.html").write_text("older")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["check", *given, "--report", str(tmp_path / out)]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_overwrite_replaces_a_page(videos: Callable[..., list[str]], tmp_path: Path) -> None:
    """Only where it is asked for."""
    (file,) = videos("early.mp4")
    (tmp_path / "there.html").write_text("older")
    assert main(["check", file, "--report", str(tmp_path / "there.html"), "--overwrite"]) == 1
    assert "300 ms early" in (tmp_path / "there.html").read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_ends_with_4(
    videos: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The answer is still told; the line says what was not written; nothing half is left."""
    (file,) = videos("early.mp4")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert main(["check", file, "--report", str(tmp_path / "out.html")]) == 4
    out, err = capsys.readouterr()
    assert "audio is 300 ms early" in out
    assert "out.html: cannot be written (No space left on device)" in err
    assert [path.name for path in tmp_path.iterdir()] == ["early.mp4"]


def test_an_interruption_tells_which_pages_stay(
    videos: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever stops a long run knows what is finished."""
    files = videos("early.mp4", "stopped.mp4")
    assert main(["check", *files, "--report", str(tmp_path / "pages")]) == 130
    assert "early.mp4.html finished before and kept" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["early.mp4.html"]


def test_an_undecided_file_has_a_page(
    videos: Callable[..., list[str]], tmp_path: Path, make_report: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there to see why: reasons and hints are in it, and the exit code stays 3."""
    (file,) = videos("a.mp4")
    report = make_report(file, float("nan"), reasons=("no face was found",), hints=("a face must be in view",), faces=0)
    monkeypatch.setattr("clapboard.checking.check", lambda *_, **__: replace(report))
    assert main(["check", file, "--report", str(tmp_path / "out.html")]) == 3
    html = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "cannot tell: no face was found" in html
    assert "a face must be in view" in html
