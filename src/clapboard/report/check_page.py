"""What a check found as one page of HTML that needs nothing else: the answer in words, and what it rests on.

Of every report: the sentence, the curve of the search with the answer marked, a table of the faces and their offsets
over time. Of any sound also the weight of each block under its picture, and where in the picture it lies.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clapboard.report.blocks import Blocks, Onsets, full_times, scale, strip
from clapboard.report.heat import full_weight, over
from clapboard.report.page import STYLE, document, figure, table, words
from clapboard.report.pictures import data_uri, fitted
from clapboard.report.svg import Axis, Plot, round_ticks
from clapboard.report.text import FACE_COLUMNS, face_row, facts
from clapboard.report.wording import limits_in_words, sentence, side_in_words
from clapboard.values import Offset, Report, TrackReport

MOST_FACES = 60
"""Rows of the table: more faces are not looked at one by one, and the JSON of the same command has all."""
MOST_CURVES = 4
"""Curves of single faces that are drawn beside that of the file."""
LARGE_PX = 480
"""Longer side of the picture with the weight of all blocks."""
MARGIN = 0.06
"""Room between a curve and the ends of its axis, as a part of its range."""

_STYLE = """
.answer { font-size: 1.15rem; color: var(--ink); border-left: .3rem solid var(--rule); padding: .1rem .8rem; }
.in_sync { border-color: var(--s2); } .out_of_sync { border-color: var(--s1); } .undecided { border-color: var(--s4); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .6rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; display: block; }
.strip svg.plot { max-width: 100%; }
"""


def page(report: Report, blocks: Blocks | None = None, onsets: Onsets | None = None) -> str:
    """Return the whole page.

    Parameters
    ----------
    report : of a file that could be measured
    blocks : of ``report.attention``, with pictures; nothing is drawn of blocks where None
    onsets : what is heard, drawn above the blocks; left out where None
    """
    body = [f"<h1>{words(report.file)}</h1>", f'<p class="answer {report.status}">{words(sentence(report))}</p>']
    named = [f"<dt>{words(name)}</dt><dd>{words(value)}</dd>" for name, value in facts(report, verbose=True)]
    body += [f"<dl>{''.join(named)}</dl>", "<h2>What was searched</h2>", _curves(report)]
    if blocks is not None and len(blocks.weights):
        body += ["<h2>What was looked at, and when</h2>", *_attention(blocks, onsets)]
    if report.tracks:
        body += ["<h2>Faces</h2>", *_faces(report)]
    missing = (
        "the curve" if report.attention is None else "the curve, the places in the picture or what begins to sound"
    )
    json = f"The JSON of the same command has what was found as numbers, but not {missing}."
    body.append(f"<p>Offsets are positive where the sound is early. {json}</p>")
    return document(f"{report.file}: {sentence(report)}", body, STYLE + _STYLE)


def _curves(report: Report) -> str:
    """The curve of the file, those of single faces behind it, the tolerance, and the answer."""
    offset, any_sound = report.offset, report.by == "any sound"
    sign = -1.0 if any_sound else 1.0  # a correlation is shown as such: the highest is best
    own = _runs(offset, sign)
    if not own:
        reasons = "; ".join(offset.reasons) or "there was nothing to measure"
        return f"<p>Nothing could be compared: {words(reasons)}.</p>"
    faces = [track for track in report.tracks if len(report.tracks) > 1 and _runs(track.offset, sign)]
    faces = sorted(faces, key=lambda track: track.start_s - track.end_s)[:MOST_CURVES]
    behind = [run for track in faces for run in _runs(track.offset, sign)]
    heights = [y for run in [*own, *behind] for _, y in run]
    y = _axis(heights, "correlation" if any_sound else "mean distance of lips and sound")
    low_ms, high_ms = float(offset.offsets_ms.min()), float(offset.offsets_ms.max())
    ticks = round_ticks(low_ms, high_ms, 9, signed=True)
    plot = Plot(Axis(low_ms, high_ms, ticks, "offset, ms (plus: audio early)"), y, 720, 320)
    marks = [*_tolerance(report, plot), *(plot.line(run, "quiet") for run in behind)]
    marks += [plot.line(run, "series-0") for run in own]
    best = "highest" if any_sound else "lowest"
    key = [("series-0", f"the whole file: {best} is best")]
    key += [("quiet", "faces, those seen the longest")] if behind else []
    caption = f"{limits_in_words(report.verdict)}: the shaded part."
    if math.isfinite(offset.offset_ms):
        said = f"{side_in_words(offset.offset_ms)}{_doubt(offset)}"
        upright = [(offset.offset_ms, y.low), (offset.offset_ms, y.high)]
        marks.append(plot.line(upright, "series-1", dashed=not offset.trusted))
        if math.isfinite(offset.min_distance):
            marks.append(plot.dots([(offset.offset_ms, sign * offset.min_distance)], "series-1", said))
        key.append((f"series-1{'' if offset.trusted else ' dashed'}", said))
        caption += f" {'Answer' if offset.trusted else 'Best guess, not trusted'}: {offset.offset_ms:+.0f} ms."
    return figure(plot.drawing(marks, "Curve over the offsets that were searched"), caption, key)


def _doubt(offset: Offset) -> str:
    """What is said behind an offset that nobody should act on."""
    return "" if offset.trusted else " (best guess, not trusted)"


def _runs(offset: Offset, sign: float) -> list[list[tuple[float, float]]]:
    """A curve as pieces between its gaps, from the least offset up."""
    known = np.isfinite(offset.curve)
    pieces: list[list[tuple[float, float]]] = []
    for index in np.argsort(offset.offsets_ms).tolist():
        if not known[index]:
            pieces.append([])
            continue
        if not pieces:
            pieces.append([])
        pieces[-1].append((float(offset.offsets_ms[index]), sign * float(offset.curve[index])))
    return [piece for piece in pieces if piece]


def _axis(values: Sequence[float], label: str, *, signed: bool = False) -> Axis:
    """An upright axis on which all values have room."""
    low, high = min(values), max(values)
    room = MARGIN * (high - low) or max(abs(high), 1.0) * MARGIN
    return Axis(low - room, high + room, round_ticks(low - room, high + room, 6, signed=signed), label)


def _tolerance(report: Report, plot: Plot) -> list[str]:
    """The offsets that are in sync, shaded."""
    ends = (-report.verdict.max_lag_ms, report.verdict.max_lead_ms)
    low, high = (min(max(end, plot.x.low), plot.x.high) for end in ends)
    foot, top = plot.y.low, plot.y.high
    return [plot.band([(low, foot), (high, foot)], [(low, top), (high, top)], "series-2")] if high > low else []


def _attention(blocks: Blocks, onsets: Onsets | None) -> list[str]:
    """The strip of blocks, and all of them over one picture."""
    even = 100 / len(blocks.weights)
    caption = f"Bars: the weight of each block; dashed: the even share, {even:.2g} %. Colours: where in the picture."
    caption += " Of each block the moment is shown in which most changes there, or its middle."
    if blocks.joined > 1:
        caption += f" Up to {blocks.joined} blocks are drawn as one, with the picture of the heaviest."
    if onsets is not None:
        caption = (
            f"Above: how much begins to sound, with {len(onsets.events_s)} clear events, by the clock of the file. "
            f"{caption}"
        )
    drawn = strip(blocks, onsets) + scale(full_times(blocks.maps))
    body = [f'<div class="strip">{drawn}</div><p>{words(caption)}</p>']
    return [*body, _everywhere(blocks)] if blocks.pictures and blocks.weights.max() > 0 else body


def _everywhere(blocks: Blocks) -> str:
    """The weight of all blocks together, over the picture of the heaviest."""
    heaviest = int(np.argmax(blocks.weights))
    together = blocks.maps.sum(0)
    picture = over(fitted(blocks.pictures[heaviest], LARGE_PX), together, full_weight(together[None]))
    start_s, end_s = blocks.blocks_s[heaviest].tolist()
    where = f"most of it {_place(together)}"
    alt = words(f"Where the weight of all blocks lies: {where}")
    caption = f"All blocks together, over the picture of the heaviest, {start_s:.1f} to {end_s:.1f} s: {where}."
    image = f'<img width="{picture.shape[1]}" height="{picture.shape[0]}" alt="{alt}" src="{data_uri(picture)}">'
    return figure(image + scale(full_times(together[None])), caption)


def _place(weights: NDArray[np.floating]) -> str:
    """Where the greatest weight of a map lies, in words."""
    row, column = np.unravel_index(int(np.argmax(weights)), weights.shape)
    down = ("in the upper part", "half way up", "in the lower part")[int(3 * (row + 0.5) / weights.shape[0])]
    across = ("on the left", "in the middle", "on the right")[int(3 * (column + 0.5) / weights.shape[1])]
    return f"{down}, {across}"


def _faces(report: Report) -> list[str]:
    """The table of faces, and their offsets over time."""
    longest = sorted(report.tracks, key=lambda track: (not track.decides, track.start_s - track.end_s))[:MOST_FACES]
    kept = sorted(longest, key=lambda track: track.number)
    body = [table(FACE_COLUMNS, [face_row(track, report.offset) for track in kept])]
    if len(kept) < len(report.tracks):
        body.append(f"<p>{len(kept)} of {len(report.tracks)} faces: those that decide, and those seen the longest.</p>")
    known = [track for track in report.tracks if math.isfinite(track.offset.offset_ms)]
    return [*body, _over_time(report, known)] if known else body


def _over_time(report: Report, known: Sequence[TrackReport]) -> str:
    """The offset of each face over the time that it is seen; those that decide stand out."""
    end_s = max(track.end_s for track in report.tracks)
    start_s = min(track.start_s for track in report.tracks)
    offsets_ms = [track.offset.offset_ms for track in known]
    whole_ms = report.offset.offset_ms
    shown_ms = [*offsets_ms, 0.0, *([whole_ms] if math.isfinite(whole_ms) else [])]
    x = Axis(start_s, max(end_s, start_s + 1e-3), round_ticks(start_s, end_s, 9), "time, s")
    plot = Plot(x, _axis([*shown_ms, -50.0, 50.0], "offset, ms (plus: audio early)", signed=True), 720, 260)
    marks, key = [plot.line([(x.low, 0), (x.high, 0)], "quiet")], []
    for track in sorted(known, key=lambda track: track.decides):  # those that decide are drawn last, over the others
        ends = [(track.start_s, track.offset.offset_ms), (track.end_s, track.offset.offset_ms)]
        said = f"face {track.number}: {{y}} ms"
        marks.append(plot.line(ends, "series-0" if track.decides else "quiet", dots=said))
    if math.isfinite(whole_ms):
        marks.append(plot.line([(x.low, whole_ms), (x.high, whole_ms)], "series-1", dashed=True))
        key.append(("series-1 dashed", f"the whole file: {whole_ms:+.0f} ms{_doubt(report.offset)}"))
    key = [("series-0", "faces that decide"), ("quiet", "other faces, and 0"), *key]
    return figure(plot.drawing(marks, "Offset of each face over time"), "Each face through its shot.", key)
