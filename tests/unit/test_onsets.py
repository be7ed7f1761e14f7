"""Where something begins to sound: events at their times, none in silence, noise or a tone."""

import numpy as np
import pytest

from clapboard.sound.kinds import KINDS
from clapboard.sound.onsets import events_s, row_times_s, strength
from clapboard.sound.rows import Rows
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import Audio, Features

TIMES_S = np.arange(6 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
EVENTS_S = [0.7, 1.31, 2.4, 2.9, 5.0]


def rows_of(samples: np.ndarray, start_s: float = 0.0) -> Features:
    rows = Rows(KINDS["log-mel-40"])
    rows.push(Audio(samples.astype(np.float32), SAMPLE_RATE_HZ, start_s))
    return rows.features()


def struck(level: float = 0.4, noise: float = 0.0005) -> np.ndarray:
    """Blows that ring, in a little noise."""
    samples = noise * np.random.default_rng(0).standard_normal(len(TIMES_S))
    for at_s in EVENTS_S:
        since_s = np.clip(TIMES_S - at_s, 0, None)
        samples += level * (at_s <= TIMES_S) * np.exp(-since_s / 0.06) * np.sin(2 * np.pi * 900 * since_s)
    return samples


@pytest.mark.parametrize("level", [0.4, 0.01])
def test_blows_are_found_where_they_are(level: float) -> None:
    """Every one within 10 ms by the clock of the file, no other, however loud the recording is."""
    found = events_s(rows_of(struck(level, level / 800), start_s=3.0))
    assert found - 3.0 == pytest.approx(EVENTS_S, abs=0.01)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(len(TIMES_S)),
        0.05 * np.random.default_rng(1).standard_normal(len(TIMES_S)),
        0.3 * np.sin(2 * np.pi * 440 * TIMES_S),
        np.zeros(100),
    ],
    ids=["silence", "noise", "tone", "too short"],
)
def test_what_is_steady_has_no_events(samples: np.ndarray) -> None:
    """A tick above a picture must mean something."""
    assert len(events_s(rows_of(samples))) == 0


def test_the_end_of_a_gap_is_no_event() -> None:
    """Where the file has no sound nothing begins: rows beside the gap are not compared across it."""
    rows, samples = Rows(KINDS["log-mel-40"]), 0.05 * np.random.default_rng(2).standard_normal(SAMPLE_RATE_HZ)
    rows.push(Audio(samples.astype(np.float32), SAMPLE_RATE_HZ, 0.0))
    rows.push(Audio(samples.astype(np.float32), SAMPLE_RATE_HZ, 2.0))
    features = rows.features()
    curve = strength(features)
    assert not curve[~features.valid].any()
    assert len(events_s(features, curve)) == 0


def test_every_row_has_its_strength_and_time() -> None:
    """The curve is drawn against these: as many of one as of the other, never below 0."""
    features = rows_of(struck())
    curve = strength(features)
    assert curve.shape == row_times_s(features).shape == features.valid.shape
    assert curve.min() == 0
