"""A calibration from several runs of one recipe, each of which held somebody out.

The model that ships learns from everybody, so nobody is left to say how sure it may be. Runs of the same recipe that
leave some people out measure these people, and their answers together give the calibration.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from clapboard.errors import MediaError, UsageError
from clapboard.evaluation.calibrate import FOREIGN_VOICES, LENGTHS_S, Answers, describe, fit
from clapboard.evaluation.pieces import own_and_foreign, table
from clapboard.evaluation.speaking import Heard, scenes_of, tell_speakers
from clapboard.files import candidate_beside, put_in_place
from clapboard.models.spec import Calibration
from clapboard.training.embedder import TorchEmbedder
from clapboard.training.loop import kept_held_out, name_of
from clapboard.training.pretrained import from_pretrained
from clapboard.training.recipe import Recipe
from clapboard.training.sampling import held_out
from clapboard.training.tables import task_of
from clapboard.training.work import load_clips
from clapboard.values import Hook


def calibrate_runs(
    runs: Sequence[Path],
    data: Sequence[Path],
    offsets: Path | None,
    known: Mapping[str, float] | None = None,
    say: Callable[[str], None] = print,
    *,
    hook: Hook | None = None,
) -> Calibration:
    """Fit one calibration to what every run answers of the people that it held out.

    Parameters
    ----------
    runs : folders of ``clapboard train``, finished
    data : data sets that hold the people held out
    offsets : table of offsets
    known : by file: only these clips count; those whose offset nobody knows are no measure of being right
    hook : called as ``hook(step, done, total)`` while it works

    Raises
    ------
    UsageError : a run is no run or held nobody out, or all answers are right, or all wrong
    ModelError : a run is not finished
    MediaError : data cannot be read
    """
    parts, heard = [], list[Heard]()
    for run in runs:
        if not (run / "recipe.toml").is_file():
            raise UsageError(f"{run}: is no folder of clapboard train (it has no recipe.toml); give one")
        if task := task_of(run / "recipe.toml"):
            raise UsageError(f"calibrate is for lips; {run} is a run of {task}; give runs of lips")
        recipe = Recipe.read(run / "recipe.toml")
        clips, kept = load_clips(recipe, data, offsets), kept_held_out(run)
        # What the run wrote down: of other data a share of the speakers would be others, whom it learned from.
        held = held_out(clips, recipe)[1] if kept is None else [c for c in clips if name_of(c) in kept]
        held = [c for c in held if known is None or c.file in known or c.id in known]
        if not held:
            raise UsageError(f"{run}: held nobody out whose offset is known; it cannot say how sure it may be")
        embedder = TorchEmbedder(from_pretrained(run))
        own, foreign = own_and_foreign(embedder, held, LENGTHS_S, FOREIGN_VOICES, hook)
        say(f"{run.name}: {len(held)} clips; {table(own)}")
        parts.append(Answers.of(own, foreign))
        heard += scenes_of(embedder, held, say, whose=f"{run.name}: ")
    answers = Answers.joined(parts)
    found = fit(answers)
    say(describe(found, answers))
    return replace(found, speaking=tell_speakers(heard, say))


def write_calibration(found: Calibration, path: Path) -> None:
    """Write it as JSON, for ``clapboard models export --calibration``.

    Raises
    ------
    MediaError : the file cannot be written
    """
    try:
        with candidate_beside(path) as part:
            part.write_text(json.dumps(asdict(found), indent=1) + "\n")
            put_in_place(part, path, overwrite=True)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror or error})") from None
