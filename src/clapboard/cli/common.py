"""What the commands share: their options, the two consoles, and errors as one line."""

import contextlib
import functools
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, ParamSpec

import typer

from clapboard.cli.process import Stopped
from clapboard.cli.progress import Hook, Progress
from clapboard.errors import EXIT_MEDIA, ClapboardError
from clapboard.models import DEFAULT_ANY_SOUND, DEFAULT_MODEL
from clapboard.report.printable import shown
from clapboard.verdict import PROFILES

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")

EXIT_DEFECT: Final = 70
EXIT_INTERRUPTED: Final = 130
EXIT_SIGNAL: Final = 128
"""Added to the number of the signal that ended the work."""
EXIT_PIPE: Final = 141
MAX_THREADS: Final = 256
"""More than any machine has use for; each costs memory, whether it works or not."""
PLAIN_WIDTH: Final = 200
"""Width of tables where there is no terminal to ask (characters)."""

ProfileOption = Annotated[
    str,
    typer.Option("--profile", metavar="NAME", help=f"Tolerance: {', '.join(PROFILES)}, or custom:LEAD,LAG in ms."),
]
MaxOffsetOption = Annotated[
    float,
    typer.Option(
        "--max-offset-ms", metavar="MS", min=400, max=10_000, help="How far to search, both ways; 400 to 10000."
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model", metavar="NAME|PATH", help="A bundled model's name, or the path of a model's .json; see models list."
    ),
]
AnySoundOption = Annotated[
    bool, typer.Option("--any-sound", help="Measure by anything that is seen when it is heard, not by lips.")
]
MaxOffsetByOption = Annotated[
    float | None,
    typer.Option(
        "--max-offset-ms",
        metavar="MS",
        min=400,
        max=10_000,
        help="How far to search, both ways; 400 to 10000. By default 1000 for lips, 2000 for any sound.",
    ),
]
ModelByOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="A bundled model's name, or the path of a model's .json; see models list. "
        f"By default {DEFAULT_MODEL}, with --any-sound {DEFAULT_ANY_SOUND}.",
    ),
]
ModelOfCheckOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="A bundled model's name, or the path of a model's .json; see models list. "
        f"By default {DEFAULT_MODEL}, with --any-sound {DEFAULT_ANY_SOUND}. Whatever model for lips is named, "
        f"a file without a face is measured by {DEFAULT_ANY_SOUND} all the same.",
    ),
]
AudioTrackOption = Annotated[
    int | None,
    typer.Option(
        "--audio-track", metavar="N", min=0, help="Which audio track, counted from 0; by default the file's own choice."
    ),
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", metavar="N", min=1, max=MAX_THREADS, help="Threads for the networks.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors; the exit code is the answer.")
]


def debugging() -> bool:
    """Whether the user asked for tracebacks."""
    return os.environ.get("CLAPBOARD_DEBUG", "") not in ("", "0")


def output_console() -> "Console":
    """Return the console for results: stdout, no markup, so that brackets in file names survive."""
    from rich.console import Console

    class Output(Console):
        """A console that leaves a broken pipe to `guarded`; rich itself would exit with 1, which means out of sync."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Output(file=sys.stdout, markup=False, highlight=False, emoji=False, width=width)


def complain(message: str) -> None:
    """Print one line on stderr, in the form of all errors: ``clapboard: FILE: what; what to do``.

    Where nobody can read it the work goes on: the exit code says the same.
    """
    with contextlib.suppress(OSError):
        print(f"clapboard: {shown(message)}", file=sys.stderr, flush=True)


def about_file(path: Path, message: str) -> str:
    """Return the message with the file's name in front, unless it starts with it or names it already."""
    return message if str(path) in message else f"{path}: {message}"


def defect_in_words(error: BaseException) -> str:
    """Return the one line for an error that nobody foresaw."""
    what = " ".join(str(error).split())
    return (
        f"a defect of Clapboard, {type(error).__name__}: {what}; "
        "please report it with the traceback that CLAPBOARD_DEBUG=1 shows"
    )


def code_of(error: Exception, path: Path | None = None) -> tuple[int, str]:
    """Return exit code and line for an error; print the traceback first when the user wants to see it.

    ``path`` is the file at work, which the line names.
    """
    if debugging():
        traceback.print_exception(error, file=sys.stderr)
    known = isinstance(error, ClapboardError)
    message = str(error) if known else defect_in_words(error)
    code = error.exit_code if isinstance(error, ClapboardError) else EXIT_DEFECT
    return code, message if path is None else about_file(path, message)


def silence_stdout() -> None:
    """Point the closed output at nothing, so that the interpreter's last flush does not complain."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def guarded(command: Callable[P, int]) -> Callable[P, int]:
    """Turn whatever ends a command into an exit code and at most one line."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:
            silence_stdout()
            return EXIT_PIPE
        except OSError as error:  # of files at work there is a MediaError
            silence_stdout()
            complain(f"the output cannot be written ({error.strerror or error}); make room or send it elsewhere")
            return EXIT_MEDIA
        except KeyboardInterrupt as stop:
            left = "; ".join(getattr(stop, "__notes__", [])) or "nothing was left behind"
            complain(f"interrupted; {left}")
            return EXIT_SIGNAL + stop.number if isinstance(stop, Stopped) else EXIT_INTERRUPTED
        except Exception as error:
            code, message = code_of(error)
            complain(message)
        return code

    return run


def progress(name: str, *, wanted: bool) -> "contextlib.AbstractContextManager[Hook | None]":
    """Show how far one piece of work is while the body runs; gives the hook that is to be told, or None.

    For several files see `clapboard.cli.progress.of_files`.
    """
    return Progress(wanted=wanted).piece(name)
