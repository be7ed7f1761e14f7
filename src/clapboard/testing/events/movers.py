"""Things that move without a sound: they float, swing, jitter and pass each other, and turn smoothly without touching.

Nothing of this has a sharp turn, a recoil or a flash; that is how a silent motion differs from an event to the eye.
"""

from typing import Literal

import numpy as np

from clapboard.testing.events.classes import MATERIALS
from clapboard.testing.events.pictures import MATERIAL_COLOURS, Bar, Canvas
from clapboard.values import F64

Way = Literal["float", "swing", "hover", "near", "meet", "jitter"]
WAYS: tuple[Way, ...] = ("float", "swing", "hover", "near", "meet", "jitter")
"""How silent things move. ``near`` comes close to a body and turns before it; ``meet`` are two that pass each other."""


def _waves(rng: np.random.Generator, time_s: F64, slowest_hz: float, fastest_hz: float, terms: int = 3) -> F64:
    """A smooth random motion, (T,) about -1 to 1."""
    rates = rng.uniform(slowest_hz, fastest_hz, terms)
    sizes = rng.uniform(0.4, 1.0, terms)
    phases = rng.uniform(0, 2 * np.pi, terms)
    moved = sum(a * np.sin(2 * np.pi * f * time_s + p) for a, f, p in zip(sizes, rates, phases, strict=True))
    return np.asarray(moved / sizes.sum())


def paint_mover(rng: np.random.Generator, canvas: Canvas, time_s: F64, ways: tuple[Way, ...] = WAYS) -> None:
    """Draw one silent thing into every picture; what it is and how it moves is drawn at random."""
    way = ways[int(rng.integers(len(ways)))]
    material = str(rng.choice(MATERIALS))
    colour = np.array(MATERIAL_COLOURS[material], np.float32) * np.float32(rng.uniform(0.7, 1.2))
    x, y = rng.uniform(0.12, 0.88), rng.uniform(0.15, 0.85)
    radius = rng.uniform(0.025, 0.075)
    size = np.full(len(time_s), radius)
    if way == "swing":
        length, angle = rng.uniform(0.15, 0.34), rng.uniform(0.3, 0.9) * _waves(rng, time_s, 0.4, 1.6, 2)
        angle = angle + rng.choice([0.0, np.pi, np.pi / 2, -np.pi / 2])
        tip_x, tip_y = x + length * np.sin(angle), y + length * np.cos(angle)
        still_x, still_y = np.full_like(angle, x), np.full_like(angle, y)
        canvas.draw(Bar(still_x, still_y, tip_x, tip_y, 0.4 * size, colour, material=material))
        if rng.random() < 0.5:
            canvas.draw(Bar(tip_x, tip_y, tip_x, tip_y, size, colour, material=material))
        return
    if way == "near":
        # up and down above a body, smooth at both ends, and never nearer than a part of its radius
        rate_hz, phase = rng.uniform(0.6, 1.3), rng.uniform(0, 2 * np.pi)
        away = rng.uniform(0.10, 0.22) * (1 + np.sin(2 * np.pi * rate_hz * time_s + phase)) * 0.5
        still_x, still_y = np.full_like(away, x), np.full_like(away, min(y + 0.15, 0.9))
        gap = 0.05 + 2 * radius
        canvas.draw(Bar(still_x - 0.08, still_y, still_x + 0.08, still_y, np.full_like(away, 0.025), colour))
        above = still_y - gap - away
        canvas.draw(Bar(still_x, above, still_x, above, size, colour[::-1].copy(), material=material))
        return
    if way == "hover":
        across, down = 0.015 * _waves(rng, time_s, 0.3, 1.0), 0.015 * _waves(rng, time_s, 0.3, 1.0)
        shine = 0.25 * (1 + _waves(rng, time_s, 0.3, 0.9))
        canvas.draw(Bar(x + across, y + down, x + across, y + down, 1.3 * size, colour, flash=shine, material=material))
        return
    reach, fastest_hz = (0.03, 3.0) if way == "jitter" else (0.22, 0.9)
    across, down = reach * _waves(rng, time_s, 0.2, fastest_hz), reach * _waves(rng, time_s, 0.2, fastest_hz)
    stretch = rng.uniform(0, 0.08) if rng.random() < 0.4 else 0.0
    canvas.draw(Bar(x + across - stretch, y + down, x + across + stretch, y + down, size, colour, material=material))
    if way == "meet":
        canvas.draw(Bar(x - across, y + down, x - across, y + down, 0.8 * size, colour[::-1].copy(), material=material))
