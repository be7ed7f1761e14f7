"""Banks of blows: what is like what, whatever its level, and how recordings become one."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.synthesis.bank import PATCH_ROWS, Bank, Sound, bank_of, modal_bank, patches_of, power_of
from clapboard.synthesis.cues import BLOWS, MATERIALS
from clapboard.synthesis.mel import log_mel
from clapboard.synthesis.modal import MATERIAL_SOUNDS, voice

HZ = 16_000


def _blow(material: str = "wood", pitch: float = 1.0, seed: int = 3, impact: float = 0.8) -> np.ndarray:
    """A blow of a body."""
    sound = MATERIAL_SOUNDS[material]
    return voice(np.random.default_rng(seed), sound, sound.first_hz * pitch, sound_hz=HZ).blow(impact)


def _patch(samples: np.ndarray) -> np.ndarray:
    """Its patch."""
    return patches_of((samples,))[0]


def test_a_patch_is_the_log_mel_from_the_contact_on() -> None:
    """Protects the grid of bank and network: row k of a patch is what `log_mel` gives k rows after the contact."""
    blows = (_blow("metal"), 0.3 * _blow("earth"))
    for blow, patch in zip(blows, patches_of(blows), strict=True):
        track = np.zeros(160 * 60, np.float32)
        track[160 * 7 + 80 : 160 * 7 + 80 + len(blow)] = blow[: len(track) - 160 * 7 - 80]
        np.testing.assert_allclose(patch, log_mel(track)[7 : 7 + PATCH_ROWS], atol=2e-3)


def test_the_bank_made_in_code_has_every_material() -> None:
    """Protects what comes without recordings: hundreds of blows of all materials, four of each body, the same again."""
    bank = modal_bank()
    assert 500 < len(bank) < 2000
    assert set(bank.materials.tolist()) == {MATERIALS.index(name) for name in BLOWS}
    assert np.bincount(bank.bodies).min() == np.bincount(bank.bodies).max() == 4
    for samples in bank.samples:
        assert 100 < len(samples) <= HZ // 2
        assert np.abs(samples).max() == pytest.approx(1.0, abs=1e-6)
        assert abs(samples[-1]) < 2e-3
    for body in range(0, bank.bodies.max(), 37):
        takes = [bank.samples[i] for i in np.flatnonzero(bank.bodies == body)]
        assert len({take.tobytes() for take in takes}) == len(takes)
    np.testing.assert_array_equal(modal_bank.__wrapped__(0).patches, bank.patches)


@pytest.mark.parametrize("gain", [0.003, 1.0, 30.0])
@pytest.mark.parametrize("material", ["wood", "metal", "skin", "glass", "earth", "powder"])
def test_the_nearest_is_the_same_at_every_level(material: str, gain: float) -> None:
    """Protects against loudness as a likeness: of each material it is found near its own pitch, however loud it is."""
    bank = modal_bank()
    found = bank.nearest(_patch(gain * _blow(material)), material)
    assert found == bank.nearest(_patch(_blow(material)), material)
    assert bank.materials[found] == MATERIALS.index(material)
    size = [np.abs(np.fft.rfft(one[200:], 1 << 15)) for one in (bank.samples[found], _blow(material))]
    if material not in ("earth", "powder"):  # those are noise
        hz = [float(np.argmax(one)) * HZ / (1 << 15) for one in size]
        assert hz[0] == pytest.approx(hz[1], rel=0.12)


def test_the_material_of_the_cue_comes_first() -> None:
    """Protects what is seen: wood stays wood though metal were nearer; a bank that has no wood plays what it has."""
    wood, metal = Sound(_blow("wood", 2.0), "wood"), Sound(_blow("metal", 1.0), "metal", 1)
    patch = _patch(_blow("metal", 1.0))
    assert bank_of([wood, metal]).nearest(patch, "wood") == 0
    assert bank_of([wood, metal]).nearest(patch, "metal") == 1
    assert bank_of([wood, metal]).nearest(patch, "glass") == 1
    unknown = Sound(_blow("glass", 1.0), "none", 2)
    assert bank_of([wood, metal, unknown]).nearest(patch, "glass") == 2


def test_distances_are_those_of_the_definition() -> None:
    """Protects the one product of matrices that stands for all pairs: compared with loops, with rows left out."""
    rng = np.random.default_rng(0)
    bank = bank_of([Sound(_blow(name, seed=seed)) for seed, name in enumerate(("wood", "skin", "earth"))])
    patches = rng.normal(-6, 3, (2, PATCH_ROWS, 80)).astype(np.float32)
    rows = np.array([20, 6])
    found = bank.distances(patches, rows)
    for e, count in enumerate(rows):
        for b in range(3):
            wanted = patches[e, :count] - patches[e, :count].max()
            have = bank.patches[b] - bank.patches[b].max()
            apart = np.maximum(wanted, -7.0) - np.maximum(have, -7.0)[:count]
            assert found[e, b] == pytest.approx(float(np.var(apart)), rel=1e-3)


def test_recordings_are_cut_faded_and_brought_to_one_level() -> None:
    """Protects a folder of any sounds: half a second at most, no click at the end, silence left out."""
    long = np.random.default_rng(0).normal(0, 0.01, HZ).astype(np.float32)
    bank = bank_of([Sound(long, "none", 5), Sound(np.zeros(400, np.float32)), Sound(_blow(), "wood", 9)])
    assert len(bank) == 2
    assert bank.bodies.tolist() == [0, 1]
    assert len(bank.samples[0]) == HZ // 2
    assert abs(bank.samples[0][-1]) < 1e-3
    assert [np.abs(one).max() for one in bank.samples] == pytest.approx([1.0, 1.0])


def test_power_is_that_of_the_log_mel() -> None:
    """Protects gains: ten times the samples are a hundred times the power."""
    loud, soft = power_of(_patch(_blow())), power_of(_patch(0.1 * _blow()))
    np.testing.assert_allclose(loud[:8] / soft[:8], 100, rtol=1e-2)


def test_what_is_no_bank_is_refused() -> None:
    """Protects users: other rates, materials that are no blows, nothing that can be heard, wrong patches."""
    with pytest.raises(UsageError, match="16000 Hz"):
        bank_of([Sound(_blow())], 44_100)
    with pytest.raises(UsageError, match="at least one blow"):
        bank_of([Sound(np.zeros(100, np.float32))])
    with pytest.raises(UsageError, match="not water"):
        bank_of([Sound(_blow(), "water")])
    bank = bank_of([Sound(_blow())])
    with pytest.raises(UsageError, match="one of none, wood"):
        bank.nearest(bank.patches[0], "stone")
    with pytest.raises(UsageError, match="patch"):
        bank.nearest(bank.patches[0, 1:], "wood")
    with pytest.raises(UsageError, match="patch"):
        Bank((), np.zeros(0, np.int64), np.zeros(0, np.int64), bank.patches[:0])
