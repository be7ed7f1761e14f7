"""Weight over a picture: the brightest place is the heaviest, colours ascend, an even spread looks like none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.report.heat import FULL_TIMES, OPAQUE, colours, enlarged, full_weight, over
from clapboard.report.pictures import data_uri, fitted, fitted_size


def luminance(table: np.ndarray) -> np.ndarray:
    """Relative luminance (CIE Y) of sRGB colours, 0 to 1."""
    share = table.astype(np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def gray(value: int = 90, height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_more_weight_is_always_brighter() -> None:
    """Protects gray print and eyes that see fewer colours: lightness (CIE L*) ascends evenly, step by step."""
    y = luminance(colours())
    lightness = np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)
    steps = lightness[8:] - lightness[:-8]
    assert (np.diff(y) > -1e-3).all()
    assert steps.min() > 1.0
    assert steps.max() < 5.0
    assert lightness[0] < 20
    assert lightness[-1] > 90


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_the_brightest_place_is_the_heaviest(height: int, width: int, data: st.DataObject) -> None:
    """Protects what the picture is for: whatever the shape of the map, the most colour lies where its maximum is."""
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    weights = np.full((height, width), 0.01)
    weights[row, column] = 1.0
    image = over(gray(), weights, 1.0).astype(int)
    y, x = np.unravel_index(np.argmax(image[..., 0]), image.shape[:2])
    assert int(y * height / 60) == row
    assert int(x * width / 80) == column


def test_what_has_no_weight_stays_as_it_is() -> None:
    """A picture under a map that is 0 is the picture in gray, pixel by pixel."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (20, 30, 3), np.uint8)
    luma = np.round(picture @ np.array([0.299, 0.587, 0.114]))
    image = over(picture, np.zeros((3, 4)), 1.0)
    assert (np.abs(image.astype(int) - luma[..., None]) <= 1).all()


def test_full_weight_covers_as_much_as_said() -> None:
    """Protects the scale beside the picture: its last colour is what the heaviest place has, over what is left."""
    image = over(gray(90), np.ones((1, 1)), 1.0)
    assert image[0, 0] == pytest.approx((1 - OPAQUE) * 90 + OPAQUE * colours()[-1].astype(float), abs=1)
    assert (over(gray(90), np.full((1, 1), 7.0), 1.0) == image).all()


def test_places_keep_their_values_in_their_middle() -> None:
    """A map of 2 x 3 over 20 x 30 pixels: middles are exact, between two middles lies the mean, borders do not grow."""
    weights = np.array([[1.0, 2.0, 3.0], [5.0, 6.0, 9.0]])
    large = enlarged(weights, 22, 33)  # an odd number of pixels a place has one in its middle
    assert large[5::11, 5::11] == pytest.approx(weights)
    assert large[5, 10:12].mean() == pytest.approx(1.5)
    assert large[0, 0] == 1.0
    assert large[-1, -1] == 9.0


def test_an_even_spread_does_not_look_like_a_find() -> None:
    """Four times the even share is needed for the last colour, and more where there is more."""
    even = np.full((5, 8, 8), 1 / 320)
    assert full_weight(even) == pytest.approx(FULL_TIMES / 320)
    assert (over(gray(), even[0], full_weight(even)) == over(gray(), np.full((1, 1), 1 / FULL_TIMES), 1.0)).all()
    peak = even.copy()
    peak[2, 3, 3] = 0.5
    assert full_weight(peak) == 0.5
    assert full_weight(np.zeros((0, 8, 8))) == full_weight(np.zeros((2, 8, 8))) == 1.0


@pytest.mark.parametrize(
    ("height", "width", "size"), [(720, 1280, (65, 116)), (1280, 720, (116, 65)), (1, 900, (1, 116))]
)
def test_thumbnails_keep_their_shape(height: int, width: int, size: tuple[int, int]) -> None:
    """Wide, high and absurd pictures fit into the square, and none vanishes."""
    assert fitted_size(height, width, 116) == size
    assert fitted(gray(50, height, width), 116).shape == (*size, 3)


def test_a_picture_becomes_its_own_address() -> None:
    """What the page carries is a JPEG that decodes to the picture."""
    import base64
    import io

    from PIL import Image

    kind, data = data_uri(np.repeat(gray(10, 16, 16), 2, axis=1)).split(",")
    assert kind == "data:image/jpeg;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (image.format, image.size) == ("JPEG", (32, 16))
    assert np.abs(np.asarray(image).astype(int) - 10).max() <= 2
