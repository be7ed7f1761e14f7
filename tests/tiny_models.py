"""Two-stream models of a few numbers, for any view and kind of sound, written as ONNX without any training.

The picture is how dark the mouth is, the sound how loud it is; a window is five such numbers, about their mean and of
length 1. On rendered faces that finds the offset, so whoever uses them sees whether the whole way through holds.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from clapboard.models.spec import Calibration, ModelSpec
from clapboard.sound.kinds import KINDS
from clapboard.vision.views import VIEWS

FRAMES = 5
ROWS = {"log-mel-40": 20, "mfcc-13": 20, "mel-80": 19}
MOUTH = {"mouth": (0.35, 0.75, 0.25, 0.75), "head": (0.46, 0.64, 0.38, 0.62), "face": (0.6, 0.88, 0.3, 0.7)}
"""Where the mouth is in a crop: top, bottom, left, right, parts of the crop."""
LOUD = {"log-mel-40": (0, 40), "mfcc-13": (0, 1), "mel-80": (0, 80)}
"""Numbers of a row that say how loud it is."""


class Graph:
    """Writes nodes one after the other."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.at = "input"

    def constant(self, values: Any, dtype: type = np.int64) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, op: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add a node; without inputs it goes on from the last one."""
        out = out or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs) or [self.at], [out], **attributes))
        self.at = out
        return out

    def slice(self, axis: int, start: int, stop: int) -> None:
        bounds = [self.constant([value]) for value in (start, stop, axis)]
        self.node("Slice", self.at, *bounds)

    def windows(self, kernel: np.ndarray, length: float) -> None:
        """One number a step -> the vectors of all windows, about their mean, of one length: (n,) -> (n - k + 1, D)."""
        self.node("Reshape", self.at, self.constant([1, 1, -1]))
        self.node("Conv", self.at, self.constant(kernel[:, None], np.float32))
        self.node("Squeeze", self.at, self.constant([0]))
        found = self.node("Transpose", perm=[1, 0])
        middle = self.node("ReduceMean", axes=[1], keepdims=1)
        found = self.node("Sub", found, middle)
        size = self.node("ReduceL2", axes=[1], keepdims=1)
        size = self.node("Add", size, self.constant(1e-6, np.float32))
        unit = self.node("Div", found, size)
        self.node("Mul", unit, self.constant(length, np.float32), out="embeddings")

    def write(self, path: Path, kind: int, shape: list[Any], outputs: list[tuple[str, list[Any]]]) -> dict[str, str]:
        """Write the graph, which gives these names and shapes; its entry among the files of a spec."""
        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [helper.make_tensor_value_info("input", kind, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, given) for name, given in outputs],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path.write_bytes(model.SerializeToString())
        return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def picture_graph(view: str, path: Path, length: float = 1.0) -> dict[str, str]:
    """How dark the mouth is, (T, px, px) or (T, px, px, 3) uint8 -> (T - 4, 5)."""
    seen, graph = VIEWS[view], Graph()
    top, bottom, left, right = (round(part * seen.px) for part in MOUTH[seen.region])
    graph.slice(1, top, bottom)
    graph.slice(2, left, right)
    graph.node("Cast", to=TensorProto.FLOAT)
    axes = [1, 2, 3] if seen.colour else [1, 2]
    graph.node("ReduceMean", axes=axes, keepdims=0)
    graph.node("Neg")
    graph.windows(np.eye(FRAMES), length)
    shape = ["frames", seen.px, seen.px, *([3] if seen.colour else [])]
    return graph.write(path, TensorProto.UINT8, shape, [("embeddings", ["windows", FRAMES])])


def sound_graph(sound: str, path: Path, length: float = 1.0) -> dict[str, str]:
    """How loud it is, (R, features) float32 -> (R - rows + 1, 5)."""
    graph = Graph()
    graph.slice(1, *LOUD[sound])
    graph.node("ReduceMean", axes=[1], keepdims=0)
    kernel = np.repeat(np.eye(FRAMES), 4, axis=1)[:, : ROWS[sound]]
    graph.windows(kernel / kernel.sum(1, keepdims=True), length)
    return graph.write(path, TensorProto.FLOAT, ["rows", KINDS[sound].features], [("embeddings", ["windows", FRAMES])])


def write_tiny(
    folder: Path,
    view: str = "mouth-64",
    sound: str = "log-mel-40",
    *,
    name: str = "tiny",
    length: float = 1.0,
    **values: Any,
) -> Path:
    """Write a model whose vectors have that length; ``values`` are those of its spec. The path of its JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "picture": picture_graph(view, folder / f"{name}.picture.onnx", length),
        "sound": sound_graph(sound, folder / f"{name}.sound.onnx", length),
    }
    known = {"window_frames": FRAMES, "window_rows": ROWS[sound], "embedding": FRAMES, "zero_ms": 0.0}
    spec = ModelSpec(name=name, view=view, sound=sound, files=files, **{**known, **values})
    spec.write(folder / f"{name}.json")
    return folder / f"{name}.json"


SURE = Calibration(20.0, {})
"""A calibration that believes everything."""
