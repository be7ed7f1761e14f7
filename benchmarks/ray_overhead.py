"""What Ray costs: ``clapboard filter --ray local`` beside ``clapboard filter`` with as many processes.

    python benchmarks/ray_overhead.py [--clips 160] [--seconds 4] [--processes 2] [--repeats 2]

Clips of a talking face (640x360, 25 fps) are rendered a few times and linked under many names. Both commands run as
users run them. CPU seconds are those of the command and of every process below it, with all of Ray's daemons, read four
times a second. In the steady state, between a quarter and nine tenths of the rows, a clip costs what the time and the
CPU seconds grow by; start and end, which do not depend on the number of clips, stand apart. Of the repeats, which are
taken in turns, the best counts. Wall times mean something on a machine that is idle.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from many_clips import fill

EVERY_S = 0.25
STEADY = (0.25, 0.9)


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds: of a clip in the steady state, and of the whole run beyond that for all clips."""

    clip_s: float
    clip_cpu_s: float
    start_s: float
    start_cpu_s: float


class Meter:
    """CPU seconds of a process and all below it, those that have ended meanwhile included."""

    def __init__(self, number: int) -> None:
        self.top, self.used = psutil.Process(number), dict[tuple[int, float], float]()

    def read(self) -> float:
        try:
            processes = [self.top, *self.top.children(recursive=True)]
        except psutil.Error:
            processes = []
        for each in processes:
            try:
                times = each.cpu_times()
                self.used[each.pid, each.create_time()] = times.user + times.system
            except psutil.Error:
                continue
        return sum(self.used.values())


def run(folder: Path, out: Path, clips: int, *options: str) -> Cost:
    """Measure one run of the command."""
    call = [sys.executable, "-m", "clapboard", "filter", str(folder), "-o", str(out), "-q", "--overwrite", *options]
    begun_s = time.monotonic()
    process = subprocess.Popen(call)
    meter, points = Meter(process.pid), list[tuple[int, float, float]]()
    while process.poll() is None:
        cpu_s = meter.read()
        points.append((rows(out), time.monotonic() - begun_s, cpu_s))
        time.sleep(EVERY_S)
    whole_s = time.monotonic() - begun_s
    assert process.returncode == 0, process.returncode
    assert rows(out) == clips, "one row for each clip"
    # the moments when rows have just come: then about as much is begun and not delivered at both of them
    fresh = [after for before, after in itertools.pairwise(points) if after[0] > before[0]]
    first = next(point for point in fresh if point[0] >= STEADY[0] * clips)
    last = [point for point in fresh if point[0] <= STEADY[1] * clips][-1]
    count = last[0] - first[0]
    clip_s, clip_cpu_s = (last[1] - first[1]) / count, (last[2] - first[2]) / count
    return Cost(clip_s, clip_cpu_s, whole_s - clips * clip_s, points[-1][2] - clips * clip_cpu_s)


def rows(out: Path) -> int:
    """How many clips have their row."""
    try:
        lines = out.read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError:
        return 0
    return len({json.loads(line)["id"] for line in lines if line.endswith("\n")})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=160)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    chosen = parser.parse_args()
    found: dict[str, list[Cost]] = {"filter": [], "filter --ray local": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clips"
        fill(folder, chosen.clips, chosen.seconds)
        for _ in range(chosen.repeats):
            for label, costs in found.items():
                options = ["--processes", str(chosen.processes), *label.split()[1:]]
                costs.append(run(folder, Path(name) / "out.jsonl", chosen.clips, *options))
    print(
        f"{chosen.clips} clips of {chosen.seconds:g} s, 640x360, one face, {chosen.processes} processes; "
        f"load {os.getloadavg()[0]:.1f} at the end"
    )
    print(f"{'':20s}{'wall s a clip':>15s}{'CPU s a clip':>14s}{'start, wall s':>15s}{'start, CPU s':>14s}")
    best = {}
    for label, costs in found.items():
        by_clock, by_cpu = min(costs, key=lambda cost: cost.clip_s), min(costs, key=lambda cost: cost.clip_cpu_s)
        best[label] = by_clock.clip_s, by_cpu.clip_cpu_s
        print(
            f"{label:20s}{by_clock.clip_s:15.3f}{by_cpu.clip_cpu_s:14.3f}"
            f"{by_clock.start_s:15.1f}{by_cpu.start_cpu_s:14.1f}"
        )
    (plain_s, plain_cpu_s), (ray_s, ray_cpu_s) = best.values()
    print(f"overhead of Ray a clip: {ray_s / plain_s - 1:+.1%} by the clock, {ray_cpu_s / plain_cpu_s - 1:+.1%} CPU")


if __name__ == "__main__":
    main()
