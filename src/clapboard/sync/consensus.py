"""One offset for a file from all its faces: those whose lips match the sound decide, listeners enter no average."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clapboard.sync.distance import Curves, join
from clapboard.sync.search import offset_of
from clapboard.sync.trust import DISAGREE_MS, MIN_WINDOWS, clearness, judge
from clapboard.timebase import FRAME_MS, PICTURE_HZ
from clapboard.values import F64, Offset

AGREE_MS = 1.5 * FRAME_MS
"""A face within this of the common offset speaks for it."""
LISTENER_DEPTH = 0.35
"""A face whose minimum is less deep than this part of the deciding face's is taken for a listener."""
ROUNDS = 3
"""The common offset moves a little when faces join; it settles within a few rounds."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One track's curves, and whether its picture moves at all."""

    number: int
    curves: Curves
    moves: bool


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Offset of the file, that of each face, and the numbers of the faces that decided."""

    offset: Offset
    faces: dict[int, Offset]
    deciders: frozenset[int]


def _seen(faces: Sequence[Face]) -> tuple[F64, F64]:
    """Start of each block of time that any face is seen in, (B,) s, and windows seen there by each, (faces, B)."""
    starts = np.unique(np.round(np.concatenate([f.curves.time_s for f in faces]), 3))
    seen = np.zeros((len(faces), len(starts)))
    for row, face in enumerate(faces):
        np.add.at(seen[row], np.searchsorted(starts, np.round(face.curves.time_s, 3)), face.curves.seen)
    return starts, seen


def most_at_once(faces: Sequence[Face]) -> int:
    """The largest number of faces in view at one time, judged by the windows of each second: 25 are one face."""
    if not faces:
        return 0
    return max(1, round(float(_seen(faces)[1].sum(0).max()) / PICTURE_HZ))


def together(one: Face, other: Face) -> bool:
    """Whether two faces share the screen for more than a fifth of the time of the shorter one."""
    seen = _seen([one, other])[1]
    # Where a second has more windows than one face can give, both were in view for that many.
    shared = np.maximum(seen.sum(0) - PICTURE_HZ, 0).sum()
    return bool(shared > 0.2 * seen.sum(1).min())


def decide(faces: Sequence[Face], bias: float, weights: Mapping[str, float] | None) -> Decision:
    """Find the offset that the speaking faces share.

    The search starts from the face with the clearest answer, or from all of them together where no face alone has
    seen enough; faces that say the same join, and the mean of the joined curves is measured. With several faces to
    pick from, a chance match is that much likelier, which the probability pays for.

    Parameters
    ----------
    faces : at least one
    bias, weights : calibration of the model, see `clapboard.sync.trust`; weights None where it has none
    """
    bias -= float(np.log(max(most_at_once(faces), 1)))
    own = {f.number: judge(f.curves, offset_of(f.curves), bias, weights, moves=f.moves) for f in faces}
    everyone = join([f.curves for f in faces])
    at_large = judge(everyone, offset_of(everyone), bias, weights, moves=any(f.moves for f in faces))
    moving = [f for f in faces if f.moves] or list(faces)
    best = max(moving, key=lambda f: clearness(own[f.number]))
    common = max(own[best.number], at_large, key=clearness)
    chosen: list[Face] = []
    for _ in range(ROUNDS):
        joined = _one_at_a_time([f for f in moving if _speaks_for(own[f.number], common)], own) or [best]
        if joined == chosen:
            break
        chosen = joined
        pooled = join([f.curves for f in chosen])
        common = judge(pooled, offset_of(pooled), bias, weights, moves=any(f.moves for f in chosen))
    reasons = common.reasons
    if not reasons and (odd := _contradiction([own[f.number] for f in faces if f not in chosen], common)):
        reasons = (odd,)
    return Decision(replace(common, reasons=reasons), own, frozenset(f.number for f in chosen))


def _speaks_for(own: Offset, common: Offset) -> bool:
    """Whether a face's own minimum lies where the common one does and is deep enough for a speaker's."""
    near = abs(own.offset_ms - common.offset_ms) <= AGREE_MS
    return bool(near and own.windows >= MIN_WINDOWS // 3 and own.confidence >= LISTENER_DEPTH * common.confidence)


def _one_at_a_time(faces: Sequence[Face], own: Mapping[int, Offset]) -> list[Face]:
    """Of faces seen together only the one with the deepest minimum: one voice has one mouth."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: -own[f.number].confidence * own[f.number].windows):
        if not any(together(face, other) for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda f: f.number)


def _contradiction(others: Sequence[Offset], common: Offset) -> str:
    """In words, that a face left out is as sure of another offset; empty where none is."""
    odd = [
        o for o in others if o.trusted and o.p_within_frame >= 0.9 and abs(o.offset_ms - common.offset_ms) > DISAGREE_MS
    ]
    if not odd:
        return ""
    return (
        f"faces disagree: another one is at {odd[0].offset_ms:+.0f} ms, the deciding one at {common.offset_ms:+.0f} ms"
    )
