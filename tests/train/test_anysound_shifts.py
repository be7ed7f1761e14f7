"""Which moved sounds are negatives: inside the file, never a whole period, in an order from far to near."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.errors import UsageError  # noqa: E402
from clapboard.sound.features import log_mel  # noqa: E402
from clapboard.testing.events import render_events  # noqa: E402
from clapboard.training.anysound.shifts import (  # noqa: E402
    SHIFTS,
    TOLERANCE_S,
    Curriculum,
    Stage,
    draw_shift,
    is_negative,
    period_of,
    place,
    range_s,
)

PERIODS = st.one_of(st.none(), st.floats(0.15, 3.0))
SEEDS = st.integers(0, 2**32 - 1)


def hits(times_s: np.ndarray, seconds: float = 8.0, *, seed: int = 0, hum: float = 1e-3) -> np.ndarray:
    """Strokes at given times, each a little louder or softer and of its own noise, over noise; 16 kHz."""
    rng = np.random.default_rng(seed)
    samples = hum * rng.standard_normal(round(seconds * 16000))
    decay = np.exp(-np.arange(1600) / 300)
    for time_s in times_s:
        at = round(time_s * 16000)
        stroke = 0.3 * rng.uniform(0.7, 1.0) * rng.standard_normal(1600) * decay
        samples[at : at + 1600] += stroke[: len(samples) - at]
    return samples.astype(np.float32)


def by_hand(seed: int, seconds: float = 8.0) -> np.ndarray:
    """Times with gaps as people leave between hits: 0.40, 0.60 and 0.87 s at 10, 50 and 90 % (Greatest Hits)."""
    rng = np.random.default_rng(seed)
    gaps = np.interp(rng.random(100), [0, 0.1, 0.5, 0.9, 1], [0.25, 0.40, 0.60, 0.87, 1.4])
    times = 0.2 + np.cumsum(gaps)
    return times[times < seconds]


@given(SEEDS, st.sampled_from(sorted(SHIFTS)), st.floats(0, 8), PERIODS)
@settings(deadline=None)
def test_both_windows_stay_inside_and_out_of_sync(seed: int, name: str, room_s: float, period_s: float | None) -> None:
    """Protects the label: a negative is in its range, leaves no file, and is no whole number of periods."""
    rng = np.random.default_rng(seed)
    shift_s = draw_shift(rng, SHIFTS[name], room_s, period_s)
    if shift_s is None:
        return
    low_s, high_s = SHIFTS[name]
    assert low_s - 1e-9 <= abs(shift_s) <= min(high_s, room_s) + 1e-9
    assert is_negative(shift_s, period_s)
    room, shift = int(room_s * 25 + 1e-6), round(shift_s * 25)
    at = place(rng, shift, room)
    assert 0 <= at <= room
    assert 0 <= at + shift <= room


def test_none_where_there_is_no_room_and_only_there() -> None:
    """Protects short clips from wrong negatives, and the others from being left out."""
    rng = np.random.default_rng(0)
    assert draw_shift(rng, (1.0, 4.0), 0.99) is None
    assert draw_shift(rng, (0.12, 0.3), 2.0, period_s=0.15) is None
    assert {abs(draw_shift(rng, (1.0, 4.0), 1.02) or 0) for _ in range(9)} == {1.0}
    assert {round(abs(draw_shift(rng, (0.12, 0.3), 2.0) or 0), 2) for _ in range(99)} == {0.12, 0.16, 0.2, 0.24, 0.28}


def test_forwards_and_backwards_alike_and_places_can_be_exchanged() -> None:
    """Protects against a short cut: where in the file a sound lies tells nothing of whether it is the true one."""
    rng = np.random.default_rng(0)
    shifts = np.array([round((draw_shift(rng, (1.0, 4.0), 4.0) or 0) * 25) for _ in range(20000)])
    assert abs((shifts > 0).mean() - 0.5) < 0.02
    true = np.array([place(rng, shift, 100) for shift in shifts])
    for low in range(0, 100, 20):
        share = [((starts >= low) & (starts < low + 20)).mean() for starts in (true, true + shifts)]
        assert abs(share[0] - share[1]) < 0.02
    assert true.min() == 0
    assert true.max() == 100


@given(st.floats(0.2, 3.0), st.integers(-5, 5), st.floats(-0.5, 0.5))
def test_whole_periods_are_no_negatives(period_s: float, times: int, part: float) -> None:
    """Protects metronomes: a whole number of periods is in sync again, the middle between two is not."""
    assert not is_negative(times * period_s, period_s)
    away_s = abs(part) * period_s
    if abs(away_s - TOLERANCE_S) > 1e-6:
        assert is_negative((times + part) * period_s, period_s) == (away_s > TOLERANCE_S)
    assert is_negative(times * period_s, None) == (abs(times * period_s) > TOLERANCE_S)


@pytest.mark.parametrize("period_s", [0.25, 0.333, 0.517, 0.8, 1.2])
def test_the_period_of_a_metronome(period_s: float) -> None:
    """Protects real machines and metronomes, of which nobody says so: exact enough for ten periods."""
    samples = hits(np.arange(0.13, 8, period_s))
    for sound in (samples, log_mel(samples), log_mel(samples).astype(np.float16)):
        found_s = period_of(sound)
        assert found_s == pytest.approx(period_s, abs=0.004)


@given(SEEDS, st.floats(0.2, 2.5), st.floats(3.0, 8.0))
@settings(deadline=None, max_examples=25)
def test_a_period_is_right_or_not_given(seed: int, period_s: float, seconds: float) -> None:
    """Protects short and slow clips: what is found is the period, to a frame over the whole clip."""
    found_s = period_of(hits(np.arange(0.1, seconds - 0.1, period_s), seconds, seed=seed))
    if found_s is None:
        assert period_s > seconds / 4.5
    else:
        assert abs(found_s - period_s) * seconds / period_s < 0.04


def test_a_bar_of_two_strokes_has_the_period_of_the_bar() -> None:
    """Protects uneven rhythms: long, short, long, short repeats after both together, not after one."""
    bars = np.arange(0.1, 8, 0.9)
    found_s = period_of(hits(np.sort(np.concatenate([bars, bars + 0.3]))))
    assert found_s == pytest.approx(0.9, abs=0.004)


@pytest.mark.parametrize(("spread_s", "regular"), [(0.005, True), (0.04, False)])
def test_how_regular_is_regular(spread_s: float, regular: bool) -> None:
    """Protects the line between machines and hands: beats 5 ms off are regular, beats 40 ms off are not."""
    for seed in range(8):
        beats = np.arange(0.2, 7.8, 0.6) + np.random.default_rng(seed).normal(0, spread_s, 13)
        assert (period_of(hits(beats, seed=seed)) is not None) == regular


def test_rendered_clips_have_the_period_they_say() -> None:
    """Protects the estimate on whole scenes, with hum, reverb and strangers: their metronomes, and nothing else."""
    for seed, kinds in ((1, ("metronome",)), (2, ("metronome",)), (3, ("stick", "clap")), (4, ("bounce",))):
        clip = render_events(seed, kinds=kinds, px=32)
        found_s = period_of(clip.samples)
        assert (found_s is None) == (clip.period_s is None)
        assert found_s is None or found_s == pytest.approx(clip.period_s, abs=0.002)


def test_hits_by_hand_have_no_period() -> None:
    """Protects most clips: gaps as they are in life are no period, nor are noise, silence, and what is too short."""
    assert [period_of(hits(by_hand(seed), seed=seed)) for seed in range(30)] == [None] * 30
    rng = np.random.default_rng(0)
    assert period_of(0.1 * rng.standard_normal(128000).astype(np.float32)) is None
    assert period_of(np.zeros(128000, np.float32)) is None
    assert period_of(hits(np.array([0.5, 1.1]), 1.6)) is None
    assert period_of(np.zeros(100, np.float32)) is None


def test_far_ones_come_first() -> None:
    """Protects the order of learning: other clips and far shifts at the beginning, near ones at the end."""
    rng = np.random.default_rng(0)
    made = Curriculum.of(((0.3, "far"), (1.0, "far+near")), other=0.2)
    assert made.stages == (Stage(0.3, (("far", 1.0),), 0.2), Stage(1.0, (("far", 1.0), ("near", 1.0))))
    assert made.stage(0.3) is made.stages[1] is made.stage(1.0)
    assert [made.draw(rng, 0.0) for _ in range(50)] == [("far", 0.2)] * 50
    end = [made.draw(rng, 0.99) for _ in range(400)]
    assert {other for _, other in end} == {0.0}
    assert 0.4 < sum(name == "near" for name, _ in end) / 400 < 0.6


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (((0.5, "far"),), "ascend to 1"),
        (((0.5, "far"), (0.5, "near"), (1.0, "near")), "ascend to 1"),
        (((1.0, "farther"),), "no range of shifts is called farther; there are owens, far, near, close"),
    ],
)
def test_a_wrong_order_is_refused(stages: tuple[tuple[float, str], ...], said: str) -> None:
    """Protects a run of hours from a slip of the pen."""
    with pytest.raises(UsageError, match=said):
        Curriculum.of(stages)


def test_the_range_of_the_article() -> None:
    """Protects comparisons: 2.0 to 5.8 s is what the article names; shares and weights are checked too."""
    assert range_s("owens") == (2.0, 5.8)
    with pytest.raises(UsageError, match="positive weight"):
        Curriculum((Stage(1.0, (("far", 0.0),)),))
    with pytest.raises(UsageError, match="share of others"):
        Curriculum((Stage(1.0, (("far", 1.0),), other=1.5),))
