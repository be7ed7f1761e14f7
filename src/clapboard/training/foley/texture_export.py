"""From a trained flow of textures to an ONNX graph that is compared with torch, and a JSON that says how it is used."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clapboard.errors import ModelError
from clapboard.models.foley_spec import TextureUse
from clapboard.synthesis.mel import MEL_BINS
from clapboard.synthesis.texture import FEATURES, Velocity
from clapboard.training.export import MAX_DIFFERENCE, SEED, name_and_hash, new_model, require_parity, write_graph_of
from clapboard.training.foley.exporting import difference
from clapboard.training.nets.texture_flow import TextureFlow
from clapboard.values import F32

NAME = "texture"
"""The graph is ``texture.onnx`` and what goes with it ``texture.json``, in the folder of the run."""
TRACED_ROWS, JUDGED_ROWS = 24, 90
"""Rows that the graph is traced with, and those on which it is compared with torch."""


class FlowGraph(nn.Module):
    """What is exported: (R, 80), (1,) and (R, C) -> (R, 80); R is even."""

    def __init__(self, net: TextureFlow) -> None:
        super().__init__()
        self.net = net

    def forward(self, noisy: Tensor, time: Tensor, cues: Tensor) -> Tensor:
        """See the class."""
        found: Tensor = self.net(noisy[None], time, cues[None])[0]
        return found


def velocity_of(net: TextureFlow) -> Velocity:
    """A network in torch as what `clapboard.synthesis.texture.draw` takes."""
    graph = FlowGraph(net).eval()

    @torch.no_grad()
    def velocity(noisy: F32, time: float, cues: F32) -> F32:
        given = (torch.from_numpy(noisy), torch.tensor([time], dtype=torch.float32), torch.from_numpy(cues))
        return np.asarray(graph(*given).numpy(), np.float32)

    return velocity


def examples(rows: int) -> dict[str, Tensor]:
    """Inputs of the graph, the same every time: noise."""
    chance = torch.Generator().manual_seed(SEED)
    return {
        "noisy": torch.randn(rows, MEL_BINS, generator=chance),
        "time": torch.rand(1, generator=chance),
        "cues": torch.randn(rows, FEATURES, generator=chance),
    }


def export_texture(net: TextureFlow, folder: Path, use: TextureUse, *, about: Mapping[str, Any] | None = None) -> Path:
    """Write ``texture.onnx`` and ``texture.json``, which appear together, the JSON last.

    Parameters
    ----------
    net : set to `eval`
    folder : made where it is missing; files of the same name are replaced
    use : how it is used
    about : for people: data and recipe; the bound of parity and what was found are added

    Returns
    -------
    the path of the JSON

    Raises
    ------
    MediaError : the folder cannot be written to
    RuntimeError : ONNX Runtime gives other numbers than torch, by more than `clapboard.training.export.MAX_DIFFERENCE`
    """
    graph = FlowGraph(net.cpu().float()).eval()
    with new_model(folder, NAME) as made:
        path = made / f"{NAME}.onnx"
        write_graph_of(graph, examples(TRACED_ROWS), {"noisy": "rows", "cues": "rows"}, {"velocity": "rows"}, path)
        found = difference(graph, path, examples(JUDGED_ROWS), ("velocity",))
        require_parity(NAME, "velocity", found)
        said = {**(about or {}), "parity": {"bound": MAX_DIFFERENCE, "texture": found}}
        values = {"use": asdict(use), "file": name_and_hash(path), "about": said}
        (made / f"{NAME}.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return folder / f"{NAME}.json"


def read_texture(path: Path) -> tuple[TextureUse, Path, dict[str, Any]]:
    """How an exported flow is used, its graph, and what is said about it, from its JSON.

    Raises
    ------
    ModelError : the file is missing or is no such JSON
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        given: dict[str, Any] = values["use"]
        given |= {key: tuple(given[key]) for key in ("mean", "scale")}
        return TextureUse(**given), path.parent / values["file"]["name"], values["about"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is no flow of textures ({error}); train it again") from None
