"""Learning of the flow of textures: from what the picture network tells of pictures, to log-mels that may be true.

The picture network looks at the pictures once, before the first step. Rows of blows are not learned from: they are
bridged in the cues and the log-mel (`clapboard.synthesis.texture`) and weigh nothing in the loss. Which textures there
are is told as it is, where it is known, and not as the picture network has it: what it confuses, the flow would mix.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clapboard.errors import UsageError
from clapboard.metrics.textures import energy_score
from clapboard.models.foley_session import load_foley
from clapboard.models.foley_spec import TextureUse
from clapboard.synthesis.cues import BLOWS, MATERIALS, Cues
from clapboard.synthesis.mel import FLOOR, MEL_BINS, log_mel
from clapboard.synthesis.picking import onsets
from clapboard.synthesis.texture import FEATURES, MEL, STEPS, bridged, draw, features, struck
from clapboard.training.foley.sets import ACTIVE, Take, chances, digest, load_takes, split_last
from clapboard.training.foley.texture_export import export_texture, velocity_of
from clapboard.training.foley.texture_recipe import TextureRecipe
from clapboard.training.nets.texture_flow import TextureFlow
from clapboard.training.run import pick_device
from clapboard.training.task_loop import Loop
from clapboard.values import F32, F64, Hook

GUIDANCES = (1.0, 1.25, 1.5, 2.0)
"""Weights of the cues that are tried on the recordings held out."""
JUDGED_TAKES, DRAWS = 10, 2
"""Recordings held out on which the guidance is chosen, and draws of each."""
ABOVE_FLOOR = 0.1
"""A row is silent whose loudest band is no further above the floor than this, in natural-log power."""
LEAST_SCALE = 0.5
"""A band is normalised by its standard deviation, or by this where it hardly changes."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """One take as it is learned from.

    Attributes
    ----------
    mel : (R, 80) float16, log-mel of its sound
    cues : what the picture network tells of it
    blows : (E,) rows where the picture network tells blows
    usable : (R,) bool, rows in which no blow is heard
    known : (R, 4) which textures the take has, 0 or 1; None where nobody knows
    sounding : (R,) bool, usable rows in which a texture is; where nobody knows, those in which anything is heard
    """

    mel: NDArray[np.float16]
    cues: Cues
    blows: F64
    usable: NDArray[np.bool_]
    known: F32 | None
    sounding: NDArray[np.bool_]


def told_of(take: Take, cues: Cues, threshold: float) -> Told:
    """What is learned from of a take, under cues for its pictures, whose onsets count from a threshold on."""
    blows = onsets(cues.onset, threshold)
    strikes = np.isin(take.materials, [MATERIALS.index(name) for name in BLOWS])
    usable = ~(strikes | struck(take.seen_rows(), take.rows) | struck(blows, take.rows))
    mel = log_mel(take.sound())
    sounding = take.activity.max(1) >= ACTIVE if take.told else heard(mel)
    known = np.repeat((take.activity.max(0) >= ACTIVE)[None], take.rows, 0).astype(np.float32) if take.told else None
    return Told(mel.astype(np.float16), cues, blows, usable, known, usable & sounding)


def heard(mel: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Rows of a log-mel (R, 80) that are not silent, (R,)."""
    return np.asarray(mel.max(1) > np.log(FLOOR) + ABOVE_FLOOR)


def normals(told: Sequence[Told]) -> tuple[F32, F32]:
    """Mean and standard deviation of each band over all rows that are not silent, (80,) each.

    Raises
    ------
    UsageError : nothing is to be heard
    """
    total, square, count = np.zeros(MEL_BINS), np.zeros(MEL_BINS), 0
    for one in told:
        mel = one.mel.astype(np.float64)
        mel = mel[one.usable & heard(mel)]
        total, square, count = total + mel.sum(0), square + (mel**2).sum(0), count + len(mel)
    if not count:
        raise UsageError("there is nothing to learn from: nothing is to be heard")
    mean = total / count
    scale = np.sqrt(np.maximum(square / count - mean**2, LEAST_SCALE**2))
    return mean.astype(np.float32), scale.astype(np.float32)


class TextureTask:
    """What `clapboard.training.task_loop.Loop` learns.

    Parameters
    ----------
    recipe : says how
    told : what is learned from; those with fewer rows than a piece are left out
    weights : (N,) how likely each is drawn

    Raises
    ------
    UsageError : there is nothing to learn from, the network does not know an option, or it cannot begin with the
        weights named
    """

    net: nn.Module

    def __init__(self, recipe: TextureRecipe, told: Sequence[Told], weights: F64) -> None:
        self._recipe = recipe
        self.mean, self.scale = normals(told)
        torch.manual_seed(recipe.seed)
        try:
            self.net = TextureFlow(**recipe.network_options)
        except TypeError as error:
            raise UsageError(f"recipe: network_options do not fit the flow of textures ({error})") from None
        if recipe.begin_from:
            self._begin_from(Path(recipe.begin_from) / "weights.pt")
        long = np.array([len(one.mel) >= recipe.batch.rows for one in told])
        if not (weights * long).sum() > 0:
            raise UsageError(f"there is nothing to learn from: no shot has {recipe.batch.rows} rows")
        self._chances = weights * long / (weights * long).sum()
        self._told = told
        # the blows themselves are not to be seen either, not even through noise in the rows beside them
        self._mels = [bridged(one.mel.astype(np.float32), ~one.usable).astype(np.float16) for one in told]
        # halves of floats: 1000 clips of 8 s are 270 MB
        self._features = [
            features(one.cues, self.mean, self.scale, one.blows, one.known).astype(np.float16) for one in told
        ]

    def _begin_from(self, path: Path) -> None:
        """Take over the weights of another run.

        Raises
        ------
        UsageError : there are none, or they are of another network
        """
        try:
            self.net.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        except Exception as error:  # torch raises whatever the damage leads to
            first = " ".join(str(error).split())[:200]
            raise UsageError(f"recipe: begin_from: {path} does not fit this network ({first})") from None

    def loss(self, net: nn.Module, rng: np.random.Generator, share: float, device: str) -> tuple[Tensor, float]:
        """See `clapboard.training.task_loop.Task`; right is the part of the velocity's power that is told."""
        del share
        recipe = self._recipe
        count, rows = recipe.batch.pieces, recipe.batch.rows
        mel = np.empty((count, rows, MEL_BINS), np.float32)
        cues = np.empty((count, rows, FEATURES), np.float32)
        usable = np.empty((count, rows), np.float32)
        for number, take in enumerate(rng.choice(len(self._told), count, p=self._chances).tolist()):
            first = int(rng.integers(len(self._told[take].mel) - rows + 1))
            mel[number] = self._mels[take][first : first + rows]
            cues[number] = self._features[take][first : first + rows]
            usable[number] = self._told[take].usable[first : first + rows]
        cues[:, :, MEL:] += recipe.cue_noise * rng.standard_normal((count, rows, MEL_BINS), np.float32)
        cues *= (rng.random(count) >= recipe.without_cues).astype(np.float32)[:, None, None]
        # times spread evenly over a batch: the loss depends much on them
        time = ((rng.permutation(count) + rng.random(count)) / count).astype(np.float32)
        goal = (mel - self.mean) / self.scale
        noise = rng.standard_normal(goal.shape, np.float32)
        part = time[:, None, None]
        given = ((1 - part) * noise + part * goal, time, cues)
        found = net(*(torch.from_numpy(one).to(device) for one in given)).float()
        wanted = torch.from_numpy(goal - noise).to(device)
        weigh = torch.from_numpy(usable).to(device)[:, :, None] / max(float(usable.sum()) * MEL_BINS, 1.0)
        value = ((found - wanted) ** 2 * weigh).sum()
        power = (wanted**2 * weigh).sum()
        return value, max(0.0, 1 - float(value.detach()) / max(float(power), 1e-9))


def choose_guidance(net: TextureFlow, told: Sequence[Told], mean: F32, scale: F32) -> tuple[float, dict[str, float]]:
    """The weight of the cues whose draws have the least energy score, in normalised log-mel, and all scores.

    Raises
    ------
    UsageError : no texture is heard in any
    """
    chosen = [one for one in told if one.sounding.any()][:JUDGED_TAKES]
    if not chosen:
        raise UsageError("no texture is heard in the recordings held out, so no guidance can be chosen")
    velocity = velocity_of(net)
    scores = {}
    for guidance in GUIDANCES:
        found = []
        for one in chosen:
            drawn = [
                draw(velocity, one.cues, mean=mean, scale=scale, guidance=guidance, seed=seed, blows=one.blows) / scale
                for seed in range(DRAWS)
            ]
            found.append(energy_score(drawn, one.mel.astype(np.float32) / scale, one.sounding))
        scores[f"{guidance:g}"] = float(np.mean(found))
    best = min(scores, key=lambda name: scores[name])
    return float(best), scores


def train_texture(
    recipe: Path | TextureRecipe,
    data: Sequence[Path],
    run: Path,
    *,
    changes: Mapping[str, str] | None = None,
    device: str = "auto",
    threads: int = 1,
    say: Callable[[str], None] = print,
    hook: Hook | None = None,
) -> Path:
    """Train; the guidance is chosen on the recordings held out, and the flow is exported.

    Parameters
    ----------
    recipe : a TOML file, or a recipe
    data : data sets of scenes
    run : folder of the run; a run that was stopped goes on
    changes : values by dotted key that go before those of the file, as TOML writes them

    Returns
    -------
    path of ``texture.json`` in the run's folder, beside which ``texture.onnx`` lies

    Raises
    ------
    UsageError : the recipe, the data and the run's folder do not fit together
    MediaError : data cannot be read
    ModelError : the picture network cannot be used
    """
    torch.set_num_threads(threads)
    chosen = TextureRecipe.read(recipe, changes or {}) if isinstance(recipe, Path) else recipe
    model = load_foley(Path(chosen.picture), threads=threads)
    takes, held = split_last(load_takes(data), chosen.held_out_share)
    say(f"{len(takes)} shots to learn from, {len(held)} held out; looking at their pictures")
    threshold = model.spec.onset_threshold
    seen = [[told_of(one, model.cues(np.asarray(one.images)), threshold) for one in some] for some in (takes, held)]
    task = TextureTask(chosen, seen[0], chances(takes, chosen.batch.sets))
    loop = Loop(chosen, task, run, device=pick_device(device), say=say, hook=hook, clips=digest(takes))
    net = cast(TextureFlow, loop())
    guidance, scores = 1.0, dict[str, float]()
    if any(one.sounding.any() for one in seen[1]):
        guidance, scores = choose_guidance(net, seen[1], task.mean, task.scale)
        say("energy score held out by guidance: " + ", ".join(f"{key}: {value:.4f}" for key, value in scores.items()))
    else:
        say("no texture is heard in the recordings held out: the guidance stays 1")
    use = TextureUse(tuple(task.mean.tolist()), tuple(task.scale.tolist()), FEATURES, STEPS, guidance)
    about = {"recipe": tomllib.loads(chosen.toml()), "picture": model.spec.name, "energy_scores": scores}
    return export_texture(net, run, use, about=about)
