"""``clapboard prepare``: find the talking faces in many files and keep them as a data set to learn from."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clapboard.cli.common import (
    EXIT_INTERRUPTED,
    EXIT_SIGNAL,
    MAX_THREADS,
    QuietOption,
    code_of,
    complain,
    guarded,
    progress,
)
from clapboard.cli.process import Stopped
from clapboard.errors import EXIT_MEDIA
from clapboard.report.printable import shown

if TYPE_CHECKING:
    from clapboard.dataset.prepare import Prepared

SHEET: Final = "contact-sheet.html"


@guarded
def prepare(
    *,
    inputs: Annotated[list[Path], typer.Argument(metavar="FOLDER|FILE", help="Videos, and folders of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DATASET", help="Folder of the data set.")],
    view: Annotated[
        str, typer.Option("--view", metavar="VIEW", help="Crop: mouth-64, mouth-120, face-224 or face-96.")
    ] = "mouth-64",
    per_face: Annotated[
        bool,
        typer.Option(
            "--per-face/--strict",
            help="Keep every face, or nothing of a shot that shows more than one at a time.",
        ),
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="CSV",
            help="What is known: column file, and any of corpus, speaker, part, offset_ms, usable.",
        ),
    ] = None,
    part: Annotated[
        str | None, typer.Option("--part", metavar="NAME", help="Only files that the labels say are of this part.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option("--corpus", metavar="NAME", help="In place of the name of FOLDER.")
    ] = None,
    speaker_from: Annotated[
        str | None,
        typer.Option(
            "--speaker-from",
            metavar="HOW",
            help="Who speaks: folder (the first below FOLDER), file, or a regular expression on the file's name.",
        ),
    ] = None,
    min_seconds: Annotated[float, typer.Option("--min-seconds", metavar="S", help="Shortest track, 0.6 to 30.")] = 2.0,
    min_face_px: Annotated[float, typer.Option("--min-face-px", metavar="PX", help="Narrowest face.")] = 40.0,
    min_speech: Annotated[
        float, typer.Option("--min-speech", metavar="SHARE", help="Least part of a track's sound that is not quiet.")
    ] = 0.15,
    processes: Annotated[
        int | None,
        typer.Option("--processes", metavar="N", min=1, max=MAX_THREADS, help="By default one for each core."),
    ] = None,
    quiet: QuietOption = False,
) -> int:
    """Find the talking faces in every FILE and below every FOLDER, and keep crops and sound as a data set.

    Give the same command again to go on after an interruption, or to take in new files. Files that cannot be used are
    noted with the reason and stop nothing. DATASET/contact-sheet.html shows what was kept.

    Exit code: 0 done, 2 usage, 4 nothing could be kept, or the data set cannot be read or written.
    """
    from clapboard.dataset.extract import Rules
    from clapboard.dataset.prepare import prepare as run
    from clapboard.dataset.sheet import write_sheet

    try:
        rules = Rules("per-face" if per_face else "strict", min_seconds, min_face_px, min_speech)
        with progress("preparing", wanted=not quiet) as hook:
            done = run(
                inputs,
                out,
                view=view,
                rules=rules,
                labels=labels,
                part=part,
                corpus=corpus,
                speaker_from=speaker_from,
                processes=processes,
                hook=hook,
            )
        write_sheet(done.dataset, out / SHEET)
    except KeyboardInterrupt as stop:
        complain("interrupted; what is finished is kept: give the same command again to go on")
        return EXIT_SIGNAL + stop.number if isinstance(stop, Stopped) else EXIT_INTERRUPTED
    except Exception as error:
        code, message = code_of(error)
        complain(message)
        return code
    if done.changed:
        names = ", ".join(done.changed[:3]) + (" ..." if len(done.changed) > 3 else "")
        complain(f"changed since they were prepared, and left as they were: {len(done.changed)} files ({names})")
    if not quiet:
        for line in _in_words(done):
            print(shown(line))
    if not done.dataset.entries:
        complain(f"{out}: nothing could be kept; {_most_common(done)}")
        return EXIT_MEDIA
    return 0


def _in_words(done: "Prepared") -> list[str]:
    """What the data set holds and what was not kept, line by line."""
    from clapboard.timebase import PICTURE_HZ

    entries, dropped = done.dataset.entries, done.dataset.dropped
    minutes = sum(entry.frames for entry in entries) / PICTURE_HZ / 60
    lines = [
        f"{done.dataset.folder}: {len(entries)} tracks of {len({entry.file for entry in entries})} files, "
        f"{minutes:.1f} minutes, {len({entry.group for entry in entries})} groups of speakers, "
        f"{len({entry.corpus for entry in entries})} corpora; {done.fresh} files are new"
    ]
    if dropped:
        files = len({row.file for row in dropped} - {entry.file for entry in entries})
        lines.append(f"not kept: {len(dropped)} tracks or whole files; nothing of {files} files was kept")
        seconds = defaultdict[str, float](float)
        for row in dropped:
            seconds[row.reason] += row.seconds
        counts = Counter(row.reason for row in dropped)
        lines += [f"{count:7d}  {seconds[why] / 60:7.1f} min  {why}" for why, count in counts.most_common()]
    return lines


def _most_common(done: "Prepared") -> str:
    """The reason that would help most to know."""
    counts = Counter(row.reason for row in done.dataset.dropped)
    reason, count = counts.most_common(1)[0]
    return f"{count} of {len(done.dataset.dropped)} times: {reason}"
