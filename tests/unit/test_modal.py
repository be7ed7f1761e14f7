"""Struck bodies in sound: what `modal.voice` gives is the formula, to the bit, and rendered clips sound by it."""

import numpy as np
import pytest

from clapboard.synthesis.modal import CLAP, FADE_S, MATERIAL_SOUNDS, RING_S, coloured, good_size, voice
from clapboard.testing.events.classes import Looks
from clapboard.testing.events.sounds import voice_of

HZ = 16_000


@pytest.mark.parametrize(
    ("kind", "material"),
    [("stick", "wood"), ("metronome", "metal"), ("clap", "skin"), ("bounce", "earth"), ("firework", "powder")],
)
def test_rendered_clips_keep_their_sound_to_the_bit(kind: str, material: str) -> None:
    """Protects data sets rendered before the voices had a module of their own: their formula, as it stood there."""
    looks = Looks(kind, material, size=0.83, speed=1.1, pitch=1.21, spread=0.94, decay=1.3, build=1.0)
    sound = CLAP if kind == "clap" else MATERIAL_SOUNDS[material]
    first_hz = sound.first_hz * looks.pitch / looks.size * (2.2 if kind == "metronome" else 1.0)
    frequencies = first_hz * np.array(sound.ratios) ** looks.spread
    frequencies = frequencies[frequencies < 0.45 * HZ]
    time_s = np.arange(round(RING_S * HZ)) / HZ
    rates = 1.0 / (sound.decay_s * looks.decay) * np.sqrt(frequencies / first_hz)
    fade = np.clip((RING_S - time_s) / FADE_S, 0.0, 1.0)
    modes = np.exp(-rates[:, None] * time_s) * np.sin(2 * np.pi * frequencies[:, None] * time_s) * fade
    noise = coloured(np.random.default_rng(7), len(time_s), 0.0 if first_hz > 300 else 0.5)
    burst = sound.noise * 0.5 * (np.exp(-time_s / (sound.noise_s * looks.decay)) * fade) * noise
    made = voice_of(np.random.default_rng(7), looks, HZ)
    np.testing.assert_array_equal(made.modes, modes.astype(np.float32))
    np.testing.assert_array_equal(made.burst, burst.astype(np.float32))
    assert made.first_hz == first_hz
    impact = 0.7
    upper = np.arange(len(modes), dtype=np.float32)
    weights = (impact * (0.25 + 0.75 * impact) ** (0.6 * upper) / (1.0 + 0.5 * upper)).astype(np.float32)
    expected = weights @ made.modes + np.float32(impact * (0.4 + 0.6 * impact)) * made.burst
    np.testing.assert_array_equal(made.blow(impact), expected)


def test_modes_above_the_band_are_left_out() -> None:
    """Protects against aliases: a body so small that only its first mode can be heard has one."""
    small = voice(np.random.default_rng(0), MATERIAL_SOUNDS["glass"], 5000.0, sound_hz=HZ)
    assert small.modes.shape == (1, round(RING_S * HZ))
    size = np.abs(np.fft.rfft(small.modes[0] * np.hanning(len(small.modes[0]))))
    assert np.argmax(size) * HZ / len(small.modes[0]) == pytest.approx(5000, abs=5)


def test_pink_noise_falls_by_three_decibels_an_octave() -> None:
    """Protects ``coloured``: unit power, and the tilt that was asked for."""
    noise = coloured(np.random.default_rng(1), 2**17, 0.5)
    assert float(np.mean(noise**2)) == pytest.approx(1.0, abs=1e-3)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [10 * np.log10(power[n : 2 * n].mean()) for n in (2**10, 2**12, 2**14)]
    np.testing.assert_allclose(np.diff(octaves), -6.0, atol=0.5)


@pytest.mark.parametrize("count", [2, 97, 8000, 12345])
def test_sizes_of_transforms_are_products_of_two_three_and_five(count: int) -> None:
    """Protects the speed of long tracks: never shorter than asked for, never much longer."""
    size = good_size(count)
    assert count <= size <= 1.2 * count + 2
    for prime in (2, 3, 5):
        while size % prime == 0:
            size //= prime
    assert size == 1
