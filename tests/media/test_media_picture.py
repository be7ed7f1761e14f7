"""Pictures come out upright, with square pixels, as 8-bit luma at the levels of the file."""

import weakref
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from media_clips import HEIGHT, WIDTH, decode, flash_and_beep
from numpy.typing import NDArray

from clapboard.media.encode import write_clip
from clapboard.media.picture import Upright
from clapboard.media.probe import probe, quarter_turn
from clapboard.media.read import read_frames
from clapboard.values import Frame

TURN = 65_536


def first_frame(path: Path, *, colour: bool = False) -> Frame:
    return next(read_frames(probe(path), colour=colour))


def quarters() -> NDArray[np.uint8]:
    """A picture whose quarters are red, green, blue and gray, clockwise from the top left."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    top, left = HEIGHT // 2, WIDTH // 2
    image[:top, :left], image[:top, left:] = (200, 30, 30), (30, 160, 30)
    image[top:, left:], image[top:, :left] = (40, 40, 220), (120, 120, 120)
    return image


def corners_of(image: NDArray[np.uint8]) -> list[list[int]]:
    """Mean colour about the middle of each quarter, clockwise from the top left."""
    high, wide = image.shape[0] // 4, image.shape[1] // 4
    places = ((1, 1), (1, 3), (3, 3), (3, 1))
    return [
        image[y * high - 4 : y * high + 4, x * wide - 4 : x * wide + 4].mean((0, 1)).round().astype(int).tolist()
        for y, x in places
    ]


def top_bright() -> NDArray[np.uint8]:
    image = np.full((HEIGHT, WIDTH), 40, np.uint8)
    image[: HEIGHT // 2] = 220
    return image


@pytest.mark.parametrize(
    ("turn", "bright"),
    [(0, np.s_[:20, :]), (90, np.s_[:, -20:]), (180, np.s_[-20:, :]), (270, np.s_[:, :20])],
)
def test_rotation_is_applied(tmp_path: Path, turn: int, bright: tuple[slice, slice]) -> None:
    """A phone held upright: the bright top goes where the display matrix sends it, thumbnail included."""
    path = tmp_path / "turned.mp4"
    write_clip(path, [top_bright()] * 3, 25, rotation_deg=turn)
    frame = first_frame(path)
    assert probe(path).rotation_deg == turn
    assert frame.image.shape == ((HEIGHT, WIDTH) if turn % 180 == 0 else (WIDTH, HEIGHT))
    assert frame.image[bright].mean() > 180
    assert frame.image.min() < 60
    rows, columns = frame.thumbnail.shape[:2]
    assert (rows < columns) == (turn % 180 == 0)
    assert frame.thumbnail[: rows // 3, :, 0].mean() == pytest.approx(
        frame.image[: len(frame.image) // 3].mean(), abs=9
    )


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((TURN, 0, 0, 0, TURN, 0, 0, 0, 1 << 30), 0),
        ((0, TURN, 0, -TURN, 0, 0, 0, 0, 1 << 30), 90),
        ((-TURN, 0, 0, 0, -TURN, 0, 0, 0, 1 << 30), 180),
        ((0, -TURN, 0, TURN, 0, 0, 0, 0, 1 << 30), 270),
        ((-TURN, 0, 0, 0, TURN, 0, 0, 0, 1 << 30), 0),  # mirrored: upright already
        ((TURN, 0, 0, 0, -TURN, 0, 0, 0, 1 << 30), 180),  # upside down by mirroring
        ((0,) * 9, 0),  # damaged
    ],
)
def test_turn_of_a_display_matrix(matrix: tuple[int, ...], turn: int) -> None:
    """What is up comes out up, mirrored or not."""
    assert quarter_turn(matrix) == turn


def encode_fields(path: Path, codec: str, mode: str) -> Path:
    """A clip whose top field is bright and whose bottom field is dark, shown in the order that ``mode`` says."""
    image = np.full((HEIGHT, WIDTH), 60, np.uint8)
    image[0::2] = 200
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options={"flags": "+ildct+ilme", "qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        graph = Graph()
        source = graph.add_buffer(width=WIDTH, height=HEIGHT, format="yuv420p", time_base=Fraction(1, 25))
        mark, sink = graph.add("setfield", f"mode={mode}"), graph.add("buffersink")
        source.link_to(mark)
        mark.link_to(sink)
        graph.configure()
        for index in range(4):
            frame = av.VideoFrame.from_ndarray(image, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            graph.push(frame)
            out.mux(stream.encode(graph.pull()))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
@pytest.mark.parametrize(("mode", "level"), [("tff", 200), ("bff", 60)])
def test_interlaced_shows_the_first_field(tmp_path: Path, codec: str, mode: str, level: int) -> None:
    """The time of a frame is that of the field shown first, so only its rows are used; the shape stays."""
    image = first_frame(encode_fields(tmp_path / "fields.mkv", codec, mode)).image
    limited = 16 + level * 219 / 255
    assert image.shape == (HEIGHT, WIDTH)
    assert image.mean() == pytest.approx(limited, abs=12)


@pytest.mark.parametrize(
    ("pixel_format", "codec"),
    [
        ("yuv420p", "ffv1"),
        ("yuv422p", "ffv1"),
        ("yuv444p", "ffv1"),
        ("yuv420p10le", "ffv1"),
        ("yuv422p10le", "ffv1"),
        ("yuv444p12le", "ffv1"),
        ("yuv420p10le", "libx265"),
        ("gray", "ffv1"),
        ("gray16le", "ffv1"),
        ("bgr0", "ffv1"),
    ],
)
def test_any_pixel_format(tmp_path: Path, pixel_format: str, codec: str) -> None:
    """8 to 16 bits, any chroma, RGB, gray: the picture is the same picture."""
    ramp = np.tile(np.linspace(30, 220, WIDTH).astype(np.uint8), (HEIGHT, 1))
    path = tmp_path / "ramp.mkv"
    write_clip(path, [ramp] * 8, 25, video_codec=codec, pixel_format=pixel_format)
    image = first_frame(path).image
    full = pixel_format == "gray"  # nothing is converted, so full range stays
    expected = ramp.astype(float) if full else 16 + ramp * (219 / 255)
    assert image.shape == (HEIGHT, WIDTH)
    assert np.abs(image - expected).mean() < 4


@pytest.mark.parametrize(("aspect", "shape"), [(Fraction(2), (48, 128)), (Fraction(1, 2), (96, 64))])
def test_pixels_become_square(tmp_path: Path, aspect: Fraction, shape: tuple[int, int]) -> None:
    """Anamorphic pictures are widened, or heightened, never squeezed."""
    path = tmp_path / "wide.mkv"
    write_clip(path, [top_bright()] * 2, 25, sample_aspect=aspect)
    assert probe(path).sample_aspect == aspect
    assert first_frame(path).image.shape == shape


def test_almost_square_is_square(tmp_path: Path) -> None:
    """1792:1791, as converters write it, costs no resampling."""
    path = tmp_path / "almost.mkv"
    write_clip(path, [top_bright()] * 2, 25, sample_aspect=Fraction(1792, 1791))
    assert first_frame(path).image.shape == (HEIGHT, WIDTH)


def test_large_pictures_are_shrunk_by_a_whole_number() -> None:
    """4K becomes 1280 wide; HD stays."""
    upright = Upright(0, Fraction(1))
    for width, height, shape in ((3840, 2160, (720, 1280)), (1920, 1080, (1080, 1920)), (2160, 3840, (1280, 720))):
        frame = av.VideoFrame(width, height, "yuv420p")
        assert upright(frame)[0].shape == shape


def test_image_cannot_be_written(tmp_path: Path) -> None:
    """It may be the decoder's own memory, from which the next pictures are predicted."""
    image = first_frame(flash_and_beep(tmp_path / "clip.mp4")).image
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0] = 1


def test_image_outlives_the_file(tmp_path: Path) -> None:
    """A view keeps what it looks at alive: pictures kept until the end are still the same pictures."""
    _, frames, _ = decode(flash_and_beep(tmp_path / "clip.mp4"))
    levels = [float(frame.image.mean()) for frame in frames]
    *dark, white = sorted(levels)
    assert white > 200
    assert max(dark) < 40


def test_nothing_is_kept_while_reading(tmp_path: Path) -> None:
    """Memory does not grow with length: of 200 pictures never more than a few are alive."""
    path = tmp_path / "long.mp4"
    write_clip(path, [np.full((HEIGHT, WIDTH), index, np.uint8) for index in range(200)], 50)
    alive: set[int] = set()
    most = 0
    for index, frame in enumerate(read_frames(probe(path))):
        alive.add(index)
        weakref.finalize(frame.image, alive.discard, index)
        most = max(most, len(alive))
    assert index == 199
    assert most <= 3


def test_colours_reach_the_thumbnail(tmp_path: Path) -> None:
    """A cut between two scenes of one brightness shows in the chroma."""
    red, blue = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
    red[..., 0], blue[..., 2] = 200, 200
    path = tmp_path / "colours.mp4"
    write_clip(path, [red] * 5 + [blue] * 5, 25)
    frames = list(read_frames(probe(path)))
    assert frames[0].thumbnail.shape == (36, 64, 3)
    difference = frames[-1].thumbnail.astype(int).mean(axis=(0, 1)) - frames[0].thumbnail.mean(axis=(0, 1))
    assert difference[1] > 60
    assert difference[2] < -60


def test_colours_only_where_asked(tmp_path: Path) -> None:
    """Whoever does not ask does not pay, and gets the same luma."""
    path = tmp_path / "colours.mp4"
    write_clip(path, [quarters()] * 3, 25)
    plain, coloured = first_frame(path), first_frame(path, colour=True)
    assert plain.colour is None
    np.testing.assert_array_equal(plain.image, coloured.image)
    np.testing.assert_array_equal(plain.thumbnail, coloured.thumbnail)
    assert coloured.colour is not None
    assert coloured.colour.shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(ValueError, match="read-only"):
        coloured.colour[0, 0, 0] = 1


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(2)])
def test_colours_are_upright_with_square_pixels(tmp_path: Path, turn: int, aspect: Fraction) -> None:
    """Rotation, non-square pixels: every pixel of colour lies over its pixel of luma, and is R, G, B in that order."""
    path = tmp_path / "turned.mkv" if turn == 0 else tmp_path / "turned.mp4"
    write_clip(path, [quarters()] * 3, 25, rotation_deg=turn, sample_aspect=aspect)
    frame = first_frame(path, colour=True)
    assert frame.colour is not None
    assert frame.colour.shape == (*frame.image.shape, 3)
    clockwise = [[200, 30, 30], [30, 160, 30], [40, 40, 220], [120, 120, 120]]
    first = (4 - turn // 90) % 4
    np.testing.assert_allclose(corners_of(frame.colour), clockwise[first:] + clockwise[:first], atol=9)
    luma = frame.colour @ np.array([0.299, 0.587, 0.114]) * 219 / 255 + 16
    assert np.abs(luma - frame.image).mean() < 3


@pytest.mark.parametrize(
    ("pixel_format", "codec"),
    [
        ("yuv420p", "libx264"),
        ("yuv422p", "ffv1"),
        ("yuv444p", "ffv1"),
        ("yuv420p10le", "ffv1"),
        ("yuv422p10le", "ffv1"),
        ("yuv444p12le", "ffv1"),
        ("bgr0", "ffv1"),
    ],
)
def test_colours_of_any_pixel_format(tmp_path: Path, pixel_format: str, codec: str) -> None:
    """8 to 12 bits, any chroma, RGB: the colours are the same colours."""
    path = tmp_path / "quarters.mkv"
    write_clip(path, [quarters()] * 4, 25, video_codec=codec, pixel_format=pixel_format)
    frame = first_frame(path, colour=True)
    assert frame.colour is not None
    np.testing.assert_allclose(
        corners_of(frame.colour), [[200, 30, 30], [30, 160, 30], [40, 40, 220], [120, 120, 120]], atol=9
    )


def test_gray_has_equal_colours(tmp_path: Path) -> None:
    """A file without chroma gives R = G = B."""
    path = tmp_path / "gray.mkv"
    write_clip(path, [top_bright()] * 2, 25, video_codec="ffv1", pixel_format="gray")
    colour = first_frame(path, colour=True).colour
    assert colour is not None
    assert int(np.ptp(colour.astype(int), axis=2).max()) <= 1
    assert colour[:20].mean() == pytest.approx(220, abs=2)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv420p10le", "yuv422p10le"])
@pytest.mark.parametrize(("first_row", "wanted"), [(0, (200, 40, 40)), (1, (40, 60, 210))])
def test_colours_of_a_field_are_its_own(pixel_format: str, first_row: int, wanted: tuple[int, int, int]) -> None:
    """Interlaced: top field red, bottom field blue; each has chroma rows of its own, which must not mix."""
    bits = np.uint16 if "10" in pixel_format else np.uint8
    frame = av.VideoFrame(64, 50, pixel_format)  # 25 rows of chroma in 4:2:0: one field has one less
    for index, plane in enumerate(frame.planes):
        rows = np.zeros((plane.buffer_size // plane.line_size, plane.line_size // np.dtype(bits).itemsize), bits)
        for row, rgb in ((0, (200, 40, 40)), (1, (40, 60, 210))):
            pixel = av.VideoFrame.from_ndarray(np.full((16, 16, 3), rgb, np.uint8), format="rgb24")
            yuv = np.frombuffer(pixel.reformat(format="yuv444p").planes[index], np.uint8)[0]
            rows[row::2] = yuv.astype(bits) * (4 if bits is np.uint16 else 1)
        plane.update(rows.tobytes())
    upright = Upright(0, Fraction(1), colour=True)
    colours = upright._colours(frame, first_row, np.zeros((50, 64), np.uint8))
    np.testing.assert_allclose(colours.reshape(-1, 3), np.tile(wanted, (64 * 50, 1)), atol=6)


def test_interlaced_file_in_colour(tmp_path: Path) -> None:
    """The whole way: the colours of an interlaced frame come from the field whose luma is shown."""
    frame = first_frame(encode_fields(tmp_path / "fields.mkv", "libx264", "bff"), colour=True)
    assert frame.colour is not None
    assert frame.colour.shape == (HEIGHT, WIDTH, 3)
    assert frame.colour.mean() == pytest.approx(60, abs=12)
