"""Who speaks when as plain data and as one line of JSON.

Every quantity carries its unit in its name; what is not known is null, never NaN; keys are always all there. The keys
of schema 1 only ever grow: a key that changes its meaning changes the number of the schema.
"""

import json
from typing import Any

from clapboard.report.plain import file_names, number, text
from clapboard.report.record import record as record_of_check
from clapboard.report.speakers_wording import heard_s, label, own_score, sentence, spoken_s, status, width_px
from clapboard.values import FaceSpeech, Speakers, Turn

SCHEMA = 1


def record(found: Speakers, size_px: tuple[int, int] | None = None) -> dict[str, Any]:
    """Return who speaks as dicts, lists, strings, numbers and None, ready for JSON.

    Parameters
    ----------
    found : who speaks
    size_px : width and height of the pictures that boxes are measured in; None where that is not known
    """
    report, spoken = found.report, spoken_s(found)
    return {
        "schema": SCHEMA,
        **file_names(report.file),
        "status": status(found),
        "sentence": text(sentence(found)),
        "error": text(report.error) or None,
        "offset_ms": number(found.offset_ms),
        "offset_from": None if report.error else found.offset_from,
        "method": found.method,
        "turns": [_turn(turn, found) for turn in found.turns],
        "picture": None if size_px is None else {"width_px": size_px[0], "height_px": size_px[1]},
        "faces": [_face(face, spoken.get(face.number, 0.0)) for face in found.faces],
        "check": record_of_check(report),
    }


def to_json(found: Speakers, size_px: tuple[int, int] | None = None) -> str:
    """Return it as JSON on one line, in ASCII, so that any terminal and any pipe can carry it."""
    return json.dumps(record(found, size_px), allow_nan=False)


def _turn(turn: Turn, found: Speakers) -> dict[str, Any]:
    """Return one turn: when it is seen, and when it is heard, which differ by the offset."""
    return {
        "start_s": number(turn.start_s),
        "end_s": number(turn.end_s),
        "heard_start_s": number(heard_s(found, turn.start_s)),
        "heard_end_s": number(heard_s(found, turn.end_s)),
        "speaker": label(turn.face),
        "face": None if turn.face is None else int(turn.face),
        "score": number(turn.score),
    }


def _face(face: FaceSpeech, speaking_s: float) -> dict[str, Any]:
    """Return what is known of one face, frame by frame at last."""
    known = len(face.time_s) > 0
    return {
        "number": int(face.number),
        "start_s": number(float(face.time_s[0])) if known else None,
        "end_s": number(float(face.time_s[-1])) if known else None,
        "face_px": number(width_px(face)),
        "speaking_s": number(speaking_s),
        "score": number(own_score(face)),
        "frames": {
            "time_s": [number(value) for value in face.time_s.tolist()],
            "score": [number(value) for value in face.score.tolist()],
            "speaking": face.speaking.tolist(),
            "distance": [number(value) for value in face.distance.tolist()],
            "box_px": [[number(value, 1) for value in box] for box in face.boxes.tolist()],
        },
    }
