"""``clapboard foley``: write a copy of a silent video with a sound that goes with what is seen."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clapboard.cli.common import QuietOption, ThreadsOption, about_file, code_of, complain, guarded, progress
from clapboard.errors import EXIT_IN_SYNC
from clapboard.models import DEFAULT_ANY_SOUND, DEFAULT_FOLEY
from clapboard.report.plain import counted, file_names, number, text
from clapboard.report.printable import shown

if TYPE_CHECKING:
    from clapboard.dubbing import FoleyReport

SCHEMA = 1
OTHERWISE = ".mkv"
"""What is written where the container of the input cannot be."""
BUNDLED = (DEFAULT_FOLEY, "foley-frame", "foley-seq", "foley-flow")
_OF_A_RESULT = (
    *("sentence", "out", "variant", "model", "rendered_only", "seed", "duration_s"),
    *("blows", "shots", "candidates", "chosen", "judged", "offset_ms"),
)
"""Keys of the JSON that are null where nothing was written."""
RENDERED_ONLY = "learned from rendered pictures alone; what it makes of real ones is a guess"


@guarded
def foley(
    *,
    file: Annotated[Path, typer.Argument(metavar="SILENT", help="The video; it is never changed.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="What to write; by default NAME.foley.EXT beside the input."),
    ] = None,
    variant: Annotated[
        str,
        typer.Option(
            "--variant",
            metavar="NAME",
            help="How the sound is made: fast lays blows and draws textures by what is seen; frame, seq and flow write "
            "it sample by sample with a SampleRNN, by its encoder of the picture.",
        ),
    ] = "fast",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|PATH",
            help="A bundled model's name, or the path of a model's .json; by default that of the variant.",
        ),
    ] = None,
    bank: Annotated[
        Path | None,
        typer.Option(
            "--bank",
            metavar="FOLDER",
            help="Recordings to take blows from; folders in it named wood, metal, skin, glass, earth or powder say "
            "what is struck. By default blows are made in code.",
        ),
    ] = None,
    vocoder: Annotated[
        str,
        typer.Option(
            "--vocoder",
            metavar="NAME",
            help="What makes waves of textures: griffin-lim; istft, a network of the model, cheaper and less true; "
            "auto takes the first of these.",
        ),
    ] = "auto",
    candidates: Annotated[
        int,
        typer.Option(
            "--candidates",
            metavar="N",
            help=f"How many sounds are made, of which {DEFAULT_ANY_SOUND} chooses where it can tell; 1 to 16.",
        ),
    ] = 3,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Of all that is left to chance; the same gives the same sound.")
    ] = 0,
    replace_sound: Annotated[
        bool,
        typer.Option("--replace-sound", help="Leave out the sound that the file has; else such a file is refused."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT when it exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = 1,
) -> int:
    """Write a copy of SILENT with a sound made from its picture.

    The picture is copied as it is; the sound lies exactly where what makes it is seen, and lasts as long as the
    picture. The bundled models know rendered events only: what they make of real pictures is a guess.

    Exit code: 0 written; 2 an argument makes no sense, OUT exists or is the input, or the file has a sound already; 4
    cannot be read or written; 5 no such model.
    """
    target = out if out is not None else default_out(file)
    try:
        from clapboard import dubbing

        with progress(file.name, wanted=not quiet) as hook:
            made = dubbing.foley(
                file,
                target,
                variant=variant,
                seed=seed,
                candidates=candidates,
                bank=bank,
                vocoder=vocoder,
                model=model,
                overwrite=overwrite,
                replace_sound=replace_sound,
                hook=hook,
                threads=threads,
            )
    except Exception as error:
        code, message = code_of(error)
        message = about_file(target if str(target) in message else file, message)
        if as_json:
            print(json.dumps(record(file, error=message.removeprefix(f"{file}: ")), allow_nan=False), flush=True)
        complain(message)
        return code
    if as_json:
        print(json.dumps(record(file, made, seed=seed), allow_nan=False), flush=True)
    elif not quiet:
        for line in in_words(made):
            print(shown(line))
    return EXIT_IN_SYNC


def default_out(path: Path) -> Path:
    """Return the name beside the input that is written by default: ``door.foley.mp4``; mkv where it cannot be that."""
    from clapboard.media.target import MUXERS

    suffix = path.suffix if path.suffix.lower() in MUXERS else OTHERWISE
    return path.with_name(f"{path.stem}.foley{suffix}")


def in_words(made: "FoleyReport") -> list[str]:
    """Return what was made, line by line."""
    of_several = f", candidate {made.chosen + 1} of {len(made.scores)}" if len(made.scores) > 1 else ""
    lines = [f"{made.out}: written, {sentence(made)}; by {made.model}{of_several}"]
    if made.judged:
        lines.append(f"{made.out}: {judged_in_words(made)}")
    lines += [f"{made.out}: {hint}" for hint in made.hints]
    if made.model in BUNDLED:
        lines.append(f"{made.model}: {RENDERED_ONLY}")
    return lines


def sentence(made: "FoleyReport") -> str:
    """Return what the sound is: ``8.0 s of sound, 12 blows (9 wood, 3 metal)``."""
    length = f"{made.seconds:.1f} s of sound"
    if made.variant != "fast":
        return f"{length}, drawn sample by sample"
    if not made.materials:
        return f"{length}, no blow"
    kinds = Counter("of unknown material" if name == "none" else name for name in made.materials)
    each = ", ".join(f"{count} {name}" for name, count in kinds.most_common())
    return f"{length}, {counted(len(made.materials), 'blow')} ({each})"


def judged_in_words(made: "FoleyReport") -> str:
    """Return what the model for any sound says of sound and picture together."""
    from clapboard.report.wording import side_in_words

    if made.in_sync_ms is None:
        return f"{DEFAULT_ANY_SOUND} cannot tell whether this candidate goes with the picture"
    return f"{DEFAULT_ANY_SOUND} says: {side_in_words(made.in_sync_ms)}"


def record(
    file: Path, made: "FoleyReport | None" = None, *, seed: int | None = None, error: str | None = None
) -> dict[str, Any]:
    """Return what was made as dicts, lists, strings, numbers and None, ready for JSON; keys are always all there.

    Parameters
    ----------
    file : the input, as it was given
    made : what was made; None after an error
    seed : as it was given
    error : why nothing was written
    """
    found: dict[str, Any] = {
        "schema": SCHEMA,
        **file_names(str(file)),
        "status": "error",
        "error": text(error) if error else None,
        **dict.fromkeys(_OF_A_RESULT),
        "hints": [],
        "versions": {},
    }
    if made is None:
        return found
    return found | {
        "status": "written",
        "sentence": text(sentence(made)),
        "out": text(str(made.out)),
        "variant": made.variant,
        "model": text(made.model),
        "rendered_only": made.model in BUNDLED,
        "seed": seed,
        "duration_s": number(made.seconds),
        "blows": _blows(made),
        "shots": [{"start_s": number(shot.start_s), "end_s": number(shot.end_s)} for shot in made.shots],
        "candidates": [number(score) for score in made.scores],
        "chosen": made.chosen,
        "judged": made.judged,
        "offset_ms": number(made.in_sync_ms),
        "hints": [text(hint) for hint in made.hints],
        "versions": {text(key): text(value) for key, value in made.versions.items()},
    }


def _blows(made: "FoleyReport") -> list[dict[str, Any]]:
    """Return when each blow begins, on the clock of the input, and what it sounds like."""
    return [
        {"start_s": number(start_s), "material": None if material == "none" else material}
        for start_s, material in zip(made.onsets_s.tolist(), made.materials, strict=True)
    ]
