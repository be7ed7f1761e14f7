"""Rendered events as a data set of scenes, with the truth of each beside the manifest.

``python -m clapboard.training.rendered_events -o DATASET [--split dense] [--part train] [--clips 2000] [--seconds 8]
[--first-seed N] [--view scene-64] [--clean] [--dry] [--processes 2]``

The sound of each entry begins before its pictures and ends after them, by `clapboard.testing.events.plan.LEAD_S`.

``truth.jsonl`` has one row for each entry: id, kind, materials, split, seed, events as [time (s), source, loudness],
period_s, and boxes (S x T x 4, px; null where a source is not seen). Given again it goes on where it stopped, and with
more clips it adds them.
"""

import argparse
import contextlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clapboard.dataset.pool import Died, work
from clapboard.dataset.prepare import cores
from clapboard.dataset.scenes import KIND, scene_settings
from clapboard.dataset.store import Dataset, Dropped, Entry, Stored, Writer
from clapboard.errors import ClapboardError, MediaError, UsageError
from clapboard.files import write_text
from clapboard.testing.events.classes import KINDS, PARTS, Part
from clapboard.testing.events.clip import EventClip, able_kinds, render_events
from clapboard.testing.events.plan import LEAD_S, SPLITS, Split
from clapboard.vision.scenes import DEFAULT_SCENE, scene_of

FIRST_SEED = 100_000
"""Seeds below are for tests and examples, so that nothing shown there was learned from."""
TRUTH = "truth.jsonl"


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


def render_clip(job: Rendering) -> tuple[Entry, Stored, str]:
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
    end_s = float(len(clip.time_s) / scene.picture_hz)
    entry = Entry(
        id=job.file,
        file=job.file,
        corpus=f"events-{job.part}",
        speaker=job.file,
        group=f"events-{job.part}/{job.file}",
        track=0,
        shard=0,
        start_s=0.0,
        end_s=end_s,
        frames=len(clip.images),
        face_px=0.0,
        speech_share=1.0,
        shot_end_s=end_s,
        label=clip.kind,
    )
    # With the sound before and after the pictures, so that every frame has all lags of a search.
    whole = np.round(np.clip(clip.around, -1, 1) * 32767).astype(np.int16)
    return entry, Stored(clip.images, clip.time_s, whole, clip.start_s - LEAD_S), truth_row(job.file, clip)


def truth_row(name: str, clip: EventClip) -> str:
    """What is true of a clip, as a line of JSON."""
    boxes = [
        [None if np.isnan(box[0]) else [round(side, 1) for side in box] for box in source]
        for source in clip.boxes.astype(float).tolist()
    ]
    row = {
        "id": name,
        "kind": clip.kind,
        "materials": clip.materials,
        "split": clip.split,
        "seed": clip.seed,
        "events": [[round(event.time_s, 6), event.source, round(event.loudness, 4)] for event in clip.events],
        "period_s": clip.period_s,
        "boxes": boxes,
    }
    return json.dumps(row, separators=(",", ":")) + "\n"


def render_set(folder: Path, jobs: list[Rendering], settings: dict[str, Any], processes: int) -> int:
    """Render clips into a data set, in their order; returns how many are new.

    Parameters
    ----------
    folder : made where it does not exist
    jobs : what to render, all for one view; those that are there already are left out
    settings : what all clips share, beside what the view says
    processes : so many at a time

    Raises
    ------
    UsageError : no such view, or the folder holds something else
    MediaError : the data set cannot be written
    """
    scene = scene_of(jobs[0].view)
    kept = {"kind": KIND, "made": "rendered events"} | scene_settings(scene.name) | settings
    with Writer(folder, scene.name, kept) as writer:
        _mend_truth(folder)
        jobs = [job for job in jobs if job.file not in writer.files]
        done: dict[int, tuple[Entry, Stored, str] | Died] = {}
        results, turn = work(render_clip, jobs, processes), 0
        try:
            for number, result in results:
                done[number] = result
                while turn in done:
                    ready = done.pop(turn)
                    if isinstance(ready, Died):
                        writer.drop(Dropped(jobs[turn].file, None, "its process died", detail=ready.how))
                    else:
                        # before the entry counts: an entry without truth would be damage, truth without entry is not
                        _append(folder / TRUTH, ready[2])
                        writer.add(*ready[:2])
                    writer.finished()
                    turn += 1
        finally:
            results.close()
    return turn


def _append(path: Path, row: str) -> None:
    """Add a row to the truth."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(row)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror or error}); make room") from None


def _mend_truth(folder: Path) -> None:
    """Keep only rows of clips that are there: a process that was killed leaves more of them, or half a row."""
    path, there = folder / TRUTH, {entry.id for entry in Dataset.open(folder).entries}
    if not path.exists():
        return
    rows = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, ValueError) as error:
        raise MediaError(f"{path}: cannot be read ({error}); remove the folder and begin again") from None
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            rows[str(json.loads(line)["id"])] = line
    write_text("".join(rows[name] for name in rows if name in there), path, overwrite=True)


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
        settings = {"split": chosen.split, "part": chosen.part, "seconds": chosen.seconds, "clean": chosen.clean}
        settings |= {"dry": True} if chosen.dry else {}
        fresh = render_set(chosen.out, jobs, settings, chosen.processes)
    except ClapboardError as error:
        print(f"clapboard: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{chosen.out}: {fresh} new clips of {chosen.clips}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
