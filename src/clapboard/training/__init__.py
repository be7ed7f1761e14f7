"""Training: the only part of Clapboard that imports torch; install it with ``pip install 'clapboard[train]'``."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from clapboard.errors import MissingExtraError

if TYPE_CHECKING:
    from clapboard.training.nets.base import TwoStream

if find_spec("torch") is None:
    raise MissingExtraError("training needs torch: pip install 'clapboard[train]'")


def from_pretrained(where: str | Path) -> "TwoStream":
    """A network with its trained weights, for torch; see `clapboard.training.pretrained.from_pretrained`."""
    from clapboard.training.pretrained import from_pretrained as found

    return found(where)
