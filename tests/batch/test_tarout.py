"""Kept clips packed into tar files: whole or not at all, each once, and named so that WebDataset reads them."""

import json
import os
import re
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.batch.clips import ClipAt, find_clips
from clapboard.batch.tarout import TarShards, names_for
from clapboard.errors import MediaError, UsageError

SAMPLE = re.compile(r"^((?:.*/|)[^.]+)[.]([^/]*)$")
"""How WebDataset parts a member's name into that of the sample and its kind."""


@pytest.fixture
def clips(tmp_path: Path) -> list[ClipAt]:
    """Return five clips of 1000 bytes and a bit, one of them in a tar file."""
    folder = tmp_path / "clips"
    (folder / "x").mkdir(parents=True)
    for number, name in enumerate(("a.mp4", "b.c.mp4", "x/a.mkv", "x/d.mp4")):
        (folder / name).write_bytes(bytes([number]) * (1000 + number))
    with tarfile.open(folder / "s.tar", "w") as tar:
        tar.add(folder / "a.mp4", "in/side.mp4")
    return find_clips([folder])


def shards(folder: Path, clips: Sequence[ClipAt], settle: Callable[[], None] = bool, **options: Any) -> TarShards:
    """Return the packer for these clips."""
    names = names_for([clip.id for clip in clips])
    return TarShards(
        folder, "clips", names, settle, **{"max_clips": 2, "max_bytes": 10**6, "overwrite": False} | options
    )


def members(path: Path) -> list[str]:
    """Return the names in a tar file."""
    with tarfile.open(path) as tar:
        return tar.getnames()


def unpacked(folder: Path) -> dict[str, bytes]:
    """Return all members of all tar files; none comes twice."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                assert member.name not in found
                found[member.name] = file.read()
    return found


def test_bytes_come_out_as_they_were(tmp_path: Path, clips: list[ClipAt]) -> None:
    """Protects the clips: no byte is changed, and each has its rows beside it, as one sample of WebDataset."""
    packer = shards(tmp_path / "out", clips)
    for clip in clips:
        assert packer.add(clip, [{"id": clip.id, "track": 0}]) == ""
    packer.close()
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [
        "clips-000000.tar",
        "clips-000001.tar",
        "clips-000002.tar",
    ]
    found = unpacked(tmp_path / "out")
    assert sorted(found) == [
        "a.json", "a.mp4", "b_c.json", "b_c.mp4", "s.tar/in/side.json", "s.tar/in/side.mp4", "x/a.json", "x/a.mkv",
        "x/d.json", "x/d.mp4",
    ]  # fmt: skip
    for clip in clips:
        name = names_for([each.id for each in clips])[clip.id]
        assert found[name] == (clip.read() if clip.begin is not None else clip.path.read_bytes())
        said = json.loads(found[name.rpartition(".")[0] + ".json"])
        assert said == {"id": clip.id, "rows": [{"id": clip.id, "track": 0}]}
    assert packer.packed == {clip.id for clip in clips}


@pytest.mark.parametrize(("limits", "sizes"), [({"max_clips": 3}, [3, 2]), ({"max_clips": 99}, [5]),
                                               ({"max_clips": 99, "max_bytes": 8000}, [2, 2, 1]),
                                               ({"max_bytes": 1}, [1] * 5)])  # fmt: skip
def test_they_are_not_larger_than_asked(
    tmp_path: Path, clips: list[ClipAt], limits: dict[str, int], sizes: list[int]
) -> None:
    """Protects the sizes that a cluster was planned for; a clip that is larger alone has a tar file alone."""
    packer = shards(tmp_path / "out", clips, **limits)
    for clip in clips:
        packer.add(clip, [])
    packer.close()
    paths = sorted((tmp_path / "out").iterdir())
    assert [len(members(path)) // 2 for path in paths] == sizes
    if limits.get("max_bytes", 1) > 1:
        assert all(path.stat().st_size <= limits["max_bytes"] + 10_240 for path in paths)


def test_only_whole_ones_have_a_name(tmp_path: Path, clips: list[ClipAt]) -> None:
    """Protects readers from half a tar file, and rows from being younger than the tar files that hold their clips."""
    settled = []
    packer = shards(
        tmp_path / "out", clips, lambda: settled.append(sorted(p.name for p in (tmp_path / "out").iterdir()))
    )
    for clip in clips[:3]:
        packer.add(clip, [])
    lock = [".clips.lock"] * (os.name == "posix")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*lock, ".clips.part", "clips-000000.tar"]
    assert settled == [[*lock, ".clips.part"]]
    packer.abandon()
    again = shards(tmp_path / "out", clips)
    assert again.packed == {clip.id for clip in clips[:2]}
    for clip in clips[2:]:
        again.add(clip, [])
    again.close()
    assert len(unpacked(tmp_path / "out")) == 10
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_killed_run_left_a_part(tmp_path: Path, clips: list[ClipAt]) -> None:
    """Protects the next run from what lies there: it is written over."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".clips.part").write_bytes(b"x" * 100_000)
    (tmp_path / "out" / ".clips.lock").write_bytes(b"")
    packer = shards(tmp_path / "out", clips)
    packer.add(clips[0], [])
    packer.close()
    assert list(unpacked(tmp_path / "out")) == ["a.mp4", "a.json"]
    assert len(list((tmp_path / "out").iterdir())) == 1 + (os.name != "posix")


def test_a_clip_that_is_gone_leaves_no_trace(tmp_path: Path, clips: list[ClipAt]) -> None:
    """Protects the others in the tar file from one that vanished or shrank after it was measured."""
    packer = shards(tmp_path / "out", clips, max_clips=99)
    clips[0].path.unlink()
    (inside,) = [clip for clip in clips if clip.begin is not None]
    inside.path.write_bytes(inside.path.read_bytes()[:1200])
    said = [packer.add(clip, []) for clip in clips]
    assert ["cannot be read any more" in line for line in said] == [clip is clips[0] for clip in clips]
    assert ["has become shorter" in line for line in said] == [clip is inside for clip in clips]
    packer.close()
    assert sorted(unpacked(tmp_path / "out")) == ["b_c.json", "b_c.mp4", "x/a.json", "x/a.mkv", "x/d.json", "x/d.mp4"]


def test_other_tar_files_are_refused_or_removed(tmp_path: Path, clips: list[ClipAt]) -> None:
    """Protects from mixing two runs; what is not called like ours is not touched."""
    packer = shards(tmp_path / "out", clips)
    packer.add(clips[0], [])
    packer.close()
    (tmp_path / "out" / "clips-old.tar").write_bytes(b"precious")
    again = shards(tmp_path / "out", clips)
    again.require_within({clips[0].id, "another"})
    with pytest.raises(UsageError, match=r"hold clips that the rows do not keep, such as a\.mp4"):
        again.require_within({"another"})
    again.abandon()
    (tmp_path / "out" / "clips-000007.tar").write_bytes(b"no tar file" * 100)
    with pytest.raises(MediaError, match="is no tar file of kept clips"):
        shards(tmp_path / "out", clips)
    shards(tmp_path / "out", clips, overwrite=True).abandon()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["clips-old.tar"]


def test_a_folder_that_cannot_be(tmp_path: Path, clips: list[ClipAt]) -> None:
    """Protects from a traceback where a file is in the way."""
    (tmp_path / "out").write_text("x")
    with pytest.raises(MediaError, match="cannot be written"):
        shards(tmp_path / "out", clips)


ids = st.lists(
    st.lists(st.text(st.sampled_from("aA.ä /\\_-"), min_size=1, max_size=6), min_size=1, max_size=3).map(
        lambda parts: "/".join(parts) + ".mp4"
    )
    | st.text(min_size=1)
    | st.just("a.mkv"),
    unique=True,
    max_size=30,
)


@given(ids)
def test_each_clip_is_a_sample_of_its_own(ids: list[str]) -> None:
    """Protects the samples, whatever the files were called: no two share a name, and none leads out of the folder."""
    names = names_for(ids)
    matches = [SAMPLE.match(names[id_]) for id_ in ids]
    assert all(matches)
    keys = [match[1].lower() for match in matches if match]
    assert len(set(keys)) == len(ids)
    for id_, match in zip(ids, matches, strict=True):
        assert match is not None
        assert not id_.endswith(".mp4") or match[2] == "mp4"
        assert not names[id_].startswith("/")
        assert ".." not in names[id_].split("/")


def test_two_runs_do_not_pack_into_one_folder(tmp_path: Path, clips: list[ClipAt]) -> None:
    """Protects tar files from two runs at once, which would write into one another's; others may pack beside it."""
    pytest.importorskip("fcntl")
    first = shards(tmp_path / "out", clips)
    with pytest.raises(UsageError, match="another run packs into it"):
        shards(tmp_path / "out", clips, overwrite=True)
    other = TarShards(
        tmp_path / "out",
        "clips-1of2",
        names_for([clip.id for clip in clips]),
        bool,
        max_clips=2,
        max_bytes=10**6,
        overwrite=False,
    )
    for packer in (first, other):
        assert packer.add(clips[0], []) == ""
        packer.close()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clips-000000.tar", "clips-1of2-000000.tar"]
    shards(tmp_path / "out", clips).abandon()
    assert not list((tmp_path / "out").glob(".*"))
