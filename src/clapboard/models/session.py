"""Running a model in ONNX Runtime: arrays in, embeddings out.

T frames, R feature rows, D features.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.models.spec import ModelSpec
from clapboard.models.store import DEFAULT_MODEL, fingerprint, locate, read_weights
from clapboard.runtime import onnx_runtime
from clapboard.timebase import FEATURE_HZ
from clapboard.values import F32, Crops, Embeddings, Model

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
    ModelError : it cannot be found, or its weights are not those expected
    """

    def __init__(self, name_or_path: str | Path = DEFAULT_MODEL, *, threads: int = 1) -> None:
        onnxruntime = onnx_runtime()
        path = locate(name_or_path)
        self.spec = ModelSpec.read(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._sessions = {
            stream: onnxruntime.InferenceSession(
                read_weights(path.parent, self.spec, stream), options, providers=["CPUExecutionProvider"]
            )
            for stream in ("picture", "sound")
        }

    @property
    def versions(self) -> dict[str, str]:
        """Version of the runtime that gives the numbers."""
        return {"onnxruntime": str(onnx_runtime().__version__)}

    @property
    def model(self) -> Model:
        """Name and fingerprint, for reports."""
        return Model(self.spec.name, fingerprint(self.spec))

    def _run(self, stream: str, array: NDArray[Any]) -> F32:
        session = self._sessions[stream]
        return np.asarray(session.run(None, {session.get_inputs()[0].name: array})[0], np.float32)

    def embed_picture(self, crops: Crops) -> Embeddings:
        """Embeddings of all windows of a run of mouth crops.

        Parameters
        ----------
        crops : (T, 64, 64) uint8 on consecutive points of the picture grid

        Returns
        -------
        (T - 4, D) unit vectors, at the mean of the true times of each window's frames; none for fewer frames

        Raises
        ------
        UsageError : the crops are of another size
        """
        frames, window = len(crops.images), self.spec.window_frames
        if crops.images.shape[1:] != (self.spec.crop_px, self.spec.crop_px):
            raise UsageError(f"{self.spec.name} takes crops of {self.spec.crop_px} px, not {crops.images.shape[1:]}")
        if frames < window:
            return Embeddings(np.zeros((0, self.spec.embedding), np.float32), np.zeros(0))
        parts = [
            self._run("picture", crops.images[start : start + BATCH_FRAMES + window - 1])
            for start in range(0, frames - window + 1, BATCH_FRAMES)
        ]
        time_s = np.lib.stride_tricks.sliding_window_view(crops.time_s, window).mean(1)
        return Embeddings(np.concatenate(parts), time_s)

    def embed_sound(self, rows: F32, valid: NDArray[np.bool_], first_s: float) -> Embeddings:
        """Embeddings of every window of normalised feature rows, every 10 ms.

        Parameters
        ----------
        rows : (R, F) float32 normalised log-mel
        valid : (R,) bool, rows with sound
        first_s : middle of row 0, s

        Returns
        -------
        (R - 19, D) unit vectors, NaN where a window holds a row without sound; times are the windows' middles
        """
        window = self.spec.window_rows
        if len(rows) < window:
            return Embeddings(np.zeros((0, self.spec.embedding), np.float32), np.zeros(0))
        values = self._run("sound", rows)
        values[~np.lib.stride_tricks.sliding_window_view(valid, window).all(1)] = np.nan
        return Embeddings(values, first_s + (np.arange(len(values)) + (window - 1) / 2) / FEATURE_HZ)


def load_model(name_or_path: str | Path = DEFAULT_MODEL, *, threads: int = 1) -> SyncModel:
    """Load a bundled model by name, or one from the path of its ``.json``; see `SyncModel`."""
    return SyncModel(name_or_path, threads=threads)
