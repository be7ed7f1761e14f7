"""Things that move without a sound: they float, swing, jitter, pass each other, and turn just before they would touch.

Nothing of this has a sharp turn, a recoil or a flash; that is how a silent motion differs from an event to the eye. A
near miss never looks like the kind of event that sounds in its clip.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from clapboard.testing.events.classes import MATERIALS, Kind
from clapboard.testing.events.pictures import MATERIAL_COLOURS, Bar, Canvas
from clapboard.values import F32, F64

Way = Literal["float", "swing", "hover", "meet", "jitter"]
WAYS: tuple[Way, ...] = ("float", "swing", "hover", "meet", "jitter")
"""How silent things move; ``meet`` are two that pass in front of each other."""
MISSES: tuple[Kind, ...] = ("bounce", "stick", "clap")
"""Kinds of events that a near miss may look like."""
CLEARANCE = 0.045
"""A near miss stays at least so far from what it nears, world units: three pixels of 64."""


def paint_movers(
    rng: np.random.Generator, canvas: Canvas, time_s: F64, sounding: Sequence[Kind], *, things: int, misses: int
) -> None:
    """Draw silent things into every picture.

    Parameters
    ----------
    rng : what they are, where, and how they move
    canvas, time_s : pictures and their times (T,), s
    sounding : kinds that sound here: no near miss looks like them
    things, misses : how many that move freely, and how many near misses
    """
    for _ in range(things):
        way = WAYS[int(rng.integers(len(WAYS)))]
        (_swing if way == "swing" else _drift)(rng, canvas, time_s, way)
    others = [kind for kind in MISSES if kind not in sounding]
    for _ in range(misses):
        _miss(rng, canvas, time_s, others[int(rng.integers(len(others)))])


def _waves(rng: np.random.Generator, time_s: F64, slowest_hz: float, fastest_hz: float) -> F64:
    """A smooth random motion, (T,) between -1 and 1."""
    rates, sizes, phases = rng.uniform(slowest_hz, fastest_hz, 3), rng.uniform(0.4, 1.0, 3), rng.uniform(0, 6.28, 3)
    return np.asarray(np.sin(2 * np.pi * np.outer(time_s, rates) + phases) @ sizes / sizes.sum())


def _body(rng: np.random.Generator, time_s: F64) -> tuple[str, F32, F64, float, float]:
    """Draw a material, its colour, a radius (T,), and a place."""
    material = str(rng.choice(MATERIALS))
    colour = np.array(MATERIAL_COLOURS[material], np.float32) * np.float32(rng.uniform(0.7, 1.2))
    radius = np.full(len(time_s), rng.uniform(0.025, 0.075))
    return material, colour, radius, float(rng.uniform(0.12, 0.88)), float(rng.uniform(0.15, 0.85))


def _swing(rng: np.random.Generator, canvas: Canvas, time_s: F64, _: Way) -> None:
    """A rod that swings about one end, with or without a weight at the other."""
    material, colour, radius, x, y = _body(rng, time_s)
    angle = rng.uniform(0.3, 0.9) * _waves(rng, time_s, 0.4, 1.6) + rng.choice([0.0, np.pi, np.pi / 2, -np.pi / 2])
    length = rng.uniform(0.15, 0.34)
    tip_x, tip_y = x + length * np.sin(angle), y + length * np.cos(angle)
    canvas.draw(Bar(np.full_like(angle, x), np.full_like(angle, y), tip_x, tip_y, 0.4 * radius, colour))
    if rng.random() < 0.5:
        canvas.draw(Bar(tip_x, tip_y, tip_x, tip_y, radius, colour, material=material))


def _drift(rng: np.random.Generator, canvas: Canvas, time_s: F64, way: Way) -> None:
    """A body that floats, hovers with a slow shine, or jitters; or two that pass in front of each other."""
    material, colour, radius, x, y = _body(rng, time_s)
    reach, fastest_hz = {"jitter": (0.03, 3.0), "hover": (0.015, 1.0)}.get(way, (0.22, 0.9))
    across, down = reach * _waves(rng, time_s, 0.2, fastest_hz), reach * _waves(rng, time_s, 0.2, fastest_hz)
    stretch = rng.uniform(0, 0.08) if rng.random() < 0.4 else 0.0
    shine = 0.2 * (1 + _waves(rng, time_s, 0.3, 0.9)) if way == "hover" else 0.0
    left, right, level = x + across - stretch, x + across + stretch, y + down
    canvas.draw(Bar(left, level, right, level, radius, colour, flash=shine, material=material))
    if way == "meet":
        canvas.draw(Bar(x - across, level, x - across, level, 0.8 * radius, colour[::-1].copy(), material=material))


def _miss(rng: np.random.Generator, canvas: Canvas, time_s: F64, like: Kind) -> None:
    """Something that comes near a body, slows down, and turns before it touches."""
    material, colour, radius, x, y = _body(rng, time_s)
    turn = 2 * np.pi * rng.uniform(0.5, 1.2) * time_s + rng.uniform(0, 6.28)
    # slow at both ends, and the size of the motion changes slowly
    away = 0.5 * (1 + np.sin(turn)) * (0.7 + 0.3 * _waves(rng, time_s, 0.1, 0.3))
    still_x, still_y = np.full_like(away, x), np.full_like(away, min(y + 0.1, 0.88))
    if like == "bounce":
        floor = np.full_like(away, 0.02)
        canvas.draw(Bar(still_x - 0.1, still_y, still_x + 0.1, still_y, floor, colour[::-1].copy()))
        above = still_y - floor - CLEARANCE - radius - 0.22 * away
        canvas.draw(Bar(still_x, above, still_x, above, radius, colour, material=material))
    elif like == "stick":
        side, thick = float(rng.choice([-1, 1])), np.full_like(away, 0.015)
        canvas.draw(Bar(still_x, still_y, still_x, still_y, radius, colour, material=material))
        far_x = x + side * 0.33
        # along its length it is nowhere nearer than at its tip
        tip_x, tip_y = still_x, still_y - radius - thick - CLEARANCE - 0.25 * away
        far_y = still_y - radius - thick - CLEARANCE
        canvas.draw(Bar(np.full_like(away, far_x), far_y, tip_x, tip_y, thick, colour[::-1].copy()))
    else:
        thick, tall = np.full_like(away, 0.03), rng.uniform(0.06, 0.11)
        for side in (-1, 1):
            middle = x + side * (CLEARANCE / 2 + thick + 0.15 * away)
            hand = np.array(MATERIAL_COLOURS["skin"], np.float32) * np.float32(0.9)
            canvas.draw(Bar(middle, still_y - 2 * tall, middle, still_y, thick, hand, material="skin"))
