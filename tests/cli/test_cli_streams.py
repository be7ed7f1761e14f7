"""Closed and full streams, and signals, through the real program: the exit code is true and nothing is left behind."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clapboard.cli import main
from clapboard.cli.common import complain
from clapboard.testing import make_clip

PROGRAM = [sys.executable, "-m", "clapboard"]
FULL = Path("/dev/full")
posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which ``clapboard`` is the real program."""
    program = " ".join(f"'{part}'" for part in PROGRAM)
    return subprocess.run(
        ["sh", "-c", command.replace("clapboard", program)], check=False, capture_output=True, text=True
    )


@posix
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_exit_code(closed: str) -> None:
    """Whoever closes a stream wants to hear nothing; the answer is in the exit code."""
    done = shell(f"clapboard check /nowhere/at/all.mp4 {closed}")
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr == ("" if "2>&-" in closed else "clapboard: /nowhere/at/all.mp4: no such file\n")


@posix
def test_no_file_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    """A library's words to stderr must never land in the video being written, which would else be descriptor 2."""
    make_clip(tmp_path / "a.mp4", duration_s=0.4)
    code = (
        "import os\n"
        "from pathlib import Path\n"
        "import clapboard.cli.check as check\n"
        "from clapboard.cli import main\n"
        "check._check_one = lambda path, **_: os._exit(path.open('rb').fileno())\n"
        f"main(['check', {str(tmp_path / 'a.mp4')!r}])"
    )
    done = subprocess.run(["sh", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, code], check=False)
    assert done.returncode > 2


@needs_full
@pytest.mark.parametrize("arguments", ["--version", "check --help", "check --json /nowhere.mp4"])
def test_full_output_is_told(arguments: str) -> None:
    """Output that cannot be written is an error of its own: neither a traceback nor code 1, out of sync."""
    done = shell(f"clapboard {arguments} >/dev/full")
    assert done.returncode == 4
    assert "output cannot be written (No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr


@needs_full
def test_complaints_that_nobody_can_read_change_nothing() -> None:
    """A full or closed stderr must not turn an unreadable file into code 1, out of sync."""
    assert shell("clapboard check /nowhere.mp4 2>/dev/full").returncode == 4


def test_complaints_go_on_where_the_reader_went_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that follow are measured all the same."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    complain("nobody reads this")


@posix
@pytest.mark.parametrize("arguments", ["--version", "check --help"])
def test_help_nobody_reads(arguments: str) -> None:
    """``| head -0`` ends quietly, with the code that the module promises."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PROGRAM, *arguments.split()], check=False, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    """Whatever ends the program while the copy is being measured, the copy goes, too."""
    source, number = tmp_path / "a.mp4", getattr(signal, name)
    make_clip(source, duration_s=0.4)
    code = (
        "import sys, time\n"
        "from clapboard import pipeline\n"
        "from clapboard.cli import main\n"
        "def check(path, **_):\n"
        "    print('measuring', flush=True)\n"
        "    time.sleep(60)\n"
        "pipeline.check = check\n"
        f"sys.exit(main(['fix', '--offset-ms', '50', {str(source)!r}]))"
    )
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "measuring\n"
    assert len(list(tmp_path.iterdir())) == 2
    program.send_signal(number)
    _, complaint = program.communicate()
    assert program.returncode == 128 + number
    assert complaint == "clapboard: interrupted; nothing was left behind\n"
    assert list(tmp_path.iterdir()) == [source]


@posix
def test_handlers_of_signals_are_given_back() -> None:
    """A program that calls ``main`` keeps its own."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with contextlib.redirect_stderr(io.StringIO()):
        main(["check", "/nowhere.mp4"])
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_more_threads_than_any_machine_has(capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred thousand would be started one by one, for minutes and gigabytes."""
    assert main(["check", "--threads", "100000", "a.mp4"]) == 2
    assert "--threads" in capsys.readouterr().err
