"""Mouth crops straight from the curves, without a picture around them: fast, for training and for tests of networks."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.testing.articulation import LEAD_S, Articulation, Lips, speak
from clapboard.testing.identity import Identity, Texture, paint_head
from clapboard.testing.mouth import MouthShape, jaw_drop, mouth_shape, paint_mouth
from clapboard.testing.pose import drift, face_points, nose_shift, turned
from clapboard.testing.speaker import STREAM_CROP, Speaker, generator
from clapboard.testing.synthesis import voice
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import F32, F64

CROP_SIDE, EYE_MOUTH_PART = 1.5, 0.95
"""Side of a crop: 1.5 times the distance of the eyes, or 0.95 of that from eyes to mouth if larger."""
BATCH = 16
"""Pictures painted at once: few enough to stay in the processor's cache."""


def skin_at(
    texture: Texture, identity: Identity, u: F32, v: F32, *, turn: F32 | float, drop: F32 | float
) -> tuple[F32, F32, F32]:
    """Look the head up at points of the picture.

    Parameters
    ----------
    texture, identity : whose head
    u, v : head coordinates of pixels, any shape
    turn : turn of the head
    drop : how far the jaw is down, in eye distances

    Returns
    -------
    luma, opacity, and u of the face, all in the shape of ``u``
    """
    face_u = turned(u, turn)
    # skin below the mouth goes down with the jaw: it stretches from the mouth's line on, the chin moves as a whole
    low = np.clip((v - np.float32(identity.eye_mouth - 0.05)) * np.float32(1 / 0.45), 0, 1)
    tone, opacity = texture.look_up(face_u + nose_shift(face_u, v, turn, identity), v - drop * low)
    return tone, opacity, face_u


def rest_shape(identity: Identity) -> MouthShape:
    """Return the mouth of somebody who does nothing, as a single picture."""
    return mouth_shape(Lips(*(np.zeros(1, np.float32) for _ in Lips.__slots__)), identity)


def crop_mouths(
    articulation: Articulation, speaker: Speaker, times_s: F64, *, size_px: int = 64, seed: int | None = None
) -> NDArray[np.uint8]:
    """Paint the mouth at any times, aligned as crops of real faces are.

    The crop is upright, its middle is that of the corners of the mouth at rest, its side is ``CROP_SIDE`` times the
    larger of the distance of the eyes and ``EYE_MOUTH_PART`` of the distance from eyes to mouth; all of it with small
    slow errors, as landmarks have them. Sharpness, noise and exposure are drawn.

    Parameters
    ----------
    articulation : the curves
    speaker : whose mouth
    times_s : (T,) presentation times, s
    size_px : side of the crop, px
    seed : camera and alignment; None takes the speaker's

    Returns
    -------
    (T, size_px, size_px) uint8
    """
    identity = Identity.from_seed(speaker.seed)
    times_s = np.asarray(times_s, np.float64)
    rng = generator(speaker.seed if seed is None else seed, STREAM_CROP)
    side = CROP_SIDE * max(1.0, EYE_MOUTH_PART * identity.eye_mouth) * rng.uniform(0.95, 1.05)
    seen_px = rng.uniform(0.4, 1.1) * size_px  # how many pixels the camera had for this crop
    texture = paint_head(identity, float(np.clip(seen_px / side, 14, 80)))
    soft = max(side / seen_px, side / size_px)
    turn = (rng.uniform(-0.25, 0.25) + drift(rng, times_s, 0.12)).astype(np.float32)
    middle = face_points(identity, rest_shape(identity), np.zeros(1))[0, 3:].mean(axis=0)
    middle_u = -0.9 * turn * 0.3 + rng.uniform(-0.03, 0.03) + drift(rng, times_s, 0.015, (0.1, 2.0))
    middle_v = middle[1] + rng.uniform(-0.05, 0.05) + drift(rng, times_s, 0.015, (0.1, 2.0))
    roll = rng.uniform(-0.06, 0.06) + drift(rng, times_s, 0.03, (0.1, 1.0))
    gain, lift = rng.uniform(0.75, 1.15), rng.uniform(-5, 25)
    behind, grain = rng.uniform(30, 200), float(rng.choice([0.0, 1.0, 2.0, 4.0, 6.0]))
    noise = (rng.normal(size=(9, size_px, size_px)) * grain).astype(np.float32)
    shape = mouth_shape(articulation.at(times_s), identity)
    place = ((np.arange(size_px) + 0.5) / size_px - 0.5).astype(np.float32) * np.float32(side)
    images = np.empty((len(times_s), size_px, size_px), np.uint8)
    for first in range(0, len(times_s), BATCH):
        rows = slice(first, min(first + BATCH, len(times_s)))

        def column(values: NDArray[np.floating], rows: slice = rows) -> F32:
            return values[rows, None, None].astype(np.float32)

        cos, sin = column(np.cos(roll)), column(np.sin(roll))
        u = cos * place[None, None, :] + sin * place[None, :, None] + column(middle_u)
        v = cos * place[None, :, None] - sin * place[None, None, :] + column(middle_v)
        part = shape[rows]
        tone, opacity, face_u = skin_at(texture, identity, u, v, turn=column(turn), drop=jaw_drop(part))
        tone = paint_mouth(tone, face_u, v - np.float32(identity.eye_mouth), part, identity=identity, soft=soft)
        tone = np.float32(behind) + opacity * (tone - np.float32(behind))
        which = np.arange(rows.start, rows.stop)
        tone = tone * np.float32(gain) + np.float32(lift) + noise[(which * 7 + which // 9) % len(noise)]
        images[rows] = np.clip(tone, 0, 255)
    return images


def mouth_crops(
    seed: int,
    duration_s: float,
    *,
    rate: Fraction | int = PICTURE_HZ,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
    size_px: int = 64,
) -> tuple[NDArray[np.uint8], F32]:
    """Return a talking mouth and its voice, in sync to the sample.

    Parameters
    ----------
    seed : person, speech and camera
    duration_s : length, s
    rate : pictures per second; picture i is at ``i / rate`` seconds
    sample_rate_hz : samples per second; sample n is at ``n / sample_rate_hz`` seconds
    size_px : side of the crop, px

    Returns
    -------
    images : (T, size_px, size_px) uint8, T = floor(duration_s * rate)
    samples : (N,) float32, N = round(duration_s * sample_rate_hz)

    Raises
    ------
    UsageError : a duration shorter than one picture, a negative seed, or a sample rate that is no multiple of 1000 Hz
    """
    count = int(duration_s * rate + 1e-9)
    if count < 1:
        raise UsageError(f"duration_s must hold at least one picture, not {duration_s} s")
    speaker = Speaker.from_seed(seed)
    articulation = speak(seed, duration_s, speaker=speaker)
    times_s = np.arange(count) / float(rate)
    first = round(LEAD_S * sample_rate_hz)
    samples = voice(articulation, speaker, sample_rate_hz)[first : first + round(duration_s * sample_rate_hz)]
    return crop_mouths(articulation, speaker, times_s, size_px=size_px), samples
