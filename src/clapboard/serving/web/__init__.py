"""The server itself, the only importer of Starlette and uvicorn: ``pip install 'clapboard[serve]'``."""

from importlib.util import find_spec

from clapboard.errors import MissingExtraError

if find_spec("starlette") is None or find_spec("uvicorn") is None:
    raise MissingExtraError("pages need starlette and uvicorn: pip install 'clapboard[serve]'")

from clapboard.serving.web.app import build
from clapboard.serving.web.run import PORT, background, run

__all__ = ["PORT", "background", "build", "run"]
