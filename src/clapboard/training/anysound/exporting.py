"""The work of ``clapboard models export`` for a finished run of any sound."""

from pathlib import Path

import torch

from clapboard.errors import ModelError, UsageError
from clapboard.models.any_spec import AnySoundCalibration, AnySoundSpec
from clapboard.training.anysound.publish import export
from clapboard.training.anysound.recipe import SoundRecipe
from clapboard.training.anysound.work import NAME
from clapboard.training.nets.any_sound import AnySound
from clapboard.training.publish import require_free

DEFAULT_NAME = "any-sound"


def export_sound_run(
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    zero_ms: float = 0.0,
    licence: str = "",
    overwrite: bool = False,
) -> Path:
    """Export a finished run of the task any-sound, with the calibration that training made.

    Returns
    -------
    path of the ``.json``

    Raises
    ------
    UsageError : a model of that name exists, or the run is of another task
    ModelError : the run is not finished, or its weights do not fit its recipe
    MediaError : the folder cannot be written to
    """
    recipe = SoundRecipe.read(run / "recipe.toml")
    if recipe.task != "any-sound":
        raise UsageError(f"{run}: is a run of {recipe.task}, whose weights no command takes; export one of any-sound")
    title = name or DEFAULT_NAME
    require_free(folder, title, overwrite)
    net = AnySound(**recipe.network_options)
    try:
        net.load_state_dict(torch.load(run / "weights.pt", weights_only=True, map_location="cpu"))
    except FileNotFoundError:
        raise ModelError(f"{run}: is not finished (it has no weights.pt); give the training command again") from None
    except Exception as error:  # torch raises whatever the damage leads to
        first = " ".join(str(error).split())[:200]
        raise ModelError(f"{run / 'weights.pt'}: does not fit its recipe ({first}); train it again") from None
    about = {"licence": licence} if licence else {}
    about |= {"network": "any-sound", "recipe": (run / "recipe.toml").read_text(encoding="utf-8")}
    return export(net, folder, title, calibration=_of_training(run), zero_ms=zero_ms, about=about)


def _of_training(run: Path) -> AnySoundCalibration | None:
    """The calibration that training made of the recordings held out, where it did."""
    made = run / "model" / f"{NAME}.json"
    return AnySoundSpec.read(made).calibration if made.exists() else None
