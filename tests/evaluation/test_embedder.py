"""Models through one clock: what they find on tracks of known offset, alone and joined."""

import numpy as np
import pytest
from talk import Inputs, Reader, aligned, talk

from clapboard.errors import UsageError
from clapboard.evaluation.embedder import Candidate, compare, embed, has_unit_length, hear_stored, scores, see
from clapboard.evaluation.pieces import offset_in
from clapboard.models.session import load_model
from clapboard.values import Distances, Embeddings

WIDE = Inputs(window_frames=9, window_rows=36)


@pytest.mark.parametrize("spec", [Inputs(), WIDE, Inputs(window_frames=9, window_rows=18)])
@pytest.mark.parametrize("offset_ms", [0.0, -310.0, 225.0])
def test_a_known_offset_is_found(spec: Inputs, offset_ms: float) -> None:
    """Protects the clock that picture and sound share, for windows of any width: what align left in is found."""
    clip = aligned(3, offset_ms=-offset_ms, window_frames=spec.window_frames, window_rows=spec.window_rows)
    found = compare([embed(Reader(spec), clip)], 1.0)
    assert len(found.time_s) == clip.windows
    assert offset_in(found, slice(0, clip.windows)).offset_ms == pytest.approx(offset_ms, abs=12)


def test_window_i_begins_with_frame_i() -> None:
    """Protects the clock itself: picture windows are named by their middle frame, and sound has a row on each."""
    clip = aligned(0)
    picture, sound = embed(Reader(), clip)
    np.testing.assert_allclose(picture.time_s, 0.08 + np.arange(clip.windows) / 25)
    rows = (picture.time_s - sound.time_s[0]) * 100
    np.testing.assert_allclose(rows, 300 + 4 * np.arange(clip.windows), atol=1e-6)


def test_a_models_own_zero_is_taken_out() -> None:
    """Protects zero_ms: a model that measures 40 ms too little, and says so, finds the truth."""
    stored, reader = talk(5), Reader(late_ms=-40.0)
    seen = see(reader, stored.images)
    offsets_ms = []
    for zero_ms in (0.0, 40.0):
        candidate = Candidate(reader, "reader", zero_ms=zero_ms)
        found = compare([(seen, hear_stored(candidate, stored, -100.0))], 1.0)
        offsets_ms.append(offset_in(found, slice(0, len(found.time_s))).offset_ms)
    assert offsets_ms[0] == pytest.approx(60, abs=12)
    assert offsets_ms[1] == pytest.approx(100, abs=12)


def test_joined_models_are_the_mean_of_their_similarities() -> None:
    """Protects the sum of a narrow and a wide network: common windows, mean cosine, and one model twice is itself."""
    narrow = embed(Reader(), aligned(1))
    wide = embed(Reader(WIDE), aligned(1, window_frames=9, window_rows=36))
    one, other, both = compare([narrow], 1.0), compare([wide], 1.0), compare([narrow, wide], 1.0)
    assert len(both.time_s) == len(other.time_s) == len(one.time_s) - 4
    np.testing.assert_allclose(both.time_s, other.time_s)
    cosines = [scores(found, 25, unit=True) for found in (one, other, both)]
    np.testing.assert_allclose(cosines[2], (cosines[0][2:-2] + cosines[1]) / 2, atol=1e-5)
    np.testing.assert_allclose(compare([narrow, narrow], 1.0).values, one.values, atol=1e-4)


def test_vectors_of_other_lengths_cannot_be_joined() -> None:
    """Protects against a mean of numbers of different scale; alone they may have any length."""
    long = embed(Reader(scale=3.0), aligned(1))
    assert not has_unit_length(long[0])
    assert np.isfinite(compare([long], 0.5).values).any()
    with pytest.raises(UsageError, match="length 1"):
        compare([long, long], 0.5)
    with pytest.raises(UsageError, match="at least one model"):
        compare([], 0.5)


def test_scores_are_at_whole_frames_around_true_sync() -> None:
    """Protects the tables by frames: the middle column is lag 0, the next one 40 ms later."""
    lags_s = np.arange(-100, 101) / 100
    values = np.sqrt(2 * np.abs(lags_s))[None].astype(np.float32)
    found = Distances(values, lags_s, np.zeros(1))
    np.testing.assert_allclose(scores(found, 2, unit=True)[0], 1 - np.abs([-0.08, -0.04, 0, 0.04, 0.08]), atol=1e-6)
    np.testing.assert_allclose(scores(found, 1, unit=False)[0], -np.sqrt([0.08, 0, 0.08]), atol=1e-6)
    with pytest.raises(UsageError, match="120 are needed"):
        scores(found, 30, unit=True)


def test_the_bundled_model_is_a_candidate() -> None:
    """Protects the door to exported models: name, fingerprint and calibration come along."""
    model = load_model()
    candidate = Candidate.of(model)
    assert candidate.name == "clapboard-s"
    assert len(candidate.sha256) == 64
    assert candidate.calibration is model.spec.calibration is not None


def test_unit_length_ignores_gaps() -> None:
    """Protects against NaN rows, where a file has no sound."""
    assert has_unit_length(Embeddings(np.array([[1.0, 0.0], [np.nan, np.nan]], np.float32), np.zeros(2)))
