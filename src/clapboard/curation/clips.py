"""Cutting what is kept: clips with their sound, and the tables beside them."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clapboard.curation.judging import Span
from clapboard.curation.project import Project, require_same
from clapboard.curation.results import Judged, Source, clips_of, judged, sources, statistics, write_statistics
from clapboard.errors import MediaError, NoAudioError, UsageError
from clapboard.files import lock, write_text
from clapboard.media.cut import cut
from clapboard.media.probe import probe
from clapboard.values import Clip, Hook

MANIFEST, STATISTICS, LOCK = "manifest.jsonl", "statistics.jsonl", ".curate.lock"
CLIP = re.compile(r"(.+)_\d{6,}_\d{6,}\.mp4")
"""Names of clips, see `place_of`."""
SAME_MS = 400
"""A clip that is there already may be so much shorter or longer than its times say (ms): sound may end before."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One clip that is to be: its place below the folder, what it is cut from, and when."""

    place: str
    source: Source
    span: Span


@dataclass(slots=True)
class Written:
    """What was cut.

    Attributes
    ----------
    rows : of the manifest
    statistics : of the classes, see `clapboard.curation.results.statistics`
    fresh, there : clips that are new, and that an earlier run had cut
    failed : by the place of a clip, why it could not be cut
    stale : clips of an earlier run that votes since then have changed; nothing is removed
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    statistics: list[dict[str, Any]] = field(default_factory=list)
    fresh: int = 0
    there: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)


def place_of(source: Source, span: Span) -> str:
    """Where a clip lies: ``CLASS/FILE_START_END.mp4``, times in ms of the recording, as lists of segments know them."""
    begin_ms, end_ms = (max(0, time_ms + source.begun_ms) for time_ms in (span.start_ms, span.end_ms))
    return f"{source.class_name}/{source.stem}_{begin_ms:06d}_{end_ms:06d}.mp4"


def wanted(project: Project, segments: Sequence[Judged]) -> Iterator[Wanted]:
    """Every clip of what is kept so far, by class, file and time."""
    of = sources(project)
    for video, spans in clips_of(segments).items():
        for span in spans:
            yield Wanted(place_of(of[video], span), of[video], span)


def write_clips(project: Project, out: str | Path, *, hook: Hook | None = None) -> Written:
    """Cut what a majority has seen and heard, and write ``manifest.jsonl`` and ``statistics.jsonl`` beside it.

    A clip that is there is left as it is, so that a run that was interrupted goes on; nothing is written over. The two
    tables tell of the state of the votes and are written anew each time.

    Parameters
    ----------
    project : with its votes
    out : folder for the clips, made where it is not there
    hook : called as ``hook("cutting", done, total)``

    Raises
    ------
    UsageError : something else is in the way, or another run writes there
    MediaError : nothing can be written
    """
    out = Path(out)
    segments = list(judged(project))
    clips = list(wanted(project, segments))
    names = {one.segment: one.name for one in segments}
    done = Written()
    try:
        out.mkdir(parents=True, exist_ok=True)
        held = (out / LOCK).open("ab")
    except OSError as error:
        raise MediaError(f"{out}: cannot be written to ({error.strerror}); give another -o") from None
    with held:
        if not lock(held):
            raise UsageError(f"{out}: another run writes there; wait for it, or give another -o")
        before = _earlier(out / MANIFEST, "clip")
        _earlier(out / STATISTICS, "kept")
        for number, one in enumerate(clips):
            if hook is not None:
                hook("cutting", number, len(clips))
            try:
                done.rows.append(_row(one, _written(one, out / one.place, done), names))
            except MediaError as error:
                done.failed[one.place] = str(error)
        before = {place for place in before | _clips_in(out, project) if (out / place).is_file()}
        done.stale = sorted(before - {one.place for one in clips})
        write_text("".join(f"{json.dumps(row)}\n" for row in done.rows), out / MANIFEST, overwrite=True)
        done.statistics = statistics(project, segments)
        write_statistics(done.statistics, out / STATISTICS)
    return done


def _clips_in(out: Path, project: Project) -> set[str]:
    """Places of all clips that any run has cut there from files of the project, by their names."""
    known = {(source.class_name, source.stem) for source in sources(project).values()}
    found = ((path, CLIP.fullmatch(path.name)) for path in out.glob("*/*.mp4"))
    return {f"{path.parent.name}/{path.name}" for path, name in found if name and (path.parent.name, name[1]) in known}


def _written(one: Wanted, target: Path, done: Written) -> Clip:
    """Cut a clip, or find it; described as it is on the disk."""
    source, span = one.source, one.span
    if target.exists() or target.is_symlink():
        there = probe(target) if target.is_file() else None
        if there is None or not _is(there, span):
            raise UsageError(f"{target}: is in the way and not the clip that belongs there; give another -o")
        done.there += 1
        return there
    require_same(source.path, source.size_bytes, source.modified_ns)
    try:
        target.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise MediaError(f"{target.parent}: cannot be made ({error.strerror}); give another -o") from None
    cut(probe(source.path), target, span.start_ms / 1000, span.end_ms / 1000)
    done.fresh += 1
    return probe(target)


def _is(there: Clip, span: Span) -> bool:
    """Whether a file may be the clip of a span: picture, sound, and its length."""
    if there.video is None or there.audio is None or there.duration_s is None:
        return False
    return abs(there.duration_s * 1000 - span.duration_ms) <= SAME_MS


def _row(one: Wanted, clip: Clip, names: dict[int, str]) -> dict[str, Any]:
    """A clip in the manifest."""
    if clip.video is None or clip.audio is None:
        raise NoAudioError(f"{clip.path}: was written without picture or sound")
    source, span = one.source, one.span
    return {
        "clip": one.place,
        "class": source.class_name,
        "file": source.name,
        "start_s": span.start_ms / 1000,
        "end_s": span.end_ms / 1000,
        "seconds": span.duration_ms / 1000,
        "recording_start_s": (span.start_ms + source.begun_ms) / 1000,
        "segments": [names[segment] for segment in span.segments],
        "width_px": clip.video.width_px,
        "height_px": clip.video.height_px,
        "fps": round(float(clip.rate), 6),
        "sound_hz": clip.audio.rate_hz,
        "channels": clip.audio.channels,
        "size_bytes": os.stat(clip.path).st_size,
    }


def _earlier(path: Path, key: str) -> set[str]:
    """What stands under a key in the rows of an earlier run.

    Raises
    ------
    UsageError : the file is not of such a run
    MediaError : it cannot be read
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {str(row[key]) for row in rows}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path}: is in the way and not of clapboard curate; give another -o") from None
