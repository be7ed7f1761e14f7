"""Who speaks when as the CSV of AVA-ActiveSpeaker: a row for each face in each frame.

``video_id,frame_timestamp,entity_box_x1,entity_box_y1,entity_box_x2,entity_box_y2,label,entity_id,score`` [1]_: boxes
are parts of the picture's width and height, times seconds by the clock of the file.

The evaluation script of the data set takes its predictions otherwise than its labels: without a line of names, with the
label ``SPEAKING_AUDIBLE`` in every row, and goes by the score alone; no two rows may have the same time and entity.

References
----------
.. [1] J. Roth et al., "AVA-ActiveSpeaker: an audio-visual dataset for active speaker detection", arXiv:1901.01342, and
   ``get_ava_active_speaker_performance.py`` of the ActivityNet repository.
"""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clapboard.report.plain import text
from clapboard.values import FaceSpeech, Speakers

COLUMNS = (
    "video_id", "frame_timestamp", "entity_box_x1", "entity_box_y1", "entity_box_x2", "entity_box_y2", "label",
    "entity_id", "score",
)  # fmt: skip
SPEAKING, SILENT = "SPEAKING_AUDIBLE", "NOT_SPEAKING"


def to_ava(found: Speakers, size_px: tuple[int, int], name: str | None = None, *, predictions: bool = False) -> str:
    """Return the rows of all faces, face by face, each in the order of time.

    Parameters
    ----------
    found : who speaks
    size_px : width and height of the pictures that boxes are measured in
    name : the ``video_id``; the name of the video without its ending where None
    predictions : write what the official script takes as predictions; else what was decided, under a line of names
    """
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    if not predictions:
        rows.writerow(COLUMNS)
    video = text(Path(found.report.file).stem if name is None else name)
    for face in found.faces:
        for time_s, box, score, speaking in _frames(face, size_px):
            said = SPEAKING if speaking or predictions else SILENT
            rows.writerow([video, time_s, *box, said, f"{video}:{face.number}", score])
    return out.getvalue()


def _frames(face: FaceSpeech, size_px: tuple[int, int]) -> Iterator[tuple[str, list[str], str, bool]]:
    """Yield time, box, score and decision of each frame, as written; a frame that fills several points counts once."""
    parts = np.clip(face.boxes / np.tile(np.asarray(size_px, np.float64), 2), 0, 1)
    before = ""
    for index, time_s in enumerate(face.time_s.tolist()):
        written = f"{time_s:.3f}"
        if written != before:
            score = float(face.score[index])
            box = [f"{part:.6f}" for part in parts[index].tolist()]
            yield written, box, f"{score if math.isfinite(score) else 0.0:.4f}", bool(face.speaking[index])
        before = written
