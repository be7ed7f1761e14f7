"""Sounds by models for `clapboard foley`, clip by clip, kept on disk; and sounds that lie there already."""

import json
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.dubbing.makers import CueMaker, SampleRnnGenerator, vocoder_of
from clapboard.errors import MediaError, UsageError
from clapboard.files import candidate_beside, put_in_place, write_text
from clapboard.models.foley_session import FoleyModel, load_foley
from clapboard.models.foley_spec import SAMPLERNN
from clapboard.synthesis.bank import Bank, modal_bank
from clapboard.values import F32
from foley_clips import Clip, Waves

MADE = "made.json"
WAYS = ("foley", "griffin-lim", "istft")
"""From cues to a wave: as `clapboard foley` does it, from a bank of blows, or the whole log-mel by a vocoder."""
AT_ONCE = 25
"""Clips whose samples are drawn together; what was drawn is kept after each such number."""


def as_float(wave: NDArray[np.generic], name: str) -> F32:
    """Samples in [-1, 1].

    Raises
    ------
    UsageError : neither float nor int16, not (N,), or not finite
    """
    if wave.ndim == 1 and wave.dtype == np.int16:
        return np.asarray(wave, np.float32) / np.float32(32767)
    if wave.ndim != 1 or not np.issubdtype(wave.dtype, np.floating) or not np.isfinite(wave).all():
        raise UsageError(f"{name}: a wave is (N,) finite float or int16 samples, not {wave.shape} {wave.dtype}")
    return np.asarray(wave, np.float32)


def read_waves(path: Path, clips: Sequence[Clip]) -> Waves:
    """A sound for each clip from an .npz or a folder of .npy, by the ids of the clips.

    Raises
    ------
    MediaError : it cannot be read
    UsageError : there is no sound of a clip, or it is none
    """
    found = {}
    try:
        if path.is_dir():
            missing = [clip.id for clip in clips if not (path / f"{clip.id}.npy").exists()]
            held = {c.id: np.load(path / f"{c.id}.npy", allow_pickle=False) for c in clips if c.id not in missing}
        else:
            with np.load(path, allow_pickle=False) as file:
                missing = [clip.id for clip in clips if clip.id not in file.files]
                held = {clip.id: file[clip.id] for clip in clips if clip.id not in missing}
    except (OSError, ValueError) as error:
        raise MediaError(f"{path}: holds no sounds by the ids of clips ({error})") from None
    if missing:
        raise UsageError(f"{path}: has no sound of {len(missing)} of {len(clips)} clips, as of {missing[0]}")
    for name, wave in held.items():
        found[name] = as_float(wave, f"{path}, {name}")
    return found


def keep(wave: F32, path: Path) -> None:
    """Write a wave as int16, whole or not at all."""
    with candidate_beside(path) as candidate:
        try:
            with candidate.open("wb") as file:
                np.save(file, np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16))
        except OSError as error:
            raise MediaError(f"{path}: cannot be written ({error.strerror or error}); make room") from None
        put_in_place(candidate, path, overwrite=True)


def begun(folder: Path, by: dict[str, object]) -> None:
    """Begin a folder of sounds, or see that it was begun by the same.

    Raises
    ------
    UsageError : it was made by something else
    MediaError : it cannot be written
    """
    path = folder / MADE
    if path.exists():
        there = json.loads(path.read_text(encoding="utf-8"))
        if there != by:
            raise UsageError(f"{folder}: was made by {there}, not by {by}; remove it, or give another --work")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{folder}: cannot be made ({error.strerror or error})") from None
    write_text(json.dumps(by) + "\n", path, overwrite=True)


def make(model: str, clips: Sequence[Clip], folder: Path, *, seed: int, hook: Callable[[str], None]) -> Waves:
    """The sounds that a model makes; what is in the folder already is not made again.

    Parameters
    ----------
    model : JSON of a model for foley, or a bundled one's name; of those that tell cues also ``JSON:WAY``, see `WAYS`
    folder : keeps them, ID.npy each
    seed : of all chance
    hook : told how far it is

    Raises
    ------
    ModelError : it is no model for foley
    UsageError, MediaError : see `begun`; or there is no such way
    """
    path, _, way = model.rpartition(":") if model.rpartition(":")[2] in WAYS else (model, "", WAYS[0])
    loaded = load_foley(path)
    begun(folder, {"model": loaded.model.name, "sha256": loaded.model.sha256, "way": way, "seed": seed})
    missing = [clip for clip in clips if not (folder / f"{clip.id}.npy").exists()]
    maker = _drawn if loaded.spec.method == SAMPLERNN else _told
    done, began = len(clips) - len(missing), time.monotonic()
    for clip, wave in maker(loaded, missing, way, seed):
        keep(wave, folder / f"{clip.id}.npy")
        done += 1
        hook(f"{folder.name}: {done} of {len(clips)} clips, {time.monotonic() - began:.0f} s")
    return read_waves(folder, clips)


def seed_of(clip: Clip, seed: int) -> int:
    """Of the chance of one clip: another one for each, the same whatever the order."""
    return zlib.crc32(f"{seed} {clip.id}".encode())


@cache
def _bank() -> Bank:
    """The blows that `clapboard foley` lays where nobody gives others."""
    return modal_bank()


def _told(model: FoleyModel, clips: Sequence[Clip], way: str, seed: int) -> Iterator[tuple[Clip, F32]]:
    """Waves of a model that tells cues: as `clapboard foley` makes the first candidate of a shot, or of the log-mel."""
    auto = vocoder_of(model.vocoder, "auto", model.spec.name)
    chosen = None if way == WAYS[0] else vocoder_of(model.vocoder, way, model.spec.name)
    for clip in clips:
        images, own = np.ascontiguousarray(clip.images), seed_of(clip, seed)
        if chosen is not None:
            yield clip, chosen(model.cues(images).mel)
            continue
        maker = CueMaker(model, _bank(), auto, model.velocity, candidates=1, seed=own)
        maker.push(images)
        maker.end_shot(0)
        yield clip, maker.takes()[0].finished(len(clip.wave))[0]


def _drawn(model: FoleyModel, clips: Sequence[Clip], way: str, seed: int) -> Iterator[tuple[Clip, F32]]:
    """Waves of a SampleRNN, those of many clips at once."""
    if way != WAYS[0]:
        raise UsageError(f"{model.spec.name} draws its waves; it takes no {way}")
    generator = SampleRnnGenerator(model)
    ordered = sorted(clips, key=lambda clip: len(clip.images))  # all are drawn as long as the longest
    for first in range(0, len(ordered), AT_ONCE):
        some = ordered[first : first + AT_ONCE]
        waves = generator([np.ascontiguousarray(clip.images) for clip in some], 1, seed_of(some[0], seed))
        yield from ((clip, wave[0]) for clip, wave in zip(some, waves, strict=True))
