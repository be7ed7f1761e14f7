"""``clapboard features`` on rendered faces: what is written, that it can be read, and that it says what mouths say."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from clapboard.cli import main
from clapboard.media.write import write_clip
from clapboard.testing import ClipTruth, make_clip

PEOPLE = (12, 13, 14)
"""Seeds that the model was not trained on."""
SECONDS = 5.0
OPEN, NARROW = ("a", "ae", "aw"), ("u", "o", "i", "w", "p", "b", "m")
EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = Path(__file__).parents[2] / "docs" / "features.md"
Arrays = dict[str, np.ndarray]


def load(path: Path) -> Arrays:
    """Return what a file holds, read as any program would."""
    with np.load(path, allow_pickle=False) as found:
        return dict(found)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, ClipTruth]:
    """Three people who say random syllables, small and short; what they say is known."""
    folder = tmp_path_factory.mktemp("clips")
    paths = [folder / f"person{seed}.mp4" for seed in PEOPLE]
    options = {"duration_s": SECONDS, "width_px": 192, "height_px": 144, "face_px": 80}
    return {path: make_clip(path, seed=seed, **options) for path, seed in zip(paths, PEOPLE, strict=True)}


@pytest.fixture(scope="module")
def written(clips: dict[Path, ClipTruth], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that one call wrote for all of them and a file that is no video, and what it printed."""
    out = tmp_path_factory.mktemp("out") / "features"
    bad = out.with_name("bad.mp4")
    bad.write_text("this is no video\n" * 100)
    first, *rest = map(str, clips)
    call = [sys.executable, "-m", "clapboard", "features", first, str(bad), *rest, "-o", str(out)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith(f"clapboard: {bad}: ")
    assert done.stderr.count("\n") == 1
    return out, done.stdout


@pytest.fixture(scope="module")
def lip_reading() -> ModuleType:
    """The example, whose classifier is used here."""
    spec = importlib.util.spec_from_file_location("lip_reading", EXAMPLES / "lip_reading.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_bad_file_does_not_stop_the_rest(clips: dict[Path, ClipTruth], written: tuple[Path, str]) -> None:
    """Every good file has its output and its line, the bad one nothing, and no temporary file is left."""
    out, printed = written
    assert sorted(path.name for path in out.iterdir()) == [f"person{seed}.mp4.npz" for seed in PEOPLE]
    lines = printed.splitlines()
    assert [line.split(":")[0] for line in lines] == [str(out / f"{path.name}.npz") for path in clips]
    assert all("1 face, 121 windows of picture" in line for line in lines)


def test_shapes_times_and_units(written: tuple[Path, str]) -> None:
    """Protects the names and units that docs/features.md promises; 5 s at 25 Hz are 121 windows of five frames."""
    found = load(written[0] / "person12.mp4.npz")
    rows = [line.split("|")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    promised = {name.replace("_N_", "_0_") for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert set(found) == promised
    assert len(promised) == 18
    assert found["tracks"].tolist() == [0]
    picture, time_s = found["track_0_picture"], found["track_0_time_s"]
    assert (picture.shape, picture.dtype) == ((121, 256), np.float16)
    assert np.linalg.norm(picture.astype(np.float32), axis=1) == pytest.approx(1, abs=2e-3)
    assert time_s == pytest.approx(0.08 + 0.04 * np.arange(121), abs=2e-3)
    sound, sound_time_s = found["sound"], found["sound_time_s"]
    assert sound.shape == (len(sound_time_s), 256)
    assert np.diff(sound_time_s) == pytest.approx(0.04)
    assert np.abs(sound_time_s * 25 - np.round(sound_time_s * 25)).max() / 25 <= 0.0051
    assert sound_time_s[0] < 0.16
    assert sound_time_s[-1] > SECONDS - 0.2
    assert 0.3 < found["sound_active"].mean() < 1
    centre_px = (found["track_0_boxes_px"][:, :2] + found["track_0_boxes_px"][:, 2:]).mean(0) / 2
    assert np.abs(centre_px - (96, 72)).max() < 25
    assert abs(float(found["offset_ms"])) < 40
    assert float(found["p_within_frame"]) > 0.5
    assert (str(found["model"]), len(str(found["model_sha256"]))) == ("clapboard-s", 64)


def test_matching_rows_are_near_on_the_clock_of_the_file(written: tuple[Path, str]) -> None:
    """Protects the times: a mouth is nearer to the sound of its time than to that half a second away."""
    found = load(written[0] / "person13.mp4.npz")
    time_s, sound_time_s = found["track_0_time_s"], found["sound_time_s"]

    def likeness(lag_s: float) -> float:
        row = np.round((time_s + lag_s - sound_time_s[0]) * 25).astype(int)
        inside = (row >= 0) & (row < len(sound_time_s))
        picture, sound = (a.astype(np.float32) for a in (found["track_0_picture"], found["sound"]))
        return float(np.nanmean((picture[inside] * sound[row[inside]]).sum(1)))

    assert likeness(0) > max(likeness(lag_s) for lag_s in (-0.6, -0.4, -0.2, 0.2, 0.4, 0.6)) + 0.1


def test_every_sound_embedding(clips: dict[Path, ClipTruth], written: tuple[Path, str], tmp_path: Path) -> None:
    """With --sound-hz 100 come four times as many; those of 25 Hz are among them."""
    out = tmp_path / "all.npz"
    assert main(["features", "-q", str(next(iter(clips))), "-o", str(out), "--sound-hz", "100"]) == 0
    every, some = load(out), load(written[0] / "person12.mp4.npz")
    row = np.round((some["sound_time_s"] - every["sound_time_s"][0]) * 100).astype(int)
    assert every["sound_time_s"][row] == pytest.approx(some["sound_time_s"])
    assert np.array_equal(every["sound"][row], some["sound"], equal_nan=True)
    assert len(every["sound"]) == pytest.approx(4 * len(some["sound"]), abs=4)


def test_a_file_without_sound_is_lips_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Silent film can be read too; the offset is not a number and the reason is told."""
    path, out = tmp_path / "silent.mp4", tmp_path / "silent.npz"
    make_clip(path, seed=12, duration_s=1.2, width_px=192, height_px=144, face_px=80, audio=False)
    assert main(["features", str(path), "-o", str(out)]) == 0
    assert "1 face, 26 windows of picture, 0 of sound; cannot tell: " in capsys.readouterr().out
    found = load(out)
    assert found["track_0_picture"].shape == (26, 256)
    assert found["sound"].shape == (0, 256)
    assert np.isnan(found["offset_ms"])
    assert found["reasons"].tolist() == ["the file has no sound while a face is in view"]


def test_a_file_without_a_face_is_sound_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is written, and says so: a batch has as many outputs as good inputs."""
    path, out = tmp_path / "bars.mp4", tmp_path / "bars.npz"
    y, x = np.mgrid[:120, :160]
    frames = [((x + y + 3 * n) % 200 + 20).astype(np.uint8) for n in range(25)]
    write_clip(path, frames, 25, (0.1 * np.random.default_rng(1).standard_normal(16_000)).astype(np.float32), 16_000)
    assert main(["features", str(path), "-o", str(out)]) == 0
    assert "no faces, 0 windows of picture" in capsys.readouterr().out
    found = load(out)
    assert found["tracks"].shape == (0,)
    assert len(found["sound"]) > 15
    assert found["reasons"].tolist() == ["no face was found"]


def test_nothing_is_overwritten_unasked(
    written: tuple[Path, str], clips: dict[Path, ClipTruth], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is there is left alone, one line a file; --overwrite replaces it, by the same bytes as another run."""
    first, second = list(clips)[:2]
    target = tmp_path / f"{first.name}.npz"
    target.write_bytes(b"mine")
    (tmp_path / f"{second.name}.npz").write_bytes(b"mine too")
    assert main(["features", "-q", str(first), "-o", str(target)]) == 2
    assert main(["features", "-q", str(first), str(second), "-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("exists already; give --overwrite or another -o\n") == 3
    assert target.read_bytes() == b"mine"
    assert main(["features", "-q", "--overwrite", str(first), "-o", str(target)]) == 0
    assert target.read_bytes() == (written[0] / target.name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("a.mp4 -o a.mp4", "neither a folder nor a name that ends in .npz"),
        ("a.mp4 b.mp4 -o both.npz", "one file cannot hold the embeddings of 2"),
        ("a.mp4 b.mp4 -o taken", "is a file, but there are 2"),
        ("a.mp4 sub/a.mp4 -o new", "a.mp4.npz would be written twice"),
        ("a.mp4 -o no/such/a.npz", "make it first"),
        ("a.mp4 -o a.npz --sound-hz 50", "must be 25 or 100"),
        ("a.mp4 a.mp4.npz -o . --overwrite", "is an input, which is never overwritten"),
    ],
)
def test_outputs_that_make_no_sense(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, says: str
) -> None:
    """One line, exit code 2, before anything is read; no folder is made for nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("a.mp4", "b.mp4", "sub/a.mp4", "taken", "a.mp4.npz"):
        (tmp_path / name).write_text("no video")
    assert main(["features", *arguments.split()]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()
    assert {path.read_text() for path in tmp_path.iterdir() if path.is_file()} == {"no video"}


def test_a_full_disk_leaves_nothing(
    clips: dict[Path, ClipTruth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An npz that could be written only in part never stands under its name."""

    def full(file: object, **arrays: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("numpy.savez", full)
    assert main(["features", str(next(iter(clips))), "-o", str(tmp_path / "a.npz")]) == 4
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def windows(found: Arrays, truth: ClipTruth) -> tuple[np.ndarray, np.ndarray]:
    """Return windows of picture in which one sound is made, less their mean, and whether it is an open vowel."""
    time_s = found["track_0_time_s"]
    kind = np.full(len(time_s), -1)
    for sound in truth.shots[0][2][0].articulation.sounds:
        during = (time_s >= sound.start_s) & (time_s < sound.end_s)
        if sound.phone.name in OPEN + NARROW:
            kind[during] = sound.phone.name in OPEN
    values = found["track_0_picture"].astype(np.float32)
    return (values - values.mean(0))[kind >= 0], kind[kind >= 0]


def test_embeddings_say_what_the_mouth_says(
    clips: dict[Path, ClipTruth], written: tuple[Path, str], lip_reading: ModuleType
) -> None:
    """The point of it all: open vowels are told from lips that are narrow or shut, on a person not learned from.

    Both classes are learned from as many windows and count the same, so chance is one half; the mean of ten fits to
    labels that are shuffled stays near it.
    """
    people = [windows(load(written[0] / f"{path.name}.npz"), truth) for path, truth in clips.items()]
    rng = np.random.default_rng(0)
    right, shuffled = [], []
    for number, (asked, truth) in enumerate(people):
        known = np.concatenate([x for n, (x, _) in enumerate(people) if n != number])
        labels = np.concatenate([y for n, (_, y) in enumerate(people) if n != number])
        count = np.bincount(labels).min()
        equal = np.concatenate([rng.permutation(np.flatnonzero(labels == label))[:count] for label in (0, 1)])

        def share(labels: np.ndarray, known=known[equal], asked=asked, truth=truth) -> float:
            told = lip_reading.learn(known, labels, 2)(asked) == truth
            return float(told[truth == 0].mean() + told[truth == 1].mean()) / 2

        right.append(share(labels[equal]))
        shuffled += [share(rng.permutation(labels[equal])) for _ in range(10)]
    assert np.mean(right) > 0.8
    assert 0.4 < np.mean(shuffled) < 0.6


def test_the_example_runs(
    clips: dict[Path, ClipTruth], lip_reading: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three clips under names of GRID sentences go through; every table is there, and the embeddings are kept."""
    rows = ["file,part,corpus,speaker"]
    names = {"s1__bbaf4p": "train", "s2__lgbz9s": "train", "x_swwm5n": "dev"}
    for path, (name, part) in zip(clips, names.items(), strict=True):
        (tmp_path / f"{name}.mp4").symlink_to(path)
        rows.append(f"{name}.mp4,{part},GRID,{name[:2]}")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(rows))
    call = [str(manifest), "-o", str(tmp_path / "kept")]
    assert lip_reading.main(call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["command", "colour", "preposition", "letter", "digit", "adverb", "all", "six"]
    assert lines[3].split()[1:] == ["25.0", "25.0", "25.0", "4.0", "10.0", "25.0", "19.0"]
    titles = [number for number, line in enumerate(lines) if line.startswith(("unseen", "an unseen"))]
    assert len(titles) == 4
    for number in titles:
        assert [line[:24].strip() for line in lines[number + 1 : number + 7 : 2]] == [
            "mouth", "mouth, labels shuffled", "95 % interval",
        ]  # fmt: skip
        assert lines[number + 7].startswith("what the network has learned adds ")
    kept = sorted((tmp_path / "kept").rglob("*.npz"))
    assert len(kept) == 6
    trained, untrained = (load(path) for path in kept if path.name == "x_swwm5n.mp4.npz")
    assert str(untrained["model"]) == "untrained"
    assert not np.allclose(trained["track_0_picture"], untrained["track_0_picture"], atol=0.1)


def test_words_of_a_sentence(lip_reading: ModuleType) -> None:
    """Names as they are found in the wild; no letter w, no digit 0, nothing longer or shorter."""
    for name, said in {
        "s1__bbaf4p": "bbaf4p", "s1_pgwl1s_gt": "pgwl1s", "id2_vcd_swwp2s": "swwp2s", "s29___lgbp9s": "lgbp9s",
        "bbaw4p": None, "bbaf0p": None, "xbbaf4p": None, "bbaf4pa": None,
    }.items():  # fmt: skip
        assert (lip_reading.SENTENCE.findall(name) or [None])[-1] == said


def test_wilson_interval(lip_reading: ModuleType) -> None:
    """Against the worked value of 81 right of 263 (Newcombe 1998, table I, method 3)."""
    assert lip_reading.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
