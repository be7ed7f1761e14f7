"""Lists of segments as AudioSet has them: recording, start, end, classes; and the files that hold them.

The form is that of the CSV files of AudioSet [1]_: lines of comment that begin with ``#``, one of which names the
columns, and rows such as ``--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"``. A column ``part`` may follow.

References
----------
.. [1] https://research.google.com/audioset/download.html
"""

import csv
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clapboard.dataset.sources import TWICE, Cut, Found, Place, Source, places
from clapboard.errors import MediaError, UsageError

COLUMNS = ("YTID", "start_seconds", "end_seconds", "positive_labels", "part")
"""Where no line names them."""
_NUMBER = r"\d+(?:\.\d+)?"
_BEGUN = (re.compile(rf"(.+)_({_NUMBER})"), re.compile(rf"(.+)_({_NUMBER})_({_NUMBER})"))
"""Names of files that end in the start of their segment, or in start and end."""
SAME_S = 0.01
"""Times that differ by no more are the same (s)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One row of a list: a recording, from when to when, s, the mids of what is heard, and the part it belongs to."""

    recording: str
    start_s: float
    end_s: float
    labels: tuple[str, ...]
    part: str = ""


def read_segments(path: str | Path) -> Iterator[Segment]:
    """Rows of a list of segments, one by one: AudioSet's longest has two million.

    Raises
    ------
    MediaError : it cannot be read
    UsageError : a row makes no sense; it is named
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            columns: Sequence[str] = COLUMNS
            for number, cells in enumerate(csv.reader(file, skipinitialspace=True), start=1):
                row = [cell.strip() for cell in cells]
                named = [row[0].lstrip("# "), *row[1:]] if row else []
                if named and named[0].casefold() == COLUMNS[0].casefold():
                    columns = [name.casefold() for name in named]
                elif named and not row[0].startswith("#") and any(row):
                    yield _segment(dict(zip(map(str.casefold, columns), row, strict=False)), f"{path}: row {number}")
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise MediaError(f"{path}: is no table of text ({error}); save it as CSV in UTF-8") from None


def _segment(row: Mapping[str, str], where: str) -> Segment:
    """One row."""
    recording = row.get("ytid", "")
    try:
        start_s, end_s = float(row["start_seconds"]), float(row["end_seconds"])
    except (KeyError, ValueError):
        raise UsageError(f"{where} is not {', '.join(COLUMNS[:4])}; give times in seconds") from None
    if not recording or not 0 <= start_s < end_s < float("inf"):
        raise UsageError(f"{where} has no recording, or does not end after it starts")
    labels = tuple(label for label in (each.strip() for each in row.get("positive_labels", "").split(",")) if label)
    return Segment(recording, start_s, end_s, labels, row.get("part", ""))


class Recordings:
    """Files by the recording that they may hold, below folders.

    ``ID.mp4`` is a whole recording, or a segment that was cut out of it; ``ID_30.mp4``, ``ID_30.000_40.000.mp4`` (in
    seconds) and ``ID_30000_40000.mp4`` (in milliseconds, where there are both) begin with the segment.

    Raises
    ------
    UsageError : an input does not exist
    """

    def __init__(self, inputs: Sequence[str | Path]) -> None:
        self._by_name: dict[str, list[tuple[Place, float | None]]] = {}
        for place in sorted(places(inputs), key=lambda place: (place.inner.parts, str(place.path))):
            stem = place.path.stem
            self._by_name.setdefault(stem, []).append((place, None))
            # An id may itself end in what looks like a time, so every reading counts; the list tells which is right.
            for name, *times in (match.groups() for form in _BEGUN if (match := form.fullmatch(stem))):
                self._by_name.setdefault(name, []).append((place, _begin_s(*times)))

    def __contains__(self, recording: object) -> bool:
        """Whether there may be a file of it."""
        return recording in self._by_name

    def file_of(self, segment: Segment) -> tuple[Place, Cut] | None:
        """The file that holds a segment, and what of it; one that begins with the segment goes before a whole one."""
        best: tuple[Place, Cut] | None = None
        for place, begin_s in self._by_name.get(segment.recording, []):
            if begin_s is None:
                best = best or (place, Cut(segment.start_s, segment.end_s, begun=False))
            elif abs(begin_s - segment.start_s) <= SAME_S:
                return place, Cut(segment.start_s, segment.end_s, begun=True)
        return best


def _begin_s(start: str, end: str = ".") -> float:
    """The start in a name, s: whole numbers are milliseconds where there are both."""
    return float(start) / (1 if "." in start + end else 1000)


def find_segments(
    inputs: Sequence[str | Path],
    path: str | Path,
    *,
    part: str | None = None,
    corpus: str | None = None,
    classes: Collection[str] | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[Found, int]:
    """Look for the files of a list of segments.

    The recording is the speaker, and with the corpus the group: several segments of one are never split. What the data
    set calls a segment that is cut out of a file is the file's name and ``#t=START,END`` (s), as in media fragments
    [1]_.

    Parameters
    ----------
    inputs : folders, which are searched with all below them, and files
    path : the list
    part : only rows of this part
    corpus : in place of the folder's name
    classes : only rows with one of these mids
    names : names of classes by mid, for the labels of the data set

    Returns
    -------
    found, missing : the files, and how many rows have none

    Raises
    ------
    MediaError : the list cannot be read
    UsageError : it makes no sense, a recording belongs to two parts, or no row has a file

    References
    ----------
    .. [1] W3C, "Media Fragments URI 1.0", section 4.2.1.
    """
    recordings, names = Recordings(inputs), names or {}
    found: dict[str, Source] = {}
    seen: dict[tuple[int, int, float], str] = {}
    left_out: list[tuple[Source, str]] = []
    parts: dict[str, str] = {}
    rows = missing = 0
    for segment in read_segments(path):
        if segment.recording in recordings and parts.setdefault(segment.recording, segment.part) != segment.part:
            raise UsageError(
                f"{path}: {segment.recording} belongs to {parts[segment.recording] or 'no part'} and to "
                f"{segment.part or 'no part'}; a recording belongs to one part"
            )
        if part is not None and segment.part != part:
            continue
        if classes is not None and not any(label in classes for label in segment.labels):
            continue
        rows += 1
        held = recordings.file_of(segment)
        if held is None:
            missing += 1
            continue
        source = _source(*held, segment, corpus, names)
        if source.file in found:
            continue
        status = source.path.stat()
        identity = (status.st_dev, status.st_ino, segment.start_s)
        if status.st_ino and identity in seen:
            left_out.append((source, TWICE))
            continue
        seen[identity] = source.file
        found[source.file] = source
    if not found:
        of_part = f" of part {part}" if part is not None else ""
        raise UsageError(f"{path}: none of {rows} segments{of_part} has a file below {', '.join(map(str, inputs))}")
    return Found(tuple(found[file] for file in sorted(found)), tuple(left_out)), missing


def _source(place: Place, cut: Cut, segment: Segment, corpus: str | None, names: Mapping[str, str]) -> Source:
    """One segment as something to prepare."""
    of_corpus = corpus or place.folder.resolve().name or "videos"
    file = place.inner.as_posix() + ("" if cut.begun else f"#t={segment.start_s:g},{segment.end_s:g}")
    label = "; ".join(names.get(mid, mid) for mid in segment.labels)
    group = f"{of_corpus}/{segment.recording}"
    size = os.stat(place.path).st_size
    return Source(place.path, file, of_corpus, segment.recording, group, None, size, label, cut)
