"""Two networks in ONNX Runtime, one for each stream: loaded, checked against their description, and run.

T frames, R feature rows, D features.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import ModelError, UsageError
from clapboard.models.description import STREAMS, Described
from clapboard.models.store import fingerprint, read_weights
from clapboard.runtime import onnx_runtime
from clapboard.sound.kinds import KINDS, SoundKind
from clapboard.timebase import FEATURE_HZ
from clapboard.values import F32, Embeddings, Model

BATCH_FRAMES = 64
"""Frames given to the network at once: more only costs memory."""
Spec = TypeVar("Spec", bound=Described)
Shape = tuple[int | None, ...]


class Networks(Generic[Spec]):
    """Both networks of a model, ready to run; the kinds of models stand on this.

    Parameters
    ----------
    spec : description of the model
    folder : where its networks lie
    threads : for ONNX Runtime; 1 leaves the other cores to other work

    Raises
    ------
    ModelError : the weights are not those expected, or the networks do not take or give what the description says
    """

    def __init__(self, spec: Spec, folder: Path, threads: int = 1) -> None:
        self.spec = spec
        self._sessions = {stream: self._session(folder, stream, threads) for stream in STREAMS}

    def _session(self, folder: Path, stream: str, threads: int) -> Any:
        """One network, its weights checked and its inputs and outputs those of the spec."""
        weights = read_weights(folder, self.spec, stream)
        try:
            session = open_network(weights, threads)
        except Exception as error:  # of the runtime's own kinds, which share no base
            raise self.unusable(stream, f"ONNX Runtime cannot load it: {error}") from error
        inputs, outputs = session.get_inputs(), session.get_outputs()
        shape, kind = self.input_of(stream)
        good = len(inputs) == 1 and inputs[0].type == kind and fits(inputs[0].shape, (None, *shape))
        if not good:
            found = ", ".join(f"{one.shape} {one.type}" for one in inputs)
            raise self.unusable(stream, f"it takes {found}, but {self._words(stream)} is (any, {shape}) {kind}")
        wanted = self.outputs_of(stream)
        if len(outputs) < len(wanted):
            raise self.unusable(stream, f"it gives {len(outputs)} arrays, not {len(wanted)}")
        for output, rest in zip(outputs, wanted, strict=False):
            if not fits(output.shape, (None, *rest)):
                raise self.unusable(stream, f"it gives {output.shape}, not (any, {', '.join(map(str, rest))})")
        return session

    @property
    def kind(self) -> SoundKind:
        """What it hears."""
        return KINDS[self.spec.sound]

    def input_of(self, stream: str) -> tuple[tuple[int, ...], str]:
        """Shape of one frame or row that a network takes, and the runtime's name of its type."""
        if stream == "picture":
            return self.frame_shape(), "tensor(uint8)"
        return (self.kind.features,), "tensor(float)"

    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one picture that the network takes."""
        raise NotImplementedError

    def outputs_of(self, stream: str) -> tuple[tuple[int, ...], ...]:
        """Shape of what a network gives for one window, array by array."""
        del stream
        return ((self.spec.embedding,),)

    def _words(self, stream: str) -> str:
        """What goes into a network, for messages."""
        return self.picture_words() if stream == "picture" else f"the kind of sound {self.spec.sound}"

    def picture_words(self) -> str:
        """What the picture's network sees, for messages."""
        raise NotImplementedError

    def unusable(self, stream: str, why: str) -> ModelError:
        """The error of a network that is not what the spec says, on one line."""
        name = self.spec.files[stream]["name"]
        return ModelError(f"{name} of {self.spec.name} cannot be used: {' '.join(why.split())}; export the model again")

    @property
    def versions(self) -> dict[str, str]:
        """Version of the runtime that gives the numbers."""
        return {"onnxruntime": str(onnx_runtime().__version__)}

    @property
    def model(self) -> Model:
        """Name and fingerprint, for reports."""
        return Model(self.spec.name, fingerprint(self.spec))

    def _arrays(self, stream: str, array: NDArray[Any], window: int) -> list[F32]:
        """All arrays that a network gives for one run of frames or rows, each (len - window + 1, ...)."""
        session, windows = self._sessions[stream], len(array) - window + 1
        try:
            given = session.run(None, {session.get_inputs()[0].name: array})
        except Exception as error:
            raise self.unusable(stream, f"ONNX Runtime cannot run it: {error}") from error
        found = [np.asarray(one, np.float32) for one, _ in zip(given, self.outputs_of(stream), strict=False)]
        for one, rest in zip(found, self.outputs_of(stream), strict=True):
            if one.shape != (windows, *rest):
                raise self.unusable(stream, f"of {len(array)} it makes vectors {one.shape}, not {(windows, *rest)}")
        return found

    def _run(self, stream: str, array: NDArray[Any], window: int) -> F32:
        """Vectors of all windows of one run of frames or rows, (len - window + 1, D)."""
        return self._arrays(stream, array, window)[0]

    def embed_sound(self, rows: F32, valid: NDArray[np.bool_], first_s: float) -> Embeddings:
        """Embeddings of every window of feature rows, every 10 ms.

        Parameters
        ----------
        rows : (R, F) float32, finished rows of the model's kind of sound
        valid : (R,) bool, rows with sound
        first_s : middle of row 0, s

        Returns
        -------
        (R - window_rows + 1, D), NaN where a window holds a row without sound; times are the windows' middles

        Raises
        ------
        UsageError : the rows are of another kind
        ModelError : the network does not do what the spec says
        """
        window = self.spec.window_rows
        if rows.shape[1:] != (self.kind.features,):
            raise UsageError(
                f"{self.spec.name} takes rows of {self.kind.features} numbers ({self.spec.sound}), not {rows.shape[1:]}"
            )
        if len(rows) < window:
            return Embeddings(np.zeros((0, self.spec.embedding), np.float32), np.zeros(0))
        values = self._run("sound", rows, window)
        values[~np.lib.stride_tricks.sliding_window_view(valid, window).all(1)] = np.nan
        return Embeddings(values, first_s + (np.arange(len(values)) + (window - 1) / 2) / FEATURE_HZ)


def open_network(weights: bytes, threads: int) -> Any:
    """A network in ONNX Runtime, on the CPU; raises errors of the runtime's own kinds where it cannot be loaded."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def batches(frames: int, window: int) -> Iterator[slice]:
    """Frames to run at once, so that every window comes once."""
    for start in range(0, frames - window + 1, BATCH_FRAMES):
        yield slice(start, start + BATCH_FRAMES + window - 1)


def fits(found: list[Any], wanted: Shape) -> bool:
    """Whether a graph's shape is the one wanted; what the graph leaves open (None or a name) fits anything."""
    return len(found) == len(wanted) and all(
        not isinstance(have, int) or have == want for have, want in zip(found, wanted, strict=True)
    )
