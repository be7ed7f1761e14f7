"""Cut a piece out of a file at exact times: both streams are encoded anew, since neither can begin just anywhere.

Time t of the file is time ``t - start_s`` of the piece, for pictures and for samples. The first picture is the one that
is shown at ``start_s``, from then on; every other one keeps its true time. Sound is cut to the sample.
"""

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import MediaError, NoAudioError, NoVideoError
from clapboard.media.film import Film
from clapboard.media.read import read
from clapboard.values import Audio, Clip, Frame

AAC_RATES_HZ = frozenset({8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000})
"""Rates that the encoder takes (Hz); other sound becomes 48 kHz."""
OTHERWISE_HZ = 48_000


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut: how many pictures and samples, the size of the pictures, rate and channels of the sound."""

    frames: int
    samples: int
    width_px: int
    height_px: int
    rate_hz: int
    channels: int


def cut(
    clip: Clip,
    out: str | Path,
    start_s: float,
    end_s: float,
    *,
    sound: bool = True,
    long_side_px: int | None = None,
    overwrite: bool = False,
) -> Cut:
    """Write a piece of a file as H.264 and AAC, whole or not at all.

    Parameters
    ----------
    clip : from ``probe``
    out : the file to be: mp4, m4v, mov or mkv by its ending
    start_s, end_s : on the clock of the file, half-open
    sound : whether the piece has the sound; without, it has no stream for it
    long_side_px : larger pictures are shrunk to this by whole steps of pixels; None leaves them as ``read`` gives them
    overwrite : replace an existing file

    Raises
    ------
    NoVideoError, NoAudioError : the file has no such stream, or nothing of it between these times
    UsageError : the file exists
    MediaError : it cannot be read or written
    """
    if clip.video is None:
        raise NoVideoError(f"{clip.path}: has no picture")
    rate_hz, channels = sound_of(clip) if sound else (0, 0)
    values = _between(clip, start_s, end_s, rate_hz, channels)
    waiting: list[Audio] = []
    for value in values:
        if isinstance(value, Frame):
            first = value
            break
        waiting.append(value)
    else:
        raise NoVideoError(f"{clip.path}: has no picture from {start_s:g} to {end_s:g} s")
    step = 1 if long_side_px is None else max(1, -(-max(first.image.shape) // long_side_px))
    height_px, width_px = _shrunk(_colour(first), step).shape[:2]
    frames = samples = 0
    with Film(
        out,
        width_px=width_px,
        height_px=height_px,
        rate=clip.rate,
        sound=(rate_hz, channels, "aac") if sound else None,
        overwrite=overwrite,
    ) as film:
        film.picture(_shrunk(_colour(first), step), max(0.0, first.time_s - start_s))
        frames += 1
        for value in _chain(waiting, values):
            if isinstance(value, Frame):
                film.picture(_shrunk(_colour(value), step), value.time_s - start_s)
                frames += 1
            else:
                film.sound(np.ascontiguousarray(value.samples.T), value.start_s - start_s)
                samples += len(value.samples)
        if sound and not samples:
            raise NoAudioError(f"{clip.path}: has no sound from {start_s:g} to {end_s:g} s")
    return Cut(frames, samples, width_px, height_px, rate_hz, channels)


def cut_sound(clip: Clip, out: BinaryIO, start_s: float, end_s: float) -> int:
    """Write the sound of a piece as WAV, 16 bits; how many samples it has. Where the file has none there is silence.

    Parameters
    ----------
    clip : from ``probe``
    out : a file that is open for writing
    start_s, end_s : on the clock of the file, half-open

    Raises
    ------
    NoAudioError : the file has no sound, or none between these times
    MediaError : it cannot be read
    """
    rate_hz, channels = sound_of(clip)
    table = np.zeros((round((end_s - start_s) * rate_hz), channels), np.float32)
    heard = False
    for value in _between(clip, start_s, end_s, rate_hz, channels, video=False):
        if isinstance(value, Audio):
            at = round((value.start_s - start_s) * rate_hz)
            rows = value.samples.reshape(len(value.samples), -1)[max(0, -at) :][: len(table) - max(0, at)]
            table[max(0, at) : max(0, at) + len(rows)] = rows
            heard = heard or bool(len(rows))
    if not heard:
        raise NoAudioError(f"{clip.path}: has no sound from {start_s:g} to {end_s:g} s")
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(table, -1, 1) * 32_767).round().astype("<i2").tobytes())
    return len(table)


def sound_of(clip: Clip) -> tuple[int, int]:
    """Rate (Hz) and channels (1 or 2) in which the sound of a file is written.

    Raises
    ------
    NoAudioError : it has none
    """
    if clip.audio is None:
        raise NoAudioError(f"{clip.path}: has no sound")
    rate_hz = clip.audio.rate_hz if clip.audio.rate_hz in AAC_RATES_HZ else OTHERWISE_HZ
    return rate_hz, 1 if clip.audio.channels == 1 else 2


def _between(
    clip: Clip, start_s: float, end_s: float, rate_hz: int, channels: int, *, video: bool = True
) -> Iterator[Frame | Audio]:
    """What is seen and heard between two times: the picture that is shown at the first one, then all that follow."""
    shown: Frame | None = None
    begun = False
    for value in read(
        clip,
        video=video,
        audio=bool(channels),
        colour=video,
        from_s=start_s,
        until_s=end_s,
        sound_hz=rate_hz or OTHERWISE_HZ,
        channels=channels or 1,
    ):
        if isinstance(value, Audio):
            skip = max(0, int(np.ceil((start_s - value.start_s) * value.rate_hz - 1e-6)))
            if skip < len(value.samples):
                yield Audio(value.samples[skip:], value.rate_hz, value.start_s + skip / value.rate_hz)
        elif value.time_s <= start_s:
            shown = value
        else:
            if not begun and shown is not None:
                yield shown
            begun = True
            yield value
    if not begun and shown is not None:
        yield shown


def _chain(waiting: list[Audio], values: Iterator[Frame | Audio]) -> Iterator[Frame | Audio]:
    """What came before the first picture, then the rest."""
    yield from waiting
    yield from values


def _colour(frame: Frame) -> NDArray[np.uint8]:
    """The colours of a picture that was read with them."""
    if frame.colour is None:
        raise MediaError("a picture came without its colours")
    return frame.colour


def _shrunk(image: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """A picture smaller by a whole number, the mean of step x step pixels."""
    if step == 1:
        return image
    height, width = (side // step * step for side in image.shape[:2])
    blocks = image[:height, :width].reshape(height // step, step, width // step, step, 3)
    small: NDArray[np.uint8] = blocks.mean(axis=(1, 3)).astype(np.uint8)
    return small
