"""An evaluation as text: tables that read as they are and that Markdown takes as they are."""

from clapboard.report.evaluation_tables import Record, Section, sections, summary, widths
from clapboard.report.printable import shown

SPEAKERS = 10
"""Of the speakers the worst are printed; the page and the JSON have all."""


def table(section: Section, rows: int | None = None) -> list[str]:
    """Title, note and table; only the first ``rows`` rows where that is given."""
    columns = widths(section)
    some = section.rows[:rows]

    def line(cells: tuple[str, ...]) -> str:
        first, *rest = zip(cells, columns, strict=True)
        return (
            " | ".join([f"| {shown(first[0]):<{first[1]}}", *(f"{shown(cell):>{width}}" for cell, width in rest)])
            + " |"
        )

    rule = "|-" + "-|-".join("-" * width for width in columns) + "-|"
    more = len(section.rows) - len(some)
    lines = [
        "",
        section.title,
        *([section.note] if section.note else []),
        "",
        line(section.head),
        rule,
        *map(line, some),
    ]
    return [*lines, f"and {more} more"] if more else lines


def lines(record: Record) -> list[str]:
    """The whole evaluation, line by line."""
    found = [shown(line) for line in summary(record)]
    for section in sections(record):
        found += table(section, SPEAKERS if section.key == "by_speaker" else None)
    if not record["calibrated"]:
        found += ["", "The model is not calibrated: it has no probability, and check would leave everything undecided."]
    return found
