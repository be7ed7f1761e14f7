"""What making sound is learned from: shots of data sets of scenes, their sound on the pictures' grid, and their truth.

The grid is that of `clapboard.synthesis.cues`: T pictures, R = 4 T rows of 10 ms, 640 T samples from 20 ms before the
first picture on. Pictures and sound stay on disk until they are looked at.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.store import Dataset, Stored
from clapboard.errors import MediaError, UsageError
from clapboard.synthesis.cues import LEAD_S, MATERIALS, SAMPLES_PER_FRAME, TEXTURES, rows_in, rows_of
from clapboard.timebase import FEATURE_HZ, SAMPLE_RATE_HZ, SAMPLES_PER_ROW, begin_s
from clapboard.training.rendered_sets import TRUTH
from clapboard.values import F32, F64

VIEW = "scene-64"
LEAST_FRAMES = 25
"""Shorter shots are left out."""
RING_ROWS, RING_ROWS_BESIDE = 50, 8
"""A blow is what a row is made of for at most so many rows, and for so many where a texture goes on beside it."""
RING_POWER = 1e-3
"""And while its power is at least this part of its loudest row's: 30 dB below."""
ACTIVE = 0.05
"""A texture is what a row is made of from this activity on."""


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One shot to learn from, its first picture at 0 s.

    Attributes
    ----------
    images : (T, 64, 64) uint8
    wave : (640 T,) int16, the first sample at -20 ms
    told : whether it is known what happens; where it is not, there are no events, and all rows are made of "none"
    events_s : (E,) float64, times of blows, s
    on_screen : (E,) bool, whether each is to be seen
    event_materials : (E,) uint8, what is struck: indices into `clapboard.synthesis.cues.MATERIALS`; 0 off screen
    materials : (4 T,) uint8, what is heard in each row: a blow that rings, a texture, or "none"
    activity : (4 T, 4) float32 0 to 1, how much of each of `clapboard.synthesis.cues.TEXTURES` is heard
    id, group : its name in the data set, and the recording it is of
    data : name of the data set's folder
    """

    images: NDArray[np.uint8]
    wave: NDArray[np.int16]
    told: bool
    events_s: F64
    on_screen: NDArray[np.bool_]
    event_materials: NDArray[np.uint8]
    materials: NDArray[np.uint8]
    activity: F32
    id: str
    group: str
    data: str

    @property
    def rows(self) -> int:
        """Rows, 4 T."""
        return rows_in(len(self.images))

    def sound(self) -> F32:
        """The wave, (640 T,) float32 in [-1, 1]."""
        return self.wave.astype(np.float32) / np.float32(32767)

    def seen_rows(self) -> F64:
        """Positions on the rows of the blows that are to be seen, ascending."""
        return np.sort(rows_of(self.events_s[self.on_screen], 0.0))


def load_takes(
    folders: Sequence[Path], *, least_frames: int = LEAST_FRAMES, limit: int | None = None, view: str = VIEW
) -> list[Take]:
    """Shots of data sets of scenes, with their truth where it lies beside them.

    Parameters
    ----------
    folders : data sets of scenes
    least_frames : shorter shots are left out
    limit : no more than so many of each folder, the first ones
    view : what they have to hold, a scene with 25 pictures a second and sound in one channel at 16 kHz

    Raises
    ------
    MediaError : a data set or its truth is missing or damaged
    UsageError : a folder is no data set of small scenes with sound in one channel, or two folders have one name
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise UsageError(f"data sets are told apart by the names of their folders, and two are equal: {names}")
    takes: list[Take] = []
    for name, folder in zip(names, folders, strict=True):
        found = Dataset.open(folder)
        if found.view != view:
            made = f"make it with clapboard prepare --kind sounds --view {view}"
            raise UsageError(f"{folder}: holds {found.view}, not {view}; {made}")
        truth = _read_truth(folder / TRUTH)
        entries = [entry for entry in found.entries if entry.frames >= least_frames][:limit]
        for entry in entries:
            if truth is not None and entry.id not in truth:
                raise MediaError(f"{folder / TRUTH}: says nothing of {entry.id}; make the data set anew")
            said = None if truth is None else truth[entry.id]
            try:
                takes.append(take_of(found.stored(entry), said, id=entry.id, group=entry.group, data=name))
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise MediaError(f"{folder / TRUTH}: is damaged ({entry.id}: {error}); make the set anew") from None
    return takes


def take_of(stored: Stored, said: Mapping[str, Any] | None, *, id: str, group: str, data: str) -> Take:
    """One shot on the grid; ``said`` is its row of the truth.

    Raises
    ------
    UsageError : the sound has several channels
    ValueError, KeyError, TypeError, IndexError : the truth is damaged
    """
    frames, first_s = len(stored.images), begin_s(np.asarray(stored.time_s, np.float64))
    if stored.samples.ndim != 1:
        raise UsageError(f"{id}: sound is made in one channel, and this has {stored.samples.shape[1]}")
    begin = round((first_s - LEAD_S - stored.start_s) * SAMPLE_RATE_HZ)
    wave = _cut(stored.samples, begin, SAMPLES_PER_FRAME * frames)
    events = np.array([] if said is None else said["events"], np.float64).reshape(-1, 3)
    within = (events[:, 0] >= first_s - LEAD_S) & (events[:, 0] < first_s - LEAD_S + rows_in(frames) / FEATURE_HZ)
    events = events[within]
    made_of = () if said is None else tuple(MATERIALS.index(name) for name in said["materials"])
    event_materials = np.array([made_of[int(source)] if source >= 0 else 0 for source in events[:, 1]], np.uint8)
    activity = np.zeros((rows_in(frames), len(TEXTURES)), np.float32)
    for name, levels in ({} if said is None else said.get("textures") or {}).items():
        activity[:, TEXTURES.index(name)] = levels
    events_s = events[:, 0] - first_s
    return Take(
        images=stored.images,
        wave=wave,
        told=said is not None,
        events_s=events_s,
        on_screen=events[:, 1] >= 0,
        event_materials=event_materials,
        materials=heard_materials(wave, rows_of(events_s, 0.0), event_materials, activity),
        activity=activity,
        id=id,
        group=group,
        data=data,
    )


def heard_materials(
    wave: NDArray[np.int16], rows: F64, event_materials: NDArray[np.uint8], activity: F32
) -> NDArray[np.uint8]:
    """What is heard in each row, (R,) uint8: the latest blow as long as it rings, a texture, or "none".

    Parameters
    ----------
    wave : (160 R,) int16
    rows : (E,) positions of blows
    event_materials : (E,) uint8; a blow of material 0, off screen, ends the one before and counts as "none"
    activity : (R, 4) float32, of each texture
    """
    power = np.mean(np.square(wave.reshape(-1, SAMPLES_PER_ROW).astype(np.float32)), axis=1)
    loudest = activity.argmax(1)
    goes_on = activity.max(1) >= ACTIVE
    first_texture = MATERIALS.index(TEXTURES[0])
    found = np.where(goes_on, first_texture + loudest, 0).astype(np.uint8)
    begins = np.floor(rows + 0.5).astype(np.int64)
    order = np.argsort(begins, kind="stable")
    ends = [*begins[order][1:].tolist(), len(power)]
    for event, end in zip(order.tolist(), ends, strict=False):  # without events there is one end
        begin = max(int(begins[event]), 0)
        at_most = RING_ROWS_BESIDE if goes_on[begin : begin + RING_ROWS].any() else RING_ROWS
        span = power[begin : min(end, begin + at_most)]
        if not len(span):
            continue
        loud = span >= RING_POWER * span[:5].max()  # a blow is loudest within 50 ms
        rings = len(span) if loud.all() else max(int(loud.argmin()), 1)
        found[begin : begin + rings] = event_materials[event]
    return found


def split_last(takes: Sequence[Take], share: float) -> tuple[list[Take], list[Take]]:
    """Takes to learn from, and those of the last recordings of each data set, so large a share of them.

    Raises
    ------
    UsageError : the share is not from 0 to less than 1
    """
    if not 0 <= share < 1:
        raise UsageError(f"the share of held-out recordings is from 0 to less than 1, not {share}")
    away: set[tuple[str, str]] = set()
    for data in dict.fromkeys(take.data for take in takes):
        groups = list(dict.fromkeys(take.group for take in takes if take.data == data))
        count = min(max(round(share * len(groups)), 1), len(groups) - 1) if share else 0
        away |= {(data, group) for group in groups[len(groups) - count :]}
    held = [take for take in takes if (take.data, take.group) in away]
    return [take for take in takes if (take.data, take.group) not in away], held


def chances(takes: Sequence[Take], shares: Mapping[str, float]) -> F64:
    """How likely each take is drawn, (N,) with sum 1; all alike where there are no shares.

    Parameters
    ----------
    shares : how often each data set is drawn, by its name; those not named never are

    Raises
    ------
    UsageError : a share names no data set, or no take is ever drawn
    """
    names = [take.data for take in takes]
    unknown = sorted(set(shares) - set(names))
    if unknown:
        raise UsageError(f"the recipe names the data set {', '.join(unknown)}; the data are {', '.join(set(names))}")
    weights = np.array([shares.get(name, 0.0) / names.count(name) if shares else 1.0 for name in names])
    if not weights.sum() > 0:
        raise UsageError("there is nothing to learn from: no take, or no share in batch.sets")
    return np.asarray(weights / weights.sum(), np.float64)


def digest(takes: Sequence[Take]) -> str:
    """What takes are, in their order, which decides what is drawn: their sets, ids, pictures and sound."""
    found = hashlib.sha256()
    for take in takes:
        seen, heard = zlib.crc32(take.images.tobytes()), zlib.crc32(take.wave.tobytes())
        found.update(f"{take.data} {take.id} {len(take.images)} {seen} {heard}\n".encode())
    return found.hexdigest()


def _cut(samples: NDArray[np.int16], begin: int, count: int) -> NDArray[np.int16]:
    """So many samples from one on, as a view where all are there; beyond the sound there is none."""
    if begin >= 0 and begin + count <= len(samples):
        return samples[begin : begin + count]
    found = np.zeros(count, np.int16)
    first, end = max(begin, 0), min(begin + count, len(samples))
    if first < end:
        found[first - begin : end - begin] = samples[first:end]
    return found


def _read_truth(path: Path) -> dict[str, dict[str, Any]] | None:
    """Rows of the truth by id; None where there is no such file. A line without an end was never finished.

    Raises
    ------
    MediaError : it cannot be read
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
        return {str(row["id"]): row for row in rows}
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path}: is damaged ({error}); make the data set anew") from None
