"""An evaluation as one page of HTML that needs nothing else: plots and tables, light and dark, without scripts."""

import math
from html import escape
from typing import Any

from clapboard.report.evaluation_tables import CONTROLS, Record, Section, models_in_words, sections, summary
from clapboard.report.printable import shown
from clapboard.report.svg import Axis, Plot

PERCENT_TICKS = tuple((share / 100, f"{share}") for share in range(0, 101, 20))
RISK_TICKS = ((0.0, "0"), (0.05, "5"), (0.1, "10"), (0.15, "15"), (0.2, "20"))

STYLE = """
:root { color-scheme: light dark; --paper: #fcfcfb; --ink: #1d1d1b; --soft: #5f5e5a; --grid: #e4e3de; --rule: #b9b8b2;
  --s0: #1f66c1; --s1: #c2540a; --s2: #12805c; --s3: #8a3fb0; --s4: #a8821a; }
@media (prefers-color-scheme: dark) { :root { --paper: #1a1a19; --ink: #ecebe6; --soft: #a9a8a1; --grid: #333230;
  --rule: #5f5e5a; --s0: #6aa5f0; --s1: #f0955a; --s2: #4cc49a; --s3: #c58ae6; --s4: #dcb94f; } }
body { margin: 0 auto; padding: 1.5rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .3rem; }
p { margin: .2rem 0 .6rem; color: var(--soft); max-width: 52rem; overflow-wrap: anywhere; }
figure { margin: 0; flex: 0 1 auto; width: min-content; min-width: min(100%, 20rem); }
figcaption { color: var(--soft); font-size: .87rem; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem 2rem; margin: .6rem 0 1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem 0 .2rem .9rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th { color: var(--soft); font-weight: 600; border-bottom-color: var(--rule); vertical-align: bottom; }
th.words { white-space: normal; } td:first-child, th:first-child { text-align: left; white-space: pre;
  padding-left: 0; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; margin: .2rem 0; list-style: none;
  font-size: .87rem; }
.key svg { width: 1.6rem; height: .7rem; margin-right: .35rem; vertical-align: middle; }
svg.plot { max-width: calc(100vw - 3rem); height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
svg .label { font-size: 12px; fill: var(--ink); } .grid { stroke: var(--grid); } .axis { stroke: var(--rule); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .dashed { stroke-dasharray: 5 4; }
.band { opacity: .16; stroke: none; } .dot { stroke: var(--paper); stroke-width: 1; }
.line.series-0 { stroke: var(--s0); } .line.series-1 { stroke: var(--s1); } .line.series-2 { stroke: var(--s2); }
.line.series-3 { stroke: var(--s3); } .line.series-4 { stroke: var(--s4); }
.line.quiet { stroke: var(--rule); stroke-width: 1.5; }
.dot.series-0, .bar.series-0, .band.series-0 { fill: var(--s0); } .dot.series-1 { fill: var(--s1); }
.dot.series-2 { fill: var(--s2); } .dot.series-3 { fill: var(--s3); } .dot.series-4 { fill: var(--s4); }
.dot.quiet { fill: var(--rule); }
"""


def page(record: Record) -> str:
    """The whole page."""
    title = f"Evaluation of {models_in_words(record)}"
    body = [f"<h1>{_text(title)}</h1>", *(f"<p>{_text(line)}</p>" for line in summary(record))]
    plots = {
        "frames_seen": [_by_frames(record, "frames_seen")],
        "windows_averaged": [_by_frames(record, "windows_averaged")],
        "pieces": _histograms(record),
        "confidence": [_risk(record)],
        "calibration": _reliability(record),
    }
    for section in sections(record):
        body.append(f"<h2>{_text(section.title)}</h2>")
        if section.note:
            body.append(f"<p>{_text(section.note)}</p>")
        drawn = [plot for plot in plots.get(section.key, []) if plot]
        if drawn:
            body.append(f'<div class="plots">{"".join(drawn)}</div>')
        body.append(_table(section))
    body.append(f"<p>Clapboard {_text(record['clapboard'])}. Every number is in the JSON of the same command.</p>")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"


def _text(words: str) -> str:
    """Words that may stand in the page, whatever a file is called."""
    return escape(shown(words))


def _table(section: Section) -> str:
    """One table."""
    head = "".join(f'<th class="words">{_text(name)}</th>' for name in section.head)
    rows = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in section.rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _figure(drawing: str, caption: str, key: list[tuple[str, str]]) -> str:
    """A plot with its caption, and the names of its lines: pairs of class and name."""
    sample = '<svg viewBox="0 0 26 10"><line class="line {kind}" x1="1" x2="25" y1="5" y2="5"/></svg>'
    names = "".join(f"<li>{sample.format(kind=kind)}{_text(name)}</li>" for kind, name in key)
    return f'<figure>{drawing}<ul class="key">{names}</ul><figcaption>{_text(caption)}</figcaption></figure>'


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
    return _figure(plot.drawing(marks, f"Accuracy by {label}"), caption, key)


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
            drawn.append(_figure(plot.drawing([bars], f"Errors of {name}"), caption, []))
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
    return _figure(plot.drawing(marks, "Risk against coverage, by length"), caption, key) if marks else ""


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
    return _figure(plot.drawing(marks, f"Reliability, {row['voices']}"), caption, [])
