"""The contact sheet: pictures that other programs can read, moments of speech, captions of the right track."""

import base64
import re
from pathlib import Path

import av
import numpy as np
import pytest
import toy

from clapboard.dataset import sheet
from clapboard.dataset.sheet import moments, png, write_sheet
from clapboard.dataset.store import Dataset, Dropped, Stored, Writer
from clapboard.errors import MediaError


def decoded(data: bytes, path: Path) -> np.ndarray:
    """Return the picture that FFmpeg finds in a PNG file."""
    path.write_bytes(data)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    return frame.to_ndarray(format=frame.format.name)


@pytest.mark.parametrize("shape", [(5, 7), (64, 512), (3, 4, 3)])
def test_pictures_can_be_read_by_others(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Protects the PNG writer: FFmpeg reads the same pixels, gray and in colour."""
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(decoded(png(image), tmp_path / "x.png"), image)


def test_moments_are_those_of_speech() -> None:
    """Protects the eye: frames are taken where there is sound, in order, each once."""
    samples = np.zeros(4 * 16000, np.int16)
    samples[16000 : 2 * 16000] = 1000
    images, time_s = np.zeros((60, 8, 8), np.uint8), 0.5 + np.arange(60) / 25
    found = moments(Stored(images, time_s, samples, 0.25))
    assert (np.diff(found) > 0).all()
    assert len(found) == sheet.MOMENTS
    loud = Stored(images[:30], time_s[:30] + 0.3, samples, 0.25)  # from 0.8 to 2 s, loud from 1.25 s on
    assert (loud.time_s[moments(loud)] > 1.2).all()
    assert len(moments(Stored(images[:3], time_s[:3], samples[:0], 0.0))) == 3


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects looking: each track with its picture and caption, names made harmless, and what was dropped."""
    folder = toy.write(tmp_path / "set", range(3), speaker="<script>")
    with Writer(folder, toy.VIEW, {"faces": "strict"}) as writer:
        writer.drop(Dropped("x.mp4", None, "no <face>"))
        writer.finished()
    found = Dataset.open(folder)
    assert write_sheet(found, tmp_path / "sheet.html") == 3
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "<td>1<td>no &lt;face&gt;" in page
    figures = re.findall(r'base64,([^"]+)"><figcaption>(\S+): 1.2 s from 0:00, face 90 px, speech 80%', page)
    assert [name for _, name in figures] == [entry.id for entry in found.entries]
    for (data, _), entry in zip(figures, found.entries, strict=True):
        stored = found.stored(entry)
        strip = decoded(base64.b64decode(data), tmp_path / "x.png")
        np.testing.assert_array_equal(strip, np.concatenate(list(stored.images[moments(stored)]), axis=1))
    monkeypatch.setattr(sheet, "MOST_TRACKS", 2)
    assert write_sheet(found, tmp_path / "sheet.html") == 2
    assert "2 of 3 tracks" in (tmp_path / "sheet.html").read_text(encoding="utf-8")


def test_large_crops_are_thinned_out(tmp_path: Path) -> None:
    """Protects the page's size: a face of 224 px is shown at 75 px, in colour."""
    with Writer(tmp_path / "set", "face-224") as writer:
        writer.add(toy.entry(0), toy.stored(0, px=224, colour=True))
        writer.finished()
    write_sheet(Dataset.open(tmp_path / "set"), tmp_path / "sheet.html")
    data = re.search(r'base64,([^"]+)"', (tmp_path / "sheet.html").read_text())
    assert data is not None
    assert decoded(base64.b64decode(data[1]), tmp_path / "x.png").shape == (75, 75 * sheet.MOMENTS, 3)


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    """Protects people: one line with the name."""
    found = Dataset.open(toy.write(tmp_path / "set"))
    with pytest.raises(MediaError, match=r"sheet\.html: cannot be written"):
        write_sheet(found, tmp_path / "none" / "sheet.html")
