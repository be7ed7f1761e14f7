"""Learning of a vocoder: pieces of about a second from the sound of data sets, their log-mel in, the wave wanted out.

Pieces begin at any sample, so that blows fall anywhere between two rows; their level is changed, and now and then two
are laid on each other, so that blows are heard in front of textures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from clapboard.synthesis.stft import OVERLAP
from clapboard.timebase import SAMPLES_PER_ROW
from clapboard.training.foley.vocoder_losses import log_mel_of, stft_losses, wave_of
from clapboard.training.nets.istft_vocoder import IstftVocoder, noise_rows
from clapboard.training.recipe import Optimiser
from clapboard.training.tables import TomlRecipe, refuse
from clapboard.values import F32

BORDER_ROWS = OVERLAP - 1
"""Rows that four windows do not cover, at the two ends of a piece together."""
GAIN_DB = (-24.0, 6.0)
"""Pieces are made louder or softer by something between."""
MIXED, MIXED_DB = 0.25, (-30.0, 0.0)
"""This part of the pieces has another one laid over it, so much softer."""
NEAR_DB = 3.0
"""A band that is as near as this counts as right in the curves."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a step hears: ``pieces`` of ``rows`` rows.

    ``sets`` says how often a piece is of each data set, by its folder's name; as many as it has seconds where empty.
    """

    pieces: int = 16
    rows: int = 90
    sets: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    """Weights of the loss: spectral ``convergence``, ``logs`` of magnitudes, log-``mel``, and ``phases``.

    ``tones`` is the price of what is not noise: without one, rain and engines are made of it too, and buzz.
    """

    convergence: float = 1.0
    logs: float = 1.0
    mel: float = 2.0
    phases: float = 0.2
    tones: float = 0.3


@dataclass(frozen=True, slots=True)
class VocoderRecipe(TomlRecipe):
    """One training run; the fields are the keys of the TOML file, the nested ones its tables.

    ``network_options`` are those of `clapboard.training.nets.istft_vocoder.IstftVocoder`. The last
    ``held_out_share`` of the recordings of each data set are not learned from.
    """

    steps: int
    task: Literal["vocoder"] = "vocoder"
    seed: int = 0
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    held_out_share: float = 0.1
    network_options: Mapping[str, Any] = field(default_factory=dict)
    optimiser: Optimiser = field(default_factory=Optimiser)
    batch: Pieces = field(default_factory=Pieces)
    terms: Terms = field(default_factory=Terms)

    def check(self) -> None:
        """See `clapboard.training.tables.TomlRecipe`."""
        rule, terms, known = self.optimiser, self.terms, ("width", "blocks", "kernel", "expansion")
        weights = (terms.convergence, terms.logs, terms.mel, terms.phases, terms.tones)
        unknown = sorted(set(self.network_options) - set(known))
        wholes = all(type(value) is int for value in self.network_options.values())
        wrong = [
            (self.steps < 1, f"steps must be at least 1, not {self.steps}"),
            (self.seed < 0, f"seed must be from 0 on, not {self.seed}"),
            (self.batch.pieces < 1, "batch.pieces must be at least 1"),
            (not 16 <= self.batch.rows <= 97, "batch.rows must be 16 to 97: the shortest shots have a second"),
            (min(self.batch.sets.values(), default=0) < 0, "a share in batch.sets is 0 or more"),
            (min(weights) < 0, "a weight in terms is 0 or more"),
            (not max(weights[:-1]), "one of the weights in terms has to be above 0, not that of tones alone"),
            (bool(unknown), f"network_options knows {', '.join(known)}, not {', '.join(unknown)}"),
            (not wholes, "network_options are whole numbers"),
            (not 0 <= self.held_out_share < 1, "held_out_share is a part, 0 to below 1"),
            (rule.name != "adamw", f"optimiser.name must be adamw, not {rule.name}"),
            (not rule.learning_rate > 0, "optimiser.learning_rate must be above 0"),
            (not 0 <= rule.average < 1, "optimiser.average must be from 0 to below 1"),
        ]  # fmt: skip
        refuse(wrong)


class VocoderTask:
    """What `clapboard.training.task_loop.Loop` learns; see the module.

    Parameters
    ----------
    recipe : says how
    waves : of each data set by name, (N,) int16 at 16 kHz; shorter ones are filled up with silence
    """

    net: nn.Module

    def __init__(self, recipe: VocoderRecipe, waves: Mapping[str, Sequence[NDArray[np.int16]]]) -> None:
        torch.manual_seed(recipe.seed)
        self._recipe, self._waves = recipe, waves
        self.net = IstftVocoder(**recipe.network_options)
        shares = recipe.batch.sets or {name: sum(map(len, some)) for name, some in waves.items()}
        weights = np.array([float(shares.get(name, 0.0)) for name in waves])
        self._shares = weights / weights.sum()

    def draw(self, rng: np.random.Generator) -> F32:
        """Pieces of one step, (B, 160 (rows + 3)) float32."""
        count = self._recipe.batch.pieces
        gains = 10 ** (rng.uniform(*GAIN_DB, count) / 20)
        found = np.stack([self._piece(rng) * gain for gain in gains])
        for number in np.flatnonzero(rng.random(count) < MIXED):
            found[number] += self._piece(rng) * 10 ** (rng.uniform(*MIXED_DB) / 20)
        # what would be beyond full scale is softer, not cut
        return np.asarray(found / np.maximum(np.abs(found).max(1, keepdims=True), 1), np.float32)

    def _piece(self, rng: np.random.Generator) -> F32:
        """A piece of a wave of one of the sets."""
        waves = self._waves[list(self._waves)[int(rng.choice(len(self._shares), p=self._shares))]]
        wave = waves[int(rng.integers(len(waves)))]
        size = SAMPLES_PER_ROW * (self._recipe.batch.rows + BORDER_ROWS)
        start = int(rng.integers(max(len(wave) - size, 0) + 1))
        piece = wave[start : start + size].astype(np.float32) / np.float32(32767)
        return np.pad(piece, (0, size - len(piece)))

    def loss(self, net: nn.Module, rng: np.random.Generator, share: float, device: str) -> tuple[Tensor, float]:
        """See `clapboard.training.task_loop.Task`; right are bands within 3 dB, among those that are heard."""
        waves = torch.from_numpy(self.draw(rng)).to(device)
        kind = waves.device.type
        with torch.autocast(kind, enabled=False):
            mel = log_mel_of(waves)
            chance = noise_rows(torch.randn(waves.shape, device=device))
        real, imag, tones = cast(IstftVocoder, net).parts(mel, chance)
        with torch.autocast(kind, enabled=False):
            made = wave_of(real.float(), imag.float())
            border = BORDER_ROWS * SAMPLES_PER_ROW
            true = waves[:, border : border + made.shape[1]]
            terms = self._recipe.terms
            convergence, logs, phases = stft_losses(made, true)
            inner = slice(BORDER_ROWS, BORDER_ROWS + mel.shape[1] - 2 * BORDER_ROWS)
            found = log_mel_of(made)
            value = terms.convergence * convergence + terms.logs * logs + terms.mel * F.l1_loss(found, mel[:, inner])
            value = value + terms.phases * phases + terms.tones * tones.mean()
        heard = mel[:, inner] > mel.amax((1, 2), keepdim=True) - 60 * np.log(10) / 10
        near = (found.detach() - mel[:, inner]).abs() < NEAR_DB * np.log(10) / 10
        return value, float(near[heard].float().mean())
