"""Spectrograms of sounds for one picture under one another, with the moments at which something is seen to be struck.

    python benchmarks/foley_figures.py DATASET [--clip ID...] [--model NAME=JSON...] [--waves NAME=PATH...] -o FOLDER

One SVG for each clip, ``foley-ID.svg``: the true sound first, then those of the models, in the order given. Lines over
the whole height are the true moments, ticks below each panel the onsets that are found in the sound. What models make
is kept in ``--work`` as by `foley.py`, for the same clips and seed.
"""

import argparse
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import ClapboardError, UsageError
from clapboard.files import require_writable, write_text
from clapboard.metrics import onset_match
from clapboard.report.figures import Panel, alone
from clapboard.report.heat import colours
from clapboard.report.pictures import data_uri
from clapboard.report.svg import opening
from clapboard.synthesis.mel import log_mel
from clapboard.timebase import FEATURE_HZ
from clapboard.values import F32
from foley import named, said
from foley_clips import Clip, Waves, load_clips, onsets_of, true_sound
from foley_makers import make, read_waves
from foley_measures import levelled

SHOWN_DB = 70.0
"""Colours go from so far below the loudest of a panel up to it."""
BAND_PX, TICK_PX, NAME_PX = 1.25, 7, 16
"""Height of a band, of the ticks, and of the seconds below a panel; a row of 10 ms is a pixel wide."""
NEAR_S = 0.05
NEPER_DB = 10 / np.log(10)


def spectrogram(wave: F32) -> NDArray[np.uint8]:
    """Log-mel power in colours, (80, R, 3), high bands above."""
    mel = log_mel(levelled(wave)) * NEPER_DB
    loudest = max(float(mel.max()), float(np.log(1e-8) * NEPER_DB) + SHOWN_DB)
    share = np.clip((mel - loudest) / SHOWN_DB + 1, 0, 1)
    return colours()[np.round(share * 255).astype(np.uint8)].transpose(1, 0, 2)[::-1]


def panel(name: str, clip: Clip, wave: F32) -> Panel:
    """One sound: its spectrogram, the true moments through it, the onsets found in it below."""
    image, found = spectrogram(wave), onsets_of(wave)
    width, high = image.shape[1], image.shape[0] * BAND_PX
    height = high + TICK_PX + NAME_PX
    parts = [opening(width, height, f"Spectrogram of {name}, {clip.length_s:.0f} s")]
    shape = f'width="{width}" height="{high:g}" preserveAspectRatio="none"'
    parts.append(f'<image {shape} href="{data_uri(image)}"/>')
    for time_s in clip.true_s.tolist():
        x = f"{FEATURE_HZ * time_s:.1f}"
        parts.append(f'<line class="true" x1="{x}" x2="{x}" y1="0" y2="{high:g}" stroke="#fff" stroke-opacity="0.55"/>')
    for time_s in found.tolist():
        x = f"{FEATURE_HZ * time_s:.1f}"
        parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{high + 1:g}" y2="{high + TICK_PX:g}"/>')
    for second in range(int(clip.length_s) + 1):
        at = f'x="{min(max(FEATURE_HZ * second, 8), width - 8)}" y="{height - 3:g}" text-anchor="middle"'
        parts.append(f'<text class="tick" {at}>{escape(f"{second} s" if second else "0")}</text>')
    matched = len(onset_match.match(clip.true_s, found, NEAR_S))
    told = f"{matched} of {len(clip.true_s)} moments within 50 ms, {len(found) - matched} onsets besides"
    return Panel(f"{name}: {told}", "".join([*parts, "</svg>"]))


def figure(clip: Clip, sounds: Mapping[str, Waves]) -> str:
    """The text of the SVG of one clip."""
    panels = [panel(name, clip, waves[clip.id]) for name, waves in sounds.items()]
    return alone(panels, f"Sounds for one silent picture ({clip.label or clip.id})")


def main(argv: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--clip", nargs="+", default=[], metavar="ID", help="clips to draw; the first two without")
    parser.add_argument("--model", nargs="+", default=[], metavar="NAME=JSON[:WAY]", help="models for foley")
    parser.add_argument("--waves", nargs="+", default=[], metavar="NAME=PATH", help="sounds: .npz or folder of .npy")
    parser.add_argument("--work", type=Path, default=Path("runs/foley/bench"), help="keep what models make here")
    parser.add_argument("--seed", type=int, default=0, help="of models that draw")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the SVGs, which may exist")
    chosen = parser.parse_args(argv)
    try:
        clips = load_clips(chosen.data)
        wanted = chosen.clip or [clip.id for clip in clips[:2]]
        if strange := set(wanted) - {clip.id for clip in clips}:
            raise UsageError(f"{chosen.data}: holds no clip {', '.join(sorted(strange))}")
        clips = [clip for clip in clips if clip.id in wanted]
        targets = {clip.id: chosen.out / f"foley-{clip.id}.svg" for clip in clips}
        for target in targets.values():
            require_writable(target, Path(__file__), overwrite=True)
        sounds: dict[str, Waves] = {"true sound": true_sound(clips)}
        for name, path in named(chosen.model, "--model").items():
            sounds[name] = make(path, clips, chosen.work / chosen.data.name / name, seed=chosen.seed, hook=said)
        for name, path in named(chosen.waves, "--waves").items():
            sounds[name] = read_waves(Path(path), clips)
        for clip in clips:
            write_text(figure(clip, sounds), targets[clip.id], overwrite=True)
    except ClapboardError as error:
        parser.exit(error.exit_code, f"{error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
