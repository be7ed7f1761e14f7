"""From a network in torch to the files of a model: two ONNX graphs, checked against torch, and their description.

``NAME.picture.onnx`` takes (T, px, px) or (T, px, px, 3) uint8 and gives (T - window_frames + 1, D) float32;
``NAME.sound.onnx`` takes (R, F) float32 and gives (R - window_rows + 1, D). All preparation of the picture is inside.
``NAME.safetensors``, where it is asked for, holds the weights for torch, see `clapboard.training.pretrained`.
"""

import hashlib
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clapboard.errors import MediaError, UsageError
from clapboard.models.spec import Calibration, ModelSpec
from clapboard.runtime import onnx_runtime
from clapboard.sound.kinds import KINDS
from clapboard.training.nets.base import TwoStream
from clapboard.training.pretrained import save_torch

MAX_DIFFERENCE = 2e-5
"""Largest difference allowed between torch and ONNX Runtime in any number of an embedding of length 1; for longer or
shorter ones as much more or less."""
OPSET = 17
MORE_WINDOWS = 7
"""The comparison runs on so many windows more than the graph was traced with."""
SEED = 0


class PictureGraph(nn.Module):
    """What is exported for the picture: crops as they are stored -> embeddings; see the module."""

    def __init__(self, net: TwoStream) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """(T, px, px) or (T, px, px, 3) -> (W, D)."""
        planes = images[:, None] if self.net.inputs.channels == 1 else images.permute(0, 3, 1, 2)
        return self.net.picture(self.net.see(planes[None]))[0]


class SoundGraph(nn.Module):
    """What is exported for the sound: finished rows -> one embedding every 10 ms."""

    def __init__(self, net: TwoStream) -> None:
        super().__init__()
        self.net = net

    def forward(self, rows: Tensor) -> Tensor:
        """(R, F) -> (R - window_rows + 1, D)."""
        return self.net.hear(rows[None], dense=True)[0]


def examples(net: TwoStream, more: int = 0) -> dict[str, Tensor]:
    """Inputs of both graphs that give a few windows each, the same every time: noise, the rows with a spread of 3."""
    given, chance = net.inputs, torch.Generator().manual_seed(SEED)
    colours = () if given.channels == 1 else (given.channels,)
    shape = (given.window_frames + 3 + more, given.crop_px, given.crop_px, *colours)
    return {
        "picture": torch.randint(0, 256, shape, generator=chance, dtype=torch.uint8),
        "sound": 3 * torch.randn(given.window_rows + 3 + more, KINDS[given.sound].features, generator=chance),
    }


def write_graph(
    graph: nn.Module, example: Tensor, axis: str, path: Path, outputs: Sequence[str] = ("embeddings",)
) -> None:
    """Write an ONNX file whose first axis is free; ``outputs`` are the names of what it gives, in order."""
    write_graph_of(graph, {"input": example}, {"input": axis}, dict.fromkeys(outputs, "windows"), path)


def write_graph_of(
    graph: nn.Module, examples: Mapping[str, Tensor], free: Mapping[str, str], outputs: Mapping[str, str], path: Path
) -> None:
    """Write an ONNX file of a graph with several inputs, named as in ``examples`` and in the graph's order.

    The first axis of those inputs is free that ``free`` gives a name for it, and of all ``outputs`` under theirs.
    """
    graph.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns about shapes that we keep free on purpose
        torch.onnx.export(
            graph,
            tuple(examples.values()),
            str(path),
            input_names=list(examples),
            output_names=list(outputs),
            dynamic_axes={name: {0: axis} for name, axis in {**free, **outputs}.items()},
            opset_version=OPSET,
            dynamo=False,
        )


@torch.no_grad()
def difference(graph: nn.Module, path: Path, example: Tensor) -> float:
    """Largest difference of any number between torch and ONNX Runtime, in units of the embeddings' median length."""
    session = onnx_runtime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = graph(example).numpy()
    found = session.run(None, {session.get_inputs()[0].name: example.numpy()})[0]
    if found.shape != expected.shape:
        raise RuntimeError(f"{path.name}: ONNX Runtime gives {found.shape} where torch gives {expected.shape}")
    return float(np.abs(found - expected).max() / np.median(np.linalg.norm(expected, axis=1)))


@contextmanager
def new_model(folder: Path, name: str) -> Iterator[Path]:
    """A folder for the files of a model, which then appear in ``folder`` together, ``NAME.json`` last.

    Raises
    ------
    UsageError : the name is no file name
    MediaError : the folder cannot be written to
    """
    if not name or Path(name).name != name:
        raise UsageError(f"{name!r} is no name for a model: it becomes part of file names; give another")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".clapboard-", dir=folder) as made:
            yield Path(made)
            move_in(Path(made), folder, last=f"{name}.json")
    except OSError as error:
        raise MediaError(f"{folder}: the model cannot be written ({error.strerror}); give another -o") from error


def require_parity(name: str, stream: str, found: float) -> None:
    """Refuse a graph that gives other numbers than torch.

    Raises
    ------
    RuntimeError : by more than `MAX_DIFFERENCE`
    """
    if not found <= MAX_DIFFERENCE:
        raise RuntimeError(f"{name}: {stream} by ONNX Runtime and torch differ by {found:g}")


def export(
    net: TwoStream,
    folder: Path,
    name: str,
    *,
    calibration: Calibration | None = None,
    zero_ms: float = 0.0,
    about: Mapping[str, Any] | None = None,
    with_torch: bool = False,
) -> Path:
    """Write a model; its files appear together, the description last.

    Parameters
    ----------
    net : on any device; it is moved to the CPU and set to `eval`
    folder : made where it is missing; files of the same name are replaced
    calibration : without it the model measures, but is never sure
    zero_ms : added to every offset
    about : for people: licence, data, recipe; the bound of parity and what was found are added
    with_torch : write the weights for torch as well; the network has to come from `clapboard.training.nets.build`

    Returns
    -------
    the path of ``NAME.json``

    Raises
    ------
    UsageError : the name is no file name
    MediaError : the folder cannot be written to
    RuntimeError : ONNX Runtime gives other numbers than torch, by more than `MAX_DIFFERENCE`
    """
    net = net.cpu().float().eval()
    given, traced, judged = net.inputs, examples(net), examples(net, MORE_WINDOWS)
    with new_model(folder, name) as made:
        parts = {stream: made / f"{name}.{stream}.onnx" for stream in ("picture", "sound")}
        found = {}
        for stream, graph, axis in (
            ("picture", PictureGraph(net), "frames"),
            ("sound", SoundGraph(net), "rows"),
        ):
            write_graph(graph, traced[stream], axis, parts[stream])
            found[stream] = difference(graph, parts[stream], judged[stream])
            require_parity(name, stream, found[stream])
        more: dict[str, Any] = {"parity": {"bound": MAX_DIFFERENCE, **found}}
        if with_torch:
            weights = made / f"{name}.safetensors"
            save_torch(net, weights)
            more["torch"] = name_and_hash(weights)
        spec = ModelSpec(
            name=name,
            view=given.view,
            sound=given.sound,
            window_frames=given.window_frames,
            window_rows=given.window_rows,
            embedding=given.embedding,
            zero_ms=zero_ms,
            files={stream: name_and_hash(path) for stream, path in parts.items()},
            calibration=calibration,
            about={**(about or {}), **more},
        )
        spec.write(made / f"{name}.json")
    return folder / f"{name}.json"


def name_and_hash(path: Path) -> dict[str, str]:
    """What a description says of a file."""
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def move_in(made: Path, folder: Path, last: str) -> None:
    """Give finished files their place, one of them last."""
    for path in sorted(made.iterdir(), key=lambda path: path.name == last):
        path.replace(folder / path.name)
