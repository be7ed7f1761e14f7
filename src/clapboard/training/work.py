"""The work of the command `train`, for programs too: a recipe and data sets in, a model for `check` out."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from clapboard.dataset.align import Aligned, load, read_offsets
from clapboard.dataset.rows import read_head
from clapboard.errors import UsageError
from clapboard.evaluation.calibrate import FOREIGN_VOICES, LENGTHS_S, calibrate
from clapboard.evaluation.pieces import own_and_foreign, table
from clapboard.evaluation.speaking import scenes_of, tell_speakers
from clapboard.models.spec import Calibration
from clapboard.training.embedder import TorchEmbedder
from clapboard.training.export import export
from clapboard.training.loop import Loop, fit
from clapboard.training.nets import build
from clapboard.training.nets.base import TwoStream
from clapboard.training.pretrained import from_pretrained
from clapboard.training.recipe import Recipe
from clapboard.training.run import pick_device, processes
from clapboard.values import Hook
from clapboard.vision.scenes import SCENES

LEAST_PIECES = 40
"""Fewer held-out pieces than this calibrate nothing."""


def load_clips(recipe: Recipe, data: Sequence[Path], offsets: Path | None) -> list[Aligned]:
    """Clips of data sets as the recipe's network takes them, moved onto one zero.

    Raises
    ------
    MediaError : a data set or the table of offsets cannot be read
    UsageError : the data sets hold another view than the network takes, or no clip that the table of offsets names
    """
    given = build(recipe.network, recipe.network_options).inputs
    known = read_offsets(offsets) if offsets else {}
    for folder in data:
        if read_head(folder).view in SCENES:
            raise UsageError(
                f"{folder}: holds whole pictures, not faces; {recipe.network} learns from faces, recipes of any sound "
                "(recipes/any-sound-own.toml) from these"
            )
    clips = load(
        data,
        given.sound,
        known,
        recipe.corpus_offsets_ms,
        window_frames=given.window_frames,
        window_rows=given.window_rows,
    )
    for clip in clips[:1]:
        if clip.images.shape[1] != given.crop_px or (clip.images.ndim == 4) != (given.channels == 3):
            raise UsageError(
                f"{recipe.network} takes the view {given.view}; prepare the data again with --view {given.view}"
            )
    named = {name for name, offset_ms in known.items() if not np.isnan(offset_ms)}
    if named and not any(clip.file in named or clip.id in named for clip in clips):
        raise UsageError(f"{offsets} names no clip of the data ({min(named)}); its names are those of the manifest")
    return clips


def train(
    recipe: Path | Recipe,
    data: Sequence[Path],
    run: Path,
    *,
    offsets: Path | None = None,
    changes: Mapping[str, str] | None = None,
    device: str = "auto",
    workers: int = 0,
    threads: int = 1,
    begin_from: str | None = None,
    name: str = "model",
    say: Callable[[str], None] = print,
    hook: Hook | None = None,
) -> Path | None:
    """Train, calibrate on the people held out, and export.

    Parameters
    ----------
    recipe : a TOML file, or a recipe
    data : folders made by ``clapboard prepare``
    run : folder of the run; a run that was stopped goes on
    changes : values by dotted key that go before those of the file, as TOML writes them
    workers : processes that draw batches ahead
    begin_from : a run's folder or a model with weights for torch, that a new run takes over
    name : of the model
    hook : called as ``hook(step, done, total)`` while it works

    Returns
    -------
    Path of the model's JSON; None in all processes but the first

    Raises
    ------
    UsageError : the recipe, the data and the run's folder do not fit together
    MediaError : data cannot be read
    """
    torch.set_num_threads(threads)
    chosen = Recipe.read(recipe, changes or {}) if isinstance(recipe, Path) else recipe
    begin = from_pretrained(begin_from).state_dict() if begin_from else None
    with processes(pick_device(device)) as place:
        clips = load_clips(chosen, data, offsets)
        loop = fit(chosen, clips, run, place=place, workers=workers, begin_from=begin, say=say, hook=hook)
    if not place.first:
        return None
    net = loop.run.average.cpu().float().eval()
    calibration = calibrated(net, loop, say, hook)
    about = {"recipe": tomllib.loads(chosen.toml()), **({"began_from": begin_from} if begin_from else {})}
    return export(net, run / "model", name, calibration=calibration, about=about, with_torch=True)


def calibrated(net: TwoStream, loop: Loop, say: Callable[[str], None], hook: Hook | None = None) -> Calibration | None:
    """The probability of being right, fitted on the people held out; None, and why, where these are too few."""
    if not net.inputs.unit or not loop.held:
        say("not calibrated: " + ("nobody was held out" if net.inputs.unit else "only unit vectors can be"))
        return None
    embedder = TorchEmbedder(net)
    own, foreign = own_and_foreign(embedder, loop.held, LENGTHS_S, FOREIGN_VOICES, hook)
    if min(len(own), len(foreign)) < LEAST_PIECES:
        say(
            f"not calibrated: of held-out people there are {len(own)} pieces of speech, and {len(foreign)} with the "
            f"voice of another of them; {LEAST_PIECES} of each are needed; hold out more people"
        )
        return None
    say(f"held out: {table(own)}")
    try:
        found = calibrate(own, foreign)
    except UsageError as error:
        say(f"not calibrated: {error}")
        return None
    return replace(found, speaking=tell_speakers(scenes_of(embedder, loop.held, say), say))
