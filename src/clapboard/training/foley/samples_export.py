"""From a trained encoder and SampleRNN to the files of a model: an ONNX graph, arrays, and their description."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save
from torch import Tensor, nn

from clapboard.models.foley_spec import SAMPLERNN, EncoderUse, FoleySpec
from clapboard.synthesis.samplernn import NAMES
from clapboard.training.export import MAX_DIFFERENCE, name_and_hash, new_model, require_parity, write_graph_of
from clapboard.training.foley.exporting import difference
from clapboard.training.foley.samples import Conditioned
from clapboard.training.nets.foley_encoders import MARGIN_FRAMES, Encoder
from clapboard.training.nets.samplernn import SampleRnn
from clapboard.training.nets.vgg19 import PX
from clapboard.values import F32

SCENE, WIDE_SCENE, OUTPUT = "scene-64", "scene-224", "conditioning"
TRACED_FRAMES, JUDGED_FRAMES = 7, 23
"""Frames that the graph is traced with, and compared on."""
SEED = 0


class EncoderGraph(nn.Module):
    """What is exported: (T + 2, 64, 64) uint8, for flow also (T + 1, 2, 32, 32) -> (T, D), for seq (1, D).

    With a ``backbone`` the pictures are (T + 2, 224, 224, 3), and the encoder is given what it makes of each.
    """

    def __init__(self, encoder: Encoder, backbone: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder, self.backbone = encoder, backbone

    def forward(self, images: Tensor, flow: Tensor | None = None) -> Tensor:
        """See the class; the flow is that from each picture to the next one."""
        given = images.float() if self.backbone is None else self.backbone(images)
        found: Tensor = self.encoder(given[None], None if flow is None else flow[None])
        return found if self.encoder.kind == "seq" else found[0]


def examples(encoder: Encoder, frames: int) -> dict[str, Tensor]:
    """Inputs of the graph by name, the same every time: noise."""
    chance = torch.Generator().manual_seed(SEED)
    size = frames + 2 * MARGIN_FRAMES
    shape = (size, PX, PX, 3) if encoder.given else (size, 64, 64)
    images = torch.randint(0, 256, shape, generator=chance, dtype=torch.uint8)
    flow = {"flow": torch.randn(size - 1, 2, 32, 32, generator=chance)} if encoder.kind == "flow" else {}
    return {"images": images, **flow}


def plain_weights(net: SampleRnn) -> dict[str, F32]:
    """Weights with the norm multiplied in, as `clapboard.synthesis.samplernn.SampleRnn` takes them."""
    found = dict(net.named_parameters())
    names = [*NAMES, *(("start.weight", "start.bias") if net.started else ())]
    arrays = {}
    for name in names:
        owner, _, last = name.rpartition(".")
        tensor = found[name] if name in found else getattr(net.get_submodule(owner), last)
        arrays[name] = np.ascontiguousarray(tensor.detach().float().cpu().numpy())
    return arrays


@torch.no_grad()
def export_samplernn(
    net: Conditioned,
    folder: Path,
    name: str,
    *,
    backbone: nn.Module | None = None,
    temperature: float = 1.0,
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model; its files appear together, the description last.

    Parameters
    ----------
    net : set to `eval`
    folder : made where it is missing; files of the same name are replaced
    backbone : makes of pictures what the encoder is given, `clapboard.training.nets.vgg19.Vgg19`; None for none
    temperature : what the model's logits are divided by where it is used
    about : for people: licence, data, recipe; the bound of parity and what was found are added

    Returns
    -------
    the path of ``NAME.json``

    Raises
    ------
    UsageError : the name is no file name
    MediaError : the folder cannot be written to
    RuntimeError : ONNX Runtime gives other numbers than torch
    """
    encoder, rnn = net.encoder.cpu().float().eval(), net.rnn.cpu().float().eval()
    graph = EncoderGraph(encoder, backbone).eval()
    inputs = tuple(examples(encoder, TRACED_FRAMES))
    rows = {OUTPUT: "states" if encoder.kind == "seq" else "frames"}
    with new_model(folder, name) as made:
        path = made / f"{name}.encoder.onnx"
        write_graph_of(graph, examples(encoder, TRACED_FRAMES), dict.fromkeys(inputs, "pictures"), rows, path)
        parity = difference(graph, path, examples(encoder, JUDGED_FRAMES), (OUTPUT,))
        require_parity(name, "encoder", parity)
        arrays = made / f"{name}.safetensors"
        arrays.write_bytes(save(plain_weights(rnn)))  # a file like all others, where save_file makes it private
        spec = FoleySpec(
            name=name,
            method=SAMPLERNN,
            scene=SCENE if backbone is None else WIDE_SCENE,
            margin_frames=MARGIN_FRAMES,
            files={"encoder": name_and_hash(path), "samples": name_and_hash(arrays)},
            encoder=EncoderUse(
                kind=encoder.kind,
                inputs=inputs,
                output=OUTPUT,
                features=encoder.features,
                generator={"width": rnn.width, "frame_sizes": [rnn.fine, rnn.coarse], "temperature": temperature},
            ),
            about={**(about or {}), "parity": {"bound": MAX_DIFFERENCE, "encoder": parity}},
        )
        spec.write(made / f"{name}.json")
    return folder / f"{name}.json"
