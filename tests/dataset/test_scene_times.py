"""Data sets of any sound: every picture and every sample is where the file says, whatever the file is like."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scene_clips
from scene_clips import FLASH_LENGTH_S, FLASH_S, beep_time_s, make, shots

from clapboard.dataset import scenes
from clapboard.dataset.extract import Piece, in_pieces
from clapboard.dataset.hearing import Sound
from clapboard.dataset.scenes import SceneRules, moves, part_of
from clapboard.dataset.sources import Cut
from clapboard.errors import UsageError
from clapboard.media.probe import probe
from clapboard.values import Audio, Crops

NTSC = Fraction(30000, 1001)
RATES = {"24": Fraction(24), "25": Fraction(25), "29.97": NTSC, "30": Fraction(30), "50": Fraction(50)}
STEPS = np.random.default_rng(1).integers(20, 61, 90)
RATES_AND_VFR = RATES | {"vfr": [float(t) for t in np.concatenate([[0], np.cumsum(STEPS)]) / 1000 if t < 2.4]}


def white(images: np.ndarray) -> np.ndarray:
    """Return which pictures are of the flash, (T,) bool."""
    return images.reshape(len(images), -1).mean(axis=1) > 215


# avi has neither start times nor a variable rate
FILES = [
    (name, ending, starts_s)
    for name in RATES_AND_VFR
    for ending in ("mp4", "mkv", "avi")
    for starts_s in ((0.0, 0.0), (0.5, 0.3))
    if ending != "avi" or (name != "vfr" and not any(starts_s))
]


@pytest.mark.parametrize(("name", "ending", "starts_s"), FILES)
def test_flash_and_beep_are_where_they_belong(
    tmp_path: Path, name: str, ending: str, starts_s: tuple[float, float]
) -> None:
    """Protects what is learned: the flash is seen at its time, the beep is heard there to 1 ms, in every container."""
    rate = RATES_AND_VFR[name]
    times_s = make(tmp_path / f"clip.{ending}", rate, video_start_s=starts_s[0], audio_start_s=starts_s[1])
    onset_s = next(time_s for time_s in times_s if time_s >= FLASH_S + starts_s[0] - 1e-9)
    ((stored, said),) = shots(tmp_path / f"clip.{ending}")
    assert said.reason == ""
    off_s = np.abs(stored.time_s[:, None] - np.array(times_s)[None]).min(axis=1)
    assert off_s.max() < 0.001  # every picture at the true time of a frame, 1 ms being what Matroska rounds to
    grid_s = (np.ceil((times_s[0] - 0.02) * 25 - 1e-4) + np.arange(len(stored.time_s))) / 25
    nearest_s = np.abs(grid_s[:, None] - np.array(times_s)[None]).min(axis=1)
    assert (np.abs(stored.time_s - grid_s) <= nearest_s + 0.0015).all()  # the nearest frame at every point
    flashing = (stored.time_s > onset_s - 0.001) & (stored.time_s < FLASH_S + starts_s[0] + FLASH_LENGTH_S - 0.001)
    np.testing.assert_array_equal(white(stored.images), flashing)
    assert flashing.any()
    assert abs(beep_time_s(stored.samples, stored.start_s, 16_000) - onset_s) < 0.001


@pytest.mark.parametrize("name", ["25", "29.97"])
def test_the_faithful_scene(tmp_path: Path, name: str) -> None:
    """Protects the faithful network's input: 29.97 pictures a second in colour, left and right at 21 kHz, in place."""
    times_s = make(tmp_path / "clip.mp4", RATES[name], audio_start_s=0.1, channel=1, colour=(250, 20, 20))
    onset_s = next(time_s for time_s in times_s if time_s >= FLASH_S - 1e-9)
    ((stored, said),) = shots(tmp_path / "clip.mp4", "scene-256")
    assert said.reason == ""
    assert stored.images.shape[1:] == (256, 256, 3)
    red = stored.images.reshape(len(stored.images), -1, 3).mean(axis=1)
    flashing = (stored.time_s > onset_s - 0.001) & (stored.time_s < FLASH_S + FLASH_LENGTH_S - 0.001)
    np.testing.assert_array_equal((red[:, 0] > 200) & (red[:, 1] < 60) & (red[:, 2] < 60), flashing)
    assert len(stored.images) == pytest.approx(2.4 * 29.97, abs=1)
    assert int((np.diff(stored.time_s) == 0).sum()) == (0 if name == "29.97" else len(stored.images) - len(times_s))
    left, right = stored.samples.T.astype(np.float64)
    assert abs(beep_time_s(right, stored.start_s, 21_000) - onset_s) < 0.001
    assert np.abs(left).max() < 0.05 * np.abs(right).max()
    assert len(right) / 21_000 == pytest.approx(2.4, abs=0.06)


def test_one_channel_becomes_two_that_are_alike(tmp_path: Path) -> None:
    """Protects the faithful network against a side that is always silent: sound of one channel is heard on both."""
    make(tmp_path / "clip.mkv", NTSC, audio_codec="pcm_s16le", colour=(250, 20, 20))
    ((stored, _),) = shots(tmp_path / "clip.mkv", "scene-256")
    np.testing.assert_array_equal(stored.samples[:, 0], stored.samples[:, 1])
    assert stored.samples.any()


def test_rotation_is_honoured(tmp_path: Path) -> None:
    """Protects against learning from telephones lying on their side: the picture is upright, all of it."""
    make(tmp_path / "plain.mp4", flash=False)
    make(tmp_path / "turned.mp4", flash=False, rotation_deg=90)
    ((plain, _),), ((turned, _),) = shots(tmp_path / "plain.mp4"), shots(tmp_path / "turned.mp4")
    difference = np.rot90(plain.images, -1, (1, 2)).astype(int) - turned.images
    assert np.abs(difference).mean() < 6
    assert np.abs(plain.images.astype(int) - turned.images).mean() > 20


def test_one_entry_a_shot(tmp_path: Path) -> None:
    """Protects pairs across cuts: pictures end at the cut, their sound goes on as far as shifts reach."""
    make(tmp_path / "clip.mp4", cuts_s=[1.6], seconds=3.0, flash=False)
    (one, said), (two, other) = shots(tmp_path / "clip.mp4")
    assert (one.time_s[0], len(one.images)) == (0, 40)
    assert (two.time_s[0], len(two.images)) == (pytest.approx(1.6), 35)
    assert (said.measured["shot_end_s"], other.measured["shot_start_s"]) == (pytest.approx(1.6), pytest.approx(1.6))
    assert one.start_s == two.start_s == 0
    np.testing.assert_array_equal(one.samples, two.samples)
    # The beep lies in the first shot alone: the second is silent, though sound is kept around it.
    assert (said.reason, other.reason) == ("", "silence")


def test_a_segment_of_a_long_file(tmp_path: Path) -> None:
    """Protects labels of segments: nothing outside of the segment is kept, neither picture nor sound."""
    path = tmp_path / "long.mp4"
    make(path, seconds=4.0, audio_start_s=0.0)
    ((stored, said),) = shots(path, cut=Cut(1.0, 3.0, begun=False))
    assert said.reason == ""
    assert (stored.time_s[0], len(stored.time_s)) == (pytest.approx(1.0), 50)
    assert (stored.start_s, len(stored.samples)) == (pytest.approx(1.0, abs=1 / 16_000), 32_000)
    assert abs(beep_time_s(stored.samples, stored.start_s, 16_000) - FLASH_S) < 0.001
    ((begun, _),) = shots(path, cut=Cut(31.0, 33.0, begun=True))
    assert (begun.time_s[0], len(begun.time_s), begun.start_s, len(begun.samples)) == (0, 50, 0, 32_000)
    ((short, _),) = shots(path, cut=Cut(30.0, 33.5, begun=False))  # as long as its segment: it is the segment
    assert len(short.time_s) == 100
    assert shots(path, cut=Cut(10.0, 12.0, begun=False)) == []


def test_segments_count_from_the_beginning_of_the_file(tmp_path: Path) -> None:
    """Protects segments of streams whose clock begins anywhere: players count from the first picture or sound.

    What an AAC encoder puts in front of the sound, 21 ms, counts here.
    """
    make(tmp_path / "late.mp4", seconds=2.4, video_start_s=1.5, audio_start_s=1.4)
    assert part_of(probe(tmp_path / "late.mp4"), Cut(0.2, 1.2, begun=False)) == pytest.approx((1.6, 2.6), abs=0.03)
    assert part_of(probe(tmp_path / "late.mp4"), Cut(20, 21, begun=True)) == pytest.approx((-np.inf, 2.4), abs=0.03)
    assert part_of(probe(tmp_path / "late.mp4"), None) == (-np.inf, np.inf)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_stills_and_small_movements(tmp_path: Path, codec: str) -> None:
    """Protects the choice: a still stays one when encoded, with its key frames; one blow in a still scene is none."""
    ending = "mp4" if codec == "libx264" else "mpg"
    make(tmp_path / f"still.{ending}", still=True, flash=False, video_codec=codec)
    make(tmp_path / f"blow.{ending}", still=True, flash=True, video_codec=codec)
    make(tmp_path / f"moves.{ending}", flash=False, video_codec=codec)
    reasons = [shots(tmp_path / f"{name}.{ending}")[0][1].reason for name in ("still", "moves")]
    assert reasons == ["the picture stands still", ""]
    ((stored, said),) = shots(tmp_path / f"blow.{ending}")
    assert (moves(stored.images), said.reason) == (2, "the picture stands still")
    one_blow = stored.images.copy()
    for n in range(4):  # a stick of 4 x 4 px comes down in 4 pictures
        one_blow[30 + n :, 30 + 2 * n : 34 + 2 * n, 40:44] //= 2
    assert moves(one_blow) >= 3


def test_silence_is_told_from_quiet(tmp_path: Path) -> None:
    """Protects the choice: digital silence is none, a quiet sound is one; its share is that of the blocks it fills."""
    for name, loud in (("silent", 0.0), ("quiet", 0.002)):
        make(tmp_path / f"{name}.mkv", loud=loud, audio_codec="pcm_s16le")
    (_, silent), (_, quiet) = (shots(tmp_path / f"{name}.mkv")[0] for name in ("silent", "quiet"))
    assert (silent.reason, silent.measured["speech_share"]) == ("silence", 0)
    assert (quiet.reason, quiet.measured["speech_share"]) == ("", pytest.approx(0.06 / 2.4, abs=0.01))


def test_sound_that_ends_before_the_picture() -> None:
    """Protects the tail of files: a shot behind the end of the sound has none, and no share of it."""
    sound = Sound(21_000, 2, missing="no sound in the shot")
    sound.push(Audio(np.full((21_000, 2), 0.1, np.float32), 21_000, 0.0))
    assert sound.around(0.0, 1.2)[0].shape == (21_000, 2)  # type: ignore[union-attr]
    assert sound.around(1.1, 1.2) == "no sound in the shot"
    assert (sound.audible_share(1.1, 1.2), sound.audible_share(0.5, 1.5)) == (0, pytest.approx(0.5))
    assert Sound(21_000, 2).audible_share(0.0, 1.0) == 0
    with pytest.raises(UsageError, match="sound must come at 21000 Hz in 2 channels, not 16000 Hz in 1"):
        sound.push(Audio(np.zeros(9, np.float32), 16_000, 1.0))


def test_long_shots_come_in_pieces_as_they_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Protects memory: no piece is longer than set, a shot is given away when the next begins, nothing is lost."""
    given: list[int] = []

    def crops() -> object:
        for number, track in enumerate([0] * 9 + [1] * 3):
            yield Crops(track, np.zeros((16, 8, 8), np.uint8), np.arange(16) / 25 + number)
            given.append(number)

    found: list[tuple[int, Piece]] = [(len(given), piece) for piece in in_pieces(crops(), 50, in_turn=True)]  # type: ignore[arg-type]
    assert [(p.track, p.part, len(p.images)) for _, p in found] == [(0, 0, 50), (0, 1, 47), (0, 2, 47), (1, 0, 48)]
    assert [at for at, _ in found] == [6, 9, 9, 12]
    monkeypatch.setattr(scenes, "LONGEST_S", 1)
    make(tmp_path / "clip.mp4", seconds=2.4, flash=False)
    assert [len(stored.images) for stored, _ in shots(tmp_path / "clip.mp4")] == [25, 17, 18]


@pytest.mark.parametrize("seconds", [0.5, 11, float("nan")])
def test_rules_that_make_no_sense(seconds: float) -> None:
    """Protects hours of work: a value out of range is told before anything is read."""
    with pytest.raises(UsageError, match="the shortest shot can be 1 to 10 s"):
        SceneRules(seconds)


def test_the_helper_is_right() -> None:
    """Protects the tests above: a beep that is moved by a sample is found a sample later."""
    clock = np.arange(16_000) / 16_000
    at = [beep_time_s(scene_clips.beep(clock - when), 2.0, 16_000) for when in (0.25, 0.25 + 1 / 16_000)]
    assert at == pytest.approx([2.25, 2.25 + 1 / 16_000], abs=1e-5)
