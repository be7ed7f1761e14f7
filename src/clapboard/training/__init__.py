"""Training: the only part of Clapboard that imports torch; install it with ``pip install clapboard[train]``."""
