"""Attention over blocks on rendered events: mean, temporal and spatio-temporal pooling over several seeds.

    python benchmarks/attention.py RUNS --dense DATASET --sparse DATASET [--limit N] [-o JSON]

RUNS holds finished runs of ``clapboard train recipes/attention-avs*.toml``, each in a folder of its own; their recipes
tell head and seed. The data sets are rendered ones of the part ``test``: other seeds and other class parameters than
anything that was learned from. This is a test of the mechanism, not of films.

Printed are, by head, the mean over seeds with each seed's figure: pairs won at each range of shifts, the yes or no of
single clips at threshold 0 as in the paper, controls that must give 50 %, the weight of blocks with an event over that
of the others, and the share of the weight inside the source over its area. Differences between heads on the sparse set
are paired: the same pairs; their standard error is that over recordings and that over seeds together. Chance is 50 %.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clapboard.errors import ClapboardError
from clapboard.metrics import attention, pairs
from clapboard.training.anysound.avs import load_run, score_pairs
from clapboard.training.anysound.clips import BLOCK_FRAMES, Pairs, Scene, load_scenes
from clapboard.training.anysound.clips import pairs as draw_pairs
from clapboard.training.anysound.controls import control_pairs, control_scenes
from clapboard.training.anysound.recipe import SoundRecipe
from clapboard.training.nets.attention_avs import KINDS, AttentionAVS

SETTINGS = {
    "dense, 1 to 4 s": ("dense", "far", 4),
    "dense, 0.3 to 1 s": ("dense", "near", 4),
    "dense, 0.12 to 0.3 s": ("dense", "close", 4),
    "sparse, 1 to 4 s": ("sparse", "far", 8),
}
"""What is asked: data set, range of shifts, blocks in a clip."""
CONTROLS = ("frozen-picture", "other-sound")
PX = (64.0, 64.0)


def drawn(scenes: Sequence[Scene], range_name: str, blocks: int) -> Pairs:
    """One pair of every scene, the same ones for every run; of sparse scenes, both windows show an event."""
    rng, sparse = np.random.default_rng(0), bool(scenes) and scenes[0].split == "sparse"
    return draw_pairs(scenes, rng, blocks=blocks, range_name=range_name, seen="both" if sparse else "any")


def looks(cut: Pairs, weights: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """What attention weighs: blocks with an event, and the true source in them."""
    blocks, events, shares = [], [], []
    for weight, happened, boxes in zip(weights, cut.events, cut.boxes, strict=True):
        assert happened is not None  # rendered clips know their truth
        assert boxes is not None
        count = len(weight)
        span_s = np.arange(count)[:, None] + np.array([0.0, 1.0])[None]
        seen = attention.blocks_with_events(span_s, happened[happened[:, 1] >= 0, 0])
        blocks.append(weight.reshape(count, -1).sum(1))
        events.append(seen)
        if weight.ndim == 4 and seen.any():
            where = np.flatnonzero(seen)
            frames = np.concatenate([np.arange(b * BLOCK_FRAMES, (b + 1) * BLOCK_FRAMES) for b in where])
            here = weight[where].sum((0, 1))
            shares.append(attention.share_over_area(here, attention.inside(boxes[:, frames], here.shape, PX)))
    found = {"blocks with an event over the others": attention.block_ratio_of_clips(blocks, events)}
    if shares:
        found["weight inside the source over its area"] = float(np.nanmean(shares))
    return found


def judge(avs: AttentionAVS, sets: Mapping[str, Sequence[Scene]]) -> dict[str, Any]:
    """All figures of one run."""
    found: dict[str, Any] = {}
    for name, (data, range_name, blocks) in SETTINGS.items():
        cut = drawn(sets[data], range_name, blocks)
        logits, weights = score_pairs(avs, cut)
        won = pairs.outcomes(logits[:, 0], logits[:, 1])
        found[name] = {
            "pairs": len(won),
            "accuracy": float(won.mean()),
            "won": won.tolist(),
            "clips right": float(np.mean([*(logits[:, 0] > 0), *(logits[:, 1] <= 0)])),
            "scores": {"aligned": logits[:, 0].tolist(), "shifted": logits[:, 1].tolist()},
            **(looks(cut, weights) if avs.head.kind != "mean" else {}),
        }
    for control in CONTROLS:
        scenes = control_scenes(control, sets["dense"])
        cut = control_pairs(control, drawn(scenes, "far", 4), scenes)
        logits, _ = score_pairs(avs, cut)
        found[control] = {"pairs": len(logits), "accuracy": pairs.accuracy(logits[:, 0], logits[:, 1])}
    return found


def kept(run: Path, sets: Mapping[str, Sequence[Scene]], given: argparse.Namespace) -> dict[str, Any]:
    """Figures of a run, from its folder where it was judged on the same data before."""
    path, asked = run / "attention.json", {"dense": str(given.dense), "sparse": str(given.sparse), "limit": given.limit}
    written = (run / "weights.pt").stat()
    asked |= {"weights": [written.st_size, written.st_mtime_ns], "scenes": {n: len(s) for n, s in sets.items()}}
    if path.exists():
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["asked"] == asked:
            return dict(said["found"])
    found = judge(load_run(run), sets)
    path.write_text(json.dumps({"asked": asked, "found": found}) + "\n", encoding="utf-8")
    return found


def table(results: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> list[str]:
    """Markdown: a row for each figure, a column for each head; the mean over seeds, then each seed."""
    heads = [head for head in KINDS if head in results]
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    first = next(iter(next(iter(results.values())).values()))
    asked = [(name, "accuracy", True) for name in first]
    asked += [(name, "clips right", True) for name in SETTINGS]
    asked += [(name, key, False) for name in SETTINGS for key in (*_LOOKS,)]
    for name, key, percent in asked:
        cells = []
        for head in heads:
            values = [run[name][key] for _, run in sorted(results[head].items()) if key in run[name]]
            cells.append(_cell(values, percent))
        if any(cell != "-" for cell in cells):
            lines.append(f"| {name}: {_WORDS.get(key, key)} | " + " | ".join(cells) + " |")
    return lines


_LOOKS = ("blocks with an event over the others", "weight inside the source over its area")
_WORDS = {"accuracy": "pairs won", "clips right": "clips called rightly"}


def _cell(values: Sequence[float], percent: bool) -> str:
    """Mean over seeds and each seed."""
    if not values:
        return "-"
    one = (lambda v: f"{v:.1%}") if percent else (lambda v: f"{v:.2f}")
    return f"{one(float(np.mean(values)))} ({', '.join(one(v) for v in values)})"


def _of_control(run: str, control: str, found: Mapping[str, Any]) -> str:
    """What a run has learned that must not have learned anything."""
    won = ", ".join(f"{name} {found[name]['accuracy']:.1%}" for name in SETTINGS)
    return f"trained on {control} ({run}), pairs won: {won}"


def differences(results: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> list[str]:
    """How much one head wins more than the one before it, in standard errors."""
    lines = []
    for name in SETTINGS:
        won = {head: np.array([runs[seed][name]["won"] for seed in sorted(runs)]) for head, runs in results.items()}
        for better, other in (("temporal", "mean"), ("spatio-temporal", "temporal")):
            if {better, other} <= set(won) and set(results[better]) == set(results[other]):
                gap = pairs.difference(won[better], won[other])
                lines.append(
                    f"{name}: {better} over {other} {100 * gap.mean:+.1f} points, standard error "
                    f"{100 * gap.standard_error:.1f} ({gap.mean / gap.standard_error:+.1f} standard errors)"
                    if gap.standard_error
                    else f"{name}: {better} and {other} are the same"
                )
    return lines


def main() -> None:
    """Judge every run and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--dense", type=Path, required=True)
    parser.add_argument("--sparse", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--limit", type=int, help="no more than so many scenes of each set")
    given = parser.parse_args()
    torch.set_num_threads(1)
    try:
        sets = {name: load_scenes(getattr(given, name), limit=given.limit) for name in ("dense", "sparse")}
        results: dict[str, dict[int, dict[str, Any]]] = {}
        controls: list[str] = []
        for path in sorted(given.runs.glob("*/weights.pt")):
            recipe = SoundRecipe.read(path.parent / "recipe.toml")
            if recipe.task == "attention-avs" and recipe.control:
                found = kept(path.parent, sets, given)
                controls.append(_of_control(path.parent.name, recipe.control, found))
            elif recipe.task == "attention-avs":
                results.setdefault(recipe.head, {})[recipe.seed] = kept(path.parent, sets, given)
                print(f"{path.parent.name} judged", flush=True)
    except ClapboardError as error:
        raise SystemExit(f"attention.py: {error}") from None
    if not results and not controls:
        raise SystemExit(f"attention.py: {given.runs} holds no finished run of attention-avs")
    tables = ["", *table(results), "", *differences(results)] if results else []
    print("\n".join([*tables, *controls]))
    if given.out:
        given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
