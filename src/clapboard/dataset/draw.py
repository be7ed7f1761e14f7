"""Draw parts for learning and judging from AudioSet's lists: so many recordings of some classes each, none in two.

``python -m clapboard.dataset.draw LIST... -o OUT --draw PART=COUNT:CLASS,CLASS [--draw ...] [--class-names CSV]
[--have FOLDER] [--seed 0]``

The order of the draw is that of a hash of seed and recording: it depends on neither the order nor the length of the
lists, so that whoever has the same recordings draws the same. ``--have`` draws among those of which FOLDER holds a
file: of AudioSet many are gone. OUT is a list of the same form with a column part, for ``clapboard prepare --kind
sounds --segments OUT --part PART``. A recipe is ``recipes/attention-avs-audioset.md``.
"""

import argparse
import csv
import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clapboard.dataset.classes import chosen_mids, read_class_names
from clapboard.dataset.segments import COLUMNS, Recordings, Segment, read_segments
from clapboard.errors import ClapboardError, UsageError
from clapboard.files import candidate_beside, put_in_place, require_writable


@dataclass(frozen=True, slots=True)
class Draw:
    """So many recordings, of any of these classes (mids), for a part."""

    part: str
    count: int
    classes: frozenset[str]


def draw(
    segments: Iterable[Segment], draws: Sequence[Draw], *, seed: int = 0, has: Callable[[Segment], bool] | None = None
) -> list[Segment]:
    """Draw recordings; a part that is named earlier takes them first.

    Parameters
    ----------
    segments : rows of lists; of a recording with several the first one that has a class of the draw
    draws : what is wanted, parts that are named once each
    seed : another one draws others
    has : whether there is a file of a segment; where None there is one of each

    Returns
    -------
    the rows that were drawn, with their part, in the order of parts and recordings

    Raises
    ------
    UsageError : there are fewer of a part than are wanted, or a part is named twice
    """
    names = [each.part for each in draws]
    if len(set(names)) < len(names):
        raise UsageError("a part is drawn twice; give each --draw a part of its own")
    pools: list[dict[str, Segment]] = [{} for _ in draws]
    for segment in segments:
        wanted = [pool for pool, each in zip(pools, draws, strict=True) if not each.classes.isdisjoint(segment.labels)]
        if wanted and (has is None or has(segment)):
            for pool in wanted:
                pool.setdefault(segment.recording, segment)
    taken: set[str] = set()
    out: list[Segment] = []
    for pool, each in zip(pools, draws, strict=True):
        free = sorted((recording for recording in pool if recording not in taken), key=lambda it: _rank(seed, it))
        if len(free) < each.count:
            raise UsageError(f"{each.part}: {len(free)} recordings are left, {each.count} are wanted; draw fewer")
        drawn = sorted(free[: each.count])
        taken.update(drawn)
        out += [replace(pool[recording], part=each.part) for recording in drawn]
    return out


def _rank(seed: int, recording: str) -> bytes:
    """What a recording is ordered by."""
    return hashlib.sha256(f"{seed}\0{recording}".encode()).digest()


def write_segments(path: Path, segments: Iterable[Segment]) -> None:
    """Write a list of segments with their parts, in AudioSet's form.

    Raises
    ------
    OSError : it cannot be written
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {', '.join(COLUMNS)}\n")
        writer = csv.writer(file, lineterminator="\n")
        for row in segments:
            writer.writerow((row.recording, f"{row.start_s:.3f}", f"{row.end_s:.3f}", ",".join(row.labels), row.part))


def read_draw(said: str, names: Mapping[str, str] | None, where: str) -> Draw:
    """What ``PART=COUNT:CLASS,CLASS`` means.

    Raises
    ------
    UsageError : it has another form, or names no class that there is
    """
    part, _, rest = said.partition("=")
    count, _, classes = rest.partition(":")
    if not part.strip() or not count.strip().isdecimal() or int(count) < 1 or not classes.strip():
        raise UsageError(f"--draw {said}: is not PART=COUNT:CLASS,CLASS")
    return Draw(part.strip(), int(count), chosen_mids(classes, names, where=where))


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m clapboard.dataset.draw", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("lists", nargs="+", type=Path, metavar="LIST")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--draw", action="append", required=True, metavar="PART=COUNT:CLASS,CLASS")
    parser.add_argument("--class-names", type=Path, metavar="CSV")
    parser.add_argument("--have", type=Path, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--overwrite", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        for path in chosen.lists:
            require_writable(chosen.out, path, chosen.overwrite)
        names = read_class_names(chosen.class_names) if chosen.class_names else None
        draws = [read_draw(said, names, str(chosen.class_names)) for said in chosen.draw]
        have = Recordings([chosen.have]) if chosen.have else None
        rows = (row for path in chosen.lists for row in read_segments(path))
        has = (lambda row: have.file_of(row) is not None) if have is not None else None
        drawn = draw(rows, draws, seed=chosen.seed, has=has)
        with candidate_beside(chosen.out) as part:
            write_segments(part, drawn)
            put_in_place(part, chosen.out, overwrite=chosen.overwrite)
    except ClapboardError as error:
        print(f"clapboard: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"clapboard: {chosen.out}: cannot be written ({error.strerror or error})", file=sys.stderr)
        return 4
    print(f"{chosen.out}: {', '.join(f'{each.part} {each.count}' for each in draws)} recordings", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
