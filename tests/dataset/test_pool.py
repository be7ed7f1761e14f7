"""Processes side by side: every job is done, whoever dies takes nobody along, and none stays behind."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest
import toy

from clapboard.dataset.pool import Died, work

KILLED = "SIGKILL, perhaps out of memory"
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")


@pytest.mark.parametrize("processes", [1, 3])
def test_every_job_is_done_once(processes: int) -> None:
    """Protects the bookkeeping: results carry the number of their job, whatever the order; no process is left."""
    assert dict(work(toy.square_or_die, [3, 1, 4, 1, 5], processes)) == {0: 9, 1: 1, 2: 16, 3: 1, 4: 25}
    assert multiprocessing.active_children() == []


def test_processes_multiply_in_one_thread_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second thread of OpenBLAS waits in a loop and takes a quarter of the other process's core."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert dict(work(toy.blas_threads, [0, 0], 2)) == {0: "1", 1: "1"}
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert dict(work(toy.blas_threads, [0], 1)) == {0: "3"}


def test_no_jobs_need_no_process() -> None:
    """Protects an empty resume."""
    assert list(work(toy.square_or_die, [], 4)) == []


@needs_kill
@pytest.mark.parametrize("processes", [1, 2])
def test_a_death_is_the_end_of_one_job(processes: int) -> None:
    """Protects long runs: a job that kills its process, first, last or twice in a row, costs nothing but itself."""
    found = dict(work(toy.square_or_die, [-9, 2, -9, -9, 3, -9], processes))
    deaths = {number: Died(KILLED) for number in (0, 2, 3, 5)}
    assert found == {1: 4, 4: 9} | deaths


def test_an_exit_is_a_death_too() -> None:
    """Protects against libraries that call exit."""
    assert dict(work(toy.square_or_die, [-1000, 2], 1)) == {0: Died("exit code 7"), 1: 4}


def test_leaving_early_ends_the_processes() -> None:
    """Protects Ctrl-C: whoever stops asking leaves no process behind."""
    results = work(toy.square_or_die, list(range(20)), 2)
    next(results)
    results.close()
    assert multiprocessing.active_children() == []


def test_processes_that_cannot_start_are_told(tmp_path: Path) -> None:
    """Protects scripts without a guard: one line that says what to write, not a data set without a single file."""
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import toy\nfrom clapboard.dataset.pool import work\n"
        "list(work(toy.square_or_die, [2], 1))\n"
    )
    done = toy.run([sys.executable, script])
    last = done.stderr.strip().splitlines()[-1]
    assert "ClapboardError: the processes for the work cannot be started (exit code 1)" in last
    assert '__name__ == "__main__"' in last


def test_the_killer_kills() -> None:
    """The tests above would pass if nobody died: the job does end its process."""
    with pytest.raises(SystemExit):
        toy.square_or_die(-1000)
    assert toy.square_or_die(2) == 4
