"""Begin a study: match files by name, check that they fit, and write one file for each clip and source.

All files of a clip are written anew from one picture, that of the original, with sounds that have one length, rate,
level and codec, and are filled up to one size. So neither picture nor container, length, bandwidth, loudness or size
tells which sound is the original; what is left is the sound.
"""

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard import __version__
from clapboard.dataset.sources import places
from clapboard.errors import MediaError, NoAudioError, UsageError
from clapboard.media.dub import dub
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.media.read import read, read_frames
from clapboard.study.sounds import levelled, placed
from clapboard.study.store import ORIGINAL, Study
from clapboard.values import F32, Audio, Clip, Hook

SOUND_HZ = 16_000
"""What generators of sound here give; originals are brought to it, so that their bandwidth does not give them away. The
files themselves are at 48 kHz, which every browser plays."""
LONGEST_S = 120.0
"""Nobody compares sounds that are longer; and a clip has to fit into memory."""
GRID = 16
"""Pictures are compared as so many by so many means of their luma."""
SAME_PICTURE = 24.0
"""Mean difference of these, of 255, above which a file shows something else: other codecs and levels stay below."""
LEAST_BOX = 8
"""Bytes of the smallest box of an MP4 file."""
MIN_HZ, MAX_HZ = 8000, 48_000


@dataclass(frozen=True, slots=True)
class Begun:
    """What a study has: names of clips and variants, and the length of all clips, s."""

    clips: tuple[str, ...]
    variants: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Picture:
    """Times of the frames (T,), s, and what they show (T, GRID, GRID), 0 to 255."""

    time_s: NDArray[np.float64]
    means: NDArray[np.float32]

    @property
    def frame_s(self) -> float:
        return float(np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else 0.04

    @property
    def duration_s(self) -> float:
        return float(self.time_s[-1] - self.time_s[0]) + self.frame_s


def begin(
    folder: str | Path,
    original: str | Path,
    variants: Mapping[str, str | Path],
    *,
    sound_hz: int = SOUND_HZ,
    keep_levels: bool = False,
    most: int | None = None,
    seed: int = 0,
    hook: Hook | None = None,
) -> Begun:
    """Make the folder of a study; it is there whole or not at all.

    Parameters
    ----------
    folder : must not be there yet: answers are never overwritten
    original : folder of clips with their true sound
    variants : by name, folders of the same clips with made sound; files are matched by name, their endings may differ
    sound_hz : rate of all sounds, Hz
    keep_levels : leave the sounds as loud as they are
    most : rounds of each game for one participant at most
    seed : of the order
    hook : called as ``hook("prepare", done, total)`` in files

    Raises
    ------
    UsageError : a folder is missing or there already, names do not match, or pictures are not the same
    MediaError : a file cannot be read, has no picture or no sound, or nothing can be written
    """
    folder = Path(folder)
    _check(folder, variants, sound_hz, most, seed)
    found = {ORIGINAL: _files(Path(original)), **{name: _files(Path(where)) for name, where in variants.items()}}
    names = _matched(found, {ORIGINAL: original, **variants})
    seconds = []
    with _made_whole(folder) as part:
        study = Study(part)
        study.clips.mkdir()
        study.database.create()
        about = {
            "begun_at": datetime.now(UTC).isoformat(timespec="seconds"), "clapboard": __version__, "most": most,
            "seed": seed, "sound_hz": sound_hz, "levelled": not keep_levels,
        }  # fmt: skip
        with study.database.write() as db:
            db.executemany(
                "INSERT INTO about VALUES (?, ?)", [(key, json.dumps(value)) for key, value in about.items()]
            )
            db.executemany("INSERT INTO source VALUES (?, ?)", list(enumerate(found)))
        for number, name in enumerate(names):
            paths = [files[name] for files in found.values()]
            written, duration_s = _prepare(paths, study.clips, sound_hz, keep_levels=keep_levels)
            with study.database.write() as db:
                db.execute("INSERT INTO clip VALUES (?, ?, ?)", (number, name, duration_s))
                rows = [(number, source, file.name) for source, file in enumerate(written)]
                db.executemany("INSERT INTO file VALUES (?, ?, ?)", rows)
            seconds.append(duration_s)
            if hook is not None:
                hook("prepare", float((number + 1) * len(paths)), float(len(names) * len(paths)))
    return Begun(tuple(names), tuple(variants), float(sum(seconds)))


def _check(folder: Path, variants: Mapping[str, str | Path], sound_hz: int, most: int | None, seed: int) -> None:
    """Refuse what makes no sense before any file is read."""
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder}: exists already, and a study is never overwritten; give another name")
    if not folder.parent.is_dir():
        raise UsageError(f"{folder}: there is no folder {folder.parent}; make it first")
    if not variants or ORIGINAL in variants:
        raise UsageError(f"give at least one --variant NAME=FOLDER, none of them called {ORIGINAL}")
    if not MIN_HZ <= sound_hz <= MAX_HZ:
        raise UsageError(f"sounds can have {MIN_HZ} to {MAX_HZ} Hz, not {sound_hz}")
    if seed < 0 or (most is not None and most < 1):
        raise UsageError("a seed is 0 or more, and rounds are 1 or more")


def _files(folder: Path) -> dict[str, Path]:
    """The clips below a folder by their path in it, without ending."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder; give one with clips")
    found: dict[str, Path] = {}
    for place in places([folder]):
        name = place.inner.with_suffix("").as_posix()
        if name in found:
            raise UsageError(f"{place.path}: {found[name]} has the same name but for its ending; keep one of them")
        found[name] = place.path
    if not found:
        raise UsageError(f"{folder}: holds no video; give a folder that does")
    return dict(sorted(found.items()))


def _matched(found: Mapping[str, Mapping[str, Path]], folders: Mapping[str, str | Path]) -> list[str]:
    """The names that all have; refused where one lacks any."""
    every = sorted(set().union(*found.values()))
    for source, files in found.items():
        missing = [name for name in every if name not in files]
        if missing:
            more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UsageError(f"{folders[source]}: has no {missing[0]}{more}; each clip needs a file in every folder")
    return every


@contextlib.contextmanager
def _made_whole(folder: Path) -> Iterator[Path]:
    """Yield a hidden folder beside, which gets its name at the end, or is removed."""
    part = folder.with_name(f".{secrets.token_hex(4)}.clapboard")
    try:
        part.mkdir()
        yield part
        part.rename(folder)
    except OSError as error:
        raise MediaError(f"{folder}: cannot be made ({error.strerror or error}); give another place") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _prepare(paths: Sequence[Path], into: Path, sound_hz: int, *, keep_levels: bool) -> tuple[list[Path], float]:
    """Write a clip once for each source, the original first; gives the files and the length of the picture, s."""
    clips = [probe(path) for path in paths]
    for clip in clips:
        if clip.audio is None:
            raise NoAudioError(f"{clip.path}: has no sound; a study compares sounds")
    pictures = [_picture(clip) for clip in clips]
    for clip, picture in zip(clips[1:], pictures[1:], strict=True):
        _require_same(clips[0], pictures[0], clip, picture)
    duration_s = pictures[0].duration_s
    length = round(duration_s * sound_hz)
    pairs = zip(clips, pictures, strict=True)
    waves = [_wave(clip, float(picture.time_s[0]), length, sound_hz) for clip, picture in pairs]
    if not keep_levels:
        waves = levelled(waves)
    time_s = (pictures[0].time_s - pictures[0].time_s[0]).tolist()
    silent = into / f"{secrets.token_hex(12)}.mp4"
    frames = (_even(frame.colour) for frame in read_frames(clips[0], colour=True) if frame.colour is not None)
    write_clip(silent, frames, time_s)
    written = [into / f"{secrets.token_hex(12)}.mp4" for _ in waves]
    for file, wave in zip(written, waves, strict=True):
        dub(silent, file, wave, sound_hz, start_s=0.0)
    silent.unlink()
    _fill_up(written)
    return written, duration_s


def _picture(clip: Clip) -> _Picture:
    """Decode the picture once, for its times and what it shows."""
    time_s, means = [], []
    for frame in read_frames(clip):
        time_s.append(frame.time_s)
        if frame.time_s - time_s[0] > LONGEST_S:
            raise UsageError(f"{clip.path}: is longer than {LONGEST_S:.0f} s; cut it")
        means.append(_means(frame.image))
    return _Picture(np.array(time_s), np.array(means, np.float32))


def _means(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture as (GRID, GRID) means."""
    rows, columns = (np.linspace(0, size, GRID + 1).astype(int) for size in image.shape)
    rows, columns = (np.minimum(edges[:-1], size - 1) for edges, size in zip((rows, columns), image.shape, strict=True))
    sums = np.add.reduceat(np.add.reduceat(image, rows, 0, np.float32), columns, 1)
    counts = np.outer(np.diff([*rows, image.shape[0]]), np.diff([*columns, image.shape[1]]))
    return np.asarray(sums / counts, np.float32)


def _require_same(first: Clip, one: _Picture, clip: Clip, other: _Picture) -> None:
    """Refuse another picture: another length, or one that shows something else."""
    if abs(one.duration_s - other.duration_s) > one.frame_s + 1e-3:
        raise UsageError(
            f"{clip.path}: its picture lasts {other.duration_s:.2f} s, that of {first.path} {one.duration_s:.2f} s; "
            "they have to be the same"
        )
    near = np.searchsorted(other.time_s - other.time_s[0], one.time_s - one.time_s[0] - one.frame_s / 2)
    apart = float(np.abs(one.means - other.means[np.minimum(near, len(other.means) - 1)]).mean())
    if apart > SAME_PICTURE:
        raise UsageError(f"{clip.path}: shows something else than {first.path}; they have to be the same picture")


def _wave(clip: Clip, start_s: float, length: int, sound_hz: int) -> F32:
    """The sound of a file beside its own picture."""
    until_s = start_s + length / sound_hz
    runs = [run for run in read(clip, video=False, until_s=until_s, sound_hz=sound_hz) if isinstance(run, Audio)]
    return placed(runs, start_s, length, sound_hz)


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture with even sides, as H.264 has them: at most a row and a column less."""
    height, width = picture.shape[:2]
    return picture[: height - height % 2, : width - width % 2]


def _fill_up(files: Sequence[Path]) -> None:
    """Bring files to one size with a box that players skip (ISO/IEC 14496-12, 8.1.2), so that none is known by it."""
    largest = max(file.stat().st_size for file in files) + LEAST_BOX
    for file in files:
        room = largest - file.stat().st_size
        try:
            with file.open("ab") as out:
                out.write(room.to_bytes(4, "big") + b"free" + bytes(room - LEAST_BOX))
        except OSError as error:
            raise MediaError(f"{file}: cannot be written ({error.strerror}); make room") from error
