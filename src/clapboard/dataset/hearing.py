"""The sound of one file while it streams in: kept as int16, cut out around a time, and how much is to be heard."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.sound.activity import active_rows
from clapboard.sound.kinds import KINDS, SPEECH_KIND
from clapboard.sound.rows import Rows
from clapboard.timebase import FEATURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import Audio

AROUND_S = 4.0
"""Sound kept before and after a track: as far as shifts and normalisation reach in training (s)."""
GAP_S = 0.05
"""Timestamps of sound may jump by so much (s), filled with zeros; a longer hole inside a track drops it."""
LEAST_SOUND = 0.5
"""Least part of a track over which the file has sound."""
NO_SOUND, HOLE = "no sound while the face is in view", "a hole in the sound"
BLOCK_S = Fraction(1, 100)
"""Sound is judged in blocks of 10 ms."""
AUDIBLE_DB = -75.0
"""A block whose mean power is below this is silent (dB of full scale): what codecs and converters leave of nothing."""


class Sound:
    """The sound of a file as int16: 32 kB a second in one channel at 16 kHz.

    Parameters
    ----------
    rate_hz, channels : of what is pushed
    missing : what is said of a time without sound
    within_s : all that is kept, s on the file's clock, half-open; everything by default
    """

    def __init__(
        self,
        rate_hz: int = SAMPLE_RATE_HZ,
        channels: int = 1,
        *,
        missing: str = NO_SOUND,
        within_s: tuple[float, float] = (-float("inf"), float("inf")),
    ) -> None:
        self.rate_hz, self.channels = rate_hz, channels
        self._missing, self._within_s = missing, within_s
        self._runs: list[tuple[int, bytearray]] = []
        self._first_s = 0.0

    def push(self, audio: Audio) -> None:
        """Take the next run of sound; small holes are filled with zeros, larger ones end a run.

        Raises
        ------
        UsageError : it has another rate or number of channels
        """
        channels = 1 if audio.samples.ndim == 1 else audio.samples.shape[1]
        if (audio.rate_hz, channels) != (self.rate_hz, self.channels):
            said = f"{self.rate_hz} Hz in {self.channels} channels, not {audio.rate_hz} Hz in {channels}"
            raise UsageError(f"sound must come at {said}")
        audio = self._inside(audio)
        if not len(audio.samples):
            return
        if not self._runs:
            self._first_s = audio.start_s
            self._runs.append((0, bytearray()))
        samples = np.round(np.clip(audio.samples, -1, 1) * 32767).astype("<i2")
        place, width = round((audio.start_s - self._first_s) * self.rate_hz), 2 * self.channels
        start, run = self._runs[-1]
        hole = place - start - len(run) // width
        if hole > GAP_S * self.rate_hz:
            self._runs.append((place, bytearray(samples.tobytes())))
            return
        run += bytes(width * max(hole, 0))
        samples, behind = samples[max(start - place, 0) :], max(place - start, 0)
        run[width * behind : width * (behind + len(samples))] = samples.tobytes()

    def _inside(self, audio: Audio) -> Audio:
        """The part of a run that lies in the time that is kept, to the sample."""
        low, high = (
            int(np.ceil(np.clip((at - audio.start_s) * audio.rate_hz - 1e-6, 0, len(audio.samples))))
            for at in self._within_s
        )
        if (low, high) == (0, len(audio.samples)):
            return audio
        return Audio(audio.samples[low:high], audio.rate_hz, audio.start_s + low / audio.rate_hz)

    def around(self, start_s: float, end_s: float) -> tuple[NDArray[np.int16], float] | str:
        """Sound from `AROUND_S` before to after a time, up to the next hole, and the time of its first sample, s.

        Returns
        -------
        the samples, (N,) int16 or (N, channels) where there are more, and their start; or in words why there are none
        """
        width = 2 * self.channels
        low, high = (round((time_s - self._first_s) * self.rate_hz) for time_s in (start_s, end_s))
        inside = [(min(high, at + len(run) // width) - max(low, at), at, run) for at, run in self._runs]
        inside = [each for each in inside if each[0] > 0]
        if sum(length for length, _, _ in inside) < LEAST_SOUND * (high - low):
            return self._missing
        if len(inside) > 1:
            return HOLE
        _, at, run = inside[0]
        around = round(AROUND_S * self.rate_hz)
        begin, end = max(low - around - at, 0), min(high + around - at, len(run) // width)
        return self._samples(run, begin, end), self._first_s + (at + begin) / self.rate_hz

    def _samples(self, run: bytearray, begin: int, end: int) -> NDArray[np.int16]:
        """A copy of a part of a run."""
        count, first = (end - begin) * self.channels, 2 * self.channels * begin
        samples = np.frombuffer(run, "<i2", count, first).astype(np.int16)
        return samples if self.channels == 1 else samples.reshape(-1, self.channels)

    @property
    def seconds(self) -> float:
        """Length of the sound, holes included, s."""
        start, run = self._runs[-1] if self._runs else (0, bytearray())
        return (start + len(run) // (2 * self.channels)) / self.rate_hz

    def audible_share(self, start_s: float, end_s: float) -> float:
        """Part of a time in which the file is not silent, 0 to 1: blocks of 10 ms above `AUDIBLE_DB`."""
        low, high = (round((time_s - self._first_s) * self.rate_hz) for time_s in (start_s, end_s))
        block, found = round(BLOCK_S * self.rate_hz), 0
        for at, run in self._runs:
            begin, end = np.clip([low - at, high - at], 0, len(run) // (2 * self.channels)).tolist()
            whole = (end - begin) // block
            samples = self._samples(run, begin, begin + whole * block).astype(np.float32) / 32768
            power = np.square(samples).reshape(whole, block * self.channels).mean(axis=1)
            found += int(np.count_nonzero(power > 10 ** (AUDIBLE_DB / 10)))
        return min(1.0, found * block / max(high - low, block))


class Hearing(Sound):
    """The sound of a file of talking faces, one channel at 16 kHz, and where somebody may speak."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = Rows(KINDS[SPEECH_KIND])
        self._speech: tuple[NDArray[np.bool_], float] | None = None

    def push(self, audio: Audio) -> None:
        """Take the next run of sound; small holes are filled with zeros, larger ones end a run."""
        self._rows.push(audio)
        super().push(audio)

    def speech_share(self, start_s: float, end_s: float) -> float:
        """Part of a time in which the file is not quiet, 0 to 1; see `clapboard.sound.activity`."""
        if self._speech is None:
            features = self._rows.features()
            self._speech = active_rows(features), features.first_s
        active, first_s = self._speech
        first, stop = (max(0, round((time_s - first_s) * FEATURE_HZ)) for time_s in (start_s, end_s))
        return min(1.0, float(active[first:stop].sum() / max((end_s - start_s) * FEATURE_HZ, 1)))
