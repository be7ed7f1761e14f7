"""Whole pictures, small: exact means, and shots that end at cuts and gaps but not at flashes."""

from fractions import Fraction

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.values import Crops, Frame
from clapboard.vision.scenes import SCENES, SceneFinder, scene_of, squeeze

RNG = np.random.default_rng(3)
PICTURES = [np.kron(RNG.integers(0, 256, (6, 8)), np.ones((8, 8))).astype(np.uint8) for _ in range(3)]


def frame(number: int, picture: np.ndarray, time_s: float | None = None) -> Frame:
    """Return a frame of the grid whose first pixel says which one it is."""
    image = picture.copy()
    image[0, 0] = number % 256
    thumbnail = np.repeat(image[::2, ::2, None], 3, 2)
    return Frame(number / 25 if time_s is None else time_s, image, thumbnail, np.repeat(image[..., None], 3, 2))


def run(finder: SceneFinder, frames: list[tuple[int, Frame]]) -> dict[int, Crops]:
    """Return each shot, its parts joined."""
    parts = [crops for grid, each in frames for crops in finder.push(grid, each)] + finder.close()
    return {
        number: Crops(
            number,
            np.concatenate([part.images for part in parts if part.track == number]),
            np.concatenate([part.time_s for part in parts if part.track == number]),
        )
        for number in sorted({part.track for part in parts})
    }


def slow_means(image: np.ndarray, px: int) -> np.ndarray:
    """Return the mean over the area of each new pixel, from every old pixel's share in it."""

    def shares(length: int) -> np.ndarray:
        new, old = np.arange(px)[:, None] * length / px, np.arange(length)[None]
        overlap = np.minimum(new + length / px, old + 1) - np.maximum(new, old)
        return np.clip(overlap, 0, None) * px / length

    rows = np.tensordot(shares(image.shape[0]), image.astype(np.float64), 1)
    return np.tensordot(shares(image.shape[1]), rows, (1, 1)).swapaxes(0, 1)


@pytest.mark.parametrize("shape", [(360, 640), (64, 64), (48, 300), (127, 65, 3), (1, 1), (1080, 1920)])
def test_squeezing_is_the_mean_over_the_area(shape: tuple[int, ...]) -> None:
    """Protects the pictures: exact means, up and down, of any size, gray and in colour; nothing is cut off."""
    image = RNG.integers(0, 256, shape).astype(np.uint8)
    found = squeeze(image, 64)
    assert found.dtype == np.uint8
    assert found.shape == (64, 64, *shape[2:])
    assert np.abs(found - slow_means(image, 64)).max() <= 0.501
    assert (squeeze(np.full(shape, 255, np.uint8), 64) == 255).all()


def test_the_table() -> None:
    """Protects what networks are built for: sizes and rates of all scenes."""
    assert {name: (s.px, s.colour, s.picture_hz, s.sound_hz, s.channels) for name, s in SCENES.items()} == {
        "scene-64": (64, False, 25, 16_000, 1),
        "scene-224": (224, True, 25, 16_000, 1),
        "scene-256": (256, True, Fraction(30000, 1001), 21_000, 2),
    }
    with pytest.raises(UsageError, match="no scene is called scene-7; there is scene-64, scene-224, scene-256"):
        scene_of("scene-7")


def test_a_shot_is_whole_and_in_order() -> None:
    """Protects the pairs: every point of the grid once, also where the same frame comes again, with its true time."""
    frames = [(g, frame(g - g % 2, PICTURES[0])) for g in range(100, 141)]
    frames = [(g, frames[place - place % 2][1]) for place, (g, _) in enumerate(frames)]
    finder = SceneFinder()
    (shot,) = run(finder, frames).values()
    np.testing.assert_array_equal(shot.time_s, [(g - g % 2) / 25 for g in range(100, 141)])
    assert len(shot.images) == 41
    np.testing.assert_array_equal(shot.images[7], squeeze(frames[7][1].image, 64))
    np.testing.assert_array_equal(shot.images[7], shot.images[6])
    assert [(s.start_s, s.end_s) for s in finder.shots] == [(4.0, pytest.approx(5.64))]


def test_cuts_part_shots() -> None:
    """Protects shots: each begins with the first picture of the other place, and none is lost."""
    frames = [(g, frame(g, PICTURES[(g >= 30) + (g >= 70)])) for g in range(100)]
    finder = SceneFinder()
    shots = run(finder, frames)
    assert {n: (s.time_s[0], len(s.images)) for n, s in shots.items()} == {0: (0, 30), 1: (1.2, 40), 2: (2.8, 30)}
    assert [s.start_s for s in finder.shots] == [0, 1.2, 2.8]
    assert finder.shots[0].end_s == 1.2


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length: int) -> None:
    """Protects shots of guns and fireworks: where the picture is back, the shot goes on, with the flash in it."""
    frames = [
        (g, frame(g, np.full_like(PICTURES[0], 235) if 40 <= g < 40 + length else PICTURES[0])) for g in range(90)
    ]
    (shot,) = run(SceneFinder(), frames).values()
    np.testing.assert_array_equal(shot.time_s, np.arange(90) / 25)
    assert [g for g in range(90) if shot.images[g].mean() > 200] == list(range(40, 40 + length))


def test_two_cuts_at_once_are_two_shots() -> None:
    """Protects against a short shot being taken for a flash when the picture does not come back."""
    frames = [(g, frame(g, PICTURES[0 if g < 40 else 1 if g < 42 else 2])) for g in range(80)]
    shots = run(SceneFinder(), frames)
    assert {n: (s.time_s[0], len(s.images)) for n, s in shots.items()} == {0: (0, 40), 1: (1.6, 2), 2: (1.68, 38)}


def test_a_hole_in_the_grid_ends_a_shot() -> None:
    """Protects the clock: pictures of one shot are one point apart, whatever the file lacks; and of one size."""
    frames = [(g, frame(g, PICTURES[0])) for g in [*range(30), *range(50, 80)]]
    finder = SceneFinder()
    assert {n: (s.time_s[0], len(s.images)) for n, s in run(finder, frames).items()} == {0: (0, 30), 1: (2, 30)}
    assert finder.shots[0].end_s == pytest.approx(1.2)
    wide = [(g, frame(g, PICTURES[0] if g < 20 else np.repeat(PICTURES[0], 2, 1))) for g in range(40)]
    assert [len(s.images) for s in run(SceneFinder(), wide).values()] == [20, 20]


def test_colour_has_to_be_read() -> None:
    """Protects against gray pictures in place of colour ones, and shows that colours arrive."""
    colour = frame(0, PICTURES[0])
    (shot,) = run(SceneFinder("scene-256"), [(0, colour)]).values()
    assert shot.images.shape == (1, 256, 256, 3)
    with pytest.raises(UsageError, match="is in colour"):
        SceneFinder("scene-256").push(0, Frame(0.0, colour.image, colour.thumbnail))
    assert SceneFinder().close() == []
