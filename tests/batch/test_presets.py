"""What a preset keeps: the thresholds themselves, and the decision as a function of numbers alone."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.batch.presets import PRESETS, against, kind_of, kind_of_drop, preset_of
from clapboard.errors import UsageError
from clapboard.models.spec import PUBLISHED

PAGE = Path(__file__).parents[2] / "docs" / "filter.md"
GOLDEN = {
    "strict": (2, 6.0, 0.95, None, None),
    "latentsync": (6, 3.0, 0.8, None, None),
    "voxceleb": (None, 3.0, 0.8, 100.0, 4.0),
    "relaxed": (12, 1.5, 0.6, None, None),
}
"""Frames of 40 ms, confidence, probability, px, s."""

numbers = st.none() | st.floats(-2000, 2000)
shares = st.none() | st.floats(0, 1)
tracks = st.fixed_dictionaries(
    {
        "offset_ms": numbers,
        "confidence": st.none() | st.floats(0, 12),
        "p_within_frame": shares,
        "face_px": st.none() | st.floats(1, 500),
        "start_s": st.floats(0, 10),
        "end_s": st.floats(10, 20),
        "decides": st.booleans(),
        "speaks": st.booleans(),
    }
)
clips = st.fixed_dictionaries(
    {
        "offset_ms": numbers,
        "p_within_frame": shares,
        "reasons": st.lists(st.sampled_from(["the sound is silent", "only 0.3 s of speech, 0.6 s are needed"])),
    }
)
presets = st.sampled_from(list(PRESETS.values()))


def test_the_thresholds_are_the_published_ones() -> None:
    """Protects the promise of the names: a change here changes what data sets are made of."""
    found = {name: tuple(asdict(preset).values())[1:-1] for name, preset in PRESETS.items()}
    assert found == GOLDEN
    assert all(preset.name == name and preset.source for name, preset in PRESETS.items())


def test_the_page_shows_these_thresholds() -> None:
    """Protects the reader of docs/filter.md: its table is this table."""
    table = PAGE.read_text(encoding="utf-8").partition("## Presets")[2].splitlines()[2:8]
    rows = {row.split("|")[1].strip(): row for row in table}
    for name, preset in PRESETS.items():
        cells = [cell.strip() for cell in rows[f"`{name}`"].split("|")[2:7]]
        frames, confidence, probability, face_px, seconds = GOLDEN[name]
        assert cells == [
            "any" if frames is None else f"{frames} frames, {frames * 40} ms",
            f"{confidence:g}",
            f"{probability:.0%}".replace("%", " %"),
            "any" if face_px is None else f"{face_px:g} px",
            "any" if seconds is None else f"{seconds:g} s",
        ]
        assert preset.source.split(",")[0] in rows[f"`{name}`"]


@given(tracks, clips, presets, st.booleans())
def test_reasons_are_words_that_can_be_counted(
    track: dict[str, Any], clip: dict[str, Any], preset: Any, published: bool
) -> None:
    """Protects the histogram: no reason twice, none that holds a measured number; rows have those."""
    found = against(track, clip, preset, published=published)
    assert len(set(found)) == len(found)
    assert {r for r in found if r.startswith("undecided")} == {
        f"undecided: {reason}" for reason in clip["reasons"] if not published
    }
    found = [kind_of_drop(reason) for reason in found]
    limits = {"below", "beyond", "narrower", "less than"}
    assert all(any(word in reason for word in limits) or not any(map(str.isdigit, reason)) for reason in found)


@given(tracks, clips, st.booleans())
def test_what_strict_keeps_the_milder_ones_keep(track: dict[str, Any], clip: dict[str, Any], published: bool) -> None:
    """Protects the order of the presets, whatever was measured."""
    keeps = [
        not against(track, clip, PRESETS[name], published=published) for name in ("strict", "latentsync", "relaxed")
    ]
    assert keeps == sorted(keeps)


@given(tracks, clips, presets, st.booleans(), st.floats(0, 1))
def test_nearer_to_zero_is_never_worse_and_the_sign_does_not_matter(
    track: dict[str, Any], clip: dict[str, Any], preset: Any, published: bool, part: float
) -> None:
    """Protects symmetry: a published threshold is on the absolute offset."""

    def kept(scale: float) -> bool:
        scaled = [
            {**each, "offset_ms": None if each["offset_ms"] is None else each["offset_ms"] * scale}
            for each in (track, clip)
        ]
        return not against(*scaled, preset, published=published)

    assert kept(-1.0) == kept(1.0)
    assert kept(part) or not kept(1.0)


@given(tracks, clips, presets)
def test_nothing_unsure_is_kept(track: dict[str, Any], clip: dict[str, Any], preset: Any) -> None:
    """Protects training sets: no undecided clip, no unknown number, nobody who does not speak."""
    if not against(track, clip, preset, published=False):
        assert clip["reasons"] == []
        assert clip["p_within_frame"] >= preset.min_probability
        assert track["speaks"]
        assert preset.min_face_px is None or track["face_px"] >= preset.min_face_px
    if not against(track, clip, preset, published=True):
        assert track["confidence"] >= preset.min_confidence


@pytest.mark.parametrize(("offset_ms", "kept"), [(99.9, True), (-99.9, True), (100.1, False), (-100.1, False)])
def test_two_frames_are_what_rounds_to_two(offset_ms: float, kept: bool) -> None:
    """Protects the scale of the offset: published code knows whole frames of 40 ms only."""
    clip = {"offset_ms": offset_ms, "p_within_frame": 1.0, "reasons": []}
    track = {**clip, "confidence": 9.0, "face_px": 200.0, "start_s": 0.0, "end_s": 9.0, "speaks": True, "decides": True}
    assert (not against(track, clip, PRESETS["strict"], published=False)) == kept
    assert (not against(track, clip, PRESETS["strict"], published=True)) == kept


def test_a_hundred_frames_are_four_seconds() -> None:
    """Protects clips of exactly the published length: the last frame is shown, too."""
    clip = {"offset_ms": 0.0, "p_within_frame": 1.0, "reasons": []}
    track = {
        **clip,
        "confidence": 9.0,
        "face_px": 100.0,
        "start_s": 0.0,
        "end_s": 3.96,
        "speaks": True,
        "decides": True,
    }
    assert against(track, clip, PRESETS["voxceleb"], published=False) == []
    reasons = against({**track, "end_s": 3.9, "face_px": 99.0}, clip, PRESETS["voxceleb"], published=False)
    assert reasons == ["face narrower than 100 px", "face in view for less than 4 s"]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("lips and sound do not match clearly: probability 12% from 3.2 s", "lips and sound do not match clearly"),
        ("only 0.3 s of speech with a face in view, 0.6 s are needed", "only N s of speech with a face in view"),
        ("the best match lies at the edge of the search of 1000 ms both ways", "the best match lies at the edge of the "
         "search of N ms both ways"),
        ("faces disagree: another one is at +300 ms", "faces disagree"),
        ("is not a video file (mp4, mov)", "is not a video file (mp4, mov)"),
        ("the mp4/mov index is missing; get a complete copy", "the mp4/mov index is missing"),
    ],
)  # fmt: skip
def test_reasons_without_their_numbers(reason: str, kind: str) -> None:
    """Protects the histogram from one bar for each clip."""
    assert kind_of(reason) == kind


def test_reasons_to_drop_without_their_numbers() -> None:
    """Protects the histogram: measured numbers go, the limits of the preset stay."""
    assert kind_of_drop("undecided: the face is 20 px wide, 30 are needed") == "undecided: the face is N px wide"
    assert kind_of_drop("error: took longer than 0.5 s") == "error: took longer than N s"
    assert kind_of_drop("undecided: the face is N px wide") == "undecided: the face is N px wide", "rows of before"
    for limit in ("offset beyond 2 frames (80 ms)", "probability below 95%", "face narrower than 100 px"):
        assert kind_of_drop(limit) == limit


def test_unknown_presets_are_named() -> None:
    """Protects from a typing error that keeps everything."""
    assert preset_of(None) is None
    with pytest.raises(UsageError, match="no preset called Strict; there is strict"):
        preset_of("Strict")


@pytest.mark.train
def test_the_published_network_is_known_by_what_its_import_says() -> None:
    """Protects the scale: whatever name the user gives the imported network, it is judged as published."""
    pytest.importorskip("torch")
    from clapboard.training.importing import ABOUT

    assert ABOUT["network"] == PUBLISHED
