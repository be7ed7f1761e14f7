"""Render a talking face whose sound is early by a known amount, to try Clapboard on.

``python examples/talking_face.py talk.mp4 --sound-early-ms 300``
"""

import argparse
from pathlib import Path

from clapboard.testing import make_clip


def main() -> None:
    """Write the clip that the command line asks for."""
    parser = argparse.ArgumentParser(description="Render a talking face whose sound is early by a known amount.")
    parser.add_argument("out", type=Path, help="mp4, mov, mkv or webm, by its ending")
    parser.add_argument("--sound-early-ms", type=float, default=300.0, help="negative: late")
    parser.add_argument("--duration-s", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=3, help="another number is another person with other words")
    chosen = parser.parse_args()
    truth = make_clip(
        chosen.out, seed=chosen.seed, duration_s=chosen.duration_s, offset_ms=chosen.sound_early_ms, overwrite=True
    )
    print(f"{chosen.out}: {chosen.duration_s:g} s, sound {truth.offset_ms:+g} ms (plus: early), by construction")


if __name__ == "__main__":
    main()
