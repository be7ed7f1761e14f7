"""Wilson's interval of a share: k of n answers, such as how often made sound was taken for the original.

It stays within 0 and 1 and keeps its level for few answers and for shares near 0 and 1, where the textbook interval
(p +- 1.96 standard errors) does not [1]_ [2]_. It takes the answers as independent: those of one person are not, see
`clapboard.metrics.bootstrap`.

References
----------
.. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
   Statistical Association 22, 1927, 209-212.
.. [2] R. G. Newcombe, "Two-sided confidence intervals for the single proportion: comparison of seven methods",
   Statistics in Medicine 17, 1998, 857-872, method 3.
"""

import math
from statistics import NormalDist

from clapboard.errors import UsageError

LEVEL = 0.95


def interval(hits: int, answers: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval, without correction for continuity.

    Parameters
    ----------
    hits : how often it was so
    answers : out of how many
    level : how often such an interval holds the true share, above 0 and below 1

    Returns
    -------
    low, high : NaN without an answer

    Raises
    ------
    UsageError : more hits than answers, a negative number, or a level beyond 0 and 1
    """
    if not 0 <= hits <= answers or not 0 < level < 1:
        raise UsageError(f"an interval needs 0 <= hits <= answers and 0 < level < 1, not {hits}, {answers}, {level:g}")
    if not answers:
        return math.nan, math.nan
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = hits / answers, z * z / answers
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / answers + spread / (4 * answers)) / (1 + spread)
    low = 0.0 if not hits else middle - half  # exactly there, which rounding would miss
    return low, 1.0 if hits == answers else middle + half
