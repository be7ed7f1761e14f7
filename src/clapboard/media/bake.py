"""Move the sound of a file in its samples: only the sound is encoded again, streams start where they did."""

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.codec import Codec

from clapboard.errors import MediaError, NoAudioError, UsageError
from clapboard.media.listen import Resampler
from clapboard.media.probe import audio_streams
from clapboard.media.read import decoded
from clapboard.media.remux import Remux, layout_of, options_for
from clapboard.media.shift import check_delay, told
from clapboard.media.source import is_last, open_media, packets_of
from clapboard.media.target import muxer_of, open_target, whole_file
from clapboard.values import Hook

BIT_RATE_PER_CHANNEL = 80_000
"""Bits per second and channel where the source does not say."""
MAX_HOLE_S = 3600.0
"""A longer hole in the timestamps of the sound is damage, not silence (s)."""
SILENCE_CHUNK = 16_384
"""Samples of silence written at once."""

# decoders whose name is not that of the encoder
_ENCODERS = {"mp3float": "libmp3lame", "mp3": "libmp3lame", "opus": "libopus", "vorbis": "libopus", "mp2float": "mp2"}
# what to take where the source's codec has no encoder, or the container does not hold it
_OTHERWISE = {
    "mp4": ("aac",),
    "mov": ("aac",),
    "matroska": ("aac", "libopus", "flac"),
    "webm": ("libopus",),
    "mpegts": ("aac", "mp2"),
    "mpeg": ("mp2", "ac3"),
    "avi": ("pcm_s16le",),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a stream will be encoded, by FFmpeg's names."""

    codec: str
    rate_hz: int
    layout: str
    sample_format: str
    bit_rate: int

    def add_to(self, out: Any) -> Any:
        """The stream in a container."""
        stream = out.add_stream(self.codec, rate=self.rate_hz, layout=self.layout, format=self.sample_format)
        if self.bit_rate:
            stream.codec_context.bit_rate = self.bit_rate
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, self.rate_hz)
        return stream


def bake(
    source: str | Path,
    target: str | Path,
    delay_audio_s: float,
    *,
    audio_track: int | None = None,
    overwrite: bool = False,
    hook: Hook | None = None,
) -> tuple[str, ...]:
    """Copy a file with its sound later (positive) or earlier (negative), in the samples.

    The sound is decoded, gets silence in front or loses its first samples, to the nearest sample, and is encoded
    with the codec, rate, layout and bit rate that it had; where that codec has no encoder, with a common one of the
    container, and in avi as PCM, for avi cannot tell of the delay of an encoder. Holes between its timestamps become
    silence. Its stream starts where it did; everything else is copied.

    Parameters
    ----------
    source, target : the file, and the one to be
    delay_audio_s : s
    audio_track : move only this audio stream, counted from 0, and copy the others; None moves all
    overwrite : replace an existing target
    hook : called as ``hook("bake", done_s, total_s)``

    Returns
    -------
    left_out : streams other than picture and sound that the new container cannot hold, in words

    Raises
    ------
    UsageError : the target cannot hold one of the streams, exists, or is the source
    NoAudioError : no sound, or none that can be decoded
    MediaError : the source cannot be read, or the target not written
    """
    source, target = Path(source), Path(target)
    check_delay(delay_audio_s)
    muxer = muxer_of(target)
    with open_media(source) as container, whole_file(target, source=source, overwrite=overwrite) as part:
        if muxer == "avi" and container.format.name != "avi":
            raise UsageError(f"{target}: avi has no timestamps to copy the picture with; write .mp4 or .mkv")
        moved = audio_streams(source, container, audio_track)
        plans = {index: plan_of(source, container.streams[index], muxer) for index in moved}
        with open_target(part, muxer, options_for(container, muxer)) as out:
            encoded = {index: _adder(plan, out) for index, plan in plans.items()}
            remux = Remux(container, out, target, encoded=encoded)
            remux.set_chapters(container, 0.0)
            bakers = {
                index: Baker(plan, remux.streams[index], delay_audio_s, remux.base_s, from_zero=muxer == "avi")
                for index, plan in plans.items()
            }
            tell = told("bake", container, hook)
            for packet in packets_of(container, (container.streams[index] for index in remux.streams)):
                tell(packet)
                baker = bakers.get(packet.stream.index)
                if baker is None:
                    remux.copy(packet, 0.0)
                else:
                    out.mux(list(baker.push(packet)))
            remux.finish({})
            for index, baker in bakers.items():
                if not baker.heard:
                    codec = container.streams[index].codec_context.name
                    raise NoAudioError(f"{source}: nothing of its sound ({codec}) can be decoded")
                if not baker.written:
                    raise UsageError(f"{source}: none of its sound is left when {-delay_audio_s:g} s are cut")
        remux.verify(part, target)
    return tuple(remux.left_out)


def _adder(plan: Plan, out: Any) -> Callable[[], Any]:
    """A function that adds the stream of a plan."""
    return lambda: plan.add_to(out)


class Baker:
    """Packets of one audio stream, decoded, moved and encoded."""

    def __init__(self, plan: Plan, stream: Any, delay_s: float, base_s: Fraction, *, from_zero: bool) -> None:
        self.heard = False
        self.written = 0  # samples
        self._plan = plan
        self._stream = stream
        self._delay_s = delay_s
        self._base_s = float(base_s)
        self._from_zero = from_zero  # avi: streams have no start times
        self._format = plan.sample_format.removesuffix("p")  # PyAV cannot read eight planes or more
        self._resampler = Resampler(self._format, plan.layout, plan.rate_hz)
        self._start_s = 0.0  # time of the first sample in the source, where the new stream starts too
        self._first = 0  # that, in samples on the clock of the new file

    def push(self, packet: Any) -> Iterator[Any]:
        """Encoded packets that are ready."""
        for frame in decoded(packet):
            for placed, start_s in self._resampler.push(frame):
                yield from self._take(placed, start_s)
        if is_last(packet):
            for placed, start_s in self._resampler.flush():
                yield from self._take(placed, start_s)
            if self.written:
                yield from self._stream.encode(None)

    def _take(self, frame: Any, start_s: float) -> Iterator[Any]:
        """Encode a frame at its new place: silence before it, or without the samples that are taken already."""
        if not self.heard:
            self.heard = True
            self._start_s = 0.0 if self._from_zero else start_s
            self._first = round((self._start_s - self._base_s) * self._plan.rate_hz)
        place = round((start_s - self._start_s + self._delay_s) * self._plan.rate_hz)
        hole = place - self.written
        if hole > MAX_HOLE_S * self._plan.rate_hz:
            raise MediaError(
                f"timestamps of the sound jump by {hole / self._plan.rate_hz:.0f} s; move it without --bake"
            )
        if hole > 0:
            yield from self._silence(hole)
        elif hole < 0:
            frame = _without(frame, -hole)
        if frame is not None:
            yield from self._encode(frame)

    def _silence(self, samples: int) -> Iterator[Any]:
        """Encode nothing, that long."""
        while samples > 0:
            count = min(samples, SILENCE_CHUNK)
            frame = av.AudioFrame(format=self._format, layout=self._plan.layout, samples=count)
            quiet = b"\x80" if self._format == "u8" else b"\x00"
            for plane in frame.planes:
                plane.update(quiet * plane.buffer_size)
            yield from self._encode(frame)
            samples -= count

    def _encode(self, frame: Any) -> Iterator[Any]:
        """Encode a frame right after the last."""
        frame.sample_rate = self._plan.rate_hz
        frame.time_base = Fraction(1, self._plan.rate_hz)
        frame.pts = self._first + self.written
        self.written += frame.samples
        yield from self._stream.encode(frame)


def _without(frame: Any, samples: int) -> Any:
    """An interleaved frame without its first samples; None when nothing is left."""
    if samples >= frame.samples:
        return None
    kept = np.ascontiguousarray(frame.to_ndarray()[:, samples * frame.layout.nb_channels :])
    return av.AudioFrame.from_ndarray(kept, format=frame.format.name, layout=frame.layout.name)


def plan_of(source: Path, stream: Any, muxer: str) -> Plan:
    """The first way of encoding that the codec and the container take.

    Raises
    ------
    MediaError : there is none
    """
    context = stream.codec_context
    if context is None or not context.sample_rate:
        raise NoAudioError(f"{source}: its sound cannot be decoded")
    same = _ENCODERS.get(context.name, context.name)
    codecs = [same, *(codec for codec in _OTHERWISE[muxer] if codec != same)]
    if muxer == "avi":  # no timestamp could tell of an encoder's delay
        codecs = [*_OTHERWISE[muxer]]
    usual = {1: "mono", 6: "5.1", 8: "7.1"}.get(context.layout.nb_channels, "stereo")
    layouts = list(dict.fromkeys([layout_of(stream), usual, "stereo"]))
    rates = list(dict.fromkeys([context.sample_rate, 48_000]))
    for codec, layout, rate in product(codecs, layouts, rates):
        with suppress(ValueError, av.error.FFmpegError):
            sample_format = _closest_format(codec, context)
            channels = av.AudioLayout(layout).nb_channels
            known = int(context.bit_rate or 0) if codec == same else 0
            for bit_rate in (known or BIT_RATE_PER_CHANNEL * channels, 0):
                plan = Plan(codec, rate, layout, sample_format, bit_rate)
                if _works(plan, muxer):
                    return plan
    raise MediaError(f"{source}: its sound ({context.name}) cannot be encoded for this container; write .mkv")


def _closest_format(codec: str, context: Any) -> str:
    """The encoder's sample format that is nearest to the decoder's."""
    formats = [form.name for form in Codec(codec, "w").audio_formats or ()]
    wanted = context.format.name if context.format is not None else "fltp"
    for name in (wanted, wanted.rstrip("p"), wanted.rstrip("p") + "p"):
        if name in formats:
            return name
    return next((name for name in ("fltp", "flt", "s32", "s32p", "s16", "s16p") if name in formats), formats[0])


def _works(plan: Plan, muxer: str) -> bool:
    """Whether encoder and container take a plan: a header is written to memory to find out."""
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            plan.add_to(trial)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError, OSError):
        return False
    return True
