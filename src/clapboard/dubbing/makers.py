"""Makers of sound, shot by shot, as the pictures come: blows and textures by cues, or samples of a SampleRNN."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clapboard.dubbing.track import Pieces, Take
from clapboard.errors import UsageError
from clapboard.models.foley_session import FoleyModel
from clapboard.models.foley_spec import CUES, FoleySpec, TextureUse
from clapboard.synthesis.bank import Bank
from clapboard.synthesis.cues import SAMPLES_PER_FRAME, TEXTURES, Cues
from clapboard.synthesis.ducking import ducked, ramped, stretches
from clapboard.synthesis.griffin_lim import griffin_lim
from clapboard.synthesis.laying import blows_of
from clapboard.synthesis.picking import onsets
from clapboard.synthesis.samplernn import SampleRnn
from clapboard.synthesis.texture import Velocity, draw
from clapboard.synthesis.vocoder import NetworkVocoder, Vocoder
from clapboard.synthesis.windows import (
    OVERLAP_FRAMES,
    WINDOW_FRAMES,
    CueWindows,
    Joined,
    Kept,
    PictureWindows,
    in_windows,
)
from clapboard.timebase import SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32
from clapboard.vision.scene_flow import flow_of_scene

U8 = NDArray[np.uint8]
ODDS = (1.0, 0.5, 2.0)
"""Candidates take a model's threshold for onsets with these factors of its odds, in turn."""
WINDOWS_AT_ONCE = 8
"""Windows of a SampleRNN that are drawn together: it is the calls that cost, not the numbers."""
VOCODERS = ("auto", "griffin-lim", "istft")


class CueModel(Protocol):
    """What is used of a model of the method ``cues``; `clapboard.models.foley_session.FoleyModel` is one."""

    @property
    def spec(self) -> FoleySpec:
        """Its description."""

    def cues(self, images: U8) -> Cues:
        """What pictures (T, 64, 64) tell of their 4 T rows."""


class Generator(Protocol):
    """Makes waves of windows of pictures at once."""

    def __call__(self, windows: Sequence[U8], candidates: int, seed: int) -> list[F32]:
        """Sound of each window.

        Parameters
        ----------
        windows : each (T, 64, 64) uint8
        candidates : how many different waves of each
        seed : of the chance

        Returns
        -------
        of each window (candidates, 640 T) float32 in [-1, 1]
        """
        ...


class Maker(Protocol):
    """Makes the sound of a file, shot by shot."""

    def push(self, images: U8) -> None:
        """Take the next pictures (T, 64, 64) of the shot."""

    def end_shot(self, start: int) -> None:
        """The shot is over; its first row begins at this sample of the track."""

    def takes(self) -> list[Take]:
        """The candidates, once all shots are over."""


def vocoder_of(spectrum: Callable[[F32], tuple[F32, F32]] | None, which: str, name: str) -> Vocoder:
    """The vocoder that was asked for: one of `VOCODERS`; ``auto`` is the truer one, Griffin-Lim (docs/foley.md).

    Raises
    ------
    UsageError : there is no such vocoder, or the model has none
    """
    if which not in VOCODERS:
        raise UsageError(f"a vocoder is one of {', '.join(VOCODERS)}, not {which}")
    if which == "istft" and spectrum is None:
        raise UsageError(f"{name} has no vocoder of its own; take griffin-lim")
    if spectrum is None or which != "istft":
        return griffin_lim
    return NetworkVocoder(spectrum)


class CueMaker:
    """Blows of a bank and textures of a vocoder, by what a network tells of the picture.

    Parameters
    ----------
    model : tells it
    bank : of blows
    vocoder : makes waves of log-mels
    velocity : draws the log-mel of textures; None takes what the picture tells as it is
    candidates : how many; they differ in their blows and share the textures
    seed : of all that is left to chance
    """

    def __init__(
        self,
        model: CueModel,
        bank: Bank,
        vocoder: Vocoder,
        velocity: Velocity | None = None,
        *,
        candidates: int,
        seed: int,
    ) -> None:
        self._model, self._vocoder, self._velocity, self._seed = model, vocoder, velocity, seed
        pieces = Pieces()
        self._takes = [Take(bank, pieces) for _ in range(candidates)]
        self._shots = 0
        self._windows: CueWindows | None = None

    def push(self, images: U8) -> None:
        """See `Maker`."""
        if self._windows is None:
            self._windows = CueWindows(self._model.cues, self._model.spec.margin_frames)
        self._windows.push(images)

    def end_shot(self, start: int) -> None:
        """See `Maker`."""
        if self._windows is None:
            return
        told, self._windows = self._windows.close(), None
        spec = self._model.spec
        late = start + round(spec.zero_ms / 1000 * SAMPLE_RATE_HZ)
        for number, take in enumerate(self._takes):
            odds = spec.onset_threshold / (1 - spec.onset_threshold) * ODDS[number % len(ODDS)]
            seed = (self._seed, self._shots, number)
            blows = blows_of(_bank(take), told, threshold=odds / (1 + odds), seed=seed, freely=number > 0)
            take.blows.append(blows.moved(late))
        self._add_textures(told, start, onsets(told.onset, spec.onset_threshold))
        self._shots += 1

    def takes(self) -> list[Take]:
        """See `Maker`."""
        return self._takes

    def _add_textures(self, told: Kept, start: int, blows: NDArray[np.float64]) -> None:
        """Draw what sounds all the time, where anything does, and keep its wave."""
        for begin, end in stretches(told.share(TEXTURES)):

            def make(number: int, low: int, high: int, first: int = begin) -> F32:
                cues = told.part(first + low, first + high)
                return self._vocoder(self._mel(cues, blows - (first + low), (self._shots, first, number)))

            wave = ramped(in_windows(end - begin, make).samples, begins=begin > 0, ends=end < len(told))
            self._takes[0].pieces.add(start + begin * SAMPLES_PER_ROW, wave)

    def _mel(self, cues: Cues, blows: NDArray[np.float64], place: tuple[int, ...]) -> F32:
        """Log-mel of the texture of some rows, without their blows, (R, 80)."""
        use: TextureUse | None = self._model.spec.texture
        if self._velocity is None or use is None:
            return ducked(cues.mel, blows)
        inside = blows[(blows >= 0) & (blows < len(cues))]
        seed = int(np.random.SeedSequence([self._seed, *place]).generate_state(1)[0])
        return draw(
            self._velocity,
            cues,
            mean=use.mean,
            scale=use.scale,
            steps=use.steps,
            guidance=use.guidance,
            seed=seed,
            blows=inside,
        )


def _bank(take: Take) -> Bank:
    """The bank of a take that has blows."""
    assert take.bank is not None
    return take.bank


class SampleRnnGenerator:
    """A `Generator` out of a model of the method ``samplernn``.

    Parameters
    ----------
    model : its encoder and weights

    Raises
    ------
    ModelError : its weights are not those of a SampleRNN
    """

    def __init__(self, model: FoleyModel) -> None:
        self._model, self._rnn = model, SampleRnn(model.samples)
        use = model.spec.encoder
        self._kind = use.kind if use else ""
        self._temperature = float(use.generator.get("temperature", 1.0)) if use else 1.0

    def __call__(self, windows: Sequence[U8], candidates: int, seed: int) -> list[F32]:
        """See `Generator`; shorter windows are drawn as long as the longest, and cut."""
        frames = max(len(images) for images in windows)
        told = [self._told(images) for images in windows]
        if self._rnn.started:
            rows = np.concatenate(told)
        else:
            rows = np.stack([np.pad(one, ((0, frames - len(one)), (0, 0)), mode="edge") for one in told])
        rows = np.repeat(rows, candidates, axis=0)
        waves = self._rnn.generate(rows, frames=frames, seed=seed, temperature=self._temperature)
        waves = waves.reshape(len(windows), candidates, -1)
        return [wave[:, : SAMPLES_PER_FRAME * len(images)] for wave, images in zip(waves, windows, strict=True)]

    def _told(self, images: U8) -> F32:
        """What the network is conditioned on."""
        return self._model.encode(images, flow_of_scene(images) if self._kind == "flow" else None)


class SampleMaker:
    """Waves drawn sample by sample, in windows of 8 s that are cross-faded.

    Parameters
    ----------
    generator : makes them
    candidates : how many waves of everything
    seed : of the chance
    """

    def __init__(self, generator: Generator, *, candidates: int, seed: int) -> None:
        self._generator, self._candidates, self._seed = generator, candidates, seed
        self._takes = [Take(None, Pieces()) for _ in range(candidates)]
        self._windows: PictureWindows | None = None
        self._waiting: list[tuple[int, int, U8]] = []  # number of the shot, first frame in it, pictures
        self._starts: dict[int, int] = {}
        self._joined: dict[int, list[Joined]] = {}
        self._frames, self._shot, self._calls = 0, 0, 0

    def push(self, images: U8) -> None:
        """See `Maker`."""
        if self._windows is None:
            self._windows, self._frames = PictureWindows(WINDOW_FRAMES, OVERLAP_FRAMES), 0
        self._wait(self._windows.push(images))

    def end_shot(self, start: int) -> None:
        """See `Maker`."""
        if self._windows is None:
            return
        self._wait(self._windows.close())
        self._windows = None
        self._starts[self._shot] = start
        self._shot += 1
        self._keep_whole()

    def takes(self) -> list[Take]:
        """See `Maker`."""
        self._draw()
        self._keep_whole()
        return self._takes

    def _wait(self, windows: list[tuple[int, U8]]) -> None:
        """Take windows that show more than those before."""
        for begin, images in windows:
            if begin + len(images) > self._frames:
                self._frames = begin + len(images)
                self._waiting.append((self._shot, begin, images))
        while len(self._waiting) >= WINDOWS_AT_ONCE:
            self._draw()

    def _draw(self) -> None:
        """Make the waves of windows that wait."""
        some, self._waiting = self._waiting[:WINDOWS_AT_ONCE], self._waiting[WINDOWS_AT_ONCE:]
        if not some:
            return
        seed = int(np.random.SeedSequence([self._seed, self._calls]).generate_state(1)[0])
        self._calls += 1
        waves = self._generator([images for _, _, images in some], self._candidates, seed)
        for (shot, begin, _), each in zip(some, waves, strict=True):
            joined = self._joined.setdefault(shot, [Joined() for _ in range(self._candidates)])
            for one, wave in zip(joined, each, strict=True):
                one.push(begin * SAMPLES_PER_FRAME, wave)

    def _keep_whole(self) -> None:
        """Hand shots that are over, and whose windows are all drawn, to the takes."""
        busy = {shot for shot, _, _ in self._waiting}
        for shot in sorted(shot for shot in self._joined if shot in self._starts and shot not in busy):
            for take, joined in zip(self._takes, self._joined.pop(shot), strict=True):
                for place, wave in joined.parts():
                    take.pieces.add(self._starts[shot] + place, wave)


def maker_of(
    model: FoleyModel, bank: Callable[[], Bank], *, vocoder: str, candidates: int, seed: int
) -> CueMaker | SampleMaker:
    """The maker for a model's method; ``bank`` is asked for only where it is needed.

    Raises
    ------
    UsageError : the model has not the vocoder that was asked for
    ModelError : its weights are not those of a SampleRNN
    """
    wave = vocoder_of(model.vocoder, vocoder, model.spec.name)
    if model.spec.method == CUES:
        return CueMaker(model, bank(), wave, model.velocity, candidates=candidates, seed=seed)
    return SampleMaker(SampleRnnGenerator(model), candidates=candidates, seed=seed)
