"""The classifier of sounds: what it tells apart, and that it learns nothing from what it judges."""

from pathlib import Path

import numpy as np
import pytest

from clapboard.errors import MediaError, UsageError
from clapboard.evaluation import sound_classes
from clapboard.synthesis.modal import MATERIAL_SOUNDS, voice

NAMES = ("wood", "metal", "earth")


def blows(material: str, seed: int, seconds: float = 2.5) -> np.ndarray:
    """A body of some material and size, struck at random."""
    rng = np.random.default_rng(seed)
    body = MATERIAL_SOUNDS[material]
    struck = voice(rng, body, body.first_hz * rng.uniform(0.8, 1.25), sound_hz=16000)
    track = np.zeros(round(16000 * seconds), np.float32)
    for at in np.cumsum(rng.uniform(0.3, 0.7, 12)):
        sound = struck.blow(float(rng.uniform(0.3, 0.9)))
        first = round(16000 * at)
        track[first : first + len(sound)] += sound[: max(len(track) - first, 0)]
    return 0.2 * track


@pytest.fixture(scope="module")
def learned() -> sound_classes.SoundClassifier:
    seeds = range(8)
    return sound_classes.fit([blows(name, seed) for name in NAMES for seed in seeds], [n for n in NAMES for _ in seeds])


def test_materials_are_told_apart_at_any_level(learned: sound_classes.SoundClassifier) -> None:
    """Protects the classifier: bodies it never heard are named, as loud as they are or 40 dB lower."""
    for name in NAMES:
        for seed in range(100, 104):
            assert learned(blows(name, seed)) == name
            assert learned(0.01 * blows(name, seed)) == name
    assert learned.names == tuple(sorted(NAMES))
    assert np.exp(learned.scores(blows("wood", 200))).max() < 1


def test_silence_is_taken_for_something_and_no_error(learned: sound_classes.SoundClassifier) -> None:
    """Protects the floor of the table: a generator may give silence, and that has to be judged too."""
    assert learned(np.zeros(16000, np.float32)) in NAMES
    assert sound_classes.pieces(np.zeros(320, np.float32)).shape == (1, sound_classes.NUMBERS)


def test_every_class_counts_the_same() -> None:
    """Protects from taking all for the class with most sounds: one wood among many metals is still wood."""
    labels = ["metal"] * 12 + ["wood"]
    found = sound_classes.fit([blows(label, seed) for seed, label in enumerate(labels)], labels)
    assert [found(blows(name, 300)) for name in ("metal", "wood")] == ["metal", "wood"]


def test_a_recording_is_judged_by_others_alone() -> None:
    """Protects from learning the answer: of one recording with a false label the others say what it is."""
    sounds = [blows(name, seed) for name in ("wood", "metal") for seed in range(6)]
    labels = ["metal"] + ["wood"] * 5 + ["metal"] * 6
    recordings = [f"r{n}" for n in range(12)]
    assert sound_classes.fit(sounds, labels)(sounds[0]) == "metal", "learned with the others"
    assert sound_classes.leave_out(sounds, labels, recordings, sounds)[:6] == ["wood"] * 6
    together = ["r0"] * 6 + recordings[6:]
    with pytest.raises(UsageError, match="two classes or more"):
        sound_classes.leave_out(sounds, ["wood"] * 6 + ["metal"] * 6, together, sounds)


def test_judged_sounds_stand_for_the_true_ones() -> None:
    """Protects the use: what was made for a picture is judged in the place of its true sound."""
    sounds = [blows(name, seed) for name in ("wood", "metal") for seed in range(3)]
    labels = ["wood"] * 3 + ["metal"] * 3
    found = sound_classes.leave_out(sounds, labels, [str(n) for n in range(6)], sounds[::-1])
    assert found == ["metal"] * 3 + ["wood"] * 3


def test_it_is_kept_as_it_is(learned: sound_classes.SoundClassifier, tmp_path: Path) -> None:
    """Protects what is learned once for many tables: the same scores from the file, and one line where it is none."""
    path = tmp_path / "classes.npz"
    learned.write(path)
    learned.write(path)
    again = sound_classes.SoundClassifier.read(path)
    np.testing.assert_array_equal(again.scores(blows("wood", 5)), learned.scores(blows("wood", 5)))
    assert [one.name for one in tmp_path.iterdir()] == ["classes.npz"]
    path.write_bytes(b"PK nonsense")
    with pytest.raises(MediaError, match="learned anew"):
        sound_classes.SoundClassifier.read(path)


@pytest.mark.parametrize("samples", [np.zeros(100), np.zeros((320, 2)), np.full(640, np.nan)])
def test_what_is_no_sound_is_told(samples: np.ndarray) -> None:
    """Protects from silent nonsense."""
    with pytest.raises(UsageError, match="20 ms or more"):
        sound_classes.pieces(samples)
