"""Training: the only part of Clapboard that imports torch; install it with ``pip install 'clapboard[train]'``."""

from importlib.util import find_spec

from clapboard.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError("training needs torch: pip install 'clapboard[train]'")
