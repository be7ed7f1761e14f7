"""The bundled model for any sound on real clips, where there is no evidence that it works: it leaves them open."""

import csv
from pathlib import Path

import pytest

from clapboard.anysound import check_any_sound

SOUNDS = Path(__file__).parents[1] / "../shared/data/sounds"


@pytest.mark.real
@pytest.mark.skipif(not SOUNDS.is_dir(), reason="needs the real clips beside the repository, in shared/data/sounds")
def test_short_real_clips_are_left_undecided() -> None:
    """Every clip of at most 4.1 s of both parts, events and sustained sound; not one may be answered."""
    rows = list(csv.DictReader((SOUNDS / "manifest.csv").read_text(encoding="utf-8").splitlines()))
    clips = [SOUNDS / row["file"] for row in rows if float(row["duration_s"]) <= 4.1 and row["grade"] in "AB"]
    assert len(clips) >= 15
    found = {path.name: check_any_sound(path) for path in clips}
    assert {name: report.offset.offset_ms for name, report in found.items() if report.status != "undecided"} == {}
    assert all(report.offset.reasons for report in found.values())
