"""`clapboard.embeddings`: what is made in pieces equals what is made at once, and boxes belong to their windows."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from clapboard import embeddings
from clapboard.models.session import SyncModel, load_model
from clapboard.pipeline import Measured
from clapboard.sound.kinds import KINDS
from clapboard.values import Embeddings, Features, Shot, Track


@pytest.fixture(scope="module")
def model() -> SyncModel:
    """The bundled model."""
    return load_model()


def measured(rows: int, gap: tuple[int, int] = (0, 0), first_s: float = 0.0325, **fields: Any) -> Measured:
    """Random sound with a gap, silent from its middle on, and whatever else is given."""
    values = np.random.default_rng(5).normal(-6, 2, (rows, 40)).astype(np.float16)
    values[rows // 2 :] = -18
    valid = np.ones(rows, np.bool_)
    valid[slice(*gap)] = False
    features = Features(values, valid, first_s)
    return Measured(**{"clip": None, "lips": {}, "tracks": {}, **fields, "features": features, "speech": features})


@pytest.mark.parametrize("sound_hz", embeddings.SOUND_HZ)
def test_sound_in_pieces_is_sound_at_once(model: SyncModel, sound_hz: int) -> None:
    """Protects the seams of long files: 45 s take three pieces, with a gap at one seam and an end inside the last."""
    long = measured(4510, gap=(1990, 2005))
    rows = KINDS[model.spec.sound].finish(long.features)
    whole = model.embed_sound(rows, long.features.valid, long.features.first_s)
    sound, active = embeddings._sound(long, model, sound_hz)
    step = 100 // sound_hz
    first = int(np.argmin(np.abs(whole.time_s - sound.time_s[0])))
    assert first < step
    expected = whole.values[first::step]
    assert sound.values.shape == expected.shape
    assert sound.time_s == pytest.approx(whole.time_s[first::step])
    assert np.array_equal(np.isnan(sound.values), np.isnan(expected))
    assert np.nanmax(np.abs(sound.values - expected)) < 1e-3
    assert active.shape == sound.time_s.shape
    middle_s = long.features.first_s + 22.55
    in_gap = np.isnan(sound.values).any(1)
    assert active[(sound.time_s < middle_s - 0.02) & ~in_gap].all()
    assert not active[sound.time_s > middle_s + 0.02].any()


@pytest.mark.parametrize("first_s", [0.0, 0.0125, 0.021, 0.039, 1.234])
def test_a_sound_embedding_for_every_picture(model: SyncModel, first_s: float) -> None:
    """At 25 Hz the middle of each window is within 5 ms of a point of the picture grid, wherever the sound begins."""
    time_s = embeddings._sound(measured(300, first_s=first_s), model, 25)[0].time_s
    assert np.abs(time_s * 25 - np.round(time_s * 25)).max() / 25 <= 0.005 + 1e-9
    assert time_s[0] - first_s < 0.095 + 0.04


@pytest.mark.parametrize("rows", [0, 19, 20, 21])
def test_hardly_any_sound(model: SyncModel, rows: int) -> None:
    """Less than one window gives none, not an error; one window gives one."""
    sound, active = embeddings._sound(measured(rows), model, 100)
    assert len(sound.values) == len(active) == len(sound.time_s) == max(0, rows - 19)


def test_boxes_are_those_of_the_middle_frame() -> None:
    """Protects against boxes that run two frames ahead of their windows, also where frames come unevenly."""
    time_s = np.cumsum(np.r_[0.0, np.random.default_rng(2).uniform(0.03, 0.05, 29)])
    boxes = np.arange(30, dtype=np.float32)[:, None] + np.zeros((30, 4), np.float32)
    track = Track(0, Shot(0, 2), time_s, boxes, np.zeros((30, 5, 2), np.float32), np.zeros(30, np.bool_))
    windows_s = np.lib.stride_tricks.sliding_window_view(time_s, 5).mean(1)
    lips = Embeddings(np.zeros((26, 256), np.float32), windows_s)
    found = embeddings._boxes_at(measured(0, lips={0: lips}, tracks={0: track}), 0)
    assert np.array_equal(found[:, 0], np.arange(2, 28))


def test_an_unknown_rate_is_refused() -> None:
    """Before anything is read."""
    with pytest.raises(ValueError, match="25 or 100 times a second, not 50"):
        embeddings.features("nowhere.mp4", sound_hz=50, model=cast(SyncModel, SimpleNamespace()))
