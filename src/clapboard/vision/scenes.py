"""Scenes: the whole picture, small, shot by shot, for networks that look at everything and not at a face.

A picture is squeezed to a square, its width and height each by their own factor, by the exact mean over the area of
each new pixel: nothing is cut off, since whatever sounds may be at the edge. ``scene-256`` is what Owens and Efros's
network [1]_ reads: 256 px in colour at 29.97 frames a second, with sound in two channels at 21 kHz.

References
----------
.. [1] A. Owens and A. A. Efros, "Audio-visual scene analysis with self-supervised multisensory features", 2018; sizes
   and rates of the released ``shift_params.py``.
"""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from clapboard.errors import UsageError
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import F32, Crops, Frame, Shot
from clapboard.vision.resample import U8
from clapboard.vision.shots import ShotDetector

CHUNK_FRAMES = 16
"""Pictures are handed out when so many of a shot are ready."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One way to look at a whole picture, and the sound that goes with it.

    Attributes
    ----------
    name : what data sets call it
    px : height and width of its pictures
    colour : RGB, (T, px, px, 3), or luma at the levels of the file, (T, px, px)
    picture_hz : points per second of the picture grid
    sound_hz, channels : rate and number of channels of the sound
    """

    name: str
    px: int
    colour: bool
    picture_hz: Fraction
    sound_hz: int
    channels: int


SCENES = {
    scene.name: scene
    for scene in (
        Scene("scene-64", 64, False, Fraction(PICTURE_HZ), SAMPLE_RATE_HZ, 1),
        Scene("scene-224", 224, True, Fraction(PICTURE_HZ), SAMPLE_RATE_HZ, 1),
        Scene("scene-256", 256, True, Fraction(30000, 1001), 21_000, 2),
    )
}
"""Every scene by its name."""
DEFAULT_SCENE = "scene-64"


def scene_of(name: str) -> Scene:
    """The scene of that name.

    Raises
    ------
    UsageError : there is none
    """
    if name not in SCENES:
        raise UsageError(f"no scene is called {name}; there is {', '.join(SCENES)}")
    return SCENES[name]


def squeeze(image: U8, px: int) -> U8:
    """A whole picture as a square: each new pixel is the mean of the area that it covers, rounded.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8; neither side empty
    px : height and width of the result

    Returns
    -------
    (px, px) or (px, px, 3) uint8; the same pixels where the picture has that size already
    """
    height, width = image.shape[:2]
    if (height, width) == (px, px):
        return image.copy()
    planes = image.shape[2:]
    rows = _means(image.reshape(height, -1), px).reshape(px, width, *planes)
    columns = _means(np.ascontiguousarray(rows.swapaxes(0, 1)).reshape(width, -1), px).reshape(px, px, *planes)
    return np.ascontiguousarray((columns.swapaxes(0, 1) + np.float32(0.5)).astype(np.uint8))


def _means(rows: U8 | F32, count: int) -> F32:
    """Means of rows (H, M) over equal parts of their axis, (count, M); a row at a border counts by its share."""
    border = np.arange(count + 1) * len(rows) / count
    whole = border.astype(np.int64)
    last = np.minimum(whole, len(rows) - 1)
    out = np.empty((count, rows.shape[1]), np.float32)
    # Whole numbers add up fastest; 16 bits hold 257 rows of 255.
    small = rows.dtype == np.uint8 and len(rows) <= 256 * count
    total = np.empty(rows.shape[1], np.uint16 if small else np.float32)
    for part in range(count):
        out[part] = np.add.reduce(rows[last[part] : whole[part + 1]], axis=0, dtype=total.dtype, out=total)
    shares = rows[last] * (border - whole).astype(np.float32)[:, None]
    out += shares[1:]
    out -= shares[:-1]
    out *= np.float32(count / len(rows))
    return out


@dataclass(slots=True)
class _Run:
    """Pictures of one shot, in order, that are not handed out yet."""

    start_s: float
    images: list[U8] = field(default_factory=list)
    time_s: list[float] = field(default_factory=list)

    def add(self, image: U8, time_s: float) -> None:
        """Take the next picture."""
        self.images.append(image)
        self.time_s.append(time_s)

    def join(self, later: "_Run") -> None:
        """Take those of a run that was no shot of its own."""
        self.images += later.images
        self.time_s += later.time_s


class SceneFinder:
    """Squeezes pictures and parts them into shots, streaming; the counterpart of `clapboard.vision.mouths.MouthFinder`.

    A flash, after which the picture is back, is no cut: gunshots and fireworks light up the picture.

    Parameters
    ----------
    scene : a name of `SCENES`

    Raises
    ------
    UsageError : there is no such scene
    """

    def __init__(self, scene: str = DEFAULT_SCENE) -> None:
        self.scene = scene_of(scene)
        self._cuts = ShotDetector()
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._run: _Run | None = None
        self._held: list[_Run] = []  # shots since a cut that may have been a flash
        self._held_frames = 0
        self._grid = -1
        self._frame: Frame | None = None
        self._image: U8 | None = None

    @property
    def shots(self) -> list[Shot]:
        """The shots so far, by number; all of them after `close`. A shot ends where the next one begins."""
        return [Shot(start_s, end_s) for start_s, end_s in zip(self._starts, self._ends, strict=True)]

    def push(self, grid: int, frame: Frame) -> list[Crops]:
        """Take the frame of the next grid point; return the pictures that became ready.

        Parameters
        ----------
        grid : index on the scene's picture grid; a gap ends the shot, as a cut does
        frame : the frame nearest in time to that point; where the file is slow the same object comes again

        Returns
        -------
        list of Crops, each the next part of one shot, in order and without gaps; ``track`` is the number of the shot

        Raises
        ------
        UsageError : the scene is in colour, the frame is not
        """
        out: list[Crops] = []
        if frame is self._frame and grid == self._grid + 1:
            run = self._held[-1] if self._held else self._run
            if run is not None and self._image is not None:
                run.add(self._image, frame.time_s)
        else:
            picture = frame.colour if self.scene.colour else frame.image
            if picture is None:
                raise UsageError(f"{self.scene.name} is in colour, the frames are not; read them with colour=True")
            gap = self._frame is not None and grid != self._grid + 1
            if gap or (self._frame is not None and frame.image.shape != self._frame.image.shape):
                out += self._settle()
                out += self._end(frame.time_s if not gap else self._last_s())
            self._image = squeeze(picture, self.scene.px)
            out += self._next(self._image, frame)
        self._grid, self._frame = grid, frame
        if self._run is not None and not self._held and len(self._run.images) >= CHUNK_FRAMES:
            out += self._hand_out()
        return out

    def close(self) -> list[Crops]:
        """End the last shot; return the rest of its pictures."""
        out = self._settle()
        out += self._end(self._last_s())
        self._frame = None
        return out

    def _next(self, image: U8, frame: Frame) -> list[Crops]:
        """A new picture: the shot goes on, or a new one begins."""
        out: list[Crops] = []
        cut = self._cuts.push(frame.thumbnail)
        if self._run is None:
            self._run = _Run(frame.time_s)
        elif cut:
            self._held_frames = self._held_frames if self._held else 0
            self._held.append(_Run(frame.time_s))
        elif self._cuts.back and self._held:
            for run in self._held:
                self._run.join(run)
            self._held = []
        run = self._held[-1] if self._held else self._run
        run.add(image, frame.time_s)
        if self._held:
            self._held_frames += 1
            if self._held_frames > self._cuts.flash_frames:
                out += self._settle()
        return out

    def _settle(self) -> list[Crops]:
        """What was held was no flash: these are shots."""
        out: list[Crops] = []
        for run in self._held:
            out += self._end(run.start_s)
            self._run = run
        self._held = []
        return out

    def _end(self, end_s: float) -> list[Crops]:
        """End the shot that runs."""
        if self._run is None:
            return []
        out = self._hand_out()
        self._starts.append(self._run.start_s)
        self._ends.append(end_s)
        self._run = None
        return out

    def _last_s(self) -> float:
        """End of the last picture, s."""
        return 0.0 if self._frame is None else self._frame.time_s + float(1 / self.scene.picture_hz)

    def _hand_out(self) -> list[Crops]:
        """The pictures that wait."""
        run = self._run
        if run is None or not run.images:
            return []
        crops = Crops(len(self._starts), np.stack(run.images), np.array(run.time_s, np.float64))
        run.images, run.time_s = [], []
        return [crops]
