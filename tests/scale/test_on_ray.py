"""``clapboard filter --ray`` on a cluster of two nodes that is started here, and jobs that end their process.

The nodes are processes of this machine, as in Ray's own tests. The command runs as users run it, in a process.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import toy_jobs

from clapboard.cli import main
from clapboard.testing import make_clip

pytest.importorskip("ray.data", reason="needs Ray Data: pip install 'clapboard[scale]'", exc_type=ImportError)
pytestmark = [
    pytest.mark.scale,
    # Ray leaves the closing of log files, sockets and processes of its own to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    # Ray's own settings warn of each other as they are made.
    pytest.mark.filterwarnings("ignore:.* deprecated:DeprecationWarning:ray.data.context"),
]

CLIPS = 48
BROKEN = {f"{n:02}.mp4" for n in (3, 17, 31, 45)}
EARLIER = 6
"""Clips whose rows an earlier run has written."""
ARRIVED = 10
"""So many rows are there when the node dies."""
PATIENCE_S = 300
"""Only ends a test that would hang: two busy cores take a minute for what takes ten seconds."""
STORE_BYTES = 80_000_000
SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
"""A node that died is noticed within seconds in place of half a minute."""


@dataclass
class Run:
    """``clapboard filter``, at work; what it says goes to files, which hold up nobody."""

    process: subprocess.Popen[str]
    out: Path

    def ids(self) -> list[str]:
        """Clips of the rows so far; the last line may not be whole yet."""
        lines = self.out.read_text(encoding="utf-8").splitlines(keepends=True) if self.out.exists() else []
        return [json.loads(line)["id"] for line in lines if line.endswith("\n")]

    def said(self, stream: str) -> str:
        """What it printed."""
        return self.out.with_suffix(f".{stream}").read_text(encoding="utf-8")

    def end(self) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(PATIENCE_S)


def start(folder: Path, out: Path, *options: str) -> Run:
    """Start ``clapboard filter``."""
    call = [sys.executable, "-m", "clapboard", "filter", str(folder), "-o", str(out), *options]
    with out.with_suffix(".stdout").open("w") as stdout, out.with_suffix(".stderr").open("w") as stderr:
        return Run(subprocess.Popen(call, stdout=stdout, stderr=stderr, text=True), out)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many short clips: two made-up people in hard links, and some files that are no video."""
    made = tmp_path_factory.mktemp("made")
    people = [made / f"{seed}.mp4" for seed in (12, 13)]
    for seed, path in zip((12, 13), people, strict=True):
        make_clip(path, seed=seed, duration_s=1.2, width_px=192, height_px=144, face_px=80)
    clips = made / "clips"
    clips.mkdir()
    for n in range(CLIPS):
        path = clips / f"{n:02}.mp4"
        if path.name in BROKEN:
            path.write_text("this is no video\n" * 100)
        else:
            os.link(people[n % 2], path)
    return clips


@pytest.fixture(scope="module")
def plain(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows without Ray."""
    run = start(folder, tmp_path_factory.mktemp("plain") / "rows.jsonl", "--preset", "relaxed", "--processes", "2")
    assert run.end() == 0, run.said("stderr")
    return run.out


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster of two nodes with one core each; ``second`` is the one to lose."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    # a folder with a short path: the sockets in it have to keep within the limit of Unix
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="cb-", dir="/tmp") as folder:
        head = {**node, "include_dashboard": False, "_system_config": SOON}
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_TMPDIR", folder)
        both = Cluster(initialize_head=True, head_node_args=head)
        try:
            both.second = both.add_node(**node)
            yield both
        finally:
            both.shutdown()


def test_a_node_that_dies_costs_no_row(folder: Path, plain: Path, cluster: Any, tmp_path: Path) -> None:
    """Protects the promise of ``--ray``: one node is killed in the middle, and the rows are those without Ray.

    The run goes on after an earlier one without Ray, whose rows are not made again.
    """
    out = tmp_path / "rows.jsonl"
    lines = plain.read_text(encoding="utf-8").splitlines(keepends=True)
    assert len(lines) == CLIPS, "one row for each clip is taken for granted here"
    out.write_text("".join(lines[:EARLIER]), encoding="utf-8")
    shutil.copy(plain.with_name("rows.jsonl.settings.json"), out.with_name("rows.jsonl.settings.json"))
    second = psutil.Process(cluster.second.all_processes["raylet"][0].process.pid)
    run = start(folder, out, "--preset", "relaxed", "--ray", cluster.address)
    end_s = time.monotonic() + PATIENCE_S
    while len(run.ids()) < EARLIER + ARRIVED or not at_work(second):
        assert run.process.poll() is None, f"it ended before: {run.said('stderr')}"
        assert time.monotonic() < end_s
        time.sleep(0.02)
    cluster.remove_node(cluster.second, allow_graceful=False)
    assert len(run.ids()) < CLIPS, "there was nothing left to lose"
    assert run.end() == 0, run.said("stderr")
    assert set(Counter(run.ids()).values()) == {1}
    assert sorted(out.read_text(encoding="utf-8").splitlines(keepends=True)) == sorted(lines)
    assert {row["id"] for row in map(json.loads, lines) if row["status"] == "error"} == BROKEN
    assert f"{CLIPS - EARLIER} clips are new" in run.said("stdout")
    assert "raylet" not in run.said("stdout") + run.said("stderr"), "Ray's own words are kept from the user"


def at_work(raylet: psutil.Process) -> bool:
    """Whether a process of ours works on a node: Ray names them by what they do."""
    try:
        return any("MapBatches(_Worker)" in " ".join(child.cmdline()) for child in raylet.children())
    except psutil.Error:
        return False


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_job_that_kills_its_process_costs_only_itself(tmp_path: Path) -> None:
    """Protects long runs: Ray alone would run such a job again for ever, or give up the batch that it is in.

    And protects the machine: a Ray that was started for the run leaves no process, file or setting.
    """
    folder = tmp_path / "t"
    folder.mkdir()
    jobs = [1, 2, -9, 3, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    where = {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(Path(toy_jobs.__file__).parent)}
    call = [sys.executable, toy_jobs.__file__, json.dumps(jobs)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env={**os.environ, **where})
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert len(said["results"]) == len(jobs)
    found = dict(said["results"])
    assert found.pop(2) == {"how": "its process on the Ray cluster ended each of 4 times"}
    assert found.pop(4) == {"how": "KeyError: 'zero'"}
    assert found == {n: job**2 for n, job in enumerate(jobs) if job > 0}
    assert len(said["told"]) == 1
    assert said["told"][0].endswith("measured again, one by one")
    assert said["left"] == {}
    assert list(folder.iterdir()) == []
    assert not [other for other in psutil.process_iter(["cmdline"]) if str(folder) in str(other.info["cmdline"])]


def test_nobody_answers(folder: Path, tmp_path: Path) -> None:
    """Protects against waiting: Ray itself would try for a quarter of an hour."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    run = start(folder, tmp_path / "rows.jsonl", "--ray", address)
    assert run.end() == 4
    assert run.said("stderr").startswith(f"clapboard: no Ray cluster answers at {address} (Connection refused); ")
    assert run.said("stderr").count("\n") == 1
    assert run.said("stdout") == ""
    assert not run.out.exists()


@pytest.mark.parametrize("address", ["nonsense", "ray://here:10001", "here:port", ":6379", ""])
def test_no_address(folder: Path, tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects whoever mistypes: what an address looks like is said, and nothing begun."""
    out = tmp_path / "rows.jsonl"
    assert main(["filter", str(folder), "-o", str(out), "--ray", address]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"clapboard: --ray {address} is no address of a cluster; give HOST:PORT as ray start")
    assert said.err.count("\n") == 1
    assert not out.exists()
