"""Scores of files as text, as a table for other programs (CSV), and as JSON; all from one record.

A record is what `clapboard.cli.score` puts together: ``mode``, ``model``, ``files`` (one for each file, those below
``file``), ``summary`` and ``notes``; docs/score.md describes it.
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from clapboard.report.plain import file_names, number, text
from clapboard.report.printable import shown

Record = Mapping[str, Any]
ROW = ("status", "lse_d", "lse_c", "offset_ms", "windows", "reasons")
"""What a row says of a file, and of its original under ``reference_``."""
_STATUS = {"scored": "", "undecided": "undecided", "not_scored": "not scored"}


def to_json(record: Record) -> str:
    """Return the record as JSON in ASCII; NaN is null."""
    return json.dumps(_plain(record), allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it; a key ``file`` brings ``file_percent_encoded`` with it."""
    if isinstance(value, Mapping):
        named = file_names(value["file"]) if "file" in value else {}
        return {**named, **{key: _plain(inner) for key, inner in value.items() if key != "file"}}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return number(value)
    return text(value) if isinstance(value, str) else value


def to_csv(record: Record) -> str:
    """Return one line a file, the first names the columns; an unknown number is an empty field."""
    paired = record["summary"]["difference"] is not None
    head = ["file", *ROW]
    if paired:
        head += ["reference", *(f"reference_{name}" for name in ROW), "difference_lse_d", "difference_lse_c"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for row in record["files"]:
        cells = [row["file"], *_cells(row)]
        if paired:
            original, apart = row["reference"], row["difference"]
            cells += [original["file"], *_cells(original)] if original else [""] * (1 + len(ROW))
            cells += [_cell(apart[name]) for name in ("lse_d", "lse_c")] if apart else ["", ""]
        writer.writerow([shown(str(cell)) for cell in cells])
    return out.getvalue()


def _cells(row: Record) -> list[str]:
    """Return what a row says in the order of `ROW`."""
    return [_cell(row[name]) for name in ROW]


def _cell(value: Any) -> str:
    """Return one field."""
    if isinstance(value, float):
        return f"{value:.4f}" if math.isfinite(value) else ""
    return "; ".join(value) if isinstance(value, list | tuple) else str(value)


def lines(record: Record) -> list[str]:
    """Return the rows, the means with their intervals, and the notes, line by line."""
    paired = record["summary"]["difference"] is not None
    head = ["file", "LSE-D", "LSE-C", "offset"]
    head += ["original LSE-D", "LSE-C", "difference LSE-D", "LSE-C"] if paired else []
    table = [head, *(_row(row, paired) for row in record["files"])]
    widths = [max(len(cells[place]) for cells in table) for place in range(len(head))]
    ends = ["", *(_remark(row) for row in record["files"])]
    found = []
    for (first, *rest), end in zip(table, ends, strict=True):
        numbers = "  ".join(f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        found.append(f"{first:<{widths[0]}}  {numbers}{f'  {end}' if end else ''}")
    return [*found, "", *summary_lines(record), *(f"note: {shown(note)}" for note in record["notes"])]


def _row(row: Record, paired: bool) -> list[str]:
    """Return the cells of a row."""
    cells = [shown(row["file"]), _number(row["lse_d"]), _number(row["lse_c"]), _offset(row["offset_ms"])]
    if paired:
        for of, form in ((row["reference"], ".3f"), (row["difference"], "+.3f")):
            cells += [_number(of[name], form) if of else "-" for name in ("lse_d", "lse_c")]
    return cells


def _remark(row: Record) -> str:
    """Return why a row has no number, or is not to be trusted; so of its original."""
    said = [": ".join(filter(None, [_STATUS[row["status"]], "; ".join(row["reasons"])]))]
    original = row.get("reference")
    if original and original["status"] == "not_scored":
        said.append(f"original not scored: {'; '.join(original['reasons'])}")
    return shown("; ".join(filter(None, said)))


def summary_lines(record: Record) -> list[str]:
    """Return how many files have numbers, and the means."""
    whole = record["summary"]
    found = [f"scored {whole['scored']} of {whole['files']} files, {whole['undecided']} of them undecided"]
    found += _means("mean", whole, whole["scored"])
    apart, originals = whole["difference"], whole["reference"]
    if apart is not None:
        found += _means("originals", originals, originals["scored"])
        found += _means("difference", apart, apart["pairs"], "+.3f")
    return found


def _means(what: str, of: Record, count: int, form: str = ".3f") -> list[str]:
    """Return a line with both means and their intervals."""
    if not count:
        return [f"{what}: none"]
    words = []
    for name, title in (("lse_d", "LSE-D"), ("lse_c", "LSE-C")):
        one = of[name]
        interval = f" ({one['low']:{form}} to {one['high']:{form}})" if math.isfinite(one["low"]) else ""
        words.append(f"{title} {one['mean']:{form}}{interval}")
    return [f"{what} of {count}: {', '.join(words)}"]


def _number(value: float, form: str = ".3f") -> str:
    """Return a number, or a dash."""
    return f"{value:{form}}" if math.isfinite(value) else "-"


def _offset(value: float) -> str:
    """Return an offset, or a dash."""
    return f"{value:+.0f} ms" if math.isfinite(value) else "-"


def notes(mode: str, model: str, difference: Mapping[str, Sequence[float]] | None) -> list[str]:
    """Return what has to be known to read the numbers; ``difference`` is file minus original, its mean first."""
    of_mode = {
        "better": "published LSE are of another network and cannot be compared with these",
        "compatible": "published LSE can be compared where crop and rule are the same, see docs/score.md",
    }[mode]
    found = [f"LSE of {model}, mode {mode}: numbers of another network or mode cannot be compared; {of_mode}"]
    if difference is not None and (difference["lse_d"][0] < 0 or difference["lse_c"][0] > 0):
        found.append(
            "the files score better than their originals: a sign of a generator that was trained to please such a "
            "network, not of better lips"
        )
    return found
