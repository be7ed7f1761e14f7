"""Second round: measure each training clip's own offset with models of a first round, to train again on better labels.

``python -m clapboard.training.realign RUN... --data FOLDER --offsets CSV --corpora NAME... -o CSV``

Clips cut from broadcasts are not in sync to the frame: a network trained on their nominal zeros cannot learn these, so
what it measures on its own training clips is mostly their true offset. Runs that saw the same wrong zeros could share
a mistake, but not a clip's noise: a clip counts where all runs agree. Each corpus's median stays where it was, so a
round moves clips against each other and never the zero. The paper's round two drops clips instead [1]_.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016, section 3.3.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from clapboard.sync.distance import curves, distances
from clapboard.sync.search import offset_of
from clapboard.training.data import Prepared, load, read_offsets
from clapboard.training.evaluate import embed
from clapboard.training.export import load_weights
from clapboard.training.loop import Recipe
from clapboard.training.nets.clapboard_s import ClapboardS

REACH_S = 0.4
"""Search range: clips of one word hold no more."""
AGREE_MS = 40.0
"""Runs that differ by more have not seen the offset of the clip."""
FARTHEST_MS = 150.0
"""A clip farther from its corpus than this is left out: more likely a failure of the search."""


def own_offset_ms(net: ClapboardS, clip: Prepared) -> float:
    """What a network says of one clip that was aligned by its present label: the label's error, ms."""
    picture, sound = embed(net, clip)
    return offset_of(curves(distances(picture, sound, REACH_S))).offset_ms


def corrections(estimates_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correction of each clip of one corpus and whether it is sure.

    Parameters
    ----------
    estimates_ms : (runs, clips) what each run measured

    Returns
    -------
    correction_ms : (clips,) mean over the runs, less the corpus's median over the sure ones
    sure : (clips,) bool
    """
    sure = (np.ptp(estimates_ms, axis=0) <= AGREE_MS) & (np.abs(estimates_ms).max(0) <= FARTHEST_MS)
    mean = estimates_ms.mean(0)
    return mean - (np.median(mean[sure]) if sure.any() else 0.0), sure


def realign(nets: Sequence[ClapboardS], clips: Sequence[Prepared]) -> tuple[np.ndarray, np.ndarray]:
    """Corrections of clips of one corpus by several networks; see `corrections`."""
    return corrections(np.array([[own_offset_ms(net, clip) for clip in clips] for net in nets]))


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Measure the training clips' own offsets.")
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--offsets", type=Path, required=True, help="offsets known already: they stay")
    parser.add_argument("--corpora", nargs="+", required=True, help="corpora whose clips are moved")
    parser.add_argument("-o", "--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    known = read_offsets(chosen.offsets)
    constants = Recipe.read(chosen.runs[0] / "recipe.toml").corpus_offsets_ms
    clips = [c for c in load(chosen.data, "train", known, constants) if c.file not in known]
    nets = [load_weights(run) for run in chosen.runs]
    rows = [(file, f"{offset:.0f}", "yes") for file, offset in known.items()]
    for corpus in chosen.corpora:
        mine = [c for c in clips if c.corpus == corpus]
        correction_ms, sure = realign(nets, mine)
        print(
            f"{corpus}: {len(mine)} clips, {sure.mean():.1%} sure, moved by sd {correction_ms[sure].std():.0f} ms",
            file=sys.stderr,
        )
        for clip, moved, good in zip(mine, correction_ms, sure, strict=True):
            rows.append((clip.file, f"{constants.get(corpus, 0.0) + moved:.0f}", "yes" if good else "drop"))
    with chosen.out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "offset_ms", "usable"))
        writer.writerows(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
