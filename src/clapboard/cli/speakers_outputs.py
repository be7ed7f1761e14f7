"""What ``clapboard speakers`` writes beside its answer: RTTM, AVA, overlay and crops of one file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clapboard.cli.common import code_of
from clapboard.cli.progress import Hook
from clapboard.errors import EXIT_IN_SYNC

if TYPE_CHECKING:
    from clapboard.values import Speakers

_NAMED = 6
"""So many outputs are named when the work is interrupted."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of every file."""

    offset_ms: float | None
    method: str
    window_frames: int | None
    max_offset_ms: float
    audio_track: int | None
    model: str
    threads: int
    predictions: bool
    correct_offset: bool
    overwrite: bool


@dataclass(slots=True)
class Written:
    """What became of the outputs of one file: the highest exit code, what was written, and what stderr has to say."""

    code: int = EXIT_IN_SYNC
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def stays(kept: list[Path]) -> str:
    """Return what an interruption leaves, and how to go on."""
    places = list(dict.fromkeys(map(str, kept)))
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    return f"{', '.join(places[:_NAMED])}{more} finished before and kept; to begin again give --overwrite"


def size_px(found: "Speakers") -> tuple[int, int] | None:
    """Return width and height of the pictures that boxes are measured in."""
    from clapboard.media.picture import upright_size

    clip = found.report.clip
    return None if clip is None or clip.video is None else upright_size(clip)


def write_outputs(
    found: "Speakers",
    path: Path,
    name: str,
    *,
    targets: Mapping[str, Path],
    asked: Asked,
    hook: Hook | None,
    kept: list[Path],
) -> Written:
    """Write what is wanted of one file, and add what is finished to ``kept``; ``name`` is that of the file in it."""
    written = Written()
    for option, target in targets.items():
        try:
            what = _write_one(option, target, found, name, path=path, asked=asked, hook=hook)
        except Exception as error:
            code, message = code_of(error, path)
            written.code = max(written.code, code)
            written.problems.append(message)
        else:
            kept += [target] if target.exists() else []  # no clips, no folder
            written.lines.append(f"{target}: {what}")
            if option == "--crops" and asked.correct_offset and found.offset_from == "assumed":
                written.problems.append(
                    f"{path}: the sound of its clips is not shifted, for the offset is only assumed; give --offset-ms"
                )
    return written


def _write_one(
    option: str, target: Path, found: "Speakers", name: str, *, path: Path, asked: Asked, hook: Hook | None
) -> str:
    """Write one output; return what it holds, in words."""
    from clapboard.files import write_text

    if option == "--rttm":
        from clapboard.report.rttm import to_rttm

        words = to_rttm(found, name)
        write_text(words, target, asked.overwrite)
        return f"written, {_counted(words.count(chr(10)), 'turn')}"
    if option == "--ava":
        from clapboard.report.ava import to_ava

        words = to_ava(found, size_px(found) or (1, 1), name, predictions=asked.predictions)
        write_text(words, target, asked.overwrite)
        return f"written, {_counted(len(found.faces), 'face')}"
    from clapboard import footage

    if option == "--overlay":
        footage.write_overlay(found, path, target, overwrite=asked.overwrite, hook=hook, threads=asked.threads)
        return "written"
    made = footage.write_crops(
        found,
        path,
        target,
        correct_offset=asked.correct_offset,
        overwrite=asked.overwrite,
        hook=hook,
        threads=asked.threads,
    )
    return f"{_counted(len(made), 'clip')} written"


def _counted(number: int, what: str) -> str:
    """Return a number of things: ``1 turn``, ``no turns``."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
