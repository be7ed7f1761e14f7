"""CPU seconds per second of video of ``clapboard check``, beside decoding alone, in the same run on one thread.

    python benchmarks/speed.py [--clip FILE] [--seconds 60] [--repeats 3]

Without ``--clip`` a talking face is rendered at 1280x720, 25 fps, one face of 260 px, and encoded by x264 (crf 23,
medium) with AAC. Start-up (imports, loading the networks) is timed by itself, since it does not grow with the clip.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av

from clapboard.models.session import load_model
from clapboard.pipeline import curves_of, measure
from clapboard.sync.consensus import Face, decide
from clapboard.testing import make_clip
from clapboard.vision.mtcnn import Mtcnn


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of this process, all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def decode(path: Path) -> int:
    """Decode picture and sound with one thread each, and do nothing with them."""
    frames = 0
    with av.open(str(path)) as container:
        for stream in container.streams:
            stream.thread_count = 1
        for packet in container.demux(video=0, audio=0):
            frames += len(packet.decode())
    return frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.clip
        if path is None:
            path = Path(folder) / "speed.mp4"
            make_clip(path, seed=7, duration_s=chosen.seconds, width_px=1280, height_px=720, face_px=260)
        began = time.process_time()
        model, detector = load_model(), Mtcnn()
        start_up_s = time.process_time() - began

        def whole() -> None:
            measured = measure(path, model, detector=detector)
            found = curves_of(measured, model, 1.0)
            faces = [Face(n, c, True) for n, c in found.items()]
            decide(faces, model.spec.calibration.bias, model.spec.calibration.weights)

        with av.open(str(path)) as container:
            seconds = container.duration / av.time_base
            size = f"{container.streams.video[0].width}x{container.streams.video[0].height}"
        rows = [(cpu_s(lambda: decode(path)), cpu_s(whole)) for _ in range(chosen.repeats)]
        print(f"{path.name}: {size}, {seconds:.1f} s; loading model and face nets: {start_up_s:.2f} CPU s\n")
        print("| run | decoding alone, CPU s per s | whole check, CPU s per s | ratio |")
        print("|---|---|---|---|")
        for number, (alone, check) in enumerate(rows, 1):
            print(f"| {number} | {alone / seconds:.4f} | {check / seconds:.4f} | {check / alone:.2f} |")


if __name__ == "__main__":
    main()
