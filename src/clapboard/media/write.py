"""Writing, under one name: move the sound by timestamps or in the samples, and make clips from arrays."""

from clapboard.media.bake import bake
from clapboard.media.encode import write_clip
from clapboard.media.shift import shift

__all__ = ["bake", "shift", "write_clip"]
