"""What people keep of what they measured: thresholds as published, and what they become with a calibrated model.

A published threshold is a confidence on the scale of the published network. With that network (a ``syncnet-v2`` that
was imported) it applies as it is. Every other model has a scale of its own; there the calibrated probability that the
offset is right within a frame takes its place, at the level that stands beside it here, and an undecided answer is
dropped.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clapboard.errors import UsageError
from clapboard.timebase import FRAME_MS, PICTURE_HZ

_GUIDE = "Moon1570/syncnet_python, Docs/QUALITY_FILTERING_GUIDE.md"


@dataclass(frozen=True, slots=True)
class Preset:
    """What is kept.

    Attributes
    ----------
    name : what it is called
    max_offset_frames : largest offset either way, in frames of 40 ms as published; None for any
    min_confidence : with the published network, least median minus minimum of the mean curve
    min_probability : with a calibrated model, least probability that the offset is right within a frame
    min_face_px : least median width of the face, px; None for any
    min_seconds : shortest time that the face is followed, s; None for any
    source : where the thresholds come from
    """

    name: str
    max_offset_frames: float | None
    min_confidence: float
    min_probability: float
    min_face_px: float | None
    min_seconds: float | None
    source: str


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("strict", 2, 6.0, 0.95, None, None, f"{_GUIDE}, strict"),
        Preset("latentsync", 6, 3.0, 0.8, None, None, "bytedance/LatentSync, preprocess/sync_av.py"),
        Preset(
            "voxceleb",
            None,
            3.0,
            0.8,
            100.0,
            4.0,
            "joonson/syncnet_python, issue 17 (LRS and VoxCeleb: 3 to 4), run_pipeline.py (100 frames of 100 px)",
        ),
        Preset("relaxed", 12, 1.5, 0.6, None, None, f"{_GUIDE}, relaxed"),
    )
}


def preset_of(name: str | None) -> Preset | None:
    """A preset by its name; None for None.

    Raises
    ------
    UsageError : there is no such preset
    """
    if name is None:
        return None
    if name not in PRESETS:
        raise UsageError(f"no preset called {name}; there is {', '.join(PRESETS)}")
    return PRESETS[name]


def against(track: Mapping[str, Any], clip: Mapping[str, Any], preset: Preset, *, published: bool) -> list[str]:
    """Every reason to drop a face track; empty to keep it.

    Parameters
    ----------
    track : a row of ``tracks``, see `clapboard.batch.columns`
    clip : the row of its clip
    published : whether the network is the published one, whose confidence is judged track by track

    A calibrated model judges a face that speaks by the offset of the clip, which the faces that decide have made
    together; one that does not speak is dropped: somebody else is heard.
    """
    reasons = []
    if published:
        measured = track
        if _below(track["confidence"], preset.min_confidence):
            reasons.append(f"confidence below {preset.min_confidence:g}")
    else:
        measured = clip if track["speaks"] else track
        undecided = sorted({f"undecided: {reason}" for reason in clip["reasons"]})
        reasons += undecided
        if not undecided and not track["speaks"]:
            reasons.append("not the face that speaks")
        elif not undecided and _below(clip["p_within_frame"], preset.min_probability):
            reasons.append(f"probability below {preset.min_probability:.0%}")
    if preset.max_offset_frames is not None and measured["offset_ms"] is not None:
        limit_ms = preset.max_offset_frames * FRAME_MS
        # whole frames were compared where the threshold comes from: up to half a frame beyond it still rounds to it
        if abs(measured["offset_ms"]) >= limit_ms + FRAME_MS / 2 and (published or track["speaks"]):
            reasons.append(f"offset beyond {preset.max_offset_frames:g} frames ({limit_ms:.0f} ms)")
    if preset.min_face_px is not None and _below(track["face_px"], preset.min_face_px):
        reasons.append(f"face narrower than {preset.min_face_px:g} px")
    if preset.min_seconds is not None and _below(_seconds(track), preset.min_seconds):
        reasons.append(f"face in view for less than {preset.min_seconds:g} s")
    return reasons


def kind_of(reason: str) -> str:
    """A reason without its numbers and its advice, so that reasons of one kind can be counted."""
    return re.sub(r"(?<![A-Za-z\d])[-+]?\d[\d.,]*(?<=\d)", "N", re.split(r"[:;]", reason)[0]).partition(", N")[0]


def kind_of_drop(reason: str) -> str:
    """The same of a reason to drop: what was measured goes, the limit of a preset stays."""
    why, colon, rest = reason.partition(": ")
    return f"{why}: {kind_of(rest)}" if colon and why in ("undecided", "error") else reason


def _below(value: float | None, least: float) -> bool:
    """Whether a value is less than wanted, or not known."""
    return value is None or not value >= least


def _seconds(track: Mapping[str, Any]) -> float | None:
    """How long a face is followed, s."""
    if track["start_s"] is None or track["end_s"] is None:
        return None
    return float(track["end_s"] - track["start_s"] + 1 / PICTURE_HZ)  # the last frame is shown, too
