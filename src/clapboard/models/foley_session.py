"""Running a model that makes sound from silent picture: pictures in; cues, or what a SampleRNN is conditioned on, out.

T frames, R = 4 T rows, M materials; see `clapboard.models.foley_spec` for the graphs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import ModelError, UsageError
from clapboard.models import DEFAULT_FOLEY
from clapboard.models.foley_spec import FoleySpec
from clapboard.models.networks import fits, open_network
from clapboard.models.store import fingerprint, locate, read_weights
from clapboard.runtime import onnx_runtime
from clapboard.synthesis.cues import MATERIALS, MEL_BANDS, Cues
from clapboard.timebase import ROWS_PER_FRAME
from clapboard.values import F32, Model
from clapboard.vision.scenes import SCENES, Scene

FLOW_PX = 32
"""Height and width of the optical flow that encoders take; see `clapboard.vision.scene_flow`."""
BATCH_FRAMES = 250
"""Frames given to the picture network at once: more only costs memory."""
U8 = NDArray[np.uint8]
Shape = tuple[int | None, ...]
_ROWS: dict[str, Shape] = {"onset": (), "energy": (), "materials": (len(MATERIALS),), "mel": (MEL_BANDS,)}
"""What the picture network gives for each row."""


class Stage:
    """One graph of a model in ONNX Runtime, its inputs and outputs checked by name, kind and shape.

    Parameters
    ----------
    spec, folder : the description, and where its files lie
    name : of the stage
    inputs : shape and the runtime's name of the type, by name
    outputs : shape by name; where it is None any shape will do

    Raises
    ------
    ModelError : the file is not the one described, or not such a graph
    """

    def __init__(
        self,
        spec: FoleySpec,
        folder: Path,
        name: str,
        inputs: Mapping[str, tuple[Shape, str]],
        outputs: Mapping[str, Shape | None],
        *,
        threads: int,
    ) -> None:
        self._spec, self._name, self._outputs = spec, name, list(outputs)
        weights = read_weights(folder, spec, name)
        try:
            self._session = open_network(weights, threads)
        except Exception as error:  # of the runtime's own kinds, which share no base
            raise self.unusable(f"ONNX Runtime cannot load it: {error}") from error
        taken = {one.name: one for one in self._session.get_inputs()}
        given = {one.name: one for one in self._session.get_outputs()}
        if set(taken) != set(inputs) or not set(outputs) <= set(given):
            raise self.unusable(
                f"it takes {', '.join(taken)} and gives {', '.join(given)}, "
                f"not {', '.join(inputs)} and {', '.join(outputs)}"
            )
        for key, (shape, kind) in inputs.items():
            if taken[key].type != kind or not fits(taken[key].shape, shape):
                raise self.unusable(f"it takes {key} as {taken[key].shape} {taken[key].type}, not {shape} {kind}")
        for key, wanted in outputs.items():
            if wanted is not None and not fits(given[key].shape, wanted):
                raise self.unusable(f"it gives {key} as {given[key].shape}, not {wanted}")

    def __call__(self, **arrays: NDArray[Any]) -> list[F32]:
        """Outputs in the order of their names as asked for.

        Raises
        ------
        ModelError : the graph cannot be run, or gives numbers that are not finite
        """
        try:
            found = self._session.run(self._outputs, arrays)
        except Exception as error:
            raise self.unusable(f"ONNX Runtime cannot run it: {error}") from error
        given = [np.asarray(one, np.float32) for one in found]
        if not all(np.isfinite(one).all() for one in given):
            raise self.unusable("it gives numbers that are not finite")
        return given

    def unusable(self, why: str) -> ModelError:
        """The error of a graph that is not what the spec says, on one line."""
        name = self._spec.files[self._name]["name"]
        return ModelError(
            f"{name} of {self._spec.name} cannot be used: {' '.join(why.split())}; export the model again"
        )


class Velocity:
    """The flow of textures: which way a noisy log-mel goes."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __call__(self, noisy: F32, time: float, cues: F32) -> F32:
        """Velocity (R, 80) at a ``time`` of 0 (noise) to 1 (log-mel).

        Parameters
        ----------
        noisy : (R, 80) float32, normalised by the spec's mean and scale
        cues : (R, C) float32, as `clapboard.synthesis.texture` lays them out

        Raises
        ------
        ModelError : the network does not do what the spec says
        """
        (found,) = self._stage(noisy=noisy, time=np.array([time], np.float32), cues=cues)
        if found.shape != noisy.shape:
            raise self._stage.unusable(f"of {noisy.shape} it makes {found.shape}")
        return found


class SpectrumOf:
    """The vocoder's network: the spectrum of the wave that a log-mel is of."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __call__(self, mel: F32) -> tuple[F32, F32]:
        """Real and imaginary part of the spectrum that `clapboard.synthesis.vocoder` turns into a wave.

        Parameters
        ----------
        mel : (R, 80) float32

        Raises
        ------
        ModelError : the network does not do what the spec says
        """
        real, imag = self._stage(mel=mel)
        if real.shape != imag.shape:
            raise self._stage.unusable(f"real {real.shape} and imag {imag.shape} differ")
        return real, imag


class FoleyModel:
    """A model that makes sound from silent picture, ready to run.

    Parameters
    ----------
    name_or_path : a bundled name, or the ``.json`` of a model
    threads : for ONNX Runtime; 1 leaves the other cores to other work

    Attributes
    ----------
    spec : its description
    velocity, vocoder : networks of these stages; None where the model has none
    samples : weights of a SampleRNN by name; empty for the method ``cues``

    Raises
    ------
    ModelError : it cannot be found, is of another kind, a file is not the one expected, or a graph does not take or
        give what the description says
    """

    def __init__(self, name_or_path: str | Path = DEFAULT_FOLEY, *, threads: int = 1) -> None:
        path = locate(name_or_path)
        self.spec = FoleySpec.read(path)
        self._folder, self._threads = path.parent, threads
        self._graphs: dict[str, Stage] = {}
        self.velocity: Velocity | None = None
        self.vocoder: SpectrumOf | None = None
        self.samples: dict[str, NDArray[Any]] = {}
        pictures: tuple[Shape, str] = ((None, *self._picture), "tensor(uint8)")
        if "picture" in self.spec.files:
            rows: dict[str, Shape | None] = {name: (None, *rest) for name, rest in _ROWS.items()}
            self._open("picture", {"images": pictures}, rows)
        if self.spec.texture is not None:
            mel, row = (None, MEL_BANDS), (None, self.spec.texture.features)
            takes = {"noisy": mel, "time": (1,), "cues": row}
            self._open("texture", {key: (shape, "tensor(float)") for key, shape in takes.items()}, {"velocity": mel})
            self.velocity = Velocity(self._graphs["texture"])
        if "vocoder" in self.spec.files:
            takes_mel: dict[str, tuple[Shape, str]] = {"mel": ((None, MEL_BANDS), "tensor(float)")}
            self._open("vocoder", takes_mel, {"real": None, "imag": None})
            self.vocoder = SpectrumOf(self._graphs["vocoder"])
        if self.spec.encoder is not None:
            use = self.spec.encoder
            rows_out = 1 if use.kind == "seq" else None
            known: dict[str, tuple[Shape, str]] = {
                "images": pictures,
                "flow": ((None, 2, FLOW_PX, FLOW_PX), "tensor(float)"),
            }
            self._open("encoder", {key: known[key] for key in use.inputs}, {use.output: (rows_out, use.features)})
            self.samples = self._read_samples()

    def _open(self, name: str, inputs: Mapping[str, tuple[Shape, str]], outputs: Mapping[str, Shape | None]) -> None:
        """Load one graph."""
        self._graphs[name] = Stage(self.spec, self._folder, name, inputs, outputs, threads=self._threads)

    def _read_samples(self) -> dict[str, NDArray[Any]]:
        """Weights of the SampleRNN."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        data = read_weights(self._folder, self.spec, "samples")
        try:
            return dict(load(data))
        except (SafetensorError, KeyError, ValueError) as error:
            name = self.spec.files["samples"]["name"]
            why = f"it is no safetensors file ({' '.join(str(error).split())})"
            raise ModelError(f"{name} of {self.spec.name} cannot be used: {why}; export the model again") from None

    @property
    def _picture(self) -> tuple[int, ...]:
        """Shape of one picture."""
        scene = self.scene
        return (scene.px, scene.px, 3) if scene.colour else (scene.px, scene.px)

    @property
    def scene(self) -> Scene:
        """What it sees of the picture."""
        return SCENES[self.spec.scene]

    @property
    def versions(self) -> dict[str, str]:
        """Version of the runtime that gives the numbers."""
        return {"onnxruntime": str(onnx_runtime().__version__)}

    @property
    def model(self) -> Model:
        """Name and fingerprint, for reports."""
        return Model(self.spec.name, fingerprint(self.spec))

    def cues(self, images: U8) -> Cues:
        """What the pictures of one shot tell of its sound.

        Parameters
        ----------
        images : (T, px, px) uint8, or (T, px, px, 3) of a scene in colour, on consecutive points of the picture grid; T
            at least 1

        Returns
        -------
        Cues of R = 4 T rows

        Raises
        ------
        UsageError : the pictures are of another size, there are none, or the model is of another method
        ModelError : the network does not do what the spec says
        """
        if "picture" not in self._graphs:
            raise UsageError(f"{self.spec.name} gives no cues: its method is {self.spec.method}")
        stage, margin = self._graphs["picture"], self.spec.margin_frames
        padded = self._padded(images)
        parts: list[list[F32]] = []
        for start in range(0, len(images), BATCH_FRAMES):
            frames = min(BATCH_FRAMES, len(images) - start)
            found = stage(images=padded[start : start + frames + 2 * margin])
            wanted = [(ROWS_PER_FRAME * frames, *rest) for rest in _ROWS.values()]
            if [one.shape for one in found] != wanted:
                shapes = ", ".join(str(one.shape) for one in found)
                raise stage.unusable(f"of {frames} frames it makes {shapes}, not {', '.join(map(str, wanted))}")
            parts.append(found)
        onset, energy, materials, mel = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return Cues(_sigmoid(onset), energy, _softmax(materials), mel)

    def encode(self, images: U8, flow: F32 | None = None) -> F32:
        """What a SampleRNN is conditioned on, for the pictures of one shot.

        Parameters
        ----------
        images : (T, px, px) uint8, or (T, px, px, 3) of a scene in colour; T at least 1
        flow : (T - 1, 2, h, w) float32, from each picture to the next, px of a picture of h x w; only for an encoder of
            the kind ``flow``

        Returns
        -------
        (T, D) float32, one row a frame; (1, D) for an encoder of the kind ``seq``

        Raises
        ------
        UsageError : the arrays are not of these shapes, or the model is of another method
        ModelError : the network does not do what the spec says
        """
        use = self.spec.encoder
        if use is None:
            raise UsageError(f"{self.spec.name} has no encoder: its method is {self.spec.method}")
        arrays: dict[str, NDArray[Any]] = {"images": self._padded(images)}
        if (flow is None) != ("flow" not in use.inputs):
            raise UsageError(f"{self.spec.name} takes {' and '.join(use.inputs)}")
        margin = self.spec.margin_frames
        if flow is not None:
            if flow.ndim != 4 or flow.shape[:2] != (len(images) - 1, 2) or flow.dtype != np.float32:
                raise UsageError(f"the flow is ({len(images) - 1}, 2, h, w) float32, not {flow.shape} {flow.dtype}")
            arrays["flow"] = np.pad(flow, ((margin, margin), (0, 0), (0, 0), (0, 0)))  # what stands still has no flow
        stage, batch = self._graphs["encoder"], len(images) if use.kind == "seq" else BATCH_FRAMES
        parts = []
        for start in range(0, len(images), batch):
            frames = min(batch, len(images) - start)
            ends = {"images": start + frames + 2 * margin, "flow": start + frames + 2 * margin - 1}
            (found,) = stage(**{key: array[start : ends[key]] for key, array in arrays.items()})
            wanted = (1 if use.kind == "seq" else frames, use.features)
            if found.shape != wanted:
                raise stage.unusable(f"of {frames} frames it makes {found.shape}, not {wanted}")
            parts.append(found)
        return np.concatenate(parts)

    def _padded(self, images: U8) -> U8:
        """Pictures with the first and the last one repeated by the margin."""
        wanted, margin = self._picture, self.spec.margin_frames
        if images.shape[1:] != wanted or images.dtype != np.uint8 or not len(images):
            shape = ", ".join(("T", *map(str, wanted)))
            raise UsageError(
                f"{self.spec.name} takes one or more pictures, ({shape}) uint8 (the scene {self.spec.scene}), "
                f"not {images.shape} {images.dtype}"
            )
        return np.pad(images, ((margin, margin), *[(0, 0)] * len(wanted)), mode="edge")


def load_foley(name_or_path: str | Path = DEFAULT_FOLEY, *, threads: int = 1) -> FoleyModel:
    """Load a bundled model by name, or one from the path of its ``.json``; see `FoleyModel`."""
    return FoleyModel(name_or_path, threads=threads)


def _sigmoid(logits: F32) -> F32:
    """Probabilities of logits, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)


def _softmax(logits: F32) -> F32:
    """Probabilities of logits (R, M), which sum to 1 along the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)
