"""What scores whether a picture and a sound belong together: the baselines without learning, and networks.

A scorer takes images (T, 64, 64) uint8 and their rows (4 T, 40) float32, finished, and gives a number, higher where
they are more in sync. Some also give an offset, from pictures and all the sound around them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.models.any_session import AnySoundModel
from clapboard.sync.attention import correlate, offset_of
from clapboard.sync.motion import BASELINES
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, ROWS_PER_FRAME
from clapboard.values import F32, Crops, Embeddings, Offset, Seen

Score = Callable[[NDArray[np.uint8], F32], float]
FindOffset = Callable[[NDArray[np.uint8], F32, int], Offset]
"""Of images (T, 64, 64), rows (R, 40) of sound without gaps, and the first row of frame 0, which may lie outside."""
SLACK_FRAMES = BASELINES["motion energy, chosen"].slack_frames
REACH_MS = 2000.0
"""Offsets are searched so far both ways."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """One way to compare picture and sound; ``offset`` is None where it only gives scores."""

    name: str
    score: Score
    offset: FindOffset | None = None


def baselines() -> list[Scorer]:
    """Motion energy against sound, in the ways of `clapboard.sync.motion`."""
    return [
        Scorer(name, way, lambda images, rows, start, way=way: way.offset(images, rows, start, REACH_MS))
        for name, way in BASELINES.items()
    ]


def heads(folder: Path) -> list[Scorer]:
    """All finished runs of attention-avs below a folder."""
    from clapboard.training.anysound.avs import load_scorers

    return [Scorer(name, score) for name, score in load_scorers(folder).items()]


class OfModel:
    """A model for any sound: a score is the curve at lag 0, an offset where the curve is greatest."""

    def __init__(self, path: str | Path) -> None:
        self.model = AnySoundModel(path)

    def streams(self, images: NDArray[np.uint8], rows: F32, start_row: int) -> tuple[Seen, Embeddings]:
        """Both streams on one clock, whose 0 is frame 0."""
        time_s = np.arange(len(images)) / PICTURE_HZ
        first_s = -(start_row + (ROWS_PER_FRAME - 1) / 2) / FEATURE_HZ
        seen = self.model.look(Crops(0, np.ascontiguousarray(images), time_s))
        return seen, self.model.embed_sound(np.ascontiguousarray(rows), np.ones(len(rows), np.bool_), first_s)

    def score(self, images: NDArray[np.uint8], rows: F32) -> float:
        """The correlation at lag 0."""
        return float(self.near(images, rows, (0, 0)))

    def loose(self, images: NDArray[np.uint8], rows: F32) -> float:
        """The greatest correlation near lag 0, as far as that of the baseline that was chosen looks."""
        return float(self.near(images, rows, SLACK_FRAMES))

    def near(self, images: NDArray[np.uint8], rows: F32, frames: tuple[int, int]) -> float:
        """The greatest correlation at lags of so many frames, positive where the sound is late."""
        reach = max(1, *map(abs, frames))
        curve = correlate(*self.streams(images, rows, 0), reach / PICTURE_HZ).curve()
        there = curve[reach + frames[0] : reach + frames[1] + 1]
        # A network that looks at nothing, as of a picture that stands still, says nothing: the same of every sound.
        return float(np.max(there[np.isfinite(there)], initial=-1.0))

    def offset(self, images: NDArray[np.uint8], rows: F32, start_row: int) -> Offset:
        """The offset, as in a check, but for calibration and zero."""
        return offset_of(correlate(*self.streams(images, rows, start_row), REACH_MS / 1000))


def model_scorers(path: str | Path) -> list[Scorer]:
    """Both scorers of a model, by the name of a bundled one or the path of its ``.json``."""
    found = OfModel(path)
    name = found.model.spec.name
    return [Scorer(name, found.score, found.offset), Scorer(f"{name}, slack", found.loose)]


def unique(scorers: list[Scorer]) -> Mapping[str, Scorer]:
    """Scorers by name; of two with one name the later is numbered."""
    named: dict[str, Scorer] = {}
    for scorer in scorers:
        name, number = scorer.name, 2
        while name in named:
            name, number = f"{scorer.name} ({number})", number + 1
        named[name] = scorer
    return named
