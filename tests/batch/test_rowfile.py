"""The file of rows: whole clips only, whatever tore it, and only with the settings it was begun with."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clapboard.batch.rowfile import RowFile
from clapboard.errors import MediaError, UsageError

SETTINGS = {"preset": "strict", "inputs": ["clips"], "version": "1"}


def rows(id_: str, faces: int) -> list[dict[str, Any]]:
    """Return the rows of one clip."""
    return [{"id": id_, "faces": faces, "track": track if faces else None} for track in range(max(1, faces))]


CLIPS = [rows("a", 1), rows("b", 3), rows("ç\n", 0), rows("d", 2)]


def written(path: Path) -> Path:
    """Return a file of whole clips."""
    with RowFile(path, SETTINGS) as file:
        assert list(file.earlier()) == []
        for clip in CLIPS:
            file.append(clip)
    return path


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    """Protects resuming: clip by clip, and what is added later stands behind."""
    path = written(tmp_path / "out.jsonl")
    with RowFile(path, SETTINGS) as file:
        assert list(file.earlier()) == CLIPS
        file.append(rows("e", 1))
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["id"] for row in found] == ["a", "b", "b", "b", "ç\n", "d", "d", "e"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.jsonl", "out.jsonl.settings.json"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_a_torn_end_is_cut_off(tmp_path: Path, data: st.DataObject) -> None:
    """Protects every row of a run that was killed anywhere: whole clips stay, the torn one is measured again."""
    path = tmp_path / "out.jsonl"
    path.unlink(missing_ok=True)
    whole = written(path).read_bytes()
    keep = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:keep])
    ends = [sum(len(json.dumps(row)) + 1 for clip in CLIPS[:count] for row in clip) for count in range(len(CLIPS) + 1)]
    complete = max(count for count, end in enumerate(ends) if end <= keep)
    with RowFile(path, SETTINGS) as file:
        assert list(file.earlier()) == CLIPS[:complete]
        for clip in CLIPS[complete:]:
            file.append(clip)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("junk", [b"{\n", b"\0\0\0\0\n", b'{"id": 3}\n', b"[]\n"])
def test_damage_in_the_middle_is_told(tmp_path: Path, junk: bytes) -> None:
    """Protects rows behind a damaged line from being cut off silently."""
    path = written(tmp_path / "out.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], junk, *lines[1:]]))
    before = path.read_bytes()
    with RowFile(path, SETTINGS) as file, pytest.raises(MediaError, match="line 2 is damaged"):
        list(file.earlier())
    assert path.read_bytes() == before


def test_zeros_at_the_end_are_a_torn_line(tmp_path: Path) -> None:
    """Protects from what some disks leave after a power cut."""
    path = written(tmp_path / "out.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(300))
    with RowFile(path, SETTINGS) as file:
        assert list(file.earlier()) == CLIPS
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"preset": None}, "begun with preset strict, not none"),
        ({"inputs": ["clips", "more"]}, "begun with inputs clips, not clips more"),
        ({"inputs": [f"{n}.mp4" for n in range(5000)]}, "not 0.mp4 1.mp4 2.mp4 and 4997 more; give the same"),
        ({"format": 0}, "begun with format 1, not 0"),
    ],
)
def test_other_settings_do_not_go_on(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    """Protects from rows of two kinds in one file; the version of the program is only noted."""
    path = written(tmp_path / "out.jsonl")
    before = path.read_bytes()
    with pytest.raises(UsageError, match=words):
        RowFile(path, {**SETTINGS, **changed})
    with RowFile(path, {**SETTINGS, "version": "2"}) as file:
        assert list(file.earlier()) == CLIPS
    assert path.read_bytes() == before
    with RowFile(path, {**SETTINGS, **changed}, overwrite=True) as file:
        assert list(file.earlier()) == []
    with RowFile(path, {**SETTINGS, **changed}) as file:
        assert list(file.earlier()) == []


@pytest.mark.parametrize("said", [None, "no json", "[]"])
def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, said: str | None) -> None:
    """Protects what happens to be called so."""
    path = tmp_path / "out.jsonl"
    path.write_text("precious\n")
    if said is not None:
        (tmp_path / "out.jsonl.settings.json").write_text(said)
    with pytest.raises(UsageError, match=r"--overwrite,? or another -o"):
        RowFile(path, SETTINGS)
    assert path.read_text() == "precious\n"


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """Protects from rows that come twice: a second run is told that there is a first."""
    pytest.importorskip("fcntl")
    with RowFile(tmp_path / "out.jsonl", SETTINGS), pytest.raises(UsageError, match="another run writes to it"):
        RowFile(tmp_path / "out.jsonl", SETTINGS, overwrite=True)
    with RowFile(tmp_path / "out.jsonl", SETTINGS) as file:
        assert list(file.earlier()) == []


def test_places_that_cannot_be(tmp_path: Path) -> None:
    """Protects from learning at the end that nothing could be written."""
    for path, words in ((tmp_path, "is a directory"), (tmp_path / "no" / "out.jsonl", "there is no folder")):
        with pytest.raises(UsageError, match=words):
            RowFile(path, SETTINGS)
    if Path("/dev/full").exists():
        with pytest.raises(UsageError, match="is not a regular file"):
            RowFile(Path("/dev/full"), SETTINGS)


def test_not_a_number_is_no_json(tmp_path: Path) -> None:
    """Protects readers of other languages: a NaN is a mistake of ours, which is not written."""
    with RowFile(tmp_path / "out.jsonl", SETTINGS) as file, pytest.raises(ValueError, match="JSON"):
        file.append([{"id": "a", "faces": 0, "offset_ms": float("nan")}])
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_a_disk_that_cannot_keep_rows_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects from a defect being told where a disk is gone: also when it is seen only at the end."""

    def gone(number: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    file = RowFile(tmp_path / "out.jsonl", SETTINGS)
    monkeypatch.setattr(os, "fsync", gone)
    with pytest.raises(MediaError, match="Input/output error"), file:
        file.append(CLIPS[0])


def is_b(clip: list[dict[str, Any]]) -> bool:
    """Whether this is the second clip of `CLIPS`."""
    return bool(clip[0]["id"] == "b")


def test_rows_of_some_clips_are_taken_out(tmp_path: Path) -> None:
    """Protects those who try errors again: the others stay as they are, the file stays that of this run alone."""
    path = written(tmp_path / "out.jsonl")
    with RowFile(path, SETTINGS) as file:
        assert file.drop(is_b) == 1
        assert file.drop(is_b) == 0
        with pytest.raises(UsageError, match="another run writes to it"):
            RowFile(path, SETTINGS)
        file.append(rows("b", 1))
    with RowFile(path, SETTINGS) as file:
        assert list(file.earlier()) == [CLIPS[0], *CLIPS[2:], rows("b", 1)]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.jsonl", "out.jsonl.settings.json"]


def test_taking_out_is_done_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects every row from a run that ends in the middle of it: up to the last moment the file is as it was."""
    path = written(tmp_path / "out.jsonl")
    before = path.read_bytes()

    def gone(self: Path, target: Path) -> None:
        assert target.read_bytes() == before
        raise OSError(errno.ENOSPC, "No space left on device")

    with RowFile(path, SETTINGS) as file, monkeypatch.context() as patched:
        patched.setattr(Path, "replace", gone)
        with pytest.raises(MediaError, match="No space left"):
            file.drop(is_b)
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.jsonl", "out.jsonl.settings.json"]
