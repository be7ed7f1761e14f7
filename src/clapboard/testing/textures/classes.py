"""The classes of rendered textures: which sizes, speeds and tones are learned from, and which only judged on.

As for events, the ranges of ``train`` have holes, and ``test`` draws from the holes and from beyond the ends.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from clapboard.testing.events.classes import RANGES, Part, Range

TextureKind = Literal["water", "engine", "rotor", "saw"]
TEXTURES: tuple[TextureKind, ...] = ("water", "engine", "rotor", "saw")

TEXTURE_RANGES = {
    # size of what sounds, times the usual size of its kind
    "size": RANGES["size"],
    # how fast it flows, turns or goes to and fro at full speed, times the usual
    "pace": RANGES["speed"],
    # what is heard at a speed that is seen, times the usual
    "pitch": Range(((0.86, 0.95), (1.05, 1.14)), ((0.96, 1.04), (1.16, 1.24))),
    # how fast its sound falls with frequency, times the usual slope
    "slope": Range(((0.80, 0.94), (1.06, 1.20)), ((0.95, 1.05), (1.22, 1.32))),
    # share of noise in a sound that has a pitch, times the usual
    "rough": Range(((0.65, 0.90), (1.10, 1.40)), ((0.92, 1.08), (1.43, 1.70))),
    # width of spokes, blades and streaks, times the usual
    "build": RANGES["build"],
}
"""Class parameters by name."""


@dataclass(frozen=True, slots=True)
class TextureLooks:
    """One texture's class parameters, drawn once a clip; factors around 1, see `TEXTURE_RANGES`.

    ``parts`` is how many spokes or blades it has.
    """

    kind: TextureKind
    parts: int
    size: float
    pace: float
    pitch: float
    slope: float
    rough: float
    build: float

    @classmethod
    def draw(cls, rng: np.random.Generator, kind: TextureKind, part: Part) -> "TextureLooks":
        """Draw a texture of a kind."""
        drawn = {name: span.draw(rng, part) for name, span in TEXTURE_RANGES.items()}
        return cls(kind, int(rng.integers(2, 5)), **drawn)
