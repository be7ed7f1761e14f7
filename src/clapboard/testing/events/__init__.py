"""Physical events made in code: things that touch, and sound when they do; see `render_events`.

All that is measured on such clips is a test of the mechanism, not of how well anything works on real recordings.
"""

from clapboard.testing.events.classes import BACKGROUNDS, KINDS, MATERIALS, RANGES
from clapboard.testing.events.clip import EventClip, render_events
from clapboard.testing.events.files import write_events
from clapboard.testing.events.plan import SPLITS, Event

__all__ = [
    "BACKGROUNDS",
    "KINDS",
    "MATERIALS",
    "RANGES",
    "SPLITS",
    "Event",
    "EventClip",
    "render_events",
    "write_events",
]
