"""Kept clips as tar files in the manner of WebDataset: each clip's bytes as they were, and a JSON beside them.

A tar file appears under its name when it is full and on the disk. The rows are written before it: what they keep and no
tar file holds, after a run was killed, is packed first by the next run.
"""

import json
import os
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from clapboard.batch.clips import ClipAt, shard_of
from clapboard.errors import MediaError, UsageError
from clapboard.files import lock

BLOCK = 512
"""Tar files are made of blocks of so many bytes."""
RECORD = 20 * BLOCK
"""Their length is a multiple of this."""
CHUNK_BYTES = 1 << 20


class TarShards:
    """Packs clips into tar files of a folder, behind those that are there.

    Parameters
    ----------
    folder : made where it does not exist
    prefix : beginning of their names: ``clips`` gives ``clips-000000.tar``
    names : of each clip in the tar file, by id, see `names_for`
    settle : called before a tar file gets its name, to have the rows of what it holds on the disk
    max_clips, max_bytes : a tar file holds no more than this, but at least one clip
    overwrite : remove those of an earlier run

    Raises
    ------
    UsageError : another run packs into it
    MediaError : the folder cannot be written to, or a tar file in it cannot be read
    """

    def __init__(
        self,
        folder: Path,
        prefix: str,
        names: Mapping[str, str],
        settle: Callable[[], None],
        *,
        max_clips: int,
        max_bytes: int,
        overwrite: bool,
    ) -> None:
        self.folder, self._prefix, self._names, self._settle = folder, prefix, names, settle
        self._max_clips, self._max_bytes = max_clips, max_bytes
        self._part: IO[bytes] | None = None
        self._held: IO[bytes] | None = None
        self._clips = 0
        self.packed: set[str] = set()
        self._number = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._hold()
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            for path in sorted(folder.iterdir()):
                match = re.fullmatch(rf"{re.escape(prefix)}-([0-9]{{6,}})\.tar", path.name)
                if match is None:
                    continue
                if overwrite:
                    path.unlink()
                    continue
                self.packed |= _ids_in(path)
                self._number = max(self._number, int(match[1]) + 1)
        except OSError as error:
            self.abandon()
            raise self._unwritable(error) from error
        except BaseException:
            self.abandon()
            raise

    def require_within(self, kept: Iterable[str]) -> None:
        """Refuse tar files that hold anything but clips that the rows keep.

        Raises
        ------
        UsageError : they do
        """
        others = self.packed.difference(kept)
        if others:
            raise UsageError(
                f"{self.folder}: {self._prefix}-*.tar hold clips that the rows do not keep, such as {min(others)}; "
                "give another --tar-out, or --overwrite to begin both anew"
            )

    def add(self, clip: ClipAt, rows: Sequence[Mapping[str, Any]]) -> str:
        """Pack one clip.

        Returns
        -------
        why its bytes cannot be had any more, or nothing

        Raises
        ------
        MediaError : the tar file cannot be written
        """
        said = json.dumps({"id": clip.id, "rows": list(rows)}, allow_nan=False).encode() + b"\n"
        need = clip.size_bytes + len(said) + 4 * BLOCK
        if self._part is not None and (self._clips >= self._max_clips or self._part.tell() + need > self._max_bytes):
            self._finish()
        name = self._names[clip.id]
        try:
            part = self._part = self._part or self._part_path().open("wb")
            at = part.tell()
            if problem := _copy(clip, name, part):
                part.seek(at)
                part.truncate()
                return problem
            _write_member(part, f"{_stem(name)}.json", said)
        except OSError as error:
            raise self._unwritable(error) from error
        self._clips += 1
        self.packed.add(clip.id)
        return ""

    def close(self) -> None:
        """Finish the tar file that was begun, if it holds anything; nothing is packed after that.

        Raises
        ------
        MediaError : it cannot be written
        """
        try:
            self._finish()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Leave away what is not finished, and let others pack."""
        self._leave()
        if self._held is not None:
            self._lock_path().unlink(missing_ok=True)  # before it is let go of: then it may be somebody else's
            self._held.close()
            self._held = None

    def _finish(self) -> None:
        """Give the tar file that was begun its name, if it holds anything."""
        if self._part is None:
            return
        path = self._part_path()
        try:
            with self._part as part:
                part.write(bytes(2 * BLOCK))
                part.write(bytes(-part.tell() % RECORD))
                part.flush()
                os.fsync(part.fileno())
            if self._clips:
                self._settle()
                path.replace(self.folder / f"{self._prefix}-{self._number:06d}.tar")
                self._number += 1
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            self._leave()

    def _leave(self) -> None:
        """Leave away what is not finished."""
        if self._part is not None:
            self._part.close()
            self._part_path().unlink(missing_ok=True)
        self._part, self._clips = None, 0

    def _hold(self) -> None:
        """Keep other runs from these tar files: both would write to the same part."""
        if os.name != "posix":  # where a file that is open cannot be removed, nor be locked
            return
        path = self._lock_path()
        held = path.open("ab")
        # Who has finished removes the file: what we have open may be one that nobody else will find.
        if not lock(held) or not path.exists() or not os.path.samestat(path.stat(), os.fstat(held.fileno())):
            held.close()
            raise UsageError(f"{self.folder}: another run packs into it; wait for it, or give another --tar-out")
        self._held = held

    def _lock_path(self) -> Path:
        """The file that says that a run is at work."""
        return self.folder / f".{self._prefix}.lock"

    def _part_path(self) -> Path:
        """The file that is written to; one that a killed run has left is written over."""
        return self.folder / f".{self._prefix}.part"

    def _unwritable(self, error: OSError) -> MediaError:
        """The error of a disk that is full or gone."""
        return MediaError(f"{self.folder}: cannot be written ({error.strerror or error}); make room or give another")


def names_for(ids: Sequence[str]) -> dict[str, str]:
    """What each clip is called in a tar file: its id, without what WebDataset or unpacking could misunderstand.

    WebDataset takes everything before the first point of the last part as the name of the sample: other points become
    underscores. Clips that would then be one sample get a hash behind their names.
    """
    plain = {id_: _plain(id_) for id_ in ids}
    twice = Counter(_stem(name).lower() for name in plain.values())
    return {
        id_: name
        if twice[_stem(name).lower()] == 1
        else f"{_stem(name)}-{shard_of(id_, 2**48):012x}{name[len(_stem(name)) :]}"
        for id_, name in plain.items()
    }


def _plain(id_: str) -> str:
    """A relative path, with one point in its last part."""
    parts = ["_" if part in ("", ".", "..") else part for part in id_.replace("\\", "_").split("/")]
    stem, point, kind = parts[-1].rpartition(".")
    if not point:
        stem, kind = kind, "video"
    parts[-1] = f"{stem.replace('.', '_') or '_'}.{kind or 'video'}"
    return "/".join(parts)


def _stem(name: str) -> str:
    """A name without its ending."""
    return name.rpartition(".")[0]


def _ids_in(path: Path) -> set[str]:
    """Ids of the clips in a tar file."""
    found = set()
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name.endswith(".json") else None
                if file is not None:
                    found.add(str(json.load(file)["id"]))
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path}: is no tar file of kept clips ({error}); move it away") from None
    return found


def _copy(clip: ClipAt, name: str, part: IO[bytes]) -> str:
    """Write a clip's bytes; why they cannot be had, or nothing."""
    try:
        file = clip.path.open("rb")
    except OSError as error:
        return f"{clip.path}: cannot be read any more ({error.strerror or error})"
    with file:
        size = clip.size_bytes if clip.begin is not None else os.fstat(file.fileno()).st_size
        file.seek(clip.begin or 0)
        part.write(_header(name, size))
        left = size
        while left:
            try:
                data = file.read(min(left, CHUNK_BYTES))
            except OSError as error:
                return f"{clip.path}: cannot be read any more ({error.strerror or error})"
            if not data:
                return f"{clip.path}: has become shorter while it was read"
            part.write(data)
            left -= len(data)
        part.write(bytes(-size % BLOCK))
    return ""


def _write_member(part: IO[bytes], name: str, data: bytes) -> None:
    """Write a small member."""
    part.write(_header(name, len(data)) + data + bytes(-len(data) % BLOCK))


def _header(name: str, size: int) -> bytes:
    """What stands before a member: no times and no owners, so that the same clips give the same tar file."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
