"""The work of ``clapboard train`` with a recipe of these trainings: data sets in, a model or finished weights out."""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import torch

from clapboard.errors import UsageError
from clapboard.models.any_session import AnySoundModel
from clapboard.models.any_spec import AnySoundCalibration
from clapboard.training.anysound.avs import PairTask
from clapboard.training.anysound.calibrating import calibrate, describe, measure
from clapboard.training.anysound.offsets import OffsetTask
from clapboard.training.anysound.publish import export
from clapboard.training.anysound.recipe import SoundRecipe
from clapboard.training.anysound.scenes import Scene
from clapboard.training.anysound.sets import load_sets
from clapboard.training.nets.any_sound import AnySound
from clapboard.training.run import pick_device
from clapboard.training.task_loop import Loop
from clapboard.values import Hook

NAME = "model"
"""What a trained model is called, as for lips."""


def train_sounds(
    recipe: Path | SoundRecipe,
    data: Sequence[Path],
    run: Path,
    *,
    changes: Mapping[str, str] | None = None,
    device: str = "auto",
    threads: int = 1,
    begin_from: str | None = None,
    name: str = NAME,
    say: Callable[[str], None] = print,
    hook: Hook | None = None,
) -> Path | None:
    """Train; a model of offsets is calibrated on the recordings held out, and exported.

    Parameters
    ----------
    recipe : a TOML file, or a recipe
    data : data sets of scenes, made by ``clapboard prepare --kind sounds`` or rendered
    run : folder of the run; a run that was stopped goes on
    changes : values by dotted key that go before those of the file, as TOML writes them
    begin_from : a finished run whose network an attention-avs run takes over; for a recipe that is a file
    name : of the model

    Returns
    -------
    path of the model's JSON; None for attention-avs, whose result is ``weights.pt`` in the run's folder

    Raises
    ------
    UsageError : the recipe, the data and the run's folder do not fit together
    MediaError : data cannot be read
    """
    torch.set_num_threads(threads)
    asked = {**(changes or {}), **({"begin_from": json.dumps(begin_from)} if begin_from else {})}
    chosen = SoundRecipe.read(recipe, asked) if isinstance(recipe, Path) else recipe
    if chosen.begin_from and chosen.task == "any-sound":
        raise UsageError("recipe: begin_from is for attention-avs; an any-sound run begins anew")
    sets, held = load_sets(data, chosen.batch.sets, chosen.held_out_share, chosen.control, chosen.calibrate_on)
    learn_min = sum(len(scene.images) for scenes in sets.scenes.values() for scene in scenes) / 25 / 60
    held_count = sum(len(scenes) for scenes in held.values())
    say(f"{sum(map(len, sets.scenes.values()))} scenes to learn from ({learn_min:.1f} min), {held_count} held out")
    task = PairTask(chosen, sets) if chosen.task == "attention-avs" else OffsetTask(chosen, sets)
    net = Loop(chosen, task, run, device=pick_device(device), say=say, hook=hook, clips=sets.digest())()
    if chosen.task == "attention-avs":
        return None
    about = {"recipe": tomllib.loads(chosen.toml())}
    made = export(cast(AnySound, net), run / "model", name, about=about)
    calibration = calibrated(made, held, say, hook)
    if calibration is None:
        return made
    return export(cast(AnySound, net), run / "model", name, calibration=calibration, about=about)


def calibrated(
    model: Path, held: Mapping[str, Sequence[Scene]], say: Callable[[str], None], hook: Hook | None = None
) -> AnySoundCalibration | None:
    """The probabilities of a model, from recordings held out; None, and why, where these are too few."""
    loaded = AnySoundModel(model)
    pieces = [piece for name, scenes in held.items() for piece in measure(loaded, scenes, data=name, hook=hook)]
    try:
        found = calibrate(pieces)
    except UsageError as error:
        say(str(error))
        return None
    describe(found, pieces, say)
    return found
