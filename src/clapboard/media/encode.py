"""Make a clip from arrays: pictures, sound, and the exact time of each."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from clapboard.errors import MediaError, UsageError
from clapboard.media.target import muxer_of, open_target, whole_file
from clapboard.values import F32

TICKS_HZ = 90_000
"""Timestamps are at least this fine where the container allows (Hz)."""
CHUNK = 4096
"""Samples handed to the audio encoder at once."""

_CODECS = {
    "mp4": ("libx264", "aac"),
    "mov": ("libx264", "aac"),
    "matroska": ("libx264", "aac"),
    "webm": ("libvpx", "libopus"),
    "mpegts": ("libx264", "aac"),
    "mpeg": ("mpeg2video", "mp2"),
    "avi": ("mpeg4", "pcm_s16le"),
}
_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "20"},
    "libx265": {"preset": "ultrafast", "crf": "22", "x265-params": "log-level=error"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "2M"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0"},
    "mpeg2video": {"qscale": "3", "flags": "+qscale", "global_quality": str(3 * 118)},
    "mpeg4": {"qscale": "3", "flags": "+qscale", "global_quality": str(3 * 118)},
}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def write_clip(
    target: str | Path,
    frames: Iterable[NDArray[np.uint8]],
    rate: Fraction | int | Sequence[float],
    samples: F32 | None = None,
    sample_rate_hz: int = 48_000,
    *,
    video_codec: str | None = None,
    audio_codec: str | None = None,
    video_start_s: float = 0.0,
    audio_start_s: float = 0.0,
    pixel_format: str = "yuv420p",
    rotation_deg: int = 0,
    sample_aspect: Fraction = Fraction(1),
    video_options: dict[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Encode a clip.

    Parameters
    ----------
    target : mp4, mov, mkv, webm, ts, mpg or avi, by its ending
    frames : (H, W) luma or (H, W, 3) RGB, uint8, all of one size
    rate : frames per second, or the time of each frame from the first, s (ascending), for a variable rate
    samples : (N,) or (N, channels) float32 in [-1, 1]; None for a clip without sound
    sample_rate_hz : rate of the samples, and of the file unless its codec cannot
    video_codec, audio_codec : FFmpeg's names of encoders; None takes a common one for the container
    video_start_s, audio_start_s : time of the first frame and of the first sample; when one is negative both are
        moved so that the earlier is 0, and their difference stays
    pixel_format : FFmpeg's name
    rotation_deg : clockwise turn that players shall apply
    sample_aspect : width of a pixel over its height
    video_options : options of the video encoder, above the defaults
    overwrite : replace an existing target

    Raises
    ------
    UsageError : the arguments do not fit together, or the container cannot hold them
    MediaError : it cannot be encoded or written
    """
    target = Path(target)
    muxer = muxer_of(target)
    default_video, default_audio = _CODECS[muxer]
    base_s = -min(0.0, video_start_s, audio_start_s)
    starts = (video_start_s + base_s, audio_start_s + base_s)
    if muxer == "avi" and any(starts):
        raise UsageError(f"{target}: avi has no start times; use .mp4 or .mkv")
    with whole_file(target, overwrite=overwrite) as part:
        try:
            with open_target(part, muxer) as out:
                clock = _Clock(rate, starts[0], coarse=muxer == "avi")
                first, rest = _peek(frames)
                video = _video_stream(
                    out,
                    video_codec or default_video,
                    clock,
                    like=first,
                    pixel_format=pixel_format,
                    options=video_options or {},
                )
                video.codec_context.sample_aspect_ratio = sample_aspect
                if rotation_deg:
                    video.set_display_rotation(-rotation_deg)  # PyAV counts counter-clockwise
                pictures = _encode_pictures(video, clock, rest)
                sounds: Iterator[Any] = iter(())
                if samples is not None:
                    audio = _audio_stream(out, audio_codec or default_audio, samples, sample_rate_hz)
                    sounds = _encode_sound(audio, samples, sample_rate_hz, starts[1])
                for packet in _by_time(pictures, sounds):
                    out.mux(packet)
        except (ValueError, TypeError, OverflowError) as error:
            if isinstance(error, UsageError):
                raise
            raise MediaError(f"{target}: cannot be encoded ({error})") from error


class _Clock:
    """Times of frames as whole ticks, exactly where the rate is a fraction."""

    def __init__(self, rate: Fraction | int | Sequence[float], start_s: float, *, coarse: bool) -> None:
        if isinstance(rate, int | Fraction):
            self.rate = Fraction(rate)
            if self.rate <= 0:
                raise UsageError(f"frame rate must be positive, not {rate}")
            self.times: list[float] | None = None
            self.encoder_tick = 1 / self.rate
            # a whole multiple of the numerator, so that every frame falls on a tick
            self.tick = Fraction(1, self.rate.numerator * -(-TICKS_HZ // self.rate.numerator))
            if coarse:  # avi has no timestamps: its tick is the frame
                self.tick = self.encoder_tick
        elif coarse:
            raise UsageError("avi has no variable rate; use .mp4 or .mkv")
        else:
            self.times = [float(time) for time in rate]
            if any(b <= a for a, b in zip(self.times, self.times[1:], strict=False)):
                raise UsageError("times of frames must ascend")
            gaps = np.diff(self.times)
            self.rate = Fraction(float(1 / np.median(gaps))).limit_denominator(1001) if len(gaps) else Fraction(25)
            self.tick = self.encoder_tick = Fraction(1, TICKS_HZ)
        self.start = round(start_s / self.tick)

    def encoder_pts(self, index: int) -> int:
        """Time of a frame in the encoder's ticks, without the start."""
        if self.times is None:
            return index
        if index >= len(self.times):
            raise UsageError(f"more frames than times: {len(self.times)} times")
        return round(self.times[index] / self.encoder_tick)

    def move(self, packet: Any) -> Any:
        """Put an encoded packet at its place in the file."""
        scale = self.encoder_tick / self.tick
        packet.pts = None if packet.pts is None else round(packet.pts * scale) + self.start
        packet.dts = None if packet.dts is None else round(packet.dts * scale) + self.start
        packet.duration = round((packet.duration or 0) * scale)
        packet.time_base = self.tick
        return packet


def _peek(frames: Iterable[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], Iterator[NDArray[np.uint8]]]:
    """The first frame, and all of them."""
    frames = iter(frames)
    try:
        first = next(frames)
    except StopIteration:
        raise UsageError("a clip needs at least one frame") from None

    def every() -> Iterator[NDArray[np.uint8]]:
        yield first
        yield from frames

    return first, every()


def _video_stream(
    out: Any, codec: str, clock: _Clock, *, like: NDArray[np.uint8], pixel_format: str, options: dict[str, str]
) -> Any:
    """A video stream for frames like the first."""
    stream = out.add_stream(codec, rate=clock.rate, options=_OPTIONS.get(codec, {}) | options)
    stream.width, stream.height = like.shape[1], like.shape[0]
    stream.pix_fmt = pixel_format
    stream.codec_context.time_base = clock.encoder_tick
    stream.codec_context.thread_count = 1
    stream.time_base = clock.tick
    return stream


def _encode_pictures(stream: Any, clock: _Clock, frames: Iterator[NDArray[np.uint8]]) -> Iterator[Any]:
    """Packets of all frames."""
    for index, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="gray" if image.ndim == 2 else "rgb24")
        frame.pts, frame.time_base = clock.encoder_pts(index), clock.encoder_tick
        yield from map(clock.move, stream.encode(frame))
    yield from map(clock.move, stream.encode(None))


def _audio_stream(out: Any, codec: str, samples: F32, rate_hz: int) -> Any:
    """An audio stream for these samples."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    if channels not in _LAYOUTS:
        raise UsageError(f"1 to 8 channels can be written, not {channels}")
    stream = out.add_stream(codec, rate=48_000 if codec == "libopus" else rate_hz, layout=_LAYOUTS[channels])
    stream.codec_context.thread_count = 1
    return stream


def _encode_sound(stream: Any, samples: F32, rate_hz: int, start_s: float) -> Iterator[Any]:
    """Packets of all samples; negative timestamps hold what an encoder puts in front."""
    # interleaved: PyAV cannot take exactly eight planes
    table = np.ascontiguousarray(samples.reshape(len(samples), -1), np.float32)
    tick = Fraction(1, stream.codec_context.sample_rate)
    stream.codec_context.time_base = tick
    start = round(start_s / tick)

    def moved(packets: Iterable[Any]) -> Iterator[Any]:
        for packet in packets:
            for name in ("pts", "dts"):
                value = getattr(packet, name)
                setattr(packet, name, None if value is None else value + start)
            yield packet

    for begin in range(0, len(table), CHUNK):
        chunk = table[begin : begin + CHUNK].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(chunk, format="flt", layout=stream.codec_context.layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, begin, Fraction(1, rate_hz)
        yield from moved(stream.encode(frame))
    yield from moved(stream.encode(None))


def _by_time(*sources: Iterator[Any]) -> Iterator[Any]:
    """Merge packets of several streams by decoding time, so that readers find sound and picture side by side."""
    heads = [(source, next(source, None)) for source in sources]
    while live := [(source, head) for source, head in heads if head is not None]:
        source, head = min(live, key=lambda pair: float((pair[1].dts or 0) * pair[1].time_base))
        yield head
        heads = [(s, next(s, None) if s is source else h) for s, h in heads]
