"""Sound made for silent pictures, judged on rendered clips: a test of the mechanism, not of real recordings.

    python benchmarks/foley.py DATASET [--train DATASET] [--model NAME=JSON...] [--waves NAME=PATH...]
                               [--bits NAME=JSON...] [-o JSON]

DATASET is a data set of scenes with the truth of each (`python -m clapboard.training.rendered_events --dry`).
``--model`` are models for `clapboard foley`, whose first candidate is taken: which of them goes best with the picture
is not asked, since what would be asked is what measures here. JSON:griffin-lim and JSON:istft make the wave of the
log-mel alone, where blows are laid otherwise. ``--waves`` are sounds that lie there: an .npz with a wave by the id of
each clip, or a folder with ID.npy, (640 T,) at 16 kHz, float in [-1, 1] or int16. The true sound, another recording's,
silence and blows at random with the right median gap always stand beside them. Nothing is chosen here.

What is measured, see `clapboard.metrics.onset_match` and `generation`; all sounds are brought to one level first:
- F1 of the onsets that one picker finds in the wave (`clapboard.sound.onsets`), within 50 and 100 ms of the moments of
  contact, all clips together, with its interval of 95 % over clips; "moved" is the same with the onsets moved round the
  clip by 8 times of 0.5 s or more, "chance" what is expected of any onsets as many. P and R are those at 100 ms.
- the true sound among all true sounds by log-mel: share found first, among the first five, median rank
- correlation of the loudness every 10 ms with the true sound's, and that of the sound made for another recording
- mean |offset| by our own model of sync at the first and the last 4.8 s (as DeSync has it): share of pieces that it
  answers, mean over these, and over its best guesses for all
- materials, mean share named rightly of each, by a classifier that learned from the true sounds of ``--train``
- with ``--bits``: bits a sample, from {"right": [...], "wrong": [...], "samples": [...]}: natural-log likelihood of the
  true samples of each clip, with its own picture and with another's, and how many samples

Sounds that models made are kept in ``--work`` and not made again; remove a folder there to have it made anew.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clapboard.errors import ClapboardError, UsageError
from clapboard.evaluation.sound_classes import SoundClassifier, fit_pieces, pieces
from clapboard.files import require_writable, write_text
from clapboard.metrics import generation
from clapboard.models.any_session import AnySoundModel
from clapboard.values import F32
from foley_clips import Clip, Waves, baselines, load_clips
from foley_makers import make, read_waves
from foley_measures import Classifier, Measures, Sync, confusion, plain, table

LEAST_LEARNED = 20
"""A classifier that learned from fewer clips says little."""


def said(words: str) -> None:
    """A line of progress."""
    print(words, file=sys.stderr, flush=True)


def named(pairs: Sequence[str], option: str) -> dict[str, str]:
    """NAME=PATH of an option, by name.

    Raises
    ------
    UsageError : not of that form, or a name twice
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, _, path = pair.partition("=")
        if not name or not path or name in found or any(char in name for char in "/\\|"):
            raise UsageError(f"{option} {pair}: give NAME=PATH, each name once, without slashes and bars")
        found[name] = path
    return found


class OfTrueSounds:
    """A classifier of the labels of clips, the same for all clips."""

    def __init__(self, found: SoundClassifier) -> None:
        self.names, self._found = found.names, found

    def __call__(self, clip: Clip, wave: F32) -> str:
        """What a sound is taken for; the clip does not count."""
        return self._found(wave)


def classifier_of(folder: Path, kept: Path) -> SoundClassifier:
    """A classifier of the labels of a data set, from its true sounds; kept beside what models made."""
    if kept.exists():
        return SoundClassifier.read(kept)
    said(f"learning materials from the true sounds of {folder}")
    clips = load_clips(folder)
    if len(clips) < LEAST_LEARNED:
        raise UsageError(f"{folder}: holds {len(clips)} clips; {LEAST_LEARNED} are needed to learn classes from")
    found = fit_pieces([pieces(clip.wave) for clip in clips], [clip.label for clip in clips])
    kept.parent.mkdir(parents=True, exist_ok=True)
    found.write(kept)
    return found


def bits_of(path: Path) -> dict[str, Any]:
    """Bits a sample from likelihoods in a file.

    Raises
    ------
    UsageError : it is none of that form
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return asdict(generation.bits(held["right"], held["wrong"], held["samples"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: holds no likelihoods right, wrong and samples ({error})") from None


def measured(
    clips: Sequence[Clip],
    sounds: Mapping[str, Waves],
    bits: Mapping[str, Mapping[str, Any]],
    *,
    any_sound: str,
    classifier: Classifier | None,
) -> dict[str, dict[str, Any]]:
    """All numbers of all sounds, by name."""
    said(f"looking at {len(clips)} clips")
    sync = Sync(AnySoundModel(any_sound), clips) if any_sound else None
    measure, rows = Measures(clips, sync, classifier), {}
    for name, waves in sounds.items():
        said(f"measuring {name}")
        rows[name] = measure(waves) | ({"bits": bits[name]} if name in bits else {})
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", type=Path, help="data set whose true sounds teach the classifier; no class without")
    parser.add_argument("--model", nargs="+", default=[], metavar="NAME=JSON[:WAY]", help="models for foley")
    parser.add_argument("--waves", nargs="+", default=[], metavar="NAME=PATH", help="sounds: .npz or folder of .npy")
    parser.add_argument("--bits", nargs="+", default=[], metavar="NAME=JSON", help="likelihoods of the true samples")
    parser.add_argument("--any-sound", default="any-sound-s", help="model of sync, name or .json; none where empty")
    parser.add_argument("--work", type=Path, default=Path("runs/foley/bench"), help="keep what models make here")
    parser.add_argument("--limit", type=int, help="only so many clips, the first ones")
    parser.add_argument("--seed", type=int, default=0, help="of models that draw")
    parser.add_argument("-o", "--out", type=Path, help="JSON of all numbers, which may exist")
    chosen = parser.parse_args(argv)
    try:
        if chosen.out:
            require_writable(chosen.out, Path(__file__), overwrite=True)
        models, waves = named(chosen.model, "--model"), named(chosen.waves, "--waves")
        bits = {name: bits_of(Path(path)) for name, path in named(chosen.bits, "--bits").items()}
        clips = load_clips(chosen.data, chosen.limit)
        sounds = baselines(clips)
        if twice := (models.keys() & waves.keys()) | (sounds.keys() & (models.keys() | waves.keys())):
            raise UsageError(f"two sounds are called {', '.join(sorted(twice))}")
        sounds |= {name: read_waves(Path(path), clips) for name, path in waves.items()}
        home = chosen.work / chosen.data.name
        for name, path in models.items():
            sounds[name] = make(path, clips, home / name, seed=chosen.seed, hook=said)
        if strange := bits.keys() - sounds.keys():
            raise UsageError(f"--bits {', '.join(sorted(strange))}: no sound has this name")
        classifier = None
        if chosen.train is not None:
            kept = chosen.work / f"classes-{chosen.train.name}.npz"
            classifier = OfTrueSounds(classifier_of(chosen.train, kept))
        rows = measured(clips, sounds, bits, any_sound=chosen.any_sound, classifier=classifier)
        print("\n".join(table(rows)))
        if classifier is not None:
            print("\nTrue sounds by what the classifier takes them for:\n")
            print("\n".join(confusion(rows["true sound"]["classes"])))
        if chosen.out:
            write_text(json.dumps(plain(rows), indent=1) + "\n", chosen.out, overwrite=True)
    except ClapboardError as error:
        parser.exit(error.exit_code, f"{error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
