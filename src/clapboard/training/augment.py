"""Augmentation: what changes from clip to clip without telling anything about time.

B clips, T frames, R feature rows, C colours, S bands of sound. Choices are drawn in numpy from the batch's
own generator, pictures are changed wherever they lie (CPU or GPU), sound as log power of its bands, so that one
implementation serves every kind of sound.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from clapboard.sound.kinds import SoundKind
from clapboard.timebase import FEATURE_HZ
from clapboard.training.recipe import Augmentation
from clapboard.values import F32

REVERB_DECAY_S = (0.03, 0.25)
"""Time in which the power of the added echo falls by a factor e: RT60 of 0.4 to 3.4 s."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One draw of picture changes: matrices (B, 2, 3), numbers (B, 1, 1, 1, 1), of ``tilt`` (2, B, 1, 1, 1, 1)."""

    matrix: Tensor
    gamma: Tensor
    tilt: Tensor
    blur: Tensor
    grain: Tensor
    repeated: Tensor
    """(B,) frame that shows the one before it again, or 0 for none."""
    seed: int


def draw_look(rng: np.random.Generator, clips: int, frames: int, seen: float, how: Augmentation) -> Look:
    """Draw the picture changes of a batch; ``seen`` is the part of the crop's side that the network looks at."""
    size = seen * np.exp(rng.uniform(-how.scale, how.scale, clips))
    angle = np.deg2rad(rng.uniform(-how.angle_deg, how.angle_deg, clips))
    mirror = np.where(rng.random(clips) < how.mirror, -1.0, 1.0)
    shift = rng.uniform(-how.shift, how.shift, (clips, 2)) * seen
    cos, sin = size * np.cos(angle), size * np.sin(angle)
    rows = [np.stack([cos * mirror, -sin, shift[:, 0]], 1), np.stack([sin * mirror, cos, shift[:, 1]], 1)]
    each = (clips, 1, 1, 1, 1)
    blurred = rng.random(each) < how.blur

    def as_tensor(values: NDArray[Any]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32)

    return Look(
        matrix=as_tensor(np.stack(rows, 1)),
        gamma=as_tensor(np.exp(rng.uniform(-how.tone, how.tone, each))),
        tilt=as_tensor(rng.uniform(-how.shading, how.shading, (2, *each))),
        blur=as_tensor(np.where(blurred, rng.uniform(-0.5, 1.0, each), 0.0)),  # below 0 it sharpens
        grain=as_tensor(rng.uniform(0, how.grain, each)),
        repeated=torch.tensor(np.where(rng.random(clips) < how.repeats, rng.integers(1, frames, clips), 0)),
        seed=int(rng.integers(2**62)),
    )


def apply_look(images: Tensor, look: Look, side_px: int) -> Tensor:
    """Change the pictures of a batch, one draw for all frames of a clip.

    Parameters
    ----------
    images : (B, T, C, h, w) uint8, on any device
    look : of the same B and T
    side_px : side of what comes out

    Returns
    -------
    (B, T, C, side, side) float32, levels 0 to 255
    """
    clips, frames, colours = images.shape[:3]
    device = images.device
    grid = F.affine_grid(look.matrix.to(device), [clips, 1, side_px, side_px], align_corners=False)
    x = images.flatten(1, 2).float()  # frames and colours as channels: one transform for all of a clip
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    x = x.view(clips, frames, colours, side_px, side_px)
    x = 255 * (x / 255).clamp(0.001, 1) ** look.gamma.to(device)
    ramp, tilt = torch.linspace(-1, 1, side_px, device=device), look.tilt.to(device)
    x = x * (1 + tilt[0] * ramp[:, None] + tilt[1] * ramp[None, :])
    if look.blur.any():
        flat = x.flatten(1, 2)
        x = torch.lerp(
            x, F.avg_pool2d(F.pad(flat, (1, 1, 1, 1), mode="replicate"), 3, 1).view_as(x), look.blur.to(device)
        )
    if look.grain.any():
        generator = torch.Generator(device).manual_seed(look.seed)  # never the global one: a resumed run draws the same
        x = x + torch.randn(x.shape, generator=generator, device=device) * look.grain.to(device)
    for clip, frame in enumerate(look.repeated.tolist()):
        if frame:
            x[clip, frame] = x[clip, frame - 1]
    return x


def change_sound(
    bands: NDArray[np.floating[Any]],
    valid: NDArray[np.bool_],
    rng: np.random.Generator,
    how: Augmentation,
    kind: SoundKind,
) -> F32:
    """Change the sound of a batch, as log power of its bands; nothing moves in time.

    Parameters
    ----------
    bands : (B, R, columns) natural log power, of ``kind``
    valid : (B, R) rows with sound

    Returns
    -------
    (B, R, columns) float32; the voices of the batch's other clips are the babble
    """
    clips, rows, columns = bands.shape
    power = np.asarray(bands, np.float32)
    if kind.energy:  # what is done to the bands is done to their sum
        own, total = power[..., :-1], power[..., -1:]
        changed = _change(own, valid, rng, how, floor=kind.floor, rate_hz=FEATURE_HZ)
        total = total + np.logaddexp.reduce(changed, 2, keepdims=True) - np.logaddexp.reduce(own, 2, keepdims=True)
        return np.concatenate([changed, total.astype(np.float32)], 2)
    power = power.reshape(clips, rows * kind.phases, columns // kind.phases)
    heard = np.repeat(valid, kind.phases, 1)
    changed = _change(power, heard, rng, how, floor=kind.floor, rate_hz=FEATURE_HZ * kind.phases)
    return changed.reshape(clips, rows, columns)


def _change(
    bands: F32, valid: NDArray[np.bool_], rng: np.random.Generator, how: Augmentation, *, floor: float, rate_hz: float
) -> F32:
    """`change_sound` for rows (B, R, S) of single bands at any rate."""
    clips, columns = len(bands), int(bands.shape[2])
    each = (clips, 1, 1)
    out = _warped(bands, np.exp(rng.uniform(-how.tract, how.tract, (clips, 1)))) if how.tract else bands
    loud = [np.percentile(r[v], 90) if v.any() else 0.0 for r, v in zip(out, valid, strict=True)]
    level = np.array(loud, np.float32)[:, None, None]
    if how.reverb:
        low_s, high_s = REVERB_DECAY_S
        decay_s = rng.uniform(low_s, high_s, clips)
        echo = np.where(rng.random(each) < how.reverb, rng.uniform(-3.0, 0.0, each), floor).astype(np.float32)
        out = np.logaddexp(out, _echo(out, decay_s, floor, rate_hz) + echo)
    clean = out
    if how.noise:
        below = np.where(rng.random(each) < how.noise, rng.uniform(0.5, 5.0, each), 12.0).astype(np.float32)
        colour = np.cumsum(rng.normal(0, 0.15, (clips, 1, columns)), axis=2).astype(np.float32)
        grain = np.log(rng.gamma(2.0, 0.5, out.shape) + 1e-3).astype(np.float32)  # power of noise in a band scatters
        out = np.logaddexp(out, level - below + colour + grain)
    if how.babble and clips > 1:
        below = np.where(rng.random(each) < how.babble, rng.uniform(1.0, 4.5, each), 14.0).astype(np.float32)
        out = np.logaddexp(out, np.roll(clean - level, 1, axis=0) + level - below)
    if how.codec:
        coded = (rng.random(clips) < how.codec)[:, None, None]
        top = rng.uniform(0.55, 1.0, clips) * columns  # a low bit rate cuts the upper bands ...
        kept = level[:, 0, 0] - rng.uniform(6.0, 11.0, clips)  # ... and drops what lies far under the loudest
        lost = (np.arange(columns)[None] >= top[:, None])[:, None] | (out < kept[:, None, None])
        out = np.where(coded & lost, np.float32(floor), out)
    tone = np.cumsum(rng.normal(0, how.tone_sound, (clips, 1, columns)), axis=2)
    louder = rng.uniform(-how.volume, how.volume, each)
    return np.asarray(np.maximum(out + tone + louder, floor), np.float32)


def _warped(bands: F32, factor: NDArray[np.float64]) -> F32:
    """Bands stretched along frequency by a factor (B, 1), as longer or shorter vocal tracts do."""
    columns = bands.shape[2]
    at = np.arange(columns)[None] * factor
    low = np.clip(np.floor(at).astype(int), 0, columns - 2)
    part = np.clip(at - low, 0, 1)[:, None].astype(np.float32)
    lower, upper = (np.take_along_axis(bands, (low + k)[:, None], 2) for k in (0, 1))
    return np.asarray(lower * (1 - part) + upper * part, np.float32)


def _echo(bands: F32, decay_s: NDArray[np.float64], floor: float, rate_hz: float) -> F32:
    """Log power of an echo tail that begins one row after the sound: power smeared by a falling exponential."""
    keep = np.exp(-1 / (rate_hz * decay_s))[:, None].astype(np.float32)
    tail = np.full_like(bands, floor)
    power, heard = np.zeros_like(bands[:, 0]), np.exp(bands)
    for row in range(1, bands.shape[1]):
        power = keep * power + (1 - keep) * heard[:, row - 1]
        tail[:, row] = np.log(power + np.float32(np.exp(floor)))
    return tail
