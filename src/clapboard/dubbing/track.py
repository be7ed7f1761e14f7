"""The sound of a whole file before it is one wave: blows as a plan, all else as waves at their places."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clapboard.synthesis.bank import Bank
from clapboard.synthesis.cues import MATERIALS
from clapboard.synthesis.laying import Blows, add_at, keep_within, strike
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import F32, F64, Audio

BLOCK_S = 60.0
"""A track is played to whoever ranks it in blocks of this length, s."""
END_FADE_S = 0.01
"""What still sounds at the end of the picture fades within this time, s."""
_FULL = 32767


@dataclass(slots=True)
class Pieces:
    """Waves at their places, kept as 16 bits: half of what a track takes."""

    starts: list[int] = field(default_factory=list)
    waves: list[NDArray[np.int16]] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)

    def add(self, start: int, wave: F32) -> None:
        """Keep a wave that begins at a sample."""
        peak = max(float(np.abs(wave).max(initial=0.0)), 1e-9)
        self.starts.append(start)
        self.waves.append(np.rint(wave * np.float32(_FULL / peak)).astype(np.int16))
        self.peaks.append(peak)

    def play(self, track: F32, begin: int) -> None:
        """Add what lies in a track (n,) whose first sample is ``begin``, in place."""
        for start, wave, peak in zip(self.starts, self.waves, self.peaks, strict=True):
            if start < begin + len(track) and start + len(wave) > begin:
                low, high = max(begin - start, 0), begin + len(track) - start
                add_at(track, max(start - begin, 0), wave[low:high].astype(np.float32) * np.float32(peak / _FULL))


@dataclass(slots=True)
class Take:
    """One candidate for the sound of a file.

    Attributes
    ----------
    bank : what its blows are of; None where there are none
    blows : of each shot, on the samples of the file's track
    pieces : all else; candidates may share it
    """

    bank: Bank | None
    pieces: Pieces
    blows: list[Blows] = field(default_factory=list)

    def starts(self) -> NDArray[np.int64]:
        """First samples of all blows, (E,) ascending."""
        return np.sort(np.concatenate([np.zeros(0, np.int64), *(blows.starts for blows in self.blows)]))

    def materials(self) -> tuple[str, ...]:
        """What each of them sounds like, by `MATERIALS`: that of the sound of the bank."""
        if self.bank is None or not self.blows:
            return ()
        order = np.argsort(np.concatenate([blows.starts for blows in self.blows]), kind="stable")
        sounds = np.concatenate([blows.sounds for blows in self.blows])[order]
        return tuple(MATERIALS[number] for number in self.bank.materials[sounds].tolist())

    def wave(self, begin: int, end: int) -> F32:
        """Samples from ``begin`` up to ``end``, at whatever level they have."""
        track = np.zeros(end - begin, np.float32)
        self.pieces.play(track, begin)
        if self.bank is not None:
            for blows in self.blows:
                strike(track, self.bank, blows.heard_in(begin, end).moved(-begin))
        return track

    def played(self, count: int, start_s: float) -> Iterator[Audio]:
        """The whole track of so many samples, the first one at ``start_s``, block by block."""
        step = round(BLOCK_S * SAMPLE_RATE_HZ)
        for begin in range(0, count, step):
            wave = self.wave(begin, min(begin + step, count))
            yield Audio(wave, SAMPLE_RATE_HZ, start_s + begin / SAMPLE_RATE_HZ)

    def finished(self, count: int) -> tuple[F32, float]:
        """The whole track, within full scale and with a faded end, and the factor by which it was made quieter."""
        track = self.wave(0, count)
        factor = keep_within(track)
        fade = min(round(END_FADE_S * SAMPLE_RATE_HZ), count)
        track[count - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        return track, factor


def times_s(samples: NDArray[np.int64], start_s: float) -> F64:
    """Times of samples of a track, s."""
    return np.asarray(start_s + samples / SAMPLE_RATE_HZ, np.float64)
