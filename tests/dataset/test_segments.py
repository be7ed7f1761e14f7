"""Lists of segments as AudioSet has them, the files that hold them, and classes by name."""

import os
import re
from pathlib import Path

import pytest

from clapboard.dataset.classes import choose, chosen_mids, read_class_names
from clapboard.dataset.segments import Recordings, Segment, find_segments, read_segments
from clapboard.dataset.sources import TWICE, Cut
from clapboard.errors import MediaError, UsageError

# The first lines are those of AudioSet's eval_segments.csv; ids of other rows are made up.
LIST = """# Segments csv created Sun Mar  5 10:54:25 2017
# num_ytids=20371, num_segs=20371, num_unique_labels=527, num_positive_labels=51804
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_,/m/0bt9lr,/m/0jbk"
-a_b-c_7_30, 30.000, 40.000, "/m/09x0r"
whole123456, 118.000, 128.000, "/m/07pc8lb,/m/09x0r"

gone1234567, 2.500, 9.000, "/m/07pws3f"
"""
NAMES = """index,mid,display_name
0,/m/09x0r,"Speech"
1,/m/05zppz,"Male speech, man speaking"
435,/m/07pc8lb,"Breaking"
431,/m/07ryjzk,"Slap, smack"
430,/m/07pws3f,"Bang"
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return a folder with the list, the names, and files in every form."""
    (tmp_path / "list.csv").write_text(LIST)
    (tmp_path / "names.csv").write_text(NAMES)
    for name in ("--4gqARaEJE_0_10000.mp4", "-a_b-c_7_30_000030.mkv", "deep/whole123456.webm", "else_5.mp4"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / name).write_bytes(name.encode())
    return tmp_path


def test_the_list_is_read_as_published(here: Path) -> None:
    """Protects the form: comments, blanks after commas, labels in quotes, fractions of seconds."""
    rows = list(read_segments(here / "list.csv"))
    assert rows[0] == Segment("--4gqARaEJE", 0, 10, ("/m/068hy", "/m/07q6cd_", "/m/0bt9lr", "/m/0jbk"))
    assert [row.recording for row in rows] == ["--4gqARaEJE", "-a_b-c_7_30", "whole123456", "gone1234567"]
    assert (rows[3].start_s, rows[3].end_s, rows[3].part) == (2.5, 9.0, "")


@pytest.mark.parametrize("header", ["# YTID, start_seconds, end_seconds, positive_labels, part\n", ""])
def test_a_column_of_parts(tmp_path: Path, header: str) -> None:
    """Protects splits: a fifth column is the part, with or without a line that says so."""
    (tmp_path / "list.csv").write_text(f'{header}abc, 1, 2, "/m/1", train\n')
    assert list(read_segments(tmp_path / "list.csv")) == [Segment("abc", 1, 2, ("/m/1",), "train")]


def test_columns_may_be_named_in_another_order(tmp_path: Path) -> None:
    """Protects lists that were written by other tools."""
    (tmp_path / "list.csv").write_text("ytid,part,positive_labels,start_seconds,end_seconds\nabc,dev,/m/1,1,2\n")
    assert list(read_segments(tmp_path / "list.csv")) == [Segment("abc", 1, 2, ("/m/1",), "dev")]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("abc", "row 2 is not YTID, start_seconds, end_seconds, positive_labels"),
        ("abc, soon, 2, /m/1", "row 2 is not YTID"),
        ("abc, 3, 2, /m/1", "row 2 has no recording, or does not end after it starts"),
        ("abc, 3, nan, /m/1", "row 2 has no recording"),
        (", 1, 2, /m/1", "row 2 has no recording"),
    ],
)
def test_rows_that_make_no_sense(tmp_path: Path, row: str, words: str) -> None:
    """Protects people: the row is named, and what is wrong with it."""
    (tmp_path / "list.csv").write_text(f"# made by hand\n{row}\n")
    with pytest.raises(UsageError, match=words):
        list(read_segments(tmp_path / "list.csv"))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Protects people: missing lists, and what is no text."""
    for reader in (lambda path: list(read_segments(path)), read_class_names):
        with pytest.raises(MediaError, match=r"none.csv: cannot be read"):
            reader(tmp_path / "none.csv")
        (tmp_path / "x.csv").write_bytes(b"mid,display_name\n\xff\xfe,x\n")
        with pytest.raises(MediaError, match="is no table of text"):
            reader(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text("index,name\n0,Speech\n")
    with pytest.raises(UsageError, match="row 2 has no mid or no display_name"):
        read_class_names(tmp_path / "x.csv")


def test_files_of_every_form_are_found(here: Path) -> None:
    """Protects the names of files: milliseconds, seconds, whole recordings; also ids that end like a time."""
    found, missing = find_segments([here / "videos"], here / "list.csv", names=read_class_names(here / "names.csv"))
    assert missing == 1
    said = {s.file: (s.speaker, s.group, s.cut, s.label) for s in found.sources}
    assert said == {
        "--4gqARaEJE_0_10000.mp4": (
            "--4gqARaEJE",
            "videos/--4gqARaEJE",
            Cut(0, 10, begun=True),
            "/m/068hy; /m/07q6cd_; /m/0bt9lr; /m/0jbk",
        ),
        "-a_b-c_7_30_000030.mkv": ("-a_b-c_7_30", "videos/-a_b-c_7_30", Cut(30, 40, begun=True), "Speech"),
        "deep/whole123456.webm#t=118,128": (
            "whole123456",
            "videos/whole123456",
            Cut(118, 128, begun=False),
            "Breaking; Speech",
        ),
    }
    assert [s.size_bytes for s in found.sources] == [
        len(s.path.relative_to(here / "videos").as_posix()) for s in found.sources
    ]


@pytest.mark.parametrize(
    ("name", "begun"),
    [
        ("id_30.mp4", True),
        ("id_000030.mp4", True),
        ("id_30.000.mp4", True),
        ("id_30000_40000.mp4", True),
        ("id_30.000_40.000.mp4", True),
        ("id_30_40.5.mp4", True),
        ("id.mp4", False),
        ("id_31.mp4", None),
        ("id_30_40.mp4", None),  # 30 to 40 ms
        ("id_soon.mp4", None),
        ("idx.mp4", None),
    ],
)
def test_names_of_files(tmp_path: Path, name: str, begun: bool | None) -> None:
    """Protects against cutting at the wrong place: a name that begins elsewhere is not the segment's."""
    (tmp_path / name).touch()
    held = Recordings([tmp_path]).file_of(Segment("id", 30, 40, ()))
    assert (held[1].begun if held else None) == begun


def test_a_cut_file_goes_before_a_whole_one(tmp_path: Path) -> None:
    """Protects against preparing a segment twice, and against decoding an hour for 10 s."""
    for name in ("id.mp4", "id_30.mp4"):
        (tmp_path / name).write_text(name)
    (tmp_path / "list.csv").write_text("id, 30, 40, /m/1\nid, 30, 40, /m/1\nid, 50, 60, /m/1\n")
    found, missing = find_segments([tmp_path], tmp_path / "list.csv", corpus="lab")
    assert [(s.file, s.group) for s in found.sources] == [("id.mp4#t=50,60", "lab/id"), ("id_30.mp4", "lab/id")]
    assert missing == 0


def test_linked_files_are_there_once(tmp_path: Path) -> None:
    """Protects against learning one segment twice under two ids."""
    (tmp_path / "one.mp4").write_text("x")
    os.link(tmp_path / "one.mp4", tmp_path / "two.mp4")
    (tmp_path / "list.csv").write_text("one, 30, 40, /m/1\ntwo, 30, 40, /m/1\n")
    found, _ = find_segments([tmp_path], tmp_path / "list.csv")
    assert [s.file for s in found.sources] == ["one.mp4#t=30,40"]
    assert [(s.file, why) for s, why in found.left_out] == [("two.mp4#t=30,40", TWICE)]


def test_parts_and_classes_choose_rows(here: Path) -> None:
    """Protects subsets: of a part, of a class; rows that were not asked for are not missing."""
    parted = "".join(f"{line}, {'train' if 'whole' in line else 'test'}\n" for line in LIST.splitlines()[3:] if line)
    (here / "parted.csv").write_text(parted)
    found, missing = find_segments([here / "videos"], here / "parted.csv", part="train")
    assert ([s.speaker for s in found.sources], missing) == (["whole123456"], 0)
    found, missing = find_segments([here / "videos"], here / "list.csv", classes={"/m/09x0r"})
    assert ([s.speaker for s in found.sources], missing) == (["-a_b-c_7_30", "whole123456"], 0)
    with pytest.raises(UsageError, match=r"none of 0 segments of part dev has a file below"):
        find_segments([here / "videos"], here / "parted.csv", part="dev")
    with pytest.raises(UsageError, match="there is no such file or folder"):
        find_segments([here / "none"], here / "list.csv")


def test_a_recording_belongs_to_one_part(tmp_path: Path) -> None:
    """Protects judging: two segments of one video in two parts would be learned and judged by."""
    (tmp_path / "id.mp4").touch()
    (tmp_path / "list.csv").write_text('id, 0, 10, "/m/1", train\nid, 50, 60, "/m/1", test\n')
    with pytest.raises(UsageError, match="id belongs to train and to test; a recording belongs to one part"):
        find_segments([tmp_path], tmp_path / "list.csv", part="train")


def test_classes_by_name_or_mid(here: Path) -> None:
    """Protects --classes: any case, names with commas of their own, mids."""
    names = read_class_names(here / "names.csv")
    assert choose("speech", names, where="x") == {"/m/09x0r"}
    assert choose("Slap, smack,/m/07pc8lb , bang", names, where="x") == {"/m/07ryjzk", "/m/07pc8lb", "/m/07pws3f"}
    assert choose("Speech,Male speech, man speaking", names, where="x") == {"/m/09x0r", "/m/05zppz"}
    assert chosen_mids("/m/1, /m/2", None, where="x") == {"/m/1", "/m/2"}
    with pytest.raises(UsageError, match="names of classes are in a file; give it with --class-names"):
        chosen_mids("Speech", None, where="x")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Spech", "names.csv has no class Spech; near to it are Speech"),
        ("Bang,slap", "has no class slap; near to it are Slap, smack"),
        ("Speech,", "has no class without a name"),
        ("xyz", "has no class xyz"),
    ],
)
def test_unknown_classes_get_near_names(here: Path, said: str, words: str) -> None:
    """Protects typing errors: one line with what may have been meant."""
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        choose(said, read_class_names(here / "names.csv"), where="names.csv")
    assert "\n" not in str(caught.value)
