"""How well a network in training finds the offset of clips that were moved onto zero: errors of pieces, in ms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from clapboard.sound.features import normalise
from clapboard.sync.distance import curves, distances
from clapboard.sync.search import offset_of
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ
from clapboard.training.data import MARGIN_ROWS, Prepared, plain_mouths
from clapboard.training.nets.clapboard_s import WINDOW_ROWS, ClapboardS
from clapboard.values import Embeddings, Features, Offset

QUIET = 0.2
"""A window whose sound is speech for no more than this part of it counts as quiet."""
LEAST_SPEECH = 0.25
"""A piece is measured when at least this part of its windows is not quiet."""


@torch.no_grad()
def embed(net: ClapboardS, clip: Prepared) -> tuple[Embeddings, Embeddings]:
    """Picture (T - 4, 256) at 25 Hz from 0 s, and sound (R - 19, 256) at 100 Hz on the same clock."""
    net.eval()
    device = next(net.parameters()).device
    with torch.autocast(device.type, dtype=torch.bfloat16):
        picture = net.lips(plain_mouths(clip.images).to(device))[0].cpu().numpy()
        rows = normalise(Features(clip.rows, clip.valid, 0.0))
        sound = net.sound(torch.from_numpy(rows)[None].to(device), dense=True)[0].cpu().numpy()
    whole = np.lib.stride_tricks.sliding_window_view(clip.valid, WINDOW_ROWS).all(1)
    sound[~whole] = np.nan
    return (
        Embeddings(picture, np.arange(len(picture)) / PICTURE_HZ),
        Embeddings(sound, (np.arange(len(sound)) - MARGIN_ROWS) / FEATURE_HZ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One piece of a clip: its length, what was found (true offset 0), and whose it is."""

    seconds: float
    offset: Offset
    clip: Prepared


def pieces(
    net: ClapboardS, clips: Sequence[Prepared], lengths_s: Sequence[float] = (1, 2, 4), foreign: int = 0
) -> list[Piece]:
    """Offsets of all non-overlapping pieces of each length; the sound of the whole clip stays around a piece.

    ``foreign`` > 0 takes the sound from the clip that many places further on, where that is another speaker's: nothing
    there is right.
    """
    embedded = [embed(net, clip) for clip in clips]
    found = []
    for index, clip in enumerate(clips):
        other = (index + foreign) % len(clips)
        if foreign and clips[other].speaker == clip.speaker:
            continue
        picture, sound = embedded[index][0], embedded[other][1]
        for seconds in lengths_s:
            size = round(seconds * PICTURE_HZ)
            for start in range(0, len(picture.values) - size + 1, size):
                part = slice(start, start + size)
                if (clip.loud[part] > QUIET).mean() < LEAST_SPEECH:
                    continue
                rows = distances(Embeddings(picture.values[part], picture.time_s[part]), sound)
                found.append(Piece(seconds, offset_of(curves(rows)), clip))
    return found


def table(found: Sequence[Piece]) -> str:
    """One line: share of pieces within 40 ms and median error, by length."""
    cells = []
    for seconds in sorted({p.seconds for p in found}):
        errors = np.abs([p.offset.offset_ms for p in found if p.seconds == seconds])
        right, median = np.mean(errors <= 40), np.median(errors)
        cells.append(f"{seconds:g} s: {right:.1%} within 40 ms, median {median:.0f} ms of {len(errors)}")
    return "; ".join(cells)
