"""The tables of an evaluation, from what was measured: plain values, ready for text, JSON and the page.

Every rate is from 0 to 1; every interval holds 95 % of resamples by speaker. What is not known is NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.evaluation.calibrate import CONSTANT_S, weights
from clapboard.evaluation.measure import CONTROLS, Answer, Measured, constant_of
from clapboard.evaluation.tracks import Track
from clapboard.metrics import bootstrap, clips, confidence, windows
from clapboard.sync.trust import MIN_PROBABILITY
from clapboard.timebase import FRAME_MS
from clapboard.values import F64

Row = dict[str, Any]

TRACK_LENGTHS_S = (0.0, 2.0, 4.0, 8.0, float("inf"))
"""Whole tracks are told by these lengths."""
GROUP_S = 1.0
"""Speakers and corpora are compared by pieces of this length, of which there are many, or else of the shortest."""
GROUP_FRAMES = 15
"""And by the accuracy for so many frames seen."""
HISTOGRAM_MS, HISTOGRAM_STEP_MS = 200, 10
"""Errors are counted in steps up to here; the rest is further off."""
CURVE_POINTS = 200
"""More points of a curve than this say nothing more."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Makes every table of what was measured on some tracks; ``drawn`` (R, C) resamples of the tracks."""

    measured: Measured
    tracks: Sequence[Track]
    drawn: NDArray[np.int64]

    @property
    def constant_ms(self) -> float:
        """What is taken out of every error of the tracks' own sound."""
        return self.measured.constant_ms

    @property
    def calibrated(self) -> bool:
        """Whether there is a probability at all."""
        return any(np.isfinite(a.p) for a in self.measured.answers["own"])

    def pieces(self, kind: str, seconds: float | None = None) -> list[Answer]:
        """Pieces of one length, or of all."""
        return [a for a in self.measured.answers[kind] if not a.whole and seconds in (None, a.seconds)]

    @property
    def lengths_s(self) -> list[float]:
        """Lengths of pieces that there are."""
        return sorted({a.seconds for a in self.pieces("own")})

    @property
    def group_s(self) -> float:
        """Length of the pieces that groups are compared by."""
        lengths_s = self.lengths_s
        return GROUP_S if GROUP_S in lengths_s else lengths_s[0] if lengths_s else GROUP_S

    def errors_ms(self, some: Sequence[Answer]) -> F64:
        """Errors with the constant taken out, (N,)."""
        return np.array([a.error_ms for a in some], np.float64) - self.constant_ms

    def right(self, some: Sequence[Answer], kind: str = "own") -> NDArray[np.bool_]:
        """Which answers are within a frame of the truth; a control is never right, whatever it hits."""
        return (np.abs(self.errors_ms(some)) <= FRAME_MS) & (kind == "own")

    def interval_of_share(self, some: Sequence[Answer], what: NDArray[np.bool_]) -> tuple[float, float]:
        """Interval of a part of the answers."""
        sums, counts = np.zeros(len(self.tracks)), np.zeros(len(self.tracks))
        np.add.at(sums, [a.track for a in some], what.astype(np.float64))
        np.add.at(counts, [a.track for a in some], 1.0)
        return bootstrap.of_ratio(sums, counts, self.drawn)

    def constant(self) -> Row:
        """The constant of the model on this data set."""
        lists: list[list[Answer]] = [[] for _ in self.tracks]
        for answer in self.pieces("own"):
            lists[answer.track].append(answer)

        def of(times: NDArray[np.int64]) -> float:
            return constant_of([a for some, n in zip(lists, times, strict=True) for a in some * int(n)])

        low, high = bootstrap.of_statistic(of, self.drawn[:200])
        seconds = max((s for s in self.lengths_s if s <= CONSTANT_S), default=float("nan"))
        return {"constant_ms": self.constant_ms, "low_ms": low, "high_ms": high, "seconds": seconds}

    def by_frames(self, of: str) -> Row:
        """Accuracy by ``frames_seen`` or ``windows_averaged``, of the tracks and of the controls."""
        numbers, reach = (
            (windows.FRAMES_SEEN, windows.FRAMES_REACH)
            if of == "frames_seen"
            else (windows.WINDOWS_AVERAGED, windows.WINDOWS_REACH)
        )
        rows: Row = {}
        for kind, table in getattr(self.measured, of).items():
            real = np.isfinite(table)
            counts = real.sum(0)
            means = np.where(counts > 0, np.where(real, table, 0).sum(0) / np.maximum(counts, 1), np.nan)
            intervals = [bootstrap.of_mean(column, self.drawn) for column in table.T]
            rows[kind] = {
                "accuracy": means.tolist(),
                "low": [low for low, _ in intervals],
                "high": [high for _, high in intervals],
                "tracks": counts.tolist(),
            }
        return {"numbers": list(numbers), "reach_frames": reach, "chance": windows.chance(reach), "rows": rows}

    def _errors(self, some: Sequence[Answer]) -> Row:
        """Numbers of some answers to own sound."""
        right = self.right(some)
        row: Row = {"people": len({self.tracks[a.track].person for a in some}), "tracks": len({a.track for a in some})}
        row |= clips.evaluate([a.error_ms for a in some], self.constant_ms) | {"number": len(some)}
        row["within_40_ms_low"], row["within_40_ms_high"] = self.interval_of_share(some, right)
        row |= dict.fromkeys(("answered", "right_of_answered", "right_and_answered"), float("nan"))
        if self.calibrated and some:
            answered = np.array([a.p for a in some]) >= MIN_PROBABILITY
            row["answered"] = float(answered.mean())
            row["right_of_answered"] = float(right[answered].mean()) if answered.any() else float("nan")
            row["right_and_answered"] = float((right & answered).mean())
        return row

    def errors_by_length(self) -> list[Row]:
        """Errors of pieces, a row a length."""
        return [{"seconds": seconds, **self._errors(self.pieces("own", seconds))} for seconds in self.lengths_s]

    def errors_of_tracks(self) -> list[Row]:
        """Errors of whole tracks, by their lengths."""
        whole = [a for a in self.measured.answers["own"] if a.whole]
        rows = []
        for low, high in pairwise(TRACK_LENGTHS_S):
            some = [a for a in whole if low <= a.seconds < high]
            if some:
                rows.append({"from_s": low, "to_s": high, **self._errors(some)})
        return rows

    def histograms(self) -> Row:
        """How many errors lie in each step, by length."""
        edges = np.arange(-HISTOGRAM_MS, HISTOGRAM_MS + 1, HISTOGRAM_STEP_MS)
        rows = []
        for seconds in self.lengths_s:
            errors = self.errors_ms(self.pieces("own", seconds))
            counts = np.histogram(errors[np.isfinite(errors)], edges)[0]
            further = len(errors) - int(counts.sum())
            rows.append({"seconds": seconds, "counts": counts.tolist(), "further": further})
        return {"edges_ms": edges.tolist(), "rows": rows}

    def controls(self) -> list[Row]:
        """What the controls are answered: a row a control and length."""
        rows = []
        for kind in CONTROLS:
            for seconds in self.lengths_s:
                own, some = self.pieces("own", seconds), self.pieces(kind, seconds)
                if not some:
                    continue
                hit = np.abs([a.error_ms for a in some]) <= FRAME_MS
                row: Row = {"control": kind, "seconds": seconds, "number": len(some), "within_40_ms": float(hit.mean())}
                row["within_40_ms_low"], row["within_40_ms_high"] = self.interval_of_share(some, hit)
                row["answered"] = (
                    float(np.mean([a.p >= MIN_PROBABILITY for a in some])) if self.calibrated else float("nan")
                )
                row["auc_confidence"] = _auc(own, some, "confidence")
                row["auc_p"] = _auc(own, some, "p") if self.calibrated else float("nan")
                rows.append(row)
        return rows

    def risk_coverage(self) -> list[Row]:
        """Risk against coverage of own sound, by the probability, else the confidence: a row a length, and all."""
        score = "p" if self.calibrated else "confidence"
        rows = []
        for seconds in [*self.lengths_s, None]:
            some = [a for a in self.pieces("own", seconds) if np.isfinite(getattr(a, score))]
            right, scores = self.right(some), np.array([getattr(a, score) for a in some])
            curve = confidence.risk_coverage(scores, right)
            keep = np.unique(np.linspace(0, max(len(curve.risk) - 1, 0), CURVE_POINTS).astype(int))[: len(curve.risk)]
            rows.append(
                {
                    "seconds": seconds,
                    "score": score,
                    "number": len(some),
                    "auc": confidence.auc(scores[right], scores[~right]),
                    "aurc": curve.area(),
                    "coverage_at": {f"{risk:g}": curve.coverage_at(risk) for risk in confidence.RISKS},
                    "coverage": curve.coverage[keep].tolist(),
                    "risk": curve.risk[keep].tolist(),
                    "threshold": curve.threshold[keep].tolist(),
                }
            )
        return rows

    def calibration(self) -> list[Row]:
        """What the probability is worth: own voices, and with foreign ones as often as it was fitted for.

        In the rows for all lengths every length weighs the same, as in the fit.
        """
        if not self.calibrated:
            return []
        return [
            {"voices": voices, "seconds": seconds, **self._calibration(seconds, kinds)}
            for voices, kinds in (("own", ("own",)), ("own and foreign", ("own", "foreign")))
            for seconds in [None, *self.lengths_s]
        ]

    def _calibration(self, seconds: float | None, kinds: Sequence[str]) -> Row:
        """Numbers and bins of one set of answers."""
        some = [(a, kind) for kind in kinds for a in self.pieces(kind, seconds) if np.isfinite(a.p)]
        p = np.array([a.p for a, _ in some])
        own = np.array([kind == "own" for _, kind in some], np.bool_)
        right = own & self.right([a for a, _ in some])
        weight = weights(own, np.array([a.seconds for a, _ in some]))
        track = np.array([a.track for a, _ in some], np.int64)
        row: Row = {**confidence.evaluate(p, right, weight), "number": len(some)}
        chance = confidence.error_if_calibrated(p, weight)
        row["if_calibrated"], row["if_calibrated_p95"] = chance

        def error(times: NDArray[np.int64]) -> float:
            return confidence.reliability(p, right, weight * times[track]).error()

        row["calibration_error_low"], row["calibration_error_high"] = bootstrap.of_statistic(error, self.drawn)
        bins = confidence.reliability(p, right, weight)
        names = ("low", "high", "predicted", "right", "share")
        row["bins"] = {name: getattr(bins, name).tolist() for name in names}
        row["bins"]["number"] = bins.number.astype(int).tolist()
        return row

    def groups(self, by: str) -> list[Row]:
        """A row a ``corpus`` or a ``person``, worst first."""
        column = windows.FRAMES_SEEN.index(GROUP_FRAMES)
        seen = self.measured.frames_seen["own"][:, column]
        pieces, rows = self.pieces("own", self.group_s), []
        names = [getattr(track, by) for track in self.tracks]
        for name in sorted(set(names)):
            mine = [index for index, other in enumerate(names) if other == name]
            real = [float(seen[index]) for index in mine if np.isfinite(seen[index])]
            first = self.tracks[mine[0]]
            rows.append(
                {
                    "corpus": first.corpus,
                    "speaker": first.speaker if by == "person" else "",
                    **self._errors([a for a in pieces if a.track in mine]),
                    "tracks": len(mine),
                    "frames_accuracy": float(np.mean(real)) if real else float("nan"),
                }
            )
        return sorted(rows, key=lambda row: np.nan_to_num(row["frames_accuracy"], nan=2.0))

    def of_tracks(self) -> list[Row]:
        """A row a track: what it is and what the whole of it was answered."""
        column = windows.FRAMES_SEEN.index(GROUP_FRAMES)
        whole = {a.track: a for a in self.measured.answers["own"] if a.whole}
        rows = []
        for index, track in enumerate(self.tracks):
            answer = whole.get(index)
            rows.append(
                {
                    "file": track.file,
                    "id": track.id,
                    "corpus": track.corpus,
                    "speaker": track.speaker,
                    "frames": len(track.stored.images),
                    "reference_ms": track.reference_ms,
                    "frames_accuracy": float(self.measured.frames_seen["own"][index, column]),
                    "error_ms": answer.error_ms - self.constant_ms if answer else float("nan"),
                    "confidence": answer.confidence if answer else float("nan"),
                    "p_within_frame": answer.p if answer else float("nan"),
                }
            )
        return rows

    def raw(self) -> Row:
        """Every answer, column by column, the constant still in its error."""
        names = ("track", "seconds", "whole", "error_ms", "confidence", "p")
        return {
            kind: {name: [getattr(a, name) for a in some] for name in names}
            for kind, some in self.measured.answers.items()
        }


def _auc(own: Sequence[Answer], other: Sequence[Answer], score: str) -> float:
    """How often own sound scores higher than a control."""
    values = [[getattr(a, score) for a in some if np.isfinite(getattr(a, score))] for some in (own, other)]
    return confidence.auc(*values)
