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
from clapboard.footage.looking import nearest
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


def test_blocks_beyond_the_last_picture_have_the_last_one() -> None:
    """A block whose middle lies behind the end, and several between two frames: each has the nearest, in order."""

    def frames() -> Iterator[Frame]:
        for index in range(4):
            gray = np.full((2, 2), index, np.uint8)
            yield Frame(float(index), gray, np.zeros((2, 2, 3), np.uint8), np.repeat(gray[..., None], 3, axis=2))

    times_s = np.array([-5.0, 0.4, 0.6, 0.7, 2.2, 9.0, 9.5])
    assert [int(colour[0, 0, 0]) for colour in nearest(frames(), times_s)] == [0, 0, 1, 1, 2, 3, 3]


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
