"""Clips whose sound is to be made: pictures, their true sound, when it has to begin; and sounds that take no model.

A wave of T frames is (640 T,) float32 at 16 kHz, its first sample 20 ms before the time of the first frame: four rows
of 10 ms lie about each frame. Times of onsets count from the first sample.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.store import Dataset
from clapboard.errors import MediaError, UsageError
from clapboard.sound.kinds import KINDS
from clapboard.sound.onsets import events_s
from clapboard.synthesis.cues import TEXTURES
from clapboard.synthesis.laying import add_at
from clapboard.synthesis.modal import MATERIAL_SOUNDS, voice
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ, begin_s
from clapboard.training.anysound.scenes import read_truth
from clapboard.training.anysound.shifts import period_of
from clapboard.values import F32, F64, Features

VIEW = "scene-64"
KIND = KINDS["log-mel-40"]
FRAME_SAMPLES = SAMPLE_RATE_HZ // PICTURE_HZ
BEFORE_S = 0.5 / PICTURE_HZ
"""The first sample lies so long before the time of the first frame."""
SPREAD = 0.3
"""Standard deviation of the natural logarithm of gaps drawn at random: that of 0.40, 0.60, 0.87 s at 10, 50, 90 %."""
GAIN = 0.3
"""Amplitude of blows that are laid without a model: two at once are not cut off."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One clip.

    Attributes
    ----------
    id, recording : as the data set calls it, and whose it is
    label : what is heard: the texture or material of a rendered clip, the class of a real one; empty where nobody says
    images : (T, 64, 64) uint8
    wave : (640 T,) float32, the true sound
    true_s : (E,) when sound has to begin, s from the first sample
    period_s : of a clip that repeats itself exactly
    """

    id: str
    recording: str
    label: str
    images: NDArray[np.uint8]
    wave: F32
    true_s: F64
    period_s: float | None = None

    @property
    def length_s(self) -> float:
        """How long it is."""
        return len(self.wave) / SAMPLE_RATE_HZ


def onsets_of(wave: F32) -> F64:
    """Where a wave begins to sound, s from its first sample: the one picker for all sounds, true or made.

    `clapboard.sound.onsets`, with nothing changed, on rows of log-mel-40. It finds 99.8 % of the blows in the dry sound
    of rendered clips, 3 ms late in the median, and names nothing else.
    """
    peak = float(np.abs(wave).max(initial=0.0))
    if peak <= 0:
        return np.zeros(0)
    bands = KIND.bands(np.asarray(wave / peak, np.float32))  # so that no level is better than another
    rows = Features(bands, np.ones(len(bands), np.bool_), KIND.row_samples / 2 / SAMPLE_RATE_HZ)
    found = events_s(rows)
    return found[(found >= 0) & (found < len(wave) / SAMPLE_RATE_HZ)]


def wave_of(samples: NDArray[np.int16], start_s: float, begin: float, frames: int) -> F32:
    """The sound of so many frames from one at ``begin`` on; where there is none, silence."""
    first = round((begin - BEFORE_S - start_s) * SAMPLE_RATE_HZ)
    found = np.zeros(FRAME_SAMPLES * frames, np.float32)
    low, high = max(first, 0), min(first + len(found), len(samples))
    if low < high:
        found[low - first : high - first] = samples[low:high].astype(np.float32) / np.float32(32767)
    return found


def load_clips(folder: Path, limit: int | None = None, skip: int = 0) -> list[Clip]:
    """Clips of a data set with their truth, or, without a truth, with the onsets that are heard in their sound.

    Raises
    ------
    MediaError : the data set or its truth is missing or damaged
    UsageError : it is no data set of small scenes at 16 kHz
    """
    found = Dataset.open(folder)
    if found.view != VIEW or found.sound_hz != SAMPLE_RATE_HZ:
        raise UsageError(f"{folder}: holds {found.view} with sound at {found.sound_hz} Hz, not {VIEW} at 16000 Hz")
    truth, materials = read_truth(folder / "truth.jsonl"), _materials(folder / "truth.jsonl")
    clips = []
    for entry in found.entries[skip : None if limit is None else skip + limit]:
        stored = found.stored(entry)
        begin = begin_s(np.asarray(stored.time_s, np.float64))
        wave = wave_of(stored.samples, stored.start_s, begin, entry.frames)
        if truth is None:
            heard = onsets_of(wave), period_of(wave)
            clips.append(Clip(entry.id, entry.group, entry.label, stored.images, wave, *heard))
            continue
        if entry.id not in truth:
            raise MediaError(f"{folder / 'truth.jsonl'}: says nothing of {entry.id}; make the data set anew")
        said = truth[entry.id]
        events = said["events"]
        times = np.sort(events[events[:, 1] >= 0, 0] - begin + BEFORE_S)
        times = times[(times >= 0) & (times < entry.frames / PICTURE_HZ)]
        label = materials.get(entry.id, said["kind"])
        clips.append(Clip(entry.id, entry.group, label, stored.images, wave, times, said["period_s"]))
    if len(clips) < 2:
        raise UsageError(f"{folder}: holds {len(clips)} clips; two are needed, to hold one against the other")
    return clips


def _materials(path: Path) -> dict[str, str]:
    """What sounds in every clip by its id, the texture where it has one; nothing without a truth."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    named = {str(row["id"]): row["materials"] for row in rows if row.get("materials")}
    return {name: "+".join([one for one in all_of if one in TEXTURES] or all_of) for name, all_of in named.items()}


Waves = Mapping[str, F32]
"""A sound for each clip, by its id."""


def true_sound(clips: Sequence[Clip]) -> Waves:
    """What was recorded: what no sound can be better than."""
    return {clip.id: clip.wave for clip in clips}


def anothers_sound(clips: Sequence[Clip], seed: int = 0) -> Waves:
    """The true sound of another recording for every clip, as long as its picture: right is only what sets share."""
    rng, found = np.random.default_rng(seed), {}
    for clip in clips:
        others = [other for other in clips if other.recording != clip.recording]
        if not others:
            raise UsageError("all clips are of one recording: there is no other one's sound")
        other = others[int(rng.integers(len(others)))]
        found[clip.id] = np.resize(other.wave, len(clip.wave))
    return found


def silence(clips: Sequence[Clip]) -> Waves:
    """Nothing."""
    return {clip.id: np.zeros(len(clip.wave), np.float32) for clip in clips}


def blows_at(times_s: Sequence[float] | F64, count: int, rng: np.random.Generator) -> F32:
    """A body of some material struck at some times, (count,) samples."""
    body = MATERIAL_SOUNDS[str(rng.choice(sorted(MATERIAL_SOUNDS)))]
    struck, track = voice(rng, body, body.first_hz, sound_hz=SAMPLE_RATE_HZ), np.zeros(count, np.float32)
    for time_s in np.asarray(times_s, np.float64).tolist():
        add_at(track, round(time_s * SAMPLE_RATE_HZ), np.float32(GAIN) * struck.blow(float(rng.uniform(0.4, 0.8))))
    return np.clip(track, -1, 1)


def at_random(clips: Sequence[Clip], seed: int = 0) -> Waves:
    """Blows at random, with the median gap of the true onsets of all clips: what knows the set but not the picture."""
    gaps = [gap for clip in clips for gap in np.diff(clip.true_s).tolist()]
    median_s = float(np.median(gaps)) if gaps else 1.0
    rng, found = np.random.default_rng(seed), {}
    for clip in clips:
        most = 2 + int(4 * clip.length_s / median_s)
        times = np.cumsum(median_s * np.exp(SPREAD * rng.standard_normal(most))) - rng.uniform(0, median_s)
        found[clip.id] = blows_at(times[(times >= 0) & (times < clip.length_s)], len(clip.wave), rng)
    return found


def baselines(clips: Sequence[Clip]) -> dict[str, Waves]:
    """The sounds that always stand in the table."""
    return {
        "true sound": true_sound(clips),
        "another's sound": anothers_sound(clips),
        "silence": silence(clips),
        "blows at random": at_random(clips),
    }
