"""Accuracy on real clips of unseen people: known shifts against per-clip references, controls and a baseline beside it.

    python benchmarks/accuracy.py [--data ../shared/data/talking] [--model clapboard-s] [--json FILE]

Every clip is decoded once, by the stages of ``clapboard check``. Its sound is then moved by amounts known to the
sample, within +-800 ms, and each non-overlapping piece of the picture is measured against it over +-1 s; all windows of
a piece count, and a piece needs speech in a quarter of them. The truth is the clip's own reference minus the shift. One
constant, the median error of all 4 s pieces, is removed and printed. Clips without a truth follow as they are answered.

``clapboard evaluate`` says more of a model on a prepared data set; this goes from the files themselves, as users do.
"""

import argparse
import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import clapboard
from clapboard.evaluation.embedder import compare
from clapboard.evaluation.measure import SHIFTS_PER_TRACK
from clapboard.evaluation.pieces import offset_in, places
from clapboard.media.probe import probe
from clapboard.metrics import bootstrap
from clapboard.metrics.clips import WITHIN_MS
from clapboard.metrics.clips import evaluate as errors_of
from clapboard.metrics.confidence import auc
from clapboard.models.session import SyncModel, load_model
from clapboard.pipeline import mouths
from clapboard.sound.activity import active_rows, loudness
from clapboard.sound.kinds import KINDS, SPEECH_KIND
from clapboard.sound.rows import Rows
from clapboard.sync.distance import lag_rows
from clapboard.sync.search import MIN_COVERAGE
from clapboard.sync.trust import MIN_PROBABILITY, p_within_frame
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ, row_positions
from clapboard.values import Audio, Crops, Embeddings, Features, Offset
from clapboard.vision.crop import longest_track
from clapboard.vision.mouths import MouthFinder

LENGTHS_S = (1.0, 2.0, 4.0)
MAX_SHIFT_S = 0.8
BASELINE_VIEW = "mouth-64"


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One clip: mouths, sound, and what is known of it."""

    file: str
    speaker: str
    reference_ms: float
    crops: Crops
    audio: list[Audio]
    lips: Embeddings


@dataclass(frozen=True, slots=True)
class Result:
    """One piece: how long, whose, the error, and what the curve says."""

    seconds: float
    speaker: str
    file: str
    error_ms: float
    offset: Offset
    p: float


def decode(path: Path, model: SyncModel, **known) -> Decoded | None:
    """Mouths of the longest face track, and the sound, with their times."""
    audio = list[Audio]()
    crops = list(mouths(probe(path), MouthFinder(view=model.spec.view), audio.append))
    if not crops:
        return None
    whole = longest_track(crops)
    return Decoded(crops=whole, audio=audio, lips=model.embed_picture(whole), **known)


def features_of(audio: list[Audio], delay_s: float, kind: str = SPEECH_KIND) -> Features:
    """Rows of the sound, delayed."""
    rows = Rows(KINDS[kind])
    for run in audio:
        rows.push(replace(run, start_s=run.start_s + delay_s))
    return rows.features()


def embed_sound(model: SyncModel, clip: Decoded, delay_s: float) -> Embeddings:
    """Embeddings of all of the sound, delayed, made as the pipeline does."""
    features = features_of(clip.audio, delay_s, model.spec.sound)
    return model.embed_sound(KINDS[model.spec.sound].finish(features), features.valid, features.first_s)


def measure(model: SyncModel, lips: Embeddings, sound: Embeddings) -> tuple[Offset, float]:
    """Offset of one piece and its probability; NaN for a model without calibration."""
    found, calibration = offset_in(compare([(lips, sound)], 1.0), slice(None)), model.spec.calibration
    return found, p_within_frame(found, calibration.bias, calibration.weights) if calibration else math.nan


def pieces_of(model: SyncModel, clip: Decoded) -> list[tuple[float, slice]]:
    """Non-overlapping pieces of every length with speech (in the unshifted sound)."""
    plain = features_of(clip.audio, 0.0)
    sums = np.concatenate([[0], np.cumsum(active_rows(plain))])
    rows, _ = row_positions(clip.lips.time_s - clip.reference_ms / 1000, plain.first_s)
    ends = np.clip([rows - 10, rows + 10], 0, len(sums) - 1)
    loud = (sums[ends[1]] - sums[ends[0]]) / 20
    return [(seconds, part) for seconds in LENGTHS_S for part in places(loud, seconds, model.spec.window_frames)]


def run(
    model: SyncModel,
    clips: list[Decoded],
    rng: np.random.Generator,
    find: Callable[..., tuple[Offset, float]] | None = None,
) -> list[Result]:
    """All pieces of all clips, each with one of its clip's shifts."""
    results = []
    for clip in clips:
        pieces = pieces_of(model, clip)
        delays = np.round(rng.uniform(-MAX_SHIFT_S, MAX_SHIFT_S, SHIFTS_PER_TRACK) * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        which = rng.integers(SHIFTS_PER_TRACK, size=len(pieces))
        for number, delay_s in enumerate(delays):
            mine = [piece for piece, w in zip(pieces, which, strict=True) if w == number]
            if not mine:
                continue
            sound = (
                embed_sound(model, clip, float(delay_s)) if find is None else features_of(clip.audio, float(delay_s))
            )
            for seconds, part in mine:
                lips = Embeddings(clip.lips.values[part], clip.lips.time_s[part])
                found, p = measure(model, lips, sound) if find is None else find(clip, part, sound)
                truth_ms = clip.reference_ms - 1000 * float(delay_s)
                results.append(Result(seconds, clip.speaker, clip.file, found.offset_ms - truth_ms, found, p))
    return results


def no_learning(clip: Decoded, part: slice, features: Features) -> tuple[Offset, float]:
    """Baseline: changes of how dark the mouth is against changes of how loud the sound is, correlated at every lag.

    Of six such measures, each with and without differences and with two smoothings, this one did best on the train
    clips with a reference. Mouth landmarks, which are not to be had from five points, do better.
    """
    images = clip.crops.images.astype(np.float32)
    middle, skin = images[:, 22:52, 16:48], images[:, 8:, 4:60].mean((1, 2), keepdims=True)
    opening = np.maximum(skin - middle, 0).mean((1, 2))[2:-2][part]  # middles of the 5-frame windows
    level = np.where(features.valid, np.maximum(loudness(features), -14), np.nan)
    level = np.convolve(level, np.ones(8) / 8, "same")
    lags = lag_rows(1.0)
    rows, _ = row_positions(clip.lips.time_s[part], features.first_s)
    at = rows[:, None] + lags[None]
    inside = (at >= 0) & (at < len(level))
    slope = np.where(inside, np.gradient(level)[np.clip(at, 0, len(level) - 1)], np.nan)
    real = np.isfinite(slope)
    count = np.maximum(real.sum(0), 1)
    a, b = np.where(real, np.gradient(opening)[:, None], 0), np.where(real, slope, 0)
    a, b = (a - a.sum(0) / count) * real, (b - b.sum(0) / count) * real
    correlation = (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0) + 1e-9)
    curve = np.where(real.mean(0) >= MIN_COVERAGE, -correlation, np.nan).astype(np.float32)
    best = int(np.nanargmin(curve))
    depth = float(np.nanmedian(curve) - curve[best])
    return Offset(-10.0 * lags[best], depth, float(curve[best]), curve, -10.0 * lags, len(rows)), 1.0


def by_speaker_interval(results: list[Result], what: np.ndarray) -> tuple[float, float]:
    """95 % interval of a mean over pieces: speakers are drawn with replacement, and then their clips."""
    files = sorted({r.file for r in results})
    speakers = {r.file: r.speaker for r in results}
    place = [files.index(r.file) for r in results]
    sums, counts = np.bincount(place, what, len(files)), np.bincount(place, minlength=len(files))
    return bootstrap.of_ratio(sums, counts, bootstrap.resamples([speakers[file] for file in files], 2000))


def auc_of(right: list[float], wrong: list[float]) -> float:
    """Probability that a right one scores higher than a wrong one; one without a score is lowest."""
    return auc(*(np.nan_to_num(some, nan=-1.0) for some in (right, wrong)))


def still(clip: Decoded, model: SyncModel) -> Decoded:
    """The same sound with a picture that stands still."""
    middle = clip.crops.images[len(clip.crops.images) // 2]
    images = np.repeat(middle[None], len(clip.crops.images), 0)
    return replace(clip, lips=model.embed_picture(replace(clip.crops, images=images)))


def print_table(title: str, results: list[Result], constant_ms: float) -> dict:
    """One row a length; returns the numbers."""
    print(f"\n{title}\n")
    print("| piece | pieces | people | <= 20 ms | <= 40 ms [95 % by person] | <= 80 ms | median | ", end="")
    print("answered | right of answered | right, undecided = wrong |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    numbers = {}
    for seconds in LENGTHS_S:
        some = [r for r in results if r.seconds == seconds]
        if not some:
            continue
        found = errors_of([r.error_ms for r in some], constant_ms)
        good = np.abs(np.array([r.error_ms for r in some]) - constant_ms) <= 40
        low, high = by_speaker_interval(some, good)
        answered = np.array([r.p >= MIN_PROBABILITY for r in some])
        right = float(good[answered].mean()) if answered.any() else float("nan")
        strict = float(np.mean(good & answered))
        print(
            f"| {seconds:g} s | {len(some)} | {len({r.speaker for r in some})} | {found['within_20_ms']:.0%} "
            f"| {found['within_40_ms']:.1%} [{low:.0%}, {high:.0%}] | {found['within_80_ms']:.0%} "
            f"| {found['median_ms']:.0f} ms | {answered.mean():.0%} | {right:.1%} | {strict:.1%} |"
        )
        within = {f"{limit_ms:g}": found[f"within_{limit_ms:g}_ms"] for limit_ms in WITHIN_MS}
        answers = {"answered": float(answered.mean()), "right_of_answered": right, "strict": strict}
        numbers[f"{seconds:g} s"] = {"within": within, "median_ms": found["median_ms"], **answers}
    return numbers


def controls(model: SyncModel, clips: list[Decoded], results: list[Result], rng: np.random.Generator) -> dict:
    """Somebody else's voice, and pictures that stand still: must score lower, and must not be answered."""
    wrong: list[Result] = []
    for index, clip in enumerate(clips):
        others = [c for c in clips if c.speaker != clip.speaker]
        wrong += run(model, [replace(clip, audio=others[index % len(others)].audio)], rng)
    unmoved = run(model, [still(clip, model) for clip in clips], rng)
    print("\n| piece | AUC wrong voice, by confidence | by p | AUC still picture | wrong voice answered | still |")
    print("|---|---|---|---|---|---|")
    numbers = {}
    for seconds in LENGTHS_S:
        right, foreign, stills = ([r for r in some if r.seconds == seconds] for some in (results, wrong, unmoved))
        by_confidence = auc_of([r.offset.confidence for r in right], [r.offset.confidence for r in foreign])
        by_p = auc_of([r.p for r in right], [r.p for r in foreign])
        by_still = auc_of([r.offset.confidence for r in right], [r.offset.confidence for r in stills])
        answered = [float(np.mean([r.p >= MIN_PROBABILITY for r in some])) for some in (foreign, stills)]
        cells = " | ".join(f"{value:.3f}" for value in (by_confidence, by_p, by_still))
        print(f"| {seconds:g} s | {cells} | {answered[0]:.1%} | {answered[1]:.1%} |")
        numbers[f"{seconds:g} s"] = {"wrong_voice": by_confidence, "wrong_voice_p": by_p, "still": by_still}
        numbers[f"{seconds:g} s"] |= {"wrong_answered": answered[0], "still_answered": answered[1]}
    return numbers


def whole_clips(data: Path, model: SyncModel, rows: list[dict[str, str]], constant_ms: float) -> dict:
    """Clips with a reference through `clapboard.check`: right, wrong or undecided."""
    print("\nWhole clips through `clapboard.check`, against their references:")
    counts = {"right": 0, "wrong": 0, "undecided": 0}
    for row in rows:
        offset = clapboard.check(data / row["file"], model=model).offset
        off_by_ms = abs(offset.offset_ms - float(row["offset_ms"]) - constant_ms)
        kind = "undecided" if not offset.trusted else "right" if off_by_ms <= 40 else "wrong"
        counts[kind] += 1
        if kind != "right":
            print(
                f"  {kind}: {offset.offset_ms:+.0f} ms, reference {row['offset_ms']} ms, {row['file']} {offset.reasons}"
            )
    print(f"  {counts}")
    return counts


def answers(title: str, data: Path, model: SyncModel, files: list[str]) -> dict:
    """Clips without a truth through `clapboard.check`: what is answered, to be looked at."""
    print(f"\n{title}, through `clapboard.check`:")
    counts: dict[str, int] = {}
    for file in files:
        report = clapboard.check(data / file, model=model)
        counts[report.status] = counts.get(report.status, 0) + 1
        offset = report.offset
        print(
            f"  {report.status:12} {offset.offset_ms:+7.0f} ms, p {offset.p_within_frame:.2f}, "
            f"{offset.windows / PICTURE_HZ:.1f} s, {len(report.tracks)} faces  {Path(file).name}"
        )
    print(f"  {counts}")
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/talking"))
    parser.add_argument("--model", default="clapboard-s")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    for name in ("manifest.csv", "dev_reference.csv"):
        if not (chosen.data / name).is_file():
            parser.error(f"no {name} in {chosen.data}; give the folder with the clips by --data")
    model = load_model(chosen.model)
    with (chosen.data / "manifest.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    with (chosen.data / "dev_reference.csv").open(newline="") as file:
        references = [row for row in csv.DictReader(file) if row["usable"] != "no"]
    usable: dict[bool, list[Decoded]] = {True: [], False: []}
    for row in references:
        speaker, reference_ms = rows[row["file"]]["speaker"], float(row["offset_ms"])
        clip = decode(chosen.data / row["file"], model, file=row["file"], speaker=speaker, reference_ms=reference_ms)
        if clip is None:
            print(f"no face in {row['file']}")
        else:
            usable[row["usable"] == "yes"].append(clip)

    def part(name: str) -> list[str]:
        return [file for file, row in rows.items() if row["part"] == f"dev_{name}"]

    rng = np.random.default_rng(0)
    results = run(model, usable[True], rng)
    constant_ms = float(np.median([r.error_ms for r in results if r.seconds == 4]))
    print(f"{model.model.name} {model.model.sha256[:12]}, {len(usable[True])} clips, constant {constant_ms:+.0f} ms")
    print("Chance: 4 % within 40 ms over +-1 s.")
    numbers = {
        "constant_ms": constant_ms,
        "main": print_table("Known shifts against per-clip references", results, constant_ms),
    }
    if model.spec.view == BASELINE_VIEW:
        baseline = run(model, usable[True], np.random.default_rng(0), no_learning)
        own_ms = float(np.median([r.error_ms for r in baseline if r.seconds == 4]))
        title = "No learning: darkness of the mouth against loudness"
        numbers["baseline"] = print_table(title, baseline, own_ms)
    grid_title = "GRID, other people (references of one model only)"
    numbers |= {
        "grid": print_table(grid_title, run(model, usable[False], rng), constant_ms),
        "controls": controls(model, usable[True], results, rng),
        "foreign": answers("Somebody else's sound, never in sync", chosen.data, model, part("foreign_sound")),
        "several": answers("Several faces, no truth known", chosen.data, model, part("several_faces")),
        "whole": whole_clips(chosen.data, model, [r for r in references if r["usable"] == "yes"], constant_ms),
    }
    if chosen.json:
        chosen.json.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
