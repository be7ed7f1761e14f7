"""Clips per second and core of ``clapboard filter`` beside ``clapboard check`` one by one, and from 1 to 2 processes.

    python benchmarks/batch.py [--clips 32] [--seconds 4] [--checks 6] [--repeats 2]

Clips of a talking face (640x360, 25 fps) are rendered a few times and linked under many names. All are measured in one
run of this program, in turns, and the best of the repeats is taken, so that other work on the machine disturbs little.
CPU seconds are those of the program and its processes; they hardly depend on what else runs. From them: what two free
cores would give (twice the clips, as far as a clip costs no more CPU with two processes). Wall times are given as well,
without the start of the processes, from when each has given a row to the last; they need a machine that is idle.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clapboard.batch.run import filter_clips
from many_clips import fill


def cpu_s() -> float:
    """CPU seconds of this process and of all its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def checked(paths: list[Path]) -> tuple[float, float]:
    """CPU and wall seconds a clip of a program for each."""
    began, began_cpu_s = time.monotonic(), cpu_s()
    for path in paths:
        subprocess.run([sys.executable, "-m", "clapboard", "check", "-q", str(path)], check=False)
    return (cpu_s() - began_cpu_s) / len(paths), (time.monotonic() - began) / len(paths)


def filtered(folder: Path, out: Path, processes: int, count: int) -> tuple[float, float]:
    """CPU seconds a clip with all that starting costs; wall seconds a clip from the first row of all to the last."""
    times: list[float] = []
    began_cpu_s = cpu_s()
    filter_clips(
        [folder],
        out,
        processes=processes,
        overwrite=True,
        hook=lambda step, done, total: times.append(time.monotonic()),
    )
    assert len(times) == count
    first = processes - 1  # every process is at work from about there on
    return (cpu_s() - began_cpu_s) / count, (times[-1] - times[first]) / (count - processes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--checks", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clips"
        fill(folder, chosen.clips, chosen.seconds)
        one_by_one, by_processes = [], {1: [], 2: []}  # type: ignore[var-annotated]
        for _ in range(chosen.repeats):
            one_by_one.append(checked(sorted(folder.iterdir())[: chosen.checks]))
            for processes, found in by_processes.items():
                found.append(filtered(folder, Path(name) / "out.jsonl", processes, chosen.clips))
        check_cpu_s, check_s = (min(each) for each in zip(*one_by_one, strict=True))
        (one_cpu_s, one_s), (two_cpu_s, two_s) = (
            tuple(min(each) for each in zip(*found, strict=True)) for found in by_processes.values()
        )
    print(f"{chosen.clips} clips of {chosen.seconds:g} s, 640x360, one face; load {os.getloadavg()[0]:.1f} at the end")
    print(f"{'':28s}{'CPU s a clip':>14s}{'clips/s and core':>18s}{'wall s a clip':>15s}")
    for label, cpu, wall in (
        ("check, one by one", check_cpu_s, check_s),
        ("filter --processes 1", one_cpu_s, one_s),
        ("filter --processes 2", two_cpu_s, two_s),
    ):
        print(f"{label:28s}{cpu:14.2f}{1 / cpu:18.2f}{wall:15.2f}")
    print(f"filter beside check: {check_cpu_s / one_cpu_s:.1f} times the clips per second and core")
    print(
        f"from 1 to 2 processes: {2 * one_cpu_s / two_cpu_s:.2f} times by CPU seconds, {one_s / two_s:.2f} by the clock"
    )


if __name__ == "__main__":
    main()
