"""How rendered things sound: what is seen of a source gives its voice; and hum, and the room around it.

The voices are `clapboard.synthesis.modal`'s.
"""

import numpy as np

from clapboard.synthesis.modal import CLAP, MATERIAL_SOUNDS, Voice, good_size, voice
from clapboard.testing.events.classes import Looks
from clapboard.values import F32


def voice_of(rng: np.random.Generator, looks: Looks, sound_hz: int) -> Voice:
    """Make the voice of a source from what it looks like."""
    material = CLAP if looks.kind == "clap" else MATERIAL_SOUNDS[looks.material]
    first_hz = material.first_hz * looks.pitch / looks.size
    if looks.kind == "metronome":
        first_hz *= 2.2  # a small box
    return voice(rng, material, first_hz, sound_hz=sound_hz, spread=looks.spread, decay=looks.decay)


def hum(rng: np.random.Generator, count: int, sound_hz: int) -> F32:
    """Hum of the mains, 50 or 60 Hz with harmonics, of unit power, (count,)."""
    base_hz = float(rng.choice([50, 60]))
    second = 2 * np.pi * base_hz * np.arange(sound_hz) / sound_hz  # whole numbers of Hz repeat after a second
    strengths = rng.uniform(0.1, 1.0, 5) / np.arange(1, 6)
    phases = rng.uniform(0, 2 * np.pi, 5)
    one = sum(a * np.sin(k * second + p) for k, (a, p) in enumerate(zip(strengths, phases, strict=True), 1))
    power = np.sqrt(0.5 * np.sum(strengths**2))
    return np.resize((one / power).astype(np.float32), count)


def reverberate(rng: np.random.Generator, dry: F32, sound_hz: int, decay_s: float, wet: float) -> F32:
    """Add the echoes of a room to a track (N,): noise that falls to 1/e in ``decay_s``; the direct sound stays.

    ``wet`` is the power of the echoes, as part of that of the direct sound.
    """
    count = round(4 * decay_s * sound_hz)
    time_s = np.arange(count) / sound_hz
    room = (np.exp(-time_s / decay_s) * rng.standard_normal(count)).astype(np.float32)
    room *= np.float32(np.sqrt(wet / np.sum(room**2)))
    room[: round(0.004 * sound_hz)] = 0.0  # the first wall is more than a metre away
    room[0] = 1.0
    size = good_size(len(dry) + count)
    wetted = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(room, size), size)[: len(dry)]
    return np.asarray(wetted, np.float32)
