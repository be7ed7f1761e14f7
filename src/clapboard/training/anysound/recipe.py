"""TomlRecipe of the any-sound trainings: everything that decides what a run learns, in one TOML file.

``task = "any-sound"`` learns the offset network that `clapboard check --any-sound` uses; ``task = "attention-avs"`` the
multisensory network with one of the heads of the paper.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clapboard.training.recipe import Optimiser
from clapboard.training.tables import TomlRecipe, refuse, task_of

TASKS = ("any-sound", "attention-avs")


@dataclass(frozen=True, slots=True)
class Clips:
    """What a step sees: ``clips`` of them; for any-sound ``frames`` windows each, for attention-avs ``blocks``.

    ``sets`` says how often a clip is of each data set, by its folder's name; as many as it has clips where it is empty.
    """

    clips: int = 12
    frames: int = 100
    blocks: int = 4
    sets: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SoundRecipe(TomlRecipe):
    """One training run; the fields are the keys of the TOML file, the nested ones its tables.

    ``shifts`` are the negatives of attention-avs: pairs of (up to this part of the run, name of
    `clapboard.training.anysound.shifts.SHIFTS`, several joined by ``+``). ``head`` is its pooling; ``begin_from`` a run
    whose network is taken over, ``freeze`` keeps that network as it is and learns the head alone. ``control`` makes a
    run that must not learn anything: the picture frozen, the sound another clip's, or the labels shuffled.
    ``held_out_share`` of the recordings of each data set are not learned from, and of those named in ``calibrate_on``
    none is: on all of these an offset network is calibrated, every data set weighing the same.
    """

    task: Literal["any-sound", "attention-avs"]
    steps: int
    seed: int = 0
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    head: Literal["mean", "temporal", "spatio-temporal"] = "spatio-temporal"
    freeze: bool = False
    begin_from: str = ""
    control: Literal["", "frozen-picture", "other-sound", "shuffled-labels"] = ""
    shifts: tuple[tuple[float, str], ...] = ((0.3, "far"), (1.0, "far+near"))
    held_out_share: float = 0.0
    calibrate_on: tuple[str, ...] = ()
    network_options: Mapping[str, Any] = field(default_factory=dict)
    optimiser: Optimiser = field(default_factory=Optimiser)
    batch: Clips = field(default_factory=Clips)

    def check(self) -> None:
        """See `clapboard.training.tables.TomlRecipe`."""
        from clapboard.training.anysound.shifts import SHIFTS

        rule = self.optimiser
        unknown = sorted({name for _, joined in self.shifts for name in joined.split("+")} - set(SHIFTS))
        wrong = [
            (self.steps < 1, f"steps must be at least 1, not {self.steps}"),
            (self.seed < 0, f"seed must be from 0 on, not {self.seed}"),
            (self.batch.clips < 2, "batch.clips must be at least 2: a clip is compared with another one"),
            (self.batch.frames < 25, "batch.frames must be at least 25"),
            (self.batch.blocks < 1, "batch.blocks must be at least 1"),
            (min(self.batch.sets.values(), default=0) < 0, "a share in batch.sets is 0 or more"),
            (rule.name != "adamw", f"optimiser.name must be adamw for any sound, not {rule.name}"),
            (not rule.learning_rate > 0, "optimiser.learning_rate must be above 0"),
            (not 0 <= rule.average < 1, "optimiser.average must be from 0 to below 1"),
            (not 0 <= rule.warm_up < 1, "optimiser.warm_up is a part of the run, 0 to below 1"),
            (not self.shifts or self.shifts[-1][0] < 1, "shifts must end with the part 1.0"),
            (bool(unknown), f"shifts names {', '.join(unknown)}; there is {', '.join(SHIFTS)}"),
            (not 0 <= self.held_out_share < 1, "held_out_share is a part, 0 to below 1"),
            (self.freeze and not self.begin_from, "freeze needs begin_from, a run whose network is kept"),
        ]  # fmt: skip
        refuse(wrong)


def is_sound_recipe(path: Path) -> bool:
    """Whether a TOML file is a recipe of these trainings, by its ``task``.

    Raises
    ------
    UsageError : it cannot be read
    """
    return task_of(path) in TASKS
