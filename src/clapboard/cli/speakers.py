"""``clapboard speakers``: who speaks when, on screen or off, as a report and in the formats of other programs."""

import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from clapboard.cli.check import failed_report
from clapboard.cli.common import (
    AudioTrackOption,
    MaxOffsetOption,
    ModelOption,
    QuietOption,
    ThreadsOption,
    code_of,
    complain,
    guarded,
    output_console,
)
from clapboard.cli.outputs import Output, ids_of, targets_of
from clapboard.cli.progress import Hook, of_files
from clapboard.cli.speakers_outputs import Asked, Written, size_px, stays, write_outputs
from clapboard.errors import EXIT_IN_SYNC, EXIT_UNDECIDED, NoAudioError, NoVideoError, UsageError
from clapboard.models import DEFAULT_MODEL
from clapboard.report.printable import shown
from clapboard.verdict import DEFAULT_PROFILE, parse_profile

if TYPE_CHECKING:
    from clapboard.speakers.decide import Method
    from clapboard.values import Speakers

_ENDINGS = {"--rttm": (".rttm",), "--ava": (".csv",), "--overlay": (".mp4", ".mkv", ".mov", ".m4v")}
AVA_KINDS = ("labels", "predictions")


@guarded
def speakers(
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Videos; after -- names may begin with a dash.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a file, each on its own line.")
    ] = False,
    rttm: Annotated[
        str | None, typer.Option("--rttm", metavar="OUT", help="Write the turns as RTTM: NAME.rttm, or a folder.")
    ] = None,
    ava: Annotated[
        str | None,
        typer.Option(
            "--ava",
            metavar="OUT",
            help="Write each face in each frame as AVA-ActiveSpeaker CSV: NAME.csv, or a folder.",
        ),
    ] = None,
    ava_as: Annotated[
        str,
        typer.Option(
            "--ava-as",
            metavar="labels|predictions",
            help="What was decided, or what the official evaluation script takes as predictions.",
        ),
    ] = "labels",
    overlay: Annotated[
        str | None,
        typer.Option("--overlay", metavar="OUT", help="Write the video with boxes and scores: NAME.mp4, or a folder."),
    ] = None,
    crops: Annotated[
        str | None, typer.Option("--crops", metavar="DIR", help="Write each face that speaks as a clip of its own.")
    ] = None,
    correct_offset: Annotated[
        bool, typer.Option("--correct-offset", help="Shift the sound of --crops by the offset, into sync.")
    ] = False,
    offset_ms: Annotated[
        float | None,
        typer.Option("--offset-ms", metavar="MS", help="Compare at this offset instead of measuring the file's own."),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="states|window|median", help="How distances become decisions.")
    ] = "states",
    window_frames: Annotated[
        int | None,
        typer.Option(
            "--window-frames", metavar="N", min=1, help="Frames of 40 ms in the window of --method window; 25."
        ),
    ] = None,
    max_offset_ms: MaxOffsetOption = 1000.0,
    audio_track: AudioTrackOption = None,
    model: ModelOption = DEFAULT_MODEL,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what exists.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the method, the model, the versions.")] = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = 1,
) -> int:
    """Tell who speaks when in each FILE: which face, or a voice off screen.

    The lips of every face are compared with the sound at the file's own offset. For several files outputs go to
    folders, in which each gets FILE.rttm, FILE.csv or FILE.mp4. One file that cannot be measured does not stop the
    others.

    Exit code: 0 done, whoever speaks; 2 an output exists already or makes no sense; 3 nothing could be compared, since
    there is no face or no sound; 4 cannot be read or written; 5 no such model; for several files the highest.
    """
    asked = Asked(
        offset_ms=offset_ms,
        method=method,
        window_frames=window_frames,
        max_offset_ms=max_offset_ms,
        audio_track=audio_track,
        model=model,
        threads=threads,
        predictions=ava_as == "predictions",
        correct_offset=correct_offset,
        overwrite=overwrite,
    )
    given = {"--rttm": rttm, "--ava": ava, "--overlay": overlay, "--crops": crops}
    outputs = [_output(option, out) for option, out in given.items() if out is not None]
    _require_sense(asked, ava_as, given)
    worst, progress = EXIT_IN_SYNC, of_files(files, wanted=not quiet)
    kept = list[Path]()
    try:
        for path, name, targets in zip(files, ids_of(files), targets_of(outputs, files), strict=True):
            with progress.piece(path.name) as hook:
                code, found, problem = _find(path, targets, asked, hook)
                written = Written(problems=[problem] if problem else [])
                if targets and not problem:  # before anything is printed: whoever reads that may stop early
                    written = write_outputs(found, path, name, targets=targets, asked=asked, hook=hook, kept=kept)
                with progress.aside():
                    _show(found, as_json=as_json, silent=quiet or bool(problem), verbose=verbose)
                    for line in [] if as_json or quiet else written.lines:
                        print(shown(line), flush=True)
                    for line in written.problems:
                        complain(line)
            worst = max(worst, code, written.code)
    except KeyboardInterrupt as stop:
        if kept:
            stop.add_note(stays(kept))
        raise
    return worst


def _output(option: str, out: str) -> Output:
    """Return what is asked for by one option; a slash at the end says that it is a folder."""
    if option != "--crops":
        return Output(option, Path(out), _ENDINGS[option], folder=out.endswith(("/", os.sep)))
    from clapboard.footage import crop_stem

    return Output(option, Path(out), stem=crop_stem)


def _require_sense(asked: Asked, ava_as: str, given: Mapping[str, str | None]) -> None:
    """Refuse options that say nothing, before anybody waits."""
    from clapboard.speakers.decide import WINDOW_FRAMES, require_method

    require_method(asked.method, asked.window_frames or WINDOW_FRAMES)
    if asked.offset_ms is not None and not math.isfinite(asked.offset_ms):
        raise UsageError(f"--offset-ms must be a number of milliseconds, not {asked.offset_ms}")
    if asked.window_frames is not None and asked.method != "window":
        raise UsageError(f"--window-frames is for --method window, not for {asked.method}")
    if ava_as not in AVA_KINDS:
        raise UsageError(f"--ava-as must be {' or '.join(AVA_KINDS)}, not {ava_as}")
    for needs, option in ((asked.predictions, "--ava"), (asked.correct_offset, "--crops")):
        if needs and given[option] is None:
            raise UsageError(f"{'--ava-as' if option == '--ava' else '--correct-offset'} is for {option}; give it too")


def _find(path: Path, targets: Mapping[str, Path], asked: Asked, hook: Hook | None) -> "tuple[int, Speakers, str]":
    """Find who speaks in one file; an error becomes its exit code, an answer that holds it, and the line for stderr."""
    try:
        from clapboard import speaking
        from clapboard.files import require_writable
        from clapboard.media.source import require_file
        from clapboard.report.speakers_wording import missing

        require_file(path)
        for option, target in targets.items():  # nobody waits for what could not be kept
            if option != "--crops":
                require_writable(target, path, asked.overwrite, option)
            elif not asked.overwrite:
                from clapboard.footage import require_no_crops

                require_no_crops(path, target)
        found = speaking.who_speaks(
            path,
            offset_ms=asked.offset_ms,
            method=cast("Method", asked.method),
            window_frames=asked.window_frames,
            max_offset_ms=asked.max_offset_ms,
            audio_track=asked.audio_track,
            model=asked.model,
            hook=hook,
            threads=asked.threads,
        )
        return (EXIT_UNDECIDED if missing(found) else EXIT_IN_SYNC), found, ""
    except Exception as error:
        code, message = code_of(error, path)
        nothing = isinstance(error, NoAudioError | NoVideoError)
        return (EXIT_UNDECIDED if nothing else code), _failed(path, message, asked.method), message


def _failed(path: Path, message: str, method: str) -> "Speakers":
    """Return the answer for a file that could not be measured, so that every file has its line of JSON."""
    from clapboard.values import Speakers

    report = failed_report(path, parse_profile(DEFAULT_PROFILE), message.removeprefix(f"{path}: "))
    return Speakers(report, float("nan"), "assumed", (), (), method)


def _show(found: "Speakers", *, as_json: bool, silent: bool, verbose: bool) -> None:
    """Print one answer."""
    if as_json:
        from clapboard.report.speakers_record import to_json

        print(to_json(found, size_px(found)), flush=True)
    elif not silent:
        from clapboard.report.speakers_text import write

        write(found, output_console(), verbose=verbose)
        sys.stdout.flush()
