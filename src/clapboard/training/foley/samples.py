"""Learning of a conditioned SampleRNN: streams of clips, a piece of 512 samples a step, the state carried on.

B streams; each plays one clip from a place on to its end, and then another from its beginning. First, for
``warm_up_steps``, the picture encoder alone learns to tell what is heard in each frame: its log-mel, and whether a
blow falls into it. After that all is learned together, from the probability of the samples alone.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from clapboard.synthesis.cues import SAMPLES_PER_FRAME
from clapboard.synthesis.mel import MEL_BINS, log_mel
from clapboard.synthesis.mu_law import SILENCE, compress
from clapboard.timebase import ROWS_PER_FRAME, SAMPLE_RATE_HZ
from clapboard.training.nets.foley_encoders import MARGIN_FRAMES, Encoder, EncoderKind
from clapboard.training.nets.samplernn import EMBEDDING, FRAME_SIZES, WIDTH, SampleRnn, State
from clapboard.training.nets.vgg19 import FC6
from clapboard.training.recipe import Optimiser
from clapboard.training.tables import TomlRecipe, refuse
from clapboard.values import F64

MEL_MIDDLE, MEL_SPREAD = -10.0, 4.0
"""Log-mel is about so and so wide in rendered sounds: the warm-up's target has mean 0 and spread 1."""
BLOW_WEIGHT = 6.0
"""A frame into which a blow falls counts so many times in the warm-up: one in fifteen frames has one."""
MOST_CONTRAST, MOST_PX = 0.4, 5
"""Pictures of a stream are changed by at most so much: contrast in natural-log units, place in px."""
WARM_CLIPS, WARM_FRAMES = 12, 48
"""A step of the warm-up sees so many clips, and so many frames of each."""


class TakeLike(Protocol):
    """One shot to learn from; see `clapboard.training.foley.sets.Take`."""

    @property
    def images(self) -> NDArray[Any]:
        """(T, 64, 64) uint8, or (T, given) numbers of each frame."""

    @property
    def wave(self) -> NDArray[Any]:
        """(640 T,), from 20 ms before the first picture."""


@dataclass(frozen=True, slots=True)
class SampleRecipe(TomlRecipe):
    """One training run; the fields are the keys of the TOML file, the nested ones its tables.

    ``encoder`` is how SampleRNN is told of the picture; ``streams`` play at once, ``piece`` samples a step. The last
    ``held_out_share`` of the recordings are not learned from. ``vgg19`` is the file of VGG19's weights, where its fc6
    is to be taken of each picture (data sets of the view scene-224).
    """

    steps: int
    task: Literal["samplernn"] = "samplernn"
    encoder: EncoderKind = "frame"
    warm_up_steps: int = 400
    streams: int = 64
    piece: int = 512
    width: int = WIDTH
    embedding: int = EMBEDDING
    frame_sizes: tuple[int, int] = FRAME_SIZES
    features: int = 64
    encoder_width: int = 16
    seed: int = 0
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    held_out_share: float = 0.1
    vgg19: str = ""
    optimiser: Optimiser = field(default_factory=Optimiser)

    def check(self) -> None:
        """See `clapboard.training.tables.TomlRecipe`."""
        coarse = self.frame_sizes[1]
        wrong = [
            (self.steps < 1, f"steps must be at least 1, not {self.steps}"),
            (not 0 <= self.warm_up_steps < self.steps, "warm_up_steps are 0 or more, and fewer than steps"),
            (self.seed < 0, f"seed must be from 0 on, not {self.seed}"),
            (self.streams < 2, "streams must be at least 2"),
            (coarse < 1 or SAMPLES_PER_FRAME % coarse > 0, f"frame_sizes: {SAMPLES_PER_FRAME} samples, a picture's, "
             f"must be a multiple of the coarsest step, not {coarse}"),
            (self.piece < 1 or coarse < 1 or self.piece % coarse > 0, "piece must be a multiple of the coarsest step"),
            (not 0 <= self.held_out_share < 1, "held_out_share is a part, 0 to below 1"),
            (self.optimiser.name != "adamw", f"optimiser.name must be adamw, not {self.optimiser.name}"),
        ]  # fmt: skip
        refuse(wrong)


class Conditioned(nn.Module):
    """A picture encoder and the SampleRNN that it conditions, with the head of the warm-up."""

    def __init__(self, recipe: SampleRecipe) -> None:
        super().__init__()
        seq = recipe.encoder == "seq"
        self.encoder = Encoder(recipe.encoder, recipe.features, recipe.encoder_width, FC6 if recipe.vgg19 else 0)
        self.rnn = SampleRnn(
            width=recipe.width,
            conditioning=0 if seq else recipe.features,
            started=recipe.features if seq else 0,
            embedding=recipe.embedding,
            frame_sizes=recipe.frame_sizes,
        )
        self.head = nn.Linear(recipe.features, MEL_BINS + 1)

    def frames(self, images: Tensor, flows: Tensor | None) -> Tensor:
        """Features of each frame (B, F, D), for seq those that its recurrent network takes."""
        return self.encoder.each(images, flows)

    def coarse(self, features: Tensor, first: Tensor, steps: int) -> Tensor:
        """Features (B, F, D) repeated for coarse steps: (B, steps, D) from coarse step ``first`` (B,) on.

        The first feature is that of the frame that ``first`` lies in.
        """
        every = SAMPLES_PER_FRAME // self.rnn.coarse
        at = (first % every)[:, None] + torch.arange(steps, device=first.device)[None]
        index = at // every
        return features.gather(1, index[..., None].expand(-1, -1, features.shape[2]))


@dataclass(slots=True)
class Stream:
    """What a stream plays: the number of its clip, the next sample, and how its pictures are changed.

    They are mirrored, their contrast is times this, and they are moved by so many px.
    """

    clip: int
    at: int
    mirror: bool = False
    contrast: float = 1.0
    right_px: int = 0
    down_px: int = 0


class SampleTask:
    """What `clapboard.training.task_loop.Loop` learns; see the module.

    Parameters
    ----------
    recipe : says how
    takes : what is learned from, each at least a piece long
    flows : (T - 1, 2, 32, 32) of each take, for the encoder ``flow`` alone
    blows : (E,) times of the blows of each take, s after its wave begins, for the warm-up
    """

    net: nn.Module

    def __init__(
        self,
        recipe: SampleRecipe,
        takes: Sequence[TakeLike],
        blows_s: Sequence[F64],
        flows: Sequence[NDArray[Any]] | None = None,
    ) -> None:
        self._recipe, self._takes, self._flows, self._blows_s = recipe, takes, flows, blows_s
        torch.manual_seed(recipe.seed)
        self.net = Conditioned(recipe)
        self._levels = [compress(as_floats(take.wave)) for take in takes]
        self._step = 0
        self._streams: list[Stream] = []
        self._state: State | None = None
        self._targets: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    def loss(self, net: nn.Module, rng: np.random.Generator, share: float, device: str) -> tuple[Tensor, float]:
        """See `clapboard.training.task_loop.Task`: of the warm-up, or bits a sample; right are levels guessed."""
        assert isinstance(net, Conditioned)
        step, self._step = self._step, self._step + 1
        if step < self._recipe.warm_up_steps:
            return self._warm_up(net, rng, device)
        return self._sample(net, rng, device)

    def _warm_up(self, net: Conditioned, rng: np.random.Generator, device: str) -> tuple[Tensor, float]:
        """Log-mel and blows of frames, from the feature of each."""
        images, flows, mels, blows = [], [], [], []
        for number in rng.integers(len(self._takes), size=WARM_CLIPS):
            frames = len(self._takes[number].images)
            count = min(WARM_FRAMES, frames)
            first = int(rng.integers(frames - count + 1))
            stream = self._new(int(number), rng)
            images.append(self._images(stream, first, count))
            flows.append(self._flow(stream, first, count))
            mel, blow = self._target(int(number))
            mels.append(mel[first : first + count])
            blows.append(blow[first : first + count])
        found = net.head(net.frames(_stack(images, device), _stack_some(flows, device))).float()
        heard, struck = _stack(mels, device), _stack(blows, device)
        weight = torch.tensor(BLOW_WEIGHT, device=device)
        told = F.binary_cross_entropy_with_logits(found[..., -1], struck, pos_weight=weight)
        right = float(((found[..., -1] > 0) == (struck > 0.5)).float().mean())
        return F.l1_loss(found[..., :-1], heard) + told, right

    def _target(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Log-mel (T, 80) and blows (T,) of a take's frames, made when first asked for."""
        if number not in self._targets:
            rows = log_mel(as_floats(self._takes[number].wave))
            mel = (rows.reshape(-1, ROWS_PER_FRAME, MEL_BINS).mean(1) - MEL_MIDDLE) / MEL_SPREAD
            blow = np.zeros(len(mel), np.float32)
            at = np.floor(self._blows_s[number] * SAMPLE_RATE_HZ / SAMPLES_PER_FRAME).astype(np.intp)
            blow[at[(at >= 0) & (at < len(mel))]] = 1
            self._targets[number] = (mel.astype(np.float32), blow)
        return self._targets[number]

    def _sample(self, net: Conditioned, rng: np.random.Generator, device: str) -> tuple[Tensor, float]:
        """Cross-entropy of the next piece of every stream, bits a sample."""
        recipe = self._recipe
        count, piece, coarse = recipe.streams, recipe.piece, recipe.frame_sizes[1]
        fresh = self._play_on(rng)
        levels = np.stack([self._piece(stream) for stream in self._streams]).astype(np.int64)
        first = np.array([stream.at // coarse for stream in self._streams])
        seen = None
        if recipe.encoder == "seq":
            start = torch.zeros(count, recipe.features, device=device)
            if fresh:
                start = start.index_put((torch.tensor(fresh),), self._whole(net, fresh, device).float())
            begun = net.rnn.begin(count, start)
        else:
            frames = (piece - coarse) // SAMPLES_PER_FRAME + 2
            images = [self._images(s, s.at // SAMPLES_PER_FRAME, frames) for s in self._streams]
            flows = [self._flow(s, s.at // SAMPLES_PER_FRAME, frames) for s in self._streams]
            features = net.encoder(_stack(images, device), _stack_some(flows, device)).float()
            seen = net.coarse(features, torch.from_numpy(first).to(device), piece // coarse)
            begun = net.rnn.begin(count)
        anew = torch.zeros(count, 1, dtype=torch.bool, device=device)
        anew[fresh] = True
        if self._state is None:
            self._state = begun
        state = State(
            torch.where(anew, begun.coarse, self._state.coarse), torch.where(anew, begun.middle, self._state.middle)
        )
        given = torch.from_numpy(levels).to(device)
        logits, after = net.rnn(given, seen, state)
        self._state = after.detached()
        target = given[:, coarse:]
        value = F.cross_entropy(logits.float().flatten(0, 1), target.flatten()) / np.log(2)
        right = float((logits.detach().argmax(2) == target).float().mean())
        for stream in self._streams:
            stream.at += piece
        return value, right

    def _play_on(self, rng: np.random.Generator) -> list[int]:
        """Give streams that are at their end another clip; returns which those are, at first all."""
        piece = self._recipe.piece
        if not self._streams:
            for _ in range(self._recipe.streams):
                stream = self._new(int(rng.integers(len(self._takes))), rng)
                # in different places from the start, or all would begin anew in the same step for ever
                if self._recipe.encoder != "seq":
                    stream.at = piece * int(rng.integers(len(self._levels[stream.clip]) // piece))
                self._streams.append(stream)
            return list(range(self._recipe.streams))
        ended = [n for n, s in enumerate(self._streams) if s.at + piece > len(self._levels[s.clip])]
        for number in ended:
            self._streams[number] = self._new(int(rng.integers(len(self._takes))), rng)
        return ended

    def _new(self, clip: int, rng: np.random.Generator) -> Stream:
        """A clip from its beginning, its pictures changed in their own way."""
        mirror, contrast = bool(rng.random() < 0.5), float(np.exp(rng.uniform(-MOST_CONTRAST, MOST_CONTRAST)))
        right_px, down_px = rng.integers(-MOST_PX, MOST_PX + 1, 2).tolist()
        # numbers that are given in place of pictures cannot be mirrored or moved
        return Stream(clip, 0) if self._recipe.vgg19 else Stream(clip, 0, mirror, contrast, right_px, down_px)

    def _piece(self, stream: Stream) -> NDArray[np.uint8]:
        """Levels of the next piece, with those before it."""
        levels, coarse = self._levels[stream.clip], self._recipe.frame_sizes[1]
        end = stream.at + self._recipe.piece
        if stream.at >= coarse:
            return levels[stream.at - coarse : end]
        return np.concatenate([np.full(coarse, SILENCE, np.uint8), levels[:end]])

    def _images(self, stream: Stream, first: int, count: int) -> NDArray[np.float32]:
        """Pictures (count + 2, 64, 64) from one before ``first`` on; the first and last of a clip are repeated."""
        images = self._takes[stream.clip].images
        at = np.clip(np.arange(first - MARGIN_FRAMES, first + count + MARGIN_FRAMES), 0, len(images) - 1)
        # neighbours lie beside each other on disk: one slice and not single pictures
        part = np.asarray(images[at[0] : at[-1] + 1])[at - at[0]].astype(np.float32) * np.float32(stream.contrast)
        if stream.right_px or stream.down_px:
            high, wide = part.shape[1:]
            down, right = MOST_PX - stream.down_px, MOST_PX - stream.right_px
            around = ((0, 0), (MOST_PX, MOST_PX), (MOST_PX, MOST_PX))
            part = np.pad(part, around, mode="edge")[:, down : down + high, right : right + wide]
        return np.asarray(part[:, :, ::-1] if stream.mirror else part, np.float32)

    def _flow(self, stream: Stream, first: int, count: int) -> NDArray[np.float32] | None:
        """Flow (count + 1, 2, 32, 32) from one before ``first`` on; nothing moves before and after a clip."""
        if self._flows is None:
            return None
        flow = self._flows[stream.clip]
        out = np.zeros((count + 1, *flow.shape[1:]), np.float32)
        begin, end = max(first - 1, 0), min(first + count, len(flow))
        if begin < end:
            out[begin - first + 1 : end - first + 1] = flow[begin:end]
        if stream.mirror:
            out = out[..., ::-1] * np.array([-1, 1], np.float32)[:, None, None]
        return out

    def _whole(self, net: Conditioned, which: Sequence[int], device: str) -> Tensor:
        """What the encoder seq makes of the clips of some streams, (n, D)."""
        chosen = [self._streams[n] for n in which]
        count = min(len(self._takes[s.clip].images) for s in chosen)
        found: Tensor = net.encoder(_stack([self._images(s, 0, count) for s in chosen], device))
        return found

    def carried(self) -> dict[str, Any]:
        """See `clapboard.training.task_loop.Carrying`."""
        state = {} if self._state is None else {"coarse": self._state.coarse, "middle": self._state.middle}
        streams = [list(astuple(stream)) for stream in self._streams]
        return {"step": self._step, "streams": streams, "state": state}

    def carry(self, kept: dict[str, Any]) -> None:
        """See `clapboard.training.task_loop.Carrying`."""
        self._step, state = int(kept["step"]), kept["state"]
        self._streams = [Stream(*one) for one in kept["streams"]]
        self._state = State(state["coarse"], state["middle"]) if state else None


def as_floats(wave: NDArray[Any]) -> NDArray[np.float32]:
    """A wave of 16-bit numbers as floats in [-1, 1]; one of floats as it is."""
    floats = wave.astype(np.float32)
    return floats / np.float32(32767) if wave.dtype == np.int16 else floats


def _stack(parts: Sequence[NDArray[Any]], device: str) -> Tensor:
    """Arrays of one shape as a batch."""
    return torch.from_numpy(np.ascontiguousarray(np.stack(parts))).to(device)


def _stack_some(parts: Sequence[NDArray[Any] | None], device: str) -> Tensor | None:
    """As `_stack`, or None where there is nothing."""
    some = [part for part in parts if part is not None]
    return _stack(some, device) if some else None
