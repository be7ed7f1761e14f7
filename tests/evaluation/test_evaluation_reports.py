"""Text and page of an evaluation: every number is there, nothing comes from elsewhere, drawings are drawings."""

import math
import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import talk

from clapboard.dataset.store import Dataset
from clapboard.evaluation.embedder import Candidate
from clapboard.evaluation.evaluate import evaluate
from clapboard.evaluation.measure import Settings
from clapboard.models.spec import Calibration
from clapboard.report.evaluation_page import page
from clapboard.report.evaluation_tables import milliseconds, percent, sections
from clapboard.report.evaluation_text import lines
from clapboard.report.printable import shown as printable
from clapboard.report.svg import Axis, Plot

WEIGHTS = {"gap": 5.0, "gap_root": 20.0}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a record of toy tracks, one of whose speakers has a name that HTML would misread."""
    folder = talk.write(tmp_path_factory.mktemp("toy") / "set", range(5), speaker="<b>&\x1b[31m")
    more = talk.write(tmp_path_factory.mktemp("toy") / "more", range(5, 7))
    candidate = Candidate(talk.Reader(), "reader", "ab" * 32, calibration=Calibration(-3.0, WEIGHTS))
    return evaluate([candidate], [Dataset.open(folder), Dataset.open(more)], None, Settings(), number=50)


def test_text_is_tables_that_markdown_takes(record: dict[str, Any]) -> None:
    """Protects pasting: every table has its rule, and all its lines have the same number of cells."""
    text = lines(record)
    assert text[0] == f"reader {'ab' * 6} on {', '.join(record['datasets'])}"
    starts = [index for index, line in enumerate(text) if line.startswith("|-")]
    assert len(starts) == len(sections(record)) == 9
    for start in starts:
        cells, index = text[start - 1].count("|"), start
        while index < len(text) and text[index].startswith("|"):
            assert text[index].count("|") == cells
            index += 1
    assert not re.search(r"[\x00-\x1f]", "".join(text))
    assert any("SyncNet on LRS2, another test set" in line and "75.8" in line for line in text)


def test_uncalibrated_models_are_told(record: dict[str, Any]) -> None:
    """Protects against a table of nothing: without a probability there is no calibration, and the text says so."""
    bare = {**record, "calibrated": False, "calibration": []}
    assert "not calibrated" in lines(bare)[-1]
    assert "What the probability is worth" not in lines(bare)
    assert "<h2>What the probability is worth</h2>" not in page(bare)


class Reader(HTMLParser):
    """Collects what a page refers to, and whether its tags are closed."""

    VOID = ("meta", "link", "br", "img", "input", "hr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)
        self.references += [value or "" for name, value in attributes if name in ("src", "href", "data", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a tag that is its own end."""
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """See that it ends what was begun last."""
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else(record: dict[str, Any]) -> None:
    """Protects offline use: no script, no reference to anywhere, well-formed, names of files harmless."""
    html = page(record)
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert reader.references == []
    assert not {"script", "link", "iframe", "img", "b"} & set(reader.tags)
    assert "http" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert "&lt;b&gt;&amp;\\x1b[31m" in html
    assert "prefers-color-scheme: dark" in html


def test_every_cell_and_drawing_is_in_the_page(record: dict[str, Any]) -> None:
    """Protects completeness: tables as in the text, and drawings that are valid XML with a title each."""
    html = page(record)
    for section in sections(record):
        for row in section.rows:
            assert "".join(f"<td>{escape(printable(cell))}</td>" for cell in row) in html
    drawings = [ElementTree.fromstring(found) for found in re.findall(r'<svg class="plot".*?</svg>', html)]
    assert len(drawings) == 2 + len(record["histograms"]["rows"]) + 1 + 2 == 8
    assert all(drawing.find("title") is not None for drawing in drawings)
    rows = record["frames_seen"]["rows"]["own"]
    known = sum(value is not None for value in rows["accuracy"])
    published = sum(len(values) for values in record["frames_seen"]["published"].values())
    assert len(drawings[0].findall("circle")) == known + published


def test_dots_lie_where_their_numbers_say() -> None:
    """Protects the drawing: ends of axes are corners, a logarithmic middle is the middle, beyond the end is the end."""
    plot = Plot(Axis(1, 100, ((1, "1"), (100, "100")), "x", log=True), Axis(0, 2, ((0, "0"), (2, "2")), "y"), 200, 100)
    left, bottom = plot.at(1, 0)
    right, top = plot.at(100, 2)
    assert plot.at(10, 1) == pytest.approx(((left + right) / 2, (top + bottom) / 2))
    assert plot.at(10, 7)[1] == top
    assert right > left
    assert bottom > top
    drawn = ElementTree.fromstring(
        plot.drawing([plot.dots([(10, 1)], "series-0", "{x}: {y}"), plot.line([], "quiet")], "t")
    )
    (dot,) = drawn.findall("circle")
    assert float(dot.attrib["cx"]) == pytest.approx((left + right) / 2, abs=0.06)
    assert dot.findtext("title") == "10: 1"


def test_bars_have_the_height_of_their_values() -> None:
    """Protects histograms: twice the value is twice the height, nothing is no bar."""
    plot = Plot(Axis(0, 3, (), "x"), Axis(0, 1, (), "y"))
    drawn = ElementTree.fromstring(
        f"<svg>{plot.bars([0, 1, 2, 3], [0.25, 0.5, 0], 'series-0', '{low} {high} {y}')}</svg>"
    )
    heights = [float(bar.attrib["height"]) for bar in drawn.findall("rect")]
    assert len(heights) == 2
    assert math.isclose(heights[1], 2 * heights[0], abs_tol=0.2)


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (0.0, "0"), (-0.4, "0"), (12.6, "+13"), (-7.5, "-8"), (385.0, "+385")]
)
def test_milliseconds_are_whole_with_their_sign(value: float | None, shown: str) -> None:
    """Protects cells: no -0, no decimals that nobody measured."""
    assert milliseconds(value, signed=True) == shown


def test_percent_of_a_share() -> None:
    """Protects cells: rates are from 0 to 1 in the record and in percent in the tables."""
    assert percent(0.4823) == "48.2"
    assert percent(None) == "-"


def test_page_is_plain_text_that_can_be_written(record: dict[str, Any], tmp_path: Path) -> None:
    """Protects odd names: the page is valid UTF-8."""
    path = tmp_path / "page.html"
    path.write_text(page(record), encoding="utf-8")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
