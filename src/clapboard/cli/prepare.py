"""``clapboard prepare``: find the talking faces, or any sounds, in many files and keep them as a data set."""

from collections import Counter, defaultdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

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
    from clapboard.dataset.extract import Rules
    from clapboard.dataset.prepare import Prepared
    from clapboard.dataset.scenes import SceneRules

SHEET: Final = "contact-sheet.html"


class Kind(StrEnum):
    """What is looked for."""

    FACES = "faces"
    SOUNDS = "sounds"


@guarded
def prepare(
    *,
    inputs: Annotated[list[Path], typer.Argument(metavar="FOLDER|FILE", help="Videos, and folders of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DATASET", help="Folder of the data set.")],
    kind: Annotated[
        Kind, typer.Option("--kind", help="Talking faces, or whole pictures with any sound.", show_default=True)
    ] = Kind.FACES,
    view: Annotated[
        str | None,
        typer.Option(
            "--view",
            metavar="VIEW",
            help="Crop of a face: mouth-64 (by default), mouth-120, face-224 or face-96. "
            "Whole picture of sounds: scene-64 (by default) or scene-256.",
        ),
    ] = None,
    per_face: Annotated[
        bool | None,
        typer.Option(
            "--per-face/--strict",
            help="Of faces: keep every face, or (by default) nothing of a shot that shows more than one at a time.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="CSV",
            help="What is known: column file, and any of corpus, speaker, class, part, offset_ms, usable.",
        ),
    ] = None,
    segments: Annotated[
        Path | None,
        typer.Option(
            "--segments",
            metavar="CSV",
            help="Of sounds: AudioSet's list of recordings, starts, ends and classes. Files are called ID.mp4 (whole "
            "recordings are cut), ID_30.mp4, ID_30.000_40.000.mp4, or ID_30000_40000.mp4 in ms.",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--part", metavar="NAME", help="Only rows of labels or segments that are of this part."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="NAME,NAME", help="Only rows of labels or segments of these classes."),
    ] = None,
    class_names: Annotated[
        Path | None,
        typer.Option("--class-names", metavar="CSV", help="Names of AudioSet's classes: class_labels_indices.csv."),
    ] = None,
    corpus: Annotated[
        str | None, typer.Option("--corpus", metavar="NAME", help="In place of the name of FOLDER.")
    ] = None,
    speaker_from: Annotated[
        str | None,
        typer.Option(
            "--speaker-from",
            metavar="HOW",
            help="Who speaks, or which recording it is: folder (the first below FOLDER; by default of faces), file (of "
            "sounds), or a regular expression on the file's name.",
        ),
    ] = None,
    min_seconds: Annotated[
        float, typer.Option("--min-seconds", metavar="S", help="Shortest track, 0.6 to 30; shortest shot, 1 to 10.")
    ] = 2.0,
    min_face_px: Annotated[
        float | None, typer.Option("--min-face-px", metavar="PX", help="Of faces: narrowest face, by default 40.")
    ] = None,
    min_speech: Annotated[
        float | None,
        typer.Option(
            "--min-speech",
            metavar="SHARE",
            help="Of faces: least part of a track's sound that is not quiet, by default 0.15.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", metavar="N", min=1, max=MAX_THREADS, help="By default one for each core."),
    ] = None,
    quiet: QuietOption = False,
) -> int:
    """Find the talking faces in every FILE and below every FOLDER, and keep crops and sound as a data set.

    With --kind sounds every shot is kept as a whole, small picture with its sound: for sync of any sound.

    Give the same command again to go on after an interruption, or to take in new files. Files that cannot be used are
    noted with the reason and stop nothing. DATASET/contact-sheet.html shows what was kept.

    Exit code: 0 done, 2 usage, 4 nothing could be kept, or the data set cannot be read or written.
    """
    from clapboard.dataset.prepare import prepare as run
    from clapboard.dataset.sheet import write_sheet

    try:
        rules = _rules(
            kind, min_seconds, {"--per-face": per_face, "--min-face-px": min_face_px, "--min-speech": min_speech}
        )
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
                segments=segments,
                classes=classes,
                class_names=class_names,
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
    if done.missing:
        complain(f"{done.missing} segments of {segments} have no file")
    if not quiet:
        for line in _in_words(done):
            print(shown(line))
    if not done.dataset.entries:
        complain(f"{out}: nothing could be kept; {_most_common(done)}")
        return EXIT_MEDIA
    return 0


def _rules(kind: Kind, min_seconds: float, of_faces: dict[str, float | bool | None]) -> "Rules | SceneRules":
    """What is kept, with the options of faces by their names; those that are not given are None."""
    from clapboard.dataset.extract import Rules
    from clapboard.dataset.scenes import SceneRules
    from clapboard.errors import UsageError

    given = {name: value for name, value in of_faces.items() if value is not None}
    if kind is Kind.SOUNDS:
        if given:
            makes = "makes" if len(given) == 1 else "make"
            raise UsageError(f"{' and '.join(given)} {makes} no sense with --kind sounds: no face is looked for")
        return SceneRules(min_seconds)
    faces: Literal["strict", "per-face"] = "per-face" if given.get("--per-face") else "strict"
    return Rules(faces, min_seconds, given.get("--min-face-px", 40.0), given.get("--min-speech", 0.15))


def _in_words(done: "Prepared") -> list[str]:
    """What the data set holds and what was not kept, line by line."""
    entries, dropped = done.dataset.entries, done.dataset.dropped
    minutes = sum(entry.frames for entry in entries) / done.dataset.picture_hz / 60
    what, groups = ("tracks", "groups of speakers") if done.dataset.kind == "faces" else ("shots", "recordings")
    lines = [
        f"{done.dataset.folder}: {len(entries)} {what} of {len({entry.file for entry in entries})} files, "
        f"{float(minutes):.1f} minutes, {len({entry.group for entry in entries})} {groups}, "
        f"{len({entry.corpus for entry in entries})} corpora; {done.fresh} files are new"
    ]
    if dropped:
        files = len({row.file for row in dropped} - {entry.file for entry in entries})
        lines.append(f"not kept: {len(dropped)} {what} or whole files; nothing of {files} files was kept")
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
