"""What each kind of event looks like while it goes on: motion that touches something exactly when it sounds.

All kinds share one clock. Between two contacts a picture is ``since_s`` after the last and ``until_s`` before the next;
where the gap is longer than a motion takes, what moves waits in between, swaying a little. A contact is seen as a turn
of the motion, as a recoil of what is struck, and as a short flash of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.testing.events.classes import Looks
from clapboard.testing.events.pictures import MATERIAL_COLOURS, Bar, Canvas, stand_out
from clapboard.values import F32, F64

SWING_S = 0.9
"""A motion from contact to contact takes at most this long, s."""
GRAVITY = 3.6
"""Gravity at the usual speed, widths of the world per s^2."""
FASTEST = 1.5
"""The largest factor of speed in `clapboard.testing.events.classes.RANGES`."""
SPARKS, SPARKS_S = 12, 0.8
"""How many sparks a firework has, and how long they glow, s."""
FLASH_S, RECOIL_S = 0.06, 0.07
"""Time in which the flash and the recoil of a struck body fall to 1/e, s."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One sounding thing.

    Attributes
    ----------
    looks : its kind and class parameters
    x, y : where its contacts are, parts of the world
    contacts_s : (n,) when it sounds, ascending; the first and the last may be far outside the clip
    impacts : (n,) speed of each blow, 0 to 1
    places : (n, 2) where each is, against (x, y)
    turn : 1 or -1, from which side
    colour : (3,) RGB, 0 to 255
    sway : (3,) phase, rate Hz, size of the idle motion
    """

    looks: Looks
    x: float
    y: float
    contacts_s: F64
    impacts: F64
    places: F64
    turn: int
    colour: F32
    sway: F64


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """Where pictures are between contacts, (T,) each.

    Attributes
    ----------
    time_s : their times
    last : index of the contact before
    since_s, until_s : s since the contact before and until the one after
    swing_s : how long the motion between the two takes
    impact, coming : speed of the blow before and of the one after, 0 to 1
    """

    time_s: F64
    last: NDArray[np.intp]
    since_s: F64
    until_s: F64
    swing_s: F64
    impact: F64
    coming: F64

    @classmethod
    def of(cls, source: Source, time_s: F64) -> "Clock":
        """Look up every picture."""
        last = np.clip(np.searchsorted(source.contacts_s, time_s, "right") - 1, 0, len(source.contacts_s) - 2)
        before, after = source.contacts_s[last], source.contacts_s[last + 1]
        swing = np.minimum(after - before, SWING_S)
        impacts = source.impacts
        return cls(time_s, last, time_s - before, after - time_s, swing, impacts[last], impacts[last + 1])

    def glow(self) -> F64:
        """Flash of what was struck, (T,) 0 to 1."""
        return np.exp(-self.since_s / FLASH_S) * (0.35 + 0.5 * self.impact)

    def recoil(self) -> F64:
        """How far it gave way, (T,) of its full way."""
        return np.exp(-self.since_s / RECOIL_S) * (0.4 + 0.6 * self.impact)


def draw_source(
    rng: np.random.Generator, looks: Looks, x: float, contacts_s: F64, level: float, *, outwards: bool = False
) -> Source:
    """Draw all that is left to chance of a source at column ``x``; ``level`` is the gray that lies behind it.

    ``outwards`` puts what reaches to one side on that side of the picture on which there is more room.
    """
    count, kind = len(contacts_s), looks.kind
    if kind == "bounce":
        # what falls for longer is faster: v = g t, t half the gap before
        swings = np.minimum(np.diff(contacts_s, prepend=contacts_s[0] - 0.6), SWING_S)
        impacts = swings / SWING_S * looks.speed / FASTEST
    elif kind == "metronome":
        impacts = np.full(count, 0.6 * looks.speed / FASTEST + 0.2)
    else:
        impacts = rng.uniform(0.4, 1.0, count) * looks.speed / FASTEST
    y = float({"bounce": rng.uniform(0.74, 0.86), "stick": rng.uniform(0.55, 0.75), "clap": rng.uniform(0.35, 0.65),
               "metronome": rng.uniform(0.70, 0.82), "firework": rng.uniform(0.22, 0.42)}[kind])  # fmt: skip
    reach = {"bounce": (0.06, 0.0), "firework": (0.10, 0.08)}.get(kind, (0.0, 0.0))
    places = rng.uniform(-1, 1, (count, 2)) * reach
    colour = np.array(MATERIAL_COLOURS[looks.material], np.float32) * np.float32(rng.uniform(0.85, 1.15))
    colour = stand_out(colour, level)
    sway = np.array([rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.9), rng.uniform(0.5, 1.0)])
    turn = int(rng.choice([-1, 1]))
    if outwards:
        turn = 1 if x > 0.5 else -1
    return Source(looks, x, y, contacts_s, impacts, places, turn, colour, sway)


def idle(source: Source, time_s: F64) -> F64:
    """Slow motion of what waits, (T,) about -1 to 1."""
    phase, rate_hz, size = source.sway
    return np.asarray(size * np.sin(2 * np.pi * rate_hz * time_s + phase))


def lift(clock: Clock, strike_s: float) -> F64:
    """How far a hand or stick is raised, (T,) 0 at contact to 1: it springs back, waits, and falls fast."""
    back = np.clip(clock.since_s / (0.55 * clock.swing_s), 0, 1)
    fall = np.clip(clock.until_s / np.minimum(strike_s, 0.4 * clock.swing_s), 0, 1)
    return (1 - (1 - back) ** 2) * (1 - (1 - fall) ** 2)


def paint(source: Source, canvas: Canvas, time_s: F64) -> F32:
    """Draw a source into every picture; returns its boxes (T, 4) px, NaN where it is not to be seen."""
    canvas.begin()
    clock = Clock.of(source, time_s)
    _PAINTERS[source.looks.kind](source, canvas, clock)
    return canvas.extents()


def _disc(x: F64, y: F64, radius: F64 | float, colour: F32, **more: object) -> Bar:
    """A round body."""
    return Bar(x, y, x, y, np.broadcast_to(radius, x.shape), colour, **more)  # type: ignore[arg-type]


def _bounce(source: Source, canvas: Canvas, clock: Clock) -> None:
    """A ball that falls, is pressed flat for a moment, and springs back; the floor under it gives way and lights up."""
    looks, radius = source.looks, 0.075 * source.looks.size
    half = clock.swing_s / 2
    near = np.minimum(np.minimum(clock.since_s, clock.until_s), half)
    height = GRAVITY * looks.speed / 2 * (clock.swing_s * near - near**2)
    spare = clock.since_s + clock.until_s - clock.swing_s
    rest = np.clip(np.minimum(clock.since_s, clock.until_s) - half, 0, None)
    waits = np.where(spare > 0, np.minimum(rest / 0.4, 1.0) ** 2, 0.0)
    part = clock.since_s / (clock.since_s + clock.until_s)
    a, b = source.places[clock.last], source.places[clock.last + 1]
    x = source.x + a[:, 0] + (b[:, 0] - a[:, 0]) * part + 0.05 * waits * idle(source, clock.time_s)
    y = source.y - radius - height + 0.03 * waits * idle(source, clock.time_s + 0.7)
    floor = source.y + 0.02 + 0.018 * clock.recoil()
    wide = 0.06 + 1.2 * radius
    stone = np.array([120, 118, 115], np.float32)
    middle = np.full_like(x, source.x)
    canvas.draw(Bar(middle - wide, floor, middle + wide, floor, np.full_like(x, 0.02), stone, flash=clock.glow()))
    squash = 1 - 0.35 * np.exp(-np.minimum(clock.since_s, clock.until_s) / 0.03)
    # what is pressed flat still stands on the floor
    y = y + radius * (1 - squash) + 0.018 * clock.recoil()
    canvas.draw(_disc(x, y, radius, source.colour, squash=squash, flash=0.5 * clock.glow(), material=looks.material))


def _stick(source: Source, canvas: Canvas, clock: Clock) -> None:
    """A stick that swings about its far end and hits a body, which gives way and lights up."""
    looks, radius = source.looks, 0.085 * source.looks.size
    raised = lift(clock, 0.14 / looks.speed) * (0.35 + 0.65 * clock.coming * FASTEST / looks.speed) * 0.95
    wait = np.clip(np.minimum(clock.since_s, clock.until_s) - SWING_S / 2, 0, 0.3) / 0.3
    raised = raised + 0.15 * wait * idle(source, clock.time_s)
    length, thick = 0.34, 0.016 * looks.build
    angle = 0.25 + raised
    top = source.y - radius
    pivot_x = source.x + source.turn * length * np.cos(0.25)
    pivot_y = top - thick + length * np.sin(0.25)
    tip_x = pivot_x - source.turn * length * np.cos(angle)
    tip_y = pivot_y - length * np.sin(angle)
    sunk = 0.022 * clock.recoil()
    still = np.full_like(tip_x, source.x)
    body = _disc(still, source.y + sunk, radius, source.colour, flash=clock.glow(), material=looks.material)
    canvas.draw(body)
    arm = np.array([190, 165, 120], np.float32)
    canvas.draw(
        Bar(np.full_like(tip_x, pivot_x), np.full_like(tip_x, pivot_y), tip_x, tip_y, np.full_like(tip_x, thick), arm)
    )


def _clap(source: Source, canvas: Canvas, clock: Clock) -> None:
    """Two hands that meet in the middle, press, and light up."""
    looks = source.looks
    thick, tall = 0.030 * looks.build * np.sqrt(looks.size), 0.085 * looks.size
    apart = lift(clock, 0.16 / looks.speed) * (0.3 + 0.7 * clock.coming * FASTEST / looks.speed) * 0.17
    wait = np.clip(np.minimum(clock.since_s, clock.until_s) - SWING_S / 2, 0, 0.3) / 0.3
    apart = np.maximum(apart + 0.03 * wait * idle(source, clock.time_s), 0)
    down = source.y + 0.03 * wait * idle(source, clock.time_s + 0.4)
    flash = 0.9 * clock.glow()
    for side in (-1, 1):
        inner = thick * (1 - 0.3 * np.exp(-np.minimum(clock.since_s, clock.until_s) / 0.03))
        x = source.x + side * (apart + inner)
        lean = side * 0.35 * apart
        canvas.draw(
            Bar(x - lean, down + tall, x + lean, down - tall, inner, source.colour, flash=flash, material="skin")
        )


def _metronome(source: Source, canvas: Canvas, clock: Clock) -> None:
    """An arm that swings between two stops and turns sharply at each, which lights up."""
    looks = source.looks
    part = clock.since_s / (clock.since_s + clock.until_s)
    side = np.where((clock.last % 2) == 0, 1.0, -1.0) * source.turn
    swing = side * (0.6 * (1 - 2 * part) + 0.4 * np.cos(np.pi * part))
    wide, length = 0.55, 0.30 * (0.6 + 0.4 * looks.size)
    angle = wide * swing
    foot_x, foot_y = np.full_like(angle, source.x), np.full_like(angle, source.y)
    tip_x, tip_y = foot_x + length * np.sin(angle), foot_y - length * np.cos(angle)
    thick = 0.014 * looks.build
    steel = np.array([215, 215, 220], np.float32)
    for end in (-1.0, 1.0):
        x = foot_x + (length + 0.02) * np.sin(end * wide) + end * 0.03
        y = foot_y - (length + 0.02) * np.cos(wide)
        lit = np.where(side == end, clock.glow() * 1.2, 0.0)
        canvas.draw(_disc(x + end * 0.02 * lit, y, 0.028, steel * np.float32(0.5), flash=lit))
    canvas.draw(Bar(foot_x, foot_y, tip_x, tip_y, np.full_like(angle, thick), steel))
    bob = 0.7
    canvas.draw(_disc(foot_x + bob * (tip_x - foot_x), foot_y + bob * (tip_y - foot_y), 0.035, steel * np.float32(0.7)))
    base = 0.07 * looks.size
    canvas.draw(
        Bar(foot_x - base, foot_y + 0.02, foot_x + base, foot_y + 0.02, np.full_like(angle, 0.6 * base), source.colour,
            material=looks.material)
    )  # fmt: skip


def _firework(source: Source, canvas: Canvas, clock: Clock) -> None:
    """A rocket that climbs and slows down, then a ball of sparks that spreads fast, slows, sinks and fades."""
    looks = source.looks
    centre = np.array([source.x, source.y]) + source.places
    for back in (1, 0):  # sparks of the burst before may still be there
        number = clock.last - back
        since = clock.time_s - source.contacts_s[number]
        rows = np.flatnonzero((since < SPARKS_S) & (number >= 0))
        if len(rows):
            _sparks(source, canvas, rows, since[rows], number[rows])
    climb_s = np.minimum(0.55 / looks.speed, 0.85 * clock.swing_s)
    rows = np.flatnonzero(clock.until_s < climb_s)
    if len(rows):
        part = clock.until_s[rows] / climb_s[rows]
        goal = centre[clock.last[rows] + 1]
        y = goal[:, 1] + (1.02 - goal[:, 1]) * part**1.5
        x = goal[:, 0] + source.turn * 0.06 * part
        canvas.draw(Bar(x, y, x, y + 0.05, np.full_like(x, 0.013 * looks.build), source.colour), rows)


def _sparks(source: Source, canvas: Canvas, rows: NDArray[np.intp], since_s: F64, number: NDArray[np.intp]) -> None:
    """The sparks of burst ``number`` (n,) in some pictures, ``since_s`` (n,) after it; a strong one is wide."""
    centre = np.array([source.x, source.y]) + source.places[number]
    impact = source.impacts[number]
    looks = source.looks
    strength = impact * FASTEST / looks.speed
    wide = 0.17 * looks.size * (0.5 + 0.5 * strength) * (1 - np.exp(-since_s * looks.speed / 0.16))
    fade = np.clip(1 - since_s / SPARKS_S, 0, 1)
    for spark in range(SPARKS):
        turn = 2 * np.pi * (spark + 0.35 * (spark % 2)) / SPARKS
        far = wide * (1.0 if spark % 2 else 0.62)
        x = centre[:, 0] + far * np.cos(turn)
        y = centre[:, 1] + far * np.sin(turn) + 0.12 * since_s**2
        canvas.draw(_disc(x, y, 0.013 * looks.build, source.colour, alpha=fade), rows)
    flash = 0.9 * np.exp(-since_s / 0.07)
    canvas.draw(_disc(centre[:, 0], centre[:, 1], 0.09 * looks.size, source.colour, alpha=flash, flash=0.6), rows)


_PAINTERS = {"bounce": _bounce, "stick": _stick, "clap": _clap, "metronome": _metronome, "firework": _firework}
