"""Render one clip of each kind of physical event, to try ``clapboard check --any-sound`` and ``clapboard foley`` on.

``python examples/events.py FOLDER --sound-early-ms 240``, ``python examples/events.py FOLDER --silent``
"""

import argparse
from pathlib import Path

from clapboard.testing import render_events, write_events
from clapboard.testing.events import KINDS, SPLITS


def main() -> None:
    """Write the clips that the command line asks for."""
    parser = argparse.ArgumentParser(description="Render one clip of each kind of physical event.")
    parser.add_argument("folder", type=Path, help="made where it does not exist")
    parser.add_argument("--sound-early-ms", type=float, default=0.0, help="negative: late")
    parser.add_argument("--split", choices=SPLITS, default="dense")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--px", type=int, default=256, help="width and height, an even number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clean", action="store_true", help="without all that disturbs: silent movers, noise, shake")
    parser.add_argument("--silent", action="store_true", help="without sound")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    # a metronome is never sparse, and two sources are of different kinds
    wanted = [(kind,) for kind in KINDS if chosen.split != "sparse" or kind != "metronome"]
    for kinds in [KINDS] if chosen.split == "two-sources" else wanted:
        clip = render_events(
            chosen.seed,
            seconds=chosen.seconds,
            px=chosen.px,
            colour=True,
            sound_hz=48_000,
            channels=2,
            split=chosen.split,
            kinds=kinds,
            clean=chosen.clean,
        )
        path = chosen.folder / f"{clip.kind}.mp4"
        write_events(clip, path, offset_ms=chosen.sound_early_ms, silent=chosen.silent, overwrite=True)
        seen = sum(event.source >= 0 for event in clip.events)
        others = f" and {len(clip.events) - seen} off screen" if seen < len(clip.events) else ""
        sound = "no sound" if chosen.silent else f"sound {chosen.sound_early_ms:+g} ms (plus: early), by construction"
        print(f"{path}: {seen} events{others}, {sound}")


if __name__ == "__main__":
    main()
