"""Log-mels of textures drawn along a flow: by a flow whose answer is known, and under cues that are laid out right."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.synthesis import texture
from clapboard.synthesis.cues import MATERIALS, MEL_BANDS, TEXTURES, Cues
from clapboard.synthesis.mel import FLOOR

MEAN = np.linspace(-12, -8, MEL_BANDS).astype(np.float32)
SCALE = np.linspace(1, 3, MEL_BANDS).astype(np.float32)
SPREAD = 0.6
"""Standard deviation of the known flow's log-mels around what the cues say."""


def cues_of(mel: np.ndarray, *, made_of: str = "water", onset: np.ndarray | None = None) -> Cues:
    """Return cues of one material with this log-mel."""
    rows = len(mel)
    materials = np.zeros((rows, len(MATERIALS)), np.float32)
    materials[:, MATERIALS.index(made_of)] = 1
    onset = np.zeros(rows, np.float32) if onset is None else onset
    return Cues(onset, np.full(rows, -6, np.float32), materials, mel.astype(np.float32))


class Known:
    """The exact flow from noise to a normal law around the cues' log-mel, without cues around 0; and what it was asked.

    For x_1 normal with mean m and standard deviation s, x_t is normal too, and the mean of x_1 - x_0 under x_t follows
    from the covariances.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[float, bool]] = []

    def __call__(self, noisy: np.ndarray, time: float, cues: np.ndarray) -> np.ndarray:
        known = bool(cues[0, texture.KNOWN])
        self.asked.append((time, known))
        assert noisy.shape == (len(cues), MEL_BANDS)
        assert cues.shape[1] == texture.FEATURES
        assert known or not cues.any()
        middle, t = cues[:, texture.MEL :], time
        slope = (t * SPREAD**2 - (1 - t)) / ((1 - t) ** 2 + t**2 * SPREAD**2)
        return (middle + slope * (noisy - t * middle)).astype(np.float32)


def drawn(mel: np.ndarray, **more: object) -> np.ndarray:
    """Return what is drawn by the known flow."""
    given = {"mean": MEAN, "scale": SCALE, "guidance": 1.0, **more}
    return texture.draw(Known(), cues_of(mel), **given)  # type: ignore[arg-type]


def test_many_steps_draw_from_the_law_that_the_flow_was_made_for() -> None:
    """Protects the steps, their sense and the normalisation: mean and spread come out as they are known."""
    told = (MEAN + SCALE * np.sin(np.arange(400)[:, None] / 40)).astype(np.float32)
    apart = (drawn(told, steps=30) - told) / SCALE
    assert abs(apart.mean()) < 0.02
    assert abs(apart.std() - SPREAD) < 0.03
    # a draw is not the mean, nor is it another draw
    other = (drawn(told, steps=30, seed=1) - told) / SCALE
    assert abs(np.corrcoef(apart.ravel(), other.ravel())[0, 1]) < 0.03


def test_few_steps_are_near_and_more_are_nearer() -> None:
    """Protects the choice of few steps: hardly any spread is lost with 4, which is why they are not Euler's."""
    told = np.tile(MEAN, (300, 1))
    lost = [abs(((drawn(told, steps=steps) - told) / SCALE).std() - SPREAD) for steps in (1, 2, 4)]
    assert lost[0] > 5 * lost[2]
    assert lost[2] < 0.015


def test_guidance_leads_on_from_none_to_the_cues() -> None:
    """Protects the weight of the cues: 1 asks once a step, 0 ends at the law without cues, 2 as far again."""
    told = np.tile(MEAN + SCALE, (300, 1))
    flow = Known()
    texture.draw(flow, cues_of(told), mean=MEAN, scale=SCALE, steps=2, guidance=1.0)
    assert flow.asked == [(0.0, True), (0.25, True), (0.5, True), (0.75, True)]
    flow = Known()
    texture.draw(flow, cues_of(told), mean=MEAN, scale=SCALE, steps=1, guidance=2.0)
    assert flow.asked == [(0.0, True), (0.0, False), (0.5, True), (0.5, False)]
    for guidance in (0.0, 1.0, 2.0):
        middle = ((drawn(told, steps=15, guidance=guidance) - MEAN) / SCALE).mean()
        assert abs(middle - guidance) < 0.1


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
def test_any_number_of_rows(rows: int) -> None:
    """Protects short and odd stretches: as many rows as there are cues."""
    told = np.tile(MEAN, (rows, 1))
    assert drawn(told, steps=2, guidance=2.0).shape == (rows, MEL_BANDS)


def test_a_seed_gives_the_same_and_silence_is_the_least() -> None:
    """Protects repeats, and the vocoder from log-mels that no sound has."""
    told = np.full((40, MEL_BANDS), np.log(FLOOR), np.float32)
    np.testing.assert_array_equal(drawn(told, seed=3), drawn(told, seed=3))
    assert not np.array_equal(drawn(told, seed=3), drawn(told, seed=4))
    assert drawn(told).min() == np.float32(np.log(FLOOR))


def test_columns_are_those_that_networks_learn() -> None:
    """Protects models from another layout: every column at its place and in its units."""
    cues = cues_of(np.tile(MEAN + 2 * SCALE, (5, 1)), made_of="engine")
    found = texture.features(cues, MEAN, SCALE)
    assert found.shape == (5, texture.FEATURES)
    assert texture.FEATURES == 88
    expected = [1, 0, 0, *(1.0 if name == "engine" else 0.0 for name in TEXTURES), 0]
    np.testing.assert_allclose(found[2, : texture.MEL], expected)
    np.testing.assert_allclose(found[2, texture.MEL :], 2, rtol=1e-5)


def test_blows_are_bridged() -> None:
    """Protects textures from sounding twice: in the rows of a blow nothing of it is left, but a line over them."""
    mel = np.tile(MEAN, (60, 1)) + np.linspace(0, 1, 60, dtype=np.float32)[:, None]
    cues = cues_of(mel)
    loud, materials, onset = mel.copy(), cues.materials.copy(), cues.onset.copy()
    loud[20:30] += 6
    materials[20:30] = np.eye(len(MATERIALS), dtype=np.float32)[MATERIALS.index("metal")]
    onset[20] = 0.9
    energy = cues.energy.copy()
    energy[20:30] += 6
    found = texture.features(Cues(onset, energy, materials, loud), MEAN, SCALE)
    plain = texture.features(cues, MEAN, SCALE)
    assert found[:, texture.STRUCK].nonzero()[0].tolist() == list(range(18, 35))
    np.testing.assert_allclose(found[:, texture.ENERGY :], plain[:, texture.ENERGY :], atol=1e-5)
    # where it is said that there is no blow, it is left as it is
    kept = texture.features(Cues(onset, energy, materials, loud), MEAN, SCALE, np.zeros(0))
    assert kept[25, texture.MEL] > plain[25, texture.MEL] + 3
    assert kept[25, texture.MEL - 1] == 1  # the share of what is no texture


def test_what_sounds_is_decided_for_seconds() -> None:
    """Protects textures from changing their kind from row to row; a change of the picture still changes it."""
    cues = cues_of(np.tile(MEAN, (1500, 1)))
    water, rotor, saw = (MATERIALS.index(name) for name in ("water", "rotor", "saw"))
    materials = np.zeros_like(cues.materials)
    doubt = np.random.default_rng(0).random(1500) < 0.3
    materials[np.arange(1500), np.where(doubt, rotor, np.where(np.arange(1500) < 750, water, saw))] = 1
    found = texture.kinds(Cues(cues.onset, cues.energy, materials, cues.mel))
    np.testing.assert_array_equal(found[:600], np.tile([1, 0, 0, 0], (600, 1)))
    np.testing.assert_array_equal(found[900:], np.tile([0, 0, 0, 1], (600, 1)))
    # two that are about as likely are both there
    half = np.zeros_like(materials)
    half[:, water], half[:, saw] = 0.52, 0.48
    np.testing.assert_array_equal(texture.kinds(Cues(cues.onset, cues.energy, half, cues.mel))[7], [1, 0, 0, 1])
    told = texture.features(cues, MEAN, SCALE, None, found)
    np.testing.assert_array_equal(told[:, texture.KINDS : texture.KINDS + len(TEXTURES)], found)
    assert texture.kinds(cues_of(np.tile(MEAN, (5, 1)), made_of="wood")).shape == (5, 4)


def test_blows_without_an_end_are_left() -> None:
    """Protects shots that are all blows: there is nothing to bridge from, and nothing is not a number."""
    cues = cues_of(np.tile(MEAN, (12, 1)))
    found = texture.features(cues, MEAN, SCALE, np.array([0.0, 5.0]))
    assert found[:, texture.STRUCK].all()
    assert np.isfinite(found).all()


@pytest.mark.parametrize(("steps", "guidance"), [(0, 1.0), (4, -1.0), (4, float("nan"))])
def test_what_cannot_be_drawn_is_refused(steps: int, guidance: float) -> None:
    """Protects users: no endless and no empty walk."""
    with pytest.raises(UsageError, match="steps are at least 1"):
        drawn(np.tile(MEAN, (4, 1)), steps=steps, guidance=guidance)
