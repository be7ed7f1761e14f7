"""An evaluation as one page of HTML that needs nothing else: plots and tables, light and dark, without scripts."""

import math
from typing import Any

from clapboard.report.evaluation_tables import CONTROLS, Record, models_in_words, sections, summary
from clapboard.report.page import document, figure, table, words
from clapboard.report.svg import Axis, Plot

PERCENT_TICKS = tuple((share / 100, f"{share}") for share in range(0, 101, 20))
RISK_TICKS = ((0.0, "0"), (0.05, "5"), (0.1, "10"), (0.15, "15"), (0.2, "20"))


def page(record: Record) -> str:
    """The whole page."""
    title = f"Evaluation of {models_in_words(record)}"
    body = [f"<h1>{words(title)}</h1>", *(f"<p>{words(line)}</p>" for line in summary(record))]
    plots = {
        "frames_seen": [_by_frames(record, "frames_seen")],
        "windows_averaged": [_by_frames(record, "windows_averaged")],
        "pieces": _histograms(record),
        "confidence": [_risk(record)],
        "calibration": _reliability(record),
    }
    for section in sections(record):
        body.append(f"<h2>{words(section.title)}</h2>")
        if section.note:
            body.append(f"<p>{words(section.note)}</p>")
        drawn = [plot for plot in plots.get(section.key, []) if plot]
        if drawn:
            body.append(f'<div class="plots">{"".join(drawn)}</div>')
        body.append(table(section.head, section.rows))
    body.append(f"<p>Clapboard {words(record['clapboard'])}. Every number is in the JSON of the same command.</p>")
    return document(title, body)


def _known(x: list[float], y: list[float | None]) -> list[tuple[float, float]]:
    """Points of a line, without those that are not known."""
    return [(a, b) for a, b in zip(x, y, strict=False) if b is not None]


def _by_frames(record: Record, of: str) -> str:
    """Accuracy against frames seen, or against windows averaged."""
    table = record[of]
    numbers = [float(number) for number in table["numbers"]]
    label = "frames seen" if of == "frames_seen" else "windows averaged"
    x = Axis(numbers[0], numbers[-1], tuple((n, f"{n:g}") for n in numbers), label, log=True)
    plot = Plot(x, Axis(0, 1, PERCENT_TICKS, "accuracy within 1 frame, %"))
    own, said = table["rows"]["own"], f"{{x}} {label}: {{y}}"
    key = [("series-0", "measured, with its 95 % interval")]
    marks = [plot.line([(numbers[0], table["chance"]), (numbers[-1], table["chance"])], "quiet dashed")]
    marks += [plot.line(_known(numbers, table["rows"][kind]["accuracy"]), "quiet") for kind in CONTROLS]
    for index, (name, values) in enumerate(table.get("published", {}).items(), start=1):
        marks.append(plot.line(_known(numbers, values), f"series-{index}", dots=f"{name} on LRS2, {said}", dashed=True))
        key.append((f"series-{index} dashed", f"{name} on LRS2, another test set"))
    marks.append(plot.band(_known(numbers, own["low"]), _known(numbers, own["high"]), "series-0"))
    marks.append(plot.line(_known(numbers, own["accuracy"]), "series-0", dots=f"measured, {said}"))
    key += [("quiet", "controls"), ("quiet dashed", "chance")]
    caption = f"Over +-{table['reach_frames']} frames; chance {100 * table['chance']:.1f} %."
    return figure(plot.drawing(marks, f"Accuracy by {label}"), caption, key)


def _histograms(record: Record) -> list[str]:
    """Errors of pieces, a plot a length, all of one scale."""
    edges, rows = record["histograms"]["edges_ms"], record["histograms"]["rows"]
    totals = [sum(row["counts"]) + row["further"] for row in rows]
    highest = max((max(row["counts"]) / total for row, total in zip(rows, totals, strict=True) if total), default=0.0)
    tenths = max(1, math.ceil(10 * highest))
    y = Axis(0, tenths / 10, tuple((n / 10, f"{10 * n}") for n in range(tenths + 1)), "pieces, %")
    ticks = tuple((part * edges[-1] / 2, f"{part * edges[-1] / 2:+g}" if part else "0") for part in range(-2, 3))
    plot, drawn = Plot(Axis(edges[0], edges[-1], ticks, "error, ms"), y, 460, 200), []
    for row, total in zip(rows, totals, strict=True):
        if total:
            shares = [count / total for count in row["counts"]]
            bars = plot.bars(edges, shares, "series-0", "{low} to {high} ms: {y}")
            name = f"pieces of {row['seconds']:g} s"
            caption = f"{total} {name}; {row['further']} lie further off, or have no answer"
            drawn.append(figure(plot.drawing([bars], f"Errors of {name}"), caption, []))
    return drawn


def _risk(record: Record) -> str:
    """Risk against coverage, a line a length."""
    x = Axis(0, 1, PERCENT_TICKS, "coverage: answered, %")
    plot = Plot(x, Axis(0, RISK_TICKS[-1][0], RISK_TICKS, "risk: wrong of these, %"))
    marks, key = [], []
    for index, row in enumerate(record["risk_coverage"]):
        if row["seconds"] is None or index > 4:
            continue
        marks.append(plot.line(list(zip(row["coverage"], row["risk"], strict=True)), f"series-{index}"))
        key.append((f"series-{index}", f"{row['seconds']:g} s"))
    caption = f"Pieces from the surest down; risk above {RISK_TICKS[-1][1]} % is drawn at the top."
    return figure(plot.drawing(marks, "Risk against coverage, by length"), caption, key) if marks else ""


def _reliability(record: Record) -> list[str]:
    """Reliability diagrams of all lengths, with own voices, and with foreign ones."""
    return [_diagram(row) for row in record["calibration"] if row["seconds"] is None and row["bins"]["predicted"]]


def _diagram(row: dict[str, Any]) -> str:
    """One reliability diagram: the size of a dot is the part of the answers in its bin."""
    axis = Axis(0, 1, PERCENT_TICKS, "probability that was said, %")
    plot = Plot(axis, Axis(0, 1, PERCENT_TICKS, "right, %"), 380, 320)
    bins = row["bins"]
    points = list(zip(bins["predicted"], bins["right"], strict=True))
    radii = [3 + 14 * share**0.5 for share in bins["share"]]
    marks = [
        plot.line([(0, 0), (1, 1)], "quiet dashed"),
        plot.line(points, "series-0"),
        plot.dots(points, "series-0", "said {x}, right {y}", radii),
    ]
    caption = (
        f"Voices: {row['voices']}; {row['number']} pieces, expected calibration error {row['calibration_error']:.3f}. "
        "Above the dashed line the model is better than it says; larger dots hold more pieces."
    )
    return figure(plot.drawing(marks, f"Reliability, {row['voices']}"), caption, [])
