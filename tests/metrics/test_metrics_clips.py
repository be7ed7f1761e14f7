"""Errors in milliseconds, against values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.metrics import clips

NAN = float("nan")


def test_worked_values() -> None:
    """Protects every number of the table: constant 10 leaves -30, 0, 10, 20, 90 and one without an answer."""
    found = clips.evaluate([-20.0, 10.0, 20.0, 30.0, 100.0, NAN], constant_ms=10.0)
    assert found["number"] == 6
    assert found["within_20_ms"] == pytest.approx(3 / 6)
    assert found["within_40_ms"] == pytest.approx(4 / 6)
    assert found["within_80_ms"] == pytest.approx(4 / 6)
    assert found["median_ms"] == pytest.approx((20 + 30) / 2)
    assert found["p90_ms"] == float("inf")
    assert found["bias_ms"] == 10


def test_limits_belong_to_what_they_limit() -> None:
    """Protects "within 40 ms": 40 is within."""
    assert clips.within([40.0, -40.0, 40.1], 40) == pytest.approx(2 / 3)


def test_the_bias_ignores_gross_failures() -> None:
    """Protects the constant: one piece in four at the other end of the search does not move it as a mean would."""
    assert clips.bias_ms([12.0, 9.0, 11.0, -900.0, NAN]) == 10


def test_the_spread_of_normal_errors_is_their_standard_deviation() -> None:
    """Protects the meaning of the number, whatever the bias."""
    errors_ms = np.random.default_rng(0).normal(300, 12, 20_000)
    assert clips.spread_ms(errors_ms) == pytest.approx(12, rel=0.03)
    assert clips.bias_ms(errors_ms) == pytest.approx(300, abs=0.5)


def test_nothing_measured_is_no_number() -> None:
    """Protects empty groups: NaN, no warning, and never a perfect score."""
    found = clips.evaluate([])
    assert found["number"] == 0
    assert all(np.isnan(value) for name, value in found.items() if name != "number")
    assert clips.evaluate([NAN])["within_80_ms"] == 0


def test_groups_share_the_constant_and_show_what_is_left() -> None:
    """Protects the table by corpus: a corpus whose labels are 50 ms off shows it as its own bias."""
    found = clips.by_group([5.0, 5.0, 55.0, 45.0], ["b", "b", "a", "a"], constant_ms=5.0)
    assert list(found) == ["a", "b"]
    assert found["a"]["bias_ms"] == 45
    assert found["b"]["bias_ms"] == 0
    assert found["a"]["within_40_ms"] == 0.5
    with pytest.raises(UsageError, match="as many groups"):
        clips.by_group([1.0], ["a", "b"])


@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=30), st.floats(-500, 500))
def test_the_constant_is_taken_out(errors_ms: list[float], constant_ms: float) -> None:
    """Protects the rule that a constant changes the bias and nothing else."""
    moved = clips.evaluate([e + constant_ms for e in errors_ms], constant_ms=constant_ms)
    still = clips.evaluate(errors_ms)
    for name in ("median_ms", "p90_ms", "spread_ms", "bias_ms"):
        assert moved[name] == pytest.approx(still[name], abs=1e-6)
