"""What a model is: its inputs, its calibration and where it comes from, read from a JSON beside its weights."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clapboard.errors import ModelError


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic regression from a curve to the probability of being right within one frame, see `clapboard.sync.trust`.

    ``weights`` by the name of the feature, ``bias``; fitted on people that the model had not learned from.
    """

    bias: float
    weights: dict[str, float]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A two-stream model.

    Attributes
    ----------
    name : what it is called
    window_frames : frames of the picture grid that one picture embedding sees
    window_rows : feature rows that one sound embedding sees
    crop_px : side of the mouth crops that go in
    embedding : length of the vectors
    zero_ms : what is added to every offset, so that Clapboard's zero is the middle of broadcast speech
    files : file name and SHA-256 of each network, by stream: ``picture`` and ``sound``
    calibration : see `Calibration`
    about : licence, data and recipe, for people
    """

    name: str
    window_frames: int
    window_rows: int
    crop_px: int
    embedding: int
    zero_ms: float
    files: dict[str, dict[str, str]]
    calibration: Calibration
    about: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "ModelSpec":
        """Spec from its JSON file.

        Raises
        ------
        ModelError : the file is missing or not a spec
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**values, "calibration": Calibration(**values["calibration"])})
        except FileNotFoundError:
            raise ModelError(f"no model at {path}; give a bundled name or the .json of a model") from None
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path} is not the description of a model ({error}); give the .json of a model") from None
