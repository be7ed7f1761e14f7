"""What goes on in a clip, before anything is drawn or heard: who sounds when."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from clapboard.testing.events.classes import Kind, Looks, Part
from clapboard.testing.events.kinds import Source, draw_source
from clapboard.testing.events.timing import few_contacts, regular_contacts, steady_contacts
from clapboard.values import F64

Split = Literal["dense", "sparse", "two-sources"]
SPLITS: tuple[Split, ...] = ("dense", "sparse", "two-sources")
LEAD_S = 2.5
"""What happens goes on for so long before and after a clip, s, so that its sound can be moved without an empty edge."""
LEVELS = (40.0, 150.0)
"""Mean gray of backgrounds, 0 to 255: dark enough that a flash is brighter."""
PERIODS_S = (0.38, 0.88)
"""Shortest and longest period of a metronome, s: the range of the other kinds' gaps."""


@dataclass(frozen=True, slots=True)
class Event:
    """One sound of a clip.

    Attributes
    ----------
    time_s : when it begins, s on the clip's clock; for what is seen, the moment of contact
    source : index into `EventClip.boxes`; -1 for a sound from off screen
    loudness : 0 to 1, speed of the blow; amplitude is proportional to it within a source
    kind : what made it
    """

    time_s: float
    source: int
    loudness: float
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What sounds in a clip of ``seconds``, and before what.

    Attributes
    ----------
    sources : what is seen to sound
    level, contrast : mean and swing of the background's gray, 0 to 255
    period_s : s between the events of an exactly regular clip, else None
    clean : nothing disturbs
    dry : nothing disturbs what is heard
    """

    seconds: float
    split: Split
    part: Part
    sources: tuple[Source, ...]
    level: float
    contrast: float
    period_s: float | None
    clean: bool
    dry: bool


def draw_plan(
    rng: np.random.Generator,
    kinds: tuple[Kind, ...],
    *,
    seconds: float,
    split: Split,
    part: Part,
    clean: bool,
    dry: bool,
) -> Plan:
    """Draw who sounds when, out of ``kinds``."""
    level, contrast = rng.uniform(*LEVELS), rng.uniform(8, 45)
    two = split == "two-sources"
    sources, period_s = [], None
    for place, number in enumerate(rng.permutation(len(kinds))[: 2 if two else 1]):
        looks = Looks.draw(rng, kinds[number], part)
        start_s, end_s = -LEAD_S - 1.0, seconds + LEAD_S + 1.0
        if looks.kind == "metronome":
            period_s = float(rng.uniform(*PERIODS_S))
            contacts_s = regular_contacts(rng, period_s, start_s, end_s)
        elif split == "sparse":
            contacts_s = np.concatenate([[start_s - 9.0], few_contacts(rng, seconds), [end_s + 9.0]])
        else:
            contacts_s = steady_contacts(rng, start_s, end_s)
        x = float(rng.uniform(0.24, 0.30) + 0.46 * place if two else rng.uniform(0.34, 0.66))
        sources.append(draw_source(rng, looks, x, contacts_s, level, outwards=two))
    return Plan(seconds, split, part, tuple(sources), level, contrast, None if two else period_s, clean, clean or dry)


def off_screen_times(rng: np.random.Generator, plan: Plan) -> F64:
    """Draw the times of sounds from off screen, s: as many a second before and after the clip as in it."""
    count = int(rng.integers(2, 7)) if plan.split == "sparse" else int(rng.integers(1, 4)) * (rng.random() < 0.35)
    outside = rng.uniform(0, 2 * LEAD_S, rng.poisson(count * 2 * LEAD_S / plan.seconds))
    outside = np.where(outside < LEAD_S, outside - LEAD_S, outside - LEAD_S + plan.seconds)
    return np.concatenate([rng.uniform(0, plan.seconds, count), outside])
