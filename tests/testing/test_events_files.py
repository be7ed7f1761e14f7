"""Rendered events as files: what is decoded has the offset that was asked for."""

import runpy
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.media.probe import probe
from clapboard.media.read import read_audio, read_frames
from clapboard.testing import EventClip, render_events, write_events


@pytest.fixture(scope="module")
def clip() -> EventClip:
    """Return a clip whose events can be found in decoded sound and pictures."""
    return render_events(1, kinds=("clap",), seconds=6.0, clean=True)


def _onsets(path: Path) -> np.ndarray:
    """Return where sounds begin in a file, s on its clock: the first loud sample after 0.1 s without a louder one."""
    found = []
    for audio in read_audio(probe(path)):
        level = np.abs(audio.samples)
        hold = round(0.1 * audio.rate_hz)
        loud = [int(place) for place in np.flatnonzero(level > 0.08 * level.max())]
        first = [place for place in loud if level[max(0, place - hold) : place].max(initial=0) < 0.05 * level.max()]
        found += [audio.start_s + place / audio.rate_hz for place in first]
    return np.array(found)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("offset_ms", [0.0, 300.0, -420.0])
def test_a_file_has_the_offset_that_was_asked_for(
    clip: EventClip, tmp_path: Path, ending: str, offset_ms: float
) -> None:
    """Protects every figure on files: sound early by the offset, after encoding and decoding, in both directions."""
    path = write_events(clip, tmp_path / f"clip.{ending}", offset_ms=offset_ms)
    frames = list(read_frames(probe(path)))
    np.testing.assert_allclose([frame.time_s for frame in frames], clip.time_s, atol=1e-3)
    decoded = np.stack([frame.image for frame in frames])
    assert np.corrcoef(decoded.ravel(), clip.images.ravel())[0, 1] > 0.98  # files have levels from 16 to 235
    heard = _onsets(path)
    due = np.array([event.time_s for event in clip.events]) - offset_ms / 1000
    late = [float(heard[np.argmin(np.abs(heard - time_s))] - time_s) for time_s in due if 0.1 < time_s < 5.9]
    near = [lag for lag in late if abs(lag) < 0.05]  # blows soon after others are not found
    assert len(near) >= 4
    assert abs(np.median(near)) < 0.003


def test_sound_is_cut_and_never_padded(clip: EventClip, tmp_path: Path) -> None:
    """Protects pairs from edges: as long whatever the offset, with sound to the ends; offsets beyond it are refused."""
    lengths = []
    for offset_ms in (2500.0, 0.0, -2500.0):
        path = write_events(clip, tmp_path / f"{offset_ms}.mkv", offset_ms=offset_ms)
        samples = np.concatenate([audio.samples for audio in read_audio(probe(path))])
        lengths.append(len(samples))
        assert np.abs(samples[:16_000]).max() > 0.02
        assert np.abs(samples[-16_000:]).max() > 0.02
    assert np.ptp(lengths) <= 16
    with pytest.raises(UsageError, match=r"within \+-2500, not 2501"):
        write_events(clip, tmp_path / "far.mp4", offset_ms=2501.0)
    with pytest.raises(UsageError, match="exists already"):
        write_events(clip, tmp_path / "0.0.mkv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["-2500.0.mkv", "0.0.mkv", "2500.0.mkv"]


def test_a_silent_file_has_the_picture_alone(clip: EventClip, tmp_path: Path) -> None:
    """Protects clips for making sound: no sound track at all, and every picture."""
    path = write_events(clip, tmp_path / "silent.mp4", silent=True)
    found = probe(path)
    assert found.audio is None
    assert len(list(read_frames(found))) == len(clip.images)


def test_colour_and_film_rate(tmp_path: Path) -> None:
    """Protects the clips of the large network: colour, 29.97 pictures a second, two channels."""
    made = render_events(2, seconds=2.0, px=96, rate=Fraction(30000, 1001), sound_hz=21_000, channels=2, colour=True)
    path = write_events(made, tmp_path / "film.mp4")
    found = probe(path)
    frames = list(read_frames(found, colour=True))
    assert frames[0].colour is not None
    assert np.abs(frames[0].colour.astype(float) - made.images[0]).mean() < 12
    np.testing.assert_allclose([frame.time_s for frame in frames], made.time_s, atol=1e-4)
    odd = render_events(2, seconds=1.0, px=33)
    with pytest.raises(UsageError, match="even sides, not 33"):
        write_events(odd, tmp_path / "odd.mp4")


def test_the_example_writes_one_clip_of_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the first thing that users look at: a clip of every kind that the split has, as long as asked for."""
    example = Path(__file__).parents[2] / "examples" / "events.py"
    monkeypatch.setattr(sys, "argv", ["events.py", str(tmp_path), "--seconds", "3", "--px", "32", "--split", "sparse"])
    runpy.run_path(str(example), run_name="__main__")
    assert {path.stem for path in tmp_path.iterdir()} == {"bounce", "stick", "clap", "firework"}
    assert capsys.readouterr().out.count("off screen, sound +0 ms (plus: early), by construction") == 4
    assert all(len(list(read_frames(probe(path)))) == 75 for path in tmp_path.iterdir())
