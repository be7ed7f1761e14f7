"""``clapboard check``: measure how far the sound of each file is from its picture."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clapboard import __version__
from clapboard.cli.check_report import OverwriteOption, Pages, ReportOption
from clapboard.cli.common import (
    AnySoundOption,
    AudioTrackOption,
    MaxOffsetByOption,
    ModelOfCheckOption,
    ProfileOption,
    QuietOption,
    ThreadsOption,
    code_of,
    complain,
    guarded,
    output_console,
)
from clapboard.cli.progress import Hook, of_files
from clapboard.errors import EXIT_IN_SYNC, EXIT_OUT_OF_SYNC, EXIT_UNDECIDED, UsageError
from clapboard.report.printable import shown
from clapboard.verdict import DEFAULT_PROFILE, Profile, parse_profile

if TYPE_CHECKING:
    from clapboard.values import Report, Status

_CODES: "dict[Status, int]" = {"in_sync": EXIT_IN_SYNC, "out_of_sync": EXIT_OUT_OF_SYNC, "undecided": EXIT_UNDECIDED}


def status_code(report: "Report") -> int:
    """Return the exit code that a measured file stands for."""
    return _CODES[report.status]


@guarded
def check(
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Videos; after -- names may begin with a dash.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a file, each on its own line.")
    ] = False,
    profile: ProfileOption = DEFAULT_PROFILE,
    any_sound: AnySoundOption = False,
    lips_only: Annotated[
        bool, typer.Option("--lips-only", help="Never measure by any sound, not even where no face is found.")
    ] = False,
    max_offset_ms: MaxOffsetByOption = None,
    audio_track: AudioTrackOption = None,
    model: ModelOfCheckOption = None,
    report: ReportOption = None,
    overwrite: OverwriteOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every face, the model, the versions.")] = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = 1,
) -> int:
    """Measure how far the sound of each FILE is from its picture.

    By the lips of a face that speaks; where no face is found in the whole file, by any sound whose cause is seen.
    Plus means that the sound is early, minus that it is late. One file that cannot be measured does not stop the
    others. Exit code: 0 in sync, 1 out of sync, 3 undecided, 4 cannot be read, 5 no such model; for several files the
    highest.
    """
    if any_sound and lips_only:
        raise UsageError("--any-sound and --lips-only exclude each other; give one of them, or neither")
    tolerance = parse_profile(profile)
    pages = Pages(report, files, overwrite)
    worst, progress = 0, of_files(files, wanted=not quiet)
    with pages.told():
        for path in files:
            with progress.piece(path.name) as hook:
                code, found, problem = _check_one(
                    path,
                    pages=pages,
                    profile=tolerance,
                    max_offset_ms=max_offset_ms,
                    audio_track=audio_track,
                    model=model,
                    any_sound=any_sound or (False if lips_only else None),
                    threads=threads,
                    hook=hook,
                )
                page_code, page_line, page_problem = pages.write(found, path, hook=hook, threads=threads)
            for line in filter(None, (problem, page_problem)):
                complain(line)
            if as_json:
                from clapboard.report.record import to_json

                print(to_json(found), flush=True)
            elif not (quiet or problem):
                from clapboard.report.text import write

                write(found, output_console(), verbose=verbose)
                sys.stdout.flush()
                if page_line:
                    print(shown(page_line), flush=True)
            worst = max(worst, code, page_code)
    return worst


def _check_one(
    path: Path,
    *,
    pages: Pages,
    profile: Profile,
    max_offset_ms: float | None,
    audio_track: int | None,
    model: str | None,
    any_sound: bool | None,
    threads: int,
    hook: Hook | None,
) -> "tuple[int, Report, str]":
    """Measure one file; an error becomes its exit code, a report that holds it, and the line for stderr."""
    try:
        from clapboard import checking

        pages.require(path)
        report = checking.check(
            path,
            profile=profile,
            max_offset_ms=max_offset_ms,
            audio_track=audio_track,
            model=model,
            any_sound=any_sound,
            threads=threads,
            hook=hook,
        )
        return status_code(report), report, ""
    except Exception as error:
        code, message = code_of(error, path)
        failed = failed_report(path, profile, message.removeprefix(f"{path}: "))
        return code, replace(failed, by="any sound") if any_sound else failed, message


def failed_report(path: Path, profile: Profile, message: str) -> "Report":
    """Return the report of a file that could not be measured, so that every file has its line of JSON."""
    import numpy as np

    from clapboard.values import Model, Offset, Report, Verdict

    nan = float("nan")
    nothing = Offset(nan, nan, nan, np.zeros(0, np.float32), np.zeros(0), 0)
    verdict = Verdict(profile.name, *profile.limits_ms(0), "error")
    versions = {"clapboard": __version__}
    return Report(str(path), None, nothing, (), verdict, Model("", ""), error=message, versions=versions)
