"""Each turn of a speaking face as a clip of its own."""

import math
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clapboard.errors import MediaError, UsageError
from clapboard.footage.rows import CropList, hidden_folder, names_of_source
from clapboard.footage.source import HALF_PERIOD_S, measured_clip, named
from clapboard.media.film import Film
from clapboard.media.grid import TIE_S, on_grid
from clapboard.media.read import read
from clapboard.media.source import require_file
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ, begin_s, grid_index
from clapboard.values import F64, Audio, Clip, FaceSpeech, Frame, Hook, Speakers, Turn
from clapboard.vision.views import SquareCutter, poses, view_of

JOIN_S = 0.5
"""Turns of one face with less than this between them become one crop (s)."""
SHORTEST_S = 0.6
"""Shorter crops are not written (s): too little for a word."""
CROP_VIEW = "face-224"
"""The view of a face that crops show, see `clapboard.vision.views`."""
LONGEST_STEM = 120
"""Names of crops begin with no more than so many bytes of that of the source: file systems take 255 in all."""
NOTHING = np.zeros(0, np.float32)
"""No samples: given to a film at a time, the sound is silent from where it ended up to there."""
MAX_SKEW_S = 60.0
"""Sound that lies further than this behind its picture in the file is not waited for (s)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What becomes one crop: points ``first`` to ``end`` (exclusive) of the 25 Hz grid of one face.

    ``late_s`` is how far its frames lie behind these points on average, s, within half a period: a picture may begin
    anywhere between two points.
    """

    face: int
    first: int
    end: int
    late_s: float = 0.0

    @property
    def start_s(self) -> float:
        """Its start on the clock of the source, s."""
        return self.first / PICTURE_HZ + self.late_s

    @property
    def end_s(self) -> float:
        """Its end, s."""
        return self.end / PICTURE_HZ + self.late_s


def stretches(turns: Iterable[Turn], faces: Iterable[FaceSpeech]) -> list[Stretch]:
    """What to cut out: the turns of each face, joined where less than `JOIN_S` lies between, none below `SHORTEST_S`.

    Parameters
    ----------
    turns, faces : of `Speakers`; turns of nobody are passed over, and no crop reaches beyond the track of its face

    Returns
    -------
    Stretches in the order of their start
    """
    tracks = {face.number: face.time_s for face in faces if len(face.time_s)}
    joined: dict[int, list[tuple[float, float]]] = {}
    for turn in sorted(turns, key=lambda turn: turn.start_s):
        if turn.face is None or turn.face not in tracks:
            continue
        mine = joined.setdefault(turn.face, [])
        if mine and turn.start_s - mine[-1][1] < JOIN_S:
            mine[-1] = (mine[-1][0], max(mine[-1][1], turn.end_s))
        else:
            mine.append((turn.start_s, turn.end_s))
    found = []
    for face, parts in joined.items():
        begin = round(begin_s(tracks[face]), 6)
        # of two frames that are equally near to a point the grid takes the later one
        low = math.ceil((begin - HALF_PERIOD_S - TIE_S) * PICTURE_HZ)
        high, late_s = low + len(tracks[face]), begin - low / PICTURE_HZ
        for start_s, stop_s in parts:
            first, end = max(grid_index(start_s - late_s), low), min(grid_index(stop_s - late_s), high)
            if end - first >= SHORTEST_S * PICTURE_HZ:
                found.append(Stretch(face, first, end, late_s))
    return sorted(found, key=lambda stretch: (stretch.first, stretch.face))


def crop_name(source: Path, stretch: Stretch) -> str:
    """``talk.face-0.00012.40-00015.00.mp4``: a name that any file system and shell takes, in the order of time."""
    return f"{_begins(source)}{stretch.face}.{stretch.start_s:08.2f}-{stretch.end_s:08.2f}.mp4"


def crop_stem(source: Path) -> str:
    """What the names of all crops of a file begin with; that of different files may be the same."""
    stem = re.sub(r"[^\w.-]", "_", source.stem).lstrip("-.") or "clip"
    return stem.encode()[:LONGEST_STEM].decode(errors="ignore")


def require_no_crops(path: str | Path, folder: str | Path) -> None:
    """Refuse a folder that holds crops of a file already, before anybody waits.

    Raises
    ------
    UsageError : as said, or its list is none
    """
    CropList(Path(folder), Path(path), _begins(Path(path))).require_free([], overwrite=False)


def write_crops(
    found: Speakers,
    path: str | Path,
    folder: str | Path,
    *,
    correct_offset: bool = False,
    overwrite: bool = False,
    hook: Hook | None = None,
    threads: int = 1,
) -> list[Path]:
    """Write every turn of every speaking face as a clip of its own: the square about its head, and its sound.

    Crops are 224 px wide, 25 pictures a second (of the source, the nearest in time to each), H.264 and AAC in mp4, the
    sound one channel at 16 kHz, cut to the sample, as long as the pictures; where the source has none it is silent.
    The square is that of the published pipeline, see `clapboard.vision.views`. They get their names when the last one
    is finished, all of them or none. ``crops.jsonl`` gets a row for each: file, face, start_s, end_s, source (its path
    from ``folder``), source_percent_encoded (null unless its name is no Unicode), offset_ms (positive = sound early),
    offset_from (see `Speakers`), corrected.

    Parameters
    ----------
    found : who speaks when in this file
    path : the file; it is never changed
    folder : where to; it is made where it is missing
    correct_offset : take ``found.offset_ms`` out, so that sound and picture of the crops are together; nothing is
        corrected by an offset that is only ``assumed``
    overwrite : replace all crops of this file that are there already
    hook : called as ``hook("crops", done_s, total_s)``
    threads : for decoding and encoding

    Returns
    -------
    The crops, in the order of their start

    Raises
    ------
    UsageError : a crop exists already, or has the name of one of another file; the file is not the one that was
        measured, or its offset is not known
    MediaError : a file cannot be read or written
    """
    source, home = Path(path), Path(folder)
    require_file(source)
    if correct_offset and not math.isfinite(found.offset_ms):
        raise UsageError(f"{source}: its offset is not known, so that it cannot be taken out of the crops")
    correct_offset = correct_offset and found.offset_from != "assumed"
    planned = {crop_name(source, stretch): stretch for stretch in stretches(found.turns, found.faces)}
    there = CropList(home, source, _begins(source))
    if not planned and not (overwrite and home.is_dir()):
        return []
    same = {
        **names_of_source(source, home),
        "offset_ms": _rounded(found.offset_ms),
        "offset_from": found.offset_from,
        "corrected": correct_offset,
    }
    late_s = found.offset_ms / 1000 if correct_offset else 0.0
    faces, rows = {face.number: face for face in found.faces}, list[dict[str, Any]]()
    with hidden_folder(home) as part:
        there.require_free(planned, overwrite=overwrite)
        crops = [_Crop(part / name, faces[stretch.face], stretch, late_s) for name, stretch in planned.items()]
        if crops:
            cutter = _Cutter(crops, measured_clip(found, source), named("crops", hook), threads)
            with closing(cutter.finished()) as finished:
                for crop in finished:
                    here = crop.stretch
                    times = {"start_s": round(here.start_s, 2), "end_s": round(here.end_s, 2)}
                    rows.append({"file": crop.path.name, "face": here.face, **times, **same})
        order = {name: place for place, name in enumerate(planned)}
        rows.sort(key=lambda row: order[row["file"]])
        return there.replace(part, rows, overwrite=overwrite)


class _Crop:
    """One crop while it is written: opened by what comes first, picture or sound, closed when both are past its end."""

    def __init__(self, path: Path, face: FaceSpeech, stretch: Stretch, late_s: float) -> None:
        self.path, self.stretch = path, stretch
        self.seen = self.heard = False  # all of its pictures, all of its sound
        self._face, self._late_s = face, late_s
        self._film: Film | None = None
        self._view = view_of(CROP_VIEW)
        self._square = SquareCutter(self._view, 0.5)
        self._pictures = 0
        self._poses: F64 | None = None

    @property
    def from_s(self) -> float:
        """Its earliest picture or sound on the clock of the source, s."""
        return self.stretch.start_s - max(0.0, self._late_s)

    def picture(self, point: int, frame: Frame) -> None:
        """Take the frame at a point of the grid."""
        if self.stretch.first <= point < self.stretch.end:
            self._opened().picture(self._cut(frame), (point - self.stretch.first) / PICTURE_HZ)
            self._pictures += 1
        self.seen |= point + 1 >= self.stretch.end
        self.heard |= point - self.stretch.end > MAX_SKEW_S * PICTURE_HZ

    def sound(self, run: Audio) -> None:
        """Take a run of the sound."""
        start_s, length_s = run.start_s + self._late_s - self.stretch.start_s, self.stretch.end_s - self.stretch.start_s
        first = max(0, round(-start_s * run.rate_hz))
        end = min(len(run.samples), round((length_s - start_s) * run.rate_hz))
        if first < end:
            self._opened().sound(run.samples[first:end], start_s + first / run.rate_hz)
        self.heard |= start_s + len(run.samples) / run.rate_hz >= length_s

    def close(self) -> None:
        """Finish it; sound that ended early is followed by silence."""
        if self._film is None or not self._pictures:
            raise UsageError(
                f"{self.path.name}: there is no picture at {self.stretch.start_s:.1f} s; was another file measured?"
            )
        self._film.sound(NOTHING, self.stretch.end_s - self.stretch.start_s)
        film, self._film, self._poses = self._film, None, None
        film.__exit__(None, None, None)

    def abandon(self, error: BaseException) -> None:
        """Leave nothing of it."""
        if self._film is not None:
            with suppress(MediaError):  # the first error is the one to tell
                self._film.__exit__(type(error), error, error.__traceback__)

    def _opened(self) -> Film:
        """The film, open."""
        if self._film is None:
            px = self._view.px
            film = Film(
                self.path,
                width_px=px,
                height_px=px,
                rate=PICTURE_HZ,
                sound=(SAMPLE_RATE_HZ, 1, "aac"),
            )
            self._film = film.__enter__()
            self._film.sound(NOTHING, 0.0)  # from the first picture on
        return self._film

    def _cut(self, frame: Frame) -> Any:
        """The square about the head at the time of a frame, (px, px, 3) uint8."""
        assert frame.colour is not None
        times = self._face.time_s
        if self._poses is None:
            self._poses = poses(self._view, self._face.boxes, np.empty((len(times), 5, 2), np.float32))
        pose = np.array([np.interp(frame.time_s, times, column) for column in self._poses.T])
        return self._square(frame.colour, pose)


class _Cutter:
    """Reads a file once and gives each crop what is its own."""

    def __init__(self, crops: list[_Crop], clip: Clip, hook: Hook | None, threads: int) -> None:
        self._coming = sorted(crops, key=lambda crop: -crop.from_s)
        self._live: list[_Crop] = []
        self._clip, self._hook, self._threads = clip, hook, threads

    def finished(self) -> Generator[_Crop, None, None]:
        """Crops as they are finished; when anything goes wrong, nothing is left of the others."""
        try:
            for point, frame in on_grid(self._pictures()):
                self._wake(point / PICTURE_HZ)
                for crop in self._live:
                    crop.picture(point, frame)
                yield from self._done()
            for crop in self._live + self._coming:
                crop.seen = crop.heard = True
            self._live, self._coming = self._live + self._coming[::-1], []
            yield from self._done()
        except BaseException as error:
            for crop in self._live:
                crop.abandon(error)
            raise

    def _pictures(self) -> Iterator[Frame]:
        """The pictures, while the sound between them is handed out."""
        audio = self._clip.audio is not None
        for item in read(self._clip, audio=audio, colour=True, hook=self._hook, threads=self._threads):
            if isinstance(item, Frame):
                yield item
            else:
                self._wake(item.end_s)
                for crop in self._live:
                    crop.sound(item)

    def _wake(self, time_s: float) -> None:
        """Begin with the crops that reach back to a time."""
        while self._coming and self._coming[-1].from_s <= time_s + 1 / PICTURE_HZ:
            self._live.append(self._coming.pop())

    def _done(self) -> Iterator[_Crop]:
        """Close what is complete."""
        silent = self._clip.audio is None
        for crop in [crop for crop in self._live if crop.seen and (crop.heard or silent)]:
            crop.close()
            self._live.remove(crop)
            yield crop


def _begins(source: Path) -> str:
    """What the names of all crops of a file begin with, up to the number of the face."""
    return f"{crop_stem(source)}.face-"


def _rounded(offset_ms: float) -> float | None:
    """An offset to a tenth of a millisecond; JSON has no word for NaN."""
    return round(offset_ms, 1) if math.isfinite(offset_ms) else None
