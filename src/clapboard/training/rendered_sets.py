"""Rendered clips of any kind as a data set of scenes, with the truth of each beside the manifest.

The sound of each entry begins before its pictures and ends after them, by `clapboard.testing.events.plan.LEAD_S`.
``truth.jsonl`` has one row for each entry, see `truth_row`. A set goes on where it stopped.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from clapboard.dataset.pool import Died, work
from clapboard.dataset.scenes import KIND, scene_settings
from clapboard.dataset.store import Dataset, Dropped, Entry, Stored, Writer
from clapboard.errors import MediaError
from clapboard.files import write_text
from clapboard.testing.events.clip import EventClip
from clapboard.testing.events.plan import LEAD_S
from clapboard.testing.textures.clip import TextureClip
from clapboard.vision.scenes import scene_of

FIRST_SEED = 100_000
"""Seeds below are for tests and examples, so that nothing shown there was learned from."""
TRUTH = "truth.jsonl"
Made = tuple[Entry, Stored, str]
"""A clip as a scene of a data set, and its row of the truth."""


class Job(Protocol):
    """One clip to make: everything follows from it; it is sent to other processes."""

    @property
    def file(self) -> str:
        """What the data set calls it; each is a recording of its own."""

    @property
    def view(self) -> str:
        """Name of the scene that its pictures are."""


AnyJob = TypeVar("AnyJob", bound=Job)


def as_scene(name: str, corpus: str, view: str, clip: EventClip | TextureClip) -> tuple[Entry, Stored]:
    """A rendered clip as a scene of a data set, a recording of its own."""
    end_s = float(len(clip.time_s) / scene_of(view).picture_hz)
    entry = Entry(
        id=name,
        file=name,
        corpus=corpus,
        speaker=name,
        group=f"{corpus}/{name}",
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
    return entry, Stored(clip.images, clip.time_s, whole, clip.start_s - LEAD_S)


def truth_row(name: str, clip: EventClip | TextureClip, **more: object) -> str:
    """What is true of a clip, as a line of JSON; ``more`` is said of some kinds of clips."""
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
        **more,
        "boxes": boxes,
    }
    return json.dumps(row, separators=(",", ":")) + "\n"


def render_set(
    folder: Path,
    jobs: Sequence[AnyJob],
    render: Callable[[AnyJob], Made],
    settings: Mapping[str, Any],
    processes: int,
) -> int:
    """Render clips into a data set, in their order; returns how many are new.

    Parameters
    ----------
    folder : made where it does not exist
    jobs : what to render, all for one view; those that are there already are left out
    render : makes one; a function that other processes can import
    settings : what all clips share, beside what the view says, among it ``made``: how
    processes : so many at a time

    Raises
    ------
    UsageError : no such view, or the folder holds something else
    MediaError : the data set cannot be written
    """
    scene = scene_of(jobs[0].view)
    kept = {"kind": KIND} | scene_settings(scene.name) | dict(settings)
    with Writer(folder, scene.name, kept) as writer:
        _mend_truth(folder)
        jobs = [job for job in jobs if job.file not in writer.files]
        done: dict[int, Made | Died] = {}
        results, turn = work(render, jobs, processes), 0
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
