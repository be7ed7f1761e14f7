"""The rows of a run, one JSON object a line, and going on after it was killed.

The rows of one clip are appended at once and handed to the system before the next clip's, so a killed run leaves whole
clips and at most one that is torn; that one is cut off and measured again. Every few seconds, and at the end, the disk
is told to keep them, so that after a power cut no more is measured twice. ``OUT.settings.json`` holds the options that
the rows depend on: with other ones nobody goes on with the file.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from clapboard.errors import MediaError, UsageError
from clapboard.files import candidate_beside, lock

SYNC_EVERY_S = 5.0
"""How much work a power cut can cost (s)."""
FORMAT = 1
SHOWN = 3
"""So many inputs are named where they are not the same."""
INFORMATION = ("version",)
"""Settings that are noted, but may differ."""

Row = Mapping[str, Any]


class RowFile:
    """Appends rows, after those of an earlier run with the same settings; used in a ``with`` block.

    Parameters
    ----------
    path : the file of rows
    settings : what the rows depend on, ready for JSON
    overwrite : begin anew, whatever is there

    Raises
    ------
    UsageError : the file was begun with other settings or by somebody else, or another run writes to it
    MediaError : it cannot be read or written, or is damaged
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], *, overwrite: bool = False) -> None:
        self.path = path
        self._settings = {"format": FORMAT, **settings}
        self._said = path.with_name(f"{path.name}.settings.json")
        self._synced_s = time.monotonic()
        self._before: IO[bytes] | None = None
        _require_place(path)
        try:
            self._file: IO[bytes] = path.open("a+b", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            if not lock(self._file):
                raise UsageError(f"{path}: another run writes to it; wait for it, or give another -o")
            if overwrite:
                self._file.truncate(0)
            if os.fstat(self._file.fileno()).st_size == 0:
                self._note_settings()
            else:
                self._require_same()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "RowFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self.sync()
        finally:
            self._file.close()
            if self._before is not None:
                self._before.close()

    def earlier(self) -> Iterator[list[dict[str, Any]]]:
        """The rows of every clip that an earlier run has finished; what it left torn is cut off at the end.

        Raises
        ------
        MediaError : a line in the middle is damaged
        """
        self._file.seek(0)
        good, at, clip = 0, 0, list[dict[str, Any]]()
        with open(self._file.fileno(), "rb", closefd=False) as lines:
            for number, line in enumerate(lines, start=1):
                at += len(line)
                row = _row_of(line)
                if row is None or (clip and row["id"] != clip[0]["id"]):
                    if lines.read(1):
                        raise MediaError(
                            f"{self.path}: line {number} is damaged; mend it, or give --overwrite to begin anew"
                        )
                    break
                clip.append(row)
                if len(clip) == max(1, row["faces"]):
                    yield clip
                    good, clip = at, []
        try:
            self._file.truncate(good)
        except OSError as error:
            raise self._unwritable(error) from error

    def drop(self, unwanted: Callable[[list[dict[str, Any]]], bool]) -> int:
        """Take out the rows of some clips, so that they can be measured again; how many clips there were.

        The others are written to a new file beside, which takes the place of the old one when the disk has it whole:
        a run that ends in the middle has taken out nothing.

        Raises
        ------
        MediaError : it cannot be written, or a line in the middle is damaged
        """
        if not any(unwanted(clip) for clip in self.earlier()):
            return 0
        target, count = self.path.resolve(), 0
        try:
            with contextlib.ExitStack() as undo:
                candidate = undo.enter_context(candidate_beside(target))
                fresh = candidate.open("a+b", buffering=0)
                undo.callback(fresh.close)
                lock(fresh)  # before it has the name under which others look for it
                shutil.copymode(target, candidate)
                for clip in self.earlier():
                    if unwanted(clip):
                        count += 1
                    else:
                        _write(fresh, clip)
                os.fsync(fresh.fileno())
                candidate.replace(target)
                undo.pop_all()
        except OSError as error:
            raise self._unwritable(error) from error
        self._before, self._file = self._file, fresh  # the old one stays locked: somebody may have just opened it
        return count

    def append(self, rows: Sequence[Row]) -> None:
        """Add the rows of one clip.

        Raises
        ------
        MediaError : they cannot be written
        """
        try:
            _write(self._file, rows)
        except OSError as error:
            raise self._unwritable(error) from error
        if time.monotonic() - self._synced_s > SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        """Have the disk keep all rows so far.

        Raises
        ------
        MediaError : it cannot
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error
        self._synced_s = time.monotonic()

    def _note_settings(self) -> None:
        """Write down what the rows depend on."""
        try:
            with candidate_beside(self._said) as candidate:
                candidate.write_text(json.dumps(self._settings, indent=1) + "\n", encoding="utf-8")
                candidate.replace(self._said)
        except OSError as error:
            raise self._unwritable(error) from error

    def _require_same(self) -> None:
        """Refuse to go on with other settings."""
        try:
            before = json.loads(self._said.read_text(encoding="utf-8"))
            before = before if isinstance(before, dict) else {}
        except (OSError, ValueError):
            raise UsageError(
                f"{self.path}: exists already, and {self._said.name} with its options does not; "
                "give --overwrite or another -o"
            ) from None
        for name, value in self._settings.items():
            if name not in INFORMATION and before.get(name) != value:
                raise UsageError(
                    f"{self.path}: was begun with {name} {_shown(before.get(name))}, not {_shown(value)}; "
                    "give the same, --overwrite, or another -o"
                )

    def _unwritable(self, error: OSError) -> MediaError:
        """The error of a disk that is full or gone."""
        return MediaError(f"{self.path}: cannot be written ({error.strerror or error}); make room or give another -o")


def _write(file: IO[bytes], rows: Sequence[Row]) -> None:
    """Add rows to a file without a buffer."""
    data = memoryview(b"".join(json.dumps(row, allow_nan=False).encode() + b"\n" for row in rows))
    while data:
        data = data[file.write(data) or 0 :]


def _require_place(path: Path) -> None:
    """Refuse what cannot be a file of rows."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise UsageError(f"{path}: is a directory; give the name of a file")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: is not a regular file, so that nothing could go on with it; give another -o")


def _row_of(line: bytes) -> dict[str, Any] | None:
    """A row, or None for what is none or not whole."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    good = isinstance(row, dict) and isinstance(row.get("id"), str) and isinstance(row.get("faces"), int)
    return row if good else None


def _shown(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, list):
        more = f" and {len(value) - SHOWN} more" if len(value) > SHOWN else ""
        return " ".join(map(str, value[:SHOWN])) + more
    return "none" if value is None else str(value)
