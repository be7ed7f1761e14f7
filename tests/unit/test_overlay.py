"""Drawing on pictures: colours by score, marks that stay where they belong."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.report.overlay import colour_of, draw_face, draw_line, draw_text, lettering, text_px


def picture(height: int = 120, width: int = 160) -> np.ndarray:
    return np.full((height, width, 3), 60, np.uint8)


def test_colours_of_scores() -> None:
    """Red, yellow, green; gray without a score; beyond the ends the ends."""
    assert [colour_of(score) for score in (-1.0, 0.0, 0.5, 1.0, 7.0)] == [
        (255, 0, 0),
        (255, 0, 0),
        (255, 255, 0),
        (0, 255, 0),
        (0, 255, 0),
    ]
    assert colour_of(math.nan) == (160, 160, 160)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_score_is_greener(one: float, other: float) -> None:
    """Never less green and never more red."""
    low, high = (colour_of(score) for score in sorted((one, other)))
    assert high[1] >= low[1]
    assert high[0] <= low[0]


@given(
    st.tuples(*[st.floats(-400, 400) for _ in range(4)]),
    st.floats(0, 1) | st.just(math.nan),
    st.booleans(),
    st.integers(0, 10_000),
)
def test_any_box_can_be_drawn(box: tuple[float, ...], score: float, speaking: bool, number: int) -> None:
    """Outside, upside down, larger than the picture: nothing breaks, and the size of the picture stays."""
    image = picture()
    draw_face(image, np.array(box), number, score, speaking=speaking)
    assert image.shape == (120, 160, 3)


def test_only_the_frame_of_a_box_is_drawn() -> None:
    """What is inside a box stays to be seen, and what is outside it too, but for the plate with the number."""
    image = picture()
    draw_face(image, np.array([40.0, 40, 120, 110]), 0, 1.0, speaking=False)
    assert (image[43:107, 43:117] == 60).all()
    assert (image[112:] == 60).all()
    assert (image[:, :38] == 60).all()
    assert (image[75, 40] == (0, 255, 0)).all()
    assert (image[20:40] != 60).any()


def test_numbers_stay_inside_the_picture() -> None:
    """At every corner the whole plate can be read."""
    for x, y in ((-50, -50), (500, -50), (-50, 500), (500, 500)):
        image = picture()
        draw_text(image, "#1 0.50", x, y, ink=(255, 255, 255), ground=(0, 0, 0))
        assert (image != 60).all(axis=2).sum() >= lettering("#1 0.50", text_px(120)).size * 0.9


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 300), (300, 5), (2, 2)])
def test_pictures_smaller_than_their_text(height: int, width: int) -> None:
    """Text is cut, nothing breaks."""
    image = picture(height, width)
    draw_line(image, "voice: nobody on screen")
    draw_face(image, np.array([0.0, 0, width, height]), 3, 0.5, speaking=True)
    assert image.shape == (height, width, 3)


def test_words_differ_and_are_of_one_height() -> None:
    """So that numbers do not dance while the score changes; letters are inked, the ground is not."""
    plates = [lettering(f"#1 {score:.2f}", 20) for score in (0.11, 0.47, 1.0)]
    assert len({plate.shape[0] for plate in plates}) == 1
    assert len({plate.tobytes() for plate in plates}) == 3
    assert all(plate.max() > 200 and plate.min() == 0 for plate in plates)
