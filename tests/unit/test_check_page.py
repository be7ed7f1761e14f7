"""The page of a check: the answer in words with its side, every fact, nothing from elsewhere, names made harmless."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from clapboard.report.blocks import Blocks, Onsets
from clapboard.report.check_page import MOST_FACES, page
from clapboard.report.text import facts
from clapboard.values import Attention, Offset, Report

Make = Callable[..., Report]
VOID = ("meta", "link", "br", "img", "input", "hr")


class Reader(HTMLParser):
    """Collects words and references of a page, and sees that its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a tag that is its own end."""
        self.tags.append(tag)
        named = ("src", "href", "xlink:href", "srcset", "data", "action", "poster", "style")
        self.references += [value or "" for name, value in attributes if name in named]

    def handle_endtag(self, tag: str) -> None:
        """See that it ends what was begun last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what is to be read."""
        self.words += data


def read(html: str) -> Reader:
    """Parse a page that needs nothing else."""
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert all(reference.startswith("data:image/jpeg;base64,") for reference in reader.references)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(reader.tags)
    for never in ("http:", "https:", "url(", "@import", "nan", "javascript"):
        assert never not in re.sub(r'"data:image/[^"]*"', "", html)
    return reader


def drawings(html: str) -> list[ElementTree.Element]:
    """Every drawing, which is valid XML."""
    return [ElementTree.fromstring(found) for found in re.findall(r'<svg class="plot".*?</svg>', html)]


def any_sound(report: Report, weights: list[float] | None = None, **attention: object) -> tuple[Report, Blocks]:
    """The report as if measured by any sound, attention in one place of four by four, and what is drawn of it."""
    shares = np.array([0.1, 0.7, 0.2] if weights is None else weights)
    maps = np.zeros((len(shares), 4, 4))
    maps[:, 3, 0] = shares
    spans = np.stack([np.arange(len(shares)), np.arange(len(shares)) + 1], 1).astype(np.float64)
    of = Attention(spans, shares.astype(np.float32), maps.astype(np.float32), True, 0.934)
    pictures = tuple(np.full((36, 64, 3), 90, np.uint8) for _ in shares)
    found = replace(report, by="any sound", attention=replace(of, **attention), tracks=(), why_by="no face was found")
    return found, Blocks(spans, shares, maps, pictures)


@pytest.mark.parametrize(
    ("offset_ms", "says"),
    [
        (300.0, "audio is 300 ms early; delay it by 300 ms"),
        (-200.0, "audio is 200 ms late; advance it by 200 ms"),
        (0.0, "in sync: audio and picture are together (0 ms)"),
    ],
)
def test_the_answer_stands_in_words_with_its_side(make_report: Make, offset_ms: float, says: str) -> None:
    """Protects the sign: whoever opens the page reads which side comes first, in the title too."""
    report = make_report("talk.mp4", offset_ms)
    html = page(report)
    assert says in read(html).words
    assert f"<title>talk.mp4: {says}</title>" in html


def test_every_fact_of_the_report_is_there(make_report: Make) -> None:
    """The page says no less than the command with --verbose: reasons, hints, model, versions."""
    reasons = ("windows disagree: 3 of 20 at +120 ms",)
    report = make_report("a.mp4", 120.0, reasons=reasons, hints=("search further: --max-offset-ms 3000",), faces=2)
    report = replace(report, verdict=replace(report.verdict, status="undecided"))
    words = read(page(report)).words
    for name, value in facts(report, verbose=True):
        assert name in words
        assert value in words
    assert f"cannot tell: {reasons[0]}" in words
    assert "best guess, not trusted" in words


def test_names_of_files_do_no_harm(make_report: Make) -> None:
    """A name is text wherever it stands, in the title, the heading and the pictures; odd bytes are escaped."""
    name = "<script>alert(1)</script>\"'&\x1b[31m\udce9.mp4"
    report, blocks = any_sound(make_report(name, 40.0))
    html = page(replace(report, why_by="<b>&"), blocks)
    read(html)
    assert html.count(escape("<script>alert(1)</script>\"'&\\x1b[31m\\xe9.mp4")) == 2
    assert "<b>" not in html
    html.encode("utf-8")


def test_the_answer_is_marked_where_it_is(make_report: Make) -> None:
    """The line of the answer stands at its offset on the axis, the best point of a correlation is its highest."""
    report = make_report("a.mp4", 500.0)
    lips = replace(report.offset, curve=np.array([5, 2.8, 5, 5, 5], np.float32))
    heard = replace(lips, curve=np.array([-3, -3, -3, -5, -3], np.float32), offset_ms=-500.0, min_distance=-5.0)
    for found, by, down in ((lips, "lips", 1), (heard, "any sound", -1)):
        curve = drawings(page(replace(report, offset=found, by=by)))[0]
        lines = curve.findall("polyline")
        (answer,) = [line.attrib["points"].split() for line in lines if "series-1" in line.attrib["class"]]
        (own,) = [line.attrib["points"].split() for line in lines if "series-0" in line.attrib["class"]]
        points = [tuple(map(float, point.split(","))) for point in own]
        assert [x for x, _ in points] == sorted(x for x, _ in points)
        at = points[[-1000, -500, 0, 500, 1000].index(int(found.offset_ms))][0]
        assert {float(point.split(",")[0]) for point in answer} == {at}
        (dot,) = curve.findall("circle")
        best, *others = [y for x, y in points if x == at] + [y for x, y in points if x != at]
        assert float(dot.attrib["cx"]) == at
        assert float(dot.attrib["cy"]) == best
        assert all(down * best > down * other for other in others)  # in a drawing y grows downwards


def test_gaps_of_a_curve_stay_gaps(make_report: Make) -> None:
    """Lags without sound are not bridged by a line that nobody measured."""
    report = make_report("a.mp4", 0.0)
    curve = np.array([np.nan, 4, 3, np.nan, 5], np.float32)
    html = page(replace(report, offset=replace(report.offset, curve=curve)))
    lines = [line for line in drawings(html)[0].findall("polyline") if "series-0" in line.attrib["class"]]
    assert sorted(len(line.attrib["points"].split()) for line in lines) == [1, 2]


def test_a_report_without_an_answer_says_why(make_report: Make) -> None:
    """Nothing compared: no empty plot, the reason instead, no NaN anywhere."""
    report = make_report("a.mp4", float("nan"), reasons=("no face was found",), faces=0)
    nothing = np.full(5, np.nan, np.float32)
    report = replace(report, offset=replace(report.offset, curve=nothing))
    html = page(report)
    assert "Nothing could be compared: no face was found." in read(html).words
    assert drawings(html) == []


def test_faces_have_their_table_and_their_time(make_report: Make) -> None:
    """Every face with its offset; over time a line each, from where it is seen to where it is not."""
    report = make_report("a.mp4", 80.0, faces=3)
    tracks = tuple(replace(track, start_s=4.0 * track.number, end_s=4.0 * track.number + 3) for track in report.tracks)
    html = page(replace(report, tracks=tracks))
    assert html.count("<tr>") == 4
    over_time = drawings(html)[1]
    ends = [line.attrib["points"].split() for line in over_time.findall("polyline")][1:-1]
    spans = sorted((float(a.split(",")[0]), float(b.split(",")[0])) for a, b in ends)
    lengths = [b - a for a, b in spans]
    assert lengths == pytest.approx([lengths[0]] * 3, abs=0.2)
    assert spans[1][0] - spans[0][0] == pytest.approx(lengths[0] * 4 / 3, abs=0.2)
    many = replace(report, tracks=tuple(replace(tracks[0], number=n) for n in range(200)))
    assert page(many).count("<tr>") == MOST_FACES + 1
    assert "60 of 200 faces" in page(many)


def test_attention_is_drawn_under_its_blocks(make_report: Make) -> None:
    """Bars in the ratio of the weights, a picture a block, all together over the heaviest, and where, in words."""
    report, blocks = any_sound(make_report("dog.mp4", 40.0))
    onsets = Onsets(np.arange(300) / 100, np.ones(300), np.array([0.5, 1.5]))
    html = page(report, blocks, onsets)
    reader = read(html)
    assert "measured by" in reader.words
    assert "any sound, no face was found" in reader.words
    assert "yes, probability 93 %" in reader.words
    assert "with 2 clear events" in reader.words
    assert "1.0 to 2.0 s: most of it in the lower part, on the left" in reader.words
    (shown,) = [one for one in drawings(html) if one.findtext("title", "").startswith("Weight of each block")]
    heights = [float(bar.attrib["height"]) for bar in shown.findall("rect")]
    assert heights == pytest.approx([max(heights) / 7, max(heights), max(heights) * 2 / 7], abs=0.02)
    assert len(shown.findall("image")) == 3
    assert reader.tags.count("img") == 1


def test_attention_without_pictures_or_weight_is_told(make_report: Make) -> None:
    """No pictures, no weight, no probability: words, and no division by nothing."""
    report, _ = any_sound(make_report("a.mp4", 0.0), synchronisable=False, p_synchronisable=float("nan"))
    reader = read(page(report))
    assert "can be toldno" in reader.words
    assert "image" not in reader.tags
    silent, blocks = any_sound(make_report("a.mp4", 0.0), [0.0, 0.0])
    reader = read(page(silent, blocks))
    assert reader.tags.count("image") == 3  # two blocks and the colours
    assert "img" not in reader.tags


def test_a_minute_takes_less_than_three_megabytes(make_report: Make) -> None:
    """Noise is the worst that a picture can be; 60 blocks of it stay small enough to be sent by mail."""
    report, blocks = any_sound(make_report("a.mp4", 0.0), [1 / 60] * 60)
    rng = np.random.default_rng(0)
    pictures = tuple(rng.integers(0, 256, (270, 480, 3), np.uint8) for _ in range(60))
    html = page(
        report, replace(blocks, pictures=pictures), Onsets(np.arange(6000) / 100, np.ones(6000), np.arange(60.0))
    )
    assert len(html) < 3_000_000


def test_an_offset_without_its_height_is_no_dot(make_report: Make) -> None:
    """A curve may be there though its least distance is not known."""
    report = make_report("a.mp4", 40.0)
    offset: Offset = replace(report.offset, min_distance=float("nan"))
    assert drawings(page(replace(report, offset=offset)))[0].findall("circle") == []


def test_a_guess_is_called_one_and_nobody_is_told_to_act_on_it(make_report: Make) -> None:
    """Protects files from being moved by a number that is not trusted: no advice, neither in the key nor below."""
    report = make_report("a.mp4", 1758.0, reasons=("picture and sound do not match clearly",))
    words = read(page(replace(report, verdict=replace(report.verdict, status="undecided")))).words
    assert "audio is 1758 ms early (best guess, not trusted)" in words
    assert "Best guess, not trusted: +1758 ms." in words
    assert "the whole file: +1758 ms (best guess, not trusted)" in words
    assert "delay it" not in words
    assert "Answer:" not in words
    assert "Answer: +300 ms." in read(page(make_report("a.mp4", 300.0))).words


def test_what_json_has_is_told_by_kind(make_report: Make) -> None:
    """Protects whoever reads on in the JSON: it has no curve, and of any sound no places and no onsets."""
    report = make_report("a.mp4", 40.0)
    assert "numbers, but not the curve." in read(page(report)).words
    heard, _ = any_sound(report)
    assert "numbers, but not the curve, the places in the picture or what begins to sound." in read(page(heard)).words


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ([0.1, 0.7, 0.2], "most 0:01 (70 %)"),
        ([0.3, 0.2, 0.3, 0.05, 0.05, 0.05, 0.05], "most 0:00 (30 %), 0:01 (20 %), 0:02 (30 %)"),
        ([0.25, 0.2, 0.2, 0.2, 0.05, 0.05, 0.05], "most 0:00 (25 %), 0:01 (20 %), 0:02 (20 %)"),
        ([1 / 3] * 3, None),
        ([1.0], None),
        ([0.0, 0.0], None),
    ],
)
def test_only_blocks_above_the_even_share_are_looked_at_most(
    make_report: Make, weights: list[float], says: str | None
) -> None:
    """Protects the word "most": at most three blocks, each with more than its even share; else no line."""
    report, _ = any_sound(make_report("a.mp4", 40.0), weights)
    assert dict(facts(report)).get("looked at") == says


def test_without_an_offset_nothing_was_looked_at(make_report: Make) -> None:
    """Protects readers of a still or a silent file: weights by which nothing was found mean nothing."""
    report, _ = any_sound(make_report("a.mp4", float("nan"), reasons=("the sound is silent",)))
    assert "looked at" not in dict(facts(report))
    assert "can be told" in dict(facts(report))
