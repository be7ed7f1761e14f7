"""From frames to crops of faces, streaming: cuts, faces, tracks, in one pass and with memory that does not grow.

The full search for faces runs at the first frame of a shot and once a second, sooner while a face is missing. In
between, the last net alone looks at the expected box of every face known, in every second frame while all are steady.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.values import F32, Crops, Faces, Frame, Shot, Track
from clapboard.vision.crop import sample_crops
from clapboard.vision.detect import Detector, overlap, select
from clapboard.vision.shots import ShotDetector
from clapboard.vision.track import HIT_SCORE, SAME_OVERLAP, FaceTrack, judge, match
from clapboard.vision.views import DEFAULT_VIEW, view_of

DETECT_EVERY = 25
"""Grid frames between two full searches while every face is seen: one second."""
RETRY_EVERY = 8
"""Grid frames between two full searches while there is no face or one is missing."""
REFINE_EVERY = 2
"""Grid frames from one look at steady faces to the next; the landmarks in between are interpolated. Places are smoothed
over three frames to either side anyway, so that crops move by less than half a pixel."""
RETRY_MISSES = 2
"""A face missing for so many frames brings the next search forward."""
MAX_FACES = 8
"""At most so many faces are followed at once; a search takes the largest."""
CHUNK_FRAMES = 16
"""Crops are made when so many of a track are ready: few calls, and few pixels waiting."""


class MouthFinder:
    """Finds and follows every face, and cuts out its mouth, or what another view sees of it.

    Parameters
    ----------
    detector : any `Detector`; MTCNN by default
    detect_every : grid frames between two full searches
    max_faces : how many faces are followed at once
    view : what is cut out, a name of `clapboard.vision.views.VIEWS`

    Raises
    ------
    UsageError : there is no such view
    ModelError : the default detector's nets are missing or not those expected

    Examples
    --------
    ::

        finder = MouthFinder()
        for grid, frame in frames_on_grid:
            for crops in finder.push(grid, frame):
                ...
        for crops in finder.close():
            ...
        finder.tracks
    """

    def __init__(
        self,
        detector: Detector | None = None,
        detect_every: int = DETECT_EVERY,
        max_faces: int = MAX_FACES,
        *,
        view: str = DEFAULT_VIEW,
    ) -> None:
        self.view = view_of(view)
        if detector is None:
            from clapboard.vision.mtcnn import Mtcnn

            detector = Mtcnn()
        self._detector = detector
        self._detect_every = detect_every
        self._max_faces = max_faces
        self._shots = ShotDetector()
        self._starts: list[float] = []
        self._running: list[FaceTrack] = []
        self._held: list[FaceTrack] = []
        self._held_frames = 0
        self._held_shot = 0
        self._done: list[FaceTrack] = []
        self._named = 0
        self._searched = 0
        self._looked = 0
        self._grid = -1
        self._frame: Frame | None = None
        self._end_s = 0.0

    @property
    def tracks(self) -> list[Track]:
        """The tracks that have ended, by number; all of them after `close`."""
        made, shots = [], self.shots
        for track in sorted(self._done, key=lambda track: track.number):
            times, boxes, landmarks, interpolated = track.arrays()
            shot = shots[track.shot]
            shot = Shot(shot.start_s, max(shot.end_s, float(times[-1])))
            made.append(Track(track.number, shot, times, boxes, landmarks, interpolated, track.scores()))
        return made

    @property
    def shots(self) -> list[Shot]:
        """The shots so far, with a face or without; the last one ends with the last frame."""
        ends = [*self._starts[1:], self._end_s]
        return [Shot(start_s, end_s) for start_s, end_s in zip(self._starts, ends, strict=False)]

    def push(self, grid: int, frame: Frame) -> list[Crops]:
        """Take the frame of the next grid point; return the crops that became ready.

        Parameters
        ----------
        grid : index on the 25 Hz picture grid; a gap ends all tracks, as a cut does
        frame : the frame nearest in time to that point; where the file is slow the same object comes again

        Returns
        -------
        list of Crops, each the next part of one track, in order and without gaps

        Raises
        ------
        UsageError : the view is in colour, the frame is not
        """
        if self.view.colour and frame.colour is None:
            raise UsageError(f"the view {self.view.name} is in colour, the frames are not; read them with colour=True")
        again = frame is self._frame and grid == self._grid + 1
        broken = self._frame is not None and (grid != self._grid + 1 or frame.image.shape != self._frame.image.shape)
        out: list[Crops] = []
        if again:
            for track in [*self._running, *self._held]:
                track.repeat(frame.time_s)
        else:
            out += self._next(grid, frame, broken)
        self._grid, self._frame, self._end_s = grid, frame, frame.time_s
        out += self._sweep()
        return out

    def close(self) -> list[Crops]:
        """End all tracks; return the rest of their crops."""
        out = self._end([*self._held, *self._running])
        self._held, self._running, self._frame = [], [], None
        return out

    def _next(self, grid: int, frame: Frame, broken: bool) -> list[Crops]:
        """A new picture: cuts first, then the faces in it."""
        out: list[Crops] = []
        cut = self._shots.push(frame.thumbnail) or broken
        if broken:
            out += self._end([*self._held, *self._running])
            self._held, self._running = [], []
        if cut:
            if not self._held:
                # A flash may end at once, so the tracks wait, unseen, for the picture to come back.
                self._held, self._held_frames, self._held_shot = self._running, 0, len(self._starts)
                for track in self._held:
                    track.settle()
            self._running = []
            self._starts.append(frame.time_s)
        elif self._shots.back and self._held:
            self._running, self._held = self._held, []
            del self._starts[self._held_shot :]
        if self._held:
            self._held_frames += 1
            if self._held_frames > self._shots.flash_frames + 1:
                out += self._end(self._held)
                self._held = []
            for track in self._held:
                track.miss(frame.time_s, self._pixels(frame))
        self._look(grid, frame, cut)
        return out

    def _look(self, grid: int, frame: Frame, cut: bool) -> None:
        """Look for faces where they are expected, everywhere, or not at all in this frame."""
        missing = not self._running or any(track.misses >= RETRY_MISSES for track in self._running)
        wait = min(RETRY_EVERY, self._detect_every) if missing else self._detect_every
        search = cut or grid - self._searched >= wait
        if not search and grid - self._looked < REFINE_EVERY and self._steady():
            for track in self._running:
                track.pass_over(frame.time_s, self._pixels(frame))
            return
        self._looked = grid
        seen = self._follow(frame)
        if search:
            self._searched = grid
            self._search(grid, frame, seen)
        else:
            for track, face in zip(self._running, seen, strict=True):
                self._record(track, frame, face)

    def _steady(self) -> bool:
        """Whether the faces may be passed over for a frame: all or none, and none that are about to meet."""
        if not all(track.steady for track in self._running):
            return False
        boxes = np.array([track.expected() for track in self._running]).reshape(-1, 4)
        return int(np.count_nonzero(overlap(boxes, boxes))) == len(boxes)

    def _follow(self, frame: Frame) -> list[Faces | None]:
        """What each running track sees of its face: one face or None."""
        if not self._running:
            return []
        expected = np.array([track.expected() for track in self._running])
        faces = self._detector.refine(frame.image, expected.astype(np.float32))
        good = judge(expected, faces.boxes, faces.scores)
        return [select(faces, slice(i, i + 1)) if good[i] else None for i in range(len(faces))]

    def _search(self, grid: int, frame: Frame, seen: list[Faces | None]) -> None:
        """Look everywhere: find lost faces again, start tracks for new ones."""
        faces = self._detector.detect(frame.image)
        faces = self._unknown(faces, [face.boxes for face in seen if face is not None])
        if len(faces):
            # Once more with the last net, so that landmarks come from the same kind of window in every frame.
            faces = self._detector.refine(frame.image, faces.boxes)
            faces = select(faces, faces.scores >= HIT_SCORE)
            faces = self._unknown(faces, [face.boxes for face in seen if face is not None])
        lost = [i for i, face in enumerate(seen) if face is None]
        expected = np.array([self._running[i].expected() for i in lost])
        taken = set()
        for i, face in match(expected, faces.boxes):
            seen[lost[i]] = select(faces, slice(face, face + 1))
            taken.add(face)
        for track, found in zip(self._running, seen, strict=True):
            self._record(track, frame, found)
        area = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1)
        for i in np.argsort(-area, kind="stable").tolist():
            if i not in taken and len(self._running) < self._max_faces:
                track = FaceTrack(len(self._starts) - 1, grid, self.view)
                self._record(track, frame, select(faces, slice(i, i + 1)))
                self._running.append(track)

    @staticmethod
    def _unknown(faces: Faces, known: list[F32]) -> Faces:
        """Faces that are neither known already nor twice among themselves."""
        keep: list[int] = []
        boxes = list(known)
        for i in np.argsort(-faces.scores, kind="stable").tolist():
            box = faces.boxes[i : i + 1]
            if not boxes or overlap(box, np.concatenate(boxes)).max() < SAME_OVERLAP:
                keep.append(i)
                boxes.append(box)
        return select(faces, keep)

    def _sweep(self) -> list[Crops]:
        """End what is lost, drop what is no face, and make the crops that are ready."""
        out: list[Crops] = []
        if any(track.lost for track in self._running):
            out += self._end([track for track in self._running if track.lost])
            self._running = [track for track in self._running if not track.lost]
        doubtful = []
        for track in self._running:
            count = track.ready(final=False)
            if count >= CHUNK_FRAMES:
                if track.number < 0 and not self._accept(track):
                    doubtful.append(track)
                else:
                    out.append(_crops(track, count, self.view.px))
        for track in doubtful:
            track.drop_pixels()
            self._running.remove(track)
        return out

    def _accept(self, track: FaceTrack) -> bool:
        """Give a credible track its number."""
        if not track.credible:
            return False
        track.number = self._named
        self._named += 1
        return True

    def _end(self, tracks: Iterable[FaceTrack]) -> list[Crops]:
        """The last crops of tracks that end here; those that are no face vanish."""
        out = []
        for track in tracks:
            track.settle()
            if track.number >= 0 or self._accept(track):
                count = track.ready(final=True)
                if count:
                    out.append(_crops(track, count, self.view.px))
                self._done.append(track)
            track.drop_pixels()
        return out

    def _pixels(self, frame: Frame) -> NDArray[np.uint8]:
        """What crops are cut from."""
        return frame.colour if self.view.colour and frame.colour is not None else frame.image

    def _record(self, track: FaceTrack, frame: Frame, face: Faces | None) -> None:
        """Enter one frame into a track."""
        if face is None:
            track.miss(frame.time_s, self._pixels(frame))
        else:
            score = float(face.scores[0])
            track.hit(frame.time_s, self._pixels(frame), face.boxes[0], face.landmarks[0], score)


def _crops(track: FaceTrack, count: int, px: int) -> Crops:
    """The next crops of a track."""
    poses, patches, time_s = track.take(count)
    return Crops(track.number, sample_crops(patches, poses, px), time_s)
