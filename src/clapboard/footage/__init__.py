"""What was found, to be looked at: the film with boxes and scores drawn in, each speaking face as a clip, and a page.

All read the file once, frame by frame, and hold no more of it than is being written.
"""

from clapboard.footage.crops import crop_stem, require_no_crops, write_crops
from clapboard.footage.looking import look, require_page, write_page
from clapboard.footage.overlay import write_overlay

__all__ = ["crop_stem", "look", "require_no_crops", "require_page", "write_crops", "write_overlay", "write_page"]
