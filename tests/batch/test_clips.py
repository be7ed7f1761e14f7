"""Which clips there are, what they are called, and which part of them a shard is."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.batch.clips import find_clips, parse_shard, shard_of
from clapboard.errors import MediaError, UsageError


def pack(path: Path, members: dict[str, bytes]) -> Path:
    """Return a tar file of these members."""
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@given(st.lists(st.text(), unique=True), st.integers(1, 50))
def test_shards_part_the_clips(ids: list[str], count: int) -> None:
    """Protects Slurm arrays: every clip is in exactly one part, whatever the others are."""
    parts = [[id_ for id_ in ids if shard_of(id_, count) == part] for part in range(count)]
    assert sorted(id_ for part in parts for id_ in part) == sorted(ids)


def test_shards_are_the_same_everywhere() -> None:
    """Protects runs on several machines and versions: the hash is not Python's, which differs from run to run."""
    assert [shard_of(id_, 1000) for id_ in ("a.mp4", "b.mp4", "s.tar/000017.mp4", "ä.mp4")] == [848, 328, 224, 250]
    sizes = [sum(shard_of(f"{n:06d}.mp4", 8) == part for n in range(4000)) for part in range(8)]
    assert min(sizes) > 400


@pytest.mark.parametrize("text", ["8/8", "-1/8", "1", "0/0", "a/b", "1/2/3", "", " 0/2", "0/2\n", "٣/٨"])
def test_shards_that_are_none(text: str) -> None:
    """Protects from arrays that count from 1, which would leave out a part."""
    with pytest.raises(UsageError, match="i from 0 to n - 1"):
        parse_shard(text)
    assert parse_shard("7/8") == (7, 8)
    assert parse_shard(None) is None


def test_ids_are_paths_below_the_folder(tmp_path: Path) -> None:
    """Protects joins with other tables: the same id wherever the folder lies; hidden and other files are left out."""
    for name in ("b.mp4", "x/a.MKV", "x/y/a.webm", "x/notes.txt", ".hidden/a.mp4", "x/._a.mp4"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    os.link(tmp_path / "clips" / "b.mp4", tmp_path / "clips" / "linked.mp4")
    found = find_clips([tmp_path / "clips", tmp_path / "clips" / "x" / "notes.txt"])
    assert [clip.id for clip in found] == ["b.mp4", "linked.mp4", "notes.txt", "x/a.MKV", "x/y/a.webm"]
    assert {clip.size_bytes for clip in found} == {5}
    assert find_clips([tmp_path / "clips" / "b.mp4"] * 2) == find_clips([tmp_path / "clips" / "b.mp4"])


@pytest.mark.skipif(os.name != "posix", reason="names of bytes")
def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    """Protects readers of JSON: odd bytes are escaped, and the file is still found."""
    name = os.fsdecode(b"caf\xe9.mp4")
    try:
        (tmp_path / name).write_bytes(b"1")
    except OSError:
        pytest.skip("this file system takes no such name")
    (clip,) = find_clips([tmp_path])
    assert clip.id == "caf\\xe9.mp4"
    assert clip.path.exists()


def test_two_clips_of_one_name_are_refused(tmp_path: Path) -> None:
    """Protects rows from being taken for those of another clip."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.mp4").write_bytes(b"1")
    with pytest.raises(UsageError, match=r"would both be called one\.mp4"):
        find_clips([tmp_path / "a", tmp_path / "b"])
    assert len(find_clips([tmp_path])) == 2


def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    """Protects from a run over a wrong folder that looks like success."""
    with pytest.raises(UsageError, match="no video or tar file"):
        find_clips([tmp_path])
    with pytest.raises(UsageError, match="no such file or folder"):
        find_clips([tmp_path / "nowhere"])


def test_members_of_a_tar_file(tmp_path: Path) -> None:
    """Protects WebDataset shards: videos are clips, their sidecars are not, bytes are those of the member."""
    members = {"./0/1.mp4": b"first", "0/1.json": b"{}", "2.MKV": b"second!", "._3.mp4": b"x", "4.txt": b"y"}
    pack(tmp_path / "s.tar", members)
    found = find_clips([tmp_path])
    assert [clip.id for clip in found] == ["s.tar/0/1.mp4", "s.tar/2.MKV"]
    assert [clip.read() for clip in found] == [b"first", b"second!"]
    assert [clip.size_bytes for clip in found] == [5, 7]


def test_of_two_members_of_one_name_the_later_counts(tmp_path: Path) -> None:
    """Protects the one row for one id: as when the file is unpacked."""
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for data in (b"old", b"newer"):
            info = tarfile.TarInfo("a.mp4")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    (clip,) = find_clips([tmp_path / "s.tar"])
    assert clip.read() == b"newer"


def test_links_in_a_tar_file_are_not_followed(tmp_path: Path) -> None:
    """Protects other files: a member that points to one is a row with the reason."""
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for kind, target in ((tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "other.mp4")):
            info = tarfile.TarInfo(f"{kind.decode()}.mp4")
            info.type, info.linkname = kind, target
            tar.addfile(info)
    assert ["is a link" in clip.problem for clip in find_clips([tmp_path])] == [True, True]


@pytest.mark.parametrize("keep", [300, 512 + 700, 1536 + 100, 1536 + 512 + 700])
def test_a_tar_file_that_is_cut_off(tmp_path: Path, keep: int) -> None:
    """Protects the clips before the damage, and says that there was more."""
    path = pack(tmp_path / "s.tar", {"a.mp4": b"a" * 1000, "b.mp4": b"b" * 1000})
    path.write_bytes(path.read_bytes()[:keep])
    found = find_clips([path])
    whole = [clip for clip in found if not clip.problem]
    assert [clip.read() for clip in whole] == [b"a" * 1000, b"b" * 1000][: len(whole)]
    assert any(clip.problem for clip in found)
    assert all("complete copy" in clip.problem for clip in found if clip.problem)


def test_a_damaged_header_is_no_end(tmp_path: Path) -> None:
    """Protects the clips behind it from being forgotten: the library would stop there without a word."""
    path = pack(tmp_path / "s.tar", {"a.mp4": b"a" * 1000, "b.mp4": b"b" * 1000, "c.mp4": b"c" * 1000})
    data = bytearray(path.read_bytes())
    data[1536 + 150] ^= 0x10  # the checksum of the second header
    path.write_bytes(data)
    assert [(clip.id, bool(clip.problem)) for clip in find_clips([path])] == [("s.tar", True), ("s.tar/a.mp4", False)]


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 99, bytes(10_240)])
def test_what_is_no_tar_file(tmp_path: Path, content: bytes) -> None:
    """Protects the others: it is one row with a problem, or an empty tar file without clips."""
    (tmp_path / "ok.mp4").write_bytes(b"1")
    (tmp_path / "s.tar").write_bytes(content)
    found = find_clips([tmp_path])
    assert [clip.id for clip in found if not clip.problem] == ["ok.mp4"]
    assert [clip.id for clip in found if clip.problem] == ([] if content == bytes(10_240) else ["s.tar"])


def test_a_tar_file_that_changes_meanwhile(tmp_path: Path) -> None:
    """Protects from half a clip being measured."""
    path = pack(tmp_path / "s.tar", {"a.mp4": b"a" * 1000})
    (clip,) = find_clips([path])
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(MediaError, match="ends before the clip does"):
        clip.read()
    path.unlink()
    with pytest.raises(MediaError, match="cannot be read"):
        clip.read()


def test_two_tar_files_in_one_are_told(tmp_path: Path) -> None:
    """Protects the clips of the second of two that were joined end to end: no reader sees them, so it is said."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(b"x" * 100)
        with tarfile.open(tmp_path / f"{name}.tar", "w") as tar:
            tar.add(tmp_path / f"{name}.mp4", f"{name}.mp4")
    (tmp_path / "ab.tar").write_bytes((tmp_path / "a.tar").read_bytes() + (tmp_path / "b.tar").read_bytes())
    found = {clip.id: clip.problem for clip in find_clips([tmp_path / "ab.tar"])}
    assert found["ab.tar/a.mp4"] == ""
    assert "more follows its end" in found["ab.tar"]
    assert [clip.problem for clip in find_clips([tmp_path / "a.tar"])] == [""]
