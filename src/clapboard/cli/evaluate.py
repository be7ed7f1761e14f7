"""``clapboard evaluate``: the tables of the field for a model on data sets whose offsets are known."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clapboard.cli.common import QuietOption, ThreadsOption, guarded, progress
from clapboard.errors import EXIT_IN_SYNC, MediaError, UsageError
from clapboard.report.printable import shown

if TYPE_CHECKING:
    from clapboard.evaluation.embedder import Candidate


@guarded
def evaluate(
    *,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A bundled name or the .json of a model; several joined by + are judged as the mean of their "
            "similarities.",
        ),
    ],
    datasets: Annotated[list[Path], typer.Argument(metavar="DATASET", help="Folders made by clapboard prepare.")],
    offsets: Annotated[
        Path | None,
        typer.Option(
            "--offsets",
            metavar="CSV",
            help="True offsets: columns file, offset_ms, usable; rows whose usable is yes count. By default the labels "
            "of the data set, and 0 where it has none.",
        ),
    ] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write every number, and every single answer.")
    ] = None,
    as_html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page with plots that needs nothing else.")
    ] = None,
    max_offset_ms: Annotated[
        float,
        typer.Option("--max-offset-ms", metavar="MS", min=400, max=1500, help="How far to search, both ways."),
    ] = 1000.0,
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", metavar="N", min=1, max=100_000, help="Resamples behind the intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, max=2**31 - 1, help="What chance decides.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what exists.")] = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = 1,
) -> int:
    """Judge MODEL on every DATASET: accuracy by frames seen, errors in ms, confidence, calibration, controls.

    People the model has learned from tell nothing: give it others. What each number means stands in docs/evaluation.md.

    Exit code: 0 done, 2 usage, 4 a data set or table cannot be read or a file not written, 5 no such model.
    """
    targets = [path for path in (as_json, as_html) if path is not None]
    _require_new(targets, [path for path in (offsets, Path(model)) if path is not None], overwrite)
    from clapboard.dataset.store import Dataset
    from clapboard.evaluation.evaluate import evaluate as run
    from clapboard.evaluation.measure import Settings
    from clapboard.evaluation.tracks import read_references

    opened = [Dataset.open(folder) for folder in datasets]
    references_ms = None if offsets is None else read_references(offsets)
    candidates = _candidates(model, threads)
    with progress("evaluating", wanted=not quiet) as hook:
        settings = Settings(max_offset_ms=max_offset_ms, seed=seed)
        record = run(candidates, opened, references_ms, settings, number=bootstrap, hook=hook)
    if as_json is not None:
        _write(as_json, lambda: json.dumps(record, allow_nan=False) + "\n", overwrite)
    if as_html is not None:
        from clapboard.report.evaluation_page import page

        _write(as_html, lambda: page(record), overwrite)
    if not quiet:
        _print(record)
    return EXIT_IN_SYNC


def _print(record: Mapping[str, Any]) -> None:
    """Print the tables."""
    from clapboard.report.evaluation_text import lines

    for line in lines(record):
        print(line)


def _candidates(model: str, threads: int) -> "list[Candidate]":
    """Load a model, or several joined by a plus; a file whose name holds a plus is one model."""
    from clapboard.evaluation.embedder import Candidate
    from clapboard.models.session import load_model

    names = [model] if Path(model).is_file() else model.split("+")
    if not all(names):
        raise UsageError(f"{model}: names no model on one side of the +")
    return [Candidate.of(load_model(name, threads=threads)) for name in names]


def _require_new(targets: Sequence[Path], inputs: Sequence[Path], overwrite: bool) -> None:
    """See that the files can be written, before anybody waits for what could not be kept."""
    if len({target.absolute() for target in targets}) < len(targets):
        raise UsageError(f"{targets[0]}: --json and --html need a file each")
    for target in targets:
        if not target.parent.is_dir():
            raise UsageError(f"{target}: there is no folder {target.parent}; make it first")
        if target.is_dir():
            raise UsageError(f"{target}: is a directory; give the name of a file")
        if target.exists() and any(path.exists() and target.samefile(path) for path in inputs):
            raise UsageError(f"{target}: is an input, which is never overwritten; give another name")
        if (target.exists() or target.is_symlink()) and not overwrite:
            raise UsageError(f"{target}: exists already; give --overwrite or another name")


def _write(target: Path, made: Callable[[], str], overwrite: bool) -> None:
    """Write a text so that the file is there whole or not at all."""
    from clapboard.files import candidate_beside, put_in_place

    with candidate_beside(target) as candidate:
        try:
            candidate.write_text(made(), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise MediaError(f"{shown(str(target))}: cannot be written ({error.strerror or error})") from error
        put_in_place(candidate, target, overwrite)
