"""Blows on a track: each at its sample, as loud as the picture tells, no two exactly alike, none beyond full scale."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.synthesis.bank import Bank, Sound, bank_of, modal_bank
from clapboard.synthesis.cues import MATERIALS, MEL_BANDS, Cues, samples_of
from clapboard.synthesis.laying import LOUDEST, Blows, blows_of, keep_within, lay, strike
from clapboard.synthesis.mel import log_mel
from clapboard.synthesis.modal import MATERIAL_SOUNDS, voice

HZ = 16_000
ROWS = 400


def _voice(material: str, pitch: float = 1.0):
    """A body that is not in the bank."""
    sound = MATERIAL_SOUNDS[material]
    return voice(np.random.default_rng(8), sound, sound.first_hz * pitch, sound_hz=HZ)


def _told(
    places: list[float], impacts: list[float], materials: list[str], level: float = 0.3
) -> tuple[Cues, np.ndarray]:
    """Cues as the truth would have them, and the sound that they are of."""
    track = np.zeros(160 * ROWS, np.float32)
    onset, probable = np.zeros(ROWS), np.zeros((ROWS, len(MATERIALS)), np.float32)
    probable[:, 0] = 1.0
    for place, impact, material in zip(places, impacts, materials, strict=True):
        blow = level * _voice(material).blow(impact)
        start = int(samples_of(place))
        track[start : start + len(blow)] += blow[: len(track) - start]
        onset = np.maximum(onset, np.exp(-0.5 * ((np.arange(ROWS) - place) / 1.2) ** 2))
        some = slice(int(place) - 2, int(place) + 30)
        probable[some] = 0
        probable[some, MATERIALS.index(material)] = 1.0
    mel = log_mel(track)
    energy = np.log(np.exp(mel.astype(np.float64)).sum(1)).astype(np.float32)
    return Cues(onset.astype(np.float32), energy, probable, mel), track


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=6))
def test_every_blow_begins_at_its_sample(shifts: list[float]) -> None:
    """Protects timing to the sample: before the blow nothing, then the bank's sound, wherever between rows it is."""
    places = [40.0 + 60 * n + shift for n, shift in enumerate(shifts) if 60 * n < ROWS - 100]
    cues, _ = _told(places, [0.8] * len(places), ["wood"] * len(places))
    bank = modal_bank()
    blows = blows_of(bank, cues)
    assert np.abs(blows.starts - samples_of(np.array(places))).max() <= 16  # a tenth of a row: 1 ms
    wave = lay(bank, cues)
    for number, start in enumerate(blows.starts):
        assert not wave[max(start - 400, 0) : start].any()
        own = blows.gains[number] * bank.samples[blows.sounds[number]][:300]
        np.testing.assert_allclose(wave[start : start + 300], own, atol=1e-6)


def test_samples_between_rows() -> None:
    """Protects the grid: the middle of row 0 is sample 80, half a row later is sample 160."""
    assert samples_of(np.array([0.0, 0.5, 10.25])).tolist() == [80, 160, 1720]


@pytest.mark.parametrize("level", [0.02, 0.3])
def test_blows_are_as_loud_as_the_picture_tells(level: float) -> None:
    """Protects loudness, of soft and hard blows, far apart and near: within 1 dB of the true power of each blow."""
    places, impacts = [30.0, 110.3, 150.8, 260.0], [0.9, 0.3, 0.8, 0.5]
    cues, track = _told(places, impacts, ["metal", "wood", "wood", "skin"], level)
    wave = lay(modal_bank(), cues)
    for place, length_s in zip(places, (0.2, 0.2, 0.2, 0.2), strict=True):
        some = slice(int(samples_of(place)), int(samples_of(place) + length_s * HZ))
        made, true = (10 * np.log10(float(np.sum(one[some] ** 2))) for one in (wave, track))
        assert made == pytest.approx(true, abs=1.0)


def test_a_body_stays_itself_and_no_blow_is_repeated() -> None:
    """Protects against machine guns: equal blows come from one body, and never twice in a row from the same samples."""
    places = [30.0 + 30 * n for n in range(12)]
    cues, _ = _told(places, [0.7] * 12, ["wood"] * 12)
    bank = modal_bank()
    blows = blows_of(bank, cues, seed=1)
    assert len(blows) == 12
    assert len(set(bank.bodies[blows.sounds])) == 1
    assert np.all(np.diff(blows.sounds) != 0)
    assert not np.array_equal(blows.sounds, blows_of(bank, cues, seed=2).sounds)
    np.testing.assert_array_equal(blows.sounds, blows_of(bank, cues, seed=1).sounds)


def test_of_two_materials_each_blow_has_its_own() -> None:
    """Protects two things that are struck in one shot."""
    names = ["metal", "skin"] * 4
    cues, _ = _told([30.0 + 45 * n for n in range(8)], [0.7] * 8, names)
    bank = modal_bank()
    found = [MATERIALS[number] for number in bank.materials[blows_of(bank, cues).sounds]]
    assert found == names


def test_candidates_differ_in_body_and_in_how_many_blows() -> None:
    """Protects candidates worth ranking: a higher threshold has fewer blows, ``freely`` other bodies by the seed."""
    cues, _ = _told([50.0, 150.0, 250.0], [0.8, 0.8, 0.8], ["skin"] * 3)
    cues.onset[145:156] *= 0.6
    bank = modal_bank()
    assert len(blows_of(bank, cues, threshold=0.5)) == 3
    assert len(blows_of(bank, cues, threshold=0.7)) == 2
    bodies = {int(bank.bodies[blows_of(bank, cues, seed=seed, freely=True).sounds[0]]) for seed in range(12)}
    assert len(bodies) > 1


def test_nothing_is_laid_where_nothing_is_told() -> None:
    """Protects silence."""
    cues, _ = _told([], [], [])
    assert len(blows_of(modal_bank(), cues)) == 0
    wave = lay(modal_bank(), cues)
    assert wave.shape == (160 * ROWS,)
    assert not wave.any()


def test_no_sample_is_beyond_full_scale() -> None:
    """Protects against clipping: what the picture tells too loud is made quieter as a whole, never cut off."""
    cues, _ = _told([40.0, 90.0, 140.0], [0.9, 0.5, 0.7], ["earth", "metal", "glass"], level=4.0)
    bank = modal_bank()
    wave, blows = lay(bank, cues), blows_of(bank, cues)
    assert np.abs(wave).max() == pytest.approx(LOUDEST, abs=1e-5)
    free = np.zeros_like(wave)
    strike(free, bank, blows)
    np.testing.assert_allclose(wave * (np.abs(free).max() / LOUDEST), free, atol=1e-5)
    quiet = np.array([0.5, -0.25], np.float32)
    assert keep_within(quiet) == 1.0
    assert quiet.tolist() == [0.5, -0.25]
    assert keep_within(np.zeros(0, np.float32)) == 1.0


def test_a_texture_is_added() -> None:
    """Protects what sounds all the time: the sum of both, and one line where its length is wrong."""
    cues, _ = _told([50.0], [0.5], ["wood"])
    hiss = np.random.default_rng(0).normal(0, 0.01, 160 * ROWS).astype(np.float32)
    np.testing.assert_allclose(lay(modal_bank(), cues, texture=hiss), lay(modal_bank(), cues) + hiss, atol=1e-6)
    with pytest.raises(UsageError, match="texture"):
        lay(modal_bank(), cues, texture=hiss[1:])
    with pytest.raises(UsageError, match="threshold"):
        lay(modal_bank(), cues, threshold=0.0)


def test_blows_at_the_edges_are_cut() -> None:
    """Protects shots that begin or end in a blow: what lies outside of the track is left out, nothing wraps around."""
    bank = bank_of([Sound(np.ones(1000, np.float32))])
    track = np.zeros(500, np.float32)
    strike(track, bank, Blows(np.array([-900, 450]), np.array([0, 0]), np.ones(2, np.float32)))
    assert track[:100].any()
    assert not track[100:450].any()
    assert track[450:].any()
    assert Blows(np.array([3]), np.array([0]), np.ones(1, np.float32)).moved(-5).starts.tolist() == [-2]


def test_a_bank_of_one_sound_serves_every_blow() -> None:
    """Protects the smallest bank of recordings: one sound, of no known material, at every blow."""
    bank: Bank = bank_of([Sound(_voice("skin").blow(0.8))])
    cues, _ = _told([50.0, 150.0], [0.8, 0.4], ["wood", "metal"])
    blows = blows_of(bank, cues)
    assert blows.sounds.tolist() == [0, 0]
    assert cues.mel.shape == (ROWS, MEL_BANDS)
