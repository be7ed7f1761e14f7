"""What is said and when: phrases of random syllables, pauses, and the small movements of a mouth that says nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clapboard.testing.phones import (
    CLUSTERS,
    CODAS,
    CONSONANT_WEIGHTS,
    CONSONANTS,
    DIPHTHONGS,
    VOWEL_WEIGHTS,
    VOWELS,
    Phone,
)
from clapboard.testing.speaker import Speaker

SYLLABLE_S = (0.12, 0.30)
"""Shortest and longest syllable (s)."""


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound of speech: half-open in time, s, on whole milliseconds; ``stress`` 1 is plain, above 1 accented."""

    phone: Phone
    start_s: float
    end_s: float
    stress: float


@dataclass(frozen=True, slots=True)
class Phrase:
    """Sounds without a pause; the mouth opens ``lead_s`` before them and comes to rest ``lag_s`` after (s)."""

    sounds: tuple[Sound, ...]
    lead_s: float
    lag_s: float

    @property
    def start_s(self) -> float:
        """Start of the first sound, s."""
        return self.sounds[0].start_s

    @property
    def end_s(self) -> float:
        """End of the last sound, s."""
        return self.sounds[-1].end_s


GestureKind = Literal["open", "smile", "press", "lick"]
KINDS: tuple[GestureKind | None, ...] = (None, "open", "open", "smile", "press", "lick")


@dataclass(frozen=True, slots=True)
class Gesture:
    """A movement in a pause: ``size`` 0 to 1, ``heard`` the amplitude of the breath that goes with it, mostly 0."""

    kind: GestureKind
    start_s: float
    end_s: float
    size: float
    heard: float


def _pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """Draw a name by weight."""
    names = list(weights)
    part = np.cumsum(list(weights.values()))
    return names[int(np.searchsorted(part, rng.random() * part[-1], side="right"))]


def _syllable(rng: np.random.Generator, tempo: float, length_s: float) -> list[tuple[Phone, float]]:
    """Draw one syllable: its sounds and their lengths, s, which fill ``length_s`` as far as they can be squeezed."""
    onset: list[Phone] = []
    if rng.random() < 0.95:
        first = _pick(rng, CONSONANT_WEIGHTS)
        onset.append(CONSONANTS[first])
        if first in CLUSTERS and rng.random() < 0.2:
            onset.append(CONSONANTS[str(rng.choice(CLUSTERS[first]))])
    vowel = _pick(rng, VOWEL_WEIGHTS)
    vowels = [VOWELS[vowel]]
    if vowel in DIPHTHONGS and length_s > 0.18 and rng.random() < 0.3:
        vowels.append(VOWELS[str(rng.choice(DIPHTHONGS[vowel]))])
    coda = [CONSONANTS[str(rng.choice(CODAS))]] if length_s > 0.2 and rng.random() < 0.35 else []
    around = [phone.length_s * tempo * float(np.exp(rng.normal(0, 0.15))) for phone in onset + coda]
    # aspiration after a stop is taken from the vowel, which therefore needs room for it
    least = 0.06 + sum(phone.breath_s for phone in onset if phone.kind == "stop") + 0.03 * (len(vowels) - 1)
    squeeze = min(1.0, max(length_s - least, 0.04 * len(around)) / max(sum(around), 1e-9))
    around = [length * squeeze for length in around]
    inner = max(length_s - sum(around), least)
    lengths = [*around[: len(onset)], *[inner / len(vowels)] * len(vowels), *around[len(onset) :]]
    return list(zip([*onset, *vowels, *coda], lengths, strict=True))


def _phrase(rng: np.random.Generator, speaker: Speaker, start_s: float) -> list[Sound]:
    """Draw the sounds of one phrase from ``start_s`` on."""
    count = max(2, int(rng.poisson(speaker.phrase_syllables)))
    sounds: list[Sound] = []
    at_ms = round(start_s * 1000)
    for number in range(count):
        stress = float(rng.uniform(1.02, 1.25) if rng.random() < 0.35 else rng.uniform(0.7, 1.0))
        length_s = speaker.syllable_s * float(np.exp(rng.normal(0, 0.15))) * (1.15 if stress > 1 else 1.0)
        length_s *= 1.25 if number == count - 1 else 1.0
        for phone, part_s in _syllable(rng, speaker.syllable_s / 0.19, float(np.clip(length_s, *SYLLABLE_S))):
            end_ms = at_ms + max(20, round(part_s * 1000))
            sounds.append(Sound(phone, at_ms / 1000, end_ms / 1000, stress))
            at_ms = end_ms
    return sounds


def _gestures(rng: np.random.Generator, start_s: float, end_s: float) -> list[Gesture]:
    """Draw movements without speech between two times, none overlapping."""
    found: list[Gesture] = []
    at_s = start_s
    while end_s - at_s > 0.2:
        length_s = min(float(rng.uniform(0.2, 0.8)), end_s - at_s)
        kind = KINDS[int(rng.integers(6))]
        size = float(rng.uniform(0.06, 0.4) if kind == "open" else rng.uniform(0.2, 0.8))
        heard = float(rng.uniform(0.01, 0.06)) if kind == "open" and rng.random() < 0.3 else 0.0
        if kind is not None:
            found.append(Gesture(kind, at_s, at_s + length_s, size, heard))
        at_s += length_s + float(rng.uniform(0.05, 1.0))
    return found


def write_script(
    rng: np.random.Generator,
    speaker: Speaker,
    start_s: float,
    end_s: float,
    *,
    talking: bool,
    quiet: Sequence[tuple[float, float]],
) -> tuple[list[Phrase], list[Gesture]]:
    """Draw what is said between two times.

    Parameters
    ----------
    rng : random numbers, drawn in order of time, so that a later end only adds
    speaker : who speaks
    start_s, end_s : from when to when, s
    talking : False: only movements, no speech
    quiet : ranges (start, end), s, without speech

    Returns
    -------
    phrases, gestures : in order of time, never overlapping
    """
    spoken: list[list[Sound]] = []
    at_s = start_s + float(rng.uniform(0.1, 0.4))
    while talking and at_s < end_s:
        child = rng.spawn(1)[0]
        sounds = _phrase(child, speaker, at_s)
        at_s = sounds[-1].end_s + 0.15 + float(child.exponential(speaker.pause_s))
        run: list[Sound] = []
        for sound in sounds:
            if any(sound.start_s < until and sound.end_s > since for since, until in quiet):
                spoken.append(run)
                run = []
            else:
                run.append(sound)
        spoken.append(run)
    runs = [run for run in spoken if run]
    phrases: list[Phrase] = []
    gestures: list[Gesture] = []
    free_s = start_s
    for number, run in enumerate(runs):
        child = rng.spawn(1)[0]
        before = run[0].start_s - free_s
        after = (runs[number + 1][0].start_s if number + 1 < len(runs) else end_s + 1) - run[-1].end_s
        lead_s = min(float(child.uniform(0.06, 0.2)), 0.4 * before)
        lag_s = min(float(child.uniform(0.08, 0.22)), 0.4 * after)
        gestures += _gestures(child, free_s, run[0].start_s - lead_s)
        phrases.append(Phrase(tuple(run), lead_s, lag_s))
        free_s = run[-1].end_s + lag_s
    gestures += _gestures(rng.spawn(1)[0], free_s, end_s)
    return phrases, gestures
