"""The commands put together, and what surrounds them: streams, usage errors, the exit code."""

import io
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from clapboard import __version__
from clapboard.cli.check import check
from clapboard.cli.common import EXIT_INTERRUPTED, complain, guarded
from clapboard.cli.curate import curate_app
from clapboard.cli.evaluate import evaluate
from clapboard.cli.export_syncnet import export_syncnet
from clapboard.cli.features import features
from clapboard.cli.filter import filter_
from clapboard.cli.fix import fix
from clapboard.cli.foley import foley
from clapboard.cli.models import models_app
from clapboard.cli.models_make import calibrate, export, import_
from clapboard.cli.prepare import prepare
from clapboard.cli.process import fill_closed_streams, signals_unwind
from clapboard.cli.refine import refine
from clapboard.cli.score import score
from clapboard.cli.speakers import speakers
from clapboard.cli.study import study_app
from clapboard.cli.train import train
from clapboard.errors import EXIT_USAGE

app = typer.Typer(
    name="clapboard",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("check")(check)
app.command("fix")(fix)
app.command("foley")(foley)
app.command("speakers")(speakers)
app.command("score")(score)
app.command("filter")(filter_)
app.command("features")(features)
app.command("export-syncnet")(export_syncnet)
models_app.command("calibrate")(calibrate)
models_app.command("export")(export)
models_app.command("import")(import_)
app.add_typer(models_app, name="models")
app.command("prepare")(prepare)
app.command("train")(train)
app.command("refine")(refine)
app.command("evaluate")(evaluate)
app.add_typer(study_app, name="study")
app.add_typer(curate_app, name="curate")


def _version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"clapboard {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Measure and repair the lip-sync of any video.

    Exit codes: 0 in sync, 1 out of sync, 2 usage, 3 undecided, 4 a file cannot be read or written, 5 something that
    has to be installed is missing. For several files the highest of theirs.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(EXIT_USAGE)


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line; every way out of it becomes an exit code."""
    fill_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show must not stop the work
            stream.reconfigure(errors="backslashreplace")
    with signals_unwind():
        return _run(argv)


@guarded
def _run(argv: Sequence[str] | None) -> int:
    """Hand the arguments to the command; what it says of wrong ones becomes one line."""
    try:
        code = app(args=None if argv is None else list(argv), prog_name="clapboard", standalone_mode=False)
    except typer.Abort:
        return EXIT_INTERRUPTED
    except SystemExit as end:  # typer leaves so when nobody reads its help, and only then
        raise BrokenPipeError from end
    except Exception as error:
        # The class of a usage error lives in click or in typer, by version: it is known by its method.
        in_words = getattr(error, "format_message", None)
        if in_words is None:
            raise
        complain(f"{' '.join(in_words().split()).rstrip('.')}; see clapboard --help")
        return EXIT_USAGE
    return code if isinstance(code, int) else 0
