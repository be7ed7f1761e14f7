"""Put a made sound under a picture: the picture's packets are copied, the sound is encoded to lie where it belongs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av import AudioFrame
from av.audio.resampler import AudioResampler

from clapboard.errors import MediaError, NoVideoError, UsageError
from clapboard.media.probe import is_cover, probe
from clapboard.media.rational import fraction
from clapboard.media.remux import Remux, holds, not_held, options_for
from clapboard.media.shift import told
from clapboard.media.source import is_last, open_media, packets_of
from clapboard.media.target import muxer_of, open_target, whole_file
from clapboard.media.voice import Voice
from clapboard.values import F32, Clip, Hook

SOUND_HZ = 48_000
"""Rate of the sound that is written (Hz): every codec below takes it, and opus nothing else."""
CHUNK = 16_384
"""Samples resampled at once."""
AHEAD_S = 0.5
"""Sound is written this far ahead of the picture (s), so that the file stays interleaved."""
USUAL_FRAME_S = 0.04
"""How long a picture is shown that is alone, or has no duration (s)."""
LONGEST_S = 24 * 3600.0
"""Timestamps that claim a longer picture are damaged (s)."""
CODECS = {
    "mp4": "aac",
    "mov": "aac",
    "matroska": "aac",
    "webm": "libopus",
    "mpegts": "aac",
    "mpeg": "mp2",
    "avi": "pcm_s16le",
}
"""The encoder of the sound, by the container; avi cannot tell of an encoder's delay, so there it is PCM."""


@dataclass(frozen=True, slots=True)
class Span:
    """When the picture of a file is shown, on the file's clock, s."""

    start_s: float
    end_s: float


def dub(
    source: str | Path,
    out: str | Path,
    samples: F32,
    rate_hz: int,
    *,
    start_s: float,
    replace: bool = False,
    overwrite: bool = False,
    hook: Hook | None = None,
) -> tuple[str, ...]:
    """Copy a file with a sound of your own.

    Packets of the picture, subtitles and all else are copied as they are, with chapters and metadata. The sound is one
    channel at 48 kHz, AAC, and in webm Opus, in mpg MP2, in avi PCM. Its track lasts as long as the picture: where
    ``samples`` are shorter there is silence before and after them, what is longer is cut. What an encoder puts in
    front of the sound is told to the container and not heard. Sample 0 is true to the nearest of 48,000 a second, and
    to the tick of the container: 1 ms in mkv and webm. A decoder may give up to a frame of the codec more than the
    track lasts (21 ms of silence in AAC); pictures that an edit list of mp4 hides are hidden in mp4 and mov alone.

    Parameters
    ----------
    source, out : the file, and the one to be; the containers may differ (mp4, mov, mkv, webm, ts, mpg), avi only
        from avi
    samples : (N,) float32; what is beyond -1 to 1 is clipped
    rate_hz : of the samples
    start_s : when sample 0 sounds, on the clock of the source as ``probe`` and ``read`` tell it
    replace : leave out the sound that the source has; without, such a source is refused
    overwrite : replace an existing ``out``, but never the source
    hook : called as ``hook("dub", done_s, total_s)``

    Returns
    -------
    left_out : in words, streams that the new container cannot hold, and sound tracks beside the one that is replaced

    Raises
    ------
    UsageError : the samples or times make no sense or lie beside the picture, the source has a sound, or ``out`` cannot
        hold one of the streams, exists, or is the source
    NoVideoError : the source has no picture
    MediaError : the source cannot be read, or the file not written; nothing is left of it then
    """
    source, out = Path(source), Path(out)
    _require_sound(samples, rate_hz, start_s)
    muxer = muxer_of(out)
    with open_media(source) as container, whole_file(out, source=source, overwrite=overwrite) as part:
        _require_held(container, out)
        dropped = _sounds_to_drop(source, container, replace=replace)
        others = [f"audio stream {index} ({codec})" for index, codec in list(dropped.items())[1:]]
        span = span_of(probe(source))
        if span.end_s - span.start_s > LONGEST_S:
            hours = (span.end_s - span.start_s) / 3600
            raise MediaError(f"{source}: its timestamps claim {hours:.0f} hours of picture; they are damaged")
        lead = round((start_s - span.start_s) * SOUND_HZ)
        length = round((span.end_s - span.start_s) * SOUND_HZ)
        if lead >= length or start_s + len(samples) / rate_hz <= span.start_s:
            raise UsageError(
                f"{source}: its picture is shown from {span.start_s:.3f} to {span.end_s:.3f} s; "
                f"a sound from {start_s:.3f} to {start_s + len(samples) / rate_hz:.3f} s would not be heard"
            )
        with open_target(part, muxer, options_for(container, muxer)) as target:
            kept = [stream.index for stream in container.streams if stream.index not in dropped]
            remux = Remux(container, target, out, only=kept)
            voice = Voice(target, SOUND_HZ, 1, CODECS[muxer], from_zero=muxer == "avi")
            remux.set_chapters(container, 0.0)
            track = _Track(voice, placed(samples, rate_hz, lead, length), span.start_s - float(remux.base_s))
            tell = told("dub", container, hook)
            for packet in packets_of(container, (container.streams[index] for index in remux.streams)):
                tell(packet)
                stamp = packet.dts if packet.dts is not None else packet.pts
                if stamp is not None:
                    target.mux(list(track.until(float(stamp * packet.time_base - remux.base_s) + AHEAD_S)))
                remux.copy(packet, 0.0)
            target.mux(list(track.until(math.inf)))
            remux.finish({})
        remux.verify(part, out)
        _require_heard(part, out)
    return (*others, *remux.left_out)


def require_container(source: str | Path, out: str | Path) -> None:
    """Refuse a file that the picture of another cannot be copied to, before anybody waits.

    Raises
    ------
    UsageError : the container of ``out`` cannot hold it, or is none that is known
    MediaError : the source cannot be opened
    """
    with open_media(source) as container:
        _require_held(container, Path(out))


def span_of(clip: Clip) -> Span:
    """When the picture of a file is shown: from its first picture to the end of its last, by timestamps alone.

    Parameters
    ----------
    clip : from ``probe``

    Raises
    ------
    NoVideoError : it has no picture
    MediaError : it cannot be opened
    """
    if clip.video is None:
        raise NoVideoError(f"{clip.path}: has no picture")
    with open_media(clip.path, clip.data) as container:
        stream = container.streams[clip.video.index]
        first, last, before, duration = math.inf, -math.inf, -math.inf, 0
        for packet in packets_of(container, [stream]):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is None or is_last(packet) or packet.is_discard:
                continue
            first = min(first, stamp)
            if stamp > last:
                last, before, duration = stamp, last, packet.duration or 0
            else:
                before = max(before, stamp)
        if math.isinf(first):
            raise NoVideoError(f"{clip.path}: its picture has no frame")
        tick = fraction(stream.time_base)
        step = duration or (last - before if math.isfinite(before) else USUAL_FRAME_S / float(tick))
        return Span(float(first * tick), float((last + step) * tick))


def placed(samples: F32, rate_hz: int, lead: int, length: int) -> Iterator[F32]:
    """The sound of a track in pieces: silence, the samples at 48 kHz, silence; as long as it has to be.

    Resampling adds no delay: the first sample that comes out is at the time of the first that went in.

    Parameters
    ----------
    samples : (N,) float32
    lead : samples of silence before them, at 48 kHz; negative: so many of theirs are cut
    length : of all, samples at 48 kHz
    """
    resampler = AudioResampler("flt", "mono", SOUND_HZ)

    def resampled() -> Iterator[F32]:
        for begin in range(0, len(samples), CHUNK):
            piece = np.clip(samples[None, begin : begin + CHUNK], -1, 1).astype(np.float32)
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="flt", layout="mono")
            frame.sample_rate = rate_hz
            yield from (found.to_ndarray()[0] for found in resampler.resample(frame))
        yield from (found.to_ndarray()[0] for found in resampler.resample(None) if found.samples)

    yield from _silence(lead)
    done, skip = max(0, lead), max(0, -lead)
    for piece in resampled():
        kept = piece[skip:][: length - done]
        skip = max(0, skip - len(piece))
        done += len(kept)
        yield kept
        if done == length:
            return
    yield from _silence(length - done)


class _Track:
    """The pieces of a sound, encoded as far as they are due.

    Parameters
    ----------
    start_s : of the first sample on the clock of the new file; the nearest sample is taken
    """

    def __init__(self, voice: Voice, pieces: Iterator[F32], start_s: float) -> None:
        self._voice, self._pieces = voice, pieces
        self._first = round(start_s * SOUND_HZ)
        self._count: int | None = 0  # None when all is written

    def until(self, time_s: float) -> Iterator[Any]:
        """Packets that are due by a time of the new file; the last ones at infinity."""
        while self._count is not None and (self._first + self._count) / SOUND_HZ < time_s:
            piece = next(self._pieces, None)
            if piece is None:
                self._count = None
                yield from self._voice.flush()
            else:
                # a whole number of samples, so that no rounding opens a hole between pieces
                yield from self._voice.push(piece, (self._first + self._count) / SOUND_HZ)
                self._count += len(piece)


def _silence(count: int) -> Iterator[F32]:
    """So many zeros, in pieces; none where there are less than one."""
    for begin in range(0, count, CHUNK):
        yield np.zeros(min(CHUNK, count - begin), np.float32)


def _require_sound(samples: F32, rate_hz: int, start_s: float) -> None:
    """Refuse what is no sound.

    Raises
    ------
    UsageError : as said
    """
    if samples.ndim != 1 or not len(samples) or samples.dtype != np.float32:
        raise UsageError(f"a sound must be (N,) float32, not {samples.shape} {samples.dtype}")
    if rate_hz < 1 or not math.isfinite(start_s):
        raise UsageError(f"no sound has {rate_hz} samples per second from {start_s} s on")
    if not np.isfinite(samples).all():
        raise UsageError("the samples of a sound must be finite numbers")


def _require_held(container: Any, out: Path) -> None:
    """Refuse a container that cannot hold the pictures of another.

    Raises
    ------
    UsageError : as said
    """
    muxer = muxer_of(out)
    if muxer == "avi" and container.format.name != "avi":
        raise UsageError(f"{out}: avi has no timestamps to copy the picture with; write .mp4 or .mkv")
    for stream in container.streams.video:
        if not is_cover(stream) and not holds(muxer, stream):
            raise not_held(out, stream)


def _sounds_to_drop(source: Path, container: Any, *, replace: bool) -> dict[int, str]:
    """The sound tracks of the source: codec by index.

    Raises
    ------
    UsageError : there are some, and they may not be replaced
    """
    found = [stream for stream in container.streams if stream.type == "audio"]
    if found and not replace:
        tracks = "a sound" if len(found) == 1 else f"{len(found)} sounds"
        raise UsageError(
            f"{source}: has {tracks} already ({_codec(found[0])}); ask to replace it, or name another file"
        )
    return {stream.index: _codec(stream) for stream in found}


def _require_heard(part: Path, out: Path) -> None:
    """Open what was written: some containers take anything and cannot give it back.

    Raises
    ------
    MediaError : the sound is gone
    """
    with open_media(part) as written:
        if not any(stream.codec_context is not None for stream in written.streams.audio):
            raise MediaError(f"{out}: the sound cannot be read back; write .mkv")


def _codec(stream: Any) -> str:
    """Name of a stream's codec."""
    return str(getattr(stream.codec_context, "name", None) or "unknown")
