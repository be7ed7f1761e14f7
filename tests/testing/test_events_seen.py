"""Rendered events in the picture: contact, turn and flash come when the truth says so, where the boxes say so."""

from fractions import Fraction

import numpy as np
import pytest
from events_staged import Staged, staged

from clapboard.errors import UsageError
from clapboard.testing import render_events
from clapboard.testing.events import KINDS
from clapboard.testing.events.classes import Kind

AROUND = 14
"""Pictures before and after a contact that are looked at."""
FAST_HZ = 100


def _turn(clip: Staged, kind: Kind, number: int) -> float:
    """Return where the motion turns, in pictures after the contact, as measured from the pixels of the source."""
    middle = round(clip.contacts_s[number] * FAST_HZ)
    part = clip.mask[middle - AROUND : middle + AROUND + 1]
    if kind == "clap":  # the hands are nearest
        place = np.array([-float(np.ptp(np.flatnonzero(picture.any(0)))) for picture in part])
    elif kind == "metronome":  # half up the arm, where no stop is
        row = round((clip.height - 0.14) * clip.mask.shape[1])
        place = np.array([np.flatnonzero(picture[row]).mean() for picture in part])
        place *= np.sign(place[AROUND] - np.flatnonzero(clip.mask[:, row].any(0)).mean())
    else:  # the ball, or the upper end of the stick, is lowest
        place = np.array([float(np.flatnonzero(picture.any(1)).min()) for picture in part])
    return float(np.median(np.flatnonzero(place == place.max()))) - AROUND


@pytest.mark.parametrize("kind", ["bounce", "stick", "clap", "metronome"])
def test_motion_turns_at_the_contact(kind: Kind) -> None:
    """Protects the truth against the picture: what moves turns within 10 ms of each event."""
    turns = []
    for seed in range(3):
        clip = staged(seed, kind, clean=True, rate_hz=FAST_HZ, px=96)
        turns += [_turn(clip, kind, number) for number in clip.inner(apart_s=0.3)]
    assert len(turns) > 8
    assert np.abs(np.median(turns)) <= 1
    assert np.mean(np.abs(turns) <= 1.5) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_struck_lights_up_at_the_contact(kind: Kind) -> None:
    """Protects what tells an event from a silent motion: the first picture after contact brightens most."""
    late = []
    for seed in range(3):
        clip = staged(seed, kind, clean=True, rate_hz=FAST_HZ)
        for number in clip.inner(apart_s=0.3):
            first = round(clip.contacts_s[number] * FAST_HZ) - AROUND
            steps = np.diff(clip.images[first : first + 2 * AROUND].astype(float), axis=0)
            late.append(int(np.argmax(np.clip(steps, 0, None).sum((1, 2)))) + 1 - AROUND)
    assert len(late) > 8
    assert np.mean(np.isin(late, [0, 1])) > 0.85  # hands that rush together brighten a dark place, too


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_boxes_hold_every_pixel_of_the_source(kind: Kind, clean: bool) -> None:
    """Protects figures of where a network looks: nothing of a source is outside its box, in any framing."""
    seen = 0
    for seed in range(3):
        clip = staged(seed, kind, clean=clean, seconds=3.0)
        assert clip.boxes.shape == (75, 4)
        for mask, box in zip(clip.mask, clip.boxes, strict=True):
            rest = mask.copy()
            if np.isfinite(box).all():
                left, top, right, bottom = box.astype(int)
                assert 0 <= left < right <= 64
                assert 0 <= top < bottom <= 64
                rest[top:bottom, left:right] = False
                seen += int(mask.any())
            assert not rest.any()
    assert seen > 100


def test_a_ball_that_falls_faster_is_louder() -> None:
    """Protects that speed is heard: over the bounces of a clip, the fall just before contact goes with loudness."""
    clip = staged(3, "bounce", clean=True, seconds=4.0, rate_hz=FAST_HZ, px=96)
    inner = clip.inner(apart_s=0.25)
    tops = np.array([float(np.flatnonzero(picture.any(1)).min()) for picture in clip.mask])
    rows = np.round(clip.contacts_s[inner] * FAST_HZ).astype(int)
    speeds = tops[rows - 4] - tops[rows - 10]
    assert len(inner) > 3
    assert np.corrcoef(speeds, clip.impacts[inner])[0, 1] > 0.9


def test_pictures_are_as_asked_for() -> None:
    """Protects the shapes: gray and colour, other sizes and rates, times on the grid, and the same scene in all."""
    gray = render_events(4, seconds=2.0)
    assert (gray.images.shape, gray.images.dtype, gray.boxes.shape) == ((50, 64, 64), np.uint8, (1, 50, 4))
    np.testing.assert_array_equal(gray.time_s, np.arange(50) / 25)
    film = render_events(4, seconds=2.0, px=128, rate=Fraction(30000, 1001), colour=True)
    assert film.images.shape == (59, 128, 128, 3)
    assert film.time_s[30] == pytest.approx(30 * 1001 / 30000, abs=1e-12)
    assert film.events == gray.events
    small = (film.images[0].astype(float) @ [0.299, 0.587, 0.114]).reshape(64, 2, 64, 2).mean((1, 3))
    assert np.corrcoef(small.ravel(), gray.images[0].ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": ("tennis",)},
        {"kinds": ()},
        {"split": "some"},
        {"part": "dev"},
        {"seconds": float("nan")},
        {"seconds": 0.0},
        {"seconds": 1e9},
        {"px": 4},
        {"channels": 3},
        {"split": "sparse", "seconds": 2.0},
        {"split": "sparse", "kinds": ("metronome",)},
        {"split": "two-sources", "kinds": ("clap",)},
    ],
)
def test_arguments_that_make_no_sense(wrong: dict[str, object]) -> None:
    """Protects users of the renderer: an error of ours that says what is possible."""
    with pytest.raises(UsageError, match=r"kinds|split|part|pictures|sparse"):
        render_events(0, **wrong)  # type: ignore[arg-type]
