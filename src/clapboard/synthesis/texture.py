"""The log-mel of what sounds all the time, drawn by chance: a few steps along a learned flow.

What a picture tells of water is a mean: how loud it is and in which bands, and a wave made of that mean sounds like
filtered noise. A flow draws one of the sounds that fit. It is that of Lipman et al., "Flow matching for generative
modeling", ICLR 2023, with straight paths (Liu et al., "Flow straight and fast", ICLR 2023): from noise x_0 to a
normalised log-mel x_1 by x_t = (1 - t) x_0 + t x_1, whose velocity x_1 - x_0 a network has learned. It also learned to
do without cues, so that their weight can be raised (Ho and Salimans, "Classifier-free diffusion guidance", 2021).

Steps are by the midpoint rule: half an Euler step, and from where it began a whole one with the velocity there. Where
the log-mel is normal around what the cues say, with 0.4 of the deviation of the noise, 4 of them (8 looks at the
network) draw 0.398, and 8 Euler steps 0.325: what Euler's rule loses is what tells a draw from the mean.

What sounds is decided once for some seconds, by what the picture tells over all of them, and the flow is told that:
left to itself, it would draw water here and an engine there wherever the picture leaves both open.

Rows of blows are bridged: what is drawn there is the texture that goes on beside the blow, which is laid by itself.
"""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clapboard.errors import UsageError
from clapboard.synthesis.cues import MEL_BANDS, TEXTURES, Cues
from clapboard.synthesis.ducking import BEFORE_ROWS, BLOW_ROWS
from clapboard.synthesis.mel import FLOOR
from clapboard.synthesis.picking import onsets
from clapboard.values import F32, F64

ENERGY_MIDDLE, ENERGY_SPREAD = -6.0, 5.0
"""Log energy is given in these units, about what rendered sounds have."""
KNOWN, STRUCK, ENERGY, KINDS, MEL = 0, 1, 2, 3, 4 + len(TEXTURES)
"""Columns of `features`: 1 where there are cues; 1 in rows of a blow; energy; 1 for each texture that there is; how
likely none sounds in the row; the log-mel, normalised."""
AROUND_ROWS, BESIDE = 200, 0.8
"""Which textures there are is told by the mean over so many rows before and after: the likeliest one, and what is at
least this part as likely."""
FEATURES = MEL + MEL_BANDS
"""Numbers of a row that a network is conditioned on, C."""
ROWS_AT_ONCE = 2
"""Networks take whole pairs of rows."""
STEPS, GUIDANCE = 4, 2.0


class Velocity(Protocol):
    """A learned flow; see `clapboard.models.foley_session.Velocity`."""

    def __call__(self, noisy: F32, time: float, cues: F32) -> F32:
        """Velocity (R, 80) of a normalised log-mel (R, 80) at ``time`` 0 (noise) to 1, under ``features`` (R, C)."""
        ...


def struck(rows: F64, count: int) -> NDArray[np.bool_]:
    """Rows of blows, (count,): from shortly before each begins until most of it is over.

    Parameters
    ----------
    rows : (E,) positions on the rows where blows begin
    count : how many rows there are, R
    """
    found = np.zeros(count, bool)
    for row in np.floor(rows).astype(int).tolist():
        found[max(row - BEFORE_ROWS, 0) : max(row + BLOW_ROWS, 0)] = True
    return found


def bridged(values: F32, gaps: NDArray[np.bool_]) -> F32:
    """Curves (R, K) with straight lines over the gaps (R,); the same where there is nothing but gaps."""
    kept = np.flatnonzero(~gaps)
    if not len(kept) or not gaps.any():
        return values
    found, missing = values.copy(), np.flatnonzero(gaps)
    place = np.interp(missing, kept, np.arange(len(kept)))
    before = place.astype(np.intp)
    part = (place - before).astype(np.float32)[:, None]
    after = np.minimum(before + 1, len(kept) - 1)
    found[missing] = (1 - part) * values[kept[before]] + part * values[kept[after]]
    return found


def kinds(cues: Cues) -> F32:
    """Which of `TEXTURES` there are, (R, 4) 0 or 1, at least one in each row; see `AROUND_ROWS`."""
    shares = np.stack([cues.share((name,)) for name in TEXTURES], 1).astype(np.float64)
    sums = np.concatenate([np.zeros((1, len(TEXTURES))), np.cumsum(shares, axis=0)])
    rows = np.arange(len(cues))
    first, end = np.clip(rows - AROUND_ROWS, 0, None), np.clip(rows + AROUND_ROWS + 1, None, len(cues))
    means = sums[end] - sums[first]
    return np.asarray(means >= BESIDE * means.max(1, keepdims=True), np.float32)


def features(cues: Cues, mean: ArrayLike, scale: ArrayLike, blows: F64 | None = None, known: F32 | None = None) -> F32:
    """What a network of textures is conditioned on, (R, C) float32; see the columns above.

    Parameters
    ----------
    cues : of R rows
    mean, scale : (80,) of the log-mel, as its model says
    blows : (E,) positions on the rows where blows begin; None picks them from the cues
    known : (R, 4) which textures there are, where that is known; None is what the cues tell, see `kinds`
    """
    gaps = struck(onsets(cues.onset) if blows is None else blows, len(cues))
    there = kinds(cues) if known is None else known
    other = np.clip(1 - cues.share(TEXTURES), 0, 1)[:, None]
    energy = (cues.energy[:, None] - np.float32(ENERGY_MIDDLE)) / np.float32(ENERGY_SPREAD)
    mel = (cues.mel - np.asarray(mean, np.float32)) / np.asarray(scale, np.float32)
    told = bridged(np.concatenate([energy, other, mel], 1), gaps)
    flags = np.stack([np.ones(len(cues), np.float32), gaps.astype(np.float32)], 1)
    return np.asarray(np.concatenate([flags, told[:, :1], there, told[:, 1:]], 1), np.float32)


def draw(
    velocity: Velocity,
    cues: Cues,
    *,
    mean: ArrayLike,
    scale: ArrayLike,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    seed: int = 0,
    blows: F64 | None = None,
) -> F32:
    """Draw the log-mel of a texture that fits some cues.

    Parameters
    ----------
    velocity : the learned flow
    cues : what the picture tells of R rows
    mean, scale : (80,) what the flow's log-mel is normalised by, as its model says
    steps : midpoint steps, at least 1; each asks the network twice
    guidance : weight of the cues against none; 1 is the plain flow, and costs half of any other
    seed : of the noise it begins with; the same gives the same
    blows : (E,) positions on the rows where blows begin, which are bridged; None picks them from the cues

    Returns
    -------
    (R, 80) float32, natural log of mel power, as `clapboard.synthesis.mel.log_mel` gives it

    Raises
    ------
    UsageError : there is no step to take, or the guidance is below 0
    """
    if steps < 1 or not guidance >= 0:
        raise UsageError(f"steps are at least 1 and guidance is 0 or more, not {steps} and {guidance:g}")
    count = len(cues)
    told = features(cues, mean, scale, blows)
    told = np.pad(told, ((0, -count % ROWS_AT_ONCE), (0, 0)), mode="edge") if count else told
    untold = np.zeros_like(told)
    place = np.random.default_rng(seed).standard_normal((len(told), MEL_BANDS), np.float32)
    if not count:
        return place

    def way(place: F32, time: float) -> F32:
        """The velocity with the cues weighed."""
        found = velocity(place, time, told)
        if guidance == 1:
            return found
        free = velocity(place, time, untold)
        return free + np.float32(guidance) * (found - free)

    long = np.float32(1 / steps)
    for step in range(steps):
        middle = place + long / 2 * way(place, step / steps)
        place = place + long * way(middle, (step + 0.5) / steps)
    mel = place[:count] * np.asarray(scale, np.float32) + np.asarray(mean, np.float32)
    return np.maximum(mel, np.float32(np.log(FLOOR)))
