"""TomlRecipe of the picture network: everything that decides what a run learns, in one TOML file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from clapboard.training.recipe import Optimiser
from clapboard.training.tables import TomlRecipe, refuse

TASK = "foley-picture"


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a step sees: ``clips`` pieces of ``frames`` pictures each.

    ``sets`` says how often a piece is of each data set, by its folder's name; where it is empty, as it has clips.
    """

    clips: int = 12
    frames: int = 64
    sets: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Looks:
    """How much pictures are changed; one draw serves a whole piece, and nothing moves in time. 0 switches each off.

    ``mirror`` (chance), ``gain`` (of contrast, natural-log units), ``level`` (added to all, of 255), ``gamma`` (of the
    tone curve, natural-log units), ``shift`` (px), ``grain`` (noise anew in every frame, levels of 255), ``still``
    (chance that the picture stops somewhere, or begins to move only there: its sound then stops or begins there too).
    """

    mirror: float = 0.5
    gain: float = 0.25
    level: float = 20.0
    gamma: float = 0.15
    shift: int = 4
    grain: float = 4.0
    still: float = 0.15


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part of the loss counts.

    ``onset_row`` is what a row with an onset weighs against one without; ``none_row`` what a row in which nothing is
    heard weighs for the materials, the others by the root of how seldom their material is; ``view`` is what each frame
    tells of what is in view.
    """

    onset: float = 1.0
    onset_row: float = 8.0
    energy: float = 0.3
    materials: float = 0.5
    none_row: float = 0.3
    view: float = 0.5
    mel: float = 1.0


@dataclass(frozen=True, slots=True)
class PictureRecipe(TomlRecipe):
    """One training run; the fields are the keys of the TOML file, the nested ones its tables.

    The last ``held_out_share`` of the recordings of each data set are not learned from: on them the threshold of
    onsets is chosen.
    """

    steps: int
    task: Literal["foley-picture"] = "foley-picture"
    seed: int = 0
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    held_out_share: float = 0.1
    network_options: Mapping[str, Any] = field(default_factory=dict)
    optimiser: Optimiser = field(default_factory=Optimiser)
    batch: Pieces = field(default_factory=Pieces)
    looks: Looks = field(default_factory=Looks)
    weights: Weights = field(default_factory=Weights)

    def check(self) -> None:
        """See `clapboard.training.tables.TomlRecipe`."""
        rule, looks = self.optimiser, self.looks
        rated = self.weights
        weights = (rated.onset, rated.energy, rated.materials, rated.view, rated.mel)
        extents = (looks.gain, looks.level, looks.gamma, looks.shift, looks.grain)
        wrong = [
            (self.steps < 1, f"steps must be at least 1, not {self.steps}"),
            (self.seed < 0, f"seed must be from 0 on, not {self.seed}"),
            (not 0 <= self.held_out_share < 1, "held_out_share is a part, 0 to below 1"),
            (self.batch.clips < 1, "batch.clips must be at least 1"),
            (self.batch.frames < 1, "batch.frames must be at least 1"),
            (min(self.batch.sets.values(), default=0) < 0, "a share in batch.sets is 0 or more"),
            (rule.name != "adamw", f"optimiser.name must be adamw, not {rule.name}"),
            (not rule.learning_rate > 0, "optimiser.learning_rate must be above 0"),
            (not 0 <= rule.average < 1, "optimiser.average must be from 0 to below 1"),
            (not 0 <= rule.warm_up < 1, "optimiser.warm_up is a part of the run, 0 to below 1"),
            (min(*weights, rated.onset_row, rated.none_row) < 0 or sum(weights) == 0, "weights are 0 or more"),
            (min(extents) < 0, "looks are 0 or more"),
            (not (0 <= looks.mirror <= 1 and 0 <= looks.still <= 1), "looks.mirror and still are chances, 0 to 1"),
        ]  # fmt: skip
        refuse(wrong)
