"""A report for people: the sentence first, then the numbers behind it, then the faces."""

import math
from typing import TYPE_CHECKING

from clapboard.report.printable import shown
from clapboard.report.wording import limits_in_words, sentence
from clapboard.timebase import FRAME_MS, clock, frames_of
from clapboard.values import Attention, Offset, Report, TrackReport

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES = {"in_sync": "bold green", "out_of_sync": "bold red", "undecided": "bold yellow", "error": "bold red"}


def headline(report: Report) -> str:
    """Return the file and the answer on one line."""
    return shown(f"{report.file}: {sentence(report)}")


def details(report: Report, *, verbose: bool = False) -> list[str]:
    """Return the lines under the headline, each with a name and a value; ``verbose`` as in `facts`."""
    return [f"  {name:<12}{shown(value)}" for name, value in facts(report, verbose=verbose)]


def facts(report: Report, *, verbose: bool = False) -> list[tuple[str, str]]:
    """Return names and values of what is said under the headline.

    ``verbose`` adds what the confidence is made of, the model and the versions.
    """
    offset = report.offset
    lines = []
    if report.by != "lips":
        lines.append(("measured by", ", ".join(filter(None, (report.by, report.why_by)))))
    if math.isfinite(offset.offset_ms):
        lines.append(("offset", _offset_in_words(report)))
        lines.append(("verdict", f"{report.status.replace('_', ' ')}; {limits_in_words(report.verdict)}"))
        lines.append(("confidence", _confidence(report, verbose)))
    if math.isfinite(offset.p_within_frame):
        lines.append(
            ("probability", f"{_percent(offset.p_within_frame)} to be right within one frame ({FRAME_MS:g} ms)")
        )
    if report.attention is not None:
        lines += _attention(report.attention, found=math.isfinite(offset.offset_ms))
    lines += [("hint", hint) for hint in report.hints]
    if verbose:
        if report.model.name:
            lines.append(("model", f"{report.model.name}, sha256 {report.model.sha256}"))
        if report.versions:
            lines.append(("versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())))
    return lines


FACE_COLUMNS = ("face", "seen", "width", "speaking", "offset", "confidence", "")


def face_row(track: TrackReport, whole: Offset) -> tuple[str, ...]:
    """Return what is said of one face, a cell for each of `FACE_COLUMNS`; ``whole`` is the offset of the file."""
    offset = track.offset
    return (
        f"{track.number}",
        f"{clock(track.start_s)}-{clock(track.end_s)}",
        f"{track.face_px:.0f} px",
        _percent(track.speaking_share) if math.isfinite(track.speaking_share) else "-",
        f"{round(offset.offset_ms):+d} ms" if math.isfinite(offset.offset_ms) else "-",
        f"{offset.confidence:.2f}" if math.isfinite(offset.confidence) else "-",
        _role(track, whole),
    )


def face_table(report: Report) -> "Table":
    """Return the faces as a table, the one that decides marked."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(f"  {FACE_COLUMNS[0]}", no_wrap=True)
    for name in FACE_COLUMNS[1:-1]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(FACE_COLUMNS[-1])  # the only one that gives way on a narrow terminal
    for track in report.tracks:
        number, *cells = face_row(track, report.offset)
        table.add_row(f"  {number}", *cells)
    return table


def write(report: Report, console: "Console", *, verbose: bool = False) -> None:
    """Print a report: headline, details, and the faces when there are several or ``verbose`` asks for them.

    The console decides about colour and width; it has to be made without markup, since file names may hold brackets.
    """
    console.print(headline(report), style=_STYLES[report.status], soft_wrap=True)
    for line in details(report, verbose=verbose):
        console.print(line, soft_wrap=True)
    if report.tracks and (verbose or len(report.tracks) > 1):
        console.print(face_table(report))


def _role(track: TrackReport, whole: Offset) -> str:
    """Return whether a face decides, else the first thing that speaks against it."""
    if track.decides:
        return "decides" if whole.trusted else "best guess"
    return shown(track.offset.reasons[0].split(":")[0]) if track.offset.reasons else ""


def _offset_in_words(report: Report) -> str:
    """Return the number with its sign, in ms and in frames of the file, and what the sign means."""
    offset_ms = report.offset.offset_ms
    parts = [f"{round(offset_ms):+d} ms"]
    if report.clip is not None and report.clip.rate:
        rate = float(report.clip.rate)
        frames = round(frames_of(offset_ms, rate), 1) + 0.0  # no "-0.0"
        parts.append(f"{frames:+.1f} frames at {rate:.5g} fps")
    meaning = "plus: audio early" if round(offset_ms) >= 0 else "minus: audio late"
    doubt = "" if report.offset.trusted else "; best guess, not trusted"
    return f"{', '.join(parts)} ({meaning}{doubt})"


def _attention(attention: Attention, *, found: bool) -> list[tuple[str, str]]:
    """Return whether the file can be told at all, and which seconds were looked at most where an offset was found."""
    known = math.isfinite(attention.p_synchronisable)
    p_told = f", probability {_percent(attention.p_synchronisable)}" if known else ""
    lines = [("can be told", ("yes" if attention.synchronisable else "no") + p_told)]
    order = sorted(range(len(attention.weights)), key=lambda index: -attention.weights[index])
    even = 1.001 / max(len(order), 1)  # equal weights are no more than their share by a rounding
    most = [index for index in order[:3] if attention.weights[index] > even]
    if found and most:
        seen = (f"{clock(attention.blocks_s[i, 0])} ({_percent(float(attention.weights[i]))})" for i in sorted(most))
        lines.append(("looked at", f"most {', '.join(seen)}"))
    return lines


def _confidence(report: Report, verbose: bool) -> str:
    """Return the confidence, and with ``verbose`` how it comes about."""
    offset = report.offset
    if not math.isfinite(offset.confidence):
        return "not known"
    if not verbose:
        return f"{offset.confidence:.2f}"
    if report.by == "any sound":
        return (
            f"{offset.confidence:.2f} = greatest - median correlation "
            f"(greatest {-offset.min_distance:.2f}, {offset.windows} windows)"
        )
    return (
        f"{offset.confidence:.2f} = median - least distance of the mean curve "
        f"(least {offset.min_distance:.2f}, {offset.windows} windows)"
    )


def _percent(share: float) -> str:
    """Return a share as a whole percentage, never rounded up to certainty."""
    return ">99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"
