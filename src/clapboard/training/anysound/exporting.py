"""The work of ``clapboard models export`` for a finished run of any sound."""

from pathlib import Path

from clapboard.errors import UsageError
from clapboard.models.any_spec import AnySoundCalibration, AnySoundSpec
from clapboard.training.anysound.publish import export
from clapboard.training.anysound.recipe import SoundRecipe
from clapboard.training.anysound.work import NAME
from clapboard.training.nets.any_sound import AnySound
from clapboard.training.publish import require_free
from clapboard.training.task_loop import load_finished

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
    load_finished(net, run)
    about = {"licence": licence} if licence else {}
    about |= {"network": "any-sound", "recipe": (run / "recipe.toml").read_text(encoding="utf-8")}
    return export(net, folder, title, calibration=_of_training(run), zero_ms=zero_ms, about=about)


def _of_training(run: Path) -> AnySoundCalibration | None:
    """The calibration that training made of the recordings held out, where it did."""
    made = run / "model" / f"{NAME}.json"
    return AnySoundSpec.read(made).calibration if made.exists() else None
