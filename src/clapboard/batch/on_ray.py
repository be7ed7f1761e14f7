"""Jobs spread over a Ray cluster: Ray Data does the spreading and the retries, and every job gives one result.

It needs ray, which comes with the extra ``[scale]``. Functions, jobs and results are pickled: the nodes need the same
version of Clapboard, and files under the same paths.
"""

import contextlib
import os
import pickle
import warnings
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clapboard import __version__
from clapboard.batch.cluster import connected, line_of, require
from clapboard.dataset.pool import Died
from clapboard.errors import ClapboardError

WAVE_JOBS: Final = 20_000
"""Ray Data gets at most so many jobs at a time: what the driver and the object store hold does not grow with more."""
TASK_JOBS: Final = 8
"""At most so many travel together: a task costs tens of milliseconds, a clip hundreds, and what dies is done again."""
TASKS_PER_PROCESS: Final = 4
"""At least so many tasks for each process where there are enough jobs, so that all end at about the same time."""
RETRIES: Final = 3
"""How often Ray runs a task again whose process or node has died; without a limit one bad clip would never end."""

Tell = Callable[[str], None]


def work(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    address: str,
    *,
    processes: int | None = None,
    prepare: Callable[[], object] | None = None,
    tell: Tell | None = None,
) -> Generator[tuple[int, Any], None, None]:
    """Call ``function(job)`` for each job on a Ray cluster; the counterpart of `clapboard.dataset.pool.work`.

    What was lost with a process or a node is run again by Ray, up to `RETRIES` times; what is missing even then is run
    once more one by one, so that a job that kills its process costs no other. Every number is yielded once.

    Parameters
    ----------
    function : picklable; it should not raise: a `ClapboardError`, also of ``prepare``, ends the work
    jobs : picklable
    address : ``host:port`` of a cluster that this machine belongs to, `AUTO` or `LOCAL`
    processes : at most so many at a time; one for each core of the cluster where None
    prepare : picklable; called once in each process before its first job
    tell : called with a line when something was lost

    Yields
    ------
    number, result : of each job as it is done; a `Died` as the result where its process ended every time

    Raises
    ------
    MissingExtraError : ray is not installed
    UsageError : the address makes no sense
    ClapboardError : nobody answers there, the nodes cannot run the work, or Ray gave up
    """
    if not jobs:
        return
    task = _Task(function, prepare, os.getcwd())
    require(address)
    with connected(address, processes) as ray:
        try:
            size = processes or max(1, int(ray.cluster_resources().get("CPU", 1)))
            _require_clapboard(ray)
            for first in range(0, len(jobs), WAVE_JOBS):
                yield from _wave(task, jobs, range(first, min(first + WAVE_JOBS, len(jobs))), size, tell)
        except ray.exceptions.RayError as error:
            raise ClapboardError(
                f"Ray gave up ({line_of(error)}); mend that and give the command again to go on"
            ) from error


def _wave(
    task: "_Task", jobs: Sequence[Any], numbers: range, size: int, tell: Tell | None
) -> Iterator[tuple[int, Any]]:
    """Results of some of the jobs, each once: from all together, then from those that were lost one by one."""
    missing = set(numbers)
    for alone in (False, True):
        if missing and alone and tell:
            tell(f"{len(missing)} clips were lost with their process or node: they are measured again, one by one")
        for number, result in _once(task, jobs, sorted(missing), size, alone=alone):
            if number in missing:  # a task that is run again may deliver twice
                missing.remove(number)
                yield number, result
    for number in sorted(missing):
        yield number, Died(f"its process on the Ray cluster ended each of {2 * (RETRIES + 1)} times")


def _once(
    task: "_Task", jobs: Sequence[Any], numbers: Collection[int], size: int, *, alone: bool
) -> Iterator[tuple[int, Any]]:
    """What Ray Data delivers of the jobs; ``alone`` lets no two of them share a task, or wait at the same process."""
    import ray.data

    if not numbers:
        return
    each = 1 if alone else max(1, min(TASK_JOBS, len(numbers) // (size * TASKS_PER_PROCESS)))
    items = [{"number": number, "job": pickle.dumps(jobs[number])} for number in numbers]
    ray.data.DataContext.get_current().max_errored_blocks = -1  # what Ray gives up is missing here, and seen to
    pool = ray.data.ActorPoolStrategy(
        min_size=1,  # a process that cannot come back after a node is lost must not be waited for
        max_size=size,
        initial_size=size,
        max_tasks_in_flight_per_actor=1 if alone else 2,
    )
    with warnings.catch_warnings():  # Ray 2.60 has no other way yet to limit what a process is given again
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        done = ray.data.from_items(items, override_num_blocks=-(-len(items) // each)).map_batches(
            _Worker,
            fn_constructor_args=(task,),
            batch_size=None,
            compute=pool,
            num_cpus=1,
            max_restarts=-1,
            max_task_retries=RETRIES,
        )
    for row in done.iter_rows():
        result = pickle.loads(row["result"])
        if isinstance(result, ClapboardError):
            raise result
        yield int(row["number"]), result


@dataclass(frozen=True, slots=True)
class _Task:
    """What the processes do, see `work`; ``folder`` is where relative paths begin, ``version`` that of Clapboard."""

    function: Callable[[Any], Any]
    prepare: Callable[[], object] | None
    folder: str
    version: str = __version__


class _Worker:
    """What lives in each process: the task, and through it all that it loads."""

    def __init__(self, task: _Task) -> None:
        self._task, self._ready = task, False

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Do a few jobs."""
        results = [pickle.dumps(self._result(job)) for job in batch["job"]]
        return {"number": batch["number"], "result": results}

    def _result(self, job: bytes) -> Any:
        """What the function returns, or why it did not: Ray would run a task that raises again and again."""
        try:
            if not self._ready:
                self._begin()
            return self._task.function(pickle.loads(job))
        except ClapboardError as error:
            return error
        except Exception as error:
            return Died(f"{type(error).__name__}: {line_of(error)}")

    def _begin(self) -> None:
        """Be as the process that gives the jobs."""
        if self._task.version != __version__:
            raise ClapboardError(_other_version(__version__))
        with contextlib.suppress(OSError):  # a folder that only the other machine has is no matter with absolute paths
            os.chdir(self._task.folder)
        if self._task.prepare is not None:
            self._task.prepare()
        self._ready = True


def _require_clapboard(ray: Any) -> None:
    """See that a node of the cluster has this version: Ray Data would start processes that fail again and again."""
    try:
        found = ray.get(ray.remote(_version).options(num_cpus=0, max_retries=RETRIES).remote())
    except ray.exceptions.RayTaskError as error:
        raise ClapboardError(
            f"the nodes of the Ray cluster cannot run Clapboard ({line_of(error.cause)}); "
            f"install clapboard=={__version__} on each"
        ) from error
    if found != __version__:
        raise ClapboardError(_other_version(found))


def _version() -> str:
    """The version of Clapboard of a node."""
    return __version__


def _other_version(found: str) -> str:
    """What to say of another version on a node."""
    return f"a node of the Ray cluster has Clapboard {found}, here it is {__version__}; install the same on all"
