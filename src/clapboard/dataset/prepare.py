"""Many video files to one data set: find, work side by side, store in the order of names, go on where it stopped."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from clapboard.dataset.extract import Rules
from clapboard.dataset.pool import Died, work
from clapboard.dataset.sources import Found, Labels, find
from clapboard.dataset.spool import Job, Result, collect, died, dropped_row, is_done, prepare_one
from clapboard.dataset.store import Dataset, Writer
from clapboard.errors import MediaError, UsageError
from clapboard.values import Hook
from clapboard.vision.views import DEFAULT_VIEW, view_of

WORK = ".work"
"""Folder inside of the data set for what is finished but not in a shard yet."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a data set holds after a run, and what the run did.

    Attributes
    ----------
    dataset : all of it
    fresh : files that were worked on in this run
    changed : files that are not as large as when they were prepared; what was made of them then is still there
    """

    dataset: Dataset
    fresh: int
    changed: tuple[str, ...]


def prepare(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    view: str = DEFAULT_VIEW,
    rules: Rules | None = None,
    labels: str | Path | None = None,
    part: str | None = None,
    corpus: str | None = None,
    speaker_from: str | None = None,
    processes: int | None = None,
    hook: Hook | None = None,
) -> Prepared:
    """Find the talking faces in many files and keep them, with their sound, as a data set.

    Given again, it goes on where it stopped, and takes files that are new. The result is the same whatever the number
    of processes. A file that cannot be used is noted with the reason, also when it kills the process that reads it.

    Parameters
    ----------
    inputs : folders and files; see `clapboard.dataset.sources.find`, also for corpus and speaker_from
    out : folder of the data set
    view : which crops; see `clapboard.vision.views`
    rules : what is kept; the defaults of `Rules` where None
    labels : CSV of what is known of the files; see `clapboard.dataset.sources.Labels`
    part : with labels, only the files of this part
    processes : as many as the machine has cores where None
    hook : called as ``hook(step, done, total)``, done and total in bytes of video

    Returns
    -------
    Prepared

    Raises
    ------
    UsageError : an argument makes no sense, or the data set was begun with other settings
    MediaError : the data set cannot be read or written
    ClapboardError : the processes cannot be started
    """
    view_of(view)
    if part is not None and labels is None:
        raise UsageError("--part chooses rows of a label file; name it with --labels")
    rules, out = rules or Rules(), Path(out)
    known = Labels.read(labels) if labels is not None else None
    found = find(inputs, labels=known, part=part, corpus=corpus, speaker_from=speaker_from)
    with Writer(out, view, asdict(rules)) as writer:
        changed = tuple(s.file for s in found.sources if writer.files.get(s.file, s.size_bytes) != s.size_bytes)
        jobs = [Job(s, out / WORK, view, rules) for s in found.sources if s.file not in writer.files]
        _note_left_out(writer, found)
        (out / WORK).mkdir(exist_ok=True)
        _work_off(writer, jobs, processes or cores(), hook)
    shutil.rmtree(out / WORK, ignore_errors=True)
    return Prepared(Dataset.open(out), len(jobs), changed)


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _note_left_out(writer: Writer, found: Found) -> None:
    """Note files that are not worked on at all."""
    for source, reason in found.left_out:
        if source.file not in writer.files:
            writer.drop(dropped_row(source, {"reason": reason}))
    writer.finished()


def _work_off(writer: Writer, jobs: Sequence[Job], processes: int, hook: Hook | None) -> None:
    """Work on all files and enter what they gave in their order."""
    done: dict[int, Died | None] = {number: None for number, job in enumerate(jobs) if is_done(job)}
    open_ones = [number for number in range(len(jobs)) if number not in done]
    total = sum(jobs[number].source.size_bytes for number in open_ones)
    turn, worked, stored = 0, 0, list[Result]()
    results = work(prepare_one, [jobs[number] for number in open_ones], processes)
    try:
        while turn < len(jobs):
            while turn in done:
                stored += _store(writer, jobs[turn], done[turn])
                turn += 1
                if writer.finished():
                    _clear(stored)
            if turn == len(jobs):
                break
            place, result = next(results)
            if isinstance(result, str) and result:
                raise MediaError(result)
            number = open_ones[place]
            done[number] = result if isinstance(result, Died) else None
            worked += jobs[number].source.size_bytes
            if hook:
                hook(f"{len(done)} of {len(jobs)} files", worked, total)
    finally:
        results.close()
    writer.commit()
    _clear(stored)


def _store(writer: Writer, job: Job, death: Died | None) -> list[Result]:
    """Enter what one file gave."""
    if death is not None:
        writer.drop(died(job.source, death.how))
        return []
    result = collect(job)
    for entry, stored in result.kept:
        writer.add(entry, stored)
    for row in result.dropped:
        writer.drop(row)
    return [result]


def _clear(stored: list[Result]) -> None:
    """Remove what is in a shard now."""
    paths = [path for result in stored for path in result.paths]
    stored.clear()
    for path in paths:
        path.unlink(missing_ok=True)
