"""From trained weights to the files that ship: ONNX networks, checked against torch, and the model's JSON.

``python -m clapboard.training.export RUN -o FOLDER --name clapboard-s [--calibration FILE] [--zero-ms X]``
"""

import argparse
import hashlib
import json
import tomllib
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from clapboard.runtime import onnx_runtime
from clapboard.training.nets.clapboard_s import (
    CROP_PX,
    EMBEDDING,
    WINDOW_FRAMES,
    WINDOW_ROWS,
    ClapboardS,
    as_seen,
    centre_sampling,
)

MAX_DIFFERENCE = 2e-5
"""Largest difference allowed between torch and ONNX Runtime in any number of a unit vector."""


class PictureGraph(nn.Module):
    """What is exported for the picture: (T, 64, 64) uint8 -> (T - 4, 256), all preparation inside."""

    def __init__(self, net: ClapboardS) -> None:
        super().__init__()
        self.lips = net.lips
        self.matrix = nn.Buffer(centre_sampling())

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        found: Tensor = self.lips(as_seen(images, self.matrix)[None])[0]
        return found


class SoundGraph(nn.Module):
    """What is exported for the sound: (R, 40) normalised rows -> (R - 19, 256), one vector every 10 ms."""

    def __init__(self, net: ClapboardS) -> None:
        super().__init__()
        self.sound = net.sound

    def forward(self, rows: Tensor) -> Tensor:
        """See the class."""
        found: Tensor = self.sound(rows[None], dense=True)[0]
        return found


def export_graph(graph: nn.Module, example: Tensor, axis: str, path: Path) -> float:
    """Write an ONNX file whose first axis is free, and return the largest difference to torch on another length.

    Raises
    ------
    RuntimeError : the difference is above `MAX_DIFFERENCE`
    """
    graph.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns about shapes that we keep free on purpose
        torch.onnx.export(
            graph,
            (example,),
            str(path),
            input_names=["input"],
            output_names=["embeddings"],
            dynamic_axes={"input": {0: axis}, "embeddings": {0: "windows"}},
            opset_version=17,
            dynamo=False,
        )
    session = onnx_runtime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    other = torch.cat([example, example.flip(0)])[: len(example) + 7]
    with torch.no_grad():
        expected = graph(other).numpy()
    difference = float(np.abs(session.run(None, {"input": other.numpy()})[0] - expected).max())
    if not difference <= MAX_DIFFERENCE:
        raise RuntimeError(f"{path.name}: ONNX Runtime and torch differ by {difference:g}")
    return difference


def load_weights(run: Path) -> ClapboardS:
    """The averaged network of a finished run."""
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    net = ClapboardS(recipe.get("width", 24), recipe.get("sound_width", 32), 0.0)
    net.load_state_dict(torch.load(run / "weights.pt", weights_only=True, map_location="cpu"))
    return net.eval()


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Export a trained model.")
    parser.add_argument("run", type=Path, help="folder of a finished training run")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--name", default="clapboard-s")
    parser.add_argument("--calibration", type=Path, help="JSON from clapboard.training.calibrate")
    parser.add_argument("--zero-ms", type=float, default=0.0, help="added to every offset")
    chosen = parser.parse_args(arguments)
    net = load_weights(chosen.run)
    chosen.out.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (40, CROP_PX, CROP_PX), generator=generator, dtype=torch.uint8)
    rows = torch.randn(80, 40, generator=generator)
    files = {}
    for stream, graph, example, axis in (
        ("picture", PictureGraph(net), images, "frames"),
        ("sound", SoundGraph(net), rows, "rows"),
    ):
        path = chosen.out / f"{chosen.name}.{stream}.onnx"
        difference = export_graph(graph, example, axis, path)
        files[stream] = {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, largest difference to torch {difference:.1e}")
    calibration = json.loads(chosen.calibration.read_text()) if chosen.calibration else {"bias": 0.0, "weights": {}}
    spec = {
        "name": chosen.name,
        "window_frames": WINDOW_FRAMES,
        "window_rows": WINDOW_ROWS,
        "crop_px": CROP_PX,
        "embedding": EMBEDDING,
        "zero_ms": chosen.zero_ms,
        "files": files,
        "calibration": calibration,
        "about": {"licence": "Apache-2.0", "recipe": tomllib.loads((chosen.run / "recipe.toml").read_text())},
    }
    (chosen.out / f"{chosen.name}.json").write_text(json.dumps(spec, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
