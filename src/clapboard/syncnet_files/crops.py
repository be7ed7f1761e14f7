"""Every face track as a film of its own with the sound under it, from a second decode of the file.

The square is that of the view ``face-224``, the sound 16 kHz and mono. A film begins at the time at which its track
begins, to the sample, and sound and picture lie in it as they do in the file.
"""

from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from clapboard.errors import MediaError
from clapboard.media.film import Film
from clapboard.media.grid import on_grid
from clapboard.media.read import read
from clapboard.syncnet_files.tables import VIEW, Grid
from clapboard.timebase import MAX_GRID_POINTS, PICTURE_HZ, SAMPLE_RATE_HZ, begin_s
from clapboard.values import Audio, Clip, Frame, Hook, Track
from clapboard.vision.views import SquareCutter, poses, reach

SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // PICTURE_HZ


def name_of(number: int) -> str:
    """File name of the film of a track, counted from 0."""
    return f"{number:05d}.avi"


def write_crops(
    clip: Clip, tracks: Sequence[Track], folder: Path, *, hook: Hook | None = None, threads: int = 1
) -> Grid:
    """Decode a file once more and write ``00000.avi``, ``00001.avi`` ... in the order of ``tracks``.

    Returns
    -------
    Grid : the frames of the file, whether a face is in them or not

    Raises
    ------
    MediaError : the file cannot be read, is not the one that the tracks were found in, or nothing can be written
    """
    numbers, time_s = array("q"), array("d")
    with ExitStack() as stack:
        cutter = _Cutter(tracks, folder, stack, threads)

        def pictures() -> Iterator[Frame]:
            for item in read(clip, colour=True, hook=hook, threads=threads):
                if isinstance(item, Frame):
                    yield item
                else:
                    cutter.hear(item)

        for point, frame in on_grid(pictures()):
            if numbers and point - numbers[0] > MAX_GRID_POINTS:
                raise MediaError(f"{clip.path}: its timestamps span days; remux it first")
            numbers.append(point)
            time_s.append(frame.time_s)
            if not cutter.show(frame):
                raise MediaError(f"{clip.path}: was changed while it was read; try again")
        if not cutter.close():
            raise MediaError(f"{clip.path}: was changed while it was read; try again")
    points = np.array(numbers, np.int64)
    first = int(points[0]) if len(points) else 0
    return Grid(points - first, np.array(time_s, np.float64), first / PICTURE_HZ)


class _Cutter:
    """Hands pictures and sound to the films that they belong to; films are open only while they are needed."""

    def __init__(self, tracks: Sequence[Track], folder: Path, stack: ExitStack, threads: int) -> None:
        films = [_Crop(track, folder / name_of(number), threads) for number, track in enumerate(tracks)]
        self._waiting = deque(sorted(films, key=lambda film: film.due_s))
        self._open: list[_Crop] = []
        self._stack = stack
        self._heard_s = -np.inf

    def show(self, frame: Frame) -> bool:
        """Take in the frame of the next grid point; False where a track saw another one."""
        self._begin(frame.time_s)
        good = all(film.show(frame) for film in self._open)
        self._end()
        return good

    def hear(self, run: Audio) -> None:
        """Take in the next run of sound."""
        self._heard_s = max(self._heard_s, run.end_s)
        self._begin(run.end_s)
        for film in self._open:
            film.hear(run)
        self._end()

    def close(self) -> bool:
        """Finish all films; False where one lacks pictures."""
        whole = not self._waiting and all(film.complete for film in self._open)
        self._heard_s = np.inf
        if whole:
            self._end()
        return whole

    def _begin(self, time_s: float) -> None:
        """Open the films that begin by then."""
        while self._waiting and self._waiting[0].due_s <= time_s:
            film = self._waiting.popleft()
            film.open(self._stack.enter_context(ExitStack()))
            self._open.append(film)

    def _end(self) -> None:
        """Close the films that have all they need."""
        done = [film for film in self._open if film.complete and self._heard_s >= film.end_s]
        for film in done:
            film.stack.close()
            self._open.remove(film)


class _Crop:
    """The film of one track."""

    def __init__(self, track: Track, path: Path, threads: int) -> None:
        self._track, self._path, self._threads = track, path, threads
        self._poses = poses(VIEW, track.boxes, track.landmarks)
        self._begin_s = begin_s(track.time_s)
        self.end_s = self._begin_s + len(track.time_s) / PICTURE_HZ
        self.due_s = min(self._begin_s, float(track.time_s[0]))
        self._square = SquareCutter(VIEW, reach(VIEW))
        self._shown = 0

    def open(self, stack: ExitStack) -> None:
        """Begin to write; the film is finished when ``stack`` is closed."""
        self.stack = stack
        self._film = stack.enter_context(
            Film(
                self._path,
                width_px=VIEW.px,
                height_px=VIEW.px,
                rate=PICTURE_HZ,
                codec="mpeg4",
                sound=(SAMPLE_RATE_HZ, 1, "pcm_s16le"),
                threads=self._threads,
            )
        )

    @property
    def complete(self) -> bool:
        """Whether all its pictures are written."""
        return self._shown == len(self._track.time_s)

    def show(self, frame: Frame) -> bool:
        """Write the face in the next frame; False where the track saw another frame."""
        at = self._shown
        if self.complete or (at == 0 and frame.time_s < self._track.time_s[0]):
            return True
        if frame.time_s != self._track.time_s[at] or frame.colour is None:
            return False
        self._film.picture(self._square(frame.colour, self._poses[at]), at / PICTURE_HZ)
        self._shown += 1
        return True

    def hear(self, run: Audio) -> None:
        """Write what of this sound lies under the track, to the sample."""
        first = round((run.start_s - self._begin_s) * SAMPLE_RATE_HZ)
        begin, end = max(0, -first), SAMPLES_PER_FRAME * len(self._track.time_s) - first
        if begin < min(end, len(run.samples)):
            self._film.sound(run.samples[begin:end], (first + begin) / SAMPLE_RATE_HZ)
