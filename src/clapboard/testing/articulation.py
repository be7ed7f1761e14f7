"""One set of curves that drives both the lips and the voice, so that time t is the same time in both.

Random speech (`clapboard.testing.script`) is turned into smooth curves at 1 kHz: what the lips do, and what the voice
does. Lips are exactly shut while /p b m/ are held, and a burst starts in the millisecond after they part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.testing.script import Gesture, Phrase, Sound, write_script
from clapboard.testing.speaker import STREAM_SPEECH, Speaker, generator
from clapboard.values import F32, F64

CURVE_HZ = 1000
"""Points of the curves per second (Hz)."""
LEAD_S = 2.0
"""The curves reach this far before 0 and beyond the end, so that shifted sound never runs out (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class Lips:
    """What the mouth does at some times: all (T,) float32; see `Articulation` for their units."""

    opening: F32
    spread: F32
    protrusion: F32
    press: F32
    tuck: F32
    tongue: F32

    def __len__(self) -> int:
        """Number of times."""
        return len(self.opening)


@dataclass(frozen=True, slots=True, eq=False)
class Articulation:
    """Speech as curves: all (M,) float32 but for the formants; point i is at ``start_s + i / rate_hz``.

    Attributes
    ----------
    rate_hz : points per second
    start_s : time of point 0, s; before 0, so that sound can be shifted
    duration_s : length of what is to be shown, s: 0 to ``duration_s``
    opening : height of the opening between the lips; 0 shut, 1 a wide /a/ of an average speaker
    spread : corners of the mouth: -1 rounded, 0 at rest, +1 spread
    protrusion : lips pushed forward, 0 to 1
    press : lips pressed together, 0 to 1
    tuck : lower lip against the upper teeth, 0 to 1
    tongue : tip of the tongue to be seen behind the teeth, 0 to 1
    voicing : amplitude of the voice; 1 is a stressed open vowel
    breath : amplitude of aspiration through the formants
    noise : amplitude of frication and bursts
    noise_hz, noise_width_hz : middle and width of the spectrum of that noise, Hz
    murmur : 1 where the lips or the tongue close the mouth and the voice goes through nose or walls, else 0
    f0_hz : pitch, Hz
    formants_hz : (3, M) F1 to F3 of this speaker, Hz
    sounds : what is said, with start and end of each sound, s
    """

    rate_hz: int
    start_s: float
    duration_s: float
    opening: F32
    spread: F32
    protrusion: F32
    press: F32
    tuck: F32
    tongue: F32
    voicing: F32
    breath: F32
    noise: F32
    noise_hz: F32
    noise_width_hz: F32
    murmur: F32
    f0_hz: F32
    formants_hz: F32
    sounds: tuple[Sound, ...]

    @property
    def time_s(self) -> F64:
        """Time of each point, (M,) s."""
        return self.start_s + np.arange(len(self.opening)) / self.rate_hz

    def at(self, times_s: Sequence[float] | NDArray[Any]) -> Lips:
        """Return the lips at any times (T,), s, by straight lines between the points; the ends are held."""
        # to a nanosecond: else lips part in the last bit of a closure's end
        where = np.round((np.asarray(times_s, np.float64) - self.start_s) * self.rate_hz, 6)
        grid = np.arange(len(self.opening))
        names = ("opening", "spread", "protrusion", "press", "tuck", "tongue")
        return Lips(*(np.interp(where, grid, getattr(self, name)).astype(np.float32) for name in names))


@dataclass
class _Keys:
    """Targets of one curve: times (s), values, and how it moves there: 0 softly, 1 fast at first, 2 fast at last."""

    times: list[float]
    values: list[float]
    eases: list[int]

    def add(self, time_s: float, value: float, ease: int = 0) -> None:
        """Append a target; one that is not later than the last is left out."""
        if not self.times or time_s > self.times[-1]:
            self.times.append(time_s)
            self.values.append(value)
            self.eases.append(ease)

    def draw(self, time_s: F64) -> F64:
        """Return the curve at (M,) times: flat beyond the first and the last target."""
        times, values, eases = np.array(self.times), np.array(self.values), np.array(self.eases)
        right = np.clip(np.searchsorted(times, time_s, side="left"), 1, len(times) - 1)
        left = right - 1
        part = np.clip((time_s - times[left]) / (times[right] - times[left]), 0, 1)
        soft = part * part * (3 - 2 * part)
        ease = eases[right]
        shape = np.where(ease == 1, 1 - (1 - part) ** 2, np.where(ease == 2, part**2, soft))
        return np.asarray(values[left] + (values[right] - values[left]) * shape)


def _smooth(curve: F64, width_s: float) -> F64:
    """Hann smoothing without delay; ``width_s`` is the kernel's whole width."""
    half = max(1, round(width_s * CURVE_HZ / 2))
    kernel = np.hanning(2 * half + 3)
    return np.convolve(np.pad(curve, half + 1, mode="edge"), kernel / kernel.sum(), mode="valid")


def _bump(curve: F64, time_s: F64, on: tuple[float, float], off: tuple[float, float], height: float) -> None:
    """Raise a curve in place to ``height``: rising softly over ``on``, falling over ``off`` (s)."""
    first, last = np.searchsorted(time_s, [on[0], off[1]])
    part = time_s[first:last]
    up = np.clip((part - on[0]) / (on[1] - on[0]), 0, 1)
    down = np.clip((off[1] - part) / (off[1] - off[0]), 0, 1)
    edge = np.minimum(up, down)
    np.maximum(curve[first:last], height * edge * edge * (3 - 2 * edge), out=curve[first:last])


def _opening_keys(phrases: Sequence[Phrase], gestures: Sequence[Gesture], speaker: Speaker, start_s: float) -> _Keys:
    """Return targets of the opening, before the speaker's size is applied."""
    rest = speaker.rest_opening / speaker.opening_size
    keys = _Keys([start_s], [rest], [0])
    parts: list[Phrase | Gesture] = sorted([*phrases, *gestures], key=lambda part: part.start_s)
    for part in parts:
        if isinstance(part, Gesture):
            if part.kind == "open":
                keys.add(part.start_s, rest)
                keys.add((part.start_s + part.end_s) / 2, rest + part.size)
                keys.add(part.end_s, rest)
            continue
        keys.add(part.start_s - part.lead_s, rest)
        after_shut = False
        for sound in part.sounds:
            phone, length = sound.phone, sound.end_s - sound.start_s
            if phone.shut:
                keys.add(sound.start_s, 0.0, 2)
                keys.add(sound.end_s, 0.0)
            elif phone.kind == "vowel":
                assert phone.opening is not None
                # short vowels do not reach their target (Lindblom 1963, "Spectrographic study of vowel reduction")
                value = phone.opening * sound.stress * (1 - np.exp(-length / 0.07))
                rise = min(0.45 * length, 0.03 + 0.05 * value)
                keys.add(sound.start_s + rise, value, int(after_shut))
                keys.add(sound.end_s - min(0.35 * length, 0.03 + 0.03 * value), value)
            elif phone.opening is not None:
                keys.add((sound.start_s + sound.end_s) / 2, phone.opening * (0.5 + 0.5 * sound.stress), int(after_shut))
            after_shut = phone.shut
        keys.add(part.end_s + part.lag_s, rest)
    keys.add(keys.times[-1] + 1, rest)
    return keys


def _steady_keys(phrases: Sequence[Phrase], start_s: float, rests: Sequence[float], targets: Any) -> list[_Keys]:
    """Return keys of curves that glide from sound to sound; ``targets(sound)`` gives a value of each, or None."""
    all_keys = [_Keys([start_s], [rest], [0]) for rest in rests]
    for phrase in phrases:
        for keys, rest in zip(all_keys, rests, strict=True):
            keys.add(phrase.start_s - phrase.lead_s, rest)
        for sound in phrase.sounds:
            length = sound.end_s - sound.start_s
            for keys, value in zip(all_keys, targets(sound), strict=True):
                if value is not None:
                    keys.add(sound.start_s + (0.35 if sound.phone.kind == "vowel" else 0.5) * length, value)
                    if sound.phone.kind == "vowel":
                        keys.add(sound.end_s - 0.25 * length, value)
        for keys, rest in zip(all_keys, rests, strict=True):
            keys.add(phrase.end_s + phrase.lag_s, rest)
    for keys, rest in zip(all_keys, rests, strict=True):
        keys.add(keys.times[-1] + 1, rest)
    return all_keys


def _pitch(phrases: Sequence[Phrase], speaker: Speaker, rng: np.random.Generator, time_s: F64) -> F64:
    """Pitch (M,), Hz: falls along a phrase, with accents on stressed vowels and an end that falls or rises."""
    semitones = np.zeros(len(time_s))
    for phrase in phrases:
        first, last = np.searchsorted(time_s, [phrase.start_s - 0.1, phrase.end_s + 0.1])
        along = (time_s[first:last] - phrase.start_s) / max(phrase.end_s - phrase.start_s, 0.1)
        semitones[first:last] = 2 - 4 * along
        final = rng.uniform(1, 4) * (1 if rng.random() < 0.3 else -1)
        semitones[first:last] += final * np.clip((along - 0.8) / 0.2, 0, 1) ** 2
        for sound in phrase.sounds:
            if sound.phone.kind == "vowel" and sound.stress > 1:
                middle = (sound.start_s + sound.end_s) / 2
                height = speaker.f0_range_st * rng.uniform(0.4, 1.2)
                near = slice(*np.searchsorted(time_s, [middle - 0.3, middle + 0.3]))
                semitones[near] += height * np.exp(-(((time_s[near] - middle) / 0.09) ** 2))
    return np.asarray(np.clip(speaker.f0_hz * 2 ** (_smooth(semitones, 0.06) / 12), 65, 420))


def _voice_curves(phrases: Sequence[Phrase], gestures: Sequence[Gesture], raw: F64, time_s: F64) -> dict[str, F64]:
    """Return voicing, breath, noise, its spectrum, and murmur; ``raw`` is the opening before the speaker's size."""
    zeros = np.zeros(len(time_s))
    step, stress, breath, hiss, burst, murmur = (zeros.copy() for _ in range(6))
    way = zeros + 1  # nothing but the voice's murmur gets out of a closed mouth
    noise_hz, noise_width_hz = zeros + 2000, zeros + 1000
    for phrase in phrases:
        voice_from = -np.inf
        for sound in phrase.sounds:
            phone = sound.phone
            first, last = np.searchsorted(time_s, [sound.start_s - 1e-6, sound.end_s - 1e-6])
            start = int(np.searchsorted(time_s, max(sound.start_s, voice_from) - 1e-6))
            step[start:last] = phone.voiced
            stress[first:last] = sound.stress
            if phone.kind in ("nasal", "stop"):
                murmur[first:last], way[first : last + 1] = 1, 0
            if phone.noise:
                until = last + (25 if phone.kind == "stop" else 0)
                noise_hz[first:until], noise_width_hz[first:until] = phone.noise_hz, phone.noise_width_hz
            if phone.kind == "stop":
                # nothing up to the millisecond in which lips or tongue part, the loudest just after it
                tail = burst[last + 1 : last + 60]
                tail += phone.noise * np.exp(-np.arange(len(tail)) / (6 if phone.shut else 10))
            elif phone.kind == "fricative":
                hiss[first:last] = phone.noise
            if phone.breath_s:
                begin = first if phone.kind == "breathed" else last
                until = min(begin + round(phone.breath_s * CURVE_HZ), len(time_s))
                breath[begin:until] = 0.12 + 0.1 * min(phone.breath_s / 0.05, 1)
                voice_from = begin / CURVE_HZ + time_s[0] + phone.breath_s
        first, last = np.searchsorted(time_s, [phrase.start_s, phrase.end_s])
        step[first:last] *= np.linspace(1.1, 0.75, max(last - first, 0))
    for gesture in gestures:
        if gesture.heard:
            _bump(
                breath,
                time_s,
                (gesture.start_s, gesture.start_s + 0.1),
                (gesture.end_s - 0.1, gesture.end_s),
                gesture.heard,
            )
    # open vowels are louder: about 10 dB between a wide /a/ and lips all but shut
    loudness = 10 ** (-10 * (1 - np.clip(raw, 0, 1) ** 0.6) / 20)
    voicing = _smooth(step, 0.012) * loudness * np.clip(_smooth(stress, 0.05), 0.6, 1.2)
    return {
        "voicing": voicing,
        "breath": _smooth(breath, 0.012) * way * (0.4 + 0.6 * loudness),
        "noise": (_smooth(hiss, 0.03) + burst) * way,
        "noise_hz": noise_hz,
        "noise_width_hz": noise_width_hz,
        "murmur": _smooth(murmur, 0.006),
    }


def speak(
    seed: int,
    duration_s: float,
    *,
    speaker: Speaker | None = None,
    talking: bool = True,
    quiet: Sequence[tuple[float, float]] = (),
    lead_s: float = LEAD_S,
) -> Articulation:
    """Return random speech as curves.

    Parameters
    ----------
    seed : what is said; the same seed, speaker and lead give the same curves, and a longer duration only adds to them
    duration_s : how much is to be shown, s
    speaker : who says it; None draws the person of the same seed
    talking : False for a listener, whose face moves but says nothing
    quiet : ranges (start, end), s, in which nobody speaks; the face keeps moving
    lead_s : how much speech there is before 0 and beyond the end, s

    Raises
    ------
    UsageError : a duration that is not positive, or a negative seed
    """
    if not duration_s > 0:
        raise UsageError(f"duration_s must be positive, not {duration_s}")
    speaker = speaker or Speaker.from_seed(seed)
    start_s, end_s = -round(lead_s * CURVE_HZ) / CURVE_HZ, duration_s + lead_s
    rng = generator(seed, STREAM_SPEECH, 0)
    phrases, gestures = write_script(rng, speaker, start_s, end_s, talking=talking, quiet=quiet)
    # whole milliseconds, as the bounds of sounds are, so that the two compare exactly
    time_s = np.arange(round(start_s * CURVE_HZ), round(end_s * CURVE_HZ) + 1) / CURVE_HZ
    raw = _opening_keys(phrases, gestures, speaker, start_s).draw(time_s)
    lips = {name: np.zeros(len(time_s)) for name in ("press", "tuck", "tongue")}
    for sound in (sound for phrase in phrases for sound in phrase.sounds):
        phone, edges = sound.phone, (sound.start_s, sound.end_s)
        inner = (edges[1] - edges[0]) / 4
        for name, height in (("press", 0.75 * phone.shut), ("tuck", phone.tuck), ("tongue", phone.tongue)):
            if height:
                on, off = (edges[0] - 0.03, edges[0] + inner), (edges[1] - inner, edges[1] + 0.03)
                _bump(lips[name], time_s, on, off, height)
    smile = np.zeros(len(time_s))
    for gesture in gestures:
        quarter = (gesture.end_s - gesture.start_s) / 4
        curve = {"smile": smile, "press": lips["press"], "lick": lips["tongue"]}.get(gesture.kind)
        if curve is not None:
            on, off = (gesture.start_s, gesture.start_s + quarter), (gesture.end_s - quarter, gesture.end_s)
            _bump(curve, time_s, on, off, gesture.size)
    spread, protrusion = _steady_keys(
        phrases, start_s, (0.0, 0.0), lambda sound: (sound.phone.spread, sound.phone.protrusion)
    )
    drift = generator(seed, STREAM_SPEECH, 1).uniform(0, 2 * np.pi, 2)
    mood = 0.1 * np.sin(0.9 * time_s + drift[0]) + 0.06 * np.sin(2.3 * time_s + drift[1])
    spreading = speaker.spread_size * (_smooth(spread.draw(time_s), 0.08) + mood) + smile
    formants = _steady_keys(phrases, start_s, (500.0, 1500.0, 2500.0), lambda sound: sound.phone.formants_hz)
    hz = np.stack([_smooth(keys.draw(time_s), 0.03) for keys in formants]) * speaker.tract
    hz[0] *= 0.6 + 0.4 * np.clip(raw / 0.3, 0, 1)  # a narrow opening of the lips lowers F1
    curves = {
        "opening": raw * speaker.opening_size,
        "spread": np.clip(spreading, -1.3, 1.5),
        "protrusion": _smooth(protrusion.draw(time_s), 0.08),
        **lips,
        **_voice_curves(phrases, gestures, raw, time_s),
        "f0_hz": _pitch(phrases, speaker, generator(seed, STREAM_SPEECH, 2), time_s),
        "formants_hz": hz,
    }
    return Articulation(
        rate_hz=CURVE_HZ,
        start_s=start_s,
        duration_s=float(duration_s),
        sounds=tuple(sound for phrase in phrases for sound in phrase.sounds),
        **{name: curve.astype(np.float32) for name, curve in curves.items()},
    )
