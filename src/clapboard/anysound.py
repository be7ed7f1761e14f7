r"""Any sound: how far the sound of a file is from its picture, by what happens in it and not by lips.

decode -> picture grid -> shots, squeezed -> vectors and attention   \
                                                                      correlation -> offset -> trust -> verdict
decode -> log-mel rows -------------------> vectors                  /

One decode, streaming. Kept of a file: 80 bytes of sound features every 10 ms, a vector and a map of attention a frame
as float16 (270 bytes with the bundled model), and a few kilobytes a second of correlations.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard import __version__
from clapboard.media.grid import on_grid
from clapboard.media.probe import probe
from clapboard.media.read import read
from clapboard.models import DEFAULT_ANY_SOUND
from clapboard.models.any_session import AnySoundModel, load_any_sound
from clapboard.models.store import locate
from clapboard.pipeline import CHUNK_S, WIDEST_MS, on_zero, sound_between
from clapboard.sound.activity import SILENCE_LOG_POWER
from clapboard.sound.kinds import KINDS
from clapboard.sound.rows import Rows
from clapboard.sync.any_trust import Answer, judge, period_s
from clapboard.sync.attention import BLOCK_S, DEFAULT_REACH_MS, Blocks, correlate, join, lags_tried
from clapboard.sync.trust import NOT_CALIBRATED
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ, row_positions
from clapboard.values import (
    F64,
    Attention,
    Audio,
    Clip,
    Crops,
    Features,
    Frame,
    Hook,
    Offset,
    Report,
    Seen,
)
from clapboard.verdict import DEFAULT_PROFILE, Profile, parse_profile
from clapboard.verdict import judge as verdict_of
from clapboard.vision.scenes import SceneFinder

STILL_LEVELS = 6
"""A picture none of whose 64 x 64 parts ever changes by more from frame to frame does not move (of 255): codecs that
pack a still change single parts by 1 to 3."""


@lru_cache(maxsize=2)
def _loaded(path: Path, written: tuple[int, int], threads: int) -> AnySoundModel:
    """A model, kept for the next file; ``written`` tells one that was exported again from the one that is kept."""
    return load_any_sound(path, threads=threads)


def opened(model: str | Path | AnySoundModel = DEFAULT_ANY_SOUND, threads: int = 1) -> AnySoundModel:
    """A model that is loaded already, a bundled one by its name, or one from the path of its JSON."""
    if isinstance(model, AnySoundModel):
        return model
    path = locate(model).resolve()
    described = path.stat()
    return _loaded(path, (described.st_mtime_ns, described.st_size), threads)


@dataclass(slots=True)
class Sight:
    """What a network makes of the picture as it comes; the last frames of a shot wait for the next.

    Vectors and maps are kept as shares of their window's attention, so that float16 holds them whatever its scale.
    """

    model: AnySoundModel
    moved: int = 0
    time_s: list[F64] = field(default_factory=list)
    _values: bytearray = field(default_factory=bytearray)
    _places: bytearray = field(default_factory=bytearray)
    _attention: bytearray = field(default_factory=bytearray)
    _rest: Crops | None = None

    def push(self, pictures: Crops) -> None:
        """Look at all windows that are complete; none reaches over a cut."""
        rest = self._rest
        if rest is not None and rest.track == pictures.track:
            joined = np.concatenate([rest.images, pictures.images])
            pictures = Crops(pictures.track, joined, np.concatenate([rest.time_s, pictures.time_s]))
        if len(pictures.images) > 1:
            steps = np.abs(np.diff(pictures.images.astype(np.int16), axis=0))
            self.moved = max(self.moved, int(steps.max()))
        seen = self.model.look(pictures)
        attention = seen.places.sum((1, 2), dtype=np.float64)
        share = 1 / np.where(attention > 0, attention, 1)
        self._values += (seen.values * share[:, None]).astype(np.float16).tobytes()
        self._places += (seen.places * share[:, None, None]).astype(np.float16).tobytes()
        self._attention += attention.tobytes()
        self.time_s.append(seen.time_s)
        first = max(len(pictures.images) - self.model.spec.window_frames + 1, 0)
        self._rest = Crops(pictures.track, pictures.images[first:], pictures.time_s[first:])

    def times_s(self) -> F64:
        """Middles of all windows, (T,) s."""
        return np.concatenate([np.zeros(0), *self.time_s])

    def seen(self, which: NDArray[np.bool_], time_s: F64) -> Seen:
        """Some windows, (T,) bool, of those at ``time_s``."""
        spec = self.model.spec
        attention = np.frombuffer(self._attention, np.float64)[which]
        values = np.frombuffer(self._values, np.float16).reshape(-1, spec.embedding)[which]
        places = np.frombuffer(self._places, np.float16).reshape(-1, *spec.places)[which]
        whole = np.maximum(places.sum((1, 2), dtype=np.float64), 1e-9)  # what rounding left of each sum of 1
        return Seen(
            (values * attention[:, None]).astype(np.float32),
            (places * (attention / whole)[:, None, None]).astype(np.float32),
            time_s[which],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """What one decode of a file gives: its sound as features, and what is seen in its picture."""

    clip: Clip
    features: Features
    sight: Sight

    @property
    def sounds(self) -> bool:
        """Whether anything can be heard."""
        heard = self.features.values[self.features.valid]
        return bool(len(heard) and heard.max() > SILENCE_LOG_POWER)


def watch(
    path: str | Path,
    model: AnySoundModel,
    *,
    data: bytes | None = None,
    audio_track: int | None = None,
    hook: Hook | None = None,
    threads: int = 1,
) -> Watched:
    """Decode a file once: its sound as features, its picture as vectors and attention.

    Raises
    ------
    MediaError : the file cannot be read, has no picture, or has no sound
    """
    clip = probe(path, data=data, audio_track=audio_track)
    rows, finder, sight = Rows(KINDS[model.spec.sound]), SceneFinder(model.spec.scene), Sight(model)

    def pictures() -> Iterator[Frame]:
        for item in read(clip, colour=model.scene.colour, hook=hook, threads=threads):
            if isinstance(item, Frame):
                yield item
            else:
                rows.push(item)

    for grid, frame in on_grid(pictures()):
        for crops in finder.push(grid, frame):
            sight.push(crops)
    for crops in finder.close():
        sight.push(crops)
    return Watched(clip, rows.features(), sight)


def blocks_of(watched: Watched, model: AnySoundModel, max_offset_s: float, hook: Hook | None = None) -> Blocks | None:
    """Correlations of a whole file, a block a second; None where no window and no sound could be compared."""
    features, time_s = watched.features, watched.sight.times_s()
    if not len(time_s) or not len(features.values):
        return None
    size, reach = round(CHUNK_S * FEATURE_HZ), round((max_offset_s + 0.5) * FEATURE_HZ)
    place, parts = row_positions(time_s, features.first_s)[0], list[Blocks]()
    first, end = int(place[0]), int(place[-1]) + 1
    for begin in range(first, end, size):
        inside = (place >= begin) & (place < begin + size)
        if inside.any():
            sound = sound_between(features, model, begin - reach, begin + size + reach)
            parts.append(correlate(watched.sight.seen(inside, time_s), sound, max_offset_s))
        if hook:
            hook("compare", (min(begin + size, end) - first) / FEATURE_HZ, (end - first) / FEATURE_HZ)
    return join(parts)


def matched(
    clip: Clip, sight: Sight, sounds: Iterable[Audio], model: AnySoundModel, max_offset_ms: float = DEFAULT_REACH_MS
) -> tuple[Blocks | None, Answer]:
    """How well sound in memory goes with a picture that was watched before; what `check_any_sound` does with a file's.

    Parameters
    ----------
    clip : whose picture it is
    sight : what was seen in it
    sounds : runs at 16 kHz in the order of time, on the file's clock
    max_offset_ms : search range, both ways

    Returns
    -------
    correlations, None where no window and no sound could be compared, and the answer

    Raises
    ------
    UsageError : the sound has another rate, or the range makes no sense
    """
    rows = Rows(KINDS[model.spec.sound])
    for sound in sounds:
        rows.push(sound)
    watched = Watched(clip, rows.features(), sight)
    blocks = blocks_of(watched, model, max_offset_ms / 1000)
    return blocks, _nothing(watched, model, max_offset_ms) if blocks is None else _judged(blocks, watched, model)


def check_any_sound(
    path: str | Path,
    *,
    data: bytes | None = None,
    profile: str | Profile = DEFAULT_PROFILE,
    max_offset_ms: float = DEFAULT_REACH_MS,
    audio_track: int | None = None,
    model: str | Path | AnySoundModel = DEFAULT_ANY_SOUND,
    hook: Hook | None = None,
    threads: int = 1,
) -> Report:
    """Measure how far the sound of a file is from its picture, by anything that is seen when it is heard.

    Parameters
    ----------
    path : any mp4, mov, mkv, webm, avi, ts, mpg ...
    data : the bytes of the file where it is in memory; ``path`` is only its name then, and nothing is opened by it
    profile : tolerance that decides between in and out of sync, see `clapboard.verdict`
    max_offset_ms : search range, both ways, 40 to 60000
    audio_track : which audio stream, counted from 0; the default one where None
    model : bundled name, path of the JSON of a model for any sound, or a loaded one
    hook : called as ``hook(step, done, total)`` while it works
    threads : for decoding and for the networks

    Returns
    -------
    Report, its ``by`` is ``"any sound"``; ``attention`` says when and where was looked, and whether the file could be
    told at all. Where it gives no answer the status is ``undecided`` and ``offset.reasons`` says why.

    Raises
    ------
    MediaError : the file cannot be read, or has no picture or no sound
    UsageError : an argument makes no sense
    ModelError : the model cannot be loaded
    """
    tolerance = parse_profile(profile)
    lags_tried(max_offset_ms / 1000)  # a bad range is refused before the file is decoded
    loaded = opened(model, threads)
    watched = watch(path, loaded, data=data, audio_track=audio_track, hook=hook, threads=threads)
    blocks = blocks_of(watched, loaded, max_offset_ms / 1000, hook)
    answer = _nothing(watched, loaded, max_offset_ms) if blocks is None else _judged(blocks, watched, loaded)
    offset = on_zero(answer.offset, loaded.spec.zero_ms)
    return Report(
        file=str(path),
        clip=watched.clip,
        offset=offset,
        tracks=(),
        verdict=verdict_of(offset, tolerance, watched.clip.rate),
        model=loaded.model,
        hints=hints(answer, watched.clip, max_offset_ms),
        versions={"clapboard": __version__, "numpy": np.__version__, **loaded.versions, **watched.clip.versions},
        by="any sound",
        attention=_attention(blocks, answer, loaded.spec.places),
    )


def _judged(blocks: Blocks, watched: Watched, model: AnySoundModel) -> Answer:
    """What the correlations say, judged by the model's calibration."""
    found = model.spec.calibration
    bias, weights, told = (found.bias, found.weights, found.told) if found else (0.0, None, None)
    moves = watched.sight.moved > STILL_LEVELS
    return judge(blocks, bias, weights, synchronisable=told, moves=moves, sounds=watched.sounds)


def _nothing(watched: Watched, model: AnySoundModel, max_offset_ms: float) -> Answer:
    """The answer where no picture and sound could be compared."""
    lags = lags_tried(max_offset_ms / 1000)
    window_s = model.spec.window_frames / PICTURE_HZ
    reason = "the file has no sound" if len(watched.sight.times_s()) else f"no shot is as long as {window_s:.2f} s"
    nan, curve = float("nan"), np.full(len(lags), np.nan, np.float32)
    offset = Offset(nan, nan, nan, curve, -1000 * lags / FEATURE_HZ, 0, reasons=(reason,))
    told = model.spec.calibration is not None and model.spec.calibration.told is not None
    return Answer(offset, synchronisable=False, p_synchronisable=0.0 if told else nan)


def _attention(blocks: Blocks | None, answer: Answer, places: tuple[int, int]) -> Attention:
    """When and where was looked, for reports."""
    if blocks is None:
        empty = np.zeros((0, *places), np.float32)
        return Attention(np.zeros((0, 2)), np.zeros(0, np.float32), empty, False, answer.p_synchronisable)
    return Attention(
        blocks_s=np.stack([blocks.time_s, blocks.time_s + BLOCK_S], axis=1),
        weights=blocks.weights(),
        maps=blocks.map_weights(),
        synchronisable=answer.synchronisable,
        p_synchronisable=answer.p_synchronisable,
    )


def hints(answer: Answer, clip: Clip, max_offset_ms: float) -> tuple[str, ...]:
    """What would help where there is no answer."""
    reasons = answer.offset.reasons
    if not reasons:
        return ()
    found = []
    unclear = any("do not match clearly" in reason for reason in reasons)
    # An unclear match lies at the edge by chance, and a wider search has more of that.
    if any("edge of the search" in reason for reason in reasons) and not unclear and max_offset_ms < WIDEST_MS:
        found.append(f"search further: --max-offset-ms {min(3 * max_offset_ms, WIDEST_MS):.0f}")
    repeated_ms = 1000 * period_s(answer.offset)
    if any("repeats every" in reason for reason in reasons) and repeated_ms / 2 >= 400:
        found.append(
            f"where the offset is surely below {repeated_ms / 2:.0f} ms, search only so far: "
            f"--max-offset-ms {repeated_ms / 2:.0f}"
        )
    audio_streams = sum(stream.kind == "audio" for stream in clip.streams)
    if audio_streams > 1:
        found.append(f"the file has {audio_streams} audio tracks; choose another one with --audio-track N")
    if unclear:
        found.append("a longer piece, with more that is both seen and heard, would tell")
    if NOT_CALIBRATED in reasons:
        found.append("fit the model's probability on clips of its own (docs/any-sound.md)")
    return tuple(found)
