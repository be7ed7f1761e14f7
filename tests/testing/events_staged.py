"""A rendered clip with and without what sounds in it, for tests that look at pixels."""

from dataclasses import dataclass, replace

import numpy as np

from clapboard.testing.events.classes import Kind
from clapboard.testing.events.plan import Split, draw_plan
from clapboard.testing.events.staging import stage


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """One source in pictures (T, px, px) at ``time_s``; ``mask`` is True where it is to be seen; its boxes (T, 4)."""

    time_s: np.ndarray
    images: np.ndarray
    mask: np.ndarray
    boxes: np.ndarray
    contacts_s: np.ndarray
    impacts: np.ndarray
    height: float

    def inner(self, apart_s: float = 0.0, margin_s: float = 0.3) -> list[int]:
        """Numbers of contacts that are away from the ends, and from the others by more than ``apart_s``."""
        gaps = np.minimum(np.diff(self.contacts_s, prepend=-np.inf), np.diff(self.contacts_s, append=np.inf))
        inside = (self.contacts_s > margin_s) & (self.contacts_s < self.time_s[-1] - margin_s)
        return list(np.flatnonzero(inside & (gaps > apart_s)))


def staged(
    seed: int, kind: Kind, *, clean: bool, split: Split = "dense", seconds: float = 4.0, rate_hz: int = 25, px: int = 64
) -> Staged:
    """Stage one source twice: once as it is, and once with nothing that sounds."""
    rng = np.random.default_rng(seed)
    plan = draw_plan(rng, (kind,), seconds=seconds, split=split, part="train", clean=clean, dry=clean)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    images, boxes = stage(np.random.default_rng(seed), plan, time_s, px, colour=False)
    bare, none = stage(np.random.default_rng(seed), replace(plan, sources=()), time_s, px, colour=False)
    assert none.shape == (0, len(time_s), 4)
    source = plan.sources[0]
    mask = np.abs(images.astype(int) - bare) > 6
    return Staged(time_s, images, mask, boxes[0], source.contacts_s, source.impacts, source.y)
