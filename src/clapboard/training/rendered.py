"""Rendered talking faces as a data set, found and cropped by the same stages as real ones.

``python -m clapboard.training.rendered -o DATASET [--clips 120] [--seconds 6] [--view mouth-64] [--processes 2]``

Seeds start at `FIRST_SEED`; those below are for tests and the demo, so that nothing shown there was learned from. Given
again it goes on where it stopped.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clapboard.dataset.extract import Piece, seen
from clapboard.dataset.hearing import Hearing
from clapboard.dataset.pool import Died, work
from clapboard.dataset.prepare import cores
from clapboard.dataset.store import Dropped, Entry, Stored, Writer
from clapboard.errors import ClapboardError
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import Audio, Frame
from clapboard.vision.views import DEFAULT_VIEW, view_of

FIRST_SEED = 100_000
CORPUS = "rendered"
WIDTH_PX, HEIGHT_PX = 400, 300


@dataclass(frozen=True, slots=True)
class Rendering:
    """One clip to make: everything follows from the seed."""

    seed: int
    seconds: float
    view: str = DEFAULT_VIEW

    @property
    def file(self) -> str:
        """What the data set calls it."""
        return f"rendered_{self.seed}"


def render_clip(job: Rendering) -> tuple[Entry, Stored] | None:
    """One rendered clip as a track of a data set; None where no face is found in it."""
    from clapboard.testing import Actor, Speaker, render, speak, voice
    from clapboard.testing.articulation import LEAD_S
    from clapboard.vision.crop import longest_track
    from clapboard.vision.mouths import MouthFinder

    rng = np.random.default_rng(job.seed)
    speaker = Speaker.from_seed(job.seed)
    articulation = speak(job.seed, job.seconds, speaker=speaker)
    face_px = float(rng.uniform(70, 170))
    actor = Actor(articulation, speaker, face_px, x=float(rng.uniform(0.35, 0.65)), motion=float(rng.uniform(0, 1)))
    times_s = np.arange(round(job.seconds * PICTURE_HZ)) / PICTURE_HZ
    finder, crops = MouthFinder(view=job.view), []
    pictures = render([actor], times_s, width_px=WIDTH_PX, height_px=HEIGHT_PX, seed=job.seed)
    for grid, (time_s, image) in enumerate(zip(times_s, pictures, strict=True)):
        thumbnail = np.repeat(image[::8, ::8, None], 3, 2)
        colour = np.repeat(image[..., None], 3, 2) if view_of(job.view).colour else None
        crops += finder.push(grid, Frame(float(time_s), image, thumbnail, colour))
    crops += finder.close()
    if not crops:
        return None
    samples = voice(articulation, speaker)[round(LEAD_S * SAMPLE_RATE_HZ) :][: round(job.seconds * SAMPLE_RATE_HZ)]
    hearing = Hearing()
    hearing.push(Audio(samples, SAMPLE_RATE_HZ, 0.0))
    longest = longest_track(crops)
    track = next(track for track in finder.tracks if track.number == longest.track)
    part = seen(Piece(longest.track, 0, longest.images, longest.time_s))
    entry = Entry(
        id=job.file,
        file=job.file,
        corpus=CORPUS,
        speaker=str(job.seed),
        group=f"{CORPUS}/{job.seed}",
        track=part.track,
        shard=0,
        start_s=part.start_s,
        end_s=part.end_s,
        frames=part.frames,
        face_px=round(track.face_px, 1),
        speech_share=round(hearing.speech_share(part.start_s, part.end_s), 3),
        shot_start_s=track.shot.start_s,
        shot_end_s=track.shot.end_s,
    )
    whole = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    return entry, Stored(longest.images, longest.time_s, whole, 0.0)


def render_set(folder: Path, clips: int, seconds: float, view: str, processes: int) -> int:
    """Render clips into a data set, in the order of their seeds; returns how many are new.

    Raises
    ------
    UsageError : no such view, or the folder holds something else
    MediaError : the data set cannot be written
    """
    view_of(view)
    with Writer(folder, view, {"made": "rendered", "seconds": seconds}) as writer:
        jobs = [Rendering(seed, seconds, view) for seed in range(FIRST_SEED, FIRST_SEED + clips)]
        jobs = [job for job in jobs if job.file not in writer.files]
        done: dict[int, tuple[Entry, Stored] | Died | None] = {}
        results, turn = work(render_clip, jobs, processes), 0
        try:
            for number, result in results:
                done[number] = result
                while turn in done:
                    ready = done.pop(turn)
                    if ready is None or isinstance(ready, Died):
                        reason = "its process died" if ready else "no face"
                        writer.drop(Dropped(jobs[turn].file, None, reason, detail=ready.how if ready else ""))
                    else:
                        writer.add(*ready)
                    writer.finished()
                    turn += 1
        finally:
            results.close()
    return turn


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Render talking faces for training.")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--view", default=DEFAULT_VIEW)
    parser.add_argument("--processes", type=int, default=cores())
    chosen = parser.parse_args(arguments)
    try:
        fresh = render_set(chosen.out, chosen.clips, chosen.seconds, chosen.view, chosen.processes)
    except ClapboardError as error:
        print(f"clapboard: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{chosen.out}: {fresh} new clips of {chosen.clips}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
