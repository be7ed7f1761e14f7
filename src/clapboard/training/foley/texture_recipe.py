"""TomlRecipe of the flow of textures: everything that decides what a run learns, in one TOML file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from clapboard.synthesis.texture import ROWS_AT_ONCE
from clapboard.training.recipe import Optimiser
from clapboard.training.tables import TomlRecipe, refuse

TASK = "foley-texture"


@dataclass(frozen=True, slots=True)
class Windows:
    """What a step sees: ``pieces`` of ``rows`` rows each.

    ``sets`` says how often a piece is of each data set, by its folder's name; where it is empty, as it has clips.
    """

    pieces: int = 16
    rows: int = 256
    sets: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextureRecipe(TomlRecipe):
    """One training run; the fields are the keys of the TOML file, the nested ones its tables.

    ``picture`` is the JSON of the model that tells what is seen: a picture network, trained before.
    ``begin_from`` is a finished run of the same network whose weights it begins with, as when the picture network
    changes.
    The cues of a part ``without_cues`` of the pieces are taken away, so that the flow can do without them; noise of
    ``cue_noise`` (of normalised log-mel) is added to the log-mel of the others' cues, since those of pictures that the
    picture network learned from are better than they will be. The last ``held_out_share`` of the recordings of each
    data set are not learned from: on them the guidance is chosen.
    """

    steps: int
    task: Literal["foley-texture"] = "foley-texture"
    seed: int = 0
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    held_out_share: float = 0.1
    picture: str = ""
    begin_from: str = ""
    without_cues: float = 0.1
    cue_noise: float = 0.1
    network_options: Mapping[str, Any] = field(default_factory=dict)
    optimiser: Optimiser = field(default_factory=Optimiser)
    batch: Windows = field(default_factory=Windows)

    def check(self) -> None:
        """See `clapboard.training.tables.TomlRecipe`."""
        rule, batch = self.optimiser, self.batch
        wrong = [
            (self.steps < 1, f"steps must be at least 1, not {self.steps}"),
            (not self.picture, "picture must name the model that gives the cues: --set picture=MODEL.json"),
            (self.seed < 0, f"seed must be from 0 on, not {self.seed}"),
            (not 0 <= self.held_out_share < 1, "held_out_share is a part, 0 to below 1"),
            (not 0 <= self.without_cues < 1, "without_cues is a part, 0 to below 1"),
            (self.cue_noise < 0, "cue_noise is 0 or more"),
            (batch.pieces < 1, "batch.pieces must be at least 1"),
            (batch.rows < 1 or batch.rows % ROWS_AT_ONCE > 0, f"batch.rows must be a multiple of {ROWS_AT_ONCE}"),
            (min(batch.sets.values(), default=0) < 0, "a share in batch.sets is 0 or more"),
            (rule.name != "adamw", f"optimiser.name must be adamw, not {rule.name}"),
            (not rule.learning_rate > 0, "optimiser.learning_rate must be above 0"),
            (not 0 <= rule.average < 1, "optimiser.average must be from 0 to below 1"),
            (not 0 <= rule.warm_up < 1, "optimiser.warm_up is a part of the run, 0 to below 1"),
        ]  # fmt: skip
        refuse(wrong)
