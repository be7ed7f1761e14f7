"""What the votes come to: which pieces are kept, and the statistics of each class."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from clapboard.curation.judging import QUESTIONS, Outcome, Span, agreement, majority, merged, outcome
from clapboard.curation.project import Project
from clapboard.files import require_writable, write_text


@dataclass(frozen=True, slots=True)
class Judged:
    """One segment with its votes: yes and no of each question, and what they come to."""

    segment: int
    name: str
    class_name: str
    video: int
    start_ms: int
    end_ms: int
    broken: str | None
    votes: Mapping[str, tuple[int, int]]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Source:
    """The range of a file that a clip is cut from; ``begun_ms`` is added to its clock for that of the recording."""

    path: Path
    name: str
    stem: str
    class_name: str
    begun_ms: int
    size_bytes: int
    modified_ns: int


def judged(project: Project) -> Iterator[Judged]:
    """Every segment by class, file and time, with what its votes come to."""
    voters = project.settings.voters
    with project.reading() as db:
        rows = db.execute(
            "SELECT s.id, s.name, v.class, s.video, s.start_ms, s.end_ms, s.broken, a.yes, a.no, b.yes, b.no "
            "FROM segments s JOIN videos v ON v.id = s.video JOIN files f ON f.id = v.file "
            "JOIN questions a ON a.segment = s.id AND a.question = 'seen' "
            "JOIN questions b ON b.segment = s.id AND b.question = 'heard' ORDER BY v.class, f.name, s.start_ms"
        ).fetchall()
    for segment, name, class_name, video, start_ms, end_ms, broken, seen_yes, seen_no, heard_yes, heard_no in rows:
        votes = {"seen": (seen_yes, seen_no), "heard": (heard_yes, heard_no)}
        came = outcome(*(majority(*votes[question], voters) for question in QUESTIONS))
        came = came if broken is None else "removed"
        yield Judged(segment, name, class_name, video, start_ms, end_ms, broken, votes, came)


def clips_of(segments: Sequence[Judged]) -> dict[int, list[Span]]:
    """What is kept of each video, adjacent segments joined."""
    kept: dict[int, list[Span]] = {}
    for one in segments:
        if one.outcome == "kept":
            kept.setdefault(one.video, []).append(Span(one.start_ms, one.end_ms, (one.segment,)))
    return {video: merged(spans) for video, spans in kept.items()}


def sources(project: Project) -> dict[int, Source]:
    """What each video is cut from, by its number."""
    with project.reading() as db:
        rows = db.execute(
            "SELECT v.id, f.path, f.name, f.stem, v.class, v.begun_ms, f.size_bytes, f.modified_ns "
            "FROM videos v JOIN files f ON f.id = v.file"
        ).fetchall()
    return {video: Source(Path(path), *rest) for video, path, *rest in rows}


def statistics(project: Project, segments: Sequence[Judged] | None = None) -> list[dict[str, Any]]:
    """One row for each class, ascending by name, and one for all of them, ready for JSON.

    ======================  =======================================================================================
    ``class``               its name; null in the last row
    ``videos``              ranges of files that were taken in, and of them those of which something is kept
    ``videos_kept``
    ``segments``            how many there are; ``kept``, ``removed`` and ``undecided`` add up to it
    ``removed_unseen``      by a majority that did not see it, that did not hear it (some are both), and those that
    ``removed_unheard``     cannot be shown
    ``broken``
    ``hours``               of the clips; ``mean_s``, ``median_s``, ``shortest_s`` and ``longest_s`` are of their
    ``clips``               lengths, s (null without clips)
    ``votes``               given so far, of ``votes_wanted``
    ``seen``, ``heard``     ``items`` with all their votes, share of pairs of voters that agree, Fleiss' kappa
    ======================  =======================================================================================
    """
    segments = list(judged(project)) if segments is None else segments
    clips = clips_of(segments)
    by_class: dict[str, list[Judged]] = {}
    for one in segments:
        by_class.setdefault(one.class_name, []).append(one)
    rows = [_row(name, by_class[name], clips, project.settings.voters) for name in sorted(by_class)]
    return [*rows, _row(None, segments, clips, project.settings.voters)]


def _row(name: str | None, segments: Sequence[Judged], clips: Mapping[int, list[Span]], voters: int) -> dict[str, Any]:
    """The statistics of some segments."""
    videos = {one.video for one in segments}
    lengths_s = [span.duration_ms / 1000 for video in sorted(videos) for span in clips.get(video, [])]
    came = Counter(one.outcome for one in segments)
    whole = [one for one in segments if one.broken is None]
    said = {question: [majority(*one.votes[question], voters) for one in whole] for question in QUESTIONS}
    agree = {
        question: agreement((one.votes[question][0] for one in whole if sum(one.votes[question]) == voters), voters)
        for question in QUESTIONS
    }
    return {
        "class": name,
        "videos": len(videos),
        "videos_kept": len(videos & clips.keys()),
        "segments": len(segments),
        "kept": came["kept"],
        "removed": came["removed"],
        "undecided": came["undecided"],
        "removed_unseen": said["seen"].count(False),
        "removed_unheard": said["heard"].count(False),
        "broken": len(segments) - len(whole),
        "clips": len(lengths_s),
        "hours": round(sum(lengths_s) / 3600, 6),
        "mean_s": round(fmean(lengths_s), 3) if lengths_s else None,
        "median_s": round(median(lengths_s), 3) if lengths_s else None,
        "shortest_s": min(lengths_s, default=None),
        "longest_s": max(lengths_s, default=None),
        "votes": sum(sum(counts) for one in whole for counts in one.votes.values()),
        "votes_wanted": len(whole) * len(QUESTIONS) * voters,
        **{
            question: {
                "items": found.items,
                "observed": None if found.observed is None else round(found.observed, 4),
                "kappa": None if found.kappa is None else round(found.kappa, 4),
            }
            for question, found in agree.items()
        },
    }


def write_statistics(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the rows of `statistics`, one JSON object a line, in place of an earlier file.

    Raises
    ------
    MediaError : it cannot be written
    """
    write_text("".join(f"{json.dumps(row)}\n" for row in rows), path, overwrite=True)


def write_segments(segments: Sequence[Judged], path: str | Path, source: Path, *, overwrite: bool = False) -> None:
    """Write a table of all segments: what to look at, its votes so far, and what they come to.

    Raises
    ------
    UsageError : the file exists
    MediaError : it cannot be written
    """
    path = Path(path)
    require_writable(path, source, overwrite)
    words = io.StringIO()
    table = csv.writer(words, lineterminator="\n")
    counts = [f"{question}_{word}" for question in QUESTIONS for word in ("yes", "no")]
    table.writerow(["segment", "class", "start_s", "end_s", *counts, "outcome", "broken"])
    for one in segments:
        votes = [count for question in QUESTIONS for count in one.votes[question]]
        times = [f"{time_ms / 1000:.10g}" for time_ms in (one.start_ms, one.end_ms)]
        table.writerow([one.name, one.class_name, *times, *votes, one.outcome, one.broken or ""])
    write_text(words.getvalue(), path, overwrite)
