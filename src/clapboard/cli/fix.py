"""``clapboard fix``: write a copy in which sound and picture are together, and measure it again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clapboard.cli.check import status_code
from clapboard.cli.common import (
    AnySoundOption,
    AudioTrackOption,
    MaxOffsetByOption,
    ModelByOption,
    ProfileOption,
    QuietOption,
    ThreadsOption,
    code_of,
    complain,
    guarded,
    progress,
)
from clapboard.errors import EXIT_IN_SYNC
from clapboard.report.printable import shown
from clapboard.verdict import DEFAULT_PROFILE, parse_profile

if TYPE_CHECKING:
    from clapboard.repair import FixReport


@guarded
def fix(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The video; it is never changed.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="What to write; by default NAME.synced.EXT beside the input."),
    ] = None,
    offset_ms: Annotated[
        float | None,
        typer.Option("--offset-ms", metavar="MS", help="Delay the sound by this much instead of measuring it."),
    ] = None,
    bake: Annotated[
        bool, typer.Option("--bake", help="Re-encode the sound, so that the shift is in the samples.")
    ] = False,
    profile: ProfileOption = DEFAULT_PROFILE,
    audio_track: AudioTrackOption = None,
    any_sound: AnySoundOption = False,
    max_offset_ms: MaxOffsetByOption = None,
    model: ModelByOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT when it exists.")] = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = 1,
) -> int:
    """Write a copy of FILE in which sound and picture are together.

    Nothing is re-encoded; --bake re-encodes the sound alone. The result is measured again and gets its name only when
    at most one frame is left. With --offset-ms the shift is done as told and the rest only reported.

    Exit code: 0 written, or nothing to do; 1 written as told by --offset-ms, but still out of sync; 3 not written,
    since the offset is not trusted; 4 cannot be read or written; 5 no such model.
    """
    tolerance = parse_profile(profile)
    try:
        from clapboard import repair

        with progress(file.name, wanted=not quiet) as hook:
            done = repair.fix(
                file,
                out,
                offset_ms=offset_ms,
                bake=bake,
                profile=tolerance,
                audio_track=audio_track,
                max_offset_ms=max_offset_ms,
                model=model,
                any_sound=any_sound,
                threads=threads,
                overwrite=overwrite,
                hook=hook,
            )
    except Exception as error:
        code, message = code_of(error, file)
        complain(message)
        return code
    if not quiet:
        for line in _in_words(done):
            print(shown(line))
    told = done.written and done.before is None
    return status_code(done.after) if told and done.after.status == "out_of_sync" else EXIT_IN_SYNC


def _in_words(done: "FixReport") -> list[str]:
    """Return what was done, line by line."""
    from clapboard.report.wording import limits_in_words, sentence, side_in_words

    if done.out is None:
        return [f"{done.source}: already in sync ({side_in_words(done.rest_ms)}); nothing written"]
    lines = [] if done.before is None else [f"{done.source}: {sentence(done.before)}"]
    moved = "delayed" if done.applied_ms > 0 else "advanced"  # against the picture, whichever of them is moved
    lines.append(f"{done.out}: written, sound {moved} by {abs(done.applied_ms):.0f} ms")
    lines += [f"{done.out}: left out: {what}" for what in done.left_out]
    if done.after.status in ("in_sync", "out_of_sync"):
        verdict = f"{done.after.status.replace('_', ' ')}, {limits_in_words(done.after.verdict)}"
        lines.append(f"{done.out}: measured again: {side_in_words(done.rest_ms)}; {verdict}")
    else:
        lines.append(f"{done.out}: measured again: {sentence(done.after)}")
    return lines
