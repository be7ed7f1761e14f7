"""Long shots in windows: pictures that come in pieces, what they tell, and waves of windows joined into one.

What a network tells of a frame depends on frames within its margin, so that windows that overlap by two margins give
what the whole shot would give. What is drawn by chance differs from window to window: there the waves overlap by a
second and are cross-faded where they are quietest.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.synthesis.cues import MATERIALS, MEL_BANDS, Cues
from clapboard.timebase import PICTURE_HZ, ROWS_PER_FRAME, SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32

U8 = NDArray[np.uint8]
WINDOW_FRAMES = 8 * PICTURE_HZ
"""A window is 8 s."""
OVERLAP_FRAMES = PICTURE_HZ
"""What is drawn by chance overlaps by 1 s."""
FADE_SAMPLES = SAMPLE_RATE_HZ // 10
"""A cross-fade takes 0.1 s."""


def spans(count: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """Windows over ``count`` frames or rows, half-open: each begins ``window - overlap`` after the one before.

    The last one is shorter, yet longer than the overlap; one window holds all where there are no more than ``window``.

    Raises
    ------
    UsageError : the overlap is not shorter than the window
    """
    if not 0 <= overlap < window:
        raise UsageError(f"windows of {window} cannot overlap by {overlap}")
    step = window - overlap
    starts = range(0, max(count - overlap, 1), step)
    return [(start, min(start + window, count)) for start in starts if count]


class PictureWindows:
    """Pictures of one shot as they come, handed out in windows that overlap; a window and no more is kept.

    Parameters
    ----------
    window, overlap : frames
    """

    def __init__(self, window: int, overlap: int) -> None:
        if not 0 <= overlap < window:
            raise UsageError(f"windows of {window} frames cannot overlap by {overlap}")
        self._window, self._overlap = window, overlap
        self._waiting: list[U8] = []
        self._count = 0
        self._begin = 0

    def push(self, images: U8) -> list[tuple[int, U8]]:
        """Take the next pictures (T, h, w); returns complete windows, each with the number of its first frame."""
        self._waiting.append(images)
        self._count += len(images)
        found = []
        while self._count >= self._window:
            joined = self._joined()
            found.append((self._begin, joined[: self._window]))
            self._keep(joined[self._window - self._overlap :])
        return found

    def close(self) -> list[tuple[int, U8]]:
        """What is left: one window that ends with the shot; after complete ones it begins with their overlap."""
        found = [(self._begin, self._joined())] if self._count else []
        self._waiting, self._count = [], 0
        return found

    def _joined(self) -> U8:
        """All that waits."""
        return self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)

    def _keep(self, rest: U8) -> None:
        """Begin the next window; a copy, so that the one before can go."""
        self._begin += self._count - len(rest)
        self._waiting, self._count = [rest.copy()], len(rest)


class Kept:
    """What the picture of a shot tells, as it comes: 190 bytes a row; see `clapboard.synthesis.laying.Told`."""

    def __init__(self) -> None:
        self._onset, self._energy, self._materials, self._mel = (bytearray() for _ in range(4))

    def push(self, cues: Cues) -> None:
        """Take the next rows."""
        self._onset += cues.onset.tobytes()
        self._energy += cues.energy.tobytes()
        self._materials += cues.materials.astype(np.float16).tobytes()
        self._mel += cues.mel.astype(np.float16).tobytes()

    def __len__(self) -> int:
        """Rows, R."""
        return len(self._onset) // 4

    @property
    def onset(self) -> F32:
        """Probability that a blow begins, (R,)."""
        return np.frombuffer(bytes(self._onset), np.float32)

    @property
    def energy(self) -> F32:
        """Natural log of power, (R,)."""
        return np.frombuffer(bytes(self._energy), np.float32)

    @property
    def materials(self) -> F32:
        """Probabilities of `MATERIALS`, (R, M)."""
        return np.frombuffer(bytes(self._materials), np.float16).reshape(-1, len(MATERIALS)).astype(np.float32)

    @property
    def mel(self) -> NDArray[np.float16]:
        """Log-mel power, (R, 80)."""
        return np.frombuffer(bytes(self._mel), np.float16).reshape(-1, MEL_BANDS)

    def share(self, names: tuple[str, ...]) -> F32:
        """Probability that a row is one of some materials, (R,)."""
        found = np.frombuffer(bytes(self._materials), np.float16).reshape(-1, len(MATERIALS))
        return np.asarray(found[:, [MATERIALS.index(name) for name in names]].sum(1, dtype=np.float32), np.float32)

    def part(self, begin: int, end: int) -> Cues:
        """Rows from ``begin`` up to ``end``."""
        columns, bands = 2 * len(MATERIALS), 2 * MEL_BANDS
        return Cues(
            np.frombuffer(self._onset[4 * begin : 4 * end], np.float32),
            np.frombuffer(self._energy[4 * begin : 4 * end], np.float32),
            np.frombuffer(self._materials[columns * begin : columns * end], np.float16)
            .reshape(-1, len(MATERIALS))
            .astype(np.float32),
            np.frombuffer(self._mel[bands * begin : bands * end], np.float16).reshape(-1, MEL_BANDS).astype(np.float32),
        )


class CueWindows:
    """What a network tells of a shot, window by window: the same as of the whole shot at once.

    Parameters
    ----------
    cues : what tells it of pictures (T, h, w) uint8: 4 T rows
    margin_frames : frames before and after those that a row depends on
    """

    def __init__(self, cues: Callable[[U8], Cues], margin_frames: int, window_frames: int = WINDOW_FRAMES) -> None:
        self._cues, self._margin = cues, margin_frames
        self._windows = PictureWindows(max(window_frames, 3 * margin_frames + 1), 2 * margin_frames)
        self.kept = Kept()

    def push(self, images: U8) -> None:
        """Take the next pictures."""
        for begin, some in self._windows.push(images):
            self._take(begin, some, self._margin)

    def close(self) -> Kept:
        """End the shot; returns all that was told."""
        for begin, some in self._windows.close():
            self._take(begin, some, 0)
        return self.kept

    def _take(self, begin: int, images: U8, after: int) -> None:
        """Keep the rows of the frames that have their margins, or lie at an end of the shot."""
        before = self._margin if begin else 0
        first, last = ROWS_PER_FRAME * before, ROWS_PER_FRAME * (len(images) - after)
        if last > first:
            self.kept.push(self._cues(images).part(first, last))


class Joined:
    """Waves of windows that overlap, joined as they come."""

    def __init__(self) -> None:
        self._parts: list[F32] = []
        self._length = 0

    def push(self, begin: int, wave: F32) -> None:
        """Take the wave of the next window, its first sample at ``begin``.

        Raises
        ------
        UsageError : there is a hole between it and the one before
        """
        overlap = self._length - begin
        if overlap < 0:
            raise UsageError(f"a window begins at sample {begin}, but the one before ends at {self._length}")
        if overlap >= len(wave):  # nothing new
            return
        if overlap:
            before = self._take_back(overlap)
            wave = np.concatenate([crossfaded(before, wave[:overlap]), wave[overlap:]])
        self._parts.append(wave)
        self._length = begin + len(wave)

    @property
    def samples(self) -> F32:
        """The whole wave so far, (N,)."""
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.float32)

    def parts(self) -> Iterator[tuple[int, F32]]:
        """The wave in pieces, each with its first sample, which are let go of as they are handed out."""
        place = 0
        while self._parts:
            part = self._parts.pop(0)
            yield place, part
            place += len(part)

    def _take_back(self, count: int) -> F32:
        """The last samples, taken off."""
        last = self._parts.pop()
        while len(last) < count:
            last = np.concatenate([self._parts.pop(), last])
        self._parts.append(last[: len(last) - count])
        return last[len(last) - count :]


def crossfaded(before: F32, after: F32) -> F32:
    """One wave that begins as ``before`` and ends as ``after``, both (n,): changed where the two are quietest together.

    The power stays whether they are alike or not: of equal waves nothing changes, of foreign ones the squares of the
    weights sum to 1.
    """
    count = len(before)
    fade = min(FADE_SAMPLES, count)
    power = np.concatenate([[0.0], np.cumsum(before.astype(np.float64) ** 2 + after.astype(np.float64) ** 2)])
    start = int(np.argmin(power[fade:] - power[: count - fade + 1]))
    some = slice(start, start + fade)
    rise = ((np.arange(fade) + 0.5) / fade).astype(np.float32)
    alike = _likeness(before[some], after[some])
    level = np.sqrt(rise**2 + (1 - rise) ** 2 + 2 * alike * rise * (1 - rise))
    middle = ((1 - rise) * before[some] + rise * after[some]) / level
    return np.concatenate([before[:start], middle.astype(np.float32), after[start + fade :]])


def _likeness(one: F32, other: F32) -> float:
    """Correlation of two waves, 0 (foreign) to 1 (equal)."""
    first, second = one.astype(np.float64), other.astype(np.float64)
    both = float(first @ first) * float(second @ second)
    return float(np.clip(first @ second / np.sqrt(both), 0.0, 1.0)) if both > 0 else 1.0


def in_windows(
    rows: int,
    make: Callable[[int, int, int], F32],
    *,
    window_rows: int = ROWS_PER_FRAME * WINDOW_FRAMES,
    overlap_rows: int = ROWS_PER_FRAME * OVERLAP_FRAMES,
) -> "Joined":
    """The wave of so many rows, made window by window.

    Parameters
    ----------
    rows : R
    make : called with the number of a window, its first row and the row after its last; gives (160 n,) samples
    window_rows, overlap_rows : of the windows
    """
    joined = Joined()
    for number, (begin, end) in enumerate(spans(rows, window_rows, overlap_rows)):
        joined.push(begin * SAMPLES_PER_ROW, make(number, begin, end))
    return joined
