"""Clips of talking faces with an offset that is known to the sample: as arrays, or as files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.testing.articulation import LEAD_S, Articulation, speak
from clapboard.testing.face import Actor, render, true_landmarks
from clapboard.testing.speaker import Speaker
from clapboard.testing.synthesis import voice
from clapboard.timebase import PICTURE_HZ
from clapboard.values import F32, F64

Rate = Fraction | int | Sequence[float]
NEXT_PERSON = 7919
"""Seeds of the people of one clip are this far apart, so that clips with near seeds share nobody."""
VIEWS = ((1.0, 0.0), (0.75, -0.08), (1.2, 0.06))
"""What a cut changes, in turn: the size of the faces, and where they are across, as part of the width."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipTruth:
    """What is true of a clip made in code.

    Attributes
    ----------
    offset_ms : by how much the sound is early, as made: ``offset_ms`` as asked for, rounded to a whole sample
    times_s : (T,) time of each picture after the first one, s; also the time of the curves that it shows
    sample_rate_hz : samples per second
    size_px : width and height of the pictures
    speaking : index of the face whose voice is heard; None where the voice belongs to nobody in the picture
    shots : the shots: start and end, s after the first picture, and who is to be seen where
    path : the file, None for arrays
    """

    offset_ms: float
    times_s: F64
    sample_rate_hz: int
    size_px: tuple[int, int]
    speaking: int | None
    shots: tuple[tuple[float, float, tuple[Actor, ...]], ...]
    path: Path | None = None

    def landmarks(self, face: int = 0) -> F64:
        """Return the true landmarks of one face in every picture, (T, 5, 2) px; see `true_landmarks`."""
        parts = [
            true_landmarks(actors[face], self.times_s[(self.times_s >= start_s) & (self.times_s < end_s)], self.size_px)
            for start_s, end_s, actors in self.shots
        ]
        return np.concatenate(parts)


class Talk(NamedTuple):
    """A clip as arrays: ``frames`` (H, W) uint8 one by one, ``times_s`` (T,) of each, ``samples`` (N,) from 0 s on."""

    frames: Iterator[NDArray[np.uint8]]
    times_s: F64
    samples: F32 | None
    truth: ClipTruth


def presentation_times(rate: Rate, duration_s: float) -> F64:
    """Return the times (T,) of pictures, s, from 0 on: at a steady rate, or as given, which must ascend from 0."""
    if isinstance(rate, Fraction | int):
        if rate <= 0:
            raise UsageError(f"rate must be positive, not {rate}")
        return np.array([float(number / Fraction(rate)) for number in range(int(duration_s * rate + 1e-9))])
    times_s = np.asarray(rate, np.float64)
    if times_s.ndim != 1 or not len(times_s) or times_s[0] != 0 or (np.diff(times_s) <= 0).any():
        raise UsageError("times of pictures must ascend from 0")
    return times_s


def _frozen(pictures: Iterator[NDArray[np.uint8]], count: int) -> Iterator[NDArray[np.uint8]]:
    """Repeat the first picture."""
    first = next(pictures)
    for _ in range(count):
        yield first


def _pictures(truth: ClipTruth, seed: int, grain: float | None) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures of all shots, each shot in a place of its own."""
    width_px, height_px = truth.size_px
    for number, (start_s, end_s, actors) in enumerate(truth.shots):
        times_s = truth.times_s[(truth.times_s >= start_s) & (truth.times_s < end_s)]
        place = seed + number * NEXT_PERSON
        yield from render(actors, times_s, width_px=width_px, height_px=height_px, seed=place, grain=grain)


def _actors(
    seed: int, faces: int, face_px: float, speaking: int, speech: Articulation, *, motion: float
) -> tuple[Actor, ...]:
    """People side by side, of whom one speaks and the others listen."""
    people = []
    for number in range(faces):
        speaker = Speaker.from_seed(seed + number * NEXT_PERSON)
        curves = speech
        if number != speaking:
            curves = speak(speaker.seed, speech.duration_s, speaker=speaker, talking=False)
        people.append(Actor(curves, speaker, face_px, (number + 0.5) / faces, motion=motion))
    return tuple(people)


def talking_arrays(
    seed: int = 0,
    duration_s: float = 6.0,
    *,
    rate: Rate = PICTURE_HZ,
    offset_ms: float = 0.0,
    width_px: int = 640,
    height_px: int = 360,
    face_px: float = 150.0,
    faces: int = 1,
    speaking: int = 0,
    sample_rate_hz: int = 48_000,
    silent: bool = False,
    audio: bool = True,
    static: bool = False,
    voice_of: int | None = None,
    quiet: Sequence[tuple[float, float]] = (),
    cuts_s: Sequence[float] = (),
    motion: float = 1.0,
    grain: float | None = None,
    sound_from_s: float = 0.0,
) -> Talk:
    """Return a clip of talking faces as arrays.

    Parameters
    ----------
    seed : people, speech, place and camera; everything follows from it
    duration_s : length, s
    rate : pictures per second, or the time of each picture, s, ascending from 0
    offset_ms : by how much the sound is early: sample n plays the speech of ``n / sample_rate_hz + offset_ms / 1000``
    width_px, height_px : size of the pictures
    face_px : width of a head at the cheeks, px; made smaller where several faces would not fit
    faces : how many people are in the picture, side by side
    speaking : which of them speaks, from 0 on; the others listen
    sample_rate_hz : a multiple of 1000
    silent : the sound is there, but all zeros
    audio : False for no sound at all
    static : all pictures are the first one
    voice_of : seed of somebody else whose unrelated speech is heard in place of the right one
    quiet : ranges (start, end), s, in which nobody speaks
    cuts_s : times of cuts, s: from each on another camera, another place, the same people and speech
    motion : size of the movements of heads, 0 to 1
    grain : standard deviation of the camera's noise, luma; None draws it
    sound_from_s : time of the first sample after the first picture, s (for streams that start apart)

    Returns
    -------
    Talk : frames, times_s, samples (None without sound), truth

    Raises
    ------
    UsageError : arguments that make no sense
    """
    if faces < 1 or not 0 <= speaking < faces:
        raise UsageError(f"speaking must name one of the faces, 0 to {faces - 1}, not {speaking}")
    times_s = presentation_times(rate, duration_s)
    first = round((sound_from_s + offset_ms / 1000) * sample_rate_hz)
    exact_ms = 1000 * (first / sample_rate_hz - sound_from_s)
    # the lead is the same for all usual offsets, and so is the speech
    need_s = abs(first) / sample_rate_hz + 0.1
    lead_s = LEAD_S if need_s < LEAD_S else float(np.ceil(need_s))
    speech = speak(seed + speaking * NEXT_PERSON, duration_s, quiet=quiet, lead_s=lead_s)
    fitting_px = min(face_px, 0.8 * width_px / faces) if faces > 1 else face_px
    actors = _actors(seed, faces, fitting_px, speaking, speech, motion=motion)
    edges = [0.0, *sorted(cuts_s), np.inf]
    shots = []
    for number, (start_s, end_s) in enumerate(pairwise(edges)):
        size, shift = VIEWS[number % len(VIEWS)]
        seen = tuple(replace(actor, face_px=actor.face_px * size, x=actor.x + shift) for actor in actors)
        shots.append((start_s, end_s, seen))
    mute = silent or not audio
    truth = ClipTruth(
        offset_ms=exact_ms,
        times_s=times_s,
        sample_rate_hz=sample_rate_hz,
        size_px=(width_px, height_px),
        speaking=None if mute or voice_of is not None else speaking,
        shots=tuple(shots),
    )
    frames = _pictures(truth, seed, grain)
    if static:
        frames = _frozen(frames, len(times_s))
    samples = None
    if audio:
        samples = _sound(speech, actors[speaking].speaker, first, truth, silent=silent, voice_of=voice_of)
    return Talk(frames, times_s, samples, truth)


def _sound(
    speech: Articulation,
    speaker: Speaker,
    first: int,
    truth: ClipTruth,
    *,
    silent: bool,
    voice_of: int | None,
) -> F32:
    """Return the samples from number ``first`` of the speech on, counted from its time 0."""
    rate_hz = truth.sample_rate_hz
    count = round(speech.duration_s * rate_hz)
    if silent:
        return np.zeros(count, np.float32)
    if voice_of is not None:
        speaker = Speaker.from_seed(voice_of)
        speech = speak(voice_of, speech.duration_s, speaker=speaker, lead_s=-speech.start_s)
    start = round(-speech.start_s * rate_hz) + first
    return voice(speech, speaker, rate_hz)[start : start + count].copy()


def make_clip(
    path: str | Path,
    *,
    by: Literal["samples", "timestamps"] = "samples",
    video_start_s: float = 0.0,
    audio_start_s: float = 0.0,
    video_codec: str | None = None,
    audio_codec: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> ClipTruth:
    """Write a clip of talking faces whose sound is early by a known amount.

    Parameters
    ----------
    path : mp4, mov, mkv, webm, ts, mpg or avi, by its ending
    by : how the sound is made early: its samples are moved, or its timestamps are; the offset of the file is the same
    video_start_s, audio_start_s : first timestamps in the file, s; they do not change the offset, since the
        sound is cut so that it fits: what is said at one time of the file is seen then, but for ``offset_ms``
    video_codec, audio_codec : FFmpeg's names; None takes a common one
    overwrite : replace an existing file
    options : everything else is passed on to `talking_arrays`: ``seed``, ``duration_s``, ``rate``, ``offset_ms``, ...

    Returns
    -------
    ClipTruth

    Raises
    ------
    UsageError : arguments that make no sense, or a container that cannot hold them
    MediaError : the file cannot be written
    """
    from clapboard.media.write import write_clip

    if by not in ("samples", "timestamps"):
        raise UsageError(f'by must be "samples" or "timestamps", not {by!r}')
    if "sound_from_s" in options:
        raise UsageError("give video_start_s and audio_start_s, not sound_from_s")
    asked_ms = float(options.pop("offset_ms", 0.0))
    apart_s = audio_start_s - video_start_s
    in_samples = by == "samples"
    talk = talking_arrays(offset_ms=asked_ms if in_samples else 0.0, sound_from_s=apart_s, **options)
    truth = talk.truth
    steady = options.get("rate", PICTURE_HZ)
    write_clip(
        path,
        talk.frames,
        Fraction(steady) if isinstance(steady, Fraction | int) else list(talk.times_s),
        talk.samples,
        truth.sample_rate_hz,
        video_codec=video_codec,
        audio_codec=audio_codec,
        video_start_s=video_start_s,
        audio_start_s=audio_start_s - (0.0 if in_samples else asked_ms / 1000),
        overwrite=overwrite,
    )
    return replace(truth, path=Path(path), offset_ms=truth.offset_ms + (0.0 if in_samples else asked_ms))
