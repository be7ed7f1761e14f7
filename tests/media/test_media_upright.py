"""The size in which boxes of faces are measured is that of the pictures that are handed out, whatever the file is."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clapboard.media.picture import upright_size
from clapboard.media.probe import probe
from clapboard.media.read import read_frames
from clapboard.media.write import write_clip


@pytest.mark.parametrize(
    ("size", "options", "expected"),
    [
        ((160, 90), {}, (160, 90)),
        ((160, 90), {"rotation_deg": 90}, (90, 160)),
        ((160, 90), {"rotation_deg": 180}, (160, 90)),
        ((144, 96), {"sample_aspect": Fraction(4, 3)}, (192, 96)),
        ((144, 96), {"sample_aspect": Fraction(3, 4), "rotation_deg": 270}, (128, 144)),
        ((2560, 144), {}, (1280, 72)),
    ],
)
def test_size_of_the_images(
    tmp_path: Path, size: tuple[int, int], options: dict[str, Any], expected: tuple[int, int]
) -> None:
    """Turned, with pixels that are not square, and large: known without decoding, and the same as decoded."""
    path = tmp_path / "a.mp4"
    write_clip(path, [np.full((size[1], size[0]), 100, np.uint8)] * 3, 25, **options)
    clip = probe(path)
    assert upright_size(clip) == expected
    assert next(iter(read_frames(clip))).image.shape == expected[::-1]
