"""Rows of any kind of sound, made while it streams in.

Row 0 begins with the first sample of the file's sound; its middle, which is the time that counts, lies half a row's
width later. Where the file has no sound there is no row: it is marked, never made of zeros.
"""

import numpy as np

from clapboard.errors import UsageError
from clapboard.sound.kinds import SoundKind
from clapboard.timebase import SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32, Audio, Features

BATCH_SAMPLES = SAMPLE_RATE_HZ
"""Rows are made of so many samples at once, 1 s: codecs give blocks of 20 ms, on which the calls cost more than the
numbers."""
MAX_GAP_S = 3600.0
"""A longer gap in the timestamps is taken for damage (s): rows for a day of nothing would fill the memory."""


class Rows:
    """Collects the rows of a file's sound as it streams in; log-mel-40 keeps about 8 kB a second, mel-80 64 kB.

    Push the runs of sound in the order of time; `features` gives what has come so far. A gap in the timestamps becomes
    rows marked as not valid, an overlap is cut from the later run, and sound behind more than `MAX_GAP_S` is left out.

    Parameters
    ----------
    kind : of the rows, from `clapboard.sound.kinds.KINDS`
    """

    def __init__(self, kind: SoundKind) -> None:
        self.kind = kind
        self._rows = bytearray()  # of rows in the kind's dtype; it grows in place
        self._valid: list[np.ndarray] = []
        # Samples that later rows need, and whether each is sound; never empty, so that they can be joined.
        self._waiting = [np.zeros(0, np.float32)]
        self._waiting_real = [np.zeros(0, np.bool_)]
        self._waiting_count = 0
        self._lead = 0  # rows at the beginning of what waits that are made already
        self._first_s: float | None = None
        self._pushed = 0

    def push(self, audio: Audio) -> None:
        """Take in the next run of sound.

        Raises
        ------
        UsageError : the run is not at 16 kHz
        """
        if audio.rate_hz != SAMPLE_RATE_HZ:
            raise UsageError(f"sound must come at {SAMPLE_RATE_HZ} Hz, not {audio.rate_hz} Hz; resample it first")
        if self._first_s is None:
            self._first_s = audio.start_s
        place = round((audio.start_s - self._first_s) * SAMPLE_RATE_HZ)
        if place - self._pushed > MAX_GAP_S * SAMPLE_RATE_HZ:
            return
        samples = audio.samples[max(0, self._pushed - place) :]
        # Gaps are filled in pieces, so that hours of nothing cost no memory at once.
        while place > self._pushed:
            piece = min(place - self._pushed, 60 * SAMPLE_RATE_HZ)
            self._append(np.zeros(piece, np.float32), real=False)
        self._append(samples, real=True)

    def _append(self, samples: F32, *, real: bool) -> None:
        self._pushed += len(samples)
        self._waiting.append(samples)
        self._waiting_real.append(np.full(len(samples), real))
        self._waiting_count += len(samples)
        if self._waiting_count >= BATCH_SAMPLES:
            self._make_rows()

    def _make_rows(self) -> None:
        """Make all rows that are complete; the samples that later rows need go on waiting."""
        pending, marks = np.concatenate(self._waiting), np.concatenate(self._waiting_real)
        rows = self.kind.bands(pending)[self._lead :]
        made = self._lead + len(rows)
        if len(rows):
            self._rows += rows.astype(self.kind.dtype).tobytes()
            self._valid.append(whole_rows(marks, self.kind)[self._lead :])
        self._lead = min(self.kind.lead_rows, made)
        first = (made - self._lead) * SAMPLES_PER_ROW
        self._waiting, self._waiting_real = [pending[first:]], [marks[first:]]
        self._waiting_count = len(pending) - first

    def features(self) -> Features:
        """All rows so far."""
        self._make_rows()
        first_s = self._first_s if self._first_s is not None else 0.0
        values = np.frombuffer(self._rows, self.kind.dtype).reshape(-1, self.kind.columns).copy()
        valid = np.concatenate(self._valid) if self._valid else np.zeros(0, np.bool_)
        return Features(values, valid, first_s + self.kind.row_samples / 2 / SAMPLE_RATE_HZ)


def whole_rows(real: np.ndarray, kind: SoundKind) -> np.ndarray:
    """Which rows consist of sound alone, (R,) bool, from which samples are sound, (N,) bool; see `SoundKind.bands`."""
    before = np.concatenate([[0], np.cumsum(real)])
    starts = np.arange(max(0, 1 + (len(real) - kind.row_samples) // SAMPLES_PER_ROW)) * SAMPLES_PER_ROW
    return np.asarray(before[starts + kind.row_samples] - before[starts] == kind.row_samples)
