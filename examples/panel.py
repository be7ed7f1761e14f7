"""Render people who take turns, and somebody who is never seen, to try ``clapboard speakers`` on.

``python examples/panel.py panel.mp4 --faces 3 --sound-early-ms 120``
"""

import argparse
from pathlib import Path

from clapboard.testing import render_scene

TURN_S, PAUSE_S = 2.2, 0.5


def main() -> None:
    """Write the scene that the command line asks for, and print who speaks when by construction."""
    parser = argparse.ArgumentParser(description="Render people who take turns, and a voice off screen at the end.")
    parser.add_argument("out", type=Path, help="mp4, mov, mkv or webm, by its ending")
    parser.add_argument("--faces", type=int, default=2, choices=range(1, 5))
    parser.add_argument("--sound-early-ms", type=float, default=0.0, help="negative: late")
    parser.add_argument("--listeners", choices=["quiet", "talking"], default="quiet", help="talking: without a voice")
    parser.add_argument("--seed", type=int, default=12, help="another number is other people with other words")
    chosen = parser.parse_args()
    people = [*range(chosen.faces), None]
    starts_s = [0.3 + number * (TURN_S + PAUSE_S) for number in range(len(people))]
    truth = render_scene(
        chosen.out,
        cast=[chosen.seed + number for number in range(chosen.faces)],
        stranger=chosen.seed + chosen.faces,
        turns=[(start_s, start_s + TURN_S, who) for start_s, who in zip(starts_s, people, strict=True)],
        duration_s=starts_s[-1] + TURN_S + PAUSE_S,
        listeners=chosen.listeners,
        sound_early_ms=chosen.sound_early_ms,
        face_px=100,
        height_px=180,
        width_px=160 * chosen.faces,
        overwrite=True,
    )
    print(f"{chosen.out}: sound {truth.offset_ms:+g} ms (plus: early), by construction")
    for turn in truth.turns:
        who = "off screen" if turn.face is None else f"face {turn.face + 1} from the left"
        print(f"  {turn.start_s:5.2f} to {turn.end_s:5.2f} s: {who}")


if __name__ == "__main__":
    main()
