"""A network in training as evaluation sees it: the same two methods as an exported model has."""

import numpy as np
import torch
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.timebase import FEATURE_HZ
from clapboard.training.nets.base import Inputs, TwoStream
from clapboard.values import F32, Crops, Embeddings

BATCH_FRAMES = 512
"""Frames given to the network at once: more only costs memory."""


class TorchEmbedder:
    """See `clapboard.evaluation.embedder.Embedder`.

    Parameters
    ----------
    net : a network; it is put into evaluation mode
    precise : float32 instead of bfloat16, which is several times faster and differs in the third digit
    """

    def __init__(self, net: TwoStream, *, precise: bool = False) -> None:
        self._net = net.eval()
        self._precise = precise
        self._device = next(net.parameters()).device

    @property
    def spec(self) -> Inputs:
        """What goes in."""
        return self._net.inputs

    @torch.no_grad()
    def embed_picture(self, crops: Crops) -> Embeddings:
        """(T, px, px[, 3]) uint8 -> (T - window_frames + 1, D) at the middles of the windows.

        Raises
        ------
        UsageError : the crops are of another view
        """
        given, images = self._net.inputs, crops.images
        if images.shape[1] != given.crop_px or (images.ndim == 4) != (given.channels == 3):
            raise UsageError(f"the network takes crops of the view {given.view}, not {images.shape[1:]}")
        frames, wide = len(images), given.window_frames
        parts = []
        for start in range(0, frames - wide + 1, BATCH_FRAMES):
            some = torch.from_numpy(np.array(images[start : start + BATCH_FRAMES + wide - 1])).to(self._device)
            some = some[:, None] if some.ndim == 3 else some.permute(0, 3, 1, 2)
            with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=not self._precise):
                parts.append(self._net.picture(self._net.see(some[None]))[0].float().cpu().numpy())
        values = np.concatenate(parts) if parts else np.zeros((0, given.embedding), np.float32)
        time_s = np.lib.stride_tricks.sliding_window_view(crops.time_s, wide).mean(1) if parts else np.zeros(0)
        return Embeddings(values, time_s)

    @torch.no_grad()
    def embed_sound(self, rows: F32, valid: NDArray[np.bool_], first_s: float) -> Embeddings:
        """(R, F) finished rows, (R,) bool, middle of row 0 -> (R - window_rows + 1, D), NaN without sound."""
        wide = self._net.inputs.window_rows
        if len(rows) < wide:
            return Embeddings(np.zeros((0, self._net.inputs.embedding), np.float32), np.zeros(0))
        given = torch.from_numpy(rows)[None].to(self._device)
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=not self._precise):
            values = self._net.hear(given, dense=True)[0].float().cpu().numpy()
        values[~np.lib.stride_tricks.sliding_window_view(valid, wide).all(1)] = np.nan
        return Embeddings(values, first_s + (np.arange(len(values)) + (wide - 1) / 2) / FEATURE_HZ)
