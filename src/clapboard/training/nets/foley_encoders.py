"""The three picture encoders of Visual to Sound: what SampleRNN is told of the picture.

- **frame**: a feature of each frame, which is repeated to the coarsest tier's rate and joined to its input.
- **seq**: a recurrent network over those features, whose last state starts the coarsest tier.
- **flow**: as frame, with features of the optical flow to and from the frame joined to the frame's own.

In the article the features are VGG19's, learned from ImageNet, see `clapboard.training.nets.vgg19`. Without them the
encoder below is learned together with SampleRNN. At 64 px and without ImageNet it sees the picture and its change from
the frame before and to the next.

B clips, F frames, D numbers a frame.

References
----------
Y. Zhou, Z. Wang, C. Fang, T. Bui, T. L. Berg, "Visual to Sound: generating natural sound for videos in the wild", CVPR
2018, section 4.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from clapboard.errors import UsageError

EncoderKind = Literal["frame", "seq", "flow"]
KINDS: tuple[EncoderKind, ...] = ("frame", "seq", "flow")
MARGIN_FRAMES = 1
"""Frames that an encoder sees before and after those that it gives features of."""
FLOW_SCALE = 0.5
"""Flow comes in px of a 32 x 32 picture; a fast blow has 4."""


def stem(channels: int, width: int, features: int) -> nn.Sequential:
    """Convolutions of stride 2 from 64 x 64 (or 32 x 32) to a vector of ``features``."""
    w = width
    return nn.Sequential(
        nn.Conv2d(channels, w, 5, 2, 2, bias=False), nn.BatchNorm2d(w), nn.ReLU(),
        nn.Conv2d(w, 2 * w, 3, 2, 1, bias=False), nn.BatchNorm2d(2 * w), nn.ReLU(),
        nn.Conv2d(2 * w, 3 * w, 3, 2, 1, bias=False), nn.BatchNorm2d(3 * w), nn.ReLU(),
        nn.Conv2d(3 * w, 4 * w, 3, 2, 1, bias=False), nn.BatchNorm2d(4 * w), nn.ReLU(),
        nn.Flatten(), nn.LazyLinear(features),
    )  # fmt: skip


class Encoder(nn.Module):
    """See the module.

    Parameters
    ----------
    kind : ``frame``, ``seq`` or ``flow``
    features : D, for seq the size of the state
    width : channels of the first convolution
    given : numbers of a frame where these are given instead of pictures, as fc6 of VGG19; 0 for pictures

    Raises
    ------
    UsageError : there is no such kind, or sizes below 1
    """

    def __init__(self, kind: EncoderKind, features: int = 64, width: int = 16, given: int = 0) -> None:
        if kind not in KINDS or min(features, width) < 1 or given < 0:
            raise UsageError(f"an encoder is one of {', '.join(KINDS)}, with features and width of 1 or more")
        super().__init__()
        self.kind, self.features, self.given = kind, features, given
        own = features // 2 if kind == "flow" else features
        if given:
            self.look = nn.Sequential(nn.LayerNorm(given), nn.Linear(given, own))
        else:
            self.look = stem(3, width, own)
        if kind == "flow":
            self.move = stem(4, width, features - own)
        if kind == "seq":
            self.over_time = nn.GRU(features, features, batch_first=True)
        with torch.no_grad():  # gives the lazy layers their sizes
            self.eval()
            shape = (1, 3, given) if given else (1, 3, 64, 64)
            self(torch.zeros(shape), torch.zeros(1, 2, 2, 32, 32))

    def forward(self, images: Tensor, flows: Tensor | None = None) -> Tensor:
        """What SampleRNN is told.

        Parameters
        ----------
        images : (B, F + 2, 64, 64), 0 to 255, or (B, F + 2, given): one frame before and one after those asked for
        flows : (B, F + 1, 2, 32, 32), px of a 32 x 32 picture from each frame to the next; for flow alone

        Returns
        -------
        (B, F, D), one feature a frame; for seq (B, D)
        """
        found = self.each(images, flows)
        if self.kind != "seq":
            return found
        _, state = self.over_time(found.float())
        last: Tensor = state[0]
        return last

    def each(self, images: Tensor, flows: Tensor | None = None) -> Tensor:
        """Features of each frame, (B, F, D), whatever the kind; arguments as in `forward`."""
        own: Tensor = self.look(images[:, 1:-1].float()) if self.given else self._each(self.look, changes(images))
        if self.kind != "flow":
            return own
        if flows is None:
            raise UsageError("the flow encoder needs the optical flow")
        moves = torch.cat([flows[:, :-1], flows[:, 1:]], dim=2).float() * FLOW_SCALE
        return torch.cat([own, self._each(self.move, moves)], dim=2)

    @staticmethod
    def _each(net: nn.Module, planes: Tensor) -> Tensor:
        """(B, F, C, h, w) -> (B, F, D)."""
        found: Tensor = net(planes.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        return found.reshape(*planes.shape[:2], -1)


def changes(images: Tensor) -> Tensor:
    """Frames (B, F + 2, h, w) -> (B, F, 3, h, w): each frame, what changed to it, and what changes from it.

    The mean of each frame is taken away: exposure and flicker tell nothing.
    """
    frames = images.float() / 64
    frames = frames - frames.mean((-2, -1), keepdim=True)
    steps = 4 * (frames[:, 1:] - frames[:, :-1])
    return torch.stack([frames[:, 1:-1], steps[:, :-1], steps[:, 1:]], dim=2)
