"""What a vocoder is learned from: the sound of data sets of any kind, without their pictures."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.store import Dataset
from clapboard.errors import UsageError
from clapboard.timebase import SAMPLE_RATE_HZ

Waves = dict[str, list[NDArray[np.int16]]]
"""Sound by the name of its data set, (N,) int16 each."""


def load_waves(
    data: Sequence[Path], shares: Mapping[str, float] | None = None, held_out_share: float = 0.0
) -> tuple[Waves, Waves]:
    """Sound to learn from, and that of the last recordings of each data set, so large a share of them.

    Parameters
    ----------
    data : data sets with sound at 16 kHz in one channel
    shares : how often each is drawn from, by its folder's name; of sets without a share nothing is learned

    Raises
    ------
    MediaError : a data set cannot be read
    UsageError : its sound is of another kind, two folders have one name, a share names none of them, or nothing is left
    """
    names = [folder.resolve().name for folder in data]
    if len(set(names)) < len(names):
        raise UsageError(f"data sets are told apart by the names of their folders, and two are equal: {names}")
    unknown = sorted(set(shares or {}) - set(names))
    if unknown:
        raise UsageError(f"the recipe names the data set {', '.join(unknown)}; the data are {', '.join(names)}")
    learn, held = Waves(), Waves()
    for name, folder in zip(names, data, strict=True):
        if shares and not shares.get(name):
            continue
        found = Dataset.open(folder)
        groups = list(dict.fromkeys(entry.group for entry in found.entries))
        away = min(max(round(held_out_share * len(groups)), 1), len(groups) - 1) if held_out_share and groups else 0
        last = set(groups[len(groups) - away :])
        for entry in found.entries:
            # copied: a step draws from any of them, and a view would keep the pictures' pages in memory
            samples = np.array(found.stored(entry).samples)
            if found.sound_hz != SAMPLE_RATE_HZ or samples.ndim != 1:
                raise UsageError(f"{folder}: its sound is not at {SAMPLE_RATE_HZ} Hz in one channel; prepare it so")
            (held if entry.group in last else learn).setdefault(name, []).append(samples)
    if not learn:
        raise UsageError("there is no sound to learn from; give data sets that hold some with --data")
    return learn, held


def digest(waves: Waves) -> str:
    """What is learned from, in its order, which decides what is drawn."""
    found = hashlib.sha256()
    for name, some in waves.items():
        for wave in some:
            found.update(f"{name} {len(wave)} {zlib.crc32(wave.tobytes())}\n".encode())
    return found.hexdigest()
