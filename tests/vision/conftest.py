"""The real detector, built once for all tests of this folder."""

import pytest

from clapboard.vision.mtcnn import Mtcnn


@pytest.fixture(scope="session")
def mtcnn() -> Mtcnn:
    """The real detector."""
    return Mtcnn()
