"""Many video files to one data set: find, work side by side, store in the order of names, go on where it stopped."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clapboard.dataset.classes import choose, chosen_mids, read_class_names
from clapboard.dataset.extract import Rules
from clapboard.dataset.pool import Died, work
from clapboard.dataset.scenes import SceneRules
from clapboard.dataset.segments import find_segments
from clapboard.dataset.sources import Found, Labels, find
from clapboard.dataset.spool import Job, Result, collect, died, dropped_row, is_done, prepare_one
from clapboard.dataset.store import Dataset, Writer
from clapboard.errors import MediaError, UsageError
from clapboard.values import Hook
from clapboard.vision.scenes import DEFAULT_SCENE, scene_of
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
    missing : rows of a list of segments without a file
    """

    dataset: Dataset
    fresh: int
    changed: tuple[str, ...]
    missing: int = 0


def prepare(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    view: str | None = None,
    rules: Rules | SceneRules | None = None,
    labels: str | Path | None = None,
    part: str | None = None,
    corpus: str | None = None,
    speaker_from: str | None = None,
    segments: str | Path | None = None,
    classes: str | None = None,
    class_names: str | Path | None = None,
    processes: int | None = None,
    hook: Hook | None = None,
) -> Prepared:
    """Find the talking faces, or the shots, in many files and keep them, with their sound, as a data set.

    Given again, it goes on where it stopped, and takes files that are new. The result is the same whatever the number
    of processes. A file that cannot be used is noted with the reason, also when it kills the process that reads it.

    Parameters
    ----------
    inputs : folders and files; see `clapboard.dataset.sources.find`, also for corpus and speaker_from
    out : folder of the data set
    view : which crops, see `clapboard.vision.views`; with `SceneRules` which scene, see `clapboard.vision.scenes`
    rules : what is kept: of faces `Rules`, whose defaults count where None; of any sound `SceneRules`
    labels : CSV of what is known of the files; see `clapboard.dataset.sources.Labels`
    part : with labels or segments, only the files of this part
    segments : with `SceneRules`: CSV of segments as AudioSet has them; see `clapboard.dataset.segments`
    classes : with labels or segments: only these; see `clapboard.dataset.classes.choose`
    class_names : with segments: CSV of the names of classes; see `clapboard.dataset.classes.read_class_names`
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
    rules, out = rules or Rules(), Path(out)
    of_scenes = isinstance(rules, SceneRules)
    view = view or (DEFAULT_SCENE if of_scenes else DEFAULT_VIEW)
    (scene_of if of_scenes else view_of)(view)
    _require_sense(labels, part, segments, classes, class_names, of_scenes=of_scenes)
    missing = 0
    if segments is not None:
        names = read_class_names(class_names) if class_names is not None else None
        chosen = chosen_mids(classes, names, where=str(class_names)) if classes is not None else None
        found, missing = find_segments(inputs, segments, part=part, corpus=corpus, classes=chosen, names=names)
    else:
        known = Labels.read(labels) if labels is not None else None
        chosen = choose(classes, known.classes, where=str(labels)) if classes is not None and known else None
        # Whoever is heard, a recording is a recording: a folder may hold many.
        speaker_from = speaker_from or ("file" if of_scenes else None)
        found = find(inputs, labels=known, part=part, corpus=corpus, speaker_from=speaker_from, classes=chosen)
    with Writer(out, view, rules.settings(view)) as writer:
        changed = tuple(s.file for s in found.sources if writer.files.get(s.file, s.size_bytes) != s.size_bytes)
        jobs = [Job(s, out / WORK, view, rules) for s in found.sources if s.file not in writer.files]
        _note_left_out(writer, found)
        (out / WORK).mkdir(exist_ok=True)
        _work_off(writer, jobs, processes or cores(), hook)
    shutil.rmtree(out / WORK, ignore_errors=True)
    return Prepared(Dataset.open(out), len(jobs), changed, missing)


def _require_sense(
    labels: str | Path | None,
    part: str | None,
    segments: str | Path | None,
    classes: str | None,
    class_names: str | Path | None,
    *,
    of_scenes: bool,
) -> None:
    """See that what chooses files fits together."""
    if segments is not None and not of_scenes:
        raise UsageError("--segments is a list of sounds; give --kind sounds")
    if segments is not None and labels is not None:
        raise UsageError("--segments and --labels both say which files; give one of them")
    if part is not None and labels is None and segments is None:
        raise UsageError("--part chooses rows of a list; name it with --labels or --segments")
    if classes is not None and labels is None and segments is None:
        raise UsageError("--classes chooses rows of a list; name it with --segments or --labels")
    if class_names is not None and segments is None:
        raise UsageError("--class-names names the classes of --segments; give both")


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
