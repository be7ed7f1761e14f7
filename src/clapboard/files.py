"""Writing a file so that it is there whole or not at all, and never over something that was there."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from clapboard.errors import MediaError, UsageError


def require_writable(target: Path, source: Path, overwrite: bool, option: str = "-o") -> None:
    """Refuse a target that is in the way, or where nothing can be written.

    Parameters
    ----------
    target : the file to be
    source : the file that is read for it
    overwrite : whether an existing target may be replaced; ``source`` never is
    option : by which the user names the target

    Raises
    ------
    UsageError : its folder is not there, or it is the source, a folder, or exists and may not be replaced
    MediaError : the folder cannot be written to
    """
    try:
        if not target.parent.is_dir():
            raise UsageError(f"{target}: there is no folder {target.parent}; make it first")
        if target.exists() or target.is_symlink():  # a link that leads nowhere does not exist, but is there
            if target.exists() and target.samefile(source):
                raise UsageError(f"{target}: is the input, which is never overwritten; give another {option}")
            if target.is_dir():
                raise UsageError(f"{target}: is a directory; give the name of a file")
            if not overwrite:
                raise UsageError(f"{target}: exists already; give --overwrite or another {option}")
        if not os.access(target.parent, os.W_OK):
            raise MediaError(f"{target}: the folder {target.parent} cannot be written to; give another {option}")
    except OSError as error:
        raise MediaError(f"{target}: cannot be written ({error.strerror}); give another {option}") from error


def lock(file: IO[bytes]) -> bool:
    """Keep other runs from an open file until it is closed; whether nobody else had it.

    Where there are no locks, as on Windows and some network disks, nobody is kept away.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def candidate_beside(target: Path) -> Iterator[Path]:
    """Yield a hidden name in the target's folder, of its kind; whatever is left under it is removed."""
    candidate = target.with_name(f".{secrets.token_hex(4)}.clapboard{target.suffix}")
    try:
        yield candidate
    finally:
        with contextlib.suppress(OSError):  # a disk that is gone: what went wrong first is the one to tell
            candidate.unlink(missing_ok=True)


def put_in_place(candidate: Path, target: Path, overwrite: bool) -> None:
    """Give a finished file its name.

    Raises
    ------
    UsageError : somebody else has made the target in the meantime
    MediaError : it cannot be renamed
    """
    if (target.exists() or target.is_symlink()) and not overwrite:
        raise UsageError(f"{target}: was made by someone else in the meantime; give another -o")
    try:
        candidate.replace(target)
    except OSError as error:
        raise MediaError(f"{target}: cannot be written ({error.strerror}); give another -o") from error


def write_text(words: str, target: Path, overwrite: bool) -> None:
    """Write a text file whole or not at all, as UTF-8, its line ends as they are.

    Raises
    ------
    UsageError : somebody else has made the target in the meantime
    MediaError : it cannot be written
    """
    with candidate_beside(target) as candidate:
        try:
            candidate.write_text(words, encoding="utf-8", newline="")
        except OSError as error:
            raise MediaError(
                f"{target}: cannot be written ({error.strerror or error}); make room or go elsewhere"
            ) from error
        put_in_place(candidate, target, overwrite)
