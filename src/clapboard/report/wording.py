"""The plain sentences that every format shares."""

from typing import Literal

from clapboard.timebase import in_words
from clapboard.values import Report, Verdict


def sentence(report: Report) -> str:
    """Return the answer in one sentence: ``audio is 300 ms early; delay it by 300 ms``."""
    if report.status == "error":
        return f"cannot be measured: {report.error}"
    if report.status == "undecided":
        reasons = "; ".join(report.offset.reasons) or "there was nothing to measure"
        return f"cannot tell: {reasons}"
    if report.status == "in_sync":
        return f"in sync: {side_in_words(report.offset.offset_ms)}"
    return in_words(report.offset.offset_ms)


def side_in_words(offset_ms: float) -> str:
    """Return which side comes first, without advice: ``audio is 12 ms early``."""
    return in_words(offset_ms).split(";")[0]


def limits_in_words(verdict: Verdict) -> str:
    """Return the tolerance in words: ``ebu-r37 allows 40 ms early to 60 ms late``."""
    return f"{verdict.profile} allows {verdict.max_lead_ms:.4g} ms early to {verdict.max_lag_ms:.4g} ms late"


def audio_side(report: Report) -> Literal["early", "late", "in_sync"] | None:
    """Return where the sound is, as one word for programs; None where that is not known."""
    if report.status not in ("in_sync", "out_of_sync"):
        return None
    if report.status == "in_sync":
        return "in_sync"
    return "early" if report.offset.offset_ms > 0 else "late"
