"""The classes of rendered events: which sizes, speeds and textures are learned from, and which only judged on.

`RANGES` is the one table: the ranges of ``train`` have holes, and ``test`` draws from the holes and from beyond the
ends, so that a figure on ``test`` is on sizes, speeds, sounds and backgrounds that nobody learned from.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Part = Literal["train", "test"]
Kind = Literal["bounce", "stick", "clap", "metronome", "firework"]

KINDS: tuple[Kind, ...] = ("bounce", "stick", "clap", "metronome", "firework")
PARTS: tuple[Part, ...] = ("train", "test")


@dataclass(frozen=True, slots=True)
class Range:
    """Where a class parameter is drawn from: half-open ranges (low, high) that share nothing."""

    train: tuple[tuple[float, float], ...]
    test: tuple[tuple[float, float], ...]

    def draw(self, rng: np.random.Generator, part: Part) -> float:
        """Draw one value, evenly over all that the part has."""
        spans = self.train if part == "train" else self.test
        place = rng.random() * sum(high - low for low, high in spans)
        for low, high in spans:
            if place < high - low:
                return low + place
            place -= high - low
        return spans[-1][0]


RANGES = {
    # size of what sounds, times the usual size of its kind; pitch goes with its inverse
    "size": Range(((0.70, 0.90), (1.10, 1.35)), ((0.93, 1.07), (1.38, 1.55))),
    # how fast things fall and swing, times the usual
    "speed": Range(((0.75, 0.93), (1.08, 1.30)), ((0.95, 1.06), (1.33, 1.50))),
    # frequency of a material's first mode, times that of the table of materials
    "pitch": Range(((0.75, 0.92), (1.08, 1.30)), ((0.94, 1.06), (1.33, 1.50))),
    # how far the upper modes are spread, as the exponent of their ratios to the first
    "spread": Range(((0.88, 0.96), (1.03, 1.12)), ((0.97, 1.02), (1.13, 1.20))),
    # how long it rings, times the table
    "decay": Range(((0.65, 0.90), (1.10, 1.40)), ((0.92, 1.08), (1.43, 1.70))),
    # width of arms, sticks and hands against their length, times the usual
    "build": Range(((0.75, 0.93), (1.07, 1.30)), ((0.95, 1.05), (1.32, 1.45))),
    # finest wave of the background, parts of the picture's width
    "grain": Range(((0.05, 0.11), (0.16, 0.30)), ((0.12, 0.15), (0.31, 0.40))),
}
"""Class parameters by name."""

BACKGROUNDS = {"train": ("plain", "slope", "clouds", "stripes"), "test": ("tiles", "rings")}
"""Families of backgrounds."""
MATERIALS = ("wood", "metal", "skin", "glass", "earth")
"""What struck things are made of; see `clapboard.synthesis.modal` for the sound, ``pictures`` for the look."""
MATERIALS_OF: dict[Kind, tuple[str, ...]] = {
    "bounce": MATERIALS,
    "stick": MATERIALS,
    "clap": ("skin",),
    "metronome": ("wood", "metal"),
    "firework": ("powder",),
}
"""What each kind can be made of."""


@dataclass(frozen=True, slots=True)
class Looks:
    """One source's class parameters, drawn once a clip; all but the names are factors around 1, see `RANGES`."""

    kind: Kind
    material: str
    size: float
    speed: float
    pitch: float
    spread: float
    decay: float
    build: float

    @classmethod
    def draw(cls, rng: np.random.Generator, kind: Kind, part: Part) -> "Looks":
        """Draw a source of a kind."""
        names = ("size", "speed", "pitch", "spread", "decay", "build")
        drawn = {name: RANGES[name].draw(rng, part) for name in names}
        return cls(kind, str(rng.choice(MATERIALS_OF[kind])), **drawn)
