"""Views of a face: which part of the picture a network sees, how large, and whether in colour."""

from dataclasses import dataclass
from typing import Literal

from clapboard.errors import UsageError

Region = Literal["mouth", "head", "face"]


@dataclass(frozen=True, slots=True)
class View:
    """One view of a face.

    Attributes
    ----------
    name : what model files call it
    px : height and width of its crops
    colour : RGB, (T, px, px, 3), or luma at the levels of the file, (T, px, px)
    region : part of the picture: ``mouth`` is upright, about the middle of the mouth, 1.5 times the size of the face;
        ``head`` the square of 1.4 times the box of the face that the pipeline published with SyncNet cuts out;
        ``face`` the box itself
    """

    name: str
    px: int
    colour: bool
    region: Region


VIEWS = {
    view.name: view
    for view in (
        View("mouth-64", 64, False, "mouth"),
        View("mouth-120", 120, False, "mouth"),
        View("face-224", 224, True, "head"),
        View("face-96", 96, True, "face"),
    )
}
"""Every view by its name."""
DEFAULT_VIEW = "mouth-64"


def view_of(name: str) -> View:
    """The view of that name.

    Raises
    ------
    UsageError : there is none
    """
    if name not in VIEWS:
        raise UsageError(f"no view is called {name}; there is {', '.join(VIEWS)}")
    return VIEWS[name]
