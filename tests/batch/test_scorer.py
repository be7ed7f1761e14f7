"""The scorer: batches in, equal rows out, whatever is in them; it pickles, and loads when it is needed."""

import json
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clapboard
from clapboard.batch import scorer as module
from clapboard.batch.columns import COLUMNS, DECISION, TRACK, schema, table
from clapboard.batch.scorer import Scorer
from clapboard.errors import ModelError, UsageError
from clapboard.media.encode import write_clip
from clapboard.models.spec import PUBLISHED
from clapboard.testing import make_clip, render_scene
from tiny_models import SURE, write_tiny

SMALL: dict[str, Any] = {"duration_s": 1.4, "width_px": 160, "height_px": 120, "face_px": 80.0}
NUMBERS = [name for name, kind in COLUMNS.items() if kind == "float64"]


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a short talking face, in sync."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    make_clip(path, seed=3, **SMALL)
    return path


@pytest.fixture(scope="module")
def plain_talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a talking face that is long and large enough for the tiny models."""
    path = tmp_path_factory.mktemp("talk") / "plain.mp4"
    make_clip(path, seed=3, duration_s=6.0, width_px=320, height_px=240, face_px=110)
    return path


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return files that are no use, by what is wrong with them."""
    folder = tmp_path_factory.mktemp("bad")
    make_clip(folder / "whole.mp4", seed=1, **SMALL | {"duration_s": 0.4})
    found = {name: folder / f"{name}.mp4" for name in ("text", "empty", "cut", "playlist")}
    found["text"].write_bytes(b"this is no video" * 60)
    found["empty"].write_bytes(b"")
    found["cut"].write_bytes((folder / "whole.mp4").read_bytes()[:2000])
    found["playlist"].write_text("#EXTM3U\n#EXTINF:2,\nwhole.mp4\n#EXT-X-ENDLIST\n")
    found["missing"] = folder / "missing.mp4"
    found["directory"] = folder
    found["huge"] = folder / "huge.mkv"
    write_clip(found["huge"], [np.zeros((288, 320), np.uint8)] * 3, 25, np.zeros(4_800, np.float32), video_codec="ffv1")
    data = found["huge"].read_bytes()
    for honest in (b"\xb0\x82\x01\x40", b"\xba\x82\x01\x20"):  # PixelWidth 320, PixelHeight 288
        assert honest in data
        data = data.replace(honest, honest[:2] + b"\xff\xff")
    found["huge"].write_bytes(data)
    found["mute"] = folder / "mute.mp4"
    make_clip(found["mute"], seed=1, audio=False, **SMALL | {"duration_s": 0.4})
    return found


def test_a_batch_gives_as_many_rows_in_its_order(talk: Path, bad: dict[str, Path]) -> None:
    """Protects whole corpora from one bad clip: each has a row, bad ones say what is wrong in one line."""
    paths = [str(talk), *map(str, bad.values()), str(talk)]
    found = Scorer(preset="relaxed")({"path": paths, "number": np.arange(len(paths))})
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(found, len(paths))
    assert found["path"] == paths
    assert list(found["number"]) == list(range(len(paths)))
    assert found["status"] == ["in_sync", *["error"] * len(bad), "in_sync"]
    assert set(found) == {"path", "number", *COLUMNS, *DECISION}
    for row, name in enumerate(bad, start=1):
        assert len(found["reasons"][row]) == 1, name
        assert "\n" not in found["reasons"][row][0]
        assert "defect" not in found["reasons"][row][0]
        assert found["drop_reasons"][row][0].startswith("error: ")
        assert all(math.isnan(found[column][row]) for column in NUMBERS)
        assert (found["faces"][row], found["speakers"][row], found["tracks"][row]) == (0, 0, [])
    assert found["keep"].tolist() == [True, *[False] * len(bad), True]
    for name in COLUMNS:
        assert str(found[name][0]) == str(found[name][-1]), "one clip, one result"


def test_the_numbers_are_those_of_check(talk: Path) -> None:
    """Protects the meaning of the columns."""
    report, row = clapboard.check(talk), Scorer().row(talk)
    assert row["offset_ms"] == pytest.approx(report.offset.offset_ms, abs=1e-3)
    assert row["confidence"] == pytest.approx(report.offset.confidence, abs=1e-3)
    assert row["p_within_frame"] == pytest.approx(report.offset.p_within_frame, abs=1e-3)
    assert (row["faces"], row["speakers"], row["status"], row["reasons"]) == (1, 1, report.status, [])
    assert row["face_px"] == pytest.approx(report.tracks[0].face_px, abs=1e-3)
    assert row["duration_s"] == pytest.approx(1.4, abs=0.1)
    assert set(row["tracks"][0]) == set(TRACK)


def test_bytes_give_what_the_file_gives(talk: Path, bad: dict[str, Path]) -> None:
    """Protects tar files, Ray and Spark: clips need no disk, any kind of bytes will do, and they do not come back."""
    data = talk.read_bytes()
    names = ["talk.mp4", str(bad["missing"]), "c", "d", "e", "f"]
    contents = np.empty(6, object)
    contents[:] = [data, bytearray(data), memoryview(data), b"", bad["playlist"].read_bytes(), None]
    found = Scorer()({"path": names, "bytes": contents})
    assert "bytes" not in found
    on_disk = Scorer()({"path": [talk]})
    assert found["offset_ms"][:3].tolist() == [on_disk["offset_ms"][0]] * 3
    assert found["reasons"][3:] == [
        ["is empty (0 bytes)"],
        ["is an HLS playlist, not a video; nothing it names is opened"],
        ["the row holds no bytes but NoneType"],
    ]
    unnamed = Scorer()({"bytes": [data]})
    assert unnamed["offset_ms"][0] == on_disk["offset_ms"][0]


@pytest.mark.parametrize("path", [None, float("nan"), 7, "a\0b.mp4", "\udcff.mp4", "", "." * 5000])
def test_paths_that_are_none(path: Any) -> None:
    """Protects tables with holes: such a row says so."""
    found = Scorer(preset="strict")({"path": [path]})
    assert found["status"] == ["error"]
    assert "defect" not in found["reasons"][0][0]


def test_a_defect_stops_nothing_either(talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects runs of days from what nobody foresaw."""

    def broken(*args: Any, **options: Any) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(module, "measure", broken)
    found = Scorer()({"path": [str(talk)]})
    assert found["reasons"] == [["a defect of Clapboard, ZeroDivisionError: by zero"]]


def test_a_clip_gets_its_time_and_no_more(talk: Path) -> None:
    """Protects runs from endless clips; the next one is measured."""
    found = Scorer(timeout_s=0.001, preset="relaxed")({"path": [str(talk)]})
    assert found["reasons"] == [["took longer than 0.001 s"]]
    assert found["drop_reasons"] == [["error: took longer than 0.001 s"]]
    assert Scorer(timeout_s=600)({"path": [str(talk)]})["status"] == ["in_sync"]


def test_it_pickles_without_what_it_has_loaded(talk: Path) -> None:
    """Protects Ray, Spark and pools, which send it to every process, before and after its first batch."""
    scorer = Scorer(preset="latentsync", max_offset_ms=600, timeout_s=100)
    fresh = pickle.dumps(scorer)
    first = scorer({"path": [str(talk)]})
    used = pickle.dumps(scorer)
    assert used == fresh
    assert len(used) < 1000
    again = pickle.loads(used)
    assert vars(again) == vars(Scorer(preset="latentsync", max_offset_ms=600, timeout_s=100))
    assert again({"path": [str(talk)]})["offset_ms"] == first["offset_ms"]


def test_making_one_loads_no_network() -> None:
    """Protects drivers that only hand it on: a model that is not there is missed by the first batch."""
    code = (
        "import sys\nfrom clapboard.batch.scorer import Scorer\nScorer('nowhere.json', preset='strict')\n"
        "assert 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ModelError, match=r"nowhere\.json"):
        Scorer("nowhere.json")({"path": []})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preset": "best"}, "there is strict, latentsync, voxceleb, relaxed"),
        ({"max_offset_ms": 1.0}, "40"),
        ({"timeout_s": 0}, "positive"),
        ({"timeout_s": float("nan")}, "positive"),
    ],
)
def test_bad_arguments_are_refused_at_once(options: dict[str, Any], words: str) -> None:
    """Protects the user from learning it on the cluster."""
    with pytest.raises(UsageError, match=words):
        Scorer(**options)


@pytest.mark.parametrize(
    ("batch", "words"),
    [({"name": ["a"]}, "path or bytes"), ({"path": ["a"], "n": [1, 2]}, "equally long"), ({}, "path or bytes")],
)
def test_bad_batches_are_refused(batch: dict[str, Any], words: str) -> None:
    """Protects from silent nonsense: these are mistakes in the program, not in a clip."""
    with pytest.raises(UsageError, match=words):
        Scorer()(batch)


@pytest.mark.parametrize("preset", [None, "strict"])
def test_the_arrow_schema_is_always_the_same(talk: Path, preset: str | None) -> None:
    """Protects Parquet files of many batches: also where every clip failed, or there was none."""
    pytest.importorskip("pyarrow")
    scorer = Scorer(preset=preset)
    good, failed, empty = (table(scorer({"path": paths})) for paths in ([str(talk)], ["none.mp4"], []))
    assert (
        good.schema.remove(0) == failed.schema.remove(0) == empty.schema.remove(0) == schema(preset=preset is not None)
    )
    assert failed["offset_ms"].to_pylist() == [None]
    assert failed["reasons"].to_pylist() == [["no such file"]]
    assert good["tracks"].to_pylist()[0][0]["offset_ms"] == pytest.approx(good["offset_ms"].to_pylist()[0], abs=1e-3)


def test_names_that_are_no_unicode_are_rows_of_the_table() -> None:
    """Protects a batch from one odd name, also in columns that are passed through: it is escaped as in ids."""
    pytest.importorskip("pyarrow")
    names = ["bad\udcff.mp4", "\ud800.mp4", "good.mp4"]
    found = table(Scorer(preset="strict")({"path": names, "more": [{"a": [name]} for name in names]}))
    assert found["path"].to_pylist() == [r"bad\xff.mp4", r"\ud800.mp4", "good.mp4"]
    assert found["more"].to_pylist()[0] == {"a": [r"bad\xff.mp4"]}
    odd = {"reasons": [["\udcff: is odd"]], **Scorer()({"path": ["good.mp4"]})} | {"reasons": [["\udcff: is odd"]]}
    assert table(odd)["reasons"].to_pylist() == [[r"\xff: is odd"]]


def test_numbers_have_one_type_without_arrow_too(talk: Path) -> None:
    """Protects NumPy and pandas from columns that are objects in one batch and numbers in the next."""
    for paths in ([str(talk)], ["none.mp4"], []):
        found = Scorer(preset="relaxed")({"path": paths})
        for name, kind in {**COLUMNS, **DECISION}.items():
            if kind in ("float64", "int64", "bool"):
                assert found[name].dtype == np.dtype(kind), name
            else:
                assert isinstance(found[name], list), name


def test_a_listener_is_no_speaker(tmp_path: Path) -> None:
    """Protects training sets: of two faces and one voice, the one that listens is dropped with that reason."""
    make_clip(tmp_path / "pair.mp4", seed=3, faces=2, speaking=0, **SMALL | {"duration_s": 3.0, "width_px": 320})
    row = Scorer(preset="relaxed").row(tmp_path / "pair.mp4")
    assert (row["faces"], row["speakers"], row["keep"]) == (2, 1, True)
    speaks = [track for track in row["tracks"] if track["speaks"]]
    listens = [track for track in row["tracks"] if not track["speaks"]]
    assert [track["keep"] for track in speaks] == [True]
    assert [track["drop_reasons"] for track in listens] == [["not the face that speaks"]]


def test_a_clip_is_dropped_for_what_is_wrong_with_who_speaks(tmp_path: Path) -> None:
    """Protects the histogram: a listener beside a face that is out of sync is not why the clip is dropped."""
    options = SMALL | {"duration_s": 3.0, "width_px": 320}
    make_clip(tmp_path / "pair.mp4", seed=3, faces=2, speaking=0, offset_ms=300.0, **options)
    row = Scorer(preset="strict").row(tmp_path / "pair.mp4")
    assert sorted(track["drop_reasons"] for track in row["tracks"]) == [
        ["not the face that speaks"],
        ["offset beyond 2 frames (80 ms)"],
    ]
    assert (row["keep"], row["drop_reasons"]) == (False, ["offset beyond 2 frames (80 ms)"])


@pytest.mark.parametrize("speaks", [True, False])
def test_the_fewest_reasons_are_not_those_of_a_listener(speaks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects the same where who speaks has more against it; where nobody does, any face tells why."""
    of = {True: ["probability below 95%", "offset beyond 2 frames (80 ms)"], False: ["not the face that speaks"]}
    monkeypatch.setattr(module, "against", lambda track, *_, **__: of[track["number"] == 1])
    scorer, told = Scorer(preset="strict"), {"decides": speaks, "speaks": speaks}
    tracks = [{"number": 0, "decides": False, "speaks": False}, {"number": 1, **told}]
    assert scorer._judged({"status": "in_sync", "reasons": [], "tracks": tracks})["drop_reasons"] == of[speaks]


def test_who_speaks_little_is_counted(tmp_path: Path) -> None:
    """Protects the count of speakers: a turn of 1.8 s is too short for an offset of its own, but it is a turn."""
    turns = [(0.3, 5.2, 0), (5.6, 7.4, 1)]
    render_scene(tmp_path / "two.mp4", cast=(12, 13), turns=turns, duration_s=8.0, sound_early_ms=200)
    row = Scorer(preset="strict").row(tmp_path / "two.mp4")
    assert (row["faces"], row["speakers"]) == (2, 2)
    assert sum(track["speaks"] for track in row["tracks"]) == 1, "else this shows nothing"


def test_a_model_that_is_gone_stops_nothing(plain_talk: Path, tmp_path: Path) -> None:
    """Protects runs of days from a disk that is away for a moment: what was loaded once is not looked for again."""
    path = write_tiny(tmp_path, calibration=SURE)
    scorer = Scorer(path, preset="relaxed")
    before = scorer.row(plain_talk)
    path.unlink()
    assert scorer.row(plain_talk) == before
    assert before["keep"]
    with pytest.raises(ModelError):
        Scorer(path).row(plain_talk)


def test_a_preset_needs_a_scale(plain_talk: Path, tmp_path: Path) -> None:
    """Protects from thresholds on an unknown scale: without calibration only the published network can be judged."""
    unknown = write_tiny(tmp_path / "a", calibration=None)
    with pytest.raises(UsageError, match="calibrate it"):
        Scorer(unknown, preset="relaxed")({"path": [str(plain_talk)]})
    assert Scorer(unknown).row(plain_talk)["status"] == "undecided"
    assert Scorer(write_tiny(tmp_path / "b", calibration=SURE), preset="relaxed").row(plain_talk)["keep"]


def test_the_published_network_is_judged_by_its_confidence(plain_talk: Path, tmp_path: Path) -> None:
    """Protects comparability: with an imported syncnet-v2 the thresholds are those that people know."""
    about = {"network": PUBLISHED}
    path = write_tiny(tmp_path, calibration=None, name="mine", length=20.0, about=about)
    assert json.loads(path.read_text())["calibration"] is None
    row = Scorer(path, preset="relaxed").row(plain_talk)
    assert row["confidence"] > 1.5
    assert (row["status"], row["keep"], row["drop_reasons"]) == ("undecided", True, [])
    quiet = Scorer(write_tiny(tmp_path / "b", calibration=None, about=about), preset="relaxed").row(plain_talk)
    assert quiet["confidence"] < 1.5
    assert quiet["drop_reasons"] == ["confidence below 1.5"]
