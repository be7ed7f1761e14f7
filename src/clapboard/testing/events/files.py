"""Rendered events as files, with an offset that is known to the sample."""

from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.values import F32, F64

AAC_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Rates that AAC can have, Hz; others, such as the 21 kHz of the multisensory network, become FLAC where possible."""
FLAC_IN = (".mp4", ".mkv")


class Rendered(Protocol):
    """What is written of a rendered clip; see `clapboard.testing.events.clip.EventClip`."""

    @property
    def images(self) -> NDArray[np.uint8]:
        """(T, px, px) or (T, px, px, 3)."""

    @property
    def time_s(self) -> F64:
        """(T,) s."""

    @property
    def samples(self) -> F32:
        """(N,) or (N, channels) in [-1, 1]."""

    @property
    def sound_hz(self) -> int:
        """Rate of the samples."""

    @property
    def around(self) -> F32:
        """The same sound, from before the clip to as long after it."""


def write_events(
    clip: Rendered, path: str | Path, *, offset_ms: float = 0.0, silent: bool = False, overwrite: bool = False
) -> Path:
    """Encode a clip whose sound is early by a known amount.

    The pictures stay; sample n plays what happens at ``n / sound_hz + offset_ms / 1000``. Whatever the offset, the
    sound is cut out of a longer one: nothing is padded, so neither of its ends tells the offset.

    Parameters
    ----------
    clip : from `render_events` or `render_texture`; the sides of its pictures must be even
    path : mp4, mov, mkv, webm, ts, mpg or avi, by its ending
    offset_ms : by how much the sound is early, rounded to a whole sample; negative for late
    silent : leave the sound out, for `clapboard foley`
    overwrite : replace an existing file

    Returns
    -------
    Path of the file

    Raises
    ------
    UsageError : the offset is beyond the sound that there is around the clip, or the container cannot hold the clip
    MediaError : the file cannot be written
    """
    from clapboard.media.write import write_clip

    lead = (len(clip.around) - len(clip.samples)) // 2
    first = lead + round(offset_ms / 1000 * clip.sound_hz)
    if not 0 <= first <= 2 * lead:
        raise UsageError(f"offset_ms is within +-{1000 * lead / clip.sound_hz:.0f}, not {offset_ms:g}")
    if clip.images.shape[1] % 2:
        raise UsageError(f"videos have even sides, not {clip.images.shape[1]} px; render it with another px")
    # rates are whole, or thousandths over 1001
    rate = Fraction((len(clip.time_s) - 1) / clip.time_s[-1]).limit_denominator(1001)
    if silent:
        write_clip(path, clip.images, rate, overwrite=overwrite)
        return Path(path)
    samples = clip.around[first : first + len(clip.samples)]
    codec = "flac" if Path(path).suffix in FLAC_IN and clip.sound_hz not in AAC_HZ else None
    write_clip(path, clip.images, rate, samples, clip.sound_hz, audio_codec=codec, overwrite=overwrite)
    return Path(path)
