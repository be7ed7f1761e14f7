"""Articulation curves and the voice: one clock, lips that shut when they should, and nothing that depends on chance."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.testing import Articulation, Speaker, speak, voice
from clapboard.testing.articulation import LEAD_S

RATE_HZ = 16_000


def test_the_same_seed_gives_the_same_speech_and_another_seed_another() -> None:
    """Tests, demo and training must be repeatable."""
    first, again, other = (speak(seed, 1.5) for seed in (5, 5, 6))
    assert np.array_equal(first.opening, again.opening)
    assert np.array_equal(voice(first, Speaker.from_seed(5)), voice(again, Speaker.from_seed(5)))
    assert not np.array_equal(first.opening, other.opening)


def test_a_longer_clip_only_adds_to_a_shorter_one() -> None:
    """A test that asks for two seconds more must not get another sentence."""
    speaker = Speaker.from_seed(8)
    short, long = speak(8, 2.0), speak(8, 4.0)
    count = round((LEAD_S + 2.0) * short.rate_hz)
    for name in ("opening", "spread", "voicing", "noise", "f0_hz"):
        np.testing.assert_array_equal(getattr(short, name)[:count], getattr(long, name)[:count], err_msg=name)
    size = round((LEAD_S + 2.0) * RATE_HZ)
    np.testing.assert_allclose(voice(short, speaker)[:size], voice(long, speaker)[:size], atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_lips_are_shut_exactly_while_p_b_m_are_held(seed: int) -> None:
    """The clearest event of lip-sync: shut for the whole closure, open as soon as it ends."""
    curves = speak(seed, 6.0)
    after = {a.start_s: b for a, b in zip(curves.sounds, curves.sounds[1:], strict=False)}
    shut = [s for s in curves.sounds if s.phone.shut and s.end_s < curves.duration_s]
    assert len(shut) > 5
    for sound in shut:
        held = np.linspace(sound.start_s, sound.end_s, 20)
        assert (curves.at(held).opening == 0).all(), sound
        following = after.get(sound.start_s)
        if following is not None and following.start_s == sound.end_s and following.phone.kind == "vowel":
            assert curves.at([sound.end_s + 0.01]).opening[0] > 0, sound


@pytest.mark.parametrize("seed", [1, 4, 7, 9])
def test_the_burst_of_p_comes_when_the_lips_part_and_not_before(seed: int) -> None:
    """Time t in the lips is time t in the sound, to a millisecond."""
    speaker = Speaker.from_seed(seed)
    curves = speak(seed, 12.0)
    samples = voice(curves, speaker, RATE_HZ, clean=True)
    bursts = [s for s in curves.sounds if s.phone.name == "p" and s.end_s - s.start_s > 0.05 and s.end_s < 12]
    assert bursts
    for sound in bursts:
        release = round((sound.end_s - curves.start_s) * RATE_HZ)
        before = np.abs(samples[release - 400 : release]).max()
        after = np.abs(samples[release : release + 160])
        if curves.noise[round((sound.end_s - curves.start_s) * curves.rate_hz) + 2] == 0:
            continue  # another closure follows at once: such a /p/ is not released
        assert before < 0.05 * after.max()
        assert np.argmax(after > 0.2 * after.max()) <= 2e-3 * RATE_HZ


def _lag_ms(curves: Articulation, samples: np.ndarray, floor: float) -> tuple[int, np.ndarray]:
    """Lag of the sound's level behind the opening, and the correlation at -200 to 200 ms."""
    blocks = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    level = np.log(np.sqrt(np.mean(blocks**2, axis=1)) + floor)
    opening = curves.at(curves.start_s + (np.arange(len(level)) + 0.5) * 0.01).opening
    reach = 20
    middle = opening[reach:-reach]
    values = [np.corrcoef(middle, np.roll(level, -k)[reach:-reach])[0, 1] for k in range(-reach, reach + 1)]
    return (int(np.argmax(values)) - reach) * 10, np.array(values)


def test_loudness_goes_with_the_opening_of_the_mouth_without_a_lag() -> None:
    """Over many speakers the sound is neither early nor late, and it is related to the lips but not given by them."""
    lags, curves = [], []
    for seed in range(12):
        speaker = Speaker.from_seed(seed)
        speech = speak(seed, 6.0)
        lag, values = _lag_ms(speech, voice(speech, speaker, RATE_HZ), speaker.floor)
        lags.append(lag)
        curves.append(values)
    mean = np.mean(curves, axis=0)
    assert abs(int(np.argmax(mean)) - 20) <= 1
    assert np.abs(lags).max() <= 30
    assert 0.4 < mean.max() < 0.9


def test_mouths_also_move_without_a_sound() -> None:
    """Nothing may be learned from movement alone: pauses have movement, and listeners too."""
    listener = speak(3, 10.0, talking=False)
    assert not listener.voicing.any()
    assert not listener.noise.any()
    assert not listener.sounds
    assert np.ptp(listener.opening) > 0.03
    assert np.ptp(listener.spread) > 0.05


def test_nobody_speaks_in_a_quiet_range_and_the_rest_stays() -> None:
    """Pauses for the tests of masking: silent, while what is said elsewhere is as without them."""
    plain, paused = speak(2, 6.0), speak(2, 6.0, quiet=[(2.0, 4.0)])
    inside = (paused.time_s > 2.02) & (paused.time_s < 3.98)
    assert not paused.voicing[inside].any()
    assert not paused.noise[inside].any()
    kept = tuple(sound for sound in plain.sounds if sound.end_s <= 2.0 or sound.start_s >= 4.0)
    assert paused.sounds == kept
    assert len(kept) < len(plain.sounds)


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 48_000])
def test_the_voice_is_there_at_any_rate_at_a_sane_level(rate_hz: int) -> None:
    """Samples fill the time of the curves, stay in range and are neither silent nor clipped."""
    speaker = Speaker.from_seed(4)
    curves = speak(4, 2.0)
    samples = voice(curves, speaker, rate_hz)
    assert samples.dtype == np.float32
    assert len(samples) == round((2.0 + 2 * LEAD_S) * rate_hz)
    assert 0.003 < np.sqrt(np.mean(samples**2)) < 0.2
    assert np.abs(samples).max() < 1


def test_levels_and_pitch_are_those_of_people() -> None:
    """Rates, pitch and pauses stay within what people do, for many speakers."""
    for seed in range(30):
        speaker = Speaker.from_seed(seed)
        assert 80 <= speaker.f0_hz <= 300
        curves = speak(seed, 8.0)
        vowels = sum(sound.phone.kind == "vowel" for sound in curves.sounds)
        assert 1.5 < vowels / (8.0 + 2 * LEAD_S) < 7
        assert 0.25 < np.mean(curves.voicing > 0.05) < 0.9


def test_senseless_requests_are_refused() -> None:
    """One clear line instead of an empty or endless clip."""
    with pytest.raises(UsageError, match="duration_s must be positive"):
        speak(0, 0.0)
    with pytest.raises(UsageError, match="seed must be 0 or more"):
        speak(-1, 1.0)
    with pytest.raises(UsageError, match="multiple of 1000"):
        voice(speak(0, 1.0), Speaker.from_seed(0), 44_100)
