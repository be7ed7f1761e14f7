"""Processes that work through jobs, of which any may die of a bad file without taking the others along."""

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from clapboard.errors import ClapboardError
from clapboard.runtime import one_blas_thread

_SPAWN = multiprocessing.get_context("spawn")
"""A fresh interpreter for each: a fork would copy the threads' locks of the libraries, but not their threads."""
PATIENCE_S = 5.0
"""How long a process that was told to end may take (s)."""


@dataclass(frozen=True, slots=True)
class Died:
    """What became of a job whose process ended: ``how``, in words."""

    how: str


@dataclass(slots=True)
class _Worker:
    """One process, the job it is at, and the line to it."""

    process: BaseProcess
    line: Connection
    job: int | None = None


def work(function: Callable[[Any], Any], jobs: Sequence[Any], processes: int) -> Generator[tuple[int, Any], None, None]:
    """Call ``function(job)`` for each job in other processes.

    Parameters
    ----------
    function : of a module, so that it can be found again; it should not raise
    jobs : each is sent to a process when that is idle
    processes : at most so many at a time

    Yields
    ------
    number, result : of each job as it is done; a `Died` as the result where the process ended
    """
    waiting = list(reversed(range(len(jobs))))
    workers = [_begin(function) for _ in range(min(processes, len(jobs)))]
    try:
        for worker in workers:
            _greet(worker)
            _next(worker, jobs, waiting)
        while any(worker.job is not None for worker in workers):
            ready = wait([worker.line for worker in workers if worker.job is not None])
            for place, worker in enumerate(workers):
                if worker.job is None or worker.line not in ready:
                    continue
                number, result = worker.job, _result(worker)
                if isinstance(result, Died) and waiting:
                    workers[place] = _begin(function)
                    _greet(workers[place])
                _next(workers[place], jobs, waiting)
                yield number, result
    finally:
        for worker in workers:
            worker.line.close()
            if worker.job is not None:
                worker.process.terminate()
        for worker in workers:
            worker.process.join(PATIENCE_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _begin(function: Callable[[Any], Any]) -> _Worker:
    """Start a process."""
    here, there = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve, args=(function, there), daemon=True)
    with _deaf(), one_blas_thread():
        process.start()
    there.close()
    return _Worker(process, here)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Let what is started meanwhile not hear Ctrl-C, from its first moment on: it is for the one who gives the jobs."""
    if threading.current_thread() is not threading.main_thread():  # nobody else may set handlers
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _greet(worker: _Worker) -> None:
    """Wait until a process is there, so that one that cannot even start is not taken for the death of a job."""
    try:
        worker.line.recv()
    except (EOFError, OSError):
        worker.process.join()
        how = _how(worker.process.exitcode)
        raise ClapboardError(
            f"the processes for the work cannot be started ({how}); in a script of your own, "
            'call this below: if __name__ == "__main__"'
        ) from None


def _next(worker: _Worker, jobs: Sequence[Any], waiting: list[int]) -> None:
    """Give a worker its next job, if there is one."""
    worker.job = waiting.pop() if waiting else None
    if worker.job is not None:
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # it died idle: seen when its answer is awaited
            worker.line.send(jobs[worker.job])


def _result(worker: _Worker) -> Any:
    """What a process has to say of its job."""
    try:
        return worker.line.recv()
    except (EOFError, OSError):
        worker.process.join()
        worker.line.close()
        return Died(_how(worker.process.exitcode))


def _serve(function: Callable[[Any], Any], line: Connection) -> None:
    """What a process does until the line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        line.send("here")
        while True:
            line.send(function(line.recv()))


def _how(code: int | None) -> str:
    """In words, how a process ended."""
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    return f"{name}, perhaps out of memory" if name == "SIGKILL" else name
