"""An exported model in 8-bit whole numbers: a quarter of the size, and on CPUs with such instructions twice as fast.

Weights are scaled channel by channel, what flows between layers by the range that it takes on clips of a data set. The
preparation of the picture and the last normalisation stay in float32.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from clapboard.dataset.align import MARGIN_ROWS, Aligned
from clapboard.errors import UsageError
from clapboard.models.session import SyncModel
from clapboard.models.spec import STREAMS
from clapboard.models.store import read_weights
from clapboard.runtime import onnx_quantization, onnx_runtime
from clapboard.training.export import name_and_hash, new_model
from clapboard.values import Features

CLIPS = 100
"""So many clips show what range the numbers take; more changed nothing."""
WINDOWS = 20
"""Windows of each clip."""
LEAST_LIKENESS = 0.98
"""Mean cosine between the embeddings of both models on these clips; below it a model is not worth having."""
OPERATIONS = ("Conv", "Gemm", "Relu", "Add", "AveragePool", "MaxPool", "Flatten", "Squeeze", "Unsqueeze", "Transpose")
"""What is done in whole numbers, from the first layer with weights on."""
SEED = 0


def shown(model: SyncModel, clips: Sequence[Aligned]) -> dict[str, list[NDArray[Any]]]:
    """What goes into both networks for a few windows of some clips, chosen by chance but the same every time."""
    spec, kind = model.spec, model.kind
    frames, rows = spec.window_frames + WINDOWS - 1, spec.window_rows + 4 * WINDOWS - 4
    long = [clip for clip in clips if len(clip.images) >= frames]
    picked = [long[i] for i in np.random.default_rng(SEED).permutation(len(long))[:CLIPS]]
    end = MARGIN_ROWS + rows
    return {
        "picture": [np.array(clip.images[:frames]) for clip in picked],
        "sound": [kind.finish(Features(c.bands, c.valid, 0.0), MARGIN_ROWS, end) for c in picked],
    }


class _Feed:
    """The runtime's way to be handed inputs, one by one."""

    def __init__(self, name: str, arrays: Sequence[NDArray[Any]]) -> None:
        self._left: Iterator[Mapping[str, NDArray[Any]]] = iter([{name: array} for array in arrays])

    def get_next(self) -> Mapping[str, NDArray[Any]] | None:
        return next(self._left, None)


def _before_weights(graph: Any) -> list[str]:
    """Names of the nodes that stay in float32: those that no layer with weights comes before."""
    behind: set[str] = set()
    early = []
    for node in graph.node:  # in the order of their computation
        if node.op_type in ("Conv", "Gemm") or behind.intersection(node.input):
            behind.update(node.output)
        else:
            early.append(node.name)
    return early


def _write(weights: bytes, arrays: Sequence[NDArray[Any]], made: Path, path: Path) -> None:
    """One network in 8 bits; ``made`` is a folder for what comes in between."""
    tool = onnx_quantization()
    given, ready = made / "given.onnx", made / "ready.onnx"
    given.write_bytes(weights)
    tool.shape_inference.quant_pre_process(str(given), str(ready), skip_symbolic_shape=True)
    graph = onnx.load(str(ready)).graph
    tool.quantize_static(
        str(ready),
        str(path),
        _Feed(graph.input[0].name, arrays),
        quant_format=tool.QuantFormat.QDQ,
        per_channel=True,
        activation_type=tool.QuantType.QUInt8,
        weight_type=tool.QuantType.QInt8,
        op_types_to_quantize=list(OPERATIONS),
        nodes_to_exclude=_before_weights(graph),
    )
    given.unlink()
    ready.unlink()


def _run(network: bytes | str, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Embeddings of all arrays, (n, D)."""
    session = onnx_runtime().InferenceSession(network, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: array})[0] for array in arrays])


def _likeness(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Mean cosine of vectors (n, D)."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.mean((one * other).sum(1) / np.maximum(lengths, 1e-12)))


def quantise(path: Path, folder: Path, clips: Sequence[Aligned], name: str | None = None) -> Path:
    """Write a model in 8 bits.

    Parameters
    ----------
    path : the ``.json`` of a model in float32
    folder : made where it is missing; files of the same name are replaced
    clips : of the model's view and kind of sound, as `clapboard.dataset.align.load` gives them
    name : of the new model; by default the old one's with ``-int8``

    Returns
    -------
    the path of its ``.json``; calibration and zero are those of the model in float32

    Raises
    ------
    UsageError : the clips are of another kind or too short, or the network does not bear 8 bits
    ModelError : the model cannot be used
    MediaError : the folder cannot be written to
    """
    model = SyncModel(path)
    spec = model.spec
    shape, _ = model.input_of("picture")
    for clip in clips[:1]:
        if clip.images.shape[1:] != shape or clip.kind != spec.sound:
            raise UsageError(
                f"{spec.name} takes the view {spec.view} and the sound {spec.sound}; give a data set with these"
            )
    arrays = shown(model, clips)
    if not arrays["picture"]:
        raise UsageError(f"no clip has {spec.window_frames + WINDOWS - 1} frames; give a data set with longer clips")
    new = name or f"{spec.name}-int8"
    with (
        new_model(folder, new) as made,
        tempfile.TemporaryDirectory(prefix=".clapboard-", dir=folder) as between,
    ):
        likeness, files = {}, {}
        for stream in STREAMS:
            target = made / f"{new}.{stream}.onnx"
            weights = read_weights(path.parent, spec, stream)
            _write(weights, arrays[stream], Path(between), target)
            likeness[stream] = _likeness(_run(weights, arrays[stream]), _run(str(target), arrays[stream]))
            if not likeness[stream] >= LEAST_LIKENESS:
                raise UsageError(
                    f"{spec.name} does not bear 8 bits: its {stream} embeddings keep a cosine of "
                    f"{likeness[stream]:.4f} only; use the model in float32"
                )
            files[stream] = name_and_hash(target)
        about = {k: v for k, v in spec.about.items() if k not in ("torch", "parity")}
        about["int8"] = {"of": spec.name, "clips": len(arrays["picture"]), "likeness": likeness}
        replace(spec, name=new, files=files, about=about).write(made / f"{new}.json")
    return folder / f"{new}.json"
