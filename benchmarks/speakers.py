"""Who speaks, judged on scenes of real faces: F1 by frame and face, chance and controls beside it, voices off screen.

    python benchmarks/scenes.py --part dev -o runs/scenes/dev
    python benchmarks/speakers.py runs/scenes/dev [--model clapboard-s] [--json FILE] [--keep FOLDER]
    python benchmarks/speakers.py --sheet FOLDER VIDEO...

Every scene is decoded once by the stages of ``clapboard speakers`` and judged by every method: ``window`` with windows
of 10, 25, 50 and 100 frames, ``median``, and ``states``, which has no window. A face-frame is one face at one point of
the 25 Hz grid; it counts as speaking where the truth says that the voice is this face's. Faces are told by their place.

Chance: a random face at every moment somebody is heard; all faces always. Controls: the sound of another scene, and the
scene's own sound compared 1 s off. Intervals of 95 %: voices are drawn with replacement, then their scenes. ``--keep``
keeps what was decoded for the next run; ``--people`` takes only scenes in which none but these are seen or heard.

``--sheet`` draws boxes and scores into frames 1 s apart of any videos, a PNG each, to be looked at.
"""

import argparse
import json
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.sheet import png
from clapboard.footage import write_overlay
from clapboard.media.grid import on_grid
from clapboard.media.probe import probe
from clapboard.media.read import read_frames
from clapboard.metrics import bootstrap
from clapboard.models.session import SyncModel, load_model
from clapboard.pipeline import Measured, measure
from clapboard.speakers.decide import Compared, decide
from clapboard.speakers.evidence import first_grid
from clapboard.speaking import compare_measured, who_speaks
from clapboard.timebase import PICTURE_HZ
from clapboard.values import Speakers

WINDOWS = (10, 25, 50, 100)
OWN, CHANCE, CONTROLS = "states", ("a random face", "all faces always"), ("another sound", "1 s off")
GIVEN = "states, offset given"
METHODS = (*(f"window {frames}" for frames in WINDOWS), "median", OWN)
NOBODY, NOT_SHOWN = -1, -2
KINDS = ("quiet", "talking", "alternating", "mixed", "offscreen")
WITHIN_MS = 40.0
FORCED_MS = 1000.0
SHEET_WIDTH_PX, SHEET_COLUMNS = 400, 4


@dataclass(frozen=True, slots=True)
class Counts:
    """Face-frames of one scene by truth and answer, and moments of voices off screen and on.

    ``named``: of the moments when a person not shown speaks, those said to be nobody's on screen; ``denied``: of those
    when a face speaks, those said so wrongly. Chance has fractions.
    """

    tp: float = 0.0
    fp: float = 0.0
    fn: float = 0.0
    tn: float = 0.0
    hidden: int = 0
    named: int = 0
    shown: int = 0
    denied: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """One scene: what is known of it, what every method made of it, and what was found of its offset."""

    scene: dict
    counts: dict[str, Counts]
    offset_error_ms: float
    offset_from: str


def answers(found: Speakers, scene: dict) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What was decided: (F, T) which face speaks, (T,) whether the voice is nobody's on screen."""
    frames, first = len(scene["truth"]), scene["first_frame"]
    speaks = np.zeros((len(scene["faces"]), frames), np.bool_)
    for face in found.faces:
        middle = float(np.median(face.boxes[:, [0, 2]]))
        tiles = [i for i, tile in enumerate(scene["faces"]) if tile["left_px"] <= middle < tile["right_px"]]
        at = first_grid(face.time_s) - first + np.arange(len(face.speaking))
        inside = (at >= 0) & (at < frames)
        if tiles:
            speaks[tiles[0], at[inside]] |= face.speaking[inside]
    time_s = (first + np.arange(frames)) / PICTURE_HZ
    nobody = np.zeros(frames, np.bool_)
    for turn in found.turns:
        if turn.face is None:
            nobody |= (time_s >= turn.start_s - 1e-6) & (time_s < turn.end_s - 1e-6)
    return speaks, nobody


def count(speaks: NDArray, nobody: NDArray[np.bool_], scene: dict) -> Counts:
    """Answers against the truth; ``speaks`` may be the probability that it is answered."""
    truth = np.array(scene["truth"])
    right = truth[None] == np.arange(len(scene["faces"]))[:, None]
    hidden, shown = truth == NOT_SHOWN, truth >= 0
    said = np.asarray(speaks, np.float64)
    return Counts(
        tp=float(said[right].sum()),
        fp=float(said[~right].sum()),
        fn=float((1 - said)[right].sum()),
        tn=float((1 - said)[~right].sum()),
        hidden=int(hidden.sum()),
        named=int((hidden & nobody).sum()),
        shown=int(shown.sum()),
        denied=int((shown & nobody).sum()),
    )


def chance(scene: dict) -> dict[str, Counts]:
    """What guessing gives, by one who knows when somebody is heard, and by one who always says yes."""
    heard = np.array(scene["truth"]) != NOBODY
    shape = (len(scene["faces"]), len(heard))
    none = np.zeros(len(heard), np.bool_)
    guesses = (np.broadcast_to(heard / shape[0], shape), np.ones(shape))
    return {name: count(guess, none, scene) for name, guess in zip(CHANCE, guesses, strict=True)}


def measured_of(path: Path, model: SyncModel, keep: Path | None) -> Measured:
    """What one decode gives, from the last run where it was kept."""
    kept = None if keep is None else keep / f"{path.stem}-{path.stat().st_mtime_ns}-{model.model.sha256[:12]}.pickle"
    if kept is not None and kept.exists():
        return pickle.loads(kept.read_bytes())
    measured = measure(path, model)
    if kept is not None:
        kept.write_bytes(pickle.dumps(measured))
    return measured


def other_sound(scene: dict, scenes: list[dict]) -> int:
    """The scene whose sound stands in: other voices, and as long as possible up to this one."""
    mine = {voice["person"] for voice in scene["voices"]}
    strange = [i for i, other in enumerate(scenes) if not mine & {voice["person"] for voice in other["voices"]}]
    long = len(scene["truth"])
    return min(strange, key=lambda i: abs(len(scenes[i]["truth"]) - long), default=0)


def judge(scene: dict, measured: Measured, other: Measured, model: SyncModel) -> Judged:
    """One scene by all methods, chance and controls."""

    def compared(of: Measured, offset_ms: float | None = None) -> Compared:
        return compare_measured(scene["file"], of, model, offset_ms=offset_ms)

    def judged(of: Compared, **how) -> Counts:
        return count(*answers(decide(of, **how), scene), scene)

    own, true_ms = compared(measured), scene["offset_ms"]
    counts = {f"window {frames}": judged(own, method="window", window_frames=frames) for frames in WINDOWS}
    counts |= {name: judged(own, method=name) for name in ("median", OWN)} | chance(scene)
    counts[GIVEN] = judged(compared(measured, true_ms))
    counts["another sound"] = judged(compared(replace(measured, features=other.features, speech=other.speech)))
    counts["1 s off"] = judged(compared(measured, true_ms + FORCED_MS))
    return Judged(scene, counts, own.offset_ms - true_ms, own.offset_from)


class Table:
    """Measures of some scenes with their intervals."""

    def __init__(self, judged: list[Judged]) -> None:
        self.judged = judged
        self.drawn = bootstrap.resamples([one.scene["voices"][0]["person"] for one in judged], 1000)

    def sums(self, method: str, fields: str) -> NDArray[np.float64]:
        """Counts of every scene, (C, fields)."""
        return np.array([[getattr(one.counts[method], name) for name in fields.split()] for one in self.judged])

    def value(self, method: str, fields: str, of: Callable[..., float]) -> tuple[float, float, float]:
        """A measure over all the scenes and its interval."""
        table = self.sums(method, fields)
        low, high = bootstrap.of_statistic(lambda times: of(*(times @ table)), self.drawn)
        return of(*table.sum(axis=0)), low, high

    def f1(self, method: str) -> tuple[float, float, float]:
        return self.value(method, "tp fp fn", lambda tp, fp, fn: _part(2 * tp, 2 * tp + fp + fn))

    def balanced(self, method: str) -> tuple[float, float, float]:
        return self.value(method, "tp fp fn tn", lambda tp, fp, fn, tn: (_part(tp, tp + fn) + _part(tn, tn + fp)) / 2)

    def precision(self, method: str) -> tuple[float, float, float]:
        return self.value(method, "tp fp", lambda tp, fp: _part(tp, tp + fp))

    def recall(self, method: str) -> tuple[float, float, float]:
        return self.value(method, "tp fn", lambda tp, fn: _part(tp, tp + fn))

    def named(self, method: str) -> tuple[float, float, float]:
        return self.value(method, "named hidden", _part)

    def denied(self, method: str) -> tuple[float, float, float]:
        return self.value(method, "denied shown", _part)


def _part(some: float, all_: float) -> float:
    """Their ratio; NaN where there are none."""
    return float(some / all_) if all_ else float("nan")


def _cell(value: tuple[float, float, float]) -> str:
    """Per cent, with the interval."""
    return f"{100 * value[0]:.1f} [{100 * value[1]:.0f}, {100 * value[2]:.0f}]"


def groups_of(judged: list[Judged]) -> dict[str, list[Judged]]:
    """Scenes by kind and number of faces, and all of a kind where there are several numbers."""
    groups: dict[str, list[Judged]] = {}
    for kind in KINDS:
        mine = [one for one in judged if one.scene["kind"] == kind]
        numbers = sorted({len(one.scene["faces"]) for one in mine})
        groups |= {f"{kind}, {n} faces": [one for one in mine if len(one.scene["faces"]) == n] for n in numbers}
        if len(numbers) > 1:
            groups[f"{kind}, all"] = mine
    return groups


def print_tables(judged: list[Judged]) -> dict:
    """All tables; returns their numbers."""
    tables = {name: Table(some) for name, some in groups_of(judged).items()}
    heard = {name: table for name, table in tables.items() if not name.startswith("offscreen")}
    away = {name: table for name, table in tables.items() if name.startswith(("offscreen", "mixed"))}
    if len(away) > 1:
        away["both"] = Table([one for one in judged if one.scene["kind"] in ("offscreen", "mixed")])
    numbers: dict = {}

    def show(title: str, columns: dict[str, Callable[[Table], tuple]], rows: dict[str, Table]) -> None:
        print(f"\n{title}\n\n| scenes | | {' | '.join(columns)} |\n|---|---|{'---|' * len(columns)}")
        for name, table in rows.items():
            values = {column: of(table) for column, of in columns.items()}
            print(f"| {name} | {len(table.judged)} | {' | '.join(_cell(v) for v in values.values())} |")
            numbers.setdefault(title, {})[name] = values

    def each(measure_of: str, methods: tuple[str, ...]) -> dict[str, Callable[[Table], tuple]]:
        return {method: lambda table, m=method: getattr(table, measure_of)(m) for method in methods}

    show("F1 of speaking faces, by frame and face, %", each("f1", METHODS), heard)
    show("Balanced accuracy, %", each("balanced", METHODS), heard)
    sides: dict[str, Callable[[Table], tuple]] = {
        "precision": lambda table: table.precision(OWN),
        "recall": lambda table: table.recall(OWN),
        "said to be nobody's": lambda table: table.denied(OWN),
    }
    show("`states`: precision, recall, and the part of the voices on screen that it gives to nobody, %", sides, heard)
    show("F1 of chance and controls, `states` beside them, %", each("f1", (OWN, GIVEN, *CONTROLS, *CHANCE)), heard)
    show("Voices off screen named as such, part of their time, %", each("named", (*METHODS, GIVEN)), away)
    print("\nOffset at which lips and sound were compared\n")
    print("| scenes | | within 40 ms | trusted | of these within 40 ms | median error of these |")
    print("|---|---|---|---|---|---|")
    for name, table in tables.items():
        errors = np.array([one.offset_error_ms for one in table.judged])
        trusted = np.array([one.offset_from == "file" for one in table.judged])
        right = np.abs(errors) <= WITHIN_MS
        median_ms = float(np.median(errors[trusted])) if trusted.any() else float("nan")
        found = [float(right.mean()), float(trusted.mean()), _part(right[trusted].sum(), trusted.sum()), median_ms]
        print(f"| {name} | {len(errors)} | {found[0]:.0%} | {found[1]:.0%} | {found[2]:.0%} | {found[3]:+.0f} ms |")
        numbers.setdefault("offset", {})[name] = found
    return numbers


def sheet(video: Path, out: Path, model: SyncModel) -> None:
    """Frames 1 s apart with boxes and scores, side by side, as a PNG."""
    found = who_speaks(video, model=model)
    pictures = []
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "drawn.mp4"
        write_overlay(found, video, drawn)
        for grid, frame in on_grid(read_frames(probe(drawn), colour=True)):
            if frame.colour is not None and grid % PICTURE_HZ == PICTURE_HZ // 2:
                height, width = frame.colour.shape[:2]
                image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.colour), "rgb24")
                size = (SHEET_WIDTH_PX, round(SHEET_WIDTH_PX * height / width / 2) * 2)
                pictures.append(image.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray())
    if not pictures:
        print(f"{video.name}: shorter than a frame of the sheet")
        return
    pictures += [np.zeros_like(pictures[0])] * (-len(pictures) % SHEET_COLUMNS)
    rows = [np.concatenate(pictures[i : i + SHEET_COLUMNS], 1) for i in range(0, len(pictures), SHEET_COLUMNS)]
    out.write_bytes(png(np.concatenate(rows, axis=0)))
    reasons = "; ".join(found.report.offset.reasons)
    print(f"\n{out}: offset {found.offset_ms:+.0f} ms ({found.offset_from}) {reasons}")
    for turn in found.turns:
        who = "nobody on screen" if turn.face is None else f"face {turn.face}"
        print(f"  {turn.start_s:6.2f} to {turn.end_s:6.2f} s  {who}  {turn.score:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, help="the folder of scenes, or with --sheet videos")
    parser.add_argument("--model", default="clapboard-s")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for what was decoded")
    parser.add_argument("--people", nargs="+", help="only scenes of these people")
    parser.add_argument("--sheet", type=Path, metavar="FOLDER")
    chosen = parser.parse_args()
    model = load_model(chosen.model)
    if chosen.sheet is not None:
        chosen.sheet.mkdir(parents=True, exist_ok=True)
        for video in chosen.paths:
            sheet(video, chosen.sheet / f"{video.stem}.png", model)
        return
    folder = chosen.paths[0]
    if not (folder / "truth.json").is_file():
        parser.error(f"no truth.json in {folder}; make scenes with benchmarks/scenes.py")
    scenes = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["scenes"]
    if chosen.people:
        scenes = [scene for scene in scenes if set(scene["people"]) <= set(chosen.people)]
    if not scenes:
        parser.error("no scene is of these people alone")
    if chosen.keep is not None:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    measured = [measured_of(folder / scene["file"], model, chosen.keep) for scene in scenes]
    judged = [
        judge(scene, own, measured[other_sound(scene, scenes)], model)
        for scene, own in zip(scenes, measured, strict=True)
    ]
    people = {person for scene in scenes for person in scene["people"]}
    minutes = sum(len(scene["truth"]) for scene in scenes) / PICTURE_HZ / 60
    print(f"{len(scenes)} scenes, {minutes:.1f} minutes, {len(people)} people; model {model.spec.name}")
    numbers = print_tables(judged)
    if chosen.json:
        chosen.json.write_text(json.dumps(numbers, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
