"""What a model is: its inputs, its calibration and where it comes from, read from a JSON beside its weights."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from clapboard.errors import ModelError
from clapboard.sound.kinds import KINDS
from clapboard.speakers.states import SpeakingModel
from clapboard.sync.trust import TERMS
from clapboard.vision.views import VIEWS

FORMAT = 1
"""Version of the JSON: raised when a reader of the version before would misunderstand it."""
STREAMS = ("picture", "sound")
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
        good = isinstance(self.weights, dict) and all(map(_number, [self.bias, *self.weights.values()]))
        _require(good, "its calibration is not a bias and weights")
        unknown = sorted(set(self.weights) - set(TERMS))
        _require(not unknown, f"its calibration weighs {', '.join(unknown)}, unknown to this version; update Clapboard")
        told = self.speaking
        good = told is None or (all(map(_number, [told.slope, told.bias, told.stay])) and 0 < told.stay < 1)
        _require(good, "its calibration for speakers is not a slope, a bias, and a probability to stay")

    @classmethod
    def of(cls, values: Any) -> "Calibration":
        """Calibration from what JSON holds: ``bias``, ``weights``, and ``speaking`` where it has that.

        Raises
        ------
        ModelError : it is none
        """
        good = isinstance(values, dict) and {"bias", "weights"} <= set(values) <= {"bias", "weights", "speaking"}
        _require(good, "its calibration is not a bias and weights")
        told = values.get("speaking")
        names = {one.name for one in fields(SpeakingModel)}
        good = told is None or (isinstance(told, dict) and set(told) == names)
        _require(good, f"its calibration for speakers does not hold {', '.join(sorted(names))}")
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
        for key in ("name", "view", "sound"):
            _require(isinstance(getattr(self, key), str) and getattr(self, key) != "", f"its {key} is not a word")
        for key in ("window_frames", "window_rows", "embedding"):
            value = getattr(self, key)
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            _require(whole, f"its {key} is not a whole number from 1 on")
        _require(_number(self.zero_ms), "its zero_ms is not a number")
        _require(isinstance(self.about, dict), "its about is no table")
        _require(isinstance(self.files, dict) and set(self.files) == set(STREAMS), f"its files are not {STREAMS}")
        for stream, file in self.files.items():
            good = isinstance(file, dict) and all(isinstance(file.get(key), str) for key in ("name", "sha256"))
            _require(good and _plain(file["name"]), f"its file of the {stream} has no plain name")
        for key, known in (("view", VIEWS), ("sound", KINDS)):
            value = getattr(self, key)
            there_is = f"there is {', '.join(known)}"
            _require(value in known, f"its {key} {value} is unknown to this version ({there_is}); update Clapboard")

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
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ModelError(f"no model at {path}; give a bundled name or the .json of a model") from None
        except OSError as error:
            raise ModelError(f"{path} cannot be read ({error.strerror}); give the .json of a model") from None
        except (ValueError, RecursionError):
            raise ModelError(f"{path} is not the description of a model (no JSON); give the .json of a model") from None
        try:
            return cls._of(values)
        except ModelError as error:
            raise ModelError(f"{path} is not a model that can be used: {error}") from None

    @classmethod
    def _of(cls, values: Any) -> "ModelSpec":
        """Spec from what the JSON holds."""
        _require(isinstance(values, dict), "it is not the description of a model; give the .json of a model")
        version = values.get("format", FORMAT)
        newer = f"it was made for a newer version (format {version}, this one reads up to {FORMAT}); update Clapboard"
        _require(isinstance(version, int) and version <= FORMAT, newer)
        known = {one.name for one in fields(cls)}
        missing = sorted(known - set(values) - {"about"})
        _require(not missing, f"it lacks {', '.join(missing)}, so it is not the description of a model")
        unknown = sorted(set(values) - known - {"format"})
        _require(not unknown, f"it holds {', '.join(unknown)}, unknown to this version; update Clapboard")
        given, calibration = {key: values[key] for key in known & set(values)}, values["calibration"]
        if calibration is not None:
            given["calibration"] = Calibration.of(calibration)
        return cls(**given)

    def write(self, path: Path) -> None:
        """Write the JSON that `read` takes; the networks lie beside it, under the names in ``files``."""
        path.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n", encoding="utf-8")


def _number(value: Any) -> bool:
    """Whether something is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _plain(name: str) -> bool:
    """Whether a file of that name lies in the same folder, on any system."""
    return not set(name) & set("/\\:\0") and name.strip(". ") != ""


def _require(good: bool, what: str) -> None:
    """Raise where a value is not as it should be."""
    if not good:
        raise ModelError(what)
