"""``clapboard refine``: the second round of training: find clips with wrong sound, and the offsets of the others."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from clapboard.cli.common import QuietOption, ThreadsOption, guarded
from clapboard.cli.progress import Progress
from clapboard.cli.train import ChangeOption, DataOption, DeviceOption, OffsetsOption, WorkersOption, changes_of, ended
from clapboard.errors import EXIT_USAGE


@guarded
def refine(
    *,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="What the networks that measure are trained by.")],
    data: DataOption,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FOLDER", help="For offsets.csv, and the folds' networks.")
    ],
    offsets: OffsetsOption = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME|JSON", help="Measure with this model; train none. It decides the zero."),
    ] = None,
    folds: Annotated[
        int, typer.Option("--folds", metavar="N", min=2, max=20, help="Networks, each without a part.")
    ] = 2,
    paper: Annotated[
        bool, typer.Option("--paper", help="Only drop what is too distant at its label, as the paper does.")
    ] = False,
    reach_ms: Annotated[
        float,
        typer.Option("--reach-ms", metavar="MS", min=100, max=2000, help="How far a clip is searched, both ways."),
    ] = 400.0,
    farthest_ms: Annotated[
        float, typer.Option("--farthest-ms", metavar="MS", min=20, max=2000, help="Clips farther off are dropped.")
    ] = 300.0,
    drop_above: Annotated[
        float,
        typer.Option("--drop-above", metavar="P", min=0.01, max=0.99, help="Drop likelier wrong sounds than this."),
    ] = 0.5,
    settings: ChangeOption = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = 0,
    threads: ThreadsOption = 1,
    quiet: QuietOption = False,
) -> int:
    """Measure every clip of a data set by networks that did not learn from it; drop what does not match, move the rest.

    Only for recipes of lips. Prints what was dropped and moved with histograms, and writes a table for clapboard train
    --offsets. Stopped runs go on when the same command is given again. Exit code: 0 done, 2 usage, 4 a file cannot be
    read, 5 torch is missing.
    """
    changes = changes_of(settings)
    if changes is None:
        return EXIT_USAGE
    from clapboard.training.rounds import refine as work

    progress = Progress(wanted=not quiet)

    def say(line: str) -> None:
        if not quiet:
            with progress.aside():
                print(line, flush=True)

    try:
        with progress.piece("refine") as hook:
            made, _ = work(
                recipe,
                data,
                out,
                offsets=offsets,
                model=model,
                count=folds,
                rule="paper" if paper else "offset",
                zero="model" if model else "corpus",
                reach_ms=reach_ms,
                drop_above=drop_above,
                farthest_ms=farthest_ms,
                changes=changes,
                device=device,
                workers=workers,
                threads=threads,
                say=say,
                hook=hook,
            )
    except KeyboardInterrupt as stop:
        return ended(stop, out)
    if not quiet:
        print(f"\nthe offsets are in {made}\n  clapboard train {recipe} --offsets {made} ...")
    sys.stdout.flush()
    return 0
