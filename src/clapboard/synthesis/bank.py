"""Banks of blows: sounds to be laid where the picture shows that something is struck, and the search for the nearest.

As in A. Owens et al., "Visually indicated sounds", CVPR 2016, section 4: what a network tells of a sound is matched
with the sounds at hand, and the nearest one is played. Here both are patches of log-mel, and their level is left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.synthesis.cues import BLOWS, MATERIALS, MEL_BANDS, NONE
from clapboard.synthesis.mel import FFT_SAMPLES, FLOOR, filters
from clapboard.synthesis.modal import CLAP, FADE_S, MATERIAL_SOUNDS, RING_S, voice
from clapboard.synthesis.stft import framed
from clapboard.timebase import SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32, F64

PATCH_ROWS = 20
"""A blow is told by so many rows from its first on, 0.2 s."""
LONGEST_S = RING_S
"""Sounds are cut to this length, s."""
RANGE = 7.0
"""What is so far below the loudest of a patch is as if it were no quieter (natural log of power; 30 dB)."""
QUIET_PART = 1e-3
"""The end of a sound that is quieter than this part of its peak is left out."""
LEAD_ROWS = 2
"""Rows of silence before a sound whose patch is made."""

PITCHES = {name: 13 if name in ("wood", "metal") else 10 for name in BLOWS}
"""How many pitches of each material: small boxes of wood and metal are higher than anything else of these."""
LOWEST_PITCH, PITCH_STEP = 0.5, 1.18
"""The lowest of them, against the table of `clapboard.synthesis.modal`, and the factor between two."""
DECAYS, SPREADS, STRENGTHS, TAKES = (0.75, 1.25), (0.93, 1.08), (0.35, 0.85), 2
"""How long they ring, how far their modes are spread, how hard they are struck, and blows of each, with other noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """One blow: ``samples`` (n,) float32 at 16 kHz from the moment of contact on.

    ``material`` is one of `BLOWS`, or ``none`` where nobody knows; of one ``body`` (a recording, a voice) any blow can
    stand for another.
    """

    samples: F32 = field(repr=False)
    material: str = NONE
    body: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """B blows, and what they are like. Made by `modal_bank` and `bank_of`.

    Attributes
    ----------
    samples : B arrays (n,) float32 at 16 kHz, from the moment of contact on; their loudest sample is 1
    materials : (B,) numbers of `MATERIALS`
    bodies : (B,) from 0 on; blows of one body can stand for each other
    patches : (B, 20, 80) float32, log-mel power from the row of contact on, whose middle is the contact
    """

    samples: tuple[F32, ...] = field(repr=False)
    materials: NDArray[np.int64] = field(repr=False)
    bodies: NDArray[np.int64] = field(repr=False)
    patches: F32 = field(repr=False)
    _shapes: F32 = field(init=False, repr=False)
    _sums: F32 = field(init=False, repr=False)
    _squares: F32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check shapes, and keep what is compared.

        Raises
        ------
        UsageError : the arrays do not fit together, or there is no blow
        """
        count = len(self.samples)
        good = self.materials.shape == self.bodies.shape == (count,)
        if not good or not count or self.patches.shape != (count, PATCH_ROWS, MEL_BANDS):
            raise UsageError(f"a bank has blows, each with a patch {(PATCH_ROWS, MEL_BANDS)}: {self.patches.shape}")
        shapes = shapes_of(self.patches)
        object.__setattr__(self, "_shapes", shapes.reshape(count, -1))
        object.__setattr__(self, "_sums", shapes.sum(2))
        object.__setattr__(self, "_squares", np.einsum("brk,brk->br", shapes, shapes))

    def __len__(self) -> int:
        """Blows, B."""
        return len(self.samples)

    def distances(
        self, patches: F32, rows: NDArray[np.int64] | None = None, among: NDArray[np.int64] | None = None
    ) -> F32:
        """How unlike each blow is to each patch, whatever their levels: (E, B) float32, natural-log units squared.

        The mean squared difference of log-mels, less what a change of level would take away.

        Parameters
        ----------
        patches : (E, 20, 80) log-mel power
        rows : (E,) how many rows of each count, 1 to 20; all where None
        among : (n,) only these blows; the result is (E, n)
        """
        some = slice(None) if among is None else among
        count = np.full(len(patches), PATCH_ROWS) if rows is None else np.clip(rows, 1, PATCH_ROWS)
        counts = (np.arange(PATCH_ROWS) < count[:, None]).astype(np.float32) / (count[:, None] * np.float32(MEL_BANDS))
        wanted = shapes_of(np.asarray(patches, np.float32), count)
        weighted = wanted * counts[:, :, None]
        # (a - b)^2 = a^2 - 2 a b + b^2: one product of matrices instead of E B patches.
        cross = weighted.reshape(len(wanted), -1) @ self._shapes[some].T
        square = np.einsum("erk,erk->e", weighted, wanted)[:, None] - 2 * cross + counts @ self._squares[some].T
        mean = weighted.sum((1, 2))[:, None] - counts @ self._sums[some].T
        return np.asarray(np.maximum(square - mean**2, 0), np.float32)

    def fitting(self, material: str) -> NDArray[np.bool_]:
        """Which blows will do for a material, (B,): those of it; else those of unknown material; else all."""
        for name in (material, NONE):
            found: NDArray[np.bool_] = self.materials == MATERIALS.index(name)
            if found.any():
                return found
        return np.ones(len(self), np.bool_)

    def nearest(self, patch: F32, material: str) -> int:
        """The blow that is most like a patch.

        Parameters
        ----------
        patch : (20, 80) log-mel power from the row of contact on, at any level
        material : one of `MATERIALS`; blows of another one count only where the bank has none of it

        Raises
        ------
        UsageError : there is no such material, or the patch has another shape
        """
        if material not in MATERIALS or np.shape(patch) != (PATCH_ROWS, MEL_BANDS):
            raise UsageError(f"a patch is {(PATCH_ROWS, MEL_BANDS)}, its material one of {', '.join(MATERIALS)}")
        found = self.distances(np.asarray(patch, np.float32)[None])[0]
        return int(np.argmin(np.where(self.fitting(material), found, np.inf)))


def shapes_of(patches: F32, rows: NDArray[np.int64] | None = None) -> F32:
    """Patches (E, 20, 80) without what cannot be heard beside their loudest part: (E, 20, 80).

    ``rows`` (E,) are those that count, from the first on.
    """
    heard = (
        patches if rows is None else np.where(np.arange(PATCH_ROWS)[:, None] < rows[:, None, None], patches, -np.inf)
    )
    loudest = heard.max((1, 2), keepdims=True)
    return np.asarray(np.maximum(patches - loudest, -RANGE), np.float32)


def bank_of(sounds: Iterable[Sound], rate_hz: int = SAMPLE_RATE_HZ) -> Bank:
    """A bank of blows that are cut already; each is cut to 0.5 s, faded, and brought to one level.

    Parameters
    ----------
    sounds : blows; silent ones are left out
    rate_hz : of their samples, 16000

    Raises
    ------
    UsageError : another rate, a material that is no blow, or no blow that can be heard
    """
    if rate_hz != SAMPLE_RATE_HZ:
        raise UsageError(f"a bank holds sound at {SAMPLE_RATE_HZ} Hz, not {rate_hz} Hz; resample it first")
    kept = [(_trimmed(sound.samples), sound) for sound in sounds]
    kept = [(samples, sound) for samples, sound in kept if len(samples)]
    if not kept:
        raise UsageError("a bank needs at least one blow that can be heard")
    wrong = sorted({sound.material for _, sound in kept} - {NONE, *BLOWS})
    if wrong:
        raise UsageError(f"blows are of {', '.join(BLOWS)} or {NONE}, not {', '.join(wrong)}")
    samples = tuple(one for one, _ in kept)
    materials = np.array([MATERIALS.index(sound.material) for _, sound in kept], np.int64)
    bodies = np.unique([sound.body for _, sound in kept], return_inverse=True)[1].astype(np.int64)
    return Bank(samples, materials, bodies, patches_of(samples))


@lru_cache(maxsize=1)
def modal_bank(seed: int = 0) -> Bank:
    """A bank made in code: every material at several pitches, lengths and spreads, struck softly and hard.

    It stands in for recordings, and covers what rendered clips sound like with values of its own; a clap of two palms
    counts as skin.

    Parameters
    ----------
    seed : of the noise in the blows
    """
    rng, sounds, body = np.random.default_rng(seed), list[Sound](), 0
    for name, material in [*MATERIAL_SOUNDS.items(), ("skin", CLAP)]:
        for step in range(PITCHES[name]):
            first_hz = material.first_hz * LOWEST_PITCH * PITCH_STEP**step
            for decay in DECAYS:
                for spread in SPREADS:
                    for _ in range(TAKES):
                        made = voice(rng, material, first_hz, sound_hz=SAMPLE_RATE_HZ, spread=spread, decay=decay)
                        sounds += [Sound(made.blow(strength), name, body) for strength in STRENGTHS]
                    body += 1
    return bank_of(sounds)


def patches_of(samples: tuple[F32, ...]) -> F32:
    """Log-mel of blows from the row whose middle is the contact, (B, 20, 80)."""
    first = LEAD_ROWS * SAMPLES_PER_ROW + SAMPLES_PER_ROW // 2
    # The rows before and after each are as long as half a window, so that no row hears the blow before.
    rows = LEAD_ROWS + PATCH_ROWS + LEAD_ROWS
    waves = np.zeros((len(samples), rows * SAMPLES_PER_ROW), np.float32)
    for wave, one in zip(waves, samples, strict=True):
        length = min(len(one), rows * SAMPLES_PER_ROW - first)
        wave[first : first + length] = one[:length]
    found = np.empty((len(samples), PATCH_ROWS, MEL_BANDS), np.float32)
    for start in range(0, len(samples), 64):  # spectra of all at once would be large
        some = waves[start : start + 64]
        frames = framed(some.reshape(-1)).reshape(len(some), rows, -1)[:, LEAD_ROWS : LEAD_ROWS + PATCH_ROWS]
        spectrum = np.fft.rfft(frames.reshape(len(some) * PATCH_ROWS, -1), FFT_SAMPLES, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) / np.float32(FFT_SAMPLES)
        found[start : start + 64] = np.log(power @ filters().T + np.float32(FLOOR)).reshape(-1, PATCH_ROWS, MEL_BANDS)
    return found


def _trimmed(samples: F32) -> F32:
    """A blow with a peak of 1, without its quiet end, faded where it is cut; empty where it is silent."""
    samples = np.asarray(samples, np.float32)[: round(LONGEST_S * SAMPLE_RATE_HZ)]
    size = np.abs(samples)
    peak = float(size.max(initial=0.0))
    if not peak > 0 or not np.isfinite(peak):
        return np.zeros(0, np.float32)
    end = int(np.flatnonzero(size >= QUIET_PART * peak)[-1]) + 1
    found: F32 = samples[:end] / np.float32(peak)
    fade = min(round(FADE_S * SAMPLE_RATE_HZ), end)
    found[end - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return found


def power_of(patches: F32) -> F64:
    """Power of each row of patches (..., 80), summed over bands: (...,) float64."""
    return np.asarray(np.exp(patches.astype(np.float64)).sum(-1))
