"""``clapboard train``: from a recipe and prepared data sets to a model that `check` can use."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from clapboard.cli.common import EXIT_INTERRUPTED, EXIT_SIGNAL, QuietOption, ThreadsOption, complain, guarded
from clapboard.cli.process import Stopped
from clapboard.cli.progress import Progress
from clapboard.errors import EXIT_USAGE

DataOption = Annotated[
    list[Path], typer.Option("--data", metavar="DATASET", help="Folder made by clapboard prepare; may be given again.")
]
OffsetsOption = Annotated[
    Path | None,
    typer.Option("--offsets", metavar="CSV", help="Offsets of single clips: columns file, offset_ms, usable."),
]
DeviceOption = Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu or cuda.")]
WorkersOption = Annotated[
    int, typer.Option("--workers", metavar="N", min=0, max=64, help="Processes that draw batches ahead.")
]
ChangeOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe, as --set optimiser.name=sgd."),
]


def changes_of(settings: list[str] | None) -> dict[str, str] | None:
    """Return the changes by key; None, after a line on stderr, where one is not KEY=VALUE."""
    found = {}
    for setting in settings or []:
        key, sign, value = setting.partition("=")
        if not (key and sign):
            complain(f"--set takes KEY=VALUE, not {setting!r}")
            return None
        found[key.strip()] = value.strip()
    return found


def ended(stop: KeyboardInterrupt, out: Path) -> int:
    """Say what an interrupted command leaves in ``out``; return the exit code."""
    if any(out.glob("last.pt")) or any(out.glob("fold-*/last.pt")):
        complain(f"interrupted; the same command again goes on from the last checkpoint in {out}")
    else:
        complain("interrupted before the first checkpoint; the same command again begins anew")
    return EXIT_SIGNAL + stop.number if isinstance(stop, Stopped) else EXIT_INTERRUPTED


@guarded
def train(
    *,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML file; see recipes/ and docs/training.md.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="For checkpoints, curves and the model.")],
    offsets: OffsetsOption = None,
    begin_from: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="RUN|MODEL", help="Begin with its weights: a run, or a model with weights for torch."
        ),
    ] = None,
    settings: ChangeOption = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = 0,
    threads: ThreadsOption = 1,
    quiet: QuietOption = False,
) -> int:
    """Train a model by a RECIPE on prepared data, and export it for clapboard check or clapboard foley --model.

    A run that was stopped goes on where it was when the same command is given again, and ends with the same weights.
    Several processes: torchrun --nproc-per-node N -m clapboard train ...; the recipe's batch is that of each process.
    Exit code: 0 done, 2 the recipe or the data do not fit, 4 a file cannot be read, 5 torch is missing.
    """
    changes = changes_of(settings)
    if changes is None:
        return EXIT_USAGE
    from clapboard.training.anysound.recipe import is_sound_recipe
    from clapboard.training.foley.work import is_foley_recipe

    progress, model = Progress(wanted=not quiet), None

    def say(line: str) -> None:
        if not quiet:
            with progress.aside():
                print(line, flush=True)

    sounds, foley = is_sound_recipe(recipe), is_foley_recipe(recipe)
    if (sounds or foley) and (offsets or workers):
        complain("--offsets and --workers are for the recipes of lips; leave them out")
        return EXIT_USAGE
    if foley and begin_from:
        complain("--from is not for recipes that make sound; leave it out")
        return EXIT_USAGE
    try:
        with progress.piece("train") as hook:
            if foley:
                from clapboard.training.foley.work import trainer_of

                learn = trainer_of(recipe)
                model = learn(recipe, data, out, changes=changes, device=device, threads=threads, say=say, hook=hook)
            elif sounds:
                from clapboard.training.anysound.work import train_sounds

                model = train_sounds(
                    recipe,
                    data,
                    out,
                    changes=changes,
                    device=device,
                    threads=threads,
                    begin_from=begin_from,
                    say=say,
                    hook=hook,
                )
            else:
                from clapboard.training.work import train as work

                model = work(
                    recipe,
                    data,
                    out,
                    offsets=offsets,
                    changes=changes,
                    device=device,
                    workers=workers,
                    threads=threads,
                    begin_from=begin_from,
                    say=say,
                    hook=hook,
                )
    except KeyboardInterrupt as stop:
        return ended(stop, out)
    if model and not quiet and foley:
        print(f"what was learned is {model}")
    elif model and not quiet and sounds:
        print(f"the model is {model}\n  clapboard check --any-sound --model {model} FILE")
    elif model and not quiet:
        print(f"the model is {model}\n  clapboard evaluate {model} DATASET\n  clapboard check --model {model} FILE")
    elif sounds and not quiet:
        print(f"the weights are {out / 'weights.pt'}\n  python benchmarks/attention.py --help")
    sys.stdout.flush()
    return 0
