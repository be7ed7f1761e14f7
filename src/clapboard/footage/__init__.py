"""Who speaks when, to be looked at: the film with boxes and scores drawn in, and each speaking face as a clip.

Both read the file once, frame by frame, and hold no more of it than is being written.
"""

from clapboard.footage.crops import crop_stem, require_no_crops, write_crops
from clapboard.footage.overlay import write_overlay

__all__ = ["crop_stem", "require_no_crops", "write_crops", "write_overlay"]
