"""The plain sentences that every format shares, and names made safe to print."""

from typing import Literal

from clapboard.timebase import in_words
from clapboard.values import Report, Verdict

_FIRST_ESCAPED_BYTE = 0xDC80
_LAST_ESCAPED_BYTE = 0xDCFF


def shown(text: str) -> str:
    r"""Text with everything that cannot be printed on one line escaped: ``a\nb``, ``caf\xe9`` for a stray byte."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    r"""Return one unprintable character as ``\n``, ``\x1b`` or, for a byte that is no Unicode, ``\xff``."""
    if _FIRST_ESCAPED_BYTE <= ord(char) <= _LAST_ESCAPED_BYTE:
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


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
