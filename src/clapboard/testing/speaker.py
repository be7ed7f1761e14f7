"""Who speaks: the habits of one made-up person, drawn from a seed.

Only what the mouth and the voice share is here; what the face looks like is drawn from the same seed in
`clapboard.testing.identity`.
"""

from dataclasses import dataclass

import numpy as np

from clapboard.errors import UsageError

STREAM_SPEAKER, STREAM_SPEECH, STREAM_VOICE, STREAM_FACE, STREAM_POSE, STREAM_CAMERA, STREAM_CROP = range(7)
"""Independent streams of random numbers of one seed, so that a change in one part leaves the others as they were."""


def generator(seed: int, stream: int, *more: int) -> np.random.Generator:
    """Random numbers of one part of one seed.

    Raises
    ------
    UsageError : the seed is negative
    """
    if seed < 0:
        raise UsageError(f"seed must be 0 or more, not {seed}")
    return np.random.default_rng([seed, stream, *more])


@dataclass(frozen=True, slots=True)
class Speaker:
    """Habits of mouth and voice.

    Attributes
    ----------
    seed : the person; also draws the face
    syllable_s : mean length of a syllable, s
    phrase_syllables : mean number of syllables between two pauses
    pause_s : mean pause, s
    opening_size : how far this person opens the mouth; 0.5 mumbles, 1.4 shouts
    spread_size : how far the corners of the mouth move
    rest_opening : opening of the lips while nobody speaks (0 for most)
    f0_hz : mean pitch, Hz
    f0_range_st : size of the accents, semitones
    tract : scale of the formants; 1 is a man's vocal tract, 1.2 a child's
    tilt : fall of the source spectrum: harmonic k has amplitude ``k ** -tilt``
    breath : share of aspiration noise in the voice
    jitter : relative deviation of the pitch from cycle to cycle
    shimmer : relative deviation of the amplitude from cycle to cycle
    level : root mean square of a stressed open vowel, full scale = 1
    floor : root mean square of the background noise, full scale = 1
    room_s : time in which the echo falls by 60 dB, s; 0 for no room
    room_gain : energy of the echo over that of the direct sound
    """

    seed: int
    syllable_s: float
    phrase_syllables: float
    pause_s: float
    opening_size: float
    spread_size: float
    rest_opening: float
    f0_hz: float
    f0_range_st: float
    tract: float
    tilt: float
    breath: float
    jitter: float
    shimmer: float
    level: float
    floor: float
    room_s: float
    room_gain: float

    @classmethod
    def from_seed(cls, seed: int) -> "Speaker":
        """Draw a person; high voices come with short vocal tracts, as they do in people."""
        rng = generator(seed, STREAM_SPEAKER)
        height = rng.random()  # 0 a deep voice, 1 a child's
        return cls(
            seed=seed,
            syllable_s=rng.uniform(0.15, 0.25),
            phrase_syllables=rng.uniform(5, 13),
            pause_s=rng.uniform(0.2, 0.7),
            opening_size=float(np.clip(np.exp(rng.normal(-0.05, 0.3)), 0.5, 1.45)),
            spread_size=rng.uniform(0.6, 1.3),
            rest_opening=rng.uniform(0.02, 0.08) if rng.random() < 0.2 else 0.0,
            f0_hz=float(80 * (300 / 80) ** (0.1 + 0.8 * height)),
            f0_range_st=rng.uniform(1.5, 5),
            tract=0.95 + 0.25 * height + rng.uniform(-0.05, 0.05),
            tilt=rng.uniform(0.9, 1.4),
            breath=rng.uniform(0.02, 0.15),
            jitter=rng.uniform(0.004, 0.015),
            shimmer=rng.uniform(0.02, 0.08),
            level=float(10 ** rng.uniform(-1.45, -0.95)),
            floor=float(10 ** rng.uniform(-4, -2.6)),
            room_s=rng.uniform(0.15, 0.6) if rng.random() < 0.5 else 0.0,
            room_gain=float(10 ** rng.uniform(-1.8, -0.6)),
        )
