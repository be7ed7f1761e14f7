"""``clapboard fix``: words and exit codes for everything that a repair can end in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clapboard.cli import main
from clapboard.errors import MediaError, UndecidedError, UsageError
from clapboard.repair import FixReport
from clapboard.values import Report

Make = Callable[..., Report]


@pytest.fixture
def repaired(monkeypatch: pytest.MonkeyPatch) -> Callable[[FixReport | Exception], list[tuple[object, ...]]]:
    """Return a function that sets what the repair ends in, and gives the calls it gets."""

    def ends_in(outcome: FixReport | Exception) -> list[tuple[object, ...]]:
        calls: list[tuple[object, ...]] = []

        def fix(path: Path, out: Path | None, **options: object) -> FixReport:
            calls.append((path, out, options))
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr("clapboard.repair.fix", fix)
        return calls

    return ends_in


Ends = Callable[[FixReport | Exception], list[tuple[object, ...]]]
SOURCE, OUT = Path("a.mp4"), Path("a.synced.mp4")


def test_written_and_confirmed(repaired: Ends, make_report: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Says what was found, what was done and what is left; exit code 0."""
    before, after = make_report("a.mp4", 300.0), make_report("a.synced.mp4", -2.0)
    repaired(FixReport(SOURCE, OUT, 300.0, before, after, -2.0, ("subtitles 3",)))
    assert main(["fix", "a.mp4"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "a.mp4: audio is 300 ms early; delay it by 300 ms",
        "a.synced.mp4: written, sound delayed by 300 ms",
        "a.synced.mp4: left out: subtitles 3",
        "a.synced.mp4: measured again: audio is 2 ms late; in sync, ebu-r37 allows 40 ms early to 60 ms late",
    ]


def test_nothing_to_do(repaired: Ends, make_report: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """No file and no error."""
    report = make_report("a.mp4", 3.0)
    repaired(FixReport(SOURCE, None, 0.0, report, report, 3.0))
    assert main(["fix", "a.mp4"]) == 0
    assert capsys.readouterr().out == "a.mp4: already in sync (audio is 3 ms early); nothing written\n"


@pytest.mark.parametrize(("rest_ms", "reasons", "code"), [(150.0, (), 1), (0.0, (), 0), (150.0, ("no face",), 0)])
def test_given_offset(
    repaired: Ends,
    make_report: Make,
    capsys: pytest.CaptureFixture[str],
    *,
    rest_ms: float,
    reasons: tuple[str, ...],
    code: int,
) -> None:
    """Done as told is success, unless a trusted measurement says that the copy is out of sync."""
    calls = repaired(
        FixReport(SOURCE, OUT, -80.0, None, make_report("a.synced.mp4", rest_ms, reasons=reasons), rest_ms)
    )
    assert main(["fix", "a.mp4", "--offset-ms", "-80"]) == code
    assert calls[0][2]["offset_ms"] == -80.0  # type: ignore[index]
    assert "sound advanced by 80 ms" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UndecidedError("a.mp4: cannot tell (no speech); nothing was written"), 3),
        (UsageError("a.synced.mp4: exists already; give --overwrite or another -o"), 2),
        (MediaError("no such file"), 4),
        (RuntimeError("oops"), 70),
    ],
)
def test_refusals(repaired: Ends, capsys: pytest.CaptureFixture[str], error: Exception, code: int) -> None:
    """One line with the file's name on stderr, its exit code, nothing on stdout."""
    repaired(error)
    assert main(["fix", "a.mp4"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(("clapboard: a.mp4: ", "clapboard: a.synced.mp4: "))
    assert err.count("\n") == 1


def test_options_reach_the_repair(repaired: Ends, make_report: Make) -> None:
    """Every option is passed on."""
    report = make_report("a.mp4", 0.0)
    calls = repaired(FixReport(SOURCE, None, 0.0, report, report, 0.0))
    main(["fix", "-q", "a.mp4", "-o", "b.mkv", "--bake", "--overwrite", "--audio-track", "2", "--max-offset-ms", "500"])
    ((path, out, options),) = calls
    assert (path, out) == (Path("a.mp4"), Path("b.mkv"))
    assert isinstance(options, dict)
    assert (options["bake"], options["overwrite"], options["audio_track"]) == (True, True, 2)
    assert (options["max_offset_ms"], options["offset_ms"], options["threads"]) == (500.0, None, 1)
