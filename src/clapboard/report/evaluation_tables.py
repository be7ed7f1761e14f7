"""The tables of an evaluation in words: what text and page both show, from the record of `clapboard.evaluation`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

CONTROLS = {"still": "still picture", "foreign": "other people's sound", "silent": "silent sound"}
"""Names of the controls by their key."""
NOT_KNOWN = "-"


@dataclass(frozen=True, slots=True)
class Section:
    """One table: a key, a title, what has to be known to read it, the names of the columns, and the cells."""

    key: str
    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def percent(value: float | None, digits: int = 1) -> str:
    """A rate from 0 to 1 as a number of percent."""
    return NOT_KNOWN if value is None else f"{100 * value:.{digits}f}"


def milliseconds(value: float | None, *, signed: bool = False) -> str:
    """A number of ms, whole."""
    return NOT_KNOWN if value is None else f"{round(value) + 0:{'+' if signed and round(value) else ''}d}"


def between(low: float | None, high: float | None) -> str:
    """An interval of rates in percent, whole."""
    return NOT_KNOWN if low is None or high is None else f"{100 * low:.0f}-{100 * high:.0f}"


def models_in_words(record: Record) -> str:
    """The models and their fingerprints."""
    return " + ".join(f"{m['name']} {m['sha256'][:12]}".strip() for m in record["models"])


def summary(record: Record) -> list[str]:
    """What was judged on what, and the constant, line by line."""
    size, constant, settings = record["size"], record["constant"], record["settings"]
    left_out = ", ".join(f"{count} {reason}" for reason, count in size["left_out"].items())
    lines = [
        f"{models_in_words(record)} on {', '.join(record['datasets'])}",
        f"{size['tracks']} tracks of {size['people']} people, {size['corpora']} corpora, {size['seconds'] / 60:.1f} min"
        + (f"; left out: {left_out}" if left_out else ""),
    ]
    if record["references"] != "given":
        lines.append("no references were given: the labels of the data set count, and where it has none, 0 ms")
    if constant["seconds"] is not None:
        interval = ""
        if constant["low_ms"] is not None:
            ends = (milliseconds(constant[end], signed=True) for end in ("low_ms", "high_ms"))
            interval = f" [{', '.join(ends)}]"
        lines.append(
            f"constant {milliseconds(constant['constant_ms'], signed=True)} ms{interval}: "
            f"median error of the pieces of {constant['seconds']:g} s, taken out below"
        )
    lines.append(
        f"intervals: 95 % of {settings['resamples']} resamples by speaker; seed {settings['seed']}; "
        "accuracies and shares in %"
    )
    return lines


def sections(record: Record) -> list[Section]:
    """All tables, in the order in which they are read."""
    found = [
        _by_frames(record, "frames_seen"),
        _by_frames(record, "windows_averaged"),
        _errors(record),
        _whole(record),
        _confidence(record),
        _calibration(record),
        _controls(record),
        _groups(record, "by_corpus"),
        _groups(record, "by_speaker"),
    ]
    return [section for section in found if section.rows]


def _by_frames(record: Record, of: str) -> Section:
    """Accuracy by frames seen, or by windows averaged."""
    table = record[of]
    own, chance, reach = table["rows"]["own"], percent(table["chance"]), table["reach_frames"]
    rows = [
        ("measured", *(percent(v) for v in own["accuracy"])),
        ("  95 %", *(between(*ends) for ends in zip(own["low"], own["high"], strict=True))),
        ("  tracks", *(str(count) for count in own["tracks"])),
    ]
    for kind, name in CONTROLS.items():
        rows.append((f"control: {name}", *(percent(v) for v in table["rows"][kind]["accuracy"])))
    for name, values in table.get("published", {}).items():
        more = [NOT_KNOWN] * (len(table["numbers"]) - len(values))
        rows.append((f"{name} on LRS2, another test set", *(percent(v) for v in values), *more))
    if of == "frames_seen":
        title, first = f"Accuracy within 1 frame over +-{reach} frames, by frames seen", "frames seen"
        note = f"Protocol of LRS2, inner positions, mean over tracks; chance {chance} %."
    else:
        title, first = f"Accuracy within 1 frame over +-{reach} frames (1 s), by windows averaged", "windows"
        note = f"Table of the SyncNet paper, inner positions, mean over tracks; chance {chance} %."
    return Section(of, title, note, (first, *(str(number) for number in table["numbers"])), tuple(rows))


_ERROR_HEAD = ("number", "people", "<= 20 ms", "<= 40 ms", "95 %", "<= 80 ms", "median ms", "90 % ms", "bias ms",
               "spread ms", "answered", "right of answered", "right, undecided = wrong")  # fmt: skip


def _error_cells(row: Record) -> tuple[str, ...]:
    """The cells behind a row's name."""
    return (
        str(row["number"]),
        str(row["people"]),
        percent(row["within_20_ms"], 0),
        percent(row["within_40_ms"]),
        between(row["within_40_ms_low"], row["within_40_ms_high"]),
        percent(row["within_80_ms"], 0),
        milliseconds(row["median_ms"]),
        milliseconds(row["p90_ms"]),
        milliseconds(row["bias_ms"], signed=True),
        milliseconds(row["spread_ms"]),
        percent(row["answered"], 0),
        percent(row["right_of_answered"]),
        percent(row["right_and_answered"]),
    )


def _errors(record: Record) -> Section:
    """Errors of pieces by length."""
    settings = record["settings"]
    note = (
        f"Each track's sound moved by known amounts within +-{settings['shifts_ms']:g} ms, searched over "
        f"+-{settings['max_offset_ms']:g} ms; chance {percent(settings['chance_within_40_ms'])} % within 40 ms. "
        f"Answered: probability of at least {settings['min_probability']:g}."
    )
    rows = tuple((f"{row['seconds']:g} s", *_error_cells(row)) for row in record["pieces"])
    return Section("pieces", "Errors of pieces at known shifts, by length", note, ("piece", *_ERROR_HEAD), rows)


def _whole(record: Record) -> Section:
    """Errors of whole tracks by length."""
    rows = []
    for row in record["whole_tracks"]:
        name = f"{row['from_s']:g} s and more" if row["to_s"] is None else f"{row['from_s']:g} to {row['to_s']:g} s"
        rows.append((name, *_error_cells(row)))
    title = "Errors of whole tracks at known shifts, by length"
    return Section("whole_tracks", title, "", ("track", *_ERROR_HEAD), tuple(rows))


def _length(seconds: float | None) -> str:
    """Name of a length; None stands for all of them."""
    return "all lengths" if seconds is None else f"{seconds:g} s"


def _confidence(record: Record) -> Section:
    """Risk and coverage by length."""
    found = record["risk_coverage"]
    score = "probability" if record["calibrated"] else "confidence"
    risks = list(found[0]["coverage_at"]) if found else []
    rows = tuple(
        (
            _length(row["seconds"]),
            str(row["number"]),
            *(NOT_KNOWN if row[name] is None else f"{row[name]:.3f}" for name in ("auc", "aurc")),
            *(percent(row["coverage_at"][risk], 0) for risk in risks),
        )
        for row in found
    )
    note = (
        f"Pieces with their own sound, surest first by their {score}. AUC: a right one scores higher than a wrong one. "
        "AURC: area under risk against coverage, less is better. Coverage: part answered with so many of them wrong."
    )
    head = ("piece", "number", "AUC", "AURC", *(f"coverage at {100 * float(risk):g} % wrong" for risk in risks))
    return Section("confidence", "What leaving out the doubtful gains", note, head, rows)


def _calibration(record: Record) -> Section:
    """Calibration by voices and length."""
    rows = []
    for row in record["calibration"]:
        chance = NOT_KNOWN if row["if_calibrated"] is None else f"{row['if_calibrated']:.3f}"
        interval = NOT_KNOWN
        if row["calibration_error_low"] is not None:
            interval = f"{row['calibration_error_low']:.3f}-{row['calibration_error_high']:.3f}"
        numbers = ("calibration_error", "calibration_error_mass", "brier")
        ece, mass, brier = (NOT_KNOWN if row[name] is None else f"{row[name]:.3f}" for name in numbers)
        cells = (_length(row["seconds"]), str(row["number"]), ece, interval, chance, mass, brier)
        rows.append((row["voices"], *cells))
    note = (
        "Expected calibration error of the probability in 10 bins of equal width, and of equal mass. Own and foreign: "
        "one foreign voice for every three own ones, as in the fit; all lengths weigh the same. By chance: what so few "
        "pieces give were every probability exactly true."
    )
    head = ("voices", "piece", "number", "error", "95 %", "by chance", "equal mass", "Brier score")
    return Section("calibration", "What the probability is worth", note, head, tuple(rows))


def _controls(record: Record) -> Section:
    """Answers of the controls."""
    rows = tuple(
        (
            CONTROLS[row["control"]],
            f"{row['seconds']:g} s",
            str(row["number"]),
            percent(row["within_40_ms"]),
            between(row["within_40_ms_low"], row["within_40_ms_high"]),
            percent(row["answered"]),
            *(NOT_KNOWN if row[name] is None else f"{row[name]:.3f}" for name in ("auc_confidence", "auc_p")),
        )
        for row in record["controls"]
    )
    note = (
        "Nothing here knows the offset: right must be near chance, "
        f"{percent(record['settings']['chance_within_40_ms'])} %, and answered near 0. "
        "AUC: a piece with its own sound scores higher than one of the control."
    )
    head = ("control", "piece", "number", "<= 40 ms", "95 %", "answered", "AUC confidence", "AUC probability")
    return Section("controls", "Controls", note, head, rows)


def _groups(record: Record, by: str) -> Section:
    """A row a corpus, or a row a speaker."""
    settings = record["settings"]
    frames, seconds = settings["group_frames"], settings["group_seconds"]
    named = ("corpus",) if by == "by_corpus" else ("corpus", "speaker")
    rows = tuple(
        (
            *(row[name] or NOT_KNOWN for name in named),
            str(row["tracks"]),
            percent(row["frames_accuracy"]),
            str(row["number"]),
            percent(row["within_40_ms"]),
            milliseconds(row["median_ms"]),
            milliseconds(row["bias_ms"], signed=True),
            milliseconds(row["spread_ms"]),
            percent(row["answered"], 0),
        )
        for row in record[by]
    )
    note = f"Worst first by the accuracy for {frames} frames seen; the other columns are pieces of {seconds:g} s."
    head = (*named, "tracks", f"{frames} frames", "pieces", "<= 40 ms", "median ms", "bias ms", "spread ms", "answered")
    return Section(by, "By corpus" if by == "by_corpus" else "By speaker", note, head, rows)


def widths(section: Section) -> Sequence[int]:
    """Characters of the widest cell of each column."""
    return [max(len(row[column]) for row in (section.head, *section.rows)) for column in range(len(section.head))]
