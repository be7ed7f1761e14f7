"""Fit the model of who speaks on people that a sync model did not learn from.

Scenes are put together from tracks of a data set, as vectors: the voice of one track, or of several who take turns, and
two to four faces, of which one owns the voice and the others are in their pauses or talk something else; in some nobody
in view owns it. Everybody in a scene was held out by the network that measures it.

F faces, T frames, D features, R rows of sound.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.align import Aligned
from clapboard.errors import UsageError
from clapboard.evaluation.calibrate import logistic
from clapboard.evaluation.embedder import Embedder, embed
from clapboard.speakers.evidence import REACH_S, contrast, to_frames
from clapboard.speakers.states import SpeakingModel, posteriors
from clapboard.sync.distance import distances
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, ROWS_PER_FRAME
from clapboard.values import F32, F64, Embeddings

SCENE_FRAMES = 200
"""Length of a scene: 8 s."""
TURN_S = (1.5, 4.5)
"""Who takes turns speaks for so long, evenly spread (s)."""
LEAST_VOICE_S = 1.6
"""A shorter track lends no voice (s)."""
LEAST_TALK = 0.4
"""A track that speaks less of its time lends none either."""
LEAST_PAUSE_FRAMES = 8
"""A face needs so many frames without a sound of its own to be shown in its pauses."""
KINDS = (("quiet", (2, 3, 4)), ("talking", (2, 3, 4)), ("turns", (2, 3)), ("nobody", (2, 3)), ("partly", (2,)))
"""Kinds of scenes, and with how many faces: listeners in their pauses; listeners who talk something else; people who
take turns; the voice of nobody in view; a voice in view and one that is not, in turns."""
SCENES = 12
"""Of each kind and number of faces."""
TEMPERS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.55, 0.75, 1.0)
"""By what the evidence of one frame is multiplied: neighbouring frames see nearly the same."""
STAYS = (0.97, 0.98, 0.985, 0.99, 0.995)
LOUD = 0.5
"""A frame sounds where more of its sound than this is not quiet."""
LEAST_PROBABILITY = 1e-6
"""What is thought less likely than this costs no more."""


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """One track as vectors: ``picture`` (W, D), ``sound`` (4 W, D) from its first window's middle on, ``loud`` (W,)."""

    speaker: str
    picture: F32
    sound: F32
    loud: F32

    @classmethod
    def of(cls, embedder: Embedder, clip: Aligned) -> "Voice":
        """What a network makes of an aligned track."""
        picture, sound = embed(embedder, clip)
        first = int(np.argmin(np.abs(sound.time_s - picture.time_s[0])))
        frames = min(len(picture.values), (len(sound.values) - first) // ROWS_PER_FRAME)
        heard = sound.values[first : first + ROWS_PER_FRAME * frames]
        return cls(clip.speaker, picture.values[:frames], np.nan_to_num(heard), clip.loud[:frames])

    @property
    def pauses(self) -> F32:
        """Windows of its picture in which it makes no sound."""
        return np.asarray(self.picture[self.loud == 0], np.float32)

    @property
    def lends_voice(self) -> bool:
        """Whether it is long and talkative enough to be heard."""
        return len(self.loud) >= LEAST_VOICE_S * PICTURE_HZ and bool((self.loud > LOUD).mean() >= LEAST_TALK)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A scene as the model of speakers sees it: ``contrast`` (F, T), ``owner`` (T,) who has the voice.

    The owner is -1 where nothing sounds, and F where the voice is that of nobody in view.
    """

    kind: str
    contrast: F32
    owner: NDArray[np.int64]


def scenes(voices: Sequence[Voice], seed: int = 0, each: int = SCENES) -> list[Heard]:
    """Scenes of every kind from the tracks of at least two people.

    Raises
    ------
    UsageError : too few people, or nobody who speaks for long enough
    """
    heard = sorted({v.speaker for v in voices if v.lends_voice})
    people = sorted({v.speaker for v in voices})
    if not heard or len(people) < 2:
        raise UsageError(
            f"who speaks is learned from two people or more, one of whom talks for {LEAST_VOICE_S:g} s; there are "
            f"{len(people)}, of whom {len(heard)} do"
        )
    rng, found = np.random.default_rng(seed), list[Heard]()
    for kind, sizes in KINDS:
        for size in sizes:
            found += [_scene(voices, heard, people, rng, kind=kind, size=size) for _ in range(each)]
    return found


def fit(scenes_of: Sequence[Heard]) -> SpeakingModel:
    """The model under which what is true in the scenes is likeliest.

    The line through the contrast of single frames comes from a logistic regression in which both answers weigh the
    same; how much a frame may say, and how long states last, from the mean log probability of the true state over all
    frames that sound.

    Raises
    ------
    UsageError : in no scene somebody in view speaks
    """
    known = [(s, s.owner >= 0) for s in scenes_of]
    x = np.concatenate([s.contrast[:, on].ravel() for s, on in known]).astype(np.float64)
    y = np.concatenate([(s.owner[None, on] == np.arange(len(s.contrast))[:, None]).ravel() for s, on in known])
    if not y.any() or y.all():
        raise UsageError("who speaks cannot be learned where all faces speak, or none does")
    weight = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    slope, bias = map(float, logistic(np.column_stack([x, np.ones(len(x))]), y.astype(np.float64), weight))
    tried = [SpeakingModel(temper * slope, temper * bias, stay) for temper in TEMPERS for stay in STAYS]
    return max(tried, key=lambda model: likelihood(model, scenes_of))


def scenes_of(
    embedder: Embedder, clips: Sequence[Aligned], say: Callable[[str], None], *, whose: str = ""
) -> list[Heard]:
    """Scenes from the clips of people whom a network did not learn from; none, and why, where these are too few."""
    try:
        return scenes([Voice.of(embedder, clip) for clip in clips])
    except UsageError as error:
        say(f"{whose}not for telling speakers: {error}")
        return []


def tell_speakers(heard: Sequence[Heard], say: Callable[[str], None]) -> SpeakingModel | None:
    """Fit, and say how well it tells the truth of its own scenes; None, and why, where it cannot be fitted."""
    if not heard:
        return None
    try:
        found = fit(heard)
    except UsageError as error:
        say(f"not for telling speakers: {error}")
        return None
    say(
        f"speakers: {len(heard)} scenes; the truth was given a probability of "
        f"{np.exp(likelihood(found, heard)):.1%} (geometric mean over frames that sound)"
    )
    return found


def likelihood(model: SpeakingModel, scenes_of: Sequence[Heard]) -> float:
    """Mean natural log of the probability given to the truth, over the frames that sound."""
    found = list[F64]()
    for scene in scenes_of:
        sounds = scene.owner >= 0
        evidence = np.where(sounds, model.evidence(scene.contrast), 0.0)
        given = posteriors(evidence, np.ones(evidence.shape, np.bool_), model.stay)
        given = np.vstack([given, 1 - given.sum(axis=0)])
        found.append(given[scene.owner[sounds], np.flatnonzero(sounds)])
    return float(np.log(np.maximum(np.concatenate(found), LEAST_PROBABILITY)).mean())


def _scene(
    voices: Sequence[Voice], heard: list[str], people: list[str], rng: np.random.Generator, *, kind: str, size: int
) -> Heard:
    """One scene with up to ``size`` faces: as many as there are people for."""
    owner = str(rng.choice(heard))
    others = [str(p) for p in rng.permutation([p for p in people if p != owner])]
    cast = others[:size] if kind == "nobody" else [owner, *others[: size - 1]]
    away = [p for p in heard if p not in cast] or [owner]
    speakers = {"turns": [p for p in cast if p in heard], "partly": [owner, away[0]]}.get(kind, [owner])
    pieces, sound, truth, left = [list[F32]() for _ in cast], list[F32](), list[NDArray[np.int64]](), SCENE_FRAMES
    turn = 0
    while left > 0:
        who = speakers[turn % len(speakers)]
        longest = SCENE_FRAMES if len(speakers) == 1 else round(rng.uniform(*TURN_S) * PICTURE_HZ)
        own = [v for v in voices if v.speaker == who and v.lends_voice]
        voice = own[rng.integers(len(own))]
        frames = min(longest, len(voice.loud), left)
        start = int(rng.integers(len(voice.loud) - frames + 1))
        sound.append(voice.sound[ROWS_PER_FRAME * start : ROWS_PER_FRAME * (start + frames)])
        place = cast.index(who) if who in cast else len(cast)
        truth.append(np.where(voice.loud[start : start + frames] > LOUD, place, -1))
        for row, person in enumerate(cast):
            talks = kind == "talking" or (kind in ("nobody", "partly") and (row + turn) % 2 == 1)
            shown = voice.picture[start : start + frames] if person == who else None
            pieces[row].append(_listening(voices, person, frames, talks, rng) if shown is None else shown)
        left -= frames
        turn += 1
    strip = np.concatenate(sound)
    on_clock = Embeddings(strip, np.arange(len(strip)) / FEATURE_HZ)
    rows = [_contrast(np.concatenate(piece), on_clock) for piece in pieces]
    return Heard(kind, np.stack(rows), np.concatenate(truth))


def _contrast(picture: F32, sound: Embeddings) -> F32:
    """Contrast of one face at the offset 0, (T,); 0 where there is too little sound around."""
    seen = Embeddings(picture.astype(np.float32), np.arange(len(picture)) / PICTURE_HZ)
    found = contrast(distances(seen, sound, REACH_S))[1]
    return np.nan_to_num(to_frames(found, len(picture)))


def _listening(voices: Sequence[Voice], person: str, frames: int, talks: bool, rng: np.random.Generator) -> F32:
    """Pictures of somebody who is not heard, to and fro until there are enough: in pauses where there are some."""
    own = [v for v in voices if v.speaker == person]
    quiet = [v.pauses for v in own if len(v.pauses) >= LEAST_PAUSE_FRAMES]
    shown = quiet[rng.integers(len(quiet))] if quiet and not talks else own[rng.integers(len(own))].picture
    there_and_back = np.concatenate([shown, shown[::-1]])
    start = int(rng.integers(len(there_and_back)))
    return np.take(there_and_back, np.arange(start, start + frames), axis=0, mode="wrap")
