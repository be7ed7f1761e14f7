"""``clapboard curate``: clean a set of clips by people's votes on picture and sound, as VEGAS was made."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clapboard.cli.common import QuietOption, complain, guarded, output_console, progress
from clapboard.errors import EXIT_IN_SYNC, EXIT_MEDIA, EXIT_UNDECIDED, EXIT_USAGE, UsageError
from clapboard.report.plain import counted
from clapboard.report.printable import shown

if TYPE_CHECKING:
    from clapboard.curation.begin import Begun
    from clapboard.curation.clips import Written

curate_app = typer.Typer(
    name="curate",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

ProjectArgument = Annotated[Path, typer.Argument(metavar="PROJECT", help="The folder of the curation.")]
TOLD = 3
"""So many names are told where there may be thousands."""


@curate_app.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    """Clean a set of clips by votes on what is seen and what is heard, as VEGAS was made: docs/curate.md."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(EXIT_USAGE)


@curate_app.command("begin")
@guarded
def begin(
    *,
    project: ProjectArgument,
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER|FILE", help="Videos, and folders of them: a folder for each class."),
    ],
    list_: Annotated[
        Path | None,
        typer.Option(
            "--list",
            metavar="CSV",
            help="AudioSet's list of recordings, starts, ends and classes. Files are called ID.mp4 (whole recordings "
            "are cut), ID_30.mp4, ID_30.000_40.000.mp4, or ID_30000_40000.mp4 in ms.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes", metavar="NAME,NAME", help="Only these: vegas for its ten, names of folders or lists."
        ),
    ] = None,
    class_names: Annotated[
        Path | None,
        typer.Option("--class-names", metavar="CSV", help="Names of AudioSet's classes: class_labels_indices.csv."),
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="One class for all files, whatever their folder.")
    ] = None,
    part: Annotated[
        str | None, typer.Option("--part", metavar="NAME", help="Only rows of the list that are of this part.")
    ] = None,
    segment_s: Annotated[
        float | None,
        typer.Option("--segment-s", metavar="S", help="Length of what is judged, 0.5 to 60; by default 2."),
    ] = None,
    voters: Annotated[
        int | None, typer.Option("--voters", metavar="N", help="Votes for each question, an odd number; by default 3.")
    ] = None,
    quiet: QuietOption = False,
) -> int:
    """Take media into PROJECT, which is made where it is not there, and cut them on paper into segments.

    Give the command again to take in more, or to go on after an interruption; what is there keeps its votes.

    Exit code: 0 done, 2 usage, 4 nothing could be taken in, or PROJECT or a list cannot be read or written.
    """
    from clapboard.curation import begin as work

    if list_ is None and (part is not None or class_names is not None):
        raise UsageError("--part and --class-names are about a list; give it with --list")
    if class_name is not None and (list_ is not None or classes is not None):
        raise UsageError("--class is one class for all files; give it without --classes and --list")
    missing = 0
    if list_ is None:
        items = work.of_folders(inputs, class_name=class_name, classes=classes)
    else:
        items, missing = work.of_list(inputs, list_, classes=classes, class_names=class_names, part=part)
    for item in items:
        work.require_class(item.class_name)
    with progress(str(project), wanted=not quiet) as hook:
        done = work.begin(work.open_project(project, segment_s=segment_s, voters=voters), items, hook=hook)
    if done.changed:
        complain(f"changed since they were taken in, and left as they were: {_some(done.changed)}")
    if missing:
        complain(f"{counted(missing, 'row')} of {list_}: there is no file")
    if not quiet:
        _tell_begun(done, project)
    return EXIT_MEDIA if done.left_out and not (done.videos or done.known) else EXIT_IN_SYNC


@curate_app.command("serve")
@guarded
def serve(
    *,
    project: ProjectArgument,
    port: Annotated[int, typer.Option("--port", metavar="N", help="0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Others than 127.0.0.1 let everybody in who reaches it.")
    ] = "127.0.0.1",
    voter_names: Annotated[
        list[str] | None,
        typer.Option("--voter-name", metavar="NAME", help="Only people of these names may vote; once for each."),
    ] = None,
) -> int:
    """Serve the page on which people vote, until Ctrl-C; start it again at any time, nothing is lost.

    Several people can vote at once, each under a name of their own. Needs the extra [serve].

    Exit code: 0 ended, 2 usage or the port is taken, 4 PROJECT cannot be read, 5 the extra is missing.
    """
    from clapboard.curation.asking import Desk
    from clapboard.curation.previews import Previews
    from clapboard.curation.project import Project

    held = Project(project)  # a wrong one is told before what is not installed
    from clapboard.curation.pages import site
    from clapboard.serving.web import run

    previews = Previews(held)
    previews.drop_closed()
    run(site(held, Desk(held), previews, only=voter_names or ()), host=host, port=port)
    return EXIT_IN_SYNC


@curate_app.command("votes")
@guarded
def votes(
    *,
    project: ProjectArgument,
    table: Annotated[
        Path | None,
        typer.Argument(metavar="CSV", help="Votes to be added: columns segment, question, voter, answer."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="CSV", help="Write all votes to this file instead.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file of --export.")] = False,
    quiet: QuietOption = False,
) -> int:
    """Add votes from a table, all of them or none, or write a table of all votes.

    The question is seen or heard, the answer yes or no; names of segments are those of curate status --segments.

    Exit code: 0 done, 2 usage, or a row makes no sense, 4 a file cannot be read or written.
    """
    from clapboard.curation.project import Project
    from clapboard.curation.votes import take_votes, write_votes

    if (table is None) == (export is None):
        raise UsageError("give a table of votes to add, or --export CSV to write one")
    held = Project(project)
    if export is not None:
        count = write_votes(held, export, overwrite=overwrite)
        line = f"{export}: {counted(count, 'vote')}"
    else:
        assert table is not None
        taken = take_votes(held, table)
        line = f"{table}: {counted(taken.fresh, 'vote')} added, {taken.known} known already"
    if not quiet:
        print(shown(line))
    return EXIT_IN_SYNC


@curate_app.command("status")
@guarded
def status(
    *,
    project: ProjectArgument,
    segments: Annotated[
        Path | None,
        typer.Option("--segments", metavar="CSV", help="Write a table of all segments, their votes and outcome."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file of --segments.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a class, the last one for all.")] = False,
) -> int:
    """Show how far the votes are and what they come to by now.

    Exit code: 0 every segment is decided, 2 usage, 3 some have too few votes, 4 PROJECT cannot be read.
    """
    import json

    from clapboard.curation.project import Project
    from clapboard.curation.results import judged, statistics, write_segments

    held = Project(project)
    every = list(judged(held))
    rows = statistics(held, every)
    if segments is not None:
        write_segments(every, segments, project, overwrite=overwrite)
    if as_json:
        for row in rows:
            print(json.dumps(row))
    else:
        _print_table(rows)
    return EXIT_UNDECIDED if rows[-1]["undecided"] else EXIT_IN_SYNC


@curate_app.command("cut")
@guarded
def cut(
    *,
    project: ProjectArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the clips.")],
    quiet: QuietOption = False,
) -> int:
    """Cut what a majority has seen and a majority has heard: OUT/CLASS/FILE_START_END.mp4, times in ms.

    Adjacent segments become one clip. OUT/manifest.jsonl tells of the clips, OUT/statistics.jsonl of the classes. Give
    the command again to go on after an interruption or after more votes; clips that are there are not written anew.

    Exit code: 0 done, 2 usage, 3 done, but some segments have too few votes, 4 a file cannot be read or written.
    """
    from clapboard.curation.clips import write_clips
    from clapboard.curation.project import Project

    with progress(str(out), wanted=not quiet) as hook:
        done = write_clips(Project(project), out, hook=hook)
    for place, why in done.failed.items():
        complain(f"{place}: not cut: {why}")
    if done.stale:
        complain(f"{out}: no longer what the votes say, and left there: {_some(done.stale)}")
    if not quiet:
        _print_table(done.statistics)
        _tell_written(done, out)
    if done.failed:
        return EXIT_MEDIA
    return EXIT_UNDECIDED if done.statistics[-1]["undecided"] else EXIT_IN_SYNC


def _tell_begun(done: "Begun", project: Path) -> None:
    """What was taken in, and what not."""
    settings = done.project.settings
    known = f", {counted(done.known, 'video')} known already" if done.known else ""
    print(
        shown(
            f"{project}: {counted(done.videos, 'video')} of {counted(done.files, 'file')} taken in, "
            f"{counted(done.segments, 'segment')} of {settings.segment_ms / 1000:g} s{known}; "
            f"{2 * settings.voters} votes each"
        )
    )
    if done.left_out:
        print(f"left out: {counted(len(done.left_out), 'file')}")
        for why, count in done.reasons.most_common():
            print(shown(f"{count:7d}  {why}"))


def _tell_written(done: "Written", out: Path) -> None:
    """What was cut, and what is still open."""
    everything = done.statistics[-1]
    print(
        shown(
            f"{out}: {counted(len(done.rows), 'clip')}, {done.fresh} of them new, {everything['hours'] * 3600:.1f} s; "
            f"{everything['removed']} of {everything['segments']} segments removed"
        )
    )
    if everything["undecided"]:
        print(f"undecided: {counted(everything['undecided'], 'segment')} with too few votes; nothing of them is kept")


def _print_table(rows: list[dict[str, Any]]) -> None:
    """The statistics for people."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("class", "videos", "segments", "kept", "removed", "undecided", "clips", "minutes", "mean", "median"):
        table.add_column(name, justify="left" if name == "class" else "right", no_wrap=True)
    for name in ("kappa seen", "kappa heard", "votes"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        kappas = [
            "-" if row[question]["kappa"] is None else f"{row[question]['kappa']:.2f}" for question in ("seen", "heard")
        ]
        lengths = ["-" if row[name] is None else f"{row[name]:.1f} s" for name in ("mean_s", "median_s")]
        counts = [str(row[name]) for name in ("videos", "segments", "kept", "removed", "undecided", "clips")]
        votes = f"{row['votes']} of {row['votes_wanted']}"
        cells = ["all" if row["class"] is None else row["class"], *counts, f"{row['hours'] * 60:.1f}", *lengths]
        table.add_row(*map(shown, [*cells, *kappas, votes]))
    output_console().print(table)


def _some(names: list[str]) -> str:
    """The first of many names, and how many there are."""
    return f"{len(names)} ({', '.join(names[:TOLD])}{' ...' if len(names) > TOLD else ''})"
