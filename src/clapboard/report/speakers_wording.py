"""The plain sentences about who speaks that every format shares."""

import math

import numpy as np

from clapboard.values import FaceSpeech, Speakers

OFF_SCREEN = "a voice off screen"
METHODS = {  # by the first word of how `Speakers.method` names them
    "states": "two states, smoothed over time",
    "window": "mean over a sliding window",
    "median": "frame by frame, through a median filter",
}
NAMED = 4
"""So many faces are named in a sentence; more are counted."""
WIDER_MS = 5000
"""The search that is proposed where the usual one finds nothing (ms)."""
STEP_MS = 100
"""A search reaches as far as was asked for, less a step of the sound (ms)."""


def who(face: int | None) -> str:
    """Return who speaks, in words: ``face 3``, ``a voice off screen``."""
    return OFF_SCREEN if face is None else f"face {face}"


def label(face: int | None) -> str:
    """Return who speaks as one word for programs: ``face-3``, ``offscreen``."""
    return "offscreen" if face is None else f"face-{face}"


def precise_clock(time_s: float) -> str:
    """Return a time to a hundredth of a second: ``0:07.24``, ``1:02:03.50``."""
    hundredths = max(0, round(time_s * 100))
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    before = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{before}:{rest // 100:02d}.{rest % 100:02d}"


def heard_s(found: Speakers, time_s: float) -> float:
    """When that is heard what is seen at a time, s on the clock of the file: sound that is early comes before it."""
    return time_s - (found.offset_ms / 1000 if math.isfinite(found.offset_ms) else 0.0)


def missing(found: Speakers) -> str:
    """Return why no lips could be compared with any sound; empty where some could."""
    if found.report.error:
        return found.report.error
    if not found.faces:
        return "no face was found"
    if not any(np.isfinite(face.distance).any() for face in found.faces):
        return "there is no sound where a face is seen"
    return ""


def status(found: Speakers) -> str:
    """Return ``done``, ``undecided`` where nothing could be compared, or ``error``."""
    if found.report.error:
        return "error"
    return "undecided" if missing(found) else "done"


def sentence(found: Speakers) -> str:
    """Return the answer in one sentence: ``face 0 speaks for 2.4 s, a voice off screen for 1.5 s``."""
    lacking = missing(found)
    if found.report.error:
        return f"cannot be measured: {lacking}"
    spoken = spoken_s(found)
    unseen_s = spoken.pop(None, 0.0)
    unseen = [f"{OFF_SCREEN} for {unseen_s:.1f} s"] if unseen_s else []
    if lacking:
        return "; ".join([f"cannot tell: {lacking}", *unseen])
    faces = [f"{who(face)} for {length_s:.1f} s" for face, length_s in spoken.items()]
    if len(faces) > NAMED:
        faces = [f"{len(faces)} faces for {sum(spoken.values()):.1f} s together"]
    parts = [*faces, *unseen]
    if not parts:
        return "nobody speaks"
    verb = " speak for" if len(spoken) > NAMED else " speaks for"
    return ", ".join([parts[0].replace(" for", verb, 1), *parts[1:]])


def offset_in_words(found: Speakers) -> str:
    """Return at which offset lips and sound were compared, and where it comes from."""
    if not math.isfinite(found.offset_ms):
        return "not known"
    number = f"{round(found.offset_ms):+d} ms" if round(found.offset_ms) else "0 ms"
    if found.offset_from == "file":
        return f"{number}, measured in this file (plus: audio early)"
    if found.offset_from == "user":
        return f"{number}, as given (plus: audio early)"
    reasons = "; ".join(found.report.offset.reasons) or "there was nothing to measure"
    if found.offset_from == "likely":
        return (
            f"{number}, likely (plus: audio early): lips match the sound better there than at 0; not trusted: {reasons}"
        )
    return f"{number}, assumed, since the offset of the file is not trusted: {reasons}"


def spoken_s(found: Speakers) -> dict[int | None, float]:
    """How long everybody speaks, s: the sum of their turns; None is whoever is not in view."""
    spoken: dict[int | None, float] = {}
    for turn in found.turns:
        spoken[turn.face] = spoken.get(turn.face, 0.0) + turn.end_s - turn.start_s
    return spoken


def beyond_search(found: Speakers) -> str:
    """Return what to try where faces are in view and only voices off screen are heard at an offset that is assumed."""
    if found.offset_from != "assumed" or missing(found) or {turn.face for turn in found.turns} != {None}:
        return ""
    searched_ms = float(np.abs(found.report.offset.offsets_ms).max(initial=0.0))
    wider = f"try --max-offset-ms {WIDER_MS}, or " if searched_ms < WIDER_MS - STEP_MS else ""
    return f"no face matches the sound; if one should, the offset may be beyond the search: {wider}give --offset-ms"


def own_score(face: FaceSpeech) -> float:
    """Mean score of a face where it speaks; NaN where it never does."""
    return float(face.score[face.speaking].mean()) if face.speaking.any() else float("nan")


def width_px(face: FaceSpeech) -> float:
    """Median width of a face, px; 0 for one without frames."""
    return float(np.median(face.boxes[:, 2] - face.boxes[:, 0])) if len(face.boxes) else 0.0


def middle_px(face: FaceSpeech) -> tuple[float, float]:
    """Median middle of a face, x and y, px; NaN for one without frames."""
    if not len(face.boxes):
        return float("nan"), float("nan")
    x, y = np.median((face.boxes[:, :2] + face.boxes[:, 2:]) / 2, axis=0).tolist()
    return x, y
