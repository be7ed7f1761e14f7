"""How textures sound: noise in bands, hums that follow the speed, thumps and rasps, all driven by what is seen.

Curves are read at `CURVE_HZ` and laid over noise and waves made at the rate of the sound, so a clip takes milliseconds.
"""

from itertools import pairwise

import numpy as np

from clapboard.synthesis.laying import add_at
from clapboard.synthesis.modal import good_size
from clapboard.testing.textures.motion import CURVE_HZ
from clapboard.testing.textures.painting import Texture, fired, passed
from clapboard.values import F32, F64

TABLE = 2048
"""Points of one period of a hum."""
BUBBLES_HZ = 24.0
"""Bubbles per second in water at full flow."""
FULL_RMS = 0.11
"""Root of the mean power of a texture at full activity, full scale 1."""
ENGINE_HZ, ROTOR_HZ, SAW_HZ = 30.0, 62.0, 21.0
"""Pitch: of an engine and a saw cycles of the hum for each cycle that is seen; of a rotor the tone of its thump, Hz."""


def sound_texture(rng: np.random.Generator, texture: Texture, sound_hz: int, count: int) -> F32:
    """Play a texture, (count,) float32 from the first point of its motion on."""
    sound: F32 = _VOICES[texture.looks.kind](rng, texture, sound_hz, count)
    return sound * np.float32(FULL_RMS)


def spread(curve: F64, count: int, sound_hz: int) -> F32:
    """A curve at the samples, (count,) float32, straight between its points."""
    place = np.arange(count, dtype=np.float32) * np.float32(CURVE_HZ / sound_hz)
    whole = np.minimum(place.astype(np.int32), len(curve) - 2)
    points = curve.astype(np.float32)
    return np.asarray(points[whole] + (place - whole) * np.diff(points)[whole], np.float32)


def bands(rng: np.random.Generator, count: int, sound_hz: int, edges_hz: tuple[float, ...], slope: float) -> list[F32]:
    """Noise in neighbouring bands, (count,) each of unit power; within each it falls by ``slope`` (power of frequency).

    All come from one noise, so that together they are one sound.
    """
    size = good_size(count)
    noise = rng.standard_normal((2, size // 2 + 1), np.float32)
    spectrum = noise[0] + 1j * noise[1]
    made = []
    for low_hz, high_hz in pairwise(edges_hz):
        first, last = (min(round(edge * size / sound_hz), size // 2) for edge in (low_hz, high_hz))
        part = np.zeros_like(spectrum)
        fall = np.arange(first, last, dtype=np.float32) / max(first, 1)
        part[first:last] = spectrum[first:last] * fall ** np.float32(-slope)
        wave = np.fft.irfft(part, size)[:count]
        made.append(np.asarray(wave / (np.sqrt(np.mean(wave**2)) + 1e-12), np.float32))
    return made


def hum(rng: np.random.Generator, turns: F64, strengths: F64, count: int, sound_hz: int) -> F32:
    """A wave of unit power with so many periods by each point of its curve, and harmonics of given strengths."""
    period = 2 * np.pi * np.arange(TABLE) / TABLE
    orders, phases = np.arange(1, len(strengths) + 1), rng.uniform(0, 2 * np.pi, len(strengths))
    table = (strengths / np.sqrt(0.5 * np.sum(strengths**2))) @ np.sin(np.outer(orders, period) + phases[:, None])
    # float64 up to the fraction: after thousands of periods float32 would be out of tune
    place = np.interp(np.arange(count) * (CURVE_HZ / sound_hz), np.arange(len(turns)), turns)
    place = (place - np.floor(place)) * TABLE
    return np.asarray(table[place.astype(np.int32) % TABLE], np.float32)


def wander(rng: np.random.Generator, count: int, slowest_hz: float, fastest_hz: float) -> F64:
    """A smooth random curve of about unit power, (count,) at `CURVE_HZ`: what no picture tells."""
    time_s = np.arange(count) / CURVE_HZ
    rates, phases = rng.uniform(slowest_hz, fastest_hz, 8), rng.uniform(0, 2 * np.pi, 8)
    return np.asarray(np.sin(2 * np.pi * np.outer(time_s, rates) + phases).mean(1) * 4.0)


def _water(rng: np.random.Generator, texture: Texture, sound_hz: int, count: int) -> F32:
    """Noise that is louder and brighter the faster it flows, and bubbles."""
    looks, motion = texture.looks, texture.motion
    level, bright = motion.activity(), 0.25 + 0.75 * motion.speed
    low, middle, high = bands(rng, count, sound_hz, (120, 500, 1800, 7000), 0.25 * looks.slope)
    gurgle = np.exp(0.35 * wander(rng, len(level), 2.0, 9.0))
    wave = 0.55 * spread(level * gurgle, count, sound_hz) * low
    wave += 0.6 * spread(level * bright**0.5, count, sound_hz) * middle
    wave += 0.6 * spread(level * bright**1.2 / looks.slope, count, sound_hz) * high
    seconds = len(level) / CURVE_HZ
    times_s = np.sort(rng.uniform(0, seconds, rng.poisson(BUBBLES_HZ * seconds)))
    loud = motion.going() * motion.speed
    for time_s, chance in zip(times_s.tolist(), rng.random((len(times_s), 3)), strict=True):
        if chance[0] < loud[int(time_s * CURVE_HZ)]:
            pitch_hz = 450 * looks.pitch / looks.size * 3.0 ** chance[1]
            add_at(wave, round(time_s * sound_hz), _bubble(pitch_hz, 0.5 + 1.5 * chance[2], sound_hz))
    return wave


def _bubble(pitch_hz: float, strength: float, sound_hz: int) -> F32:
    """A bubble: a short tone that rises."""
    time_s = np.arange(round(0.03 * sound_hz)) / sound_hz
    turns = 2 * np.pi * pitch_hz * (time_s + 6.0 * time_s**2)
    return np.asarray(strength * np.sin(turns) * np.exp(-time_s / 0.008), np.float32)


def _engine(rng: np.random.Generator, texture: Texture, sound_hz: int, count: int) -> F32:
    """A hum whose pitch follows the turns, with a stroke at each firing."""
    looks, motion = texture.looks, texture.motion
    strengths = np.arange(1, 13.0) ** (-0.9 * looks.slope) * rng.uniform(0.5, 1.0, 12)
    fires = motion.activity() * (0.3 + 0.9 * fired(motion.cycles))
    wave = 0.9 * hum(rng, ENGINE_HZ * looks.pitch * motion.cycles, strengths, count, sound_hz)
    (noise,) = bands(rng, count, sound_hz, (150, 2500), 0.6 * looks.slope)
    rough = 0.45 * looks.rough * (0.8 + 0.2 * wander(rng, len(fires), 3.0, 12.0))
    return (wave + spread(rough, count, sound_hz) * noise) * spread(1.6 * fires, count, sound_hz)


def _rotor(rng: np.random.Generator, texture: Texture, sound_hz: int, count: int) -> F32:
    """A low thump and a swish each time a blade passes the mast."""
    looks, motion = texture.looks, texture.motion
    near, level = passed(motion.cycles), motion.activity()
    low, swish = bands(rng, count, sound_hz, (45, 180, 1400), 0.4 * looks.slope)
    tone_hz = ROTOR_HZ * looks.pitch / looks.size
    tone = hum(rng, np.arange(len(level)) * tone_hz / CURVE_HZ, np.array([1.0, 0.5, 0.25]), count, sound_hz)
    wave = (0.9 * looks.rough * low + 1.3 * tone) * spread(level * (0.1 + near), count, sound_hz)
    return wave + 0.5 * swish * spread(level * motion.speed * (0.25 + near), count, sound_hz)


def _saw(rng: np.random.Generator, texture: Texture, sound_hz: int, count: int) -> F32:
    """A buzz while it goes, and in the wood a harsh rasp with each stroke."""
    looks, motion = texture.looks, texture.motion
    stroke = np.abs(np.cos(2 * np.pi * motion.cycles))
    idle = motion.going() * (0.3 + 0.7 * motion.speed) * 0.3
    rasp = motion.activity() * motion.contact * (0.15 + stroke) * (0.85 + 0.15 * wander(rng, len(stroke), 4.0, 15.0))
    strengths = np.arange(1, 11.0) ** (-1.1 * looks.slope)
    buzz = hum(rng, SAW_HZ * looks.pitch * motion.cycles, strengths, count, sound_hz)
    middle, high = bands(rng, count, sound_hz, (600, 1500, 7500), 0.3 * looks.slope)
    wave = spread(idle, count, sound_hz) * buzz
    return wave + spread(rasp, count, sound_hz) * (0.6 * looks.rough * middle + 1.0 * high)


_VOICES = {"water": _water, "engine": _engine, "rotor": _rotor, "saw": _saw}
