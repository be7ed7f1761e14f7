"""Networks with trained weights, for other programs that use torch: `from_pretrained`.

The weights of an exported model travel as ``NAME.safetensors`` beside its graphs: tensors by the names of the state
dict, and in the header under ``network`` and ``options`` (JSON) what `clapboard.training.nets.build` needs.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clapboard.errors import ModelError, UsageError
from clapboard.models import store
from clapboard.models.spec import ModelSpec
from clapboard.training.nets import build
from clapboard.training.nets.base import TwoStream
from clapboard.training.recipe import Recipe


def save_torch(net: TwoStream, path: Path) -> None:
    """Write a network's weights and how to build it.

    Raises
    ------
    UsageError : the network was not made by `clapboard.training.nets.build`, so that nobody can build it again
    """
    from safetensors.torch import save

    if net.built_as is None:
        raise UsageError("only a network from clapboard.training.nets.build can be kept for torch")
    network, options = net.built_as
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    path.write_bytes(save(tensors, {"format": "pt", "network": network, "options": json.dumps(options)}))


def from_pretrained(where: str | Path) -> TwoStream:
    """A network with its trained weights, on the CPU, in evaluation mode.

    ``net.picture(net.see(images))`` embeds pictures, ``net.hear(rows)`` sound; see `clapboard.training.nets.base`.

    Parameters
    ----------
    where : the folder of a training run; or a model that was exported for torch too (``--with-torch``): its folder,
        its ``.json`` or its ``.safetensors``; or the name of a bundled model that has such weights

    Raises
    ------
    ModelError : there is no such model, it has no weights for torch, or they do not fit
    """
    path = Path(where)
    if str(where) in store.names():
        return _of_spec(store.locate(where))
    if path.is_dir():
        return _of_run(path) if (path / "recipe.toml").exists() else _of_spec(_only_spec(path))
    if path.suffix == ".json":
        return _of_spec(path)
    if path.suffix == ".safetensors" and path.is_file():
        return _of_file(path)
    raise ModelError(f"no network at {where}; give a run's folder, an exported model, or its .json or .safetensors")


def _only_spec(folder: Path) -> Path:
    """The one description in a folder."""
    found = sorted(folder.glob("*.json"))
    if len(found) != 1:
        said = "no model" if not found else f"{len(found)} models"
        raise ModelError(f"{folder} holds {said}; give the .json of one")
    return found[0]


def _of_run(folder: Path) -> TwoStream:
    """The result of a training run."""
    weights = folder / "weights.pt"
    if not weights.exists():
        raise ModelError(f"{folder} has no weights.pt: the run is not finished; let it run to its end")
    recipe = Recipe.read(folder / "recipe.toml")
    return _filled(recipe.network, dict(recipe.network_options), read_checkpoint(weights), weights)


def _of_spec(path: Path) -> TwoStream:
    """An exported model by its description."""
    spec = ModelSpec.read(path)
    kept = spec.about.get("torch")
    if not isinstance(kept, dict) or "name" not in kept:
        raise ModelError(f"{path} was exported without weights for torch; export it again with --with-torch")
    weights = path.parent / str(kept["name"])
    if not weights.is_file() or hashlib.sha256(weights.read_bytes()).hexdigest() != kept.get("sha256"):
        raise ModelError(f"{weights} is missing, or not what was exported (SHA-256); export the model again")
    return _of_file(weights)


def _of_file(path: Path) -> TwoStream:
    """Weights with their header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        return _filled(header["network"], json.loads(header["options"]), tensors, path)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path} holds no network of Clapboard ({error}); export one with --with-torch") from None


def _filled(network: str, options: dict[str, Any], tensors: dict[str, Tensor], path: Path) -> TwoStream:
    """A network built and filled; options that do not fit its weights give one line."""
    try:
        net = build(network, options)
        net.load_state_dict(tensors)
    except (UsageError, RuntimeError) as error:
        first = " ".join(str(error).split())[:200]
        raise ModelError(f"the weights {path} do not fit {network} ({first})") from None
    return net.eval()


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that torch saved; code in it is refused, never run.

    Raises
    ------
    ModelError : the file cannot be read, holds something else than tensors, or code
    """
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); give a file that torch saved") from None
    except Exception:  # unpickling raises whatever it meets; the text of torch's own error is a page
        raise ModelError(
            f"{path}: holds more than tensors, or is damaged: it is not opened, since such a file could run code; "
            "save its state_dict() alone where you trust it"
        ) from None
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not found or not all(isinstance(v, Tensor) for v in found.values()):
        raise ModelError(f"{path}: holds no weights by name; give the state_dict() of a network")
    return found
