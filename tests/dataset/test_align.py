"""Tracks in memory: their sound lies on their pictures to the sample, by the offset of the right one."""

from pathlib import Path

import numpy as np
import pytest
import toy

from clapboard.dataset.align import MARGIN_ROWS, align, load, read_offsets, write_offsets
from clapboard.dataset.store import Dataset
from clapboard.errors import MediaError, UsageError
from clapboard.sound.features import log_mel
from clapboard.sound.kinds import KINDS

IMAGES = np.zeros((60, 64, 64), np.uint8)
TIMES_S = np.arange(60) / 25
CLICK_S = 1.3


def click(start_s: float, early_ms: float = 0.0) -> np.ndarray:
    """Return silence from ``start_s`` to 8 s with one sample at the time of the click, early by so much."""
    samples = np.zeros(round((8 - start_s) * 16000), np.int16)
    samples[round((CLICK_S - early_ms / 1000 - start_s) * 16000)] = 30000
    return samples


@pytest.mark.parametrize("start_s", [-4.0, -0.4, 0.0, 0.01, 0.5])
@pytest.mark.parametrize("early_ms", [-130.0, 0.0, 55.0])
def test_sound_lies_on_its_picture(start_s: float, early_ms: float) -> None:
    """Protects the zero of training, for every start and offset: the rows that hear a click are those at its time.

    Row ``4 i + 300`` begins the 20 rows around the middle of frames i to i + 4, so that row r spans 25 ms about
    ``(r - 300) / 100 + 0.08 - 0.095`` s.
    """
    track = align(IMAGES, TIMES_S, click(start_s, early_ms), start_s, early_ms)
    middle_s = (np.arange(len(track.bands)) - MARGIN_ROWS) / 100 + 0.08 - 0.095
    heard = track.bands.astype(np.float32).max(1) > np.log(1e-8) + 1
    assert heard.any()
    assert np.abs(middle_s[heard] - CLICK_S).max() < 0.0126
    assert np.abs(middle_s[heard].mean() - CLICK_S) < 0.005


@pytest.mark.parametrize("frames", [5, 6, 15])
def test_windows_of_any_length_have_one_middle(frames: int) -> None:
    """Protects the zero of wider networks: the rows of a window lie around its middle, between two frames too."""
    track = align(IMAGES, TIMES_S, click(0.0), 0.0, 0.0, window_frames=frames, window_rows=4 * frames)
    middle_s = (np.arange(len(track.bands)) - MARGIN_ROWS - (4 * frames - 1) / 2) / 100 + (frames - 1) / 2 / 25
    heard = track.bands.astype(np.float32).max(1) > np.log(1e-8) + 1
    assert abs(middle_s[heard].mean() - CLICK_S) < 0.005


def test_rows_are_those_of_the_right_sample() -> None:
    """Protects against rounding: bands equal those of samples that were cut by hand."""
    samples = toy.stored(3, frames=60).samples
    track = align(IMAGES, TIMES_S, samples, -3.5, 0.0)
    begin = round((0.08 - 0.1075 - 3.0 + 3.5) * 16000)
    cut = samples[begin : begin + 160 * 400 + 400].astype(np.float32) / 32767
    np.testing.assert_array_equal(track.bands[: len(log_mel(cut))], log_mel(cut).astype(np.float16))


@pytest.mark.parametrize(("kind", "window_rows"), [("log-mel-40", 20), ("mfcc-13", 20), ("mel-80", 19)])
def test_every_kind_of_sound_lies_on_its_picture(kind: str, window_rows: int) -> None:
    """Protects the zero of every network: rows of any span are those of the samples about the middle of the window."""
    made, samples = KINDS[kind], toy.stored(3, frames=60).samples
    track = align(IMAGES, TIMES_S, samples, -0.5, 20.0, kind=kind, window_rows=window_rows)
    span = 160 * (window_rows - 1) + made.row_samples
    begin = round((0.08 - 0.02 + 0.5 + 10 / 25) * 16000) - span // 2
    lead = 160 * made.lead_rows
    by_hand = made.bands(samples[begin - lead : begin + span].astype(np.float32) / 32767)[made.lead_rows :]
    first = MARGIN_ROWS + 4 * 10
    np.testing.assert_array_equal(track.bands[first : first + window_rows], by_hand.astype(made.dtype))
    assert track.valid[first : first + window_rows].all()
    assert len(track.bands) == len(track.valid) == 2 * MARGIN_ROWS + 4 * 55 + window_rows
    assert (track.loud[:10] == 1).all()


def test_where_there_is_no_sound_is_marked() -> None:
    """Protects masks: outside of the samples a row is not valid, and counts as no speech."""
    track = align(IMAGES, TIMES_S, toy.stored(1, frames=20, start_s=0.0).samples, 0.0, 0.0)  # 1.76 s of it
    middle_s = (np.arange(len(track.valid)) - MARGIN_ROWS) / 100 + 0.08 - 0.095
    np.testing.assert_array_equal(track.valid, (middle_s > 0.0125) & (middle_s < 1.76 - 0.0126))
    assert track.loud[:36].min() > 0.8
    assert track.loud[48:].max() == 0
    assert (track.windows, len(track.valid)) == (56, 2 * MARGIN_ROWS + 4 * 55 + 20)


def test_late_frames_jitter_about_the_grid() -> None:
    """Protects files whose frames are not on the grid: their mean time places the track, not the first frame's."""
    samples = toy.stored(5, frames=60).samples
    jitter_s = np.tile([0.008, -0.008], 30)
    even, jittered = (align(IMAGES, times, samples, 0.0, 0.0) for times in (TIMES_S, TIMES_S + jitter_s))
    np.testing.assert_array_equal(even.bands, jittered.bands)


def test_which_offset_counts(tmp_path: Path) -> None:
    """Protects labels: by id before by file before the manifest's before the corpus's; NaN leaves the track out."""
    folder = toy.write(tmp_path / "set", range(2))
    toy.write(folder, range(2, 3), offset_ms=40.0)
    entries = {entry.id: entry for entry in Dataset.open(folder).entries}

    def moved(**offsets: dict[str, float]) -> dict[str, float]:
        """Return by how much each track was moved, found by aligning it by hand."""
        found = {}
        for track in load(folder, **offsets):  # type: ignore[arg-type]
            stored = Dataset.open(folder).stored(entries[track.id])
            for offset_ms in (0.0, 10.0, 20.0, 30.0, 40.0):
                hand = align(stored.images, stored.time_s, stored.samples, stored.start_s, offset_ms)
                if np.array_equal(hand.bands, track.bands):
                    found[track.id] = offset_ms
        return found

    assert moved() == {"clip0-0": 0, "clip1-0": 0, "clip2-0": 40}
    assert moved(corpus_offsets_ms={"toy": 10.0}) == {"clip0-0": 10, "clip1-0": 10, "clip2-0": 40}
    by_name = {"clip0-0": 30.0, "talk/clip0.mp4": 20.0, "talk/clip1.mp4": float("nan"), "talk/clip2.mp4": 20.0}
    assert moved(offsets_ms=by_name, corpus_offsets_ms={"toy": 10.0}) == {"clip0-0": 30, "clip2-0": 20}


def test_loading_leaves_pictures_on_disk_and_short_tracks_out(tmp_path: Path) -> None:
    """Protects memory, and batches: pictures are memory maps, tracks of fewer than 15 frames are not learned from."""
    with toy.Writer(tmp_path / "set", toy.VIEW) as writer:
        for frames in (14, 15):
            writer.add(toy.entry(frames, frames=frames), toy.stored(frames, frames=frames))
            writer.finished()
    (track,) = load(tmp_path / "set")
    assert isinstance(track.images, np.memmap)
    assert (track.id, track.group, track.speaker, track.corpus) == ("clip15-0", "toy/s7", "s7", "toy")
    assert track.bands.dtype == np.float16


def test_sets_of_two_views_are_not_mixed(tmp_path: Path) -> None:
    """Protects batches: what is learned from together has one kind of crop."""
    one, two = toy.write(tmp_path / "one"), toy.write(tmp_path / "two", view="mouth-120")
    assert len(load([one, one])) == 8
    with pytest.raises(UsageError, match="different views"):
        load([one, two])


def test_unknown_sound_and_short_tracks_are_refused(tmp_path: Path) -> None:
    """Protects typing errors: one line with the names there are."""
    with pytest.raises(UsageError, match="log-mel-40"):
        load(toy.write(tmp_path / "set"), "log-mel-41")
    with pytest.raises(UsageError, match="4 frames are fewer than one window"):
        align(IMAGES[:4], TIMES_S[:4], click(0.0), 0.0, 0.0)


def test_offsets_go_out_and_come_back(tmp_path: Path) -> None:
    """Protects label files: what is written is read, "no" is as if it were not there, "drop" is NaN."""
    path = tmp_path / "o.csv"
    write_offsets(path, [("a/ü.mp4", 12.6, "yes"), ("b", 7.0, "no"), ("c", 0.0, "drop")])
    found = read_offsets(path)
    assert found.keys() == {"a/ü.mp4", "c"}
    assert found["a/ü.mp4"] == 13
    assert np.isnan(found["c"])


@pytest.mark.parametrize(
    "text", ["file,offset\na,1\n", "file,offset_ms,usable\na,soon,yes\n", "file,offset_ms,usable\na\n"]
)
def test_what_is_no_table_of_offsets(tmp_path: Path, text: str) -> None:
    """Protects people with another CSV: one line that names the columns."""
    (tmp_path / "o.csv").write_text(text)
    with pytest.raises(MediaError, match="is no table of file, offset_ms, usable"):
        read_offsets(tmp_path / "o.csv")
    with pytest.raises(MediaError, match="cannot be read"):
        read_offsets(tmp_path / "none.csv")
