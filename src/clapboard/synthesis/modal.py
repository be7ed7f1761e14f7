"""How struck bodies sound: sums of damped sinusoids with a burst of noise.

Modal synthesis as in van den Doel and Pai, "The sounds of physical shapes", Presence 7(4), 1998: a struck body rings in
modes, each with a frequency, a decay and a strength; size scales the frequencies, the speed of the blow the strength
of all modes and of the upper ones most. The tables are rounded values for bars, plates and shells, to be told apart.
Rendered clips (`clapboard.testing.render_events`) and the bank of blows (`clapboard.synthesis.bank`) sound by this.
"""

from dataclasses import dataclass

import numpy as np

from clapboard.values import F32

RING_S = 0.5
"""A blow is heard for this long, s."""
FADE_S = 0.02
"""And fades within the last part of it, s."""


@dataclass(frozen=True, slots=True)
class Material:
    """How a body of the usual size rings.

    Attributes
    ----------
    first_hz : frequency of its first mode
    ratios : frequencies of the modes, as parts of the first
    decay_s : time in which the first mode falls to 1/e; upper modes are faster, by the root of their ratio
    noise : strength of the noise burst, against the modes
    noise_s : time in which the burst falls to 1/e
    """

    first_hz: float
    ratios: tuple[float, ...]
    decay_s: float
    noise: float
    noise_s: float


MATERIAL_SOUNDS = {
    "wood": Material(430.0, (1.0, 2.57, 4.95, 7.4), 0.035, 0.45, 0.006),
    "metal": Material(760.0, (1.0, 1.59, 2.76, 4.07, 5.40), 0.220, 0.15, 0.003),
    "skin": Material(170.0, (1.0, 1.59, 2.14, 2.65, 3.16), 0.070, 0.60, 0.012),
    "glass": Material(1450.0, (1.0, 1.84, 2.71, 3.63), 0.110, 0.20, 0.002),
    "earth": Material(95.0, (1.0, 1.42, 2.05), 0.028, 1.20, 0.030),
    "powder": Material(60.0, (1.0, 1.37, 1.9), 0.120, 2.50, 0.180),
}
"""Sound of each material. ``powder`` is the burst of a firework: almost all noise."""
CLAP = Material(620.0, (1.0, 1.8), 0.012, 2.20, 0.014)
"""Two palms: a short burst, coloured by the hollow between them."""


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """What one source sounds like: ``modes`` (M, n) and ``burst`` (n,), float32, at full strength."""

    modes: F32
    burst: F32
    first_hz: float

    def blow(self, impact: float) -> F32:
        """Sound of one blow, (n,) float32 from the moment of contact on.

        Parameters
        ----------
        impact : speed of the blow, 0 to 1: the amplitude is proportional to it, and upper modes grow with its square
        """
        upper = np.arange(len(self.modes), dtype=np.float32)
        weights = impact * (0.25 + 0.75 * impact) ** (0.6 * upper) / (1.0 + 0.5 * upper)
        mixed: F32 = weights.astype(np.float32) @ self.modes + np.float32(impact * (0.4 + 0.6 * impact)) * self.burst
        return mixed


def voice(
    rng: np.random.Generator,
    material: Material,
    first_hz: float,
    *,
    sound_hz: int,
    spread: float = 1.0,
    decay: float = 1.0,
) -> Voice:
    """Make the voice of a body.

    Parameters
    ----------
    rng : draws the noise of its burst
    material : how a body of the usual size rings
    first_hz : frequency of the first mode of this one; modes above 0.45 ``sound_hz`` are left out
    sound_hz : samples per second
    spread : how far the upper modes are spread, as the exponent of their ratios to the first
    decay : how long it rings, times the usual
    """
    frequencies = first_hz * np.array(material.ratios) ** spread
    frequencies = frequencies[frequencies < 0.45 * sound_hz]
    count = round(RING_S * sound_hz)
    time_s = np.arange(count) / sound_hz
    rates = 1.0 / (material.decay_s * decay) * np.sqrt(frequencies / first_hz)
    fade = np.clip((RING_S - time_s) / FADE_S, 0.0, 1.0)
    turns = 2 * np.pi * frequencies[:, None] * time_s
    modes = (np.exp(-rates[:, None] * time_s) * np.sin(turns) * fade).astype(np.float32)
    noise = coloured(rng, count, tilt=0.0 if first_hz > 300 else 0.5)
    envelope = np.exp(-time_s / (material.noise_s * decay)) * fade
    burst = (material.noise * 0.5 * envelope * noise).astype(np.float32)
    return Voice(modes, burst, first_hz)


def coloured(rng: np.random.Generator, count: int, tilt: float) -> F32:
    """Noise of unit power, (count,): amplitude falls with frequency to the power of ``tilt`` (0 white, 0.5 pink)."""
    if tilt == 0.0:
        return rng.standard_normal(count, np.float32)
    size = good_size(count)
    spectrum = rng.standard_normal((2, size // 2 + 1), np.float32)
    shape = np.maximum(np.arange(size // 2 + 1), size // 800 + 1).astype(np.float32) ** np.float32(-tilt)
    noise = np.fft.irfft((spectrum[0] + 1j * spectrum[1]) * shape, size)[:count]
    return np.asarray(noise / (np.sqrt(np.mean(noise**2)) + 1e-12), np.float32)


def good_size(count: int) -> int:
    """Next size of a fast Fourier transform that is quick: an even product of 2, 3 and 5."""
    best = 1 << (count - 1).bit_length()
    for fives in (1, 5, 25, 125, 625):
        for threes in (1, 3, 9, 27, 81):
            odd = fives * threes
            needed = -(-count // odd)
            best = min(best, odd * max(2, 1 << (needed - 1).bit_length()))
    return best
