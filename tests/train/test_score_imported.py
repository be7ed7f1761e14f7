"""What importing writes down of the published checkpoint is what ``clapboard score --mode compatible`` knows it by."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.scoring import scorer  # noqa: E402
from clapboard.training.importing import ABOUT, NAME, ZERO_MS  # noqa: E402
from tiny_models import write_tiny  # noqa: E402


def test_an_imported_model_is_known(tmp_path: Path) -> None:
    """Protects both sides: a word that changes in one place only would lock everybody out of the mode."""
    model = write_tiny(tmp_path, "face-224", "mfcc-13", name=NAME, zero_ms=ZERO_MS, about=ABOUT)
    assert scorer("compatible", model).spec.name == NAME
