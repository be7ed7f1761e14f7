"""The whole evaluation on one page: tracks whose offset is known -> measured -> tables, as one record of plain values.

The record is what ``--json`` writes and what text and page are made from. Its keys carry units; rates are from 0 to 1;
what is not known is null. The keys of schema 1 only ever grow.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from clapboard import __version__
from clapboard.dataset.store import Dataset
from clapboard.errors import UsageError
from clapboard.evaluation.embedder import Candidate
from clapboard.evaluation.measure import SHIFT_SHARE, Settings, measure
from clapboard.evaluation.tables import GROUP_FRAMES, Tables
from clapboard.evaluation.tracks import require_view, tracks_of
from clapboard.metrics.bootstrap import resamples
from clapboard.metrics.windows import PUBLISHED
from clapboard.sync.trust import MIN_PROBABILITY
from clapboard.timebase import FRAME_MS, PICTURE_HZ
from clapboard.values import Hook

SCHEMA = 1
RESAMPLES = 1000


def evaluate(
    candidates: Sequence[Candidate],
    datasets: Sequence[Dataset],
    references_ms: Mapping[str, float] | None = None,
    settings: Settings | None = None,
    *,
    number: int = RESAMPLES,
    hook: Hook | None = None,
) -> dict[str, Any]:
    """Judge a model, or several joined by the mean of their similarities, on data sets.

    Parameters
    ----------
    candidates : the models
    datasets : prepared with the view that they take
    references_ms : true offsets by file, see `clapboard.evaluation.tracks.tracks_of`
    settings : how to measure
    number : resamples for the intervals
    hook : called as ``hook(step, done, total)``

    Returns
    -------
    a record of dicts, lists, strings, numbers and None, ready for JSON

    Raises
    ------
    UsageError : the models take another view than the data sets have, or no track has a known offset
    """
    if not candidates:
        raise UsageError("at least one model is needed")
    chosen = settings or Settings()
    for candidate in candidates:
        require_view(datasets, candidate.embedder.spec.view, candidate.name)
    tracks, left_out = tracks_of(datasets, references_ms)
    drawn = resamples([track.person for track in tracks], number, chosen.seed)
    tables = Tables(measure(candidates, tracks, chosen, hook), tracks, drawn)
    published = {name: [percent / 100 for percent in row] for name, row in PUBLISHED.items()}
    found = {
        "schema": SCHEMA,
        "clapboard": __version__,
        "models": [{"name": c.name, "sha256": c.sha256, "zero_ms": c.zero_ms} for c in candidates],
        "calibrated": tables.calibrated,
        "datasets": [str(dataset.folder) for dataset in datasets],
        "references": "given" if references_ms is not None else "labels of the data set, else 0",
        "settings": {
            "max_offset_ms": chosen.max_offset_ms,
            "shifts_ms": SHIFT_SHARE * chosen.max_offset_ms,
            "seed": chosen.seed,
            "resamples": number,
            "min_probability": MIN_PROBABILITY,
            "chance_within_40_ms": 2 * FRAME_MS / (2 * chosen.max_offset_ms),
            "group_seconds": tables.group_s,
            "group_frames": GROUP_FRAMES,
        },
        "size": {
            "tracks": len(tracks),
            "people": len({track.person for track in tracks}),
            "corpora": len({track.corpus for track in tracks}),
            "seconds": sum(len(track.stored.images) for track in tracks) / PICTURE_HZ,
            "left_out": left_out,
        },
        "constant": tables.constant(),
        "frames_seen": tables.by_frames("frames_seen") | {"published": published},
        "windows_averaged": tables.by_frames("windows_averaged"),
        "pieces": tables.errors_by_length(),
        "whole_tracks": tables.errors_of_tracks(),
        "histograms": tables.histograms(),
        "risk_coverage": tables.risk_coverage(),
        "calibration": tables.calibration(),
        "controls": tables.controls(),
        "by_corpus": tables.groups("corpus"),
        "by_speaker": tables.groups("person"),
        "tracks": tables.of_tracks(),
        "answers": tables.raw(),
    }
    return {key: _plain(value) for key, value in found.items()}


def _plain(value: Any) -> Any:
    """Numbers that JSON can carry: four decimals, nothing that is not finite."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
