"""Opening a file that nobody vouches for: one function, used by everything that reads.

Only containers that hold their own media are opened. Playlists, concat scripts, image sequences and the like can name
other files or addresses, so they are refused, whatever the name of the file says.
"""

import io
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.container
import av.error

from clapboard.errors import MediaError
from clapboard.media.splice import Splice

CONTAINERS = ("mov", "matroska", "mpegts", "mpeg", "avi", "flv", "asf", "mxf", "ogg", "wav", "mp3", "flac", "aac")
"""Demuxers that are allowed: each reads nothing but the file it is given."""
MAX_PIXELS = 8192 * 4320
"""Largest picture that is decoded (pixels): 8K. A few kilobytes can claim more and cost gigabytes."""
PROBE_BYTES = 16_000_000
"""How much of a file may be read to find its streams (bytes)."""
PROBE_US = 15_000_000
"""How much time of a file may be read to find its streams (microseconds)."""
MAX_STREAMS = 100
"""A file with more streams than this is not a film."""

HEAD_BYTES = 65_536
"""How much of a file that cannot be opened is looked at to say why (bytes)."""
JOINABLE = ("mpegts", "mpeg")
"""Containers whose files can be joined end to end as they are."""
MAX_FAILURES = 50
"""After so many errors in a row a file is taken to end there."""
SEEKABLE = ("mov", "matroska")
"""Containers whose index tells exactly where a time lies; others guess by the bit rate, or have clocks that restart."""
PREROLL_S = 2.0
"""Decoding begins so much before the time that is wanted (s): decoders of sound need what is before; GOPs overlap."""
DISCARD_ALL = 48
"""FFmpeg's AVDISCARD_ALL: the demuxer drops the packets of a stream."""
BUFFER_BYTES = 262_144
"""How much of a file in memory is handed to the demuxer at a time (bytes)."""

_OPTIONS = {
    "format_whitelist": ",".join(CONTAINERS),
    "protocol_whitelist": "file",
    "enable_drefs": "0",
    "use_absolute_path": "0",
    "probesize": str(PROBE_BYTES),
    "analyzeduration": str(PROBE_US),
    "max_streams": str(MAX_STREAMS),
    "max_pixels": str(MAX_PIXELS),
}
_DISGUISES = ((b"#EXTM3U", "an HLS playlist"), (b"ffconcat", "a concat script"), (b"<?xml", "an XML text"))


class _InMemory(io.BytesIO):
    """Bytes with the name of a file, whose ending helps to tell what they are; the bytes are not copied."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


@contextmanager
def open_media(path: str | Path, data: bytes | None = None) -> Iterator[Any]:
    """Open a file for reading and close it at the end.

    Parameters
    ----------
    path : a regular file; any name, colons, quotes and leading dashes included
    data : the bytes of the file where it is in memory; nothing is opened by its name then, and the same limits hold

    Yields
    ------
    container : ``av.container.InputContainer``

    Raises
    ------
    MediaError : with one line that says what is wrong
    """
    path = Path(path)
    if data is None:
        require_file(path)
    elif not len(data):
        raise MediaError(f"{path}: is empty (0 bytes)")
    # "file:" keeps a colon in the name from being taken for a protocol
    source = f"file:{path}" if data is None else _InMemory(data, f"file:{path}")
    try:
        container = av.open(source, mode="r", options=_OPTIONS, metadata_errors="replace", buffer_size=BUFFER_BYTES)
    except (av.error.FFmpegError, ValueError, OSError, MemoryError) as error:
        raise MediaError(_why(path, data, error)) from error
    with container:
        yield container


def packets_of(container: Any, streams: Iterable[Any]) -> Iterator[Any]:
    """All packets of some streams, then one empty packet of each; damaged places are passed over.

    Where the clock of a transport stream starts again, the rest is moved behind what was before.

    Parameters
    ----------
    container, streams : from ``open_media``; the others are not even read
    """
    streams = list(streams)
    for other in container.streams:
        if other.index not in {stream.index for stream in streams}:
            other.discard = DISCARD_ALL
    splice = Splice() if container.format.name in JOINABLE else None
    failures = 0
    while failures < MAX_FAILURES:
        try:
            for packet in container.demux(streams):
                failures = 0
                if not is_last(packet):
                    yield packet if splice is None else splice(packet)
            break
        except av.error.FFmpegError:  # asked again, a demuxer goes on behind the damage
            failures += 1
        except IndexError:  # PyAV, at the end of a file in which streams turned up late
            break
    for stream in streams:
        packet = av.Packet()
        packet.stream, packet.time_base = stream, stream.time_base
        yield packet


def seek(container: Any, stream: Any, from_s: float) -> None:
    """Go to the last key picture that is well before a time, s, where the container can tell; else stay at the start.

    Parameters
    ----------
    container, stream : from ``open_media``; the stream whose key pictures count, or the sound
    """
    wanted_s = from_s - PREROLL_S
    if wanted_s <= 0 or not container.format.name.startswith(SEEKABLE) or not stream.time_base:
        return
    try:
        container.seek(int(wanted_s / stream.time_base), stream=stream, backward=True)
    except (av.error.FFmpegError, OverflowError):  # no index: from the start then
        container.seek(0)


def is_last(packet: Any) -> bool:
    """Whether a packet is the empty one that ends its stream; others may be empty too, but have a time."""
    return not packet.size and packet.pts is None and packet.dts is None


def require_file(path: Path) -> None:
    """Refuse what is not a readable file with something in it.

    Raises
    ------
    MediaError : with one line that says what it is instead
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise MediaError(f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error})") from None
    if stat.S_ISDIR(status.st_mode):
        raise MediaError(f"{path}: is a directory; name a video file in it")
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(f"{path}: is not a regular file; copy the video to disk first")
    if status.st_size == 0:
        raise MediaError(f"{path}: is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise MediaError(f"{path}: permission denied")


def _why(path: Path, data: bytes | None, error: BaseException) -> str:
    """One line on why a file could not be opened."""
    if isinstance(error, PermissionError):
        return f"{path}: permission denied"
    if data is None:
        try:
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
        except OSError as broken:  # a disk that fails
            return f"{path}: cannot be read ({broken.strerror or broken})"
    else:
        head = bytes(data[:HEAD_BYTES])
    text = head.lstrip(b"\xef\xbb\xbf \r\n")
    disguise = next((what for magic, what in _DISGUISES if text.startswith(magic)), None)
    if disguise is not None:
        why = f"is {disguise}, not a video; nothing it names is opened"
    elif any(box in head for box in (b"encv", b"enca", b"pssh")):
        why = "is encrypted; get a copy without copy protection"
    elif head[4:8] == b"ftyp":
        why = "the mp4/mov index is missing or damaged (the file is cut off?); get a complete copy"
    elif head.startswith(b"\x1aE\xdf\xa3"):
        why = "the mkv/webm header is damaged or cut off; get a complete copy"
    elif isinstance(error, av.error.ArgumentError):
        why = "this container is not supported; use mp4, mov, mkv, webm, ts, mpg or avi"
    else:
        why = "is not a video file that can be read (mp4, mov, mkv, webm, ts, mpg, avi ...)"
    return f"{path}: {why}"
