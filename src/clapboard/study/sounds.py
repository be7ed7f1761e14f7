"""Sounds made alike in all that is not to be judged: one length, one rate, one channel, one level."""

from collections.abc import Sequence

import numpy as np

from clapboard.values import F32, Audio

LEVEL = 10 ** (-23 / 20)
"""Root mean square to which sounds are brought, of full scale 1: -23 dB, near the level of broadcasts (EBU R 128)."""
PEAK = 0.9
"""Largest sample after that; leaves room for what the encoder overshoots."""
QUIET = 1e-3
"""Root mean square below which a sound is taken as silent, and left as it is: -60 dB."""


def placed(runs: Sequence[Audio], start_s: float, length: int, rate_hz: int) -> F32:
    """Runs of sound as one wave from a time on, (length,); silence where there is none.

    Parameters
    ----------
    runs : mono at ``rate_hz``, by their own times
    start_s : of the wave, on the same clock
    length : in samples
    rate_hz : of both
    """
    wave = np.zeros(length, np.float32)
    for run in runs:
        first = round((run.start_s - start_s) * rate_hz)
        begin, end = max(first, 0), min(first + len(run.samples), length)
        if begin < end:
            wave[begin:end] = run.samples[begin - first : end - first]
    return wave


def levelled(waves: Sequence[F32]) -> list[F32]:
    """Waves (N,) at one root mean square: `LEVEL`, or as much less as the largest peak of any asks for.

    Whoever is louder is taken for better, so tests of hearing bring all to one level (ITU-R BS.1116-3, section 8). The
    mean square is a plain measure of it, without the weights of loudness.
    """
    levels = [float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if len(wave) else 0.0 for wave in waves]
    heard = [(wave, level) for wave, level in zip(waves, levels, strict=True) if level >= QUIET]
    common = min([LEVEL, *(PEAK * level / float(np.abs(wave).max()) for wave, level in heard)])
    return [
        (wave * np.float32(common / level)).astype(np.float32) if level >= QUIET else wave
        for wave, level in zip(waves, levels, strict=True)
    ]
