"""Rendered textures as a data set of scenes, with the truth of each beside the manifest.

``python -m clapboard.training.rendered_textures -o DATASET [--part train] [--clips 600] [--seconds 8] [--first-seed N]
[--view scene-64] [--processes 2]``

Its rows of ``truth.jsonl`` are those of `clapboard.training.rendered_events` with ``textures``: by name, how much of
each is to be heard, 0 to 1, every 10 ms from 15 ms before the first picture on.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from clapboard.dataset.prepare import cores
from clapboard.errors import ClapboardError, UsageError
from clapboard.testing.events.classes import PARTS, Part
from clapboard.testing.textures.clip import render_texture
from clapboard.training.rendered_sets import FIRST_SEED, Made, as_scene, render_set, truth_row
from clapboard.vision.scenes import DEFAULT_SCENE, scene_of


@dataclass(frozen=True, slots=True)
class TextureRendering:
    """One clip to make: everything follows from it."""

    seed: int
    seconds: float
    part: Part
    view: str

    @property
    def file(self) -> str:
        """What the data set calls it; each is a recording of its own."""
        return f"textures_{self.part}_{self.seed}"


def render_clip(job: TextureRendering) -> Made:
    """One clip as a scene of a data set, and its row of the truth."""
    scene = scene_of(job.view)
    clip = render_texture(
        job.seed,
        seconds=job.seconds,
        px=scene.px,
        rate=scene.picture_hz,
        sound_hz=scene.sound_hz,
        part=job.part,
        colour=scene.colour,
    )
    entry, stored = as_scene(job.file, f"textures-{job.part}", job.view, clip)
    heard = {name: [round(level, 2) for level in rows.astype(float).tolist()] for name, rows in clip.activity.items()}
    return entry, stored, truth_row(job.file, clip, textures=heard)


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Render things that sound while they move, for training.")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--part", choices=PARTS, default="train")
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--view", default=DEFAULT_SCENE)
    parser.add_argument("--processes", type=int, default=cores())
    chosen = parser.parse_args(arguments)
    try:
        if chosen.clips < 1 or chosen.processes < 1 or chosen.first_seed < 0 or not 1 <= chosen.seconds <= 60:
            raise UsageError("--clips and --processes are 1 or more, --first-seed 0 or more, --seconds 1 to 60")
        if scene_of(chosen.view).channels != 1:
            raise UsageError(f"--view: textures have sound of one channel, and {chosen.view} has two")
        seeds = range(chosen.first_seed, chosen.first_seed + chosen.clips)
        jobs = [TextureRendering(seed, chosen.seconds, chosen.part, chosen.view) for seed in seeds]
        settings = {"made": "rendered textures", "part": chosen.part, "seconds": chosen.seconds}
        fresh = render_set(chosen.out, jobs, render_clip, settings, chosen.processes)
    except ClapboardError as error:
        print(f"clapboard: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{chosen.out}: {fresh} new clips of {chosen.clips}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
