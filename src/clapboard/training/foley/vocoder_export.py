"""From a trained vocoder to ``vocoder.onnx``, checked against torch; and back, to be measured or built into a model."""

import hashlib
import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clapboard.errors import MediaError
from clapboard.runtime import onnx_runtime
from clapboard.synthesis.mel import MEL_BINS
from clapboard.training.export import MAX_DIFFERENCE, OPSET, SEED, move_in, require_parity
from clapboard.training.nets.istft_vocoder import MEL_MIDDLE, MEL_SPREAD, IstftVocoder

NAME = "vocoder.onnx"
ABOUT = "vocoder.about.json"
INPUT, OUTPUTS = "mel", ("real", "imag")
TRACED_ROWS, JUDGED_ROWS = 60, 133
"""Rows that the graph is traced with, and compared on."""


class VocoderGraph(nn.Module):
    """What is exported: log-mel (R, 80) -> real and imaginary part, (R, 321) each."""

    def __init__(self, net: IstftVocoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        real, imag = self.net(mel[None])
        return real[0], imag[0]


def example(rows: int) -> Tensor:
    """A log-mel as wide as those of sounds, (rows, 80), the same every time."""
    chance = torch.Generator().manual_seed(SEED)
    return MEL_MIDDLE + MEL_SPREAD * torch.randn(rows, MEL_BINS, generator=chance).clamp(-2, 2)


def export_vocoder(net: IstftVocoder, folder: Path, about: Mapping[str, Any] | None = None) -> Path:
    """Write ``vocoder.onnx``, and ``vocoder.about.json`` with its SHA-256, its parity and what is said of it.

    Raises
    ------
    MediaError : the folder cannot be written to
    RuntimeError : ONNX Runtime gives other numbers than torch, by more than `clapboard.training.export.MAX_DIFFERENCE`
        of the largest magnitude
    """
    graph = VocoderGraph(net.cpu().float().eval())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".clapboard-", dir=folder) as made:
            path = Path(made) / NAME
            _write(graph, path)
            parity = difference(graph, path)
            require_parity(folder.name, "vocoder", parity)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            facts = {"sha256": digest, "parity": {"bound": MAX_DIFFERENCE, "vocoder": parity}, **(about or {})}
            (Path(made) / ABOUT).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
            move_in(Path(made), folder, last=ABOUT)
    except OSError as error:
        raise MediaError(f"{folder}: the vocoder cannot be written ({error.strerror}); give another -o") from error
    return folder / NAME


def _write(graph: VocoderGraph, path: Path) -> None:
    """The ONNX file, its number of rows free."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns about shapes that we keep free on purpose
        torch.onnx.export(
            graph,
            (example(TRACED_ROWS),),
            str(path),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "rows"} for name in (INPUT, *OUTPUTS)},
            opset_version=OPSET,
            dynamo=False,
        )


@torch.no_grad()
def difference(graph: VocoderGraph, path: Path) -> float:
    """Largest difference between torch and ONNX Runtime, against the largest magnitude."""
    session = onnx_runtime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = example(JUDGED_ROWS)
    wanted = np.stack([one.numpy() for one in graph(given)])
    found = np.stack(session.run(list(OUTPUTS), {INPUT: given.numpy()}))
    if found.shape != wanted.shape:
        raise RuntimeError(f"{path.name}: ONNX Runtime gives {found.shape} where torch gives {wanted.shape}")
    return float(np.abs(found - wanted).max() / np.hypot(*wanted).max())
