"""Clips of things that sound as long as they move: what is seen decides what is heard, all the time."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.testing.events.classes import KINDS, PARTS, Looks, Part
from clapboard.testing.events.clip import LONGEST_S
from clapboard.testing.events.kinds import Source, draw_source
from clapboard.testing.events.plan import LEAD_S, LEVELS, Event, Plan
from clapboard.testing.events.soundtrack import play
from clapboard.testing.events.staging import stage
from clapboard.testing.events.timing import steady_contacts
from clapboard.testing.textures.classes import TEXTURES, TextureKind, TextureLooks
from clapboard.testing.textures.motion import Motion
from clapboard.testing.textures.painting import Texture, draw_texture, paint_texture
from clapboard.testing.textures.sounding import sound_texture
from clapboard.values import F32, F64

ROW_HZ = 100
"""Rows of activity per second."""
FIRST_ROW_S = -0.015
"""Middle of row 0, s: the four rows of a frame at 25 Hz lie around its time."""
BLOWS, PAUSES, TWO = 0.4, 0.6, 0.1
"""Shares of clips with blows beside the texture, with textures that stop now and then, and with two textures."""
PEAK = 0.97
"""Loudest sample of a clip that would be louder."""


@dataclass(frozen=True, slots=True, eq=False)
class TextureClip:
    """A clip of textures, picture and sound in sync, the sound dry.

    Attributes
    ----------
    images : (T, px, px) or (T, px, px, 3) uint8
    time_s : (T,) float64, time of each picture, s from 0 on
    samples : (N,) float32 in [-1, 1], the first one at ``start_s``
    sound_hz : samples per second
    start_s : 0.0
    activity : by the name of each texture, (R,) float32 0 to 1: how much of it is to be heard; rows 10 ms long, the
        middle of the first 15 ms before the first picture, so that at 25 Hz four of them lie around each picture
    events : blows within the clip, by time; empty in most clips
    boxes : (S, T, 4) float32 x0 y0 x1 y1 px: where blows are seen, where there are any, then each texture
    materials : (S,) what strikes is made of, then the names of the textures
    kind : kinds of all of them, with ``+`` between
    period_s : None
    split : ``texture``
    seed : as asked for
    around : (N + 2 lead,): the same sound from `clapboard.testing.events.plan.LEAD_S` before the clip to as much after
    """

    images: NDArray[np.uint8]
    time_s: F64
    samples: F32
    sound_hz: int
    start_s: float
    activity: dict[str, F32]
    events: tuple[Event, ...]
    boxes: F32
    materials: tuple[str, ...]
    kind: str
    period_s: float | None
    split: str
    seed: int
    around: F32


def render_texture(
    seed: int,
    *,
    seconds: float = 8.0,
    px: int = 64,
    rate: Fraction | int = 25,
    sound_hz: int = 16_000,
    part: Part = "train",
    kinds: Sequence[TextureKind] = TEXTURES,
    colour: bool = False,
) -> TextureClip:
    """Render a clip in which something sounds as long and as much as it is seen to move.

    Water flows, faster and louder; an engine turns, and its hum follows; blades of a rotor pass a mast; a saw goes to
    and fro and bites. In `BLOWS` of the clips something strikes beside it, as in `clapboard.testing.render_events`.

    Parameters
    ----------
    seed : everything follows from it, with ``part``
    seconds : length, s
    px : width and height of the pictures
    rate : pictures per second
    sound_hz : samples per second
    part : ``test`` has class parameters that ``train`` never has; see
        `clapboard.testing.textures.classes.TEXTURE_RANGES`
    kinds : which textures to draw from
    colour : RGB instead of gray

    Returns
    -------
    TextureClip

    Raises
    ------
    UsageError : arguments that make no sense
    """
    wrong = sorted(set(kinds) - set(TEXTURES))
    if wrong or not kinds:
        raise UsageError(f"kinds are some of {', '.join(TEXTURES)}, not {', '.join(wrong) or 'none'}")
    if not 0 < seconds < LONGEST_S or seconds * rate < 2 or px < 16 or sound_hz < 8000:
        raise UsageError(
            f"a clip has two pictures or more of 16 px or more, 8000 Hz or more, and at most {LONGEST_S:.0f} s"
        )
    if part not in PARTS or seed < 0:
        raise UsageError(f"part is one of {', '.join(PARTS)}, and seed 0 or more, not {part} and {seed}")
    # the third number keeps textures apart from events of the same seed, whose splits are 0 to 2
    acting, looking, sounding, blowing = np.random.default_rng([PARTS.index(part), 3, seed]).spawn(4)
    plan, textures = draw_textures(acting, tuple(dict.fromkeys(kinds)), seconds, part)
    time_s = np.array([float(n / rate) for n in range(int(seconds * rate + 1e-9))])
    beside = [partial(paint_texture, texture) for texture in textures]
    images, boxes = stage(looking, plan, time_s, px, colour=colour, beside=beside)
    around, events = play((sounding, blowing), plan, sound_hz, 1)
    for texture in textures:
        around += sound_texture(sounding, texture, sound_hz, len(around))
    around *= np.float32(min(1.0, PEAK / max(float(np.abs(around).max()), 1e-9)))
    lead = round(LEAD_S * sound_hz)
    rows_s = FIRST_ROW_S + np.arange(round(seconds * ROW_HZ)) / ROW_HZ
    names = [texture.looks.kind for texture in textures]
    return TextureClip(
        images=images,
        time_s=time_s,
        samples=around[lead : len(around) - lead],
        sound_hz=sound_hz,
        start_s=0.0,
        activity={
            texture.looks.kind: texture.motion.at(texture.motion.activity(), rows_s).astype(np.float32)
            for texture in textures
        },
        events=events,
        boxes=boxes,
        materials=(*(source.looks.material for source in plan.sources), *names),
        kind="+".join((*(source.looks.kind for source in plan.sources), *names)),
        period_s=None,
        split="texture",
        seed=seed,
        around=around,
    )


def draw_textures(
    rng: np.random.Generator, kinds: tuple[TextureKind, ...], seconds: float, part: Part
) -> tuple[Plan, list[Texture]]:
    """Draw what goes on: the plan of what strikes, often nothing, and the textures beside it."""
    level, contrast = rng.uniform(*LEVELS), rng.uniform(8, 45)
    blows, pauses, two = rng.random(3) < (BLOWS, PAUSES, TWO)
    number = 2 if two and len(kinds) > 1 and not blows else 1
    # two things stand beside each other, either on either side
    columns = [0.26, 0.74] if blows or number == 2 else [0.5]
    places = rng.permutation(columns) + rng.uniform(-0.03, 0.03, len(columns))
    textures = []
    for x, chosen in zip(places[-number:].tolist(), rng.permutation(len(kinds)), strict=False):
        looks = TextureLooks.draw(rng, kinds[chosen], part)
        textures.append(draw_texture(rng, looks, Motion.draw(rng, looks, seconds, pauses=bool(pauses)), x, level))
    sources: tuple[Source, ...] = ()
    if blows:
        looks_of = Looks.draw(rng, KINDS[int(rng.integers(len(KINDS)))], part)
        contacts_s = steady_contacts(rng, -LEAD_S - 1.0, seconds + LEAD_S + 1.0)
        sources = (draw_source(rng, looks_of, float(places[0]), contacts_s, level, outwards=True),)
    plan = Plan(seconds, "dense", part, sources, level, contrast, None, clean=False, dry=True)
    return plan, textures
