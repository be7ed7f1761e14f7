"""Clips of a moving square, a flash and a beep, for data sets of any sound: when each happens is known exactly."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from clapboard.dataset.scenes import SceneRules, Scenes
from clapboard.dataset.sources import Cut
from clapboard.dataset.store import Stored
from clapboard.media.encode import write_clip

FLASH_S, FLASH_LENGTH_S, BEEP_S = 1.2, 0.09, 0.06
SOUND_HZ = 48_000


def times_of(rate: Fraction | Sequence[float], seconds: float) -> list[float]:
    """Return the time of each frame from the first, s."""
    return [float(n / rate) for n in range(int(seconds * rate))] if isinstance(rate, Fraction) else list(rate)


def beep(time_s: np.ndarray) -> np.ndarray:
    """Return a rising tone of 60 ms, by time from its start: it fits only one place."""
    inside = (time_s >= 0) & (time_s < BEEP_S)
    return np.where(inside, np.sin(2 * np.pi * (500 * time_s + 15_000 * time_s**2)), 0.0)


def picture(time_s: float, place: int = 0, width: int = 64, height: int = 48) -> np.ndarray:
    """Return a place with a square that moves, (H, W) luma."""
    rng = np.random.default_rng(place)
    image = np.kron(rng.integers(40, 160, (height // 8, width // 8)), np.ones((8, 8))).astype(np.uint8)
    x = int(20 + 15 * np.sin(5 * time_s))
    image[16:28, x : x + 12] = 200
    return image


def make(
    path: Path,
    rate: Fraction | Sequence[float] = Fraction(25),
    *,
    seconds: float = 2.4,
    video_start_s: float = 0.0,
    audio_start_s: float = 0.0,
    flash: bool = True,
    still: bool = False,
    loud: float = 0.5,
    cuts_s: Sequence[float] = (),
    channel: int | None = None,
    sound: bool = True,
    colour: tuple[int, int, int] | None = None,
    **options: Any,
) -> list[float]:
    """Write a clip that flashes and beeps at `FLASH_S` after its first frame; return the true times of its frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = times_of(rate, seconds)
    frames = []
    for time_s in times:
        image = picture(0.0 if still else time_s, int(np.searchsorted(cuts_s, time_s + 1e-9)))
        if colour is not None:
            image = np.repeat(image[..., None], 3, 2)
        if flash and FLASH_S <= time_s + 1e-9 < FLASH_S + FLASH_LENGTH_S:
            image[:] = 235 if colour is None else colour
        frames.append(image)
    clock = np.arange(round(seconds * SOUND_HZ)) / SOUND_HZ + audio_start_s - video_start_s
    onset_s = next(time_s for time_s in times if time_s + 1e-9 >= FLASH_S)
    tone = (loud * beep(clock - onset_s)).astype(np.float32)
    if channel is not None:
        tone = np.stack([tone if channel == n else np.zeros_like(tone) for n in range(2)], 1)
    write_clip(
        path,
        frames,
        rate,
        tone if sound else None,
        SOUND_HZ,
        video_start_s=video_start_s,
        audio_start_s=audio_start_s,
        **options,
    )
    return [time_s + video_start_s for time_s in times]


def beep_time_s(samples: np.ndarray, start_s: float, rate_hz: int) -> float:
    """Return when the beep starts, finer than a sample."""
    match = np.correlate(samples.astype(np.float64), beep(np.arange(int(BEEP_S * rate_hz)) / rate_hz), "valid")
    peak = int(np.argmax(match))
    before, at, after = match[peak - 1 : peak + 2]
    return start_s + (peak + (before - after) / (before - 2 * at + after) / 2) / rate_hz


def shots(path: Path, view: str = "scene-64", *, cut: Cut | None = None) -> list[tuple[Stored, Any]]:
    """Return what the data set would keep of a file: arrays, and what was decided."""
    found = Scenes(path, view, SceneRules(1.0), cut)
    pieces = [(piece, found.seen(piece)) for piece in found.pieces()]
    out = []
    for piece, part in pieces:
        said = found.judge(part)
        out.append((Stored(piece.images, piece.time_s, said.samples, said.start_s), said))
    return out
