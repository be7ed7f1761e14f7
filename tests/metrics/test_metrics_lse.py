"""LSE-D and LSE-C by the published rule, against values worked out by hand."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.metrics import lse


def test_worked_values() -> None:
    """Protects the order: first the mean over windows, then minimum and median; and the sign of the offset."""
    rows = [[9.0, 8.0, 3.0, 7.0, 9.0], [9.0, 6.0, 7.0, 7.0, 1.0]]  # the mean curve is 9, 7, 5, 7, 5
    assert lse.published(rows) == (0, 5.0, 2.0)


def test_sound_found_earlier_is_early() -> None:
    """Protects the sign: least in the first of 31 columns, 15 frames before the picture, is +15."""
    rows = np.full((4, 31), 10.0, np.float32)
    rows[:, 0] = 6.0
    found = lse.published(rows)
    assert found.offset_frames == 15
    assert found.min_distance == pytest.approx(6)
    assert found.confidence == pytest.approx(4)


@pytest.mark.parametrize("bad", [np.zeros((0, 31)), np.zeros(31), np.zeros((3, 30)), np.full((3, 31), np.nan)])
def test_what_is_no_table_of_distances_is_refused(bad: np.ndarray) -> None:
    """An empty track must not score NaN silently."""
    with pytest.raises(UsageError, match="distances must be"):
        lse.published(bad)
