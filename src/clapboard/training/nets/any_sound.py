"""any-sound-s: where in the picture, and when, something happens that can be heard; and by how much the two are apart.

Letters of shapes: B clips, T frames, W = T - 12 picture windows, R feature rows, V = R - 31 sound windows, h w places,
D features, K lags.

The yes or no of attention over blocks [1]_ needs the network once more for every shift that is tried. Here both streams
are computed once, as for lips, and compared at every lag. What is kept of [1]_ is the spatio-temporal attention: one
1x1 convolution gives every place and time its confidence, and a softmax over all of them (written out in `correlate`)
its weight. What is compared is the vector of each place with that of the sound; since the weights do not depend on the
lag, the sum over places can be taken first, and one vector a frame remains.

References
----------
.. [1] N. Khosravan, S. Ardeshir and R. Puri, "On Attention Modules for Audio-Visual Synchronization", 2018.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clapboard.errors import UsageError
from clapboard.training.nets.base import MAX_SCALE

SCENE, SOUND_KIND = "scene-64", "log-mel-40"
PICTURE_PX = 64
STEM_FRAMES, CONTEXT_FRAMES = 5, 5
"""Frames that the first convolution sees, and those of each of the two over time behind it."""
WINDOW_FRAMES = STEM_FRAMES + 2 * (CONTEXT_FRAMES - 1)
"""Frames that one picture vector sees: 13, 0.52 s."""
WINDOW_ROWS = 32
"""Rows that one sound vector sees: 0.32 s. Its middle lies between two rows, as a frame lies amid its four rows."""
PLACES = 8
"""Places along each side of the picture."""
MOST_LOGIT = 8.0
"""Confidences are kept within this, so that no single place can outweigh all others together by more than e^16."""


class Seen(NamedTuple):
    """What the picture gives: ``values`` (B, W, D), sums over places; ``places`` (B, W, h, w), their weights, > 0."""

    values: Tensor
    places: Tensor


def moving(images: Tensor) -> Tensor:
    """Frames (B, T, px, px), 0 to 255 -> (B, T - 4, 5, px, px): the middle frame and the four differences in time.

    The mean of each frame is taken away: exposure and flicker carry no timing.
    """
    frames = images.float() / 64
    frames = frames - frames.mean((-2, -1), keepdim=True)
    steps = 4 * (frames[:, 1:] - frames[:, :-1])
    windows, middle = frames.shape[1] - STEM_FRAMES + 1, STEM_FRAMES // 2
    parts = [frames[:, middle : middle + windows], *(steps[:, i : i + windows] for i in range(STEM_FRAMES - 1))]
    return torch.stack(parts, 2)


class Sight(nn.Module):
    """Picture stream: (B, T, 64, 64) -> a vector of length 1 and a confidence at every place and time."""

    def __init__(self, width: int, embedding: int, dropout: float) -> None:
        super().__init__()
        w = width
        self.body = nn.Sequential(
            nn.Conv2d(STEM_FRAMES, w, 5, 2, 2, bias=False), nn.BatchNorm2d(w), nn.ReLU(),  # 32 px
            nn.Conv2d(w, 2 * w, 3, 2, 1, bias=False), nn.BatchNorm2d(2 * w), nn.ReLU(),  # 16 px
            nn.Conv2d(2 * w, 3 * w, 3, 2, 1, bias=False), nn.BatchNorm2d(3 * w), nn.ReLU(),  # 8 px
            nn.Conv2d(3 * w, 4 * w, 3, 1, 1, bias=False), nn.BatchNorm2d(4 * w), nn.ReLU(),
        )  # fmt: skip
        # Over time at each place: kernel (time, place).
        self.context = nn.Sequential(
            nn.Conv2d(4 * w, 4 * w, (CONTEXT_FRAMES, 1), bias=False), nn.BatchNorm2d(4 * w), nn.ReLU(),
            nn.Conv2d(4 * w, 4 * w, (CONTEXT_FRAMES, 1), bias=False), nn.BatchNorm2d(4 * w), nn.ReLU(),
        )  # fmt: skip
        self.dropout = nn.Dropout(dropout)
        self.vector = nn.Conv2d(4 * w, embedding, 1)
        self.confidence = nn.Conv2d(4 * w, 1, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (B, W, h * w, D) and confidences (B, W, h * w)."""
        stacked = moving(images)
        x = stacked.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        x = self.body(x)  # (B * (T - 4), 4 w, 8, 8)
        x = x.flatten(2).unflatten(0, stacked.shape[:2]).transpose(1, 2)  # (B, 4 w, T - 4, places)
        x = self.dropout(self.context(x))
        vectors = F.normalize(self.vector(x).float(), dim=1).permute(0, 2, 3, 1)
        return vectors, self.confidence(x).float()[:, 0].clamp(-MOST_LOGIT, MOST_LOGIT)


class Hearing(nn.Module):
    """Sound stream: (B, R, 40) finished log-mel -> (B, V, D) of length 1, one every row."""

    def __init__(self, width: int, embedding: int, dropout: float) -> None:
        super().__init__()
        w = width
        # Kernels (time, mel): over time valid, together 32 rows; over mel down to 5 bins and then all of them.
        self.body = nn.Sequential(
            nn.Conv2d(1, w, (4, 5), (1, 2), (0, 2), bias=False), nn.BatchNorm2d(w), nn.ReLU(),  # 20 bins
            nn.Conv2d(w, 2 * w, (5, 3), (1, 2), (0, 1), bias=False), nn.BatchNorm2d(2 * w), nn.ReLU(),  # 10
            nn.Conv2d(2 * w, 3 * w, (5, 3), (1, 2), (0, 1), dilation=(2, 1), bias=False),
            nn.BatchNorm2d(3 * w), nn.ReLU(),  # 5
            nn.Conv2d(3 * w, 4 * w, (5, 5), dilation=(4, 1), bias=False), nn.BatchNorm2d(4 * w), nn.ReLU(),
        )  # fmt: skip
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Conv2d(4 * w, embedding, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """See the class."""
        x = self.last(self.dropout(self.body(rows[:, None])))
        return F.normalize(x.float()[..., 0].transpose(1, 2), dim=-1)


class AnySound(nn.Module):
    """Both streams; see the module.

    Parameters
    ----------
    width, sound_width : channels of the first layers
    embedding : D
    dropout : before the last layers, 0 to 1
    """

    def __init__(self, width: int = 16, sound_width: int = 24, embedding: int = 64, dropout: float = 0.1) -> None:
        if min(width, sound_width, embedding) < 1 or not 0 <= dropout < 1:
            raise UsageError("width, sound_width and embedding must be at least 1, dropout from 0 up to below 1")
        super().__init__()
        self.embedding = embedding
        self.sight = Sight(width, embedding, dropout)
        self.hearing = Hearing(sound_width, embedding, dropout)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def picture(self, images: Tensor) -> Seen:
        """(B, T, 64, 64), 0 to 255 -> `Seen` of the W = T - 12 windows."""
        vectors, confidence = self.sight(images)
        weights = confidence.exp()
        values = (vectors * weights[..., None]).sum(2)
        return Seen(values, weights.unflatten(-1, (PLACES, PLACES)))

    def hear(self, rows: Tensor) -> Tensor:
        """(B, R, 40) finished rows -> (B, R - 31, D), one every 10 ms."""
        found: Tensor = self.hearing(rows)
        return found

    def scale(self) -> Tensor:
        """What curves are multiplied by before a softmax over lags, ()."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)


def correlate(seen: Seen, sound: Tensor, valid: Tensor | None = None) -> Tensor:
    """Attention-weighted correlation of picture and sound at every lag.

    Parameters
    ----------
    seen : of W windows
    sound : (B, W + K - 1, D) at the picture's rate; window t lies beside ``t + lag``, lags from 0 to K - 1
    valid : (B, W + K - 1) bool, where there is sound; everywhere where None

    Returns
    -------
    (B, K): the mean over times and places of the products, weighted by attention; 0 where no sound was there
    """
    windows, lags = seen.values.shape[1], sound.shape[1] - seen.values.shape[1] + 1
    weights = seen.places.flatten(2).sum(-1)  # (B, W)
    at = torch.arange(windows, device=sound.device)[:, None] + torch.arange(lags, device=sound.device)[None]
    products = torch.einsum("btd,bsd->bts", seen.values, sound)
    band = products.gather(2, at[None].expand(len(products), -1, -1))  # (B, W, K)
    if valid is None:
        return band.sum(1) / weights.sum(1, keepdim=True)
    there = valid[:, at].float()  # (B, W, K)
    total = torch.einsum("bt,btk->bk", weights, there)
    return (band * there).sum(1) / total.clamp_min(1e-9)
