"""The whole flow on one page: one decode of the file, streaming, to a report.

decode -> picture grid -> mouths -> picture embeddings   \
                                                          distances -> curves -> offset -> trust -> verdict
decode -> log-mel rows ------------> sound embeddings    /

Crops are of the model's view, rows of its kind of sound (log-mel here). Kept of a file: 80 bytes of such features every
10 ms, half a kilobyte of embedding a frame and face, one curve a second.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard import __version__
from clapboard.media.grid import on_grid
from clapboard.media.probe import probe
from clapboard.media.read import read
from clapboard.models import DEFAULT_MODEL
from clapboard.models.networks import Networks
from clapboard.models.session import SyncModel, load_model
from clapboard.models.store import locate
from clapboard.sound.activity import active_rows
from clapboard.sound.kinds import KINDS, SPEECH_KIND
from clapboard.sound.rows import Rows
from clapboard.sync.consensus import Decision, Face, decide
from clapboard.sync.distance import Curves, curves, distances, join, lag_rows
from clapboard.sync.trust import NOT_CALIBRATED
from clapboard.timebase import FEATURE_HZ, row_positions
from clapboard.values import (
    Audio,
    Clip,
    Crops,
    Embeddings,
    Features,
    Frame,
    Hook,
    Offset,
    Report,
    Shot,
    Track,
    TrackReport,
)
from clapboard.verdict import DEFAULT_PROFILE, Profile, judge, parse_profile
from clapboard.vision.detect import Detector
from clapboard.vision.mouths import MouthFinder
from clapboard.vision.mtcnn import Mtcnn

CHUNK_S = 20.0
"""Sound is embedded in pieces of this length, each once, so that an hour's embeddings are never held (s)."""
SPEECH_NEAR_S = 0.5
"""A window counts when there is sound within this much of it: pauses inside speech count, long silences do not (s)."""
MIN_FACE_PX = 40.0
"""Faces narrower than this may be followed, but nothing is decided by them (px)."""
NO_FACE = "no face was found"
"""The one reason of a file in which there is none to look at."""
WIDEST_MS = 10_000.0
"""A search that is wider than this is not suggested (ms)."""
STILL = 0.97
"""Length of the mean of a track's vectors, by the mean of their lengths, above which its picture does not move: 1 is a
still."""


@lru_cache(maxsize=2)
def _loaded(path: Path, written: tuple[int, int], threads: int) -> SyncModel:
    """A model, kept for the next file: loading it costs as much as measuring a second of video.

    ``written`` (when, how long) tells a model that was exported again from the one that is kept.
    """
    return load_model(path, threads=threads)


@lru_cache(maxsize=2)
def _face_nets(threads: int) -> Mtcnn:
    """The face nets, kept for the next file."""
    return Mtcnn(threads=threads)


@dataclass(slots=True)
class _Lips:
    """Embeddings of one face track as they come; the last frames wait for the next crops.

    ``values`` are the bytes of float16 rows: a bytearray grows in place, so that those of hours are never held twice.
    """

    model: SyncModel
    values: bytearray = field(default_factory=bytearray)
    time_s: list[NDArray[np.float64]] = field(default_factory=list)
    rest: Crops | None = None

    def push(self, crops: Crops) -> None:
        """Embed all windows that are complete."""
        if self.rest is not None:
            joined = np.concatenate([self.rest.images, crops.images])
            crops = Crops(crops.track, joined, np.concatenate([self.rest.time_s, crops.time_s]))
        found = self.model.embed_picture(crops)
        self.values += found.values.astype(np.float16).tobytes()
        self.time_s.append(found.time_s)
        keep = self.model.spec.window_frames - 1
        self.rest = Crops(crops.track, crops.images[-keep:], crops.time_s[-keep:])

    def embeddings(self) -> Embeddings:
        """All of them, (T, D) float16."""
        values: NDArray[Any] = np.frombuffer(self.values, np.float16).reshape(-1, self.model.spec.embedding)
        return Embeddings(values, np.concatenate(self.time_s))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What one decode of a file gives: sound, and by track number its embeddings and track.

    ``features`` are rows of the model's kind of sound, ``speech`` those by which speech is told; often the same.
    ``shots`` are all of them, with a face or without.
    """

    clip: Clip
    features: Features
    speech: Features
    lips: dict[int, Embeddings]
    tracks: dict[int, Track]
    shots: tuple[Shot, ...] = ()


def mouths(
    clip: Clip,
    finder: MouthFinder,
    hear: Callable[[Audio], None],
    *,
    hook: Hook | None = None,
    threads: int = 1,
    silent: bool = False,
) -> Iterator[Crops]:
    """Decode a file once: the mouths of every face as they are found, while ``hear`` takes the sound as it comes.

    Raises
    ------
    MediaError : the file cannot be read, has no picture, or has no sound; with ``silent`` it needs none
    """
    audio = clip.audio is not None or not silent

    def pictures() -> Iterator[Frame]:
        for item in read(clip, audio=audio, colour=finder.view.colour, hook=hook, threads=threads):
            if isinstance(item, Frame):
                yield item
            else:
                hear(item)

    for grid, frame in on_grid(pictures()):
        yield from finder.push(grid, frame)
    yield from finder.close()


def measure(
    path: str | Path,
    model: SyncModel,
    *,
    data: bytes | None = None,
    audio_track: int | None = None,
    detector: Detector | None = None,
    hook: Hook | None = None,
    threads: int = 1,
    silent: bool = False,
) -> Measured:
    """Decode a file once: its sound as features, the lips of every face as embeddings (float16).

    Raises
    ------
    MediaError : the file cannot be read, has no picture, or has no sound; with ``silent`` it needs none
    """
    clip = probe(path, data=data, audio_track=audio_track)
    sound = {name: Rows(KINDS[name]) for name in {model.spec.sound, SPEECH_KIND}}
    finder, lips = MouthFinder(detector or _face_nets(threads), view=model.spec.view), dict[int, _Lips]()

    def hear(run: Audio) -> None:
        for rows in sound.values():
            rows.push(run)

    for crops in mouths(clip, finder, hear, hook=hook, threads=threads, silent=silent):
        lips.setdefault(crops.track, _Lips(model)).push(crops)
    embeddings = {number: stream.embeddings() for number, stream in lips.items()}
    heard = {name: rows.features() for name, rows in sound.items()}
    tracks = {track.number: track for track in finder.tracks}
    return Measured(clip, heard[model.spec.sound], heard[SPEECH_KIND], embeddings, tracks, tuple(finder.shots))


def sound_between(features: Features, model: Networks[Any], begin: int, end: int) -> Embeddings:
    """Embeddings of the windows that lie inside rows begin to end, as far as the file has these rows."""
    low = min(max(begin, 0), len(features.values))
    high = max(min(end, len(features.values)), low)
    rows = model.kind.finish(features, low, high)
    return model.embed_sound(rows, features.valid[low:high], features.first_s + low / FEATURE_HZ)


def side_by_side(
    measured: Measured, model: SyncModel, reach_s: float, hook: Hook | None = None, *, lag_s: float = 0.0
) -> Iterator[tuple[int, Embeddings, Embeddings]]:
    """Pieces of every track in the order of time, with the sound as far as ``reach_s`` to either side of them.

    With ``lag_s`` it is the sound about that much later than the picture.

    Each piece of sound is embedded once for all faces that are in view during it.

    Yields
    ------
    number of the track; its picture, (T, D) float32; the sound, (R, D) float32 every 10 ms
    """
    features, reach, lag = measured.features, round((reach_s + 0.5) * FEATURE_HZ), round(lag_s * FEATURE_HZ)
    size = round(CHUNK_S * FEATURE_HZ)
    places = {
        n: row_positions(lips.time_s, features.first_s)[0] for n, lips in measured.lips.items() if len(lips.time_s)
    }
    if not places or not len(features.values):
        return
    first, end = min(int(p[0]) for p in places.values()), max(int(p[-1]) for p in places.values()) + 1
    for begin in range(first, end, size):
        inside = {n: (place >= begin) & (place < begin + size) for n, place in places.items()}
        inside = {n: here for n, here in inside.items() if here.any()}
        if inside:
            sound = sound_between(features, model, begin + lag - reach, begin + lag + size + reach)
        for number, here in inside.items():
            lips = measured.lips[number]
            yield number, Embeddings(lips.values[here].astype(np.float32), lips.time_s[here]), sound
        if hook:
            hook("compare", (min(begin + size, end) - first) / FEATURE_HZ, (end - first) / FEATURE_HZ)


def curves_of(measured: Measured, model: SyncModel, max_offset_s: float, hook: Hook | None = None) -> dict[int, Curves]:
    """One curve a second for every track."""
    found = dict[int, list[Curves]]()
    speech = np.concatenate([[0], np.cumsum(active_rows(measured.speech))])
    near = round(SPEECH_NEAR_S * FEATURE_HZ)
    for number, picture, sound in side_by_side(measured, model, max_offset_s, hook):
        at = row_positions(picture.time_s, measured.speech.first_s)[0]
        ends = np.clip([at - near, at + near + 1], 0, len(speech) - 1)
        distant = distances(picture, sound, max_offset_s)
        found.setdefault(number, []).append(curves(distant, speech[ends[1]] > speech[ends[0]]))
    return {number: join(parts) for number, parts in found.items()}


def check(
    path: str | Path,
    *,
    data: bytes | None = None,
    profile: str | Profile = DEFAULT_PROFILE,
    max_offset_ms: float = 1000.0,
    audio_track: int | None = None,
    model: str | Path | SyncModel = DEFAULT_MODEL,
    detector: Detector | None = None,
    hook: Hook | None = None,
    threads: int = 1,
) -> Report:
    """Measure how far the sound of a file is from its picture.

    Parameters
    ----------
    path : any mp4, mov, mkv, webm, avi, ts, mpg ... with a face that speaks
    data : the bytes of the file where it is in memory; ``path`` is only its name then, and nothing is opened by it
    profile : tolerance that decides between in and out of sync, see `clapboard.verdict`
    max_offset_ms : search range, both ways, 40 to 60000
    audio_track : which audio stream, counted from 0; the default one where None
    model : bundled name, path of a model's JSON, or a loaded model
    detector : finds faces; MTCNN where None
    hook : called as ``hook(step, done, total)`` while it works
    threads : for decoding and for the networks

    Returns
    -------
    Report, its ``offset.offset_ms`` positive when the sound is early. Where the file gives no answer the status is
    ``undecided`` and ``offset.reasons`` says why.

    Raises
    ------
    MediaError : the file cannot be read, or has no picture or no sound
    UsageError : an argument makes no sense
    ModelError : the model cannot be loaded
    """
    tolerance = parse_profile(profile)
    lag_rows(max_offset_ms / 1000)  # a bad range is refused before the file is decoded
    loaded = opened(model, threads)
    measured = measure(path, loaded, data=data, audio_track=audio_track, detector=detector, hook=hook, threads=threads)
    return report_on(str(path), measured, loaded, tolerance, max_offset_ms, hook=hook)


def opened(model: str | Path | SyncModel, threads: int = 1) -> SyncModel:
    """A model that is loaded already, a bundled one by its name, or one from the path of its JSON."""
    if isinstance(model, SyncModel):
        return model
    path = locate(model).resolve()
    described = path.stat()
    return _loaded(path, (described.st_mtime_ns, described.st_size), threads)


def report_on(
    file: str,
    measured: Measured,
    loaded: SyncModel,
    tolerance: Profile,
    max_offset_ms: float,
    *,
    hook: Hook | None = None,
) -> Report:
    """What is said of a file that has been decoded; see `check`."""
    found = curves_of(measured, loaded, max_offset_ms / 1000, hook)
    calibration = loaded.spec.calibration
    bias, weights = (calibration.bias, calibration.weights) if calibration else (0.0, None)
    faces = [Face(number, of, _moves(measured.lips[number])) for number, of in sorted(found.items())]
    nothing = Decision(_nothing(measured, max_offset_ms), {}, frozenset())
    decision = decide(faces, bias, weights) if faces else nothing
    offset = on_zero(_explained(decision, measured), loaded.spec.zero_ms)
    tracks = tuple(
        TrackReport(
            number=face.number,
            start_s=measured.tracks[face.number].shot.start_s,
            end_s=measured.tracks[face.number].shot.end_s,
            face_px=measured.tracks[face.number].face_px,
            speaking_share=float(face.curves.windows.sum() / max(face.curves.seen.sum(), 1)),
            offset=on_zero(decision.faces[face.number], loaded.spec.zero_ms),
            decides=face.number in decision.deciders,
        )
        for face in faces
    )
    return Report(
        file=file,
        clip=measured.clip,
        offset=offset,
        tracks=tracks,
        verdict=judge(offset, tolerance, measured.clip.rate),
        model=loaded.model,
        hints=hints(offset, measured, max_offset_ms),
        versions={"clapboard": __version__, "numpy": np.__version__, **loaded.versions, **measured.clip.versions},
    )


def _moves(lips: Embeddings) -> bool:
    """Whether the lips ever change: vectors of a still are all the same."""
    if not len(lips.values):
        return False
    lengths = np.sqrt(np.einsum("td,td->t", lips.values, lips.values, dtype=np.float32))
    return bool(np.linalg.norm(lips.values.mean(0, dtype=np.float32)) < STILL * lengths.mean())


def _nothing(measured: Measured, max_offset_ms: float) -> Offset:
    """The answer where no face and sound could be compared."""
    offsets_ms = -1000 * lag_rows(max_offset_ms / 1000) / FEATURE_HZ
    reason = NO_FACE if not measured.lips else "the file has no sound while a face is in view"
    nothing = np.full(len(offsets_ms), np.nan, np.float32)
    return Offset(float("nan"), float("nan"), float("nan"), nothing, offsets_ms, 0, reasons=(reason,))


def _explained(decision: Decision, measured: Measured) -> Offset:
    """The offset of a file with what only the file can tell: silence, and faces smaller than the model knows."""
    offset = decision.offset
    heard = measured.speech.valid.any()
    if offset.reasons and measured.lips and heard and not active_rows(measured.speech).any():
        return replace(offset, reasons=("the sound is silent",))
    widest_px = max((measured.tracks[number].face_px for number in decision.deciders), default=MIN_FACE_PX)
    if widest_px < MIN_FACE_PX:
        small = f"the face that decides is {widest_px:.0f} px wide, {MIN_FACE_PX:.0f} px are needed"
        return replace(offset, reasons=(*offset.reasons, small))
    return offset


def on_zero(offset: Offset, zero_ms: float) -> Offset:
    """The offset counted from Clapboard's zero instead of the model's own."""
    return replace(offset, offset_ms=offset.offset_ms + zero_ms, offsets_ms=offset.offsets_ms + zero_ms)


def hints(offset: Offset, measured: Measured, max_offset_ms: float) -> tuple[str, ...]:
    """What would help where there is no answer."""
    if not offset.reasons:
        return ()
    found = []
    widths = [t.face_px for t in measured.tracks.values()]
    if not widths:
        found.append(f"a face must be at least {MIN_FACE_PX:.0f} px wide, its eyes and mouth in view")
    elif max(widths) < 1.5 * MIN_FACE_PX:
        found.append(f"faces are at most {max(widths):.0f} px wide; larger ones are measured more surely")
    if any("edge of the search" in reason for reason in offset.reasons) and max_offset_ms < WIDEST_MS:
        found.append(f"search further: --max-offset-ms {min(3 * max_offset_ms, WIDEST_MS):.0f}")
    audio_streams = sum(stream.kind == "audio" for stream in measured.clip.streams)
    if audio_streams > 1:
        found.append(f"the file has {audio_streams} audio tracks; choose another one with --audio-track N")
    if any("do not match clearly" in reason for reason in offset.reasons):
        found.append("the voice may not be that of a face in view; a longer piece of speech would tell")
    if NOT_CALIBRATED in offset.reasons:
        found.append(
            f"fit the model's probability on clips of its own (docs/training.md), or use --model {DEFAULT_MODEL}"
        )
    return tuple(found)
