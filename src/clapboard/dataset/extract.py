"""From one video file to the tracks worth keeping: its mouths in pieces as they are found, its sound, and the choice.

Crops, times and sound are those of `clapboard.pipeline`, so that training sees exactly what measuring will. A record
lies within one shot; a long one is cut into pieces, so that memory does not grow with the film. What is asked of
whoever finds something in a file is `Extractor`; `clapboard.dataset.scenes` is the other one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.align import LEAST_WINDOWS, WINDOW_FRAMES
from clapboard.dataset.hearing import Hearing
from clapboard.errors import UsageError
from clapboard.timebase import PICTURE_HZ
from clapboard.values import F32, F64, Audio, Crops, Track
from clapboard.vision.mouths import MouthFinder
from clapboard.vision.mtcnn import Mtcnn

PIECE_FRAMES = 60 * PICTURE_HZ
"""A longer track is cut into pieces of at most this length: one minute."""
STILL_CHANGE = 0.15
"""Mean change of an eighth of the crop from frame to frame below which nothing moved, gray levels. Encoded stills stay
below 0.05; speakers, compressed hard and smooth, stay above in two of three frames."""
STILL_SHARE = 0.75
"""A track of which more than this part does not move is a still, or has lost most of its frames."""
BLOCKS = 8
"""Crops are compared by means of 8 x 8 blocks, so that the camera's noise counts for nothing."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is kept.

    Attributes
    ----------
    faces : "strict": nothing of a shot in which more than one face is seen at a time, as in [1]_; "per-face": each face
    min_seconds : shortest track, s
    min_face_px : least median width of the face, px
    min_speech : least part of the track's sound that is not quiet, 0 to 1

    Raises
    ------
    UsageError : a value makes no sense

    References
    ----------
    .. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016, section 4.
    """

    faces: Literal["strict", "per-face"] = "strict"
    min_seconds: float = 2.0
    min_face_px: float = 40.0
    min_speech: float = 0.15

    def __post_init__(self) -> None:
        """Check values."""
        least_s = (WINDOW_FRAMES - 1 + LEAST_WINDOWS) / PICTURE_HZ
        if self.faces not in ("strict", "per-face"):
            raise UsageError(f'faces must be "strict" or "per-face", not {self.faces!r}')
        if not least_s <= self.min_seconds <= PIECE_FRAMES / 2 / PICTURE_HZ:
            raise UsageError(f"the shortest track can be {least_s:g} to 30 s, not {self.min_seconds:g} s")
        if not self.min_face_px >= 0 or not 0 <= self.min_speech <= 1:
            raise UsageError("the least face is 0 px or more, the least speech 0 to 1")

    def settings(self, view: str) -> dict[str, Any]:
        """What decides what a data set of a view holds, as it says itself."""
        del view  # is written beside it
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A track, or a part of a long one: ``images`` (T, px, px[, 3]) uint8 and ``time_s`` (T,)."""

    track: int
    part: int
    images: NDArray[np.uint8]
    time_s: F64


@dataclass(slots=True)
class _Waiting:
    """Crops of one track that are not given away yet."""

    images: list[NDArray[np.uint8]] = field(default_factory=list)
    time_s: list[F64] = field(default_factory=list)
    frames: int = 0
    parts: int = 0

    def push(self, crops: Crops) -> None:
        """Take the next crops."""
        self.images.append(crops.images)
        self.time_s.append(crops.time_s)
        self.frames += len(crops.images)

    def take(self, track: int, frames: int) -> Piece:
        """The first frames as a piece."""
        images, time_s = np.concatenate(self.images), np.concatenate(self.time_s)
        self.images, self.time_s, self.frames = [images[frames:]], [time_s[frames:]], self.frames - frames
        self.parts += 1
        return Piece(track, self.parts - 1, images[:frames], time_s[:frames])


def pieces(path: Path, finder: MouthFinder, hear: Callable[[Audio], None]) -> Iterator[Piece]:
    """Decode a file once; tracks of more than `PIECE_FRAMES` come in parts of half that length or more.

    Raises
    ------
    MediaError : the file cannot be read, or has no picture or no sound
    """
    from clapboard.media.probe import probe
    from clapboard.pipeline import mouths

    yield from in_pieces(mouths(probe(path), finder, hear), PIECE_FRAMES)


def in_pieces(crops: Iterable[Crops], longest: int, *, in_turn: bool = False) -> Iterator[Piece]:
    """Join the parts of each track to pieces of at most ``longest`` frames; those of a longer one have half of it.

    Parameters
    ----------
    in_turn : a track ends where the next one begins, and is given away then; else all wait for the end of the file
    """
    waiting: dict[int, _Waiting] = {}
    for part in crops:
        if in_turn and part.track not in waiting:
            yield from _rest(waiting, longest)
            waiting.clear()
        mine = waiting.setdefault(part.track, _Waiting())
        mine.push(part)
        if mine.frames >= 2 * longest:
            yield mine.take(part.track, longest)
    yield from _rest(waiting, longest)


def _rest(waiting: Mapping[int, _Waiting], longest: int) -> Iterator[Piece]:
    """What is left of tracks that have ended."""
    for track, mine in sorted(waiting.items()):
        if mine.frames > longest:
            yield mine.take(track, mine.frames // 2)
        yield mine.take(track, mine.frames)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a piece without its pictures; ``still`` is the part of it that does not move, 0 to 1."""

    track: int
    part: int
    start_s: float
    end_s: float
    frames: int
    repeated_frames: int
    still: float


def seen(piece: Piece, picture_hz: Fraction | int = PICTURE_HZ, *, still: float | None = None) -> Seen:
    """Sum up a piece, so that its pictures can go to disk; without further word a still is one by `still_share`."""
    return Seen(
        piece.track,
        piece.part,
        float(piece.time_s[0]),
        float(piece.time_s[-1]) + 1 / float(picture_hz),
        len(piece.images),
        int(np.count_nonzero(np.diff(piece.time_s) == 0)),
        still_share(piece.images) if still is None else still,
    )


def still_share(images: NDArray[np.uint8]) -> float:
    """Part of the steps from crop to crop in which nothing moves, 0 to 1; (T, px, px[, 3]) uint8."""
    if len(images) < 2:
        return 1.0
    still = sum(int((steps.mean(axis=(1, 2)) < STILL_CHANGE).sum()) for steps in block_steps(images, BLOCKS))
    return still / (len(images) - 1)


def block_steps(images: NDArray[np.uint8], blocks: int) -> Iterator[F32]:
    """Change of each block of pictures (T, px, px[, 3]) from one to the next, (n, blocks, blocks) gray levels.

    It comes in parts, since a minute of colour faces as float32 would fill the memory.
    """
    size = images.shape[1] // blocks
    for start in range(0, len(images) - 1, 256):
        part = images[start : start + 257, : size * blocks, : size * blocks].astype(np.float32)
        part = part.reshape(len(part), blocks, size, blocks, size, -1).mean(axis=(2, 4, 5))
        yield np.abs(np.diff(part, axis=0))


def crowded(tracks: Sequence[Track]) -> frozenset[int]:
    """Numbers of the tracks in whose shot more than one face is seen at a time."""
    shots: dict[float, list[Track]] = {}
    for track in tracks:
        shots.setdefault(track.shot.start_s, []).append(track)
    found: set[int] = set()
    for shot in shots.values():
        ordered = sorted(shot, key=lambda track: float(track.time_s[0]))
        latest_s = np.maximum.accumulate([float(track.time_s[-1]) for track in ordered])
        if any(later.time_s[0] <= end_s for end_s, (_, later) in zip(latest_s, pairwise(ordered), strict=False)):
            found |= {track.number for track in shot}
    return frozenset(found)


def reason_against(
    piece: Seen, track: Track, rules: Rules, crowd: frozenset[int], *, no_sound: str, speech_share: float
) -> str:
    """The first reason why a piece is not kept, or nothing; ``no_sound`` is what `Hearing.around` had against it."""
    against = {
        "more than one face in the shot": rules.faces == "strict" and piece.track in crowd,
        f"shorter than {rules.min_seconds:g} s": piece.frames < round(rules.min_seconds * PICTURE_HZ),
        f"a face narrower than {rules.min_face_px:g} px": track.face_px < rules.min_face_px,
        "the picture stands still": piece.still > STILL_SHARE,
        no_sound: bool(no_sound),
        "silence": speech_share <= 0,
        "hardly any speech": speech_share < rules.min_speech,
    }
    return next((reason for reason, holds in against.items() if holds), "")


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What becomes of a piece once its whole file is known.

    Attributes
    ----------
    reason : why it is not kept, or nothing
    samples, start_s : its sound (N,) or (N, channels) int16, and the time of the first sample, s
    measured : fields of `clapboard.dataset.store.Entry` that only its finder knows
    """

    reason: str
    samples: NDArray[np.int16]
    start_s: float
    measured: Mapping[str, Any]


def judged(
    part: Seen, sound: tuple[NDArray[np.int16], float] | str, reason: str, share: float, **measured: Any
) -> Judged:
    """Put together what is known of a piece; ``share`` is the part of its sound that counts."""
    samples, start_s = (np.zeros(0, np.int16), part.start_s) if isinstance(sound, str) else sound
    return Judged(reason, samples, start_s, measured | {"speech_share": round(share, 3)})


class Extractor(Protocol):
    """Finds what is worth keeping in one file, in one decode."""

    nothing: str
    """What is said of a file in which nothing was found."""

    def pieces(self) -> Iterator[Piece]:
        """Decode the file; pieces of tracks or shots as they end. A `MediaError` where it cannot be read."""
        ...

    def seen(self, piece: Piece) -> Seen:
        """Sum up a piece."""
        ...

    def judge(self, part: Seen) -> Judged:
        """Decide about a piece, when the whole file has been read."""
        ...

    @property
    def seconds(self) -> float:
        """Length of the sound, s."""
        ...


@lru_cache(maxsize=1)
def _nets() -> Mtcnn:
    """The face nets, kept for the next file; one thread, since there are more processes."""
    return Mtcnn(threads=1)


class Faces:
    """The talking faces of one file: an `Extractor`."""

    nothing = "no face"

    def __init__(self, path: Path, view: str, rules: Rules) -> None:
        self._path, self._rules = path, rules
        self._finder, self._hearing = MouthFinder(_nets(), view=view), Hearing()

    def pieces(self) -> Iterator[Piece]:
        """Decode the file; see `Extractor`."""
        yield from pieces(self._path, self._finder, self._hearing.push)
        self._tracks = {track.number: track for track in self._finder.tracks}
        self._crowd = crowded(self._finder.tracks)

    def seen(self, piece: Piece) -> Seen:
        """Sum up a piece."""
        return seen(piece)

    def judge(self, part: Seen) -> Judged:
        """Decide about a piece; see `reason_against`."""
        track, times_s = self._tracks[part.track], (part.start_s, part.end_s)
        share, sound = self._hearing.speech_share(*times_s), self._hearing.around(*times_s)
        against = sound if isinstance(sound, str) else ""
        reason = reason_against(part, track, self._rules, self._crowd, no_sound=against, speech_share=share)
        shot = {"shot_start_s": track.shot.start_s, "shot_end_s": track.shot.end_s}
        return judged(part, sound, reason, share, face_px=round(track.face_px, 1), **shot)

    @property
    def seconds(self) -> float:
        """Length of the sound, s."""
        return self._hearing.seconds
