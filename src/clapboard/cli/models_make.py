"""``clapboard models calibrate``, ``export`` and ``import``: models from training runs, and from published weights."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clapboard.cli.common import QuietOption, guarded, progress
from clapboard.cli.progress import Progress
from clapboard.report.printable import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

OutOption = Annotated[
    Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the model goes; made where it is missing.")
]
NameOption = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="What the model is called; by default as its network.")
]
TorchOption = Annotated[
    bool, typer.Option("--with-torch", help="Write the weights for torch as well (safetensors): see from_pretrained.")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace a model that is there already.")]


@guarded
def export(
    *,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of clapboard train, the run finished.")],
    out: OutOption,
    name: NameOption = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration", metavar="FILE", help="JSON with bias and weights; by default what training found."
        ),
    ] = None,
    zero_ms: Annotated[float, typer.Option("--zero-ms", metavar="MS", help="Added to every offset.")] = 0.0,
    licence: Annotated[str, typer.Option("--licence", metavar="TEXT", help="The licence of the weights.")] = "",
    with_torch: TorchOption = False,
    int8: Annotated[
        list[Path] | None,
        typer.Option(
            "--int8", metavar="DATASET", help="Write NAME-int8 too, its ranges from these clips; may be given again."
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> int:
    """Export a finished training RUN as a model for clapboard check --model.

    The ONNX networks are compared with torch before anything gets its name.

    Exit code: 0 done, 2 a model of that name exists or files do not fit, 4 a file cannot be read or written, 5 torch is
    missing, the run is not finished, or its weights do not fit.
    """
    from clapboard.errors import UsageError
    from clapboard.training.anysound.recipe import is_sound_recipe
    from clapboard.training.foley.work import is_foley_recipe, is_samplernn_recipe
    from clapboard.training.publish import export_run

    if (run / "recipe.toml").is_file() and is_samplernn_recipe(run / "recipe.toml"):
        from clapboard.models.foley_spec import FoleySpec
        from clapboard.training.foley.samples_work import export_samples_run

        if calibration or with_torch or int8 or zero_ms:
            raise UsageError("--calibration, --zero-ms, --with-torch and --int8 are not for SampleRNN; leave them out")
        found = export_samples_run(run, out, name=name, licence=licence, overwrite=overwrite)
        if not quiet:
            print(shown(f"{found}: the same numbers as torch"))
            print(shown(f"  clapboard foley --variant {FoleySpec.read(found).variant} --model {found} FILE"))
        return 0
    if (run / "recipe.toml").is_file() and is_foley_recipe(run / "recipe.toml"):
        raise UsageError(f"{run}: what it learned was exported when it ended; docs/foley.md says how parts become one")
    if (run / "recipe.toml").is_file() and is_sound_recipe(run / "recipe.toml"):
        from clapboard.training.anysound.exporting import export_sound_run

        if calibration or with_torch or int8:
            raise UsageError("--calibration, --with-torch and --int8 are for models of lips; leave them out")
        found = export_sound_run(run, out, name=name, zero_ms=zero_ms, licence=licence, overwrite=overwrite)
        if not quiet:
            print(shown(f"{found}: the same numbers as torch"))
            print(shown(f"  clapboard check --any-sound --model {found} FILE"))
        return 0
    with progress("exporting", wanted=not quiet) as hook:
        made = export_run(
            run, out, name=name, calibration=calibration, zero_ms=zero_ms, licence=licence, with_torch=with_torch,
            int8=int8 or (), overwrite=overwrite, hook=hook,
        )  # fmt: skip
    if not quiet:
        _say(made)
    return 0


@guarded
def calibrate(
    *,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of clapboard train that held people out.")],
    data: Annotated[
        list[Path], typer.Option("--data", metavar="DATASET", help="Where these people are; may be repeated.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="JSON for clapboard models export.")],
    offsets: Annotated[
        Path | None, typer.Option("--offsets", metavar="CSV", help="Offsets of single clips, as for training.")
    ] = None,
    known: Annotated[
        Path | None, typer.Option("--known", metavar="CSV", help="Only clips whose offset stands here count.")
    ] = None,
    quiet: QuietOption = False,
) -> int:
    """Fit the probability of being right to the people that each RUN held out.

    Only for runs of lips: for a model of the same recipe that learned from everybody, and so has nobody left to be
    judged by.

    Exit code: 0 done, 2 the runs held nobody out or do not fit, 4 a file cannot be read or written, 5 torch is missing,
    or a run is not finished.
    """
    from clapboard.dataset.align import read_offsets
    from clapboard.errors import UsageError
    from clapboard.training.calibrating import calibrate_runs, write_calibration

    if out.exists():
        raise UsageError(f"{out} is there already; give another name with -o")

    progress_of_all = Progress(wanted=not quiet)

    def say(line: str) -> None:
        if not quiet:
            with progress_of_all.aside():
                print(shown(line) if "\n" not in line else line, flush=True)

    with progress_of_all.piece("calibrating") as hook:
        found = calibrate_runs(runs, data, offsets, read_offsets(known) if known else None, say, hook=hook)
    write_calibration(found, out)
    say(f"the calibration is in {out}")
    say(f"  clapboard models export RUN -o FOLDER --calibration {out}")
    return 0


@guarded
def import_(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The published checkpoint, syncnet_v2.model.")],
    out: OutOption,
    name: NameOption = None,
    with_torch: TorchOption = False,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> int:
    """Convert the published SyncNet checkpoint (syncnet_v2.model), which you bring, into a model.

    Only tensors are loaded: a file with code in it is refused. The model is not calibrated, so clapboard check measures
    with it but stays undecided. It sees whole faces: prepare data for it with --view face-224.

    Exit code: 0 done, 2 no such file, 4 the folder cannot be written, 5 torch is missing, or it is another file.
    """
    from clapboard.errors import MissingExtraError

    try:
        from clapboard.training.publish import import_published
    except MissingExtraError:
        raise MissingExtraError(
            "converting the checkpoint needs torch: pip install 'clapboard[train]'; "
            "the model that it becomes runs without"
        ) from None
    made = import_published(file, out, name=name, with_torch=with_torch, overwrite=overwrite)
    if not quiet:
        _say([made])
    return 0


def _say(made: "Sequence[Path]") -> None:
    """Print where each model is, and what to do with it."""
    from clapboard.models.spec import ModelSpec

    for path in made:
        about = ModelSpec.read(path).about
        if "int8" in about:
            said = "embeddings in 8 bits keep a cosine of " + _pair(about["int8"]["likeness"], ".4f")
        else:
            said = f"largest difference to torch {_pair(about['parity'], '.0e')} (bound {about['parity']['bound']:.0e})"
        print(shown(f"{path}: {said}"))
    print(shown(f"  clapboard check --model {made[0]} FILE"))


def _pair(found: dict[str, float], form: str) -> str:
    """Return a number of each stream."""
    return f"{found['picture']:{form}} (picture), {found['sound']:{form}} (sound)"
