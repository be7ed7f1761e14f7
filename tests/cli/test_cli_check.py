"""``clapboard check`` from arguments to exit code, on measurements that the test makes up."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clapboard.cli import main
from clapboard.errors import MediaError, ModelError, UsageError
from clapboard.values import Report

Make = Callable[..., Report]
ANSWERS = {"sync": 0.0, "early": 300.0, "late": -200.0, "unknown": float("nan")}
ERRORS = {
    "broken": MediaError("the index is missing; get a complete copy"),
    "track": UsageError("there is no audio track 7"),
    "weights": ModelError("no model is called x"),
    "bug": ZeroDivisionError("division\nby zero"),
}


@pytest.fixture
def asked(make_report: Make, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Answer by the stem of the file's name, and return what was asked for."""
    calls: list[dict[str, object]] = []

    def check(path: Path, **options: object) -> Report:
        calls.append({"path": path, **options})
        if path.stem in ERRORS:
            raise ERRORS[path.stem]
        offset_ms = ANSWERS.get(path.stem, 0.0)
        reasons = ("no face was found",) if path.stem == "unknown" else ()
        return make_report(str(path), offset_ms, reasons=reasons)

    monkeypatch.setattr("clapboard.checking.check", check)
    return calls


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ("sync.mp4", 0),
        ("early.mp4", 1),
        ("unknown.mp4", 3),
        ("broken.mp4", 4),
        ("weights.mp4", 5),
        ("track.mp4", 2),
        ("bug.mp4", 70),
        ("sync.mp4 early.mp4", 1),
        ("unknown.mp4 early.mp4 sync.mp4", 3),
        ("broken.mp4 sync.mp4 unknown.mp4", 4),
        ("early.mp4 bug.mp4 broken.mp4", 70),
    ],
)
def test_exit_codes(asked: list[dict[str, object]], files: str, code: int) -> None:
    """Scripts act on these numbers: one file gives its own, several the highest."""
    assert main(["check", *files.split()]) == code


def test_one_bad_file_does_not_stop_the_rest(
    asked: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Results on stdout, one line for each error on stderr, every file looked at."""
    main(["check", "early.mp4", "broken.mp4", "bug.mp4", "late.mp4"])
    out, err = capsys.readouterr()
    assert "early.mp4: audio is 300 ms early; delay it by 300 ms" in out
    assert "late.mp4: audio is 200 ms late; advance it by 200 ms" in out
    assert "broken" not in out
    assert err.splitlines()[0] == "clapboard: broken.mp4: the index is missing; get a complete copy"
    assert err.splitlines()[1].startswith("clapboard: bug.mp4: a defect of Clapboard, ZeroDivisionError")
    assert "CLAPBOARD_DEBUG=1" in err
    assert len(err.splitlines()) == 2
    assert len(asked) == 4


def test_json_has_one_object_a_line_for_every_file(
    asked: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A program gets as many lines as it named files, in their order, and nothing else on stdout."""
    files = ["early.mp4", "broken.mp4", "unknown.mp4", "caf\udce9.mp4"]
    main(["check", "--json", *files])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["file"] for one in found] == ["early.mp4", "broken.mp4", "unknown.mp4", "caf\ufffd.mp4"]
    assert [one["status"] for one in found] == ["out_of_sync", "error", "undecided", "in_sync"]
    assert found[1]["error"] == "the index is missing; get a complete copy"
    assert len({frozenset(one) for one in found}) == 1


def test_quiet_prints_only_errors(asked: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    """With -q the exit code is the answer; JSON that was asked for still comes."""
    assert main(["check", "-q", "early.mp4", "broken.mp4"]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    main(["check", "-q", "--json", "early.mp4"])
    assert json.loads(capsys.readouterr().out)["status"] == "out_of_sync"


def test_options_reach_the_measurement(asked: list[dict[str, object]]) -> None:
    """Every option is passed on with its unit and type."""
    main(
        ["check", "--profile", "custom:1,2", "--max-offset-ms", "2500", "--audio-track", "1", "--threads", "2", "a.mp4"]
    )
    (call,) = asked
    assert (call["any_sound"], call["model"]) == (None, None)
    assert call["path"] == Path("a.mp4")
    assert getattr(call["profile"], "max_lag_ms", None) == 2
    assert (call["max_offset_ms"], call["audio_track"], call["threads"]) == (2500.0, 1, 2)


@pytest.mark.parametrize(("option", "any_sound"), [("--any-sound", True), ("--lips-only", False)])
def test_what_to_measure_by_can_be_said(asked: list[dict[str, object]], option: str, any_sound: bool) -> None:
    """The choice of the user reaches the measurement; without one it is the file's."""
    assert main(["check", option, "a.mp4"]) == 0
    assert asked[0]["any_sound"] is any_sound


def test_a_failure_tells_what_it_would_have_been_measured_by(capsys: pytest.CaptureFixture[str]) -> None:
    """Protects ``by`` of files that cannot be read: nobody who asked for any sound reads of lips."""
    assert main(["check", "--any-sound", "--json", "not-there.mp4"]) == 4
    assert json.loads(capsys.readouterr().out)["by"] == "any sound"


@pytest.mark.parametrize(
    "arguments",
    [
        "check",
        "check --any-sound --lips-only a.mp4",
        "check --profile nonsense a.mp4",
        "check --max-offset-ms 20000 a.mp4",
        "check --audio-track -1 a.mp4",
        "check --threads 0 a.mp4",
        "check --nonsense a.mp4",
        "nonsense",
        "",
        "fix",
    ],
)
def test_usage_errors(asked: list[dict[str, object]], capsys: pytest.CaptureFixture[str], arguments: str) -> None:
    """Exit code 2 and a word on stderr, before any file is opened."""
    assert main(arguments.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "clapboard" in err
    assert "Traceback" not in err
    assert asked == []


@pytest.mark.parametrize(
    "name",
    ["-x.mp4", "--json", "a b.mp4", "a:b.mp4", 'it\'s "so".mp4', "日本.mp4", "caf\udce9.mp4", "[red]a[/red].mp4"],
)
def test_odd_file_names(asked: list[dict[str, object]], capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A name is a name, whatever it looks like."""
    assert main(["check", "--", name]) == 0
    (call,) = asked
    assert call["path"] == Path(name)
    if name.isprintable():
        assert capsys.readouterr().out.startswith(f"{name}: in sync")


def test_name_cannot_forge_lines(asked: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    """A line break or an escape sequence in a name is shown, not performed."""
    main(["check", "a\nb\x1b[31m.mp4", "c\nd/broken.mp4"])
    out, err = capsys.readouterr()
    assert out.startswith(r"a\nb\x1b[31m.mp4: in sync")
    assert err.splitlines() == [r"clapboard: c\nd/broken.mp4: the index is missing; get a complete copy"]


def test_no_bar_where_nobody_sees_it(asked: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    """When stderr is no terminal, short work leaves not one stray character there."""
    main(["check", "sync.mp4"])
    assert capsys.readouterr().err == ""


def test_bar_goes_to_stderr(
    make_report: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the steps are shown on stderr, and stdout holds the result alone."""

    def check(path: Path, *, hook: Callable[[str, float, float | None], None], **_: object) -> Report:
        for done in range(3):
            hook("finding faces", done, 3)
        hook("measuring", 1, None)
        return make_report(str(path), 0.0)

    monkeypatch.setattr("clapboard.checking.check", check)
    monkeypatch.setattr("clapboard.cli.progress.BAR_AFTER_S", 0.0)
    monkeypatch.delenv("CLAPBOARD_PROGRESS")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert main(["check", "[b]a.mp4"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("[b]a.mp4: in sync")
    assert "finding" not in out
    assert "[b]a.mp4: measuring" in err


def test_interruption(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends with the number shells expect, and without a traceback."""

    def check(path: Path, **_: object) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr("clapboard.checking.check", check)
    assert main(["check", "a.mp4", "b.mp4"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_debugging_shows_the_traceback(
    asked: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever reports a defect can see where it is."""
    monkeypatch.setenv("CLAPBOARD_DEBUG", "1")
    assert main(["check", "bug.mp4"]) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err.split("Traceback")[1]


@pytest.mark.skipif(os.name == "nt", reason="pipes end differently there")
def test_reader_that_goes_away(
    asked: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``clapboard check *.mp4 | head -1`` ends quietly, and not with a code that means "out of sync"."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        assert main(["check", "sync.mp4", "early.mp4"]) == 141
        monkeypatch.undo()
    assert capsys.readouterr().err == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is the package's."""
    import clapboard

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"clapboard {clapboard.__version__}\n"
