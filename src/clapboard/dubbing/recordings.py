"""A bank of blows out of a folder of recordings: sounds or videos, cut where something clearly begins to sound."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clapboard.errors import MediaError, UsageError
from clapboard.media.probe import probe
from clapboard.media.read import read_audio
from clapboard.report.plain import counted
from clapboard.sound.kinds import KINDS
from clapboard.sound.onsets import events_s
from clapboard.sound.rows import Rows
from clapboard.synthesis.bank import LONGEST_S, Bank, Sound, bank_of
from clapboard.synthesis.cues import BLOWS, MATERIALS, NONE
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import F32, Audio, Hook

MOST_BLOWS = 3000
"""A bank has at most so many; of more, as many are taken at even distances."""
LEAD_S = 0.2
"""Silence is put before a recording, s: one that begins with its blow has nothing else that it rises from."""
SEARCH_S = (0.025, 0.015)
"""An onset is told to a row of 10 ms; its first sample is looked for from so long before to so long after it, s."""
FIRST_PART, ABOVE_NOISE = 0.1, 3.0
"""The first sample that is this part of the peak of the blow, and so many times the mean of the 20 ms before."""
CLEAR_S = 0.01
"""A blow ends so long before the next one, s ..."""
SHORTEST_S = 0.03
"""... and is left out where it is shorter than this, s."""
RISE_S = 0.0005
"""Blows begin within this time before their first sample, s."""


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """A bank, and what it was made of: ``blows`` out of ``files``, and how many files gave none (``silent``)."""

    bank: Bank
    blows: int
    files: int
    silent: int

    def words(self) -> str:
        """What the user should know of it, in one line."""
        over = (
            f"; passed over, without a sound that clearly begins: {counted(self.silent, 'file')}" if self.silent else ""
        )
        unknown = int((self.bank.materials == MATERIALS.index(NONE)).sum())
        of_what = f", {unknown} of them of no known material" if unknown else ""
        heard = counted(self.files - self.silent, "file")
        return f"the bank has {counted(self.blows, 'blow')} of {heard}{of_what}{over}"


def bank_of_folder(folder: str | Path, *, hook: Hook | None = None) -> Bank:
    """The bank of `gather` alone."""
    return gather(folder, hook=hook).bank


def gather(folder: str | Path, *, hook: Hook | None = None) -> Gathered:
    """Cut the recordings in a folder and all folders below it into a bank of blows.

    The name of a folder says what is struck where it is one of `clapboard.synthesis.cues.BLOWS`; elsewhere nobody
    knows. Files that hold no sound are passed over.

    Parameters
    ----------
    folder : of sounds or videos
    hook : called as ``hook("bank", done, total)``, files

    Raises
    ------
    UsageError : there is no such folder
    MediaError : nothing in it begins to sound clearly
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{folder}: is no folder of recordings; give one that is")
    paths = sorted(Path(top) / name for top, _, names in os.walk(folder) for name in names if not name.startswith("."))
    paths = [path for path in paths if path.is_file()]  # a pipe would be waited for
    sounds: list[Sound] = []
    silent = 0
    rooms: dict[Path, int] = {}
    for number, path in enumerate(paths):
        cuts = list(_cuts(path))
        # Files with one blow each are takes of one thing, as libraries of samples have them.
        body = number if len(cuts) > 1 else len(paths) + rooms.setdefault(path.parent, len(rooms))
        silent += not cuts
        sounds += [Sound(samples, material_of(path, folder), body) for samples in cuts]
        if hook:
            hook("bank", number + 1, len(paths))
    if not sounds and not any(_has_sound(path) for path in paths):
        raise MediaError(f"{folder}: no file in it has a sound that can be read; give a folder of recordings")
    if not sounds:
        raise MediaError(f"{folder}: no recording in it begins to sound clearly; blows in files of their own are best")
    if len(sounds) > MOST_BLOWS:
        sounds = [sounds[place] for place in np.linspace(0, len(sounds) - 1, MOST_BLOWS).astype(int).tolist()]
    return Gathered(bank_of(sounds), len(sounds), len(paths), silent)


def material_of(path: Path, folder: Path) -> str:
    """What the names of the folders of a file say that is struck, the nearest first; ``none`` where they do not."""
    names = [folder.resolve().name, *path.relative_to(folder).parent.parts]
    return next((name.lower() for name in reversed(names) if name.lower() in BLOWS), NONE)


def _has_sound(path: Path) -> bool:
    """Whether a file is one with a sound."""
    try:
        return probe(path).audio is not None
    except MediaError:
        return False


def _cuts(path: Path) -> Iterator[F32]:
    """Blows of one file; none where it holds no sound."""
    try:
        clip = probe(path)
        runs = read_audio(clip) if clip.audio is not None else []
    except MediaError:
        return
    for run in runs:
        yield from cut(run.samples)


def cut(samples: F32) -> Iterator[F32]:
    """Blows of a recording, each from its first sample on.

    Parameters
    ----------
    samples : (N,) float32 at 16 kHz

    Yields
    ------
    (n,) float32, at most 0.5 s
    """
    hz, lead = SAMPLE_RATE_HZ, round(LEAD_S * SAMPLE_RATE_HZ)
    padded = np.concatenate([np.zeros(lead, np.float32), samples, np.zeros(lead, np.float32)])
    rows = Rows(KINDS["log-mel-40"])
    rows.push(Audio(padded, hz, 0.0))
    starts = [_first_sample(padded, round(time_s * hz)) for time_s in events_s(rows.features())]
    ends = [start - round(CLEAR_S * hz) for start in starts[1:]] + [lead + len(samples)] * bool(starts)
    rise = round(RISE_S * hz)
    for start, end in zip(starts, ends, strict=True):
        blow = padded[start - rise : min(end, start + round(LONGEST_S * hz))].copy()
        if len(blow) >= SHORTEST_S * hz:
            blow[:rise] *= np.linspace(0, 1, rise, endpoint=False, dtype=np.float32)
            yield blow


def _first_sample(padded: F32, near: int) -> int:
    """Where an onset begins: the first sample that stands out, near the row that tells it."""
    before, after = (round(span_s * SAMPLE_RATE_HZ) for span_s in SEARCH_S)
    size = np.abs(padded[max(near - 2 * before, 0) : near + 2 * after])
    first = min(near, before)
    noise = float(size[:first].mean()) if first else 0.0
    inside = size[first : first + before + after]
    least = max(FIRST_PART * float(size[first:].max(initial=0.0)), ABOVE_NOISE * noise)
    out = np.flatnonzero(inside >= least)
    return max(near - 2 * before, 0) + first + (int(out[0]) if len(out) else before)
