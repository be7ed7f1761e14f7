"""Sound made for real clips, judged as on rendered ones, with the words "no evidence" where chance may have done it.

    python benchmarks/foley_real.py DATASET... --manifest CSV [--model NAME=JSON...] [--waves NAME=PATH...] [-o JSON]

DATASET are data sets of scenes from `clapboard prepare --kind sounds`: part test to judge, part train to look at, since
nothing but the blows by motion was chosen on it. The manifest is the table of real clips: file, class, grade. There is
a table for VEGAS's own classes (drum, dog, fireworks, baby) and one for all events of grade A; of several data sets
also for all together. The measures are those of `foley.py`, but for these:

- nobody knows when something *should* sound: true onsets are those that the picker finds in the true sound, which has
  voices and noise in it, and lies late by as much as it came from afar (fireworks: 0.25 to 0.4 s). A sound that is made
  exactly in sync with such a picture is told to be wrong
- "blows by motion" are laid where the picture moves most (`foley_motion.py`)
- the class of each sound is told by a classifier that learned from the true sounds of all other recordings; a class of
  a single recording, as dog is, cannot be learned, and is left out
- a sound has evidence where its F1 at 100 ms lies above that of its onsets moved in time: the interval of 95 % of the
  difference, over recordings, excludes 0, and so many recordings have it above 0 that a coin gives that less often than
  1 time in 20; fewer than 6 recordings never do
"""

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clapboard.dataset.store import Dataset
from clapboard.errors import ClapboardError, UsageError
from clapboard.evaluation.sound_classes import SoundClassifier, fit_pieces, pieces
from clapboard.files import require_writable, write_text
from clapboard.metrics import onset_match, pairs
from clapboard.models.any_session import AnySoundModel
from clapboard.values import F32
from foley import named, said
from foley_clips import Clip, Waves, baselines, load_clips, onsets_of
from foley_makers import make, read_waves
from foley_measures import Measures, Sync, confusion, plain, table
from foley_motion import by_motion

VEGAS = {
    "baby": "baby",
    "dog": "dog",
    "drums": "drum",
    "snare drum": "drum",
    "conga": "drum",
    "fireworks": "fireworks",
}
"""Classes of the manifest that are VEGAS's, by its names."""
NO_EVIDENCE, EVIDENCE = "no evidence", "evidence"
FEWEST_RECORDINGS = 2
"""A class of fewer recordings cannot be learned from the others."""


def load_real(folders: Sequence[Path], manifest: Path) -> list[tuple[Clip, str]]:
    """Clips of some data sets with their grades, and their classes by VEGAS's names where it has them.

    Raises
    ------
    UsageError : the manifest cannot be read, or does not name a file
    """
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = {Path(row["file"]).name: row for row in csv.DictReader(file)}
        said_of = {name: (row["class"], row["grade"]) for name, row in rows.items()}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{manifest}: is no table of clips with file, class and grade ({error})") from None
    found = []
    for folder in folders:
        files = {entry.id: Path(entry.file).name for entry in Dataset.open(folder).entries}
        for clip in load_clips(folder):
            if files[clip.id] not in said_of:
                raise UsageError(f"{manifest}: says nothing of {files[clip.id]}")
            label, grade = said_of[files[clip.id]]
            found.append((replace(clip, label=VEGAS.get(label, label)), grade))
    return found


def events_of_grade_a(clips: Sequence[tuple[Clip, str]]) -> list[Clip]:
    """Those with events that are seen and heard."""
    return [clip for clip, grade in clips if grade == "A"]


def of_vegas(clips: Sequence[tuple[Clip, str]]) -> list[Clip]:
    """Those of VEGAS's classes, whatever their grade."""
    return [clip for clip, _ in clips if clip.label in VEGAS.values()]


class LeaveOut:
    """What a sound is taken for by a classifier that has learned from all recordings but the clip's own."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        recordings: dict[str, set[str]] = {}
        for clip in clips:
            recordings.setdefault(clip.label, set()).add(clip.recording)
        self.names = tuple(sorted(name for name, of in recordings.items() if len(of) >= FEWEST_RECORDINGS))
        self._clips = [clip for clip in clips if clip.label in self.names]
        self._pieces = [pieces(clip.wave) for clip in self._clips]
        self._without: dict[str, SoundClassifier] = {}

    def __call__(self, clip: Clip, wave: F32) -> str:
        """One of the names."""
        if clip.recording not in self._without:
            kept = [n for n, other in enumerate(self._clips) if other.recording != clip.recording]
            self._without[clip.recording] = fit_pieces(
                [self._pieces[n] for n in kept], [self._clips[n].label for n in kept]
            )
        return self._without[clip.recording](wave)


def evidence(clips: Sequence[Clip], waves: Waves, row: Mapping[str, Any], tolerance_s: float = 0.1) -> str:
    """The words for one sound; see the module."""
    arguments = [c.true_s for c in clips], [onsets_of(waves[c.id]) for c in clips], [c.length_s for c in clips]
    counted = onset_match.count(*arguments, tolerance_s=tolerance_s, period_s=[c.period_s for c in clips])
    above, _ = pairs.by_clip(counted.matched - counted.control, [clip.recording for clip in clips])
    chance = pairs.binomial_p(int((above > 0).sum()), int((above < 0).sum()))
    low = row["onsets"][f"{1000 * tolerance_s:.0f}"]["above_interval"][0]
    good = len(above) >= pairs.FEWEST_CLIPS and low > 0 and chance < pairs.LEVEL
    return EVIDENCE if good else NO_EVIDENCE


def parts_of(sets: Mapping[str, Sequence[tuple[Clip, str]]]) -> dict[str, list[Clip]]:
    """Clips by the title of their table."""
    every = {**sets, **({"all": [one for those in sets.values() for one in those]} if len(sets) > 1 else {})}
    found = {}
    for name, those in every.items():
        found[f"{name}: drum, dog, fireworks, baby"] = of_vegas(those)
        found[f"{name}: all events of grade A"] = events_of_grade_a(those)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--manifest", type=Path, required=True, help="table of real clips: file, class, grade")
    parser.add_argument("--model", nargs="+", default=[], metavar="NAME=JSON[:WAY]", help="models for foley")
    parser.add_argument("--waves", nargs="+", default=[], metavar="NAME=PATH", help="sounds: .npz or folder of .npy")
    parser.add_argument("--any-sound", default="any-sound-s", help="model of sync, name or .json; none where empty")
    parser.add_argument("--work", type=Path, default=Path("runs/foley/bench"), help="keep what models make here")
    parser.add_argument("--seed", type=int, default=0, help="of models that draw")
    parser.add_argument("-o", "--out", type=Path, help="JSON of all numbers, which may exist")
    chosen = parser.parse_args(argv)
    try:
        if chosen.out:
            require_writable(chosen.out, Path(__file__), overwrite=True)
        models, given = named(chosen.model, "--model"), named(chosen.waves, "--waves")
        sets = {folder.name: load_real([folder], chosen.manifest) for folder in chosen.data}
        tables = parts_of(sets)
        used = {clip.id: clip for those in tables.values() for clip in those}
        clips = list(used.values())
        sounds = {**baselines(clips), "blows by motion": by_motion(clips)}
        if twice := (models.keys() & given.keys()) | (sounds.keys() & (models.keys() | given.keys())):
            raise UsageError(f"two sounds are called {', '.join(sorted(twice))}")
        sounds |= {name: read_waves(Path(path), clips) for name, path in given.items()}
        for name, path in models.items():
            sounds[name] = make(path, clips, chosen.work / "real" / name, seed=chosen.seed, hook=said)
        found = judged(tables, sounds, clips, chosen.any_sound)
        if chosen.out:
            write_text(json.dumps(plain(found), indent=1) + "\n", chosen.out, overwrite=True)
    except ClapboardError as error:
        parser.exit(error.exit_code, f"{error}\n")
    return 0


def judged(
    tables: Mapping[str, Sequence[Clip]], sounds: Mapping[str, Waves], clips: Sequence[Clip], any_sound: str
) -> dict[str, Any]:
    """All numbers of all tables, which are printed as they come."""
    classifier = LeaveOut([clip for clip in clips if clip.label in VEGAS.values()])
    classes = classifier if len(classifier.names) > 1 else None
    sync = Sync(AnySoundModel(any_sound), clips) if any_sound else None
    found: dict[str, Any] = {}
    for title, those in tables.items():
        recordings = len({clip.recording for clip in those})
        print(f"\n{title}: {recordings} recordings, {len(those)} shots, {sum(c.length_s for c in those):.0f} s\n")
        if recordings < 2:
            print("too few to hold one against the other")
            continue
        measure, rows = Measures(those, sync, classes), {}
        for name, waves in sounds.items():
            said(f"{title}: measuring {name}")
            rows[name] = measure(waves)
            rows[name]["evidence"] = evidence(those, waves, rows[name])
        print("\n".join(table(rows)))
        if "classes" in rows["true sound"]:
            print("\nTrue sounds by what others of their kind make of them:\n")
            print("\n".join(confusion(rows["true sound"]["classes"])))
        found[title] = rows
    return found


if __name__ == "__main__":
    raise SystemExit(main())
