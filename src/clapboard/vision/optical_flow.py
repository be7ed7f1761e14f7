"""Optical flow: how far each place of a picture has moved in the next one, by TV-L1, for whole clips of small pictures.

The flow u minimises the total variation of both its components plus ``data_weight`` times the absolute difference of
the pictures along it [1]_, coarse to fine with warps at every level as the reference code does [2]_; what is left
between two warps is convex and is solved by the primal-dual steps of [3]_ (section 6.3), which need no quadratic
coupling. The slope of the data is the mean of the slopes of both pictures [4]_. Brightness that changes over the whole
picture is taken out before.

Sign: u is the *forward* flow, ``images[t + 1][y + dy, x + dx] = images[t][y, x]``: dx > 0 moves to the right, dy > 0
moves down. The backward flow is that of the clip in reverse.

All pairs of a clip are solved at once, a chunk that fits the cache at a time. The pair is the last axis of every array
here, so that neighbours in the picture are long runs of memory; a pair's flow does not depend on its company.

References
----------
.. [1] C. Zach, T. Pock and H. Bischof, "A duality based approach for realtime TV-L1 optical flow", DAGM 2007.
.. [2] J. Sanchez, E. Meinhardt-Llopis and G. Facciolo, "TV-L1 optical flow estimation", Image Processing On Line 3,
   2013: levels, warps, no data term where a warp leaves the picture.
.. [3] A. Chambolle and T. Pock, "A first-order primal-dual algorithm for convex problems with applications to
   imaging", Journal of Mathematical Imaging and Vision 40, 2011.
.. [4] D. Sun, S. Roth and M. Black, "Secrets of optical flow estimation and their principles", CVPR 2010.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.values import F32

LEAST_PX = 8
"""Pictures are at least so high and wide, and no level of the pyramid is smaller."""
CHUNK_PX = 32_768
"""About so many places are solved at once, 32 pairs of 32 px: larger chunks leave the cache, smaller ones spend their
time in calls."""
STEP = 0.125
"""Product of primal and dual step; the squared norm of the gradient is at most 8 [3]_."""
PRIMAL_STEP = 0.5
"""Step of the primal variable, px; of 0.125 to 1 any does as well, 2 does worse."""
LIGHT_FITS = 4
"""Times that the change of brightness is fitted, each time with new weights."""
LIGHT_LEVELS = 8.0
"""A pixel so far from the fit counts half (levels)."""
LIGHT_LEFT = 0.9
"""The fit is used where no more than this share of the difference is left: where the camera moves and the light stays
0.98 to 1 is left, and a fit would only disturb; a gain of 0.75, or 25 levels more, leave 0.4 to 0.6."""
SMOOTH_TAPS = np.exp(-(np.arange(-3, 4, dtype=np.float32) ** 2) / 2)
"""Pictures are smoothed before, by 1 px ([2]_: 0.8): a sharp edge that moves by half a pixel has no slope to follow."""
NO_SLOPE = 1e-3
"""Squared gradients below this (levels^2) say nothing of motion."""


def tvl1(
    images: NDArray[np.uint8] | F32,
    *,
    levels: int = 3,
    warps: int = 5,
    iterations: int = 20,
    data_weight: float = 0.1,
    light: bool = True,
) -> F32:
    """Flow from each picture to the next.

    Parameters
    ----------
    images : (T, H, W) uint8, or float32 in the same levels of 0 to 255; T >= 1, sides of at least `LEAST_PX`
    levels : of the pyramid, each half the size of the one before; as many as the size allows are used
    warps : times that the second picture is warped and the problem made linear, at every level
    iterations : primal-dual steps after each warp
    data_weight : of the pictures against the smoothness of the flow, 1 / level. More finds the motion of smaller things
        (a bright disc of radius 2 px hardly moves at 0.05), less is truer where the whole picture moves
    light : take out gain and bias between the two pictures before

    Returns
    -------
    (T - 1, 2, H, W) float32, px per picture: dx, dy

    Raises
    ------
    UsageError : another shape or kind of images, values that are no numbers, or a setting that makes no sense
    """
    settings = _Settings(levels, warps, iterations, data_weight)
    _require(images, settings)
    pairs, height, width = len(images) - 1, *images.shape[1:]
    found = np.empty((pairs, 2, height, width), np.float32)
    count = max(1, CHUNK_PX // (height * width))
    for start in range(0, pairs, count):
        chunk = images[start : start + count + 1].astype(np.float32)
        first, second = chunk[:-1], chunk[1:]
        if light:
            second = same_light(first, second)
        first, second = (np.ascontiguousarray(stack.transpose(1, 2, 0)) for stack in (first, second))
        flow = _flow_of(first, second, settings)
        found[start : start + count] = flow.transpose(3, 0, 1, 2)
    return found


def same_light(first: F32, second: F32) -> F32:
    """The second pictures with gain and bias changed so that their brightness is that of the first.

    The difference of two pictures is fitted by a line in their mean, robustly: pixels far from the line hardly count,
    so that an object that enters changes nothing. A line in either picture alone would take motion for a loss of
    contrast.

    Parameters
    ----------
    first, second : (N, H, W) float32

    Returns
    -------
    (N, H, W) float32
    """
    middle = ((first + second) * np.float32(0.5)).reshape(len(first), -1)
    change = (second - first).reshape(len(first), -1)
    fitted = np.median(change, axis=1, keepdims=True)
    for _ in range(LIGHT_FITS):
        weights = 1 / (1 + ((change - fitted) * np.float32(1 / LIGHT_LEVELS)) ** 2)
        total = weights.sum(axis=1, keepdims=True)
        mean = (weights * change).sum(axis=1, keepdims=True) / total
        away = middle - (weights * middle).sum(axis=1, keepdims=True) / total
        spread = (weights * away * away).sum(axis=1, keepdims=True)
        slope = (weights * away * change).sum(axis=1, keepdims=True) / np.maximum(spread, total)
        fitted = mean + slope * away
    left = np.abs(change - fitted).sum(axis=1, keepdims=True)
    fitted *= left <= LIGHT_LEFT * np.abs(change).sum(axis=1, keepdims=True)
    return np.asarray(second - fitted.reshape(second.shape), np.float32)


@dataclass(frozen=True, slots=True)
class _Settings:
    """How a problem is solved; see `tvl1`."""

    levels: int
    warps: int
    iterations: int
    data_weight: float


@dataclass(frozen=True, slots=True)
class _Linear:
    """The data term about one warp: rest + slope . u, where slope is 0 wherever the warp leaves the picture."""

    slope: F32  # (2, H, W, N)
    rest: F32  # (H, W, N)
    inverse: F32  # (H, W, N) 1 / |slope|^2


def _flow_of(first: F32, second: F32, settings: _Settings) -> F32:
    """Flow (2, H, W, N) between two stacks of pictures (H, W, N), coarse to fine."""
    pyramid = [(_smooth(first), _smooth(second))]
    while len(pyramid) < settings.levels and min(pyramid[-1][0].shape[:2]) >= 2 * LEAST_PX:
        pyramid.append((_half(pyramid[-1][0]), _half(pyramid[-1][1])))
    flow = np.zeros((2, *pyramid[-1][0].shape), np.float32)
    for level, (here, there) in enumerate(reversed(pyramid)):
        if level:
            flow = _double(flow, here.shape)
        solver, slope = _Solver(flow, settings.data_weight), _slope(here)
        for _ in range(settings.warps):
            solver.run(_linear(here, slope, there, flow), settings.iterations)
    return flow


class _Solver:
    """Primal-dual steps on one level; the dual variable goes on from warp to warp."""

    def __init__(self, flow: F32, data_weight: float) -> None:
        self._u = flow
        self._limit = np.float32(PRIMAL_STEP / STEP)  # the dual variable is kept divided by its step
        self._most = np.float32(PRIMAL_STEP * data_weight)
        self._ahead = flow.copy()  # u extrapolated
        self._across, self._down = np.zeros_like(flow), np.zeros_like(flow)
        self._long, self._work = np.empty_like(flow), np.empty_like(flow)
        self._one = np.empty_like(flow[0])

    def run(self, data: _Linear, iterations: int) -> None:
        """Solve in place."""
        for _ in range(iterations):
            self._dual()
            self._primal(data)

    def _dual(self) -> None:
        """The dual variable follows the gradient of the flow; where it is too long it is cut to the ball."""
        ahead, across, down, work, length = self._ahead, self._across, self._down, self._work, self._long
        np.subtract(ahead[:, :, 1:], ahead[:, :, :-1], out=work[:, :, :-1])
        across[:, :, :-1] += work[:, :, :-1]
        np.subtract(ahead[:, 1:], ahead[:, :-1], out=work[:, :-1])
        down[:, :-1] += work[:, :-1]
        np.multiply(across, across, out=length)
        np.multiply(down, down, out=work)
        length += work
        np.maximum(length, self._limit * self._limit, out=length)
        np.sqrt(length, out=length)
        np.divide(self._limit, length, out=length)
        across *= length
        down *= length

    def _primal(self, data: _Linear) -> None:
        """The flow follows the divergence of the dual variable, then the data: the threshold of [1]_, equation 15."""
        u, across, down, work, one, ahead = self._u, self._across, self._down, self._work, self._one, self._ahead
        np.copyto(ahead, u)
        np.add(across, down, out=work)
        work[:, :, 1:] -= across[:, :, :-1]
        work[:, 1:] -= down[:, :-1]
        work *= np.float32(STEP)
        u += work
        np.multiply(data.slope, u, out=work)
        np.add(work[0], work[1], out=one)
        one += data.rest
        one *= data.inverse
        np.clip(one, -self._most, self._most, out=one)
        np.multiply(data.slope, one, out=work)
        u -= work
        np.subtract(u, ahead, out=ahead)
        ahead += u


def _linear(first: F32, slope_of_first: F32, second: F32, flow: F32) -> _Linear:
    """The second picture warped back by a flow, and how its difference from the first changes with the flow.

    Value and slope of the second are those of one cubic (Catmull-Rom) surface through the 4 x 4 pixels about a place.
    """
    height, width, count = first.shape
    rows, shares_y, slopes_y, inside = _taps(flow[1] + np.arange(height, dtype=np.float32)[:, None, None], height)
    columns, shares_x, slopes_x, within = _taps(flow[0] + np.arange(width, dtype=np.float32)[:, None], width)
    inside &= within
    flat = second.reshape(-1)
    columns = [column * count + np.arange(count, dtype=np.int32) for column in columns]
    rest, slope = -first, slope_of_first.copy()
    value, tilt, tap, work = (np.empty_like(first) for _ in range(4))
    for row, share_y, slope_y in zip(rows, shares_y, slopes_y, strict=True):
        start = row * np.int32(width * count)
        value[:] = 0
        tilt[:] = 0
        for column, share_x, slope_x in zip(columns, shares_x, slopes_x, strict=True):
            np.take(flat, start + column, out=tap, mode="clip")
            value += np.multiply(tap, share_x, out=work)
            tilt += np.multiply(tap, slope_x, out=work)
        rest += np.multiply(value, share_y, out=work)
        slope[0] += np.multiply(tilt, share_y, out=work)
        slope[1] += np.multiply(value, slope_y, out=work)
    slope *= np.float32(0.5)
    slope *= inside
    square = slope[0] * slope[0] + slope[1] * slope[1]
    rest -= slope[0] * flow[0] + slope[1] * flow[1]
    inverse = np.where(square > NO_SLOPE, 1 / np.maximum(square, np.float32(NO_SLOPE)), np.float32(0))
    return _Linear(slope, rest, inverse)


def _taps(at: F32, size: int) -> tuple[list[NDArray[np.int32]], list[F32], list[F32], NDArray[np.bool_]]:
    """Four neighbours on one axis, clamped to the picture, their shares and their slopes, and what lies inside."""
    inside = (at >= 0) & (at <= size - 1)
    at = np.clip(at, 0, size - 1)
    left = at.astype(np.int32)
    t = at - left
    neighbours = [np.clip(left + step, 0, size - 1) for step in (-1, 0, 1, 2)]
    half, square = np.float32(0.5), t * t
    cube = square * t
    shares = [
        half * (2 * square - cube - t),
        half * (3 * cube - 5 * square) + 1,
        half * (4 * square - 3 * cube + t),
        half * (cube - square),
    ]
    slopes = [
        half * (4 * t - 3 * square - 1),
        half * (9 * square - 10 * t),
        half * (8 * t - 9 * square + 1),
        half * (3 * square - 2 * t),
    ]
    return neighbours, shares, slopes, inside


def _slope(images: F32) -> F32:
    """Slopes (2, H, W, N) of pictures (H, W, N) to the right and down, levels / px."""
    return np.asarray(np.stack([np.gradient(images, axis=1), np.gradient(images, axis=0)]), np.float32)


def _smooth(images: F32) -> F32:
    """Pictures (H, W, N) without their finest detail; what is outside is as at the border."""
    reach = len(SMOOTH_TAPS) // 2
    taps = SMOOTH_TAPS / SMOOTH_TAPS.sum()
    padded = np.pad(images, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    rows = taps[0] * padded[: len(images)]
    for at, tap in enumerate(taps[1:], start=1):
        rows += tap * padded[at : at + len(images)]
    padded, width = np.pad(rows, ((0, 0), (reach, reach), (0, 0)), mode="edge"), images.shape[1]
    out = taps[0] * padded[:, :width]
    for at, tap in enumerate(taps[1:], start=1):
        out += tap * padded[:, at : at + width]
    return np.asarray(out, np.float32)


def _half(images: F32) -> F32:
    """Means of 2 x 2 pixels of (H, W, N); an odd last row or column is taken twice."""
    height, width = images.shape[:2]
    if height % 2 or width % 2:
        images = np.pad(images, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rows = images[::2] + images[1::2]
    return np.asarray((rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25), np.float32)


def _double(flow: F32, shape: tuple[int, ...]) -> F32:
    """Flow of a level on the level below: each place four times, and twice as far."""
    larger = flow.repeat(2, axis=1).repeat(2, axis=2)[:, : shape[0], : shape[1]]
    return np.ascontiguousarray(larger * np.float32(2))


def _require(images: NDArray[np.uint8] | F32, settings: _Settings) -> None:
    """Refuse what cannot be solved.

    Raises
    ------
    UsageError : as said
    """
    if images.ndim != 3 or not len(images) or min(images.shape[1:]) < LEAST_PX:
        raise UsageError(f"flow needs gray pictures (T, H, W) of at least {LEAST_PX} px, not {images.shape}")
    if images.dtype not in (np.uint8, np.float32):
        raise UsageError(f"flow needs pictures of uint8 or float32, not {images.dtype}")
    if images.dtype == np.float32 and not np.isfinite(images).all():
        raise UsageError("flow needs pictures of finite numbers")
    if min(settings.levels, settings.warps, settings.iterations) < 1 or not 0 < settings.data_weight < np.inf:
        raise UsageError(f"levels, warps, iterations and data_weight must be positive, not {settings}")
