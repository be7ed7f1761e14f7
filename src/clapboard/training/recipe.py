"""Recipes: everything that decides what a run learns, in one TOML file.

A recipe is read, checked and written back in full, so that the file in a run's folder tells every value, also those
that the author left to the defaults.
"""

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from clapboard.dataset.align import MARGIN_ROWS
from clapboard.errors import UsageError
from clapboard.timebase import ROWS_PER_FRAME

_NOTHING: Mapping[str, Any] = MappingProxyType({})
LEAST_CHUNK = 6
"""Frames that two windows of five need."""
MOST_EXTRA = MARGIN_ROWS // ROWS_PER_FRAME
"""Positions of sound that are kept before a clip and after it."""


@dataclass(frozen=True, slots=True)
class Optimiser:
    """How weights move. ``learning_rate`` rises over the first ``warm_up`` of the steps, then falls as half a cosine.

    ``average`` keeps a running mean of the weights (exponential, this much of the old one a step), which is what is
    exported; 0 exports the last weights. ``clip_norm`` 0 clips nothing.
    """

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 2e-3
    momentum: float = 0.9
    weight_decay: float = 1e-2
    warm_up: float = 0.05
    clip_norm: float = 2.0
    average: float = 0.995


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step sees: about ``frames`` frames in chunks of ``chunk`` (``chunk_frames`` by corpus) of one corpus.

    ``extra`` positions of sound before and after the chunk are candidates too. ``weights`` says how often a batch is of
    each corpus; without it corpora weigh as the square root of their length.
    """

    frames: int = 384
    chunk: int = 48
    extra: int = 10
    chunk_frames: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much training clips are changed; every number is the extreme or the chance of one change, 0 switches it off.

    One draw serves a whole clip, so that no motion is invented, and nothing moves in time. Of the picture: ``scale``
    (natural-log units), ``angle_deg``, ``shift`` (of the side), ``mirror`` (chance), ``tone`` (of the gamma curve),
    ``shading`` (edge to edge), ``blur`` (chance), ``grain`` (levels of 255), ``repeats`` (chance of a repeated frame).
    Of the sound, all in log power, nepers: ``volume``, ``tract`` (warp of the frequency axis), ``tone_sound``,
    ``noise`` (chance), ``babble`` (chance of other voices), ``reverb`` (chance; the direct sound stays where it is),
    ``codec`` (chance of a lost upper band and of bands that fall under what a codec keeps).
    """

    scale: float = 0.12
    angle_deg: float = 10.0
    shift: float = 0.10
    mirror: float = 0.5
    tone: float = 0.4
    shading: float = 0.3
    blur: float = 0.4
    grain: float = 4.0
    repeats: float = 0.1
    volume: float = 0.2
    tract: float = 0.08
    tone_sound: float = 0.25
    noise: float = 0.5
    babble: float = 0.25
    reverb: float = 0.0
    codec: float = 0.0


PAPER = Augmentation(
    scale=0.1, angle_deg=0, shift=0.1, tone=0.1, shading=0, blur=0, grain=0, repeats=0,
    volume=0.19, tract=0, tone_sound=0, noise=0, babble=0,
)  # fmt: skip
"""Chung and Zisserman 2016, section 3.1: volume by +-10 % (0.19 nepers of power), crop, mirror, colour; no more."""
NO_CHANGE = Augmentation(**dict.fromkeys((f.name for f in dataclasses.fields(Augmentation)), 0.0))
"""Clips as they are, for judging."""
PRESETS = {"full": Augmentation(), "paper": PAPER, "none": NO_CHANGE}


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Who is not learned from: speakers and clips by name, and a ``share`` of the other speakers.

    Every ``every`` steps they are measured; after ``patience`` checks without a better one the run stops and the best
    weights are kept (0: it runs to its end and keeps the last).
    """

    speakers: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    share: float = 0.0
    every: int = 500
    patience: int = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training run; the fields are the keys of the TOML file, the nested ones its tables.

    ``network`` and ``loss`` name entries of `clapboard.training.nets.NETWORKS` and
    `clapboard.training.losses.LOSSES`, their ``_options`` go to them as keywords. ``curriculum`` leaves close positions
    out of the candidates at first: pairs of (part of the run, positions on each side). ``corpus_offsets_ms`` says where
    the sound of a corpus lies, positive = early; clips with an offset of their own go by that.
    """

    steps: int
    network: str = "clapboard-s"
    loss: str = "within-clip"
    seed: int = 0
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    curriculum: tuple[tuple[float, int], ...] = ((0.2, 3), (0.45, 1))
    network_options: Mapping[str, Any] = field(default_factory=dict)
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    corpus_offsets_ms: Mapping[str, float] = field(default_factory=dict)
    optimiser: Optimiser = field(default_factory=Optimiser)
    batch: Batch = field(default_factory=Batch)
    augmentation: Augmentation = field(default_factory=Augmentation)
    held_out: HeldOut = field(default_factory=HeldOut)

    @classmethod
    def read(cls, path: Path, changes: Mapping[str, str] = _NOTHING) -> "Recipe":
        """Recipe from a TOML file; ``changes`` are values by dotted key, written as in TOML, as ``{"seed": "3"}``.

        Raises
        ------
        UsageError : the file cannot be read, a key is unknown, or a value is not of its kind
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"the recipe {path} cannot be read ({error.strerror}); give the path of a TOML") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"the recipe {path} is not TOML ({error}); correct it") from None
        for key, text in changes.items():
            _put(values, key, text)
        recipe: Recipe = _build(cls, values, "")
        recipe.check()
        return recipe

    def check(self) -> None:
        """Refuse what cannot be run.

        Raises
        ------
        UsageError : in words, which value and why
        """
        wrong = [
            (self.steps < 1, f"steps must be at least 1, not {self.steps}"),
            (self.seed < 0, f"seed must be from 0 on, not {self.seed}"),
            (self.batch.frames < 1, "batch.frames must be at least 1"),
            (
                min(self.batch.chunk, *self.batch.chunk_frames.values(), self.batch.chunk) < LEAST_CHUNK,
                f"batch.chunk and chunk_frames ({LEAST_CHUNK} or more) are too small",
            ),
            (not 0 <= self.batch.extra <= MOST_EXTRA, f"batch.extra must be from 0 to {MOST_EXTRA}"),
            (not 0 <= self.held_out.share < 1, "held_out.share is a part, 0 to below 1"),
            (self.held_out.every < 1, "held_out.every must be at least 1"),
            (not 0 <= self.optimiser.average < 1, "optimiser.average must be from 0 to below 1"),
            (not 0 <= self.optimiser.warm_up < 1, "optimiser.warm_up is a part of the run, 0 to below 1"),
            (any(w < 0 for w in self.batch.weights.values()), "batch.weights cannot be negative"),
        ]
        for bad, text in wrong:
            if bad:
                raise UsageError(f"recipe: {text}")

    def toml(self) -> str:
        """The recipe in full, as TOML that `read` gives back equal."""
        plain = dataclasses.asdict(self)
        tables = {key: plain.pop(key) for key in list(plain) if isinstance(plain[key], dict)}
        return "\n".join([*_lines(plain), *_tables(tables, "")]) + "\n"


def _put(values: dict[str, Any], key: str, text: str) -> None:
    """Set a dotted key of nested tables to a value written as in TOML; a bare word is taken as a string."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = key.split(".")
    for name in path:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise UsageError(f"{key} is not a key of a recipe: {name} is no table")
    values[last] = value


def _build(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    """A dataclass from nested tables, every key and kind checked."""
    hints = get_type_hints(kind)
    if kind is Augmentation and isinstance(values.get("preset"), str):
        preset = values["preset"]
        if preset not in PRESETS:
            raise UsageError(f"recipe: augmentation.preset must be one of {', '.join(PRESETS)}, not {preset!r}")
        values = {**dataclasses.asdict(PRESETS[preset]), **{k: v for k, v in values.items() if k != "preset"}}
    for key in values:
        if key not in hints:
            raise UsageError(f"recipe: unknown key {where}{key}; known here: {', '.join(hints)}")
    missing = [f.name for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING]
    for key in missing:
        if key not in values:
            raise UsageError(f"recipe: the key {where}{key} is missing")
    return kind(**{key: _as(hints[key], value, f"{where}{key}") for key, value in values.items()})


def _as(hint: Any, value: Any, name: str) -> Any:
    """A value as the annotation asks; a whole number may stand for a float."""
    origin = get_origin(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _build(hint, value, f"{name}.")  # type: ignore[arg-type]  # a dataclass type, as tested
    if origin is Literal and value in get_args(hint):
        return value
    if origin is tuple and isinstance(value, list):
        inner = get_args(hint)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        if len(kinds) == len(value):
            return tuple(_as(k, v, name) for k, v in zip(kinds, value, strict=True))
    if isinstance(value, dict) and origin is not None and issubclass(origin, Mapping):
        inner = get_args(hint)[1]
        return value if inner is Any else {k: _as(inner, v, f"{name}.{k}") for k, v in value.items()}
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise UsageError(f"recipe: {name} must be a finite number, not {value}")
        return float(value)
    if hint in (int, str) and type(value) is hint:
        return value
    asked = f"one of {', '.join(map(str, get_args(hint)))}" if origin is Literal else getattr(hint, "__name__", hint)
    raise UsageError(f"recipe: {name} must be {asked}, not {value!r}")


def _lines(values: Mapping[str, Any]) -> list[str]:
    """Keys and values of one table; JSON writes strings, numbers and lists as TOML does."""
    return [f"{_key(key)} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]


def _tables(tables: Mapping[str, Any], where: str) -> list[str]:
    """Tables and those inside them."""
    lines = []
    for name, values in tables.items():
        inner = {key: value for key, value in values.items() if isinstance(value, dict)}
        lines += ["", f"[{where}{_key(name)}]", *_lines({k: v for k, v in values.items() if k not in inner})]
        lines += _tables(inner, f"{where}{_key(name)}.")
    return lines


def _key(key: str) -> str:
    """A key, quoted where TOML asks for it."""
    return (
        key
        if key.replace("_", "").replace("-", "").isalnum() and key.isascii()
        else json.dumps(key, ensure_ascii=False)
    )
