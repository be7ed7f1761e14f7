"""The work of ``clapboard train`` with a recipe of a part that makes sound from silent picture."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from clapboard.errors import UsageError
from clapboard.training.tables import task_of
from clapboard.values import Hook

TASKS = ("foley-picture", "foley-texture", "vocoder", "samplernn")
"""What recipes call the parts, by ``task``."""


class Trainer(Protocol):
    """Trains one part."""

    def __call__(
        self,
        recipe: Path,
        data: Sequence[Path],
        run: Path,
        *,
        changes: Mapping[str, str] | None = None,
        device: str = "auto",
        threads: int = 1,
        say: Callable[[str], None] = print,
        hook: Hook | None = None,
    ) -> Path:
        """From data sets to a run and the JSON, or the file, of what was learned."""
        ...


def is_foley_recipe(path: Path) -> bool:
    """Whether a TOML file is a recipe of these trainings, by its ``task``.

    Raises
    ------
    UsageError : it cannot be read
    """
    return task_of(path) in TASKS


def is_samplernn_recipe(path: Path) -> bool:
    """Whether it is one of SampleRNN, a model of its own.

    Raises
    ------
    UsageError : it cannot be read
    """
    return task_of(path) == "samplernn"


def trainer_of(path: Path) -> Trainer:
    """What trains by a recipe.

    Raises
    ------
    UsageError : it cannot be read, or is of none of these tasks
    """
    task = task_of(path)
    if task == "foley-picture":
        from clapboard.training.foley.picture import train_picture

        return train_picture
    if task == "foley-texture":
        from clapboard.training.foley.texture import train_texture

        return train_texture
    if task == "vocoder":
        from clapboard.training.foley.vocoder_work import train_vocoder

        return train_vocoder
    if task == "samplernn":
        from clapboard.training.foley.samples_work import train_samples

        return train_samples
    raise UsageError(f"recipe: task must be one of {', '.join(TASKS)}, not {task!r}")
