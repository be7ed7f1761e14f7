"""Frozen dataclasses as TOML: every key and kind checked when read, every value written back in full.

A class attribute ``PRESETS`` of a table (names to values of it) lets its key ``preset`` stand for all its values.
"""

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol, Self, TypeVar, get_args, get_origin, get_type_hints

from clapboard.errors import UsageError
from clapboard.files import write_text

Table = TypeVar("Table")
NO_CHANGES: Mapping[str, str] = MappingProxyType({})


def read_table(kind: type[Table], path: Path, changes: Mapping[str, str]) -> Table:
    """A dataclass from a TOML file; ``changes`` are values by dotted key, written as in TOML, as ``{"seed": "3"}``.

    Raises
    ------
    UsageError : the file cannot be read, a key is unknown, or a value is not of its kind
    """
    values = toml_of(path)
    for key, text in changes.items():
        put(values, key, text)
    found: Table = build_value(kind, values, "")
    return found


def toml_of(path: Path) -> dict[str, Any]:
    """What a recipe's TOML file holds.

    Raises
    ------
    UsageError : it cannot be read
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the recipe {path} cannot be read ({error.strerror}); give the path of a TOML") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the recipe {path} is not TOML ({error}); correct it") from None


def task_of(path: Path) -> str:
    """The task of a recipe's TOML file; empty for lips, whose recipes name none.

    Raises
    ------
    UsageError : it cannot be read
    """
    return str(toml_of(path).get("task", ""))


def as_toml(value: Any) -> str:
    """A dataclass in full, as TOML that `read_table` gives back equal."""
    plain = dataclasses.asdict(value)
    tables = {key: plain.pop(key) for key in list(plain) if isinstance(plain[key], dict)}
    return "\n".join([*_lines(plain), *_tables(tables, "")]) + "\n"


def put(values: dict[str, Any], key: str, text: str) -> None:
    """Set a dotted key of nested tables to a value written as in TOML; a bare word is taken as a string."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = key.split(".")
    for name in path:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise UsageError(f"{key} is not a key of a recipe: {name} is no table")
    values[last] = value


def build_value(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    """A dataclass from nested tables, every key and kind checked."""
    resolved = get_type_hints(kind)
    hints = {f.name: resolved[f.name] for f in dataclasses.fields(kind)}
    presets = getattr(kind, "PRESETS", None)
    if presets is not None and isinstance(values.get("preset"), str):
        preset = values["preset"]
        if preset not in presets:
            raise UsageError(f"recipe: {where}preset must be one of {', '.join(presets)}, not {preset!r}")
        values = {**dataclasses.asdict(presets[preset]), **{k: v for k, v in values.items() if k != "preset"}}
    for key in values:
        if key not in hints:
            raise UsageError(f"recipe: unknown key {where}{key}; known here: {', '.join(hints)}")
    missing = [f.name for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING]
    for key in missing:
        if key not in values:
            raise UsageError(f"recipe: the key {where}{key} is missing")
    return kind(**{key: _as(hints[key], value, f"{where}{key}") for key, value in values.items()})


def _as(hint: Any, value: Any, name: str) -> Any:
    """A value as the annotation asks; a whole number may stand for a float."""
    origin = get_origin(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return build_value(hint, value, f"{name}.")  # type: ignore[arg-type]  # a dataclass type, as tested
    if origin is Literal and value in get_args(hint):
        return value
    if origin is tuple and isinstance(value, list):
        inner = get_args(hint)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        if len(kinds) == len(value):
            return tuple(_as(k, v, name) for k, v in zip(kinds, value, strict=True))
    if isinstance(value, dict) and origin is not None and issubclass(origin, Mapping):
        inner = get_args(hint)[1]
        return value if inner is Any else {k: _as(inner, v, f"{name}.{k}") for k, v in value.items()}
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise UsageError(f"recipe: {name} must be a finite number, not {value}")
        return float(value)
    if hint in (bool, int, str) and type(value) is hint:
        return value
    asked = f"one of {', '.join(map(str, get_args(hint)))}" if origin is Literal else getattr(hint, "__name__", hint)
    if dataclasses.is_dataclass(hint):
        asked = "a table"
    elif origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        asked = "a table, as {dense = 1}"
    raise UsageError(f"recipe: {name} must be {asked}, not {value!r}")


def _lines(values: Mapping[str, Any]) -> list[str]:
    """Keys and values of one table; JSON writes strings, numbers and lists as TOML does."""
    return [f"{_key(key)} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]


def _tables(tables: Mapping[str, Any], where: str) -> list[str]:
    """Tables and those inside them."""
    lines = []
    for name, values in tables.items():
        inner = {key: value for key, value in values.items() if isinstance(value, dict)}
        lines += ["", f"[{where}{_key(name)}]", *_lines({k: v for k, v in values.items() if k not in inner})]
        lines += _tables(inner, f"{where}{_key(name)}.")
    return lines


def _key(key: str) -> str:
    """A key, quoted where TOML asks for it."""
    return (
        key
        if key.replace("_", "").replace("-", "").isalnum() and key.isascii()
        else json.dumps(key, ensure_ascii=False)
    )


class Written(Protocol):
    """A recipe of any kind: what a run's folder keeps."""

    def toml(self) -> str:
        """The recipe in full, as TOML that `read` gives back equal."""
        ...

    @classmethod
    def read(cls, path: Path) -> Self:
        """The recipe in a TOML file."""
        ...


class TomlRecipe:
    """What recipes have in common: frozen dataclasses that are read from TOML, checked, and written in full."""

    __slots__ = ()

    @classmethod
    def read(cls, path: Path, changes: Mapping[str, str] = NO_CHANGES) -> Self:
        """Recipe from a TOML file; ``changes`` are values by dotted key, written as in TOML, as ``{"seed": "3"}``.

        Raises
        ------
        UsageError : the file cannot be read, a key is unknown, a value is not of its kind, or it cannot be run
        """
        recipe = read_table(cls, path, changes)
        recipe.check()
        return recipe

    def check(self) -> None:
        """Refuse what cannot be run.

        Raises
        ------
        UsageError : in words, which value and why
        """
        raise NotImplementedError

    def toml(self) -> str:
        """The recipe in full, as TOML that `read` gives back equal."""
        return as_toml(self)


def keep_recipe(recipe: Written, folder: Path) -> None:
    """Write the recipe in full into the run's folder, or refuse to go on with another one than the run began with.

    Raises
    ------
    UsageError : the run was begun with another recipe
    MediaError : it cannot be written
    """
    kept = folder / "recipe.toml"
    folder.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        write_text(recipe.toml(), kept, overwrite=False)
    elif type(recipe).read(kept) != recipe:
        raise UsageError(f"{folder} was begun with another recipe; give another folder with -o, or its own recipe.toml")


def refuse(wrong: Sequence[tuple[bool, str]]) -> None:
    """Raise at the first of what may be wrong with a recipe that is: whether it is, and what to say.

    Raises
    ------
    UsageError : in words, which value and why
    """
    for bad, text in wrong:
        if bad:
            raise UsageError(f"recipe: {text}")
