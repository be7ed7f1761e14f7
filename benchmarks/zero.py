"""Where the zero lies: what `clapboard check` reads of a recording whose sound and picture are exactly together.

    python benchmarks/zero.py [--data ../shared/data/talking] [--model clapboard-s] [--every 4] [--json FILE]

Physics gives the truth: while the lips are shut for /p b m/ the sound is shut off too. A closure is looked for in the
sound (its fall and its rise, to the millisecond) and in the picture (the height of the lower lip, frame by frame); the
delay of the sound is the one at which the lip stands equally high when the sound falls and when it rises. Added to what
`clapboard check` reads of the same file it gives the reading of an exact recording: delays of cameras and files cancel.

The same is done first on rendered clips with known shifts: what is left there is the method's own bias, and is taken
off. Intervals: people are drawn with replacement, then their clips. Method, figures and limits: docs/zero.md.
"""

import argparse
import csv
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

import clapboard
from clapboard.errors import ClapboardError
from clapboard.media.probe import probe
from clapboard.media.write import write_clip
from clapboard.models.session import SyncModel, load_model
from clapboard.pipeline import mouths
from clapboard.testing import make_clip, talking_arrays
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import F64, Audio
from clapboard.vision.crop import longest_track
from clapboard.vision.mouths import MouthFinder
from clapboard.vision.mtcnn import Mtcnn

SOUND_BAND_HZ = (1000.0, 5000.0)
"""Lips that close take this band away from every sound, of /m/ and voiced /b/ too, whose murmur lies below."""
VOICE_BAND_HZ = (80.0, 500.0)
STEP_DB, DEPTH_DB, LOUD_DB = 7.0, 12.0, 25.0
"""A fall or rise within 10 ms; how far a closure lies below both its sides, and these below the clip's loud parts."""
MUTE_DB = 18.0
"""A closure with no voice in it, so a /p/, which ends in a burst, lies this far below its sides where murmurs are."""
CLOSURE_MS = (40, 160)
UPPER_ROWS, LOWER_ROWS = (8, 29), (34, 56)
"""Rows of a 64 px mouth crop above and below the line between the lips."""
MIDDLE_COLUMNS = (24, 40)
SHUT_PART, OPEN_PART = 0.2, 0.2
"""Of the clip's range of openings: what may be left at a closure's lowest point, and what must open 60 ms around."""
REACH_S, WIDE_REACH_S = 0.08, 0.15
"""How far from the expected place a closure of the picture is looked for; at first, when nothing is known yet."""
KERNEL_MS = 20.0
"""Width of the kernel whose densest place is taken: about the spread of single closures."""
SEARCH_MS = 400.0
GRID_NAME = re.compile(r"[bpls][bgrw][abiw][a-z][0-9z][anps](?![a-z0-9])")
GRID_PLACES = ((1, "b", 0.08, 0.30), (2, "b", 0.22, 0.45), (3, "bmp", 0.33, 0.60), (5, "p", 0.70, 0.90))
"""Where GRID's sentences close the lips: which letter of the name, its values, and which part of the sentence."""
NATURAL = (
    "HDTF",
    "HDTF/CelebV",
    "VoxCeleb2",
    "MEAD",
    "TCD-TIMIT",
    "wild-YouTube(Lip2Wav)",
    "wild-ads",
    "lipreading.org",
)
LRW = "LRW-AR/LRC-AR"


# the pure part: arrays in, numbers out


def level_db(samples: F64, band_hz: tuple[float, float], width: int = 96) -> F64:
    """Level of a band every millisecond, (M,) dB; ``width`` samples of a Hann window, so that nothing is delayed."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    spectrum *= 1 / (1 + np.exp((band_hz[0] - hz) / 100)) / (1 + np.exp((hz - band_hz[1]) / 100))
    window = np.hanning(width + 2)[1:-1]
    power = np.convolve(np.fft.irfft(spectrum, len(samples)) ** 2, window / window.sum(), "same")
    return np.asarray(10 * np.log10(power[:: SAMPLE_RATE_HZ // 1000] + 1e-10))


def sound_closures(samples: F64) -> F64:
    """Where the sound is shut off for a moment.

    Parameters
    ----------
    samples : (N,) at 16 kHz

    Returns
    -------
    (n, 3) : fall and rise, s after the first sample, and 1 where no voice goes on inside, as in a /p/
    """
    if len(samples) < SAMPLE_RATE_HZ // 4:
        return np.zeros((0, 3))
    level, murmur = level_db(samples, SOUND_BAND_HZ), level_db(samples, VOICE_BAND_HZ, 320)
    loud = np.percentile(level, 95) - LOUD_DB
    slope = np.zeros_like(level)
    slope[5:-5] = level[10:] - level[:-10]
    near = np.lib.stride_tricks.sliding_window_view(np.pad(slope, 12), 25)
    rises = np.flatnonzero((slope >= STEP_DB) & (slope == near.max(1)))
    falls = np.flatnonzero((slope <= -STEP_DB) & (slope == near.min(1)))
    found: list[tuple[float, float, float]] = []
    for rise in rises[(rises >= 30) & (rises < len(level) - 30)]:
        for fall in falls[(falls >= 30) & (falls <= rise - CLOSURE_MS[0]) & (falls >= rise - CLOSURE_MS[1])][::-1]:
            before, after = np.median(level[fall - 30 : fall - 5]), level[rise + 3 : rise + 25].max()
            inside = np.percentile(level[fall + 8 : rise - 6], 80)
            if min(before, after) - inside > DEPTH_DB and min(before, after) > loud:
                if found and found[-1][0] == fall / 1000:
                    break  # the voice comes back pulse by pulse: the first one ended the closure
                sides = min(murmur[fall - 30 : fall - 5].max(), murmur[rise + 5 : rise + 60].max())
                mute = sides - np.median(murmur[(fall + rise) // 2 : rise - 10]) > MUTE_DB
                found.append((fall / 1000, rise / 1000, float(mute)))
                break
    return np.array(found).reshape(-1, 3)


def _moved(profiles: F64, template: F64, rows: tuple[int, int], reach_px: float) -> F64:
    """How far down each profile (T, h) lies against a template, px: the best correlation, refined by a parabola."""
    inner, shifts = np.arange(*rows), np.arange(-reach_px, reach_px + 0.01, 0.25)
    want = template[inner] - template[inner].mean()
    scores = np.empty((len(profiles), len(shifts)))
    for number, shift in enumerate(shifts):
        left = np.clip(np.floor(inner + shift).astype(int), 0, profiles.shape[1] - 2)
        part = np.clip(inner + shift - left, 0, 1)
        seen = profiles[:, left] * (1 - part) + profiles[:, left + 1] * part
        seen -= seen.mean(1, keepdims=True)
        scores[:, number] = seen @ want / (np.linalg.norm(seen, axis=1) * np.linalg.norm(want) + 1e-9)
    best = np.clip(scores.argmax(1), 1, len(shifts) - 2)
    low, middle, high = (scores[np.arange(len(profiles)), best + k] for k in (-1, 0, 1))
    return np.asarray(shifts[best] + 0.25 * np.clip(0.5 * (low - high) / (low - 2 * middle + high - 1e-12), -1, 1))


def lower_lip(images: np.ndarray) -> F64:
    """How far the lower lip is below its place when the mouth is shut, against the upper lip: (T,) px of a 64 px crop.

    The lip goes on rising while it is pressed against the upper one, so that its height, unlike the gap between the
    lips, crosses the height of first contact steeply on both sides of a closure.

    Parameters
    ----------
    images : (T, 64, 64) uint8 mouth crops
    """
    profiles = images[:, :, slice(*MIDDLE_COLUMNS)].mean(2, dtype=np.float64)
    template = np.median(profiles, 0)
    for _ in range(2):
        lip = _moved(profiles, template, LOWER_ROWS, 8.0) - _moved(profiles, template, UPPER_ROWS, 3.0)
        template = np.median(profiles[np.argsort(lip)[: max(5, len(lip) // 5)]], 0)
    return lip


def gap_darkness(images: np.ndarray, lip: F64) -> F64:
    """How dark the line between the lips is, (T,) luma: another sign of an opening, up to where teeth are seen."""
    profiles = images[:, :, slice(*MIDDLE_COLUMNS)].mean(2, dtype=np.float64)
    shut = np.median(profiles[np.argsort(lip)[: max(5, len(lip) // 5)]], 0)
    line = 24 + int(shut[24:42].argmin())
    return np.asarray(-profiles[:, line - 2 : line + 4].min(1))


@dataclass(frozen=True, slots=True)
class Closure:
    """One closure found in both: how long the sound comes after the picture; when it rises; whether it was mute."""

    delay_ms: float
    rise_s: float
    mute: bool


def delays(opening: F64, time_s: F64, closures: F64, centre_s: float, reach_s: float = REACH_S) -> list[Closure]:
    """By how much the sound of each closure comes after the picture's.

    At the delay D the lips are equally open at ``fall - D`` and ``rise - D``: the level at which they meet is that at
    which they part. Sound that falls a little before the lips meet and rises a little after they part, as that of an
    /m/ does, therefore changes nothing.

    Parameters
    ----------
    opening : (T,) any measure of how open the lips are
    time_s : (T,) true times of the frames, s
    closures : (n, 3) as `sound_closures`, on the same clock
    centre_s, reach_s : where the delay is looked for
    """
    time_s, first = np.unique(time_s, return_index=True)  # a slow file repeats its frames
    opening = opening[first]
    low, high = np.percentile(opening, [5, 95])
    tried = np.arange(centre_s - reach_s, centre_s + reach_s, 0.001)
    found: list[Closure] = []
    for fall_s, rise_s, mute in closures:
        if fall_s - tried[-1] - 0.06 < time_s[0] or rise_s - tried[0] + 0.06 > time_s[-1]:
            continue
        more = np.interp(rise_s - tried, time_s, opening) - np.interp(fall_s - tried, time_s, opening)
        best: tuple[float, float] | None = None
        for delay in tried[np.flatnonzero((more[:-1] > 0) & (more[1:] <= 0))]:
            shut = float(np.interp(np.linspace(fall_s, rise_s, 15) - delay, time_s, opening).min())
            best = min(best or (np.inf, 0.0), (shut, float(delay)))
        if best is None or best[0] > low + SHUT_PART * (high - low):
            continue
        around = np.interp([fall_s - best[1] - 0.06, rise_s - best[1] + 0.06], time_s, opening)
        if around.min() - best[0] >= OPEN_PART * (high - low):
            found.append(Closure(1000 * best[1], float(rise_s), bool(mute)))
    return found


def densest(values: F64) -> float:
    """The place where values lie most densely, seen through a Gaussian of `KERNEL_MS` (mean shift from the median)."""
    place = float(np.median(values))
    for _ in range(100):
        weight = np.exp(-0.5 * ((values - place) / KERNEL_MS) ** 2)
        place, before = float(np.sum(weight * values) / np.sum(weight)), place
        if abs(place - before) < 0.01:
            break
    return place


# clips


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One clip: what check reads of it, the two measures of the opening, and the closures of its sound."""

    file: str
    corpus: str
    speaker: str
    reading_ms: float
    reference_ms: float
    openings: dict[str, F64]
    time_s: F64
    closures: F64
    speech_s: tuple[float, float]


@lru_cache(maxsize=1)
def face_nets() -> Mtcnn:
    """The face nets, loaded once."""
    return Mtcnn()


def see(path: Path, model: SyncModel, *, file: str, corpus: str, speaker: str, reference: str = "") -> Seen:
    """Measure a clip through the public entry, and look at its mouth and sound.

    Raises
    ------
    ClapboardError : the clip cannot be read, shows no face, or `check` does not trust its own answer
    """
    report = clapboard.check(path, model=model, max_offset_ms=SEARCH_MS, detector=face_nets())
    if not report.offset.trusted:
        raise ClapboardError(f"{path.name}: {report.offset.reasons[0]}")
    audio = list[Audio]()
    crops = longest_track(list(mouths(probe(path), MouthFinder(face_nets()), audio.append)))
    start_s = audio[0].start_s
    samples = np.zeros(round((audio[-1].end_s - start_s) * SAMPLE_RATE_HZ) + 1)
    for run in audio:
        place = round((run.start_s - start_s) * SAMPLE_RATE_HZ)
        samples[place : place + len(run.samples)] = run.samples
    lip, closures = lower_lip(crops.images), sound_closures(samples)
    closures[:, :2] += start_s
    level = level_db(samples, (200, SOUND_BAND_HZ[1]), 320)
    first, last = np.percentile(np.flatnonzero(level > np.percentile(level, 95) - LOUD_DB), [1, 99]) / 1000
    openings = {"lower lip": lip, "dark gap": gap_darkness(crops.images, lip)}
    at = float(reference) if reference else np.nan
    speech_s = (start_s + first, start_s + last)
    return Seen(file, corpus, speaker, report.offset.offset_ms, at, openings, crops.time_s, closures, speech_s)


def in_grammar(clip: Seen, rise_s: float) -> bool:
    """Whether the sentence closes the lips about there; clips that are not GRID's have no grammar, and all count."""
    if clip.corpus != "GRID":
        return True
    name = GRID_NAME.findall(Path(clip.file).name)[-1]
    place = (rise_s - clip.speech_s[0]) / (clip.speech_s[1] - clip.speech_s[0])
    return any(name[at] in letters and low <= place <= high for at, letters, low, high in GRID_PLACES)


@dataclass(frozen=True, slots=True)
class Result:
    """What a set of clips says of an exact recording: its reading, the interval, and how far single closures spread.

    ``as_is_ms`` is the middle of the physical offsets of the clips as they are, positive where the sound is early,
    ``as_is_spread_ms`` how far single closures lie from it: two thirds are nearer, as for ``spread_ms``.
    """

    closures: int
    clips: int
    people: int
    exact_ms: float
    low_ms: float
    high_ms: float
    spread_ms: float
    as_is_ms: float
    as_is_spread_ms: float


def exact(
    clips: list[Seen],
    moved_ms: Callable[[Seen], float],
    *,
    by: str = "lower lip",
    keep: Callable[[Closure], bool] = lambda _: True,
    bias_ms: float = 0.0,
) -> Result | None:
    """What an exact recording would read: a clip's ``moved_ms`` plus the delay found in it, minus the bias."""
    moved = {clip.file: moved_ms(clip) for clip in clips}
    usable = [clip for clip in clips if np.isfinite(moved[clip.file])]

    def values(centre_ms: float, reach_s: float) -> dict[tuple[str, str], list[tuple[float, float]]]:
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for clip in usable:
            shifted = clip.closures + np.array([1, 1, 0]) * moved[clip.file] / 1000
            for closure in delays(clip.openings[by], clip.time_s, shifted, centre_ms / 1000, reach_s):
                if keep(closure) and in_grammar(clip, closure.rise_s - moved[clip.file] / 1000):
                    found.setdefault((clip.speaker, clip.file), []).append(
                        (closure.delay_ms - bias_ms, moved[clip.file])
                    )
        return found

    wide = values(0.0, WIDE_REACH_S)
    if sum(map(len, wide.values())) < 5:
        return None
    groups = values(densest(np.concatenate(list(wide.values()))[:, 0]) + bias_ms, REACH_S)
    if sum(map(len, groups.values())) < 5:
        return None
    every, own_ms = np.concatenate(list(groups.values())).T
    rng, drawn = np.random.default_rng(0), []
    by_speaker: dict[str, list[F64]] = {}
    for (speaker, _), numbers in groups.items():
        by_speaker.setdefault(speaker, []).append(np.array(numbers)[:, 0])
    people = list(by_speaker.values())
    for _ in range(500):
        chosen = [people[k] for k in rng.integers(len(people), size=len(people))]
        drawn.append(densest(np.concatenate([c[k] for c in chosen for k in rng.integers(len(c), size=len(c))])))
    low_ms, high_ms = np.percentile(drawn, [2.5, 97.5])
    as_is_ms = float(np.median(own_ms - every))
    spread_ms, as_is_spread_ms = (
        float(np.percentile(np.abs(some - np.median(some)), 68)) for some in (every, own_ms - every)
    )
    return Result(
        closures=len(every),
        clips=len(groups),
        people=len(people),
        exact_ms=densest(every),
        low_ms=float(low_ms),
        high_ms=float(high_ms),
        spread_ms=spread_ms,
        as_is_ms=as_is_ms,
        as_is_spread_ms=as_is_spread_ms,
    )


def rendered(folder: Path, count: int, shutter: int = 1) -> Iterator[tuple[Path, float]]:
    """Clips in code, and by how many ms their sound is early; ``shutter`` pictures of 10 ms are averaged into one."""
    for seed in range(count):
        rng = np.random.default_rng([seed, 4])
        offset_ms, path = float(np.round(rng.uniform(-120, 120))), folder / f"{seed}_{shutter}.mp4"
        rate = Fraction(25) if shutter > 1 or seed % 3 else Fraction(30000, 1001)
        options = {"seed": 300 + seed, "duration_s": 12.0, "width_px": 320, "height_px": 240, "face_px": 130.0}
        if shutter == 1:
            yield path, make_clip(path, offset_ms=offset_ms, rate=rate, **options).offset_ms
            continue
        talk = talking_arrays(offset_ms=offset_ms, rate=100, **options)
        pictures = list(talk.frames)
        exposed = (
            np.mean(pictures[k : k + shutter], axis=0).round().astype(np.uint8) for k in range(0, len(pictures) - 3, 4)
        )
        write_clip(path, exposed, rate, talk.samples, talk.truth.sample_rate_hz)
        yield path, talk.truth.offset_ms


def rendered_clips(model: SyncModel, count: int, shutter: int) -> list[Seen]:
    """Rendered clips as real ones; their references are what is true of them."""
    clips = []
    with tempfile.TemporaryDirectory() as name:
        for path, offset_ms in rendered(Path(name), count, shutter):
            named = {"file": path.name, "corpus": "rendered", "speaker": path.name}
            with suppress(ClapboardError):
                clips.append(see(path, model, **named, reference=str(offset_ms)))
    return clips


def real_clips(data: Path, model: SyncModel, every: int) -> list[Seen]:
    """All clips of one speaking face with their own sound; of the many of LRW-AR every n-th."""
    references: dict[str, str] = {}
    for name in ("train_reference.csv", "dev_reference.csv"):
        with (data / name).open(newline="") as file:
            references |= {row["file"]: row["offset_ms"] for row in csv.DictReader(file) if row["usable"] == "yes"}
    with (data / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] in ("train", "dev")]
    words = [row for row in rows if row["corpus"] == LRW]
    clips = []
    for row in [*(row for row in rows if row["corpus"] in (*NATURAL, "GRID")), *words[::every]]:
        known = {key: row[key] for key in ("file", "corpus", "speaker")}
        with suppress(ClapboardError):  # nothing to compare with where check has no answer
            clips.append(see(data / row["file"], model, **known, reference=references.get(row["file"], "")))
    return clips


def show(title: str, result: Result | None) -> dict[str, float] | None:
    """One row of the table; returns the numbers."""
    if result is None:
        print(f"| {title} | fewer than 5 closures | | | | |")
        return None
    print(
        f"| {title} | {result.closures} in {result.clips} clips of {result.people} | {result.exact_ms:+.1f} ms "
        f"| [{result.low_ms:+.1f}, {result.high_ms:+.1f}] | {result.spread_ms:.0f} ms "
        f"| {result.as_is_ms:+.0f} ms, {result.as_is_spread_ms:.0f} ms |",
        flush=True,
    )
    return {name: getattr(result, name) for name in Result.__slots__}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/talking"))
    parser.add_argument("--model", default="clapboard-s")
    parser.add_argument("--every", type=int, default=4, help="of the words of LRW-AR take every n-th")
    parser.add_argument("--rendered", type=int, default=24, help="how many clips are rendered for the bias")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    for name in ("manifest.csv", "train_reference.csv", "dev_reference.csv"):
        if not (chosen.data / name).is_file():
            parser.error(f"no {name} in {chosen.data}; give the folder with the clips by --data")
    model = load_model(chosen.model)
    print(f"{model.model.name} {model.model.sha256[:12]}\n")
    numbers = {}

    print("The method on rendered clips with known shifts: 0 would be exact\n")
    print("| clips | closures | bias | 95 % | spread | as they are, spread |\n|---|---|---|---|---|---|")
    made = rendered_clips(model, chosen.rendered, 1)
    bias = {by: exact(made, lambda c: c.reference_ms, by=by) for by in ("lower lip", "dark gap")}
    for by, result in bias.items():
        numbers[f"bias, {by}"] = show(f"rendered, by the {by}", result)
    open_40 = rendered_clips(model, max(chosen.rendered // 3, 4), 4)
    numbers["bias, 40 ms"] = show("rendered, shutter open 40 ms", exact(open_40, lambda c: c.reference_ms))
    early = np.array([c.reading_ms - c.reference_ms for c in made])
    print(
        f"\nRead by check: {np.median(early):+.1f} ms (middle of {len(early)} rendered clips, sd {early.std():.1f} ms)"
    )

    print("\nWhat check reads of an exact recording, the bias taken off\n")
    print("| clips | closures | exact reads | 95 % by person and clip | spread | as they are, spread |")
    print("|---|---|---|---|---|---|")
    clips = real_clips(chosen.data, model, chosen.every)
    sets = {
        "GRID, by its grammar": [c for c in clips if c.corpus == "GRID"],
        "LRW-AR": [c for c in clips if c.corpus == LRW],
        "natural English": [c for c in clips if c.corpus in NATURAL],
    }
    lip_ms = bias["lower lip"].exact_ms if bias["lower lip"] else 0.0
    for title, some in sets.items():
        numbers[title] = show(title, exact(some, lambda c: c.reading_ms, bias_ms=lip_ms))
        for kind, mute in (("mute: /p/", True), ("voiced: /b m/", False)):
            part = exact(some, lambda c: c.reading_ms, keep=lambda c, m=mute: c.mute is m, bias_ms=lip_ms)
            numbers[f"{title}, {kind}"] = show(f"{title}, {kind}", part)
        if bias["dark gap"]:
            dark = exact(some, lambda c: c.reading_ms, by="dark gap", bias_ms=bias["dark gap"].exact_ms)
            numbers[f"{title}, dark gap"] = show(f"{title}, by the dark gap", dark)
    by_reference = exact(sets["natural English"], lambda c: c.reference_ms, bias_ms=lip_ms)
    unseen = [c for c in sets["natural English"] if c.file.startswith("dev/")]
    numbers["natural, unseen"] = show(
        "natural English, people never learned from", exact(unseen, lambda c: c.reading_ms, bias_ms=lip_ms)
    )
    numbers["natural, references"] = show("natural English, references in place of check", by_reference)

    middle_ms = np.mean([numbers[title]["exact_ms"] for title in sets if numbers[title]])
    print(f"\nMiddle of the {len(sets)} sets: {middle_ms:+.0f} ms")
    if chosen.json:
        chosen.json.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
