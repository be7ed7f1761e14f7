"""Which files are prepared and what they are called: folders, names, links, and label files."""

import os
import re
from pathlib import Path

import pytest

from clapboard.dataset.sources import LEFT_OUT, TWICE, Labels, find
from clapboard.errors import MediaError, UsageError


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """Return a folder with speakers, and with what is no video."""
    names = (
        "b.mp4",
        "Änne/z.MKV",
        "Änne/day 2/a.webm",
        "carl/a.mp4",
        "carl/notes.txt",
        ".hidden/a.mp4",
        "carl/._a.mp4",
    )
    for number, name in enumerate(names):
        path = tmp_path / "talks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(number))
    return tmp_path / "talks"


def label(folder: Path, text: str) -> Labels:
    """Return the labels that a CSV beside the videos gives."""
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return Labels.read(path)


def test_folders_say_who_speaks(talks: Path) -> None:
    """Protects the defaults: corpus by the folder's name, speaker by the first folder below it, else by the file."""
    found = find([talks])
    assert [(s.file, s.corpus, s.speaker, s.group, s.size_bytes) for s in found.sources] == [
        ("b.mp4", "talks", "b.mp4", "talks/b.mp4", 0),
        ("carl/a.mp4", "talks", "carl", "talks/carl", 3),
        ("Änne/day 2/a.webm", "talks", "Änne", "talks/Änne", 2),
        ("Änne/z.MKV", "talks", "Änne", "talks/Änne", 1),
    ]
    assert found.left_out == ()


def test_relative_paths_and_links_change_no_name(talks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects resuming: the same files have the same names from wherever they are looked at."""
    names = [(s.file, s.corpus) for s in find([talks]).sources]
    monkeypatch.chdir(talks / "carl")
    assert [(s.file, s.corpus) for s in find([".."]).sources] == names
    (talks.parent / "link").symlink_to(talks)
    assert [s.file for s in find([talks.parent / "link"]).sources] == [name for name, _ in names]


def test_a_file_is_there_once(talks: Path) -> None:
    """Protects against learning the same clip twice: given twice, linked, or under a second name."""
    os.link(talks / "carl/a.mp4", talks / "carl/copy.mp4")
    (talks / "linked.mp4").symlink_to(talks / "carl/a.mp4")
    (talks / "carl/round").symlink_to(talks)
    found = find([talks, talks / "carl" / "a.mp4"])
    assert sorted(s.path.name for s in found.sources) == ["a.mp4", "a.webm", "b.mp4", "z.MKV"]
    assert [(s.file, why) for s, why in found.left_out] == [("carl/copy.mp4", TWICE)]


def test_who_speaks_can_be_told(talks: Path) -> None:
    """Protects --speaker-from: by file, by folder, by an expression with a group or without."""
    assert {s.speaker for s in find([talks], speaker_from="file").sources} == {
        "b.mp4", "carl/a.mp4", "Änne/day 2/a.webm", "Änne/z.MKV",
    }  # fmt: skip
    assert {s.speaker for s in find([talks], speaker_from=r"(\w)\.\w+$").sources} == {"a", "b", "z"}
    assert {s.speaker for s in find([talks / "carl"], speaker_from=r"^\w").sources} == {"a"}
    with pytest.raises(UsageError, match=re.escape("--speaker-from carl: does not match b.mp4")):
        find([talks], speaker_from="carl")
    with pytest.raises(UsageError, match="is no regular expression"):
        find([talks], speaker_from="(")


def test_labels_go_before_folders(talks: Path) -> None:
    """Protects label files: names as the CSV has them, empty cells as if not there, offsets with their sign."""
    text = (
        "file,corpus,speaker,offset_ms,usable,other\n"
        "carl/a.mp4,lab,karl,-40.5,yes,x\nÄnne/z.MKV,,,20,no,\nÄnne/day 2/a.webm,,anne,7,drop,\n"
    )
    found = find([talks], labels=label(talks, text))
    said = {s.file: (s.corpus, s.speaker, s.offset_ms) for s in found.sources}
    assert said == {
        "b.mp4": ("talks", "b.mp4", None),
        "carl/a.mp4": ("lab", "karl", -40.5),
        "Änne/z.MKV": ("talks", "Änne", None),
    }
    assert [(s.file, why) for s, why in found.left_out] == [("Änne/day 2/a.webm", LEFT_OUT)]


def test_names_are_those_of_the_labels(talks: Path) -> None:
    """Protects joining tables: the CSV may lie elsewhere, and name files relative to itself or absolutely."""
    labels = label(talks.parent, f"file\ntalks/carl/a.mp4\n{talks}/b.mp4\n")
    assert {s.file for s in find([talks], labels=labels).sources} >= {"talks/carl/a.mp4", "talks/b.mp4"}


def test_one_part_alone(talks: Path) -> None:
    """Protects splits: with a part, only rows of it count, and files without a row are not taken."""
    labels = label(talks, "file,part\ncarl/a.mp4,train\nb.mp4,dev\n")
    assert [s.file for s in find([talks], labels=labels, part="train").sources] == ["carl/a.mp4"]
    with pytest.raises(UsageError, match="no video of part test was found"):
        find([talks], labels=labels, part="test")


def test_two_files_of_one_name_are_refused(talks: Path) -> None:
    """Protects offsets, which are kept by name: what would be mixed up is told before hours of work."""
    with pytest.raises(UsageError, match=r"would both be called a.mp4; give the folder above them"):
        find([talks / "carl", talks.parent / "talks" / ".hidden"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name\na\n", "row 2 names no file"),
        ("file,offset_ms\na.mp4,soon\n", "row 2 has the offset soon"),
        ("file,offset_ms\na.mp4,inf\n", "row 2 has the offset inf"),
    ],
)
def test_what_is_no_label_file(tmp_path: Path, text: str, words: str) -> None:
    """Protects typing errors in tables: the row and what is wrong with it."""
    with pytest.raises(UsageError, match=words):
        label(tmp_path, text)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Protects people: missing inputs, empty folders, and tables that are no text."""
    with pytest.raises(UsageError, match="there is no such file or folder"):
        find([tmp_path / "none"])
    with pytest.raises(UsageError, match="no video file was found there"):
        find([tmp_path])
    with pytest.raises(MediaError, match="cannot be read"):
        Labels.read(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"file\n\xff\xfe\n")
    with pytest.raises(MediaError, match="is no table of text"):
        Labels.read(tmp_path / "b.csv")
