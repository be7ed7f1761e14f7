"""From a file with a picture to the same file with a sound; the whole way on one page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from clapboard import __version__
from clapboard.anysound import Sight
from clapboard.anysound import opened as opened_ears
from clapboard.dubbing.makers import Maker, maker_of
from clapboard.dubbing.ranking import Ranking, rank
from clapboard.dubbing.recordings import gather
from clapboard.dubbing.track import times_s
from clapboard.errors import MediaError, NoVideoError, UsageError
from clapboard.files import require_writable
from clapboard.media.dub import dub, require_container
from clapboard.media.grid import on_grid
from clapboard.media.probe import probe
from clapboard.media.read import read_frames
from clapboard.media.target import muxer_of
from clapboard.models import DEFAULT_FOLEY
from clapboard.models.foley_session import FoleyModel, load_foley
from clapboard.models.store import locate
from clapboard.synthesis.bank import Bank, modal_bank
from clapboard.synthesis.cues import LEAD_S
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ, begin_s
from clapboard.values import F64, Clip, Crops, Hook, Shot
from clapboard.vision.scenes import SceneFinder

VARIANTS = {"fast": DEFAULT_FOLEY, "frame": "foley-frame", "seq": "foley-seq", "flow": "foley-flow"}
"""The model of each variant: ``fast`` lays blows and draws textures, the others are SampleRNNs by their encoder."""
MOST_CANDIDATES = 16
LONGEST_S = 12 * 3600.0
"""Longest picture, s: its track takes 2.8 GB."""
QUIETER_DB = 0.5
"""It is told when a track was made quieter by more than this, dB."""


@dataclass(frozen=True, slots=True, eq=False)
class FoleyReport:
    """What was made for a file.

    Attributes
    ----------
    out : the file that was written
    variant : how the sound was made
    model : name of the model
    onsets_s : (E,) when blows begin, s on the clock of the input; empty for variants that draw samples
    materials : (E,) what each of them sounds like, a name of `clapboard.synthesis.cues.MATERIALS`; ``none`` where the
        bank does not know
    shots : the shots of the picture
    scores : of each candidate, see `clapboard.dubbing.ranking.Ranking`
    chosen : number of the candidate that was taken, from 0
    judged : whether the any-sound model can tell for this picture; without, the first candidate is taken
    in_sync_ms : by how much the sound is early by the any-sound model; None where it cannot tell
    hints : what the user should know
    versions : of what gave the numbers
    seconds : length of the sound, s
    """

    out: Path
    variant: str
    model: str
    onsets_s: F64 = field(repr=False)
    materials: tuple[str, ...] = field(repr=False)
    shots: tuple[Shot, ...]
    scores: tuple[float, ...]
    chosen: int
    judged: bool
    in_sync_ms: float | None
    hints: tuple[str, ...]
    versions: Mapping[str, str]
    seconds: float


def foley(
    path: str | Path,
    out: str | Path,
    *,
    variant: str = "fast",
    seed: int = 0,
    candidates: int = 3,
    bank: str | Path | Bank | None = None,
    vocoder: str = "auto",
    model: str | Path | FoleyModel | None = None,
    overwrite: bool = False,
    replace_sound: bool = False,
    hook: Hook | None = None,
    threads: int = 1,
) -> FoleyReport:
    """Make a sound for a silent picture, and write both.

    Parameters
    ----------
    path : any mp4, mov, mkv, webm, avi, ts, mpg ...
    out : mp4, mov, mkv, webm, ts or mpg, by its ending; the picture is copied as it is
    variant : ``fast``, or a SampleRNN: ``frame``, ``seq``, ``flow``
    seed : of all that is left to chance; the same seed gives the same sound
    candidates : how many sounds are made, of which the one that goes with the picture best is taken, 1 to 16
    bank : blows for ``fast``: a folder of recordings, or a bank; one that is made in code where None
    vocoder : makes waves of textures: ``griffin-lim``; ``istft``, a network of the model, five times cheaper and less
        true; ``auto``, the first of these
    model : bundled name, path of the JSON of a model, or a loaded one; that of the variant where None
    overwrite : replace an existing ``out``; never the input
    replace_sound : leave out the sound that the file has; without, such a file is refused
    hook : called as ``hook(step, done, total)`` while it works
    threads : for decoding and for the networks

    Returns
    -------
    FoleyReport

    Raises
    ------
    NoVideoError : the file has no picture
    MediaError : the file cannot be read, or ``out`` not written; nothing is left of it then
    UsageError : an argument makes no sense, ``out`` exists or is the input, or the file has a sound already
    ModelError : the model cannot be loaded
    """
    path, out = Path(path), Path(out)
    _require(variant, seed, candidates)
    clip = probe(path)
    _require_target(clip, out, overwrite=overwrite, replace_sound=replace_sound)
    loaded = opened(VARIANTS[variant] if model is None else model, threads)
    _require_variant(loaded, variant, bank)
    ears = opened_ears(threads=threads)
    notes: list[str] = []
    maker = maker_of(loaded, lambda: _bank(bank, notes, hook), vocoder=vocoder, candidates=candidates, seed=seed)
    seen = _watch(clip, loaded.spec.scene, Sight(ears), maker, hook=hook, threads=threads)
    takes = maker.takes()
    count = _samples_of(clip, seen)
    ranking = rank(clip, seen.sight, takes, count=count, start_s=seen.start_s, model=ears, hook=hook)
    take = takes[ranking.chosen]
    starts = take.starts()
    inside = (starts >= 0) & (starts < count)
    samples, factor = take.finished(count)
    left_out = dub(
        path, out, samples, SAMPLE_RATE_HZ, start_s=seen.start_s, replace=replace_sound, overwrite=overwrite, hook=hook
    )
    return FoleyReport(
        out=out,
        variant=variant,
        model=loaded.spec.name,
        onsets_s=times_s(starts[inside], seen.start_s),
        materials=tuple(name for name, heard in zip(take.materials(), inside, strict=True) if heard),
        shots=seen.shots,
        scores=ranking.scores,
        chosen=ranking.chosen,
        judged=ranking.judged,
        in_sync_ms=ranking.offset_ms,
        hints=(*notes, *_hints(ranking, ears.spec.name, bool(samples.any()), factor, left_out)),
        versions={"clapboard": __version__, "numpy": np.__version__, **loaded.versions, **clip.versions},
        seconds=count / SAMPLE_RATE_HZ,
    )


@lru_cache(maxsize=2)
def _loaded(path: Path, written: tuple[int, int], threads: int) -> FoleyModel:
    """A model, kept for the next file; ``written`` tells one that was exported again from the one that is kept."""
    return load_foley(path, threads=threads)


def opened(model: str | Path | FoleyModel = DEFAULT_FOLEY, threads: int = 1) -> FoleyModel:
    """A model that is loaded already, a bundled one by its name, or one from the path of its JSON.

    Raises
    ------
    ModelError : it cannot be loaded
    """
    if not isinstance(model, str | Path):
        return model
    path = locate(model).resolve()
    described = path.stat()
    return _loaded(path, (described.st_mtime_ns, described.st_size), threads)


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    """What one decode gives: when the picture begins and ends, its shots, and what the any-sound model saw."""

    start_s: float
    end_s: float
    shots: tuple[Shot, ...]
    sight: Sight


def _watch(clip: Clip, scene: str, sight: Sight, maker: Maker, *, hook: Hook | None, threads: int) -> _Watched:
    """Show the picture to the maker of its sound, shot by shot, and to the any-sound model."""
    finder, seen_by_it = SceneFinder(scene), sight.model.spec.scene
    its_own = None if seen_by_it == scene else SceneFinder(seen_by_it)
    clock = _Clock()

    def show(parts: list[Crops]) -> None:
        for crops in parts:
            if clock.shot not in (None, crops.track):
                maker.end_shot(clock.end_shot())
            clock.push(crops)
            maker.push(crops.images)
            if its_own is None:
                sight.push(crops)

    def show_it(parts: list[Crops]) -> None:
        for crops in parts:
            sight.push(crops)

    for grid, frame in on_grid(read_frames(clip, colour=finder.scene.colour, hook=hook, threads=threads)):
        show(finder.push(grid, frame))
        if its_own is not None:
            show_it(its_own.push(grid, frame))
    show(finder.close())
    if its_own is not None:
        show_it(its_own.close())
    if clock.shot is None:
        raise NoVideoError(f"{clip.path}: has no picture")
    maker.end_shot(clock.end_shot())
    return _Watched(clock.first_s, clock.end_s, tuple(finder.shots), sight)


def _samples_of(clip: Clip, seen: _Watched) -> int:
    """Samples of the track.

    Raises
    ------
    MediaError : the timestamps claim a picture that is longer than any
    """
    seconds = seen.end_s - seen.start_s
    if seconds > LONGEST_S:
        raise MediaError(f"{clip.path}: its timestamps claim {seconds / 3600:.0f} hours of picture; they are damaged")
    return round(seconds * SAMPLE_RATE_HZ)


class _Clock:
    """When shots begin: their frames are 40 ms apart, and where they begin is told by all of them."""

    def __init__(self) -> None:
        self.shot: int | None = None
        self.first_s = self.end_s = float("nan")
        self._times: list[F64] = []

    def push(self, crops: Crops) -> None:
        """Take the times of pictures of a shot."""
        if self.shot is None:
            self.first_s = float(crops.time_s[0])
        self.shot = crops.track
        self._times.append(crops.time_s)

    def end_shot(self) -> int:
        """The sample of the track, which begins with the first frame of the file, with which the shot's wave begins."""
        times_of_frames = np.concatenate(self._times)
        self._times = []
        start_s = begin_s(times_of_frames)
        self.end_s = start_s + len(times_of_frames) / PICTURE_HZ
        return round((start_s - LEAD_S - self.first_s) * SAMPLE_RATE_HZ)


def _bank(bank: str | Path | Bank | None, notes: list[str], hook: Hook | None) -> Bank:
    """The bank that was asked for; what there is to say of it is added to ``notes``."""
    if bank is None:
        return modal_bank()
    if isinstance(bank, Bank):
        return bank
    found = gather(bank, hook=hook)
    notes.append(found.words())
    return found.bank


def _hints(
    ranking: Ranking, judge: str, sounds: bool, factor: float, left_out: tuple[str, ...]
) -> tuple[str, ...]:  # fmt: skip
    """What the user should know of the result."""
    found = []
    if not sounds:
        found.append("nothing is seen to sound by this model: the track is silent")
    if not ranking.judged:
        taken = (
            ""
            if len(ranking.scores) == 1 or not sounds
            else f"; the first of {len(ranking.scores)} candidates was taken"
        )
        found.append(f"{judge} cannot tell whether sound and picture go together here: not judged{taken}")
    if factor < 10 ** (-QUIETER_DB / 20):
        found.append(f"the sound was made {-20 * np.log10(factor):.1f} dB quieter, so that nothing clips")
    found += [f"left out: {what}" for what in left_out]
    return tuple(found)


def _require(variant: str, seed: int, candidates: int) -> None:
    """Refuse arguments that make no sense before anything is opened."""
    if variant not in VARIANTS:
        raise UsageError(f"there is no variant {variant}; there is {', '.join(VARIANTS)}")
    if not 1 <= candidates <= MOST_CANDIDATES or seed < 0:
        raise UsageError(
            f"candidates are 1 to {MOST_CANDIDATES} and the seed is 0 or more, not {candidates} and {seed}"
        )


def _require_target(clip: Clip, out: Path, *, overwrite: bool, replace_sound: bool) -> None:
    """Refuse what cannot be written before the picture is decoded.

    Raises
    ------
    NoVideoError : there is no picture
    UsageError : the target is in the way, has no container, or the file has a sound that nobody gave up
    """
    if clip.video is None:
        raise NoVideoError(f"{clip.path}: has no picture to make a sound for")
    muxer_of(out)
    require_writable(out, clip.path, overwrite)
    require_container(clip.path, out)
    if clip.audio is not None and not replace_sound:
        raise UsageError(f"{clip.path}: has a sound already ({clip.audio.codec}); give --replace-sound to leave it out")


def _require_variant(model: FoleyModel, variant: str, bank: str | Path | Bank | None) -> None:
    """Refuse a model of another variant, and a bank that nothing would be taken from."""
    spec, own = model.spec, model.spec.variant
    if own != variant:
        raise UsageError(f"{spec.name} is a model of the variant {own}, not {variant}; give --variant {own}")
    if bank is not None and own != "fast":
        raise UsageError(f"the variant {own} takes no blows from a bank; leave the bank away, or take the variant fast")
