"""A report as plain data and as one line of JSON.

Every quantity carries its unit in its name; what is not known is null, never NaN; keys are always all there. The keys
of schema 1 only ever grow: a key that changes its meaning changes the number of the schema.
"""

import json
from typing import Any

from clapboard.report.plain import file_names, number, text
from clapboard.report.wording import audio_side, sentence
from clapboard.timebase import frames_of
from clapboard.values import Attention, Offset, Report, TrackReport


def record(report: Report) -> dict[str, Any]:
    """Return a report as dicts, lists, strings, numbers and None, ready for JSON.

    ``file`` is the name as it was given. A name that is no valid Unicode has the odd bytes replaced by U+FFFD there,
    and its exact bytes percent-encoded in ``file_percent_encoded``, which is null for every other name.
    ``correction`` is there when the offset is trusted: positive means that the audio has to be delayed. ``blocks`` and
    what else belongs to attention are there when it was measured by any sound.
    """
    offset, clip, verdict = report.offset, report.clip, report.verdict
    fps = float(clip.rate) if clip is not None and clip.rate else 0.0
    delay_ms = number(offset.offset_ms) if offset.trusted and not report.error else None
    return {
        "schema": report.schema,
        **file_names(report.file),
        "status": report.status,
        "sentence": text(sentence(report)),
        "audio": audio_side(report),
        "by": report.by,
        "why_by": text(report.why_by) or None,
        **_offset(offset, fps),
        "correction": None if delay_ms is None else {"delay_audio_ms": delay_ms},
        "profile": {
            "name": verdict.profile,
            "max_lead_ms": number(verdict.max_lead_ms),
            "max_lag_ms": number(verdict.max_lag_ms),
        },
        "hints": [text(hint) for hint in report.hints],
        "error": text(report.error) or None,
        "fps": number(fps) or None,
        "duration_s": number(clip.duration_s) if clip is not None else None,
        "tracks": [_track(track, fps) for track in report.tracks],
        **_attention(report.attention),
        "model": {"name": report.model.name or None, "sha256": report.model.sha256 or None},
        "versions": {text(key): text(value) for key, value in report.versions.items()},
    }


def to_json(report: Report) -> str:
    """Return a report as JSON on one line, in ASCII, so that any terminal and any pipe can carry it."""
    return json.dumps(record(report), allow_nan=False)


def _offset(offset: Offset, fps: float) -> dict[str, Any]:
    """Return the numbers of one offset; ``offset_frames`` counts frames of the file's own rate."""
    return {
        "offset_ms": number(offset.offset_ms),
        "offset_frames": number(frames_of(offset.offset_ms, fps)) if fps else None,
        "confidence": number(offset.confidence),
        "min_distance": number(offset.min_distance),
        "p_within_frame": number(offset.p_within_frame),
        "windows": int(offset.windows),
        "reasons": [text(reason) for reason in offset.reasons],
    }


def _attention(attention: Attention | None) -> dict[str, Any]:
    """Return when was looked for what sounds; null where it was measured by lips."""
    if attention is None:
        return dict.fromkeys(("synchronisable", "p_synchronisable", "blocks"))
    spans = zip(attention.blocks_s.tolist(), attention.weights.tolist(), strict=True)
    return {
        "synchronisable": attention.synchronisable,
        "p_synchronisable": number(attention.p_synchronisable),
        "blocks": [
            {"start_s": number(start_s), "end_s": number(end_s), "weight": number(weight, 6)}
            for (start_s, end_s), weight in spans
        ],
    }


def _track(track: TrackReport, fps: float) -> dict[str, Any]:
    """Return what one face says."""
    return {
        "number": int(track.number),
        "start_s": number(track.start_s),
        "end_s": number(track.end_s),
        "face_px": number(track.face_px),
        "speaking_share": number(track.speaking_share),
        "decides": bool(track.decides),
        **_offset(track.offset, fps),
    }
