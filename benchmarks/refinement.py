"""Does the second round find spoiled clips, and what does it gain? An experiment with known damage.

    python benchmarks/refinement.py RECIPE --data DATASET... --run FOLDER [--offsets CSV] [--train STEPS] [--json FILE]

A fifth of the clips get the sound of another clip of their corpus, a fifth are shifted by 200 ms, half of these each
way. `clapboard refine` measures all of them in two folds, and what it drops or moves by 100 ms or more counts as found.
With ``--train`` the recipe is then trained three times, on spoiled, on refined and on unspoiled clips, and all are
judged on the people that the recipe holds out, whose clips are not spoiled.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import torch

from clapboard.dataset.align import Aligned
from clapboard.training.judge import Judge
from clapboard.training.loop import fit
from clapboard.training.recipe import Recipe
from clapboard.training.refine import decide, describe
from clapboard.training.rounds import measure_in_folds
from clapboard.training.run import Place
from clapboard.training.sampling import held_out
from clapboard.training.work import load_clips

DUBBED, SHIFTED = 0.2, 0.2
SHIFT_MS = 200.0
FOUND_MS = 100.0


def shifted(clip: Aligned, early_ms: float) -> Aligned:
    """The clip with its sound earlier by a whole number of rows, though its label says nothing of it."""
    rows = round(early_ms / 10)
    bands, valid = np.roll(clip.bands, -rows, 0), np.roll(clip.valid, -rows)
    if rows > 0:
        valid[-rows:] = False
    elif rows < 0:
        valid[:-rows] = False
    return dataclasses.replace(clip, bands=bands, valid=valid)


def dubbed(clip: Aligned, other: Aligned) -> Aligned:
    """The clip with the sound of another one, as much as there is of it."""
    rows = len(clip.bands)
    bands, valid = np.zeros_like(clip.bands), np.zeros(rows, np.bool_)
    some = min(rows, len(other.bands))
    bands[:some], valid[:some] = other.bands[:some], other.valid[:some]
    loud = np.zeros_like(clip.loud)
    loud[: min(len(loud), len(other.loud))] = other.loud[: len(loud)]
    return dataclasses.replace(clip, bands=bands, valid=valid, loud=loud)


def spoil(clips: list[Aligned], rng: np.random.Generator) -> tuple[list[Aligned], np.ndarray]:
    """Spoiled clips, and what was done to each: 0 nothing, 1 dubbed, 2 shifted."""
    done = rng.choice(3, len(clips), p=[1 - DUBBED - SHIFTED, DUBBED, SHIFTED])
    found = []
    for index, (clip, kind) in enumerate(zip(clips, done, strict=True)):
        others = [j for j, c in enumerate(clips) if c.corpus == clip.corpus and j != index]
        if kind == 1 and others:
            found.append(dubbed(clip, clips[int(rng.choice(others))]))
        elif kind == 2:
            found.append(shifted(clip, SHIFT_MS * float(rng.choice([-1, 1]))))
        else:
            done[index] = 0
            found.append(clip)
    return found, done


def rates(found: np.ndarray, spoiled: np.ndarray) -> str:
    """Precision and recall."""
    both = int((found & spoiled).sum())
    return (
        f"precision {both / max(found.sum(), 1):.1%}, recall {both / max(spoiled.sum(), 1):.1%} "
        f"({spoiled.sum()} spoiled of {len(spoiled)}; by chance {spoiled.mean():.0%} precision)"
    )


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, nargs="+")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--offsets", type=Path)
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--train", type=int, metavar="STEPS", help="train on spoiled, refined and unspoiled clips too")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    recipe = Recipe.read(chosen.recipe, {"steps": str(chosen.steps)} if chosen.steps else {})
    clips, held = held_out(load_clips(recipe, chosen.data, chosen.offsets), recipe)
    clean = clips
    clips, done = spoil(clips, np.random.default_rng(recipe.seed))

    def say(line: str) -> None:
        print(line, flush=True)

    free = dataclasses.replace(recipe, held_out=dataclasses.replace(recipe.held_out, speakers=(), clips=(), share=0.0))
    measured = measure_in_folds(free, clips, chosen.run, say=say)
    results: dict[str, object] = {}
    for rule in ("paper", "offset"):
        made = decide(measured, clips, rule=rule)  # type: ignore[arg-type]
        found = ~made.kept | (np.abs(made.moved_ms) >= FOUND_MS)
        say(f"\n=== rule {rule}: all spoiled clips: {rates(found, done > 0)}")
        kinds = {
            "dubbed ones dropped": ~made.kept[done == 1],
            "shifted ones dropped or moved": found[done == 2],
            "untouched ones dropped": ~made.kept[done == 0],
        }
        say("; ".join(f"{name}: {some.mean():.1%}" for name, some in kinds.items()))
        for corpus in sorted({c.corpus for c in clips}):
            mine = np.array([c.corpus == corpus for c in clips])
            say(f"  {corpus}: {rates(found[mine], done[mine] > 0)}")
        results[rule] = {"precision": float((found & (done > 0)).sum() / found.sum()),
                         "recall": float((found & (done > 0)).sum() / (done > 0).sum())}  # fmt: skip
    say("\n" + describe(clips, made))
    if chosen.train:
        moved = [shifted(c, -m) for c, m in zip(clips, made.moved_ms, strict=True)]
        refined = [c for c, k in zip(moved, made.kept, strict=True) if k]
        recipe = dataclasses.replace(recipe, steps=chosen.train)
        for name, some in (("spoiled", clips), ("refined", refined), ("unspoiled", clean)):
            loop = fit(recipe, [*some, *held], chosen.run / name, place=Place(), say=say)
            score = Judge(held, loop.run.net, recipe, loop.kind)(loop.run)
            say(f"=== trained on {name} clips ({len(some)}): {score.in_words()}")
            results[name] = dataclasses.asdict(score)
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
