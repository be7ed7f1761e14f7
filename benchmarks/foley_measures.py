"""What is measured of sounds that were made for clips, and its table; see `foley.py`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from clapboard.errors import UsageError
from clapboard.metrics import generation, onset_match
from clapboard.models.any_session import AnySoundModel
from clapboard.sync.any_trust import judge
from clapboard.sync.attention import correlate
from clapboard.synthesis.mel import log_mel
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import F32, Crops, Features, Seen
from foley_clips import BEFORE_S, FRAME_SAMPLES, KIND, Clip, Waves, onsets_of

PIECE_FRAMES = 120
"""4.8 s: DeSync is measured at the first and the last so many frames of a clip, or over all of a shorter one."""
REACH_MS = 2000.0
STILL_LEVELS = 6
"""A picture that changes by no more is a still; as in `clapboard.anysound`."""
SILENT_PEAK = 1e-4
"""A sound without a sample above this, -80 dB of full scale, is silent."""
LEVEL_PEAK = 0.5
"""Sounds are brought to this peak before anything is measured, so that no level is better than another."""


class Classifier(Protocol):
    """What the sound made for a clip is taken for; ``names`` are all classes it knows."""

    names: tuple[str, ...]

    def __call__(self, clip: Clip, wave: F32) -> str:
        """One of the names."""
        ...


class Sync:
    """Our own model of sync, asked how far a sound is from the picture: what DeSync asks Synchformer.

    Parameters
    ----------
    model : of any sound
    clips : whose pictures are looked at once, for all sounds
    """

    def __init__(self, model: AnySoundModel, clips: Sequence[Clip]) -> None:
        self.model = model
        self._seen: dict[str, list[tuple[int, int, Seen, bool]]] = {}
        for clip in clips:
            frames = len(clip.images)
            spans = {(0, min(PIECE_FRAMES, frames)), (max(frames - PIECE_FRAMES, 0), frames)}
            self._seen[clip.id] = [self._look(clip, *span) for span in sorted(spans)]

    def _look(self, clip: Clip, first: int, end: int) -> tuple[int, int, Seen, bool]:
        images = np.ascontiguousarray(clip.images[first:end])
        moves = int(np.abs(np.diff(images.astype(np.int16), axis=0)).max(initial=0)) > STILL_LEVELS
        return first, end, self.model.look(Crops(0, images, np.arange(first, end) / PICTURE_HZ)), moves

    def __call__(self, clip: Clip, wave: F32) -> Iterator[tuple[float, bool]]:
        """Offset (ms, NaN where there is not even a guess) and whether it is an answer, of every piece of a clip."""
        calibration, zero_ms = self.model.spec.calibration, self.model.spec.zero_ms
        for first, end, seen, moves in self._seen[clip.id]:
            samples = wave[FRAME_SAMPLES * first : FRAME_SAMPLES * end]
            bands = KIND.bands(samples)
            first_s = first / PICTURE_HZ - BEFORE_S + KIND.row_samples / 2 / SAMPLE_RATE_HZ
            valid = np.ones(len(bands), np.bool_)
            sound = self.model.embed_sound(KIND.finish(Features(bands, valid, first_s)), valid, first_s)
            if not len(seen.values) or not len(sound.values):
                yield float("nan"), False
                continue
            bias, weights, told = (
                (calibration.bias, calibration.weights, calibration.told) if calibration else (0.0, None, None)
            )
            answer = judge(
                correlate(seen, sound, REACH_MS / 1000),
                bias,
                weights,
                synchronisable=told,
                moves=moves,
                sounds=bool(np.abs(samples).max(initial=0.0) > SILENT_PEAK),
            )
            yield answer.offset.offset_ms - zero_ms, not answer.offset.reasons


def levelled(wave: F32) -> F32:
    """A sound with `LEVEL_PEAK`; silence as it is."""
    peak = float(np.abs(wave).max(initial=0.0))
    return np.asarray(wave * (LEVEL_PEAK / peak), np.float32) if peak > SILENT_PEAK else np.zeros_like(wave)


class Measures:
    """Everything that is measured of the sounds of some clips.

    Parameters
    ----------
    clips : with their true sounds
    sync : a model of sync, or None
    classifier : of sounds whose classes are the labels of the clips, or None
    """

    def __init__(self, clips: Sequence[Clip], sync: Sync | None, classifier: Classifier | None) -> None:
        self.clips, self.sync, self.classifier = clips, sync, classifier
        self._true = [log_mel(levelled(clip.wave)) for clip in clips]

    def __call__(self, waves: Waves) -> dict[str, Any]:
        """All numbers of one kind of sound, as JSON has them.

        Raises
        ------
        UsageError : a clip has no sound, or one of another length
        """
        sounds = [self._sound(waves, clip) for clip in self.clips]
        found: dict[str, Any] = {"clips": len(sounds), "onsets": self._onsets(sounds)}
        distance = generation.distances([log_mel(sound) for sound in sounds], self._true)
        found["retrieval"] = asdict(generation.retrieval(distance))
        found["envelope"] = self._envelopes(sounds)
        if self.sync is not None:
            pieces = [(c.recording, *said) for c, s in zip(self.clips, sounds, strict=True) for said in self.sync(c, s)]
            names, offsets, told = zip(*pieces, strict=True)
            found["sync"] = asdict(generation.offsets(offsets, told, names))
        if self.classifier is not None and (classes := self._classes(sounds, self.classifier)):
            found["classes"] = classes
        return found

    def _sound(self, waves: Waves, clip: Clip) -> F32:
        if clip.id not in waves or len(waves[clip.id]) != len(clip.wave):
            there = f"{len(waves[clip.id])} samples" if clip.id in waves else "no sound"
            raise UsageError(f"{clip.id}: there are {there}, and {len(clip.wave)} are needed, 640 for each frame")
        return levelled(np.asarray(waves[clip.id], np.float32))

    def _onsets(self, sounds: Sequence[F32]) -> dict[str, Any]:
        """By tolerance in ms."""
        arguments = (
            [clip.true_s for clip in self.clips],
            [onsets_of(s) for s in sounds],
            [c.length_s for c in self.clips],
        )
        how: dict[str, Any] = {
            "period_s": [clip.period_s for clip in self.clips],
            "clips": [clip.recording for clip in self.clips],
        }
        return {
            f"{1000 * tolerance_s:.0f}": asdict(onset_match.evaluate(*arguments, tolerance_s=tolerance_s, **how))
            for tolerance_s in onset_match.TOLERANCES_S
        }

    def _envelopes(self, sounds: Sequence[F32]) -> dict[str, float]:
        """Mean correlation of loudness with the true sound's, and that of the sound of another recording."""
        own, strange = [], []
        rng = np.random.default_rng(0)
        for place, clip in enumerate(self.clips):
            others = [n for n, other in enumerate(self.clips) if other.recording != clip.recording]
            own.append(generation.envelope_correlation(sounds[place], clip.wave))
            strange.append(generation.envelope_correlation(sounds[int(rng.choice(others))], clip.wave))
        return {"correlation": float(np.mean(own)), "control": float(np.mean(strange))}

    def _classes(self, sounds: Sequence[F32], classifier: Classifier) -> dict[str, Any]:
        """What they are taken for, as far as their label is a class that is known; nothing where none is."""
        those = [(c, s) for c, s in zip(self.clips, sounds, strict=True) if c.label in classifier.names]
        if not those:
            return {}
        labels, taken = [c.label for c, _ in those], [classifier(c, s) for c, s in those]
        result = generation.classes(labels, taken, classifier.names, clips=[c.recording for c, _ in those])
        return asdict(result) | {"confusion": result.confusion.tolist()}


def plain(value: Any) -> Any:
    """A value for JSON, in which there is no NaN: None where nothing was measured."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def number(value: float, digits: int = 2) -> str:
    """A number, or a dash where there is none."""
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"


def percent(share: float, digits: int = 0) -> str:
    return number(100 * share, digits)


def interval(of: Sequence[float], digits: int = 2) -> str:
    return f"{number(of[0], digits)} to {number(of[1], digits)}"


TITLES = (
    "sound", "onsets", "F1 50 ms", "moved", "chance", "F1 100 ms", "moved", "chance", "P", "R", "top-1 %", "top-5 %",
    "rank", "envelope", "another's", "answered %", "of answers ms", "of guesses ms", "class %",
)  # fmt: skip


def table(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Markdown of what `Measures` gives for some sounds, by name; the last row is chance."""
    bits, words = (any(name in row for row in rows.values()) for name in ("bits", "evidence"))
    titles = [*TITLES, *(["bits", "wrong", "gap"] if bits else []), *(["onsets above the moved"] if words else [])]
    yield f"| {' | '.join(titles)} |"
    yield "|" + "---|" * len(titles)
    for name, row in rows.items():
        more = [*(_bits(row.get("bits")) if bits else []), *([row["evidence"]] if words else [])]
        yield f"| {' | '.join([name, *_cells(row), *more])} |"
    found = next(iter(rows.values()))["retrieval"]
    classes = next((row["classes"]["chance"] for row in rows.values() if "classes" in row), float("nan"))
    cells = ["chance", *["-"] * 9, percent(found["chance1"], 1), percent(found["chance5"], 1)]
    cells += [number(found["chance_rank"], 1), *["-"] * 5, percent(classes)]
    yield f"| {' | '.join(cells + ['-'] * (len(titles) - len(cells)))} |"


def _cells(row: Mapping[str, Any]) -> list[str]:
    """All columns of a row but its name."""
    near, far = row["onsets"]["50"], row["onsets"]["100"]
    found, sync, classes = row["retrieval"], row.get("sync"), row.get("classes")
    cells = [str(far["found"])]
    for one in (near, far):
        cells += [f"{number(one['f1'])} ({interval(one['interval'])})", number(one["control"]), number(one["chance"])]
    cells += [number(far["precision"]), number(far["recall"])]
    cells += [f"{percent(found['top1'], 1)} ({interval([100 * v for v in found['top1_interval']], 0)})"]
    cells += [percent(found["top5"], 1), number(found["median_rank"], 1)]
    cells += [number(row["envelope"]["correlation"]), number(row["envelope"]["control"])]
    cells += (
        ["-"] * 3
        if sync is None
        else [percent(sync["answered"]), *(number(sync[n], 0) for n in ("answers_ms", "guesses_ms"))]
    )
    return [*cells, "-" if classes is None else percent(classes["balanced"])]


def _bits(row: Mapping[str, Any] | None) -> list[str]:
    if row is None:
        return ["-"] * 3
    return [
        number(row["right"], 3),
        number(row["wrong"], 3),
        f"{number(row['gap'], 3)} ({interval(row['interval'], 3)})",
    ]


def confusion(of: Mapping[str, Any]) -> Iterator[str]:
    """Markdown of what sounds of each class were taken for."""
    yield f"| true | {' | '.join(of['names'])} |"
    yield "|---|" + "---|" * len(of["names"])
    for name, counts in zip(of["names"], of["confusion"], strict=True):
        yield f"| {name} | {' | '.join(map(str, counts))} |"
