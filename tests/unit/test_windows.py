"""Long shots in windows: the same as in one piece, and without a seam where chance differs."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.synthesis.cues import MATERIALS, MEL_BANDS, Cues
from clapboard.synthesis.windows import (
    CueWindows,
    Joined,
    PictureWindows,
    crossfaded,
    in_windows,
    spans,
)

MARGIN = 3


def _network(images: np.ndarray) -> Cues:
    """A convolution over 2 m + 1 frames, the first and last repeated: what `FoleyModel.cues` does, without a file."""
    mean = np.pad(images.mean((1, 2), dtype=np.float64), MARGIN, mode="edge")
    kernel = np.array([0.1, -0.3, 0.6, 1.0, -0.7, 0.2, 0.4])
    seen = np.repeat(np.convolve(mean, kernel, "valid"), 4) + np.tile([0.0, 0.5, -0.5, 1.0], len(images))
    onset = (1 / (1 + np.exp(-seen / 50))).astype(np.float32)
    materials = np.full((len(onset), len(MATERIALS)), 1 / 11, np.float32)
    mel = (seen[:, None] / 100 + np.linspace(-3, 0, MEL_BANDS)).astype(np.float32)
    return Cues(onset, seen.astype(np.float32), materials, mel)


def _pictures(count: int) -> np.ndarray:
    """Pictures of noise."""
    return np.random.default_rng(count).integers(0, 256, (count, 4, 4), dtype=np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 23), st.integers(10, 30))
def test_windows_of_a_convolution_are_the_whole(count: int, chunk: int, window: int) -> None:
    """Protects long files: where windows fall, and how pictures come, changes nothing of what is told."""
    images = _pictures(count)
    windows = CueWindows(_network, MARGIN, window)
    for start in range(0, count, chunk):
        windows.push(images[start : start + chunk])
    kept, whole = windows.close(), _network(images)
    assert len(kept) == 4 * count
    np.testing.assert_array_equal(kept.onset, whole.onset)
    np.testing.assert_array_equal(kept.energy, whole.energy)
    np.testing.assert_allclose(kept.mel, whole.mel, atol=4e-3)  # kept as float16
    np.testing.assert_allclose(kept.materials, whole.materials, atol=1e-4)
    some = kept.part(count, 3 * count)
    np.testing.assert_array_equal(some.onset, whole.onset[count : 3 * count])
    np.testing.assert_allclose(some.mel, whole.mel[count : 3 * count], atol=4e-3)


def test_a_margin_too_small_is_seen() -> None:
    """Makes sure that the test above can fail: with less margin than the network has, windows differ from the whole."""
    images = _pictures(60)
    windows = CueWindows(_network, MARGIN - 1, 20)
    windows.push(images)
    assert np.abs(windows.close().onset - _network(images).onset).max() > 1e-3


@given(st.integers(0, 3000), st.integers(1, 300), st.data())
def test_spans_cover_everything(count: int, window: int, data: st.DataObject) -> None:
    """Protects against holes: from first to last, each overlapping the one before, none useless or too long."""
    overlap = data.draw(st.integers(0, window - 1))
    found = spans(count, window, overlap)
    if not count:
        assert found == []
        return
    assert found[0][0] == 0
    assert found[-1][1] == count
    assert all(0 < end - begin <= window for begin, end in found)
    for (_, end), (begin, last) in pairwise(found):
        assert end - begin == overlap
        assert last > end


def test_windows_of_pictures_are_let_go() -> None:
    """Protects memory: whatever has been pushed, no more than one window and one chunk waits."""
    windows = PictureWindows(50, 10)
    seen = []
    for _ in range(40):
        seen += [(begin, len(images)) for begin, images in windows.push(_pictures(16))]
        assert windows._count < 50
    assert [begin for begin, _ in seen] == [40 * n for n in range(len(seen))]
    (last,) = windows.close()
    assert last[0] + len(last[1]) == 640
    assert windows.close() == []


def test_what_is_deterministic_has_no_seam() -> None:
    """Protects a generator without chance: its windows, cross-faded, are its wave."""
    wave = np.random.default_rng(0).normal(0, 0.2, 160 * 2000).astype(np.float32)
    joined = in_windows(2000, lambda _, begin, end: wave[160 * begin : 160 * end])
    np.testing.assert_allclose(joined.samples, wave, atol=1e-6)
    parts = dict(joined.parts())
    assert sorted(parts) == np.cumsum([0, *[len(parts[k]) for k in sorted(parts)]])[:-1].tolist()
    assert len(joined.samples) == 0


def test_noise_drawn_anew_keeps_its_power() -> None:
    """Protects textures: across windows of foreign noise the power stays within 1 dB, where a plain fade loses 3 dB."""
    rng = np.random.default_rng(1)
    powers = []
    for _ in range(40):
        before, after = rng.normal(0, 0.1, (2, 4000)).astype(np.float32)
        joined = crossfaded(before, after)
        changed = (joined != before) & (joined != after)
        assert 1500 <= changed.sum() <= 1600
        powers.append(np.mean(joined[changed] ** 2) / 0.01)
    assert 10 * np.log10(np.mean(powers)) == pytest.approx(0, abs=1.0)


def test_waves_are_joined_where_they_are_quiet() -> None:
    """Protects blows that chance puts at different times into two windows: the seam lies in the pause of both."""
    before, after = np.full(16_000, 0.5, np.float32), np.full(16_000, -0.4, np.float32)
    before[9000:12_000] = after[9000:12_000] = 0.001
    joined = crossfaded(before, after)
    np.testing.assert_array_equal(joined[:9000], before[:9000])
    np.testing.assert_array_equal(joined[12_000:], after[12_000:])


def test_short_and_holed_windows() -> None:
    """Protects the edges of joining: overlaps shorter than a fade, windows with nothing new, and holes."""
    joined = Joined()
    joined.push(0, np.ones(1000, np.float32))
    joined.push(900, np.zeros(50, np.float32))
    joined.push(900, np.ones(500, np.float32))
    np.testing.assert_allclose(joined.samples, 1.0, atol=1e-6)
    assert len(joined.samples) == 1400
    with pytest.raises(UsageError, match="1400"):
        joined.push(1500, np.ones(10, np.float32))
    with pytest.raises(UsageError, match="overlap"):
        spans(100, 10, 10)
    with pytest.raises(UsageError, match="overlap"):
        PictureWindows(10, 10)
