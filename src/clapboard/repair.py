"""Repair a file: decide, shift its sound, measure the result again, and keep it only when that confirms it.

The shift itself is done by `clapboard.media.write`; this module decides whether there should be one. Nothing stands
under the final name before it has been measured, so a repair that went wrong is never found there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from clapboard import checking
from clapboard.checking import AnyModel
from clapboard.errors import MediaError, UndecidedError, UsageError
from clapboard.files import candidate_beside, put_in_place, require_writable
from clapboard.pipeline import NO_FACE
from clapboard.timebase import FRAME_MS, in_words
from clapboard.values import Hook, Report
from clapboard.verdict import DEFAULT_PROFILE, Profile

NOTHING_TO_DO_MS = 5.0
"""A file whose sound is nearer than this is left alone (ms): it is the tightest published tolerance (EBU R37 lets one
stage of a chain lead by 5 ms), and about how finely a measurement repeats."""
MAX_GIVEN_MS = 3_600_000.0
"""Largest offset that a user may give (ms): an hour."""
HOLDS_NO_SHIFT = ".avi"
"""This container has no timestamps that a shift could be written to."""
TAKES_ALL = ".mkv"
"""What is written in place of a container that cannot be: it takes every codec."""


@dataclass(frozen=True, slots=True)
class FixReport:
    """What a repair did.

    Attributes
    ----------
    source : the file that was repaired, untouched
    out : the file that was written; None when there was nothing to do
    applied_ms : by how much the sound was delayed, ms; negative: the picture was delayed
    before : the measurement of ``source``; None when the user gave the offset
    after : the measurement of ``out``, or of ``source`` when nothing was written
    rest_ms : the offset that is left, ms, positive = sound early; NaN where it cannot be measured
    left_out : streams that the new container cannot hold, in words
    """

    source: Path
    out: Path | None
    applied_ms: float
    before: Report | None
    after: Report
    rest_ms: float
    left_out: tuple[str, ...] = ()

    @property
    def written(self) -> bool:
        """Whether there is a new file."""
        return self.out is not None


def default_out(path: Path) -> Path:
    """Return the name beside the input that a repair takes by default: ``talk.synced.mp4``; mkv for avi and wmv."""
    from clapboard.media.target import MUXERS

    suffix = path.suffix.lower()
    extension = path.suffix if suffix in MUXERS and suffix != HOLDS_NO_SHIFT else TAKES_ALL
    return path.with_name(f"{path.stem}.synced{extension}")


def fix(
    path: str | Path,
    out: str | Path | None = None,
    *,
    offset_ms: float | None = None,
    bake: bool = False,
    profile: str | Profile = DEFAULT_PROFILE,
    audio_track: int | None = None,
    max_offset_ms: float | None = None,
    model: AnyModel | None = None,
    any_sound: bool = False,
    threads: int = 1,
    overwrite: bool = False,
    hook: Hook | None = None,
) -> FixReport:
    """Write a copy of a video in which sound and picture are together.

    Without ``offset_ms`` the file is measured first. The copy is measured too; it gets its final name only when no more
    than one frame is left. With ``offset_ms`` the shift is done as told, and what is left is only reported.

    Parameters
    ----------
    path : the video; it is never changed
    out : what to write; by default the name from `default_out`
    offset_ms : by how much the sound is early, ms, in place of measuring it; negative when it is late
    bake : re-encode the sound with the shift in its samples, for players that ignore timestamps
    profile : tolerance for the verdicts in the reports; it does not change what is written
    audio_track : which audio track is measured and shifted, counted from 0; None measures the file's own choice and
        shifts all
    max_offset_ms : how far to search, both ways; where None, 1000 for lips and 2000 for any sound
    model : bundled name, path of a model's JSON, or a loaded model; the bundled one where None
    any_sound : measure by any sound whose cause is seen, not by lips
    threads : threads for the networks
    overwrite : whether ``out`` may exist already
    hook : called as ``hook(step, done, total)``

    Raises
    ------
    UsageError
        ``out`` is the input, exists already or cannot hold a shift, or ``offset_ms`` is 0 or not a number
    UndecidedError
        the offset is not trusted, or measuring the result did not confirm it; nothing was written
    MediaError
        a file cannot be read or written
    ModelError
        the model cannot be loaded
    """
    source = Path(path)
    target = _target(source, out, overwrite)
    _require_usable(offset_ms)
    loaded = checking.opened(model, any_sound=any_sound, threads=threads)

    def measure(file: Path) -> Report:
        return checking.check(
            file,
            profile=profile,
            max_offset_ms=max_offset_ms,
            audio_track=audio_track,
            model=loaded,
            any_sound=any_sound,
            threads=threads,
            hook=hook,
        )

    before = measure(source) if offset_ms is None else None
    applied_ms = float(offset_ms or 0.0) if before is None else _trusted_offset_ms(before)
    if before is not None and abs(applied_ms) < NOTHING_TO_DO_MS:
        return FixReport(source, None, 0.0, before, before, applied_ms)
    with candidate_beside(target) as candidate:
        try:
            make = _writer(bake=bake)
            left_out = make(source, candidate, applied_ms / 1000, audio_track=audio_track, hook=hook)
            after = measure(candidate)
        except (MediaError, UsageError) as error:
            raise type(error)(str(error).replace(str(candidate), str(target))) from error
        if before is not None:
            _require_confirmed(source, applied_ms, after)
        put_in_place(candidate, target, overwrite)
    after = _renamed(after, target)
    return FixReport(source, target, applied_ms, before, after, after.offset.offset_ms, left_out)


def _target(source: Path, out: str | Path | None, overwrite: bool) -> Path:
    """Return the file to write, after refusing those that must not or cannot be written."""
    from clapboard.media.source import require_file
    from clapboard.media.target import muxer_of

    require_file(source)
    target = Path(out) if out is not None else default_out(source)
    if target.suffix.lower() == HOLDS_NO_SHIFT:
        raise UsageError(f"{target}: {target.suffix} has no timestamps and cannot hold a shift; write .mkv or .mp4")
    require_writable(target, source, overwrite)
    muxer_of(target)
    return target


def _require_usable(offset_ms: float | None) -> None:
    """Refuse an offset that cannot be applied."""
    if offset_ms is None:
        return
    if not abs(offset_ms) <= MAX_GIVEN_MS:
        raise UsageError(f"an offset of {offset_ms:g} ms makes no sense; give a number within {MAX_GIVEN_MS:g}")
    if offset_ms == 0:
        raise UsageError("an offset of 0 ms changes nothing; leave --offset-ms away to have it measured")


def _trusted_offset_ms(before: Report) -> float:
    """Return the measured offset, or refuse with every reason not to trust it."""
    if before.error:
        raise MediaError(f"{before.file}: {before.error}")
    if before.status == "undecided" or not before.offset.trusted:
        reasons = "; ".join(before.offset.reasons) or "there was nothing to measure"
        # Where a face is missing there is another way to measure; a file measured that way has been there already.
        faceless = before.by == "lips" and NO_FACE in before.offset.reasons
        other_way = "clapboard fix --any-sound measures by what is seen to make a sound; " if faceless else ""
        raise UndecidedError(
            f"{before.file}: cannot tell how far the sound is off ({reasons}); nothing was written; "
            f"{other_way}give --offset-ms to shift by a number you know"
        )
    return before.offset.offset_ms


def _writer(*, bake: bool) -> Callable[..., tuple[str, ...]]:
    """Return what writes the shifted copy."""
    from clapboard.media import write

    return write.bake if bake else write.shift


def _require_confirmed(source: Path, applied_ms: float, after: Report) -> None:
    """Refuse a result that is not within one frame: a constant shift has to move the answer by just that much."""
    rest_ms = after.offset.offset_ms
    rate = float(after.clip.rate) if after.clip is not None else 0.0
    frame_ms = max(FRAME_MS, 1000 / rate if rate else 0.0)
    if math.isfinite(rest_ms) and abs(rest_ms) <= frame_ms:
        return
    seen = in_words(rest_ms).split(";")[0] if math.isfinite(rest_ms) else "nothing can be measured"
    raise UndecidedError(
        f"{source}: after shifting by {applied_ms:+.0f} ms {seen}, so its offset is not one constant number; "
        "nothing was written; give --offset-ms to shift it nevertheless"
    )


def _renamed(report: Report, path: Path) -> Report:
    """Return a report under the file's final name."""
    clip = None if report.clip is None else replace(report.clip, path=path)
    return replace(report, file=str(path), clip=clip)
