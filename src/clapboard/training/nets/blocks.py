"""Building blocks of the published networks."""

from torch import Tensor, nn
from torch.nn import functional as F

Size = int | tuple[int, int]


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, ReLU; ``residual`` adds what came in before the ReLU."""

    def __init__(
        self, inside: int, outside: int, kernel: Size, stride: Size = 1, padding: Size = 0, *, residual: bool = False
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inside, outside, kernel, stride, padding)
        self.norm = nn.BatchNorm2d(outside)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, h, w) -> (N, outside, h', w')."""
        y: Tensor = self.norm(self.convolution(x))
        return F.relu(y + x if self.residual else y)


class FullNorm(nn.Module):
    """Fully connected layer, batch normalisation, ReLU: (N, inside) -> (N, outside)."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inside, outside)
        self.norm = nn.BatchNorm1d(outside)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return F.relu(self.norm(self.linear(x)))
