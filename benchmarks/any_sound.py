"""Offsets of any sound on rendered events: how near to known shifts, how often answered, and what attention weighs.

    python benchmarks/any_sound.py MODEL... --data DATASET... [--lengths 4 8] [--limit N]

Several models are those of several seeds: the mean over them is printed, then each. Every scene gives one piece of
each length, cut and moved as `clapboard.training.anysound.calibrating.measure` does it: by a known amount of up to
1.6 s, cut at both ends, nothing beyond. Regular sounds (metronomes) are in sync at every whole period: they are told
apart, and should be undecided. Controls are another recording's sound (how often is it answered all the same) and a
frozen picture. Rendered clips are a test of the mechanism, not of films. Chance within 80 ms over +-2 s is 5 %, 5 of
101 lags.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from clapboard.errors import ClapboardError, UsageError
from clapboard.metrics import attention
from clapboard.models.any_session import AnySoundModel, load_any_sound
from clapboard.timebase import PICTURE_HZ
from clapboard.training.anysound.calibrating import answered, look, measure
from clapboard.training.anysound.clips import Scene, load_scenes
from clapboard.training.anysound.controls import control_scenes
from clapboard.values import F64, Seen

PX = (64.0, 64.0)
NEAR_S = 0.12
"""Attention this near to an event is that to it, s."""


def share(of: Sequence[bool]) -> float:
    """Part that is true; NaN of nothing."""
    return float(np.mean(of)) if of else float("nan")


def offsets(model: AnySoundModel, scenes: Sequence[Scene], seconds: float) -> dict[str, float]:
    """Figures of one model on pieces of one length."""
    pieces = measure(model, scenes, lengths_s=(seconds,), foreign=1)
    still = measure(model, control_scenes("frozen-picture", scenes), lengths_s=(seconds,), foreign=0)
    own = [p for p in pieces if p.own and not p.periodic]
    regular = [p for p in pieces if p.own and p.periodic]
    errors = np.array([p.found.offset_ms - p.offset_ms for p in own])
    known = model.spec.calibration
    if known is None:
        raise UsageError(f"{model.spec.name} is not calibrated; hold recordings out in its training")
    said = [answered(known, p) for p in own]
    return {
        "pieces": float(len(own)),
        "within 40 ms": share([p.right(40) for p in own]),
        "within 80 ms": share([p.right(80) for p in own]),
        "regular pieces too, within 80 ms": share([p.right(80) for p in own + regular]),
        "median error, ms": float(np.nanmedian(np.abs(errors))),
        "median, ms (plus: early)": float(np.nanmedian(errors)),
        "answered": share(said),
        "answered and within 40 ms": share([p.right(40) for p, yes in zip(own, said, strict=True) if yes]),
        "regular sounds answered": share([answered(known, p) for p in regular]),
        "foreign sounds answered": share([answered(known, p) for p in pieces if not p.own]),
        "frozen picture within 80 ms": share([p.right(80) for p in still if not p.periodic]),
    }


def looks(model: AnySoundModel, scenes: Sequence[Scene]) -> dict[str, float]:
    """What attention weighs in whole scenes, in blocks of 1 s."""
    weights, events, shares, beside = [], [], [], list[F64]()
    for scene in scenes:
        if scene.events is None or scene.boxes is None:
            continue
        seen = look(model, scene, 0, len(scene.images))
        beside += besides(scene, seen)
        count = len(scene.images) // PICTURE_HZ
        block = np.clip(np.round(seen.time_s * PICTURE_HZ).astype(int) // PICTURE_HZ, 0, count - 1)
        maps = np.zeros((count, *seen.places.shape[1:]))
        np.add.at(maps, block, seen.places)
        span_s = np.arange(count)[:, None] + np.array([0.0, 1.0])[None]
        happened = attention.blocks_with_events(span_s, scene.events[scene.events[:, 1] >= 0, 0])
        weights.append(maps.sum((1, 2)))
        events.append(happened)
        if happened.any():
            frames = np.flatnonzero(np.repeat(happened, PICTURE_HZ))
            here = maps[happened].sum(0)
            shares.append(attention.share_over_area(here, attention.inside(scene.boxes[:, frames], here.shape, PX)))
    if not weights:
        return {}
    across, down = np.median(beside, axis=0).tolist() if beside else (float("nan"), float("nan"))
    return {
        "blocks with an event over the others": attention.block_ratio_of_clips(weights, events),
        "weight inside the source over its area": float(np.nanmean(shares)),
        "px of 64 by which attention lies right of the source (median over events)": across,
        "px of 64 by which it lies below": down,
    }


def besides(scene: Scene, seen: Seen) -> list[F64]:
    """How far the middle of the attention lies from that of the source at each of its events: x, y, px."""
    assert scene.events is not None  # as the caller has seen
    assert scene.boxes is not None
    found = []
    for time_s, source, _ in scene.events[scene.events[:, 1] >= 0]:
        near = np.abs(seen.time_s - time_s) <= NEAR_S
        box = scene.boxes[int(source), min(round(time_s * PICTURE_HZ), len(scene.images) - 1)]
        if near.any() and np.isfinite(box).all():
            weight = seen.places[near].sum(0)
            middles = (np.arange(len(weight)) + 0.5) * PX[0] / len(weight)
            looked = np.array([weight.sum(0) @ middles, weight.sum(1) @ middles]) / weight.sum()
            found.append(looked - (box[:2] + box[2:]) / 2)
    return found


def cell(name: str, values: Sequence[float]) -> str:
    """Mean over models, then each of several."""
    percent = not any(word in name for word in ("ms", "pieces", "over", "px")) or "within" in name
    show: Callable[[float], str] = (lambda v: f"{v:.1%}") if percent else (lambda v: f"{v:.2f}".removesuffix(".00"))
    if all(np.isnan(v) for v in values):
        return "-"
    each = f" ({', '.join(show(v) for v in values)})" if len(set(values)) > 1 else ""
    return show(float(np.mean(values))) + each


def main() -> None:
    """Measure and print one table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--lengths", nargs="*", type=float, default=[4.0, 8.0], help="none: attention alone")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    try:
        models = [load_any_sound(name) for name in given.models]
        for folder in given.data:
            scenes = load_scenes(folder, limit=given.limit)
            columns = {f"{length:g} s": [offsets(m, scenes, length) for m in models] for length in given.lengths}
            seen = [looks(m, scenes) for m in models]
            print(f"\n{folder.name}: {len(scenes)} scenes")
            if columns:
                print("\n| | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
            for name in next(iter(columns.values()))[0] if columns else ():
                cells = [cell(name, [one[name] for one in found]) for found in columns.values()]
                print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
            for name in seen[0]:
                print(f"\n{name}: {cell(name, [one[name] for one in seen])}")
    except ClapboardError as error:
        raise SystemExit(f"any_sound.py: {error}") from None


if __name__ == "__main__":
    main()
