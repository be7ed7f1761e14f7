"""Models of any kind, told apart by what their description says."""

from pathlib import Path

from clapboard.models.any_session import AnySoundModel
from clapboard.models.any_spec import AnySoundSpec
from clapboard.models.description import ANY_SOUND, FOLEY, kind_of, read_json
from clapboard.models.foley_session import FoleyModel
from clapboard.models.foley_spec import FoleySpec
from clapboard.models.session import SyncModel
from clapboard.models.spec import ModelSpec
from clapboard.models.store import locate


def read_spec(path: Path) -> ModelSpec | AnySoundSpec | FoleySpec:
    """Description of a model of any kind from its JSON.

    Raises
    ------
    ModelError : the file is missing, is not a description, or is one for a newer version
    """
    kind = kind_of(read_json(path))
    if kind == ANY_SOUND:
        return AnySoundSpec.read(path)
    if kind == FOLEY:
        return FoleySpec.read(path)
    return ModelSpec.read(path)


def load(name_or_path: str | Path, *, threads: int = 1) -> SyncModel | AnySoundModel | FoleyModel:
    """A model of any kind, ready to run.

    Raises
    ------
    ModelError : it cannot be found, its weights are not those expected, or its networks do not take what it says
    """
    path = locate(name_or_path)
    spec = read_spec(path)
    if isinstance(spec, AnySoundSpec):
        return AnySoundModel(path, threads=threads)
    if isinstance(spec, FoleySpec):
        return FoleyModel(path, threads=threads)
    return SyncModel(path, threads=threads)
