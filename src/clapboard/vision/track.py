"""One face through one shot: where it is expected, what was seen of it, and which faces belong to which track."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F32, F64
from clapboard.vision.crop import LOOK_AHEAD_FRAMES, Patch, cut_patch, shrink_factor
from clapboard.vision.detect import overlap
from clapboard.vision.views import DEFAULT_VIEW, VIEWS, View, outside, place, poses, reach

MAX_MISSES = 10
"""A face unseen for more than so many grid frames in a row (0.4 s) ends its track; shorter gaps are interpolated."""
MIN_FRAMES = 10
"""Shortest track (0.4 s): less is a flicker, and too little for windows of five frames."""
MIN_MEAN_SCORE = 0.95
"""Least mean score of the frames in which a track was seen; real faces keep 0.99 and more."""
MIN_SEEN_SHARE = 0.5
"""Least share of a track's frames in which it was seen."""
HIT_SCORE = 0.8
"""Least score at which the expected face counts as seen."""
HIT_OVERLAP = 0.3
"""Least intersection over union of the expected box and the one seen."""
SAME_OVERLAP = 0.5
"""From this intersection over union on, two boxes of one frame are one face."""
STEADY_SCORE = 0.98
"""Least score of a face that may be passed over for a frame."""
STEADY_MOTION = 0.03
"""Largest movement of any landmark of such a face, widths of its box per grid frame."""

_BOX, _POINTS, _SCORE = slice(0, 4), slice(4, 14), 14
_COLUMNS = 15


@dataclass(slots=True)
class _Rows:
    """A growing table: 64 bytes a frame and face, all that is kept for good."""

    values: F32
    time_s: F64
    count: int = 0

    def add(self, time_s: float) -> None:
        if self.count == len(self.time_s):
            self.values = np.concatenate([self.values, np.empty_like(self.values)])
            self.time_s = np.concatenate([self.time_s, np.empty_like(self.time_s)])
        self.time_s[self.count] = time_s
        self.count += 1


class FaceTrack:
    """One face, frame by frame: `hit`, `miss`, `pass_over` or `repeat` for every grid frame, then `ready` and `take`.

    Parameters
    ----------
    shot : index of the shot
    grid : grid frame of the first sight
    view : what is cut out; the images given have to be in its colours

    Attributes
    ----------
    seen : grid frames up to and with the last one in which the face was seen
    misses : grid frames since then
    passed : grid frames since then that nobody looked at; the next sight, or `settle`, says what was in them
    number : number given by the owner once the track is accepted, -1 before
    """

    def __init__(self, shot: int, grid: int, view: View = VIEWS[DEFAULT_VIEW]) -> None:
        self.shot = shot
        self._view = view
        self.grid = grid
        self.number = -1
        self.seen = 0
        self.misses = 0
        self.passed = 0
        self.hits = 0
        self._score_sum = 0.0
        self._rows = _Rows(np.empty((32, _COLUMNS), np.float32), np.empty(32, np.float64))
        self._patches: deque[Patch] = deque()
        self._taken = 0
        self._factor = 0
        self._box = np.zeros(4)
        self._speed = np.zeros(2)
        self._motion = 0.0

    def expected(self) -> F64:
        """Box (4,) where the face should be in the next frame."""
        # Half of the speed: all of it would pass the shaking of the landmarks on to the window of the next frame.
        step = self._speed * 0.5 * (self.passed + 1)
        return np.asarray(self._box + np.concatenate([step, step]), np.float64)

    def hit(self, time_s: float, image: NDArray[np.uint8], box: F32, landmarks: F32, score: float) -> None:
        """The face was seen: box (4,), landmarks (5, 2) px."""
        rows = self._rows
        rows.add(time_s)
        now = rows.values[rows.count - 1]
        now[_BOX], now[_POINTS], now[_SCORE] = box, landmarks.reshape(-1), score
        if self.hits:
            moved = np.hypot(*(landmarks - rows.values[self.seen - 1, _POINTS].reshape(5, 2)).T).max()
            self._motion = float(moved) / (rows.count - self.seen) / float(box[2] - box[0])
        if self.misses or self.passed:
            self._fill(self.seen - 1, rows.count - 1)
        self._follow(np.asarray(box, np.float64))
        self._count(score)
        self._keep(image, box, landmarks, 1.0)

    def miss(self, time_s: float, image: NDArray[np.uint8]) -> None:
        """The face was not seen: it goes on as it went."""
        self._box = self.expected()
        self._speed *= 0.8
        self.misses += 1 + self.passed
        self.passed = 0
        self._rows.add(time_s)
        self._rows.values[self.seen : self._rows.count, _SCORE] = np.nan
        self._keep_about(image, self._box, 1.3)

    @property
    def steady(self) -> bool:
        """Whether a frame may be passed over: the face is known for a while, surely seen, and hardly moves."""
        return (
            self.hits >= MIN_FRAMES
            and not self.misses
            and bool(self._rows.values[self.seen - 1, _SCORE] >= STEADY_SCORE)
            and self._motion <= STEADY_MOTION
        )

    def pass_over(self, time_s: float, image: NDArray[np.uint8]) -> None:
        """Nobody looked for the face in this frame; its landmarks will lie between those before and after."""
        self._rows.add(time_s)
        self._rows.values[self._rows.count - 1] = self._rows.values[self.seen - 1]
        self._keep_about(image, self.expected(), 1.0)
        self.passed += 1

    def settle(self) -> None:
        """No further frame comes: in those passed over last, the face is where it was seen last."""
        if self.passed:
            self._count(float(self._rows.values[self.seen - 1, _SCORE]), 0)

    def repeat(self, time_s: float) -> None:
        """The same picture once more: what was seen in it is the same."""
        rows = self._rows
        rows.add(time_s)
        rows.values[rows.count - 1] = rows.values[rows.count - 2]
        self._patches.append(self._patches[-1])
        if self.misses:
            self.misses += 1
        elif self.passed:
            self.passed += 1
        else:
            self._count(float(rows.values[rows.count - 1, _SCORE]))

    @property
    def lost(self) -> bool:
        """Whether it was not seen for too long."""
        return self.misses > MAX_MISSES

    @property
    def credible(self) -> bool:
        """Whether this is a face and not a flicker: long enough, seen often enough, with scores high enough."""
        return (
            self.seen >= MIN_FRAMES
            and self.hits >= MIN_SEEN_SHARE * self.seen
            and self._score_sum >= MIN_MEAN_SCORE * self.hits
        )

    def ready(self, final: bool) -> int:
        """How many frames have all that smoothing needs and were not taken yet; at the end of the track, the rest."""
        return max(0, self.seen - self._taken - (0 if final else LOOK_AHEAD_FRAMES))

    def take(self, count: int) -> tuple[F64, list[Patch], F64]:
        """Hand out the next `count` frames and let their pixels go.

        Returns
        -------
        poses (count, 4) of the crops, smoothed, see `clapboard.vision.views.poses`; their patches; time_s (count,)
        """
        start, stop = self._taken, self._taken + count
        low, high = max(0, start - LOOK_AHEAD_FRAMES), min(self.seen, stop + LOOK_AHEAD_FRAMES)
        patches = [self._patches.popleft() for _ in range(count)]
        self._taken = stop
        rows = self._rows.values[low:high]
        smooth = poses(self._view, rows[:, _BOX], rows[:, _POINTS].reshape(-1, 5, 2))
        return smooth[start - low : stop - low], patches, self._rows.time_s[start:stop].copy()

    def arrays(self) -> tuple[F64, F32, F32, NDArray[np.bool_]]:
        """Times (T,), boxes (T, 4), landmarks (T, 5, 2), interpolated (T,), up to the last frame seen."""
        values = self._rows.values[: self.seen]
        return (
            self._rows.time_s[: self.seen].copy(),
            values[:, _BOX].copy(),
            values[:, _POINTS].reshape(-1, 5, 2).copy(),
            np.isnan(values[:, _SCORE]),
        )

    def scores(self) -> F32:
        """How sure the detector was, (T,), NaN where it missed; in frames passed over, at the look before."""
        return self._rows.values[: self.seen, _SCORE].copy()

    def drop_pixels(self) -> None:
        """Free what is left of the pictures."""
        self._patches.clear()

    def _count(self, score: float, frames: int = 1) -> None:
        """So many more frames with a face of this score, and those passed over before; all rows are good now."""
        frames += self.passed
        self.hits += frames
        self._score_sum += frames * score
        self.seen, self.misses, self.passed = self._rows.count, 0, 0

    def _fill(self, before: int, after: int) -> None:
        """Interpolate boxes and landmarks between two rows in which the face was seen."""
        values = self._rows.values
        share = (np.arange(before + 1, after) - before)[:, None].astype(np.float32) / np.float32(after - before)
        values[before + 1 : after, :_SCORE] = values[before, :_SCORE] * (1 - share) + values[after, :_SCORE] * share

    def _follow(self, box: F64) -> None:
        """Take the place of the box, but most of the size from before, which is steadier."""
        middle, side = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        if self.hits:
            step = (middle - (self._box[:2] + self._box[2:]) / 2) / (self.misses + self.passed + 1)
            self._speed = 0.7 * self._speed + 0.3 * step
            side = 0.8 * (self._box[2:] - self._box[:2]) + 0.2 * side
        self._box = np.concatenate([middle - side / 2, middle + side / 2])

    def _keep_about(self, image: NDArray[np.uint8], box: F64, margin: float) -> None:
        """Keep the pixels around where the crop should be when the face is in this box."""
        last = self._rows.values[self.seen - 1]
        moved = (box[:2] + box[2:] - last[:2] - last[2:4]) / 2
        self._keep(image, box, last[_POINTS].reshape(5, 2) + moved.astype(np.float32), margin)

    def _keep(self, image: NDArray[np.uint8], box: F64 | F32, landmarks: F32, margin: float) -> None:
        """Keep the pixels around the crop."""
        x, y, side = place(self._view, box, landmarks)
        self._factor = shrink_factor(side, self._factor, self._view.px)
        half = reach(self._view) * margin * side + 2 * self._factor
        self._patches.append(cut_patch(image, x, y, half, self._factor, outside=outside(self._view)))


def judge(expected: F64, boxes: F32, scores: F32) -> NDArray[np.bool_]:
    """Which of the faces looked for were seen, one answer per track.

    A face counts where its score and its overlap with the expected box are high enough. Where two tracks see the same
    face, it belongs to the one that expected it there more closely; the other did not see its own.

    Parameters
    ----------
    expected : (n, 4) boxes predicted
    boxes, scores : (n, 4), (n,) what the detector made of them
    """
    n = len(expected)
    agreement = overlap(expected, boxes)[np.arange(n), np.arange(n)]
    seen = np.asarray((scores >= HIT_SCORE) & (agreement >= HIT_OVERLAP))
    if n > 1:
        same = overlap(boxes, boxes) >= SAME_OVERLAP
        for i in np.argsort(-agreement, kind="stable"):
            if seen[i]:
                rivals = same[i].copy()
                rivals[i] = False
                seen[rivals] = False
    return seen


def match(expected: F64, boxes: F32) -> list[tuple[int, int]]:
    """Pairs (track, face), one to one, best overlap first, none below `HIT_OVERLAP`."""
    pairs: list[tuple[int, int]] = []
    if not len(expected) or not len(boxes):
        return pairs
    score = overlap(expected, boxes)
    while score.max() >= HIT_OVERLAP:
        track, face = np.unravel_index(int(score.argmax()), score.shape)
        pairs.append((int(track), int(face)))
        score[track, :] = score[:, face] = -1.0
    return pairs
