"""Batches of clips cut from scenes: pairs of true and moved sound, and chunks with the sound around them.

B clips, F frames of 40 ms, R rows of 10 ms. Frame i of a clip belongs to its rows 4 i to 4 i + 3, which lie around its
time. Both sounds of a pair are slices of one piece of real sound that was changed and normalised as a whole, and where
they are cut can be exchanged: neither edges nor levels nor places in the file betray which of them is the true one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.sound.features import NORM_HALF_S
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, ROWS_PER_FRAME
from clapboard.training.anysound.changes import USUAL, Changes, change_images, change_sound
from clapboard.training.anysound.scenes import (
    KIND,
    Scene,
    load_scenes,
    make_scene,
    scene_of,
    split_by_group,
)
from clapboard.training.anysound.shifts import draw_shift, place, range_s
from clapboard.values import F32, F64, Features

__all__ = [
    "USUAL", "Changes", "Chunks", "Pairs", "Scene", "chunks", "load_scenes", "make_scene", "pairs", "scene_of",
    "split_by_group",
]  # fmt: skip

BLOCK_FRAMES = 25
"""Frames of a block: about 0.8 s at the rate of the article, 1 s on our grid."""
REACH_FRAMES = 50
"""Lags reach so far on both sides: 2 s."""
AROUND_ROWS = round(NORM_HALF_S * FEATURE_HZ)
"""Sound that normalisation looks at on both sides of a clip, as far as there is any."""
TRIES = 200
"""So many scenes, or places in a scene, that give no clip are no bad luck."""
Seen = Literal["any", "either", "both"]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Clips, each with its own sound and with one that does not belong to it.

    Attributes
    ----------
    images : (B, F, 64, 64) uint8
    rows_true, rows_shifted : (B, R, 40) float32 as the network takes them, R = 4 F + 2 margin_rows
    shift_s : (B,) by how much later in the file the second sound was; positive is sound early. NaN for another clip's
    other : (B,) bool, the second sound is that of another clip
    scene : (B,) index into the scenes
    start_frame : (B,) the clip's first frame, in its scene
    events : of each clip (E, 3) float64: time after the first frame (s), source, loudness; None where nobody knows
    boxes : of each clip (S, F, 4) float32, px; None where nobody knows, or where pictures were changed
    """

    images: NDArray[np.uint8]
    rows_true: F32
    rows_shifted: F32
    shift_s: F64
    other: NDArray[np.bool_]
    scene: NDArray[np.int64]
    start_frame: NDArray[np.int64]
    events: tuple[F64 | None, ...]
    boxes: tuple[F32 | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Chunks:
    """Clips with the sound around them.

    Attributes
    ----------
    images : (B, F, 64, 64) uint8
    rows : (B, R, 40) float32 as the network takes them, R = 4 (F + 2 reach_frames); the rows of frame i at lag 0 begin
        at 4 (reach_frames + i). Rows without sound are 0
    valid : (B, R) bool, rows with sound
    reach_frames : frames of sound on each side
    scene, start_frame, events, boxes : as in `Pairs`
    """

    images: NDArray[np.uint8]
    rows: F32
    valid: NDArray[np.bool_]
    reach_frames: int
    scene: NDArray[np.int64]
    start_frame: NDArray[np.int64]
    events: tuple[F64 | None, ...]
    boxes: tuple[F32 | None, ...]


def pairs(
    scenes: Sequence[Scene],
    rng: np.random.Generator,
    *,
    blocks: int,
    range_name: str,
    clips: int | None = None,
    block_frames: int = BLOCK_FRAMES,
    margin_rows: int = 0,
    other: float = 0.0,
    seen: Seen = "any",
    changes: Changes | None = None,
) -> Pairs:
    """Clips with their own sound and with a wrong one.

    Parameters
    ----------
    scenes : to draw from
    blocks, block_frames : a clip has ``blocks * block_frames`` frames
    range_name : how far the wrong sound is moved; see `clapboard.training.anysound.shifts.SHIFTS`
    clips : so many, drawn with equal chances of all scenes; None takes each scene once, in order, as far as it has room
    margin_rows : rows more on both ends of both sounds
    other : share of clips whose wrong sound is that of another recording
    seen : which clips are kept, where events are known: "any" of them; those with an event on screen in the true or the
        moved window ("either"); in each of the two ("both"). All three treat the two windows alike
    changes : what is changed, `USUAL` for training; None changes nothing

    Raises
    ------
    UsageError : no scene has room for such a pair, or there is no such range
    """
    frames, between_s = blocks * block_frames, range_s(range_name)
    drawn: list[tuple[int, int, int]] = []
    sources: list[int] = []
    missed = 0
    for number in _numbers(scenes, rng, clips):
        source = _other(scenes, number, rng) if other and rng.random() < other else number
        found = _place_pair(
            (scenes[number], scenes[source]), frames, margin_rows, between_s=between_s, seen=seen, rng=rng
        )
        missed = 0 if found else missed + 1
        if found is not None:
            drawn.append((number, *found))
            sources.append(source)
        if clips is not None and (len(drawn) == clips or missed == TRIES):
            break
    if len(drawn) < (1 if clips is None else clips):
        needed = f"{frames} frames and shifts of {between_s[0]:g} s or more" + ("" if seen == "any" else " with events")
        raise UsageError(f"no scene has room for {needed}; take shorter clips or longer scenes")
    images, true, wrong = [], [], []
    length = ROWS_PER_FRAME * frames + 2 * margin_rows
    for (number, at, moved), source in zip(drawn, sources, strict=True):
        scene, seed = scenes[number], int(rng.integers(2**63))
        own, away = (_first_row(scenes[n], a) - margin_rows for n, a in ((number, at), (source, moved)))
        if source == number:
            low, high = min(own, away), max(own, away) + length
            piece = _rows(scenes, number, (low, high), np.random.default_rng(seed), changes)
            true.append(piece[own - low : own - low + length])
            wrong.append(piece[away - low : away - low + length])
        else:  # the same changes for both, from the same seed
            for n, first, rows in ((number, own, true), (source, away, wrong)):
                rows.append(_rows(scenes, n, (first, first + length), np.random.default_rng(seed), changes))
        cut = scene.images[at : at + frames]
        images.append(cut if changes is None else change_images(cut, rng, changes))
    which = np.array([number for number, _, _ in drawn], np.int64)
    starts = np.array([at for _, at, _ in drawn], np.int64)
    strange = np.array([source != number for (number, _, _), source in zip(drawn, sources, strict=True)])
    shift_s = np.array([(moved - at) / PICTURE_HZ for _, at, moved in drawn])
    return Pairs(
        np.stack(images),
        np.stack(true),
        np.stack(wrong),
        np.where(strange, np.nan, shift_s),
        strange,
        which,
        starts,
        *_truth(scenes, which, starts, frames, changes),
    )


def chunks(
    scenes: Sequence[Scene],
    rng: np.random.Generator,
    *,
    frames: int,
    clips: int | None = None,
    reach_frames: int = REACH_FRAMES,
    seen: bool = False,
    changes: Changes | None = None,
) -> Chunks:
    """Clips with the real sound around them, for networks that compare lags; nothing is padded to look like sound.

    Where a scene has places at which all of that sound is there, one of those is drawn. Elsewhere any place is, and
    ``valid`` tells which rows there are. Scenes with fewer frames are left out.

    Parameters
    ----------
    frames : of a clip
    clips : so many, drawn with equal chances of all scenes; None takes each scene once, in order
    reach_frames : frames of sound before and after
    seen : where events are known, only clips that show one
    changes : what is changed, `USUAL` for training; None changes nothing

    Raises
    ------
    UsageError : no scene has so many frames
    """
    drawn: list[tuple[int, int]] = []
    missed = 0
    for number in _numbers(scenes, rng, clips):
        first, end = scenes[number].sounding(ROWS_PER_FRAME * reach_frames)
        if end - first < frames:
            first, end = scenes[number].sounding()
        missed = 0 if end - first >= frames else missed + 1
        if end - first < frames:
            continue
        at = int(rng.integers(first, end - frames + 1))
        if not seen or scenes[number].events is None or _is_seen([(scenes[number], at)], frames, "either"):
            drawn.append((number, at))
        if clips is not None and (len(drawn) == clips or missed == TRIES):
            break
    if len(drawn) < (1 if clips is None else clips):
        raise UsageError(f"too few scenes have {frames} frames with sound; take shorter clips")
    length = ROWS_PER_FRAME * (frames + 2 * reach_frames)
    images, rows, valid = [], [], []
    for number, at in drawn:
        scene = scenes[number]
        first = _first_row(scene, at - reach_frames)
        low, high = max(first, 0), min(first + length, len(scene.bands))
        cut, real = np.zeros((length, KIND.features), np.float32), np.zeros(length, np.bool_)
        cut[low - first : high - first] = _rows(scenes, number, (low, high), rng, changes)
        real[low - first : high - first] = scene.valid[low:high]
        rows.append(cut)
        valid.append(real)
        picture = scene.images[at : at + frames]
        images.append(picture if changes is None else change_images(picture, rng, changes))
    which = np.array([number for number, _ in drawn], np.int64)
    starts = np.array([at for _, at in drawn], np.int64)
    return Chunks(
        np.stack(images),
        np.stack(rows),
        np.stack(valid),
        reach_frames,
        which,
        starts,
        *_truth(scenes, which, starts, frames, changes),
    )


def _numbers(scenes: Sequence[Scene], rng: np.random.Generator, clips: int | None) -> Iterator[int]:
    """Scenes to try: each once in order, or drawn ones without end."""
    if not scenes:
        raise UsageError("there are no scenes to draw from")
    if clips is None:
        yield from range(len(scenes))
        return
    while True:
        yield from rng.integers(len(scenes), size=clips).tolist()


def _other(scenes: Sequence[Scene], number: int, rng: np.random.Generator) -> int:
    """A scene of another recording, or the same one where there is none."""
    for guess in rng.integers(len(scenes), size=20).tolist():
        if scenes[guess].group != scenes[number].group:
            return int(guess)
    return number


def _place_pair(
    scenes: tuple[Scene, Scene],
    frames: int,
    margin_rows: int,
    *,
    between_s: tuple[float, float],
    seen: Seen,
    rng: np.random.Generator,
) -> tuple[int, int] | None:
    """First frame of a clip, and of the wrong sound in its own scene, the same or another one; None without room."""
    own, away = scenes
    begin, end = own.sounding(margin_rows)
    low, high = away.sounding(margin_rows)
    room = end - begin - frames
    if room < 0 or high - low < frames:
        return None
    for _ in range(1 if seen == "any" else TRIES):
        if own is not away:
            at, moved = begin + int(rng.integers(room + 1)), int(rng.integers(low, high - frames + 1))
        else:
            shift_s = draw_shift(rng, between_s, room / PICTURE_HZ, own.period_s)
            if shift_s is None:
                return None
            shift = round(shift_s * PICTURE_HZ)
            at = begin + place(rng, shift, room)
            moved = at + shift
        if _is_seen(((own, at), (away, moved)), frames, seen):
            return at, moved
    return None


def _is_seen(windows: Sequence[tuple[Scene, int]], frames: int, seen: Seen) -> bool:
    """Whether a pair of windows, each a scene and its first frame, is kept; see ``seen`` of `pairs`."""
    if seen == "any":
        return True
    has = [bool((_events(scene, first, frames)[:, 1] >= 0).any()) for scene, first in windows]
    return any(has) if seen == "either" else all(has)


def _events(scene: Scene, at: int, frames: int) -> F64:
    """Events of a scene inside a clip, their times after the clip's first frame, (E, 3).

    Raises
    ------
    UsageError : nobody knows the events of this scene
    """
    if scene.events is None:
        raise UsageError(f"{scene.id}: its events are not known; only rendered scenes have them")
    found = scene.events - np.array([scene.begin_s + at / PICTURE_HZ, 0, 0])
    return np.asarray(found[(found[:, 0] >= 0) & (found[:, 0] < frames / PICTURE_HZ)], np.float64)


def _truth(
    scenes: Sequence[Scene], which: NDArray[np.int64], starts: NDArray[np.int64], frames: int, changes: Changes | None
) -> tuple[tuple[F64 | None, ...], tuple[F32 | None, ...]]:
    """Events and boxes of clips."""
    events: list[F64 | None] = []
    boxes: list[F32 | None] = []
    for number, at in zip(which.tolist(), starts.tolist(), strict=True):
        scene = scenes[number]
        events.append(None if scene.events is None else _events(scene, at, frames))
        known = None if changes is not None else scene.boxes
        boxes.append(None if known is None else known[:, at : at + frames])
    return tuple(events), tuple(boxes)


def _first_row(scene: Scene, frame: int) -> int:
    """First row of a frame."""
    return scene.zero_row + ROWS_PER_FRAME * frame


def _rows(
    scenes: Sequence[Scene], number: int, span: tuple[int, int], rng: np.random.Generator, changes: Changes | None
) -> F32:
    """Rows of a scene from begin to end, all of them there, changed and finished with the sound around them."""
    begin, end = span
    scene = scenes[number]
    low, high = max(0, begin - AROUND_ROWS), min(len(scene.bands), end + AROUND_ROWS)
    bands: NDArray[np.floating[Any]] = scene.bands[low:high]
    if changes is not None:
        more = scenes[int(rng.integers(len(scenes)))].bands
        at = int(rng.integers(max(1, len(more) - len(bands) + 1)))
        bands = change_sound(bands, more[at : at + len(bands)], rng, changes)
    return KIND.finish(Features(bands, scene.valid[low:high], 0.0), begin - low, end - low)
