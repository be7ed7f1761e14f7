"""``clapboard export-syncnet``: write the files that scripts around the published SyncNet pipeline read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clapboard.cli.common import AudioTrackOption, ModelOption, QuietOption, ThreadsOption, code_of, complain, guarded
from clapboard.cli.progress import of_files
from clapboard.errors import EXIT_IN_SYNC
from clapboard.models import DEFAULT_MODEL
from clapboard.report.printable import shown

if TYPE_CHECKING:
    from clapboard.syncnet_files.export import Exported


@guarded
def export_syncnet(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A video; after -- its name may begin with a dash.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write, with pycrop and pywork in it.")
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", metavar="NAME", help="Write pycrop/NAME and pywork/NAME: several files in one DIR."
        ),
    ] = None,
    min_track: Annotated[
        int,
        typer.Option(
            "--min-track",
            metavar="N",
            min=0,
            help="Keep faces seen in more than N frames of 40 ms; the published pipeline: 100.",
        ),
    ] = 0,
    model: ModelOption = DEFAULT_MODEL,
    audio_track: AudioTrackOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier export; other files in DIR stay.")
    ] = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = 1,
) -> int:
    """Write what the published SyncNet pipeline leaves of a FILE, for scripts that read it.

    DIR/pycrop gets a film of every face, 224 x 224 px with its sound; DIR/pywork gets faces.pckl, scene.pckl,
    tracks.pckl and activesd.pckl, which need numpy alone, and offsets.txt. The distances are those of the model: for
    the published ones import its weights (models import) and name them with --model.

    Exit code: 0 all written, 2 DIR is not empty or makes no sense, 4 FILE cannot be read or nothing written, 5 no such
    model.
    """
    with of_files([file], wanted=not quiet).piece(file.name) as hook:
        try:
            from clapboard.media.source import require_file
            from clapboard.syncnet_files import export

            require_file(file)
            found = export.export_syncnet(
                file,
                out,
                reference=reference,
                min_track=min_track,
                overwrite=overwrite,
                audio_track=audio_track,
                model=model,
                hook=hook,
                threads=threads,
            )
        except Exception as error:
            code, line = code_of(error, file)
        else:
            code, line = EXIT_IN_SYNC, ""
    if code:
        complain(line)
    elif not quiet:
        print(shown(_in_words(found)), flush=True)
    return code


def _in_words(found: "Exported") -> str:
    """Return what was written, and what is said of the whole file."""
    from clapboard.report.wording import sentence

    count = len(found.rows)
    films = f"{count or 'no'} face track{'' if count == 1 else 's'}"
    return f"{found.work.parent if found.work.name == 'pywork' else found.work}: {films}; {sentence(found.report)}"
