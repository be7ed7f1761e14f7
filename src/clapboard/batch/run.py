"""A folder of clips to rows: find, measure side by side, write down as it comes, go on where it stopped."""

from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from clapboard import __version__
from clapboard.batch import cluster, on_ray
from clapboard.batch.clips import TAR, ClipAt, find_clips, parse_shard, shard_of
from clapboard.batch.rowfile import RowFile
from clapboard.batch.scorer import MAX_BYTES, Scorer, too_large
from clapboard.batch.tally import Tally
from clapboard.batch.tarout import TarShards, names_for
from clapboard.dataset.pool import Died, work
from clapboard.dataset.prepare import cores
from clapboard.dataset.sources import VIDEO_SUFFIXES
from clapboard.errors import ClapboardError, ModelError, UsageError
from clapboard.models import DEFAULT_MODEL
from clapboard.values import Hook

ROWS = ".jsonl"
TAR_CLIPS = 10_000
TAR_BYTES = 10**9
TOLD_TO_END = ("SIGTERM", "SIGHUP", "SIGINT")
"""What ends a process from outside: no clip is to blame."""
CLIP_KEYS = ("id", "faces", "speakers", "duration_s", "status")
TRACK_KEYS = (
    "offset_ms", "offset_frames", "confidence", "min_distance", "p_within_frame", "reasons", "face_px", "start_s",
    "end_s", "speaking_share", "windows", "decides", "speaks",
)  # fmt: skip
OF_CLIP = ("offset_ms", "confidence", "p_within_frame", "reasons", "keep", "drop_reasons")
"""What a row says of its clip as well, with ``clip_`` before the name."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """What a run gave.

    Attributes
    ----------
    tally : counts of all rows in the file, with those of earlier runs
    fresh : clips that were measured in this run
    not_packed : by id, why a kept clip is in no tar file
    ended : clips without a row, as somebody ended their process; the next run measures them
    """

    tally: Tally
    fresh: int
    not_packed: dict[str, str]
    ended: int = 0


class _Task:
    """What a process does with each clip; it is sent there without what it loads."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def __call__(self, clip: ClipAt) -> dict[str, Any] | ClapboardError:
        """The columns of one clip; an error where no clip could be measured here, and the run has to end."""
        try:
            self._scorer.load()
        except ClapboardError as error:
            return error
        if clip.problem:
            return self._scorer.failed(clip.problem)
        if clip.begin is None:
            return self._scorer.row(clip.path)
        if clip.size_bytes > MAX_BYTES:
            return self._scorer.failed(too_large(clip.size_bytes))
        try:
            data = clip.read()
        except (ClapboardError, MemoryError) as error:
            return self._scorer.failed(str(error).removeprefix(f"{clip.path}: ") or "too large for the memory")
        return self._scorer.row(clip.id, data, in_memory=True)


def filter_clips(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    preset: str | None = None,
    model: str | Path = DEFAULT_MODEL,
    max_offset_ms: float = 1000.0,
    audio_track: int | None = None,
    timeout_s: float | None = None,
    shard: str | None = None,
    processes: int | None = None,
    overwrite: bool = False,
    retry_errors: bool = False,
    tar_out: str | Path | None = None,
    tar_clips: int = TAR_CLIPS,
    tar_bytes: int = TAR_BYTES,
    ray: str | None = None,
    tell: Callable[[str], None] | None = None,
    begin: Callable[[int], None] | None = None,
    hook: Hook | None = None,
) -> Filtered:
    """Measure many clips and write one row for each clip and face; given again, go on where it stopped.

    Parameters
    ----------
    inputs : folders, video files and tar files; see `clapboard.batch.clips.find_clips`
    out : the file of rows, one JSON object a line; see `rows_of`
    preset, model, max_offset_ms, audio_track, timeout_s : see `clapboard.batch.scorer.Scorer`
    shard : ``i/n``, only that part of the clips
    processes : as many as the machine, or the cluster, has cores where None
    overwrite : begin anew, whatever is there
    retry_errors : measure again what could not be read or measured before; its rows are replaced
    tar_out : folder for tar files of what is kept, by a preset
    tar_clips, tar_bytes : the most that a tar file holds
    ray : address of the Ray cluster that does the work, see `clapboard.batch.on_ray.work`; this machine where None
    tell : called with a line for what the rows do not say: what is passed over, or, with ray, lost and done again
    begin : called once with the number of clips that will be measured, before the first is
    hook : called as ``hook(step, done, total)`` after each clip, done and total in bytes of video

    Returns
    -------
    Filtered

    Raises
    ------
    UsageError : an argument makes no sense, or the file was begun with other options
    MediaError : the rows or tar files cannot be read or written; no clip raises it
    ModelError : the model cannot be loaded
    MissingExtraError : ray is asked for and not installed
    ClapboardError : nobody answers at the address, or the cluster cannot do the work
    """
    out, part = Path(out), parse_shard(shard)
    if tar_out is not None and preset is None:
        raise UsageError("--tar-out packs what a preset keeps; name one with --preset")
    _require_no_input(out, inputs, None if tar_out is None else Path(tar_out))
    if ray is not None:
        cluster.require(ray)
    scorer = Scorer(model, preset=preset, max_offset_ms=max_offset_ms, audio_track=audio_track, timeout_s=timeout_s)
    loaded = scorer.load()
    found = find_clips(inputs, tell)
    clips = [clip for clip in found if part is None or shard_of(clip.id, part[1]) == part[0]]
    if tar_out is not None:
        _require_not_read(Path(tar_out), found)
    settings = {
        "version": __version__,
        "inputs": [str(each) for each in inputs],
        "model": loaded.name,
        "sha256": loaded.sha256,
        "preset": preset,
        "max-offset-ms": max_offset_ms,
        "audio-track": audio_track,
        "timeout-s": timeout_s,
        "shard": shard,
    }
    with RowFile(out, settings, overwrite=overwrite) as rows:
        packer = None
        if tar_out is not None:
            prefix = "clips" if part is None else f"clips-{part[0]}of{part[1]}"
            names = names_for([clip.id for clip in found])  # of all parts: their tar files may be unpacked together
            limits = {"max_clips": tar_clips, "max_bytes": tar_bytes}
            packer = TarShards(Path(tar_out), prefix, names, rows.sync, **limits, overwrite=overwrite)
        run = _Run(rows, packer, {clip.id: clip for clip in clips})
        try:
            if retry_errors:
                rows.drop(_failed_among(found, run.clips))
            run.take_up()
            run.work_off(scorer, Spread(loaded.sha256, processes, ray, tell), begin, hook)
            run.finish()
        finally:
            if packer is not None:
                packer.abandon()
    return Filtered(run.tally, run.fresh, run.not_packed, run.ended)


@dataclass(frozen=True, slots=True)
class Spread:
    """Who measures the clips: processes here, or a Ray cluster.

    Attributes
    ----------
    sha256 : of the model
    processes, ray, tell : see `filter_clips`
    """

    sha256: str
    processes: int | None
    ray: str | None
    tell: Callable[[str], None] | None

    def over(self, scorer: Scorer, clips: Sequence[ClipAt]) -> Generator[tuple[int, Any], None, None]:
        """The columns of each clip, with its number, as they come."""
        if self.ray is None:
            return work(_Task(scorer), clips, self.processes or cores())
        whole = [replace(clip, path=clip.path.absolute()) for clip in clips]  # other machines begin in other folders
        prepare = partial(_load_same, scorer, self.sha256)
        return on_ray.work(_Task(scorer), whole, self.ray, processes=self.processes, prepare=prepare, tell=self.tell)


class _Run:
    """Rows and tar files as they grow."""

    def __init__(self, rows: RowFile, packer: TarShards | None, clips: dict[str, ClipAt]) -> None:
        self._rows, self._packer, self.clips = rows, packer, clips
        self._done: set[str] = set()
        self.tally, self.fresh, self.not_packed, self.ended = Tally(), 0, dict[str, str](), 0

    def take_up(self) -> None:
        """Go through what an earlier run has written, and pack what it had no time to."""
        kept = set[str]()
        for rows in self._rows.earlier():
            id_ = rows[0]["id"]
            self._done.add(id_)
            self.tally.add(rows)
            if rows[0]["clip_keep"]:
                kept.add(id_)
        if self._packer is None:
            return
        self._packer.require_within(kept)
        if kept - self._packer.packed:
            for rows in self._rows.earlier():  # read again: those of a million clips would fill the memory
                if rows[0]["clip_keep"] and rows[0]["id"] not in self._packer.packed:
                    self._pack(rows)

    def work_off(
        self, scorer: Scorer, spread: "Spread", begin: Callable[[int], None] | None, hook: Hook | None
    ) -> None:
        """Measure what is not measured yet."""
        jobs = [clip for clip in self.clips.values() if clip.id not in self._done]
        total, done = sum(clip.size_bytes for clip in jobs), 0
        if begin:
            begin(len(jobs))
        with closing(spread.over(scorer, jobs)) as results:
            for number, result in results:
                if isinstance(result, ClapboardError):
                    raise result
                clip = jobs[number]
                done += clip.size_bytes
                died = isinstance(result, Died)
                if died and result.how in TOLD_TO_END:
                    self.ended += 1
                    continue
                found = scorer.failed(f"ended the process that read it: {result.how}") if died else result
                rows = rows_of(clip.id, found)
                self._rows.append(rows)
                self.tally.add(rows)
                self.fresh += 1
                if self._packer is not None and rows[0]["clip_keep"]:
                    self._pack(rows)
                if hook:
                    hook("measure", done, total)

    def finish(self) -> None:
        """Close the last tar file."""
        if self._packer is not None:
            self._packer.close()

    def _pack(self, rows: list[dict[str, Any]]) -> None:
        """Pack a kept clip."""
        id_ = rows[0]["id"]
        assert self._packer is not None
        problem = (
            self._packer.add(self.clips[id_], rows) if id_ in self.clips else "it is not among the inputs any more"
        )
        if problem:
            self.not_packed[id_] = problem


def rows_of(id_: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a clip from its columns: one for each face, or one whose track is None.

    Each holds ``id, track, faces, speakers, duration_s, status`` of the clip, the face's own numbers, and with
    ``clip_`` before the name what the faces together say; ``keep`` is None without a preset.
    """
    clip = {name: found.get(name) for name in CLIP_KEYS} | {"id": id_}
    together = {f"clip_{name}": found.get(name) for name in OF_CLIP}
    together["clip_drop_reasons"] = together["clip_drop_reasons"] or []
    rows = []
    for track in found["tracks"] or [None]:
        own = {name: None if track is None else track[name] for name in TRACK_KEYS}
        if track is None:
            decision = {"keep": found.get("keep"), "drop_reasons": found.get("drop_reasons", [])}
            own["reasons"] = found["reasons"]
        else:
            decision = {"keep": track.get("keep"), "drop_reasons": track.get("drop_reasons", [])}
        rows.append({**clip, "track": None if track is None else track["number"], **own, **decision, **together})
    return rows


def _failed_among(found: Sequence[ClipAt], clips: Collection[str]) -> Callable[[list[dict[str, Any]]], bool]:
    """Whether rows are of a clip that failed and is still there, or of a tar file that can be read now."""
    inside = {str(up) for clip in found if clip.begin is not None for up in PurePosixPath(clip.id).parents}

    def failed(rows: list[dict[str, Any]]) -> bool:
        return rows[0]["status"] == "error" and (rows[0]["id"] in clips or rows[0]["id"] in inside)

    return failed


def _load_same(scorer: Scorer, sha256: str) -> None:
    """Load the model on another machine, and see that it is the same."""
    if scorer.load().sha256 != sha256:
        raise ModelError(f"a node of the cluster has another model as {scorer.model}; bring the same to all nodes")


def _require_no_input(out: Path, inputs: Sequence[str | Path], tar_out: Path | None) -> None:
    """Refuse to write rows over a clip, or tar files where the next run would take them for clips."""
    given = [Path(each) for each in inputs]
    if out.suffix.lower() in (*VIDEO_SUFFIXES, TAR) or any(
        each.is_file() and out.exists() and each.samefile(out) for each in given
    ):
        raise UsageError(f"{out}: is an input or named like one; give a name that ends in .jsonl to -o")
    if out.suffix.lower() != ROWS:
        raise UsageError(f"{out}: rows are lines of JSON; give a name that ends in .jsonl to -o")
    if tar_out is not None:
        for folder in given:
            if folder.is_dir() and tar_out.resolve().is_relative_to(folder.resolve()):
                raise UsageError(
                    f"{tar_out}: lies in {folder}, where the next run would take its tar files for clips; "
                    "give another --tar-out"
                )


def _require_not_read(tar_out: Path, clips: Sequence[ClipAt]) -> None:
    """Refuse to pack into a folder whose tar files are inputs, by whatever way they are named: a run may replace them.

    Raises
    ------
    UsageError : as said
    """
    folder = tar_out.resolve()
    for path in {clip.path for clip in clips if clip.begin is not None or clip.path.suffix.lower() == TAR}:
        if path.resolve().parent == folder:
            raise UsageError(f"{tar_out}: holds tar files that are read, such as {path}; give another --tar-out")
