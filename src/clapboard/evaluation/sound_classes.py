"""What a sound is taken for: a classifier learned from true sounds, to be asked of sounds that were made.

Pieces of 1 s of log-mel power, free of the level of their clip, are described by how loud each band usually, mostly and
at its loudest is, how it moves, and how fast it fades; multinomial logistic regression over these. No network: a few
clips of every class are enough, everything follows from the clips, and what it says of a sound can be worked out.

Its accuracy on sounds that were made is no more than what it has on true sounds that it did not learn from. So that
stands beside it always.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import MediaError, UsageError
from clapboard.files import candidate_beside, put_in_place
from clapboard.metrics.generation import NEPER_DB, RANGE_DB
from clapboard.synthesis.mel import MEL_BINS, log_mel
from clapboard.timebase import FEATURE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32, F64

PIECE_ROWS, STEP_ROWS = FEATURE_HZ, FEATURE_HZ // 2
"""Pieces of 1 s, every 0.5 s."""
LEVELS = (10, 50, 90, 98)
"""Percentiles of each band over a piece: what lies under the sound, the usual, and how loud its loudest moments are."""
NUMBERS = (len(LEVELS) + 3) * MEL_BINS
STEPS = 300
"""Steps of accelerated gradient descent; more change no answer."""
STRENGTH = 1e-3
"""Weight of the squared weights against the mean loss."""
MOMENTUM = 0.95
LEAST_SPREAD = 1e-3
"""Numbers that hardly vary in what is learned from are not blown up."""


def pieces(samples: NDArray[np.floating]) -> F64:
    """What is looked at of a sound, (P, `NUMBERS`): a row for each piece; a shorter sound is one piece.

    Parameters
    ----------
    samples : (N,) at 16 kHz, at least 20 ms

    Raises
    ------
    UsageError : shorter, not (N,), or not finite
    """
    wave = np.asarray(samples, np.float32)
    if wave.ndim != 1 or len(wave) < 2 * SAMPLES_PER_ROW or not np.isfinite(wave).all():
        raise UsageError(f"a sound is (N,) finite samples, 20 ms or more, not {wave.shape}")
    wave = wave / max(float(np.abs(wave).max()), 1e-9)  # the floor of the log-mel is no part of the sound
    mel = log_mel(wave[: len(wave) // SAMPLES_PER_ROW * SAMPLES_PER_ROW]).astype(np.float64)
    mel = np.maximum(mel - mel.max(), -RANGE_DB / NEPER_DB)
    found = []
    for first in range(0, max(len(mel) - PIECE_ROWS, 0) + 1, STEP_ROWS):
        rows = mel[first : first + PIECE_ROWS]
        steps = np.diff(rows, axis=0)
        levels = np.percentile(rows, LEVELS, axis=0)
        parts = [(levels - rows.max()).ravel(), steps.std(0), rows.std(0), np.minimum(steps, 0).mean(0)]
        found.append(np.concatenate(parts))
    return np.array(found)


@dataclass(frozen=True, slots=True, eq=False)
class SoundClassifier:
    """A classifier of sounds: ``names`` of its K classes, ``mean`` and ``spread`` (D,), ``weights`` (D + 1, K)."""

    names: tuple[str, ...]
    mean: F64
    spread: F64
    weights: F64

    def scores(self, samples: NDArray[np.floating]) -> F64:
        """Log-probability of every class, mean over the pieces of a sound, (K,).

        Raises
        ------
        UsageError : see `pieces`
        """
        return self._scores(pieces(samples))

    def _scores(self, rows: F64) -> F64:
        return np.asarray(_log_softmax(_augmented(rows, self.mean, self.spread) @ self.weights).mean(0), np.float64)

    def __call__(self, samples: NDArray[np.floating]) -> str:
        """The class that a sound is taken for."""
        return self.names[int(np.argmax(self.scores(samples)))]

    def write(self, path: Path) -> None:
        """Keep it in a file, which may exist.

        Raises
        ------
        MediaError : it cannot be written
        """
        with candidate_beside(path) as candidate:
            try:
                with candidate.open("wb") as file:
                    names = np.array(json.dumps(self.names))
                    np.savez(file, names=names, mean=self.mean, spread=self.spread, weights=self.weights)
            except OSError as error:
                raise MediaError(f"{path}: cannot be written ({error.strerror or error}); make room") from None
            put_in_place(candidate, path, overwrite=True)

    @classmethod
    def read(cls, path: Path) -> "SoundClassifier":
        """What `write` kept.

        Raises
        ------
        MediaError : it cannot be read
        """
        try:
            with np.load(path, allow_pickle=False) as held:
                names = tuple(json.loads(str(held["names"])))
                return cls(names, *(np.asarray(held[name], np.float64) for name in ("mean", "spread", "weights")))
        except (OSError, ValueError, KeyError) as error:
            raise MediaError(f"{path}: is no classifier of sounds ({error}); remove it, it is learned anew") from None


def _augmented(rows: F64, mean: F64, spread: F64) -> F64:
    """Numbers brought to one scale, and a column of ones."""
    return np.hstack([(rows - mean) / spread, np.ones((len(rows), 1))])


def _log_softmax(scores: F64) -> F64:
    """Log-probabilities over the last axis."""
    scores = scores - scores.max(-1, keepdims=True)
    return np.asarray(scores - np.log(np.exp(scores).sum(-1, keepdims=True)), np.float64)


def fit(sounds: Sequence[NDArray[np.floating]], labels: Sequence[str]) -> SoundClassifier:
    """Learn classes from true sounds; every class counts the same, however many sounds it has.

    Parameters
    ----------
    sounds : of (N,) samples at 16 kHz
    labels : the class of each

    Raises
    ------
    UsageError : numbers differ, or there are fewer than two classes
    """
    return fit_pieces([pieces(sound) for sound in sounds], labels)


def fit_pieces(rows: Sequence[F64], labels: Sequence[str]) -> SoundClassifier:
    """`fit` of what `pieces` gives for each sound."""
    names = tuple(sorted(set(labels)))
    if len(rows) != len(labels) or len(names) < 2:
        raise UsageError(f"a classifier needs a label for every sound, of two classes or more: {len(rows)}, {names}")
    x = np.concatenate(list(rows))
    y = np.repeat([names.index(label) for label in labels], [len(those) for those in rows])
    mean, spread = x.mean(0), x.std(0) + LEAST_SPREAD
    x, wanted = _augmented(x, mean, spread), np.eye(len(names))[y]
    # Each class has the same weight in the sum; the bound of the curvature is that of the softmax, one half.
    share = (wanted.sum(0) @ wanted.T) ** -1.0 / len(names)
    rate = 1 / (0.5 * float(np.linalg.norm(x * np.sqrt(share)[:, None], 2)) ** 2 + STRENGTH)
    weights = before = np.zeros((x.shape[1], len(names)))
    for _ in range(STEPS):
        ahead = weights + MOMENTUM * (weights - before)
        slope = x.T @ (share[:, None] * (np.exp(_log_softmax(x @ ahead)) - wanted)) + STRENGTH * ahead
        weights, before = ahead - rate * slope, weights
    return SoundClassifier(names, mean, spread, weights)


def leave_out(
    sounds: Sequence[NDArray[np.floating]], labels: Sequence[str], recordings: Sequence[str], judged: Sequence[F32]
) -> list[str]:
    """What each judged sound is taken for by a classifier that learned from all true sounds but those of its recording.

    Parameters
    ----------
    sounds : N true sounds to learn from
    labels, recordings : the class of each, and which recording it is of
    judged : N sounds, in the same places: the true ones, or what was made for their pictures

    Raises
    ------
    UsageError : numbers differ, or without a recording fewer than two classes are left
    """
    if not len(sounds) == len(labels) == len(recordings) == len(judged):
        raise UsageError(f"as many sounds, labels, recordings and judged: {len(sounds)}, {len(labels)}, {len(judged)}")
    rows, found = [pieces(sound) for sound in sounds], [""] * len(sounds)
    for recording in sorted(set(recordings)):
        kept = [n for n, of in enumerate(recordings) if of != recording]
        classifier = fit_pieces([rows[n] for n in kept], [labels[n] for n in kept])
        for n in set(range(len(sounds))) - set(kept):
            found[n] = classifier(judged[n])
    return found
