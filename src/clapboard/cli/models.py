"""``clapboard models``: which models there are, what one is, and whether it is whole."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clapboard.cli.common import ThreadsOption, code_of, complain, guarded, output_console
from clapboard.errors import EXIT_IN_SYNC, EXIT_USAGE
from clapboard.report.printable import shown

if TYPE_CHECKING:
    from clapboard.models.any_spec import AnySoundSpec
    from clapboard.models.foley_spec import FoleySpec
    from clapboard.models.spec import ModelSpec

    SyncSpec = ModelSpec | AnySoundSpec
    AnySpec = SyncSpec | FoleySpec

models_app = typer.Typer(
    name="models",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
"""The sub-commands; others add theirs to it."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a model, each on its own line.")]


@models_app.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    """List, show and verify models: what clapboard check and fix measure with, and foley makes sound with."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(EXIT_USAGE)


@models_app.command("list")
@guarded
def list_(
    *,
    places: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PLACE", help="Folders with models, or their .json, to be listed as well."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """List the bundled models, and those in each PLACE.

    Exit code: 0 listed, 5 something in a PLACE is no model that can be used; it is told, the others are listed.
    """
    from clapboard.models.library import read_spec
    from clapboard.models.store import locate, names

    worst, found = EXIT_IN_SYNC, list[dict[str, Any]]()
    for path in [*(locate(name) for name in names()), *_descriptions(places or [])]:
        try:
            found.append(_record(path, read_spec(path)))
        except Exception as error:
            code, message = code_of(error, path)
            complain(message)
            worst = max(worst, code)
    if as_json:
        for one in found:
            print(json.dumps(one))
    else:
        _print_table(found)
    return worst


@models_app.command("show")
@guarded
def show(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A bundled name, or the path of a model's .json.")],
    as_json: JsonOption = False,
) -> int:
    """Show all that is known of a model: inputs, calibration, recipe, SHA-256.

    Exit code: 0 shown, 5 no such model, or not one that can be used.
    """
    from clapboard.models.library import read_spec
    from clapboard.models.store import locate

    path = locate(name)
    spec = read_spec(path)
    if as_json:
        print(json.dumps(_record(path, spec)))
    else:
        for line in _in_words(path, spec):
            print(shown(line))
    return EXIT_IN_SYNC


@models_app.command("verify")
@guarded
def verify(
    *,
    wanted: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME|PATH", help="Bundled names, or paths of models' .json; by default all that are bundled."
        ),
    ] = None,
    as_json: JsonOption = False,
    threads: ThreadsOption = 1,
) -> int:
    """Verify models: the SHA-256 of their weights, the shapes of their networks, and that these run.

    Exit code: 0 all are whole, 5 one is missing or not as it should be.
    """
    from clapboard.models import verify as checks
    from clapboard.models.library import load
    from clapboard.models.store import names

    worst = EXIT_IN_SYNC
    for name in wanted or names():
        code, problem = EXIT_IN_SYNC, ""
        try:
            model = load(name, threads=threads)
            checks.verify(model)
        except Exception as error:
            code, problem = code_of(error, Path(name))
            complain(problem)
        if as_json:
            print(json.dumps({"model": name, "whole": code == EXIT_IN_SYNC, "error": problem or None}), flush=True)
        elif not problem:
            takes, run = f"{_frame_in_words(model.spec)}; {_hears(model.spec)}", _count_in_words(model.spec)
            print(shown(f"{name}: whole: SHA-256 right, {run} ({takes})"), flush=True)
        worst = max(worst, code)
    return worst


def _descriptions(places: list[Path]) -> Iterator[Path]:
    """Descriptions of models in folders; other JSON that lies there is passed over, but a file that is named is not."""
    for place in places:
        if not os.path.isdir(place):  # Path.is_dir raises for names that no system could hold
            yield place
            continue
        for path in sorted(place.glob("*.json")):
            if any(path.with_suffix(f".{stream}.onnx").exists() for stream in ("picture", "sound", "encoder")):
                yield path


def _record(path: Path, spec: "AnySpec") -> dict[str, Any]:
    """Return all that is known of a model, ready for JSON."""
    from dataclasses import asdict

    from clapboard.models.any_spec import AnySoundSpec
    from clapboard.models.description import ANY_SOUND, FOLEY, LIPS
    from clapboard.models.foley_spec import FoleySpec
    from clapboard.models.store import BUNDLED, fingerprint

    weights = [path.parent / file["name"] for file in spec.files.values()]
    there = all(file.is_file() for file in weights)
    return {
        **asdict(spec),
        "kind": FOLEY if isinstance(spec, FoleySpec) else ANY_SOUND if isinstance(spec, AnySoundSpec) else LIPS,
        "bundled": path.parent == BUNDLED,
        "path": str(path),
        "size_bytes": sum(file.stat().st_size for file in weights) if there else None,
        "sha256": fingerprint(spec),
        "licence": str(spec.about.get("licence", "")) or None,
    }


def _print_table(found: list[dict[str, Any]]) -> None:
    """Print one line a model."""
    from rich.table import Table

    from clapboard.models.description import FOLEY

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("name", "size", "view", "sound", "licence", "calibrated", "where"):
        table.add_column(name, justify="right" if name == "size" else "left", no_wrap=name != "where")
    for one in found:
        size = "missing" if one["size_bytes"] is None else f"{one['size_bytes'] / 1e6:.1f} MB"
        calibrated = "-" if one["kind"] == FOLEY else "yes" if one["calibration"] else "no"
        where = "bundled" if one["bundled"] else one["path"]
        sees = one.get("view") or one["scene"]
        hears = "made" if one["kind"] == FOLEY else one["sound"]
        cells = (one["name"], size, sees, hears, one["licence"] or "not stated", calibrated, where)
        table.add_row(*map(shown, cells))
    output_console().print(table)


def _frame_in_words(spec: "AnySpec") -> str:
    """Return what the picture network takes: ``mouth-64: 64 x 64 px, gray``."""
    from clapboard.models.spec import ModelSpec
    from clapboard.vision.scenes import SCENES
    from clapboard.vision.views import VIEWS

    seen = VIEWS[spec.view] if isinstance(spec, ModelSpec) else SCENES[spec.scene]
    return f"{seen.name}: {seen.px} x {seen.px} px, {'colour' if seen.colour else 'gray'}"


def _hears(spec: "AnySpec") -> str:
    """Return which sound a model takes or makes: ``log-mel-40``."""
    from clapboard.models.foley_spec import FoleySpec

    return f"makes sound by {spec.method}" if isinstance(spec, FoleySpec) else spec.sound


def _count_in_words(spec: "AnySpec") -> str:
    """Return which of its networks run: ``both networks run``."""
    from clapboard.models.foley_spec import FoleySpec

    return f"{', '.join(spec.files)} run" if isinstance(spec, FoleySpec) else "both networks run"


def _sync_lines(spec: "SyncSpec") -> list[tuple[str, str]]:
    """Return what a model that measures offsets takes and gives."""
    from clapboard.sound.kinds import KINDS
    from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, SAMPLE_RATE_HZ

    kind = KINDS[spec.sound]
    span_s = (spec.window_rows - 1) / FEATURE_HZ + kind.row_samples / SAMPLE_RATE_HZ
    return [
        ("sees", f"{_frame_in_words(spec)}; {spec.window_frames} frames, {spec.window_frames / PICTURE_HZ:g} s"),
        ("hears", f"{spec.sound}: {kind.features} numbers every 10 ms; {spec.window_rows} rows, {span_s:.4g} s"),
        ("gives", f"{spec.embedding} numbers for each{_places(spec)}"),
        ("zero", f"{spec.zero_ms:+g} ms are added to every offset"),
    ]


def _foley_lines(spec: "FoleySpec") -> list[tuple[str, str]]:
    """Return what a model that makes sound takes and gives."""
    from clapboard.timebase import PICTURE_HZ

    span = f"{spec.margin_frames} frames, {spec.margin_frames / PICTURE_HZ:g} s, before and after each"
    lines = [("sees", f"{_frame_in_words(spec)}; {span}"), ("method", spec.method)]
    if spec.materials:
        lines.append(("materials", ", ".join(spec.materials)))
        lines.append(("onsets", f"peaks of their probability from {spec.onset_threshold:g} on"))
    if spec.texture is not None:
        lines.append(("textures", f"{spec.texture.steps} steps, guidance {spec.texture.guidance:g}"))
    if spec.encoder is not None:
        lines.append(("encoder", f"{spec.encoder.kind}; {spec.encoder.features} numbers"))
    return [*lines, ("zero", f"{spec.zero_ms:+g} ms are added to every onset")]


def _in_words(path: Path, spec: "AnySpec") -> Iterator[str]:
    """Return a model line by line: name, then ``what  value``."""
    from clapboard.models.description import TAKEN_BY
    from clapboard.models.foley_spec import FoleySpec

    one = _record(path, spec)
    yield f"{spec.name}{', bundled with Clapboard' if one['bundled'] else ''}"
    *takes, zero = _foley_lines(spec) if isinstance(spec, FoleySpec) else _sync_lines(spec)
    lines = [
        ("description", one["path"]),
        ("licence", one["licence"] or "not stated"),
        *takes,
        ("is", TAKEN_BY[one["kind"]]),
        zero,
        ("sha256", f"{one['sha256']} (over those of the networks, as in reports)"),
    ]
    for stream, file in spec.files.items():
        weights = path.parent / file["name"]
        size = f"{weights.stat().st_size / 1e6:.2f} MB" if weights.is_file() else "missing"
        lines.append((stream, f"{file['name']}, {size}, sha256 {file['sha256']}"))
    if not isinstance(spec, FoleySpec):
        lines += _calibration_lines(spec)
    yield from (f"  {name:<13}{value}" for name, value in lines)
    for key, value in spec.about.items():
        if isinstance(value, dict):
            yield f"  {key}"
            yield from (f"    {inner}: {leaf}" for inner, leaf in _leaves(value))
        elif isinstance(value, str) and "\n" in value:  # a recipe as it was given
            yield f"  {key}"
            yield from (f"    {line}" for line in value.splitlines() if line.strip())
        elif key != "licence":
            yield f"  {key:<13}{value if isinstance(value, str) else json.dumps(value)}"


def _calibration_lines(spec: "SyncSpec") -> list[tuple[str, str]]:
    """Return how sure a model that measures offsets can be."""
    from clapboard.models.any_spec import AnySoundSpec

    if spec.calibration is None:
        return [("calibration", "none: it measures, but its answers are always undecided")]
    terms = ", ".join(f"{weight:+.4g} {term}" for term, weight in spec.calibration.weights.items())
    lines = [("calibration", f"log odds of being right within 40 ms: {spec.calibration.bias:+.4g}, {terms}")]
    told = spec.calibration.synchronisable if isinstance(spec, AnySoundSpec) else None
    if told is not None:
        terms = ", ".join(f"{weight:+.4g} {term}" for term, weight in told.weights.items())
        lines.append(("can be told", f"log odds that a file can be told at all: {told.bias:+.4g}, {terms}"))
    return lines


def _places(spec: "SyncSpec") -> str:
    """Return what else the picture network gives: where it looks."""
    from clapboard.models.spec import ModelSpec

    return "" if isinstance(spec, ModelSpec) else f"; attention to {spec.places[0]} x {spec.places[1]} places"


def _leaves(table: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Return what a nested table holds, each value under its dotted name."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value if isinstance(value, str) else json.dumps(value)
