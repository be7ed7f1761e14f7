"""What users and programs read: the contract of the JSON, and the words."""

import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from clapboard.report import text
from clapboard.report.plain import text as plain_text
from clapboard.report.printable import shown
from clapboard.report.record import record, to_json
from clapboard.report.wording import sentence
from clapboard.values import Report

Make = Callable[..., Report]
KEYS_OF_SCHEMA_1 = {
    "schema", "file", "status", "offset_ms", "offset_frames", "confidence", "min_distance", "p_within_frame",
    "reasons", "sentence", "tracks", "model", "versions", "audio", "correction", "profile", "hints", "error", "fps",
    "duration_s", "windows", "file_percent_encoded", "by", "why_by", "synchronisable", "p_synchronisable", "blocks",
}  # fmt: skip


def parsed(report: Report) -> dict[str, object]:
    """Parse strictly: NaN, Infinity and lone surrogates are no JSON for most readers."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    line = to_json(report)
    assert "\n" not in line
    found = json.loads(line, parse_constant=refuse)
    line.encode("ascii")
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    assert isinstance(found, dict)
    return found


def printed(report: Report, *, verbose: bool = False, width: int = 120) -> str:
    console = Console(file=io.StringIO(), markup=False, highlight=False, emoji=False, width=width)
    text.write(report, console, verbose=verbose)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_record_of_a_file_that_is_out_of_sync(make_report: Make) -> None:
    """Sign, frames, correction and words agree with each other."""
    found = parsed(make_report("talk.mp4", 300.0))
    assert set(found) == KEYS_OF_SCHEMA_1
    assert (found["schema"], found["file"], found["status"]) == (1, "talk.mp4", "out_of_sync")
    assert (found["offset_ms"], found["offset_frames"], found["fps"]) == (300.0, 7.5, 25.0)
    assert (found["audio"], found["correction"]) == ("early", {"delay_audio_ms": 300.0})
    assert found["sentence"] == "audio is 300 ms early; delay it by 300 ms"
    assert found["profile"] == {"name": "ebu-r37", "max_lead_ms": 40, "max_lag_ms": 60}
    assert found["model"] == {"name": "clapboard-s", "sha256": "ab" * 32}
    assert found["error"] is None


def test_every_key_is_documented(make_report: Make) -> None:
    """``docs/json.md`` names exactly the keys that there are, for a file and for a face."""
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8").split("\n## ")[0]
    found = record(make_report())
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(found)
    faces = page.split("Each of `tracks` has")[1]
    assert set(re.findall(r"`(\w+)`", faces)) == set(found["tracks"][0])


def test_late_sound(make_report: Make) -> None:
    """The other sign."""
    found = parsed(make_report("talk.mp4", -120.0))
    assert found["audio"] == "late"
    assert found["sentence"] == "audio is 120 ms late; advance it by 120 ms"


def test_undecided_record_has_no_nan_and_no_correction(make_report: Make) -> None:
    """A program that repairs by ``correction`` must never act on an untrusted number."""
    found = parsed(make_report("talk.mp4", math.nan, reasons=("no face was found",), hints=("show a face",)))
    assert found["status"] == "undecided"
    assert found["offset_ms"] is found["confidence"] is found["correction"] is found["audio"] is None
    assert found["reasons"] == ["no face was found"]
    assert found["hints"] == ["show a face"]
    guess = parsed(make_report("talk.mp4", 120.0, reasons=("windows disagree",)))
    assert (guess["offset_ms"], guess["correction"], guess["audio"]) == (120.0, None, None)


def test_record_of_an_error(make_report: Make) -> None:
    """A file that could not be read still has its line."""
    report = replace(make_report("a.mp4", math.nan), clip=None, error="no such file", tracks=())
    found = parsed(report)
    assert set(found) == KEYS_OF_SCHEMA_1
    assert (found["status"], found["error"], found["fps"], found["tracks"]) == ("error", "no such file", None, [])


def test_unknown_rate_gives_no_frames(make_report: Make) -> None:
    """A frame count without a rate would be invented."""
    found = parsed(make_report("a.mp4", 80.0, rate=Fraction(0)))
    assert found["offset_frames"] is found["fps"] is None


def test_file_name_that_is_no_unicode(make_report: Make) -> None:
    """Bytes in a name that are no Unicode neither break the JSON nor get lost."""
    found = parsed(make_report("caf\udce9 [b].mp4", 0.0))
    assert found["file"] == "caf\ufffd [b].mp4"
    assert found["file_percent_encoded"] == "caf%E9%20%5Bb%5D.mp4"


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_becomes_valid_unicode(name: str) -> None:
    """Nothing that a name can hold makes the JSON invalid, and proper names stay as they are."""
    clean = plain_text(name)
    clean.encode("utf-8")
    if not any(0xD800 <= ord(char) <= 0xDFFF for char in name):
        assert clean == name


@given(st.text(st.characters(exclude_categories=())))
def test_shown_text_stays_on_one_line(name: str) -> None:
    """A file name can neither forge a second line nor send commands to the terminal."""
    assert shown(name).isprintable()


def test_words_of_each_status(make_report: Make) -> None:
    """The sentence says what the status says."""
    assert sentence(make_report(offset_ms=12.0)) == "in sync: audio is 12 ms early"
    assert sentence(make_report(offset_ms=0.2)) == "in sync: audio and picture are together (0 ms)"
    untrusted = make_report(offset_ms=5.0, reasons=("no speech", "small face"))
    assert sentence(untrusted) == "cannot tell: no speech; small face"


def test_printed_report(make_report: Make) -> None:
    """Sentence first, then signed milliseconds, frames, tolerance, probability."""
    out = printed(make_report("talk.mp4", 300.0))
    lines = out.splitlines()
    assert lines[0] == "talk.mp4: audio is 300 ms early; delay it by 300 ms"
    assert "+300 ms, +7.5 frames at 25 fps (plus: audio early)" in out
    assert "out of sync; ebu-r37 allows 40 ms early to 60 ms late" in out
    assert "98 % to be right within one frame (40 ms)" in out
    assert "decides" not in out


def test_the_sign_in_words_is_that_of_the_number_shown(make_report: Make) -> None:
    """A third of a millisecond late is shown as +0 ms, which is not late."""
    assert "+0 ms, +0.0 frames at 25 fps (plus: audio early)" in printed(make_report("a.mp4", -0.3))
    assert "-1 ms, +0.0 frames at 25 fps (minus: audio late)" in printed(make_report("a.mp4", -0.6))


def test_faces_are_listed_when_there_are_several(make_report: Make) -> None:
    """One face needs no table, unless it is asked for."""
    assert printed(make_report(faces=2)).count("0:00-0:04") == 2
    assert printed(make_report(faces=1), verbose=True).count("0:00-0:04") == 1
    assert "clapboard-s, sha256 abab" in printed(make_report(), verbose=True)


def test_numbers_survive_a_narrow_terminal(make_report: Make) -> None:
    """On 80 columns the words of the last column wrap, the numbers stay whole."""
    reason = "lips and sound do not match clearly, and this goes on for long"
    report = make_report(offset_ms=-631.0, reasons=(reason,), faces=2)
    table = printed(report, width=80).split("speaking")[1]
    assert table.count("-631 ms") == table.count("0:00-0:04") == table.count("75 %") == 2


def test_undecided_report_marks_its_guess(make_report: Make) -> None:
    """A number that is not trusted is never shown as if it were."""
    out = printed(make_report(offset_ms=-80.0, reasons=("windows disagree",), hints=("use a longer piece",)))
    assert "cannot tell: windows disagree" in out
    assert "best guess, not trusted" in out
    assert "use a longer piece" in out


def test_brackets_in_names_are_not_markup(make_report: Make) -> None:
    """``[bold]`` in a file name is text."""
    assert "[bold]a[/] :smile:.mp4: in sync" in printed(make_report("[bold]a[/] :smile:.mp4", 0.0, faces=2))


def test_certainty_is_never_rounded_up(make_report: Make) -> None:
    """99.9 % is not 100 %."""
    assert ">99 %" in printed(make_report(p_within_frame=0.999))
