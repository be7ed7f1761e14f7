"""Augmentation changes how a clip looks and sounds, and nothing else: no frame and no row moves."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.sound.kinds import KINDS  # noqa: E402
from clapboard.training.augment import apply_look, change_sound, draw_look  # noqa: E402
from clapboard.training.recipe import NO_CHANGE, Augmentation  # noqa: E402

EVERYTHING = Augmentation(reverb=1.0, codec=1.0, noise=1.0, babble=1.0)


def flash(frames: int = 12, at: int = 7, colours: int = 1) -> torch.Tensor:
    """Four clips of random pictures, (4, T, C, 64, 64), that do not move but for one frame, which is inverted."""
    rng = np.random.default_rng(0)
    images = np.repeat(rng.integers(0, 256, (4, 1, colours, 64, 64), dtype=np.uint8), frames, 1)
    images[:, at] = 255 - images[:, at]
    return torch.from_numpy(images)


@pytest.mark.parametrize("colours", [1, 3])
def test_no_frame_moves(colours: int) -> None:
    """Protects the clock of the picture: one transform for all frames of a clip, so only the odd frame stays odd."""
    how = Augmentation(repeats=0, grain=0)
    seen = apply_look(flash(colours=colours), draw_look(np.random.default_rng(1), 4, 12, 54 / 64, how), 48)
    assert seen.shape == (4, 12, colours, 48, 48)
    changes = (seen - seen[:, :1]).abs().mean((2, 3, 4))
    assert changes.argmax(1).tolist() == [7] * 4
    assert changes[:, [i for i in range(12) if i != 7]].abs().max() < 1e-3


def test_without_changes_the_middle_is_seen() -> None:
    """Protects judging: nothing changed is the middle of the crop, as the exported network takes it."""
    from clapboard.training.nets import build

    images = flash()
    seen = apply_look(images, draw_look(np.random.default_rng(1), 4, 12, 54 / 64, NO_CHANGE), 48)
    torch.testing.assert_close(seen, build("clapboard-s", {"width": 8, "sound_width": 8}).see(images), atol=0.3, rtol=0)


def test_repeats_show_the_frame_before() -> None:
    """Protects dropped frames as they are seen in files: one frame shown twice, the rest untouched."""
    images = torch.arange(12, dtype=torch.uint8)[None, :, None, None, None].expand(3, 12, 1, 64, 64) * 10
    how = replace(NO_CHANGE, repeats=1.0)
    look = draw_look(np.random.default_rng(1), 3, 12, 1.0, how)
    seen = apply_look(images, look, 64).mean((2, 3, 4))
    for clip, frame in enumerate(look.repeated.tolist()):
        assert 1 <= frame < 12
        assert seen[clip, frame] == seen[clip, frame - 1]
        assert (seen[clip].diff() == 0).sum() == 1


@pytest.mark.parametrize("name", sorted(KINDS))
def test_no_row_moves(name: str) -> None:
    """Protects the clock of the sound, reverb included: the loudest row of a click stays where it is."""
    kind = KINDS[name]
    samples = np.random.default_rng(0).normal(0, 1e-3, 16_000).astype(np.float32)
    samples[8000:8160] += 0.5 * np.random.default_rng(1).standard_normal(160).astype(np.float32)
    bands = np.repeat(kind.bands(samples)[None], 4, 0)
    changed = change_sound(bands, np.ones(bands.shape[:2], bool), np.random.default_rng(2), EVERYTHING, kind)
    assert changed.shape == bands.shape
    assert changed.dtype == np.float32
    loudest = np.exp(bands.astype(np.float64)).sum(2).argmax(1)
    assert np.abs(np.exp(changed.astype(np.float64)).sum(2).argmax(1) - loudest).max() <= 1
    assert not np.allclose(changed[0], changed[1]), "clips are changed differently"


def test_reverb_only_comes_after_the_sound() -> None:
    """Protects against a delayed direct sound: an echo adds power after a click and none before or in it."""
    how = replace(NO_CHANGE, reverb=1.0)
    bands = np.full((2, 60, 40), -15, np.float32)
    bands[:, 20] = 0
    changed = change_sound(bands, np.ones((2, 60), bool), np.random.default_rng(0), how, KINDS["log-mel-40"])
    gained = (changed - bands).mean(2)
    assert np.abs(gained[:, 20]).max() < 0.05
    assert gained[:, :20].max() < 1.2 < gained[:, 21].min()
    assert (np.diff(gained[:, 21:30], axis=1) < 0).all(), "it dies away"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_without_changes_the_sound_is_the_same(name: str) -> None:
    """Protects judging: no change is no change, in every kind."""
    kind = KINDS[name]
    bands = kind.bands(np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32))[None]
    changed = change_sound(bands, np.ones(bands.shape[:2], bool), np.random.default_rng(2), NO_CHANGE, kind)
    np.testing.assert_allclose(changed, bands, atol=1e-5)


def test_the_energy_follows_its_bands() -> None:
    """Protects MFCC's first coefficient: noise that doubles the power of every band doubles the energy."""
    kind = KINDS["mfcc-13"]
    bands = kind.bands(np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32))[None]
    how = replace(NO_CHANGE, volume=0.5)
    changed = change_sound(bands, np.ones(bands.shape[:2], bool), np.random.default_rng(0), how, kind)
    np.testing.assert_allclose(changed - bands, np.full_like(bands, (changed - bands)[0, 0, 0]), atol=1e-4)
