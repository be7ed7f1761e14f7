"""The page of a check from a file: pictures of the right moments, sound at its times, written whole and never over."""

import base64
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from media_clips import flash_and_beep
from PIL import Image

from clapboard.errors import MediaError, UsageError
from clapboard.footage import look, write_page
from clapboard.footage.looking import moments
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.values import Attention, Frame, Report

Make = Callable[..., Report]
SECONDS = 6
BLOWS_S = (0.5, 2.25, 4.75)


def level(second: int) -> int:
    """Gray of all pictures within one second."""
    return 30 + 35 * second


@pytest.fixture(scope="module")
def stairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds, each of one gray of its own, and three blows."""
    path = tmp_path_factory.mktemp("stairs") / "stairs.mp4"
    frames = [np.full((90, 160), level(number // 25), np.uint8) for number in range(25 * SECONDS)]
    clock = np.arange(16_000 * SECONDS) / 16_000
    since_s = [np.where(clock < at_s, np.inf, clock - at_s) for at_s in BLOWS_S]
    samples = sum(
        (0.5 * np.exp(-late_s / 0.05) * np.sin(5000 * np.minimum(late_s, 9)) for late_s in since_s), 0 * clock
    )
    write_clip(path, frames, 25, samples.astype(np.float32), 16_000)
    return path


def report_of(make_report: Make, path: Path, weights: list[float]) -> Report:
    """A report by any sound, a block a second."""
    shares = np.array(weights, np.float32)
    maps = np.repeat(shares[:, None, None] / 16, 4, axis=1).repeat(4, axis=2)
    spans = np.stack([np.arange(len(shares)), np.arange(len(shares)) + 1], 1).astype(np.float64)
    report = make_report(str(path), 300.0, faces=0)
    attention = Attention(spans, shares, maps, True, 0.9)
    return replace(report, clip=probe(path), by="any sound", attention=attention)


def test_each_block_has_its_own_picture(stairs: Path, make_report: Make) -> None:
    """Protects what is under the bars: the picture of each block is one of its own second; the heaviest is larger."""
    found = look(report_of(make_report, stairs, [0.1, 0.1, 0.5, 0.1, 0.1, 0.1]))
    assert found is not None
    blocks, _ = found
    for second, picture in enumerate(blocks.pictures):
        assert np.abs(picture.astype(float) - level(second)).max() < 6
    widths = [picture.shape[1] for picture in blocks.pictures]
    assert widths[2] == max(widths) > widths[0]


def test_events_are_heard_at_their_times(stairs: Path, make_report: Make) -> None:
    """Ticks above the blocks are where the blows are, by the clock of the file."""
    found = look(report_of(make_report, stairs, [1 / 6] * 6))
    assert found is not None
    assert found[1] is not None
    assert found[1].events_s == pytest.approx(BLOWS_S, abs=0.03)


def frames_of(levels: np.ndarray, corner: np.ndarray, step_s: float = 1.0) -> Iterator[Frame]:
    """Frames of one gray each, whose upper left quarter is brighter by ``corner``."""
    for index, (level_, more) in enumerate(zip(levels.tolist(), corner.tolist(), strict=True)):
        gray = np.full((8, 8), level_, np.uint8)
        gray[:4, :4] += np.uint8(more)
        colour = np.repeat(gray[..., None], 3, axis=2)
        yield Frame(index * step_s, gray, colour, colour)


def test_every_block_has_a_picture() -> None:
    """Blocks before, between and after all frames: the nearest to the middle, else the one before, in their order."""
    spans_s = np.array([[0.0, 3.0], [3.2, 3.8], [4.0, 6.5], [20.0, 21.0], [22.0, 23.0]])
    still = frames_of(10 * np.arange(8), np.zeros(8, np.int64))
    shown = [int(colour[0, 0, 0]) for colour in moments(still, spans_s, np.ones((5, 2, 2)))]
    assert shown == [10, 30, 50, 70, 70]


@pytest.mark.parametrize("place", [0, 3])
def test_a_block_is_shown_where_something_happens_in_its_place(place: int) -> None:
    """What changes where the weight lies is shown; a cut, or change elsewhere, is not: there the middle is."""
    levels, corner = np.full(50, 60), np.zeros(50, np.int64)
    levels[10:] = 120  # a cut, in the first block
    corner[18], corner[30] = 80, 90  # what happens
    maps = np.zeros((2, 2, 2))
    maps[:, place // 2, place % 2] = 0.5
    spans_s = np.array([[0.0, 1.0], [1.0, 2.0]])
    shown = list(moments(frames_of(levels, corner, 0.04), spans_s, maps))
    expected = (80, 90) if place == 0 else (0, 0)
    assert [int(image[0, 0, 0]) - 120 for image in shown] == list(expected)


def test_the_page_holds_the_pictures_and_no_more(stairs: Path, make_report: Make, tmp_path: Path) -> None:
    """From the file to the page: a JPEG a block that decodes, the answer in words, and no file beside it."""
    out = tmp_path / "out.html"
    write_page(report_of(make_report, stairs, [0.1, 0.1, 0.5, 0.1, 0.1, 0.1]), out)
    html = out.read_text(encoding="utf-8")
    assert "audio is 300 ms early; delay it by 300 ms" in html
    found = re.findall(r'(?:href|src)="data:image/jpeg;base64,([^"]*)"', html)
    sizes = [Image.open(io.BytesIO(base64.b64decode(data))).size for data in found]
    assert (232, 130) in sizes
    assert len(sizes) == SECONDS + 3  # the picture of all blocks, and two scales of colours
    assert list(tmp_path.iterdir()) == [out]


def test_a_report_by_lips_needs_no_second_reading(make_report: Make, tmp_path: Path) -> None:
    """Pages of reports without blocks are made of the report alone, though the file is gone."""
    write_page(make_report(str(tmp_path / "gone.mp4"), 40.0), tmp_path / "a.htm")
    assert "gone.mp4" in (tmp_path / "a.htm").read_text(encoding="utf-8")


def test_a_file_without_sound_has_a_page(make_report: Make, tmp_path: Path) -> None:
    """Nothing is drawn above the blocks then."""
    path = flash_and_beep(tmp_path / "a.mp4")
    report = report_of(make_report, path, [0.5, 0.5])
    assert report.clip is not None
    found = look(replace(report, clip=replace(report.clip, audio=None)))
    assert found is not None
    assert found[1] is None
    assert len(found[0].pictures) == 2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("stairs.mp4", "a page is written as .html or .htm"),
        ("there.html", "exists already"),
        ("no/out.html", "there is no folder"),
    ],
)
def test_a_page_is_never_written_over_something(
    stairs: Path, make_report: Make, tmp_path: Path, name: str, says: str
) -> None:
    """Videos, older pages, folders that are not there: one line, and everything as it was."""
    (tmp_path / "there.html").write_text("older")
    with pytest.raises(UsageError, match=says):
        write_page(report_of(make_report, stairs, [1.0]), tmp_path / name)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("there.html", "older")]


def test_the_measured_file_is_no_target_under_any_name(make_report: Make, tmp_path: Path) -> None:
    """A video whose name ends in .html is not replaced by its page, not even with overwrite."""
    path = flash_and_beep(tmp_path / "a.mp4").rename(tmp_path / "a.html")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="is the input"):
        write_page(report_of(make_report, path, [1.0]), path, overwrite=True)
    assert path.read_bytes() == before


def test_a_page_that_fails_leaves_nothing(stairs: Path, make_report: Make, tmp_path: Path) -> None:
    """The file vanishes, or could not be measured: an error, no page, and an older one stays."""
    report, out = report_of(make_report, stairs, [1.0]), tmp_path / "out.html"
    assert report.clip is not None
    with pytest.raises(MediaError):
        write_page(replace(report, clip=replace(report.clip, path=tmp_path / "gone.mp4")), out)
    with pytest.raises(UsageError, match="could not be measured"):
        write_page(replace(report, error="the index is missing"), out)
    assert list(tmp_path.iterdir()) == []
    out.write_text("older")
    write_page(report, out, overwrite=True)
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
