"""The work of ``clapboard train`` with a recipe of SampleRNN, and how many bits a sample its network needs."""

import itertools
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from clapboard.errors import UsageError
from clapboard.synthesis.cues import LEAD_S, SAMPLES_PER_FRAME
from clapboard.synthesis.mu_law import SILENCE, compress
from clapboard.training.foley.samples import Conditioned, SampleRecipe, SampleTask, as_floats
from clapboard.training.foley.samples_export import WIDE_SCENE, export_samplernn
from clapboard.training.foley.sets import VIEW, Take, digest, load_takes, split_last
from clapboard.training.nets.foley_encoders import MARGIN_FRAMES
from clapboard.training.nets.vgg19 import Vgg19, load_vgg19
from clapboard.training.publish import require_free
from clapboard.training.run import pick_device
from clapboard.training.task_loop import Loop, load_finished
from clapboard.values import F32, F64, Hook
from clapboard.vision.scene_flow import flow_of_scene

NAME = "model"
FLOWS, FC6_FILE = "flows.npy", "fc6.npy"
"""Where a run keeps what it makes of the pictures before: it takes longer to make than to read."""
FC6_FRAMES = 16
"""Frames that VGG19 sees at once."""
PIECE_SAMPLES = 10 * SAMPLES_PER_FRAME
"""Samples that bits are counted in at once."""
TOGETHER = 16
"""Takes that bits are counted of at once."""


def train_samples(
    recipe: Path | SampleRecipe,
    data: Sequence[Path],
    run: Path,
    *,
    changes: Mapping[str, str] | None = None,
    device: str = "auto",
    threads: int = 1,
    say: Callable[[str], None] = print,
    hook: Hook | None = None,
) -> Path:
    """Train an encoder and a SampleRNN, and export them.

    Parameters
    ----------
    recipe : a TOML file, or a recipe
    data : data sets of scenes
    run : folder of the run; a run that was stopped goes on
    changes : values by dotted key that go before those of the file, as TOML writes them

    Returns
    -------
    path of the model's JSON

    Raises
    ------
    UsageError : the recipe, the data and the run's folder do not fit together
    MediaError : data cannot be read
    """
    torch.set_num_threads(threads)
    chosen = SampleRecipe.read(recipe, changes or {}) if isinstance(recipe, Path) else recipe
    seen_by = load_vgg19(Path(chosen.vgg19)) if chosen.vgg19 else None
    learn, _ = split_last(load_takes(data, view=VIEW if seen_by is None else WIDE_SCENE), chosen.held_out_share)
    learn = [take for take in learn if len(take.wave) >= chosen.piece]
    if not learn:
        raise UsageError(f"no shot to learn from is as long as a piece, {chosen.piece} samples")
    minutes = sum(len(take.images) for take in learn) / 25 / 60
    say(f"{len(learn)} shots to learn from ({minutes:.1f} min)")
    run.mkdir(parents=True, exist_ok=True)
    flows = flows_of(learn, run / FLOWS, hook) if chosen.encoder == "flow" else None
    blows_s = [take.events_s[take.on_screen] + LEAD_S for take in learn]
    given = learn if seen_by is None else fc6_of(seen_by, learn, run / FC6_FILE, hook)
    task = SampleTask(chosen, given, blows_s, flows)
    loop = Loop(chosen, task, run, device=pick_device(device), say=say, hook=hook, clips=digest(learn))
    net = cast(Conditioned, loop())
    about = {"recipe": tomllib.loads(chosen.toml())}
    return export_samplernn(net, run / "model", NAME, backbone=seen_by, about=about)


def export_samples_run(
    run: Path, folder: Path, *, name: str | None = None, licence: str = "", overwrite: bool = False
) -> Path:
    """Export a finished run under a name.

    Returns
    -------
    path of the ``.json``

    Raises
    ------
    UsageError : a model of that name exists
    ModelError : the run is not finished, or its weights do not fit its recipe
    MediaError : the folder cannot be written to
    """
    recipe = SampleRecipe.read(run / "recipe.toml")
    title = name or f"foley-{recipe.encoder}"
    require_free(folder, title, overwrite)
    net = network_of(run)
    about: dict[str, Any] = {"licence": licence} if licence else {}
    about |= {"recipe": tomllib.loads(recipe.toml())}
    backbone = load_vgg19(Path(recipe.vgg19)) if recipe.vgg19 else None
    return export_samplernn(net, folder, title, backbone=backbone, about=about)


def network_of(run: Path) -> Conditioned:
    """The network of a finished run, in `eval`.

    Raises
    ------
    UsageError : the folder holds no run of SampleRNN
    ModelError : the run is not finished, or its weights do not fit its recipe
    """
    net = Conditioned(SampleRecipe.read(run / "recipe.toml"))
    load_finished(net, run)
    return net.eval()


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """A take with (T, given) numbers of each frame in place of its pictures."""

    images: NDArray[Any]
    wave: NDArray[Any]


@torch.no_grad()
def fc6_of(net: Vgg19, takes: Sequence[Take], path: Path, hook: Hook | None = None) -> list[Given]:
    """What VGG19 makes of the pictures of takes, (T, 4096) float16 each; from and to a file.

    Raises
    ------
    UsageError : the file holds those of other takes
    """

    def make() -> Iterator[NDArray[Any]]:
        for number, take in enumerate(takes):
            images = torch.from_numpy(np.array(take.images))
            starts = range(0, len(images), FC6_FRAMES)
            yield np.concatenate([net(images[at : at + FC6_FRAMES]).half().numpy() for at in starts])
            if hook:
                hook("VGG19", number + 1, len(takes))

    parts = _kept(make(), [len(take.images) for take in takes], path)
    return [Given(part, take.wave) for part, take in zip(parts, takes, strict=True)]


def flows_of(takes: Sequence[Take], path: Path | None = None, hook: Hook | None = None) -> list[NDArray[Any]]:
    """Optical flow of each take, (T - 1, 2, 32, 32) float16; from and to a file where there is one.

    Raises
    ------
    UsageError : the file holds the flow of other takes
    """

    def make() -> Iterator[NDArray[Any]]:
        for number, take in enumerate(takes):
            yield flow_of_scene(np.asarray(take.images)).astype(np.float16)
            if hook:
                hook("optical flow", number + 1, len(takes))

    return _kept(make(), [len(take.images) - 1 for take in takes], path)


def _kept(parts: Iterator[NDArray[Any]], sizes: Sequence[int], path: Path | None) -> list[NDArray[Any]]:
    """Arrays of takes, ``sizes`` rows each, laid end to end in a file, which is read where it is there."""
    ends = np.cumsum([0, *sizes])
    if path is None or not path.exists():
        whole = np.concatenate(list(parts))
        if path is not None:
            part = path.with_suffix(".part.npy")
            np.save(part, whole)
            part.replace(path)
    else:
        whole = np.load(path, mmap_mode="r")
    if len(whole) != ends[-1]:
        raise UsageError(f"{path} was made of other shots; remove it to make it anew")
    return [whole[first:end] for first, end in itertools.pairwise(ends)]


@torch.no_grad()
def bits_of(net: Conditioned, takes: Sequence[Take], pictures: Sequence[int], hook: Hook | None = None) -> F64:
    """Bits that each take's sound needs a sample, (n,) float64, told the pictures of ``takes[pictures[i]]``.

    Parameters
    ----------
    net : in `eval`
    takes : n of one length
    pictures : (n,) which take's pictures go with each sound: ``range(n)`` are its own

    Raises
    ------
    UsageError : takes of several lengths
    """
    lengths = {len(take.images) for take in takes}
    if len(lengths) != 1:
        raise UsageError(f"bits are counted of shots of one length, and these have {len(lengths)}")
    told = [encode(net, take) for take in takes]
    found = []
    for first in range(0, len(takes), TOGETHER):
        some = range(first, min(first + TOGETHER, len(takes)))
        levels = np.stack([compress(as_floats(takes[n].wave)) for n in some])
        found.append(_bits(net, levels, torch.from_numpy(np.stack([told[pictures[n]] for n in some]))))
        if hook:
            hook("bits", first + len(some), len(takes))
    return np.concatenate(found)


@torch.no_grad()
def encode(net: Conditioned, take: Take) -> F32:
    """What SampleRNN is told of a take's pictures: (T, D), for seq (D,)."""
    around = ((MARGIN_FRAMES, MARGIN_FRAMES), *[(0, 0)] * (take.images.ndim - 1))
    images = torch.from_numpy(np.pad(take.images, around, mode="edge"))
    flows = None
    if net.encoder.kind == "flow":
        (flow,) = flows_of([take])
        around = ((MARGIN_FRAMES, MARGIN_FRAMES), (0, 0), (0, 0), (0, 0))
        flows = torch.from_numpy(np.pad(flow, around).astype(np.float32))[None]
    found = net.encoder(images[None].float(), flows)[0]
    return np.asarray(found.float().numpy(), np.float32)


def _bits(net: Conditioned, levels: NDArray[np.uint8], told: Tensor) -> F64:
    """Mean bits a sample of waves (B, N), told (B, T, D) or (B, D); the state goes on from piece to piece."""
    rnn, count, total = net.rnn, *levels.shape
    given = torch.from_numpy(np.pad(levels, ((0, 0), (rnn.coarse, 0)), constant_values=SILENCE).astype(np.int64))
    state = rnn.begin(count, told if rnn.started else None)
    bits = torch.zeros(count, dtype=torch.float64)
    for begin in range(0, total, PIECE_SAMPLES):
        end = min(begin + PIECE_SAMPLES, total)
        seen = None
        if not rnn.started:
            first = torch.full((count,), begin // rnn.coarse)
            frames = told[:, begin // SAMPLES_PER_FRAME : end // SAMPLES_PER_FRAME]
            seen = net.coarse(frames, first, (end - begin) // rnn.coarse)
        logits, state = rnn(given[:, begin : end + rnn.coarse], seen, state)
        target = given[:, begin + rnn.coarse : end + rnn.coarse]
        lost = F.cross_entropy(logits.flatten(0, 1).float(), target.flatten(), reduction="none")
        bits += lost.view(count, -1).double().sum(1)
    return np.asarray((bits / total / np.log(2)).numpy(), np.float64)
