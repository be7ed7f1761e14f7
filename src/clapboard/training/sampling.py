"""Batches: chunks of clips of one corpus, drawn so that batch n depends on the recipe and on n alone.

B clips, T frames, W windows, R feature rows. A batch never mixes corpora, so that a corpus's look or sound gives
nothing away; in it speakers have equal chances, so that no one of them dominates.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from clapboard.dataset.align import MARGIN_ROWS, Aligned
from clapboard.errors import UsageError
from clapboard.sound.kinds import SoundKind
from clapboard.timebase import ROWS_PER_FRAME
from clapboard.training.augment import Look, change_sound, draw_look
from clapboard.training.nets.base import Inputs
from clapboard.training.recipe import Augmentation, Recipe
from clapboard.values import Features

SPEAKS = 0.2
"""A window asks when more than this part of its sound is speech; all windows are candidates."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One batch before its pictures are changed, which is done where the network runs.

    ``images`` (B, T, C, h, w) uint8; ``look`` the changes; ``rows`` (B, R, F) float32 as the network takes them;
    ``anchors`` (B, W) bool, windows with speech; ``real`` (B, W + 2 extra) bool, positions with sound.
    """

    images: Tensor
    look: Look
    rows: Tensor
    anchors: Tensor
    real: Tensor


def held_out(clips: Sequence[Aligned], recipe: Recipe) -> tuple[list[Aligned], list[Aligned]]:
    """Clips to learn from, and those of the people (or files) held out.

    Raises
    ------
    UsageError : a speaker or clip that the recipe holds out is not in the data: a slip of the pen would train on it
    """
    rule = recipe.held_out
    speakers, files = {c.speaker for c in clips}, {c.file for c in clips}
    for name in (*rule.speakers, *rule.clips):
        if name not in (speakers if name in rule.speakers else files):
            raise UsageError(f"recipe: {name} is held out but not in the data; correct held_out")
    chosen = set(rule.speakers) | _share(sorted(speakers - set(rule.speakers)), rule.share)
    away = set(rule.clips)
    learn = [c for c in clips if c.speaker not in chosen and c.file not in away]
    return learn, [c for c in clips if c.speaker in chosen or c.file in away]


def _share(speakers: Sequence[str], share: float) -> set[str]:
    """A part of the speakers, the same whatever the order of the files: drawn by a fixed seed from sorted names.

    Somebody is always left to learn from. Of four or more at least two are drawn: calibration needs another's voice.
    """
    least = 2 if len(speakers) > 3 else 1
    count = min(max(round(share * len(speakers)), least), len(speakers) - 1) if share and speakers else 0
    picked = np.random.default_rng(0).permutation(len(speakers))[:count]
    return {speakers[i] for i in picked}


class Batches(Dataset[Drawn]):
    """Batch n of a recipe, for any n: a map-style data set, so that worker processes can draw ahead.

    Parameters
    ----------
    clips : all of one kind of sound and one view
    inputs : of the network
    how : changes; `NO_CHANGE` draws the clips as they are

    Raises
    ------
    UsageError : there is nothing to draw from
    """

    def __init__(
        self, clips: Sequence[Aligned], inputs: Inputs, recipe: Recipe, kind: SoundKind, how: Augmentation
    ) -> None:
        self._inputs, self._batch, self._seed, self._kind, self._how = inputs, recipe.batch, recipe.seed, kind, how
        self._corpora: dict[str, dict[str, list[Aligned]]] = {}
        for clip in clips:
            self._corpora.setdefault(clip.corpus, {}).setdefault(clip.speaker, []).append(clip)
        self._names, self._chances = self._weigh(recipe.batch.weights)
        shortest = min(recipe.batch.chunk_frames.get(name, recipe.batch.chunk) for name in self._names)
        if shortest <= inputs.window_frames:
            raise UsageError(
                f"recipe: batch.chunk (or chunk_frames) must be at least {inputs.window_frames + 1} for windows of "
                f"{inputs.window_frames} frames, not {shortest}"
            )

    def _weigh(self, weights: Mapping[str, float]) -> tuple[list[str], np.ndarray]:
        """Corpora and how often each is drawn."""
        if not self._corpora:
            raise UsageError("there are no clips to learn from; look into dropped.jsonl of the data set")
        for name in self._corpora:
            if weights and name not in weights:
                raise UsageError(f"recipe: the corpus {name} has no entry in batch.weights; add it (0 leaves it out)")
        names = [name for name in weights or sorted(self._corpora) if name in self._corpora]
        frames = [sum(len(c.images) for cs in self._corpora[n].values() for c in cs) for n in names]
        chances = np.array([weights[n] for n in names] if weights else np.sqrt(frames), np.float64)
        if not chances.sum() > 0:
            raise UsageError("recipe: batch.weights leave nothing to learn from")
        return names, chances / chances.sum()

    def __getitem__(self, number: int) -> Drawn:
        rng = np.random.default_rng((self._seed, number))
        corpus = self._names[rng.choice(len(self._names), p=self._chances)]
        picked, frames = self._pick(corpus, rng)
        return self._cut(picked, frames, rng)

    def _pick(self, corpus: str, rng: np.random.Generator) -> tuple[list[Aligned], int]:
        """Clips of one corpus: speakers with equal chance, then a clip by its length; and how long the chunk is."""
        frames = self._batch.chunk_frames.get(corpus, self._batch.chunk)
        speakers = self._corpora[corpus]
        names = list(speakers)
        picked = []
        for _ in range(max(1, self._batch.frames // frames)):
            pool = speakers[names[rng.integers(len(names))]]
            lengths = np.array([len(c.images) for c in pool], np.float64)
            picked.append(pool[rng.choice(len(pool), p=lengths / lengths.sum())])
        return picked, min([frames, *(len(c.images) for c in picked)])

    def _cut(self, picked: Sequence[Aligned], frames: int, rng: np.random.Generator) -> Drawn:
        """A chunk of each clip, its sound changed and finished."""
        inputs, extra = self._inputs, self._batch.extra
        windows, wing = frames - inputs.window_frames + 1, ROWS_PER_FRAME * extra
        need = 2 * wing + ROWS_PER_FRAME * (windows - 1) + inputs.window_rows
        images, bands, valid, anchors = [], [], [], []
        for clip in picked:
            at = int(rng.integers(len(clip.images) - frames + 1))
            images.append(clip.images[at : at + frames])
            anchors.append(clip.loud[at : at + windows] > SPEAKS)
            first = ROWS_PER_FRAME * at  # normalisation looks a good way around the chunk, as it will when measuring
            bands.append(_take(clip.bands, first, first + need + 2 * (MARGIN_ROWS - wing)))
            valid.append(_take(clip.valid, first, first + need + 2 * (MARGIN_ROWS - wing)))
        changed = change_sound(np.stack(bands), np.stack(valid), rng, self._how, self._kind)
        begin = MARGIN_ROWS - wing
        rows = [
            self._kind.finish(Features(b, v, 0.0), begin, begin + need)
            for b, v in zip(changed, np.stack(valid), strict=True)
        ]
        heard = np.stack(valid)[:, begin : begin + need]
        real = np.lib.stride_tricks.sliding_window_view(heard, inputs.window_rows, axis=1)[:, ::ROWS_PER_FRAME].all(-1)
        stacked = torch.from_numpy(np.stack(images))
        return Drawn(
            stacked[:, :, None] if stacked.ndim == 4 else stacked.permute(0, 1, 4, 2, 3),
            draw_look(rng, len(picked), frames, inputs.seen_px / inputs.crop_px, self._how),
            torch.from_numpy(np.stack(rows)),
            torch.from_numpy(np.stack(anchors)),
            torch.from_numpy(real.copy()),
        )


def _take(values: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Values from begin to end, zeros (or False) beyond the ends."""
    out = np.zeros((end - begin, *values.shape[1:]), values.dtype)
    low, high = max(begin, 0), min(end, len(values))
    out[low - begin : high - begin] = values[low:high]
    return out


def stream(source: Batches, numbers: range, workers: int = 0) -> Iterator[Drawn]:
    """Batches by number, in order; ``workers`` processes draw ahead where there are cores to spare."""
    loader: DataLoader[Drawn] = DataLoader(
        source, batch_size=None, sampler=numbers, num_workers=workers, prefetch_factor=4 if workers else None
    )
    yield from loader
