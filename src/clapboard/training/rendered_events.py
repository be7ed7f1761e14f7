"""Rendered events as a data set of scenes, with the truth of each beside the manifest.

``python -m clapboard.training.rendered_events -o DATASET [--split dense] [--part train] [--clips 2000] [--seconds 8]
[--first-seed N] [--view scene-64] [--clean] [--dry] [--processes 2]``

The sound of each entry begins before its pictures and ends after them, by `clapboard.testing.events.plan.LEAD_S`.

``truth.jsonl`` has one row for each entry: id, kind, materials, split, seed, events as [time (s), source, loudness],
period_s, and boxes (S x T x 4, px; null where a source is not seen). Given again it goes on where it stopped, and with
more clips it adds them.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from clapboard.dataset.prepare import cores
from clapboard.errors import ClapboardError, UsageError
from clapboard.testing.events.classes import KINDS, PARTS, Part
from clapboard.testing.events.clip import able_kinds, render_events
from clapboard.testing.events.plan import SPLITS, Split
from clapboard.training.rendered_sets import FIRST_SEED, Made, as_scene, render_set, truth_row
from clapboard.vision.scenes import DEFAULT_SCENE, scene_of


@dataclass(frozen=True, slots=True)
class Rendering:
    """One clip to make: everything follows from it."""

    seed: int
    seconds: float
    split: Split
    part: Part
    view: str
    clean: bool = False
    dry: bool = False

    @property
    def file(self) -> str:
        """What the data set calls it; each is a recording of its own."""
        return (
            f"events_{self.part}_{self.split}{'_clean' if self.clean else ''}{'_dry' if self.dry else ''}_{self.seed}"
        )


def render_clip(job: Rendering) -> Made:
    """One clip as a scene of a data set, and its row of the truth."""
    scene = scene_of(job.view)
    clip = render_events(
        job.seed,
        seconds=job.seconds,
        px=scene.px,
        rate=scene.picture_hz,
        sound_hz=scene.sound_hz,
        channels=scene.channels,
        colour=scene.colour,
        split=job.split,
        part=job.part,
        clean=job.clean,
        dry=job.dry,
    )
    entry, stored = as_scene(job.file, f"events-{job.part}", job.view, clip)
    return entry, stored, truth_row(job.file, clip)


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Render physical events for training.")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, default="dense")
    parser.add_argument("--part", choices=PARTS, default="train")
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--view", default=DEFAULT_SCENE)
    parser.add_argument("--clean", action="store_true", help="without all that disturbs: movers, noise, echoes, shake")
    parser.add_argument("--dry", action="store_true", help="the sound of what is seen alone, at one level")
    parser.add_argument("--processes", type=int, default=cores())
    chosen = parser.parse_args(arguments)
    try:
        if chosen.clips < 1 or chosen.processes < 1 or chosen.first_seed < 0:
            raise UsageError("--clips and --processes are 1 or more, --first-seed 0 or more")
        able_kinds(KINDS, chosen.split, chosen.seconds)
        seeds = range(chosen.first_seed, chosen.first_seed + chosen.clips)
        shared = (chosen.seconds, chosen.split, chosen.part, chosen.view, chosen.clean, chosen.dry)
        jobs = [Rendering(seed, *shared) for seed in seeds]
        settings = {"made": "rendered events", "split": chosen.split, "part": chosen.part, "seconds": chosen.seconds}
        settings |= {"clean": chosen.clean} | ({"dry": True} if chosen.dry else {})
        fresh = render_set(chosen.out, jobs, render_clip, settings, chosen.processes)
    except ClapboardError as error:
        print(f"clapboard: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{chosen.out}: {fresh} new clips of {chosen.clips}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
