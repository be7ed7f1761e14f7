"""``clapboard features``: write the embeddings of faces and sound, for reading lips and other work."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clapboard.cli.common import (
    AudioTrackOption,
    ModelOption,
    QuietOption,
    ThreadsOption,
    code_of,
    complain,
    guarded,
)
from clapboard.cli.progress import Hook, of_files
from clapboard.errors import EXIT_IN_SYNC, MediaError, UsageError
from clapboard.models import DEFAULT_MODEL
from clapboard.report.printable import shown

if TYPE_CHECKING:
    from clapboard.embeddings import FileEmbeddings

SUFFIX = ".npz"


@guarded
def features(
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Videos; after -- names may begin with a dash.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="OUT",
            help="What to write: NAME.npz for one FILE, else a folder, in which each gets FILE.npz.",
        ),
    ],
    model: ModelOption = DEFAULT_MODEL,
    sound_hz: Annotated[
        int, typer.Option("--sound-hz", metavar="25|100", help="Embeddings of the sound per second.")
    ] = 25,
    audio_track: AudioTrackOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what exists.")] = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = 1,
) -> int:
    """Write the embeddings of every face and of the sound of each FILE, with their times.

    NumPy reads them with load(OUT). A file without a face or without sound is written too, with what there is; whether
    it is in sync is told, and does not matter. One file that cannot be read does not stop the others.

    Exit code: 0 all written, 2 OUT exists already or makes no sense, 4 a file cannot be read or written, 5 no such
    model; for several files the highest.
    """
    if sound_hz not in (25, 100):  # SOUND_HZ of embeddings.py, which loads numpy: help does without it
        raise UsageError(f"--sound-hz must be 25 or 100, not {sound_hz}")
    worst, progress = EXIT_IN_SYNC, of_files(files, wanted=not quiet)
    for path, target in _targets(files, out):
        with progress.piece(path.name) as hook:
            code, line = _write_one(
                path,
                target,
                model=model,
                sound_hz=sound_hz,
                audio_track=audio_track,
                overwrite=overwrite,
                threads=threads,
                hook=hook,
            )
        if code:
            complain(line)
        elif not quiet:
            print(shown(line), flush=True)
        worst = max(worst, code)
    return worst


def _targets(files: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Return what is written for each file; a folder that is asked for is made."""
    if len(files) == 1 and not out.is_dir():
        if out.suffix.lower() != SUFFIX:
            raise UsageError(f"{out}: is neither a folder nor a name that ends in {SUFFIX}; give one of them to -o")
        return [(files[0], out)]
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file, but there are {len(files)} to write; give a folder to -o")
    if not out.exists() and out.suffix.lower() == SUFFIX:
        raise UsageError(f"{out}: one file cannot hold the embeddings of {len(files)}; give a folder to -o")
    twice = [name for name, count in Counter(path.name for path in files).items() if count > 1]
    if twice:
        raise UsageError(f"{out}: {twice[0]}{SUFFIX} would be written twice; give files of one name apart")
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise MediaError(f"{out}: the folder cannot be made ({error.strerror}); give another -o") from error
    targets = [(path, out / f"{path.name}{SUFFIX}") for path in files]
    inputs = {path.resolve() for path in files}
    for _, target in targets:
        if target.resolve() in inputs:
            raise UsageError(f"{target}: is an input, which is never overwritten; give another -o")
    return targets


def _write_one(
    path: Path,
    target: Path,
    *,
    model: str,
    sound_hz: int,
    audio_track: int | None,
    overwrite: bool,
    threads: int,
    hook: Hook | None,
) -> tuple[int, str]:
    """Write the embeddings of one file; return its exit code and what to say."""
    try:
        from clapboard import embeddings
        from clapboard.files import require_writable
        from clapboard.media.source import require_file

        require_file(path)
        require_writable(target, path, overwrite)  # nobody waits for what could not be kept
        found = embeddings.features(
            path, sound_hz=sound_hz, audio_track=audio_track, model=model, threads=threads, hook=hook
        )
        embeddings.save(found, target, overwrite=overwrite)
        return EXIT_IN_SYNC, f"{target}: {_in_words(found)}"
    except Exception as error:
        return code_of(error, path)


def _in_words(found: "FileEmbeddings") -> str:
    """Return what was written, and the offset that has to be reckoned with."""
    from clapboard.report.wording import sentence

    faces, windows = len(found.faces), sum(len(face.picture.values) for face in found.faces)
    of = f"{faces or 'no'} face{'' if faces == 1 else 's'}"
    return f"{of}, {windows} windows of picture, {len(found.sound.values)} of sound; {sentence(found.report)}"
