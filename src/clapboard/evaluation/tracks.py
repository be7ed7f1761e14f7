"""The tracks to judge by: those of data sets whose true offset is known."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clapboard.dataset.store import Dataset, Stored
from clapboard.errors import MediaError, UsageError

LEAST_FRAMES = 19
"""A shorter track has not the 0.6 s of windows that an answer needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One track whose offset is known: ``reference_ms`` is by how much its sound is early.

    ``speaker`` is empty where nobody knows who speaks.
    """

    file: str
    id: str
    corpus: str
    speaker: str
    reference_ms: float
    stored: Stored

    @property
    def person(self) -> str:
        """Who speaks, unlike anybody of another corpus; an unknown speaker is nobody but this track's."""
        return f"{self.corpus}/{self.speaker or self.id}"


def read_references(path: str | Path) -> dict[str, float]:
    """True offsets of files, ms, from a CSV with the columns file, offset_ms and usable: rows whose usable is "yes".

    Raises
    ------
    MediaError : the file cannot be read, or is no such table
    UsageError : it has no usable row
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            found = {r["file"]: float(r["offset_ms"]) for r in csv.DictReader(file) if r["usable"] == "yes"}
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise MediaError(f"{path}: is no table of file, offset_ms, usable ({error})") from None
    if not found:
        raise UsageError(f"{path}: has no row whose usable is yes")
    return found


def tracks_of(
    datasets: Sequence[Dataset], references_ms: Mapping[str, float] | None = None
) -> tuple[list[Track], dict[str, int]]:
    """Tracks whose offset is known, and how many were left out for each reason.

    Parameters
    ----------
    datasets : one or more
    references_ms : by ``file`` or ``id`` of the manifest; where None the manifest's own offset counts, else 0

    Raises
    ------
    UsageError : nothing is left
    """
    found, left_out = list[Track](), Counter[str]()
    for dataset in datasets:
        for entry in dataset.entries:
            if references_ms is None:
                reference_ms = 0.0 if entry.offset_ms is None else entry.offset_ms
            else:
                known_ms = references_ms.get(entry.id, references_ms.get(entry.file))
                if known_ms is None:
                    left_out["no known offset"] += 1
                    continue
                reference_ms = known_ms
            if entry.frames < LEAST_FRAMES:
                left_out[f"fewer than {LEAST_FRAMES} frames"] += 1
                continue
            stored = dataset.stored(entry)
            found.append(Track(entry.file, entry.id, entry.corpus, entry.speaker, reference_ms, stored))
    if not found:
        names = [entry.file for dataset in datasets for entry in dataset.entries]
        like = f"; its files are called like {names[0]}" if names else ""
        raise UsageError(f"no track of the data set has a known offset{like}" if names else "the data set is empty")
    return found, dict(left_out)


def require_view(datasets: Sequence[Dataset], view: str, who: str) -> None:
    """See that a model can look at the data sets.

    Raises
    ------
    UsageError : it takes another view than one of them has
    """
    for dataset in datasets:
        if dataset.view != view:
            raise UsageError(
                f"{dataset.folder}: holds the view {dataset.view}, {who} takes {view}; prepare one with --view {view}"
            )
