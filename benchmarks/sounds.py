"""Any sound, judged: does the true sound score above the same sound shifted, and how near are offsets.

    python benchmarks/sounds.py DATASET... [--manifest CSV] [--runs FOLDER...] [--model JSON...] [-o JSON]

DATASET are data sets of scenes: real ones from `clapboard prepare --kind sounds`, rendered ones from
`python -m clapboard.training.rendered_events`. The baselines without learning are always judged; ``--runs`` adds the
heads of the paper, ``--model`` models for any sound, each at lag 0 and at the best of the lags from -40 to +160 ms
("slack": what is seen of a blow comes before its sound). Nothing is learned or chosen here.

Pairs are cut as `clapboard.training.anysound.clips.pairs` cuts them: whole frames, both sounds from one piece that was
made ready as a whole, no shift by a whole period. A recording gives as many pairs as any other, the same ones to every
scorer. Two controls must come out at 50 %: the picture frozen, and both sounds taken from another recording.

With ``--manifest`` (the table of real clips) there is a table for each grade, A events and B sustained, and the words:
"no evidence on real clips" where chance may have done it, see `clapboard.metrics.pairs`. Every row of every table is
one test, and the more there are the stronger each has to be: name few scorers and ranges for a claim.
"""

import argparse
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import ClapboardError, UsageError
from clapboard.metrics import pairs as metric
from clapboard.timebase import PICTURE_HZ
from clapboard.training.anysound.clips import BLOCK_FRAMES, Scene, load_scenes, pairs, split_by_group
from clapboard.training.anysound.shifts import SHIFTS
from clapboard.values import F32
from sound_offsets import measure_all, offset_rows, offset_table_lines
from sound_scorers import Scorer, baselines, heads, model_scorers, unique

PAIRS = 10
"""Pairs that each recording gives for each range of shifts."""
BLOCKS = (2, 4)
"""Least and most blocks of 1 s in a clip; as many as leave room for the range's greatest shift."""
CONTROLS = ("frozen picture", "another's sound")


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One pair: the recording it is of, images (T, 64, 64), both sounds (4 T, 40), and by how much one is shifted."""

    clip: str
    images: NDArray[np.uint8]
    true: F32
    wrong: F32
    shift_s: float


def blocks_of(frames: int, range_name: str) -> int:
    """Blocks of a clip cut from a scene of so many frames with sound."""
    room = frames - round(SHIFTS[range_name][1] * PICTURE_HZ)
    return int(np.clip(room // BLOCK_FRAMES, *BLOCKS))


def by_recording(scenes: Sequence[Scene]) -> dict[str, list[Scene]]:
    """Scenes of each recording, the longest first."""
    found: dict[str, list[Scene]] = {}
    for scene in sorted(scenes, key=lambda scene: (-len(scene.images), scene.id)):
        found.setdefault(scene.group, []).append(scene)
    return found


def cuts(scenes: Sequence[Scene], range_name: str, count: int) -> Iterator[Cut]:
    """So many pairs of each recording, from its scenes in turn; none of those without room."""
    for group, own in by_recording(scenes).items():
        roomy = [s for s in own if _pairs_of(s, range_name, 1, blocks_of(_sounding(s), range_name)) is not None]
        for turn, scene in enumerate(roomy):
            share = len(range(turn, count, len(roomy)))
            found = _pairs_of(scene, range_name, share, blocks_of(_sounding(scene), range_name))
            if found is None:
                continue
            for images, true, wrong, shift_s in zip(
                found.images, found.rows_true, found.rows_shifted, found.shift_s, strict=True
            ):
                yield Cut(group, images, true, wrong, float(shift_s))


def strange_cuts(scenes: Sequence[Scene], range_name: str, count: int) -> Iterator[Cut]:
    """The control: pictures of `cuts`, and both sounds from a pair of another recording."""
    rng = np.random.default_rng(zlib.crc32(range_name.encode()))
    for cut in cuts(scenes, range_name, count):
        others = [scene for scene in scenes if scene.group != cut.clip]
        for number in rng.permutation(len(others)).tolist():
            found = _pairs_of(others[number], range_name, 1, len(cut.images) // BLOCK_FRAMES, cut.clip)
            if found is not None:
                yield Cut(cut.clip, cut.images, found.rows_true[0], found.rows_shifted[0], float(found.shift_s[0]))
                break


def _pairs_of(scene: Scene, range_name: str, count: int, blocks: int, salt: str = "") -> Any:
    """Pairs of one scene, the same whenever it is asked; None where it has no room."""
    rng = np.random.default_rng(zlib.crc32(f"{scene.id} {range_name} {salt}".encode()))
    try:
        return pairs([scene], rng, blocks=blocks, range_name=range_name, clips=count) if count else None
    except UsageError:
        return None


def _sounding(scene: Scene) -> int:
    """Frames of a scene that have sound."""
    first, end = scene.sounding()
    return end - first


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What one scorer does with the pairs of one range: scores (P,) each, and whose pairs they are."""

    true: list[float]
    wrong: list[float]
    clips: list[str]

    def of(self, clips: set[str]) -> "Judged":
        """Only the pairs of these recordings."""
        kept = [at for at, clip in enumerate(self.clips) if clip in clips]
        return Judged(*([values[at] for at in kept] for values in (self.true, self.wrong, self.clips)))

    def result(self) -> metric.PairAccuracy:
        """All numbers of them."""
        return metric.evaluate(self.true, self.wrong, self.clips)


def judge(scorer: Scorer, found: Sequence[Cut], *, frozen: bool = False) -> Judged:
    """Score both sounds of every pair."""
    true, wrong = [], []
    for cut in found:
        images = np.broadcast_to(cut.images[:1], cut.images.shape) if frozen else cut.images
        true.append(scorer.score(images, cut.true))
        wrong.append(scorer.score(images, cut.wrong))
    return Judged(true, wrong, [cut.clip for cut in found])


def percent(share: float) -> str:
    return f"{100 * share:.1f}" if np.isfinite(share) else "-"


def table(rows: Sequence[Mapping[str, Any]], *, words: bool) -> Iterator[str]:
    """Markdown of rows that `pair_rows` gives."""
    titles = ["shifts", "scorer", "clips", "pairs", "won %", "pairs alike %", "by clips %", "p pairs", "p clips"]
    titles += [*CONTROLS, *(["evidence"] if words else [])]
    yield f"| {' | '.join(titles)} |"
    yield "|" + "---|" * len(titles)
    for row in rows:
        alike, clips = ("-".join(map(percent, row[name])) for name in ("wilson", "interval"))
        cells = [row["shifts"], row["scorer"], str(row["clips"]), str(row["pairs"]), percent(row["accuracy"]), alike]
        cells += [clips, f"{row['binomial_p']:.2g}", f"{row['signs_p']:.2g}"]
        cells += [percent(row[name]) for name in CONTROLS]
        yield f"| {' | '.join([*cells, *([row['evidence']] if words else [])])} |"


Table = Mapping[tuple[str, str], tuple[Judged, Judged, Judged]]
"""By range and scorer: the pairs, and both controls."""


def judge_all(scenes: Sequence[Scene], scorers: Mapping[str, Scorer], ranges: Sequence[str], count: int) -> Table:
    """Every scorer on the same pairs of every range."""
    judged = {}
    for name in ranges:
        found, strange = list(cuts(scenes, name, count)), list(strange_cuts(scenes, name, count))
        for called, scorer in scorers.items():
            controls = judge(scorer, found, frozen=True), judge(scorer, strange)
            judged[name, called] = (judge(scorer, found), *controls)
    return judged


def pair_rows(judged: Table, clips: set[str], *, tables: int) -> list[dict[str, Any]]:
    """For some recordings: the numbers of `clapboard.metrics.pairs`, the controls, and what each of them won.

    Parameters
    ----------
    tables : how many are made from these scorers and ranges; each row of each is a test
    """
    rows = []
    for (name, scorer), parts in judged.items():
        of_these, *controls = (part.of(clips) for part in parts)
        result = of_these.result()
        wins, number = metric.by_clip(metric.outcomes(of_these.true, of_these.wrong), of_these.clips)
        rows.append(
            {"shifts": f"{name} {SHIFTS[name][0]:g}-{SHIFTS[name][1]:g} s", "range": name, "scorer": scorer}
            | asdict(result)
            | {what: control.result().accuracy for what, control in zip(CONTROLS, controls, strict=True)}
            | {"evidence": metric.evidence(result, tests=tables * len(judged))}
            | {"won_by_clip": dict(zip(sorted(set(of_these.clips)), (wins / number).tolist(), strict=True))}
        )
    return rows


def difference_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Markdown: by how much one kind of run beats another, runs of one kind being NAME-0, NAME-1 and so on."""
    names = sorted({row["scorer"] for row in rows if row["scorer"].rpartition("-")[2].isdigit()})
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(name.rpartition("-")[0], []).append(name)
    together = [(a, b) for a in kinds for b in kinds if a < b and len(kinds[a]) == len(kinds[b])]
    if not together:
        return
    yield "| shifts | first | second | first - second, points | standard error | clips | runs |"
    yield "|---|---|---|---|---|---|---|"
    for name in dict.fromkeys(row["range"] for row in rows):
        won = {row["scorer"]: row["won_by_clip"] for row in rows if row["range"] == name and row["scorer"] in names}
        for a, b in together:
            one, other = (np.array([list(won[run].values()) for run in kinds[kind]]) for kind in (a, b))
            found = metric.difference(one, other)
            yield (
                f"| {name} | {a} | {b} | {100 * found.mean:+.1f} | {100 * found.standard_error:.1f} "
                f"| {found.clips} | {len(one)} |"
            )


def parts_of(scenes: Sequence[Scene], manifest: Path | None) -> dict[str, list[Scene]]:
    """Scenes by what they are judged as: by grade where a manifest tells it, by split of rendered ones, else together.

    Raises
    ------
    UsageError : the manifest does not name a file
    """
    if manifest is None:
        splits = sorted({scene.split for scene in scenes})
        return {split or "all": [scene for scene in scenes if scene.split == split] for split in splits}
    import csv

    with manifest.open(newline="", encoding="utf-8") as file:
        grades = {Path(row["file"]).name: row["grade"] for row in csv.DictReader(file)}
    missing = sorted({scene.file for scene in scenes if Path(scene.file).name not in grades})
    if missing:
        raise UsageError(f"{manifest}: says nothing of {', '.join(missing)}")
    found = {grade: [s for s in scenes if grades[Path(s.file).name] == grade] for grade in ("A", "B")}
    titles = {"A": "grade A, events", "B": "grade B, sustained sound"}
    parts = {titles[grade]: those for grade, those in found.items()}
    return {**parts, "grades A and B": found["A"] + found["B"]}


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--manifest", type=Path, help="table of real clips: file, grade")
    parser.add_argument("--without", action="append", default=[], help="leave out files whose names hold this")
    parser.add_argument(
        "--held-out", type=float, default=0.0, metavar="SHARE", help="only what runs with this held_out_share leave out"
    )
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="folders of finished runs of attention-avs")
    parser.add_argument("--model", nargs="*", default=[], help="models for any sound, by name or .json")
    parser.add_argument("--ranges", nargs="+", default=list(SHIFTS), choices=list(SHIFTS))
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of each recording and range")
    parser.add_argument("--limit", type=int, help="no more than so many scenes of each data set")
    parser.add_argument("--no-offsets", action="store_true")
    parser.add_argument("-o", "--out", type=Path, help="JSON of all numbers")
    chosen = parser.parse_args()
    try:
        sets = [load_scenes(folder, limit=chosen.limit) for folder in chosen.data]
        if chosen.held_out:
            sets = [split_by_group(those, chosen.held_out)[1] for those in sets]
        scenes = [scene for those in sets for scene in those]
        scenes = [scene for scene in scenes if not any(part in scene.file for part in chosen.without)]
        parts = parts_of(scenes, chosen.manifest)
        learned = [s for folder in chosen.runs for s in heads(folder)]
        learned += [s for model in chosen.model for s in model_scorers(model)]
        scorers = unique([*baselines(), *learned])
    except ClapboardError as error:
        parser.exit(error.exit_code, f"{error}\n")
    found: dict[str, Any] = {}
    used = {scene.id for those in parts.values() for scene in those}
    scenes = [scene for scene in scenes if scene.id in used]
    judged = judge_all(scenes, scorers, chosen.ranges, chosen.pairs)
    measured = {} if chosen.no_offsets else measure_all(scenes, scorers, zero_known=chosen.manifest is None)
    for title, those in parts.items():
        groups = {scene.group for scene in those}
        print(f"\n{title}: {len(groups)} recordings, {len(those)} scenes\n")
        rows, offsets = pair_rows(judged, groups, tables=len(parts)), offset_rows(measured, groups)
        print("\n".join(table(rows, words=chosen.manifest is not None)))
        for lines in (list(difference_lines(rows)), list(offset_table_lines(offsets))):
            print(*["", *lines] if lines else [], sep="\n", end="\n" if lines else "")
        found[title] = {"recordings": len(groups), "scenes": len(those), "pairs": rows, "offsets": offsets}
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
