"""Laying blows on a track: which sound of a bank, when and how loud, and each at its exact sample."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.synthesis.bank import LONGEST_S, PATCH_ROWS, Bank, power_of
from clapboard.synthesis.cues import BLOWS, MATERIALS, samples_of
from clapboard.synthesis.picking import THRESHOLD, peaks
from clapboard.timebase import SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32, F64

FEWEST_ROWS = 4
"""A blow is told by at least so many rows, 40 ms, however soon the next one follows."""
CLEAR_ROWS = 2
"""The window of a row hears a blow this many rows before it, 20 ms; those do not count for the one before."""
MATERIAL_ROWS = 6
"""What is struck is told by so many rows, 60 ms."""
SAME_BODY = 1.0
"""Weight of how well a body fits all blows of its material in a shot, beside how well it fits one."""
ALIKE = 0.08
"""Blows of a body that fit worse than the best by this much (natural-log units squared) are played e times less."""
LOUDEST = 0.7
"""No sample is beyond this part of full scale: resampling and a lossy codec add up to a seventh to the highest."""


class Told(Protocol):
    """What a picture tells of R rows; `clapboard.synthesis.cues.Cues` and anything that has the same arrays."""

    @property
    def onset(self) -> F32:
        """Probability that a blow begins, (R,)."""

    @property
    def materials(self) -> F32:
        """Probabilities of `MATERIALS`, (R, M)."""

    @property
    def mel(self) -> NDArray[np.floating]:
        """Log-mel power, (R, 80)."""

    @property
    def energy(self) -> F32:
        """Natural log of power, (R,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Blows:
    """E blows of a track, ascending.

    Attributes
    ----------
    starts : (E,) int64, the sample at which each begins
    sounds : (E,) int64, its number in the bank
    gains : (E,) float32, what its samples are multiplied by
    """

    starts: NDArray[np.int64]
    sounds: NDArray[np.int64]
    gains: F32

    def __len__(self) -> int:
        """Blows, E."""
        return len(self.starts)

    def moved(self, samples: int) -> "Blows":
        """The same blows, later by so many samples."""
        return Blows(self.starts + samples, self.sounds, self.gains)

    def heard_in(self, begin: int, end: int) -> "Blows":
        """Those that may be heard from sample ``begin`` up to ``end``."""
        first, last = np.searchsorted(self.starts, [begin - round(LONGEST_S * SAMPLE_RATE_HZ), end])
        return Blows(self.starts[first:last], self.sounds[first:last], self.gains[first:last])


NO_BLOWS = Blows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def add_at(track: F32, start: int, sound: F32) -> None:
    """Add a sound (n,) to a track (N,) from sample ``start`` on, in place; what lies outside is cut."""
    first, last = max(start, 0), min(start + len(sound), len(track))
    if first < last:
        track[first:last] += sound[first - start : last - start]


def blows_of(
    bank: Bank, told: Told, *, threshold: float = THRESHOLD, seed: int | tuple[int, ...] = 0, freely: bool = False
) -> Blows:
    """Choose a sound and a loudness for every blow of a shot.

    The loudness is such that the rows of the blow have the power that the picture tells. The blows of a material have
    the body that fits all of them best, and of its blows one that fits this one; equal ones take turns by chance.

    Parameters
    ----------
    bank : sounds to choose from
    told : what the picture of one shot tells, R rows
    threshold : probability from which on a peak of the onsets is a blow
    seed : of all that is left to chance
    freely : draw the body as well, of those that fit

    Raises
    ------
    UsageError : the threshold is not within 0 to 1
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"a threshold of onsets is above 0 and at most 1, not {threshold:g}")
    rows, heights = peaks(told.onset)
    rows = rows[heights >= np.float32(threshold)]
    if not len(rows):
        return NO_BLOWS
    rng = np.random.default_rng(seed)
    counts = _rows_each(rows, len(told.onset))
    materials = _materials(told.materials, rows)
    sounds = np.zeros(len(rows), np.int64)
    gains = np.zeros(len(rows), np.float32)
    patches = _patches(told.mel, rows)
    wanted = _heard(np.exp(_patches(told.energy[:, None], rows)[..., 0].astype(np.float64)), counts)
    for name in dict.fromkeys(materials):
        these = np.flatnonzero(materials == name)
        sounds[these] = _chosen(bank, str(name), patches[these], counts[these], rng, freely=freely)
    own = _heard(power_of(bank.patches[sounds]), counts)
    gains[:] = np.sqrt(wanted / np.maximum(own, 1e-12))
    return Blows(samples_of(rows), sounds, gains)


def strike(track: F32, bank: Bank, blows: Blows) -> None:
    """Add blows to a track (N,) in place; what lies outside of it is cut."""
    for start, sound, gain in zip(blows.starts.tolist(), blows.sounds.tolist(), blows.gains, strict=True):
        add_at(track, start, gain * bank.samples[sound])


def lay(
    bank: Bank, told: Told, *, threshold: float = THRESHOLD, seed: int | tuple[int, ...] = 0, texture: F32 | None = None
) -> F32:
    """The sound of one shot: its blows, and its texture where there is one; see `blows_of`.

    Parameters
    ----------
    bank : sounds of blows
    told : what the picture tells, R rows
    threshold : probability from which on a peak of the onsets is a blow
    seed : of all that is left to chance
    texture : (160 R,) what else sounds

    Returns
    -------
    (160 R,) float32 within +-`LOUDEST`

    Raises
    ------
    UsageError : the texture has another length, or the threshold is not within 0 to 1
    """
    track = np.zeros(len(told.onset) * SAMPLES_PER_ROW, np.float32)
    if texture is not None:
        if texture.shape != track.shape:
            raise UsageError(f"the texture of {len(told.onset)} rows is {track.shape}, not {texture.shape}")
        track += texture
    strike(track, bank, blows_of(bank, told, threshold=threshold, seed=seed))
    keep_within(track)
    return track


def keep_within(track: F32) -> float:
    """Make a track (N,) quieter in place where it is beyond `LOUDEST`, all of it alike; returns the factor."""
    peak = max(float(track.max(initial=0.0)), -float(track.min(initial=0.0)))
    factor = min(1.0, LOUDEST / peak) if peak > 0 else 1.0
    if factor < 1:
        track *= np.float32(factor)
    return factor


def _rows_each(rows: F64, end: int) -> NDArray[np.int64]:
    """How many rows each blow has to itself, (E,): up to what hears the next one, 4 to 20."""
    following = np.append(rows[1:] - CLEAR_ROWS, end)
    return np.clip(np.floor(following - rows), FEWEST_ROWS, PATCH_ROWS).astype(np.int64)


def _materials(probable: F32, rows: F64) -> NDArray[np.str_]:
    """What each blow strikes, (E,): the likeliest material of blows over its first rows."""
    index = np.clip(np.rint(rows).astype(np.int64)[:, None] + np.arange(MATERIAL_ROWS), 0, len(probable) - 1)
    columns = [MATERIALS.index(name) for name in BLOWS]
    found: NDArray[np.str_] = np.array(BLOWS)[probable[:, columns][index].sum(1).argmax(1)]
    return found


def _patches(values: NDArray[np.floating], rows: F64) -> F32:
    """Rows from each position on, between rows by their share: (R, D) -> (E, 20, D); beyond the end the last one."""
    below = np.floor(rows).astype(np.int64)
    index = np.clip(below[:, None] + np.arange(PATCH_ROWS + 1), 0, len(values) - 1)
    found = np.asarray(values[index], np.float32)
    part = (rows - below).astype(np.float32)[:, None, None]
    return (1 - part) * found[:, :-1] + part * found[:, 1:]


def _heard(power: F64, counts: NDArray[np.int64]) -> F64:
    """Power (E, 20) summed over the rows that count, (E,)."""
    return np.asarray(np.where(np.arange(PATCH_ROWS) < counts[:, None], power, 0).sum(1))


def _chosen(
    bank: Bank, material: str, patches: F32, counts: NDArray[np.int64], rng: np.random.Generator, *, freely: bool
) -> NDArray[np.int64]:
    """A blow of the bank for each patch of one material, (E,)."""
    allowed = np.flatnonzero(bank.fitting(material))
    apart = bank.distances(patches, counts, allowed)
    names, body = np.unique(bank.bodies[allowed], return_inverse=True)
    fit = np.full((len(patches), len(names)), np.inf, np.float32)
    np.minimum.at(fit.T, body, apart.T)
    fit = fit + np.float32(SAME_BODY) * fit.mean(0)
    if freely:
        fit = fit + ALIKE * rng.gumbel(size=len(names)).astype(np.float32)
    found, last = np.zeros(len(patches), np.int64), -1
    for number, best in enumerate(fit.argmin(1).tolist()):
        inside = np.flatnonzero(body == best)
        if len(inside) > 1:
            inside = inside[allowed[inside] != last]  # nobody strikes twice in exactly the same way
        # Gumbel's trick: the least of these is drawn with probability exp(-distance / ALIKE).
        drawn = apart[number, inside] - ALIKE * rng.gumbel(size=len(inside))
        last = int(allowed[inside[int(drawn.argmin())]])
        found[number] = last
    return found
