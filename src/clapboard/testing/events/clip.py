"""Clips of physical events made in code: what is seen decides what is heard, and when is known exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.testing.events.classes import KINDS, PARTS, Kind, Part
from clapboard.testing.events.plan import LEAD_S, SPLITS, Event, Split, draw_plan
from clapboard.testing.events.soundtrack import play
from clapboard.testing.events.staging import stage
from clapboard.values import F32, F64

SHORTEST_SPARSE_S = 3.0
"""A sparse clip is at least this long, s: its events keep a second from both ends."""
LONGEST_S = 600.0
"""Longest clip, s: all of its pictures are in memory."""


@dataclass(frozen=True, slots=True, eq=False)
class EventClip:
    """A clip of events, picture and sound in sync.

    Attributes
    ----------
    images : (T, px, px) or (T, px, px, 3) uint8
    time_s : (T,) float64, time of each picture, s from 0 on
    samples : (N,) or (N, channels) float32 in [-1, 1], the first one at ``start_s``
    sound_hz : samples per second
    start_s : 0.0
    events : what sounds within the clip, by time
    boxes : (S, T, 4) float32 x0 y0 x1 y1 px: where each sounding source is seen; NaN where it is not
    period_s : s between the events of an exactly regular clip, else None
    kind : kind of the sounding source; of two, both with ``+`` between
    materials : (S,) what each sounding source is made of
    split, seed : as asked for
    around : (N + 2 lead,) or (N + 2 lead, channels): the same sound from ``LEAD_S`` before the clip to as much after it
    """

    images: NDArray[np.uint8]
    time_s: F64
    samples: F32
    sound_hz: int
    start_s: float
    events: tuple[Event, ...]
    boxes: F32
    period_s: float | None
    kind: str
    materials: tuple[str, ...]
    split: str
    seed: int
    around: F32


def render_events(
    seed: int,
    *,
    seconds: float = 8.0,
    px: int = 64,
    rate: Fraction = Fraction(25),
    sound_hz: int = 16_000,
    channels: int = 1,
    colour: bool = False,
    split: Split = "dense",
    part: Part = "train",
    kinds: Sequence[Kind] = KINDS,
    clean: bool = False,
    dry: bool = False,
) -> EventClip:
    """Render a clip in which what is seen to touch is heard at that moment.

    Parameters
    ----------
    seed : everything follows from it, with ``split`` and ``part``
    seconds : length, s
    px : width and height of the pictures
    rate : pictures per second
    sound_hz : samples per second
    channels : 1 or 2; with 2 a source is heard from where it is, which a cut may mirror in the picture
    colour : RGB instead of gray
    split : ``dense``: one source, events all the time; ``sparse``: one or two events in the clip, among silent motions
        and sounds from off screen; ``two-sources``: two sources of different kinds
    part : ``test`` has class parameters that ``train`` never has; see `clapboard.testing.events.classes.RANGES`
    kinds : which kinds to draw from
    clean : without all that disturbs: silent movers, off-screen sounds, noise, echoes, shake, cuts, flicker
    dry : without what disturbs the sound; the picture has all of it. As a foley artist would record it

    Returns
    -------
    EventClip

    Raises
    ------
    UsageError : arguments that make no sense
    """
    able = able_kinds(kinds, split, seconds)
    if seconds * rate < 2 or px < 16 or sound_hz < 8000 or channels not in (1, 2):
        raise UsageError("a clip has two pictures or more of 16 px or more, 8000 Hz or more, and 1 or 2 channels")
    if part not in PARTS or seed < 0:
        raise UsageError(f"part is one of {', '.join(PARTS)}, and seed 0 or more, not {part} and {seed}")
    acting, looking, sounding, room = np.random.default_rng([PARTS.index(part), SPLITS.index(split), seed]).spawn(4)
    plan = draw_plan(acting, able, seconds=seconds, split=split, part=part, clean=clean, dry=dry)
    time_s = np.array([float(n / rate) for n in range(int(seconds * rate + 1e-9))])
    images, boxes = stage(looking, plan, time_s, px, colour=colour)
    around, events = play((sounding, room), plan, sound_hz, channels)
    lead = round(LEAD_S * sound_hz)
    return EventClip(
        images=images,
        time_s=time_s,
        samples=around[lead : len(around) - lead],
        sound_hz=sound_hz,
        start_s=0.0,
        events=events,
        boxes=boxes,
        period_s=plan.period_s,
        kind="+".join(source.looks.kind for source in plan.sources),
        materials=tuple(source.looks.material for source in plan.sources),
        split=split,
        seed=seed,
        around=around,
    )


def able_kinds(kinds: Sequence[Kind], split: Split, seconds: float) -> tuple[Kind, ...]:
    """Which of some kinds a split can show in so many seconds, each once.

    Raises
    ------
    UsageError : none of them, or there is no such kind, split or length
    """
    if split not in SPLITS or not 0 < seconds < LONGEST_S:
        raise UsageError(
            f"split is one of {', '.join(SPLITS)}, and seconds up to {LONGEST_S:.0f}, not {split} and {seconds:g}"
        )
    wrong = sorted(set(kinds) - set(KINDS))
    if wrong or not kinds:
        raise UsageError(f"kinds are some of {', '.join(KINDS)}, not {', '.join(wrong) or 'none'}")
    if split == "sparse":
        kinds = tuple(kind for kind in kinds if kind != "metronome")
        if not kinds or seconds < SHORTEST_SPARSE_S:
            raise UsageError(f"a sparse clip is {SHORTEST_SPARSE_S:g} s or more, of something else than a metronome")
    if split == "two-sources" and len(set(kinds)) < 2:
        raise UsageError("two sources need two kinds or more")
    return tuple(dict.fromkeys(kinds))
