"""Running a model in ONNX Runtime: arrays in, embeddings out.

T frames, R feature rows, D features.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import ModelError, UsageError
from clapboard.models import DEFAULT_MODEL
from clapboard.models.spec import STREAMS, ModelSpec
from clapboard.models.store import fingerprint, locate, read_weights
from clapboard.runtime import onnx_runtime
from clapboard.sound.kinds import KINDS, SoundKind
from clapboard.timebase import FEATURE_HZ
from clapboard.values import F32, Crops, Embeddings, Model
from clapboard.vision.views import VIEWS, View

BATCH_FRAMES = 64
"""Frames given to the network at once: more only costs memory."""


class SyncModel:
    """A two-stream model, ready to run.

    Parameters
    ----------
    name_or_path : a bundled name, or the ``.json`` of a model
    threads : for ONNX Runtime; 1 leaves the other cores to other work

    Raises
    ------
    ModelError : it cannot be found, its weights are not those expected, or its networks do not take what it says
    """

    def __init__(self, name_or_path: str | Path = DEFAULT_MODEL, *, threads: int = 1) -> None:
        path = locate(name_or_path)
        self.spec = ModelSpec.read(path)
        self._sessions = {stream: self._session(path.parent, stream, threads) for stream in STREAMS}

    def _session(self, folder: Path, stream: str, threads: int) -> Any:
        """One network, its weights checked and its inputs and outputs those of the spec."""
        weights = read_weights(folder, self.spec, stream)
        onnxruntime = onnx_runtime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of the runtime's own kinds, which share no base
            raise self._unusable(stream, f"ONNX Runtime cannot load it: {error}") from error
        inputs, outputs = session.get_inputs(), session.get_outputs()
        shape, kind = self.input_of(stream)
        good = len(inputs) == 1 and inputs[0].type == kind and _fits(inputs[0].shape, (None, *shape))
        if not good:
            found = ", ".join(f"{one.shape} {one.type}" for one in inputs)
            raise self._unusable(stream, f"it takes {found}, but {self._words(stream)} is (any, {shape}) {kind}")
        if not _fits(outputs[0].shape, (None, self.spec.embedding)):
            raise self._unusable(stream, f"it gives {outputs[0].shape}, not (any, {self.spec.embedding})")
        return session

    @property
    def view(self) -> View:
        """What it sees of a face."""
        return VIEWS[self.spec.view]

    @property
    def kind(self) -> SoundKind:
        """What it hears."""
        return KINDS[self.spec.sound]

    def input_of(self, stream: str) -> tuple[tuple[int, ...], str]:
        """Shape of one frame or row that a network takes, and the runtime's name of its type."""
        if stream == "picture":
            return (self.view.px, self.view.px, *((3,) if self.view.colour else ())), "tensor(uint8)"
        return (self.kind.features,), "tensor(float)"

    def _words(self, stream: str) -> str:
        """What goes into a network, for messages."""
        return f"the view {self.spec.view}" if stream == "picture" else f"the kind of sound {self.spec.sound}"

    def _unusable(self, stream: str, why: str) -> ModelError:
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

    def _run(self, stream: str, array: NDArray[Any], window: int) -> F32:
        """Vectors of all windows of one run of frames or rows, (len - window + 1, D)."""
        session = self._sessions[stream]
        try:
            found = np.asarray(session.run(None, {session.get_inputs()[0].name: array})[0], np.float32)
        except Exception as error:
            raise self._unusable(stream, f"ONNX Runtime cannot run it: {error}") from error
        expected = (len(array) - window + 1, self.spec.embedding)
        if found.shape != expected:
            raise self._unusable(stream, f"of {len(array)} it makes vectors {found.shape}, not {expected}")
        return found

    def embed_picture(self, crops: Crops) -> Embeddings:
        """Embeddings of all windows of a run of crops.

        Parameters
        ----------
        crops : (T, px, px) or (T, px, px, 3) uint8, of the model's view, on consecutive points of the picture grid

        Returns
        -------
        (T - window_frames + 1, D), at the mean of the true times of each window's frames; none for fewer frames

        Raises
        ------
        UsageError : the crops are of another size, or not in the view's colours
        ModelError : the network does not do what the spec says
        """
        frames, window = len(crops.images), self.spec.window_frames
        shape, _ = self.input_of("picture")
        if crops.images.shape[1:] != shape:
            raise UsageError(
                f"{self.spec.name} takes crops of {shape} px (the view {self.spec.view}), not {crops.images.shape[1:]}"
            )
        if frames < window:
            return Embeddings(np.zeros((0, self.spec.embedding), np.float32), np.zeros(0))
        parts = [
            self._run("picture", crops.images[start : start + BATCH_FRAMES + window - 1], window)
            for start in range(0, frames - window + 1, BATCH_FRAMES)
        ]
        time_s = np.lib.stride_tricks.sliding_window_view(crops.time_s, window).mean(1)
        return Embeddings(np.concatenate(parts), time_s)

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


def _fits(found: list[Any], wanted: tuple[int | None, ...]) -> bool:
    """Whether a graph's shape is the one wanted; what the graph leaves open (None or a name) fits anything."""
    return len(found) == len(wanted) and all(
        not isinstance(have, int) or have == want for have, want in zip(found, wanted, strict=True)
    )


def load_model(name_or_path: str | Path = DEFAULT_MODEL, *, threads: int = 1) -> SyncModel:
    """Load a bundled model by name, or one from the path of its ``.json``; see `SyncModel`."""
    return SyncModel(name_or_path, threads=threads)
