"""Optical flow: pictures moved by a known amount give that flow, and nothing else moves."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.vision.optical_flow import LEAST_PX, same_light, tvl1

PX = 32
FINE = 4
"""Pictures are drawn so many times finer and averaged over the area of each pixel."""
RIM = 4
"""Places from which things leave the picture, or enter it, are not judged (px)."""


def textures(places: list[tuple[float, float]], seed: int = 0, smooth_px: float = 1.5) -> np.ndarray:
    """Pictures (T, PX, PX) of one rough surface, moved by dx, dy px; moved as a spectrum, so exactly."""
    side = 2 * PX * FINE
    down, across = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
    surface = np.fft.rfft2(np.random.default_rng(seed).normal(size=(side, side)))
    surface *= np.exp(-2 * (np.pi * smooth_px * FINE) ** 2 * (down**2 + across**2))
    pictures = []
    for dx, dy in places:
        moved = np.fft.irfft2(surface * np.exp(-2j * np.pi * FINE * (across * dx + down * dy)), (side, side))
        part = moved[side // 4 : -side // 4, side // 4 : -side // 4]
        pictures.append(part.reshape(PX, FINE, PX, FINE).mean(axis=(1, 3)))
    found = np.stack(pictures)
    return np.clip(120 + 40 * (found - found.mean()) / found.std(), 0, 255).round().astype(np.uint8)


def disc(x: float, y: float, radius_px: float = 5.0) -> np.ndarray:
    """A bright disc over a still, slightly rough background, and what of it covers each pixel."""
    at = (np.arange(PX * 8) + 0.5) / 8
    covered = ((at - x) ** 2 + (at[:, None] - y) ** 2 < radius_px**2).reshape(PX, 8, PX, 8).mean(axis=(1, 3))
    behind = 100 + (textures([(0, 0)])[0].astype(float) - 120) / 4
    return np.stack([(covered * 200 + (1 - covered) * behind), covered])


@pytest.mark.parametrize("move", [(0.3, 0.0), (-0.3, 0.0), (0.0, 0.7), (0.0, -0.7), (1.4, -0.9), (-2.0, 2.0), (3, 1)])
def test_known_moves_are_found(move: tuple[float, float]) -> None:
    """Protects sign, scale and sub-pixel accuracy, on both axes and on every level of the pyramid."""
    flow = tvl1(textures([(0, 0), move]))
    assert flow.shape == (1, 2, PX, PX)
    assert flow.dtype == np.float32
    inside = flow[0, :, RIM:-RIM, RIM:-RIM]
    assert np.hypot(inside[0] - move[0], inside[1] - move[1]).mean() < 0.15


def test_the_coarse_levels_find_what_the_fine_one_cannot() -> None:
    """Protects the pyramid: 6 px is further than a few warps by the slopes of pixels reach."""
    pictures = textures([(0, 0), (6, 0)])
    alone, together = (np.abs(tvl1(pictures, levels=levels, warps=2)[0, 0, 8:-8, 8:-8] - 6).mean() for levels in (1, 3))
    assert together < 0.3
    assert alone > 1.5


def test_a_still_picture_does_not_move() -> None:
    """Protects against flow out of nothing: a still, and one with the noise of a camera."""
    still = textures([(0, 0)] * 3)
    np.testing.assert_array_equal(tvl1(still), 0)
    np.testing.assert_array_equal(tvl1(np.full((2, PX, PX), 77, np.uint8)), 0)
    noisy = still + np.random.default_rng(1).normal(0, 1.5, still.shape).astype(np.float32)
    assert np.hypot(*tvl1(noisy.astype(np.float32)).transpose(1, 0, 2, 3)).mean() < 0.05


def test_a_disc_moves_and_its_background_does_not() -> None:
    """Protects what total variation is for: motion ends at the edge of what moves."""
    (before, covered), (after, there) = disc(14, 16), disc(15.5, 15)
    flow = tvl1(np.stack([before, after]).astype(np.float32))[0]
    inside = flow[:, covered > 0.99].mean(axis=1)
    assert inside[0] == pytest.approx(1.5, abs=0.25)
    assert inside[1] == pytest.approx(-1.0, abs=0.25)
    away = (covered == 0) & (there == 0)
    assert np.hypot(flow[0], flow[1])[away].mean() < 0.1


@pytest.mark.parametrize(("gain", "bias"), [(1.0, 25.0), (1.0, -25.0), (0.75, 0.0), (1.2, -10.0)])
def test_a_change_of_light_is_no_motion(gain: float, bias: float) -> None:
    """Protects clips with flashes and automatic exposure; without the fit the same change is taken for motion."""
    pictures = textures([(0, 0), (0.8, 0.5)]).astype(np.float32)
    pictures[1] = gain * pictures[1] + bias
    inside = tvl1(pictures)[0, :, RIM:-RIM, RIM:-RIM]
    assert np.hypot(inside[0] - 0.8, inside[1] - 0.5).mean() < 0.15
    plain = tvl1(pictures, light=False)[0, :, RIM:-RIM, RIM:-RIM]
    assert np.hypot(plain[0] - 0.8, plain[1] - 0.5).mean() > 0.3


def test_light_is_fitted_by_what_stays() -> None:
    """Protects scenes with a large bright thing that enters: the rest of the picture keeps its levels."""
    first = textures([(0, 0)]).astype(np.float32)
    second = first.copy()
    second[0, :16, :16] = 255
    same = same_light(first, second)
    assert np.abs(same - first)[0, 16:].mean() < 1.0


def test_a_pair_does_not_depend_on_its_company() -> None:
    """Protects batching: a clip gives bit by bit what its pairs give, also across the border of a chunk."""
    rng = np.random.default_rng(3)
    clip = textures([tuple(at) for at in np.cumsum(rng.normal(0, 0.7, (70, 2)), axis=0)])
    whole = tvl1(clip, warps=2, iterations=5)
    assert whole.shape == (69, 2, PX, PX)
    for at in (0, 31, 32, 68):
        np.testing.assert_array_equal(whole[at], tvl1(clip[at : at + 2], warps=2, iterations=5)[0])


def test_other_sizes() -> None:
    """Protects odd and oblong pictures, and clips too short to have a flow."""
    pictures = textures([(0, 0), (0.6, -0.4)])[:, :27, :19]
    inside = tvl1(pictures)[0, :, RIM:-RIM, RIM:-RIM]
    assert np.hypot(inside[0] - 0.6, inside[1] + 0.4).mean() < 0.15
    assert tvl1(pictures[:1]).shape == (0, 2, 27, 19)
    assert tvl1(pictures[:, :LEAST_PX, :LEAST_PX]).shape == (1, 2, LEAST_PX, LEAST_PX)


@pytest.mark.parametrize(
    ("images", "settings", "what"),
    [
        (np.zeros((2, 32, 32, 3), np.uint8), {}, "gray pictures"),
        (np.zeros((0, 32, 32), np.uint8), {}, "gray pictures"),
        (np.zeros((2, 7, 32), np.uint8), {}, "at least 8 px"),
        (np.zeros((2, 32, 32)), {}, "not float64"),
        (np.full((2, 32, 32), np.nan, np.float32), {}, "finite"),
        (np.zeros((2, 32, 32), np.uint8), {"warps": 0}, "must be positive"),
        (np.zeros((2, 32, 32), np.uint8), {"data_weight": float("nan")}, "must be positive"),
    ],
)
def test_what_cannot_be_solved_is_refused(images: np.ndarray, settings: dict[str, float], what: str) -> None:
    """Protects callers from flow of something that is no clip."""
    with pytest.raises(UsageError, match=what):
        tvl1(images, **settings)
