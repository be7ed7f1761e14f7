"""Clips whose flash and beep are known to the sample, and their measurement through the reader."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.media.read import read
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import Audio, Clip, Frame

WIDTH, HEIGHT = 64, 48
FLASH_S = 1.0
BEEP_S = 0.08
PROMISE_MS = 1.0


def vfr_times(seconds: float = 2.0) -> list[float]:
    """Times of frames as a phone makes them: 20 to 60 ms apart, in whole milliseconds."""
    steps = np.random.default_rng(1).integers(20, 61, int(seconds * 40))
    times = np.concatenate([[0], np.cumsum(steps)]) / 1000
    return [float(time) for time in times[times < seconds]]


RATES: dict[str, Fraction | list[float]] = {
    "23.976": Fraction(24000, 1001),
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "30": Fraction(30),
    "50": Fraction(50),
    "59.94": Fraction(60000, 1001),
    "vfr": vfr_times(),
}


def times_of(rate: Fraction | Sequence[float], seconds: float = 2.0) -> list[float]:
    """Time of each frame from the first, s."""
    if isinstance(rate, Fraction):
        return [float(index / rate) for index in range(int(seconds * rate))]
    return list(rate)


def beep(time_s: NDArray[Any]) -> NDArray[np.float64]:
    """A rising tone of 80 ms from 500 to 2500 Hz, by time from its start: it fits only one place."""
    inside = (time_s >= 0) & (time_s < BEEP_S)
    return np.where(inside, np.sin(2 * np.pi * (500 * time_s + 2000 / BEEP_S / 2 * time_s**2)), 0.0)


def flash_and_beep(
    path: Path,
    rate: Fraction | list[float] = Fraction(25),
    *,
    video_start_s: float = 0.0,
    audio_start_s: float = 0.0,
    sample_rate_hz: int = 48_000,
    channels: int = 1,
    seconds: float = 2.0,
    **options: Any,
) -> Path:
    """A clip of which one frame is white; the beep starts when that frame is shown."""
    times = times_of(rate, seconds)
    white = int(np.argmin([abs(time - FLASH_S) for time in times]))
    frames = [np.full((HEIGHT, WIDTH), 235 if index == white else 16, np.uint8) for index in range(len(times))]
    clock = np.arange(int(seconds * sample_rate_hz)) / sample_rate_hz + audio_start_s
    tone = 0.5 * beep(clock - (times[white] + video_start_s)).astype(np.float32)
    samples = np.zeros((len(tone), channels), np.float32)
    # dialogue sits in the centre channel where there is one
    samples[:, [2] if channels >= 5 else list(range(min(channels, 2)))] = tone[:, None]
    write_clip(
        path,
        frames,
        rate,
        samples,
        sample_rate_hz,
        video_start_s=video_start_s,
        audio_start_s=audio_start_s,
        **options,
    )
    return path


def decode(path: Path, **options: Any) -> tuple[Clip, list[Frame], list[Audio]]:
    """Everything in a small file."""
    clip = probe(path, **options)
    frames, sound = [], []
    for value in read(clip):
        (frames if isinstance(value, Frame) else sound).append(value)
    return clip, frames, sound


def laid_out(sound: list[Audio]) -> tuple[NDArray[np.float32], float]:
    """All blocks on one clock, and the time of its first sample."""
    start_s = min(block.start_s for block in sound)
    samples = np.zeros(round((max(block.end_s for block in sound) - start_s) * SAMPLE_RATE_HZ) + 2, np.float32)
    for block in sound:
        at = round((block.start_s - start_s) * SAMPLE_RATE_HZ)
        samples[at : at + len(block.samples)] = block.samples
    return samples, start_s


def beep_time_s(sound: list[Audio]) -> float:
    """When the beep starts, finer than a sample."""
    samples, start_s = laid_out(sound)
    pattern = beep(np.arange(int(BEEP_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)
    match = np.correlate(samples, pattern, "valid")
    peak = int(np.argmax(match))
    assert 0 < peak < len(match) - 1, "the beep is not inside the clip"
    before, at, after = match[peak - 1 : peak + 2]
    return start_s + (peak + (before - after) / (before - 2 * at + after) / 2) / SAMPLE_RATE_HZ


def beep_after_flash_ms(path: Path, **options: Any) -> float:
    """How much later than the flash the reader puts the beep, ms: 0 is the truth of these clips."""
    _, frames, sound = decode(path, **options)
    flash_s = max(frames, key=lambda frame: float(frame.image.mean())).time_s
    return (beep_time_s(sound) - flash_s) * 1000


def contiguous(sound: list[Audio]) -> bool:
    """Whether the blocks follow each other to the sample."""
    return all(abs(a.end_s - b.start_s) < 1e-6 for a, b in pairwise(sound))


def tone_frame(samples: NDArray[Any], rate_hz: int, pts: int, tick: Fraction, layout: str = "mono") -> Any:
    """An audio frame of float samples (N,) or (channels, N)."""
    planes = np.ascontiguousarray(np.atleast_2d(samples), np.float32)
    frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, pts, tick
    return frame


def write_pcm(path: Path, pieces: list[tuple[float, NDArray[np.float32]]], rate_hz: int = 48_000) -> Path:
    """A file of black pictures and PCM packets, each at the time that is given for it (s)."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = out.add_stream("pcm_s16le", rate=rate_hz, layout="mono")
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH), 16, np.uint8), format="gray")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for time_s, samples in pieces:
            whole = (samples * 32767).astype(np.int16).tobytes()
            packet = av.Packet(whole)
            packet.stream, packet.time_base = audio, Fraction(1, 90_000)
            packet.pts = packet.dts = round(time_s * 90_000)
            packet.duration = round(len(samples) / rate_hz * 90_000)
            out.mux(packet)
    return path
