"""Learning whether sound and picture are in sync, yes or no, by attention over blocks: the training of the paper.

Every clip comes with its own sound and with its sound moved [1]_; pictures are seen once for both. The loss is the
binary cross-entropy of both answers and the logistic loss of their difference: which of the two belongs?

Letters of shapes: B clips, N blocks of 25 frames.

References
----------
.. [1] N. Khosravan, S. Ardeshir, R. Puri, "On Attention Modules for Audio-Visual Synchronization", 2018, section 3; and
   A. Owens, A. A. Efros, ECCV 2018, section 3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from clapboard.errors import UsageError
from clapboard.training.anysound.clips import USUAL, Pairs, Scene, pairs
from clapboard.training.anysound.controls import control_pairs
from clapboard.training.anysound.recipe import SoundRecipe
from clapboard.training.anysound.sets import Sets
from clapboard.training.anysound.shifts import Curriculum
from clapboard.training.nets.attention_avs import AttentionAVS, Head, cut_blocks
from clapboard.training.nets.multisensory import Multisensory, MultisensoryConfig
from clapboard.training.tables import toml_of
from clapboard.values import F32

OTHER_CLIPS = 0.25
"""Part of the negatives of the first stage that are another clip's sound: the easiest ones (AVTS)."""


def make_net(recipe: SoundRecipe) -> AttentionAVS:
    """The small multisensory network, changed as the recipe says, with the recipe's head.

    With ``begin_from`` the weights of the network, not those of its head, are those of another run.

    Raises
    ------
    UsageError : unknown options, or a run that holds no such network
    """
    try:
        config = replace(MultisensoryConfig.small(), **recipe.network_options)
    except TypeError as error:
        raise UsageError(f"recipe: network_options: {error}") from None
    torch.manual_seed(recipe.seed)
    net = AttentionAVS(Multisensory(config), Head(recipe.head, config.features))
    if recipe.begin_from:
        net.net.load_state_dict(load_run(Path(recipe.begin_from)).net.state_dict())
    if recipe.freeze:
        net.net.requires_grad_(False)
    return net


def load_run(folder: Path) -> AttentionAVS:
    """The network at the end of a run, in `eval`.

    Raises
    ------
    UsageError : there is none
    """
    recipe = SoundRecipe.read(folder / "recipe.toml")
    net = make_net(replace(recipe, begin_from="", freeze=False))
    try:
        net.load_state_dict(torch.load(folder / "weights.pt", weights_only=True, map_location="cpu"))
    except Exception as error:  # torch raises whatever the damage leads to
        first = " ".join(str(error).split())[:200]
        raise UsageError(f"{folder}: holds no finished run of attention-avs ({first}); train it first") from None
    return net.eval()


class PairTask:
    """The loss of a batch of pairs, see the module; those of a control as `control_pairs` makes them."""

    def __init__(self, recipe: SoundRecipe, sets: Sets) -> None:
        self._avs = make_net(recipe)
        self.net: nn.Module = self._avs
        self._recipe, self._sets = recipe, sets
        self._curriculum = Curriculum.of(recipe.shifts, OTHER_CLIPS)

    def loss(self, net: nn.Module, rng: np.random.Generator, share: float, device: str) -> tuple[Tensor, float]:
        """See `clapboard.training.task_loop.Task`."""
        recipe, avs = self._recipe, cast(AttentionAVS, net)
        name, other = self._curriculum.draw(rng, share)

        def cut(scenes: Sequence[Scene], count: int) -> Pairs:
            found = pairs(
                scenes,
                rng,
                blocks=recipe.batch.blocks,
                range_name=name,
                clips=count,
                other=other,
                seen="any" if scenes[0].events is None else "either",
                changes=USUAL,
            )
            return control_pairs(recipe.control, found, scenes) if recipe.control else found

        drawn = self._sets.draw(rng, recipe.batch.clips, cut)
        if recipe.freeze:
            avs.net.eval()
        blocks = as_blocks(avs, drawn.images, drawn.rows_true, drawn.rows_shifted)
        logits, _ = avs.score_pair(*(part.to(device) for part in blocks))
        logits = logits.float()
        margin = logits[:, 0] - logits[:, 1]
        labels = torch.tensor([1.0, 0.0], device=device).expand_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, labels) + F.softplus(-margin).mean()
        return loss, float((margin > 0).float().mean())


def as_blocks(avs: AttentionAVS, images: NDArray[np.uint8], *rows: F32) -> tuple[Tensor, ...]:
    """Clips (B, F, 64, 64) as blocks (B, N, 25, 1, 64, 64), and each of their sounds (B, R, 40) as (B, N, r, 40)."""
    pictures = torch.from_numpy(np.ascontiguousarray(images))[:, :, None]
    cut = [cut_blocks(pictures, torch.from_numpy(sound), avs.net.config) for sound in rows]
    return cut[0][0], *(sounds for _, sounds in cut)


@torch.no_grad()
def score_pairs(avs: AttentionAVS, drawn: Pairs, *, batch: int = 16) -> tuple[F32, list[NDArray[np.float32]]]:
    """Logits of both sounds of each pair, (B, 2), and the weights of each clip with its own sound.

    The weights are (N,) of the head `temporal`, and (N, t, h, w) of `spatio-temporal`.
    """
    avs.eval()
    found, weights = [], list[NDArray[np.float32]]()
    for begin in range(0, len(drawn.images), batch):
        part = slice(begin, begin + batch)
        blocks = as_blocks(avs, drawn.images[part], drawn.rows_true[part], drawn.rows_shifted[part])
        with torch.autocast("cpu", torch.bfloat16):
            logits, heavy = avs.score_pair(*blocks)
        found.append(logits.float().numpy())
        weights += list(heavy[:, 0].float().numpy())
    return np.concatenate(found), weights


def load_scorers(folder: Path) -> Mapping[str, Callable[[NDArray[np.uint8], F32], float]]:
    """Scorers of the finished runs below a folder, by the name of the run.

    Returns
    -------
    name -> callable of images (T, 64, 64) uint8 and their rows (4 T, 40) float32, finished: the logit that they are in
    sync

    Raises
    ------
    UsageError : there is no run
    """
    runs = sorted(path.parent for path in folder.glob("*/weights.pt") if _is_avs(path.with_name("recipe.toml")))
    if not runs:
        raise UsageError(f"{folder}: holds no finished run of attention-avs; train some first")

    def scorer(avs: AttentionAVS) -> Callable[[NDArray[np.uint8], F32], float]:
        @torch.no_grad()
        def score(images: NDArray[np.uint8], rows: F32) -> float:
            blocks, sounds = as_blocks(avs, images[None], rows[None])
            with torch.autocast("cpu", torch.bfloat16):
                logits, _ = avs(blocks, sounds)
            return float(logits[0])

        return score

    return {run.name: scorer(load_run(run)) for run in runs}


def _is_avs(recipe: Path) -> bool:
    """Whether there is a recipe of this training: others may lie beside, of lips, or weights that somebody brought."""
    return recipe.exists() and toml_of(recipe).get("task") == "attention-avs"
