"""From one video file to the shots worth keeping: the whole picture, small, with its sound, for sync of any sound.

Decoding, times, cuts and sound are those of faces: the same reader, the same grid at the scene's own rate.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.extract import Judged, Piece, Seen, block_steps, in_pieces, judged, seen
from clapboard.dataset.hearing import Sound
from clapboard.dataset.sources import Cut
from clapboard.errors import UsageError
from clapboard.media.grid import on_grid
from clapboard.media.probe import probe
from clapboard.media.read import read
from clapboard.values import Clip, Crops, Frame
from clapboard.vision.scenes import Scene, SceneFinder, scene_of

KIND = "sounds"
LONGEST_S, PIECE_BYTES = 60, 128 * 2**20
"""A longer shot is cut into pieces of at most this length (s), or sooner where its pictures are large (bytes)."""
SECONDS = (1.0, 10.0)
"""What the shortest shot can be set to (s): one block of 25 frames to half of the shortest piece."""
BLOCKS, MOVE_LEVELS = 16, 2.0
"""Something moves where the mean of one of 16 x 16 blocks changes by so much from one picture to the next (levels)."""
LEAST_MOVES = 3
"""A shot with fewer such steps stands still. Few are enough: one blow in 8 s is what this data set is for."""
SLACK_S = 1.0
"""A file that is no more than this longer than its segment (s) is that segment: cuts fall on key frames."""


@dataclass(frozen=True, slots=True)
class SceneRules:
    """What is kept: shots of at least ``min_seconds``, s.

    Raises
    ------
    UsageError : the value makes no sense
    """

    min_seconds: float = 2.0

    def __post_init__(self) -> None:
        """Check values."""
        low, high = SECONDS
        if not low <= self.min_seconds <= high:
            raise UsageError(f"the shortest shot can be {low:g} to {high:g} s, not {self.min_seconds:g} s")

    def settings(self, view: str) -> dict[str, Any]:
        """What decides what a data set of a scene holds, and what its arrays are."""
        return {"kind": KIND, "min_seconds": self.min_seconds} | scene_settings(view)


def scene_settings(view: str) -> dict[str, Any]:
    """What a data set of a scene says of its arrays: their rates, and the channels of the sound.

    Raises
    ------
    UsageError : there is no such scene
    """
    scene = scene_of(view)
    rate = f"{scene.picture_hz.numerator}/{scene.picture_hz.denominator}"
    return {"picture_hz": rate, "sound_hz": scene.sound_hz, "channels": scene.channels}


class Scenes:
    """The shots of one file: an `Extractor` of `clapboard.dataset.extract`.

    Parameters
    ----------
    path : the video
    view : name of a scene
    rules : what is kept
    cut : the part of the file that counts; all of it where None
    """

    nothing = "the segment lies behind the end of the file"

    def __init__(self, path: Path, view: str, rules: SceneRules, cut: Cut | None = None) -> None:
        self._path, self._rules, self._cut = path, rules, cut
        self._finder = SceneFinder(view)
        self._sound = Sound()

    def pieces(self) -> Iterator[Piece]:
        """Decode the file; see `Extractor`."""
        clip, scene = probe(self._path), self._finder.scene
        within_s = part_of(clip, self._cut)
        self._sound = Sound(scene.sound_hz, scene.channels, missing="no sound in the shot", within_s=within_s)
        longest = min(int(LONGEST_S * scene.picture_hz), PIECE_BYTES // (scene.px**2 * (3 if scene.colour else 1)))
        yield from in_pieces(self._shots(clip, scene, *within_s), longest, in_turn=True)

    def _shots(self, clip: Clip, scene: Scene, start_s: float, end_s: float) -> Iterator[Crops]:
        """The pictures of each shot, while the sound is taken as it comes."""
        until_s = None if end_s == float("inf") else end_s

        def pictures() -> Iterator[Frame]:
            for item in read(
                clip, colour=scene.colour, until_s=until_s, sound_hz=scene.sound_hz, channels=scene.channels
            ):
                if not isinstance(item, Frame):
                    self._sound.push(item)
                elif item.time_s >= start_s:
                    yield item

        for grid, frame in on_grid(pictures(), scene.picture_hz):
            yield from self._finder.push(grid, frame)
        yield from self._finder.close()

    def seen(self, piece: Piece) -> Seen:
        """Sum up a piece."""
        steps = max(len(piece.images) - 1, 1)
        return seen(piece, self._finder.scene.picture_hz, still=1 - moves(piece.images) / steps)

    def judge(self, part: Seen) -> Judged:
        """Decide about a piece; the first reason against it is told."""
        share = self._sound.audible_share(part.start_s, part.end_s)
        sound = self._sound.around(part.start_s, part.end_s)
        against = {
            f"shorter than {self._rules.min_seconds:g} s": part.frames
            < round(self._rules.min_seconds * self._finder.scene.picture_hz),
            "the picture stands still": round((1 - part.still) * (part.frames - 1)) < LEAST_MOVES,
            sound if isinstance(sound, str) else "": isinstance(sound, str),
            "silence": share <= 0,
        }
        shot = self._finder.shots[part.track]
        reason = next((reason for reason, holds in against.items() if holds), "")
        return judged(part, sound, reason, share, face_px=0.0, shot_start_s=shot.start_s, shot_end_s=shot.end_s)

    @property
    def seconds(self) -> float:
        """Length of the sound, s."""
        return self._sound.seconds


def moves(images: NDArray[np.uint8]) -> int:
    """Steps from picture to picture in which anything moves, of (T, px, px[, 3]) uint8."""
    return sum(int((steps.max(axis=(1, 2)) >= MOVE_LEVELS).sum()) for steps in block_steps(images, BLOCKS))


def part_of(clip: Clip, cut: Cut | None) -> tuple[float, float]:
    """Start and end of what counts of a file, s on its clock: of a whole recording its segment, of a segment all.

    Players count from the first thing that a file has, whatever its timestamps begin with.
    """
    everything = (-float("inf"), float("inf"))
    if cut is None:
        return everything
    begin_s = min(stream.start_s for stream in (clip.video, clip.audio) if stream is not None) if clip.streams else 0.0
    length_s = cut.end_s - cut.start_s
    if cut.begun:
        return everything[0], begin_s + length_s
    if clip.duration_s is not None and clip.duration_s <= length_s + SLACK_S:
        return everything
    return begin_s + cut.start_s, begin_s + cut.end_s
