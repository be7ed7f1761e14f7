"""Layers over time, and over time and space, that pad as TensorFlow's "SAME" does, so that published layouts come out.

"SAME" gives ``ceil(size / stride)`` places and pads before and after by as even a number as can be, one more behind
where the number is odd; torch's own padding is always the same on both sides, which moves a strided layer by a place.
Letters of shapes: B clips, C channels, and ``...`` for (time) or (time, height, width).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Places = tuple[int, ...]
"""One number for time, or three for time, height and width."""


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Places put before and behind an axis of ``size``: (before, behind)."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _pad(x: Tensor, kernel: Places, stride: Places, value: float) -> tuple[Tensor, Places]:
    """Put what is uneven around ``x``; return it, and the even padding that is left to the layer itself."""
    sides = [same_padding(*axis) for axis in zip(x.shape[2:], kernel, stride, strict=True)]
    if all(before == behind for before, behind in sides):
        return x, tuple(before for before, _ in sides)
    flat = [side for pair in reversed(sides) for side in pair]
    return F.pad(x, flat, value=value), (0,) * len(sides)


def _every(x: Tensor, stride: Places) -> Tensor:
    """Every stride-th place of each axis, (B, C, ...) -> (B, C, ...)."""
    for axis, step in enumerate(stride, 2):
        x = x[(slice(None),) * axis + (slice(None, None, step),)]
    return x


class SameConv(nn.Module):
    """Convolution of one or three axes, (B, inside, ...) -> (B, outside, ...); weights as in He et al. (2015)."""

    def __init__(self, inside: int, outside: int, kernel: Places, stride: Places, *, bias: bool) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.weight = nn.Parameter(torch.empty(outside, inside, *kernel))
        self.bias = nn.Parameter(torch.zeros(outside)) if bias else None
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x, padding = _pad(x, self.kernel, self.stride, 0.0)
        convolve = F.conv1d if len(self.kernel) == 1 else F.conv3d
        return convolve(x, self.weight, self.bias, self.stride, padding)


class SameMaxPool(nn.Module):
    """Maximum over neighbours, (B, C, t, h, w) -> (B, C, t', h', w'); what is outside never wins."""

    def __init__(self, kernel: Places, stride: Places) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x, padding = _pad(x, self.kernel, self.stride, float("-inf"))
        pooled: Tensor = F.max_pool3d(x, self.kernel, self.stride, padding)
        return pooled


class Norm(nn.Module):
    """Batch normalisation with a learned centre and no learned spread, as the published code sets it.

    Parameters
    ----------
    channels : C
    momentum : share of a batch in the running statistics (torch's way round: 1 - decay)
    eps : added to the variance
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, momentum: float, eps: float) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) -> the same shape."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, None, self.bias, self.training, self.momentum, self.eps
        )


class ConvNormRelu(nn.Module):
    """Convolution without bias, normalisation, ReLU."""

    def __init__(
        self, inside: int, outside: int, kernel: Places, stride: Places, *, momentum: float, eps: float
    ) -> None:
        super().__init__()
        self.convolution = SameConv(inside, outside, kernel, stride, bias=False)
        self.norm = Norm(outside, momentum, eps)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inside, ...) -> (B, outside, ...)."""
        return F.relu(self.norm(self.convolution(x)), inplace=True)


class Residual(nn.Module):
    """Two convolutions and a short cut; the sum is normalised, and only then goes through the ReLU.

    The second convolution has a bias and no normalisation of its own. The short cut is a normalised 1x1 convolution
    where the channels change, and every stride-th place where they do not.
    """

    def __init__(
        self, inside: int, outside: int, kernel: Places, stride: Places, *, momentum: float, eps: float
    ) -> None:
        super().__init__()
        ones = (1,) * len(kernel)
        self.stride = stride
        self.first = ConvNormRelu(inside, outside, kernel, stride, momentum=momentum, eps=eps)
        self.second = SameConv(outside, outside, kernel, ones, bias=True)
        self.norm = Norm(outside, momentum, eps)
        self.short = (
            nn.Sequential(SameConv(inside, outside, ones, stride, bias=False), Norm(outside, momentum, eps))
            if inside != outside
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inside, ...) -> (B, outside, ...)."""
        short = _every(x, self.stride) if self.short is None else self.short(x)
        return F.relu(self.norm(self.second(self.first(x)) + short), inplace=True)
