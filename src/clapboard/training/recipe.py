"""TomlRecipe: everything that decides what a run learns, in one TOML file.

A recipe is read, checked and written back in full, so that the file in a run's folder tells every value, also those
that the author left to the defaults.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from clapboard.dataset.align import MARGIN_ROWS
from clapboard.timebase import ROWS_PER_FRAME
from clapboard.training.tables import TomlRecipe, refuse

LEAST_CHUNK = 6
"""Frames that two windows of five need."""
MOST_EXTRA = MARGIN_ROWS // ROWS_PER_FRAME
"""Positions of sound that are kept before a clip and after it."""


@dataclass(frozen=True, slots=True)
class Optimiser:
    """How weights move. ``learning_rate`` rises over the first ``warm_up`` of the steps, then falls as half a cosine.

    ``average`` keeps a running mean of the weights (exponential, this much of the old one a step), which is what is
    exported; 0 exports the last weights. ``clip_norm`` 0 clips nothing.
    """

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 2e-3
    momentum: float = 0.9
    weight_decay: float = 1e-2
    warm_up: float = 0.05
    clip_norm: float = 2.0
    average: float = 0.995


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step sees: about ``frames`` frames in chunks of ``chunk`` (``chunk_frames`` by corpus) of one corpus.

    ``extra`` positions of sound before and after the chunk are candidates too. ``weights`` says how often a batch is of
    each corpus; without it corpora weigh as the square root of their length.
    """

    frames: int = 384
    chunk: int = 48
    extra: int = 10
    chunk_frames: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much training clips are changed; every number is the extreme or the chance of one change, 0 switches it off.

    One draw serves a whole clip, so that no motion is invented, and nothing moves in time. Of the picture: ``scale``
    (natural-log units), ``angle_deg``, ``shift`` (of the side), ``mirror`` (chance), ``tone`` (of the gamma curve),
    ``shading`` (edge to edge), ``blur`` (chance), ``grain`` (levels of 255), ``repeats`` (chance of a repeated frame).
    Of the sound, all in log power, nepers: ``volume``, ``tract`` (warp of the frequency axis), ``tone_sound``,
    ``noise`` (chance), ``babble`` (chance of other voices), ``reverb`` (chance; the direct sound stays where it is),
    ``codec`` (chance of a lost upper band and of bands that fall under what a codec keeps).
    """

    scale: float = 0.12
    angle_deg: float = 10.0
    shift: float = 0.10
    mirror: float = 0.5
    tone: float = 0.4
    shading: float = 0.3
    blur: float = 0.4
    grain: float = 4.0
    repeats: float = 0.1
    volume: float = 0.2
    tract: float = 0.08
    tone_sound: float = 0.25
    noise: float = 0.5
    babble: float = 0.25
    reverb: float = 0.0
    codec: float = 0.0
    PRESETS: ClassVar[Mapping[str, "Augmentation"]] = MappingProxyType({})


PAPER = Augmentation(
    scale=0.1, angle_deg=0, shift=0.1, tone=0.1, shading=0, blur=0, grain=0, repeats=0,
    volume=0.19, tract=0, tone_sound=0, noise=0, babble=0,
)  # fmt: skip
"""Chung and Zisserman 2016, section 3.1: volume by +-10 % (0.19 nepers of power), crop, mirror, colour; no more."""
NO_CHANGE = Augmentation(**dict.fromkeys((f.name for f in dataclasses.fields(Augmentation)), 0.0))
"""Clips as they are, for judging."""
Augmentation.PRESETS = {"full": Augmentation(), "paper": PAPER, "none": NO_CHANGE}


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Who is not learned from: speakers and clips by name, and a ``share`` of the other speakers.

    Every ``every`` steps they are measured; after ``patience`` checks without a better one the run stops and the best
    weights are kept (0: it runs to its end and keeps the last).
    """

    speakers: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    share: float = 0.0
    every: int = 500
    patience: int = 0


@dataclass(frozen=True, slots=True)
class Recipe(TomlRecipe):
    """One training run; the fields are the keys of the TOML file, the nested ones its tables.

    ``network`` and ``loss`` name entries of `clapboard.training.nets.NETWORKS` and
    `clapboard.training.losses.LOSSES`, their ``_options`` go to them as keywords. ``curriculum`` leaves close positions
    out of the candidates at first: pairs of (part of the run, positions on each side). ``corpus_offsets_ms`` says where
    the sound of a corpus lies, positive = early; clips with an offset of their own go by that.
    """

    steps: int
    network: str = "clapboard-s"
    loss: str = "within-clip"
    seed: int = 0
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    curriculum: tuple[tuple[float, int], ...] = ((0.2, 3), (0.45, 1))
    network_options: Mapping[str, Any] = field(default_factory=dict)
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    corpus_offsets_ms: Mapping[str, float] = field(default_factory=dict)
    optimiser: Optimiser = field(default_factory=Optimiser)
    batch: Batch = field(default_factory=Batch)
    augmentation: Augmentation = field(default_factory=Augmentation)
    held_out: HeldOut = field(default_factory=HeldOut)

    def check(self) -> None:
        """See `clapboard.training.tables.TomlRecipe`."""
        wrong = [
            (self.steps < 1, f"steps must be at least 1, not {self.steps}"),
            (self.seed < 0, f"seed must be from 0 on, not {self.seed}"),
            (self.batch.frames < 1, "batch.frames must be at least 1"),
            (
                min(self.batch.chunk, *self.batch.chunk_frames.values(), self.batch.chunk) < LEAST_CHUNK,
                f"batch.chunk and chunk_frames ({LEAST_CHUNK} or more) are too small",
            ),
            (not 0 <= self.batch.extra <= MOST_EXTRA, f"batch.extra must be from 0 to {MOST_EXTRA}"),
            (not 0 <= self.held_out.share < 1, "held_out.share is a part, 0 to below 1"),
            (self.held_out.every < 1, "held_out.every must be at least 1"),
            (not 0 <= self.optimiser.average < 1, "optimiser.average must be from 0 to below 1"),
            (not 0 <= self.optimiser.warm_up < 1, "optimiser.warm_up is a part of the run, 0 to below 1"),
            (any(w < 0 for w in self.batch.weights.values()), "batch.weights cannot be negative"),
        ]
        refuse(wrong)
