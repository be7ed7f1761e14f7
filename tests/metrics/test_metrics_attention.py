"""What attention looks at, against values worked out by hand."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.metrics import attention

NAN = float("nan")


def test_blocks_hold_what_happens_in_them() -> None:
    """Protects the truth: blocks are half-open, so an event at a border belongs to the block that begins there."""
    blocks_s = [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]
    assert attention.blocks_with_events(blocks_s, [1.0, 1.5]).tolist() == [False, True, False]
    assert attention.blocks_with_events(blocks_s, []).tolist() == [False, False, False]


def test_the_ratio_of_blocks() -> None:
    """Protects "twice the others": 0.4 and 0.2 against 0.1 each; equal weights give 1; one kind alone gives nothing."""
    assert attention.block_ratio([0.4, 0.1, 0.2, 0.1], [1, 0, 1, 0]) == pytest.approx(3)
    assert attention.block_ratio([0.25] * 4, [1, 0, 0, 0]) == pytest.approx(1)
    assert np.isnan(attention.block_ratio([0.5, 0.5], [1, 1]))
    assert attention.block_ratio([1.0, 0.0], [1, 0]) == float("inf")


def test_the_ratio_of_many_clips_is_not_that_of_one() -> None:
    """Protects the mean over clips: scales go out, so 80 and 20 are 1.6 and 0.4, and 1, 0, 0, 0 are 4 and 0.

    The mean of the ratios, 4 and infinite, would say nothing.
    """
    ratio = attention.block_ratio_of_clips([[80.0, 20.0], [1.0, 0.0, 0.0, 0.0]], [[1, 0], [1, 0, 0, 0]])
    assert ratio == pytest.approx(((1.6 + 4) / 2) / (0.4 / 4))
    assert np.isnan(attention.block_ratio_of_clips([], []))
    both = attention.block_ratio_of_clips([[1.0, 1.0], [0.0, 0.0]], [[1, 1], [0, 0]])
    assert both == pytest.approx(1), "clips with one kind of block count, and weights of 0 are equal weights"


def test_a_box_covers_parts_of_places() -> None:
    """Protects the geometry: x goes along rows of the map, edges count by area, the rest lies outside."""
    covered = attention.inside([16.0, 0.0, 40.0, 8.0], (4, 4), (64, 64))
    np.testing.assert_allclose(covered, [[0, 0.5, 0.25, 0], [0] * 4, [0] * 4, [0] * 4])
    np.testing.assert_allclose(attention.inside([-50.0, -50.0, 99.0, 99.0], (2, 3), (10, 20)), np.ones((2, 3)))


def test_boxes_of_sources_and_frames() -> None:
    """Protects moving and unseen sources: the union of what is seen in a frame, the mean over frames."""
    left, right, unseen = [0.0, 0.0, 32.0, 64.0], [32.0, 0.0, 64.0, 64.0], [NAN] * 4
    covered = attention.inside([[left, left], [unseen, right]], (1, 2), (64, 64))
    np.testing.assert_allclose(covered, [[1, 0.5]])
    np.testing.assert_allclose(attention.inside([unseen], (1, 2), (64, 64)), [[0, 0]])
    np.testing.assert_allclose(attention.inside(np.zeros((0, 5, 4)), (1, 2), (64, 64)), [[0, 0]])


def test_share_over_area() -> None:
    """Protects "3 times its area": all the weight in a quarter of the picture is 4 times, an even map is 1."""
    covered = attention.inside([0.0, 0.0, 32.0, 32.0], (2, 2), (64, 64))
    assert attention.share_over_area([[1.0, 0.0], [0.0, 0.0]], covered) == pytest.approx(4)
    assert attention.share_over_area([[7.0, 7.0], [7.0, 7.0]], covered) == pytest.approx(1)
    assert attention.share_over_area([[0.0, 1.0], [0.0, 0.0]], covered) == 0
    assert np.isnan(attention.share_over_area([[1.0, 0.0], [0.0, 0.0]], np.zeros((2, 2))))
    assert np.isnan(attention.share_over_area(np.zeros((2, 2)), covered))


def test_intersection_over_union() -> None:
    """Protects the overlap: marked are places above half the maximum; a box half over one of two gives 0.5 of 2."""
    weights = [[1.0, 0.51], [0.5, 0.0]]
    assert attention.iou(weights, attention.inside([0.0, 0.0, 64.0, 32.0], (2, 2), (64, 64))) == pytest.approx(1)
    assert attention.iou(weights, attention.inside([0.0, 0.0, 16.0, 32.0], (2, 2), (64, 64))) == pytest.approx(0.5 / 2)
    assert attention.iou(weights, np.eye(2), threshold=0.0) == pytest.approx(1 / (3 + 2 - 1))
    assert np.isnan(attention.iou(np.zeros((2, 2)), np.zeros((2, 2))))


def test_offsets() -> None:
    """Protects the table: limits belong to what they limit, and what was not measured is wrong, not left out."""
    found = attention.offset_table([0.0, -40.0, 80.5, 200.0, NAN])
    assert (found["number"], found["measured"]) == (5, 4)
    assert [found[f"within_{limit}_ms"] for limit in (40, 80, 100, 200)] == [0.4, 0.4, 0.6, 0.8]
    assert found["mae_ms"] == pytest.approx(320.5 / 4)
    assert found["median_ms"] == 80.5
    assert attention.offset_table([NAN, NAN])["median_ms"] == float("inf")
    assert np.isnan(attention.offset_table([])["within_40_ms"])


def test_bad_values_are_refused() -> None:
    """Protects against maps and boxes of other pictures."""
    with pytest.raises(UsageError, match=r"\(B\)"):
        attention.block_ratio([[1.0]], [True])
    with pytest.raises(UsageError, match="not negative"):
        attention.block_ratio([1.0, -1.0], [True, False])
    with pytest.raises(UsageError, match="as many answers"):
        attention.block_ratio([1.0, 1.0], [True])
    with pytest.raises(UsageError, match="of one shape"):
        attention.iou(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(UsageError, match="threshold"):
        attention.iou(np.ones((2, 2)), np.ones((2, 2)), threshold=1.0)
    with pytest.raises(UsageError, match=r"\(S, T, 4\)"):
        attention.inside([1.0, 2.0], (2, 2), (64, 64))
    with pytest.raises(UsageError, match=r"\(B, 2\)"):
        attention.blocks_with_events([1.0], [1.0])
    with pytest.raises(UsageError, match="2 clips with weights"):
        attention.block_ratio_of_clips([[1.0], [1.0]], [[True]])
