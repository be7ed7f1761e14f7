"""SampleRNN with three tiers, conditioned on what is seen: a probability for each next sample of a wave.

The coarsest tier sees the last 16 samples and what the picture encoder gives for this moment, and steps every 16
samples; the middle tier sees the last 4 and the coarsest one's output, and steps every 4; the finest is a perceptron
over the last 4 samples and the middle one's output. Each probability is over 256 mu-law levels [1]_. The picture comes
in at the coarsest tier alone: joined to its input (frame, flow), or as its first state (seq) [2]_.

B clips, N samples of each, C = N / 16 coarse steps, D numbers of conditioning a step, W width.

References
----------
.. [1] S. Mehri, K. Kumar, I. Gulrajani, R. Kumar, S. Jain, J. Sotelo, A. Courville, Y. Bengio, "SampleRNN: an
   unconditional end-to-end neural audio generation model", ICLR 2017, sections 2 and 3; weight norm, learned first
   states and the input's range of -2 to 2 are those of the published code.
.. [2] Y. Zhou, Z. Wang, C. Fang, T. Bui, T. L. Berg, "Visual to Sound: generating natural sound for videos in the
   wild", CVPR 2018, section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from clapboard.errors import UsageError
from clapboard.synthesis.mu_law import LEVELS, SILENCE

FRAME_SIZES = (4, 16)
"""Samples in a step of the middle and of the coarsest tier."""
WIDTH = 128
EMBEDDING = 64
INPUT_SCALE = 2.0
"""Levels enter the two recurrent tiers as numbers from -2 to 2."""


def linear(inputs: int, outputs: int, *, bias: bool = True) -> nn.Linear:
    """A linear layer with weight norm (Salimans and Kingma 2016)."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    if bias:
        nn.init.zeros_(layer.bias)
    found: nn.Linear = weight_norm(layer)
    return found


class Gru(nn.Module):
    """One recurrent layer (Cho et al. 2014) with weight norm on both matrices and a learned first state."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inward, self.onward = linear(width, 3 * width), linear(width, 3 * width)
        with torch.no_grad():
            directions = dict(self.onward.named_parameters())["parametrizations.weight.original1"]
            for third in range(3):
                nn.init.orthogonal_(directions[third * width : (third + 1) * width])
        self.first = nn.Parameter(torch.zeros(width))

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, W) and (B, W) -> (B, S, W) outputs and (B, W) the last one."""
        weights = [self.inward.weight, self.onward.weight, self.inward.bias, self.onward.bias]
        found, last = torch.gru(inputs, state[None].contiguous(), weights, True, 1, 0.0, self.training, False, True)
        return found, last[0]


@dataclass(frozen=True, slots=True)
class State:
    """States of the two recurrent tiers, (B, W) each."""

    coarse: Tensor
    middle: Tensor

    def detached(self) -> "State":
        """The same numbers; no gradient goes back beyond them: truncated backpropagation."""
        return State(self.coarse.detach(), self.middle.detach())


class SampleRnn(nn.Module):
    """See the module.

    Parameters
    ----------
    width : of all hidden layers, W
    conditioning : numbers that the picture gives for each coarse step, D; 0 for none
    started : numbers that start the coarsest tier, 0 where its first state is learned
    embedding : size of the vector of a level
    frame_sizes : samples in a step of the middle and of the coarsest tier; the second a multiple of the first

    Raises
    ------
    UsageError : sizes that do not fit
    """

    def __init__(
        self,
        *,
        width: int = WIDTH,
        conditioning: int = 0,
        started: int = 0,
        embedding: int = EMBEDDING,
        frame_sizes: Sequence[int] = FRAME_SIZES,
    ) -> None:
        super().__init__()
        fine, coarse = frame_sizes
        if min(width, embedding, fine) < 1 or coarse <= fine or coarse % fine or min(conditioning, started) < 0:
            raise UsageError(f"SampleRNN: frame sizes {fine} and {coarse}: the second is a multiple of the first")
        self.width, self.fine, self.coarse = width, fine, coarse
        self.conditioning, self.started = conditioning, started
        self.coarse_in = linear(coarse + conditioning, width)
        self.coarse_rnn = Gru(width)
        self.coarse_out = linear(width, coarse // fine * width)
        self.middle_in = linear(fine, width)
        self.middle_rnn = Gru(width)
        self.middle_out = linear(width, fine * width)
        self.embed = nn.Embedding(LEVELS, embedding)
        self.sample_in = linear(fine * embedding, width, bias=False)
        self.sample_hidden = linear(width, width)
        self.sample_out = linear(width, LEVELS)
        if started:
            self.start = linear(started, width)

    def begin(self, count: int, start: Tensor | None = None) -> State:
        """The first state of ``count`` clips; ``start`` (count, started) is what the picture encoder gives for it."""
        coarse = self.coarse_rnn.first.expand(count, -1)
        if self.started:
            if start is None or start.shape != (count, self.started):
                raise UsageError(f"SampleRNN: ({count}, {self.started}) numbers to start from are needed")
            coarse = coarse + self.start(start)
        return State(coarse, self.middle_rnn.first.expand(count, -1))

    def silence(self, count: int) -> Tensor:
        """What comes before the first sample: (count, coarse) levels."""
        return torch.full((count, self.coarse), SILENCE)

    def coarse_step(self, levels: Tensor, seen: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, coarse) levels, (B, C, D) conditioning, (B, W) -> (B, C coarse / fine, W) and the last state."""
        given = numbers(levels)
        if self.conditioning:
            if seen is None or seen.shape != (*levels.shape[:2], self.conditioning):
                raise UsageError(f"SampleRNN: conditioning is (B, C, {self.conditioning}), one for each coarse step")
            given = torch.cat([given, seen.to(given.dtype)], dim=2)
        found, state = self.coarse_rnn(self.coarse_in(given), state)
        return self.coarse_out(found).reshape(len(levels), -1, self.width), state

    def middle_step(self, levels: Tensor, above: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(B, M, fine) levels, (B, M, W) from above, (B, W) -> (B, M fine, W) and the last state."""
        found, state = self.middle_rnn(self.middle_in(numbers(levels)) + above, state)
        return self.middle_out(found).reshape(len(levels), -1, self.width), state

    def sample_step(self, levels: Tensor, above: Tensor) -> Tensor:
        """(B, S, fine) levels before each sample, (B, S, W) from above -> (B, S, 256) logits."""
        hidden = F.relu(self.sample_in(self.embed(levels).flatten(2)) + above)
        found: Tensor = self.sample_out(F.relu(self.sample_hidden(hidden)))
        return found

    def forward(self, levels: Tensor, seen: Tensor | None, state: State) -> tuple[Tensor, State]:
        """Logits of samples whose past is known (teacher forcing).

        Parameters
        ----------
        levels : (B, coarse + N) int64: the samples before the first one asked for, then those themselves; N is a
            multiple of the coarsest step, and the very last level changes nothing
        seen : (B, N / coarse, D) conditioning; None where there is none
        state : from `begin`, or from the call before

        Returns
        -------
        (B, N, 256) logits of the N samples, and the state after them
        """
        count = levels.shape[1] - self.coarse
        if count < self.coarse or count % self.coarse:
            raise UsageError(f"SampleRNN: samples come in multiples of {self.coarse}, not {count}")
        coarse = levels[:, :count].reshape(len(levels), -1, self.coarse)
        above, last_coarse = self.coarse_step(coarse, seen, state.coarse)
        middle = levels[:, self.coarse - self.fine : -self.fine].reshape(len(levels), -1, self.fine)
        above, last_middle = self.middle_step(middle, above, state.middle)
        before = levels[:, self.coarse - self.fine : -1].unfold(1, self.fine, 1)
        return self.sample_step(before, above), State(last_coarse, last_middle)


def numbers(levels: Tensor) -> Tensor:
    """Levels as numbers from -2 to 2."""
    return (levels.float() - SILENCE) * (2 * INPUT_SCALE / LEVELS)


@torch.no_grad()
def generate(
    net: SampleRnn, count: int, samples: int, *, seen: Tensor | None = None, start: Tensor | None = None, seed: int = 0
) -> Tensor:
    """Draw samples one after the other, by the layers themselves: slow, and the measure for whatever is faster.

    Parameters
    ----------
    count, samples : how many waves, and how long; ``samples`` is a multiple of the coarsest step
    seen, start : as in `SampleRnn.forward` and `SampleRnn.begin`
    seed : of the chance

    Returns
    -------
    (count, samples) int64 levels; see `clapboard.synthesis.samplernn` for the fast way
    """
    chance = torch.Generator().manual_seed(seed)
    levels = torch.cat([net.silence(count), torch.zeros(count, samples, dtype=torch.long)], dim=1)
    state = net.begin(count, start)
    coarse, middle = state.coarse, state.middle
    for at in range(net.coarse, net.coarse + samples):
        if at % net.coarse == 0:
            step = at // net.coarse - 1
            now = None if seen is None else seen[:, step : step + 1]
            from_coarse, coarse = net.coarse_step(levels[:, None, at - net.coarse : at], now, coarse)
        if at % net.fine == 0:
            part = at % net.coarse // net.fine
            above = from_coarse[:, part : part + 1]
            from_middle, middle = net.middle_step(levels[:, None, at - net.fine : at], above, middle)
        part = at % net.fine
        logits = net.sample_step(levels[:, None, at - net.fine : at], from_middle[:, part : part + 1])[:, 0]
        levels[:, at] = torch.multinomial(logits.softmax(1), 1, generator=chance)[:, 0]
    return levels[:, net.coarse :]
