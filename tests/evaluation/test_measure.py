"""Measuring on tracks of known offset: shifts, the constant, controls, and the tables made of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import talk

from clapboard.dataset.store import Dataset
from clapboard.errors import MediaError, UsageError
from clapboard.evaluation.calibrate import calibrate
from clapboard.evaluation.embedder import Candidate
from clapboard.evaluation.evaluate import evaluate
from clapboard.evaluation.measure import Answer, Measured, Settings, constant_of, measure
from clapboard.evaluation.pieces import own_and_foreign
from clapboard.evaluation.tables import Tables
from clapboard.evaluation.tracks import Track, read_references, tracks_of
from clapboard.metrics.bootstrap import resamples
from clapboard.models.spec import Calibration
from clapboard.report.evaluation_tables import sections

QUICK = Settings(lengths_s=(1.0, 2.0))


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    """Return six tracks of three speakers, in sync."""
    return tracks_of([Dataset.open(talk.write(tmp_path_factory.mktemp("toy") / "set", range(6)))])[0]


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    """Return a calibration of the toy model, fitted on other tracks."""
    return calibrate(*own_and_foreign(talk.Reader(), [talk.aligned(s) for s in range(20, 28)], (0.6, 1.0, 2.0), 3))


@pytest.fixture(scope="module")
def measured(tracks: list[Track], calibration: Calibration) -> Measured:
    """Return what the toy model measures on them."""
    return measure([Candidate(talk.Reader(), "reader", calibration=calibration)], tracks, QUICK)


def errors(some: Sequence[Answer], seconds: float) -> np.ndarray:
    """Return the errors of pieces of one length, ms."""
    return np.array([a.error_ms for a in some if a.seconds == seconds and not a.whole])


def test_known_shifts_are_found(measured: Measured) -> None:
    """Protects the main table: pieces are right wherever their sound was moved to."""
    found = errors(measured.answers["own"], 2.0)
    assert len(found) == 6
    assert np.median(np.abs(found)) < 15
    assert abs(measured.constant_ms) < 10
    assert sum(a.whole for a in measured.answers["own"]) == 6


def test_the_seed_decides_the_shifts(tracks: list[Track]) -> None:
    """Protects repeatable tables: one seed, one result; another, other shifts and so other errors."""
    some = [Candidate(talk.Reader(), "reader")]
    runs = [measure(some, tracks[:2], replace(QUICK, seed=seed)).answers["own"] for seed in (0, 0, 1)]
    assert [a.error_ms for a in runs[0]] == [a.error_ms for a in runs[1]]
    assert [a.error_ms for a in runs[0]] != [a.error_ms for a in runs[2]]


def test_wrong_labels_are_the_constant_and_not_the_error(tracks: list[Track], measured: Measured) -> None:
    """Protects bias apart from spread: labels that are all 50 ms off move the constant and no accuracy.

    A model's own zero does the same the other way.
    """
    moved = [replace(track, reference_ms=-50.0) for track in tracks]
    other = measure([Candidate(talk.Reader(), "reader")], moved, QUICK)
    assert other.constant_ms == pytest.approx(measured.constant_ms + 50, abs=6)
    np.testing.assert_allclose(other.frames_seen["own"].mean(0), measured.frames_seen["own"].mean(0), atol=0.06)
    late = measure([Candidate(talk.Reader(late_ms=30.0), "reader", zero_ms=-30.0)], tracks, QUICK)
    assert late.constant_ms == pytest.approx(measured.constant_ms, abs=6)


def test_more_frames_are_more_often_right(measured: Measured) -> None:
    """Protects the tables by frames: rising to certainty, and of 51 lags the right one is harder to find than of 31."""
    seen, averaged = measured.frames_seen["own"].mean(0), measured.windows_averaged["own"].mean(0)
    assert 0.5 < averaged[0] < seen[0] < 0.99
    assert (np.diff(seen[:6]) >= -0.01).all()
    assert seen[6] > 0.95
    assert averaged[3] > 0.95


@pytest.mark.parametrize("control", ["still", "foreign", "silent"])
def test_controls_fall_to_chance_and_are_not_answered(measured: Measured, control: str) -> None:
    """Protects against leaks: without lips, with another voice, without sound, nothing but luck may be right."""
    assert np.nanmean(measured.frames_seen[control][:, :6]) < 0.25
    found = measured.answers[control]
    assert len(found) > 10
    assert np.mean(np.abs([a.error_ms for a in found]) <= 40) < 0.2
    own = np.mean([a.p for a in measured.answers["own"]])
    assert np.mean([a.p for a in found]) < own / 2


def test_wide_windows_have_no_value_where_they_do_not_fit(tracks: list[Track]) -> None:
    """Protects the first columns: a network that sees 9 frames says nothing of 5 and 7."""
    wide = talk.Reader(talk.Inputs(window_frames=9, window_rows=36))
    found = measure([Candidate(wide, "wide")], tracks[:3], QUICK)
    assert np.isnan(found.frames_seen["own"][:, :2]).all()
    assert (found.frames_seen["own"][:, 2] > 0.3).all()
    assert np.isnan([a.p for a in found.answers["own"]]).all()


def test_one_person_alone_has_no_foreign_voice(tracks: list[Track]) -> None:
    """Protects small data sets: no control, no crash."""
    found = measure([Candidate(talk.Reader(), "reader")], tracks[:2], QUICK)
    assert found.answers["foreign"] == []
    assert np.isnan(found.frames_seen["foreign"]).all()
    assert found.frames_seen["still"].shape == found.frames_seen["own"].shape == (2, 9)


def test_progress_reaches_its_end(tracks: list[Track]) -> None:
    """Protects the time left: it counts frames of both rounds."""
    told: list[tuple[str, float, float | None]] = []
    measure([Candidate(talk.Reader(), "reader")], tracks[:2], QUICK, lambda *step: told.append(step))
    assert [done for _, done, _ in told] == [100, 200, 300, 400]
    assert {total for _, _, total in told} == {400}


def test_the_constant_is_the_median_of_the_longest_pieces() -> None:
    """Protects the constant: whole tracks and short pieces have no say, failures hardly any."""
    some = [Answer(0, 1.0, False, 500, 0, 0), Answer(0, 9.0, True, 700, 0, 0)]
    some += [Answer(0, 4.0, False, e, 0, 0) for e in (10.0, 12.0, -800.0, 11.0)]
    assert constant_of(some) == 10.5
    assert constant_of(some[:1]) == 500
    assert constant_of([]) == 0


def answer(track: int, error_ms: float, p: float = 0.9, seconds: float = 1.0) -> Answer:
    """Return one piece by hand."""
    return Answer(track, seconds, False, error_ms, 1.0, p)


def test_tables_against_worked_values(tracks: list[Track]) -> None:
    """Protects the sums: five pieces at a constant of 10, two of them unsure, and the control's AUC."""
    made = Measured(constant_ms=10.0)
    made.answers["own"] = [answer(0, 10), answer(0, 55), answer(1, -20, 0.5), answer(2, 400, 0.3), answer(2, 30)]
    made.answers["foreign"] = [answer(1, 0, 0.2), answer(2, 300, 0.7)]
    empty = np.full((6, 9), np.nan)
    made.frames_seen = dict.fromkeys(("own", "still", "foreign", "silent"), empty)
    tables = Tables(made, tracks, resamples([track.person for track in tracks], 200))
    (row,) = tables.errors_by_length()
    assert (row["number"], row["people"], row["tracks"]) == (5, 2, 3)
    assert row["within_40_ms"] == pytest.approx(3 / 5)
    assert row["within_20_ms"] == pytest.approx(2 / 5)
    assert row["median_ms"] == 30
    assert row["answered"] == pytest.approx(3 / 5)
    assert row["right_of_answered"] == pytest.approx(2 / 3)
    assert row["right_and_answered"] == pytest.approx(2 / 5)
    (control,) = tables.controls()
    assert control["answered"] == 0.5
    assert control["within_40_ms"] == 0.5
    assert control["auc_p"] == pytest.approx((3 * 2 + 2 * 1) / 10)
    whole = tables.risk_coverage()[-1]
    assert whole["coverage_at"]["0.01"] == 0
    assert whole["risk"][0] == pytest.approx(1 / 3)
    both = [r for r in tables.calibration() if r["voices"] == "own and foreign" and r["seconds"] is None]
    assert both[0]["number"] == 7
    assert [r["speaker"] for r in tables.groups("person")] == ["s0", "s1", "s2"]


def test_record_holds_every_table_and_no_nan(tmp_path: Path, calibration: Calibration) -> None:
    """Protects the JSON: plain values, null for what is not known, the tracks that were left out counted."""
    folder = talk.write(tmp_path / "set", range(5), seconds=2.6)
    references = {f"talk/clip{seed}.mp4": 0.0 for seed in range(4)}
    candidate = Candidate(talk.Reader(), "reader", "ab" * 32, calibration=calibration)
    record = evaluate([candidate], [Dataset.open(folder)], references, QUICK, number=50)
    assert record["size"]["tracks"] == 4
    assert record["size"]["left_out"] == {"no known offset": 1}
    assert record["references"] == "given"
    assert record["frames_seen"]["rows"]["own"]["accuracy"][8] is None  # no track has 100 frames
    assert record["frames_seen"]["published"]["SyncNet"][0] == 0.758
    assert len(record["answers"]["own"]["p"]) == len(record["answers"]["own"]["error_ms"]) > 8
    keys = {section.key for section in sections(record)}
    assert {"frames_seen", "pieces", "whole_tracks", "confidence", "calibration", "controls", "by_speaker"} <= keys


def test_without_references_the_labels_count(tmp_path: Path) -> None:
    """Protects data sets with labels: their own offsets are taken out, and 0 stands for none."""
    folder = talk.write(tmp_path / "set", range(2), early_ms=120.0, offset_ms=120.0)
    assert [track.reference_ms for track in tracks_of([Dataset.open(folder)])[0]] == [120.0, 120.0]
    record = evaluate([Candidate(talk.Reader(), "reader")], [Dataset.open(folder)], None, QUICK, number=20)
    assert abs(record["constant"]["constant_ms"]) < 15
    assert record["calibration"] == []
    assert record["calibrated"] is False


def test_a_model_needs_its_view(tracks: list[Track], tmp_path: Path) -> None:
    """Protects against crops of another kind, which would be measured without a word."""
    folder = talk.write(tmp_path / "set", range(2))
    face = Candidate(talk.Reader(talk.Inputs(view="face-224")), "syncnet")
    with pytest.raises(UsageError, match="holds the view mouth-64, syncnet takes face-224"):
        evaluate([face], [Dataset.open(folder)], None, QUICK)


def test_nothing_to_measure_is_said(tmp_path: Path) -> None:
    """Protects against tables of nothing: the message shows how files are called."""
    folder = talk.write(tmp_path / "set", range(2))
    with pytest.raises(UsageError, match=r"called like talk/clip0\.mp4"):
        tracks_of([Dataset.open(folder)], {"elsewhere/clip0.mp4": 0.0})
    with pytest.raises(UsageError, match="no track"):
        tracks_of([Dataset.open(talk.write(tmp_path / "short", range(1), seconds=0.6))])


def test_references_are_rows_that_say_yes(tmp_path: Path) -> None:
    """Protects the truth: doubtful rows are no reference."""
    table = tmp_path / "known.csv"
    table.write_text("file,offset_ms,usable\na.mp4,-12,yes\nb.mp4,5,no\nc.mp4,7,third model only\n")
    assert read_references(table) == {"a.mp4": -12.0}
    table.write_text("file,offset_ms,usable\na.mp4,-12,no\n")
    with pytest.raises(UsageError, match="no row whose usable is yes"):
        read_references(table)
    for text in ("file,offset\na,1\n", "file,offset_ms,usable\na,early,yes\n"):
        table.write_text(text)
        with pytest.raises(MediaError, match="is no table of file, offset_ms, usable"):
            read_references(table)
    with pytest.raises(MediaError, match="cannot be read"):
        read_references(tmp_path / "nothing.csv")
