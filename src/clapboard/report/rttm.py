"""Who speaks when as RTTM, the lines that programs for diarization read and are measured by.

Ten fields, separated by a space: ``SPEAKER file channel onset duration <NA> <NA> name confidence <NA>`` [1]_. The
format is about sound, so the onset counts seconds from the first sample of the sound to where a turn is heard: it
differs from the times of the picture by the offset of the file, and by where the sound begins.

References
----------
.. [1] NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", appendix A, RTTM file format.
"""

import re
from pathlib import Path

from clapboard.report.plain import text
from clapboard.report.speakers_wording import heard_s, label
from clapboard.values import Speakers

CHANNEL = 1


def to_rttm(found: Speakers, name: str | None = None) -> str:
    """Return a line for each turn, in the order of their onsets; empty where nobody speaks.

    Names are ``face-N`` by the number of the track, and ``offscreen`` for a voice of nobody in the picture. The
    confidence is the score of the turn. The file is called ``name``, that of the video without its ending where None;
    white space in it becomes ``_``.
    """
    clip = found.report.clip
    begin_s = clip.audio.start_s if clip is not None and clip.audio is not None else 0.0
    name = re.sub(r"\s+", "_", text(Path(found.report.file).stem if name is None else name)) or "_"
    lines = []
    for turn in found.turns:
        # whole milliseconds, so that the end of a turn and the start of the next still meet
        start_ms, end_ms = (max(0, round(1000 * (heard_s(found, at) - begin_s))) for at in (turn.start_s, turn.end_s))
        if end_ms > start_ms:
            onset_s, length_s = start_ms / 1000, (end_ms - start_ms) / 1000
            times = f"{onset_s:.3f} {length_s:.3f}"
            line = f"SPEAKER {name} {CHANNEL} {times} <NA> <NA> {label(turn.face)} {turn.score:.3f} <NA>\n"
            lines.append((start_ms, line))
    return "".join(line for _, line in sorted(lines, key=lambda pair: pair[0]))
