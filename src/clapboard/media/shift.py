"""Move the sound of a file by its timestamps; nothing is encoded again."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from clapboard.errors import UsageError
from clapboard.media.probe import audio_streams
from clapboard.media.read import HOOK_STEP_S
from clapboard.media.remux import Remux, options_for
from clapboard.media.source import open_media, packets_of
from clapboard.media.target import muxer_of, open_target, whole_file
from clapboard.values import Hook

MAX_SHIFT_S = 3600.0
"""Nobody's sound is further off than this (s)."""


def shift(
    source: str | Path,
    target: str | Path,
    delay_audio_s: float,
    *,
    audio_track: int | None = None,
    overwrite: bool = False,
    hook: Hook | None = None,
) -> tuple[str, ...]:
    """Copy a file with its sound later (positive) or earlier (negative) against the picture.

    For an earlier sound everything else is delayed instead, subtitles and chapters too, so that no time becomes
    negative. All else is copied as it is: streams, languages, titles, dispositions, metadata, chapters, attachments,
    rotation, colour and mastering data. The sound moves to the tick of the container: exactly in mp4 and mov, to
    1 ms in mkv and webm.

    Parameters
    ----------
    source, target : the file, and the one to be; the containers may differ (mp4, mov, mkv, webm, ts, mpg)
    delay_audio_s : s
    audio_track : move only this audio stream, counted from 0; None moves all
    overwrite : replace an existing target
    hook : called as ``hook("shift", done_s, total_s)``

    Returns
    -------
    left_out : streams other than picture and sound that the new container cannot hold, in words

    Raises
    ------
    UsageError : the target cannot hold a shift (avi) or one of the streams, exists, or is the source
    MediaError : the source cannot be read or the target not written
    """
    source, target = Path(source), Path(target)
    muxer = check_target(target, delay_audio_s)
    with open_media(source) as container, whole_file(target, source=source, overwrite=overwrite) as part:
        moved = audio_streams(source, container, audio_track)
        delays_s = delays(container, moved, delay_audio_s)
        with open_target(part, muxer, options_for(container, muxer)) as out:
            remux = Remux(container, out, target)
            remux.set_chapters(container, max(0.0, -delay_audio_s))
            tell = told("shift", container, hook)
            for packet in packets_of(container, (container.streams[index] for index in remux.streams)):
                tell(packet)
                remux.copy(packet, delays_s[packet.stream.index])
            remux.finish(delays_s)
        remux.verify(part, target)
    return tuple(remux.left_out)


def told(step: str, container: Any, hook: Hook | None) -> Callable[[Any], None]:
    """A function that tells the hook of each packet, but not too often."""
    total_s = None if container.duration is None else container.duration / av.time_base
    last_s = -math.inf

    def tell(packet: Any) -> None:
        nonlocal last_s
        if hook is None or packet.pts is None:
            return
        time_s = float(packet.pts * packet.time_base)
        if time_s - last_s >= HOOK_STEP_S:
            last_s = time_s
            hook(step, time_s, total_s)

    return tell


def check_target(target: Path, delay_audio_s: float) -> str:
    """The muxer for a target that shall hold a shift.

    Raises
    ------
    UsageError : it cannot, or the delay makes no sense
    """
    check_delay(delay_audio_s)
    muxer = muxer_of(target)
    if muxer == "avi":
        raise UsageError(f"{target}: avi has no timestamps and would lose the shift; write .mp4 or .mkv")
    return muxer


def check_delay(delay_audio_s: float) -> None:
    """Refuse a delay that makes no sense.

    Raises
    ------
    UsageError : not a number, or too large
    """
    if not math.isfinite(delay_audio_s) or abs(delay_audio_s) > MAX_SHIFT_S:
        raise UsageError(f"cannot move sound by {delay_audio_s} s; at most {MAX_SHIFT_S:.0f} s")


def delays(container: Any, moved: list[int], delay_audio_s: float) -> dict[int, float]:
    """How much later each stream of the container has to be, s: nothing ever goes earlier."""
    others_s = max(0.0, -delay_audio_s)
    moved_s = max(0.0, delay_audio_s)
    return {stream.index: moved_s if stream.index in moved else others_s for stream in container.streams}
