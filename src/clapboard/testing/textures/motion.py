"""How a texture goes on: speeds that rise, fall and stop, and how far it has turned or flowed by then.

Picture and sound read the same curves, so time t in the picture is time t in the sound.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clapboard.testing.events.plan import LEAD_S
from clapboard.testing.textures.classes import TextureLooks
from clapboard.values import F64

CURVE_HZ = 500
"""Points per second of all curves."""
SLOWEST = 0.2
"""What goes goes at least so fast, parts of full speed; below, it is about to stop."""
HOLDS_S = (0.5, 2.2)
"""For so long a speed is held, s."""
RAMPS_S = (0.15, 0.6)
"""So long it takes from one speed to the next, s."""
CONTACT_RAMP_S = 0.12
"""So long a saw takes to bite, s."""
FULL_HZ = {"water": 1.5, "engine": 3.6, "rotor": 7.0, "saw": 5.0}
"""Cycles per second at full speed: of water the times that the length of its fall is passed, of engines turns, of
rotors blades that pass, of saws strokes. At the fastest pace of `TEXTURE_RANGES` they
are below 12.5, the most that 25 pictures a second can show, so that none seems to go backwards."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Curves (K,) at `CURVE_HZ` from ``first_s`` on.

    Attributes
    ----------
    first_s : time of the first point, s
    speed : 0 (stands) to 1 (full speed)
    cycles : how many cycles are done, see `FULL_HZ`
    contact : 0 to 1, how much a saw is in the wood; 1 for all else
    """

    first_s: float
    speed: F64
    cycles: F64
    contact: F64

    @classmethod
    def draw(cls, rng: np.random.Generator, looks: TextureLooks, seconds: float, *, pauses: bool) -> "Motion":
        """Draw what a texture does from `LEAD_S` before a clip of ``seconds`` to as much after it."""
        count = round((seconds + 2 * LEAD_S) * CURVE_HZ) + 1
        speed = drive(rng, count, pauses=pauses)
        contact = np.ones(count)
        if looks.kind == "saw":
            contact = eased(held(rng, count, (0.35, 1.5), lambda n: (np.arange(n) % 2).astype(float)), CONTACT_RAMP_S)
        hz = speed * FULL_HZ[looks.kind] * looks.pace
        return cls(-LEAD_S, speed, rng.uniform() + np.cumsum(hz) / CURVE_HZ, contact)

    def at(self, curve: F64, time_s: F64) -> F64:
        """A curve at other times, (n,) s."""
        return np.asarray(np.interp((time_s - self.first_s) * CURVE_HZ, np.arange(len(curve)), curve))

    def going(self) -> F64:
        """Whether it goes, (K,) 0 to 1: it fades in and out while it is slower than `SLOWEST`."""
        return np.clip(self.speed / SLOWEST, 0.0, 1.0)

    def activity(self) -> F64:
        """How much is to be heard, (K,) 0 to 1: nothing while it stands, more the faster; of a saw most in the wood."""
        return self.going() * (0.3 + 0.7 * self.speed) * (0.3 + 0.7 * self.contact)


def drive(rng: np.random.Generator, count: int, *, pauses: bool) -> F64:
    """Speeds of something that is driven by hand, (count,) 0 to 1; with ``pauses`` it stops now and then."""

    def targets(n: int) -> F64:
        stops = pauses & (rng.random(n) < 0.3)
        return np.where(stops, 0.0, rng.uniform(SLOWEST, 1.0, n))

    return eased(held(rng, count, HOLDS_S, targets), rng.uniform(*RAMPS_S))


def held(rng: np.random.Generator, count: int, holds_s: tuple[float, float], targets: Callable[[int], F64]) -> F64:
    """Steps, (count,): each of ``targets(n)`` is held for a time drawn from ``holds_s``."""
    spans = np.round(rng.uniform(*holds_s, int(count / CURVE_HZ / holds_s[0]) + 2) * CURVE_HZ).astype(int)
    return np.repeat(targets(len(spans)), spans)[:count]


def eased(steps: F64, ramp_s: float) -> F64:
    """Steps, each gone over in ``ramp_s``, by half a cosine."""
    wide = max(round(ramp_s * CURVE_HZ), 1)
    window = np.hanning(wide + 2)[1:-1]
    padded = np.pad(steps, (wide // 2, wide - 1 - wide // 2), mode="edge")
    return np.asarray(np.convolve(padded, window / window.sum(), "valid"))
