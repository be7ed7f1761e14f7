"""Writing a file so that it is there whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av
import av.error

from clapboard.errors import MediaError, UsageError

MOVIE_HZ = 90_000
"""Clock of the edit lists that are written (Hz)."""
NO_ROOM = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
"""Errors that no other container would help against."""
MUXERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".mts": "mpegts",
    ".m2ts": "mpegts",
    ".mpg": "mpeg",
    ".mpeg": "mpeg",
    ".avi": "avi",
}
"""Muxer by the ending of the file's name."""


def muxer_of(target: Path) -> str:
    """FFmpeg's name of the container that a file name asks for.

    Raises
    ------
    UsageError : the ending is not one of ``MUXERS``
    """
    try:
        return MUXERS[target.suffix.lower()]
    except KeyError:
        known = ", ".join(MUXERS)
        raise UsageError(f"{target}: cannot write a {target.suffix or 'nameless'} file; use {known}") from None


@contextmanager
def whole_file(target: Path, *, source: Path | None = None, overwrite: bool = False) -> Iterator[Path]:
    """A temporary name beside ``target`` to write to; renamed at the end, removed when anything goes wrong.

    Parameters
    ----------
    target : the file to be
    source : the file that is read meanwhile, which must not be the same
    overwrite : whether an existing target may be replaced

    Raises
    ------
    UsageError : the target is the source, by whatever name, or exists and may not be replaced
    MediaError : nothing can be written there
    """
    _require_new(target, source, overwrite)
    part = target.with_name(f".clapboard-{secrets.token_hex(6)}{target.suffix.lower()}")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise MediaError(f"{target}: cannot be written ({error.strerror})") from None
    try:
        yield part
        _require_new(target, source, overwrite)
        part.replace(target)
    except OverflowError as error:
        raise MediaError(f"{target}: cannot be written; the timestamps of its source are damaged") from error
    except (av.error.FFmpegError, OSError) as error:
        no_room = error.errno in NO_ROOM
        advice = (
            "make room or name another disk"
            if no_room
            else "try .mkv"
            if target.suffix != ".mkv"
            else "encode it anew first"
        )
        raise MediaError(f"{target}: cannot be written ({error.strerror or error}); {advice}") from error
    finally:
        with suppress(OSError):  # a disk that is gone: what went wrong first is the one to tell
            part.unlink(missing_ok=True)


@contextmanager
def open_target(part: Path, muxer: str, options: dict[str, str] | None = None) -> Iterator[Any]:
    """Open a file for writing and close it at the end, also when writing fails half way.

    Yields
    ------
    container : ``av.container.OutputContainer``
    """
    # edit lists of mp4 count in this clock; at the usual 1000 Hz, starts are cut to whole milliseconds
    clock = {"movie_timescale": str(MOVIE_HZ)} if muxer in ("mp4", "mov") else {}
    out = av.open(f"file:{part}", "w", format=muxer, container_options=clock | (options or {}))
    try:
        yield out
    except BaseException:
        with suppress(av.error.FFmpegError, ValueError, OSError):  # the first error is the one to tell
            out.close()
        raise
    out.close()


def _require_new(target: Path, source: Path | None, overwrite: bool) -> None:
    """Refuse to write over the source, or over anything without leave.

    Raises
    ------
    UsageError : the target is the source, by whatever name, a folder, or exists and may not be replaced
    """
    if target.is_dir():
        raise UsageError(f"{target}: is a directory; name a file")
    if source is not None and target.exists() and target.samefile(source):
        raise UsageError(f"{target}: is the file being read; write to another name")
    if not overwrite and (target.exists() or target.is_symlink()):
        raise UsageError(f"{target}: exists already; name another file or allow overwriting")
