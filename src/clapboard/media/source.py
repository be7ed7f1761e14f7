"""Opening a file that nobody vouches for: one function, used by everything that reads.

Only containers that hold their own media are opened. Playlists, concat scripts, image sequences and the like can name
other files or addresses, so they are refused, whatever the name of the file says.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.container
import av.error

from clapboard.errors import MediaError

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


@contextmanager
def open_media(path: str | Path) -> Iterator[Any]:
    """Open a file for reading and close it at the end.

    Parameters
    ----------
    path : a regular file; any name, colons, quotes and leading dashes included

    Yields
    ------
    container : ``av.container.InputContainer``

    Raises
    ------
    MediaError : with one line that says what is wrong
    """
    path = Path(path)
    _require_file(path)
    try:
        # "file:" keeps a colon in the name from being taken for a protocol
        container = av.open(f"file:{path}", mode="r", options=_OPTIONS, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError, OSError, MemoryError) as error:
        raise MediaError(_why(path, error)) from error
    with container:
        yield container


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Tell of an input that breaks off in the middle as what it is."""
    try:
        yield
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise MediaError(f"{path}: is damaged and cannot be copied; decode it first") from error


def _require_file(path: Path) -> None:
    """Refuse what is not a readable file with something in it."""
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


def _why(path: Path, error: BaseException) -> str:
    """One line on why a file could not be opened."""
    if isinstance(error, PermissionError):
        return f"{path}: permission denied"
    with path.open("rb") as file:
        head = file.read(4096)
    for magic, what in _DISGUISES:
        if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(magic):
            return f"{path}: is {what}, not a video; nothing it names is opened"
    if head[4:8] == b"ftyp":
        return f"{path}: the mp4/mov index is missing or damaged (the file is cut off?); get a complete copy"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return f"{path}: the mkv/webm header is damaged or cut off; get a complete copy"
    if isinstance(error, av.error.ArgumentError):
        return f"{path}: this container is not supported; use mp4, mov, mkv, webm, ts, mpg or avi"
    return f"{path}: is not a video file that can be read (mp4, mov, mkv, webm, ts, mpg, avi ...)"
