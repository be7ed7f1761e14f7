"""Accuracy on real clips of unseen people: known shifts against per-clip references, controls and a baseline beside it.

    python benchmarks/accuracy.py [--data ../shared/data/talking] [--model clapboard-s] [--json FILE]

Every clip is decoded once, as ``clapboard check`` does. Its sound is then moved by amounts known to the sample, within
+-800 ms, and each non-overlapping piece of the picture is measured against it over +-1 s. The truth is the clip's own
reference minus the shift. One constant, the median error of all 4 s pieces, is removed and printed.
"""

import argparse
import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import clapboard
from clapboard.media.grid import on_grid
from clapboard.media.probe import probe
from clapboard.media.read import read
from clapboard.models.session import SyncModel, load_model
from clapboard.sound.activity import active_rows, loudness
from clapboard.sound.features import LogMel, normalise
from clapboard.sync.distance import curves, distances, lag_rows
from clapboard.sync.search import offset_of
from clapboard.sync.trust import MIN_PROBABILITY, p_within_frame
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ, row_positions
from clapboard.values import Audio, Crops, Embeddings, Features, Frame, Offset
from clapboard.vision.mouths import MouthFinder

LENGTHS_S = (1.0, 2.0, 4.0)
MAX_SHIFT_S = 0.8
SHIFTS_PER_CLIP = 6
WITHIN_MS = (20, 40, 80)


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
    finder, audio, crops = MouthFinder(), list[Audio](), dict[int, list[Crops]]()

    def frames():
        for item in read(probe(path)):
            if isinstance(item, Frame):
                yield item
            else:
                audio.append(item)

    def take(found):
        for some in found:
            crops.setdefault(some.track, []).append(some)

    for grid, frame in on_grid(frames()):
        take(finder.push(grid, frame))
    take(finder.close())
    if not crops:
        return None
    parts = max(crops.values(), key=lambda p: sum(len(c.images) for c in p))
    whole = Crops(0, np.concatenate([c.images for c in parts]), np.concatenate([c.time_s for c in parts]))
    return Decoded(crops=whole, audio=audio, lips=model.embed_picture(whole), **known)


def features_of(audio: list[Audio], delay_s: float) -> Features:
    """Features of the sound, delayed."""
    rows = LogMel()
    for run in audio:
        rows.push(replace(run, start_s=run.start_s + delay_s))
    return rows.features()


def embed_sound(model: SyncModel, features: Features) -> Embeddings:
    """Embeddings of all of the sound, normalised as the pipeline does."""
    return model.embed_sound(normalise(features), features.valid, features.first_s)


def measure(model: SyncModel, lips: Embeddings, sound: Embeddings) -> tuple[Offset, float]:
    """Offset of one piece and its probability."""
    found = offset_of(curves(distances(lips, sound, 1.0)))
    return found, p_within_frame(found, model.spec.calibration.bias, model.spec.calibration.weights)


def pieces_of(clip: Decoded, speech: np.ndarray, first_s: float, seconds: float) -> list[slice]:
    """Non-overlapping pieces in which at least a quarter of the windows have speech (on the unshifted sound)."""
    size, sums = round(seconds * PICTURE_HZ), np.concatenate([[0], np.cumsum(speech)])
    rows, _ = row_positions(clip.lips.time_s - clip.reference_ms / 1000, first_s)
    ends = np.clip([rows - 10, rows + 10], 0, len(speech))
    speaks = (sums[ends[1]] - sums[ends[0]]) > 4
    starts = range(0, len(clip.lips.time_s) - size + 1, size)
    return [slice(s, s + size) for s in starts if speaks[s : s + size].mean() >= 0.25]


def run(
    model: SyncModel,
    clips: list[Decoded],
    rng: np.random.Generator,
    find: Callable[..., tuple[Offset, float]] | None = None,
) -> list[Result]:
    """All pieces of all clips, each with one of its clip's shifts."""
    results = []
    for clip in clips:
        plain = features_of(clip.audio, 0.0)
        speech = active_rows(plain)
        pieces = [(seconds, part) for seconds in LENGTHS_S for part in pieces_of(clip, speech, plain.first_s, seconds)]
        delays = np.round(rng.uniform(-MAX_SHIFT_S, MAX_SHIFT_S, SHIFTS_PER_CLIP) * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        which = rng.integers(SHIFTS_PER_CLIP, size=len(pieces))
        for number, delay_s in enumerate(delays):
            mine = [piece for piece, w in zip(pieces, which, strict=True) if w == number]
            if not mine:
                continue
            features = features_of(clip.audio, float(delay_s))
            sound = embed_sound(model, features) if find is None else None
            for seconds, part in mine:
                lips = Embeddings(clip.lips.values[part], clip.lips.time_s[part])
                found, p = measure(model, lips, sound) if find is None else find(clip, part, features)
                truth_ms = clip.reference_ms - 1000 * float(delay_s)
                results.append(Result(seconds, clip.speaker, clip.file, found.offset_ms - truth_ms, found, p))
    return results


def no_learning(clip: Decoded, part: slice, features: Features) -> tuple[Offset, float]:
    """Baseline: how dark the middle of the mouth is against how loud the sound is, as a curve of correlations."""
    images = clip.crops.images.astype(np.float32)
    middle, skin = images[:, 22:52, 16:48], images[:, 8:, 4:60].mean((1, 2), keepdims=True)
    opening = np.maximum(skin - middle, 0).mean((1, 2))
    opening = np.convolve(opening, np.ones(3) / 3, "valid")[1:-1][part]  # middles of the 5-frame windows
    times = clip.lips.time_s[part]
    level = np.where(features.valid, np.maximum(loudness(features), -14), np.nan)
    level = np.convolve(level, np.ones(8) / 8, "same")
    lags = lag_rows(1.0)
    rows, _ = row_positions(times, features.first_s)
    at = rows[:, None] + lags[None]
    inside = (at >= 0) & (at < len(level))
    sound = np.where(inside, level[np.clip(at, 0, len(level) - 1)], np.nan)
    a, b = np.gradient(opening)[:, None], np.gradient(sound, axis=0)
    real = np.isfinite(b)
    b = np.where(real, b, 0)
    count = np.maximum(real.sum(0), 1)
    a = np.where(real, a, 0)
    a, b = a - a.sum(0) / count * real, b - b.sum(0) / count * real
    correlation = (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0) + 1e-9)
    curve = np.where(real.mean(0) >= 0.4, -correlation, np.nan).astype(np.float32)
    best = int(np.nanargmin(curve))
    found = Offset(
        -10.0 * lags[best],
        float(np.nanmedian(curve) - curve[best]),
        float(curve[best]),
        curve,
        -10.0 * lags,
        len(times),
    )
    return found, 1.0


def by_speaker_interval(
    results: list[Result], value: Callable[[Result], float], rng: np.random.Generator
) -> tuple[float, float]:
    """95 % interval of a mean, speakers drawn with replacement."""
    groups: dict[str, list[float]] = {}
    for r in results:
        groups.setdefault(r.speaker, []).append(value(r))
    sums = np.array([(np.sum(v), len(v)) for v in groups.values()])
    drawn = sums[rng.integers(len(sums), size=(2000, len(sums)))].sum(1)
    return tuple(np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5]))


def auc(right: list[float], wrong: list[float]) -> float:
    """Probability that a right one scores higher than a wrong one; ties count half."""
    a, b = np.asarray(right)[:, None], np.asarray(wrong)[None]
    return float((a > b).mean() + 0.5 * (a == b).mean())


def still(clip: Decoded, model: SyncModel) -> Decoded:
    """The same sound with a picture that stands still."""
    middle = clip.crops.images[len(clip.crops.images) // 2]
    images = np.repeat(middle[None], len(clip.crops.images), 0)
    return replace(clip, lips=model.embed_picture(replace(clip.crops, images=images)))


def print_table(title: str, results: list[Result], constant_ms: float, rng: np.random.Generator) -> dict:
    """One row a length; returns the numbers."""
    print(f"\n{title}\n")
    print(
        "| piece | pieces | people | <= 20 ms | <= 40 ms [95 % by person] | <= 80 ms | median | answered | right of answered | undecided = wrong |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    numbers = {}
    for seconds in LENGTHS_S:
        some = [r for r in results if r.seconds == seconds]
        error = np.abs(np.array([r.error_ms for r in some]) - constant_ms)
        good = {ms: float(np.mean(error <= ms)) for ms in WITHIN_MS}
        low, high = by_speaker_interval(some, lambda r: float(abs(r.error_ms - constant_ms) <= 40), rng)
        answered = np.array([r.p >= MIN_PROBABILITY for r in some])
        right = float(np.mean(error[answered] <= 40)) if answered.any() else float("nan")
        strict = float(np.mean((error <= 40) & answered))
        print(
            f"| {seconds:g} s | {len(some)} | {len({r.speaker for r in some})} | {good[20]:.0%} | {good[40]:.1%} [{low:.0%}, {high:.0%}] "
            f"| {good[80]:.0%} | {np.median(error):.0f} ms | {answered.mean():.0%} | {right:.1%} | {strict:.1%} |"
        )
        numbers[f"{seconds:g} s"] = {
            "within": good,
            "median_ms": float(np.median(error)),
            "answered": float(answered.mean()),
            "strict": strict,
        }
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/talking"))
    parser.add_argument("--model", default="clapboard-s")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    model = load_model(chosen.model)
    with (chosen.data / "manifest.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    with (chosen.data / "dev_reference.csv").open(newline="") as file:
        references = [row for row in csv.DictReader(file) if row["usable"] != "no"]
    main_clips, grid_clips = [], []
    for row in references:
        clip = decode(
            chosen.data / row["file"],
            model,
            file=row["file"],
            speaker=rows[row["file"]]["speaker"],
            reference_ms=float(row["offset_ms"]),
        )
        if clip is None:
            print(f"no face in {row['file']}")
            continue
        (main_clips if row["usable"] == "yes" else grid_clips).append(clip)
    rng = np.random.default_rng(0)
    results = run(model, main_clips, rng)
    constant_ms = float(np.median([r.error_ms for r in results if r.seconds == 4]))
    print(
        f"model {model.model.name} {model.model.sha256[:12]}; {len(main_clips)} clips; constant removed: {constant_ms:+.0f} ms"
    )
    print(f"chance: {80 / 2000:.0%} within 40 ms over +-1 s")
    numbers = {
        "constant_ms": constant_ms,
        "main": print_table("Known shifts against per-clip references", results, constant_ms, rng),
    }
    baseline = run(model, main_clips, np.random.default_rng(0), no_learning)
    own = float(np.median([r.error_ms for r in baseline if r.seconds == 4]))
    numbers["baseline"] = print_table(
        "Baseline without learning: darkness of the mouth against loudness", baseline, own, rng
    )
    grid = run(model, grid_clips, rng)
    numbers["grid"] = print_table("GRID, other people (reference of one model only)", grid, constant_ms, rng)

    wrong_by_length: dict[float, list[Result]] = {s: [] for s in LENGTHS_S}
    for index, clip in enumerate(main_clips):
        others = [c for c in main_clips if c.speaker != clip.speaker]
        voice = others[index % len(others)]
        for r in run(model, [replace(clip, audio=voice.audio)], rng):
            wrong_by_length[r.seconds].append(r)
    stills = run(model, [still(clip, model) for clip in main_clips], rng)
    print(
        "\n| piece | AUC of confidence: wrong voice | AUC of p: wrong voice | AUC of p: still picture | wrong voice answered | still answered |"
    )
    print("|---|---|---|---|---|---|")
    for seconds in LENGTHS_S:
        right, wrong = [r for r in results if r.seconds == seconds], wrong_by_length[seconds]
        unmoved = [r for r in stills if r.seconds == seconds]
        cells = [
            auc([r.offset.confidence for r in right], [r.offset.confidence for r in wrong]),
            auc([r.p for r in right], [r.p for r in wrong]),
            auc([r.offset.confidence for r in right], [r.offset.confidence for r in unmoved]),
        ]
        shares = [np.mean([r.p >= MIN_PROBABILITY for r in some]) for some in (wrong, unmoved)]
        print(
            f"| {seconds:g} s | "
            + " | ".join(f"{c:.3f}" for c in cells)
            + " | "
            + " | ".join(f"{s:.0%}" for s in shares)
            + " |"
        )
        numbers[f"controls {seconds:g} s"] = {"auc_wrong": cells[0], "auc_wrong_p": cells[1], "auc_still": cells[2]}

    print("\nFaces with somebody else's sound (whole clips through `clapboard.check`):")
    statuses: dict[str, int] = {}
    for file, row in rows.items():
        if row["part"] == "dev_foreign_sound":
            report = clapboard.check(chosen.data / file, model=model)
            statuses[report.status] = statuses.get(report.status, 0) + 1
            print(
                f"  {report.status:12} {report.offset.offset_ms:+7.0f} ms  p {report.offset.p_within_frame:.2f}  {Path(file).name}"
            )
    print(statuses)
    print("\nWhole clips through `clapboard.check` against their references:")
    whole = {"right": 0, "wrong": 0, "undecided": 0}
    for row in references:
        if row["usable"] == "yes":
            offset = clapboard.check(chosen.data / row["file"], model=model).offset
            off_by = abs(offset.offset_ms - float(row["offset_ms"]) - constant_ms)
            kind = "undecided" if not offset.trusted else "right" if off_by <= 40 else "wrong"
            whole[kind] += 1
            if kind != "right":
                print(
                    f"  {kind}: {offset.offset_ms:+.0f} ms, reference {row['offset_ms']}, p {offset.p_within_frame:.2f}, {offset.reasons} {row['file']}"
                )
    print(whole)
    numbers |= {"foreign": statuses, "whole": whole}
    if chosen.json:
        chosen.json.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
