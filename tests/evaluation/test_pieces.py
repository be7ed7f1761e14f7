"""Pieces of tracks: which windows, whose voice, what is found."""

import numpy as np
import pytest
from talk import Inputs, Reader, aligned

from clapboard.evaluation.pieces import own_and_foreign, pieces, places, table

LOUD = np.ones(60, np.float32)


def test_pieces_do_not_overlap_and_hold_so_many_windows() -> None:
    """Protects the counts: 60 windows are two pieces of one second and one of two."""
    assert places(LOUD, 1.0) == [slice(0, 25), slice(25, 50)]
    assert places(LOUD, 2.0) == [slice(0, 50)]
    assert places(LOUD, 4.0) == []


def test_quiet_pieces_are_left_out() -> None:
    """Protects the rule: speech in a quarter of the windows, a window with speech in a fifth of it."""
    loud = LOUD.copy()
    loud[:25] = 0.2
    assert places(loud, 1.0) == [slice(25, 50)]
    loud[:7] = 0.21
    assert places(loud, 1.0) == [slice(0, 25), slice(25, 50)]


@pytest.mark.parametrize("window_frames", [5, 9, 15])
def test_a_wider_network_sees_the_same_frames(window_frames: int) -> None:
    """Protects comparisons: a piece of one second is 29 frames for everybody."""
    frames = 64
    found = places(np.ones(frames - window_frames + 1, np.float32), 1.0, window_frames)
    assert [(part.start, part.stop + window_frames - 1) for part in found] == [(0, 29), (25, 54)]
    assert places(np.ones(30), 0.2, 15) == []


def test_pieces_in_sync_are_found_at_zero() -> None:
    """Protects the main use: offsets of pieces are errors, and the line says so."""
    found = pieces(Reader(), [aligned(seed) for seed in range(3)], (2,))
    assert len(found) == 3
    assert np.median([abs(p.offset.offset_ms) for p in found]) < 15
    assert table(found).startswith("2 s: ")
    assert "of 3" in table(found)


def test_a_foreign_voice_is_never_the_speakers_own() -> None:
    """Protects the wrong answers that a calibration learns from."""
    clips = [aligned(seed, speaker=speaker) for seed, speaker in enumerate("aab")]
    assert [p.clip.speaker for p in pieces(Reader(), clips, (2,), foreign=1)] == ["a", "b"]
    assert pieces(Reader(), [aligned(0, speaker="a"), aligned(1, speaker="a")], (2,), foreign=1) == []


def test_own_and_foreign_at_once() -> None:
    """Protects the shorter way: the same as one call each, with every track embedded once."""
    clips, reader = [aligned(seed) for seed in range(3)], Reader(Inputs())
    own, foreign = own_and_foreign(reader, clips, (2,), 6)
    assert reader.calls == {"picture": 3, "sound": 3}
    by_hand = [pieces(reader, clips, (2,), foreign=step) for step in range(3)]
    assert [p.offset.offset_ms for p in own] == [p.offset.offset_ms for p in by_hand[0]]
    assert [p.offset.offset_ms for p in foreign] == [p.offset.offset_ms for p in by_hand[1] + by_hand[2]]
    assert own_and_foreign(reader, [], (2,), 6) == ([], [])
