"""``clapboard score``: LSE-D and LSE-C of files, the numbers by which lip-sync generators are scored."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clapboard.cli.common import (
    AudioTrackOption,
    QuietOption,
    ThreadsOption,
    code_of,
    complain,
    guarded,
)
from clapboard.cli.progress import Hook, of_files
from clapboard.errors import EXIT_IN_SYNC, MediaError, UsageError
from clapboard.report.printable import shown

if TYPE_CHECKING:
    from clapboard.dataset.sources import Place
    from clapboard.metrics.lse import Mean
    from clapboard.scoring import Score, Summary
    from clapboard.values import Model

SCHEMA = 1
"""Goes up when a name in the JSON changes its meaning."""


@guarded
def score(
    *,
    inputs: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER", help="Videos, and folders of them.")],
    reference: Annotated[
        Path | None,
        typer.Option("--reference", metavar="FOLDER", help="The originals, under the same names: scored as well."),
    ] = None,
    mode: Annotated[
        str, typer.Option("--mode", metavar="MODE", help="better, or compatible with published numbers.")
    ] = "better",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|PATH",
            help="For better any model, by default the bundled one; for compatible the .json that clapboard models "
            "import makes of syncnet_v2.model.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one line a file.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="Write there instead, as .json or .csv; the text is printed."),
    ] = None,
    resamples: Annotated[
        int, typer.Option("--resamples", metavar="N", min=1, max=100_000, help="Resamples behind the intervals.")
    ] = 1000,
    audio_track: AudioTrackOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT when it exists.")] = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = 1,
) -> int:
    """Score how well lips and sound of each FILE fit, by LSE-D and LSE-C, and their means over all files.

    One row a file; one without face or sound has a row without numbers that says why. The numbers of the two modes, or
    of two models, cannot be compared: docs/score.md.

    Exit code: 0 all files have numbers, 2 usage, 3 one has no face, 4 one cannot be read or has no sound, 5 no such
    model, or not the one that the mode needs; for several files the highest.
    """
    kind = _kind(out, as_json=as_json, as_csv=as_csv)
    chosen = _places(inputs)
    partners = _partners(chosen, reference)
    files = list(dict.fromkeys([place.path for place in chosen] + [path for path in partners if path is not None]))
    if out is not None:
        _require_new(out, files, overwrite)
    from clapboard import scoring

    used, opened = scoring.mode_of(mode), scoring.scorer(mode, model, threads)
    found: dict[Path, Score] = {}
    progress = of_files(files, wanted=not quiet)
    for path in files:
        with progress.piece(path.name) as hook:
            found[path] = _score_one(path, mode=used, model=opened, audio_track=audio_track, threads=threads, hook=hook)
        if found[path].status == "not_scored":
            complain(f"{path}: {'; '.join(found[path].reasons)}")
    rows = [found[place.path] for place in chosen]
    originals = None if reference is None else [None if path is None else found[path] for path in partners]
    record = _record(used, opened.model, rows, originals, resamples)
    _give(record, kind, out, overwrite=overwrite, quiet=quiet)
    return max((row.exit_code for row in found.values()), default=EXIT_IN_SYNC)


def _kind(out: Path | None, *, as_json: bool, as_csv: bool) -> str:
    """What is printed, or written where OUT is given."""
    if as_json and as_csv:
        raise UsageError("--json and --csv cannot both be printed; give one of them")
    if out is None:
        return "json" if as_json else "csv" if as_csv else "text"
    ending = out.suffix.lower()
    kind = "json" if as_json else "csv" if as_csv else ending.removeprefix(".")
    if kind not in ("json", "csv"):
        raise UsageError(f"{out}: name it .json or .csv, or give --json or --csv")
    return kind


def _places(inputs: Sequence[Path]) -> "list[Place]":
    """The files to be scored, each once, by name."""
    from clapboard.dataset.sources import places

    found = {place.path: place for place in places(inputs)}
    if not found:
        raise UsageError(f"{inputs[0]}: holds no video; give a folder that does, or files")
    return sorted(found.values(), key=lambda place: str(place.path))


def _partners(chosen: "Sequence[Place]", reference: Path | None) -> list[Path | None]:
    """The original of each file: of the same path below the folder, else of the same name but for its ending."""
    if reference is None:
        return [None] * len(chosen)
    if not reference.is_dir():
        raise UsageError(f"{reference}: is no folder; give the one that holds the originals")
    from clapboard.dataset.sources import places

    by_name = {place.inner: place.path for place in places([reference])}
    by_stem: dict[Any, list[Path]] = {}
    for inner, path in by_name.items():
        by_stem.setdefault(inner.with_suffix(""), []).append(path)
    found: list[Path | None] = []
    for place in chosen:
        alike = by_stem.get(place.inner.with_suffix(""), [])
        found.append(by_name.get(place.inner) or (alike[0] if len(alike) == 1 else None))
    missing = [place for place, path in zip(chosen, found, strict=True) if path is None]
    if len(missing) == len(chosen):
        raise UsageError(f"{reference}: holds no original of {chosen[0].inner}; they must bear the same names")
    for place in missing:
        complain(f"{place.path}: has no original of that name in {reference}; it is scored alone")
    return found


def _require_new(target: Path, inputs: Sequence[Path], overwrite: bool) -> None:
    """See that OUT can be written, before anybody waits for what could not be kept."""
    from clapboard.files import require_writable

    for path in inputs:
        require_writable(target, path, overwrite)


def _score_one(path: Path, *, hook: Hook | None, **options: Any) -> "Score":
    """One file's row; what nobody foresaw ends one file, not all."""
    from clapboard import scoring

    try:
        return scoring.score_or_reason(path, hook=hook, **options)
    except Exception as error:
        code, message = code_of(error, path)
        return scoring.without(str(path), message.removeprefix(f"{path}: "), code)


def _record(
    mode: str, model: "Model", rows: "list[Score]", originals: "list[Score | None] | None", resamples: int
) -> dict[str, Any]:
    """Everything that is known, as plain values; numbers that are not are NaN."""
    from dataclasses import asdict

    from clapboard import __version__, scoring
    from clapboard.report.score import notes

    nan, apart = float("nan"), None
    files = [asdict(row) for row in rows]
    whole = {**_summary(scoring.summary(rows, resamples)), "reference": None, "difference": None}
    if originals is not None:
        for row, original in zip(files, originals, strict=True):
            row["reference"] = None if original is None else asdict(original)
            both = original is not None and row["status"] != "not_scored" and original.status != "not_scored"
            told = {name: row[name] - getattr(original, name) if both else nan for name in ("lse_d", "lse_c")}
            row["difference"] = told if both else None
        known = {original.file: original for original in originals if original is not None}
        apart = scoring.difference(rows, originals, resamples)
        whole["reference"] = _summary(scoring.summary(list(known.values()), resamples))
        pairs = len(scoring.pairs(rows, originals))
        whole["difference"] = {"pairs": pairs, **{name: _mean(mean) for name, mean in apart.items()}}
    return {
        "schema": SCHEMA,
        "mode": mode,
        "model": {"name": model.name, "sha256": model.sha256},
        "clapboard": __version__,
        "resamples": resamples,
        "files": files,
        "summary": whole,
        "notes": notes(mode, model.name, apart),
    }


def _summary(of: "Summary") -> dict[str, Any]:
    """How many, and the means."""
    counts = {name: getattr(of, name) for name in ("files", "scored", "undecided", "not_scored")}
    return {**counts, "lse_d": _mean(of.lse_d), "lse_c": _mean(of.lse_c)}


def _mean(of: "Mean") -> dict[str, float]:
    """A mean by names, which JSON keeps."""
    return of._asdict()


def _give(record: dict[str, Any], kind: str, out: Path | None, *, overwrite: bool, quiet: bool) -> None:
    """Print the record, or write it and print the text."""
    from clapboard.report import score as forms

    made = {"json": forms.to_json, "csv": forms.to_csv}.get(kind)
    if out is not None and made is not None:
        _write(out, made(record), overwrite)
    if quiet:
        return
    if out is None and made is not None:
        sys.stdout.write(made(record))
        if kind == "csv":  # the table has no place for the means
            with contextlib.suppress(OSError):
                print("\n".join(forms.summary_lines(record)), file=sys.stderr)
    else:
        for line in forms.lines(record):
            print(line)
    sys.stdout.flush()


def _write(target: Path, made: str, overwrite: bool) -> None:
    """Write a text so that the file is there whole or not at all."""
    from clapboard.files import candidate_beside, put_in_place

    with candidate_beside(target) as candidate:
        try:
            candidate.write_text(made, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise MediaError(f"{shown(str(target))}: cannot be written ({error.strerror or error})") from error
        put_in_place(candidate, target, overwrite)
