"""Clapboard: measure and repair the lip-sync of any video.

::

    import clapboard

    report = clapboard.check("talk.mp4")
    print(report.status, report.offset.offset_ms)   # positive: the sound is early, delay it by that much

The names below are loaded when they are first used, so that ``import clapboard`` alone costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clapboard.batch.scorer import Scorer
    from clapboard.checking import check
    from clapboard.dubbing import FoleyReport, foley
    from clapboard.embeddings import FileEmbeddings, features
    from clapboard.errors import (
        ClapboardError,
        MediaError,
        MissingExtraError,
        ModelError,
        NoAudioError,
        NoVideoError,
        UndecidedError,
        UsageError,
    )
    from clapboard.models.session import load_model
    from clapboard.repair import FixReport, fix
    from clapboard.scoring import LipSyncError, score
    from clapboard.speaking import who_speaks
    from clapboard.sync.search import find_offset
    from clapboard.values import Offset, Report, Speakers

__version__ = "0.1.0"

__all__ = [
    "ClapboardError",
    "FileEmbeddings",
    "FixReport",
    "FoleyReport",
    "LipSyncError",
    "MediaError",
    "MissingExtraError",
    "ModelError",
    "NoAudioError",
    "NoVideoError",
    "Offset",
    "Report",
    "Scorer",
    "Speakers",
    "UndecidedError",
    "UsageError",
    "__version__",
    "check",
    "features",
    "find_offset",
    "fix",
    "foley",
    "load_model",
    "score",
    "who_speaks",
]

_HOMES = {
    "check": "clapboard.checking",
    "features": "clapboard.embeddings",
    "FileEmbeddings": "clapboard.embeddings",
    "find_offset": "clapboard.sync.search",
    "fix": "clapboard.repair",
    "FixReport": "clapboard.repair",
    "foley": "clapboard.dubbing",
    "FoleyReport": "clapboard.dubbing",
    "LipSyncError": "clapboard.scoring",
    "load_model": "clapboard.models.session",
    "Offset": "clapboard.values",
    "Report": "clapboard.values",
    "score": "clapboard.scoring",
    "Scorer": "clapboard.batch.scorer",
    "Speakers": "clapboard.values",
    "who_speaks": "clapboard.speaking",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "clapboard.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
