"""Models that make sound from silent picture out of a few nodes, written as ONNX without any training.

The picture's cues are how much changed since the frame before: where something appears a blow begins in the first of
its frame's four rows. The vocoder's spectrum is the log-mel itself, and textures move towards their first cue.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from clapboard.models.foley_spec import EncoderUse, FoleySpec, TextureUse
from clapboard.synthesis.cues import MATERIALS, MEL_BANDS

MARGIN = 1
PX = 64
UNLIKELY, LIKELY = -6.0, 4.0
"""Logits of an onset in a row where nothing begins, and for each level that a frame changed by in the mean."""
FEATURES = 3
Outputs = dict[str, list[Any]]


class Sketch:
    """Writes a graph with named inputs and outputs, node by node."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any, dtype: type = np.int64) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, op: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        out = out or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], **attributes))
        return out

    def part(self, of: str, start: int, stop: int) -> str:
        return self.node("Slice", of, self.constant([start]), self.constant([stop]), self.constant([0]))

    def changes(self) -> str:
        """Mean change of each frame but those of the margin from the one before, levels, (T, 1)."""
        frames = self.node("Cast", "images", to=TensorProto.FLOAT)
        steps = self.node("Abs", self.node("Sub", self.part(frames, 1, -1), self.part(frames, 0, -2)))
        means = self.node("ReduceMean", steps, axes=[1, 2], keepdims=0)
        return self.node("Unsqueeze", means, self.constant([1]))

    def write(self, path: Path, inputs: dict[str, tuple[int, list[Any]]], outputs: Outputs) -> dict[str, str]:
        """Write the graph; its entry among the files of a spec."""
        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path.write_bytes(model.SerializeToString())
        return entry(path)


PICTURES = {"images": (TensorProto.UINT8, ["frames", PX, PX])}


def entry(path: Path) -> dict[str, str]:
    """What a description says of a file."""
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def picture_graph(path: Path, bands: int = MEL_BANDS, *, rows_in_frame: int = 4) -> dict[str, str]:
    """Changes -> cues; ``rows_in_frame`` other than 4 breaks the contract."""
    graph = Sketch()
    change = graph.changes()
    first = np.zeros((1, rows_in_frame))
    first[0, 0] = LIKELY
    logits = graph.node("MatMul", change, graph.constant(first, np.float32))
    rows = graph.node("Reshape", logits, graph.constant([-1]))
    graph.node("Add", rows, graph.constant(UNLIKELY, np.float32), out="onset")
    graph.node("Log", graph.node("Add", rows, graph.constant(1e-4, np.float32)), out="energy")
    column = graph.node("Unsqueeze", "energy", graph.constant([1]))
    wood = np.zeros((1, len(MATERIALS)))
    wood[0, MATERIALS.index("wood")] = 1.0
    graph.node("MatMul", column, graph.constant(wood, np.float32), out="materials")
    tilt = np.linspace(1.0, 1.5, bands)[None]
    graph.node("MatMul", column, graph.constant(tilt, np.float32), out="mel")
    outputs: Outputs = {
        "onset": ["rows"],
        "energy": ["rows"],
        "materials": ["rows", len(MATERIALS)],
        "mel": ["rows", bands],
    }
    return graph.write(path, PICTURES, outputs)


def texture_graph(path: Path) -> dict[str, str]:
    """Velocity: the first cue less what is there, for each second of what is left."""
    graph = Sketch()
    spread = np.zeros((FEATURES, MEL_BANDS))
    spread[0] = 1.0
    goal = graph.node("MatMul", "cues", graph.constant(spread, np.float32))
    left = graph.node("Sub", graph.constant([1.0], np.float32), "time")
    graph.node("Div", graph.node("Sub", goal, "noisy"), left, out="velocity")
    inputs = {
        "noisy": (TensorProto.FLOAT, ["rows", MEL_BANDS]),
        "time": (TensorProto.FLOAT, [1]),
        "cues": (TensorProto.FLOAT, ["rows", FEATURES]),
    }
    return graph.write(path, inputs, {"velocity": ["rows", MEL_BANDS]})


def vocoder_graph(path: Path) -> dict[str, str]:
    """A spectrum that is the log-mel, and its negative."""
    graph = Sketch()
    graph.node("Identity", "mel", out="real")
    graph.node("Neg", "mel", out="imag")
    shape: list[Any] = ["rows", MEL_BANDS]
    return graph.write(path, {"mel": (TensorProto.FLOAT, shape)}, {"real": shape, "imag": shape})


def encoder_graph(path: Path, kind: str) -> dict[str, str]:
    """What changed, a row a frame; of the kind flow its mean motion to the right too, of the kind seq one sum."""
    graph, inputs = Sketch(), dict(PICTURES)
    row = graph.node("MatMul", graph.changes(), graph.constant([[1.0, 0.0, -1.0]], np.float32))
    if kind == "flow":
        inputs["flow"] = (TensorProto.FLOAT, ["steps", 2, "height", "width"])
        motion = graph.node("ReduceMean", graph.part("flow", MARGIN, 1 << 30), axes=[2, 3], keepdims=0)
        row = graph.node("Add", row, graph.node("MatMul", motion, graph.constant(np.eye(2, 3, 1), np.float32)))
    if kind == "seq":
        row = graph.node("ReduceSum", row, graph.constant([0]), keepdims=1)
    graph.node("Identity", row, out="state")
    return graph.write(path, inputs, {"state": ["rows", FEATURES]})


def write_tiny_foley(folder: Path, *, name: str = "tiny-foley", stages: tuple[str, ...] = (), **values: Any) -> Path:
    """Write a model of the method cues; ``stages`` beside the picture's. The path of its JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"picture": picture_graph(folder / f"{name}.picture.onnx")}
    known: dict[str, Any] = {"materials": MATERIALS, "margin_frames": MARGIN}
    if "texture" in stages:
        files["texture"] = texture_graph(folder / f"{name}.texture.onnx")
        known["texture"] = TextureUse((-6.0,) * MEL_BANDS, (2.0,) * MEL_BANDS, FEATURES)
    if "vocoder" in stages:
        files["vocoder"] = vocoder_graph(folder / f"{name}.vocoder.onnx")
    spec = FoleySpec(name=name, method="cues", scene="scene-64", files=files, **{**known, **values})
    spec.write(folder / f"{name}.json")
    return folder / f"{name}.json"


def write_tiny_samplernn(folder: Path, kind: str = "frame", *, name: str = "tiny-rnn", **values: Any) -> Path:
    """Write a model of the method samplernn with an encoder of some kind. The path of its JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = ("images", "flow") if kind == "flow" else ("images",)
    weights = folder / f"{name}.safetensors"
    save_file({"embedding": np.arange(6, dtype=np.float32).reshape(2, 3)}, weights)
    files = {"encoder": encoder_graph(folder / f"{name}.encoder.onnx", kind), "samples": entry(weights)}
    use = EncoderUse(kind, inputs, "state", FEATURES, {"dim": 3})
    known: dict[str, Any] = {"margin_frames": MARGIN, "encoder": use}
    spec = FoleySpec(name=name, method="samplernn", scene="scene-64", files=files, **{**known, **values})
    spec.write(folder / f"{name}.json")
    return folder / f"{name}.json"


def appearing(frames: int, at: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Pictures of noise that change at some frames and stand still otherwise, (T, 64, 64) uint8."""
    rng = np.random.default_rng(seed)
    images = np.empty((frames, PX, PX), np.uint8)
    image = rng.integers(0, 256, (PX, PX), dtype=np.uint8)
    for frame in range(frames):
        if frame in at:
            image = rng.integers(0, 256, (PX, PX), dtype=np.uint8)
        images[frame] = image
    return images
