"""Tracks made of noise, for tests of the store: no video, no face. And jobs for other processes, which import them."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clapboard.dataset.spool import Job, prepare_one
from clapboard.dataset.store import Entry, Stored, Writer

VIEW = "mouth-64"


def blas_threads(_: int) -> str | None:
    """A job: how many threads NumPy's products may take in its process."""
    return os.environ.get("OPENBLAS_NUM_THREADS")


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


def square_or_die(job: int) -> int:
    """Return the square of a job; -1000 exits, every other negative one is a signal to itself."""
    if job == -1000:
        sys.exit(7)
    if job < 0:
        os.kill(os.getpid(), -job)
    return job * job


def prepare_or_die(job: Job) -> str:
    """Prepare a file, unless it is called killer."""
    if "killer" in job.source.file:
        os.kill(os.getpid(), signal.SIGKILL)
    return prepare_one(job)


def prepare_without_room(job: Job) -> str:
    """Prepare a file where nothing can be written."""
    shutil.rmtree(job.folder)
    return prepare_one(job)


def run(command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it printed."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
