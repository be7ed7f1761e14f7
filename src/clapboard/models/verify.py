"""Whether a model does what its description says: both networks are run on made-up input."""

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import ModelError
from clapboard.models.session import SyncModel
from clapboard.timebase import PICTURE_HZ
from clapboard.values import Crops, Embeddings

WINDOWS = 8
"""So many windows are embedded at once, and the last of them once more by themselves."""
LATER = 3
SAME = 1e-3
"""Largest difference allowed between the same window in both runs, in lengths of a vector."""


def verify(model: SyncModel) -> None:
    """Run both networks and check shapes, that numbers are finite, and that a window sees its own frames alone.

    The SHA-256 of the weights and the shapes that the graphs state are checked already when a model is loaded.

    Raises
    ------
    ModelError : something is not as it should be; the line says which network and what
    """
    rng = np.random.default_rng(0)
    shape, _ = model.input_of("picture")
    images = rng.integers(0, 256, (WINDOWS + model.spec.window_frames - 1, *shape), dtype=np.uint8)
    time_s = np.arange(len(images)) / PICTURE_HZ
    _require_whole(
        model,
        "picture",
        model.embed_picture(Crops(0, images, time_s)),
        model.embed_picture(Crops(0, images[LATER:], time_s[LATER:])),
    )
    rows = rng.standard_normal((WINDOWS + model.spec.window_rows - 1, model.kind.features)).astype(np.float32)
    valid = np.ones(len(rows), np.bool_)
    _require_whole(
        model, "sound", model.embed_sound(rows, valid, 0.0), model.embed_sound(rows[LATER:], valid[LATER:], 0.0)
    )


def _require_whole(model: SyncModel, stream: str, whole: Embeddings, later: Embeddings) -> None:
    """Raise where the vectors of one network cannot be right."""

    def require(good: bool | np.bool_, what: str) -> None:
        if not good:
            name = model.spec.files[stream]["name"]
            raise ModelError(f"{name} of {model.spec.name} is not whole: {what}; export the model again")

    values: NDArray[np.float32] = whole.values
    require(np.isfinite(values).all(), "it gives numbers that are not finite")
    require(np.ptp(values, axis=0).max() > 0, "it gives the same whatever goes in")
    length = float(np.linalg.norm(values, axis=1).max())
    apart = float(np.abs(values[LATER:] - later.values).max())
    require(apart <= SAME * length, "a window depends on what lies outside of it")
