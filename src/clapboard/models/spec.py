"""What a model for lips is: inputs, calibration and where it comes from, read from a JSON beside its weights."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from clapboard.errors import ModelError
from clapboard.models.description import (
    FORMAT,
    LIPS,
    STREAMS,
    check_common,
    check_weights,
    fields_of,
    is_number,
    read_json,
    require,
)
from clapboard.sound.kinds import KINDS
from clapboard.speakers.states import SpeakingModel
from clapboard.sync.trust import TERMS
from clapboard.vision.views import VIEWS

__all__ = ["PUBLISHED", "STREAMS", "Calibration", "ModelSpec"]

PUBLISHED = "the published SyncNet checkpoint, converted"
"""What ``clapboard models import`` writes down as the network; the name of the model is the user's choice."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic regression from a curve to the probability of being right within one frame, see `clapboard.sync.trust`.

    ``weights`` by the name of the feature, ``bias``; fitted on people that the model had not learned from. ``speaking``
    tells from the same distances who speaks, see `clapboard.speakers.states`; without it, that is not told.
    """

    bias: float
    weights: dict[str, float]
    speaking: SpeakingModel | None = None

    def __post_init__(self) -> None:
        """Check what it holds.

        Raises
        ------
        ModelError : it is none
        """
        check_weights(self.bias, self.weights, TERMS)
        told = self.speaking
        good = told is None or (all(map(is_number, [told.slope, told.bias, told.stay])) and 0 < told.stay < 1)
        require(good, "its calibration for speakers is not a slope, a bias, and a probability to stay")

    @classmethod
    def of(cls, values: Any) -> "Calibration":
        """Calibration from what JSON holds: ``bias``, ``weights``, and ``speaking`` where it has that.

        Raises
        ------
        ModelError : it is none
        """
        good = isinstance(values, dict) and {"bias", "weights"} <= set(values) <= {"bias", "weights", "speaking"}
        require(good, "its calibration is not a bias and weights")
        told = values.get("speaking")
        names = {one.name for one in fields(SpeakingModel)}
        good = told is None or (isinstance(told, dict) and set(told) == names)
        require(good, f"its calibration for speakers does not hold {', '.join(sorted(names))}")
        return cls(values["bias"], values["weights"], SpeakingModel(**told) if told else None)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A two-stream model. Beside its JSON lie its two networks, ``picture`` and ``sound``, as ONNX.

    The picture's takes (T, px, px) or (T, px, px, 3) uint8 and gives (T - window_frames + 1, D) float32; the sound's
    takes (R, features) float32 and gives (R - window_rows + 1, D) float32. All preparation is inside.

    Attributes
    ----------
    name : what it is called
    view : what it sees of a face, a name of `clapboard.vision.views.VIEWS`
    sound : what it hears, a name of `clapboard.sound.kinds.KINDS`
    window_frames : frames of the picture grid that one picture embedding sees
    window_rows : feature rows that one sound embedding sees
    embedding : length of the vectors, D
    zero_ms : what is added to every offset, so that Clapboard's zero is the middle of broadcast speech
    files : ``name`` and ``sha256`` of each network, by stream
    calibration : see `Calibration`; without one, nothing that the model measures is trusted
    about : licence, data and recipe, for people

    Raises
    ------
    ModelError : the values make no model, or one that this version cannot run; the line lacks the file's name
    """

    name: str
    view: str
    sound: str
    window_frames: int
    window_rows: int
    embedding: int
    zero_ms: float
    files: dict[str, dict[str, str]]
    calibration: Calibration | None = None
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every value."""
        wholes = ("window_frames", "window_rows", "embedding")
        check_common(self, ("name", "view", "sound"), wholes, {"view": VIEWS, "sound": KINDS})

    @property
    def is_published(self) -> bool:
        """Whether it is the published network, on whose scale published confidences and distances are."""
        return self.about.get("network") == PUBLISHED

    @classmethod
    def read(cls, path: Path) -> "ModelSpec":
        """Spec from its JSON file.

        Raises
        ------
        ModelError : the file is missing, is not a spec, or is one for a newer version
        """
        values = read_json(path)
        try:
            return cls._of(values)
        except ModelError as error:
            raise ModelError(f"{path} is not a model that can be used: {error}") from None

    @classmethod
    def _of(cls, values: Any) -> "ModelSpec":
        """Spec from what the JSON holds."""
        given = fields_of(values, LIPS, {one.name for one in fields(cls)})
        calibration = values["calibration"]
        if calibration is not None:
            given["calibration"] = Calibration.of(calibration)
        return cls(**given)

    def write(self, path: Path) -> None:
        """Write the JSON that `read` takes; the networks lie beside it, under the names in ``files``."""
        path.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n", encoding="utf-8")
