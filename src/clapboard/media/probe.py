"""What a file says of itself: streams, rates, start times, rotation."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import av.error
import numpy as np
from av import library_versions

from clapboard.errors import MediaError, NoAudioError, UsageError
from clapboard.media.rational import fraction
from clapboard.media.source import MAX_PIXELS, open_media
from clapboard.values import Clip, Stream

ROTATION_PACKETS = 100
"""How many picture packets are decoded at most to learn the rotation, which frames alone tell."""
SAME_RATE = 0.01
"""Average and base frame rate that differ by more than this share mean a variable rate."""
DEFAULT = 1
"""FFmpeg's disposition bit of the stream to be played by default."""
ATTACHED_PICTURE = 1 << 10
"""FFmpeg's disposition bit of cover art."""


def probe(path: str | Path, *, data: bytes | None = None, audio_track: int | None = None) -> Clip:
    """Describe a file without decoding more of it than its first picture.

    Parameters
    ----------
    path : the file
    data : the bytes of the file where it is in memory; ``path`` is only its name then
    audio_track : which audio stream will be read, counted from 0 among the audio streams; None takes the one marked
        as default, else the first

    Returns
    -------
    Clip : ``video`` and ``audio`` are None where the file has none (cover art is not video)

    Raises
    ------
    MediaError : the file cannot be opened, or its picture is larger than ``source.MAX_PIXELS``
    UsageError : there is no such audio track
    """
    path = Path(path)
    with open_media(path, data) as container:
        streams = tuple(_stream(stream) for stream in container.streams)
        video = _first_video(streams, container)
        audio = _pick_audio(path, streams, container, audio_track)
        rate, variable, rotation, aspect = Fraction(0), False, 0, Fraction(1)
        if video is not None:
            _check_size(path, video)
            rate, variable = _rates(container.streams[video.index])
            aspect = fraction(container.streams[video.index].sample_aspect_ratio) or Fraction(1)
            rotation = _rotation(container, video.index)
        versions = {
            "av": av.__version__,
            "libavformat": ".".join(map(str, library_versions["libavformat"])),
            "libavcodec": ".".join(map(str, library_versions["libavcodec"])),
        }
        return Clip(
            path=path,
            container=container.format.name,
            streams=streams,
            video=video,
            audio=audio,
            rate=rate,
            variable_rate=variable,
            rotation_deg=rotation,
            sample_aspect=aspect,
            duration_s=None if container.duration is None else container.duration / av.time_base,
            versions=versions,
            data=data,
        )


def audio_streams(path: Path, container: Any, track: int | None = None) -> list[int]:
    """Indices of the audio streams of an opened file: all, or one of them counted from 0.

    Raises
    ------
    NoAudioError : there is none
    UsageError : there is no such track
    """
    found = [stream.index for stream in container.streams if stream.type == "audio"]
    if not found:
        raise NoAudioError(f"{path}: has no sound")
    if track is None:
        return found
    if not 0 <= track < len(found):
        raise UsageError(f"{path}: has no audio track {track}; it has {len(found)}, counted from 0")
    return [found[track]]


def is_cover(stream: Any) -> bool:
    """Whether a stream is an attached picture, such as the cover of an album."""
    return bool(int(getattr(stream, "disposition", 0)) & ATTACHED_PICTURE)


def quarter_turn(matrix: Iterable[int]) -> Literal[0, 90, 180, 270]:
    """Clockwise turn that a display matrix asks for, degrees.

    The matrix (9 numbers: a b u c d v x y w) sends the downward axis to (c, d); only that is asked for, so that
    mirrored pictures come out upright too (mirroring itself is not undone: lips do not mind).
    """
    _, _, _, c, d, *_ = (int(value) for value in matrix)
    if c == 0 and d == 0:
        return 0
    if abs(d) >= abs(c):
        return 0 if d > 0 else 180
    return 90 if c < 0 else 270


def _stream(stream: Any) -> Stream:
    """The value for one stream of a container."""
    context = stream.codec_context
    tick = fraction(stream.time_base)
    kind: Literal["video", "audio", "other"] = "other"
    if stream.type == "video" and not is_cover(stream):
        kind = "video"
    elif stream.type == "audio":
        kind = "audio"
    codec = getattr(context, "name", None) or getattr(stream, "name", None) or "unknown"
    return Stream(
        index=stream.index,
        kind=kind,
        codec=str(codec),
        start_s=float((stream.start_time or 0) * tick),
        duration_s=None if stream.duration is None else float(stream.duration * tick),
        language=stream.metadata.get("language", ""),
        default=bool(int(getattr(stream, "disposition", 0)) & DEFAULT),
        rate_hz=(context.sample_rate or 0) if kind == "audio" and context else 0,
        channels=(context.layout.nb_channels or 0) if kind == "audio" and context else 0,
        width_px=(context.width or 0) if kind == "video" and context else 0,
        height_px=(context.height or 0) if kind == "video" and context else 0,
    )


def _first_video(streams: tuple[Stream, ...], container: Any) -> Stream | None:
    """The default picture, else the first that can be decoded, else the first."""
    found = [stream for stream in streams if stream.kind == "video"]
    known = [stream for stream in found if container.streams[stream.index].codec_context is not None]
    sized = [stream for stream in known if stream.width_px > 0]
    for group in (sized, known, found):
        if group:
            return next((stream for stream in group if stream.default), group[0])
    return None


def _pick_audio(path: Path, streams: tuple[Stream, ...], container: Any, track: int | None) -> Stream | None:
    """The sound that was asked for, else the default one, else the first; rather one that can be decoded."""
    found = [stream for stream in streams if stream.kind == "audio"]
    if track is not None:
        if not 0 <= track < len(found):
            raise UsageError(f"{path}: has no audio track {track}; it has {len(found)}, counted from 0")
        return found[track]
    known = [stream for stream in found if container.streams[stream.index].codec_context is not None] or found
    return next((stream for stream in known if stream.default), known[0] if known else None)


def _check_size(path: Path, video: Stream) -> None:
    """Refuse pictures that would cost gigabytes."""
    if video.width_px * video.height_px > MAX_PIXELS:
        raise MediaError(
            f"{path}: claims a picture of {video.width_px} x {video.height_px} px; at most {MAX_PIXELS} pixels are read"
        )


def _rates(stream: Any) -> tuple[Fraction, bool]:
    """Average frame rate, and whether it varies."""
    average, base = fraction(stream.average_rate), fraction(stream.base_rate)
    if not average:
        return fraction(stream.guessed_rate), True
    # fields may be counted instead of frames: twice the rate is the same rate
    steady = bool(base) and any(abs(float(average * times / base) - 1) <= SAME_RATE for times in (1, 2))
    return average, not steady


def _rotation(container: Any, index: int) -> int:
    """Clockwise turn of the picture, degrees, from the display matrix on its first frame; 0 where none is decoded."""
    stream = container.streams[index]
    if stream.codec_context is None:
        return 0
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    stream.thread_count = 1
    try:
        for count, packet in enumerate(container.demux(stream)):
            for frame in _frames_of(packet):
                data = frame.side_data.get("DISPLAYMATRIX")
                return 0 if data is None else quarter_turn(np.frombuffer(data, np.int32, 9))
            if count >= ROTATION_PACKETS:
                break
    except av.error.FFmpegError:
        pass
    return 0


def _frames_of(packet: Any) -> list[Any]:
    """Frames of one packet; none where it is damaged."""
    try:
        return list(packet.decode())
    except av.error.FFmpegError:
        return []
