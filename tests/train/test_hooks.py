"""The long work of training tells its hook how far it is; what a hook raises ends it so that it can go on."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.dataset.align import Aligned  # noqa: E402
from clapboard.training.calibrating import calibrate_runs  # noqa: E402
from clapboard.training.loop import fit  # noqa: E402
from clapboard.training.publish import export_run  # noqa: E402
from clapboard.training.recipe import Batch, HeldOut, Recipe  # noqa: E402
from clapboard.training.rounds import refine  # noqa: E402
from clapboard.training.run import Place  # noqa: E402

SMALL = Recipe(
    steps=6, network_options={"width": 8, "sound_width": 8}, batch=Batch(frames=192), held_out=HeldOut(every=3)
)
Clips = Callable[..., list[Aligned]]
Told = list[tuple[str, float, float | None]]


class EnoughError(Exception):
    """What a user's hook raises."""


def silent(line: str) -> None:
    """Say nothing."""


def steps(told: Told) -> list[str]:
    """The steps that were told, each once, in their order; no step is over before its end."""
    assert all(total is not None and 0 <= done <= total for _, done, total in told)
    return list(dict.fromkeys(step for step, _, _ in told))


def test_every_step_is_told(tmp_path: Path, toy_clips: Clips) -> None:
    """The bar of ``clapboard train`` moves with every step, to the last one."""
    told: Told = []
    fit(SMALL, toy_clips(6), tmp_path / "a", place=Place(), say=silent, hook=lambda *now: told.append(now))
    assert told == [("training", step, 6) for step in range(1, 7)]


def test_what_a_hook_raises_ends_a_run_that_goes_on(tmp_path: Path, toy_clips: Clips) -> None:
    """The last checkpoint is kept, and the same call goes on from there."""
    told: Told = []

    def hook(step: str, done: float, total: float | None) -> None:
        told.append((step, done, total))
        if done == 5:
            raise EnoughError

    with pytest.raises(EnoughError):
        fit(SMALL, toy_clips(6), tmp_path, place=Place(), say=silent, hook=hook)
    assert not (tmp_path / "weights.pt").exists()
    fit(SMALL, toy_clips(6), tmp_path, place=Place(), say=silent, hook=lambda *now: told.append(now))
    assert [done for _, done, _ in told] == [1, 2, 3, 4, 5, 4, 5, 6]


def test_refining_exporting_and_calibrating_tell(
    tmp_path: Path, toy_clips: Clips, toy_dataset: Callable[..., Path]
) -> None:
    """Each of the other commands that train or export says at what it is."""
    data, told = toy_dataset(tmp_path / "data", 6), list[tuple[str, float, float | None]]()
    refine(SMALL, [data], tmp_path / "r", device="cpu", say=silent, hook=lambda *now: told.append(now))
    assert steps(told) == [f"fold {n} of 2, {step}" for n in (1, 2) for step in ("training", "measuring")]
    told.clear()
    held = dataclasses.replace(SMALL, held_out=HeldOut(speakers=("0",)))
    fit(held, toy_clips(6), tmp_path / "run", place=Place(), say=silent)
    calibrate_runs([tmp_path / "run"], [data], None, None, silent, hook=lambda *now: told.append(now))
    assert steps(told) == ["calibrating"]
    told.clear()
    (made,) = export_run(tmp_path / "run", tmp_path / "models", hook=lambda *now: told.append(now))
    assert steps(told) == ["compared with torch"]
    assert json.loads(made.read_text())["name"] == "clapboard-s"
