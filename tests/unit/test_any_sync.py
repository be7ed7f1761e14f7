"""Any sound on arrays: known shifts come back, attention is shared out, ends are masked, doubt is told.

Events are bursts of a random vector, the same in picture and sound; the picture looks at one place of four.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.sync import any_trust
from clapboard.sync.any_trust import Answer, judge, period_s, terms
from clapboard.sync.attention import Blocks, correlate, find_offset, join, lags_tried, offset_of
from clapboard.sync.trust import NOT_CALIBRATED
from clapboard.values import Embeddings, Seen

DIMENSIONS = 12
SURE = {"deviation": 1.5}
BIAS = -9.0


def vectors_at(time_s: np.ndarray, events_s: np.ndarray, kinds: np.ndarray, width_s: float = 0.04) -> np.ndarray:
    """Bursts of the kind's vector around each event, (T, D) float32."""
    bumps = np.exp(-0.5 * ((time_s[:, None] - events_s[None]) / width_s) ** 2)
    return (bumps @ kinds).astype(np.float32)


def streams(
    offset_ms: float = 0.0,
    *,
    seconds: float = 8.0,
    seed: int = 0,
    events_s: np.ndarray | None = None,
    one_kind: bool = False,
    foreign: bool = False,
    times_s: np.ndarray | None = None,
    sound_from_s: float = -2.5,
    sound_to_s: float | None = None,
) -> tuple[Seen, Embeddings]:
    """Pictures every 40 ms and sound every 10 ms, the sound ``offset_ms`` early on the file's clock."""
    rng = np.random.default_rng(seed)
    if events_s is None:
        events_s = np.cumsum(rng.uniform(0.3, 1.1, 40)) - 3.0
    kinds = rng.standard_normal((1 if one_kind else len(events_s), DIMENSIONS)) * np.ones((len(events_s), 1))
    kinds /= np.linalg.norm(kinds, axis=1, keepdims=True)
    time_s = np.arange(round(25 * seconds)) / 25 if times_s is None else times_s
    attention = 0.02 + np.exp(-0.5 * ((time_s[:, None] - events_s[None]) / 0.06) ** 2).sum(1)
    places = np.zeros((len(time_s), 2, 2), np.float32)
    places[:, 0, 1] = attention
    values = (vectors_at(time_s, events_s, kinds) * attention[:, None]).astype(np.float32)
    heard_s = np.arange(sound_from_s, seconds + 2.5 if sound_to_s is None else sound_to_s, 0.01)
    if foreign:
        events_s, kinds = np.sort(rng.uniform(-3, seconds + 3, len(events_s))), rng.permutation(kinds)
        kinds = kinds @ np.linalg.qr(rng.standard_normal((DIMENSIONS, DIMENSIONS)))[0]
    return Seen(values, places, time_s), Embeddings(
        vectors_at(heard_s + offset_ms / 1000, events_s, kinds), heard_s.astype(np.float64)
    )


def blocks(*args: float, reach_s: float = 2.0, **options) -> Blocks:
    return correlate(*streams(*args, **options), reach_s)


def judged(of: Blocks, **options) -> Answer:
    return judge(of, BIAS, SURE, **options)


@settings(max_examples=30, deadline=None)
@given(offset_ms=st.integers(-1900, 1900), seed=st.integers(0, 5))
def test_a_known_offset_comes_back_to_a_few_milliseconds(offset_ms: int, seed: int) -> None:
    """Protects the heart: sign, size, and the parts of 40 ms between lags, for any seed."""
    assert find_offset(*streams(offset_ms, seed=seed)).offset_ms == pytest.approx(offset_ms, abs=5)


@settings(max_examples=20, deadline=None)
@given(delay_ms=st.integers(-800, 800))
def test_delaying_the_sound_moves_the_answer_the_other_way(delay_ms: int) -> None:
    """Protects equivariance: sound later on the clock by d, offset smaller by d."""
    seen, sound = streams(100.0)
    later = Embeddings(sound.values, sound.time_s + delay_ms / 1000)
    assert find_offset(seen, later).offset_ms == pytest.approx(100 - delay_ms, abs=5)


@pytest.mark.parametrize("rate", [24000 / 1001, 30.0, 29.97])
@pytest.mark.parametrize("offset_ms", [137, -463])
def test_frames_off_the_rows_lose_nothing(rate: float, offset_ms: float) -> None:
    """Protects other rates: a grid filled by the nearest frame keeps true times, and the mean offset stays exact."""
    true_s = np.round(np.arange(200) / 25 * rate) / rate
    assert find_offset(*streams(offset_ms, times_s=true_s)).offset_ms == pytest.approx(offset_ms, abs=6)


def test_a_constant_fraction_of_a_row_is_kept() -> None:
    """Protects against rounding to 10 ms: pictures 4 ms off every row still give the whole offset."""
    whole, moved = streams(), streams(times_s=np.arange(200) / 25 + 0.004)
    late = Embeddings(moved[1].values, moved[1].time_s + 0.004)
    assert find_offset(moved[0], late).offset_ms - find_offset(*whole).offset_ms == pytest.approx(-4, abs=1.5)


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(6)))
def test_permuting_blocks_permutes_weights(order: list[int]) -> None:
    """Protects attention over time: a block's weight is its own, wherever it stands; the weights sum to 1."""
    whole = blocks(seconds=6.0)
    weights, maps = whole.weights(), whole.map_weights()
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(maps.sum((1, 2)), weights, atol=1e-6)
    moved = whole.part(np.array(order))
    np.testing.assert_allclose(moved.weights(), weights[order], atol=1e-6)
    np.testing.assert_allclose(moved.curve(), whole.curve(), atol=1e-5)


def test_a_block_with_an_event_outweighs_the_others_and_its_place_is_seen() -> None:
    """Protects what is shown to people: weight lies in the second, and at the place, of the only event."""
    whole = blocks(events_s=np.array([3.5]))
    weights, maps = whole.weights(), whole.map_weights()
    assert whole.time_s[np.argmax(weights)] == 3.0
    assert weights.max() > 2 * np.median(weights)
    assert maps[:, 0, 1].sum() == pytest.approx(1, abs=1e-5)


def test_scaling_all_attention_changes_nothing() -> None:
    """Protects networks whose attention has no scale of its own: the curve divides by it."""
    seen, sound = streams(240.0)
    larger = Seen(1000 * seen.values, 1000 * seen.places, seen.time_s)
    np.testing.assert_allclose(
        correlate(larger, sound, 2.0).curve(), correlate(seen, sound, 2.0).curve(), rtol=1e-4, atol=1e-6
    )


def test_the_curve_is_that_of_the_formula() -> None:
    """Protects the contract with training: on whole lags and times it is the plain double sum."""
    seen, sound = streams(sound_from_s=-1.0, sound_to_s=8.4)
    expected, attention = [], seen.places.sum((1, 2))
    for lag in lags_tried(2.0):
        rows = np.round((seen.time_s - sound.time_s[0]) * 100).astype(int) + lag
        there = (rows >= 0) & (rows < len(sound.values))
        match = (seen.values[there] * sound.values[rows[there]]).sum()
        expected.append(match / attention[there].sum())
    np.testing.assert_allclose(correlate(seen, sound, 2.0).curve(), expected, rtol=1e-3, atol=1e-5)


def test_streaming_gives_what_one_call_gives() -> None:
    """Protects long files: pieces that cut a block in two join to the same blocks."""
    seen, sound = streams(320.0)
    whole = correlate(seen, sound, 2.0)
    pieces = [slice(0, 37), slice(37, 61), slice(61, None)]
    parts = [Seen(seen.values[p], seen.places[p], seen.time_s[p]) for p in pieces]
    joined = join([correlate(part, sound, 2.0) for part in parts])
    np.testing.assert_array_equal(joined.time_s, whole.time_s)
    np.testing.assert_allclose(joined.curve(), whole.curve(), atol=1e-6)
    np.testing.assert_allclose(joined.residual_s, whole.residual_s, atol=1e-9)
    np.testing.assert_allclose(joined.maps, whole.maps, rtol=1e-6)
    with pytest.raises(UsageError, match="same lags"):
        join([whole, correlate(seen, sound, 1.0)])
    with pytest.raises(UsageError, match="same lags"):
        join([])


def test_outside_the_sound_is_masked_and_never_zero() -> None:
    """Protects the ends: a lag with too little sound is not known, one with enough is the mean over what there is."""
    whole = blocks(sound_from_s=0.0, sound_to_s=8.0)
    curve, lags_s = whole.curve(), whole.lags_s
    assert np.isfinite(curve).all()
    assert find_offset(*streams(sound_from_s=0.0, sound_to_s=8.0)).offset_ms == pytest.approx(0, abs=5)
    short = blocks(sound_from_s=0.0, sound_to_s=2.0)
    assert np.isfinite(short.curve()).sum() < len(lags_s)
    alone = blocks(sound_from_s=30.0, sound_to_s=34.0)
    assert np.isnan(offset_of(alone).offset_ms)


def test_too_little_sound_for_one_vector_is_nothing() -> None:
    """Protects clips with a blip of sound."""
    seen, _ = streams()
    nothing = correlate(seen, Embeddings(np.zeros((0, DIMENSIONS), np.float32), np.zeros(0)), 2.0)
    assert "hardly overlap" in judged(nothing).offset.reasons[0]
    with pytest.raises(UsageError, match="differ"):
        correlate(seen, Embeddings(np.zeros((5, 3), np.float32), np.arange(5) / 100), 2.0)


def test_a_clear_clip_is_trusted() -> None:
    """Protects the main decision, and what it says of the clip."""
    answer = judged(blocks(-360.0), synchronisable=(BIAS, SURE))
    assert answer.offset.trusted
    assert answer.offset.offset_ms == pytest.approx(-360, abs=5)
    assert answer.offset.p_within_frame > 0.9
    assert answer.synchronisable
    assert answer.p_synchronisable == answer.offset.p_within_frame


@pytest.mark.parametrize("seed", range(6))
def test_another_clips_sound_is_not(seed: int) -> None:
    """Protects against confident nonsense: chance matches have rivals."""
    answer = judged(blocks(seed=seed, foreign=True), synchronisable=(BIAS, SURE))
    assert not answer.offset.trusted
    assert "do not match clearly" in answer.offset.reasons[0]
    assert not answer.synchronisable


def test_what_is_most_likely_wrong_is_not_called_synchronisable() -> None:
    """Protects clips whose sound the model takes for their own and whose match it does not believe: "no", by both."""
    answer = judge(blocks(), -3.0, {"gap": 0.0}, synchronisable=(20.0, {"gap": 0.0}))
    assert answer.offset.p_within_frame == pytest.approx(0.047, abs=0.001)
    assert not answer.synchronisable
    assert answer.p_synchronisable == answer.offset.p_within_frame
    likely = judge(blocks(), 3.0, {"gap": 0.0}, synchronisable=(1.0, {"gap": 0.0}))
    assert likely.synchronisable
    assert likely.p_synchronisable == pytest.approx(0.731, abs=0.001)
    assert judge(blocks(), 0.0, None).synchronisable  # nobody knows how likely: the rules alone decide


@pytest.mark.parametrize("period", [0.4, 0.52, 0.8, 1.0, 1.4])
@pytest.mark.parametrize("offset_ms", [0.0, 210.0])
def test_regular_events_are_not_synchronisable(period: float, offset_ms: float) -> None:
    """Protects metronomes: a shift by a whole period is in sync as well, and the answer says what repeats."""
    answer = judged(blocks(offset_ms, events_s=np.arange(-4, 13, period), one_kind=True))
    assert not answer.synchronisable
    assert f"repeats every {period:.2f} s" in answer.offset.reasons[0]


@pytest.mark.parametrize("seed", [83, 132])
def test_chance_that_repeats_is_no_metronome(seed: int) -> None:
    """Protects people with a noisy clip: chance has two peaks alike now and then, and is no rhythm."""
    noisy = blocks(seed=seed, foreign=True, one_kind=True)
    assert np.isfinite(period_s(offset_of(noisy)))
    answer = judged(noisy, synchronisable=(BIAS, SURE))
    assert "do not match clearly" in answer.offset.reasons[0]
    assert len(answer.offset.reasons) == 1
    assert not answer.synchronisable
    believed = judge(noisy, 20.0, {"gap": 0.0})  # even a model that believes anything does not make it one
    assert not believed.synchronisable
    assert "not synchronisable" in believed.offset.reasons[0]


@pytest.mark.parametrize("seed", range(8))
def test_irregular_events_are_not_taken_for_regular(seed: int) -> None:
    """Protects against refusing good clips: one kind of event, at odd times, has no period."""
    assert np.isnan(period_s(offset_of(blocks(120.0, seed=seed, one_kind=True))))


def test_a_match_at_the_edge_is_told() -> None:
    """Protects offsets beyond the search: what is best there may be better further on."""
    answer = judged(blocks(2030.0))
    assert any("edge of the search of 2000 ms" in reason for reason in answer.offset.reasons)
    assert judged(blocks(2030.0, reach_s=3.0)).offset.offset_ms == pytest.approx(2030, abs=5)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"sounds": False}, "the sound is silent"),
        ({"moves": False}, "the picture does not move"),
    ],
)
def test_what_only_the_file_can_tell(options: dict, cause: str) -> None:
    """Protects silence and stills: the plain cause comes alone, without a best guess of what was not there."""
    answer = judged(blocks(), **options, synchronisable=(BIAS, SURE))
    assert np.isnan(answer.offset.offset_ms)
    assert answer.offset.p_within_frame == 0.0
    assert (answer.synchronisable, answer.p_synchronisable) == (False, 0.0)
    assert len(answer.offset.reasons) == 1
    assert cause in answer.offset.reasons[0]


def test_too_short_and_nothing_looked_at() -> None:
    """Protects the other two causes."""
    assert judged(blocks(seconds=1.5)).offset.reasons == ("only 1.5 s of picture to compare, 2.0 s are needed",)
    # Of two frames nobody can say whether the picture moves.
    assert judged(blocks(seconds=0.08), moves=False).offset.reasons == (
        "only 0.1 s of picture to compare, 2.0 s are needed",
    )
    seen, sound = streams()
    blind = correlate(Seen(0 * seen.values, 0 * seen.places, seen.time_s), sound, 2.0)
    answer = judged(blind)
    assert "nothing to hold on to" in answer.offset.reasons[0]
    assert (blind.weights() == 0).all()
    flat = correlate(seen, Embeddings(np.ones_like(sound.values), sound.time_s), 2.0)
    assert not judged(flat).offset.trusted


def test_parts_that_disagree_are_told() -> None:
    """Protects files whose offset jumps: both parts are clear, and no single number is right."""
    first, second = streams(0.0, seconds=9.0), streams(600.0, seconds=9.0, seed=3)
    later = Seen(second[0].values, second[0].places, second[0].time_s + 9)
    sound = Embeddings(second[1].values, second[1].time_s + 9)
    both = join([correlate(*first, 2.0), correlate(later, sound, 2.0)])
    lenient = judge(both, 20.0, {"gap": 0.0})
    assert "parts disagree" in lenient.offset.reasons[0]
    same = join([correlate(*first, 2.0), correlate(*streams(0.0, seconds=9.0, seed=3), 2.0)])
    assert judge(same, 20.0, {"gap": 0.0}).offset.trusted


def test_an_uncalibrated_model_measures_and_decides_nothing() -> None:
    """Protects against trust without evidence."""
    answer = judge(blocks(80.0), 0.0, None)
    assert answer.offset.offset_ms == pytest.approx(80, abs=5)
    assert answer.offset.reasons == (NOT_CALIBRATED,)
    assert np.isnan(answer.offset.p_within_frame)
    assert np.isnan(answer.p_synchronisable)


def test_terms_do_not_depend_on_the_offset() -> None:
    """Protects calibration: what is weighed says how clear a match is, not where it lies."""
    one, other = blocks(0.0), blocks(400.0)
    found, again = terms(one, offset_of(one)), terms(other, offset_of(other))
    assert set(found) == set(any_trust.TERMS)
    for name, value in found.items():
        assert again[name] == pytest.approx(value, rel=0.1, abs=0.05), name
    assert found["agreement"] == pytest.approx(1, abs=0.05)
    assert found["margin"] > 0.3


def test_halves_that_do_not_bear_the_answer_out_lower_agreement() -> None:
    """Protects the strongest sign of chance: a match that only every other second knows of."""
    good, foreign = blocks(), blocks(foreign=True)
    even = np.arange(len(good.attention)) % 2 == 0
    mixed = replace(good, **{name: np.where(
        even.reshape(-1, *[1] * (getattr(good, name).ndim - 1)), getattr(good, name), getattr(foreign, name)
    ) for name in ("sums", "heard", "attention", "squares")})  # fmt: skip
    assert any_trust.agreement(mixed, offset_of(mixed)) < any_trust.agreement(good, offset_of(good)) - 0.2


@pytest.mark.parametrize("reach_s", [0.01, 100, float("nan")])
def test_senseless_ranges_are_refused(reach_s: float) -> None:
    """Protects against a search over nothing."""
    with pytest.raises(UsageError):
        lags_tried(reach_s)
