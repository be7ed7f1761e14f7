"""Progress: a bar on a terminal, a line now and then elsewhere, nothing where nobody wants it, and never in the way."""

import io
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import clapboard
from clapboard.cli import main
from clapboard.cli.progress import Progress, in_words, of_files
from clapboard.dataset.prepare import prepare
from clapboard.testing import make_clip
from clapboard.values import Report

Make = Callable[..., Report]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return what was printed to a stderr that is no terminal, progress not being turned off."""
    monkeypatch.delenv("CLAPBOARD_PROGRESS", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return lambda: capsys.readouterr().err


def work(progress: Progress, clock: Clock, name: str, seconds: int, total: int | None = None) -> None:
    """One piece of work of so many seconds, telling its hook each second."""
    with progress.piece(name) as hook:
        assert hook is not None
        for done in range(seconds):
            clock.now_s += 1
            hook("read", done + 1, seconds if total is None else total)


def test_lines_where_there_is_no_terminal(stderr: Callable[[], str], clock: Clock) -> None:
    """The first after 5 s, then one in 10 s; with the time that is left of the step."""
    work(Progress(clock=clock), clock, "talk.mp4", 40)
    assert stderr().splitlines() == [
        "talk.mp4: read 12 %, 35 s left",
        "talk.mp4: read 38 %, 25 s left",
        "talk.mp4: read 62 %, 15 s left",
        "talk.mp4: read 88 %, 5 s left",
    ]


def test_short_work_says_nothing(stderr: Callable[[], str], clock: Clock) -> None:
    """Protects scripts that want a clean stderr."""
    work(Progress(clock=clock), clock, "talk.mp4", 4)
    assert stderr() == ""


def test_several_files_share_one_estimate(stderr: Callable[[], str], clock: Clock, tmp_path: Path) -> None:
    """The time left is that of the whole set, by size; lines are not counted anew with each file."""
    files = [tmp_path / name for name in ("a.mp4", "b.mp4", "gone.mp4")]
    files[0].write_bytes(b"x" * 100)
    files[1].write_bytes(b"x" * 300)
    progress = of_files(files, wanted=True, clock=clock)
    work(progress, clock, "a.mp4", 10)
    work(progress, clock, "b.mp4", 30)
    work(progress, clock, "gone.mp4", 1)
    assert stderr().splitlines() == [
        "1/3 a.mp4: read 50 %, 35 s left",
        "2/3 b.mp4: read 17 %, 25 s left",
        "2/3 b.mp4: read 50 %, 15 s left",
        "2/3 b.mp4: read 83 %, 5 s left",
    ]


def test_a_later_step_does_not_take_back_the_set(stderr: Callable[[], str], clock: Clock) -> None:
    """A file that has been read is not at its beginning again when its next step starts."""
    with Progress([1, 1], clock=clock).piece("a.mp4") as hook:
        assert hook is not None
        clock.now_s += 10
        hook("read", 1, 1)
        clock.now_s += 10
        hook("compare", 0, 5)
    assert stderr().splitlines() == ["1/2 a.mp4: read 100 %, 10 s left", "1/2 a.mp4: compare 0 %, 20 s left"]


@pytest.mark.parametrize("total", [0, -1])
def test_an_unknown_total_gives_no_time(stderr: Callable[[], str], clock: Clock, total: int) -> None:
    """A file that does not say its length is told of all the same."""
    work(Progress(clock=clock), clock, "live.ts", 6, total)
    assert stderr() == "live.ts: read\n"


def test_more_than_promised(stderr: Callable[[], str], clock: Clock) -> None:
    """A container that says less than it holds makes neither 120 % nor a negative time."""
    work(Progress(clock=clock), clock, "talk.mp4", 6, 5)
    assert stderr() == "talk.mp4: read 100 %, 0 s left\n"


def test_a_name_cannot_forge_lines(stderr: Callable[[], str], clock: Clock) -> None:
    """A line break or an escape sequence in a name is shown, not performed."""
    work(Progress(clock=clock), clock, "a\nb\x1b[31m.mp4", 5)
    assert stderr() == "a\\nb\\x1b[31m.mp4: read 100 %, 0 s left\n"


@pytest.mark.parametrize("how", ["unwanted", "variable", "none"])
def test_nothing_where_nobody_wants_it(
    stderr: Callable[[], str], clock: Clock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """--quiet, CLAPBOARD_PROGRESS=0 and a process without stderr have no hook at all."""
    if how == "variable":
        monkeypatch.setenv("CLAPBOARD_PROGRESS", "0")
    if how == "none":
        monkeypatch.setattr(sys, "stderr", None)
    with Progress(wanted=how != "unwanted", clock=clock).piece("talk.mp4") as hook:
        assert hook is None
    assert stderr() == ""


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_a_broken_stderr_does_not_stop_the_work(
    stderr: Callable[[], str], clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: type[io.StringIO]
) -> None:
    """A pipe that nobody reads, a terminal that is gone: the work goes on in silence."""

    class Gone(kind):  # type: ignore[misc, valid-type]
        def write(self, text: str, /) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stderr", Gone())
    work(Progress(clock=clock), clock, "talk.mp4", 20)


def test_a_closed_stderr_has_no_progress(
    monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str], clock: Clock
) -> None:
    """Closed before the work or in the middle of it: no error of its own."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    progress = Progress(clock=clock)
    stream.close()
    work(progress, clock, "talk.mp4", 20)
    with Progress(clock=clock).piece("talk.mp4") as hook:
        assert hook is None


def test_the_bar(stderr: Callable[[], str], clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a bar appears after a second, with step and time left; it is gone while results are printed."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress(clock=clock)
    with progress.piece("talk.mp4") as hook:
        assert hook is not None
        clock.now_s += 0.9
        hook("read", 9, 100)
        assert terminal.getvalue() == ""
        clock.now_s += 1.1
        hook("read", 20, 100)
        with progress.aside():
            shown = terminal.getvalue()
        hook("compare", 1, None)
    assert "talk.mp4: read" in shown
    assert "8 s left" in shown
    assert shown.endswith("\x1b[2K")  # the line is wiped
    assert "talk.mp4: compare" in terminal.getvalue()


def test_a_dumb_terminal_gets_lines(stderr: Callable[[], str], clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot move its cursor is not sent a bar."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "dumb")
    work(Progress(clock=clock), clock, "talk.mp4", 5)
    assert terminal.getvalue() == "talk.mp4: read 100 %, 0 s left\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (-3, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_times_in_words(seconds: float, words: str) -> None:
    """Rounded once, so that there is no 60 s."""
    assert in_words(seconds) == words


@pytest.mark.parametrize("command", [["check"], ["features", "-o", "out"], ["check", "--json"]])
def test_commands_number_their_files(
    command: list[str], make_report: Make, stderr: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each command over several files says which one it is at, on stderr alone."""
    monkeypatch.chdir(tmp_path)
    Path("a.mp4").write_bytes(b"a")
    Path("b.mp4").write_bytes(b"b")
    monkeypatch.setattr("clapboard.cli.progress.LINE_AFTER_S", 0.0)

    def told(path: Path, *, hook: Callable[[str, float, float | None], None], **_: object) -> Report:
        hook("read", 1, 2)
        return make_report(str(path))

    monkeypatch.setattr("clapboard.pipeline.check", told)
    monkeypatch.setattr("clapboard.embeddings.features", told)
    main([*command, "a.mp4", "b.mp4"])
    err = stderr()
    assert err.startswith("1/2 a.mp4: read 50 %, ")
    assert err.count("read") == 1  # at most one in ten seconds, whatever the file


def test_quiet_is_quiet(make_report: Make, stderr: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With --quiet the work is not even watched."""
    hooks: list[object] = []

    def told(path: Path, *, hook: object, **_: object) -> Report:
        hooks.append(hook)
        return make_report(str(path))

    monkeypatch.setattr("clapboard.pipeline.check", told)
    assert main(["check", "--quiet", "a.mp4"]) == 0
    assert hooks == [None]
    assert stderr() == ""


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")
def test_the_real_program_short_and_clean(tmp_path: Path) -> None:
    """The program as users start it says nothing of progress on a short clip, and lives with a closed stderr."""
    make_clip(tmp_path / "a.mp4", seed=3, duration_s=2.0)
    command = [sys.executable, "-m", "clapboard", "check", "--json", str(tmp_path / "a.mp4")]
    here = {**os.environ, "CLAPBOARD_PROGRESS": "1"}
    for ending in ("", " 2>&-", " 2>/dev/null"):
        call = " ".join(f"'{part}'" for part in command) + ending
        done = subprocess.run(["sh", "-c", call], capture_output=True, text=True, check=False, env=here)
        assert done.stdout.startswith('{"schema"')
        assert "Traceback" not in done.stderr


class EnoughError(Exception):
    """What a user's hook raises."""


@pytest.mark.parametrize("step", ["read", "compare", "shift"])
def test_a_hook_that_raises_ends_the_work(tmp_path: Path, step: str) -> None:
    """Its exception comes out as it is, and nothing half-done stays behind: the way to stop from Python."""
    source = tmp_path / "a.mp4"
    make_clip(source, seed=3, duration_s=3.0, offset_ms=200)
    steps = []

    def hook(at: str, done: float, total: float | None) -> None:
        steps.append(at)
        if at == step:
            raise EnoughError

    with pytest.raises(EnoughError):
        clapboard.fix(source, tmp_path / "b.mp4", hook=hook)
    assert steps[-1] == step
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("step", ["read", "compare"])
def test_check_and_features_end_too(tmp_path: Path, step: str) -> None:
    """The same for what only reads."""
    make_clip(tmp_path / "a.mp4", seed=3, duration_s=2.0)

    def hook(at: str, done: float, total: float | None) -> None:
        if at == step:
            raise EnoughError

    for work_on in (clapboard.check, clapboard.features):
        with pytest.raises(EnoughError):
            work_on(tmp_path / "a.mp4", hook=hook)


def test_prepare_ends_too_and_goes_on(tmp_path: Path) -> None:
    """Its processes are ended; what was finished is kept, and the same call makes the rest."""
    (tmp_path / "in").mkdir()
    for number in range(2):
        make_clip(tmp_path / "in" / f"{number}.mp4", seed=number, duration_s=2.5)

    def hook(at: str, done: float, total: float | None) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        prepare([tmp_path / "in"], tmp_path / "set", processes=1, hook=hook)
    assert multiprocessing.active_children() == []
    done = prepare([tmp_path / "in"], tmp_path / "set", processes=1)
    assert sorted(entry.file for entry in done.dataset.entries) == ["0.mp4", "1.mp4"]
