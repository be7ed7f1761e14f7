"""Attention looked at: how scores of true and shifted sound are spread, which blocks weigh, and where in the picture.

    python benchmarks/sounds_figures.py scores  (--scores JSON [--setting NAME] | --data DATASET... [...]) -o SVG
    python benchmarks/sounds_figures.py weights [--seed N] [--split NAME] [--part NAME] [...] -o SVG
    python benchmarks/sounds_figures.py places  [--seeds N...] [--split NAME] [--part NAME] [...] -o SVG

with [--runs FOLDER...] for heads of the paper (all finished runs below), [--model JSON...] for models for any sound.

``scores`` draws a histogram for each, from a file {name: {"aligned": [...], "shifted": [...]}}, from one setting of
what `benchmarks/attention.py` wrote, or by scoring the pairs of `benchmarks/sounds.py`; ``--json`` keeps the scores.
``weights`` draws the weight of each block of one rendered clip under its picture, a row each; above it what is heard,
ticks where something on screen sounds; a block with such an event is shown at its first. ``places`` draws for each clip
where the weight of its heaviest such block lies, over the picture of that event, the true source in a frame; "its area"
is that of the source. Each panel says what the numbers of `clapboard.metrics` are for it. Pictures are rendered ones:
no media is ever drawn.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import ClapboardError, UsageError
from clapboard.files import require_writable, write_text
from clapboard.metrics import attention as measured
from clapboard.metrics import pairs as metric
from clapboard.report.blocks import Blocks, Onsets, full_times, scale, strip
from clapboard.report.distributions import Spread, drawing, highest_share, overlap, spreads
from clapboard.report.figures import Panel, alone, picture
from clapboard.report.heat import over
from clapboard.sound.onsets import row_times_s, strength
from clapboard.sync.attention import correlate
from clapboard.testing.events import EventClip, render_events
from clapboard.timebase import PICTURE_HZ, ROWS_PER_FRAME
from clapboard.training.anysound.clips import BLOCK_FRAMES
from clapboard.training.anysound.scenes import KIND, Scene, load_scenes, scene_of
from clapboard.training.anysound.shifts import SHIFTS
from clapboard.training.nets.attention_avs import KINDS
from clapboard.values import F32, F64, Features
from sound_scorers import REACH_MS, OfModel, Scorer, heads, unique
from sounds import PAIRS, cuts, judge

LOOK_PX = 256
"""Side of the rendered pictures that are shown; the networks see the same clip at 64."""
FRAME_PX = 2
WHITE = 255
NEEDED = "give --runs with finished runs of attention-avs, or --model with a model for any sound"


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What one network looked at: blocks (N, 2) s, weights (N,) that sum to 1, maps (N, h, w) that sum to them."""

    blocks_s: F64
    weights: F64
    maps: F64


Looker = Callable[[Scene], Looked]


def rows_of(scene: Scene) -> tuple[int, int, F32]:
    """Frames that have sound, from first to end, and their rows as networks take them, (4 (end - first), 40)."""
    first, end = scene.sounding()
    low = scene.zero_row + ROWS_PER_FRAME * first
    features = Features(scene.bands, scene.valid, scene.first_row_s)
    return first, end, KIND.finish(features, low, low + ROWS_PER_FRAME * (end - first))


def head_looker(run: Path) -> Looker:
    """The head of a finished run of attention-avs: its weights of blocks of 25 frames, from the first with sound on."""
    import torch

    from clapboard.training.anysound.avs import as_blocks, load_run
    from clapboard.training.nets.attention_avs import weights_of_blocks

    torch.set_num_threads(1)
    avs = load_run(run)

    @torch.no_grad()
    def look(scene: Scene) -> Looked:
        first, end, rows = rows_of(scene)
        _, weights = avs(*as_blocks(avs, scene.images[None, first:end], rows[None]))
        shares = weights_of_blocks(weights)[0].double().numpy()
        places = weights[0].double().sum(1).numpy() if weights.ndim == 5 else shares[:, None, None]
        starts_s = scene.begin_s + (first + BLOCK_FRAMES * np.arange(len(shares)) - 0.5) / PICTURE_HZ
        return Looked(np.stack([starts_s, starts_s + BLOCK_FRAMES / PICTURE_HZ], axis=1), shares, places)

    return look


def model_looker(path: str) -> Looker:
    """A model for any sound: its weights as a check has them."""
    model = OfModel(path)

    def look(scene: Scene) -> Looked:
        first, end, rows = rows_of(scene)
        blocks = correlate(*model.streams(scene.images[first:end], rows, 0), REACH_MS / 1000)
        starts_s = scene.begin_s + first / PICTURE_HZ + blocks.time_s
        length_s = float(np.diff(blocks.time_s).min(initial=1.0))
        spans = np.stack([starts_s, starts_s + length_s], axis=1)
        return Looked(spans, blocks.weights().astype(np.float64), blocks.map_weights().astype(np.float64))

    return look


def lookers(runs: Sequence[Path], models: Sequence[str]) -> dict[str, Looker]:
    """Everything that is to be looked at, by name; heads that weigh nothing, of plain means, are left out.

    Raises
    ------
    UsageError : there is none
    """
    found: dict[str, Looker] = {}
    for folder in runs:
        for run in sorted(path.parent for path in folder.glob("*/weights.pt")):
            from clapboard.training.anysound.recipe import SoundRecipe

            recipe = SoundRecipe.read(run / "recipe.toml")
            if recipe.task == "attention-avs" and recipe.head != "mean":
                found[run.name] = head_looker(run)
    for model in models:
        found[Path(model).stem] = model_looker(model)
    if not found:
        raise UsageError(f"there is nothing that weighs blocks; {NEEDED}")
    return found


def score(scenes: Sequence[Scene], scorers: Mapping[str, Scorer], range_name: str, count: int) -> dict[str, Any]:
    """Scores of the true and of the shifted sound of all pairs, by scorer."""
    found = list(cuts(scenes, range_name, count))
    if not found:
        raise UsageError(f"no scene has room for a pair of the range {range_name}; give longer ones")
    judged = {name: judge(scorer, found) for name, scorer in scorers.items()}
    return {name: {"aligned": of.true, "shifted": of.wrong} for name, of in judged.items()}


def model_scorer(path: str | Path) -> Scorer:
    """The correlation at lag 0 of a model for any sound."""
    found = OfModel(path)
    return Scorer(found.model.spec.name, found.score)


def scores_figure(scores: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """A histogram for each name, all to one height."""
    found = spreads(scores)
    highest = highest_share(found)
    panels = [Panel(f"{of.name}: {separated(of, scores[of.name])}", drawing(of, highest)) for of in found]
    return alone(panels, "Scores of clips in sync (blue) and with shifted sound (orange)", across=3)


def separated(of: Spread, scores: Mapping[str, Sequence[float]]) -> str:
    """How far the two kinds of clips are apart: pairs won, where they are pairs, and what their histograms share."""
    shared = f"{100 * overlap(of):.0f} % in common"
    if of.numbers[0] != of.numbers[1]:
        return shared
    return f"{100 * metric.accuracy(scores['aligned'], scores['shifted']):.0f} % of pairs won, {shared}"


def shown_and_seen(seed: int, split: str, part: str, seconds: float) -> tuple[EventClip, Scene]:
    """A clip as it is shown, and the same clip as networks see it."""
    chosen: dict[str, Any] = {"split": split, "part": part, "seconds": seconds}
    return render_events(seed, px=LOOK_PX, colour=True, **chosen), scene_of(render_events(seed, **chosen))


def on_screen_s(clip: EventClip) -> F64:
    """Times of what sounds and is seen, (E,) s."""
    return np.array([event.time_s for event in clip.events if event.source >= 0])


def picture_at(clip: EventClip, time_s: float) -> tuple[int, NDArray[np.uint8]]:
    """The first frame that is not before a time, and its picture in colours, (H, W, 3)."""
    index = min(int(np.searchsorted(clip.time_s, time_s)), len(clip.time_s) - 1)
    image = clip.images[index]
    return index, np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def moments(blocks_s: F64, events_s: F64) -> list[float]:
    """When each block is shown: at its first event on screen, else at its middle."""
    found = []
    for start_s, end_s in blocks_s.tolist():
        inside = events_s[(events_s >= start_s) & (events_s < end_s)]
        found.append(float(inside[0]) if len(inside) else (start_s + end_s) / 2)
    return found


def weights_figure(clip: EventClip, scene: Scene, found: Mapping[str, Looker]) -> str:
    """The weight of each block of a clip under its picture, a panel each."""
    events_s = on_screen_s(clip)
    features = Features(scene.bands, scene.valid, scene.first_row_s)
    onsets = Onsets(row_times_s(features), strength(features), events_s)
    panels = []
    for name, look in found.items():
        looked = look(scene)
        ratio = measured.block_ratio(looked.weights, measured.blocks_with_events(looked.blocks_s, events_s))
        pictures = tuple(picture_at(clip, at_s)[1] for at_s in moments(looked.blocks_s, events_s))
        drawn = strip(Blocks(looked.blocks_s, looked.weights, looked.maps, pictures), onsets, heat=False)
        words = f"blocks with an event weigh {ratio:.1f} times the others"
        words = "blocks with and without events cannot be compared" if np.isnan(ratio) else words
        panels.append(Panel(f"{name}: {words}", drawn))
    return alone(panels, f"Weight of each block of a rendered clip ({clip.kind}, {clip.split}, seed {clip.seed})")


def places_figure(clips: Sequence[tuple[EventClip, Scene]], found: Mapping[str, Looker]) -> str:
    """Where in the picture the weight of each clip lies, a row for each network, the true source in a frame."""
    shown = {name: [at_an_event(look(scene), clip) for clip, scene in clips] for name, look in found.items()}
    shown = {name: those for name, those in shown.items() if those[0][1].size > 1}
    if not shown:
        raise UsageError("there is nothing that weighs places; give a spatio-temporal head, or a model for any sound")
    times = max(full_times(weights[None]) for those in shown.values() for _, weights, _ in those)
    panels = []
    for name, those in shown.items():
        for (clip, _), (span_s, weights, at_s) in zip(clips, those, strict=True):
            index, image = picture_at(clip, at_s)
            boxes = clip.boxes[:, (clip.time_s >= span_s[0]) & (clip.time_s < span_s[1])]
            inside = measured.inside(boxes, weights.shape, (LOOK_PX, LOOK_PX))
            drawn = framed(over(image, weights, max(times * float(weights.mean()), 1e-12)), clip.boxes[:, index])
            said = f"{name}: {measured.share_over_area(weights, inside):.1f} times its area"
            panels.append(Panel(said, picture(drawn, f"Where {name} looked in a rendered clip, {clip.kind}")))
    title = "Weight of places over rendered pictures"
    return alone([*panels, Panel("weight of a place", scale(times))], title, across=len(clips))


def at_an_event(looked: Looked, clip: EventClip) -> tuple[F64, F64, float]:
    """The heaviest block in which something on screen sounds, or of all: its span (2,) s, its map, and that moment."""
    events_s = on_screen_s(clip)
    able = measured.blocks_with_events(looked.blocks_s, events_s)
    heaviest = int(np.argmax(np.where(able, looked.weights, -1.0) if able.any() else looked.weights))
    (at_s,) = moments(looked.blocks_s[heaviest : heaviest + 1], events_s)
    return looked.blocks_s[heaviest], looked.maps[heaviest], at_s


def framed(image: NDArray[np.uint8], boxes: F32) -> NDArray[np.uint8]:
    """A picture with a white frame about every box (S, 4) px that is seen."""
    found = np.array(image)
    for box in boxes[np.isfinite(boxes).all(1)]:
        x0, y0, x1, y1 = (
            round(float(np.clip(side, 0, size))) for side, size in zip(box, found.shape[1::-1] * 2, strict=True)
        )
        for rows, columns in (
            (slice(y0, y0 + FRAME_PX), slice(x0, x1)),
            (slice(max(y1 - FRAME_PX, 0), y1), slice(x0, x1)),
            (slice(y0, y1), slice(x0, x0 + FRAME_PX)),
            (slice(y0, y1), slice(max(x1 - FRAME_PX, 0), x1)),
        ):
            found[rows, columns] = WHITE
    return found


def of_setting(judged: Mapping[str, Mapping[str, Any]], setting: str) -> dict[str, Any]:
    """Scores of one setting from what `benchmarks/attention.py` wrote, of the run with the least seed of every head.

    Raises
    ------
    UsageError : it has no such setting
    """
    first = {head: seeds[min(seeds, key=int)] for head, seeds in judged.items() if seeds}
    known = list(dict.fromkeys(name for run in first.values() for name, of in run.items() if "scores" in of))
    if setting not in known:
        raise UsageError(f'there is no setting "{setting}"; there is {", ".join(known) or "none"}')
    return {head: first[head][setting]["scores"] for head in sorted(first, key=KINDS.index)}


def scores_of(chosen: argparse.Namespace) -> dict[str, Any]:
    """Scores from a file, or made here."""
    if chosen.scores:
        try:
            found = json.loads(chosen.scores.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{chosen.scores}: cannot be read ({error}); give the JSON that --json wrote") from None
        if not isinstance(found, dict) or not all(isinstance(kinds, dict) for kinds in found.values()):
            raise UsageError(f'{chosen.scores}: is not {{name: {{"aligned": [...], "shifted": [...]}}}}')
        judged = not any(kinds.keys() & {"aligned", "shifted"} for kinds in found.values())
        return of_setting(found, chosen.setting) if judged and found else found
    scorers = unique([*(s for folder in chosen.runs for s in heads(folder)), *map(model_scorer, chosen.model)])
    if not chosen.data or not scorers:
        raise UsageError(f"give --scores, or --data with data sets of scenes; and {NEEDED}")
    scenes = [scene for folder in chosen.data for scene in load_scenes(folder, limit=chosen.limit)]
    return score(scenes, scorers, chosen.range, chosen.pairs)


def figure(chosen: argparse.Namespace) -> str:
    """The text of the SVG that is asked for."""
    if chosen.figure == "scores":
        scores = scores_of(chosen)
        if chosen.json:
            write_text(json.dumps(scores) + "\n", chosen.json, overwrite=True)
        return scores_figure(scores)
    found = lookers(chosen.runs, chosen.model)
    if chosen.figure == "weights":
        return weights_figure(*shown_and_seen(chosen.seed, chosen.split, chosen.part, chosen.seconds), found)
    clips = [shown_and_seen(seed, chosen.split, chosen.part, chosen.seconds) for seed in chosen.seeds]
    return places_figure(clips, found)


def main(argv: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="figure", required=True)
    scored, weighed, placed = (kinds.add_parser(name) for name in ("scores", "weights", "places"))
    scored.add_argument("--scores", type=Path, help="JSON of scores")
    scored.add_argument("--setting", default="sparse, 1 to 4 s", help="of the JSON of benchmarks/attention.py")
    scored.add_argument("--data", type=Path, nargs="+", default=[], help="data sets of scenes")
    scored.add_argument("--range", default="far", choices=list(SHIFTS))
    scored.add_argument("--pairs", type=int, default=PAIRS, help="of each recording")
    scored.add_argument("--limit", type=int, help="no more than so many scenes of each data set")
    scored.add_argument("--json", type=Path, help="keep the scores here")
    weighed.add_argument("--seed", type=int, default=1)
    placed.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    for one in (weighed, placed):
        one.add_argument("--split", default="sparse")
        one.add_argument("--part", default="test")
        one.add_argument("--seconds", type=float, default=8.0)
    for one in (scored, weighed, placed):
        one.add_argument("--runs", type=Path, nargs="+", default=[], help="folders of finished runs of attention-avs")
        one.add_argument("--model", nargs="+", default=[], help="models for any sound, by name or .json")
        one.add_argument("-o", "--out", type=Path, required=True, help="the SVG, which may exist")
    chosen = parser.parse_args(argv)
    try:
        require_writable(chosen.out, Path(__file__), overwrite=True)
        write_text(figure(chosen), chosen.out, overwrite=True)
    except ClapboardError as error:
        parser.exit(error.exit_code, f"{error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
