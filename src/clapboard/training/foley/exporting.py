"""From the parts of the fast generator to the files of one model, each compared with torch before it gets its name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clapboard.models.foley_spec import CUES, FoleySpec
from clapboard.runtime import onnx_runtime
from clapboard.synthesis.cues import MATERIALS
from clapboard.training.export import MAX_DIFFERENCE, SEED, name_and_hash, new_model, require_parity, write_graph_of
from clapboard.training.nets.foley_picture import MARGIN_FRAMES, PICTURE_PX, SCENE, FoleyPicture

OUTPUTS = ("onset", "energy", "materials", "mel")
EXAMPLE_FRAMES, JUDGED_FRAMES = 4, 11
"""Frames that the graph is traced with, and those on which it is compared with torch."""


class PictureGraph(nn.Module):
    """Pictures as they are stored -> what they tell."""

    def __init__(self, net: FoleyPicture) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(T + 2 m, 64, 64) -> (4 T,), (4 T,), (4 T, M) and (4 T, 80)."""
        told = self.net(images[None])
        return told.onset[0], told.energy[0], told.materials[0], told.mel[0]


def pictures(frames: int) -> Tensor:
    """Pictures of noise with the margin, the same every time."""
    shape = (frames + 2 * MARGIN_FRAMES, PICTURE_PX, PICTURE_PX)
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(SEED), dtype=torch.uint8)


@torch.no_grad()
def difference(graph: nn.Module, path: Path, given: Mapping[str, Tensor], outputs: tuple[str, ...]) -> float:
    """Largest difference between torch and ONNX Runtime, each array in units of its own largest value.

    Raises
    ------
    RuntimeError : ONNX Runtime gives other shapes than torch
    """
    session = onnx_runtime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    made = graph(*given.values())
    expected = [one.numpy() for one in (made if isinstance(made, tuple) else (made,))]
    found = session.run(list(outputs), {name: value.numpy() for name, value in given.items()})
    if [one.shape for one in found] != [one.shape for one in expected]:
        raise RuntimeError(f"{path.name}: ONNX Runtime gives other shapes than torch")
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True))


def export_picture(
    net: FoleyPicture,
    folder: Path,
    name: str,
    *,
    onset_threshold: float = 0.5,
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model with the stage of the picture alone; its files appear together, the description last.

    Parameters
    ----------
    net : set to `eval`
    folder : made where it is missing; files of the same name are replaced
    onset_threshold : see `clapboard.models.foley_spec.FoleySpec`
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
    graph = PictureGraph(net.cpu().float().eval())
    with new_model(folder, name) as made:
        path = made / f"{name}.picture.onnx"
        write_graph_of(
            graph, {"images": pictures(EXAMPLE_FRAMES)}, {"images": "frames"}, dict.fromkeys(OUTPUTS, "rows"), path
        )
        found = difference(graph, path, {"images": pictures(JUDGED_FRAMES)}, OUTPUTS)
        require_parity(name, "picture", found)
        spec = FoleySpec(
            name=name,
            method=CUES,
            scene=SCENE,
            margin_frames=MARGIN_FRAMES,
            files={"picture": name_and_hash(path)},
            materials=MATERIALS,
            onset_threshold=onset_threshold,
            about={**(about or {}), "parity": {"bound": MAX_DIFFERENCE, "picture": found}},
        )
        spec.write(made / f"{name}.json")
    return folder / f"{name}.json"
