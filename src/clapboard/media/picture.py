"""From a decoded frame to what the stages look at: luma, upright, with square pixels; a thumbnail; RGB where asked."""

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from av import VideoFrame
from av.filter import Graph
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from clapboard.errors import NoVideoError
from clapboard.values import Clip

U8 = NDArray[np.uint8]

LONG_SIDE_PX = 1920
"""Pictures with a longer side than this are shrunk by a whole number ..."""
SHRUNK_SIDE_PX = 1280
"""... that leaves the longer side at least this long (px): 3840 becomes 1280."""
SQUARE = 0.01
"""Pixels that are non-square by less than this share are taken as square."""
THUMBNAIL = (36, 64)
"""Rows and columns of the thumbnail of a picture that is wider than high."""

# 8-bit formats whose luma and both chroma planes can be looked at where they lie
_PLANAR = frozenset(f"yuv{j}{s}" for j in ("", "j", "a") for s in ("420p", "422p", "444p", "440p", "411p", "410p")) | {
    "gray"
}


class Upright:
    """Turns the frames of one stream into images and thumbnails.

    8-bit planar YUV is not copied: the image is a read-only view of the decoder's buffer, which lives as long as the
    view. Everything else is converted to 8 bits first. Levels stay those of the file: 16 to 235 in most. Colours are
    RGB from 0 to 255, by the file's own matrix and range (BT.601 where it does not say).

    Parameters
    ----------
    rotation_deg : clockwise turn to apply: 0, 90, 180 or 270
    sample_aspect : width of a pixel over its height
    field_order : FFmpeg's number for the order of fields of the stream, used where a frame does not tell
    colour : whether colours are wanted as well
    """

    def __init__(
        self, rotation_deg: int, sample_aspect: Fraction, field_order: int = 0, *, colour: bool = False
    ) -> None:
        self._turns = -(rotation_deg // 90)  # numpy turns counter-clockwise
        self._aspect = sample_aspect
        self._fields = _FieldOrder(field_order)
        self._to_eight_bits = VideoReformatter()
        self._scaler = VideoReformatter()
        self._colour = colour
        self._to_rgb, self._to_fields = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: VideoFrame) -> tuple[U8, U8, U8 | None]:
        """Image (H, W) uint8, thumbnail (h, w, 3) uint8 and, where asked for, colours (H, W, 3) uint8 of one frame.

        Of an interlaced frame only the field that is shown first is used: the frame's time is that field's time.
        """
        interlaced = bool(frame.interlaced_frame)
        first_row = self._fields.first_row(frame) if interlaced else 0
        source = frame
        if frame.format.name not in _PLANAR:
            frame = self._to_eight_bits.reformat(frame, format="yuv420p")
        luma = _plane(frame, 0)
        thumbnail = _thumbnail(frame, luma)
        height, width = luma.shape
        if interlaced:
            luma = luma[first_row::2]
        luma = self._scale(luma, *_square_size(width, height, self._aspect))
        image = np.rot90(luma, self._turns) if self._turns else luma
        image.flags.writeable = False  # the decoder may still predict from these pixels
        colours = self._colours(source, first_row if interlaced else None, luma) if self._colour else None
        return image, np.ascontiguousarray(np.rot90(thumbnail, self._turns)), colours

    def _colours(self, frame: VideoFrame, first_row: int | None, luma: U8) -> U8:
        """RGB (H, W, 3) of a frame, or of the field that begins with a row, as large as its luma and then turned."""
        if first_row is not None:
            if frame.format.name not in _PLANAR:
                # Between formats with the same rows of chroma, so that the fields do not mix.
                sampling = next((s for s in ("420p", "444p") if s in frame.format.name), "422p")
                frame = self._to_fields.reformat(frame, format=f"yuv{sampling}")
            frame = _field(frame, first_row)
        height, width = luma.shape
        way = Interpolation.AREA if width < frame.width else Interpolation.BILINEAR
        rgb: Any = self._to_rgb.reformat(frame, width=width, height=height, format="rgb24", interpolation=way)
        plane = rgb.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, : 3 * width]
        colours: U8 = np.rot90(rows.reshape(height, width, 3), self._turns)
        colours.flags.writeable = False
        return colours

    def _scale(self, luma: U8, width: int, height: int) -> U8:
        """Resize where needed: luma alone, gray to gray, so that the levels stay."""
        if luma.shape == (height, width) or not luma.size:
            return luma
        shrinks = width < luma.shape[1]
        source = VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray")
        way = Interpolation.AREA if shrinks else Interpolation.BILINEAR
        return _plane(self._scaler.reformat(source, width=width, height=height, interpolation=way), 0)


def _square_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Width and height in square pixels, shrunk by a whole number where large."""
    ratio = float(aspect) if aspect > 0 else 1.0
    wide, high = float(width), float(height)
    if abs(ratio - 1) > SQUARE and 1 / 16 < ratio < 16:
        wide, high = (wide * ratio, high) if ratio > 1 else (wide, high / ratio)
    shrink = 1
    if max(wide, high) > LONG_SIDE_PX:
        shrink = max(1, int(max(wide, high) // SHRUNK_SIDE_PX))
    return max(1, round(wide / shrink)), max(1, round(high / shrink))


def upright_size(clip: Clip) -> tuple[int, int]:
    """Width and height of the images that the frames of a clip become, px; boxes of faces are measured in them.

    Raises
    ------
    NoVideoError : it has no picture
    """
    if clip.video is None:
        raise NoVideoError(f"{clip.path}: has no picture")
    width, height = _square_size(clip.video.width_px, clip.video.height_px, clip.sample_aspect)
    return (height, width) if clip.rotation_deg % 180 else (width, height)


def _plane(frame: Any, index: int) -> U8:
    """One 8-bit plane as an array (H, W); it keeps the frame alive."""
    plane = frame.planes[index]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _field(frame: Any, first_row: int) -> Any:
    """Every second row of a planar frame, chroma like luma: in interlaced video each field has chroma of its own."""
    rows = -(-(frame.height - first_row) // 2)
    field = VideoFrame(frame.width, rows, frame.format.name)
    field.colorspace, field.color_range = frame.colorspace, frame.color_range
    for index, plane in enumerate(field.planes):
        source = _plane(frame, index)[first_row::2]
        target = np.zeros((plane.buffer_size // plane.line_size, plane.line_size), np.uint8)
        # An odd number of rows leaves one field short by a row of chroma: its last one is taken twice.
        target[: plane.height, : plane.width] = source[np.minimum(np.arange(plane.height), len(source) - 1)]
        plane.update(target.tobytes())
    return field


def _thumbnail(frame: Any, luma: U8) -> U8:
    """Sample Y, U and V on a coarse grid (h, w, 3), not turned."""
    rows, columns = THUMBNAIL if luma.shape[1] >= luma.shape[0] else THUMBNAIL[::-1]
    out = np.full((rows, columns, 3), 128, np.uint8)
    planes = [luma] if len(frame.planes) < 3 else [luma, _plane(frame, 1), _plane(frame, 2)]
    for index, plane in enumerate(planes):
        high, wide = plane.shape
        if high and wide:
            out[:, :, index] = plane[_middles(rows, high)[:, None], _middles(columns, wide)]
    return out


@lru_cache(maxsize=32)
def _middles(parts: int, length: int) -> NDArray[np.int64]:
    """Index of the middle of each of so many equal parts of an axis."""
    return (np.arange(parts) * 2 + 1) * length // (2 * parts)


class _FieldOrder:
    """Which field of an interlaced frame is shown first.

    PyAV does not hand out the flag of the frame, so a filter that lets only top-field-first frames pass is asked; the
    frame is passed by reference, no pixel is touched.
    """

    def __init__(self, stream_order: int) -> None:
        self._bottom_first = stream_order in (3, 4)  # AV_FIELD_BB, AV_FIELD_TB: bottom displayed first
        self._graph: Any = None
        self._key: tuple[int, int, str] = (0, 0, "")

    def first_row(self, frame: Any) -> int:
        """0 when the top field is shown first, else 1."""
        try:
            return 0 if self._is_top_first(frame) else 1
        except (OSError, ValueError, RuntimeError):  # no such filter in this build
            return 1 if self._bottom_first else 0

    def _is_top_first(self, frame: Any) -> bool:
        key = (frame.width, frame.height, frame.format.name)
        if self._graph is None or key != self._key:
            graph = Graph()
            # time_base is of no account here
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
            )
            select = graph.add("select", "eq(interlace_type,1)")
            sink = graph.add("buffersink")
            source.link_to(select)
            select.link_to(sink)
            graph.configure()
            self._graph, self._key = graph, key
        self._graph.push(frame)
        try:
            self._graph.pull()
        except (BlockingIOError, EOFError):  # held back: not top field first
            return False
        return True


def field_order_of(stream: Any) -> int:
    """FFmpeg's number for the field order of a stream, 0 where unknown."""
    return int(getattr(stream.codec_context, "field_order", 0) or 0)
