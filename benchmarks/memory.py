"""Peak memory of ``clapboard check`` on a file of an hour beside that on a file of a minute.

    python benchmarks/memory.py [--minutes 60] [--bound-mb 150]

A talking face of a minute is rendered at 320x240, 25 fps, and its packets are written again and again, at ascending
times, into a file of an hour; that of the minute is made the same way. Each step runs in a process of its own.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PERIOD_S = Fraction("60.16")
"""Length of the piece that is repeated: whole frames of 40 ms, and whole AAC frames at 16, 32 and 48 kHz."""


@dataclass(frozen=True)
class Cost:
    """What checking one file took, and what it found."""

    video_s: float
    tracks: int
    offset_ms: float
    peak_mb: float
    cpu_s: float


def apart(work: Callable[..., T], *arguments: object) -> T:
    """Run a function in a fresh process, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def render(path: Path) -> None:
    """Write the piece that is repeated."""
    from clapboard.testing import make_clip

    make_clip(path, seed=7, duration_s=float(PERIOD_S), width_px=320, height_px=240, face_px=110)


def repeat(piece: Path, path: Path, times: int) -> None:
    """Write the packets of a file so many times, one period after the other, without decoding them."""
    import av

    with av.open(str(path), "w") as out:
        with av.open(str(piece)) as source:
            streams = [out.add_stream_from_template(stream) for stream in source.streams]
        for turn in range(times):
            with av.open(str(piece)) as source:
                for packet in source.demux():
                    if packet.dts is None or packet.pts is None:
                        continue  # the empty packets at the end
                    stream = packet.stream
                    if stream.type == "audio" and not 0 <= packet.pts * packet.time_base < PERIOD_S:
                        continue  # priming, and what would lap over into the next turn
                    shift = round(turn * PERIOD_S / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[stream.index]
                    out.mux(packet)


def measure(path: Path) -> Cost:
    """Check one file."""
    import clapboard

    report = clapboard.check(path)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Cost(
        video_s=float(report.clip.duration_s or 0.0) if report.clip else 0.0,
        tracks=len(report.tracks),
        offset_ms=report.offset.offset_ms if report.offset else float("nan"),
        peak_mb=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6,  # bytes there, KiB elsewhere
        cpu_s=usage.ru_utime + usage.ru_stime,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--bound-mb", type=float, default=150.0)
    chosen = parser.parse_args()
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        piece = Path(folder) / "piece.mp4"
        apart(render, piece)
        for turns in (1, chosen.minutes):
            path = Path(folder) / f"{turns}.mkv"
            apart(repeat, piece, path, turns)
            costs.append(apart(measure, path))
    print("| video, s | tracks | offset, ms | CPU s per s | peak memory, MB |")
    print("|---|---|---|---|---|")
    for of in costs:
        spent = of.cpu_s / max(of.video_s, 1e-9)
        print(f"| {of.video_s:.0f} | {of.tracks} | {of.offset_ms:+.1f} | {spent:.3f} | {of.peak_mb:.0f} |")
    more_mb = costs[1].peak_mb - costs[0].peak_mb
    print(f"\nThe longer file needs {more_mb:.0f} MB more; the bound is {chosen.bound_mb:.0f} MB.")
    return int(more_mb > chosen.bound_mb)


if __name__ == "__main__":
    raise SystemExit(main())
