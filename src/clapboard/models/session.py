"""Running a model for lips: crops and rows in, embeddings out.

T frames, R feature rows, D features.
"""

from pathlib import Path

import numpy as np

from clapboard.errors import UsageError
from clapboard.models import DEFAULT_MODEL
from clapboard.models.networks import Networks, batches
from clapboard.models.spec import ModelSpec
from clapboard.models.store import locate
from clapboard.values import Crops, Embeddings
from clapboard.vision.views import VIEWS, View


class SyncModel(Networks[ModelSpec]):
    """A two-stream model for lips, ready to run.

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
        super().__init__(ModelSpec.read(path), path.parent, threads)

    @property
    def view(self) -> View:
        """What it sees of a face."""
        return VIEWS[self.spec.view]

    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one crop."""
        return self.view.px, self.view.px, *((3,) if self.view.colour else ())

    def picture_words(self) -> str:
        """What the picture's network sees, for messages."""
        return f"the view {self.spec.view}"

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
        shape = self.frame_shape()
        if crops.images.shape[1:] != shape:
            raise UsageError(
                f"{self.spec.name} takes crops of {shape} px (the view {self.spec.view}), not {crops.images.shape[1:]}"
            )
        if frames < window:
            return Embeddings(np.zeros((0, self.spec.embedding), np.float32), np.zeros(0))
        parts = [self._run("picture", crops.images[some], window) for some in batches(frames, window)]
        time_s = np.lib.stride_tricks.sliding_window_view(crops.time_s, window).mean(1)
        return Embeddings(np.concatenate(parts), time_s)


def load_model(name_or_path: str | Path = DEFAULT_MODEL, *, threads: int = 1) -> SyncModel:
    """Load a bundled model by name, or one from the path of its ``.json``; see `SyncModel`."""
    return SyncModel(name_or_path, threads=threads)
