"""Eyes that blink and look about, painted over the sockets; not tied to the speech in any way."""

import numpy as np
from numpy.typing import NDArray

from clapboard.testing.identity import Identity
from clapboard.testing.pose import drift
from clapboard.testing.speaker import STREAM_POSE, generator
from clapboard.values import F32, F64

REACH = 0.34
"""Nothing is painted farther than this from the middle of an eye, in eye distances."""
BLINK_S = 0.09
"""From an open eye to a shut one (s)."""


def blinks(seed: int, times_s: F64) -> F64:
    """How far the lids are down at some times, (T,) 0 to 1."""
    rng = generator(seed, STREAM_POSE, 1)
    shut = np.zeros(len(times_s))
    at_s = -2.0
    while len(times_s) and at_s < times_s.max() + 1:
        at_s += float(rng.uniform(1.2, 6.0))
        part = np.clip(1 - np.abs(times_s - at_s) / BLINK_S, 0, 1)
        shut = np.maximum(shut, part * part * (3 - 2 * part))
    return shut


def gaze(seed: int, times_s: F64) -> F64:
    """Where the eyes look, (T, 2), shift of the iris in eye distances."""
    rng = generator(seed, STREAM_POSE, 2)
    return np.stack([drift(rng, times_s, 0.05, (0.1, 0.7)), drift(rng, times_s, 0.015, (0.1, 0.7))], axis=1)


def paint_eye(
    tone: F32, x: F32, y: F32, *, identity: Identity, shut: float, look: NDArray[np.float64], soft: float
) -> F32:
    """Paint one eye over skin.

    Parameters
    ----------
    tone : (h, w), luma of the skin
    x, y : (h, w), place of each pixel relative to the middle of the eye, in eye distances
    identity : whose eye
    shut : how far the lid is down, 0 to 1
    look : (2,) shift of the iris
    soft : width of an edge, in eye distances

    Returns
    -------
    (h, w) float32, luma
    """
    inv = np.float32(1 / soft)
    x, y = x / np.float32(identity.eye_size), y / np.float32(identity.eye_size)
    square = (x / np.float32(0.185)) ** 2
    bow = np.maximum(1 - square, 0)
    upper = np.float32(-0.09 + 0.13 * shut) * bow
    lower = np.float32(0.06) * bow
    # crease of the upper lid, shadow of the lashes
    fold = np.abs(y - upper + np.float32(0.06)) * np.float32(1 / max(0.03, soft))
    tone = tone * (1 - np.float32(0.25) * np.maximum(1 - fold, 0) * (square < 1.2))
    inside = np.clip(np.minimum(y - upper, lower - y) * inv + np.float32(0.5), 0, 1) * (square < 1)
    round_ = np.hypot(x - np.float32(look[0]), y - np.float32(look[1]))
    ball = np.float32(min(identity.skin * 1.2 + 15, 225)) * (1 - np.float32(0.3) * square)
    ball = ball + np.clip((np.float32(0.085) - round_) * inv + np.float32(0.5), 0, 1) * (
        np.float32(identity.iris) - ball
    )
    ball = ball + np.clip((np.float32(0.04) - round_) * inv + np.float32(0.5), 0, 1) * (10 - ball)
    glint = np.hypot(x - np.float32(look[0] - 0.03), y - np.float32(look[1] - 0.03))
    ball = ball + np.clip((np.float32(0.018) - glint) * inv + np.float32(0.5), 0, 1) * (230 - ball)
    ball = ball * np.clip(np.float32(0.55) + (y - upper) * 9, 0, 1)
    tone = tone + inside * (ball - tone)
    lash = np.abs(y - upper) * np.float32(1 / max(0.025, soft))
    return np.asarray(tone * (1 - np.float32(0.7) * np.maximum(1 - lash, 0) * (square < 1)), dtype=np.float32)
