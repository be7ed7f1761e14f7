"""Drawings of weights and scores: bars to scale, events at their times, shares that add up, files that stand alone."""

import math
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.report.blocks import BAR_PX, ONSET_PX, Blocks, Onsets, full_times, grouped, scale, strip
from clapboard.report.distributions import drawing, highest_share, spread, spreads
from clapboard.report.figures import Panel, alone
from clapboard.report.svg import round_ticks

SVG = "{http://www.w3.org/2000/svg}"


def blocks_of(weights: list[float], pictures: bool = True) -> Blocks:
    """Blocks of 1 s from 10 s on, the weight of each in one place of four by four."""
    count = len(weights)
    spans = np.stack([np.arange(count), np.arange(count) + 1], 1) + 10.0
    maps = np.zeros((count, 4, 4))
    maps[:, 1, 2] = weights
    shown = tuple(np.full((36, 64, 3), 90, np.uint8) for _ in weights) if pictures else ()
    return Blocks(spans, np.array(weights), maps, shown)


def test_bars_have_the_height_of_their_weights() -> None:
    """The longest bar is the heaviest block, all others are in proportion, and each hangs under its own picture."""
    weights = [0.1, 0.4, 0.05, 0.0, 0.2, 0.25]
    drawn = ElementTree.fromstring(strip(blocks_of(weights)))
    bars = drawn.findall("rect")
    assert [float(bar.attrib["height"]) for bar in bars] == pytest.approx([BAR_PX * w / 0.4 for w in weights], abs=0.01)
    pictures = drawn.findall("image")
    assert [bar.attrib["x"] for bar in bars] == [picture.attrib["x"] for picture in pictures]
    for bar, picture in zip(bars, pictures, strict=True):
        foot = float(picture.attrib["y"]) + float(picture.attrib["height"])
        assert 0 < float(bar.attrib["y"]) - foot < 5
    assert bars[1].findtext("title") == "11.00 to 12.00 s: weight 40 %"
    (even,) = [line for line in drawn.findall("line") if "dashed" in line.attrib["class"]]
    assert float(even.attrib["y1"]) - float(bars[0].attrib["y"]) == pytest.approx(BAR_PX / 6 / 0.4, abs=0.02)


def test_many_blocks_go_into_rows() -> None:
    """Nothing is drawn outside, no two blocks lie on each other, and each row has its line of the even share."""
    drawn = ElementTree.fromstring(strip(blocks_of([1 / 20] * 20)))
    places = {(float(one.attrib["x"]), float(one.attrib["y"])) for one in drawn.findall("image")}
    assert len(places) == 20
    rows = {y for _, y in places}
    assert len(rows) == 3
    assert len([line for line in drawn.findall("line") if "dashed" in line.attrib["class"]]) == 3
    for bar in drawn.findall("rect"):
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) <= float(drawn.attrib["width"])
        assert float(bar.attrib["y"]) + float(bar.attrib["height"]) <= float(drawn.attrib["height"])


def test_what_is_heard_stands_above_its_time() -> None:
    """An event a quarter into the third block is ticked a quarter into the third picture; its curve peaks there."""
    time_s = 10 + np.arange(400) / 100
    strength = np.zeros(400)
    strength[225] = 2.0
    drawn = ElementTree.fromstring(strip(blocks_of([0.25] * 4), Onsets(time_s, strength, np.array([12.25, 99.0]))))
    (tick,) = [line for line in drawn.findall("line") if line.attrib["class"] == "line series-2"]
    picture = drawn.findall("image")[2].attrib
    expected = float(picture["x"]) + 0.25 * float(picture["width"])
    assert float(tick.attrib["x1"]) == pytest.approx(expected, abs=0.1)
    assert tick.findtext("title") == "sound event at 12.25 s"
    curves = [
        [tuple(map(float, p.split(","))) for p in one.attrib["points"].split()] for one in drawn.findall("polygon")
    ]
    assert len(curves) == 4
    highest = min(curves[2], key=lambda point: point[1])
    assert highest[0] == pytest.approx(expected, abs=0.1)
    assert all(max(y for _, y in one) - min(y for _, y in one) == 0 for one in curves[:2] + curves[3:])
    assert float(picture["y"]) == ONSET_PX


def test_nothing_to_draw_is_drawn() -> None:
    """No blocks, no weight, no pictures: a valid drawing each time."""
    for blocks in (blocks_of([]), blocks_of([0.0, 0.0]), blocks_of([0.5, 0.5], pictures=False)):
        drawn = ElementTree.fromstring(strip(blocks, Onsets(np.zeros(0), np.zeros(0), np.zeros(0))))
        assert len(drawn.findall("rect")) == len(blocks.weights)
    assert full_times(np.zeros((2, 3, 3))) == 1.0


def test_blocks_that_do_not_fit_are_refused() -> None:
    """Pictures that are missing for some blocks would be shown under others."""
    with pytest.raises(UsageError, match="1 pictures"):
        Blocks(np.zeros((2, 2)), np.zeros(2), np.zeros((2, 4, 4)), (np.zeros((2, 2, 3), np.uint8),))
    with pytest.raises(UsageError, match="blocks must be"):
        Blocks(np.zeros((2, 2)), np.zeros(3), np.zeros((2, 4, 4)))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 12))
def test_neighbours_are_joined_without_loss(weights: list[float], most: int) -> None:
    """However many are joined: all weight is there, by time and by place; each picture is of the heaviest."""
    whole = blocks_of(weights)
    found, heaviest = grouped(whole.blocks_s, whole.weights, whole.maps, most)
    assert len(found.weights) <= most
    assert math.isclose(found.weights.sum(), sum(weights), abs_tol=1e-9)
    assert found.maps.sum(0) == pytest.approx(whole.maps.sum(0))
    assert found.maps.sum((1, 2)) == pytest.approx(found.weights)
    assert (found.blocks_s[0, 0], found.blocks_s[-1, 1]) == (10.0, 10.0 + len(weights))
    for (start_s, end_s), index in zip(found.blocks_s.tolist(), heaviest.tolist(), strict=True):
        first, end = round(start_s - 10), round(end_s - 10)
        assert first <= index < end
        assert weights[index] == max(weights[first:end])


def test_the_scale_says_what_its_last_colour_is() -> None:
    """One place with all the weight of 4 x 16: the last colour is 64 times the even share; even, it is four."""
    alone_ = np.zeros((4, 4, 4))
    alone_[1, 2, 3] = 1.0
    assert full_times(alone_) == pytest.approx(64)
    assert full_times(np.full((4, 4, 4), 1 / 64)) == pytest.approx(4)
    assert "64 times the even share" in (ElementTree.fromstring(scale(64)).findtext("title") or "")


def test_scores_are_counted_in_their_bins() -> None:
    """Known scores in known bins; shares of each kind add up to one, ends included."""
    found = spread("mean", [0.0, 1.0, 2.0, 3.0], [0.0, 0.1, 0.2, 0.3, 1.6], bins=3)
    assert found.edges.tolist() == [0, 1, 2, 3]
    assert found.shares[0].tolist() == [0.25, 0.25, 0.5]
    assert found.shares[1].tolist() == [0.8, 0.2, 0.0]
    assert found.numbers == (4, 5)
    flat = spread("flat", [2.0], [2.0])
    assert flat.shares[0].sum() == flat.shares[1].sum() == 1
    assert flat.edges[0] < 2 < flat.edges[-1]


def test_bars_of_scores_have_the_height_of_their_shares() -> None:
    """Both kinds to one scale: a share of 0.8 is as high as the plot when 0.8 is the highest, 0.2 a quarter of that."""
    found = spread("mean", [0.0, 1.0, 2.0, 3.0], [0.0, 0.1, 0.2, 0.3, 1.6], bins=3)
    assert highest_share([found, spread("even", [0, 1, 2], [0, 1, 2], bins=3)]) == 0.8
    drawn = ElementTree.fromstring(drawing(found, 0.8))
    bars = {kind: [bar for bar in drawn.findall("rect") if f"series-{kind} " in bar.attrib["class"]] for kind in (0, 1)}
    heights = {kind: [float(bar.attrib["height"]) for bar in found] for kind, found in bars.items()}
    unit = heights[1][0] / 0.8
    assert heights[0] == pytest.approx([0.25 * unit, 0.25 * unit, 0.5 * unit], abs=0.11)
    assert heights[1] == pytest.approx([0.8 * unit, 0.2 * unit], abs=0.11)
    assert bars[1][1].findtext("title") == "shifted, 1 to 2: 0.2"


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ({}, "no scores"),
        ({"mean": {"aligned": [1.0]}}, "mean: has no scores of shifted clips"),
        ({"mean": {"aligned": [1.0], "shifted": []}}, "mean: needs finite scores"),
        ({"mean": {"aligned": [1.0, math.nan], "shifted": [1.0]}}, "mean: needs finite scores"),
    ],
)
def test_scores_that_say_nothing_are_refused(scores: dict[str, dict[str, list[float]]], says: str) -> None:
    """One line that names the head, no drawing of nothing."""
    with pytest.raises(UsageError, match=says):
        spreads(scores)


def test_a_file_of_panels_stands_alone() -> None:
    """Valid XML with its own colours for light and dark; panels side by side and below each other, none cut off."""
    panels = [Panel(f"<{n}>", strip(blocks_of([0.5] * n))) for n in (2, 3, 4)]
    text = alone(panels, "Weights & places", across=2)
    drawn = ElementTree.fromstring(text)
    assert drawn.findtext(f"{SVG}title") == "Weights & places"
    assert "prefers-color-scheme: dark" in (drawn.findtext(f"{SVG}style") or "")
    assert [one.text for one in drawn.findall(f"{SVG}text")] == ["<2>", "<3>", "<4>"]
    boxes = []
    for group in drawn.findall(f"{SVG}g"):
        x, y = map(float, group.attrib["transform"].removeprefix("translate(").removesuffix(")").split())
        inner = group.find(f"{SVG}svg")
        assert inner is not None
        boxes.append((x, y, x + float(inner.attrib["width"]), y + float(inner.attrib["height"])))
    assert boxes[0][2] < boxes[1][0]
    assert boxes[2][1] > max(boxes[0][3], boxes[1][3])
    assert all(box[2] <= float(drawn.attrib["width"]) and box[3] <= float(drawn.attrib["height"]) for box in boxes)
    assert text.count("http") == 1  # the name of the format, which is no address that is opened


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_ticks_are_round_and_inside(low: float, length: float) -> None:
    """Never outside the axis, never more than asked for, evenly spaced, at least two where there is room."""
    ticks = [value for value, _ in round_ticks(low, low + length, 6)]
    assert 1 <= len(ticks) <= 6
    assert all(low - 1e-6 * length <= value <= low + length * (1 + 1e-6) for value in ticks)
    gaps = [b - a for a, b in pairwise(ticks)]
    assert all(math.isclose(gap, gaps[0], rel_tol=1e-6) for gap in gaps)


def test_ticks_with_signs() -> None:
    """Offsets have their sign, zero has none; an axis without length has no ticks."""
    assert [name for _, name in round_ticks(-1000, 1000, 5, signed=True)] == ["-1000", "-500", "0", "+500", "+1000"]
    assert round_ticks(3, 3) == ()
