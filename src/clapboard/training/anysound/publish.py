"""From a trained any-sound network to the files of a model: two ONNX graphs, checked against torch, and the JSON.

``NAME.picture.onnx`` takes (T, 64, 64) uint8 and gives ``values`` (W, D) and ``places`` (W, h, w); ``NAME.sound.onnx``
takes (R, 40) float32 and gives (R - 31, D); see `clapboard.models.any_spec`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clapboard.models.any_spec import AnySoundCalibration, AnySoundSpec
from clapboard.runtime import onnx_runtime
from clapboard.sound.kinds import KINDS
from clapboard.training.export import (
    MAX_DIFFERENCE,
    MORE_WINDOWS,
    SEED,
    name_and_hash,
    new_model,
    require_parity,
    write_graph,
)
from clapboard.training.nets.any_sound import (
    PICTURE_PX,
    PLACES,
    SCENE,
    SOUND_KIND,
    WINDOW_FRAMES,
    WINDOW_ROWS,
    AnySound,
)


class PictureGraph(nn.Module):
    """Pictures as they are stored -> values and places."""

    def __init__(self, net: AnySound) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(T, 64, 64) -> (W, D) and (W, 8, 8)."""
        seen = self.net.picture(images[None])
        return seen.values[0], seen.places[0]


class SoundGraph(nn.Module):
    """Finished rows -> one vector every 10 ms."""

    def __init__(self, net: AnySound) -> None:
        super().__init__()
        self.net = net

    def forward(self, rows: Tensor) -> Tensor:
        """(R, 40) -> (R - 31, D)."""
        return self.net.hear(rows[None])[0]


OUTPUTS = {"picture": ("values", "places"), "sound": ("embeddings",)}
"""What each graph gives, in order."""


def examples(more: int = 0) -> dict[str, Tensor]:
    """Inputs of both graphs that give a few windows each, the same every time."""
    chance = torch.Generator().manual_seed(SEED)
    shape = (WINDOW_FRAMES + 3 + more, PICTURE_PX, PICTURE_PX)
    return {
        "picture": torch.randint(0, 256, shape, generator=chance, dtype=torch.uint8),
        "sound": 3 * torch.randn(WINDOW_ROWS + 3 + more, KINDS[SOUND_KIND].features, generator=chance),
    }


@torch.no_grad()
def difference(graph: nn.Module, path: Path, example: Tensor) -> float:
    """Largest difference between torch and ONNX Runtime, each array in units of its own largest value."""
    session = onnx_runtime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = graph(example)
    expected = [one.numpy() for one in (given if isinstance(given, tuple) else (given,))]
    found = session.run(None, {session.get_inputs()[0].name: example.numpy()})
    if [one.shape for one in found] != [one.shape for one in expected]:
        raise RuntimeError(f"{path.name}: ONNX Runtime gives other shapes than torch")
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True))


def export(
    net: AnySound,
    folder: Path,
    name: str,
    *,
    calibration: AnySoundCalibration | None = None,
    zero_ms: float = 0.0,
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model; its files appear together, the description last.

    Parameters
    ----------
    net : set to `eval`
    folder : made where it is missing; files of the same name are replaced
    calibration : without it the model measures, but is never sure
    zero_ms : added to every offset
    about : for people: licence, data, recipe; the bound of parity and what was found are added

    Returns
    -------
    the path of ``NAME.json``

    Raises
    ------
    UsageError : the name is no file name
    MediaError : the folder cannot be written to
    RuntimeError : ONNX Runtime gives other numbers than torch, by more than `clapboard.training.export.MAX_DIFFERENCE`
    """
    net = net.cpu().float().eval()
    traced, judged = examples(), examples(MORE_WINDOWS)
    graphs: dict[str, nn.Module] = {"picture": PictureGraph(net), "sound": SoundGraph(net)}
    with new_model(folder, name) as made:
        parts = {stream: made / f"{name}.{stream}.onnx" for stream in graphs}
        parity: dict[str, float] = {"bound": MAX_DIFFERENCE}
        for stream, graph in graphs.items():
            write_graph(graph, traced[stream], "items", parts[stream], OUTPUTS[stream])
            parity[stream] = difference(graph, parts[stream], judged[stream])
            require_parity(name, stream, parity[stream])
        spec = AnySoundSpec(
            name=name,
            scene=SCENE,
            sound=SOUND_KIND,
            window_frames=WINDOW_FRAMES,
            window_rows=WINDOW_ROWS,
            embedding=net.embedding,
            places=(PLACES, PLACES),
            zero_ms=zero_ms,
            files={stream: name_and_hash(path) for stream, path in parts.items()},
            calibration=calibration,
            about={**(about or {}), "parity": parity},
        )
        spec.write(made / f"{name}.json")
    return folder / f"{name}.json"
