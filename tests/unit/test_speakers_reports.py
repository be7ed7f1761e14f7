"""Who speaks when, as text, JSON, RTTM and the CSV of AVA-ActiveSpeaker: of values made by hand, to the letter."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from clapboard.report import speakers_text
from clapboard.report.ava import COLUMNS, to_ava
from clapboard.report.rttm import to_rttm
from clapboard.report.speakers_record import to_json
from clapboard.report.speakers_wording import precise_clock, sentence, status
from clapboard.speakers.decide import METHODS
from clapboard.values import FaceSpeech, Report, Speakers, Stream, Turn

Make = Callable[..., Report]
SIZE_PX = (200, 100)
NAN = float("nan")


def face(number: int, speaking: list[int], *, left_px: float, start_s: float = 0.0, hz: float = 25.0) -> FaceSpeech:
    """A face that stands still; it is 40 px wide, its score is 0.9 where it speaks and 0.05 elsewhere."""
    said = np.array(speaking, bool)
    count = len(said)
    boxes = np.tile(np.array([left_px, 20, left_px + 40, 70], np.float32), (count, 1))
    score = np.where(said, np.float32(0.9), np.float32(0.05))
    distance = np.where(said, np.float32(0.7), np.float32(1.3))
    return FaceSpeech(number, start_s + np.arange(count) / hz, boxes, distance, score, said)


@pytest.fixture
def panel(make_report: Make) -> Speakers:
    """Two faces and somebody unseen, 80 ms early, sound from 0.5 s on; face 1 leaves the picture to the left."""
    report = make_report("a b/my panel.mp4", 80.0, faces=2)
    assert report.clip is not None
    sound = Stream(1, "audio", "aac", 0.5, 4.0)
    report = replace(report, clip=replace(report.clip, audio=sound))
    faces = (face(0, [1, 1, 1, 0], left_px=20, start_s=1.0), face(1, [0, 0, 1, 1], left_px=-10, start_s=1.0))
    turns = (Turn(1.0, 1.12, 0, 0.9), Turn(1.08, 1.16, 1, 0.85), Turn(65.3, 66.8, None, 0.91))
    return Speakers(report, 80.0, "file", faces, turns, "states")


def printed(found: Speakers, *, verbose: bool = False) -> str:
    console = Console(file=io.StringIO(), markup=False, highlight=False, emoji=False, width=200)
    speakers_text.write(found, console, verbose=verbose)
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def parsed(found: Speakers) -> dict[str, Any]:
    """Parse strictly: one line of ASCII, no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    line = to_json(found, SIZE_PX)
    line.encode("ascii")
    assert "\n" not in line
    result = json.loads(line, parse_constant=refuse)
    assert isinstance(result, dict)
    return result


def test_text_to_the_letter(panel: Speakers) -> None:
    """Protects what people read: the answer, the offset and where it is from, every turn, every face."""
    assert printed(panel) == (
        "a b/my panel.mp4: face 0 speaks for 0.1 s, face 1 for 0.1 s, a voice off screen for 1.5 s\n"
        "  offset      +80 ms, measured in this file (plus: audio early)\n"
        "\n"
        "     from        to   who speaks           score\n"
        "  0:01.00   0:01.12   face 0                0.90\n"
        "  0:01.08   0:01.16   face 1                0.85\n"
        "  1:05.30   1:06.80   a voice off screen    0.91\n"
        "\n"
        "  seen from        to   face        middle   width   speaks   score\n"
        "    0:01.00   0:01.12   face 0   40, 45 px   40 px    0.1 s    0.90\n"
        "    0:01.00   0:01.12   face 1   10, 45 px   40 px    0.1 s    0.90\n"
    )


def test_verbose_adds_method_model_and_versions(panel: Speakers) -> None:
    """Every method of the package has its words."""
    assert "method      states: two states, smoothed over time" in printed(panel, verbose=True)
    assert f"clapboard-s, sha256 {'ab' * 32}" in printed(panel, verbose=True)
    for method in METHODS:
        assert f"method      {method}: " in printed(replace(panel, method=method), verbose=True)


def test_where_the_offset_comes_from_is_said_in_words(panel: Speakers, make_report: Make) -> None:
    """A score at an assumed offset means less: nobody may take it for a measured one."""
    assert "offset      -40 ms, as given (plus" in printed(replace(panel, offset_ms=-40.0, offset_from="user"))
    doubtful = make_report("a.mp4", 600.0, reasons=("windows disagree",))
    words = printed(replace(panel, report=doubtful, offset_ms=600.0, offset_from="likely"))
    assert "offset      +600 ms, likely (plus: audio early): lips match" in words
    assert "better there than at 0; not trusted: windows disagree" in words
    words = printed(replace(panel, report=doubtful, offset_ms=0.0, offset_from="assumed"))
    assert "offset      0 ms, assumed, since the offset of the file is not trusted: windows disagree" in words


def test_sentence_table_and_json_say_alike_how_long_a_face_speaks(panel: Speakers) -> None:
    """Turns leave out what is too short and reach over pauses: all formats count turns, and none counts frames."""
    turns = (Turn(1.0, 1.32, 0, 0.9), Turn(2.0, 4.35, 0, 0.9))
    found = replace(panel, turns=turns)
    words = printed(found)
    assert "face 0 speaks for 2.7 s" in words
    rows = [line.split("   ") for line in words.splitlines() if " px " in line]
    assert [row[-2].strip() for row in rows] == ["2.7 s", "0.0 s"]
    assert [one["speaking_s"] for one in parsed(found)["faces"]] == [2.67, 0.0]


def test_an_offset_beyond_the_search_is_hinted_at(panel: Speakers, make_report: Make) -> None:
    """A film 1.5 s off has only voices off screen: nobody should have to guess why."""
    report = make_report("a.mp4", 600.0, reasons=("windows disagree",))
    unseen = replace(panel, report=report, offset_ms=0.0, offset_from="assumed", turns=(Turn(1.0, 3.5, None, 0.9),))
    words = "hint        no face matches the sound; if one should, the offset may be beyond the search: "
    assert f"{words}try --max-offset-ms 5000, or give --offset-ms\n" in printed(unseen)
    wide = replace(report, offset=replace(report.offset, offsets_ms=np.linspace(4990, -4990, 5)))
    assert f"{words}give --offset-ms\n" in printed(replace(unseen, report=wide))
    for other in (
        replace(unseen, offset_from="file"),
        replace(unseen, turns=()),
        replace(unseen, turns=(*unseen.turns, Turn(4.0, 5.0, 0, 0.9))),
        replace(unseen, faces=()),
    ):
        assert "beyond" not in printed(other)


def test_values_are_short_when_printed(panel: Speakers) -> None:
    """An hour of four faces has millions of numbers: printed, they would push the answer off the screen."""
    long = replace(panel, faces=tuple(face(number, [1] * 5000, left_px=20) for number in range(2)))
    words = repr(long)
    assert "Turn(start_s=1.0, end_s=1.12, face=0, score=0.9)" in words
    assert "FaceSpeech(number=0)" in words
    assert "array(" not in words
    assert len(words) < 4000


def test_sentences_of_other_outcomes(panel: Speakers, make_report: Make) -> None:
    """Silence, many faces, no face, no sound next to a face, and a file that cannot be read are told apart."""
    assert sentence(replace(panel, turns=())) == "nobody speaks"
    only = Turn(1.0, 3.5, None, 0.9)
    assert sentence(replace(panel, turns=(only,))) == "a voice off screen speaks for 2.5 s"
    many = tuple(Turn(n, n + 0.5, n, 0.9) for n in range(6))
    words = "6 faces speak for 3.0 s together, a voice off screen for 2.5 s"
    assert sentence(replace(panel, turns=(*many, only))) == words
    faceless = replace(panel, faces=(), turns=(only,))
    assert sentence(faceless) == "cannot tell: no face was found; a voice off screen for 2.5 s"
    deaf = replace(panel, faces=tuple(replace(one, distance=one.distance * np.float32(NAN)) for one in panel.faces))
    assert sentence(replace(deaf, turns=())) == "cannot tell: there is no sound where a face is seen"
    broken = replace(panel, report=make_report("x.mp4", NAN, error="the index is missing"))
    assert sentence(broken) == "cannot be measured: the index is missing"
    assert [status(one) for one in (panel, faceless, deaf, broken)] == ["done", "undecided", "undecided", "error"]


def test_hints_are_shown_where_nothing_could_be_compared(panel: Speakers, make_report: Make) -> None:
    """Advice of the check comes only where it is needed."""
    report = make_report("a.mp4", NAN, hints=("faces are 31 px wide, 40 are needed",))
    assert "hint" in printed(replace(panel, report=report, faces=(), turns=()))
    assert "hint" not in printed(replace(panel, report=report))


def test_json_holds_turns_and_every_frame(panel: Speakers) -> None:
    """Protects the contract of schema 1: units, two clocks of a turn, boxes, and what check says."""
    found = parsed(panel)
    assert set(found) == {
        "schema", "file", "file_percent_encoded", "status", "sentence", "error", "offset_ms", "offset_from", "method",
        "turns", "picture", "faces", "check",
    }  # fmt: skip
    assert (found["schema"], found["file"], found["status"], found["error"]) == (1, "a b/my panel.mp4", "done", None)
    assert (found["offset_ms"], found["offset_from"], found["method"]) == (80.0, "file", "states")
    assert found["picture"] == {"width_px": 200, "height_px": 100}
    assert found["turns"][1] == {
        "start_s": 1.08, "end_s": 1.16, "heard_start_s": 1.0, "heard_end_s": 1.08, "speaker": "face-1", "face": 1,
        "score": 0.85,
    }  # fmt: skip
    assert (found["turns"][2]["speaker"], found["turns"][2]["face"]) == ("offscreen", None)
    one = found["faces"][1]
    assert {key: one[key] for key in one if key != "frames"} == {
        "number": 1, "start_s": 1.0, "end_s": 1.12, "face_px": 40.0, "speaking_s": 0.08, "score": 0.9,
    }  # fmt: skip
    assert one["frames"] == {
        "time_s": [1.0, 1.04, 1.08, 1.12],
        "score": [0.05, 0.05, 0.9, 0.9],
        "speaking": [False, False, True, True],
        "distance": [1.3, 1.3, 0.7, 0.7],
        "box_px": [[-10.0, 20.0, 30.0, 70.0]] * 4,
    }
    assert found["check"]["file"] == "a b/my panel.mp4"
    assert found["check"]["offset_ms"] == 80.0


def test_json_of_what_is_not_known_is_null(panel: Speakers, make_report: Make) -> None:
    """NaN never reaches a reader, and the keys stay all there."""
    broken = Speakers(make_report("x.mp4", NAN, error="unreadable"), NAN, "assumed", (), (), "states")
    found = parsed(broken)
    assert set(found) == set(parsed(panel))
    assert (found["status"], found["error"], found["offset_ms"], found["offset_from"]) == (
        "error", "unreadable", None, None,
    )  # fmt: skip
    silent = face(0, [0, 0], left_px=0)
    silent.distance[:] = np.nan
    (one,) = parsed(replace(panel, faces=(silent,)))["faces"]
    assert (one["score"], one["frames"]["distance"]) == (None, [None, None])


def test_rttm_to_the_letter(panel: Speakers) -> None:
    """Ten fields; a turn seen at 1 s is heard 80 ms earlier, which is 0.42 s after the first sample at 0.5 s."""
    assert to_rttm(panel) == (
        "SPEAKER my_panel 1 0.420 0.120 <NA> <NA> face-0 0.900 <NA>\n"
        "SPEAKER my_panel 1 0.500 0.080 <NA> <NA> face-1 0.850 <NA>\n"
        "SPEAKER my_panel 1 64.720 1.500 <NA> <NA> offscreen 0.910 <NA>\n"
    )
    assert to_rttm(replace(panel, turns=())) == ""
    assert to_rttm(panel, "my panel.mp4").startswith("SPEAKER my_panel.mp4 1 0.420 ")


def test_rttm_stays_within_the_sound_and_on_its_fields(panel: Speakers, make_report: Make) -> None:
    """What would begin before the sound is cut, what ends before it is left out; any file name is one field."""
    early = replace(panel, turns=(Turn(0.1, 0.4, 0, 0.9), Turn(0.4, 1.0, 0, 0.9)))
    (line,) = to_rttm(early).splitlines()
    assert line.split()[3:5] == ["0.000", "0.420"]
    odd = replace(panel, report=make_report("x/one\ttwo  three\n.caf\udce9.mp4", 0.0))
    for line in to_rttm(odd).splitlines():
        assert len(line.split()) == 10
        line.encode("utf-8")


def test_ava_csv_to_the_letter(panel: Speakers) -> None:
    """The columns that the issue names, boxes as parts of the picture and never outside of it."""
    two = replace(panel, faces=tuple(replace(one, **_cut(one, 2, 4)) for one in panel.faces))
    assert to_ava(two, SIZE_PX) == (
        "video_id,frame_timestamp,entity_box_x1,entity_box_y1,entity_box_x2,entity_box_y2,label,entity_id,score\n"
        "my panel,1.080,0.100000,0.200000,0.300000,0.700000,SPEAKING_AUDIBLE,my panel:0,0.9000\n"
        "my panel,1.120,0.100000,0.200000,0.300000,0.700000,NOT_SPEAKING,my panel:0,0.0500\n"
        "my panel,1.080,0.000000,0.200000,0.150000,0.700000,SPEAKING_AUDIBLE,my panel:1,0.9000\n"
        "my panel,1.120,0.000000,0.200000,0.150000,0.700000,SPEAKING_AUDIBLE,my panel:1,0.9000\n"
    )


def _cut(one: FaceSpeech, start: int, stop: int) -> dict[str, Any]:
    names = ("time_s", "boxes", "distance", "score", "speaking")
    return {name: getattr(one, name)[start:stop] for name in names}


def test_ava_csv_takes_another_name(panel: Speakers) -> None:
    """Two files of one stem must not share a video."""
    row = next(csv.reader(io.StringIO(to_ava(panel, SIZE_PX, "my panel.mp4", predictions=True))))
    assert (row[0], row[7]) == ("my panel.mp4", "my panel.mp4:0")


def test_a_frame_that_fills_several_points_of_the_grid_is_one_row(panel: Speakers) -> None:
    """At 10 fps the true times repeat, and no reader takes one face twice at one time."""
    slow = face(0, [1] * 10, left_px=20)
    slow = replace(slow, time_s=np.floor(slow.time_s * 10) / 10)
    rows = list(csv.reader(io.StringIO(to_ava(replace(panel, faces=(slow,)), SIZE_PX))))[1:]
    assert [row[1] for row in rows] == ["0.000", "0.100", "0.200", "0.300"]


def average_precision(truth: str, predictions: str) -> float:
    """Do what the data set's script does, and refuse what it refuses."""
    truths = {(row[1], row[7]): row for row in csv.reader(io.StringIO(truth))}
    rows = list(csv.reader(io.StringIO(predictions)))
    guesses = {(row[1], row[7]): row for row in rows}
    assert len(guesses) == len(rows) == len(truths)
    assert {row[6] for row in rows} == {"SPEAKING_AUDIBLE"}
    assert all(len(row) == 9 and np.isfinite(float(row[8])) for row in rows)
    for key, row in guesses.items():
        assert np.abs(np.array(row[2:6], float) - np.array(truths[key][2:6], float)).max() <= 1e-9
    order = sorted(guesses, key=lambda key: -float(guesses[key][8]))
    right = np.array([truths[key][6] == "SPEAKING_AUDIBLE" for key in order])
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(np.maximum.accumulate(precision[::-1])[::-1][right].mean())


def test_predictions_are_what_the_official_script_takes(panel: Speakers) -> None:
    """Protects people who evaluate: no line of names, one label, a score in every row, the same boxes as the labels."""
    labels = to_ava(panel, SIZE_PX).splitlines()
    assert labels[0].split(",") == list(COLUMNS)
    truth = "".join(f"{','.join(line.split(',')[:8])}\n" for line in labels[1:])
    assert average_precision(truth, to_ava(panel, SIZE_PX, predictions=True)) == 1.0
    wrong = truth.replace("NOT_SPEAKING", "X").replace("SPEAKING_AUDIBLE", "NOT_SPEAKING")
    wrong = wrong.replace("X", "SPEAKING_AUDIBLE")
    assert average_precision(wrong, to_ava(panel, SIZE_PX, predictions=True)) < 0.6
    unheard = replace(panel.faces[0], score=panel.faces[0].score * np.float32(NAN))
    last = to_ava(replace(panel, faces=(unheard,)), SIZE_PX, predictions=True).splitlines()[-1]
    assert last.endswith(",0.0000")


def test_a_clock_with_hundredths() -> None:
    """Rounding carries over to seconds, minutes and hours."""
    assert [precise_clock(time_s) for time_s in (0, 0.004, 59.996, 61.25, 3599.999, 3723.5)] == [
        "0:00.00", "0:00.00", "1:00.00", "1:01.25", "1:00:00.00", "1:02:03.50",
    ]  # fmt: skip


def test_the_page_names_every_key(panel: Speakers) -> None:
    """docs/json.md tells what each key means."""
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    section = page.split("\n## `clapboard speakers --json`\n", 1)[1].split("\n## ")[0]
    found = parsed(panel)
    keys = {*found, *found["turns"][0], *found["faces"][0], *found["faces"][0]["frames"], *found["picture"]}
    assert [key for key in sorted(keys) if f"`{key}`" not in section] == []
