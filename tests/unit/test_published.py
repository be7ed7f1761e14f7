"""`clapboard.published` against the published way written out plainly: cut the sound, window by window, pad."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clapboard.metrics.lse import published
from clapboard.models.session import SyncModel, load_model
from clapboard.pipeline import Measured
from clapboard.published import published_distances
from clapboard.sound.rows import Rows
from clapboard.timebase import begin_s
from clapboard.values import Audio, Embeddings, Shot, Track
from tiny_models import write_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SyncModel:
    """One with the inputs and the zero of the published network; its vectors are five numbers, of length 3."""
    folder = tmp_path_factory.mktemp("model")
    return load_model(write_tiny(folder, "face-224", "mfcc-13", zero_ms=27.5, length=3.0))


def samples_of(seconds: float, seed: int = 1) -> np.ndarray:
    """Noise whose level changes every 20 ms."""
    draw = np.random.default_rng(seed)
    level = np.repeat(10 ** draw.uniform(-3, -0.5, int(seconds * 50) + 1), 320)
    return (level[: round(seconds * 16000)] * draw.standard_normal(round(seconds * 16000))).astype(np.float32)


def measured(model: SyncModel, time_s: np.ndarray, samples: np.ndarray, sound_s: float = 0.0, **more: Any) -> Measured:
    """A file with one face that is seen at these times, its vectors random, and this sound."""
    rows = Rows(model.kind)
    rows.push(Audio(samples, 16000, sound_s))
    features, count = rows.features(), len(time_s)
    flat = np.zeros((count, 4), np.float32)
    track = Track(0, Shot(0, 9), time_s, flat, np.zeros((count, 5, 2), np.float32), np.zeros(count, np.bool_))
    vectors: NDArray[Any] = np.random.default_rng(3).normal(0, 2, (max(0, count - 4), 5)).astype(np.float16)
    lips = {0: Embeddings(vectors, time_s[2 : 2 + len(vectors)])}
    return Measured(
        **{"clip": None, "features": features, "speech": features, "lips": lips, "tracks": {0: track}, **more}
    )


def plainly(model: SyncModel, picture: np.ndarray, samples: np.ndarray, frames: int) -> np.ndarray:
    """Distances of a track to the sound cut out for it, with loops."""
    mfcc = model.kind.bands(samples)
    rows = Rows(model.kind)
    rows.push(Audio(samples, 16000, 0.0))
    finished = model.kind.finish(rows.features())
    assert len(finished) == len(mfcc)
    count = min(frames, len(samples) // 640) - 5
    sound = [
        model.embed_sound(finished[4 * i : 4 * i + 20], np.ones(20, np.bool_), 0.0).values[0] for i in range(count)
    ]
    nothing = [np.zeros(5, np.float32)] * 15
    padded = [*nothing, *sound, *nothing]
    return np.array(
        [
            [np.linalg.norm(picture[i].astype(np.float32) - padded[i + k] + 1e-6) for k in range(31)]
            for i in range(count)
        ]
    )


def test_distances_are_the_published_ones(model: SyncModel) -> None:
    """A track in the middle of a file: its windows, its zeros at both ends, its own sound and not that around it."""
    samples = samples_of(6.0)
    file = measured(model, 1.2 + np.arange(60) / 25, samples)
    found = published_distances(file, model)[0]
    expected = plainly(model, file.lips[0].values, samples[19200 : 19200 + 60 * 640], 60)
    assert found.shape == (55, 31)
    assert found.dtype == np.float32
    # The pre-emphasis of the very first sample looks at the one before it, which a sound cut out does not have.
    first_heard = np.add.outer(np.arange(55), np.arange(31)) == 15
    assert np.abs(found - expected)[~first_heard].max() < 1e-4
    assert np.abs(found - expected)[first_heard].max() < 0.02


def test_no_sound_counts_as_zeros(model: SyncModel) -> None:
    """Beyond the track the distance is the length of the picture's own vector: the zeros of the published code."""
    file = measured(model, 1.2 + np.arange(60) / 25, samples_of(6.0))
    found = published_distances(file, model)[0]
    alone = np.linalg.norm(file.lips[0].values[:55].astype(np.float32), axis=1)
    assert found[0, :15] == pytest.approx(np.full(15, alone[0]), abs=1e-4)
    assert found[54, 16:] == pytest.approx(np.full(15, alone[54]), abs=1e-4)
    assert not np.isclose(found[0, 15:], alone[0], atol=1e-3).any()


@pytest.mark.parametrize("frames_late", [-7, 0, 4])
def test_the_sign(model: SyncModel, frames_late: int) -> None:
    """Lips that match the sound found 4 frames later: the sound is late, -4."""
    samples = samples_of(6.0)
    file = measured(model, np.arange(150) / 25, samples)
    rows = model.kind.finish(file.features)
    sound = model.embed_sound(rows, file.features.valid, 0.0).values[::4]
    vectors = np.roll(sound, -frames_late, axis=0)
    file.lips[0] = Embeddings(vectors, file.tracks[0].time_s[2 : 2 + len(vectors)])
    assert published(published_distances(file, model)[0]).offset_frames == -frames_late


def test_sound_that_ends_early_ends_the_windows(model: SyncModel) -> None:
    """Five windows fewer than whole frames of sound, as `lastframe` has it."""
    file = measured(model, np.arange(100) / 25, samples_of(2.0))
    assert published_distances(file, model)[0].shape == (45, 31)


def test_sound_that_begins_late_begins_with_zeros(model: SyncModel) -> None:
    """The clock is that of the file: sound from 1 s on meets its pictures, those before it meet nothing."""
    samples = samples_of(3.0)
    file = measured(model, np.arange(100) / 25, samples, sound_s=1.0)
    found = published_distances(file, model)[0]
    own = measured(model, np.arange(75) / 25, samples)
    own.lips[0] = Embeddings(file.lips[0].values[25:], own.tracks[0].time_s[2:-2])
    assert found.shape == (95, 31)
    assert found[25:, 15:] == pytest.approx(published_distances(own, model)[0][:, 15:], abs=1e-4)
    alone = np.linalg.norm(file.lips[0].values[:95].astype(np.float32), axis=1)
    assert found[:25, 0] == pytest.approx(alone[:25], abs=1e-4)
    assert found[30, 15 - 6] == pytest.approx(alone[30], abs=1e-4)


@pytest.mark.parametrize("count", [3, 5])
def test_a_track_that_is_too_short_has_no_windows(model: SyncModel, count: int) -> None:
    """Where the published code stops with an error."""
    assert published_distances(measured(model, np.arange(count) / 25, samples_of(3.0)), model)[0].shape == (0, 31)


def test_a_file_without_sound_has_no_windows(model: SyncModel) -> None:
    """Nor does a face without any sound."""
    file = measured(model, np.arange(50) / 25, np.zeros(0, np.float32))
    assert published_distances(file, model)[0].shape == (0, 31)


def test_pieces_of_a_long_file_have_no_seams(model: SyncModel) -> None:
    """23 s take two pieces of sound; every window is that of the plain way."""
    samples = samples_of(23.0)
    file = measured(model, np.arange(575) / 25, samples)
    expected = plainly(model, file.lips[0].values, samples, 575)
    assert np.abs(published_distances(file, model)[0] - expected).max() < 1e-4


def test_a_track_begins_where_a_steady_clock_would() -> None:
    """30 fps on the grid of 25 and a still of 1 s do not move it; a start of 7 ms does, and ties do (12.5 fps)."""
    grid = np.arange(100) / 25
    assert begin_s(grid + 0.007) == pytest.approx(0.007)
    assert begin_s(np.round(grid * 30) / 30) == pytest.approx(0, abs=0.002)
    assert begin_s(np.floor(grid * 12.5 + 0.5) / 12.5) == pytest.approx(0.02, abs=0.002)
    stilled = np.minimum(grid, 3.0) + 0.4
    assert begin_s(stilled) == pytest.approx(0.4, abs=1e-3)
