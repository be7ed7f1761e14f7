"""Offsets of scenes against known shifts.

Real clips are out of sync themselves, and distant sound is late by 3 ms for every metre, so their nominal zero is no
truth. Each scene is cut into windows that do not overlap, and the sound of each is shifted by another known amount. An
answer is right when it moves with the shift: what is compared is the answer of a window plus its shift with the median
of the same in the clip's *other* windows. One peak that is wrong but everywhere the same would pass; a window's own
answer never takes part in its truth, so that chance agreement stays rare. How rare is shown by the control, the same
with the sound of another recording.

Rendered clips are in sync to the sample, and their answers are held against zero.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from clapboard.metrics.attention import offset_table
from clapboard.timebase import PICTURE_HZ, ROWS_PER_FRAME
from clapboard.training.anysound.clips import KIND, Scene
from clapboard.values import F32, Features
from sound_scorers import REACH_MS, Scorer

WINDOW_FRAMES = 75
"""Frames of a window, 3 s: the shortest real clips have two of half that, and are left out."""
MOST_SHIFT_MS = 1000.0
"""Known shifts are drawn from minus to plus this, whole frames."""
FRAME_MS = 1000 / PICTURE_HZ


def rows_of(scene: Scene) -> F32:
    """All finished rows of a scene."""
    return KIND.finish(Features(scene.bands, scene.valid, 0.0))


def answers(scorer: Scorer, scene: Scene, sound: Scene) -> np.ndarray:
    """Answer plus shift of every window of a scene with a sound, (W,) ms, NaN where there is none.

    ``sound`` is the scene itself, or another one as a control. The window's sound is what lies up to `REACH_MS` around
    the window after the shift, as far as there is any: what has been moved out of reach cannot be found.
    """
    assert scorer.offset is not None
    rng = np.random.default_rng(zlib.crc32(f"{scene.id} {sound.id}".encode()))
    rows, reach = rows_of(sound), round(REACH_MS / 10)
    found = []
    count = len(scene.images) // WINDOW_FRAMES
    for number in range(max(count, 1)):
        first = number * WINDOW_FRAMES
        images = scene.images[first : first + WINDOW_FRAMES] if count else scene.images
        shift = int(rng.integers(-round(MOST_SHIFT_MS / FRAME_MS), round(MOST_SHIFT_MS / FRAME_MS) + 1))
        # Sound from `shift` frames later plays here: it is early by so much.
        start = sound.zero_row + ROWS_PER_FRAME * (first + shift)
        low = max(start - reach, 0)
        piece = rows[low : max(start + ROWS_PER_FRAME * len(images) + reach, low)]
        answer = scorer.offset(images, piece, start - low)
        found.append(answer.offset_ms - FRAME_MS * shift)
    return np.array(found)


def against_others(found: np.ndarray) -> np.ndarray:
    """Each window's answer against the median of the clip's other windows, (W,); nothing for a single window."""
    if len(found) < 2:
        return np.zeros(0)
    others = [np.delete(found, at) for at in range(len(found))]
    middles = [np.median(o[np.isfinite(o)]) if np.isfinite(o).any() else np.nan for o in others]
    return found - np.array(middles)


Measured = Mapping[tuple[str, str], Sequence[tuple[str, np.ndarray]]]
"""By scorer and whose sound it was: the recording of each scene and the errors of its windows, ms."""


def measure_all(scenes: Sequence[Scene], scorers: Mapping[str, Scorer], *, zero_known: bool) -> Measured:
    """Every scorer that gives offsets, with the own sound and with that of another recording."""
    rng, strange = np.random.default_rng(0), []
    for scene in scenes:
        others = [other for other in scenes if other.group != scene.group]
        strange.append(others[int(rng.integers(len(others)))] if others else None)
    found: dict[tuple[str, str], list[tuple[str, np.ndarray]]] = {}
    for name, scorer in scorers.items():
        if scorer.offset is None:
            continue
        for sound, sounds in (("own", scenes), ("another's", strange)):
            errors = found.setdefault((name, sound), [])
            for scene, heard in zip(scenes, sounds, strict=True):
                if heard is not None:
                    measured = answers(scorer, scene, heard)
                    errors.append((scene.group, measured if zero_known else against_others(measured)))
    return found


def offset_rows(measured: Measured, clips: set[str]) -> list[dict[str, Any]]:
    """One row for every scorer and sound, of some recordings."""
    rows = []
    for (scorer, sound), errors in measured.items():
        these = [(clip, found) for clip, found in errors if clip in clips and len(found)]
        table = offset_table(np.concatenate([found for _, found in these]) if these else [])
        rows.append({"scorer": scorer, "sound": sound, "clips": len({clip for clip, _ in these}), **table})
    return rows


def offset_table_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Markdown of them; nothing where nothing was measured."""
    if not rows:
        return
    yield "| offsets | sound | clips | windows | within 40 ms % | 80 | 100 | 200 | MAE ms | median ms |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        shares = " | ".join(f"{100 * row[f'within_{limit}_ms']:.0f}" for limit in (40, 80, 100, 200))
        yield (
            f"| {row['scorer']} | {row['sound']} | {row['clips']} | {row['number']:.0f} | {shares} "
            f"| {row['mae_ms']:.0f} | {row['median_ms']:.0f} |"
        )
