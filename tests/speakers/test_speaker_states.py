"""The model over time: against an enumeration of all paths, and what must hold whatever the evidence."""

import itertools
import random as random_

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clapboard.speakers.states import SpeakingModel, log_evidence, posteriors


def by_paths(evidence: np.ndarray, visible: np.ndarray, stay: float) -> tuple[np.ndarray, float]:
    """Posteriors and the probability of it all by adding up every path of states, nobody being state 0."""
    faces, frames = evidence.shape
    total, by_state = 0.0, np.zeros((faces + 1, frames))
    for path in itertools.product(range(faces + 1), repeat=frames):
        p = 1.0
        for t, state in enumerate(path):
            possible = [0, *(1 + f for f in range(faces) if visible[f, t])]
            if state not in possible:
                p = 0.0
                break
            if t == 0:
                step = 1.0
            elif state == path[t - 1]:
                step = stay
            else:
                step = (1 - stay) / (len(possible) - 1)
            p *= step * (np.exp(evidence[state - 1, t]) if state else 1.0)
        total += p
        by_state[list(path), range(frames)] += p
    return (by_state / total)[1:], total


@pytest.mark.parametrize("seed", range(4))
def test_posteriors_are_those_of_all_paths(seed: int) -> None:
    """Protects the recursions: two faces, one of which comes into view later."""
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 1.5, (2, 6))
    visible = np.ones((2, 6), bool)
    visible[1, :2] = False
    expected, total = by_paths(evidence, visible, 0.9)
    _, nothing = by_paths(np.zeros((2, 6)), visible, 0.9)
    np.testing.assert_allclose(posteriors(evidence, visible, 0.9), expected, atol=1e-12)
    assert log_evidence(evidence, visible, 0.9) == pytest.approx(np.log(total / nothing), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 40)), elements=st.floats(-50, 50)),
    st.floats(0.5, 0.999),
    st.randoms(use_true_random=False),
)
def test_one_voice_is_shared_out_whoever_is_named_first(
    evidence: np.ndarray, stay: float, random: random_.Random
) -> None:
    """Probabilities of one moment add up to at most 1, and the order of the faces means nothing."""
    visible = np.ones(evidence.shape, bool)
    found = posteriors(evidence, visible, stay)
    assert (found >= 0).all()
    assert (found.sum(axis=0) <= 1 + 1e-9).all()
    order = list(range(len(evidence)))
    random.shuffle(order)
    np.testing.assert_allclose(posteriors(evidence[order], visible, stay), found[order], atol=1e-9)


def test_whoever_spoke_before_and_after_a_silence_has_the_voice_through_it() -> None:
    """Protects pauses inside speech; a frame without evidence is NaN."""
    evidence = np.full((2, 30), np.nan)
    evidence[0, :10] = evidence[0, 20:] = 1.0
    evidence[1, :10] = evidence[1, 20:] = -1.0
    found = posteriors(evidence, np.ones((2, 30), bool), 0.98)
    assert (found[0, 10:20] > 0.9).all()


def test_a_single_odd_frame_changes_nobody_and_a_second_of_them_does() -> None:
    """Protects the smoothing: a state costs something to leave."""
    odd = np.full((1, 60), 0.5)
    odd[0, 30] = -2.0
    assert (posteriors(odd, np.ones((1, 60), bool), 0.99) > 0.5).all()
    odd[0, 20:45] = -0.5
    assert (posteriors(odd, np.ones((1, 60), bool), 0.99)[0, 25:40] < 0.5).all()


def test_who_is_not_in_view_says_nothing() -> None:
    """A face out of view has probability 0, and an empty stretch is no error."""
    visible = np.ones((2, 8), bool)
    visible[1, 4:] = False
    found = posteriors(np.full((2, 8), 3.0), visible, 0.9)
    assert (found[1, 4:] == 0).all()
    assert posteriors(np.zeros((2, 0)), np.zeros((2, 0), bool), 0.9).shape == (2, 0)
    assert log_evidence(np.zeros((0, 5)), np.zeros((0, 5), bool), 0.9) == pytest.approx(0)


def test_evidence_is_a_line() -> None:
    """Protects what the numbers of a model's JSON mean."""
    np.testing.assert_allclose(SpeakingModel(2.0, -0.5, 0.9).evidence(np.array([0.0, 0.25, 1.0])), [-0.5, 0.0, 1.5])
