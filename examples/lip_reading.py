"""Read lips: which word of a GRID sentence is said, from Clapboard's embeddings of the mouth alone, beside chance.

``python examples/lip_reading.py MANIFEST.csv -o FOLDER``

The manifest is a CSV with the columns file, part, corpus and speaker. Clips of the GRID corpus [1]_ say what is said in
their names: ``bbaf4p`` is "bin blue at f four please". The embeddings are kept in FOLDER, so a second run is short.
The classifier is ridge regression on each word's rough place in the sentence: to learn from, not to win with.

.. [1] M. Cooke, J. Barker, S. Cunningham, X. Shao, "An audio-visual corpus for speech perception and automatic speech
   recognition", Journal of the Acoustical Society of America 120, 2006.
"""

import argparse
import csv
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import clapboard
from clapboard.embeddings import save
from clapboard.models import DEFAULT_MODEL
from clapboard.models.session import SyncModel
from clapboard.models.store import locate

SENTENCE = re.compile(r"(?:^|_)([blps][bgrw][abiw][a-vx-z][z1-9][anps])(?=_|$)")
"""Six letters, one a word; there is no letter w in the corpus."""
MOMENTS = 8
"""A word is described by its embeddings at so many moments."""
JITTER = ((0.0, 1.0), (-0.06, 1.0), (0.06, 1.0), (0.0, 0.93), (0.0, 1.07))
"""Each clip is learned from as it is, moved (s), and stretched: where a word lies is not known exactly."""
RIDGE = 0.5
"""Weight of the penalty, in mean squared lengths; chosen on the people that are learned from."""
FOLDS = 5


class Word(NamedTuple):
    """One word of the sentence: its choices by letter, and where it lies with its neighbours, 0 to 1 of the speech."""

    name: str
    choices: str
    since: float
    until: float


WORDS = (
    Word("command", "blps", -0.25, 0.35),
    Word("colour", "bgrw", 0.0, 0.5),
    Word("preposition", "abiw", 0.2, 0.6),
    Word("letter", "abcdefghijklmnopqrstuvxyz", 0.35, 0.75),
    Word("digit", "z123456789", 0.45, 0.95),
    Word("adverb", "anps", 0.65, 1.2),
)


class Stream(NamedTuple):
    """Vectors (T, D) at times (T,), s, and when the speech of their clip begins and ends, s."""

    values: NDArray[np.float32]
    time_s: NDArray[np.float64]
    begin_s: float
    end_s: float


class Clip(NamedTuple):
    """A clip whose words are known; its streams are "picture", "sound" and "untrained"."""

    file: Path
    speaker: str
    part: str
    sentence: str
    streams: Mapping[str, Stream]


def speech(active: NDArray[np.bool_], time_s: NDArray[np.float64]) -> tuple[float, float]:
    """First and last time at which two of three windows in a row sound, s: a click is no word."""
    run = np.flatnonzero(np.convolve(active, np.ones(3), "same") >= 2)
    return (float(time_s[run[0]]), float(time_s[run[-1]])) if len(run) else (float(time_s[0]), float(time_s[-1]))


def described(stream: Stream, since: float, until: float, move_s: float = 0.0, stretch: float = 1.0) -> NDArray[Any]:
    """A part of the speech as one vector: softly averaged at `MOMENTS` moments, less the mean of the sentence.

    The mean goes because it says who speaks.
    """
    length_s = max(stream.end_s - stream.begin_s, 0.2)
    moments_s = stream.begin_s + move_s + length_s * stretch * np.linspace(since, until, MOMENTS)
    width_s = max(0.03, length_s * (until - since) / MOMENTS / 2)
    weight = np.exp(-0.5 * ((stream.time_s - moments_s[:, None]) / width_s) ** 2) + 1e-12
    inside = (stream.time_s > stream.begin_s - 0.2) & (stream.time_s < stream.end_s + 0.2)
    mean = stream.values[inside].mean(0) if inside.any() else stream.values.mean(0)
    return np.asarray(weight / weight.sum(1, keepdims=True) @ (stream.values - mean)).ravel()


def learn(known: NDArray[Any], labels: NDArray[np.int64], classes: int) -> Callable[[NDArray[Any]], NDArray[np.int64]]:
    """Fit ridge regression to the classes, (N, F) and (N,) in 0 to classes - 1; gives what predicts them.

    How often each class was learned is left out: every word is as likely as the others.
    """
    mean, target = known.mean(0), np.eye(classes)[labels]
    centred = known - mean
    products = centred @ centred.T
    penalty = RIDGE * np.trace(products) / len(known) * np.eye(len(known))
    weights = centred.T @ np.linalg.solve(products + penalty, target - target.mean(0))
    return lambda asked: np.argmax((asked - mean) @ weights, axis=1)


def hits(train: Sequence[Clip], test: Sequence[Clip], stream: str, rng: np.random.Generator | None) -> NDArray[Any]:
    """Whether each word of each test clip is read, (clips, words) bool; ``rng`` shuffles the labels learned from."""
    found = np.zeros((len(test), len(WORDS)), np.bool_)
    for place, word in enumerate(WORDS):
        labels = np.array([word.choices.index(clip.sentence[place]) for clip in train])
        if rng is not None:
            labels = rng.permutation(labels)
        known = [
            described(clip.streams[stream], word.since, word.until, move_s, stretch)
            for move_s, stretch in JITTER
            for clip in train
        ]
        read = learn(np.array(known), np.tile(labels, len(JITTER)), len(word.choices))
        asked = np.array([described(clip.streams[stream], word.since, word.until) for clip in test])
        truth = np.array([word.choices.index(clip.sentence[place]) for clip in test])
        found[:, place] = read(asked) == truth
    return found


def unseen_takes(clips: Sequence[Clip], stream: str, rng: np.random.Generator | None) -> NDArray[Any]:
    """Each clip read by what was learned from the other folds; the same sentence of one person is in one fold."""
    keys = sorted({(clip.speaker, clip.sentence) for clip in clips})
    fold_of = dict(zip(keys, np.random.default_rng(0).permutation(len(keys)) % FOLDS, strict=True))
    folds = np.array([fold_of[clip.speaker, clip.sentence] for clip in clips])
    found = np.zeros((len(clips), len(WORDS)), np.bool_)
    for fold in sorted(set(folds)):
        train = [clip for clip, of in zip(clips, folds, strict=True) if of != fold]
        found[folds == fold] = hits(train, [clips[n] for n in np.flatnonzero(folds == fold)], stream, rng)
    return found


def wilson(right: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, right / count
    middle, spread = share + z * z / (2 * count), z * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return float((middle - spread) / (1 + z * z / count)), float((middle + spread) / (1 + z * z / count))


def bootstrap(found: NDArray[Any], groups: Sequence[str]) -> tuple[float, float]:
    """95 % interval of the mean of (clips, words), resampled by group: by person where there are several."""
    names = sorted(set(groups))
    sums = np.array([[found[[g == name for g in groups]].sum(), groups.count(name)] for name in names])
    drawn = np.random.default_rng(0).integers(len(names), size=(4000, len(names)))
    shares = sums[drawn, 0].sum(1) / sums[drawn, 1].sum(1) / len(WORDS)
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)


def untrained(folder: Path) -> Path:
    """Write the model with the weights of each layer shuffled: the same network that has learned nothing."""
    import onnx
    from onnx import numpy_helper

    source = locate(DEFAULT_MODEL)
    spec = json.loads(source.read_text(encoding="utf-8"))
    rng = np.random.default_rng(0)
    for file in spec["files"].values():
        model = onnx.load(source.with_name(file["name"]))
        layers = {node.input[1] for node in model.graph.node if node.op_type in ("Conv", "Gemm")}
        for tensor in model.graph.initializer:
            if tensor.name in layers:
                weights = numpy_helper.to_array(tensor)
                shuffled = rng.permutation(weights.ravel()).reshape(weights.shape)
                tensor.CopyFrom(numpy_helper.from_array(shuffled, tensor.name))
        data = model.SerializeToString()
        file["sha256"] = hashlib.sha256(data).hexdigest()
        (folder / file["name"]).write_bytes(data)
    out = folder / "untrained.json"
    out.write_text(json.dumps({**spec, "name": "untrained"}), encoding="utf-8")
    return out


def embedded(file: Path, kept: Path, model: SyncModel) -> dict[str, NDArray[Any]]:
    """Embeddings of a file, made where they are not kept yet; those of another model lie in another folder."""
    target = kept / f"{model.model.name}-{model.model.sha256[:8]}" / f"{file.name}.npz"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        save(clapboard.features(file, model=model), target)
    with np.load(target, allow_pickle=False) as found:
        return dict(found)


def streams_of(file: Path, kept: Path, model: SyncModel, blank: SyncModel) -> dict[str, Stream] | None:
    """All streams of a clip; None where no face was found. When speech begins and ends is heard in the sound."""
    found, other = embedded(file, kept, model), embedded(file, kept, blank)
    if not len(found["tracks"]) or not len(found["sound"]):
        return None
    begin_s, end_s = speech(found["sound_active"], found["sound_time_s"])

    def stream(values: NDArray[Any], time_s: NDArray[np.float64]) -> Stream:
        there = np.isfinite(values).all(1)
        return Stream(values[there].astype(np.float32), time_s[there], begin_s, end_s)

    longest = max(found["tracks"], key=lambda number: len(found[f"track_{number}_time_s"]))
    picture, time_s = f"track_{longest}_picture", found[f"track_{longest}_time_s"]
    return {
        "picture": stream(found[picture], time_s),
        "untrained": stream(other[picture], time_s),
        "sound": stream(found["sound"], found["sound_time_s"]),
    }


def read_manifest(manifest: Path, kept: Path) -> Iterator[Clip]:
    """Clips of the GRID corpus with their embeddings; says on stderr how far it is."""
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["corpus"] == "GRID" and row["part"] in ("train", "dev")]
    kept.mkdir(parents=True, exist_ok=True)
    model, blank = clapboard.load_model(), clapboard.load_model(untrained(kept))
    for number, row in enumerate(rows, start=1):
        path = manifest.parent / row["file"]
        said = SENTENCE.findall(path.stem)
        streams = streams_of(path, kept, model, blank) if said else None
        if streams:
            yield Clip(path, row["speaker"], row["part"], said[-1], streams)
        if number % 50 == 0 or number == len(rows):
            print(f"{number}/{len(rows)} clips", file=sys.stderr, flush=True)


def line(name: str, cells: Sequence[str]) -> str:
    """One line of the table."""
    return f"{name:<24}" + "".join(f"{cell:>13}" for cell in cells)


def table(title: str, clips: Sequence[Clip], read: Callable[[str, np.random.Generator | None], NDArray[Any]]) -> None:
    """Print what share of the words is read in the clips that are asked for, for every stream, and with intervals."""
    print(f"\n{title}")
    people = [clip.speaker for clip in clips]
    groups = people if len(set(people)) > 2 else [str(clip.file) for clip in clips]
    rows = {
        "mouth": read("picture", None),
        "mouth, labels shuffled": read("picture", np.random.default_rng(0)),
        "mouth, untrained network": read("untrained", None),
        "sound": read("sound", None),
    }
    for name, found in rows.items():
        print(line(name, [f"{100 * share:.1f}" for share in (*found.mean(0), found.mean())]))
        if name in ("mouth", "mouth, untrained network"):
            ranges = [wilson(int(right), len(found)) for right in found.sum(0)]
            ranges.append(bootstrap(found, groups))
            print(line("  95 % interval", [f"{100 * low:.0f}-{100 * high:.0f}" for low, high in ranges]))
    gained = rows["mouth"].astype(float) - rows["mouth, untrained network"]
    low, high = bootstrap(gained, groups)
    print(f"what the network has learned adds {100 * gained.mean():.1f} points ({100 * low:.1f} to {100 * high:.1f})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Read the words of GRID sentences from the mouth, beside chance.")
    parser.add_argument("manifest", type=Path, help="CSV with the columns file, part, corpus, speaker")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder that keeps the embeddings")
    chosen = parser.parse_args(arguments)
    clips = list(read_manifest(chosen.manifest, chosen.out))
    train = [clip for clip in clips if clip.part == "train"]
    known = Counter(clip.speaker for clip in train)
    strangers = [clip for clip in clips if clip.speaker not in known]
    if not train or not strangers:
        print("lip_reading: the manifest needs GRID clips of part train, and of other people", file=sys.stderr)
        return 2
    shares = [1 / len(word.choices) for word in WORDS]
    print("share of words read, %\n")
    print(line("", [*(word.name for word in WORDS), "all six"]))
    print(line("chance", [f"{100 * share:.1f}" for share in (*shares, np.mean(shares))]))
    title = f"unseen takes: {len(train)} clips of {len(known)} people, in {FOLDS} folds"
    table(title, train, lambda stream, rng: unseen_takes(train, stream, rng))
    for person in known:
        others = [clip for clip in train if clip.speaker != person]
        own = [clip for clip in train if clip.speaker == person]
        if others:
            title = f"an unseen person: {len(own)} clips of {person}, learned from {len(others)} of the others"
            table(title, own, lambda stream, rng, others=others, own=own: hits(others, own, stream, rng))
    count = len({clip.speaker for clip in strangers})
    title = f"unseen people: {len(strangers)} clips of {count} people, learned from {len(train)} of {len(known)}"
    table(title, strangers, lambda stream, rng: hits(train, strangers, stream, rng))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
