"""Learning offsets of any sound: the true lag against all others of the same clip, and against other clips.

Letters of shapes: B clips, W picture windows, S sound windows at the picture's rate, K lags, 40 ms apart.

The network of `clapboard.training.nets.any_sound` gives each clip one curve over its lags, weighted by attention. The
loss is the cross-entropy of the true lag: negatives are the same sound at other times, as in [1]_ and [2]_, here all of
them at once, and the sound of another clip at all lags (easy ones, as AVTS [3]_ begins with).

References
----------
.. [1] A. Owens and A. A. Efros, "Audio-Visual Scene Analysis with Self-Supervised Multisensory Features", ECCV 2018.
.. [2] V. Iashin et al., "Synchformer: Efficient Synchronization from Sparse Cues", ICASSP 2024, section 3.
.. [3] B. Korbar, D. Tran, L. Torresani, "Cooperative Learning of Audio and Video Models ...", NeurIPS 2018.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from clapboard.errors import UsageError
from clapboard.timebase import PICTURE_HZ, ROWS_PER_FRAME
from clapboard.training.anysound.clips import REACH_FRAMES, USUAL, Chunks, Scene, chunks
from clapboard.training.anysound.recipe import SoundRecipe
from clapboard.training.anysound.sets import Sets
from clapboard.training.nets.any_sound import WINDOW_FRAMES, WINDOW_ROWS, AnySound, correlate

FIRST_ROW = ROWS_PER_FRAME * (WINDOW_FRAMES // 2) + ROWS_PER_FRAME // 2 - WINDOW_ROWS // 2
"""First row of the sound window whose middle is that of the first picture window, counted from that one's frame 0."""
SOFT = 0.1
"""Part of the target that goes to each neighbour of the true lag, so that the peak is round enough for a parabola."""
RIGHT_FRAMES = 2
"""A lag so near to the true one counts as right: 80 ms."""
PERIOD_TOLERANCE_FRAMES = 2
"""Lags so near to a whole number of periods are neither right nor wrong."""


def sound_at_frames(sound: Tensor, frames: int) -> Tensor:
    """Dense vectors (B, V, D) of a chunk's rows -> one for each frame and lag, (B, W + 2 reach, D)."""
    count = frames - WINDOW_FRAMES + 1 + 2 * REACH_FRAMES
    return sound[:, FIRST_ROW::ROWS_PER_FRAME][:, :count]


def valid_at_frames(valid: NDArray[np.bool_], frames: int) -> NDArray[np.bool_]:
    """Which of `sound_at_frames` saw nothing but sound, (B, S)."""
    sums = np.pad(np.cumsum(valid, 1), ((0, 0), (1, 0)))
    whole: NDArray[np.bool_] = sums[:, WINDOW_ROWS:] - sums[:, :-WINDOW_ROWS] == WINDOW_ROWS
    count = frames - WINDOW_FRAMES + 1 + 2 * REACH_FRAMES
    return np.asarray(whole[:, FIRST_ROW::ROWS_PER_FRAME][:, :count])


def ambiguous(periods_s: Sequence[float | None]) -> NDArray[np.bool_]:
    """Lags (B, 2 reach + 1) that are a whole number of periods away from the true one, other than none."""
    lags = np.arange(-REACH_FRAMES, REACH_FRAMES + 1)
    found = np.zeros((len(periods_s), len(lags)), np.bool_)
    for row, period_s in zip(found, periods_s, strict=True):
        if period_s:
            period = period_s * PICTURE_HZ
            whole = np.round(lags / period)
            row[:] = (np.abs(lags - whole * period) <= PERIOD_TOLERANCE_FRAMES) & (whole != 0)
    return found


class OffsetTask:
    """The loss of a batch of chunks; see the module.

    Parameters
    ----------
    sets : what is learned from

    Raises
    ------
    UsageError : the network has no such options
    """

    def __init__(self, recipe: SoundRecipe, sets: Sets) -> None:
        torch.manual_seed(recipe.seed)
        try:
            net = AnySound(**recipe.network_options)
        except TypeError as error:
            raise UsageError(f"recipe: network_options: {error}") from None
        self.net: nn.Module = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs leave it out
        self._recipe, self._sets = recipe, sets

    def loss(self, net: nn.Module, rng: np.random.Generator, share: float, device: str) -> tuple[Tensor, float]:
        """See `clapboard.training.task_loop.Task`."""
        batch, control = self._recipe.batch, self._recipe.control
        frames = batch.frames + WINDOW_FRAMES - 1
        periods: list[float | None] = []
        groups: list[str] = []

        def cut(scenes: Sequence[Scene], count: int) -> Chunks:
            found = chunks(scenes, rng, frames=frames, clips=count, seen=True, changes=USUAL)
            periods.extend(scenes[number].period_s for number in found.scene.tolist())
            groups.extend(scenes[number].group for number in found.scene.tolist())
            return found

        drawn = self._sets.draw(rng, batch.clips, cut)
        images, rows = torch.from_numpy(drawn.images), torch.from_numpy(drawn.rows)
        valid = torch.from_numpy(valid_at_frames(drawn.valid, frames)).to(device)
        # A shuffled label is another lag, drawn anew: what could be learned of that is nothing.
        true = np.full(len(rows), REACH_FRAMES)
        if control == "shuffled-labels":
            true = rng.integers(0, 2 * REACH_FRAMES + 1, len(rows))
        own, other = self._curves(cast(AnySound, net), images.to(device), rows.to(device), valid)
        wrong = torch.from_numpy(ambiguous(periods)).to(device)
        own = own.masked_fill(wrong, -torch.inf)
        same = torch.tensor([groups[n - 1] == group for n, group in enumerate(groups)], device=device)
        other = other.masked_fill(same[:, None], -torch.inf)  # the same recording is no foreign sound
        target = torch.zeros(len(own), own.shape[1] + other.shape[1], device=device)
        for step, weight in ((-1, SOFT), (0, 1 - 2 * SOFT), (1, SOFT)):
            target[torch.arange(len(own)), torch.from_numpy(true + step).clamp(0, own.shape[1] - 1)] += weight
        target[:, : own.shape[1]].masked_fill_(wrong, 0.0)
        logs = F.log_softmax(torch.cat([own, other], 1), 1)
        loss = -(target * logs.masked_fill(target == 0, 0.0)).sum(1).mean()
        right = (own.argmax(1).cpu() - torch.from_numpy(true)).abs() <= RIGHT_FRAMES
        return loss, float(right.float().mean())

    @staticmethod
    def _curves(net: AnySound, images: Tensor, rows: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled curves (B, K) of each clip against its own sound and against the next clip's."""
        seen = net.picture(images)
        sound = sound_at_frames(net.hear(rows), images.shape[1])
        with torch.autocast(images.device.type, enabled=False):
            scale = net.scale().float()
            own = correlate(seen, sound, valid)
            other = correlate(seen, sound.roll(1, 0), valid.roll(1, 0))
        return scale * own, scale * other
