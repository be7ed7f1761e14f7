"""Toy clips whose sound follows their picture exactly, so that a small network learns them in seconds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clapboard.dataset.align import Aligned, align
from clapboard.dataset.store import Entry, Stored, Writer


def talk(
    seed: int, seconds: float = 2.4, early_ms: float = 0.0, start_s: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mouth's darkness and the sound's loudness follow one random curve: (images, times, samples)."""
    rng = np.random.default_rng(seed)
    fine = np.convolve(rng.standard_normal(round(seconds * 100) + 200), np.hanning(17), "same")
    time_s = start_s + np.arange(round(seconds * 25)) / 25
    opening = np.clip(0.5 + 0.25 * np.interp(time_s - start_s + 1, np.arange(len(fine)) / 100, fine), 0, 1)
    images = np.full((len(time_s), 64, 64), 150.0)
    images[:, 28:40, 20:44] -= 120 * opening[:, None, None]
    images += rng.normal(0, 2, images.shape)
    at = np.arange(round(seconds * 16000)) / 16000 + early_ms / 1000
    gain = np.exp(1.5 * np.interp(at + 1, np.arange(len(fine)) / 100, fine))
    samples = np.clip(0.02 * gain * rng.standard_normal(len(at)), -1, 1)
    return images.astype(np.uint8), time_s, np.round(samples * 32767).astype(np.int16)


@pytest.fixture(name="talk", scope="session")
def _talk() -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The function above."""
    return talk


@pytest.fixture
def toy_clips() -> Callable[..., list[Aligned]]:
    """``toy_clips(count, **talk)``: aligned toy clips of three speakers."""

    def make(count: int, **how: float) -> list[Aligned]:
        return [
            align(*talk(n, **how), float(how.get("start_s", 0.0)), float(how.get("early_ms", 0.0)),
                  corpus="toy", speaker=str(n % 3), file=f"{n}.mp4")
            for n in range(count)
        ]  # fmt: skip

    return make


@pytest.fixture
def toy_dataset() -> Callable[..., Path]:
    """``toy_dataset(folder, count, **talk)``: the same clips as a data set on disk."""

    def make(folder: Path, count: int, **how: float) -> Path:
        with Writer(folder, "mouth-64") as writer:
            for n in range(count):
                images, time_s, samples = talk(n, **how)
                names = {
                    "id": str(n),
                    "file": f"{n}.mp4",
                    "corpus": "toy",
                    "speaker": str(n % 3),
                    "group": f"toy/{n % 3}",
                }
                span = {"start_s": 0.0, "end_s": len(images) / 25, "frames": len(images)}
                entry = Entry(**names, **span, track=0, shard=0, face_px=100.0, speech_share=1.0)
                writer.add(entry, Stored(images, time_s, samples, float(how.get("start_s", 0.0))))
                writer.finished()
        return folder

    return make
