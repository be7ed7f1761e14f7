"""What a model that makes sound from silent picture is: its files by stage and what they take, from a JSON beside them.

By its ``method`` a model has one of two sets of stages. ``cues``: ``picture`` tells what happens, ``texture``, where
there is one, draws the log-mel of what sounds all the time, ``vocoder``, where there is one, makes a wave of a log-mel.
``samplernn``: ``encoder`` turns pictures into what a SampleRNN is conditioned on, whose weights are ``samples``.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from clapboard.errors import ModelError
from clapboard.models.description import (
    FOLEY,
    FORMAT,
    check_files,
    fields_of,
    is_number,
    is_whole,
    read_json,
    require,
)
from clapboard.synthesis.cues import MATERIALS, MEL_BANDS
from clapboard.vision.scenes import SCENES

CUES, SAMPLERNN = "cues", "samplernn"
STAGES = {
    CUES: (("picture",), ("texture", "vocoder")),
    SAMPLERNN: (("encoder", "samples"), ()),
}
"""Stages of each method: those that a model has to have, and those that it may."""
ENCODERS = ("frame", "seq", "flow")
"""Ways to turn pictures into a conditioning: a row a frame; one state for all; a row a frame, of its motion too."""


@dataclass(frozen=True, slots=True)
class TextureUse:
    """How the network of textures is used; its log-mel is ``(mel - mean) / scale``.

    Attributes
    ----------
    mean, scale : one number for each of the 80 bands, the scale above 0
    features : numbers of a row that it is conditioned on, C; their order is that of `clapboard.synthesis.texture`
    steps : steps from noise to a log-mel, each of which asks the network twice
    guidance : weight of the cues against none, 1 for the plain flow
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    features: int
    steps: int = 6
    guidance: float = 2.0

    def __post_init__(self) -> None:
        """Check every value.

        Raises
        ------
        ModelError : one makes no sense
        """
        for key in ("mean", "scale"):
            values = getattr(self, key)
            good = isinstance(values, tuple) and len(values) == MEL_BANDS and all(map(is_number, values))
            require(good, f"its texture's {key} is not {MEL_BANDS} numbers")
        require(min(self.scale) > 0, "its texture's scale is not above 0")
        require(is_whole(self.features) and is_whole(self.steps), "its texture's features and steps are not whole")
        require(is_number(self.guidance) and self.guidance >= 0, "its texture's guidance is not a number from 0 on")


@dataclass(frozen=True, slots=True)
class EncoderUse:
    """How the encoder of a SampleRNN is used.

    Attributes
    ----------
    kind : one of `ENCODERS`
    inputs : names of what its graph takes: ``images`` (T + 2 m, px, px) uint8, and of the kind ``flow`` also ``flow``
        (T + 2 m - 1, 2, h, w) float32, from each of these pictures to the next, px of a picture of h x w
    output : name of what its graph gives: (T, features) float32, of the kind ``seq`` (1, features)
    features : D of the conditioning
    generator : shape of the SampleRNN for `clapboard.synthesis.samplernn`, numbers and words by name
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    features: int
    generator: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every value.

        Raises
        ------
        ModelError : one makes no sense
        """
        require(self.kind in ENCODERS, f"its encoder is of the kind {self.kind}; there is {', '.join(ENCODERS)}")
        wanted = ("images", "flow") if self.kind == "flow" else ("images",)
        require(self.inputs == wanted, f"its encoder of the kind {self.kind} does not take {' and '.join(wanted)}")
        require(isinstance(self.output, str) and self.output != "", "its encoder's output has no name")
        require(is_whole(self.features), "its encoder's features are not a whole number from 1 on")
        require(isinstance(self.generator, dict), "its encoder's generator is no table")


@dataclass(frozen=True, slots=True)
class FoleySpec:
    """A model that makes sound from silent picture.

    The graphs of the stages, m being ``margin_frames``; all preparation is inside, and the caller repeats the first and
    the last picture of a shot m times:

    - ``picture``: (T + 2 m, px, px) uint8, of a scene in colour (T + 2 m, px, px, 3) -> ``onset`` (4 T,) logits,
      ``energy`` (4 T,), ``materials`` (4 T, M) logits, ``mel`` (4 T, 80), all float32; see
      `clapboard.synthesis.cues.Cues`.
    - ``texture``: ``noisy`` (R, 80), ``time`` (1,), ``cues`` (R, C) -> ``velocity`` (R, 80), all float32.
    - ``vocoder``: ``mel`` (R, 80) float32 -> ``real`` and ``imag``, float32; see `clapboard.synthesis.vocoder`.
    - ``encoder``: see `EncoderUse`. ``samples`` is no graph, but arrays in the safetensors format.

    Attributes
    ----------
    name : what it is called
    method : ``cues`` or ``samplernn``
    scene : what it sees, a name of `clapboard.vision.scenes.SCENES` with 25 pictures a second
    margin_frames : pictures before and after those that a row is of, m
    files : ``name`` and ``sha256`` by stage
    materials : what ``materials`` are probabilities of: `clapboard.synthesis.cues.MATERIALS`
    onset_threshold : a peak of the onset's probability is a blow from this on, above 0 and below 1
    texture : how that stage is used; None where there is none
    encoder : how that stage is used; None where there is none
    zero_ms : added to the time of every onset
    about : licence, data and recipe, for people

    Raises
    ------
    ModelError : the values make no model, or one that this version cannot run; the line lacks the file's name
    """

    name: str
    method: str
    scene: str
    margin_frames: int
    files: dict[str, dict[str, str]]
    materials: tuple[str, ...] = ()
    onset_threshold: float = 0.5
    texture: TextureUse | None = None
    encoder: EncoderUse | None = None
    zero_ms: float = 0.0
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every value."""
        require(isinstance(self.name, str) and self.name != "", "its name is not a word")
        known = f"unknown to this version (there is {', '.join(STAGES)}); update Clapboard"
        require(self.method in STAGES, f"its method {self.method} is {known}")
        scenes = [name for name, scene in SCENES.items() if scene.picture_hz == 25]
        known = f"unknown to this version (there is {', '.join(scenes)}); update Clapboard"
        require(self.scene in scenes, f"its scene {self.scene} is {known}")
        whole = isinstance(self.margin_frames, int) and not isinstance(self.margin_frames, bool)
        require(whole and self.margin_frames >= 0, "its margin_frames are not a whole number from 0 on")
        needed, possible = STAGES[self.method]
        good = isinstance(self.files, dict) and set(needed) <= set(self.files) <= {*needed, *possible}
        require(good, f"its files are not those of the method {self.method}: {', '.join((*needed, *possible))}")
        check_files(self.files)
        wanted = MATERIALS if self.method == CUES else ()
        require(self.materials == wanted, f"its materials are not {', '.join(wanted) or 'none'}; update Clapboard")
        good = is_number(self.onset_threshold) and 0 < self.onset_threshold < 1
        require(good, "its onset_threshold is not between 0 and 1")
        for stage, use in (("texture", self.texture), ("encoder", self.encoder)):
            require((stage in self.files) == (use is not None), f"its {stage} and the file of that stage go together")
        require(is_number(self.zero_ms), "its zero_ms is not a number")
        require(isinstance(self.about, dict), "its about is no table")

    @classmethod
    def read(cls, path: Path) -> "FoleySpec":
        """Spec from its JSON file.

        Raises
        ------
        ModelError : the file is missing, is not a spec, is that of another kind of model, or is one for a newer version
        """
        values = read_json(path)
        try:
            return cls._of(values)
        except ModelError as error:
            raise ModelError(f"{path} is not a model that can be used: {error}") from None

    @classmethod
    def _of(cls, values: Any) -> "FoleySpec":
        """Spec from what the JSON holds."""
        given = fields_of(values, FOLEY, {one.name for one in fields(cls)})
        if isinstance(given["materials"], list):
            given["materials"] = tuple(given["materials"])
        given["texture"] = _use(TextureUse, given["texture"], "texture")
        given["encoder"] = _use(EncoderUse, given["encoder"], "encoder")
        return cls(**given)

    @property
    def variant(self) -> str:
        """How it makes sound, as ``clapboard foley --variant`` has it."""
        return "fast" if self.encoder is None else self.encoder.kind

    def write(self, path: Path) -> None:
        """Write the JSON that `read` takes; the files lie beside it, under the names in ``files``."""
        values = {"format": FORMAT, "kind": FOLEY, **asdict(self)}
        path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _use(kind: Any, values: Any, name: str) -> Any:
    """How a stage is used, of what JSON holds."""
    if values is None:
        return None
    wanted = {one.name for one in fields(kind)}
    require(isinstance(values, dict) and set(values) == wanted, f"its {name} does not hold {', '.join(sorted(wanted))}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
