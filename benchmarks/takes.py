"""Single-face clips as material for scenes: one face, its own voice on the picture's clock, where it speaks and rests.

Every clip's own offset is taken out, so that all voices share one clock. A take is what has both picture and sound
then.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from clapboard.media.grid import on_grid
from clapboard.media.probe import probe
from clapboard.media.read import read, read_audio
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import F32, Audio, Frame, Track
from clapboard.vision.mouths import MouthFinder
from clapboard.vision.mtcnn import Mtcnn

TILE_PX = (320, 360)
"""Width and height of one face in a scene."""
FACE_PER_TILE = 0.45
"""Width of the face in it, where the clip's picture reaches that far around it."""
CORPUS_OFFSETS_MS = {"GRID": 55.0, "lipreading.org": -63.0}
"""Where clips have no reference of their own, that of the corpus, as in recipes/clapboard-s.toml."""
LONGEST_S = 10.0
"""Longer tracks are cut into takes of at most this."""
SHORTEST_S = {"dev": 3.0, "train": 2.2}
NO_SENTENCES = ("LRW-AR/LRC-AR", "lrorg_elisha", "lrorg_garrett", "lrorg_jen", "lrorg_nicole", "lrorg_smolinski")
"""Corpora and people with single words only."""
TAKES_PER_PERSON = 12

VOICE_BAND_HZ = (150.0, 4500.0)
DROP_DB, LOUD_PERCENTILE = 30.0, 95.0
"""The voice sounds where it is less than this below its own loud parts."""
BRIDGED_S = 0.3
"""Shorter pauses belong to speech."""
REST_S, REST_MARGIN_S = 0.2, 0.1
"""A rest is silent for so long, and so far from sound on either side."""
LEVELS_HZ = 100
LOUD_RMS = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One face for T frames, 40 ms apart.

    ``frames`` (T, H, W, 3) uint8 RGB; ``samples`` float32 at 16 kHz, in sync, T periods of a frame long and from half a
    period before the first one on; ``speaks`` (T,) bool; ``rests`` are stretches of frames, half-open.
    """

    file: str
    person: str
    corpus: str
    offset_ms: float
    start_s: float
    frames: NDArray[np.uint8]
    samples: F32
    speaks: NDArray[np.bool_]
    rests: tuple[tuple[int, int], ...]


def levels_db(samples: F32) -> NDArray[np.float64]:
    """Level in the band of speech every 10 ms, (R,) dB; row r is about (r + 1/2) * 10 ms, of 25 ms."""
    step, width = SAMPLE_RATE_HZ // LEVELS_HZ, SAMPLE_RATE_HZ // 40
    padded = np.pad(samples.astype(np.float64), ((width - step) // 2, width))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, width)[::step][: len(samples) // step]
    hz = np.fft.rfftfreq(width, 1 / SAMPLE_RATE_HZ)
    band = (hz >= VOICE_BAND_HZ[0]) & (hz <= VOICE_BAND_HZ[1])
    power = (np.abs(np.fft.rfft(pieces * np.hanning(width), axis=1)[:, band]) ** 2).mean(axis=1)
    return np.asarray(10 * np.log10(power + 1e-8))


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches where it is true, half-open."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def voice_of(samples: F32, count: int) -> tuple[NDArray[np.bool_], tuple[tuple[int, int], ...]]:
    """Where a clean voice speaks, by frames (count,), and its rests as stretches of frames."""
    level = levels_db(samples)
    loud = level > np.percentile(level, LOUD_PERCENTILE) - DROP_DB
    whole = loud.copy()
    for a, b in runs(~loud):
        if a > 0 and b < len(loud) and b - a < BRIDGED_S * LEVELS_HZ:
            whole[a:b] = True
    per_frame = LEVELS_HZ // PICTURE_HZ
    speaks = whole[: count * per_frame].reshape(count, per_frame).mean(axis=1) >= 0.5
    rests, margin = [], round(REST_MARGIN_S * LEVELS_HZ)
    for a, b in runs(~loud):
        if b - a < REST_S * LEVELS_HZ:
            continue
        begin = -(-(a + margin if a else a) // per_frame)
        end = (b - margin if b < len(loud) else b) // per_frame
        if end - begin >= REST_S * PICTURE_HZ:
            rests.append((begin, min(end, count)))
    return speaks, tuple(rests)


def take_files(talking: Path, part: str) -> list[dict[str, str]]:
    """Rows of the manifest whose clips can be used, with ``offset_ms``."""
    with (talking / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == part]
    with (talking / f"{part}_reference.csv").open(newline="") as file:
        known = {row["file"]: row for row in csv.DictReader(file)}
    train_people = {"s1", "s4"} if part == "dev" else set()  # of GRID; the model learned from them
    found, count = [], dict[str, int]()
    for row in rows:
        reference, speaker = known.get(row["file"]), row["speaker"]
        if reference is not None and reference["usable"] == "yes":
            row["offset_ms"] = reference["offset_ms"]
        elif row["corpus"] in CORPUS_OFFSETS_MS and (reference is None or reference["usable"] != "no"):
            row["offset_ms"] = str(CORPUS_OFFSETS_MS[row["corpus"]])
        else:
            continue
        if {row["corpus"], speaker} & {*NO_SENTENCES, *train_people} or float(row["duration_s"]) < SHORTEST_S[part]:
            continue
        count[speaker] = count.get(speaker, 0) + 1
        if count[speaker] <= TAKES_PER_PERSON:
            found.append(row)
    return found


def takes_of(path: Path, row: dict[str, str], shortest_s: float, folder: Path) -> Iterator[Take]:
    """Takes of one clip, from its longest face track; their pictures lie in ``folder``."""
    clip = probe(path)
    finder = MouthFinder(Mtcnn())
    for grid, frame in on_grid(frame for frame in read(clip, audio=False) if isinstance(frame, Frame)):
        finder.push(grid, frame)
    finder.close()
    if not finder.tracks:
        return
    track = max(finder.tracks, key=lambda track: len(track.time_s))
    offset_s = float(row["offset_ms"]) / 1000
    audio = max(read_audio(clip), key=lambda run: len(run.samples))
    half = 0.5 / PICTURE_HZ
    first_s = max(float(track.time_s[0]), audio.start_s + offset_s + half)
    last_s = min(float(track.time_s[-1]), audio.end_s + offset_s - half)
    pieces = max(1, -(-round((last_s - first_s) * 1000) // round(LONGEST_S * 1000)))
    for number in range(pieces):
        begin = int(np.ceil((first_s + (last_s - first_s) * number / pieces) * PICTURE_HZ))
        end = int(np.floor((first_s + (last_s - first_s) * (number + 1) / pieces) * PICTURE_HZ))
        if end - begin < shortest_s * PICTURE_HZ - 8:
            continue
        name = folder / f"{len(list(folder.iterdir()))}.npy"
        count = _pictures(path, track, begin, end, name)
        samples = _sound(audio, begin / PICTURE_HZ - half - offset_s, count)
        samples *= LOUD_RMS / max(float(np.percentile(np.abs(samples), 95)) / 2, 1e-5)
        speaks, rests = voice_of(samples, count)
        frames = np.load(name, mmap_mode="r")
        yield Take(
            row["file"], row["speaker"], row["corpus"], 1000 * offset_s, begin / PICTURE_HZ, frames,
            np.clip(samples, -1, 1), speaks, rests,
        )  # fmt: skip


def _sound(audio: Audio, start_s: float, count: int) -> F32:
    """Samples of so many frames from a time of the file on."""
    first = round((start_s - audio.start_s) * SAMPLE_RATE_HZ)
    wanted = count * SAMPLE_RATE_HZ // PICTURE_HZ
    inside = audio.samples[max(first, 0) : max(first + wanted, 0)]
    found = np.zeros(wanted, np.float32)
    found[max(-first, 0) : max(-first, 0) + len(inside)] = inside
    return found


def _pictures(path: Path, track: Track, begin: int, end: int, name: Path) -> int:
    """Cut the face out of the frames of grid points begin to end and keep them as an array in a file; how many."""
    here = (track.time_s >= begin / PICTURE_HZ - 0.02) & (track.time_s < end / PICTURE_HZ + 0.02)
    boxes = track.boxes[here]
    images, window = [], None
    colours = (frame for frame in read(probe(path), audio=False, colour=True) if isinstance(frame, Frame))
    for grid, frame in on_grid(colours):
        if grid < begin or frame.colour is None:
            continue
        if grid >= end:
            break
        window = window or _window(boxes, frame.colour.shape)
        x, y, width, height = window
        part = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.colour[y : y + height, x : x + width]), "rgb24")
        images.append(part.reformat(*TILE_PX, format="rgb24", interpolation="AREA").to_ndarray())
    np.save(name, np.stack(images))
    return len(images)


def _window(boxes: F32, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """What is cut out for all frames of a take: x, y, width, height, px, inside the picture."""
    height_px, width_px = shape[:2]
    face_px = float(np.median(boxes[:, 2] - boxes[:, 0]))
    centre = np.median((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0)
    travel = np.percentile(boxes[:, 2], 95) - np.percentile(boxes[:, 0], 5)
    width = min(max(face_px / FACE_PER_TILE, 1.25 * travel), width_px, height_px * TILE_PX[0] / TILE_PX[1])
    height = width * TILE_PX[1] / TILE_PX[0]
    x = np.clip(centre[0] - width / 2, 0, width_px - width)
    y = np.clip(centre[1] - height / 2, 0, height_px - height)
    return int(x), int(y), int(width), int(height)


def load_takes(talking: Path, part: str, folder: Path) -> list[Take]:
    """All takes of a part."""
    found: list[Take] = []
    for row in take_files(talking, part):
        found += takes_of(talking / row["file"], row, SHORTEST_S[part], folder)
    return found
