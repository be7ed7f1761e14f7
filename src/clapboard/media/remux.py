"""Copy streams from one container to another without touching what they hold."""

import io
import math
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error

from clapboard.errors import UsageError
from clapboard.media.probe import is_cover
from clapboard.media.rational import fraction
from clapboard.media.source import JOINABLE, is_last, open_media
from clapboard.media.target import MOVIE_HZ

_MOV_FAMILY = ("mp4", "mov")
# what a container says of itself, or counts of the old file, would be wrong in the new one
_STALE = (
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "duration",
    "number_of_",
    "_statistics",
    "bps",
)

_CHAPTERLESS = frozenset({"mpegts", "mpeg", "avi"})
"""Muxers that drop chapters without a word."""


class Remux:
    """The streams of ``source`` in ``out``, with metadata, chapters and what marks them.

    Codec parameters travel whole: rotation, colour and mastering data of the stream among them. Streams other than
    picture and sound that the new container cannot hold are left out and named in ``left_out``.

    Parameters
    ----------
    source, out : opened containers; nothing may have been written to ``out``
    target : the name of the file to be, for messages
    encoded : for each stream that is not copied but encoded anew, by index, the function that adds it to ``out``
    only : indices of the streams that are wanted; None takes all

    Raises
    ------
    UsageError : the new container cannot hold the picture or the sound
    """

    def __init__(
        self,
        source: Any,
        out: Any,
        target: Path,
        *,
        encoded: Mapping[int, Callable[[], Any]] | None = None,
        only: Container[int] | None = None,
    ) -> None:
        self.left_out: list[str] = []
        self.streams: dict[int, Any] = {}
        self._out = out
        self._stamps: dict[int, _Stamps] = {}
        self._parts: dict[int, int] = {}
        self._kinds: dict[int, str] = {}
        # the clock of a transport stream starts anywhere; other files keep their starts
        from_zero = source.format.name in JOINABLE and source.start_time is not None
        self.base_s = Fraction(source.start_time, av.time_base) if from_zero else Fraction(0)
        muxer = out.format.name
        for stream in source.streams:
            if only is not None and stream.index not in only:
                continue
            if encoded is not None and stream.index in encoded:
                self.streams[stream.index] = encoded[stream.index]()
                mark(stream, self.streams[stream.index])
                continue
            if not holds(muxer, stream):
                if stream.type in ("video", "audio") and not is_cover(stream):
                    raise not_held(target, stream)
                if not _remade(source, stream):
                    self.left_out.append(_named(stream))
                continue
            self.streams[stream.index] = self.add(stream)
            self._stamps[stream.index] = _Stamps()
            tick = fraction(stream.time_base)
            # the tick of avi is its frame rate: leave it
            self._parts[stream.index] = 1 if muxer == "avi" else finer(tick)
            self.streams[stream.index].time_base = tick / self._parts[stream.index]
        out.metadata.update(_fresh(source.metadata))

    def add(self, stream: Any) -> Any:
        """A stream like this one in the new file."""
        copy = self._out.add_stream_from_template(stream, opaque=True)
        muxer = self._out.format.name
        if stream.type == "video" and muxer in _MOV_FAMILY and stream.container.format.name.startswith("mov"):
            tag = stream.codec_context.codec_tag
            if holds(muxer, stream, tag):  # hvc1 stays hvc1, without which Apple's players refuse it
                copy.codec_context.codec_tag = tag
        if stream.type == "audio":
            with suppress(ValueError):  # mp4 wants to know the layout; where nobody said, it is the usual one
                copy.codec_context.layout = layout_of(stream)
        mark(stream, copy)
        return copy

    def set_chapters(self, source: Any, delay_s: float) -> None:
        """Take the chapters over, later by ``delay_s``; where the container has no place for them they are left out."""
        chapters = source.chapters()
        if chapters and self._out.format.name in _CHAPTERLESS:
            self.left_out.append(f"{len(chapters)} chapter{'s' if len(chapters) > 1 else ''}")
            return
        for chapter in chapters:
            tick = fraction(chapter["time_base"])
            move = round((Fraction(delay_s) - self.base_s) / tick)
            chapter["start"], chapter["end"] = max(0, chapter["start"] + move), max(0, chapter["end"] + move)
        if chapters:
            self._out.set_chapters(chapters)

    def copy(self, packet: Any, delay_s: float) -> None:
        """Write one packet later by ``delay_s``; the empty ones at the end are not written."""
        index = packet.stream.index
        for ready in self._stamps[index].push(packet):
            self._write(ready, index, delay_s)

    def finish(self, delays_s: dict[int, float]) -> None:
        """Write what still waits."""
        for index, stamps in self._stamps.items():
            for ready in stamps.flush():
                self._write(ready, index, delays_s.get(index, 0.0))

    def verify(self, part: Path, target: Path) -> None:
        """Open what was written and compare: some containers take anything and cannot give it back.

        Raises
        ------
        UsageError : a picture or a sound is gone
        """
        with open_media(part) as written:
            for kind in ("video", "audio"):
                found = [stream for stream in getattr(written.streams, kind) if stream.codec_context is not None]
                if len(found) < sum(copied == kind for copied in self._kinds.values()):
                    raise UsageError(f"{target}: {target.suffix} cannot hold this {kind}; {_advice(target)}")

    def _write(self, packet: Any, index: int, delay_s: float) -> None:
        """Move a packet and hand it to the muxer."""
        tick = fraction(packet.time_base)
        times = self._parts[index]
        move = round((Fraction(delay_s) - self.base_s) / (tick / times))
        packet.pts, packet.dts = packet.pts * times + move, packet.dts * times + move
        packet.duration = (packet.duration or 0) * times
        packet.time_base = tick / times
        if index not in self._kinds and not is_cover(packet.stream):
            self._kinds[index] = packet.stream.type
        packet.stream = self.streams[index]
        self._out.mux(packet)


def layout_of(stream: Any) -> str:
    """FFmpeg's name of the layout of an audio stream, the usual one where the file gives only a number."""
    layout = stream.codec_context.layout
    usual = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(layout.nb_channels, layout.name)
    return usual if layout.name.endswith("channels") else str(layout.name)


def finer(tick: Fraction) -> int:
    """Into how many parts a tick must be cut so that a shift by any time is true to 0.1 ms."""
    return 1 if tick <= Fraction(1, 10_000) else math.ceil(tick * MOVIE_HZ)


def mark(stream: Any, copy: Any) -> None:
    """Language, title and disposition of a stream for its copy."""
    copy.metadata.update(_fresh(stream.metadata))
    with suppress(AttributeError, ValueError):
        copy.disposition = int(stream.disposition)


def options_for(source: Any, muxer: str) -> dict[str, str]:
    """Options of the muxer that keep the tags of this file."""
    # the tags of cameras ("com.apple.quicktime....") fit only this kind of list
    if muxer in _MOV_FAMILY and any("." in key for key in source.metadata):
        return {"movflags": "use_metadata_tags"}
    return {}


class _Stamps:
    """Makes timestamps of one stream fit for a muxer: none missing, decoding order ascending.

    Matroska stores no decoding times, and the first packets of a stream with B-frames come without; dropping them
    would drop the key frame.
    """

    def __init__(self) -> None:
        self._waiting: list[Any] = []
        self._last: int | None = None

    def push(self, packet: Any) -> Iterator[Any]:
        """Packets that are ready now."""
        if is_last(packet):
            return
        if packet.dts is None and self._last is None and packet.pts is not None:
            self._waiting.append(packet)
            return
        if packet.dts is None:
            packet.dts = (self._last or 0) + max(1, packet.duration or 1)
        yield from self._count_back(packet.dts)
        yield self._ascend(packet)

    def flush(self) -> Iterator[Any]:
        """Packets of a stream in which no decoding time was ever given."""
        if self._waiting:
            step = max(1, self._waiting[-1].duration or 1)
            late = max(i * step - packet.pts for i, packet in enumerate(self._waiting))
            yield from self._count_back(len(self._waiting) * step - late)

    def _count_back(self, known: int) -> Iterator[Any]:
        """Give the waiting packets the times before a known one."""
        for place, packet in enumerate(self._waiting):
            packet.dts = known - (len(self._waiting) - place) * max(1, packet.duration or 1)
            yield self._ascend(packet)
        self._waiting.clear()

    def _ascend(self, packet: Any) -> Any:
        """Keep decoding times ascending and not after the presentation."""
        if self._last is not None and packet.dts <= self._last:
            packet.dts = self._last + 1
        self._last = packet.dts
        packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
        return packet


def holds(muxer: str, stream: Any, tag: str | None = None) -> bool:
    """Whether a container can hold a stream: a header is written to memory to find out."""
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            copy = trial.add_stream_from_template(stream, opaque=True)
            if tag is not None:
                copy.codec_context.codec_tag = tag
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError, OSError):
        return False
    return True


def not_held(target: Path, stream: Any) -> UsageError:
    """The error for a picture or a sound that a container cannot hold."""
    return UsageError(f"{target}: {target.suffix} cannot hold {_named(stream)}; {_advice(target)}")


def _remade(source: Any, stream: Any) -> bool:
    """Whether a track of QuickTime only repeats what the muxer writes anew from chapters and timecode metadata."""
    if stream.type != "data" or not source.format.name.startswith("mov"):
        return False
    if stream.metadata.get("timecode"):
        return any(other.metadata.get("timecode") for other in source.streams.video)
    return bool(source.chapters()) and _codec(stream) == "bin_data"


def _advice(target: Path) -> str:
    """What to do when a container cannot hold a stream."""
    return "encode it anew first" if target.suffix.lower() == ".mkv" else "write .mkv"


def _named(stream: Any) -> str:
    """A stream in words: ``subtitle stream 2 (subrip)``."""
    return f"{stream.type} stream {stream.index} ({_codec(stream)})"


def _codec(stream: Any) -> str:
    """Name of a stream's codec."""
    return str(getattr(stream.codec_context, "name", None) or getattr(stream, "name", None) or "unknown")


def _fresh(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata that is still true in a new file."""
    return {key: value for key, value in metadata.items() if not key.lower().startswith(_STALE)}
