"""The work of ``clapboard train`` with the recipe of a vocoder: sound of data sets in, ``vocoder.onnx`` out.

The folder of the run keeps what `clapboard.training.task_loop` says, and beside it the network as an ONNX graph for
`clapboard.synthesis.vocoder`.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch

from clapboard.training.foley.vocoder import BORDER_ROWS, VocoderRecipe, VocoderTask
from clapboard.training.foley.vocoder_export import export_vocoder
from clapboard.training.foley.vocoder_losses import log_mel_of, stft_losses, wave_of
from clapboard.training.foley.vocoder_sets import Waves, digest, load_waves
from clapboard.training.nets.istft_vocoder import IstftVocoder
from clapboard.training.run import pick_device
from clapboard.training.task_loop import Loop
from clapboard.values import Hook

DB = 10 / np.log(10)
"""Decibels of one unit of natural-log power."""
JUDGED_BATCHES = 8
"""Batches of each data set's held-out sound that a finished run is judged on."""


def train_vocoder(
    recipe: Path | VocoderRecipe,
    data: Sequence[Path],
    run: Path,
    *,
    changes: Mapping[str, str] | None = None,
    device: str = "auto",
    threads: int = 1,
    say: Callable[[str], None] = print,
    hook: Hook | None = None,
) -> Path:
    """Train a vocoder, judge it on what was held out, and export it.

    Parameters
    ----------
    recipe : a TOML file, or a recipe
    data : data sets with sound at 16 kHz in one channel
    run : folder of the run; a run that was stopped goes on
    changes : values by dotted key that go before those of the file, as TOML writes them

    Returns
    -------
    path of ``vocoder.onnx``

    Raises
    ------
    UsageError : the recipe, the data and the run's folder do not fit together
    MediaError : data cannot be read, or the folder cannot be written to
    """
    torch.set_num_threads(threads)
    chosen = VocoderRecipe.read(recipe, changes or {}) if isinstance(recipe, Path) else recipe
    chosen.check()
    learn, held = load_waves(data, chosen.batch.sets, chosen.held_out_share)
    minutes = sum(len(wave) for some in learn.values() for wave in some) / 16_000 / 60
    say(f"{minutes:.1f} min of sound to learn from, of {', '.join(learn)}")
    task = VocoderTask(chosen, learn)
    net = Loop(chosen, task, run, device=pick_device(device), say=say, hook=hook, clips=digest(learn))()
    vocoder = cast(IstftVocoder, net)
    judged = {name: judge(vocoder, chosen, {name: some}) for name, some in held.items()}
    for name, found in judged.items():
        say(f"held out of {name}: " + ", ".join(f"{key} {value:.3g}" for key, value in found.items()))
    return export_vocoder(vocoder, run, {"recipe": tomllib.loads(chosen.toml()), "held_out": judged})


@torch.no_grad()
def judge(net: IstftVocoder, recipe: VocoderRecipe, waves: Waves) -> dict[str, float]:
    """Means over pieces drawn as in training: how far the log-mel and magnitudes are off, dB, and two of the terms."""
    task, found = VocoderTask(recipe, waves), []
    for number in range(JUDGED_BATCHES):
        drawn = torch.from_numpy(task.draw(np.random.default_rng((recipe.seed, number))))
        mel = log_mel_of(drawn)
        made = wave_of(*net(mel))
        border = BORDER_ROWS * 160
        convergence, logs, phases = stft_losses(made, drawn[:, border : border + made.shape[1]])
        off = (log_mel_of(made) - mel[:, BORDER_ROWS:-BORDER_ROWS]).abs().mean()
        found.append([float(off) * DB, float(convergence), 2 * float(logs) * DB, float(phases)])
    return dict(zip(("mel_db", "convergence", "stft_db", "phases"), np.mean(found, axis=0).tolist(), strict=True))
