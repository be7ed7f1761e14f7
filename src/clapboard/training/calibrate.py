"""Fit the probability of being right within one frame on people that a model did not learn from.

``python -m clapboard.training.calibrate RUN... --data FOLDER --offsets CSV -o FILE``

Each run held some speakers out (its recipe says which); pieces of their clips, from 0.6 to 8 s, are measured with their
own voice and with the voice of somebody else, who is always wrong. The logistic regression over
`clapboard.sync.trust.terms` is fitted to all of them, a foreign voice for every three own ones.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from clapboard.sync.trust import MIN_PROBABILITY, MIN_WINDOWS, terms
from clapboard.timebase import FRAME_MS
from clapboard.training.data import load, read_offsets
from clapboard.training.evaluate import Piece, pieces, table
from clapboard.training.export import load_weights
from clapboard.training.loop import Recipe, split

LENGTHS_S = (0.6, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
CONSTANT_S = 4.0
"""A model's own constant is the median over pieces of this length (or the longest below it), s."""
FOREIGN_VOICES = 6
"""Each held-out clip is measured with the voices of up to this many others."""
FOREIGN_PRIOR = 1 / 3
"""How many clips with a foreign voice are expected for each with its own: people check what they have doubts about."""
RIDGE = 1e-3
"""Pull of the weights towards 0, per piece: the terms say nearly the same things."""


def fit(x: np.ndarray, y: np.ndarray, weight: np.ndarray, steps: int = 50) -> np.ndarray:
    """Logistic regression by Newton's method: (N, F) with a column of ones last, (N,) 0 or 1, (N,) -> (F,)."""
    beta = np.zeros(x.shape[1])
    ridge = np.full(len(beta), RIDGE * weight.sum())
    ridge[-1] = 0.0
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (weight * (p - y)) + ridge * beta
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(ridge + 1e-9)
        beta -= np.linalg.solve(curvature, gradient)
    return beta


def _share(of: np.ndarray, among: np.ndarray) -> str:
    """Part of some pieces, as text; a dash where there are none."""
    return f"{of[among].mean():.0%}" if among.any() else "-"


def describe(p: np.ndarray, right: np.ndarray, own: np.ndarray, seconds: np.ndarray) -> str:
    """Reliability and risk against coverage, as text."""
    lines = ["predicted   pieces   right"]
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        here = (p >= low) & (p < high)
        if here.any():
            lines.append(f"{low:.1f} to {min(high, 1):.1f}  {here.sum():6d}   {right[here].mean():.1%}")
    answers = p >= MIN_PROBABILITY
    for length in np.unique(seconds):
        mine, others = own & (seconds == length), ~own & (seconds == length)
        lines.append(
            f"{length:g} s: answered {_share(answers, mine)}, right of these {_share(right, mine & answers)}, "
            f"right and answered {_share(answers & right, mine)} of {_share(right, mine)}, "
            f"wrong voice answered {_share(answers, others)}"
        )
    return "\n".join(lines)


def gather(run: Path, data: Path, offsets: dict[str, float]) -> tuple[list[Piece], list[Piece]]:
    """Pieces of the held-out clips whose offset is known: with their own voice, and with others'."""
    recipe = Recipe.read(run / "recipe.toml")
    _, held = split(load(data, "train", offsets, recipe.corpus_offsets_ms), recipe)
    held = [clip for clip in held if clip.file in offsets]
    net = load_weights(run)
    own = pieces(net, held, LENGTHS_S)
    print(f"{run.name}: {len(held)} clips; {table(own)}", file=sys.stderr)
    foreign = list[Piece]()
    for step in range(1, min(len(held), 1 + FOREIGN_VOICES)):
        foreign += pieces(net, held, LENGTHS_S, foreign=step)
    return own, foreign


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Calibrate a model's probability.")
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--offsets", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    offsets = read_offsets(chosen.offsets)
    kept: list[tuple[Piece, bool, bool]] = []
    for run in chosen.runs:
        own, foreign = gather(run, chosen.data, offsets)
        longest = max((p.seconds for p in own if p.seconds <= CONSTANT_S), default=0.0)
        constant = float(np.median([p.offset.offset_ms for p in own if p.seconds == longest]))
        kept += [(p, abs(p.offset.offset_ms - constant) <= FRAME_MS, True) for p in own]
        kept += [(p, False, False) for p in foreign]
    kept = [k for k in kept if k[0].offset.windows >= MIN_WINDOWS and np.isfinite(k[0].offset.offset_ms)]
    names = list(terms(kept[0][0].offset))
    x = np.array([[*terms(p.offset).values(), 1.0] for p, _, _ in kept])
    right = np.array([r for _, r, _ in kept])
    own_voice = np.array([o for _, _, o in kept])
    seconds = np.array([p.seconds for p, _, _ in kept])
    beta = fit_all(x, right, own_voice, seconds)
    p = 1 / (1 + np.exp(-x @ beta))
    print(describe(p, right, own_voice, seconds))
    chosen.out.write_text(
        json.dumps({"bias": float(beta[-1]), "weights": dict(zip(names, map(float, beta), strict=False))}, indent=1)
        + "\n"
    )
    return 0


def fit_all(x: np.ndarray, right: np.ndarray, own: np.ndarray, seconds: Sequence[float] | np.ndarray) -> np.ndarray:
    """Fit with every length weighing the same, and within each a foreign voice for every three own ones."""
    weight = np.zeros(len(x))
    for length in np.unique(seconds):
        for kind in (True, False):
            here = (np.asarray(seconds) == length) & (own == kind)
            if here.any():
                weight[here] = (1.0 if kind else FOREIGN_PRIOR) * len(x) / here.sum()
    return fit(x, right.astype(float), weight / weight.mean())


if __name__ == "__main__":
    raise SystemExit(main())
