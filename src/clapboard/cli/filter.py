"""``clapboard filter``: measure many clips, decide which to keep by a preset, one row a clip and face."""

import math
from pathlib import Path
from typing import Annotated, Final

import typer

from clapboard.cli.common import (
    EXIT_INTERRUPTED,
    EXIT_SIGNAL,
    MAX_THREADS,
    AudioTrackOption,
    MaxOffsetOption,
    ModelOption,
    QuietOption,
    code_of,
    complain,
    guarded,
)
from clapboard.cli.process import Stopped, end_at_once
from clapboard.cli.progress import Hook, Progress
from clapboard.errors import EXIT_MEDIA, UsageError
from clapboard.models import DEFAULT_MODEL
from clapboard.report.plain import counted
from clapboard.report.printable import shown

MEGABYTE: Final = 1_000_000
NAMED: Final = 3
"""So many clips are named where something is said of several."""


class _Count:
    """How many clips are done, of those that are new."""

    def __init__(self) -> None:
        self.done = self.clips = 0

    def counting(self, hook: Hook) -> Hook:
        """A hook that counts how often it is called: once for each clip."""

        def count(step: str, done: float, total: float | None) -> None:
            self.done += 1
            hook(step, done, total)

        return count


@guarded
def filter_(
    *,
    inputs: Annotated[
        list[Path], typer.Argument(metavar="FOLDER|FILE", help="Videos, tar files of them, and folders of both.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT.jsonl", help="File of the rows.")],
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="What to keep: strict, latentsync, voxceleb or relaxed; without one, clips are only measured.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Only part I of N of the clips, counted from 0."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", metavar="N", min=1, max=MAX_THREADS, help="By default one for each core."),
    ] = None,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout-s", metavar="S", help="Give up a clip that takes longer.")
    ] = None,
    tar_out: Annotated[
        Path | None,
        typer.Option("--tar-out", metavar="DIR", help="Pack the clips that are kept into tar files of this folder."),
    ] = None,
    tar_clips: Annotated[
        int, typer.Option("--tar-clips", metavar="N", min=1, help="Most clips in one of these tar files.")
    ] = 10_000,
    tar_mb: Annotated[
        float, typer.Option("--tar-mb", metavar="MB", min=0.001, help="Most megabytes in one of these tar files.")
    ] = 1000.0,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="ADDRESS",
            help="Let a Ray cluster do the work: HOST:PORT, auto, or local; needs clapboard[scale].",
        ),
    ] = None,
    max_offset_ms: MaxOffsetOption = 1000.0,
    audio_track: AudioTrackOption = None,
    model: ModelOption = DEFAULT_MODEL,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew instead of going on with what OUT holds.")
    ] = False,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Measure again the clips that have an error in OUT.")
    ] = False,
    quiet: QuietOption = False,
) -> int:
    """Measure every clip in each FOLDER, tar file or FILE; keep or drop each face by a preset, and say why.

    Give the same command again to go on after an interruption, or to take in new clips. A clip that cannot be read has
    a row with the reason and stops nothing. At the end it is told how many were dropped, and why.

    Exit code: 0 done, 2 usage, 4 no clip could be read, OUT or DIR not be written, somebody
    ended a process of the run, or no Ray cluster answers, 5 no such model, or Ray is not installed.
    """
    from clapboard.batch.run import filter_clips

    if not math.isfinite(tar_mb):
        raise UsageError(f"--tar-mb {tar_mb}: give a number of megabytes")
    try:
        progress = Progress(wanted=not quiet)

        def tell(message: str) -> None:
            with progress.aside():
                complain(message)

        at = _Count()

        def begin(clips: int) -> None:
            at.clips = clips
            if not quiet:
                print(shown(f"{out}: {counted(clips, 'clip')} {'is' if clips == 1 else 'are'} new"), flush=True)

        with progress.piece(lambda: f"{at.done}/{at.clips} clips") as hook:
            done = filter_clips(
                inputs,
                out,
                preset=preset,
                model=model,
                max_offset_ms=max_offset_ms,
                audio_track=audio_track,
                timeout_s=timeout_s,
                shard=shard,
                processes=processes,
                overwrite=overwrite,
                retry_errors=retry_errors,
                tar_out=tar_out,
                tar_clips=tar_clips,
                tar_bytes=round(tar_mb * MEGABYTE),
                ray=ray,
                tell=None if quiet else tell,
                begin=begin,
                hook=None if hook is None else at.counting(hook),
            )
    except KeyboardInterrupt as stop:
        complain("interrupted; what is finished is kept: give the same command again to go on")
        code = EXIT_SIGNAL + stop.number if isinstance(stop, Stopped) else EXIT_INTERRUPTED
        if ray is not None:  # Ray's threads, stopped in the middle, can crash the interpreter when it takes itself down
            end_at_once(code)
        return code
    except Exception as error:
        code, message = code_of(error)
        complain(message)
        return code
    if done.not_packed:
        some = "; ".join(f"{id_}: {why}" for id_, why in list(done.not_packed.items())[:NAMED])
        many = counted(len(done.not_packed), "clip")
        complain(f"kept, but not packed: {many} ({some}); give the same command again to try")
    if done.ended:
        have = "clip has no row: its" if done.ended == 1 else "clips have no row: their"
        complain(f"{done.ended} {have} process was told to end; give the same command again")
    if not quiet:
        for line in done.tally.lines():
            print(shown(line))
    if done.not_packed or done.ended or (done.tally.clips and done.tally.status["error"] == done.tally.clips):
        return EXIT_MEDIA
    return 0
