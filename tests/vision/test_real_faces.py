"""Faces of real people, where the clips are at hand."""

from pathlib import Path

import pytest

from clapboard.media.grid import on_grid
from clapboard.media.probe import probe
from clapboard.media.read import read_frames
from clapboard.vision.mouths import MouthFinder
from clapboard.vision.mtcnn import Mtcnn

CLIPS = Path(__file__).parents[2] / "../shared/data/talking/dev"
SOME = (
    "GRID/s1__prbp9s.mp4",
    "HDTF/hdtf_RD_Radio34_000__RD_Radio34_000.mp4",
    "MEAD/mead_M030__M030_level_3_angry_016.mp4",
    "TCD-TIMIT/tcd_C__sx65.mp4",
    "VoxCeleb2/vox_00098__00098.mp4",
)


@pytest.mark.real
@pytest.mark.parametrize("name", SOME)
def test_the_speaker_is_followed_through_the_clip(mtcnn: Mtcnn, name: str) -> None:
    """One person before the camera is one track that holds at least 95 % of the frames."""
    path = CLIPS / name
    if not path.exists():
        pytest.skip(f"the clip {name} is not beside the repository")
    finder, count = MouthFinder(mtcnn), 0
    for grid, frame in on_grid(read_frames(probe(path), until_s=4.0)):
        finder.push(grid, frame)
        count += 1
    finder.close()
    (track,) = finder.tracks
    assert (~track.interpolated).sum() >= 0.95 * count
