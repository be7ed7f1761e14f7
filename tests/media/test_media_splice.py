"""Transport streams that were joined end to end: the clock starts again in the middle."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_clips import BEEP_S, beep, contiguous, decode, flash_and_beep, laid_out

from clapboard.media.source import is_last, open_media, packets_of
from clapboard.media.write import shift
from clapboard.timebase import SAMPLE_RATE_HZ


def joined(tmp_path: Path, ending: str = "ts", **options: Any) -> Path:
    """Two clips of 2 s, one after the other in one file."""
    parts = [flash_and_beep(tmp_path / f"{name}.{ending}", **options) for name in "ab"]
    path = tmp_path / f"joined.{ending}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def beeps_after_flashes_ms(path: Path) -> list[float]:
    """For both halves, how much later than its flash the beep is, ms."""
    _, frames, sound = decode(path)
    samples, start_s = laid_out(sound)
    pattern = beep(np.arange(int(BEEP_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)
    match = np.correlate(samples, pattern, "valid")
    found = []
    for frame in frames:
        if frame.image.mean() > 150:
            near = round((frame.time_s - start_s) * SAMPLE_RATE_HZ)
            window = match[max(0, near - 3_200) : near + 3_200]
            found.append((int(np.argmax(window)) + max(0, near - 3_200)) / SAMPLE_RATE_HZ + start_s - frame.time_s)
    return [1000 * value for value in found]


@pytest.mark.parametrize("ending", ["ts", "mpg"])
@pytest.mark.parametrize("audio_start_s", [0.0, 0.4])
def test_both_parts_are_read_in_sync(tmp_path: Path, ending: str, audio_start_s: float) -> None:
    """The second part follows the first, no frame is lost, and its own sound is with it."""
    path = joined(tmp_path, ending, audio_start_s=audio_start_s)
    _, frames, _ = decode(path)
    times = [frame.time_s for frame in frames]
    assert len(frames) == pytest.approx(100, abs=2)
    assert 3.8 < times[-1] - times[0] < 4.6
    assert beeps_after_flashes_ms(path) == pytest.approx([0, 0], abs=1.0)


def test_a_joined_file_can_be_shifted(tmp_path: Path) -> None:
    """Both parts move."""
    path, after = joined(tmp_path), tmp_path / "after.mp4"
    shift(path, after, 0.05)
    assert beeps_after_flashes_ms(after) == pytest.approx([50, 50], abs=1.0)


def test_steady_files_are_left_alone(tmp_path: Path) -> None:
    """Nothing is moved where the clock does not start again."""
    _, frames, sound = decode(flash_and_beep(tmp_path / "clip.ts", seconds=4.0))
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(0.04, abs=1e-4)
    assert contiguous(sound)


class LateStreams:
    """A container in which PyAV stumbles over streams that turned up after it was opened."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self.streams, self.format = container.streams, container.format

    def demux(self, streams: list[Any]) -> Any:
        for packet in self._container.demux(streams):
            if not packet.size:
                raise IndexError("list index out of range")
            yield packet


def test_streams_that_turn_up_late(tmp_path: Path) -> None:
    """The file still ends in order: one empty packet for each stream, so that decoders give what they hold."""
    with open_media(flash_and_beep(tmp_path / "clip.ts")) as container:
        packets = list(packets_of(LateStreams(container), container.streams))
        assert [packet.stream.index for packet in packets[-2:]] == [0, 1]
        assert [is_last(packet) for packet in packets] == [False] * (len(packets) - 2) + [True] * 2
