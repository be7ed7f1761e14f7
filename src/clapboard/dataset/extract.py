"""From one video file to the tracks worth keeping: its mouths in pieces as they are found, its sound, and the choice.

Crops, times and sound are those of `clapboard.pipeline`, so that training sees exactly what measuring will. A record
lies within one shot; a long one is cut into pieces, so that memory does not grow with the film.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.align import LEAST_WINDOWS, WINDOW_FRAMES
from clapboard.errors import UsageError
from clapboard.sound.activity import active_rows
from clapboard.sound.kinds import KINDS, SPEECH_KIND
from clapboard.sound.rows import Rows
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import F64, Audio, Crops, Track
from clapboard.vision.mouths import MouthFinder

AROUND_S = 4.0
"""Sound kept before and after a track: as far as shifts and normalisation reach in training (s)."""
PIECE_FRAMES = 60 * PICTURE_HZ
"""A longer track is cut into pieces of at most this length: one minute."""
GAP_S = 0.05
"""Timestamps of sound may jump by so much (s), filled with zeros; a longer hole inside a track drops it."""
LEAST_SOUND = 0.5
"""Least part of a track over which the file has sound."""
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

    waiting: dict[int, _Waiting] = {}
    for crops in mouths(probe(path), finder, hear):
        mine = waiting.setdefault(crops.track, _Waiting())
        mine.push(crops)
        if mine.frames >= 2 * PIECE_FRAMES:
            yield mine.take(crops.track, PIECE_FRAMES)
    for track, mine in sorted(waiting.items()):
        if mine.frames > PIECE_FRAMES:
            yield mine.take(track, mine.frames // 2)
        yield mine.take(track, mine.frames)


class Hearing:
    """The sound of a file at 16 kHz as int16, 32 kB a second, and where it is not quiet."""

    def __init__(self) -> None:
        self._rows = Rows(KINDS[SPEECH_KIND])
        self._runs: list[tuple[int, bytearray]] = []
        self._first_s = 0.0
        self._speech: tuple[NDArray[np.bool_], float] | None = None

    def push(self, audio: Audio) -> None:
        """Take the next run of sound; small holes are filled with zeros, larger ones end a run."""
        self._rows.push(audio)
        if not self._runs:
            self._first_s = audio.start_s
            self._runs.append((0, bytearray()))
        samples = np.round(np.clip(audio.samples, -1, 1) * 32767).astype("<i2")
        place = round((audio.start_s - self._first_s) * SAMPLE_RATE_HZ)
        start, run = self._runs[-1]
        hole = place - start - len(run) // 2
        if hole > GAP_S * SAMPLE_RATE_HZ:
            self._runs.append((place, bytearray(samples.tobytes())))
            return
        run += bytes(2 * max(hole, 0))
        samples, behind = samples[max(start - place, 0) :], max(place - start, 0)
        run[2 * behind : 2 * (behind + len(samples))] = samples.tobytes()

    def around(self, start_s: float, end_s: float) -> tuple[NDArray[np.int16], float] | str:
        """Sound from `AROUND_S` before to after a time, up to the next hole, and the time of its first sample, s.

        Returns
        -------
        the samples (N,) int16 and their start, or in words why there are none
        """
        low, high = (round((time_s - self._first_s) * SAMPLE_RATE_HZ) for time_s in (start_s, end_s))
        inside = [(min(high, at + len(run) // 2) - max(low, at), at, run) for at, run in self._runs]
        inside = [each for each in inside if each[0] > 0]
        if sum(length for length, _, _ in inside) < LEAST_SOUND * (high - low):
            return "no sound while the face is in view"
        if len(inside) > 1:
            return "a hole in the sound"
        _, at, run = inside[0]
        around = round(AROUND_S * SAMPLE_RATE_HZ)
        begin, end = max(low - around - at, 0), min(high + around - at, len(run) // 2)
        samples = np.frombuffer(run, "<i2", end - begin, 2 * begin).astype(np.int16)
        return samples, self._first_s + (at + begin) / SAMPLE_RATE_HZ

    @property
    def seconds(self) -> float:
        """Length of the sound, holes included, s."""
        start, run = self._runs[-1] if self._runs else (0, bytearray())
        return (start + len(run) // 2) / SAMPLE_RATE_HZ

    def speech_share(self, start_s: float, end_s: float) -> float:
        """Part of a time in which the file is not quiet, 0 to 1; see `clapboard.sound.activity`."""
        if self._speech is None:
            features = self._rows.features()
            self._speech = active_rows(features), features.first_s
        active, first_s = self._speech
        first, stop = (max(0, round((time_s - first_s) * FEATURE_HZ)) for time_s in (start_s, end_s))
        return min(1.0, float(active[first:stop].sum() / max((end_s - start_s) * FEATURE_HZ, 1)))


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


def seen(piece: Piece) -> Seen:
    """Sum up a piece, so that its pictures can go to disk."""
    return Seen(
        piece.track,
        piece.part,
        float(piece.time_s[0]),
        float(piece.time_s[-1]) + 1 / PICTURE_HZ,
        len(piece.images),
        int(np.count_nonzero(np.diff(piece.time_s) == 0)),
        still_share(piece.images),
    )


def still_share(images: NDArray[np.uint8]) -> float:
    """Part of the steps from crop to crop in which nothing moves, 0 to 1; (T, px, px[, 3]) uint8."""
    if len(images) < 2:
        return 1.0
    size = images.shape[1] // BLOCKS
    still = 0
    for start in range(0, len(images) - 1, 256):  # in parts: a minute of colour faces as float32 would fill the memory
        part = images[start : start + 257, : size * BLOCKS, : size * BLOCKS].astype(np.float32)
        part = part.reshape(len(part), BLOCKS, size, BLOCKS, size, -1).mean(axis=(2, 4, 5))
        still += int((np.abs(np.diff(part, axis=0)).mean(axis=(1, 2)) < STILL_CHANGE).sum())
    return still / (len(images) - 1)


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
