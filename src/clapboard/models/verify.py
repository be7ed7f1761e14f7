"""Whether a model does what its description says: its networks are run on made-up input."""

import numpy as np

from clapboard.errors import ModelError
from clapboard.models.any_session import AnySoundModel
from clapboard.models.foley_session import FLOW_PX, FoleyModel
from clapboard.models.session import SyncModel
from clapboard.synthesis.cues import MEL_BANDS
from clapboard.timebase import PICTURE_HZ, ROWS_PER_FRAME
from clapboard.values import F32, Crops

WINDOWS = 8
"""So many windows are embedded at once, and the last of them once more by themselves."""
LATER = 3
SAME = 1e-3
"""Largest difference allowed between the same window in both runs, in lengths of a vector."""

AnyModel = SyncModel | AnySoundModel | FoleyModel


def verify(model: AnyModel) -> None:
    """Run all networks and check shapes, that numbers are finite, and that a window sees its own frames alone.

    The SHA-256 of the weights and the shapes that the graphs state are checked already when a model is loaded.

    Raises
    ------
    ModelError : something is not as it should be; the line says which network and what
    """
    rng = np.random.default_rng(0)
    if isinstance(model, FoleyModel):
        _verify_foley(model, rng)
        return
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


def _verify_foley(model: FoleyModel, rng: np.random.Generator) -> None:
    """The same for a model that makes sound: rows away from both ends depend on the frames within its margin alone."""
    margin, px = model.spec.margin_frames, model.scene.px
    colours = (3,) if model.scene.colour else ()
    images = rng.integers(0, 256, (LATER + 2 * margin + WINDOWS, px, px, *colours), dtype=np.uint8)
    if model.spec.encoder is not None:
        use = model.spec.encoder
        given = rng.standard_normal((len(images) - 1, 2, FLOW_PX, FLOW_PX)).astype(np.float32)
        flow = given if "flow" in use.inputs else None
        coding = model.encode(images, flow)
        if use.kind != "seq":  # whose one state is of all frames
            later = model.encode(images[LATER:], None if flow is None else flow[LATER:])
            _require_whole(model, "encoder", coding[margin : -margin or None], later[margin : -margin or None])
        return
    skip = slice(ROWS_PER_FRAME * margin, -ROWS_PER_FRAME * margin or None)
    whole, after = model.cues(images), model.cues(images[LATER:])
    for one, other in ((whole.mel, after.mel), (whole.onset[:, None], after.onset[:, None])):
        _require_whole(model, "picture", one[skip], other[skip], LATER * ROWS_PER_FRAME)
    mel = rng.standard_normal((4 * WINDOWS, MEL_BANDS)).astype(np.float32)
    if model.spec.texture is not None and model.velocity is not None:
        cues = rng.standard_normal((len(mel), model.spec.texture.features)).astype(np.float32)
        _require_alive(model, "texture", model.velocity(mel, 0.5, cues))
    if model.vocoder is not None:
        _require_alive(model, "vocoder", model.vocoder(mel - 6)[0])


def _flat(places: F32) -> F32:
    """Attention by place, one row a window."""
    return places.reshape(len(places), -1)


def _require_alive(model: AnyModel, stage: str, values: F32) -> None:
    """Raise where numbers are not finite, or are all the same."""
    _require(model, stage, np.isfinite(values).all(), "it gives numbers that are not finite")
    _require(model, stage, np.ptp(values, axis=0).max() > 0, "it gives the same whatever goes in")


def _require_whole(model: AnyModel, stream: str, values: F32, later: F32, first: int = LATER) -> None:
    """Raise where the vectors of one network cannot be right; those of ``later`` are these from ``first`` on."""
    _require_alive(model, stream, values)
    length = float(np.linalg.norm(values, axis=1).max())
    apart = float(np.abs(values[first:] - later).max())
    _require(model, stream, apart <= SAME * length, "a window depends on what lies outside of it")


def _require(model: AnyModel, stream: str, good: bool | np.bool_, what: str) -> None:
    """Raise, naming the network, where something is not as it should be."""
    if not good:
        name = model.spec.files[stream]["name"]
        raise ModelError(f"{name} of {model.spec.name} is not whole: {what}; export the model again")
