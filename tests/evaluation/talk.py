"""Tracks whose mouth and voice follow one random curve, and a model without a network that reads both."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clapboard.dataset.align import Aligned, align
from clapboard.dataset.store import Entry, Stored, Writer
from clapboard.values import Crops, Embeddings

VIEW = "mouth-64"


def talk(seed: int, seconds: float = 4.0, early_ms: float = 0.0, start_s: float = -0.5) -> Stored:
    """A track: how dark the mouth is and how loud the sound is go along; its sound comes ``early_ms`` early."""
    rng = np.random.default_rng(seed)
    curve = np.convolve(rng.standard_normal(round(seconds * 100) + 400), np.hanning(17), "same")
    time_s = np.arange(round(seconds * 25)) / 25
    opening = np.clip(0.5 + 0.12 * np.interp(time_s + 2, np.arange(len(curve)) / 100, curve), 0, 1)
    images = np.full((len(time_s), 64, 64), 150.0)
    images[:, 28:40, 20:44] -= 120 * opening[:, None, None]
    images += rng.normal(0, 2, images.shape)
    at_s = start_s + np.arange(round((seconds + 1 - start_s) * 16000)) / 16000
    gain = np.exp(0.7 * np.interp(at_s + early_ms / 1000 + 2, np.arange(len(curve)) / 100, curve))
    samples = np.clip(0.02 * gain * rng.standard_normal(len(at_s)), -1, 1)
    return Stored(images.astype(np.uint8), time_s, np.round(samples * 32767).astype(np.int16), start_s)


def aligned(seed: int, *, offset_ms: float = 0.0, speaker: str = "", seconds: float = 4.0, **sizes: int) -> Aligned:
    """Such a track, aligned as if its sound were ``offset_ms`` early: what is found then is minus that."""
    stored, speaker = talk(seed, seconds), speaker or f"s{seed}"
    return align(
        stored.images, stored.time_s, stored.samples, stored.start_s, offset_ms, speaker=speaker, corpus="toy", **sizes
    )


def write(
    folder: Path, seeds: range = range(4), *, early_ms: float = 0.0, seconds: float = 4.0, **said: object
) -> Path:
    """A data set of such tracks, two of each speaker."""
    with Writer(folder, VIEW) as writer:
        for seed in seeds:
            stored = talk(seed, seconds, early_ms)
            row: dict[str, object] = {
                "id": f"clip{seed}",
                "file": f"talk/clip{seed}.mp4",
                "corpus": "toy",
                "speaker": f"s{seed // 2}",
                "group": f"toy/s{seed // 2}",
                "track": 0,
                "shard": 0,
                "start_s": 0.0,
                "end_s": seconds,
                "frames": len(stored.images),
                "face_px": 90.0,
                "speech_share": 0.8,
            }
            writer.add(Entry(**(row | said)), stored)  # type: ignore[arg-type]
            writer.finished()
    return folder


@dataclass(frozen=True)
class Inputs:
    """What goes into the model."""

    view: str = VIEW
    sound: str = "log-mel-40"
    window_frames: int = 5
    window_rows: int = 20


@dataclass
class Reader:
    """A model that takes the shape of the curve over a window: of the mouth's darkness, and of the sound's level.

    ``scale`` is the length of its vectors, ``late_ms`` moves its own zero, ``calls`` counts what it is asked for.
    """

    spec: Inputs = field(default_factory=Inputs)
    scale: float = 1.0
    late_ms: float = 0.0
    calls: dict[str, int] = field(default_factory=lambda: {"picture": 0, "sound": 0})

    def _shape(self, windows: np.ndarray) -> np.ndarray:
        centred = windows - windows.mean(1, keepdims=True)
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        flat = np.full_like(centred, 1 / np.sqrt(centred.shape[1]))
        return (self.scale * np.where(lengths > 1e-3, centred / np.maximum(lengths, 1e-3), flat)).astype(np.float32)

    def embed_picture(self, crops: Crops) -> Embeddings:
        """(T, 64, 64) -> (T - window_frames + 1, window_frames)."""
        self.calls["picture"] += 1
        window = self.spec.window_frames
        dark = 150 - crops.images[:, 28:40, 20:44].astype(np.float64).mean((1, 2))
        windows = np.lib.stride_tricks.sliding_window_view(dark, window)
        time_s = np.lib.stride_tricks.sliding_window_view(crops.time_s, window).mean(1)
        return Embeddings(self._shape(windows), time_s)

    def embed_sound(self, rows: np.ndarray, valid: np.ndarray, first_s: float) -> Embeddings:
        """(R, 40) -> (R - window_rows + 1, window_frames)."""
        self.calls["sound"] += 1
        window = self.spec.window_rows
        level = np.lib.stride_tricks.sliding_window_view(rows.mean(1).astype(np.float64), window)
        values = self._shape(level.reshape(len(level), self.spec.window_frames, -1).mean(2))
        values[~np.lib.stride_tricks.sliding_window_view(valid, window).all(1)] = np.nan
        middle_s = first_s + (np.arange(len(values)) + (window - 1) / 2) / 100
        return Embeddings(values, middle_s - self.late_ms / 1000)
