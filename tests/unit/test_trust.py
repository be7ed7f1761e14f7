"""Trust and consensus: when an answer is withheld, and which faces decide."""

import re
from dataclasses import replace

import numpy as np
import pytest

from clapboard.sync import trust
from clapboard.sync.consensus import Face, decide
from clapboard.sync.distance import Curves
from clapboard.sync.search import offset_of

WEIGHTS = {"gap_root": 40.0}
BIAS = -6.0
LAGS_S = np.arange(-100, 101) / 100


def made(lags_s: list[float], depth: float = 0.3, windows: float = 25, seed: int = 0, start_s: float = 0) -> Curves:
    """Curves of blocks of one second, each with a dip at its lag over noise."""
    rng = np.random.default_rng(seed)
    mean = 1.3 + 0.01 * rng.standard_normal((len(lags_s), len(LAGS_S)))
    mean -= depth * np.exp(-0.5 * ((LAGS_S[None] - np.array(lags_s)[:, None]) / 0.04) ** 2)
    count = np.full((len(lags_s), len(LAGS_S)), windows, np.float32)
    seen = np.full(len(lags_s), 25.0)
    times = start_s + np.arange(len(lags_s), dtype=float)
    return Curves(
        (mean * count).astype(np.float32), count, seen * windows / 25, seen, times, np.zeros(len(seen)), LAGS_S
    )


def test_a_clear_dip_is_trusted_and_a_flat_curve_is_not() -> None:
    """Protects the main decision."""
    clear, flat = made([-0.3] * 8), made([-0.3] * 8, depth=0.0)
    good = trust.judge(clear, offset_of(clear), BIAS, WEIGHTS)
    bad = trust.judge(flat, offset_of(flat), BIAS, WEIGHTS)
    assert good.trusted
    assert good.offset_ms == pytest.approx(300, abs=5)
    assert good.p_within_frame > 0.95
    assert not bad.trusted
    assert "do not match clearly" in bad.reasons[0]
    assert bad.p_within_frame < 0.5


def test_the_same_dip_is_worth_more_over_more_speech() -> None:
    """Protects the dependence of the threshold on the length of speech."""
    short, long = made([0.1] * 1, 0.1), made([0.1] * 12, 0.1)
    p = [trust.p_within_frame(offset_of(c), BIAS, WEIGHTS) for c in (short, long)]
    assert p[0] < trust.MIN_PROBABILITY < p[1]


def test_too_little_speech_says_how_much_there_was() -> None:
    """Protects short input: the reason names both amounts."""
    little = made([0.1], windows=10)
    assert trust.judge(little, offset_of(little), BIAS, WEIGHTS).reasons == (
        "only 0.4 s of speech with a face in view, 0.6 s are needed",
    )


def test_a_minimum_at_the_edge_is_no_answer() -> None:
    """Protects against reporting where the search stopped."""
    edge = made([1.0] * 8)
    found = trust.judge(edge, offset_of(edge), BIAS, WEIGHTS)
    assert any("edge of the search" in reason for reason in found.reasons)


def test_a_minimum_where_the_known_curve_ends_is_no_answer() -> None:
    """Protects short files: beyond the last lag with enough sound the curve may fall further."""
    cut = made([0.62] * 3)
    cut.counts[:, LAGS_S > 0.6] = 0
    found = trust.judge(cut, offset_of(cut), BIAS, WEIGHTS)
    assert found.offset_ms == pytest.approx(-600, abs=1)
    assert not found.trusted
    assert "hardly overlap" in found.reasons[0]


@pytest.mark.parametrize("reach_ms", [40, 60, 90, 150])
def test_a_search_without_rivals_is_no_answer(reach_ms: int) -> None:
    """Protects narrow searches: a best match is only as good as the ones it beats, so without any it counts nothing."""
    noise = made([0.0] * 8, depth=0.0)
    near = np.abs(LAGS_S) <= reach_ms / 1000 + 1e-9
    narrow = replace(noise, sums=noise.sums[:, near], counts=noise.counts[:, near], lags_s=LAGS_S[near])
    found = trust.judge(narrow, offset_of(narrow), 3.0, WEIGHTS)
    assert found.p_within_frame == 0
    assert "too few other offsets" in found.reasons[-1]


def test_parts_at_other_offsets_are_told() -> None:
    """Protects files that jump: the reason counts the parts and says where they are."""
    jump = made([-0.3] * 12 + [0.2] * 8)
    found = trust.judge(jump, offset_of(jump), BIAS, WEIGHTS)
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith("parts disagree: 2 of 5 clear parts are at -19")


def test_a_still_picture_has_no_offset() -> None:
    """Protects stills: even a dip does not count when nothing moves."""
    clear = made([-0.3] * 8)
    assert "still picture" in trust.judge(clear, offset_of(clear), BIAS, WEIGHTS, moves=False).reasons[0]


def test_the_probability_is_monotone_in_depth() -> None:
    """Protects the meaning of the number: a deeper dip is never less probable."""
    p = [trust.p_within_frame(offset_of(made([0.0] * 4, d)), BIAS, WEIGHTS) for d in (0.02, 0.05, 0.1, 0.2, 0.4)]
    assert p == sorted(p)


def test_the_speaker_decides_and_listeners_stay_out() -> None:
    """Protects several faces: a listener's flat or stray curve neither enters the mean nor moves the answer."""
    speaker, listener = made([-0.2] * 10, 0.3), made([0.55] * 10, 0.03, seed=1)
    decision = decide([Face(0, listener, True), Face(1, speaker, True)], BIAS, WEIGHTS)
    assert decision.deciders == {1}
    assert decision.offset.offset_ms == pytest.approx(200, abs=5)
    assert decision.offset.windows == 250
    assert decision.offset.trusted


def test_many_short_faces_decide_together() -> None:
    """Protects edited films: no shot is long enough alone, their mean is."""
    faces = [Face(n, made([-0.2], 0.09, seed=n, start_s=n), True) for n in range(10)]
    assert all(trust.p_within_frame(offset_of(f.curves), BIAS, WEIGHTS) < trust.MIN_PROBABILITY for f in faces)
    decision = decide(faces, BIAS, WEIGHTS)
    assert decision.offset.trusted
    assert decision.offset.offset_ms == pytest.approx(200, abs=10)


def test_two_sure_faces_that_disagree_are_told() -> None:
    """Protects files whose scenes have different offsets: no average is given out as an answer."""
    faces = [Face(0, made([-0.2] * 10, 0.35), True), Face(1, made([0.3] * 10, 0.3, start_s=10), True)]
    decision = decide(faces, BIAS, WEIGHTS)
    assert len(decision.offset.reasons) == 1
    assert re.fullmatch(
        r"faces disagree: another one is at -(299|30\d) ms, .* at \+(199|20\d) ms", decision.offset.reasons[0]
    )


def test_more_faces_to_pick_from_need_a_clearer_match() -> None:
    """Protects against picking the best of many chances: the same curve is less probable among four faces."""
    alone = decide([Face(0, made([0.1] * 2, 0.12), True)], BIAS, WEIGHTS).offset
    crowd = decide(
        [Face(0, made([0.1] * 2, 0.12), True), *(Face(n, made([0.0] * 2, 0.0, seed=n), True) for n in (1, 2, 3))],
        BIAS,
        WEIGHTS,
    )
    assert crowd.faces[0].p_within_frame < alone.p_within_frame


def test_of_two_faces_seen_together_only_one_has_the_voice() -> None:
    """Protects dialogues: a listener whose stray minimum lies right is still not counted as speech."""
    speaker, listener = made([-0.2] * 10, 0.3), made([-0.2] * 10, 0.15, seed=1)
    later = made([-0.2] * 10, 0.25, seed=2, start_s=10)
    decision = decide([Face(0, listener, True), Face(1, speaker, True), Face(2, later, True)], BIAS, WEIGHTS)
    assert decision.deciders == {1, 2}
    assert decision.offset.windows == 500


def test_shots_that_meet_within_a_second_are_not_seen_together() -> None:
    """Protects cuts: two shots that share a second of the clock, one after the other, both count."""
    first, second = made([-0.2] * 5, 0.3), made([-0.2] * 5, 0.28, seed=1, start_s=4)
    first.seen[-1], second.seen[0] = 12, 13
    decision = decide([Face(0, first, True), Face(1, second, True)], BIAS, WEIGHTS)
    assert decision.deciders == {0, 1}


def test_without_calibration_the_clearest_face_is_found_but_not_trusted() -> None:
    """Protects uncalibrated models: faces go by confidence, the probability is not known, and the reason says so."""
    speaker, listener = Face(0, made([-0.3] * 6), True), Face(1, made([0.5] * 8, depth=0.03, seed=1), True)
    decision = decide([listener, speaker], 0.0, None)
    assert decision.deciders == {0}
    assert decision.offset.offset_ms == pytest.approx(300, abs=5)
    assert decision.offset.reasons == (trust.NOT_CALIBRATED,)
    assert not decision.offset.trusted
    for offset in (decision.offset, *decision.faces.values()):
        assert np.isnan(offset.p_within_frame)


def test_terms_are_those_that_calibrations_weigh() -> None:
    """Protects the names in model files: they are the keys of the terms."""
    assert tuple(trust.terms(offset_of(made([0.1])))) == trust.TERMS
    assert tuple(trust.terms(replace(offset_of(made([0.1])), offset_ms=float("nan")))) == trust.TERMS
