"""CPU seconds per second of video of ``clapboard check``, beside decoding alone, in the same run on one thread.

    python benchmarks/speed.py [--clip FILE] [--seconds 60] [--repeats 3] [--any-sound [MODEL]]

Without ``--clip`` a talking face is rendered at 1280x720, 25 fps, one face of 260 px, and encoded by x264 (crf 23,
medium) with AAC; with ``--any-sound`` rendered events of 360x360 at 25 fps, encoded alike. Start-up (imports, loading
the networks) is timed by itself, since it does not grow with the clip.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av

from clapboard.anysound import blocks_of, watch
from clapboard.models import DEFAULT_ANY_SOUND
from clapboard.models.any_session import load_any_sound
from clapboard.models.session import load_model
from clapboard.pipeline import curves_of, measure
from clapboard.sync.any_trust import judge
from clapboard.sync.consensus import Face, decide
from clapboard.testing import make_clip, render_events, write_events
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


def by_lips() -> Callable[[Path], object]:
    """The whole check of a file by lips, everything loaded."""
    model, detector = load_model(), Mtcnn()

    def whole(path: Path) -> object:
        measured = measure(path, model, detector=detector)
        faces = [Face(n, c, True) for n, c in curves_of(measured, model, 1.0).items()]
        return decide(faces, model.spec.calibration.bias, model.spec.calibration.weights)

    return whole


def by_any_sound(name: str) -> Callable[[Path], object]:
    """The whole check of a file by any sound, the networks loaded."""
    model = load_any_sound(name)

    def whole(path: Path) -> object:
        blocks = blocks_of(watch(path, model), model, 2.0)
        return blocks and judge(blocks, 0.0, None)

    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--any-sound", nargs="?", const=DEFAULT_ANY_SOUND, metavar="MODEL")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.clip
        if path is None:
            path = Path(folder) / "speed.mp4"
            if chosen.any_sound:
                write_events(render_events(7, seconds=chosen.seconds, px=360), path)
            else:
                make_clip(path, seed=7, duration_s=chosen.seconds, width_px=1280, height_px=720, face_px=260)
        began = time.process_time()
        whole = by_any_sound(chosen.any_sound) if chosen.any_sound else by_lips()
        start_up_s = time.process_time() - began
        with av.open(str(path)) as container:
            seconds = container.duration / av.time_base
            size = f"{container.streams.video[0].width}x{container.streams.video[0].height}"
        rows = [(cpu_s(lambda: decode(path)), cpu_s(lambda: whole(path))) for _ in range(chosen.repeats)]
        print(f"{path.name}: {size}, {seconds:.1f} s; loading the networks: {start_up_s:.2f} CPU s\n")
        print("| run | decoding alone, CPU s per s | whole check, CPU s per s | ratio | times real time |")
        print("|---|---|---|---|---|")
        for number, (alone, check) in enumerate(rows, 1):
            print(
                f"| {number} | {alone / seconds:.4f} | {check / seconds:.4f} | {check / alone:.2f} "
                f"| {seconds / check:.1f} |"
            )


if __name__ == "__main__":
    main()
