"""What is kept of a file: sound around a track, crowds, stills, long tracks in pieces."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from clapboard.dataset import extract
from clapboard.dataset.extract import Piece, Rules, crowded, pieces, reason_against, seen, still_share
from clapboard.dataset.hearing import Hearing
from clapboard.errors import UsageError
from clapboard.values import Audio, Crops, Shot, Track

RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 0.1, 20 * 16000).astype(np.float32)


def hear(*runs: tuple[float, float]) -> Hearing:
    """Return what is heard of noise between such times, s; sample 16000 t of the noise is that of time t."""
    hearing = Hearing()
    for start_s, end_s in runs:
        hearing.push(Audio(NOISE[round(start_s * 16000) : round(end_s * 16000)], 16000, start_s))
    return hearing


def noise(start_s: float, end_s: float) -> np.ndarray:
    """Return the noise between two times as it is stored."""
    return np.round(NOISE[round(start_s * 16000) : round(end_s * 16000)] * 32767).astype(np.int16)


def track(number: int, start_s: float, end_s: float, shot_s: float = 0.0, px: float = 90.0) -> Track:
    """Return a track of a face that does not move."""
    time_s = np.arange(start_s, end_s - 1e-9, 0.04)
    boxes = np.tile(np.array([10, 10, 10 + px, 10 + px], np.float32), (len(time_s), 1))
    points = np.zeros((len(time_s), 5, 2), np.float32)
    return Track(number, Shot(shot_s, end_s), time_s, boxes, points, np.zeros(len(time_s), np.bool_))


def moving(frames: int, px: int = 64) -> np.ndarray:
    """Return crops in which everything moves."""
    return RNG.integers(0, 255, (frames, 8, 8)).astype(np.uint8).repeat(px // 8, 1).repeat(px // 8, 2)


def test_sound_of_four_seconds_around() -> None:
    """Protects shifts in training: 4 s on both sides, exact to the sample, and less where the file ends."""
    hearing = hear((0.5, 3.0), (3.0, 12.0))
    for start_s, end_s in ((5.0, 7.0), (1.0, 3.0), (9.0, 11.5)):
        samples, begin_s = hearing.around(start_s, end_s)  # type: ignore[misc]
        assert begin_s == max(start_s - 4, 0.5)
        np.testing.assert_array_equal(samples, noise(begin_s, min(end_s + 4, 12.0)))


def test_holes_in_the_sound() -> None:
    """Protects against made-up silence: a hole ends what is kept, or drops a track that it lies in; jitter does not."""
    hearing = hear((0.0, 2.0), (2.03, 6.0), (6.5, 12.0))
    samples, begin_s = hearing.around(3.0, 5.0)  # type: ignore[misc]
    assert begin_s == 0.0
    assert len(samples) == 6 * 16000
    assert not samples[32000:32480].any()
    np.testing.assert_array_equal(samples[32480:], noise(2.03, 6.0))
    samples, begin_s = hearing.around(7.0, 9.0)  # type: ignore[misc]
    assert begin_s == 6.5
    assert hearing.around(5.0, 8.0) == "a hole in the sound"
    assert hearing.around(12.5, 14.0) == "no sound while the face is in view"
    assert hearing.around(11.5, 13.0) == "no sound while the face is in view"
    assert Hearing().around(0.0, 1.0) == "no sound while the face is in view"


def test_sound_that_overlaps_itself() -> None:
    """Protects the clock: where timestamps step back, the later samples lie where their times say."""
    hearing = hear((1.0, 3.0))
    hearing.push(Audio(-NOISE[2 * 16000 : 4 * 16000], 16000, 2.0))
    hearing.push(Audio(-NOISE[: 2 * 16000], 16000, 0.0))
    samples, begin_s = hearing.around(2.0, 3.0)  # type: ignore[misc]
    assert begin_s == 1.0
    np.testing.assert_array_equal(samples, np.concatenate([-noise(1.0, 2.0), -noise(2.0, 4.0)]))


def test_share_of_speech() -> None:
    """Protects the choice: what sounds counts, what is 30 dB quieter does not, nor where the file has no sound."""
    hearing = Hearing()
    loud = np.where(np.arange(8 * 16000) // 16000 % 2, 0.001, 1.0).astype(np.float32) * NOISE[: 8 * 16000]
    hearing.push(Audio(loud, 16000, 1.0))
    assert hearing.speech_share(1.0, 9.0) == pytest.approx(0.5, abs=0.02)
    assert hearing.speech_share(1.0, 2.0) == pytest.approx(1.0, abs=0.02)
    assert hearing.speech_share(0.0, 2.0) == pytest.approx(0.5, abs=0.02)
    assert hearing.speech_share(20.0, 22.0) == 0
    assert Hearing().speech_share(0.0, 1.0) == 0


def test_crowds() -> None:
    """Protects the paper's rule: two at a time spoil their shot and no other, one after the other spoil nothing."""
    alone = [track(0, 0, 4), track(1, 5, 8, shot_s=5), track(2, 8.5, 9, shot_s=5)]
    assert crowded(alone) == frozenset()
    assert crowded([*alone, track(3, 3, 4.5)]) == {0, 3}
    long_one = [track(0, 0, 9), track(1, 1, 2), track(2, 5, 6)]
    assert crowded(long_one[:1] + long_one[2:]) == {0, 2}
    assert crowded([]) == frozenset()


@pytest.mark.parametrize("px", [64, 96, 120])
def test_stills(px: int) -> None:
    """Protects against photographs: coding noise is no movement, a small movement of a part of the mouth is."""
    still = np.full((50, px, px), 100, np.uint8)
    assert still_share(still) == 1
    grain = np.clip(still + RNG.normal(0, 0.4, still.shape), 0, 255).round().astype(np.uint8)
    assert still_share(grain) > 0.95
    talking = still.copy()
    talking[:, px // 2 : px // 2 + px // 8, px // 4 : 3 * px // 4] -= (20 * RNG.random((50, 1, 1))).astype(np.uint8)
    assert still_share(talking) < 0.3
    assert still_share(talking.repeat(2, axis=0)) == pytest.approx(0.5 + still_share(talking) / 2, abs=0.02)
    assert still_share(np.repeat(talking[..., None], 3, axis=3)) == still_share(talking)
    assert still_share(still[:1]) == 1


def test_every_reason() -> None:
    """Protects the choice: each rule alone drops a track, and the first that holds is told."""
    good, face = seen(Piece(0, 0, moving(60), np.arange(60) / 25)), track(0, 0, 2.4)
    crowd, rules = frozenset({0}), Rules()

    def reason(rules: Rules = rules, **fields: object) -> str:
        said: dict[str, object] = {
            "piece": good,
            "track": face,
            "crowd": frozenset(),
            "no_sound": "",
            "speech_share": 0.5,
        }
        return reason_against(rules=rules, **(said | fields))  # type: ignore[arg-type]

    assert reason() == ""
    assert reason(crowd=crowd) == "more than one face in the shot"
    assert reason(Rules("per-face"), crowd=crowd) == ""
    assert reason(Rules(min_seconds=2.4)) == ""
    assert reason(Rules(min_seconds=2.44)) == "shorter than 2.44 s"
    assert reason(track=track(0, 0, 2.4, px=39)) == "a face narrower than 40 px"
    still = seen(Piece(0, 0, np.zeros((60, 64, 64), np.uint8), np.arange(60) / 25))
    assert reason(piece=still) == "the picture stands still"
    assert reason(no_sound="a hole in the sound") == "a hole in the sound"
    assert reason(speech_share=0.0) == "silence"
    assert reason(speech_share=0.14) == "hardly any speech"
    assert reason(Rules(min_speech=0.1), speech_share=0.14) == ""


@pytest.mark.parametrize(
    "said",
    [
        {"faces": "most"},
        {"min_seconds": 0.5},
        {"min_seconds": 31},
        {"min_seconds": float("nan")},
        {"min_face_px": -1},
        {"min_face_px": float("nan")},
        {"min_speech": 1.1},
        {"min_speech": float("nan")},
    ],
)
def test_rules_that_make_no_sense(said: dict[str, object]) -> None:
    """Protects hours of work: a value out of range is told before anything is read."""
    with pytest.raises(UsageError):
        Rules(**said)  # type: ignore[arg-type]


@pytest.mark.parametrize(("frames", "parts"), [(1500, [1500]), (1501, [750, 751]), (3000, [1500, 1500])])
def test_long_tracks_come_in_pieces(monkeypatch: pytest.MonkeyPatch, frames: int, parts: list[int]) -> None:
    """Protects memory: at most a minute in a piece, none of them a crumb, no frame lost or twice."""

    def mouths(*_: object) -> Iterator[Crops]:
        for first in range(0, frames, 16):
            time_s = np.arange(first, min(first + 16, frames)) / 25
            yield Crops(3, np.zeros((len(time_s), 8, 8), np.uint8), time_s)
            if first == 160:
                yield Crops(1, np.zeros((16, 8, 8), np.uint8), np.arange(16) / 25)

    monkeypatch.setattr("clapboard.pipeline.mouths", mouths)
    monkeypatch.setattr("clapboard.media.probe.probe", lambda path: path)
    found = list(pieces(Path("x"), None, lambda audio: None))  # type: ignore[arg-type]
    mine = [piece for piece in found if piece.track == 3]
    assert [len(piece.images) for piece in mine] == parts
    assert [piece.part for piece in mine] == list(range(len(parts)))
    np.testing.assert_array_equal(np.concatenate([piece.time_s for piece in mine]), np.arange(frames) / 25)
    assert [(piece.part, len(piece.images)) for piece in found if piece.track == 1] == [(0, 16)]
    assert max(parts) <= extract.PIECE_FRAMES


def test_repeated_frames_are_counted() -> None:
    """Protects the manifest: a frame that fills two points of the grid has the same time twice."""
    found = seen(Piece(0, 0, moving(6), np.array([0.0, 0.0, 0.08, 0.08, 0.16, 0.2])))
    assert (found.repeated_frames, found.frames, found.start_s) == (2, 6, 0.0)
    assert found.end_s == pytest.approx(0.24)
