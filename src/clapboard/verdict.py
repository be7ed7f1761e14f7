"""Tolerances: how far sound may lead or lag before a file counts as out of sync.

Limits are asymmetric, because people notice early sound far sooner than late sound: every profile has one limit for
sound that leads (comes early) and one for sound that lags (comes late). A value on the limit is within it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from clapboard.errors import UsageError

if TYPE_CHECKING:  # the command line shows the names of the profiles in its help, and must not load numpy for that
    from clapboard.values import Offset, Status, Verdict

_ROUNDING_MS = 1e-6
"""Slack at the limits, so that one frame of 30000/1001 Hz is still one frame after arithmetic in floats (ms)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A named tolerance.

    ``max_lead_ms`` is how early the sound may be and ``max_lag_ms`` how late, both positive. When ``max_frames`` is
    not 0 the limits are that many frames of the file at hand, both ways, and the two others hold for a file that does
    not say its rate. ``source`` is where the numbers come from.
    """

    name: str
    max_lead_ms: float
    max_lag_ms: float
    source: str
    max_frames: float = 0.0

    def limits_ms(self, rate: Fraction | float) -> tuple[float, float]:
        """How far sound may lead and lag in a file of this frame rate (Hz, 0 when unknown), ms."""
        if self.max_frames and rate > 0:
            limit_ms = 1000 * self.max_frames / float(rate)
            return limit_ms, limit_ms
        return self.max_lead_ms, self.max_lag_ms


_NAMED = (
    Profile("ebu-r37", 40, 60, "EBU R37, the whole chain up to the transmitter"),
    Profile("ebu-r37-stage", 5, 15, "EBU R37, one stage of the chain"),
    Profile("itu-detect", 45, 125, "ITU-R BT.1359-1, thresholds of detectability"),
    Profile("itu-accept", 90, 185, "ITU-R BT.1359-1, thresholds of acceptability"),
    Profile("j100", 20, 40, "ITU-T J.100, international exchange of programmes"),
    Profile("atsc-is191", 15, 45, "ATSC IS-191 (2003)"),
    Profile("film", 42, 83, "ITU-R BS.1204: picture one frame late to two frames early, at 24 frames per second"),
    Profile("frame", 40, 40, "one frame of the file's own rate, both ways", max_frames=1),
)

PROFILES: Final[Mapping[str, Profile]] = {profile.name: profile for profile in _NAMED}
"""The tolerances that have a name."""

# EBU R37 is what broadcasters hold a finished programme to. It lies inside what viewers notice (ITU: +45/-125), so a
# file that passes cannot be seen to be out, and its tighter side is one frame at 25 Hz, which is how finely an offset
# is promised to be measured. Anything stricter would judge the error of the measurement instead of the file.
DEFAULT_PROFILE: Final = "ebu-r37"


def parse_profile(profile: str | Profile) -> Profile:
    """Find the tolerance that a text names, or read ``custom:LEAD,LAG``.

    ``custom:40,60`` lets sound be up to 40 ms early and 60 ms late; ``custom:+40,-60``, as standards write it, is the
    same. A `Profile` is handed back as it is.

    Raises
    ------
    UsageError
        when the text names no profile, or the limits are not two numbers of 0 or more
    """
    if isinstance(profile, Profile):
        return profile
    text = profile.strip().lower()
    if text in PROFILES:
        return PROFILES[text]
    if text.startswith("custom:"):
        return _custom(text)
    names = ", ".join([*PROFILES, "custom:LEAD,LAG"])
    raise UsageError(f"no tolerance is called {profile!r}; choose one of {names}")


def _custom(text: str) -> Profile:
    """Read ``custom:LEAD,LAG``; the lag may carry the minus that standards write."""
    try:
        lead_text, lag_text = text.removeprefix("custom:").split(",")
        lead_ms, lag_ms = float(lead_text), float(lag_text)
    except ValueError:
        lead_ms = lag_ms = math.nan
    lag_ms = abs(lag_ms)
    if not (math.isfinite(lead_ms) and math.isfinite(lag_ms)) or lead_ms < 0:
        raise UsageError(
            f"{text!r} is not custom:LEAD,LAG; give how early and how late sound may be in ms, as in custom:40,60"
        )
    return Profile(f"custom:{lead_ms:g},{lag_ms:g}", lead_ms, lag_ms, "given by the user")


def judge(offset: "Offset", profile: Profile, rate: Fraction | float) -> "Verdict":
    """Say whether an offset is within a tolerance.

    Parameters
    ----------
    offset : what was measured; one that is not trusted gives ``undecided``
    profile : the tolerance
    rate : frame rate of the file, Hz; 0 when unknown
    """
    from clapboard.values import Verdict

    lead_ms, lag_ms = profile.limits_ms(rate)
    status: Status
    if not offset.trusted:
        status = "undecided"
    elif -lag_ms - _ROUNDING_MS <= offset.offset_ms <= lead_ms + _ROUNDING_MS:
        status = "in_sync"
    else:
        status = "out_of_sync"
    return Verdict(profile.name, lead_ms, lag_ms, status)
