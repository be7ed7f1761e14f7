"""The model of who speaks is fitted to scenes whose truth is known: vectors that match by construction."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.evaluation.speaking import KINDS, SCENE_FRAMES, Heard, Voice, fit, likelihood, scenes, tell_speakers
from clapboard.speakers.states import SpeakingModel


def voice(seed: int, *, frames: int = 150, noise: float = 0.8, silent: slice = slice(40, 60)) -> Voice:
    """A track whose picture says what its sound says, but for noise; it pauses for some frames."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((4 * frames, 16))
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / 4) ** 2)
    rows = np.apply_along_axis(lambda x: np.convolve(x, kernel, "same"), 0, rows)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    picture = rows[::4] + noise * rng.standard_normal((frames, 16)) / 4
    picture /= np.linalg.norm(picture, axis=1, keepdims=True)
    loud = np.ones(frames, np.float32)
    loud[silent] = 0
    return Voice(f"person{seed}", picture.astype(np.float32), rows.astype(np.float32), loud)


@pytest.fixture(scope="module")
def heard() -> list[Heard]:
    """Scenes of five people."""
    return scenes([voice(seed) for seed in range(5)], each=2)


def test_scenes_hold_every_kind_and_say_who_owns_the_voice(heard: list[Heard]) -> None:
    """Protects the truth: an owner in view, nobody in view (as many as there are faces), or silence."""
    assert {scene.kind for scene in heard} == {kind for kind, _ in KINDS}
    for scene in heard:
        faces, frames = scene.contrast.shape
        assert frames == len(scene.owner) == SCENE_FRAMES
        sounding = set(scene.owner[scene.owner >= 0].tolist())
        expected = {"quiet": {0}, "talking": {0}, "nobody": {faces}, "partly": {0, faces}}
        assert sounding == expected.get(scene.kind, set(range(faces)))
    assert any((scene.owner == -1).any() for scene in heard)


def test_the_owner_of_the_voice_has_the_highest_contrast(heard: list[Heard]) -> None:
    """Protects the clock inside a scene: sound moved by a row or two would wash that out."""
    own = np.concatenate([s.contrast[0, s.owner == 0] for s in heard if s.kind in ("quiet", "talking")])
    other = np.concatenate([s.contrast[1:, s.owner == 0].ravel() for s in heard if s.kind in ("quiet", "talking")])
    assert own.mean() > 0.4
    assert abs(other.mean()) < 0.25  # not 0: the best of nine rows is better than a usual one


def test_fitting_finds_what_tells_and_beats_chance(heard: list[Heard]) -> None:
    """Protects the fit: the truth is far likelier than under a model for which all are alike."""
    found = fit(heard)
    assert found.slope > 0
    assert 0.9 < found.stay < 1
    assert likelihood(found, heard) > np.log(0.9)
    assert likelihood(SpeakingModel(0.0, 0.0, 0.99), heard) < np.log(0.5)


def test_faces_that_tell_nothing_get_little_weight() -> None:
    """The control: pictures of noise give a model that thinks all are alike."""
    found = fit(scenes([voice(seed, noise=1e3) for seed in range(5)], each=2))
    assert abs(found.slope) < 1


def test_too_few_people_are_refused_in_words() -> None:
    """One person cannot be told from others; somebody has to talk for long enough."""
    with pytest.raises(UsageError, match="two people or more"):
        scenes([voice(1), voice(1)])
    with pytest.raises(UsageError, match="of whom 0 do"):
        scenes([voice(1, frames=20, silent=slice(0, 2)), voice(2, frames=20, silent=slice(0, 2))])
    said = list[str]()
    assert tell_speakers([], said.append) is None
    silent = Heard("quiet", np.zeros((2, 10), np.float32), np.full(10, 2))
    assert tell_speakers([silent], said.append) is None
    assert "not for telling speakers" in said[0]
