"""When things happen: gaps between events as in real recordings, and the few events of a sparse clip.

The gaps follow those between the hits of "Visually Indicated Sounds" (Owens et al., CVPR 2016; 977 recordings, the
cleaned onset table of the CondFoleyGen code): 10, 50 and 90 % of them are below 0.40, 0.60 and 0.87 s. They are drawn
from a log-normal distribution whose halves below and above the median have a width of their own, so that all three
points hold.
"""

import numpy as np

from clapboard.values import F64

GAP_POINTS_S = (0.40, 0.60, 0.87)
"""Gaps at 10, 50 and 90 %, s."""
SHORTEST_S, LONGEST_S = 0.22, 1.8
"""Gaps beyond these are cut, s: about 1 in 1000."""
NORMAL_90 = 1.2815515655446004
"""The 90 % point of the standard normal distribution."""
FROM_ENDS_S = 1.0
"""The events of a sparse clip keep this distance from its ends, s."""
APART_S = 0.5
"""And this one from each other, s."""


def draw_gaps(rng: np.random.Generator, count: int) -> F64:
    """Draw gaps between events, (count,) s."""
    low, median, high = GAP_POINTS_S
    normal = rng.standard_normal(count)
    widths = np.log(median / low) / NORMAL_90, np.log(high / median) / NORMAL_90
    return np.asarray(np.clip(median * np.exp(np.where(normal < 0, *widths) * normal), SHORTEST_S, LONGEST_S))


def steady_contacts(rng: np.random.Generator, start_s: float, end_s: float) -> F64:
    """Draw the times of events that go on all the time, s, from before ``start_s`` to after ``end_s``."""
    gaps = draw_gaps(rng, int((end_s - start_s) / SHORTEST_S) + 3)
    times_s = start_s - rng.uniform(0.0, 1.0) * gaps[0] + np.concatenate([[0.0], np.cumsum(gaps)])
    return np.asarray(times_s[: int(np.searchsorted(times_s, end_s, "right")) + 1])


def regular_contacts(rng: np.random.Generator, period_s: float, start_s: float, end_s: float) -> F64:
    """Times of exactly regular events, s, from before ``start_s`` to after ``end_s``."""
    phase_s = rng.uniform(0.0, period_s)
    first, last = np.floor((start_s - phase_s) / period_s), np.ceil((end_s - phase_s) / period_s)
    return np.asarray(phase_s + period_s * np.arange(first, last + 1))


def few_contacts(rng: np.random.Generator, seconds: float) -> F64:
    """Draw one or two times of events, s, away from the ends of a clip and from each other."""
    room_s = seconds - 2 * FROM_ENDS_S
    if room_s < 2 * APART_S or rng.random() < 0.5:
        return FROM_ENDS_S + rng.uniform(0.0, room_s, 1)
    first_s, second_s = np.sort(rng.uniform(0.0, room_s - APART_S, 2))
    return FROM_ENDS_S + np.array([first_s, second_s + APART_S])
