"""Counts of what was kept and dropped, and why: a histogram in text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clapboard.batch.presets import kind_of, kind_of_drop
from clapboard.report.plain import counted

BAR = 30
"""Length of the longest bar (characters)."""


@dataclass(slots=True)
class Tally:
    """Clips by what became of them.

    Attributes
    ----------
    clips, faces : how many there are; ``faces`` are tracks
    status : clips by status
    kept : clips of which a face is kept, None without a preset
    kept_faces : faces that are kept
    reasons : clips that are not kept, or without a preset not measured surely, by reason; one can have several
    """

    clips: int = 0
    faces: int = 0
    status: Counter[str] = field(default_factory=Counter)
    kept: int | None = None
    kept_faces: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count one clip by its rows."""
        first = rows[0]
        self.clips += 1
        self.faces += first["faces"]
        self.status[first["status"]] += 1
        if first["clip_keep"] is None:
            kind = "error: " if first["status"] == "error" else ""
            against = [kind + kind_of(reason) for reason in first["clip_reasons"]]
        else:
            self.kept = (self.kept or 0) + bool(first["clip_keep"])
            self.kept_faces += sum(bool(row["keep"]) for row in rows)
            against = [kind_of_drop(reason) for reason in first["clip_drop_reasons"]]
        self.reasons.update(set(against))

    def lines(self) -> list[str]:
        """What to print: the numbers, then one bar for each reason, the most frequent first."""
        bad = self.status["error"]
        of = f"{counted(self.clips, 'clip')}, {counted(self.faces, 'face')}"
        if self.kept is None:
            unsure = self.status["undecided"]
            said = [f"{of}; {self.clips - bad - unsure} measured, {unsure} undecided, {bad} could not be read"]
            said += ["undecided or unreadable, by reason (a clip can have several):"] if self.reasons else []
        else:
            said = [
                f"{of}; {counted(self.kept, 'clip')} ({counted(self.kept_faces, 'face')}) kept, "
                f"{self.clips - self.kept} dropped, {bad} of them could not be read"
            ]
            said += ["dropped, by reason (a clip can have several):"] if self.reasons else []
        most = max(self.reasons.values(), default=1)
        for reason, count in sorted(self.reasons.items(), key=lambda each: (-each[1], each[0])):
            bar = "#" * max(1, round(BAR * count / most))
            said.append(f"{count:8d} {count / self.clips:6.1%}  {bar:<{BAR}}  {reason}")
        return said
