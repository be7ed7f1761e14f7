"""Drawing parts from AudioSet's lists: so many of each, no recording in two, the same for everybody."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from clapboard.dataset.draw import Draw, draw, main, read_draw
from clapboard.dataset.segments import Segment, read_segments
from clapboard.errors import UsageError

SPEECH, BANG, BREAKING = "/m/09x0r", "/m/07pws3f", "/m/07pc8lb"
RECIPE = Path(__file__).parents[2] / "recipes" / "attention-avs-audioset.md"
IMPACTS = {  # of AudioSet's ontology: the children of "Generic impact sounds", /t/dd00099
    "/m/07pws3f": "Bang",
    "/m/07ryjzk": "Slap, smack",
    "/m/07rdhzs": "Whack, thwack",
    "/m/07pjjrj": "Smash, crash",
    "/m/07pc8lb": "Breaking",
    "/m/07pqn27": "Bouncing",
    "/m/07r4wb8": "Knock",
    "/m/07qcpgn": "Tap",
    "/m/07qnq_y": "Thump, thud",
    "/m/07rbp7_": "Whip",
    "/m/07pyf11": "Flap",
}


def rows(count: int = 300) -> list[Segment]:
    """Return made-up rows: two of three with speech, every fifth with a bang as well or alone."""
    made = []
    for n in range(count):
        labels = [*([SPEECH] if n % 3 else []), *([BANG] if n % 5 == 0 else [])]
        made.append(Segment(f"id{n:04d}", n, n + 10, tuple(labels)))
    return made


DRAWS = [
    Draw("train", 40, frozenset({SPEECH})),
    Draw("test", 60, frozenset({SPEECH})),
    Draw("impact", 30, frozenset({BANG, BREAKING})),
]


def test_parts_have_what_was_asked_for() -> None:
    """Protects the protocol: counts, classes, and no recording twice."""
    found = draw(rows(), DRAWS)
    assert {part: sum(row.part == part for row in found) for part in ("train", "test", "impact")} == {
        "train": 40,
        "test": 60,
        "impact": 30,
    }
    assert len({row.recording for row in found}) == 130
    assert all((SPEECH if row.part != "impact" else BANG) in row.labels for row in found)


def test_the_draw_is_the_same_for_everybody() -> None:
    """Protects comparing: the order of the list changes nothing, rows of other classes neither; another seed does."""
    shuffled = rows()
    np.random.default_rng(0).shuffle(shuffled)  # type: ignore[arg-type]
    others = [Segment(f"other{n}", 0, 10, ("/m/1",)) for n in range(50)]
    assert draw([*others, *shuffled], DRAWS) == draw(rows(), DRAWS)
    assert draw(rows(), DRAWS, seed=1) != draw(rows(), DRAWS)
    # One recording that is gone costs the part that had it, and moves few others.
    less = {row.recording for row in draw(rows()[1:], DRAWS)}
    assert len(less & {row.recording for row in draw(rows(), DRAWS)}) >= 127


def test_a_recording_with_two_segments_is_drawn_once() -> None:
    """Protects splits by recording: the second segment of a video is in no part at all."""
    twice = [Segment("id", start, start + 10, (SPEECH,)) for start in (50, 0, 20)]
    assert draw(twice, [Draw("train", 1, frozenset({SPEECH}))]) == [Segment("id", 50, 60, (SPEECH,), "train")]
    with pytest.raises(UsageError, match="train: 1 recordings are left, 2 are wanted; draw fewer"):
        draw(twice, [Draw("train", 2, frozenset({SPEECH}))])


def test_parts_have_names_of_their_own() -> None:
    """Protects against a part that is drawn over."""
    with pytest.raises(UsageError, match="a part is drawn twice"):
        draw(rows(), [DRAWS[0], DRAWS[0]])


@pytest.mark.parametrize("said", ["train", "train=:/m/1", "train=0:/m/1", "=5:/m/1", "train=5:", "train=-5:/m/1"])
def test_what_is_no_draw(said: str) -> None:
    """Protects typing errors: the form is told."""
    with pytest.raises(UsageError, match="is not PART=COUNT:CLASS,CLASS"):
        read_draw(said, None, "")


def write_list(path: Path, made: list[Segment]) -> Path:
    """Write rows as AudioSet does."""
    lines = [f'{r.recording}, {r.start_s:.3f}, {r.end_s:.3f}, "{",".join(r.labels)}"\n' for r in made]
    path.write_text("# YTID, start_seconds, end_seconds, positive_labels\n" + "".join(lines))
    return path


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects the way to prepare: a list that can be read again, of recordings at hand; never over a file."""
    made, out = write_list(tmp_path / "all.csv", rows(60)), tmp_path / "drawn.csv"
    (tmp_path / "videos").mkdir()
    for row in rows(60)[:30]:
        (tmp_path / "videos" / f"{row.recording}_{row.start_s:06.0f}.mp4").touch()
    command = [str(made), "-o", str(out), "--draw", f"train=5:{SPEECH}", "--draw", f"test=10:{SPEECH}"]
    assert main([*command, "--have", str(tmp_path / "videos")]) == 0
    found = list(read_segments(out))
    assert sorted(row.part for row in found) == ["test"] * 10 + ["train"] * 5
    assert all(int(row.recording[2:]) < 30 for row in found)
    assert [row.start_s for row in found] == [int(row.recording[2:]) for row in found]
    assert capsys.readouterr().err == f"{out}: train 5, test 10 recordings\n"
    before = out.read_bytes()
    assert main(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([str(made), "-o", str(made), *command[3:], "--overwrite"]) == 2
    assert "is the input" in capsys.readouterr().err
    assert main([*command[:3], "--overwrite", "--draw", f"train=500:{SPEECH}"]) == 2
    assert capsys.readouterr().err == "clapboard: train: 40 recordings are left, 500 are wanted; draw fewer\n"
    assert main([str(tmp_path / "none.csv"), *command[1:], "--overwrite"]) == 4
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects recipes/attention-avs-audioset.md: its command draws 3000, 7000 and 800 of a made-up AudioSet."""
    text = RECIPE.read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^python -m clapboard\.dataset\.draw (.+)$", text, re.MULTILINE)
    impacts = sorted(IMPACTS)
    made = [Segment(f"speech{n}", 0, 10, (SPEECH,)) for n in range(10_500)]
    made += [Segment(f"impact{n}", 0, 10, (impacts[n % len(impacts)],)) for n in range(900)]
    monkeypatch.chdir(tmp_path)
    names = "".join(f'{n},{mid},"{name}"\n' for n, (mid, name) in enumerate({SPEECH: "Speech", **IMPACTS}.items()))
    Path("class_labels_indices.csv").write_text(f"index,mid,display_name\n{names}")
    for place, path in enumerate(re.findall(r"(\S+_segments\.csv)", line)):
        write_list(Path(path), made[place::2])
    Path("audioset").mkdir()
    assert main([word for word in shlex.split(line) if word not in ("--have", "audioset")]) == 0, (
        capsys.readouterr().err
    )
    found = list(read_segments(tmp_path / "attention-avs.csv"))
    parts = {name: [row for row in found if row.part == name] for name in ("train", "test-speech", "test-impact")}
    assert {name: len(part) for name, part in parts.items()} == {"train": 3000, "test-speech": 7000, "test-impact": 800}
    assert len({row.recording for row in found}) == 10_800
    assert {row.labels[0] for row in parts["test-impact"]} == set(IMPACTS)
