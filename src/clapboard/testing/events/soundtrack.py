"""The sound of a clip: every blow at its moment, sounds from off screen, and the room, its noise and its hum."""

import numpy as np

from clapboard.synthesis.laying import add_at
from clapboard.synthesis.modal import coloured
from clapboard.testing.events.classes import KINDS, Looks
from clapboard.testing.events.plan import LEAD_S, Event, Plan, off_screen_times
from clapboard.testing.events.sounds import hum, reverberate, voice_of
from clapboard.values import F32

QUIETEST_DB, LOUDEST_DB = -30.0, 0.0
"""Range of the loudest sample of a clip, dB of full scale."""
NOISE_DB, HUM_DB = (-55.0, -26.0), (-60.0, -28.0)
"""Range of the power of noise and of hum, dB of the loudest sample."""


def play(
    rngs: tuple[np.random.Generator, np.random.Generator], plan: Plan, sound_hz: int, channels: int
) -> tuple[F32, tuple[Event, ...]]:
    """Play a plan.

    Parameters
    ----------
    rngs : for the voices of what is seen, and for all the rest
    plan : who sounds when
    sound_hz, channels : of the sound

    Returns
    -------
    around : (N,) or (N, channels) float32, from ``LEAD_S`` before the clip to as much after it
    events : those within the clip, by time
    """
    voices, room = rngs
    tracks = np.zeros((channels, round(plan.seconds * sound_hz) + 2 * round(LEAD_S * sound_hz)), np.float32)
    events = []
    for number, source in enumerate(plan.sources):
        voice = voice_of(voices, source.looks, sound_hz)
        for time_s, impact in zip(source.contacts_s.tolist(), source.impacts.tolist(), strict=True):
            _place(tracks, voice.blow(impact), round((time_s + LEAD_S) * sound_hz), source.x)
            events.append(Event(time_s, number, impact, source.looks.kind))
    if not plan.dry:
        for time_s in off_screen_times(room, plan).tolist():
            looks = Looks.draw(room, KINDS[int(room.integers(len(KINDS)))], plan.part)
            impact, x = float(room.uniform(0.3, 0.9)), float(room.uniform(-0.2, 1.2))
            _place(tracks, voice_of(room, looks, sound_hz).blow(impact), round((time_s + LEAD_S) * sound_hz), x)
            events.append(Event(time_s, -1, impact, looks.kind))
        _furnish(room, tracks, sound_hz)
    peak_db = -1.0 if plan.dry else float(room.uniform(QUIETEST_DB, LOUDEST_DB))
    tracks *= np.float32(10 ** (peak_db / 20) / max(float(np.abs(tracks).max()), 1e-9))
    around = tracks[0] if channels == 1 else np.ascontiguousarray(tracks.T)
    within = (event for event in events if 0 <= event.time_s < plan.seconds)
    return around, tuple(sorted(within, key=lambda event: event.time_s))


def _place(tracks: F32, blow: F32, start: int, x: float) -> None:
    """Add a blow to all tracks from sample ``start`` on; of two, it is heard from column ``x`` (equal power)."""
    turn = np.pi / 2 * min(max(0.2 + 0.6 * x, 0.0), 1.0)
    gains = (1.0,) if len(tracks) == 1 else (float(np.cos(turn)), float(np.sin(turn)))
    for track, gain in zip(tracks, gains, strict=True):
        add_at(track, start, np.float32(gain) * blow)


def _furnish(rng: np.random.Generator, tracks: F32, sound_hz: int) -> None:
    """Add echoes, noise and hum to tracks (channels, N), in place; levels are against the loudest sample."""
    count, peak = tracks.shape[1], float(np.abs(tracks).max())
    noise, buzz = (np.float32(peak * 10 ** (rng.uniform(*span) / 20)) for span in (NOISE_DB, HUM_DB))
    tilt, decay_s, wet = float(rng.choice([0.0, 0.5])), rng.uniform(0.03, 0.15), rng.uniform(0.05, 0.6)
    echoes, hums = rng.random() < 0.6, rng.random() < 0.4
    mains = hum(rng, count, sound_hz) * buzz if hums else np.float32(0)
    for number in range(len(tracks)):
        if echoes:
            tracks[number] = reverberate(rng, tracks[number], sound_hz, decay_s, wet)
        tracks[number] += coloured(rng, count, tilt) * noise + mains
