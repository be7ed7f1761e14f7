"""Read a file once: frames and sound, each at its own time on the file's clock, streaming.

Nothing is kept: what is not held by the caller is gone. Times come from timestamps, never from counting frames.
"""

from collections.abc import Iterator
from typing import Any

import av.error
import numpy as np

from clapboard.errors import MediaError, NoAudioError, NoVideoError, UsageError
from clapboard.media.listen import Listener
from clapboard.media.picture import Upright, field_order_of
from clapboard.media.source import MAX_PIXELS, is_last, open_media, packets_of, seek
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import Audio, Clip, Frame, Hook

HOOK_STEP_S = 0.5
"""Progress is told once for this much of the file (s)."""
DEFAULT_FRAME_S = 0.04
"""Distance to a frame without timestamp where the frame rate is unknown as well (s)."""


def read(
    clip: Clip,
    *,
    video: bool = True,
    audio: bool = True,
    colour: bool = False,
    from_s: float | None = None,
    until_s: float | None = None,
    hook: Hook | None = None,
    threads: int = 1,
    sound_hz: int = SAMPLE_RATE_HZ,
    channels: int = 1,
) -> Iterator[Frame | Audio]:
    """Decode a file once and hand out its frames and sound in the order in which they lie in the file.

    Parameters
    ----------
    clip : from ``probe``
    video, audio : what is wanted
    colour : whether frames shall have their ``colour`` as well, which costs half as much again as decoding
    from_s : what is before this time, s, is not needed: where the container can tell, decoding begins at a key picture
        before it, else at the start of the file. More than was asked for may come
    until_s : stop before this time, s; sound is cut to the sample
    hook : called as ``hook("read", done_s, total_s)``
    threads : threads of the decoder
    sound_hz, channels : rate and number of channels, 1 or 2, of the sound

    Yields
    ------
    Frame : times ascend strictly. ``image`` (H, W) uint8 is luma at the levels of the file (16 to 235 in most),
        upright, with square pixels; larger than 1920 px it is shrunk by a whole number to no less than 1280 px. It is
        read-only and may be a view of the decoder's buffer: keep a few, copy what is to be kept for long. Of an
        interlaced frame only the field that is shown first is used.
    Audio : one channel at ``timebase.SAMPLE_RATE_HZ``, or as asked for. Blocks follow each other to the sample, except
        where the file itself has a gap, an overlap or a drift of its timestamps; ``start_s`` is right to well below
        1 ms either way.

    Raises
    ------
    NoVideoError, NoAudioError : the file has no such stream, or not one piece of it could be decoded. Damaged pieces
        in between are skipped.
    MediaError : the file cannot be opened
    """
    if not video and not audio:
        raise UsageError("nothing to read: ask for video, audio or both")
    if video and clip.video is None:
        raise NoVideoError(f"{clip.path}: has no picture")
    if audio and clip.audio is None:
        raise NoAudioError(f"{clip.path}: has no sound")
    sound = (sound_hz, channels)
    times = (from_s, until_s)
    return _read(clip, video=video, audio=audio, colour=colour, times=times, hook=hook, threads=threads, sound=sound)


def read_frames(
    clip: Clip, *, colour: bool = False, until_s: float | None = None, hook: Hook | None = None, threads: int = 1
) -> Iterator[Frame]:
    """Only the pictures; see ``read``."""
    for value in read(clip, audio=False, colour=colour, until_s=until_s, hook=hook, threads=threads):
        if isinstance(value, Frame):
            yield value


def read_audio(clip: Clip, *, until_s: float | None = None, hook: Hook | None = None) -> list[Audio]:
    """Only the sound, as one value for each run without gaps; see ``read``."""
    runs: list[list[Audio]] = []
    for value in read(clip, video=False, until_s=until_s, hook=hook):
        if isinstance(value, Audio):
            # a millionth of a second is far below a sample
            if runs and abs(runs[-1][-1].end_s - value.start_s) < 1e-6:
                runs[-1].append(value)
            else:
                runs.append([value])
    return [Audio(np.concatenate([b.samples for b in run]), run[0].rate_hz, run[0].start_s) for run in runs]


def _read(
    clip: Clip,
    *,
    video: bool,
    audio: bool,
    colour: bool,
    times: tuple[float | None, float | None],
    hook: Hook | None,
    threads: int,
    sound: tuple[int, int],
) -> Iterator[Frame | Audio]:
    """The generator behind ``read``."""
    from_s, until_s = times
    with open_media(clip.path, clip.data) as container:
        if from_s is not None:
            leading = next(stream for stream in ((clip.video if video else None), clip.audio) if stream is not None)
            seek(container, container.streams[leading.index], from_s)
        readers: dict[int, _Pictures | _Sounds] = {}
        if video and clip.video is not None:
            readers[clip.video.index] = _Pictures(clip, container.streams[clip.video.index], threads, colour=colour)
        if audio and clip.audio is not None:
            readers[clip.audio.index] = _Sounds(clip, container.streams[clip.audio.index], *sound)
        told_s = -float("inf")
        for packet in packets_of(container, [container.streams[index] for index in readers]):
            reader = readers[packet.stream.index]  # packet.stream_index is 0 on the last packets
            if reader.done:
                continue
            for value in reader.decode(packet):
                time_s = value.time_s if isinstance(value, Frame) else value.start_s
                cut = _until(value, until_s)
                if cut is None:
                    reader.done = True
                    break
                reader.count += 1
                if hook is not None and time_s - told_s >= HOOK_STEP_S:
                    told_s = time_s
                    hook("read", time_s, clip.duration_s)
                yield cut
            if all(reader.done for reader in readers.values()):
                break
        for reader in readers.values():
            if not reader.count and not reader.done:
                raise reader.nothing()


def _until(value: Frame | Audio, until_s: float | None) -> Frame | Audio | None:
    """The part of a value before a time, None when there is none."""
    if until_s is None:
        return value
    if isinstance(value, Frame):
        return value if value.time_s < until_s else None
    keep = int(np.ceil((until_s - value.start_s) * value.rate_hz - 1e-6))
    if keep <= 0:
        return None
    return value if keep >= len(value.samples) else Audio(value.samples[:keep], value.rate_hz, value.start_s)


class _Pictures:
    """Packets of the video stream to frames."""

    def __init__(self, clip: Clip, stream: Any, threads: int, *, colour: bool) -> None:
        self.done, self.count = False, 0
        self._clip = clip
        if stream.codec_context is None:
            raise self.nothing()
        # the claim in the header has been checked; the stream itself may claim more
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.thread_count = threads
        stream.thread_type = "AUTO" if threads > 1 else "NONE"
        self._upright = Upright(clip.rotation_deg, clip.sample_aspect, field_order_of(stream), colour=colour)
        self._period_s = 1 / float(clip.rate) if clip.rate > 0 else DEFAULT_FRAME_S
        self._start_s = clip.video.start_s if clip.video else 0.0
        self._last_s = float("nan")

    def decode(self, packet: Any) -> Iterator[Frame]:
        """Frames that this packet completes."""
        for frame in decoded(packet):
            if frame.pts is not None and frame.time_base:
                time_s = float(frame.pts * frame.time_base)
            else:  # a frame without timestamp follows its predecessor
                time_s = self._start_s if np.isnan(self._last_s) else self._last_s + self._period_s
            if time_s <= self._last_s:
                continue  # its time is taken: a duplicate, or out of order
            self._last_s = time_s
            image, thumbnail, colours = self._upright(frame)
            if image.size:
                yield Frame(time_s, image, thumbnail, colours)

    def nothing(self) -> MediaError:
        """The error when not one frame came out."""
        codec = self._clip.video.codec if self._clip.video else "unknown"
        # the libraries forget a size that they refuse
        sized = self._clip.video is not None and self._clip.video.width_px > 0
        why = "" if sized else f"; it is damaged, encrypted, or larger than {MAX_PIXELS / 1e6:.0f} megapixels"
        return NoVideoError(f"{self._clip.path}: no frame of its picture ({codec}) can be decoded{why}")


class _Sounds:
    """Packets of the audio stream to blocks."""

    def __init__(self, clip: Clip, stream: Any, rate_hz: int, channels: int) -> None:
        self.done, self.count = False, 0
        self._clip = clip
        if stream.codec_context is None:
            raise self.nothing()
        stream.thread_count = 1
        self._listener = Listener(clip.audio.start_s if clip.audio else 0.0, rate_hz, channels)

    def decode(self, packet: Any) -> Iterator[Audio]:
        """Blocks that this packet completes."""
        for frame in decoded(packet):
            yield from self._listener.push(frame)
        if is_last(packet):
            yield from self._listener.flush()

    def nothing(self) -> MediaError:
        """The error when not one sample came out."""
        codec = self._clip.audio.codec if self._clip.audio else "unknown"
        return NoAudioError(f"{self._clip.path}: nothing of its sound ({codec}) can be decoded")


def decoded(packet: Any) -> list[Any]:
    """Frames of one packet; none where it is damaged, or empty before the end (which would end the decoder)."""
    if not packet.size and not is_last(packet):
        return []
    try:
        return list(packet.decode())
    except (av.error.FFmpegError, ValueError):
        return []
