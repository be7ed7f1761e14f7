"""Whether a model does what its description says: both networks are run on made-up input."""

import numpy as np

from clapboard.errors import ModelError
from clapboard.models.any_session import AnySoundModel
from clapboard.models.session import SyncModel
from clapboard.timebase import PICTURE_HZ
from clapboard.values import F32, Crops

WINDOWS = 8
"""So many windows are embedded at once, and the last of them once more by themselves."""
LATER = 3
SAME = 1e-3
"""Largest difference allowed between the same window in both runs, in lengths of a vector."""


def verify(model: SyncModel | AnySoundModel) -> None:
    """Run both networks and check shapes, that numbers are finite, and that a window sees its own frames alone.

    The SHA-256 of the weights and the shapes that the graphs state are checked already when a model is loaded.

    Raises
    ------
    ModelError : something is not as it should be; the line says which network and what
    """
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (WINDOWS + model.spec.window_frames - 1, *model.frame_shape()), dtype=np.uint8)
    time_s = np.arange(len(images)) / PICTURE_HZ
    whole, later = Crops(0, images, time_s), Crops(0, images[LATER:], time_s[LATER:])
    if isinstance(model, AnySoundModel):
        seen, seen_later = model.look(whole), model.look(later)
        _require_whole(model, "picture", seen.values, seen_later.values)
        _require_whole(model, "picture", _flat(seen.places), _flat(seen_later.places))
    else:
        _require_whole(model, "picture", model.embed_picture(whole).values, model.embed_picture(later).values)
    rows = rng.standard_normal((WINDOWS + model.spec.window_rows - 1, model.kind.features)).astype(np.float32)
    valid = np.ones(len(rows), np.bool_)
    heard, heard_later = model.embed_sound(rows, valid, 0.0), model.embed_sound(rows[LATER:], valid[LATER:], 0.0)
    _require_whole(model, "sound", heard.values, heard_later.values)


def _flat(places: F32) -> F32:
    """Attention by place, one row a window."""
    return places.reshape(len(places), -1)


def _require_whole(model: SyncModel | AnySoundModel, stream: str, values: F32, later: F32) -> None:
    """Raise where the vectors of one network cannot be right."""

    def require(good: bool | np.bool_, what: str) -> None:
        if not good:
            name = model.spec.files[stream]["name"]
            raise ModelError(f"{name} of {model.spec.name} is not whole: {what}; export the model again")

    require(np.isfinite(values).all(), "it gives numbers that are not finite")
    require(np.ptp(values, axis=0).max() > 0, "it gives the same whatever goes in")
    length = float(np.linalg.norm(values, axis=1).max())
    apart = float(np.abs(values[LATER:] - later).max())
    require(apart <= SAME * length, "a window depends on what lies outside of it")
