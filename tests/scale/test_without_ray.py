"""What needs no cluster: Clapboard without ray, and what is done with what a cluster delivers."""

import pickle
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_jobs

from clapboard import __version__
from clapboard.batch import on_ray
from clapboard.dataset.pool import Died
from clapboard.errors import ClapboardError, ModelError


def test_without_ray_the_option_says_what_to_install(tmp_path: Path) -> None:
    """Protects people without the extra: one line, exit code 5, nothing begun; the rest of the command is there."""
    (tmp_path / "a.mp4").touch()
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from clapboard.cli import main\n"
        f"sys.exit(main(['filter', {str(tmp_path)!r}, '-o', {str(tmp_path / 'o.jsonl')!r}, '--ray', 'local']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr == "clapboard: --ray needs Ray Data: pip install 'clapboard[scale]'\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_ray_is_imported_by_nobody_who_does_not_ask() -> None:
    """Protects everybody else from half a second and from its settings."""
    code = "import clapboard.batch.run, clapboard.cli.app, sys; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


class Deliveries:
    """In place of Ray Data: what arrives in each of the two passes, and with which numbers they were begun."""

    def __init__(self, *passes: list[tuple[int, Any]]) -> None:
        self.passes, self.asked = list(passes), list[tuple[list[int], bool]]()

    def __call__(
        self, task: Any, jobs: Any, numbers: Collection[int], size: int, *, alone: bool
    ) -> Iterator[tuple[int, Any]]:
        self.asked.append((list(numbers), alone))
        yield from self.passes.pop(0)


def test_what_comes_twice_counts_once_and_what_is_lost_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects the rows: a task that Ray runs again may deliver twice; what never arrives has a result as well."""
    deliveries = Deliveries([(4, "e"), (0, "a"), (4, "e"), (2, "c")], [(3, "d"), (0, "a"), (3, "d")])
    monkeypatch.setattr(on_ray, "_once", deliveries)
    told = list[str]()
    task = on_ray._Task(toy_jobs.square_or_die, None, "/")
    results = list(on_ray._wave(task, "abcde", range(5), 2, told.append))
    died = Died("its process on the Ray cluster ended each of 8 times")
    assert results == [(4, "e"), (0, "a"), (2, "c"), (3, "d"), (1, died)]
    assert deliveries.asked == [([0, 1, 2, 3, 4], False), ([1, 3], True)]
    assert told == ["2 clips were lost with their process or node: they are measured again, one by one"]


def batch(task: Any, *jobs: Any) -> list[Any]:
    """What a process of the cluster makes of some jobs."""
    out = on_ray._Worker(task)({"number": range(len(jobs)), "job": [pickle.dumps(job) for job in jobs]})
    assert out["number"] == range(len(jobs))
    return [pickle.loads(result) for result in out["result"]]


def test_a_worker_gives_one_result_for_each_job(tmp_path: Path) -> None:
    """Protects the batch from one of its jobs: a defect is the result of its own job."""
    task = on_ray._Task(toy_jobs.square_or_die, None, str(tmp_path / "only elsewhere"))
    assert batch(task, 2, 0, 3) == [4, Died("KeyError: 'zero'"), 9]


@pytest.mark.parametrize("how", ["version", "prepare"])
def test_a_node_that_is_not_the_same_ends_the_work(how: str) -> None:
    """Protects against rows of another version or model, or one error row for each clip: the reason is handed on."""
    task = on_ray._Task(toy_jobs.square_or_die, _refuse, "/")
    if how == "version":
        task = on_ray._Task(toy_jobs.square_or_die, None, "/", version="0.0.1")
    (result,) = batch(task, 2)
    assert isinstance(result, ClapboardError)
    assert (
        str(result)
        == {
            "version": f"a node of the Ray cluster has Clapboard {__version__}, here it is {__version__}; "
            "install the same on all",
            "prepare": "another model",
        }[how]
    )


def _refuse() -> None:
    raise ModelError("another model")
