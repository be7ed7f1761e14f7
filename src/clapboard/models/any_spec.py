"""What a model for any sound is: inputs, calibration and where it comes from, read from a JSON beside its weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from clapboard.errors import ModelError
from clapboard.models.description import (
    ANY_SOUND,
    FORMAT,
    check_common,
    check_weights,
    fields_of,
    is_whole,
    read_json,
    require,
)
from clapboard.sound.kinds import KINDS
from clapboard.sync.any_trust import TERMS
from clapboard.vision.scenes import SCENES

_TOLD = "its calibration for what is synchronisable"


@dataclass(frozen=True, slots=True)
class Weighing:
    """One logistic regression over the terms of `clapboard.sync.any_trust`: ``bias``, and ``weights`` by term."""

    bias: float
    weights: dict[str, float]


@dataclass(frozen=True, slots=True)
class AnySoundCalibration:
    """From a curve to probabilities, fitted on recordings that the model had not learned from.

    ``bias`` and ``weights`` give the probability that an offset is right within 40 ms; ``synchronisable``, where there
    is one, that a clip can be told at all: that its own sound goes with its picture.
    """

    bias: float
    weights: dict[str, float]
    synchronisable: Weighing | None = None

    def __post_init__(self) -> None:
        """Check what it holds.

        Raises
        ------
        ModelError : it is none
        """
        check_weights(self.bias, self.weights, TERMS)
        if self.synchronisable is not None:
            check_weights(self.synchronisable.bias, self.synchronisable.weights, TERMS, _TOLD)

    @classmethod
    def of(cls, values: Any) -> "AnySoundCalibration":
        """Calibration from what JSON holds: ``bias``, ``weights``, and ``synchronisable``, the same again or null.

        Raises
        ------
        ModelError : it is none
        """
        good = isinstance(values, dict) and {"bias", "weights"} <= set(values) <= {"bias", "weights", "synchronisable"}
        require(good, "its calibration is not a bias and weights")
        told = values.get("synchronisable")
        good = told is None or (isinstance(told, dict) and set(told) == {"bias", "weights"})
        require(good, f"{_TOLD} is not a bias and weights")
        return cls(values["bias"], values["weights"], Weighing(**told) if told else None)

    @property
    def told(self) -> tuple[float, Mapping[str, float]] | None:
        """Bias and weights for `clapboard.sync.any_trust.judge`; None where there are none."""
        return None if self.synchronisable is None else (self.synchronisable.bias, self.synchronisable.weights)


@dataclass(frozen=True, slots=True)
class AnySoundSpec:
    """A model for any sound. Beside its JSON lie its two networks, ``picture`` and ``sound``, as ONNX.

    The picture's takes (T, px, px) or (T, px, px, 3) uint8, T at least ``window_frames``, and gives, with
    W = T - window_frames + 1, first ``values`` (W, D) float32, then ``places`` (W, h, w) float32, not negative; see
    `clapboard.values.Seen`. The sound's takes (R, features) float32 and gives (R - window_rows + 1, D) float32. All
    preparation is inside, and a window sees its own frames or rows alone.

    Attributes
    ----------
    name : what it is called
    scene : what it sees of the picture, a name of `clapboard.vision.scenes.SCENES` with 25 pictures a second
    sound : what it hears, a name of `clapboard.sound.kinds.KINDS`
    window_frames : frames of the picture grid that one window sees
    window_rows : feature rows that one sound embedding sees
    embedding : length of the vectors, D
    places : h and w of the map of attention
    zero_ms : what is added to every offset
    files : ``name`` and ``sha256`` of each network, by stream
    calibration : see `AnySoundCalibration`; without one, nothing that the model measures is trusted
    about : licence, data and recipe, for people

    Raises
    ------
    ModelError : the values make no model, or one that this version cannot run; the line lacks the file's name
    """

    name: str
    scene: str
    sound: str
    window_frames: int
    window_rows: int
    embedding: int
    places: tuple[int, int]
    zero_ms: float
    files: dict[str, dict[str, str]]
    calibration: AnySoundCalibration | None = None
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every value."""
        scenes = {name: scene for name, scene in SCENES.items() if scene.picture_hz == 25}
        wholes = ("window_frames", "window_rows", "embedding")
        check_common(self, ("name", "scene", "sound"), wholes, {"scene": scenes, "sound": KINDS})
        good = isinstance(self.places, tuple) and len(self.places) == 2 and all(map(is_whole, self.places))
        require(good, "its places are not two whole numbers from 1 on")

    @classmethod
    def read(cls, path: Path) -> "AnySoundSpec":
        """Spec from its JSON file.

        Raises
        ------
        ModelError : the file is missing, is not a spec, is that of a model for lips, or is one for a newer version
        """
        values = read_json(path)
        try:
            return cls._of(values)
        except ModelError as error:
            raise ModelError(f"{path} is not a model that can be used: {error}") from None

    @classmethod
    def _of(cls, values: Any) -> "AnySoundSpec":
        """Spec from what the JSON holds."""
        given = fields_of(values, ANY_SOUND, {one.name for one in fields(cls)})
        if isinstance(given["places"], list):
            given["places"] = tuple(given["places"])
        if given["calibration"] is not None:
            given["calibration"] = AnySoundCalibration.of(given["calibration"])
        return cls(**given)

    def write(self, path: Path) -> None:
        """Write the JSON that `read` takes; the networks lie beside it, under the names in ``files``."""
        values = {"format": FORMAT, "kind": ANY_SOUND, **asdict(self)}
        path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
