"""The published SyncNet checkpoint, ``syncnet_v2.model``, as a model of Clapboard: users bring the file.

Only tensors are loaded, never code; every shape is compared with the layout before anything is written.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from clapboard.errors import ModelError, UsageError
from clapboard.models.spec import PUBLISHED
from clapboard.training.export import export
from clapboard.training.nets import build
from clapboard.training.nets.base import TwoStream
from clapboard.training.pretrained import read_checkpoint

NAME = "syncnet-v2"
ZERO_MS = 27.5
"""The published code pairs frames i to i + 4, whose middle is 40 i + 80 ms, with MFCC columns 4 i to 4 i + 19, whose
middle is 40 i + 95 + 12.5 ms: sound found 27.5 ms later on the clock is in sync there, and counts as -27.5 ms here."""
ABOUT = {
    "network": PUBLISHED,
    "source": "https://github.com/joonson/syncnet_python",
    "licence": "see the source; the weights are the user's copy",
}

# Where each layer of the published sequences lies in ours; batch normalisation follows its convolution there as here.
_CONVOLUTIONS = {
    "netcnnlip": ("lips", (0, 4, 8, 11, 14, 18), (0, 2, 4, 5, 6, 8)),
    "netcnnaud": ("sound", (0, 4, 8, 11, 14, 18), (0, 1, 3, 4, 5, 7)),
}
_FULL = {"netfclip": ("lips", 10), "netfcaud": ("sound", 9)}
_OF_NORM = ("weight", "bias", "running_mean", "running_var")
_COUNTER = "num_batches_tracked"
"""Older versions of torch do not save it, and nothing that is measured depends on it."""


def names() -> dict[str, str]:
    """Our name of every tensor, by its published one."""
    found = {}
    for theirs, (ours, places, layers) in _CONVOLUTIONS.items():
        for place, layer in zip(places, layers, strict=True):
            for part in ("weight", "bias"):
                found[f"{theirs}.{place}.{part}"] = f"{ours}.{layer}.convolution.{part}"
            for part in _OF_NORM:
                found[f"{theirs}.{place + 1}.{part}"] = f"{ours}.{layer}.norm.{part}"
    for theirs, (ours, layer) in _FULL.items():
        for part in ("weight", "bias"):
            found[f"{theirs}.0.{part}"] = f"{ours}.{layer}.linear.{part}"
            found[f"{theirs}.3.{part}"] = f"{ours}.{layer + 1}.{part}"
        for part in _OF_NORM:
            found[f"{theirs}.1.{part}"] = f"{ours}.{layer}.norm.{part}"
    return found


def published_shape(name: str, ours: Tensor) -> tuple[int, ...]:
    """Shape of a tensor in the checkpoint: its picture stream is written with convolutions over time and space."""
    shape = tuple(ours.shape)
    if not (name.startswith("netcnnlip") and len(shape) == 4):
        return shape
    frames = 5 if name.startswith("netcnnlip.0.") else 1
    return (shape[0], shape[1] // frames, frames, *shape[2:])


def convert(checkpoint: Mapping[str, Tensor]) -> TwoStream:
    """A ``syncnet-v2`` filled with the tensors of a checkpoint.

    Raises
    ------
    ModelError : a tensor is missing, is one too many, or has another shape: the line names the first
    """
    given = {name: tensor for name, tensor in checkpoint.items() if not name.endswith(_COUNTER)}
    table = names()
    length = given["netfclip.3.bias"].shape[0] if "netfclip.3.bias" in given and given["netfclip.3.bias"].ndim else 1024
    net = build(NAME, {} if length == 1024 else {"embedding": length})
    state = net.state_dict()
    for theirs, ours in table.items():
        if theirs not in given:
            raise ModelError(f"it lacks {theirs}: not the layout of syncnet_v2.model; give that file")
        found, wanted = tuple(given[theirs].shape), published_shape(theirs, state[ours])
        if found != wanted:
            raise ModelError(f"{theirs} is {found}, not {wanted} as in syncnet_v2.model; give that file")
        state[ours] = given[theirs].float().reshape(state[ours].shape)
    unknown = sorted(set(given) - set(table))
    if unknown:
        raise ModelError(f"it holds {unknown[0]}, which syncnet_v2.model has not; give that file")
    net.load_state_dict(state)
    return net.eval()


def import_model(path: Path, folder: Path, name: str = NAME, *, with_torch: bool = False) -> Path:
    """Convert a checkpoint, and export it without a calibration: it measures, but is never sure.

    Returns
    -------
    the path of ``NAME.json``

    Raises
    ------
    UsageError : there is no such file
    ModelError : it is not such a checkpoint, or holds code
    MediaError : the folder cannot be written to
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file; give the path of syncnet_v2.model")
    try:
        net = convert(read_checkpoint(path))
    except ModelError as error:
        raise ModelError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    return export(net, folder, name, zero_ms=ZERO_MS, about=ABOUT, with_torch=with_torch)
