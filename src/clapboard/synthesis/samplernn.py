"""SampleRNN quickly and without torch: samples drawn one after the other, many waves at once.

The network is that of `clapboard.training.nets.samplernn`; what is done here is the same arithmetic in fewer steps.

- The first layer of the finest tier sees vectors of the last 4 levels: its products with all 256 vectors are tables, so
  that the layer is 4 rows looked up and added.
- Linear layers that follow each other are one matrix: what enters a recurrent layer, and the step from the coarsest
  tier's output to the middle one's gates.
- What comes from the picture is multiplied out for all frames before the first sample.
- The chance is drawn before, as Gumbel noise, so that a draw is a sum and a maximum.

B waves, F frames, D numbers a frame, W width, N samples.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import ModelError, UsageError
from clapboard.synthesis.cues import SAMPLES_PER_FRAME
from clapboard.synthesis.mu_law import LEVELS, SILENCE, TABLE
from clapboard.values import F32, Hook

INPUT_SCALE = 2.0
"""Levels enter the two recurrent tiers as numbers from -2 to 2."""
NOISE_SAMPLES = 160
"""Chance for so many samples is drawn at once."""
NAMES = (
    "coarse_in.weight", "coarse_in.bias", "coarse_rnn.first", "coarse_rnn.inward.weight", "coarse_rnn.inward.bias",
    "coarse_rnn.onward.weight", "coarse_rnn.onward.bias", "coarse_out.weight", "coarse_out.bias", "middle_in.weight",
    "middle_in.bias", "middle_rnn.first", "middle_rnn.inward.weight", "middle_rnn.inward.bias",
    "middle_rnn.onward.weight", "middle_rnn.onward.bias", "middle_out.weight", "middle_out.bias", "embed.weight",
    "sample_in.weight", "sample_hidden.weight", "sample_hidden.bias", "sample_out.weight", "sample_out.bias",
)  # fmt: skip
"""Weights of a model by name; one that is started by a state has ``start.weight`` and ``start.bias`` too."""
Choose = Callable[[int, F32], NDArray[np.intp]]


class SampleRnn:
    """A trained SampleRNN.

    Parameters
    ----------
    weights : float32 arrays by the names of `NAMES`, as `clapboard.training.foley.samples_export` writes them

    Attributes
    ----------
    width, fine, coarse : W, and samples in a step of the middle and of the coarsest tier
    conditioning : numbers of a frame, D; 0 where the picture gives a first state
    started : numbers of that first state; 0 where there is none

    Raises
    ------
    ModelError : the arrays are not those of such a network
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        missing = [name for name in NAMES if name not in weights]
        if missing:
            raise ModelError(f"the weights of a SampleRNN lack {missing[0]}; export the model again")
        w = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        try:
            self._prepare(w)
        except (ValueError, IndexError, ZeroDivisionError):
            raise ModelError("the weights of a SampleRNN do not fit together; export the model again") from None

    def _prepare(self, w: Mapping[str, F32]) -> None:
        """Multiply out what needs no sample."""
        width = self.width = len(w["coarse_rnn.first"])
        self.fine = w["middle_in.weight"].shape[1]
        self.coarse = w["coarse_out.weight"].shape[0] // width * self.fine
        self.conditioning = w["coarse_in.weight"].shape[1] - self.coarse
        self.started = w["start.weight"].shape[1] if "start.weight" in w else 0
        parts = self.coarse // self.fine
        if SAMPLES_PER_FRAME % self.coarse or self.conditioning < 0 or w["embed.weight"].shape[0] != LEVELS:
            raise ValueError
        inward, bias = w["coarse_rnn.inward.weight"], w["coarse_rnn.inward.bias"]
        self._coarse_in = _columns(inward @ w["coarse_in.weight"][:, : self.coarse])
        self._seen_in = _columns(inward @ w["coarse_in.weight"][:, self.coarse :])
        self._coarse_bias = inward @ w["coarse_in.bias"] + bias
        self._coarse_on, self._coarse_on_bias = _columns(w["coarse_rnn.onward.weight"]), w["coarse_rnn.onward.bias"]
        self._first = w["coarse_rnn.first"], w["middle_rnn.first"]
        self._start = (w["start.weight"].T, w["start.bias"]) if self.started else None
        inward = w["middle_rnn.inward.weight"]
        above = w["coarse_out.weight"].reshape(parts, width, width)
        self._above_in = np.ascontiguousarray(np.concatenate([(inward @ part).T for part in above], axis=1))
        offset = w["coarse_out.bias"].reshape(parts, width) + w["middle_in.bias"]
        self._above_bias = (offset @ inward.T + w["middle_rnn.inward.bias"]).reshape(-1)
        self._middle_in = _columns(inward @ w["middle_in.weight"])
        self._middle_on, self._middle_on_bias = _columns(w["middle_rnn.onward.weight"]), w["middle_rnn.onward.bias"]
        self._middle_out, self._middle_out_bias = _columns(w["middle_out.weight"]), w["middle_out.bias"]
        looked = w["sample_in.weight"].reshape(width, self.fine, -1)
        self._tables = [np.ascontiguousarray(w["embed.weight"] @ looked[:, place].T) for place in range(self.fine)]
        self._hidden, self._hidden_bias = _columns(w["sample_hidden.weight"]), w["sample_hidden.bias"]
        self._out, self._out_bias = _columns(w["sample_out.weight"]), w["sample_out.bias"]

    def generate(
        self,
        conditioning: F32,
        *,
        frames: int | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        hook: Hook | None = None,
    ) -> F32:
        """Draw waves.

        Parameters
        ----------
        conditioning : (B, F, D) float32, one row a frame; for a model that is started by a state (B, D)
        frames : F; needed where the conditioning does not say it
        seed : of the chance; the same one gives the same waves
        temperature : what logits are divided by; below 1 the likely becomes likelier
        hook : called as ``hook("samples", done, total)``

        Returns
        -------
        (B, 640 F) float32 in (-1, 1)

        Raises
        ------
        UsageError : other shapes, or a temperature that is not above 0
        """
        if not temperature > 0:
            raise UsageError(f"the temperature must be above 0, not {temperature:g}")
        count, total = self._asked(conditioning, frames)
        chance = np.random.default_rng(seed)
        noise = np.zeros((0, 0, 0), np.float32)

        def choose(at: int, logits: F32) -> NDArray[np.intp]:
            nonlocal noise
            if at % NOISE_SAMPLES == 0:
                drawn = chance.standard_exponential((NOISE_SAMPLES, count, LEVELS), np.float32)
                np.maximum(drawn, np.float32(1e-30), out=drawn)  # 0 is drawn once in many millions
                noise = np.log(drawn, out=drawn)
                noise *= np.float32(-temperature)
                if hook:
                    hook("samples", at, total)
            logits += noise[at % NOISE_SAMPLES]
            return np.asarray(logits.argmax(1))

        return np.asarray(TABLE[self._run(conditioning, count, total, choose)])

    def follow(self, levels: NDArray[np.uint8], conditioning: F32) -> F32:
        """Logits of given samples, (B, N, 256) float32: what a draw would be made of at each of them.

        Parameters
        ----------
        levels : (B, N) mu-law levels, N a multiple of 640
        conditioning : as in `generate`

        Raises
        ------
        UsageError : other shapes
        """
        count, total = self._asked(conditioning, levels.shape[1] // SAMPLES_PER_FRAME)
        if levels.shape != (count, total):
            raise UsageError(f"levels are ({count}, {total}), a multiple of {SAMPLES_PER_FRAME}, not {levels.shape}")
        found = np.empty((count, total, LEVELS), np.float32)

        def choose(at: int, logits: F32) -> NDArray[np.intp]:
            found[:, at] = logits
            return levels[:, at].astype(np.intp)

        self._run(conditioning, count, total, choose)
        return found

    def _asked(self, conditioning: F32, frames: int | None) -> tuple[int, int]:
        """How many waves of how many samples are asked for."""
        if self.started:
            if conditioning.ndim != 2 or conditioning.shape[1] != self.started or frames is None:
                raise UsageError(f"this SampleRNN is started by (B, {self.started}) and a number of frames")
            return len(conditioning), frames * SAMPLES_PER_FRAME
        if conditioning.ndim != 3 or conditioning.shape[2] != self.conditioning:
            raise UsageError(f"this SampleRNN takes (B, F, {self.conditioning}), not {conditioning.shape}")
        if frames not in (None, conditioning.shape[1]):
            raise UsageError(f"there is conditioning for {conditioning.shape[1]} frames, not {frames}")
        return len(conditioning), conditioning.shape[1] * SAMPLES_PER_FRAME

    def _run(self, conditioning: F32, count: int, total: int, choose: Choose) -> NDArray[np.uint8]:
        """Go through all samples; ``choose`` turns logits (B, 256) into levels. Returns (B, N) levels."""
        given = np.asarray(conditioning, np.float32)
        coarse_state, middle_state = (np.tile(first, (count, 1)) for first in self._first)
        seen = None
        if self._start is not None:
            coarse_state += given @ self._start[0] + self._start[1]
        elif self.conditioning:
            seen = given @ self._seen_in + self._coarse_bias
        levels = np.full((count, self.coarse + total), SILENCE, np.uint8)
        values = np.zeros((count, self.coarse + total), np.float32)
        rows = np.zeros((self.coarse + total, count), np.intp)  # levels again, as places in the tables
        rows[:] = SILENCE
        scale, first, fine = np.float32(2 * INPUT_SCALE / LEVELS), self.coarse, self.fine
        hidden, looked = (np.empty((count, self.width), np.float32) for _ in range(2))
        deeper, logits = np.empty_like(hidden), np.empty((count, LEVELS), np.float32)
        for begin in range(first, first + total, self.coarse):
            gates = values[:, begin - self.coarse : begin] @ self._coarse_in
            gates += self._coarse_bias if seen is None else seen[:, (begin - first) // SAMPLES_PER_FRAME]
            coarse_state = _gru(gates, coarse_state @ self._coarse_on + self._coarse_on_bias, coarse_state)
            from_coarse = (coarse_state @ self._above_in + self._above_bias).reshape(count, -1, 3 * self.width)
            for part, middle in enumerate(range(begin, begin + self.coarse, fine)):
                gates = values[:, middle - fine : middle] @ self._middle_in + from_coarse[:, part]
                middle_state = _gru(gates, middle_state @ self._middle_on + self._middle_on_bias, middle_state)
                above = (middle_state @ self._middle_out + self._middle_out_bias).reshape(count, fine, self.width)
                for place in range(fine):
                    at = middle + place
                    np.copyto(hidden, above[:, place])
                    for back, table in enumerate(self._tables, at - fine):
                        table.take(rows[back], axis=0, out=looked, mode="clip")
                        hidden += looked
                    np.maximum(hidden, 0, out=hidden)
                    np.matmul(hidden, self._hidden, out=deeper)
                    deeper += self._hidden_bias
                    np.maximum(deeper, 0, out=deeper)
                    np.matmul(deeper, self._out, out=logits)
                    logits += self._out_bias
                    chosen = choose(at - first, logits)
                    rows[at] = chosen
                    values[:, at] = (chosen - SILENCE) * scale
        levels[:] = rows.T
        return levels[:, first:]


def _columns(weight: F32) -> F32:
    """A layer's matrix (outputs, inputs) so that rows are multiplied from the left."""
    return np.ascontiguousarray(weight.T)


def _gru(inward: F32, onward: F32, state: F32) -> F32:
    """A step of a gated recurrent unit (Cho et al. 2014, as torch has it): gates (B, 3 W) of input and of state."""
    width = state.shape[1]
    both = inward[:, : 2 * width] + onward[:, : 2 * width]
    both *= 0.5
    np.tanh(both, out=both)
    both += 1
    both *= 0.5  # the logistic function by way of tanh: it does not overflow
    onward[:, 2 * width :] *= both[:, :width]
    fresh = np.tanh(inward[:, 2 * width :] + onward[:, 2 * width :])
    return np.asarray(fresh + both[:, width:] * (state - fresh), np.float32)
