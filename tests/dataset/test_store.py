"""The store: what goes in comes out, a killed writer loses nothing that was there, damage is told in one line."""

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import toy

from clapboard.dataset.store import Dataset, Dropped, Writer, shard_path
from clapboard.errors import MediaError, UsageError


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    """Protects the arrays: every pixel, time and sample, in gray and in colour, and the row beside them."""
    for name, colour in (("gray", False), ("colour", True)):
        put = toy.stored(7, px=32, colour=colour)
        with Writer(tmp_path / name, "any-view", {"a": 1}) as writer:
            writer.add(toy.entry(7), put)
            writer.drop(Dropped("b.mp4", None, "no face", 3.5))
            writer.finished()
        found = Dataset.open(tmp_path / name)
        got = found.stored(found.entries[0])
        for field in ("images", "time_s", "samples"):
            np.testing.assert_array_equal(getattr(got, field), getattr(put, field))
        assert (got.start_s, found.entries[0], found.view) == (0.25, toy.entry(7), "any-view")
        assert found.dropped == (Dropped("b.mp4", None, "no face", 3.5),)


def test_pictures_stay_on_disk(tmp_path: Path) -> None:
    """Protects memory: a track's pictures are views of the file, no copies, also after a trip to another process."""
    found = Dataset.open(toy.write(tmp_path / "set"))
    for each in (found, pickle.loads(pickle.dumps(found))):
        images = each.stored(each.entries[1]).images
        assert isinstance(images, np.memmap)
        assert not images.flags.owndata
        assert not images.flags.writeable
    assert len(pickle.dumps(found)) < 1000


def test_others_can_read_a_shard(tmp_path: Path) -> None:
    """Protects the container: the safetensors library reads the same arrays as we do."""
    from safetensors.numpy import load_file

    found = Dataset.open(toy.write(tmp_path / "set"))
    theirs = load_file(shard_path(found.folder, 0))
    for entry in found.entries:
        np.testing.assert_array_equal(theirs[f"{entry.id}/images"], found.stored(entry).images)
        np.testing.assert_array_equal(theirs[f"{entry.id}/samples"], found.stored(entry).samples)
    assert len(theirs) == 4 * len(found.entries)


def test_a_full_shard_is_closed_between_files(tmp_path: Path) -> None:
    """Protects resuming by file: the tracks of one file are never in two shards, however large they are."""
    with Writer(tmp_path / "set", toy.VIEW, shard_bytes=200_000) as writer:
        for seed in range(6):
            for track in range(2):
                writer.add(toy.entry(seed, id=f"{seed}-{track}", track=track), toy.stored(seed))
            writer.finished()
    entries = Dataset.open(tmp_path / "set").entries
    assert [entry.shard for entry in entries] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_a_writer_goes_on(tmp_path: Path) -> None:
    """Protects long preparations: a second writer adds to what is there, and knows which files are finished."""
    whole, halves = toy.write(tmp_path / "whole", range(4)), tmp_path / "halves"
    toy.write(halves, range(2))
    with Writer(halves, toy.VIEW, {"faces": "strict"}) as writer:
        assert set(writer.files) == {"talk/clip0.mp4", "talk/clip1.mp4"}
    toy.write(halves, range(2, 4))
    one, two = Dataset.open(whole), Dataset.open(halves)
    assert [entry.id for entry in one.entries] == [entry.id for entry in two.entries]
    for mine, other in zip(one.entries, two.entries, strict=True):
        np.testing.assert_array_equal(one.stored(mine).images, two.stored(other).images)


def test_an_error_keeps_what_is_finished(tmp_path: Path) -> None:
    """Protects Ctrl-C: finished files are there afterwards, of the file at work nothing is."""

    def interrupted() -> None:
        with Writer(tmp_path / "set", toy.VIEW) as writer:
            writer.add(toy.entry(0), toy.stored(0))
            writer.finished()
            writer.add(toy.entry(1), toy.stored(1))
            writer.drop(Dropped("talk/clip1.mp4", 3, "no speech"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    found = Dataset.open(tmp_path / "set")
    assert [entry.id for entry in found.entries] == ["clip0-0"]
    assert found.dropped == ()


MOMENTS = {"after the shard": 1, "between the rows": 2, "after the rows": 3}
KILLING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import toy
from clapboard.dataset import store
steps = []
def killed_at(step, real):
    def call(*args):
        steps.append(step)
        if len(steps) == {moment}:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)
    return call
for step in ("append_rows", "write_head"):
    setattr(store, step, killed_at(step, getattr(store, step)))
toy.write(Path({folder!r}), range(2, 4))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_killed_writer_leaves_the_data_set_as_it_was(tmp_path: Path, moment: int) -> None:
    """Protects against power cuts: killed between two steps of a commit, the old state opens and goes on."""
    folder = toy.write(tmp_path / "set", range(2))
    code = KILLING.format(tests=str(Path(__file__).parent), moment=moment, folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [entry.id for entry in Dataset.open(folder).entries] == ["clip0-0", "clip1-0"]
    toy.write(folder, range(2, 4))
    found = Dataset.open(folder)
    assert [entry.id for entry in found.entries] == [f"clip{seed}-0" for seed in range(4)]
    for seed, entry in enumerate(found.entries):
        np.testing.assert_array_equal(found.stored(entry).samples, toy.stored(seed).samples)


def test_other_settings_are_refused(tmp_path: Path) -> None:
    """Protects a data set from a mixture: another view or rule needs another folder, and the line says what differs."""
    folder = toy.write(tmp_path / "set")
    with pytest.raises(UsageError, match="faces strict and not per-face"):
        Writer(folder, toy.VIEW, {"faces": "per-face"})
    with pytest.raises(UsageError, match="view mouth-64 and not face-96"):
        Writer(folder, "face-96", {"faces": "strict"})


@pytest.mark.skipif(os.name != "posix", reason="needs locks of files")
def test_two_writers_are_refused(tmp_path: Path) -> None:
    """Protects against two commands at once; a writer that ended, well or not, is in nobody's way."""
    folder = toy.write(tmp_path / "set")
    with Writer(folder, toy.VIEW, {"faces": "strict"}), pytest.raises(UsageError, match="is being written by another"):
        Writer(folder, toy.VIEW, {"faces": "strict"})
    with pytest.raises(UsageError, match="other settings"):
        Writer(folder, toy.VIEW)
    toy.write(folder, range(4, 5))


def test_other_peoples_folders_are_left_alone(tmp_path: Path) -> None:
    """Protects files: a folder that holds anything else is never written into."""
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UsageError, match="exists and is no data set"):
        Writer(tmp_path, toy.VIEW)
    with pytest.raises(UsageError, match="exists and is no data set"):
        Writer(tmp_path / "holiday.jpg", toy.VIEW)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_tracks_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    """Protects readers: shapes are judged where they are written, and an id is there once."""
    with Writer(tmp_path / "set", toy.VIEW) as writer:
        with pytest.raises(UsageError, match="a track is"):
            writer.add(toy.entry(0, frames=31), toy.stored(0))
        writer.add(toy.entry(0), toy.stored(0))
        with pytest.raises(UsageError, match="holds clip0-0 already"):
            writer.add(toy.entry(0), toy.stored(0))


def _edit_head(folder: Path, **fields: object) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def _cut(path: Path, count: int) -> None:
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - count)


def _replace(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


DAMAGE = {
    "newer": (lambda f: _edit_head(f, version=2), "version 2, this Clapboard reads 1; update Clapboard"),
    "foreign": (lambda f: _edit_head(f, format="x"), "belongs to something else"),
    "no json": (lambda f: (f / "dataset.json").write_text("{"), "dataset.json: is damaged"),
    "no head": (lambda f: (f / "dataset.json").unlink(), "is no data set"),
    "no manifest": (lambda f: (f / "manifest.jsonl").unlink(), "manifest.jsonl: is missing"),
    "cut manifest": (lambda f: _cut(f / "manifest.jsonl", 30), "manifest.jsonl: is damaged"),
    "no shard": (lambda f: shard_path(f, 0).unlink(), "00000.safetensors: is missing"),
    "cut shard": (lambda f: _cut(shard_path(f, 0), 1), "00000.safetensors: is damaged"),
    "empty shard": (lambda f: shard_path(f, 0).write_bytes(b""), "00000.safetensors: is damaged"),
    "other bytes": (lambda f: shard_path(f, 0).write_bytes(bytes(range(256)) * 9), "00000.safetensors: is damaged"),
    "a list": (lambda f: shard_path(f, 0).write_bytes(b"\x02" + bytes(7) + b"[]"), "00000.safetensors: is damaged"),
    "no such shard": (lambda f: _replace(f / "manifest.jsonl", "\"shard\": 0", "\"shard\": 9"), "that does not exist"),
    "no id": (lambda f: _replace(f / "manifest.jsonl", '"id"', '"di"'), r"manifest.jsonl: is damaged \(no id\)"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_told_in_one_line(tmp_path: Path, damage: str) -> None:
    """Protects people with half a copy: what is wrong and what to do, never a traceback out of numpy or json."""
    folder = toy.write(tmp_path / "set")
    spoil, words = DAMAGE[damage]
    spoil(folder)
    with pytest.raises(MediaError, match=words) as caught:
        Dataset.open(folder)
    assert "\n" not in str(caught.value)


def test_a_shard_without_a_track_is_told(tmp_path: Path) -> None:
    """Protects against a shard of another data set that has the right size."""
    one, two = toy.write(tmp_path / "one", range(2)), toy.write(tmp_path / "two", range(2, 4))
    os.replace(shard_path(two, 0), shard_path(one, 0))
    found = Dataset.open(one)
    with pytest.raises(MediaError, match="does not hold clip0-0/images"):
        found.stored(found.entries[0])


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """Protects old archives: a file name may hold any bytes, and accents stay readable in the manifest."""
    odd = os.fsdecode(b"caf\xe9.mp4")
    folder = toy.write(tmp_path / "set", range(1), file=odd)
    toy.write(folder, range(1, 2), file="é.mp4")
    assert [entry.file for entry in Dataset.open(folder).entries] == [odd, "é.mp4"]
    assert "é.mp4" in (folder / "manifest.jsonl").read_text(encoding="utf-8")


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects what was there: the data set stays as it was, and the error names the folder."""
    folder = toy.write(tmp_path / "set", range(2))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("clapboard.dataset.store.write_shard", full)
    with pytest.raises(MediaError, match=r"set: cannot be written \(No space left"):
        toy.write(folder, range(2, 4))
    assert len(Dataset.open(folder).entries) == 2
