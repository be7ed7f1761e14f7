"""What the descriptions of all kinds of models share: a JSON beside two networks, read strictly.

A description without ``kind`` is that of a model for lips, as all were before there were others.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from clapboard.errors import ModelError

FORMAT = 1
"""Version of the JSON: raised when a reader of the version before would misunderstand it."""
STREAMS = ("picture", "sound")
LIPS: Final = "lips"
ANY_SOUND: Final = "any-sound"
FOLEY: Final = "foley"
TAKEN_BY = {
    LIPS: "a model for lips; clapboard check and the other commands take it, without --any-sound",
    ANY_SOUND: "a model for any sound, not for lips; clapboard check --any-sound takes it",
    FOLEY: "a model that makes sound from silent picture; clapboard foley takes it",
}
"""What each kind of model is, and which command takes it."""


class Named(Protocol):
    """What every kind of description says."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def files(self) -> dict[str, dict[str, str]]:
        """``name`` and ``sha256`` of each of its files, by stream or stage."""


class Described(Named, Protocol):
    """What descriptions of two networks say, that of the picture and that of the sound."""

    @property
    def sound(self) -> str:
        """What it hears, a name of `clapboard.sound.kinds.KINDS`."""

    @property
    def window_rows(self) -> int:
        """Feature rows that one sound embedding sees."""

    @property
    def embedding(self) -> int:
        """Length of the vectors, D."""


def read_json(path: Path) -> Any:
    """What the JSON of a model holds.

    Raises
    ------
    ModelError : the file is missing, cannot be read, or is no JSON
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"no model at {path}; give a bundled name or the .json of a model") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); give the .json of a model") from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path} is not the description of a model (no JSON); give the .json of a model") from None


def kind_of(values: Any) -> str:
    """Which kind of model the JSON describes; an unknown word is handed back as it is."""
    return str(values.get("kind", LIPS)) if isinstance(values, dict) else LIPS


def fields_of(values: Any, kind: str, known: set[str]) -> dict[str, Any]:
    """The values of a description, after checking that it is one of this kind and holds just what it should.

    Raises
    ------
    ModelError : it is none, one of another kind, or one for a newer version; the line lacks the file's name
    """
    require(isinstance(values, dict), "it is not the description of a model; give the .json of a model")
    version = values.get("format", FORMAT)
    newer = f"it was made for a newer version (format {version}, this one reads up to {FORMAT}); update Clapboard"
    require(isinstance(version, int) and version <= FORMAT, newer)
    found = kind_of(values)
    other = TAKEN_BY.get(found, f"of the kind {found!r}, unknown to this version; update Clapboard")
    require(found == kind, f"it is {other}")
    missing = sorted(known - set(values) - {"about"})
    require(not missing, f"it lacks {', '.join(missing)}, so it is not the description of a model")
    unknown = sorted(set(values) - known - {"format", "kind"})
    require(not unknown, f"it holds {', '.join(unknown)}, unknown to this version; update Clapboard")
    return {key: values[key] for key in known & set(values)}


def check_common(one: Any, words: tuple[str, ...], wholes: tuple[str, ...], known: Mapping[str, Any]) -> None:
    """Check what all kinds have; ``words`` and ``wholes`` name values, ``known`` the tables that words are keys of.

    Raises
    ------
    ModelError : a value makes no sense; the line lacks the file's name
    """
    for key in words:
        require(isinstance(getattr(one, key), str) and getattr(one, key) != "", f"its {key} is not a word")
    for key in wholes:
        require(is_whole(getattr(one, key)), f"its {key} is not a whole number from 1 on")
    require(is_number(one.zero_ms), "its zero_ms is not a number")
    require(isinstance(one.about, dict), "its about is no table")
    require(isinstance(one.files, dict) and set(one.files) == set(STREAMS), f"its files are not {STREAMS}")
    check_files(one.files)
    for key, table in known.items():
        value = getattr(one, key)
        there_is = f"there is {', '.join(table)}"
        require(value in table, f"its {key} {value} is unknown to this version ({there_is}); update Clapboard")


def check_files(files: Mapping[str, Any]) -> None:
    """Check that each file has a name without a folder, and a SHA-256.

    Raises
    ------
    ModelError : one has not
    """
    for stream, file in files.items():
        good = isinstance(file, dict) and all(isinstance(file.get(key), str) for key in ("name", "sha256"))
        require(good and is_plain(file["name"]), f"its file of the {stream} has no plain name")


def check_weights(bias: Any, weights: Any, terms: tuple[str, ...], what: str = "its calibration") -> None:
    """Check the bias and weights of a logistic regression over some terms.

    Raises
    ------
    ModelError : they are none
    """
    good = isinstance(weights, dict) and all(map(is_number, [bias, *weights.values()]))
    require(good, f"{what} is not a bias and weights")
    unknown = sorted(set(weights) - set(terms))
    require(not unknown, f"{what} weighs {', '.join(unknown)}, unknown to this version; update Clapboard")


def is_number(value: Any) -> bool:
    """Whether something is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    """Whether something is a whole number from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def is_plain(name: str) -> bool:
    """Whether a file of that name lies in the same folder, on any system."""
    return not set(name) & set("/\\:\0") and name.strip(". ") != ""


def require(good: bool, what: str) -> None:
    """Raise where a value is not as it should be."""
    if not good:
        raise ModelError(what)
