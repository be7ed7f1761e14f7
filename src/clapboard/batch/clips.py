"""Which clips there are: files, and members of tar files, each with a name of its own that never changes."""

import hashlib
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clapboard.dataset.sources import VIDEO_SUFFIXES, Place, places
from clapboard.errors import MediaError, UsageError
from clapboard.report.plain import counted, escaped

TAR = ".tar"
PACKED = {".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst", ".tzst", ".lz4", ".lzma", ".z"}
"""Endings of compressed files; some of those are tar files."""
HASH_BYTES = 8
BEHIND_BYTES = 1 << 20
"""So much behind the end of a tar file is looked at: writers fill it with zeros up to some kilobytes."""


@dataclass(frozen=True, slots=True)
class ClipAt:
    """Where a clip is.

    Attributes
    ----------
    id : path below the folder that was given, or name of the file; in a tar file, ``shard.tar/member``
    path : the file
    size_bytes : length of the clip
    begin : its first byte in the tar file; None where the whole file is the clip
    problem : why it cannot be read, which was seen already
    """

    id: str
    path: Path
    size_bytes: int
    begin: int | None = None
    problem: str = ""

    def read(self) -> bytes:
        """The bytes of a member.

        Raises
        ------
        MediaError : they are not all there
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self.begin or 0)
                data = file.read(self.size_bytes)
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be read ({error.strerror or error})") from None
        if len(data) < self.size_bytes:
            raise MediaError(f"{self.path}: ends before the clip does; get a complete copy")
        return data


def find_clips(inputs: Sequence[str | Path], tell: Callable[[str], None] | None = None) -> list[ClipAt]:
    """All clips, ascending by id.

    Of tar files the members that are videos by their ending are clips; of two members with one name the later one
    counts, as when it is unpacked. A tar file that cannot be read is one clip with a problem, after those before the
    damage.

    Parameters
    ----------
    inputs : folders, which are searched with all below them, video files, and tar files
    tell : called with a line where compressed tar files in folders are passed over

    Raises
    ------
    UsageError : an input does not exist or is a compressed tar file, nothing is found, or two clips have one id
    """
    found: dict[str, ClipAt] = {}
    named, passed = set(map(Path, inputs)), list[Path]()
    for place in places(inputs, (*VIDEO_SUFFIXES, TAR, *PACKED)):
        if place.path.suffix.lower() in PACKED:
            packed = _is_packed_tar(place.path)
            if packed and place.path in named:
                raise UsageError(
                    f"{place.path}: compressed tar files are not read; unpack it, or recompress it as .tar"
                )
            passed += [place.path] if packed else []
            if packed or place.path not in named:
                continue
        for clip in _clips_of(place):
            other = found.get(clip.id)
            if other is not None and os.path.realpath(other.path) != os.path.realpath(clip.path):
                raise UsageError(
                    f"{clip.path} and {other.path} would both be called {clip.id}; give the folder above them"
                )
            found[clip.id] = clip
    if not found:
        more = "; compressed tar files are not read: unpack, or recompress as .tar" if passed else ""
        raise UsageError(f"{', '.join(map(str, inputs))}: no video or tar file with videos was found there{more}")
    if passed and tell:
        many = f"{counted(len(passed), 'compressed tar file')} {'is' if len(passed) == 1 else 'are'} passed over"
        tell(f"{many}, such as {min(passed)}: unpack, or recompress as .tar")
    return [found[id_] for id_ in sorted(found)]


def shard_of(id_: str, count: int) -> int:
    """Which of so many parts a clip belongs to, 0 to count - 1: by a hash of its id, the same on every machine."""
    digest = hashlib.sha256(id_.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:HASH_BYTES], "big") % count


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """``i/n`` as two numbers, i from 0 to n - 1; None for None.

    Raises
    ------
    UsageError : it is something else
    """
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not int(match[1]) < int(match[2]):
        raise UsageError(f"--shard {text}: give i/n with i from 0 to n - 1, such as 0/8 for the first of eight")
    return int(match[1]), int(match[2])


def _is_packed_tar(path: Path) -> bool:
    """Whether a compressed file is a tar file by its name."""
    *_, before, last = ["", *(suffix.lower() for suffix in path.suffixes)]
    return last.startswith(".t") or before == TAR


def _clips_of(place: Place) -> Iterator[ClipAt]:
    """A file, or what is in it."""
    name = escaped(place.inner.as_posix())
    if place.path.suffix.lower() == TAR:
        yield from _members(place.path, name)
    else:
        yield ClipAt(name, place.path, _size_of(place.path))


def _members(path: Path, name: str) -> Iterator[ClipAt]:
    """Videos in a tar file."""
    end = _size_of(path)
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                base = PurePosixPath(member.name.lstrip("/"))  # also without ./ in front, which many tar files have
                if base.suffix.lower() not in VIDEO_SUFFIXES or base.name.startswith(".") or member.isdir():
                    continue
                problem = ""
                if not member.isreg() or member.issparse():
                    problem = "is a link or has holes in the tar file; pack whole files"
                elif member.offset_data + member.size > end:
                    problem = "the tar file is cut off in it; get a complete copy"
                yield ClipAt(f"{name}/{escaped(base.as_posix())}", path, member.size, member.offset_data, problem)
            last = tar.offset
        _require_end(path, last)
    except (tarfile.TarError, OSError, ValueError, OverflowError, EOFError) as error:
        yield ClipAt(name, path, end, None, f"is no whole tar file ({error}); get a complete copy")


def _require_end(path: Path, last: int) -> None:
    """See that a tar file ends where the library stopped: it takes a damaged header for the end, and the first of two.

    Raises
    ------
    ValueError : there is something else
    """
    with path.open("rb") as file:
        file.seek(last)
        rest = file.read(BEHIND_BYTES)
    if rest[: tarfile.BLOCKSIZE].strip(b"\0"):
        raise ValueError(f"damaged at byte {last}")
    if rest.strip(b"\0"):
        raise ValueError(f"more follows its end at byte {last}; join tar files with tar --concatenate")


def _size_of(path: Path) -> int:
    """Length of a file, bytes; 0 where it cannot be told."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
