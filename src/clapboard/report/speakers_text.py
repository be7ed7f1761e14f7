"""Who speaks when, for people: the sentence first, then the turns, then the faces."""

import math
from typing import TYPE_CHECKING

from clapboard.report.printable import shown
from clapboard.report.speakers_wording import (
    METHODS,
    beyond_search,
    middle_px,
    offset_in_words,
    own_score,
    precise_clock,
    sentence,
    spoken_s,
    status,
    who,
    width_px,
)
from clapboard.values import Speakers

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES = {"done": "bold", "undecided": "bold yellow", "error": "bold red"}


def headline(found: Speakers) -> str:
    """Return the file and the answer on one line."""
    return shown(f"{found.report.file}: {sentence(found)}")


def details(found: Speakers, *, verbose: bool = False) -> list[str]:
    """Return the lines under the headline, each with a name and a value; ``verbose`` adds model and versions."""
    report = found.report
    lines = [("offset", offset_in_words(found))] if math.isfinite(found.offset_ms) else []
    if status(found) != "done":
        lines += [("hint", hint) for hint in report.hints]
    elif hint := beyond_search(found):
        lines.append(("hint", hint))
    if verbose:
        lines.append(("method", f"{found.method}: {METHODS[found.method.split()[0]]}"))
        if report.model.name:
            lines.append(("model", f"{report.model.name}, sha256 {report.model.sha256}"))
        if report.versions:
            lines.append(("versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())))
    return [f"  {name:<12}{shown(value)}" for name, value in lines]


def turn_table(found: Speakers) -> "Table":
    """Return the turns as a table: from when to when, who, and how sure that is."""
    table = _table("from", "to", "who speaks", "score")
    for turn in found.turns:
        times = f"  {precise_clock(turn.start_s)}", precise_clock(turn.end_s)
        table.add_row(*times, who(turn.face), f"{turn.score:.2f}")
    return table


def face_table(found: Speakers) -> "Table":
    """Return the faces as a table: when each is seen, where, how large, how long it speaks, its score there."""
    table = _table("seen from", "to", "face", "middle", "width", "speaks", "score")
    spoken = spoken_s(found)
    for face in found.faces:
        score, length, middle = own_score(face), len(face.time_s), middle_px(face)
        table.add_row(
            f"  {precise_clock(float(face.time_s[0]))}" if length else "-",
            precise_clock(float(face.time_s[-1])) if length else "-",
            who(face.number),
            f"{middle[0]:.0f}, {middle[1]:.0f} px" if length else "-",
            f"{width_px(face):.0f} px",
            f"{spoken.get(face.number, 0.0):.1f} s",
            f"{score:.2f}" if math.isfinite(score) else "-",
        )
    return table


def write(found: Speakers, console: "Console", *, verbose: bool = False) -> None:
    """Print headline, details, turns and faces.

    The console decides about colour and width; it has to be made without markup, since file names may hold brackets.
    """
    console.print(headline(found), style=_STYLES[status(found)], soft_wrap=True)
    for line in details(found, verbose=verbose):
        console.print(line, soft_wrap=True)
    for table, rows in ((turn_table(found), found.turns), (face_table(found), found.faces)):
        if rows:
            console.print()
            console.print(table)


def _table(*names: str) -> "Table":
    """Return an empty table: names of things to the left, numbers to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for at, name in enumerate(names):
        words = name in ("face", "who speaks")
        table.add_column(f"  {name}" if not at else name, justify="left" if words else "right", no_wrap=True)
    return table
