"""Measure a model on tracks whose offset is known: pieces at known shifts, whole tracks, frames seen, and controls.

First every track's sound is moved by amounts known to the sample, and each piece is searched for the one it got. The
median error of the long pieces is the model's constant on this data set. With it taken out, the sound is compared with
the picture at true sync for the tables by frames seen, and the controls are measured: a picture that stands still, the
voice of other people, and silence. These three know nothing of the offset, so nothing but chance may be right.

T frames, W picture windows, K lags. About 90 MB of memory an hour of video, with vectors of 256 numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from clapboard.dataset.align import WINDOW_FRAMES, align
from clapboard.dataset.store import Stored
from clapboard.evaluation.calibrate import CONSTANT_S
from clapboard.evaluation.embedder import Candidate, compare, has_unit_length, hear_stored, scores, see
from clapboard.evaluation.pieces import LEAST_SPEECH, QUIET, offset_in, places
from clapboard.evaluation.tracks import Track
from clapboard.metrics.clips import bias_ms
from clapboard.metrics.windows import FRAMES_REACH, FRAMES_SEEN, WINDOWS_AVERAGED, WINDOWS_REACH, accuracy
from clapboard.sync.trust import p_within_frame
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import F64, Distances, Embeddings, Hook

LENGTHS_S = (0.6, 1.0, 2.0, 4.0)
"""Lengths of pieces, s."""
SHIFT_SHARE = 0.8
"""Known shifts lie within this part of the search: +-800 ms of +-1000."""
SHIFTS_PER_TRACK = 6
VOICES = 3
"""Each track is measured with the voices of up to this many others."""
SILENCE_RMS = 2.0
"""Noise that stands for silence, in steps of 16-bit sound: -84 dB of full scale, the hiss of a quiet recording."""
CONTROLS = ("still", "foreign", "silent")


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure: the search both ways, ms, lengths of pieces, s, and what chance decides."""

    max_offset_ms: float = 1000.0
    lengths_s: tuple[float, ...] = LENGTHS_S
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one piece, or one whole track, was answered.

    ``error_ms`` is what was found minus the truth, the model's constant still in it, NaN where nothing was found; ``p``
    is NaN for a model without calibration.
    """

    track: int
    seconds: float
    whole: bool
    error_ms: float
    confidence: float
    p: float


@dataclass(slots=True, eq=False)
class Measured:
    """Everything that was measured, by kind: ``own`` with their own sound at known shifts, and each of `CONTROLS`.

    ``frames_seen`` (C, 9) and ``windows_averaged`` (C, 6) hold the accuracy of every track.
    """

    constant_ms: float = 0.0
    answers: dict[str, list[Answer]] = field(default_factory=lambda: {kind: [] for kind in ("own", *CONTROLS)})
    frames_seen: dict[str, F64] = field(default_factory=dict)
    windows_averaged: dict[str, F64] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Part:
    """Something that is measured: its length, whether it is the whole track, and which windows."""

    seconds: float
    whole: bool
    windows: slice


def measure(
    candidates: Sequence[Candidate], tracks: Sequence[Track], settings: Settings, hook: Hook | None = None
) -> Measured:
    """Measure one model, or several joined by the mean of their similarities.

    ``hook(step, done, total)`` is told how many frames are done.
    """
    bench, found = _Bench(candidates, tracks, settings), Measured()
    total, done = 2.0 * sum(len(track.stored.images) for track in tracks), 0.0
    pictures, parts = list[list[Embeddings]](), list[list[_Part]]()
    for index, track in enumerate(tracks):
        pictures.append([see(candidate.embedder, track.stored.images) for candidate in candidates])
        parts.append(bench.parts(track))
        found.answers["own"] += bench.at_known_shifts(index, pictures[index], parts[index])
        done += len(track.stored.images)
        if hook:
            hook("known shifts", done, total)
    found.constant_ms = constant_of(found.answers["own"])
    rows: dict[str, list[tuple[F64, F64]]] = {kind: [] for kind in ("own", *CONTROLS)}
    for index, track in enumerate(tracks):
        for kind, distances in bench.at_true_sync(index, pictures[index], found.constant_ms):
            if kind != "own":
                found.answers[kind] += bench.answers(index, distances, parts[index], 0.0)
            if len(rows[kind]) == index:  # of several voices the first
                rows[kind].append(bench.accuracies(distances, pictures[index]))
        if len(rows["foreign"]) == index:  # there is nobody else
            rows["foreign"].append((np.full(len(FRAMES_SEEN), np.nan), np.full(len(WINDOWS_AVERAGED), np.nan)))
        done += len(track.stored.images)
        if hook:
            hook("frames seen and controls", done, total)
    found.frames_seen = {kind: np.array([row for row, _ in some]) for kind, some in rows.items()}
    found.windows_averaged = {kind: np.array([row for _, row in some]) for kind, some in rows.items()}
    return found


def constant_of(own: Sequence[Answer]) -> float:
    """The model's constant on a data set, ms: the median error of pieces of 4 s, or of the longest that there are."""
    pieces = [a for a in own if not a.whole and np.isfinite(a.error_ms)]
    longest = max((a.seconds for a in pieces if a.seconds <= CONSTANT_S), default=0.0)
    constant = bias_ms([a.error_ms for a in pieces if a.seconds == longest])
    return constant if np.isfinite(constant) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Bench:
    """The models, the tracks, and how to measure."""

    candidates: Sequence[Candidate]
    tracks: Sequence[Track]
    settings: Settings

    @property
    def window_frames(self) -> int:
        """Frames that a window of all models together sees."""
        return max(candidate.embedder.spec.window_frames for candidate in self.candidates)

    def parts(self, track: Track) -> list[_Part]:
        """Everything to measure in a track: the same frames for every model, by the speech in windows of five."""
        stored = track.stored
        loud = align(stored.images, stored.time_s, stored.samples, stored.start_s, track.reference_ms).loud
        narrower = self.window_frames - WINDOW_FRAMES
        found = [
            _Part(seconds, False, slice(part.start, part.stop - narrower))
            for seconds in self.settings.lengths_s
            for part in places(loud, seconds)
            if part.stop - part.start > narrower
        ]
        if len(loud) > narrower and (loud > QUIET).mean() >= LEAST_SPEECH:
            found.append(_Part(len(loud) / PICTURE_HZ, True, slice(0, len(loud) - narrower)))
        return found

    def at_known_shifts(self, index: int, pictures: Sequence[Embeddings], parts: Sequence[_Part]) -> list[Answer]:
        """All pieces of a track, each with one of the track's shifts."""
        rng, track = np.random.default_rng((self.settings.seed, index)), self.tracks[index]
        reach_samples = SHIFT_SHARE * self.settings.max_offset_ms / 1000 * SAMPLE_RATE_HZ
        truths_ms = np.round(rng.uniform(-reach_samples, reach_samples, SHIFTS_PER_TRACK)) / SAMPLE_RATE_HZ * 1000
        which = rng.integers(SHIFTS_PER_TRACK, size=len(parts))
        found = []
        for number, truth_ms in enumerate(truths_ms.tolist()):
            mine = [part for part, w in zip(parts, which, strict=True) if w == number]
            if mine:
                sounds = self.hear(track.stored, track.reference_ms - truth_ms)
                distances = compare(list(zip(pictures, sounds, strict=True)), self.settings.max_offset_ms / 1000)
                found += self.answers(index, distances, mine, truth_ms)
        return found

    def at_true_sync(
        self, index: int, pictures: Sequence[Embeddings], constant_ms: float
    ) -> Iterator[tuple[str, Distances]]:
        """Distances at true sync by the model's own zero: of the track as it is, and of every control."""
        track, rng = self.tracks[index], np.random.default_rng((self.settings.seed, index, 1))
        stored, search_s = track.stored, max(self.settings.max_offset_ms / 1000, WINDOWS_REACH / PICTURE_HZ)
        own = self.hear(stored, track.reference_ms + constant_ms)
        yield "own", compare(list(zip(pictures, own, strict=True)), search_s)
        still = [_standing(c, stored, seen) for c, seen in zip(self.candidates, pictures, strict=True)]
        yield "still", compare(list(zip(still, own, strict=True)), search_s)
        for other in self.others(index, rng):
            start_s = float(other.stored.start_s - other.stored.time_s[0] + stored.time_s[0])
            voice = self.hear(replace(stored, samples=other.stored.samples, start_s=start_s), 0.0)
            yield "foreign", compare(list(zip(pictures, voice, strict=True)), search_s)
        noise = np.round(rng.normal(0, SILENCE_RMS, len(stored.samples))).astype(np.int16)
        silence = self.hear(replace(stored, samples=noise), 0.0)
        yield "silent", compare(list(zip(pictures, silence, strict=True)), search_s)

    def hear(self, stored: Stored, offset_ms: float) -> list[Embeddings]:
        """Sound of a track for every model once it is delayed by ``offset_ms``."""
        return [hear_stored(candidate, stored, offset_ms) for candidate in self.candidates]

    def others(self, index: int, rng: np.random.Generator) -> list[Track]:
        """Some tracks of other people, at random; those with at least as much sound first."""
        mine = self.tracks[index]
        shuffled = [self.tracks[i] for i in rng.permutation(len(self.tracks))]
        others = [track for track in shuffled if track.person != mine.person]
        return sorted(others, key=lambda track: len(track.stored.samples) < len(mine.stored.samples))[:VOICES]

    def answers(self, index: int, distances: Distances, parts: Sequence[_Part], truth_ms: float) -> list[Answer]:
        """What a model answers to some pieces of a track."""
        reach, middle = round(self.settings.max_offset_ms / 1000 * FEATURE_HZ), distances.values.shape[1] // 2
        kept = slice(middle - reach, middle + reach + 1)
        searched = Distances(distances.values[:, kept], distances.lags_s[kept], distances.time_s)
        calibration = self.candidates[0].calibration if len(self.candidates) == 1 else None
        found = []
        for part in parts:
            offset = offset_in(searched, part.windows)
            p = np.nan if calibration is None else p_within_frame(offset, calibration.bias, calibration.weights)
            found.append(Answer(index, part.seconds, part.whole, offset.offset_ms - truth_ms, offset.confidence, p))
        return found

    def accuracies(self, distances: Distances, pictures: Sequence[Embeddings]) -> tuple[F64, F64]:
        """Accuracy of one track for every number of frames seen, and of windows averaged."""
        unit = all(has_unit_length(picture) for picture in pictures)
        rows = [frames - self.window_frames + 1 for frames in FRAMES_SEEN]
        seen = scores(distances, FRAMES_REACH, unit=unit)
        by_frames = [accuracy(seen, number) if number >= 1 else np.nan for number in rows]
        averaged = scores(distances, WINDOWS_REACH, unit=unit)
        return np.array(by_frames), np.array([accuracy(averaged, number) for number in WINDOWS_AVERAGED])


def _standing(candidate: Candidate, stored: Stored, seen: Embeddings) -> Embeddings:
    """The same windows with the track's middle frame standing still: each has the embedding of that one frame."""
    middle = stored.images[len(stored.images) // 2]
    images = np.repeat(middle[None], candidate.embedder.spec.window_frames, axis=0)
    return Embeddings(np.repeat(see(candidate.embedder, images).values, len(seen.values), axis=0), seen.time_s)
