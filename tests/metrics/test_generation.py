"""Measures of sound that was made for a picture: against counting by hand, against chance, and free of the level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.metrics import generation
from clapboard.sound.features import log_mel


def blows(seed: int, seconds: float = 4.0) -> np.ndarray:
    """Decaying noise in some colour at some times."""
    rng = np.random.default_rng(seed)
    wave, blow = np.zeros(round(16000 * seconds)), rng.standard_normal(1600) * np.exp(-np.arange(1600) / 300)
    for at in np.cumsum(rng.uniform(0.35, 0.8, 12)):
        first = round(16000 * at)
        if first + 1600 < len(wave):
            wave[first : first + 1600] += np.convolve(blow, np.ones(1 + seed % 5), "same")
    return (0.1 * wave).astype(np.float32)


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    return [blows(seed) for seed in range(12)]


def test_a_true_sound_is_found_whatever_its_level(sounds: list[np.ndarray]) -> None:
    """Protects the rank: the same sound 30 dB lower or higher, with noise far below it, is nearest to itself."""
    rng = np.random.default_rng(0)
    true = [log_mel(s) for s in sounds]
    for gain in (0.03, 1.0, 4.0):
        made = [log_mel(np.asarray(gain * s + rng.normal(0, 1e-5, len(s)), np.float32)) for s in sounds]
        result = generation.retrieval(generation.distances(made, true))
        assert (result.top1, result.top5, result.median_rank) == (1.0, 1.0, 1.0), gain
    assert (result.chance1, result.chance5, result.chance_rank) == (1 / 12, 5 / 12, 6.5)


def test_distances_do_not_depend_on_how_they_are_worked_out(sounds: list[np.ndarray]) -> None:
    """Protects the quick way: all at once and one by one give the same, and a clip that is longer is cut."""
    rows = [log_mel(s) for s in sounds[:4]]
    quick = generation.distances(rows[::-1], rows)
    longer = [np.concatenate([rows[0], rows[1][:7]]), *rows[1:]]
    slow = generation.distances(rows[::-1], longer)
    np.testing.assert_allclose(slow[:, 1:], quick[:, 1:], atol=1e-3)
    np.testing.assert_allclose(slow[:, 0], quick[:, 0], atol=1e-3)
    assert np.diag(quick[::-1]).max() < 1e-3


def test_silence_and_chance_rank_in_the_middle() -> None:
    """Protects the floor: silence is equally far from all that is equally spread, and ties count half."""
    np.testing.assert_array_equal(generation.ranks(np.ones((5, 5))), [3] * 5)
    np.testing.assert_array_equal(generation.ranks([[2, 1, 3], [1, 1, 2], [0, 0, 5]]), [2, 1.5, 3])
    rng = np.random.default_rng(0)
    result = generation.retrieval(rng.random((400, 400)))
    assert result.top1 == pytest.approx(result.chance1, abs=0.01)
    assert result.top5 == pytest.approx(result.chance5, abs=0.02)
    assert result.median_rank == pytest.approx(result.chance_rank, abs=30)


def test_sound_of_another_is_told_apart(sounds: list[np.ndarray]) -> None:
    """Protects from a measure that finds anything: each sound given for the next clip has never rank 1."""
    true = [log_mel(s) for s in sounds]
    strange = generation.retrieval(generation.distances([*true[1:], true[0]], true))
    assert strange.top1 == 0.0
    assert strange.top1_interval == (0.0, 0.0)


def test_the_envelope_is_of_loudness_alone(sounds: list[np.ndarray]) -> None:
    """Protects the correlation: gain and timbre take nothing away, other times do, and silence has none."""
    wave = sounds[0]
    assert generation.envelope_correlation(wave, 0.01 * wave) == pytest.approx(1)
    noise = np.random.default_rng(0).standard_normal(len(wave))
    loud = np.repeat(np.sqrt((wave.reshape(-1, 160) ** 2).mean(1)), 160)
    assert generation.envelope_correlation(wave, noise * loud) > 0.95
    assert abs(generation.envelope_correlation(wave, sounds[1])) < 0.5
    assert generation.envelope_correlation(wave, np.roll(wave, 3200)) < 0.5
    assert generation.envelope_correlation(wave, np.zeros(len(wave))) == 0.0
    assert generation.envelope_correlation(wave[:100], wave) == 0.0, "no whole row"


def test_loudness_is_in_decibels_below_the_loudest() -> None:
    """Protects the unit: a tenth of the amplitude is 20 dB less, and digital silence no more than the range."""
    wave = np.repeat([1.0, 0.1, 0.0, 0.5], 160)
    np.testing.assert_allclose(generation.loudness_db(wave), [0, -20, -generation.RANGE_DB, -6.0206], atol=1e-4)


def test_offsets_are_sizes() -> None:
    """Protects the mean: early and late do not cancel, what was not answered counts among the guesses alone."""
    found = generation.offsets([40, -120, 300, np.nan], [True, True, False, False], list("aabb"))
    assert (found.answered, found.answers_ms, found.guessed) == (0.5, 80.0, 0.75)
    assert found.guesses_ms == pytest.approx(460 / 3)
    assert found.interval_ms[0] < found.guesses_ms < found.interval_ms[1]
    nothing = generation.offsets([np.nan], [False], ["a"])
    assert np.isnan(nothing.answers_ms)
    with pytest.raises(UsageError, match="an answer must be a number"):
        generation.offsets([np.nan], [True], ["a"])


def test_bits_of_a_known_distribution() -> None:
    """Protects the unit: levels drawn evenly from 256 cost 8 bits, and a picture that halves the choice saves one."""
    samples = np.array([1000, 3000])
    found = generation.bits(-samples * np.log(128), -samples * np.log(256), samples)
    assert (found.right, found.wrong, found.gap) == pytest.approx((7, 8, 1))
    assert found.interval == pytest.approx((1, 1))
    assert found.clips_helped == 1.0


def test_the_gap_is_of_clips() -> None:
    """Protects the interval: where half the clips are helped as much as the others are harmed, nothing is shown."""
    rng = np.random.default_rng(0)
    right = -rng.uniform(5000, 6000, 40)
    found = generation.bits(right, right - rng.normal(0, 500, 40), np.full(40, 1000))
    assert found.interval[0] < 0 < found.interval[1]
    longer = generation.bits([-100.0, -1000.0], [-200.0, -1000.0], [100, 900])
    assert longer.gap == pytest.approx(100 / np.log(2) / 1000), "samples weigh alike, not clips"


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=30))
def test_confusion_holds_every_sound(pairs: list[tuple[str, str]]) -> None:
    """Protects the table: rows sum to the true classes, the diagonal to the accuracy."""
    true, taken = zip(*pairs, strict=True)
    found = generation.classes(true, taken, "abcd")
    assert found.confusion.sum() == found.number == len(pairs)
    assert np.diag(found.confusion).sum() == pytest.approx(found.accuracy * len(pairs))
    np.testing.assert_array_equal(found.confusion.sum(1), [true.count(name) for name in "abcd"])


def test_always_the_same_answer_is_chance() -> None:
    """Protects from classes of unequal size: nine drums of ten sounds are 90 % right and balanced at chance."""
    found = generation.classes(["drum"] * 9 + ["dog"], ["drum"] * 10, ("dog", "drum"), clips=["x"] * 9 + ["y"])
    assert (found.accuracy, found.most, found.balanced, found.chance) == (0.9, 0.9, 0.5, 0.5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: generation.distances([np.zeros((3, 2))], []), "log-mel power is"),
        (lambda: generation.distances([np.zeros((3, 2))], [np.zeros((3, 3))] * 2), "need as many"),
        (lambda: generation.distances([np.full((3, 2), np.nan)], [np.zeros((3, 2))]), "finite"),
        (lambda: generation.ranks(np.zeros((2, 3))), "(N, N)"),
        (lambda: generation.loudness_db(np.zeros((2, 160))), "(N,)"),
        (lambda: generation.offsets([1.0], [True, False], ["a"]), "(N,) each"),
        (lambda: generation.bits([], [], []), "(C,) each"),
        (lambda: generation.bits([-1.0], [-1.0], [0]), "at least one sample"),
        (lambda: generation.bits([5.0], [6.0], [10]), "without a minus"),
        (lambda: generation.classes(["a"], ["z"], "ab"), "known classes: 1, z"),
        (lambda: generation.classes([], [], "ab"), "0 sounds"),
    ],
)
def test_what_makes_no_sense_is_told(call: object, said: str) -> None:
    """Protects from silent nonsense: one line that says what was wrong."""
    with pytest.raises(UsageError) as raised:
        call()  # type: ignore[operator]
    assert said in str(raised.value)
