"""Clips to try ``clapboard curate`` on, and what three made-up voters say of them.

``python examples/curation.py clips`` renders sticks and fireworks; in some stretches of 2 s the picture is black, in
others the sound is that of something else. ``python examples/curation.py clips --votes PROJECT votes.csv`` writes what
three voters say who know the truth, and slip in one answer of ten, by chance.
"""

import argparse
import csv
import random
from pathlib import Path

import numpy as np

from clapboard.curation.project import Project
from clapboard.curation.votes import COLUMNS
from clapboard.media.encode import write_clip
from clapboard.testing import render_events

KINDS = ("firework", "stick")
CLIPS = 4
STRETCH_S, SECONDS = 2, 8
SLIP = 0.1


def truth(kind: str, number: int) -> list[tuple[bool, bool]]:
    """Whether it is seen and heard in each stretch of a clip."""
    chance = random.Random(f"{kind} {number}")
    return [(chance.random() < 0.8, chance.random() < 0.8) for _ in range(SECONDS // STRETCH_S)]


def render(folder: Path) -> None:
    """Write the clips, a folder for each kind."""
    for kind in KINDS:
        for number in range(CLIPS):
            seed = 100 * KINDS.index(kind) + number
            clip = render_events(seed, seconds=SECONDS, px=160, kinds=[kind], clean=True)
            other = render_events(seed + 50, seconds=SECONDS, kinds=["bounce"], clean=True)
            images, samples = clip.images.copy(), clip.samples.copy()
            for stretch, (seen, heard) in enumerate(truth(kind, number)):
                begin_s, end_s = stretch * STRETCH_S, (stretch + 1) * STRETCH_S
                if not seen:
                    images[begin_s * 25 : end_s * 25] = 16
                if not heard:
                    inside = slice(begin_s * clip.sound_hz, end_s * clip.sound_hz)
                    samples[inside] = other.samples[inside]
            path = folder / kind / f"{kind}-{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_clip(path, list(images), 25, samples.astype(np.float32), clip.sound_hz, overwrite=True)


def vote(project: Path, table: Path) -> None:
    """Write what the voters say of every segment."""
    chance = random.Random(0)
    with Project(project).reading() as db, table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for segment, start_ms in db.execute("SELECT name, start_ms FROM segments ORDER BY name").fetchall():
            kind, _, number = Path(segment.split("#")[0]).stem.partition("-")
            for question, there in zip(("seen", "heard"), truth(kind, int(number))[start_ms // 2000], strict=True):
                for voter in ("anna", "ben", "cleo"):
                    slip = chance.random() < SLIP
                    rows.writerow((segment, question, voter, "yes" if there != slip else "no"))


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description="Clips to try clapboard curate on.")
    parser.add_argument("clips", type=Path, help="folder for the clips, or where they are")
    parser.add_argument("--votes", type=Path, nargs=2, metavar=("PROJECT", "CSV"), help="write votes, no clips")
    chosen = parser.parse_args()
    if chosen.votes:
        vote(*chosen.votes)
    else:
        render(chosen.clips)


if __name__ == "__main__":
    main()
