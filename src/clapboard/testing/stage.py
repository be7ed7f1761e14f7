"""Scenes with several people who take turns, with who speaks when known exactly: as arrays, or as files.

::

    from clapboard.testing import render_scene

    truth = render_scene("panel.mp4", cast=(12, 13), turns=[(0.3, 2.5, 0), (2.8, 5.0, 1), (5.3, 6.8, None)])
    truth.turns     # of face 0, of face 1, and of somebody who is not in the picture
"""

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
from clapboard.testing.clips import NEXT_PERSON, VIEWS, Rate, presentation_times
from clapboard.testing.face import Actor, render, true_landmarks
from clapboard.testing.speaker import Speaker
from clapboard.testing.synthesis import voice
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import F32, F64, Turn

Line = tuple[float, float, int | None]
"""From when to when, s, and who: an index of the cast, None for somebody who is never in the picture."""
Manner = Literal["quiet", "talking"]

JOIN_S = 0.5
"""Two stretches of speech of one person with less than this between them are one turn (s)."""
NEXT_TALK = 104_729
"""What people say differs by this much in its seed from one scene to the next."""
SEAT_PX = 128
"""Width of the picture for each face where none is asked for; even, as codecs want it (px)."""


@dataclass(frozen=True, slots=True, eq=False)
class Seat:
    """One face through one shot, which a tracker should find as one track.

    ``member`` is its index in the cast, ``start_s`` and ``end_s`` those of the shot, s after the first picture.
    """

    number: int
    member: int
    start_s: float
    end_s: float
    actor: Actor


@dataclass(frozen=True, slots=True, eq=False)
class SceneTruth:
    """What is true of a scene made in code.

    Attributes
    ----------
    offset_ms : by how much the sound is early, as made
    times_s : (T,) time of each picture after the first one, s
    sample_rate_hz : samples per second
    size_px : width and height of the pictures
    seats : every face of every shot, shot by shot, from left to right
    turns : who speaks when, by the clock of the pictures: ``face`` is the number of a seat, None for a voice of nobody
        in the picture; from the first sound to the last, cut where the picture is cut; the score is 1
    heard : stretches of speech (start, end), s, of each of the cast and at last of the stranger, seen or not
    path : the file, None for arrays
    """

    offset_ms: float
    times_s: F64
    sample_rate_hz: int
    size_px: tuple[int, int]
    seats: tuple[Seat, ...]
    turns: tuple[Turn, ...]
    heard: tuple[tuple[tuple[float, float], ...], ...]
    path: Path | None = None

    def speaking(self, face: int | None, times_s: Sequence[float] | NDArray[Any]) -> NDArray[np.bool_]:
        """Whether a seat, or nobody in the picture (None), speaks at some times (T,), s; (T,) bool."""
        times = np.asarray(times_s, np.float64)
        found = np.zeros(times.shape, bool)
        for turn in self.turns:
            if turn.face == face:
                found |= (times >= turn.start_s) & (times < turn.end_s)
        return found

    def landmarks(self, face: int, times_s: Sequence[float] | NDArray[Any]) -> F64:
        """Return the true landmarks of one seat at some times, (T, 5, 2) px; see `true_landmarks`."""
        return true_landmarks(self.seats[face].actor, times_s, self.size_px)

    def seat_of(self, time_s: float, box: Sequence[float] | NDArray[Any]) -> int | None:
        """Return the number of the seat whose landmarks all lie in a box (x0 y0 x1 y1, px) at a time, s, or None."""
        low, high = np.asarray(box, np.float64).reshape(2, 2)
        for seat in self.seats:
            if seat.start_s <= time_s < seat.end_s:
                points = self.landmarks(seat.number, [time_s])[0]
                if (points >= low).all() and (points <= high).all():
                    return seat.number
        return None


class Staged(NamedTuple):
    """A scene as arrays: ``frames`` (H, W) uint8 one by one, ``times_s`` (T,) of each, ``samples`` (N,) from 0 s on."""

    frames: Iterator[NDArray[np.uint8]]
    times_s: F64
    samples: F32
    truth: SceneTruth


def scene_arrays(
    *,
    cast: Sequence[int] = (12, 13),
    turns: Sequence[Line] = ((0.2, 2.8, 0), (3.2, 5.8, 1)),
    duration_s: float = 6.0,
    layout: Sequence[tuple[float, Sequence[int]]] = (),
    listeners: Manner | Sequence[Manner] = "quiet",
    stranger: int = 21,
    sound_early_ms: float = 0.0,
    rate: Rate = PICTURE_HZ,
    seed: int = 0,
    face_px: float = 80.0,
    width_px: int | None = None,
    height_px: int = 144,
    pause_s: float | None = 0.05,
    noise_db: float = -65.0,
    motion: float = 1.0,
    grain: float | None = None,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Staged:
    """Return a scene of people who take turns as arrays.

    Parameters
    ----------
    cast : seed of each person, face and voice
    turns : who speaks from when to when, see `Line`; those of different people may overlap
    duration_s : length, s
    layout : the shots: from when on, s, the first from 0, and which of the cast are seen then, from left to right;
        whoever speaks unseen is a voice of nobody in the picture. Empty: all of them, all the time
    listeners : what people do when it is not their turn, for all or for each: ``quiet``: the mouth rests, but for the
        small movements of one who listens; ``talking``: it says something that is not heard
    stranger : seed of the person whose face is never seen
    sound_early_ms : by how much the sound comes before the picture
    rate : pictures per second, or the time of each picture, s, ascending from 0
    seed : the place, the camera, and what is said
    face_px : width of a head at the cheeks, px; made smaller where several faces would not fit
    width_px, height_px : size of the pictures; None: as wide as the fullest shot asks for
    pause_s : mean pause inside a turn beyond 0.15 s, s; None leaves each person's own
    noise_db : root mean square of the noise of the recording, dB of full scale; voices have -29 to -19 dB
    motion : size of the movements of heads, 0 to 1
    grain : standard deviation of the camera's noise, luma; None draws it
    sample_rate_hz : a multiple of 1000

    Returns
    -------
    Staged : frames, times_s, samples, truth

    Raises
    ------
    UsageError : arguments that make no sense, or a turn in which no sound of speech fits
    """
    times_s = presentation_times(rate, duration_s)
    shots = _shots(layout, len(cast))
    manners = [listeners] * len(cast) if isinstance(listeners, str) else list(listeners)
    _require_sense(cast, turns, shots, manners, stranger)
    first = round(sound_early_ms / 1000 * sample_rate_hz)
    lead_s = LEAD_S if abs(first) / sample_rate_hz + 0.1 < LEAD_S else float(np.ceil(abs(first) / sample_rate_hz + 0.1))
    people = [replace(Speaker.from_seed(one), floor=0.0) for one in (*cast, stranger)]
    if pause_s is not None:
        people = [replace(one, pause_s=pause_s) for one in people]
    spoken: list[Articulation] = []
    shown: list[Articulation] = []
    for number, person in enumerate(people):
        own = [(start_s, end_s) for start_s, end_s, who in turns if (len(cast) if who is None else who) == number]
        said = person.seed + NEXT_TALK * seed
        quiet = _between(own)
        spoken.append(speak(said, duration_s, speaker=person, quiet=quiet, lead_s=lead_s))
        # the same words at the same times, and more of them where nobody hears it
        silent = number < len(cast) and manners[number] == "talking"
        shown.append(speak(said, duration_s, speaker=person, lead_s=lead_s) if silent else spoken[-1])
    widest = max(len(members) for _, _, members in shots)
    size_px = (SEAT_PX * max(widest, 1) if width_px is None else width_px, height_px)
    seats = _seats(shots, [Actor(*pair, face_px, motion=motion) for pair in zip(shown, people, strict=True)], size_px)
    heard = tuple(_stretches(curves) for curves in spoken)
    truth = SceneTruth(
        offset_ms=1000 * first / sample_rate_hz,
        times_s=times_s,
        sample_rate_hz=sample_rate_hz,
        size_px=size_px,
        seats=seats,
        turns=_turns(turns, heard, seats, shots, duration_s),
        heard=heard,
    )
    voices = [pair for pair in zip(spoken, people, strict=True) if pair[0].sounds]
    samples = _sound(voices, first, truth, duration_s, floor=10 ** (noise_db / 20))
    return Staged(_pictures(truth, shots, seed, grain), times_s, samples, truth)


def render_scene(path: str | Path, *, overwrite: bool = False, **options: Any) -> SceneTruth:
    """Write a scene of people who take turns.

    Parameters
    ----------
    path : mp4, mov, mkv, webm, ts, mpg or avi, by its ending
    overwrite : replace an existing file
    options : everything else is passed on to `scene_arrays`: ``cast``, ``turns``, ``layout``, ``sound_early_ms``, ...

    Returns
    -------
    SceneTruth

    Raises
    ------
    UsageError : arguments that make no sense
    MediaError : the file cannot be written
    """
    from clapboard.media.write import write_clip

    staged = scene_arrays(**options)
    steady = options.get("rate", PICTURE_HZ)
    times = Fraction(steady) if isinstance(steady, Fraction | int) else list(staged.times_s)
    write_clip(path, staged.frames, times, staged.samples, staged.truth.sample_rate_hz, overwrite=overwrite)
    return replace(staged.truth, path=Path(path))


_Shots = list[tuple[float, float, tuple[int, ...]]]


def _shots(layout: Sequence[tuple[float, Sequence[int]]], people: int) -> _Shots:
    """Return start, end and members of each shot; the last has no end."""
    cuts = list(layout) or [(0.0, range(people))]
    starts = [float(start_s) for start_s, _ in cuts]
    if starts[0] != 0 or any(b <= a for a, b in pairwise(starts)):
        raise UsageError("shots of a layout must ascend from 0 s")
    return [
        (start_s, end_s, tuple(members))
        for (start_s, end_s), (_, members) in zip(pairwise([*starts, np.inf]), cuts, strict=True)
    ]


def _require_sense(
    cast: Sequence[int], turns: Sequence[Line], shots: _Shots, manners: Sequence[str], stranger: int
) -> None:
    """Refuse what cannot be staged."""
    if len({*cast, stranger}) != len(cast) + 1:
        raise UsageError("everybody in a scene, and the stranger, needs a seed of their own")
    if len(manners) != len(cast) or not set(manners) <= {"quiet", "talking"}:
        raise UsageError('listeners must be "quiet" or "talking", for all or for each of the cast')
    named = {who for _, _, who in turns if who is not None} | {who for *_, members in shots for who in members}
    if not named <= set(range(len(cast))):
        raise UsageError(f"turns and layout must name people by 0 to {len(cast) - 1}")
    if any(len(set(members)) != len(members) for *_, members in shots):
        raise UsageError("nobody can be twice in one shot")
    if any(end_s <= start_s for start_s, end_s, _ in turns):
        raise UsageError("a turn must end after its start")


def _between(own: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the times that are in none of some ranges, s."""
    rest, at_s = [], -np.inf
    for start_s, end_s in sorted(own):
        if start_s > at_s:
            rest.append((at_s, start_s))
        at_s = max(at_s, end_s)
    return [*rest, (at_s, np.inf)]


def _stretches(curves: Articulation) -> tuple[tuple[float, float], ...]:
    """Return the stretches of speech, start and end, s."""
    found: list[list[float]] = []
    for sound in curves.sounds:
        if found and sound.start_s - found[-1][1] < JOIN_S:
            found[-1][1] = sound.end_s
        else:
            found.append([sound.start_s, sound.end_s])
    return tuple((start_s, end_s) for start_s, end_s in found)


def _seats(shots: _Shots, actors: Sequence[Actor], size_px: tuple[int, int]) -> tuple[Seat, ...]:
    """Seat the people of every shot side by side, each shot by another camera."""
    seats: list[Seat] = []
    for number, (start_s, end_s, members) in enumerate(shots):
        zoom = VIEWS[number % len(VIEWS)][0]
        for place, member in enumerate(members):
            fitting_px = min(actors[member].face_px * zoom, 0.8 * size_px[0] / len(members), 0.8 * size_px[1])
            actor = replace(actors[member], face_px=fitting_px, x=(place + 0.5) / len(members))
            seats.append(Seat(len(seats), member, start_s, end_s, actor))
    return tuple(seats)


def _turns(
    lines: Sequence[Line],
    heard: Sequence[Sequence[tuple[float, float]]],
    seats: Sequence[Seat],
    shots: _Shots,
    duration_s: float,
) -> tuple[Turn, ...]:
    """Say who speaks when: stretches of speech, cut with the picture, with the seat of whoever is seen."""
    for start_s, end_s, who in lines:
        if not any(a < end_s and b > start_s for a, b in heard[-1 if who is None else who]):
            raise UsageError(f"no sound of speech fits into the turn from {start_s:g} to {end_s:g} s; make it longer")
    found = []
    for person, stretches in enumerate(heard):
        for start_s, end_s in stretches:
            for shot in shots:
                since_s, until_s = max(start_s, shot[0]), min(end_s, shot[1], duration_s)
                if since_s < until_s:
                    seat = (one.number for one in seats if one.member == person and one.start_s == shot[0])
                    found.append(Turn(since_s, until_s, next(seat, None), 1.0))
    return tuple(sorted(found, key=lambda turn: turn.start_s))


def _sound(
    voices: Sequence[tuple[Articulation, Speaker]], first: int, truth: SceneTruth, duration_s: float, *, floor: float
) -> F32:
    """Return the sum of all voices over one noise, from sample ``first`` of the speech on; zeros without a voice."""
    rate_hz = truth.sample_rate_hz
    count = round(duration_s * rate_hz)
    mixed = np.zeros(count, np.float32)
    for number, (curves, person) in enumerate(voices):
        start = round(-curves.start_s * rate_hz) + first
        heard = person if number else replace(person, floor=floor)
        mixed += voice(curves, heard, rate_hz)[start : start + count]
    return np.clip(mixed, -1, 1)


def _pictures(truth: SceneTruth, shots: _Shots, seed: int, grain: float | None) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures of all shots, each shot in a place of its own."""
    width_px, height_px = truth.size_px
    for number, (start_s, end_s, _) in enumerate(shots):
        actors = [seat.actor for seat in truth.seats if seat.start_s == start_s]
        times_s = truth.times_s[(truth.times_s >= start_s) & (truth.times_s < end_s)]
        place = seed + number * NEXT_PERSON
        yield from render(actors, times_s, width_px=width_px, height_px=height_px, seed=place, grain=grain)
