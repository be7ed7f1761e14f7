"""``clapboard study``: begin a real-or-fake study, serve it to people, and tell what they answered."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from clapboard.cli.common import QuietOption, guarded, progress
from clapboard.errors import EXIT_IN_SYNC, EXIT_USAGE, UsageError
from clapboard.report.plain import counted
from clapboard.report.printable import shown

study_app = typer.Typer(
    name="study",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

FolderArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="The folder of the study.")]


@study_app.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    """Ask people which sound is the original, and which made one is better.

    The same picture twice, in their browser, and what they answered with intervals; see docs/study.md.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(EXIT_USAGE)


@study_app.command("begin")
@guarded
def begin(
    *,
    study: FolderArgument,
    original: Annotated[
        Path, typer.Option("--original", metavar="FOLDER", help="Clips with their true sound.", show_default=False)
    ],
    variant: Annotated[
        list[str],
        typer.Option(
            "--variant",
            metavar="NAME=FOLDER",
            help="The same clips with made sound, under the same names; once for each variant.",
            show_default=False,
        ),
    ],
    sound_hz: Annotated[
        int, typer.Option("--sound-hz", metavar="HZ", help="All sounds become mono, with the bandwidth of this rate.")
    ] = 16_000,
    keep_levels: Annotated[
        bool, typer.Option("--keep-levels", help="Leave sounds as loud as they are; else all get one level.")
    ] = False,
    most: Annotated[
        int | None, typer.Option("--most", metavar="N", min=1, help="Rounds of each game for one person at most.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of the order of rounds.")] = 0,
    quiet: QuietOption = False,
) -> int:
    """Begin a study in a new folder STUDY.

    Files are matched by name and checked, and what will be played is written anew, alike in all but the sound.

    Exit code: 0 begun, 2 usage, or files that do not fit together, 4 a file cannot be read, or STUDY cannot be written.
    """
    folders: dict[str, str | Path] = {}
    for given in variant:
        name, equals, folder = given.partition("=")
        if not equals or not name or not folder or name in folders or not name.isprintable():
            raise UsageError(f"--variant {given}: give NAME=FOLDER, each name once")
        folders[name] = Path(folder)
    from clapboard.study.begin import begin as begun

    with progress(study.name, wanted=not quiet) as hook:
        made = begun(
            study, original, folders, sound_hz=sound_hz, keep_levels=keep_levels, most=most, seed=seed, hook=hook
        )
    if not quiet:
        what = f"{counted(len(made.clips), 'clip')}, {made.seconds:.0f} s, {counted(len(made.variants), 'variant')}"
        print(shown(f"{study}: {what}; next: clapboard study serve {study}"))
    return EXIT_IN_SYNC


@study_app.command("serve")
@guarded
def serve(
    *,
    study: FolderArgument,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65_535, help="0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; 0.0.0.0 lets others in the network in.")
    ] = "127.0.0.1",
    title: Annotated[
        str, typer.Option("--title", metavar="WORDS", help="What people see above the page.")
    ] = "Listening",
) -> int:
    """Serve the study to browsers until Ctrl-C, which is its regular end.

    Several people can take part at once, and go on later under the name they gave.

    Exit code: 0 ended by Ctrl-C, 2 usage, or the port is taken, 4 STUDY is no study, 5 the extra [serve] is missing.
    """
    from clapboard.serving.web import run
    from clapboard.study.pages import site
    from clapboard.study.store import Study

    opened = Study(study)
    opened.database.require()
    run(site(opened, title), host=host, port=port, tell=_tell)
    return EXIT_IN_SYNC


def _tell(line: str) -> None:
    """Say it at once, also into a pipe."""
    print(shown(line), flush=True)


@study_app.command("report")
@guarded
def report(
    *,
    study: FolderArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="OUT", help="Write a page with drawings there as well.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT when it exists.")] = False,
) -> int:
    """Report what was answered, with intervals.

    How often each variant was taken for the original, and which was better; the study may be running meanwhile.

    Exit code: 0 told, 2 usage, 4 STUDY is no study, or OUT cannot be written.
    """
    from clapboard.files import require_writable, write_text
    from clapboard.study import report as telling
    from clapboard.study.results import results
    from clapboard.study.store import Study

    opened = Study(study)
    about, found = opened.about(), results(opened)
    name = study.resolve().name
    if html is not None:
        if html.suffix.lower() != ".html":
            raise UsageError(f"{html}: name the page .html")
        require_writable(html, opened.database.path, overwrite, "--html")
        write_text(telling.page(found, name), html, overwrite)
    if as_json:
        sys.stdout.write(telling.to_json(telling.record(found, about, name)))
    else:
        for line in telling.lines(found):
            print(line)
    return EXIT_IN_SYNC
