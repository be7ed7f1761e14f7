"""A model for any sound of a few numbers, written as ONNX without any training, and files that it can measure.

The picture is how much changes from frame to frame in each of 4 x 4 places, the sound how suddenly it gets louder: on
pictures where something appears with a click that finds the offset, so whoever uses it sees whether the whole way
through holds.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto

from clapboard.media.write import write_clip
from clapboard.models.any_spec import AnySoundCalibration, AnySoundSpec, Weighing
from clapboard.sound.kinds import KINDS
from clapboard.vision.scenes import SCENES
from tiny_models import Graph

FRAMES, ROWS, SIDE = 2, 5, 4
LEVELS = 4.0
"""Changes of less than this are noise of the codec (of 255)."""
ZERO_MS = 6.0
"""What a frame shows first lies half a frame after the middle of its window, and a rise begins before its click."""
WEIGHTS = {"deviation": 1.5, "agreement": 4.0}
SURE_OF_CLEAR = AnySoundCalibration(-15.0, WEIGHTS, Weighing(-15.0, WEIGHTS))
"""A calibration that believes a match eight standard deviations above the rest, which both halves bear out."""


def picture_graph(path: Path, places: str = "places") -> dict[str, str]:
    """How much changes, (T, 64, 64) uint8 -> (T - 1, 1) and (T - 1, 4, 4)."""
    px, graph = SCENES["scene-64"].px, Graph()
    graph.node("Cast", "input", to=TensorProto.FLOAT)
    frames = graph.at
    later = graph.node("Slice", frames, graph.constant([1]), graph.constant([1 << 30]), graph.constant([0]))
    before = graph.node("Slice", frames, graph.constant([0]), graph.constant([-1]), graph.constant([0]))
    graph.node("Sub", later, before)
    changed = graph.node("Abs")
    graph.node("Relu", graph.node("Sub", changed, graph.constant(LEVELS, np.float32)))
    graph.node("Reshape", graph.at, graph.constant([-1, SIDE, px // SIDE, SIDE, px // SIDE]))
    graph.node("ReduceMean", axes=[2, 4], keepdims=0, out=places)
    graph.node("ReduceSum", places, graph.constant([1, 2]), keepdims=0)
    graph.node("Unsqueeze", graph.at, graph.constant([1]), out="values")
    outputs = [("values", ["windows", 1]), (places, ["windows", SIDE, SIDE])]
    return graph.write(path, TensorProto.UINT8, ["frames", px, px], outputs)


def sound_graph(path: Path) -> dict[str, str]:
    """How suddenly it gets louder, (R, 40) float32 -> (R - 4, 1), 0 to 1."""
    graph = Graph()
    graph.node("ReduceMean", "input", axes=[1], keepdims=0)
    graph.node("Reshape", graph.at, graph.constant([1, 1, -1]))
    kernel = np.array([-0.5, -0.5, 0, 0.5, 0.5])[None, None]
    graph.node("Conv", graph.at, graph.constant(kernel, np.float32))
    graph.node("Sub", graph.at, graph.constant(0.05, np.float32))
    graph.node("Clip", graph.at, graph.constant(0, np.float32), graph.constant(2, np.float32))
    graph.node("Reshape", graph.at, graph.constant([-1, 1]), out="embeddings")
    return graph.write(
        path, TensorProto.FLOAT, ["rows", KINDS["log-mel-40"].features], [("embeddings", ["windows", 1])]
    )


def write_tiny_any(folder: Path, *, name: str = "tiny-any", **values: Any) -> Path:
    """Write the model; ``values`` are those of its description. The path of its JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "picture": picture_graph(folder / f"{name}.picture.onnx"),
        "sound": sound_graph(folder / f"{name}.sound.onnx"),
    }
    known: dict[str, Any] = {
        "scene": "scene-64",
        "sound": "log-mel-40",
        "window_frames": FRAMES,
        "window_rows": ROWS,
        "embedding": 1,
        "places": (SIDE, SIDE),
        "zero_ms": ZERO_MS,
        "calibration": SURE_OF_CLEAR,
    }
    AnySoundSpec(name=name, files=files, **{**known, **values}).write(folder / f"{name}.json")
    return folder / f"{name}.json"


def event_times(seed: int, seconds: float, rate: Fraction) -> np.ndarray:
    """Frames in which something appears, at irregular distances of 0.35 to 0.95 s, (E,) int64."""
    gaps = np.random.default_rng(seed).uniform(0.35, 0.95, 400)
    times_s = np.cumsum(gaps)
    return np.unique(np.round(times_s[times_s < seconds - 0.2] * float(rate)).astype(np.int64))


def pictures(
    frames: int,
    events: Sequence[int] | np.ndarray,
    *,
    seed: int = 0,
    size_px: tuple[int, int] = (160, 120),
    corner: int = 0,
) -> Iterator[np.ndarray]:
    """A textured picture; at each event a square in one corner changes between dark and light, (H, W) uint8."""
    width, height = size_px
    rng = np.random.default_rng(seed)
    ground = rng.integers(60, 120, (height // 8, width // 8)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    light, at = False, {int(e) for e in events}
    y, x = (height // 2) * (corner // 2), (width // 2) * (corner % 2)
    for number in range(frames):
        light ^= number in at
        image = ground.copy()
        image[y + 10 : y + 40, x + 10 : x + 50] = 220 if light else 30
        yield image


def clicks(times_s: np.ndarray, seconds: float, *, seed: int = 0, rate_hz: int = 16_000) -> np.ndarray:
    """Bursts of noise that die away within 60 ms, over a faint hiss, (N,) float32."""
    rng = np.random.default_rng(seed + 1)
    samples = 0.002 * rng.standard_normal(round(seconds * rate_hz))
    burst = 0.5 * rng.standard_normal(rate_hz // 8) * np.exp(-np.arange(rate_hz // 8) / (0.02 * rate_hz))
    for time_s in times_s:
        start = round(float(time_s) * rate_hz)
        first, stop = max(start, 0), min(start + len(burst), len(samples))
        if first < stop:
            samples[first:stop] += burst[first - start : stop - start]
    return np.clip(samples, -1, 1).astype(np.float32)


def write_clicks(
    path: Path,
    *,
    offset_ms: float = 0.0,
    seconds: float = 8.0,
    rate: Fraction = Fraction(25),
    seed: int = 0,
    period_s: float | None = None,
    sound_seed: int | None = None,
    still: bool = False,
    silent: bool = False,
    corner: int = 0,
    video_start_s: float = 0.0,
    audio_start_s: float = 0.0,
    size_px: tuple[int, int] = (160, 120),
) -> Path:
    """Write a file in which squares change with a click; its sound is early by ``offset_ms`` on the file's clock.

    ``sound_seed`` gives it the clicks of other events; the starts of the streams do not change the offset.
    """
    count = round(seconds * float(rate))
    if period_s is None:
        events = event_times(seed, seconds, rate)
    else:
        events = np.round(np.arange(0.3, seconds, period_s) * float(rate)).astype(np.int64)
    heard = events if sound_seed is None else event_times(sound_seed, seconds, rate)
    late_s = video_start_s - audio_start_s - offset_ms / 1000
    samples = clicks(heard / float(rate) + late_s, seconds, seed=seed)
    write_clip(
        path,
        pictures(count, () if still else events, seed=seed, size_px=size_px, corner=corner),
        rate,
        0 * samples if silent else samples,
        16_000,
        video_start_s=video_start_s,
        audio_start_s=audio_start_s,
    )
    return path
