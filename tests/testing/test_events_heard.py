"""Rendered events in the sound: each begins at its time, and sounds like what is seen."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from clapboard.synthesis.modal import MATERIAL_SOUNDS
from clapboard.testing import render_events
from clapboard.testing.events import KINDS
from clapboard.testing.events.classes import Kind, Looks
from clapboard.testing.events.plan import LEAD_S
from clapboard.testing.events.sounds import voice_of

HZ = 16_000
PLAIN = Looks("stick", "wood", size=1.0, speed=1.0, pitch=1.0, spread=1.0, decay=1.0, build=1.0)


def _blow(looks: Looks, impact: float = 0.8, seed: int = 0) -> np.ndarray:
    """Return the sound of one blow."""
    return voice_of(np.random.default_rng(seed), looks, HZ).blow(impact)


def _first_hz(looks: Looks) -> float:
    """Return the strongest frequency once the noise is over."""
    tail = _blow(looks)[400:]
    return float(np.argmax(np.abs(np.fft.rfft(tail * np.hanning(len(tail)), 65536))) * HZ / 65536)


def _brightness_hz(sound: np.ndarray) -> float:
    """Return the middle of a sound's spectrum by amplitude."""
    size = np.abs(np.fft.rfft(sound))
    return float((size * np.fft.rfftfreq(len(sound), 1 / HZ)).sum() / size.sum())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "metronome"])
def test_a_sound_begins_at_the_contact(kind: Kind) -> None:
    """Protects the truth against the sound: silence up to the event, sound within a millisecond of it."""
    count = 0
    for seed in range(4):
        clip = render_events(seed, kinds=(kind,), split="sparse", clean=True)
        loud = np.abs(clip.samples) > 0.02 * np.abs(clip.samples).max()
        assert {event.source for event in clip.events} == {0}
        for event in clip.events:
            start = round(event.time_s * HZ)
            assert not loud[start - 500 : start].any()
            assert np.argmax(loud[start:]) <= HZ // 1000
            count += 1
    assert count >= 4


def test_ticks_begin_at_the_stops() -> None:
    """Protects the metronome, which has no sparse clips: every tick is where the truth has it, a period apart."""
    clip = next(c for c in (render_events(s, kinds=("metronome",), clean=True) for s in range(20)) if c.period_s > 0.6)
    times_s = np.array([event.time_s for event in clip.events])
    np.testing.assert_allclose(np.diff(times_s), clip.period_s, atol=1e-9)
    loud = np.abs(clip.samples) > 0.02 * np.abs(clip.samples).max()
    for start in np.round(times_s[1:-1] * HZ).astype(int):
        assert not loud[start - 500 : start].any()
        assert np.argmax(loud[start:]) <= HZ // 1000


def test_a_harder_blow_is_louder_and_brighter() -> None:
    """Protects that speed is heard: in amplitude, and in the share of upper modes."""
    blows = [_blow(PLAIN, impact) for impact in (0.2, 0.5, 0.9)]
    powers = [float(np.sqrt(np.mean(blow**2))) for blow in blows]
    assert powers[0] * 1.5 < powers[1]
    assert powers[1] * 1.5 < powers[2]
    assert _brightness_hz(blows[0]) < _brightness_hz(blows[2])


@pytest.mark.parametrize("material", ["wood", "metal", "skin", "glass"])
def test_a_larger_body_is_lower(material: str) -> None:
    """Protects that size is heard: the pitch goes with its inverse."""
    small, large = (_first_hz(replace(PLAIN, material=material, size=size)) for size in (0.7, 1.4))
    assert small / large == pytest.approx(2.0, rel=0.05)


def test_materials_differ() -> None:
    """Protects that material is heard: metal rings longest, earth is mostly noise, glass is highest."""
    lengths = {}
    for material in MATERIAL_SOUNDS:
        power = np.cumsum(_blow(replace(PLAIN, material=material)) ** 2)
        lengths[material] = float(np.searchsorted(power, 0.9 * power[-1]) / HZ)
    assert lengths["metal"] > 2 * lengths["wood"]
    assert lengths["metal"] > lengths["glass"] > lengths["wood"]
    assert _first_hz(replace(PLAIN, material="glass")) > _first_hz(replace(PLAIN, material="metal")) > _first_hz(PLAIN)


def test_loudness_is_the_amplitude_within_a_clip() -> None:
    """Protects `Event.loudness`: the louder of two claps is the stronger one in the samples."""
    clip = render_events(2, kinds=("clap",), clean=True)
    starts = [round(event.time_s * HZ) for event in clip.events if event.time_s < 7.9]
    peaks = [float(np.abs(clip.samples[start : start + 300]).max()) for start in starts]
    loudness = [event.loudness for event in clip.events][: len(peaks)]
    assert len(peaks) > 6
    assert np.corrcoef(peaks, loudness)[0, 1] > 0.95


def test_levels_and_ends_tell_nothing() -> None:
    """Protects pairs of true and moved sound: what is around a clip is as loud as what is in it, as are its ends."""
    inside, outside, ends, peaks = [], [], [], []
    for seed in range(20):
        clip = render_events(seed, px=16, rate=Fraction(5))
        lead = round(LEAD_S * HZ)
        assert len(clip.around) == len(clip.samples) + 2 * lead
        np.testing.assert_array_equal(clip.around[lead:-lead], clip.samples)
        peaks.append(20 * np.log10(np.abs(clip.around).max()))
        power = (clip.around / np.abs(clip.around).max()) ** 2
        inside.append(power[lead:-lead].mean())
        outside.append(np.concatenate([power[:lead], power[-lead:]]).mean())
        ends.append(np.concatenate([power[lead : lead + HZ], power[-lead - HZ : -lead]]).mean())
    assert 0.75 < np.mean(outside) / np.mean(inside) < 1.33
    assert 0.7 < np.mean(ends) / np.mean(inside) < 1.4
    assert -30.1 < min(peaks) < -22
    assert -6 < max(peaks) <= 0.01


def test_dry_sound_is_what_is_seen_alone() -> None:
    """Protects sets for making sound: all that disturbs is seen, nothing but the blows is heard."""
    dry, whole = (render_events(5, dry=dry, seconds=4.0, split="sparse") for dry in (True, False))
    np.testing.assert_array_equal(dry.images, whole.images)
    assert {event.source for event in dry.events} == {0} < {event.source for event in whole.events}
    assert dry.events == tuple(event for event in whole.events if event.source == 0)
    assert np.abs(dry.around).max() == pytest.approx(10 ** (-1 / 20), rel=1e-3)
    assert (dry.samples == 0).mean() > 0.3
    assert (whole.samples == 0).mean() < 0.1
    assert dry.materials == whole.materials
    assert set(dry.materials) <= {*MATERIAL_SOUNDS}


def test_two_channels_place_the_sound() -> None:
    """Protects stereo: the shape is as asked for, and a source is louder on the side on which it is seen."""
    sides = []
    for seed in range(12):
        clip = render_events(seed, kinds=("clap",), channels=2, sound_hz=21_000, clean=True, seconds=3.0)
        assert clip.samples.shape == (63_000, 2)
        left, right = (clip.samples**2).sum(0)
        middle = np.nanmean(clip.boxes[0, :, [0, 2]])
        sides.append((middle, np.log(right / left)))
    assert np.corrcoef(np.array(sides).T)[0, 1] > 0.95
