"""Where models lie: bundled by name, or any path. Weights are checked against their SHA-256 before they are used."""

import hashlib
import os
from pathlib import Path

from clapboard.errors import ModelError
from clapboard.models.description import Named

BUNDLED = Path(__file__).parent / "weights"


def names() -> tuple[str, ...]:
    """Names of the bundled models."""
    return tuple(sorted(path.stem for path in BUNDLED.glob("*.json")))


def locate(name_or_path: str | Path) -> Path:
    """The JSON of a model: that of a bundled name, or the path itself.

    Raises
    ------
    ModelError : neither a bundled name nor a file
    """
    if str(name_or_path) in names():
        return BUNDLED / f"{name_or_path}.json"
    path = Path(name_or_path)
    if path.suffix == ".json":
        if os.path.isfile(path):  # Path.is_file raises for names that no system could hold
            return path
        raise ModelError(f"no model at {path}; give a bundled name ({', '.join(names())}) or the .json of a model")
    within = [path / "model.json", path / "model" / "model.json"]  # the second is where training leaves its model
    if inside := [file for file in within if os.path.isfile(file)]:
        raise ModelError(f"{path} is a folder; give the .json in it: {inside[0]}")
    raise ModelError(
        f"no model called {name_or_path}; bundled are {', '.join(names()) or 'none'}, or give a path to a .json"
    )


def read_weights(folder: Path, spec: Named, stream: str) -> bytes:
    """Bytes of one file of a model, checked.

    Raises
    ------
    ModelError : the file is missing, or not the one that the spec names
    """
    file = spec.files[stream]
    path = folder / file["name"]
    try:
        data = path.read_bytes()
    except OSError:
        raise ModelError(f"the weights {path} of {spec.name} are missing; {_way_out(folder)}") from None
    if hashlib.sha256(data).hexdigest() != file["sha256"]:
        raise ModelError(f"the weights {path} are not those of {spec.name} (SHA-256 differs); {_way_out(folder)}")
    return data


def _way_out(folder: Path) -> str:
    """What to do about weights that are not right."""
    return "install Clapboard again" if folder == BUNDLED else "copy the model with all its files again, or export it"


def fingerprint(spec: Named) -> str:
    """SHA-256 of a model: over those of its files, sorted by stream or stage: the picture before the sound."""
    return hashlib.sha256("".join(spec.files[s]["sha256"] for s in sorted(spec.files)).encode()).hexdigest()
