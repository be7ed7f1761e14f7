"""How sure an any-sound model may be: pieces of held-out recordings, their sound moved by known amounts, or foreign.

Each piece is measured as a file of that length would be: its sound is cut, moved, and cut again at both ends, and there
is nothing beyond. Two logistic regressions over `clapboard.sync.any_trust.terms` are fitted: that the offset is right
within a frame, and that the sound is the piece's own at all. A sound that repeats itself exactly has no one offset, so
such recordings are left out of the second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.evaluation.calibrate import logistic, share, weights
from clapboard.models.any_session import AnySoundModel
from clapboard.models.any_spec import AnySoundCalibration, Weighing
from clapboard.sync.any_trust import MIN_SECONDS, TERMS, judge, terms
from clapboard.sync.attention import Blocks, correlate, offset_of
from clapboard.timebase import FEATURE_HZ, FRAME_MS, PICTURE_HZ, ROWS_PER_FRAME
from clapboard.training.anysound.scenes import KIND, ROWS_BEFORE_S, Scene
from clapboard.values import F64, Crops, Embeddings, Features, Hook, Offset, Seen

LENGTHS_S = (2.6, 3.0, 4.0, 6.0, 8.0)
"""Lengths of pieces, s; the shortest leaves 2 s of windows, below which nothing is judged."""
MOST_SHIFT_S = 1.6
"""Sound is moved by up to so much both ways, and no more than leaves half of a piece."""
REACH_S = 2.0
FOREIGN = 2
"""Each piece is measured with so many foreign sounds."""
LEAST_PIECES = 60
"""Fewer pieces than this, own and foreign each, calibrate nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One measurement: what was found, and what is true of it.

    ``offset_ms`` is the true offset, NaN for a foreign sound; ``data`` names the data set.
    """

    blocks: Blocks
    found: Offset
    offset_ms: float
    seconds: float
    periodic: bool
    data: str = ""

    @property
    def own(self) -> bool:
        """Whether the sound is the piece's own."""
        return bool(np.isfinite(self.offset_ms))

    def right(self, within_ms: float = FRAME_MS) -> bool:
        """Whether the offset is found."""
        return self.own and abs(self.found.offset_ms - self.offset_ms) <= within_ms


def look(model: AnySoundModel, scene: Scene, first: int, frames: int) -> Seen:
    """What the picture network makes of frames ``first`` up to ``first + frames`` of a scene, times from 0 on."""
    time_s = np.arange(frames) / PICTURE_HZ
    return model.look(Crops(0, np.ascontiguousarray(scene.images[first : first + frames]), time_s))


def listen(model: AnySoundModel, scene: Scene, first: int, frames: int, shift_rows: int) -> Embeddings:
    """Sound of a scene as it comes where a file begins at frame ``first`` and its sound is so many rows early.

    It is the sound from ``shift_rows`` after that frame, as long as the picture and as far as there is any; what lies
    beyond does not enter its normalisation either.
    """
    zero = scene.zero_row + ROWS_PER_FRAME * first + shift_rows
    low, high = max(zero, 0), min(zero + ROWS_PER_FRAME * frames, len(scene.bands))
    if high - low < model.spec.window_rows:
        return Embeddings(np.zeros((0, model.spec.embedding), np.float32), np.zeros(0))
    begin_s = -ROWS_BEFORE_S + (low - zero) / FEATURE_HZ
    cut = Features(scene.bands[low:high], scene.valid[low:high], begin_s)
    return model.embed_sound(KIND.finish(cut), cut.valid, begin_s)


def measure(
    model: AnySoundModel,
    scenes: Sequence[Scene],
    *,
    lengths_s: Sequence[float] = LENGTHS_S,
    foreign: int = FOREIGN,
    seed: int = 0,
    data: str = "",
    hook: Hook | None = None,
) -> list[Piece]:
    """Pieces of scenes with their own sound, moved by known amounts, and with foreign ones, moved alike.

    Each scene gives one piece of every length that it has, at a place drawn by ``seed``. Amounts are whole rows of
    10 ms, not frames: files do not keep to the 40 ms between two lags.
    """
    rng, found = np.random.default_rng(seed), list[Piece]()
    for number, scene in enumerate(scenes):
        for seconds in lengths_s:
            frames = round(seconds * PICTURE_HZ)
            first = _place(rng, scene, frames)
            if first is None:
                continue
            seen, periodic = look(model, scene, first, frames), scene.period_s is not None
            shift = _shift(rng, seconds)
            own = correlate(seen, listen(model, scene, first, frames, shift), REACH_S)
            found.append(Piece(own, offset_of(own), 1000 * shift / FEATURE_HZ, seconds, periodic, data))
            for _ in range(foreign):
                other = scenes[int(rng.integers(len(scenes)))]
                at = _place(rng, other, frames)
                if other.group != scene.group and at is not None:
                    blocks = correlate(seen, listen(model, other, at, frames, _shift(rng, seconds)), REACH_S)
                    found.append(Piece(blocks, offset_of(blocks), float("nan"), seconds, periodic, data))
        if hook:
            hook("measuring", number + 1, len(scenes))
    return found


def _place(rng: np.random.Generator, scene: Scene, frames: int) -> int | None:
    """First frame of a piece, drawn; None where the scene has not so many frames with sound."""
    begin, end = scene.sounding()
    return begin + int(rng.integers(end - begin - frames + 1)) if end - begin >= frames else None


def _shift(rng: np.random.Generator, seconds: float) -> int:
    """By how many rows the sound of a piece is early."""
    most = round(min(MOST_SHIFT_S, seconds / 2) * FEATURE_HZ)
    return int(rng.integers(-most, most + 1))


def calibrate(pieces: Sequence[Piece]) -> AnySoundCalibration:
    """The calibration of one model from what it found in recordings that it did not learn from.

    Raises
    ------
    UsageError : there are too few pieces, or all are right, or all wrong
    """
    usable = [p for p in pieces if p.blocks.seconds() >= MIN_SECONDS and np.isfinite(p.found.offset_ms)]
    count = sum(p.own for p in usable)
    if min(count, len(usable) - count) < LEAST_PIECES:
        raise UsageError(
            f"not calibrated: {count} pieces of held-out recordings and {len(usable) - count} with a foreign sound; "
            f"{LEAST_PIECES} of each are needed; hold out more recordings"
        )
    right = _fit(usable, np.array([p.right() for p in usable]))
    plain = [p for p in usable if not p.periodic]
    return AnySoundCalibration(right.bias, right.weights, _fit(plain, np.array([p.own for p in plain])))


def _fit(pieces: Sequence[Piece], true: NDArray[np.bool_]) -> Weighing:
    """Logistic regression over the terms; every data set and length weighs the same, of them a foreign sound for every
    three own ones.
    """
    if not true.any() or true.all():
        raise UsageError("a probability cannot be calibrated where all answers are right, or all wrong")
    table = design(pieces)
    _, number = np.unique([p.data for p in pieces], return_inverse=True)
    # A length of one data set is a length of its own to `weights`, which gives each the same.
    lengths = np.array([p.seconds for p in pieces]) + 1000.0 * number
    weight = weights(np.array([p.own for p in pieces]), lengths)
    beta = logistic(np.hstack([table, np.ones((len(table), 1))]), true.astype(np.float64), weight)
    return Weighing(float(beta[-1]), dict(zip(TERMS, map(float, beta[:-1]), strict=True)))


def design(pieces: Sequence[Piece]) -> F64:
    """Terms of pieces, (N, F) in the order of `TERMS`."""
    return np.array([[terms(p.blocks, p.found)[name] for name in TERMS] for p in pieces], np.float64)


def answered(found: AnySoundCalibration, piece: Piece) -> bool:
    """Whether ``clapboard check --any-sound`` would answer for such a file."""
    return judge(piece.blocks, found.bias, found.weights, synchronisable=found.told).offset.trusted


def describe(found: AnySoundCalibration, pieces: Sequence[Piece], say: Callable[[str], None]) -> None:
    """Say how often answers of each length are given and right, on what the calibration was fitted to."""
    sure = np.array([answered(found, piece) for piece in pieces])
    right = np.array([piece.right() for piece in pieces])
    for data, seconds in sorted({(piece.data, piece.seconds) for piece in pieces}):
        here = np.array([(piece.data, piece.seconds) == (data, seconds) for piece in pieces])
        own = here & np.array([piece.own for piece in pieces])
        other = here & ~own
        said = {
            "own pieces": f"{own.sum()}",
            "found within 40 ms": share(right, own),
            "answered": share(sure, own),
            "right of these": share(right, own & sure),
            "foreign sounds answered": share(sure, other),
        }
        say(f"{data}, {seconds:g} s: " + ", ".join(f"{name} {value}" for name, value in said.items()))
