"""Write pictures and sound as they come, each at its own time on the clock of the file that they were made from."""

from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from clapboard.errors import MediaError, NoAudioError, UsageError
from clapboard.media.bake import Baker, plan_of
from clapboard.media.remux import Remux, holds
from clapboard.media.source import JOINABLE, open_media, packets_of
from clapboard.media.target import muxer_of, open_target, whole_file
from clapboard.media.voice import Voice
from clapboard.values import F32, Clip

TICKS_HZ = 90_000
"""Times of pictures are at least this fine where the container allows (Hz); Matroska rounds to 1 ms."""
LARGEST_TIMESCALE = 1_000_000
"""Rates whose exact clock would tick faster are written at ``TICKS_HZ`` (Hz)."""
USUAL_RATE = Fraction(25)
"""Taken for the encoder's planning where the source does not say its rate."""
BT709 = 1
"""Matrix, primaries and transfer of ITU-R BT.709, by the number that H.273 gives them: what is written, and said."""
STUDIO_RANGE = 1
"""Levels from 16 to 235, by FFmpeg's number."""
AVI_TAG = "XVID"
"""What avi calls mpeg4, as most programs write it."""
AHEAD_S = 0.5
"""Copied sound is written this far ahead of the pictures (s), so that the file stays interleaved."""

Sound = Clip | tuple[int, int, Literal["aac", "pcm_s16le"]] | None
_ENCODERS = {"h264": "libx264", "mpeg4": "mpeg4"}
_OPTIONS = {
    "h264": {"preset": "veryfast", "crf": "18"},
    "mpeg4": {"qscale": "3", "flags": "+qscale", "global_quality": str(3 * 118)},
}


class Film:
    """A file that is written picture by picture; there whole when the ``with`` ends well, else not at all.

    ::

        with Film("out.mp4", width_px=640, height_px=360, rate=clip.rate, sound=clip) as film:
            for frame in read_frames(clip, colour=True):
                film.picture(frame.colour, frame.time_s)

    Parameters
    ----------
    path : the file to be: mp4, m4v, mov, mkv, ts or avi by its ending
    width_px, height_px : size of the pictures; an odd one gets one more px, a copy of the last
    rate : pictures per second, nominal; each picture has its own time. 0 where it is not known
    codec : ``h264``; or ``mpeg4``, which only knows steady rates and puts pictures on the nearest frame. avi takes
        ``mpeg4`` alone, with times from 0 on
    sound : a `Clip`, whose chosen sound is copied packet by packet at its own times, and is encoded anew only where
        the container does not take its codec; or rate (Hz), channels and codec of what ``sound`` will bring; or None
    overwrite : replace an existing file, but never the clip that is the sound
    threads : threads of the encoder of pictures

    Raises
    ------
    UsageError : sizes or codecs that do not fit together; the file exists, or is the clip that is the sound
    NoAudioError : the clip has no sound
    MediaError : it cannot be encoded or written
    """

    def __init__(
        self,
        path: str | Path,
        *,
        width_px: int,
        height_px: int,
        rate: Fraction | int,
        codec: Literal["h264", "mpeg4"] = "h264",
        sound: Sound = None,
        overwrite: bool = False,
        threads: int = 1,
    ) -> None:
        self._path = Path(path)
        self._muxer = muxer_of(self._path)
        if width_px < 1 or height_px < 1 or rate < 0:
            raise UsageError(f"{path}: no film has {width_px} x {height_px} px at {rate} pictures per second")
        if codec not in _ENCODERS:
            raise UsageError(f"pictures are written as h264 or mpeg4, not {codec}")
        if self._muxer == "avi" and (codec != "mpeg4" or isinstance(sound, Clip)):
            raise UsageError(
                f"{path}: avi has no timestamps and takes mpeg4 with sound encoded anew; write .mp4 or .mkv"
            )
        if isinstance(sound, Clip) and sound.audio is None:
            raise NoAudioError(f"{sound.path}: has no sound")
        self._size = (width_px, height_px)
        self._rate = Fraction(rate).limit_denominator(1001) or USUAL_RATE
        self._codec = codec
        self._sound = sound
        self._overwrite = overwrite
        self._threads = threads
        self._stack = ExitStack()
        self._base_s = Fraction(0)
        self._last_tick: int | None = None
        self._copy: _Copy | None = None
        self._voice: Voice | None = None
        self._to_yuv = VideoReformatter()

    def __enter__(self) -> Self:
        """Open the file under a hidden name."""
        with ExitStack() as opening:
            clip = self._sound if isinstance(self._sound, Clip) else None
            source = clip.path if clip is not None and clip.data is None else None
            part = opening.enter_context(whole_file(self._path, source=source, overwrite=self._overwrite))
            container = None if clip is None else opening.enter_context(open_media(clip.path, clip.data))
            opening.push(lambda kind, error, trace: self._verify(part) if kind is None else None)
            self._out = opening.enter_context(open_target(part, self._muxer))
            try:
                self._add_streams(container)
            except ValueError as error:
                if isinstance(error, UsageError):
                    raise
                raise MediaError(f"{self._path}: cannot be encoded ({error})") from error
            opening.push(self._finish)
            self._stack = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Finish the file and give it its name; or remove it when anything went wrong."""
        return self._stack.__exit__(kind, error, trace)

    def picture(self, image: NDArray[np.uint8], time_s: float) -> None:
        """Write one picture.

        Parameters
        ----------
        image : (H, W, 3) uint8 RGB; one of another size than that of the film is scaled to it
        time_s : on the clock of the source; ascending

        Raises
        ------
        UsageError : the time is not after that of the picture before
        MediaError : it cannot be encoded or written
        """
        tick = round((Fraction(time_s) - self._base_s) / self._tick)
        if self._last_tick is not None and tick <= self._last_tick:
            if tick < self._last_tick - 1:
                raise UsageError(f"{self._path}: times of pictures must ascend")
            tick = self._last_tick + 1  # two within a tick
        self._last_tick = tick
        frame = self._yuv(image)
        frame.pts, frame.time_base = tick, self._tick
        self._write(self._video.encode(frame))
        if self._copy is not None:
            self._copy.until(time_s + AHEAD_S)

    def sound(self, samples: F32, start_s: float) -> None:
        """Write sound, in the order of its time; holes become silence, what comes twice is left out.

        Parameters
        ----------
        samples : (N,) or (C, N) float32 in [-1, 1], at the rate and with the channels of the film
        start_s : time of the first sample on the clock of the pictures; the nearest sample is taken

        Raises
        ------
        UsageError : the film has no sound, or other channels
        MediaError : it cannot be encoded or written
        """
        if self._voice is None:
            raise UsageError(f"{self._path}: no sound was announced")
        self._write(self._voice.push(samples, start_s))

    def _add_streams(self, container: Any) -> None:
        """Add the picture and the sound."""
        self._add_picture()
        if isinstance(self._sound, Clip):
            self._copy = _Copy(self._sound, container, self._out, self._path)
            self._base_s = self._copy.base_s
        elif self._sound is not None:
            self._voice = Voice(self._out, *self._sound, from_zero=self._muxer == "avi")

    def _add_picture(self) -> None:
        """Add the stream of the picture."""
        video = self._out.add_stream(_ENCODERS[self._codec], rate=self._rate, options=dict(_OPTIONS[self._codec]))
        video.width, video.height = (side + side % 2 for side in self._size)
        video.pix_fmt = "yuv420p"
        context = video.codec_context
        if self._muxer == "avi":  # it cannot say which matrix, and everybody who reads it takes that of BT.601
            context.codec_tag = AVI_TAG
        else:
            context.color_primaries = context.color_trc = context.colorspace = BT709
            context.color_range = STUDIO_RANGE
        # a whole multiple of the numerator, so that every frame of a steady rate falls on a tick
        scale = self._rate.numerator * -(-TICKS_HZ // self._rate.numerator)
        fine = Fraction(1, scale if scale <= LARGEST_TIMESCALE else TICKS_HZ)
        # mpeg4 cannot count in ticks as fine as that: it counts frames
        self._tick = 1 / self._rate if self._codec == "mpeg4" else fine
        context.time_base = self._tick
        context.thread_count = self._threads
        video.time_base = self._tick if self._muxer == "avi" else fine
        self._video = video

    def _yuv(self, image: NDArray[np.uint8]) -> Any:
        """The picture as the encoder wants it."""
        width, height = self._size
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise UsageError(f"a picture must be (H, W, 3) uint8, not {image.shape} {image.dtype}")
        if image.shape[:2] == (height, width) and (width % 2 or height % 2):
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        return self._to_yuv.reformat(
            frame,
            width=self._video.width,
            height=self._video.height,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601 if self._muxer == "avi" else Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )

    def _write(self, packets: Iterable[Any]) -> None:
        """Hand packets to the container."""
        try:
            for packet in packets:
                self._out.mux(packet)
        except (ValueError, OverflowError) as error:
            if isinstance(error, UsageError):
                raise
            raise MediaError(f"{self._path}: cannot be encoded ({error})") from error

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Get the last packets out, unless something went wrong."""
        if kind is not None:
            return
        if self._last_tick is None:
            raise UsageError(f"{self._path}: a film needs at least one picture")
        self._write(self._video.encode(None))
        if self._copy is not None:
            self._copy.until(float("inf"))
        if self._voice is not None:
            self._write(self._voice.flush())

    def _verify(self, part: Path) -> None:
        """Open what was written: some containers take anything and cannot give it back."""
        if self._copy is not None:
            self._copy.remux.verify(part, self._path)


class _Copy:
    """The sound of a file as it is, or encoded anew where the new container does not take its codec."""

    def __init__(self, clip: Clip, container: Any, out: Any, target: Path) -> None:
        assert clip.audio is not None
        index = clip.audio.index
        stream = container.streams[index]
        muxer = out.format.name
        encoded = {}
        plan = None if holds(muxer, stream) else plan_of(clip.path, stream, muxer)
        if plan is not None:
            encoded[index] = lambda: plan.add_to(out)
        self.remux = Remux(container, out, target, encoded=encoded, only={index})
        self.base_s = self.remux.base_s
        self._baker = None
        if plan is not None:
            self._baker = Baker(plan, self.remux.streams[index], 0.0, self.base_s, from_zero=False)
        self._clip, self._out, self._index = clip, out, index
        # where clocks may start again, the picture has its say in by how much what follows is moved
        wanted = {index}
        if clip.video is not None and container.format.name in JOINABLE:
            wanted.add(clip.video.index)
        self._packets = packets_of(container, [container.streams[i] for i in sorted(wanted)])
        self._reached_s = -float("inf")
        self._done = False

    def until(self, time_s: float) -> None:
        """Write what is due by a time of the source; all that is left at infinity."""
        while self._reached_s < time_s and not self._done:
            packet = next(self._packets, None)
            if packet is None:
                self._done = True
                self._end()
                return
            if packet.stream.index != self._index:
                continue
            stamp = packet.dts if packet.dts is not None else packet.pts
            if stamp is not None:
                self._reached_s = float(stamp * packet.time_base)
            if self._baker is None:
                self.remux.copy(packet, 0.0)
            else:
                self._out.mux(list(self._baker.push(packet)))

    def _end(self) -> None:
        """Write what still waits."""
        self.remux.finish({})
        if self._baker is not None and not self._baker.heard:
            raise NoAudioError(f"{self._clip.path}: nothing of its sound can be decoded")
