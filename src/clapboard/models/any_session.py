"""Running a model for any sound: whole pictures and rows in; vectors, and where they come from, out.

T frames, D features, h x w places.
"""

from pathlib import Path

import numpy as np

from clapboard.errors import UsageError
from clapboard.models import DEFAULT_ANY_SOUND
from clapboard.models.any_spec import AnySoundSpec
from clapboard.models.networks import Networks, batches
from clapboard.models.store import locate
from clapboard.values import Crops, Seen
from clapboard.vision.scenes import SCENES, Scene


class AnySoundModel(Networks[AnySoundSpec]):
    """A two-stream model for any sound, ready to run.

    Parameters
    ----------
    name_or_path : a bundled name, or the ``.json`` of a model
    threads : for ONNX Runtime; 1 leaves the other cores to other work

    Raises
    ------
    ModelError : it cannot be found, is one for lips, its weights are not those expected, or its networks do not take or
        give what it says
    """

    def __init__(self, name_or_path: str | Path = DEFAULT_ANY_SOUND, *, threads: int = 1) -> None:
        path = locate(name_or_path)
        super().__init__(AnySoundSpec.read(path), path.parent, threads)

    @property
    def scene(self) -> Scene:
        """What it sees of the picture."""
        return SCENES[self.spec.scene]

    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one squeezed picture."""
        return self.scene.px, self.scene.px, *((3,) if self.scene.colour else ())

    def outputs_of(self, stream: str) -> tuple[tuple[int, ...], ...]:
        """Shape of what a network gives for one window: of the picture also the attention by place."""
        vector = (self.spec.embedding,)
        return (vector, self.spec.places) if stream == "picture" else (vector,)

    def picture_words(self) -> str:
        """What the picture's network sees, for messages."""
        return f"the scene {self.spec.scene}"

    def look(self, pictures: Crops) -> Seen:
        """What all windows of a run of pictures show.

        Parameters
        ----------
        pictures : (T, px, px) or (T, px, px, 3) uint8, of the model's scene, on consecutive points of the picture grid,
            of one shot

        Returns
        -------
        (T - window_frames + 1, D) and (T - window_frames + 1, h, w), at the mean of the true times of each window's
        frames; none for fewer frames

        Raises
        ------
        UsageError : the pictures are of another size, or not in the scene's colours
        ModelError : the network does not do what the spec says
        """
        frames, window, shape = len(pictures.images), self.spec.window_frames, self.frame_shape()
        if pictures.images.shape[1:] != shape:
            raise UsageError(
                f"{self.spec.name} takes pictures of {shape} px (the scene {self.spec.scene}), "
                f"not {pictures.images.shape[1:]}"
            )
        if frames < window:
            nothing = np.zeros((0, self.spec.embedding), np.float32)
            return Seen(nothing, np.zeros((0, *self.spec.places), np.float32), np.zeros(0))
        parts = [self._arrays("picture", pictures.images[some], window) for some in batches(frames, window)]
        values, places = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        if not (np.isfinite(values).all() and np.isfinite(places).all()):  # NaN is not below zero either
            raise self.unusable("picture", "it gives numbers that are not finite")
        if places.min() < 0:
            raise self.unusable("picture", "it gives negative attention")
        return Seen(values, places, np.lib.stride_tricks.sliding_window_view(pictures.time_s, window).mean(1))


def load_any_sound(name_or_path: str | Path = DEFAULT_ANY_SOUND, *, threads: int = 1) -> AnySoundModel:
    """Load a bundled model for any sound by name, or one from the path of its ``.json``; see `AnySoundModel`."""
    return AnySoundModel(name_or_path, threads=threads)
