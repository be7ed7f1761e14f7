"""The voice of the curves: a sum of harmonics weighted by formants, and shaped noise.

Harmonics are exact in time: no filter runs, so nothing is delayed but by the phase of the formants themselves (about a
millisecond, as in a vocal tract). The envelope of noise is applied after its spectrum, so a burst starts on its sample.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.testing.articulation import Articulation
from clapboard.testing.speaker import STREAM_VOICE, Speaker, generator
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import F32, F64

BLOCK_S = 0.002
"""Formants are worked out this often and joined by straight lines (s)."""
CHUNK_BLOCKS = 64
"""Blocks that share one count of harmonics."""
TOP_HZ = 7600.0
"""The voice has no harmonics above (Hz)."""
UPPER_HZ = (3500.0, 4500.0)
"""F4 and F5 of a man (Hz), Fant, "Acoustic theory of speech production", 1960."""
WIDTHS_HZ = (70.0, 90.0, 130.0, 200.0, 300.0)
"""Bandwidths of F1 to F5 (Hz), Klatt, JASA 67 (1980), "Software for a cascade/parallel formant synthesizer"."""


def _tract(hz: NDArray[Any], formants_hz: F64) -> NDArray[np.complex128]:
    """Response of resonators in cascade: hz (B, K) and formants (B, 5) give (B, K) complex, 1 at 0 Hz."""
    response = np.ones(hz.shape, np.complex128)
    for number, width_hz in enumerate(WIDTHS_HZ):
        middle = formants_hz[:, number, None]
        response *= middle**2 / (middle**2 - hz**2 + 1j * width_hz * hz)
    return response


def _along(curve: NDArray[Any], articulation: Articulation, time_s: NDArray[Any]) -> F64:
    """Return a curve (M,) at any times, by straight lines."""
    where = (time_s - articulation.start_s) * articulation.rate_hz
    return np.asarray(np.interp(where, np.arange(len(curve)), curve), dtype=np.float64)


def _all_formants(articulation: Articulation, speaker: Speaker, time_s: NDArray[Any]) -> F64:
    """F1 to F5, (B, 5) Hz."""
    lower = [_along(curve, articulation, time_s) for curve in articulation.formants_hz]
    return np.stack([*lower, *(np.full(len(time_s), hz * speaker.tract) for hz in UPPER_HZ)], axis=1)


def _voiced(
    articulation: Articulation, speaker: Speaker, rng: np.random.Generator, step: int, blocks: int
) -> tuple[F64, F64]:
    """Return the harmonics, root mean square 1 wherever there is a voice, and the phase in cycles: (blocks * step,)."""
    rate_hz = step / BLOCK_S
    edges_s = articulation.start_s + np.arange(blocks + 1) * BLOCK_S
    deviation = rng.normal(size=(blocks + 1, 2))
    wander = np.exp(speaker.jitter * deviation[:, 0])
    f0_hz = _along(articulation.f0_hz, articulation, edges_s) * wander
    part = np.arange(step) / step
    pitch = f0_hz[:-1, None] + np.diff(f0_hz)[:, None] * part
    phase = np.cumsum(pitch.ravel() / rate_hz) % 1.0
    base = np.exp(2j * np.pi * phase).astype(np.complex64).reshape(blocks, step)
    swell = 1 + speaker.shimmer * np.clip(deviation[:, 1], -2, 2)
    voicing = _along(articulation.voicing, articulation, edges_s)
    murmur = _along(articulation.murmur, articulation, edges_s)
    formants = _all_formants(articulation, speaker, edges_s)
    sound = np.zeros((blocks, step), np.float32)
    weight = part.astype(np.float32)
    for first in range(0, blocks, CHUNK_BLOCKS):
        last = min(first + CHUNK_BLOCKS, blocks)
        if not voicing[first : last + 1].any():
            continue
        rows = slice(first, last + 1)
        count = int(TOP_HZ / f0_hz[rows].min())
        number = np.arange(1, count + 1)
        hz = f0_hz[rows, None] * number
        gains = _tract(hz, formants[rows]) * number ** -(speaker.tilt + 0.3 * murmur[rows, None])
        # a shut mouth lets only the lowest part through
        gains = gains / (1 + murmur[rows, None] * (hz / 350) ** 2)
        gains *= np.clip((TOP_HZ - hz) / 600, 0, 1)
        gains *= np.sqrt(2 / np.sum(np.abs(gains) ** 2, axis=1, keepdims=True))
        gains *= swell[rows, None]
        gain = gains.astype(np.complex64)
        rise = gain[1:] - gain[:-1]
        z = base[first:last].copy()
        for k in range(count):
            sound[first:last] += (z * (gain[:-1, k, None] + rise[:, k, None] * weight)).real
            z *= base[first:last]
    return sound.ravel().astype(np.float64), phase


def _noise(spectra: F64, rng: np.random.Generator, hop: int, size: int) -> F64:
    """Return noise whose spectrum follows ``spectra`` (B, hop + 1), by overlapping blocks of ``2 * hop`` samples.

    Block b is centred on sample ``b * hop``. The root mean square is 1 where the spectrum stays as it is.
    """
    blocks = len(spectra)
    spectra = spectra / np.sqrt(np.mean(spectra**2, axis=1, keepdims=True) + 1e-20)
    white = rng.normal(size=(blocks, 2 * hop))
    shaped = np.fft.irfft(np.fft.rfft(white, axis=1) * spectra, axis=1)
    # the square root of a Hann window: independent blocks then add up to a constant power
    shaped *= np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop))
    halves = shaped.reshape(blocks, 2, hop)
    sound = np.zeros((blocks + 1, hop))
    sound[:-1] += halves[:, 0]
    sound[1:] += halves[:, 1]
    return sound.ravel()[hop : hop + size]


def _echo(sound: F64, speaker: Speaker, rng: np.random.Generator, rate_hz: int) -> F64:
    """Add the echo of a room behind the direct sound, which stays where it is."""
    taps = int(speaker.room_s * rate_hz)
    if taps == 0:
        return sound
    tail = rng.normal(size=taps) * 10 ** (-3 * np.arange(taps) / taps)
    tail[: int(0.004 * rate_hz)] = 0
    tail *= np.sqrt(speaker.room_gain / np.sum(tail**2))
    tail[0] = 1
    size = 1 << (len(sound) + taps).bit_length()
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]


def voice(articulation: Articulation, speaker: Speaker, rate_hz: int = SAMPLE_RATE_HZ, *, clean: bool = False) -> F32:
    """Return the sound of the curves.

    Parameters
    ----------
    articulation : the curves
    speaker : whose voice it is
    rate_hz : samples per second, a multiple of 1000
    clean : leave out the room and the noise of the recording

    Returns
    -------
    samples : (N,) float32 in [-1, 1]; sample n is at ``articulation.start_s + n / rate_hz`` seconds of the curves

    Raises
    ------
    UsageError : a rate that is no multiple of 1000 Hz, or below 8000
    """
    if rate_hz % 1000 or rate_hz < 8000:
        raise UsageError(f"rate_hz must be a multiple of 1000 from 8000 on, not {rate_hz}")
    step = round(rate_hz * BLOCK_S)
    span_s = (len(articulation.opening) - 1) / articulation.rate_hz
    blocks = int(np.ceil(span_s / BLOCK_S))
    size = round(span_s * rate_hz)
    time_s = articulation.start_s + np.arange(size) / rate_hz
    tones, phase = _voiced(articulation, speaker, generator(speaker.seed, STREAM_VOICE, 0), step, blocks)
    hop = 2 * step
    middles_s = articulation.start_s + np.arange(size // hop + 2) * hop / rate_hz
    bins_hz = np.linspace(0, rate_hz / 2, hop + 1)
    middle = _along(articulation.noise_hz, articulation, middles_s)[:, None]
    width = _along(articulation.noise_width_hz, articulation, middles_s)[:, None]
    hissing = np.exp(-0.5 * ((bins_hz - middle) / width) ** 2)
    formants = _all_formants(articulation, speaker, middles_s)
    breathing = np.abs(_tract(np.broadcast_to(bins_hz, (len(middles_s), hop + 1)), formants))
    breathing *= (bins_hz / 1000) * (bins_hz < TOP_HZ)
    hiss = _noise(hissing, generator(speaker.seed, STREAM_VOICE, 1), hop, size)
    air = _noise(breathing, generator(speaker.seed, STREAM_VOICE, 2), hop, size)
    voicing = _along(articulation.voicing, articulation, time_s)
    breath = _along(articulation.breath, articulation, time_s)
    # breath comes in puffs, once per cycle of the voice
    breath = breath + speaker.breath * voicing * (1 + np.cos(2 * np.pi * phase[:size]))
    sound = voicing * tones[:size] + breath * air + _along(articulation.noise, articulation, time_s) * hiss
    if not clean:
        sound = _echo(sound, speaker, generator(speaker.seed, STREAM_VOICE, 3), rate_hz)
    sound *= speaker.level
    if not clean:
        sound += (
            _noise(
                np.broadcast_to(1 / (1 + bins_hz / 500), (len(middles_s), hop + 1)),
                generator(speaker.seed, STREAM_VOICE, 4),
                hop,
                size,
            )
            * speaker.floor
        )
    return np.asarray(np.clip(sound, -1, 1), dtype=np.float32)
