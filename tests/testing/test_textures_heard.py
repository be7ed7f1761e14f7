"""Rendered textures to the ear: as loud as their truth says, with a pitch and a beat that are those of the picture."""

from fractions import Fraction
from itertools import islice

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.synthesis.cues import BLOWS, MATERIALS
from clapboard.synthesis.mel import log_mel
from clapboard.testing import TextureClip, render_texture
from clapboard.testing.events.classes import PARTS
from clapboard.testing.textures import TEXTURE_RANGES, TEXTURES
from clapboard.testing.textures.classes import TextureKind, TextureLooks
from clapboard.testing.textures.motion import CURVE_HZ, FULL_HZ, Motion
from clapboard.testing.textures.painting import draw_texture
from clapboard.testing.textures.sounding import ENGINE_HZ, sound_texture

HZ = 16_000
SLOW = 50
"""Rows over which power is averaged, so that single thumps and strokes do not count."""


def alone(kind: TextureKind, count: int) -> list[TextureClip]:
    """Return clips of one kind in which nothing strikes."""
    clips = (render_texture(seed, kinds=(kind,), px=16) for seed in range(100))
    return list(islice((clip for clip in clips if not clip.events), count))


def power_db(clip: TextureClip) -> np.ndarray:
    """Return the power of each row of the truth, (R - 4,) dB, from the second to the last but two."""
    # row r of the truth has its middle at 10 r - 15 ms: rows 2 to R - 3 are whole within the samples
    rows = clip.samples[80 : 80 + (len(clip.samples) // 160 - 4) * 160].reshape(-1, 160)
    return 10 * np.log10((rows**2).mean(1) + 1e-12)


def steady(kind: TextureKind, speed: float, seconds: float = 3.0) -> tuple[TextureLooks, Motion, np.ndarray]:
    """Return the sound of a texture that goes on at one speed."""
    looks = TextureLooks.draw(np.random.default_rng(3), kind, "train")
    count = round(seconds * CURVE_HZ) + 1
    cycles = speed * FULL_HZ[kind] * looks.pace * np.arange(count) / CURVE_HZ
    motion = Motion(0.0, np.full(count, speed), cycles, np.ones(count))
    texture = draw_texture(np.random.default_rng(4), looks, motion, 0.5, 90.0)
    return looks, motion, sound_texture(np.random.default_rng(5), texture, HZ, round(seconds * HZ))


@pytest.mark.parametrize("kind", TEXTURES)
def test_it_is_as_loud_as_the_truth_says(kind: TextureKind) -> None:
    """Protects the truth: where nothing goes on there is silence, and power goes with the activity, twice a second."""
    silent, louds, levels = 0, [], []
    for clip in alone(kind, 6):
        activity = clip.activity[kind][2:-2]
        power = power_db(clip)
        assert len(power) == len(activity)
        still = np.convolve(activity, np.ones(5), "same") == 0
        silent += int(still.sum())
        assert (power[still] < -90).all()
        whole = len(power) // SLOW * SLOW
        louds += list(10 * np.log10((10 ** (power[:whole] / 10)).reshape(-1, SLOW).mean(1)))
        levels += list(10 * np.log10((activity[:whole] ** 2).reshape(-1, SLOW).mean(1) + 1e-9))
    assert silent > 20
    heard = np.array(levels) > -40
    assert np.corrcoef(np.array(louds)[heard], np.array(levels)[heard])[0, 1] > 0.85


def test_an_engine_is_heard_to_turn_as_fast_as_it_does() -> None:
    """Protects what a network can learn of pitch: the hum has so many periods for each turn that is seen."""
    for speed in (0.4, 0.7, 1.0):
        looks, _, wave = steady("engine", speed)
        hum_hz = ENGINE_HZ * looks.pitch * looks.pace * FULL_HZ["engine"] * speed
        shape = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
        bin_hz = HZ / len(wave)

        def at(hz: float, shape: np.ndarray = shape, bin_hz: float = bin_hz) -> float:
            """Power near the first harmonics of a hum."""
            return float(sum(shape[round(k * hz / bin_hz) - 2 : round(k * hz / bin_hz) + 3].sum() for k in range(1, 6)))

        others = [
            at(hum_hz * factor) for factor in np.concatenate([np.linspace(0.75, 0.93, 9), np.linspace(1.07, 1.3, 9)])
        ]
        assert at(hum_hz) > 10 * np.median(others)


@pytest.mark.parametrize(("kind", "beats"), [("engine", 2.0), ("rotor", 1.0), ("saw", 2.0)])
def test_each_cycle_is_heard(kind: TextureKind, beats: float) -> None:
    """Protects the beat: engines fire twice a turn, each blade that passes thumps, saws rasp to and fro."""
    _, motion, wave = steady(kind, 0.8)
    power = (wave[: len(wave) // 160 * 160].reshape(-1, 160) ** 2).mean(1)
    beat_hz = beats * (motion.cycles[-1] - motion.cycles[0]) / ((len(motion.cycles) - 1) / CURVE_HZ)
    strength = np.abs(np.fft.rfft((power - power.mean()) * np.hanning(len(power)), 4096))
    hz = np.arange(len(strength)) * 100 / 4096
    slow = (hz > 1.0) & (hz < 20.0)
    assert abs(float(hz[slow][np.argmax(strength[slow])]) - beat_hz) < 0.4


def test_a_saw_in_the_wood_is_brighter_and_louder() -> None:
    """Protects the difference that contact makes: the bands above 1.5 kHz rise by more than 20 dB."""
    found = []
    for clip in alone("saw", 4):
        mel = log_mel(clip.samples[: len(clip.samples) // 160 * 160])[2:-2]
        activity = clip.activity["saw"][2 : 2 + len(mel)]
        mel = mel[: len(activity)]
        idle, bites = (activity > 0.08) & (activity < 0.29), activity > 0.7
        if idle.sum() > 50 and bites.sum() > 50:
            found.append(mel[bites][:, 45:].mean() - mel[idle][:, 45:].mean())
    assert len(found) >= 2
    assert min(found) > np.log(100)


def test_all_follows_from_the_seed() -> None:
    """Protects sets and examples: the same seed gives the same clip to the bit; another or another part does not."""
    clip, again = render_texture(5, seconds=2.0), render_texture(5, seconds=2.0)
    np.testing.assert_array_equal(clip.images, again.images)
    np.testing.assert_array_equal(clip.around, again.around)
    for other in (render_texture(6, seconds=2.0), render_texture(5, seconds=2.0, part="test")):
        assert not np.array_equal(clip.around, other.around)
        assert not np.array_equal(clip.images, other.images)


@pytest.mark.parametrize("name", TEXTURE_RANGES)
def test_parts_share_no_value(name: str) -> None:
    """Protects figures on held-out clips: no class parameter of the part test is one of the part train."""
    rng = np.random.default_rng(0)
    spans = TEXTURE_RANGES[name]
    for part, other in (PARTS, PARTS[::-1]):
        drawn = np.array([spans.draw(rng, part) for _ in range(200)])
        assert not any(((low <= drawn) & (drawn < high)).any() for low, high in getattr(spans, other))


def test_shapes_and_shares() -> None:
    """Protects readers of the clips: arrays that fit each other, and the shares of blows, pauses and two textures."""
    clips = [render_texture(seed, seconds=4.0, px=16) for seed in range(60)]
    for clip in clips:
        assert clip.images.shape == (100, 16, 16)
        assert clip.samples.shape == (64_000,)
        assert clip.around.shape == (64_000 + 2 * 40_000,)
        np.testing.assert_array_equal(clip.around[40_000:-40_000], clip.samples)
        assert np.abs(clip.around).max() <= 0.971
        assert all(rows.shape == (400,) and rows.min() >= 0 and rows.max() <= 1 for rows in clip.activity.values())
        blows = [name for name in clip.materials if name in BLOWS]
        assert len(clip.boxes) == len(clip.materials) == len(blows) + len(clip.activity)
        assert clip.materials[len(blows) :] == tuple(clip.activity)
        assert set(clip.materials) <= set(MATERIALS)
        assert {event.source for event in clip.events} <= ({0} if blows else set())
    with_blows = np.mean([bool(clip.events) for clip in clips])
    two = np.mean([len(clip.activity) == 2 for clip in clips])
    stops = np.mean([any((rows == 0).any() for rows in clip.activity.values()) for clip in clips])
    assert 0.25 < with_blows < 0.55
    assert 0 < two < 0.2
    assert 0.2 < stops < 0.8


def test_other_rates_and_colour() -> None:
    """Protects other views than the usual: any rate of pictures and sound, and colour."""
    clip = render_texture(2, seconds=2.0, px=32, rate=Fraction(30000, 1001), sound_hz=22_050, colour=True)
    assert clip.images.shape == (59, 32, 32, 3)
    assert clip.samples.shape == (44_100,)
    np.testing.assert_allclose(np.diff(clip.time_s), 1001 / 30000)
    usual = render_texture(2, seconds=2.0)
    np.testing.assert_array_equal(clip.activity[clip.materials[-1]], usual.activity[clip.materials[-1]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": ()},
        {"kinds": ("rain",)},
        {"seconds": 0.0},
        {"px": 8},
        {"sound_hz": 100},
        {"part": "dev"},
        {"seed": -1},
    ],
)
def test_wrong_arguments(wrong: dict[str, object]) -> None:
    """Protects users from clips of nothing."""
    with pytest.raises(UsageError):
        render_texture(**{"seed": 1, **wrong})  # type: ignore[arg-type]
