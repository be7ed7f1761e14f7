"""Shrinking and sampling keep what they must: means, places, borders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.vision.resample import Mips, resize, shrink


@given(st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_shrink_is_the_mean_of_blocks(factor: int, seed: int) -> None:
    """Against the plain definition, for every factor, with rows and columns left over."""
    image = np.random.default_rng(seed).integers(0, 256, (37, 53)).astype(np.uint8)
    height, width = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor).astype(float)
    np.testing.assert_allclose(shrink(image, factor), blocks.mean(axis=(1, 3)), atol=0.5 + 1e-3)


def test_shrink_of_white_stays_white() -> None:
    """The sums fit their integers at the largest factor."""
    assert (shrink(np.full((32, 32), 255, np.uint8), 16) == 255).all()


def test_resize_of_a_slope_is_exact() -> None:
    """Bilinear sampling of a linear picture gives the value at the middle of each sample, wherever the window lies."""
    image = np.tile(np.arange(100, dtype=np.uint8), (20, 1))
    got = resize(image, (10.25, 3.0, 42.25, 13.0), 5, 16)
    np.testing.assert_allclose(got, np.tile(10.25 + (np.arange(16) + 0.5) * 2 - 0.5, (5, 1)), atol=1e-4)


def test_resize_repeats_the_border() -> None:
    """A window that leaves the picture sees its border pixels, not black."""
    image = np.array([[10, 200], [10, 200]], np.uint8)
    got = resize(image, (-6.0, 0.0, 8.0, 2.0), 1, 7)
    np.testing.assert_allclose(got[0, [0, 1, 2, 4, 5, 6]], [10, 10, 10, 200, 200, 200])


@pytest.mark.parametrize("side", [10.0, 24.0, 60.0, 200.0, 400.0])
def test_mips_sample_like_one_picture(side: float) -> None:
    """Boxes of any size see the same slope, whatever level they are taken from, inside and outside the picture."""
    across = np.linspace(0, 250, 640)
    mips = Mips(np.tile(np.rint(across), (360, 1)).astype(np.uint8), 6)
    got = mips.sample(np.array([[300.0, 100.0, 300 + side, 100 + side], [-900.0, 0.0, -800.0, 100.0]]), 24)
    want = np.interp(300 + (np.arange(24) + 0.5) * side / 24, np.arange(640) + 0.5, across)
    np.testing.assert_allclose(got[0].mean(axis=0), want, atol=2.0)
    assert np.abs(got[1]).max() <= 4
