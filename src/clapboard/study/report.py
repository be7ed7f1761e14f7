"""What a study has found, as text, as JSON and as a page; all from one record."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from clapboard.report.page import document, figure, table, words
from clapboard.report.plain import counted, number, text
from clapboard.report.printable import shown
from clapboard.report.svg import Axis, Plot
from clapboard.study.results import Results, Share
from clapboard.study.store import PAIR, QUESTIONS, REAL

SCHEMA = 1
"""Goes up when a name in the JSON changes its meaning."""
FEW_PEOPLE = 5
HEAD = ("", "taken for the original", "of answers", "share", "95 % (Wilson)", "95 % (by people)", "people")
PAIR_HEAD = ("question", "variant", "better", "of answers", "share", "95 % (Wilson)", "95 % (by people)", "people",
             "cannot tell")  # fmt: skip
NOTE = (
    "Wilson's interval takes all answers as independent, but those of one person are not: quote the one by people "
    "(bootstrap over people, then their answers), and the number of people with it."
)
NEITHER_NOTE = "Shares are of the answers that decided; cannot tell is counted beside and is no half win."


def record(found: Results, about: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Everything, as plain values; unknown numbers are None."""
    return {
        "schema": SCHEMA,
        "study": text(name),
        "about": dict(about),
        "participants": found.participants,
        "finished": found.finished,
        "answers": found.answers,
        "unplayable_rounds": found.unplayable,
        "real_or_fake": [{"variant": variant, **_plain(one)} for variant, one in found.real.items()],
        "real_or_fake_all": _plain(found.real_all),
        "pairs": [
            {"question": question, "variant": pair[0], "against": pair[1], **_plain(one)}
            for question, of_pair in found.pairs.items()
            for pair, one in of_pair.items()
        ],
        "wins": [
            {"question": question, "variant": variant, **_plain(one)}
            for question, of_variant in found.wins.items()
            for variant, one in of_variant.items()
        ],
        "left_chosen": {"real_or_fake": _plain(found.left[REAL]), "pairs": _plain(found.left[PAIR])},
        "notes": notes(found),
    }


def to_json(found: Mapping[str, Any]) -> str:
    """The record as JSON in ASCII."""
    return json.dumps(found, allow_nan=False) + "\n"


def _plain(one: Share) -> dict[str, Any]:
    """A share as JSON takes it."""
    values = {**asdict(one), "share": one.share}
    return {key: number(value) if isinstance(value, float) else value for key, value in values.items()}


def notes(found: Results) -> list[str]:
    """What has to be known to read the numbers."""
    if not found.answers:
        return ["no answers yet"]
    said = [
        "taken for the original: 50 % is chance, where the sound cannot be told from the original; more means that it "
        "is preferred to it",
        NOTE,
    ]
    if any(found.pairs.values()):
        said.append(NEITHER_NOTE)
    people = max(found.real_all.people, *(one.people for one in found.left.values()))
    if people < FEW_PEOPLE:
        said.append(f"{people} {'person' if people == 1 else 'people'}: too few to speak of others")
    for game, one in found.left.items():
        if one.answers and not one.low <= 0.5 <= one.high:
            where = "real or fake" if game == REAL else "pairs"
            said.append(f"{where}: the left one was chosen in {_percent(one.share)}, which chance does not give")
    if found.unplayable:
        said.append(f"{counted(found.unplayable, 'round')} could not be played and were left out")
    return said


def lines(found: Results) -> list[str]:
    """The tables and the notes, line by line."""
    who = f"{counted(found.participants, 'participant')}, {found.finished} of them with all rounds"
    said = [f"{who}; {counted(found.answers, 'answer')}", ""]
    said += ["real or fake", *_columns(HEAD, _real_rows(found))]
    if found.wins:
        said += ["", "better than another variant", *_columns(PAIR_HEAD, _win_rows(found))]
    if found.pairs:
        said += ["", "pair by pair", *_columns(PAIR_HEAD, _pair_rows(found))]
    return [*said, "", *(f"note: {shown(note)}" for note in notes(found))]


def _real_rows(found: Results) -> list[list[str]]:
    rows = [[name, *_cells(one)] for name, one in found.real.items()]
    return [*rows, ["all variants", *_cells(found.real_all)]] if len(rows) > 1 else rows


def _win_rows(found: Results) -> list[list[str]]:
    return [
        [question, name, *_cells(one), str(one.neither)]
        for question, of_variant in found.wins.items()
        for name, one in of_variant.items()
    ]


def _pair_rows(found: Results) -> list[list[str]]:
    return [
        [question, f"{pair[0]} against {pair[1]}", *_cells(one), str(one.neither)]
        for question, of_pair in found.pairs.items()
        for pair, one in of_pair.items()
    ]


def _cells(one: Share) -> list[str]:
    """A share as cells of a table."""
    wilson, people = _interval(one.low, one.high), _interval(one.people_low, one.people_high)
    return [str(one.hits), str(one.answers), _percent(one.share), wilson, people, str(one.people)]


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.0f} %"


def _interval(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{100 * low:.0f} to {100 * high:.0f} %"


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under each other: words to the left, numbers to the right."""
    every = [list(head), *([shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in every) for at in range(len(head))]
    first = 2 if head[0] == "question" else 1
    return [
        "  ".join(f"{cell:<{width}}" if at < first else f"{cell:>{width}}" for at, (cell, width) in
                  enumerate(zip(row, widths, strict=True))).rstrip()
        for row in every
    ]  # fmt: skip


def page(found: Results, name: str) -> str:
    """The whole page."""
    body = [f"<h1>{words(name)}</h1>"]
    body.append(f"<p>{counted(found.participants, 'participant')}, {counted(found.answers, 'answer')}.</p>")
    body += ["<h2>Real or fake</h2>", _drawn(found.real, "share taken for the original")]
    body.append(table(HEAD, _real_rows(found)))
    for question, of_variant in found.wins.items():
        body += [f"<h2>{words(QUESTIONS[question])}</h2>", _drawn(of_variant, "share that was better")]
    if found.wins:
        body += ["<h2>Better than another variant</h2>", table(PAIR_HEAD, _win_rows(found))]
        body += ["<h2>Pair by pair</h2>", table(PAIR_HEAD, _pair_rows(found))]
    body += [f"<p>{words(note)}.</p>" for note in notes(found)]
    return document(f"{name}: study", body)


def _drawn(shares: Mapping[str, Share], label: str) -> str:
    """Shares with both intervals, one below the other; chance is dashed."""
    known = [(name, one) for name, one in shares.items() if one.answers]
    if not known:
        return "<p>No answers yet.</p>"
    rows = [(len(known) - at, name, one) for at, (name, one) in enumerate(known)]
    x = Axis(0, 1, tuple((part / 4, f"{25 * part} %") for part in range(5)), label)
    y = Axis(0.4, len(known) + 0.6, tuple((float(at), "") for at, _, _ in rows), "")
    plot = Plot(x, y, 560, 70 + 34 * len(known))
    marks = [plot.line([(0.5, y.low), (0.5, y.high)], "quiet", dashed=True)]
    for at, name, one in rows:
        marks.append(plot.line([(one.low, at + 0.1), (one.high, at + 0.1)], "series-0"))
        if not math.isnan(one.people_low):
            marks.append(plot.line([(one.people_low, at - 0.1), (one.people_high, at - 0.1)], "series-1"))
        marks.append(plot.dots([(one.share, at)], "series-0", f"{shown(name)}: {one.hits} of {one.answers}"))
    key = [("series-0", "95 %, Wilson"), ("series-1", "95 %, by people"), ("quiet dashed", "chance")]
    named = "; ".join(name for _, name, _ in rows)
    return figure(plot.drawing(marks, label), f"From above: {named}.", key)
