"""Rendered textures in the picture: what is heard is seen to move at that moment, where the boxes say."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from clapboard.media.probe import probe
from clapboard.testing import render_texture, write_events
from clapboard.testing.events.plan import Plan
from clapboard.testing.events.staging import stage
from clapboard.testing.textures import TEXTURES
from clapboard.testing.textures.classes import TextureKind, TextureLooks
from clapboard.testing.textures.motion import Motion
from clapboard.testing.textures.painting import Texture, draw_texture, paint_texture
from clapboard.testing.textures.sounding import sound_texture


def shown(seed: int, kind: TextureKind, *, rate_hz: int = 25, px: int = 64) -> tuple[Texture, np.ndarray, np.ndarray]:
    """Return a texture alone before a plain wall, 6 s of it: itself, its pictures (T, px, px), its boxes (T, 4)."""
    rng = np.random.default_rng(seed)
    looks = TextureLooks.draw(rng, kind, "train")
    texture = draw_texture(rng, looks, Motion.draw(rng, looks, 6.0, pauses=True), 0.5, 90.0)
    plan = Plan(6.0, "dense", "train", (), 90.0, 8.0, None, clean=True, dry=True)
    time_s = np.arange(6 * rate_hz) / rate_hz
    beside = [partial(paint_texture, texture)]
    images, boxes = stage(np.random.default_rng(seed), plan, time_s, px, colour=False, beside=beside)
    bare, none = stage(np.random.default_rng(seed), plan, time_s, px, colour=False)
    assert none.shape == (0, len(time_s), 4)
    mask = np.abs(images.astype(int) - bare) > 3
    for picture, box in zip(mask, boxes[0], strict=True):
        left, top, right, bottom = np.clip(box, 0, px).astype(int)
        rest = picture.copy()
        rest[top:bottom, left:right] = False
        assert not rest.any()
    return texture, images, boxes[0]


@pytest.mark.parametrize("kind", TEXTURES)
def test_the_picture_moves_while_it_sounds(kind: TextureKind) -> None:
    """Protects what there is to learn: still where it is silent, and the faster it goes the more changes.

    Also that no pixel of it is outside its box, which `shown` makes sure of.
    """
    stills, changes = [], []
    for seed in range(5):
        texture, images, _ = shown(seed, kind)
        time_s = np.arange(len(images)) / 25
        motion = texture.motion
        moved = np.abs(np.diff(images.astype(float), axis=0)).mean((1, 2))
        # a saw that stands may still be lifted
        going = np.abs(np.diff(motion.at(motion.cycles, time_s)))
        lifted = np.abs(np.diff(motion.at(motion.contact, time_s)))
        stills += list(moved[(going == 0) & (lifted < 1e-9)])
        # at the ends of a stroke a saw is slow, too
        slow = [np.convolve(curve, np.ones(11) / 11, "valid") for curve in (going, moved)]
        changes.append(np.corrcoef(*slow)[0, 1])
    assert len(stills) > 20
    assert max(stills) == 0
    assert np.mean(changes) > 0.4


def test_a_blade_is_at_the_mast_when_it_thumps() -> None:
    """Protects the moment: the mast lights up as a blade passes it when the sound is loudest, within 10 ms."""
    lags = []
    for seed in range(4):
        texture, images, _ = shown(seed, "rotor", rate_hz=100, px=128)
        wave = sound_texture(np.random.default_rng(1), texture, 16_000, 11 * 16_000)
        power = (wave[round(2.495 * 16_000) :][: 600 * 160].reshape(600, 160) ** 2).mean(1)
        column, row = round(texture.x * 128), round((texture.y + 0.12 * texture.looks.size) * 128)
        light = images[:, row, column - 1 : column + 1].astype(float).mean(1)  # of the mast, or of a blade before it
        together = [np.corrcoef(power[10:-10], np.roll(light, lag)[10:-10])[0, 1] for lag in range(-6, 7)]
        assert max(together) > 0.2
        lags.append(int(np.argmax(together)) - 6)
    assert np.abs(lags).max() <= 1


def test_a_saw_goes_down_when_it_bites() -> None:
    """Protects contact: the blade is lower in pictures in which it is in the wood."""
    texture, _, boxes = shown(2, "saw")
    contact = texture.motion.at(texture.motion.contact, np.arange(len(boxes)) / 25)
    assert boxes[contact > 0.9, 1].min() > boxes[contact < 0.1, 1].max()


def test_files_of_textures(tmp_path: Path) -> None:
    """Protects `write_events` for textures: a playable file of the clip's length."""
    clip = render_texture(1, seconds=2.0)
    made = probe(write_events(clip, tmp_path / "texture.mp4"))
    assert abs(made.duration_s - 2.0) < 0.1
