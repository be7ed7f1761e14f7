"""TV-L1 flow: what it costs and how true it is, on pictures of 32 and 64 px.

    OPENBLAS_NUM_THREADS=1 python benchmarks/optical_flow.py [--repeats 3]

Cost is CPU time per pair of a clip of 129 pictures, the least of the repeats. Error is the mean distance between the
flow found and the one drawn, px, away from the rim: for rough surfaces that move as a whole (moved as a spectrum, so
exactly), and inside bright discs over a still background; beside the discs the mean flow where nothing moves.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np

from clapboard.vision.optical_flow import tvl1

FINE = 8
"""Pictures are drawn so many times finer and averaged over the area of each pixel."""
RIM = 4
SURFACES = 12
MOVES_PX = (0.25, 0.5, 1.0, 2.0, 4.0)


def surfaces(rng: np.random.Generator, px: int, places: np.ndarray, smooth_px: float = 1.5) -> np.ndarray:
    """One rough surface at each place (T, 2) dx, dy px; (T, px, px) uint8, contrast 40 levels about 120."""
    side = 2 * px * FINE
    down, across = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
    spectrum = np.fft.rfft2(rng.normal(size=(side, side)))
    spectrum *= np.exp(-2 * (np.pi * smooth_px * FINE) ** 2 * (down**2 + across**2))
    pictures = []
    for dx, dy in places:
        moved = np.fft.irfft2(spectrum * np.exp(-2j * np.pi * FINE * (across * dx + down * dy)), (side, side))
        part = moved[side // 4 : -side // 4, side // 4 : -side // 4]
        pictures.append(part.reshape(px, FINE, px, FINE).mean(axis=(1, 3)))
    found = np.stack(pictures)
    return np.clip(120 + 40 * (found - found.mean()) / found.std(), 0, 255).round().astype(np.uint8)


def discs(rng: np.random.Generator, px: int, radius_px: float, move: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc before and after a move over a still surface, (2, px, px), and how it covers them."""
    behind = 100 + (surfaces(rng, px, np.zeros((1, 2)))[0].astype(float) - 120) / 4
    at = (np.arange(px * FINE) + 0.5) / FINE
    middle = px / 2 + rng.uniform(-1, 1, 2)
    covers = []
    for x, y in (middle - move / 2, middle + move / 2):
        cover = (at - x) ** 2 + (at[:, None] - y) ** 2 < radius_px**2
        covers.append(cover.reshape(px, FINE, px, FINE).mean(axis=(1, 3)))
    covered = np.stack(covers)
    return (covered * 200 + (1 - covered) * behind).round().astype(np.uint8), covered


def moves(rng: np.random.Generator, length_px: float) -> Iterator[np.ndarray]:
    """Moves of one length in directions by chance."""
    for angle in rng.uniform(0, 2 * np.pi, SURFACES):
        yield length_px * np.array([np.cos(angle), np.sin(angle)])


def cost_ms(px: int, repeats: int) -> float:
    """CPU time per pair, ms."""
    rng = np.random.default_rng(0)
    clip = surfaces(rng, px, np.cumsum(rng.normal(0, 0.7, (129, 2)), axis=0))
    found = []
    for _ in range(repeats):
        start = time.process_time()
        tvl1(clip)
        found.append(time.process_time() - start)
    return 1000 * min(found) / (len(clip) - 1)


def errors(px: int, length_px: float) -> dict[str, float]:
    """Mean errors at one length of motion, px."""
    rng = np.random.default_rng(1)
    found: dict[str, list[float]] = {"surface": [], "disc 5 px": [], "disc 2 px": [], "beside": []}
    for move in moves(rng, length_px):
        flow = tvl1(surfaces(rng, px, np.stack([0 * move, move])))[0]
        off = np.hypot(*(flow - move[:, None, None]))
        found["surface"].append(float(off[RIM:-RIM, RIM:-RIM].mean()))
        for radius_px in (5, 2):
            pictures, covered = discs(rng, px, radius_px, move)
            flow = tvl1(pictures)[0]
            off = np.hypot(*(flow - move[:, None, None]))
            found[f"disc {radius_px} px"].append(float(off[covered[0] > 0.99].mean()))
            found["beside"].append(float(np.hypot(*flow)[covered.max(axis=0) == 0].mean()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="TV-L1 flow: CPU time per pair, and error against known motion.")
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    for px in (32, 64):
        print(f"{px} px: {cost_ms(px, repeats):.1f} ms CPU a pair")
        for length_px in MOVES_PX:
            row = ", ".join(f"{name} {value:.2f}" for name, value in errors(px, length_px).items())
            print(f"  moved by {length_px} px: error {row}")


if __name__ == "__main__":
    main()
