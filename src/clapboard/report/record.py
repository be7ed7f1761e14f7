"""A report as plain data and as one line of JSON.

Every quantity carries its unit in its name; what is not known is null, never NaN; keys are always all there. The keys
of schema 1 only ever grow: a key that changes its meaning changes the number of the schema.
"""

import json
import math
import os
from typing import Any
from urllib.parse import quote_from_bytes

from clapboard.report.wording import audio_side, sentence
from clapboard.timebase import frames_of
from clapboard.values import Offset, Report, TrackReport


def record(report: Report) -> dict[str, Any]:
    """Return a report as dicts, lists, strings, numbers and None, ready for JSON.

    ``file`` is the name as it was given. A name that is no valid Unicode has the odd bytes replaced by U+FFFD there,
    and its exact bytes percent-encoded in ``file_percent_encoded``, which is null for every other name.
    ``correction`` is there when the offset is trusted: positive means that the audio has to be delayed.
    """
    offset, clip, verdict = report.offset, report.clip, report.verdict
    fps = float(clip.rate) if clip is not None and clip.rate else 0.0
    name = _text(report.file)
    odd_name = name != report.file
    delay_ms = _number(offset.offset_ms) if offset.trusted and not report.error else None
    return {
        "schema": report.schema,
        "file": name,
        "file_percent_encoded": _percent_encoded(report.file) if odd_name else None,
        "status": report.status,
        "sentence": _text(sentence(report)),
        "audio": audio_side(report),
        **_offset(offset, fps),
        "correction": None if delay_ms is None else {"delay_audio_ms": delay_ms},
        "profile": {
            "name": verdict.profile,
            "max_lead_ms": _number(verdict.max_lead_ms),
            "max_lag_ms": _number(verdict.max_lag_ms),
        },
        "hints": [_text(hint) for hint in report.hints],
        "error": _text(report.error) or None,
        "fps": _number(fps) or None,
        "duration_s": _number(clip.duration_s) if clip is not None else None,
        "tracks": [_track(track, fps) for track in report.tracks],
        "model": {"name": report.model.name or None, "sha256": report.model.sha256 or None},
        "versions": {_text(key): _text(value) for key, value in report.versions.items()},
    }


def to_json(report: Report) -> str:
    """Return a report as JSON on one line, in ASCII, so that any terminal and any pipe can carry it."""
    return json.dumps(record(report), allow_nan=False)


def _offset(offset: Offset, fps: float) -> dict[str, Any]:
    """Return the numbers of one offset; ``offset_frames`` counts frames of the file's own rate."""
    return {
        "offset_ms": _number(offset.offset_ms),
        "offset_frames": _number(frames_of(offset.offset_ms, fps)) if fps else None,
        "confidence": _number(offset.confidence),
        "min_distance": _number(offset.min_distance),
        "p_within_frame": _number(offset.p_within_frame),
        "windows": int(offset.windows),
        "reasons": [_text(reason) for reason in offset.reasons],
    }


def _track(track: TrackReport, fps: float) -> dict[str, Any]:
    """Return what one face says."""
    return {
        "number": int(track.number),
        "start_s": _number(track.start_s),
        "end_s": _number(track.end_s),
        "face_px": _number(track.face_px),
        "speaking_share": _number(track.speaking_share),
        "decides": bool(track.decides),
        **_offset(track.offset, fps),
    }


def _number(value: float | None) -> float | None:
    """Return a number with four decimals, None for what is not finite: JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else round(float(value), 4)


def _text(text: str) -> str:
    """Return text that every JSON reader takes: bytes that are no Unicode become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _percent_encoded(name: str) -> str:
    """Return the exact bytes of a file's name, percent-encoded as in a URL."""
    try:
        return quote_from_bytes(os.fsencode(name))
    except UnicodeEncodeError:  # no file of this system can bear such a name
        return quote_from_bytes(name.encode("utf-8", "surrogatepass"))
