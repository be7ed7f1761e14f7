"""1,000 short clips, 30 of them broken, through ``clapboard filter``, killed twice without a word on the way.

    python benchmarks/filter_robust.py [--clips 1000] [--broken 30] [--processes 2]

Clips of 1 s are rendered a few times and linked under many names. The program is killed (SIGKILL) after a third and
after two thirds of the rows, each time the end of the file is torn besides, and started again with the same command.
Then every clip must have its row once, and every clip that is kept must be in one tar file, byte by byte. POSIX only.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path

from clapboard.testing import make_clip

BROKEN = (b"", b"this is no video" * 60, bytes(range(256)) * 100, b"#EXTM3U\n#EXTINF:2,\n00000.mp4\n", None)
"""What broken files hold; None is a clip that is cut off before its index."""
KINDS = (
    {"seed": 3},
    {"seed": 4},
    {"seed": 5, "offset_ms": 300.0},
    {"seed": 6, "voice_of": 40},
    {"seed": 7, "silent": True},
)


def make(folder: Path, count: int, broken: int) -> dict[str, Path]:
    """Return where each clip really lies, by its name."""
    made = []
    (folder / "made").mkdir()
    for number, options in enumerate(KINDS):
        path = folder / "made" / f"{number}.mp4"
        make_clip(path, duration_s=1.0, width_px=160, height_px=120, face_px=80.0, **options)
        made.append(path)
    (folder / "clips").mkdir()
    found = {}
    step = count // broken
    for number in range(count):
        path = folder / "clips" / f"{number:05d}.mp4"
        if number % step == 0 and number // step < broken:
            content = BROKEN[number // step % len(BROKEN)]
            path.write_bytes(made[0].read_bytes()[:2000] if content is None else content)
        else:
            os.link(made[number % len(made)], path)
        found[path.name] = path
    return found


def rows_in(path: Path) -> int:
    """Return how many lines are there."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def run(command: list[str], out: Path, until: int | None) -> tuple[float, str]:
    """Run the program, to the end or until there are so many rows; return its wall time, s, and what it says."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while until is not None and process.poll() is None and rows_in(out) < until:
        time.sleep(0.02)
    if until is not None:
        process.kill()
    said = process.communicate()[0]
    if until is not None:
        with out.open("ab") as file:
            file.write(b'{"id": "torn')
    elif process.returncode:
        raise SystemExit(f"the program ended with {process.returncode}")
    return time.monotonic() - began, said


def packed(folder: Path, clips: dict[str, Path]) -> list[str]:
    """Return the ids in all tar files, after comparing every byte."""
    ids = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for name in tar.getnames():
                file = tar.extractfile(name)
                assert file is not None
                if name.endswith(".json"):
                    ids.append(str(json.load(file)["id"]))
                else:
                    assert file.read() == clips[name].read_bytes(), name
    return ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--broken", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = make(folder, chosen.clips, chosen.broken)
        out, tars = folder / "out.jsonl", folder / "tars"
        command = [sys.executable, "-m", "clapboard", "filter", str(folder / "clips"), "-o", str(out)]
        command += ["--preset", "relaxed", "--processes", str(chosen.processes)]
        command += ["--tar-out", str(tars), "--tar-clips", "100"]
        for until in (chosen.clips // 3, 2 * chosen.clips // 3, None):
            wall_s, said = run(command, out, until)
            print(f"{'killed' if until else 'finished'} with {rows_in(out)} rows after {wall_s:.0f} s", flush=True)
        print(said.partition("\n")[2])
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        counts = Counter(row["id"] for row in rows)
        kept = sorted(row["id"] for row in rows if row["keep"])
        twice = sum(count > 1 for count in counts.values())
        print(f"rows {len(rows)}, clips {len(counts)} of {len(clips)}, more than once {twice}")
        print(f"errors {sum(row['status'] == 'error' for row in rows)}, broken files {chosen.broken}")
        found = sorted(packed(tars, clips))
        print(f"kept {len(kept)}, in tar files {len(found)}, the same: {found == kept}")


if __name__ == "__main__":
    main()
