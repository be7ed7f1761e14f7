"""Tracks made of noise, for tests of the store: no video, no face."""

from pathlib import Path

import numpy as np

from clapboard.dataset.store import Entry, Stored, Writer

VIEW = "mouth-64"


def stored(seed: int, frames: int = 30, px: int = 64, start_s: float = 0.25, colour: bool = False) -> Stored:
    """Return a track of noise whose sound runs from ``start_s`` to 0.5 s behind its last frame, all from one seed."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (frames, px, px, 3) if colour else (frames, px, px)).astype(np.uint8)
    time_s = 0.5 + np.arange(frames) / 25
    samples = rng.integers(-9000, 9000, round((time_s[-1] + 0.5 - start_s) * 16000)).astype(np.int16)
    return Stored(images, time_s, samples, start_s)


def entry(seed: int, frames: int = 30, **fields: object) -> Entry:
    """Return the row of such a track; two seeds in a row share a speaker."""
    said: dict[str, object] = {
        "id": f"clip{seed}-0",
        "file": f"talk/clip{seed}.mp4",
        "corpus": "toy",
        "speaker": f"s{seed // 2}",
        "group": f"toy/s{seed // 2}",
        "track": 0,
        "shard": 0,
        "start_s": 0.5,
        "end_s": 0.5 + frames / 25,
        "frames": frames,
        "face_px": 90.0,
        "speech_share": 0.8,
    }
    return Entry(**(said | fields))  # type: ignore[arg-type]


def write(folder: Path, seeds: range = range(4), *, view: str = VIEW, **fields: object) -> Path:
    """Write a data set of noise, one track a seed."""
    with Writer(folder, view, {"faces": "strict"}) as writer:
        for seed in seeds:
            writer.add(entry(seed, **fields), stored(seed))
            writer.finished()
    return folder
