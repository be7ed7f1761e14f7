"""Classes of sounds by name or by number, as AudioSet has them, and choosing some."""

import csv
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from clapboard.errors import MediaError, UsageError


def read_class_names(path: str | Path) -> dict[str, str]:
    """Names of classes by their mid, from a CSV with the columns mid and display_name: class_labels_indices.csv.

    Raises
    ------
    MediaError : it cannot be read
    UsageError : it has not these columns, or no row
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise MediaError(f"{path}: is no table of text ({error}); save it as CSV in UTF-8") from None
    found = {}
    for number, row in enumerate(rows, start=2):
        mid, name = ((row.get(column) or "").strip() for column in ("mid", "display_name"))
        if not mid or not name:
            raise UsageError(
                f"{path}: row {number} has no mid or no display_name; AudioSet's class_labels_indices.csv has"
            )
        found[mid] = name
    if not found:
        raise UsageError(f"{path}: names no class")
    return found


def choose(said: str, names: Mapping[str, str], *, where: str) -> frozenset[str]:
    """Classes by name, in capitals or not, or by mid, with commas between them; names may have commas of their own.

    Parameters
    ----------
    said : such as ``Speech,Slap, smack,/m/07pc8lb``
    names : names by mid; where a class has no number, by itself
    where : what to call the place where the names come from

    Returns
    -------
    their mids

    Raises
    ------
    UsageError : there is no such class
    """
    known = {name.casefold(): mid for mid, name in names.items()} | {mid.casefold(): mid for mid in names}
    words, at, found = [word.strip() for word in said.split(",")], 0, set[str]()
    while at < len(words):
        # The longest name that begins here: "Slap, smack" and not "Slap".
        for end in range(len(words), at, -1):
            mid = known.get(", ".join(words[at:end]).casefold())
            if mid is not None:
                found.add(mid)
                at = end
                break
        else:
            raise UsageError(f"{where} has no class {words[at] or 'without a name'}{_near(words[at], names.values())}")
    return frozenset(found)


def chosen_mids(said: str, names: Mapping[str, str] | None, *, where: str) -> frozenset[str]:
    """As `choose`; without names of classes only mids can be given.

    Raises
    ------
    UsageError : there is no such class, or it is given by a name that is not known
    """
    if names is not None:
        return choose(said, names, where=where)
    mids = frozenset(word.strip() for word in said.split(","))
    if not all(mid.startswith("/") for mid in mids):
        raise UsageError(f"{said}: names of classes are in a file; give it with --class-names")
    return mids


def _near(word: str, names: Iterable[str]) -> str:
    """In words, what may have been meant."""
    by_small = {name.casefold(): name for name in names}
    near = get_close_matches(word.casefold(), by_small, n=3)
    near += [small for small in by_small if word and word.casefold() in small and small not in near][: 3 - len(near)]
    return f"; near to it are {', '.join(by_small[small] for small in near)}" if near else ""
