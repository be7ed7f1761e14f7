"""The work of ``clapboard models export`` and ``import``: from runs and files of others to models in a folder."""

import json
from collections.abc import Sequence
from pathlib import Path

from clapboard.dataset.align import load
from clapboard.errors import ModelError, UsageError
from clapboard.models.spec import Calibration, ModelSpec
from clapboard.training.export import export
from clapboard.training.importing import NAME, import_model
from clapboard.training.pretrained import from_pretrained
from clapboard.training.quantise import quantise
from clapboard.values import Hook


def require_free(folder: Path, name: str, overwrite: bool) -> None:
    """Refuse a model that is there already.

    Raises
    ------
    UsageError : it exists and may not be replaced
    """
    path = folder / f"{name}.json"
    if path.exists() and not overwrite:
        raise UsageError(f"{path}: exists already; give --overwrite, another --name or another -o")


def read_calibration(path: Path) -> Calibration:
    """Calibration from a JSON with ``bias`` and ``weights``, or from the description of a model.

    Raises
    ------
    UsageError : the file cannot be read, or holds none
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Calibration.of(values.get("calibration", values))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a JSON with bias and weights") from None
    except (ValueError, AttributeError, ModelError) as error:
        said = str(error) if isinstance(error, ModelError) else "no bias and weights"
        raise UsageError(f"{path}: holds no calibration ({said}); give a JSON with bias and weights") from None


def _of_training(run: Path) -> Calibration | None:
    """The calibration that training made of the people it held out, where it did."""
    made = sorted((run / "model").glob("*.json"))
    return ModelSpec.read(made[0]).calibration if len(made) == 1 else None


def export_run(
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    calibration: Path | None = None,
    zero_ms: float = 0.0,
    licence: str = "",
    with_torch: bool = False,
    int8: Sequence[Path] = (),
    overwrite: bool = False,
    hook: Hook | None = None,
) -> list[Path]:
    """Export a finished run, in 8 bits too where data sets are given.

    Parameters
    ----------
    run : folder of ``clapboard train``
    folder : made where it is missing
    name : of the model; by default the network's
    calibration : by default the one that training made
    int8 : data sets of the network's view, whose clips show what range the numbers take
    hook : called as ``hook(step, done, total)`` while it works

    Returns
    -------
    paths of the ``.json`` of all models

    Raises
    ------
    UsageError : a model of that name exists, or files do not fit
    ModelError : the run is not finished, or its weights do not fit its recipe
    MediaError : a data set cannot be read, or the folder not be written to
    """
    if not (run / "recipe.toml").is_file():
        raise UsageError(f"{run}: is no folder of clapboard train (it has no recipe.toml); give one")
    net = from_pretrained(run)
    built = net.built_as[0] if net.built_as else run.name
    title = name or built
    require_free(folder, title, overwrite)
    given, made = net.inputs, list[Path]()
    if int8:
        require_free(folder, f"{title}-int8", overwrite)
        clips = load(int8, given.sound, window_frames=given.window_frames, window_rows=given.window_rows)
    if hook:
        hook("compared with torch", 0, 2 if int8 else 1)
    about = {"licence": licence} if licence else {}
    about |= {"network": built, "recipe": (run / "recipe.toml").read_text(encoding="utf-8")}
    found = read_calibration(calibration) if calibration else _of_training(run)
    made.append(export(net, folder, title, calibration=found, zero_ms=zero_ms, about=about, with_torch=with_torch))
    if int8:
        if hook:
            hook("in 8 bits", 1, 2)
        made.append(quantise(made[0], folder, clips))
    return made


def import_published(
    file: Path, folder: Path, *, name: str | None = None, with_torch: bool = False, overwrite: bool = False
) -> Path:
    """Convert ``syncnet_v2.model``; see `clapboard.training.importing.import_model`."""
    title = name or NAME
    require_free(folder, title, overwrite)
    return import_model(file, folder, title, with_torch=with_torch)
