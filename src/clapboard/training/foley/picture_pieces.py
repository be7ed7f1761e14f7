"""Pieces of takes for the picture network: pictures with the margin around them, and what is heard in their rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.synthesis.cues import MATERIALS, MEL_BANDS, TEXTURES, rows_in
from clapboard.synthesis.mel import FLOOR, log_mel
from clapboard.timebase import ROWS_PER_FRAME
from clapboard.training.foley.picture_recipe import Looks
from clapboard.training.foley.sets import ACTIVE, Take, chances
from clapboard.values import F32

ONSET_REACH_ROWS = 2.0
"""An onset's target falls from 1 at its place to 0 so many rows away, in a straight line: half at the next row."""
SILENCE = float(np.log(FLOOR))
RING_FRAMES = 12
"""After the picture has been stopped the sound is not known for so long: what was struck before rings on."""
EARLY_FRAMES = 2
"""And before: a blow just before is seen by what comes after it."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What is heard in the rows of one take: ``onset`` (R,), ``energy`` (R,), ``materials`` (R,), ``mel`` (R, 80).

    ``onset`` is float32 0 to 1, ``materials`` are indices, the log-mel is float16. ``told`` : whether onsets and
    materials are known.
    """

    onset: F32
    energy: F32
    materials: NDArray[np.uint8]
    mel: NDArray[np.float16]
    told: bool

    @classmethod
    def of(cls, take: Take) -> "Targets":
        """Targets of a take."""
        mel = log_mel(take.sound())
        return cls(
            onset_target(take.seen_rows(), take.rows),
            energy_of(mel),
            take.materials,
            mel.astype(np.float16),
            take.told,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B pieces of T frames with a margin of m, R = 4 T rows.

    Attributes
    ----------
    images : (B, T + 2 m, 64, 64) float32, 0 to 255
    onset, energy : (B, R) float32
    materials : (B, R) int64
    mel : (B, R, 80) float32
    heard : (B, R) float32, 1 where the sound of the row is known
    told : (B, R) float32, 1 where also onsets and materials are
    view : (B, M) float32, 1 for what is in view: what is struck in the take, and textures that go on; -1 untold
    """

    images: F32
    onset: F32
    energy: F32
    materials: NDArray[np.int64]
    mel: F32
    heard: F32
    told: F32
    view: F32


def onset_target(rows: NDArray[np.float64], count: int) -> F32:
    """A curve (count,) that is 1 at onsets, which lie at positions ``rows`` (E,), and falls within two rows."""
    found = np.zeros(count, np.float32)
    for offset in range(-2, 3):
        at = np.floor(rows + 0.5).astype(np.int64) + offset
        inside = (at >= 0) & (at < count)
        height = np.clip(1 - np.abs(at - rows) / ONSET_REACH_ROWS, 0, 1).astype(np.float32)
        np.maximum.at(found, at[inside], height[inside])
    return found


def energy_of(mel: F32) -> F32:
    """Natural log of the power summed over bands of a log-mel (R, 80): (R,)."""
    top = mel.max(1)
    found: F32 = top + np.log(np.exp(mel - top[:, None]).sum(1))
    return found


class Pieces:
    """Draws pieces of takes; the targets of a take are made when it is first drawn.

    Parameters
    ----------
    takes : at least one
    shares : how often each data set is drawn, by its name; as many as it has takes where it is empty
    frames, margin : T and m of every piece

    Raises
    ------
    UsageError : a share names no data set, or no take is ever drawn
    """

    def __init__(self, takes: Sequence[Take], shares: Mapping[str, float], frames: int, margin: int) -> None:
        self._takes, self._frames, self._margin = takes, frames, margin
        self._targets: dict[int, Targets] = {}
        self._chances = chances(takes, shares)

    def targets(self, number: int) -> Targets:
        """What is heard in the rows of a take."""
        if number not in self._targets:
            self._targets[number] = Targets.of(self._takes[number])
        return self._targets[number]

    def draw(self, rng: np.random.Generator, clips: int, looks: Looks) -> Batch:
        """So many pieces, their pictures changed."""
        chosen = rng.choice(len(self._takes), clips, p=self._chances).tolist()
        pieces = [self._piece(number, rng, looks) for number in chosen]
        return Batch(*(np.stack(arrays) for arrays in zip(*pieces, strict=True)))

    def _piece(self, number: int, rng: np.random.Generator, looks: Looks) -> tuple[NDArray[np.generic], ...]:
        """One piece, in the order of the fields of `Batch`."""
        take, known = self._takes[number], self.targets(number)
        frames, margin = self._frames, self._margin
        begin = int(rng.integers(max(len(take.images) - frames, 0) + 1))
        at = np.arange(begin - margin, begin + frames + margin)
        shown, heard, silent = stopped(at, margin, rng, looks.still)
        shown = np.clip(shown, 0, len(take.images) - 1)  # the first and the last picture are repeated
        low, high = int(shown.min()), int(shown.max()) + 1
        images = changed(np.asarray(take.images[low:high]), rng, looks)[shown - low]
        if looks.grain:
            # As wide as normal noise of that spread, and drawn four times as fast.
            wide = np.float32(rng.uniform(0, looks.grain) * np.sqrt(12))
            images = images + wide * (rng.random(images.shape, np.float32) - np.float32(0.5))
        rows = np.arange(rows_in(begin), rows_in(begin + frames))
        there = (rows < take.rows).astype(np.float32) * np.repeat(heard, ROWS_PER_FRAME)
        rows = np.minimum(rows, take.rows - 1)
        quiet = np.repeat(silent, ROWS_PER_FRAME)
        return (
            images.astype(np.float32),
            np.where(quiet, 0, known.onset[rows]).astype(np.float32),
            np.where(quiet, SILENCE + np.log(MEL_BANDS), known.energy[rows]).astype(np.float32),
            np.where(quiet, MATERIALS.index("none"), known.materials[rows]).astype(np.int64),
            np.where(quiet[:, None], np.float32(SILENCE), known.mel[rows].astype(np.float32)),
            there,
            there if known.told else there * quiet,
            in_view(take),
        )

    def rarity(self, none_row: float) -> F32:
        """Weights of materials, (M,): the root of how seldom a row is made of each; ``none_row`` that of none."""
        there = np.ones(len(MATERIALS))
        for take in self._takes:
            if take.told:
                there += np.bincount(take.materials, minlength=len(MATERIALS))
        weights = np.where(there > 1, np.sqrt(there[1:].max() / there), 0.0)
        weights[0] = none_row
        return weights.astype(np.float32)


def in_view(take: Take) -> F32:
    """What is struck somewhere in a take or goes on in it, (M,) float32, 1 or 0; all -1 where it is not told."""
    if not take.told:
        return np.full(len(MATERIALS), -1, np.float32)
    found = np.zeros(len(MATERIALS), np.float32)
    found[take.event_materials[take.on_screen]] = 1
    found[[MATERIALS.index(name) for name in TEXTURES]] = take.activity.max(0, initial=0) >= ACTIVE
    return found


def stopped(
    at: NDArray[np.int64], margin: int, rng: np.random.Generator, chance: float
) -> tuple[NDArray[np.int64], F32, NDArray[np.bool_]]:
    """Frames of a piece where the picture stops, or begins to move, at one of them by chance.

    Parameters
    ----------
    at : (T + 2 m,) numbers of the frames

    Returns
    -------
    frames to be shown (T + 2 m,); (T,) float32, 0 where what is heard is not known; (T,) bool, where it is silent
    """
    frames = len(at) - 2 * margin
    heard, silent = np.ones(frames, np.float32), np.zeros(frames, np.bool_)
    if rng.random() >= chance:
        return at, heard, silent
    stop = int(rng.integers(-RING_FRAMES, frames))
    numbers = np.arange(frames)
    if rng.random() < 0.5:
        shown = np.minimum(at, at[margin + stop] if margin + stop >= 0 else at[0])
        silent = numbers >= stop + RING_FRAMES
        heard[(numbers > stop - EARLY_FRAMES) & ~silent] = 0
    else:
        begin = frames - 1 - stop  # of the time turned round, so that all of it may be still too
        shown = np.maximum(at, at[min(margin + begin, len(at) - 1)])
        silent = numbers < begin - EARLY_FRAMES
        heard[(numbers <= begin + EARLY_FRAMES) & ~silent] = 0
    return shown, heard, silent


def changed(images: NDArray[np.uint8], rng: np.random.Generator, looks: Looks) -> F32:
    """Pictures (T, 64, 64) of one piece, all changed in the same way."""
    # The tone of a level is the same in all pixels: 256 of them are looked up, which is much faster than a power each.
    tones = np.arange(256) / 255
    if looks.gamma:
        tones **= np.exp(rng.uniform(-looks.gamma, looks.gamma))
    middle = float(np.bincount(images.ravel(), minlength=256) @ tones) / images.size
    gain, level = np.exp(rng.uniform(-looks.gain, looks.gain)), rng.uniform(-looks.level, looks.level)
    tones = np.clip(255 * ((tones - middle) * gain + middle) + level, 0, 255)
    if rng.random() < looks.mirror:
        images = images[:, :, ::-1]
    if looks.shift:
        down, right = rng.integers(-looks.shift, looks.shift + 1, 2).tolist()
        wide = looks.shift
        padded = np.pad(images, ((0, 0), (wide, wide), (wide, wide)), mode="edge")
        high, broad = images.shape[1:]
        images = padded[:, wide + down : wide + down + high, wide + right : wide + right + broad]
    return np.asarray(tones.astype(np.float32)[images])
