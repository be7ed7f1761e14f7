"""What each view shows of a face: its square, its size, its colours, and that streaming changes nothing."""

from collections.abc import Iterable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from vision_pictures import FakeDetector, face_points, paint_face, picture, to_frame

from clapboard.errors import UsageError
from clapboard.values import F32, Crops, Frame
from clapboard.vision.crop import LOOK_AHEAD_FRAMES, cut_patch, sample_crops, shrink_factor
from clapboard.vision.mouths import MouthFinder
from clapboard.vision.mtcnn import box_of
from clapboard.vision.resample import shrink
from clapboard.vision.views import OUTSIDE, VIEWS, View, outside, place, poses, reach, view_of

U8 = NDArray[np.uint8]
every_view = pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)


def crops_of(view: str, frames: Iterable[Frame], faces: dict[int, list[F32]]) -> tuple[Crops, MouthFinder]:
    """All crops of the one track that there is."""
    finder, parts = MouthFinder(FakeDetector(faces), view=view), list[Crops]()
    for grid, frame in enumerate(frames):
        parts += finder.push(grid, frame)
    parts += finder.close()
    assert {part.track for part in parts} == {0}
    return Crops(0, np.concatenate([c.images for c in parts]), np.concatenate([c.time_s for c in parts])), finder


@cache
def talking(count: int = 40, eyes_px: float = 40.0) -> tuple[list[Frame], dict[int, list[F32]]]:
    """A face that moves and opens its mouth, drawn in a warm colour."""
    frames, faces = [], {}
    for i in range(count):
        image = picture(320, 240)
        at = (150 + 12 * np.sin(i / 9), 110 + 8 * np.cos(i / 7))
        faces[i] = [paint_face(image, *at, eyes_px, mouth=0.1 + 0.1 * np.sin(i))]
        rgb = np.clip(image[..., None] * [1.0, 0.8, 0.6], 0, 255).astype(np.uint8)
        image[0, 0] = i
        frames.append(to_frame(image, i / 25, rgb=rgb))
    return frames, faces


def test_the_views_that_there_are() -> None:
    """Model files name them: neither name nor shape may change."""
    table = {view.name: (view.px, view.colour, view.region) for view in VIEWS.values()}
    assert table == {
        "mouth-64": (64, False, "mouth"),
        "mouth-120": (120, False, "mouth"),
        "face-224": (224, True, "head"),
        "face-96": (96, True, "face"),
    }


@every_view
def test_crops_have_the_shape_of_the_view(view: View) -> None:
    """Networks take just this; every frame of the face comes out once."""
    frames, faces = talking()
    crops, finder = crops_of(view.name, frames, faces)
    assert crops.images.shape == (40, view.px, view.px, *((3,) if view.colour else ()))
    assert crops.images.dtype == np.uint8
    assert finder.view is view
    assert len(finder.tracks) == 1


@every_view
def test_mouths_lie_where_they_should(view: View) -> None:
    """In the middle of views of the mouth; at known places, in the middle from left to right, of the others."""
    frames, faces = talking()
    images = crops_of(view.name, frames, faces)[0].images.astype(float)
    gray = images.mean(-1) if view.colour else images
    level = {"mouth": 90, "head": 60, "face": 60}[view.region]
    down, across = (np.mgrid[: view.px, : view.px] + 0.5) / view.px
    low = gray < level if view.region == "mouth" else (gray < level) & (down > 0.52) & (abs(across - 0.5) < 0.2)
    dark = low.sum(axis=0)
    # The drawn mouth lies 0.55 eye distances under the middle of its box, whose half side is 1.25 of them.
    half = 1.2 * 0.95 * 1.1
    wanted = {"mouth": 0.5, "face": 0.5 + 0.55 / half / 2, "head": 0.5 + (0.55 / half - 0.4) / 2.8}[view.region]
    assert (dark * across).sum() / dark.sum() == pytest.approx(0.5, abs=0.04)
    assert (dark * down).sum() / dark.sum() == pytest.approx(wanted, abs=0.04)


@pytest.mark.parametrize("eyes_px", [24.0, 70.0])
@every_view
def test_stream_equals_whole_track(view: View, eyes_px: float) -> None:
    """Streaming with look-ahead gives the crops that the pure functions give for the whole track at once."""
    frames, faces = talking(70, eyes_px)
    crops, finder = crops_of(view.name, frames, faces)
    (track,) = finder.tracks
    where, factor = poses(view, track.boxes, track.landmarks), 0
    for i, frame in enumerate(frames):
        pixels = frame.colour if view.colour else frame.image
        assert pixels is not None
        side = place(view, track.boxes[i], track.landmarks[i])[2]
        factor = shrink_factor(side, factor, view.px)
        patch = cut_patch(pixels, *where[i, :2], 0.75 * where[i, 3] + 2 * factor, factor, outside=outside(view))
        want = sample_crops([patch], where[i][None], view.px)[0]
        assert np.abs(crops.images[i].astype(int) - want).max() <= 1


def direct_head(boxes: F32) -> NDArray[np.float64]:
    """Left, top, right, bottom of the head in every frame, by the lines of the published ``crop_video``."""
    s = [max(b[3] - b[1], b[2] - b[0]) / 2 for b in boxes.tolist()]
    y = [(b[1] + b[3]) / 2 for b in boxes.tolist()]
    x = [(b[0] + b[2]) / 2 for b in boxes.tolist()]

    def medfilt(values: list[float]) -> list[float]:
        padded = [values[0]] * 6 + values + [values[-1]] * 6
        return [sorted(padded[i : i + 13])[6] for i in range(len(values))]

    cs, found = 0.4, []
    for bs, my, mx in zip(medfilt(s), medfilt(y), medfilt(x), strict=True):
        found.append((mx - bs * (1 + cs), my - bs, mx + bs * (1 + cs), my + bs * (1 + 2 * cs)))
    return np.array(found)


def test_the_head_is_that_of_the_published_pipeline() -> None:
    """Against the formula itself, on boxes that shake: middle, side, median of 13, and no turning."""
    rng = np.random.default_rng(3)
    middle = np.column_stack([160 + 3 * np.arange(50), 120 + 20 * np.sin(np.arange(50) / 5)]) + rng.normal(
        0, 4, (50, 2)
    )
    half = (60 + rng.normal(0, 5, 50))[:, None] * [1.0, 1.3]
    boxes = np.hstack([middle - half, middle + half]).astype(np.float32)
    x, y, angle, side = poses(VIEWS["face-224"], boxes, np.zeros((50, 5, 2), np.float32)).T
    found = np.column_stack([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    np.testing.assert_allclose(found, direct_head(boxes), atol=1e-3)
    assert not angle.any()


def test_every_pixel_of_the_head_is_where_the_formula_says() -> None:
    """Red tells the column of the picture, green the row: what comes out names the place that it was taken from."""
    across, down = np.meshgrid(np.arange(250), np.arange(240))
    rgb = np.stack([across, down, np.full_like(across, 50)], axis=-1).astype(np.uint8)
    frames, faces = [], {}
    for i in range(30):
        image = np.full((240, 250), 100.0)
        image[0, 0] = i
        frames.append(to_frame(image, i / 25, rgb=rgb))
        faces[i] = [face_points(120.0, 100.0, 36.0)]
    crops, finder = crops_of("face-224", frames, faces)
    left, top, right, bottom = direct_head(finder.tracks[0].boxes)[15]
    step = (np.arange(224) + 0.5) / 224
    want_x, want_y = left + step * (right - left), top + step * (bottom - top)
    rows, columns = (want_y > 1) & (want_y < 239), (want_x > 1) & (want_x < 249)
    found = crops.images[15][rows][:, columns].astype(float)
    # The first pixel, of level 0, has its middle at 0.5.
    assert np.abs(found[..., 0] + 0.5 - want_x[columns]).max() < 0.6
    assert np.abs(found[..., 1] + 0.5 - want_y[rows, None]).max() < 0.6
    assert (found[..., 2] == 50).all()
    assert rows.sum() > 150
    assert columns.sum() == 224


def test_outside_the_picture_the_head_is_gray() -> None:
    """A face in the corner: what is not in the picture has the level of the published pipeline, in all colours."""
    frames, faces = [], {}
    for i in range(30):
        image = np.full((240, 320), 200.0)
        image[0, 0] = i
        frames.append(to_frame(image, i / 25, rgb=np.full((240, 320, 3), 200, np.uint8)))
        faces[i] = [face_points(30.0, 60.0, 40.0)]
    crops, finder = crops_of("face-224", frames, faces)
    left, _, right, _ = direct_head(finder.tracks[0].boxes)[10]
    border = int(224 * -left / (right - left))
    assert border > 20
    assert (crops.images[10, 60:, : border - 2] == OUTSIDE).all()
    assert (crops.images[10, 60:, border + 3 :] == 200).all()


def test_no_view_asks_for_more_frames_than_are_kept() -> None:
    """Tracks hand out frames as soon as smoothing has `LOOK_AHEAD_FRAMES` behind them."""
    rng = np.random.default_rng(0)
    points = np.array([face_points(160 + i, 120, 40) for i in range(90)]) + rng.normal(0, 1, (90, 5, 2))
    points = points.astype(np.float32)
    boxes = box_of(points).astype(np.float32)
    for view in VIEWS.values():
        whole = poses(view, boxes, points)
        part = slice(40 - LOOK_AHEAD_FRAMES, 41 + LOOK_AHEAD_FRAMES)
        np.testing.assert_allclose(poses(view, boxes[part], points[part])[LOOK_AHEAD_FRAMES], whole[40], atol=1e-9)
        assert poses(view, boxes[:0], points[:0]).shape == (0, 4)


@every_view
def test_enough_pixels_are_kept(view: View) -> None:
    """A crop at the smoothed place, as far away as a quick face can be, still finds its pixels in the patch."""
    turned = 0.5 * (np.sqrt(2) if view.region == "mouth" else 1)
    assert reach(view) - turned >= 0.19


def test_colours_are_cropped_as_gray_is() -> None:
    """Each channel of a crop in colour is the crop of that channel: none is swapped, none is moved."""
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (90 + 7 * i, 130 - 9 * i, 3)).astype(np.uint8) for i in range(4)]
    where = np.array([[60 - 4 * i, 40 + 3 * i, 0.1 * i, 30 + 25 * i] for i in range(4)], float)
    for level in (None, OUTSIDE):
        cut = [
            cut_patch(m, *p[:2], p[3], 1 + i % 3, outside=level)
            for i, (m, p) in enumerate(zip(images, where, strict=True))
        ]
        together = sample_crops(cut, where, 48)
        for channel in range(3):
            alone = [
                cut_patch(np.ascontiguousarray(m[..., channel]), *p[:2], p[3], 1 + i % 3, outside=level)
                for i, (m, p) in enumerate(zip(images, where, strict=True))
            ]
            np.testing.assert_array_equal(together[..., channel], sample_crops(alone, where, 48))


@settings(max_examples=60)
@given(st.integers(1, 5), st.floats(-150, 450), st.floats(-150, 350), st.floats(2, 90))
def test_a_patch_beyond_the_picture_is_that_of_a_padded_one(factor: int, x: float, y: float, half: float) -> None:
    """Against the published way: pad the whole picture, then cut; wherever the square lies, however much it shrinks."""
    image = np.random.default_rng(1).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    patch = cut_patch(image, x, y, half, factor, outside=OUTSIDE)
    margin = 60 * 5 * factor
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), constant_values=OUTSIDE)
    height, width = (side * factor for side in patch.image.shape[:2])
    top, left = patch.y0 + margin, patch.x0 + margin
    np.testing.assert_array_equal(patch.image, shrink(padded[top : top + height, left : left + width], factor))
    assert patch.x0 <= x - half
    assert patch.x0 + width >= x + half
    assert patch.y0 % factor == patch.x0 % factor == 0


def test_gray_frames_are_refused_by_a_view_in_colour() -> None:
    """Nobody is measured in gray by a network that learned colours."""
    frames, faces = talking(1)
    finder = MouthFinder(FakeDetector(faces), view="face-96")
    with pytest.raises(UsageError, match=r"face-96 is in colour.*colour=True"):
        finder.push(0, Frame(0.0, frames[0].image, frames[0].thumbnail))


def test_an_unknown_view_names_those_that_there_are() -> None:
    """A wrong name is a usage error, before any frame."""
    for make in (view_of, lambda name: MouthFinder(FakeDetector({}), view=name)):
        with pytest.raises(UsageError, match=r"no view is called nose-12; there is mouth-64, mouth-120"):
            make("nose-12")
