"""``crops.jsonl``: a row for each crop of a folder, and putting crops in place so that no row names a missing one."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from urllib.parse import unquote_to_bytes

from clapboard.errors import MediaError, UsageError
from clapboard.files import candidate_beside, put_in_place, require_writable
from clapboard.report.plain import percent_encoded, text

LIST_NAME = "crops.jsonl"
"""One row for each crop of a folder."""


def names_of_source(source: Path, home: Path) -> dict[str, str | None]:
    """``source`` and ``source_percent_encoded`` of a row; the latter only for names that are no Unicode, else None.

    The name leads from the folder of the list to the source, wherever the program was started.
    """
    try:
        name = os.path.relpath(source.resolve(), home.resolve())
    except ValueError:  # on another drive
        name = str(source.resolve())
    plain = text(name)
    return {"source": plain, "source_percent_encoded": percent_encoded(name) if plain != name else None}


class CropList:
    """The crops of one source in a folder, as they were when this was made.

    Parameters
    ----------
    home : the folder; it need not be there
    source : the film that they are cut from
    begins : what the names of its crops begin with

    Raises
    ------
    UsageError : the list holds something else
    """

    def __init__(self, home: Path, source: Path, begins: str) -> None:
        self._home, self._source = home, source
        self._path = home / LIST_NAME
        self._lines = _lines(self._path)
        mine = [str(row["file"]) for _, row in self._lines if _same(row, source, home)]
        self._rows = set(mine)
        self._others = {str(row["file"]): row.get("source") for _, row in self._lines if row["file"] not in self._rows}
        # rows are only text: nothing but a crop of this source is ever removed
        self._old = [home / name for name in mine if name == Path(name).name and name.startswith(begins)]

    def require_free(self, names: Iterable[str], *, overwrite: bool) -> None:
        """Refuse to add to crops of this source, which would be cut twice, or to replace those of other ones.

        Raises
        ------
        UsageError, MediaError : as `clapboard.files.require_writable`
        """
        wanted = list(names)
        for name in wanted:
            if name in self._others:
                whose = f"{self._home / name}: is a crop of another file ({self._others[name]})"
                raise UsageError(f"{whose}; give another --crops")
        old = [] if overwrite else [path for path in self._old if path.exists()]
        for path in [*old, *(self._home / name for name in wanted)]:
            require_writable(path, self._source, overwrite, "--crops")

    def replace(self, part: Path, rows: Sequence[dict[str, Any]], *, overwrite: bool) -> list[Path]:
        """Give finished crops their names and rows, then remove what there was of this source.

        Parameters
        ----------
        part : folder on the same disk in which the new crops are
        rows : one for each of them
        overwrite : replace files of these names
        """
        fresh, placed = {str(row["file"]) for row in rows}, list[Path]()
        try:
            for name in fresh:
                target = self._home / name
                if not target.exists():
                    placed.append(target)
                put_in_place(part / name, target, overwrite)
            self._write(rows, self._rows | fresh)
        except BaseException:
            for target in placed:
                target.unlink(missing_ok=True)
            raise
        for path in self._old:
            if path.name not in fresh and not _is(path, self._source):
                with suppress(OSError):  # no row names it any more
                    path.unlink(missing_ok=True)
        return [self._home / str(row["file"]) for row in rows]

    def _write(self, rows: Sequence[dict[str, Any]], gone: set[str]) -> None:
        """Add rows; where some are gone the list is written anew, else several processes may do so at once."""
        words = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        now = _lines(self._path)
        kept = [line for line, row in now if row["file"] not in gone]
        try:
            if len(kept) < len(now):
                with candidate_beside(self._path) as candidate:
                    candidate.write_text("".join(f"{line}\n" for line in kept) + words, encoding="utf-8")
                    put_in_place(candidate, self._path, overwrite=True)
            elif words:
                number = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
                with open(number, "wb", buffering=0) as file:
                    file.write(words.encode())
        except OSError as error:
            raise MediaError(
                f"{self._path}: cannot be written ({error.strerror}); make room or name another folder"
            ) from error


@contextmanager
def hidden_folder(home: Path) -> Iterator[Path]:
    """A folder for what is not finished, in another that is made where it is missing; removed with all that is left."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{home}: is no folder and none can be made ({error.strerror}); name another") from error
    try:
        part = Path(mkdtemp(prefix=".", suffix=".clapboard", dir=home))
    except OSError as error:
        raise MediaError(f"{home}: cannot be written to ({error.strerror}); name another") from error
    try:
        yield part
    finally:
        rmtree(part, ignore_errors=True)


def _lines(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The lines of a list, and what they hold."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        found = [(line, json.loads(line)) for line in lines]
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        return []  # what is no folder is told when it is to be one
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: is no list of crops ({error}); move it away or name another folder") from error
    if not all(isinstance(row, dict) and "file" in row for _, row in found):
        raise UsageError(f"{path}: is no list of crops; move it away or name another folder")
    return found


def _same(row: dict[str, Any], source: Path, home: Path) -> bool:
    """Whether a row is of this source; its name leads there from the folder of the list."""
    exact = row.get("source_percent_encoded")
    name = os.fsdecode(unquote_to_bytes(exact)) if isinstance(exact, str) else str(row.get("source"))
    try:
        return (home / name).resolve() == source.resolve()
    except (OSError, ValueError):
        return False


def _is(path: Path, source: Path) -> bool:
    """Whether a path is the source itself, by whatever name."""
    try:
        return path.samefile(source)
    except OSError:
        return False
