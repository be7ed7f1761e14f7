"""What each texture looks like while it goes on: falling water, a turning crank, blades, a saw that bites."""

from dataclasses import dataclass

import numpy as np

from clapboard.testing.events.pictures import Bar, Canvas, stand_out
from clapboard.testing.textures.classes import TextureKind, TextureLooks
from clapboard.testing.textures.motion import Motion
from clapboard.values import F32, F64

COLOURS: dict[TextureKind, tuple[int, int, int]] = {
    "water": (120, 160, 190),
    "engine": (120, 60, 50),
    "rotor": (95, 105, 85),
    "saw": (185, 190, 200),
}
"""RGB of each, in the middle of its range."""
WOOD = (150, 105, 60)
STREAKS, DROPS = 6, 5
"""How many streaks fall in the water, and how many drops jump where it lands."""
FALL = 0.46
"""Length of the water's fall at the usual size, parts of the world."""


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """One thing that sounds while it moves.

    Attributes
    ----------
    looks, motion : its class parameters, and what it does when
    x, y : where its middle is, parts of the world
    turn : 1 or -1, its sense
    colour : (3,) RGB, 0 to 255
    chances : (8, 3) in [0, 1), where its small parts are
    """

    looks: TextureLooks
    motion: Motion
    x: float
    y: float
    turn: int
    colour: F32
    chances: F64


def draw_texture(rng: np.random.Generator, looks: TextureLooks, motion: Motion, x: float, level: float) -> Texture:
    """Draw all that is left to chance of a texture at column ``x``; ``level`` is the gray that lies behind it."""
    colour = np.array(COLOURS[looks.kind], np.float32) * np.float32(rng.uniform(0.85, 1.15))
    y, turn = float(rng.uniform(0.42, 0.58)), int(rng.choice([-1, 1]))
    return Texture(looks, motion, x, y, turn, stand_out(colour, level), rng.random((8, 3)))


def paint_texture(texture: Texture, canvas: Canvas, time_s: F64) -> F32:
    """Draw a texture into every picture; returns its boxes (T, 4) px, NaN where it is not to be seen."""
    canvas.begin()
    motion = texture.motion
    speed, cycles = motion.at(motion.speed, time_s), motion.at(motion.cycles, time_s)
    _PAINTERS[texture.looks.kind](texture, canvas, speed, cycles, motion.at(motion.contact, time_s))
    return canvas.extents()


def _bar(ends: tuple[F64 | float, F64 | float, F64 | float, F64 | float], radius: F64 | float, colour: F32) -> Bar:
    """A bar between two ends x0, y0, x1, y1, each the same in all pictures or (T,)."""
    return _shown(ends, radius, colour, 1.0)


def _shown(
    ends: tuple[F64 | float, F64 | float, F64 | float, F64 | float],
    radius: F64 | float,
    colour: F32,
    alpha: F64 | float,
    flash: F64 | float = 0.0,
) -> Bar:
    """A bar that is not always opaque; one of its ends or its alpha says how many pictures there are."""
    x0, y0, x1, y1, wide, seen, lit = np.broadcast_arrays(*ends, radius, alpha, flash)
    return Bar(x0, y0, x1, y1, wide, colour, alpha=seen, flash=lit)


def _water(texture: Texture, canvas: Canvas, speed: F64, cycles: F64, _: F64) -> None:
    """A jet from a pipe, wider the stronger it flows, with streaks that fall in it and drops that jump below."""
    looks, colour = texture.looks, texture.colour
    length = FALL * np.sqrt(looks.size)
    top, foot = texture.y - length / 2, texture.y + length / 2
    there = np.clip(speed / 0.2, 0, 1)
    wide = 0.045 * looks.size * (0.45 + 0.55 * speed)
    canvas.draw(_shown((texture.x, top, texture.x, foot), wide, colour, 0.8 * there))
    for number in range(STREAKS):
        place, side, long = texture.chances[number]
        part = (cycles + place + number / STREAKS) % 1.0
        x = texture.x + (side - 0.5) * 1.3 * wide
        y0 = top + length * part
        y1 = np.minimum(y0 + length * (0.06 + 0.12 * long), foot)
        light = colour * np.float32(0.55) if number % 2 else np.minimum(colour * np.float32(1.5), 250)
        canvas.draw(_shown((x, y0, x, y1), 0.011 * looks.build, light, 0.9 * there))
    for number in range(DROPS):
        place, side, high = texture.chances[number]
        part = (1.5 * cycles + place) % 1.0
        reach = (0.05 + 0.12 * speed) * looks.size
        x = texture.x + (2 * side - 1) * reach * (0.4 + part)
        y = foot - 4 * part * (1 - part) * reach * (0.5 + high)
        canvas.draw(_shown((x, y, x, y), 0.012 * looks.build, np.minimum(colour * np.float32(1.4), 250), there))
    stone = stand_out(np.array([120, 118, 115], np.float32), float(colour.mean()))
    ones = np.ones_like(speed)
    canvas.draw(_bar((texture.x - 0.13 * ones, foot + 0.03, texture.x + 0.13, foot + 0.03), 0.02, stone))
    canvas.draw(_bar((texture.x * ones, top - 0.05, texture.x, top - 0.02), 0.055 * looks.size, stone))


def _engine(texture: Texture, canvas: Canvas, speed: F64, cycles: F64, _: F64) -> None:
    """A wheel with spokes, of which one is bright, and a piston that its crank moves; it lights up when it fires."""
    looks, colour = texture.looks, texture.colour
    radius, angle = 0.13 * looks.size, 2 * np.pi * cycles * texture.turn
    ones = np.ones_like(speed)
    canvas.draw(_bar((texture.x * ones, texture.y, texture.x, texture.y), radius, colour))
    canvas.draw(_bar((texture.x * ones, texture.y, texture.x, texture.y), 0.8 * radius, colour * np.float32(0.45)))
    for number in range(looks.parts + 1):
        along = angle + 2 * np.pi * number / (looks.parts + 1)
        light = np.minimum(colour * np.float32(2.2), 250) if number == 0 else colour
        tip_x, tip_y = texture.x + 0.85 * radius * np.cos(along), texture.y + 0.85 * radius * np.sin(along)
        canvas.draw(_bar((texture.x, texture.y, tip_x, tip_y), 0.014 * looks.build, light))
    pin_x, pin_y = texture.x + 0.6 * radius * np.cos(angle), texture.y + 0.6 * radius * np.sin(angle)
    reach = 2.1 * radius
    head_x = pin_x + texture.turn * np.sqrt(reach**2 - (pin_y - texture.y) ** 2)
    canvas.draw(_bar((pin_x, pin_y, head_x, texture.y), 0.012 * looks.build, np.minimum(colour * np.float32(1.6), 250)))
    fires = np.clip(speed / 0.2, 0, 1) * fired(cycles)
    canvas.draw(
        _shown((head_x, texture.y - 0.03, head_x, texture.y + 0.03), 0.032 * looks.size, colour, 1.0, 0.6 * fires)
    )


def fired(cycles: F64) -> F64:
    """How much of the last firing is left, (n,) 0 to 1: an engine fires at both dead points of its crank."""
    return np.asarray(np.exp(-3.5 * ((2 * cycles) % 1.0)))


def passed(cycles: F64) -> F64:
    """How near a blade is to the mast, (n,) 0 to 1: a blade that passes it is heard."""
    return np.asarray((0.5 + 0.5 * np.cos(2 * np.pi * cycles)) ** 3)


def _rotor(texture: Texture, canvas: Canvas, speed: F64, cycles: F64, _: F64) -> None:
    """Blades that turn in front of a mast."""
    looks, colour = texture.looks, texture.colour
    radius, ones = 0.2 * looks.size, np.ones_like(speed)
    mast = colour * np.float32(0.55)
    canvas.draw(_bar((texture.x * ones, texture.y, texture.x, texture.y + 0.36), 0.02, mast))
    for number in range(looks.parts):
        along = np.pi / 2 + texture.turn * 2 * np.pi * (cycles + number) / looks.parts
        tip_x, tip_y = texture.x + radius * np.cos(along), texture.y + radius * np.sin(along)
        canvas.draw(_bar((texture.x, texture.y, tip_x, tip_y), 0.024 * looks.build, colour))
    canvas.draw(_bar((texture.x * ones, texture.y, texture.x, texture.y), 0.035, mast))


def _saw(texture: Texture, canvas: Canvas, speed: F64, cycles: F64, contact: F64) -> None:
    """A toothed blade that goes to and fro above a block of wood, and bites into it; dust falls while it does."""
    looks, colour = texture.looks, texture.colour
    ones = np.ones_like(speed)
    wood = np.array(WOOD, np.float32)
    half, block = 0.2 * looks.size, texture.y + 0.16
    canvas.draw(
        Bar(texture.x - 0.1 * ones, block * ones, texture.x + 0.1 * ones, block * ones, 0.075 * ones, wood,
            material="wood")
    )  # fmt: skip
    middle = texture.x + 0.07 * np.sin(2 * np.pi * cycles)
    down = block - 0.075 - 0.12 * (1 - contact) + 0.025 * contact
    canvas.draw(_bar((middle - half, down, middle + half, down), 0.022 * looks.build, colour))
    for number in range(5):
        x = middle + half * (number - 2) / 2.3
        canvas.draw(_bar((x, down + 0.028, x, down + 0.028), 0.014, colour * np.float32(0.7)))
    handle = middle + texture.turn * (half + 0.04)
    canvas.draw(_bar((handle, down - 0.03, handle, down + 0.02), 0.03, wood * np.float32(0.6)))
    bites = contact * np.clip(speed / 0.2, 0, 1)
    for number in range(DROPS):
        place, side, _far = texture.chances[number]
        part = (1.3 * cycles + place) % 1.0
        x = texture.x + texture.turn * (0.1 + 0.06 * side)
        y = block - 0.08 + 0.25 * part**2
        canvas.draw(_shown((x + 0.03 * part, y, x + 0.03 * part, y), 0.012, wood * np.float32(1.5), bites))


_PAINTERS = {"water": _water, "engine": _engine, "rotor": _rotor, "saw": _saw}
