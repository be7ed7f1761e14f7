"""The columns that a batch of clips gets: one row a clip, always all of them, always of the same kind.

=================  ==========================  ====================================================================
offset_ms          float64, NaN unknown        of the clip, positive when the sound is early
offset_frames      float64, NaN unknown        the same in frames of the clip's own rate
confidence         float64, NaN unknown        median of the mean curve minus its minimum
min_distance       float64, NaN unknown        minimum of the mean curve
p_within_frame     float64, NaN unknown        probability that the offset is right within 40 ms
status             str                         ``in_sync``, ``out_of_sync``, ``undecided`` or ``error``
reasons            list of str                 why the offset is not trusted, or what went wrong; empty when it is
faces              int64                       face tracks that were compared with the sound
speakers           int64                       most faces of one shot that have the voice, in turn; 0 where undecided
face_px            float64, NaN unknown        width of the widest face that speaks, else of the widest
duration_s         float64, NaN unknown        length of the clip
tracks             list of dict                one for each face track: the fields of `TRACK`, None for unknown
keep               bool (with a preset)        whether one of its tracks is kept
drop_reasons       list of str (with preset)   why none is, of who speaks where somebody does; empty when one is kept
=================  ==========================  ====================================================================
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clapboard.errors import MissingExtraError
from clapboard.report.plain import escaped

if TYPE_CHECKING:
    import pyarrow

COLUMNS = {
    "offset_ms": "float64",
    "offset_frames": "float64",
    "confidence": "float64",
    "min_distance": "float64",
    "p_within_frame": "float64",
    "status": "string",
    "reasons": "strings",
    "faces": "int64",
    "speakers": "int64",
    "face_px": "float64",
    "duration_s": "float64",
    "tracks": "tracks",
}
DECISION = {"keep": "bool", "drop_reasons": "strings"}
TRACK = {
    "number": "int64",
    "start_s": "float64",
    "end_s": "float64",
    "face_px": "float64",
    "speaking_share": "float64",
    "decides": "bool",
    "speaks": "bool",
    "offset_ms": "float64",
    "offset_frames": "float64",
    "confidence": "float64",
    "min_distance": "float64",
    "p_within_frame": "float64",
    "windows": "int64",
    "reasons": "strings",
}


def columns_of(*, preset: bool) -> dict[str, str]:
    """Names and kinds of all columns; those of the decision only with a preset."""
    return COLUMNS | (DECISION if preset else {})


def gather(rows: Sequence[Mapping[str, Any]], *, preset: bool) -> dict[str, Any]:
    """Columns from rows: numbers as arrays, the rest as lists."""
    found: dict[str, Any] = {}
    for name, kind in columns_of(preset=preset).items():
        values = [row[name] for row in rows]
        if kind == "float64":
            found[name] = np.array([math.nan if value is None else value for value in values], np.float64)
        elif kind in ("int64", "bool"):
            found[name] = np.array(values, np.dtype(kind))
        else:
            found[name] = values
    return found


def schema(*, preset: bool) -> "pyarrow.Schema":
    """The columns as an Arrow schema: the same for every batch, also where no clip of it could be measured.

    Raises
    ------
    MissingExtraError : pyarrow is not installed
    """
    arrow = _arrow()
    decision = DECISION if preset else {}
    track = arrow.struct([(name, _type(arrow, kind)) for name, kind in (TRACK | decision).items()])
    fields = [
        (name, arrow.list_(track) if kind == "tracks" else _type(arrow, kind))
        for name, kind in columns_of(preset=preset).items()
    ]
    return arrow.schema(fields)


def table(batch: Mapping[str, Any]) -> "pyarrow.Table":
    r"""A batch as it comes from a `Scorer` as an Arrow table: unknown numbers are null, the types always the same.

    Columns that were passed through keep the types that Arrow finds. Bytes that are no Unicode become ``\xe9``.

    Raises
    ------
    MissingExtraError : pyarrow is not installed
    """
    arrow = _arrow()
    ours = schema(preset="keep" in batch)
    found = {}
    for name, values in batch.items():
        if name in ours.names:
            unknown = np.isnan(values) if COLUMNS.get(name) == "float64" else None
            found[name] = _array(arrow, values, type=ours.field(name).type, mask=unknown)
        else:
            found[name] = _array(arrow, values)
    return arrow.table(found)


def _array(arrow: Any, values: Any, **options: Any) -> Any:
    """An Arrow array; names of files may be no Unicode, which Arrow does not take."""
    try:
        return arrow.array(values, **options)
    except UnicodeEncodeError:
        return arrow.array([_escaped(value) for value in values], **options)


def _escaped(value: Any) -> Any:
    """A value whose text every reader takes, whatever it is nested in."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, Mapping):
        return {_escaped(name): _escaped(inner) for name, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list | tuple | np.ndarray) else value


def _type(arrow: Any, kind: str) -> Any:
    """Arrow's type for one of our kinds."""
    if kind == "strings":
        return arrow.list_(arrow.string())
    return {"float64": arrow.float64(), "int64": arrow.int64(), "bool": arrow.bool_(), "string": arrow.string()}[kind]


def _arrow() -> Any:
    """Import pyarrow, which only programs that want tables need."""
    try:
        import pyarrow
    except ImportError:
        raise MissingExtraError("Arrow tables need pyarrow: pip install pyarrow") from None
    return pyarrow
