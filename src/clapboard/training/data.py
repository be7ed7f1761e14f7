"""Prepared clips in memory, each moved onto one zero, and batches of them with augmentation.

B clips, T frames, R feature rows. A clip's sound is cut so that row ``4 i + MARGIN_ROWS`` begins the 20 rows whose
middle is the middle of the picture window that begins with frame i: alignment is exact to the sample.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from clapboard.sound.features import (
    FLOOR,
    MEL_BINS,
    WINDOW_SAMPLES,
    log_mel,
    normalise,
)
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, ROWS_PER_FRAME, SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.training.nets.clapboard_s import (
    CROP_PX,
    INPUT_PX,
    SEEN_PX,
    WINDOW_FRAMES,
    WINDOW_ROWS,
    as_seen,
    centre_sampling,
    standardise,
)
from clapboard.values import Features

MARGIN_ROWS = 300
"""Rows kept before the first window and after the last: as far as normalisation looks."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One clip: ``images`` (T, 64, 64) uint8, ``rows`` (R, 40) float16 log-mel, ``valid`` (R,) bool.

    ``loud`` (T - 4,) says how much of each window's sound is speech, 0 to 1.
    """

    images: np.ndarray
    rows: np.ndarray
    valid: np.ndarray
    loud: np.ndarray
    corpus: str
    speaker: str
    file: str

    @property
    def windows(self) -> int:
        """Number of picture windows."""
        return len(self.images) - WINDOW_FRAMES + 1


def align(
    images: np.ndarray, time_s: np.ndarray, samples: np.ndarray, start_s: float, offset_ms: float, **names: str
) -> Prepared:
    """Cut the sound of a clip so that its rows lie exactly on the picture windows.

    Parameters
    ----------
    images, time_s : (T, 64, 64) uint8 and (T,) true times, s
    samples : (N,) int16 at 16 kHz, the first one at ``start_s``
    offset_ms : the clip's own offset, positive where its sound is early; it is taken out
    """
    from clapboard.sound.activity import active_rows

    # Frames filled from the nearest in time jitter about the grid: their mean fixes the clip's place.
    first_window_s = float(np.mean(time_s - np.arange(len(time_s)) / PICTURE_HZ)) + (WINDOW_FRAMES // 2) / PICTURE_HZ
    middle_of_rows_s = (WINDOW_ROWS - 1) / 2 / FEATURE_HZ + WINDOW_SAMPLES / 2 / SAMPLE_RATE_HZ
    begin_s = first_window_s - offset_ms / 1000 - middle_of_rows_s - MARGIN_ROWS / FEATURE_HZ
    begin = round((begin_s - start_s) * SAMPLE_RATE_HZ)
    count = 2 * MARGIN_ROWS + ROWS_PER_FRAME * (len(images) - WINDOW_FRAMES) + WINDOW_ROWS
    length = (count - 1) * SAMPLES_PER_ROW + WINDOW_SAMPLES
    low, high = max(begin, 0), min(begin + length, len(samples))
    strip, real = np.zeros(length, np.float32), np.zeros(length, np.bool_)
    if high > low:
        strip[low - begin : high - begin] = samples[low:high] / 32767
        real[low - begin : high - begin] = True
    rows = log_mel(strip).astype(np.float16)
    starts = np.arange(count) * SAMPLES_PER_ROW
    valid = real[starts] & real[starts + WINDOW_SAMPLES - 1]
    active = active_rows(Features(rows, valid, 0.0)).astype(np.float32)
    sums = np.concatenate([[0], np.cumsum(active)])
    at = MARGIN_ROWS + ROWS_PER_FRAME * np.arange(len(images) - WINDOW_FRAMES + 1)
    return Prepared(images, rows, valid, (sums[at + WINDOW_ROWS] - sums[at]) / WINDOW_ROWS, **names)


def load(
    folder: Path, part: str, offsets_ms: Mapping[str, float], corpus_offsets_ms: Mapping[str, float]
) -> list[Prepared]:
    """Clips made by `clapboard.training.prepare`, each moved by its own offset, else by its corpus's."""
    clips = []
    for entry in json.loads((folder / f"{part}.json").read_text())["clips"]:
        with np.load(folder / entry["clip"]) as found:
            if len(found["images"]) < WINDOW_FRAMES + 10:
                continue
            offset = offsets_ms.get(entry["file"], corpus_offsets_ms.get(entry["corpus"], 0.0))
            if np.isnan(offset):
                continue
            clips.append(
                align(
                    found["images"],
                    found["time_s"],
                    found["samples"],
                    float(found["start_s"]),
                    offset,
                    corpus=entry["corpus"],
                    speaker=entry["speaker"],
                    file=entry["file"],
                )
            )
    return clips


def read_offsets(path: Path) -> dict[str, float]:
    """Offsets of clips from a CSV with the columns file, offset_ms and usable.

    A row whose ``usable`` is "no" is as if it were not there; "drop" gives NaN: the clip is not to be learned from.
    """
    values = {"drop": float("nan")}
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["usable"] != "no"]
    return {row["file"]: values.get(row["usable"], float(row["offset_ms"])) for row in rows}


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """``mouths`` (B, T, 48, 48), ``rows`` (B, R, 40) normalised, ``anchors`` (B, W), ``real`` (B, W + 2 extra)."""

    mouths: Tensor
    rows: Tensor
    anchors: Tensor
    real: Tensor


@dataclass(frozen=True, slots=True)
class Sampling:
    """How batches are drawn: weights of the corpora, frames in a chunk and in a batch, positions of extra sound."""

    weights: Mapping[str, float]
    chunk_frames: Mapping[str, int]
    batch_frames: int = 384
    extra: int = 10
    default_chunk: int = 48


def _affine(rng: np.random.Generator, clips: int, strength: float) -> Tensor:
    """One similarity (and mirror) a clip: matrices (B, 2, 3) for `affine_grid`, from the seen square to the crop."""
    scale = SEEN_PX / CROP_PX * np.exp(strength * rng.uniform(-0.12, 0.12, clips))
    angle = strength * np.deg2rad(rng.uniform(-10, 10, clips))
    mirror = np.where(rng.random(clips) < 0.5, -1.0, 1.0)
    shift = strength * rng.uniform(-0.10, 0.10, (clips, 2)) * SEEN_PX / CROP_PX
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    rows = np.stack([np.stack([cos * mirror, -sin, shift[:, 0]], 1), np.stack([sin * mirror, cos, shift[:, 1]], 1)], 1)
    return torch.tensor(rows, dtype=torch.float32)


def augment_mouths(images: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> Tensor:
    """(B, T, 64, 64) uint8 -> (B, T, 48, 48): one transform for all frames of a clip, so no motion is invented.

    Similarity and mirror, tone curve, shading, blur, noise; a few frames repeated as a dropped frame shows it.
    """
    clips, frames = images.shape[:2]
    x = torch.from_numpy(images).float()
    grid = F.affine_grid(_affine(rng, clips, strength), [clips, 1, INPUT_PX, INPUT_PX], align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)  # frames as channels
    per_clip = (clips, 1, 1, 1)
    gamma = torch.tensor(np.exp(strength * rng.uniform(-0.4, 0.4, per_clip)), dtype=torch.float32)
    x = 255 * (x / 255).clamp(0.001, 1) ** gamma
    ramp = torch.linspace(-1, 1, INPUT_PX)
    tilt = torch.tensor(strength * rng.uniform(-0.3, 0.3, (2, *per_clip)), dtype=torch.float32)
    x = x * (1 + tilt[0] * ramp[:, None] + tilt[1] * ramp[None, :])
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.lerp(
        x, blurred, torch.tensor(rng.uniform(-0.5, 1.0, per_clip) * (rng.random(per_clip) < 0.4), dtype=torch.float32)
    )
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))  # never the global one: see `batches`
    x = x + torch.randn(x.shape, generator=generator) * torch.tensor(
        rng.uniform(0, 4 * strength, per_clip), dtype=torch.float32
    )
    for clip in np.flatnonzero(rng.random(clips) < 0.1 * strength):
        frame = int(rng.integers(1, frames))
        x[clip, frame] = x[clip, frame - 1]
    return standardise(x)


def augment_rows(rows: np.ndarray, valid: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """(B, R, 40) log-mel -> the same: warped mel axis, tone, noise and other voices, all added as power.

    The voices of the other clips are the babble; nothing is moved in time.
    """
    clips = len(rows)
    out = rows.astype(np.float32)
    bins = np.arange(MEL_BINS)
    warp = bins[None] * np.exp(strength * rng.uniform(-0.08, 0.08, (clips, 1)))  # longer or shorter vocal tracts
    low = np.clip(np.floor(warp).astype(int), 0, MEL_BINS - 2)
    part = np.clip(warp - low, 0, 1)[:, None].astype(np.float32)
    out = np.take_along_axis(out, low[:, None], 2) * (1 - part) + np.take_along_axis(out, low[:, None] + 1, 2) * part
    tone = np.cumsum(rng.normal(0, 0.25 * strength, (clips, 1, MEL_BINS)), axis=2).astype(np.float32)
    level = np.array([np.percentile(r[v], 90) if v.any() else 0.0 for r, v in zip(out, valid, strict=True)], np.float32)
    level = level[:, None, None]
    noisy = rng.random((clips, 1, 1)) < 0.5 * strength
    snr = np.where(noisy, rng.uniform(0.5, 5.0, (clips, 1, 1)), 12.0).astype(np.float32)  # nepers of power
    colour = np.cumsum(rng.normal(0, 0.15, (clips, 1, MEL_BINS)), axis=2).astype(np.float32)
    grain = np.log(rng.gamma(2.0, 0.5, out.shape) + 1e-3).astype(np.float32)  # power of noise in a band scatters
    with_noise = np.logaddexp(out, level - snr + colour + grain)
    babble = rng.random((clips, 1, 1)) < 0.25 * strength
    other = np.roll(out - level, 1, axis=0)
    drop = np.where(babble, rng.uniform(1.0, 4.5, (clips, 1, 1)), 14.0).astype(np.float32)
    mixed = np.logaddexp(with_noise, other + level - drop) + tone
    return np.asarray(np.maximum(mixed, np.log(FLOOR)), np.float32)


def batches(
    clips: Sequence[Prepared], sampling: Sampling, seed: int, first: int = 0, strength: float = 1.0
) -> Iterator[Batch]:
    """Endless batches, each of one corpus; batch n depends on the seed and n alone, so a resumed run sees the same."""
    by_corpus: dict[str, dict[str, list[Prepared]]] = {}
    for clip in clips:
        by_corpus.setdefault(clip.corpus, {}).setdefault(clip.speaker, []).append(clip)
    corpora = [c for c in sampling.weights if c in by_corpus]
    weights = np.array([sampling.weights[c] for c in corpora])
    number = first
    while True:
        rng = np.random.default_rng((seed, number))
        corpus = corpora[rng.choice(len(corpora), p=weights / weights.sum())]
        frames = sampling.chunk_frames.get(corpus, sampling.default_chunk)
        yield _draw(by_corpus[corpus], frames, sampling, rng, strength)
        number += 1


def _draw(
    speakers: Mapping[str, Sequence[Prepared]],
    frames: int,
    sampling: Sampling,
    rng: np.random.Generator,
    strength: float,
) -> Batch:
    """One batch of one corpus: speakers with equal chance, then a clip by its length, then a chunk of it."""
    names = list(speakers)
    count = max(1, sampling.batch_frames // frames)
    picked = []
    for _ in range(count):
        pool = speakers[names[rng.integers(len(names))]]
        lengths = np.array([len(c.images) for c in pool], np.float64)
        picked.append(pool[rng.choice(len(pool), p=lengths / lengths.sum())])
    frames = min(frames, *(len(c.images) for c in picked)) if count > 1 else min(frames, len(picked[0].images))
    windows = frames - WINDOW_FRAMES + 1
    images, rows, valid, anchors = [], [], [], []
    wing = ROWS_PER_FRAME * sampling.extra
    need = 2 * wing + ROWS_PER_FRAME * (windows - 1) + WINDOW_ROWS
    for clip in picked:
        at = int(rng.integers(len(clip.images) - frames + 1))
        images.append(clip.images[at : at + frames])
        anchors.append(clip.loud[at : at + windows] > 0.2)
        first = MARGIN_ROWS + ROWS_PER_FRAME * at - wing
        # Normalisation looks a good way around the chunk, as it will when measuring.
        begin, end = first - (MARGIN_ROWS - wing), first + need + (MARGIN_ROWS - wing)
        rows.append(_take(clip.rows, begin, end))
        valid.append(_take(clip.valid, begin, end))
    mixed = augment_rows(np.stack(rows), np.stack(valid), rng, strength)
    inner = slice(MARGIN_ROWS - wing, MARGIN_ROWS - wing + need)
    normal = np.stack(
        [normalise(Features(r, v, 0.0), inner.start, inner.stop) for r, v in zip(mixed, valid, strict=True)]
    )
    heard = np.stack(valid)[:, inner]
    real = np.lib.stride_tricks.sliding_window_view(heard, WINDOW_ROWS, axis=1)[:, ::ROWS_PER_FRAME].all(-1)
    return Batch(
        augment_mouths(np.stack(images), rng, strength),
        torch.from_numpy(normal),
        torch.from_numpy(np.stack(anchors)),
        torch.from_numpy(real.copy()),
    )


def _take(values: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Values from begin to end, zeros (or False) beyond the ends."""
    out = np.zeros((end - begin, *values.shape[1:]), values.dtype)
    low, high = max(begin, 0), min(end, len(values))
    out[low - begin : high - begin] = values[low:high]
    return out


def plain_mouths(images: np.ndarray) -> Tensor:
    """(T, 64, 64) uint8 -> (1, T, 48, 48) as the exported model sees them: no augmentation."""
    return as_seen(torch.from_numpy(images), centre_sampling())[None]
