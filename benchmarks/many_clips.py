"""Many clips for benchmarks of whole folders: a few are rendered, and linked under many names."""

import os
from pathlib import Path

from clapboard.testing import make_clip

MADE = 4


def fill(folder: Path, count: int, seconds: float) -> None:
    """Make a folder of so many clips of a talking face, 640x360, 25 fps."""
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number:04d}.mp4"
        if number < MADE:
            make_clip(path, seed=number, duration_s=seconds, face_px=150)
        else:
            os.link(folder / f"{number % MADE:04d}.mp4", path)
