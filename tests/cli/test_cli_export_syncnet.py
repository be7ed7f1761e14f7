"""``clapboard export-syncnet`` on rendered faces: what is written is what scripts of the published pipeline expect."""

import pickle
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clapboard.cli import main
from clapboard.media.probe import probe
from clapboard.media.read import read_audio
from clapboard.models.session import load_model
from clapboard.sound.rows import Rows
from clapboard.syncnet_files import export
from clapboard.testing import make_clip
from clapboard.values import Audio, Crops
from tiny_models import write_tiny

WORK = ("activesd.pckl", "faces.pckl", "offsets.txt", "scene.pckl", "tracks.pckl")
SMALL = {"width_px": 192, "height_px": 144, "face_px": 80}
UNEVEN = (0.0, 0.05, 0.08, 0.2, *np.arange(0.3, 1.18, 0.0303))
"""Times of frames, s."""
PAGE = Path(__file__).parents[2] / "docs" / "export-syncnet.md"


def load(path: Path) -> Any:
    """What a pickle holds."""
    with path.open("rb") as file:
        return pickle.load(file)


def table(path: Path) -> list[dict[str, str]]:
    """The rows of ``offsets.txt``."""
    head, *rows = (line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#"))
    return [dict(zip(head, row, strict=True)) for row in rows]


def film(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (T, 224, 224, 3) RGB and samples (N,) int16 of a film, read as any program would."""
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        samples = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.stack(pictures), np.concatenate(samples)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two faces through two shots, the left one speaks; the sound is 200 ms early; its clock begins at 1.4 s."""
    path = tmp_path_factory.mktemp("clip") / "two.ts"
    size = {"width_px": 320, "height_px": 144, "face_px": 80}
    starts = {"video_start_s": 1.4, "audio_start_s": 1.4}
    make_clip(path, seed=12, duration_s=5.0, offset_ms=200, faces=2, cuts_s=[2.6], **starts, **size)
    return path


@pytest.fixture(scope="module")
def exported(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that a new process wrote, and what it printed."""
    out = tmp_path_factory.mktemp("out") / "talk"
    call = [sys.executable, "-m", "clapboard", "export-syncnet", str(clip), "-o", str(out)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return out, done.stdout


def test_files_and_words(exported: tuple[Path, str]) -> None:
    """Protects the layout, that nothing else is left, and that the answer for the whole file is told."""
    out, printed = exported
    assert sorted(path.name for path in out.parent.iterdir()) == ["talk"]
    assert sorted(path.name for path in out.iterdir()) == ["pycrop", "pywork"]
    assert sorted(path.name for path in (out / "pywork").iterdir()) == sorted(WORK)
    assert sorted(path.name for path in (out / "pycrop").iterdir()) == [f"{n:05d}.avi" for n in range(4)]
    assert re.fullmatch(rf"{re.escape(str(out))}: 4 face tracks; audio is \d+ ms early; delay it by \d+ ms\n", printed)


def test_keys_shapes_and_types(exported: tuple[Path, str]) -> None:
    """Protects what scripts index: lists, dicts, dtypes, and frames that count from 0 wherever the clock begins."""
    work = exported[0] / "pywork"
    faces, scene, tracks, distances = (load(work / f"{name}.pckl") for name in ("faces", "scene", "tracks", "activesd"))
    assert (type(faces), len(faces)) == (list, 125)
    assert all(type(frame) is list and len(frame) == 2 for frame in faces)
    assert all(face["frame"] == number for number, frame in enumerate(faces) for face in frame)
    assert {tuple(face) for frame in faces for face in frame} == {("frame", "bbox", "conf")}
    assert all(0.8 <= face["conf"] <= 1 and len(face["bbox"]) == 4 for frame in faces for face in frame)
    assert scene == [(0, 65), (65, 125)]
    assert len(tracks) == len(distances) == 4
    for (first, last), pair in zip(scene, (tracks[:2], tracks[2:]), strict=True):
        for one in pair:
            assert {name: set(of) for name, of in one.items()} == {"track": {"frame", "bbox"}, "proc_track": set("xys")}
            assert one["track"]["frame"].tolist() == list(range(first, last))
            assert one["track"]["bbox"].shape == (last - first, 4)
            assert {one["proc_track"][name].shape for name in "xys"} == {(last - first,)}
    for one, of in zip(tracks, distances, strict=True):
        assert (of.shape, of.dtype) == ((len(one["track"]["frame"]) - 5, 31), np.float32)


def test_a_script_of_the_published_pipeline(exported: tuple[Path, str]) -> None:
    """The steps of its last script: mean curve of a track, its minimum, and distances laid over the track's frames."""
    work = exported[0] / "pywork"
    tracks, distances, rows = load(work / "tracks.pckl"), load(work / "activesd.pckl"), table(work / "offsets.txt")
    found = []
    for track, of in zip(tracks, distances, strict=True):
        curve = np.mean(np.stack(of, 1), 1)
        assert curve.shape == (31,)
        speaking = np.pad(of[:, np.argmin(curve)], (2, 3), constant_values=10)
        assert len(speaking) == len(track["track"]["frame"]) == len(track["proc_track"]["s"])
        found.append((15 - int(np.argmin(curve)), float(np.median(curve) - curve.min()), float(curve.min())))
    written = [(int(row["OFFSET"]), float(row["CONF"]), float(row["MIN_DIST"])) for row in rows]
    assert np.array(written) == pytest.approx(np.array(found), abs=6e-4)
    left = [row for row, track in zip(rows, tracks, strict=True) if track["proc_track"]["x"].mean() < 160]
    right = [row for row in rows if row not in left]
    assert [int(row["OFFSET_MS"]) for row in left] == pytest.approx([200, 200], abs=40)
    assert min(float(row["CONF"]) for row in left) > max(float(row["CONF"]) for row in right)


def test_remarks_below_the_table(exported: tuple[Path, str]) -> None:
    """The model, the answer for the whole file, and where frame 0 lies on the file's clock."""
    lines = (exported[0] / "pywork" / "offsets.txt").read_text().splitlines()
    told = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    assert re.fullmatch(r"clapboard-s [0-9a-f]{12}, clapboard \S+", told["model"])
    assert float(told["frame 0"].split()[1]) == pytest.approx(1.4, abs=0.06)
    assert float(told["file_offset_ms"]) == pytest.approx(200, abs=40)
    begins_s = [float(row["BEGIN_S"]) for row in table(exported[0] / "pywork" / "offsets.txt")]
    assert np.array(begins_s) - begins_s[0] == pytest.approx(np.array([0, 0, 2.6, 2.6]), abs=1e-3)
    assert begins_s[0] == pytest.approx(float(told["frame 0"].split()[1]), abs=0.02)


def test_films_hold_the_track_and_its_sound_to_the_sample(clip: Path, exported: tuple[Path, str]) -> None:
    """Protects sync in the films: 640 samples a frame, those of the file from the time at which the track begins."""
    (whole,) = read_audio(probe(clip))
    work = exported[0] / "pywork"
    for row, track in zip(table(work / "offsets.txt"), load(work / "tracks.pckl"), strict=True):
        pictures, samples = film(exported[0] / "pycrop" / row["FILENAME"])
        frames = len(track["track"]["frame"])
        assert pictures.shape == (frames, 224, 224, 3)
        assert pictures.std() > 10
        first = round((float(row["BEGIN_S"]) - whole.start_s) * 16000)
        lead = max(-first, 0)
        expected = whole.samples[max(first, 0) :][: 640 * frames - lead] * 32768
        assert lead < 640
        assert len(samples) == lead + len(expected) >= 640 * (frames - 1)
        assert np.abs(samples[lead:] - expected).max() <= 2
    with av.open(str(exported[0] / "pycrop" / "00000.avi")) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.codec_tag, picture.average_rate) == ("XVID", 25)
        assert (sound.codec_context.name, sound.rate, sound.channels) == ("pcm_s16le", 16000, 1)


def test_distances_are_those_of_the_films(clip: Path, tmp_path: Path) -> None:
    """Whoever runs a network of the published inputs over the films, as the published code does, gets activesd.pckl."""
    path = write_tiny(tmp_path / "model", "face-224", "mfcc-13", zero_ms=27.5)
    assert main(["export-syncnet", "-q", str(clip), "-o", str(tmp_path / "out"), "--model", str(path)]) == 0
    model = load_model(path)
    for number, distances in enumerate(load(tmp_path / "out" / "pywork" / "activesd.pckl")):
        pictures, samples = film(tmp_path / "out" / "pycrop" / f"{number:05d}.avi")
        count = min(len(pictures), len(samples) // 640) - 5
        picture = model.embed_picture(Crops(0, pictures, np.arange(len(pictures)) / 25)).values[:count]
        rows = Rows(model.kind)
        rows.push(Audio(samples.astype(np.float32) / 32768, 16000, 0.0))
        features = rows.features()
        sound = model.embed_sound(model.kind.finish(features), features.valid, 0.0).values[::4][:count]
        padded = np.pad(sound, ((15, 15), (0, 0)))
        expected = np.stack([np.linalg.norm(picture - padded[k : k + count] + 1e-6, axis=1) for k in range(31)], 1)
        assert distances.shape == expected.shape
        if number in (0, 3):  # of lips that hardly move, such a model sees what the encoder made of them
            apart = [np.median(np.abs(distances - np.roll(expected, shift, axis=0))) for shift in (0, -1, 1)]
            assert apart[0] < 0.04
            assert min(apart[1:]) > 3 * apart[0]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One face for 1.2 s."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    make_clip(path, seed=13, duration_s=1.2, **SMALL)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that costs nothing."""
    return str(write_tiny(tmp_path_factory.mktemp("tiny")))


@pytest.mark.parametrize("rate", [Fraction(25, 2), Fraction(30000, 1001), UNEVEN], ids=["12.5", "29.97", "uneven"])
def test_frames_of_any_rate_fill_the_grid(tiny: str, tmp_path: Path, rate: Any) -> None:
    """Slow, fast and uneven files: a frame every 40 ms in tables and films, and 640 samples for each."""
    make_clip(tmp_path / "clip.mkv", seed=13, duration_s=1.2, rate=rate, audio_codec="pcm_s16le", **SMALL)
    assert main(["export-syncnet", "-q", str(tmp_path / "clip.mkv"), "-o", str(tmp_path / "out"), "--model", tiny]) == 0
    (track,) = load(tmp_path / "out" / "pywork" / "tracks.pckl")
    faces = load(tmp_path / "out" / "pywork" / "faces.pckl")
    assert track["track"]["frame"].tolist() == list(range(len(faces)))
    assert len(faces) == pytest.approx(30, abs=1)
    pictures, samples = film(tmp_path / "out" / "pycrop" / "00000.avi")
    assert len(pictures) == len(faces)
    assert len(samples) == pytest.approx(640 * len(faces), abs=640)


def test_short_clips_have_films_too(short: Path, tiny: str, tmp_path: Path) -> None:
    """The published pipeline gives nothing below 4 s, silently; here --min-track asks for that."""
    assert main(["export-syncnet", "-q", str(short), "-o", str(tmp_path / "all"), "--model", tiny]) == 0
    assert [of.shape for of in load(tmp_path / "all" / "pywork" / "activesd.pckl")] == [(25, 31)]
    out = tmp_path / "some"
    assert main(["export-syncnet", "-q", str(short), "-o", str(out), "--model", tiny, "--min-track", "100"]) == 0
    assert load(out / "pywork" / "tracks.pckl") == load(out / "pywork" / "activesd.pckl") == []
    assert list((out / "pycrop").iterdir()) == []
    assert [len(frame) for frame in load(out / "pywork" / "faces.pckl")] == [1] * 30
    assert table(out / "pywork" / "offsets.txt") == []


def test_files_of_several_names_in_one_folder(short: Path, tiny: str, tmp_path: Path) -> None:
    """With --reference an export stands beside those of other files, which are not touched."""
    call = ["export-syncnet", "-q", str(short), "-o", str(tmp_path), "--model", tiny, "--reference"]
    assert main([*call, "one"]) == 0
    before = (tmp_path / "pywork" / "one" / "offsets.txt").stat().st_mtime_ns
    assert main([*call, "two"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pycrop", "pywork"]
    for name in ("one", "two"):
        assert [path.name for path in (tmp_path / "pycrop" / name).iterdir()] == ["00000.avi"]
        assert sorted(path.name for path in (tmp_path / "pywork" / name).iterdir()) == sorted(WORK)
    assert (tmp_path / "pywork" / "one" / "offsets.txt").stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["..", "a/b", "", ".", "a\\b"])
def test_a_reference_is_a_plain_name(
    short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Nothing is written outside of DIR."""
    assert main(["export-syncnet", str(short), "-o", str(tmp_path / "out"), "--reference", name]) == 2
    assert "is no name of a folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_overwriting_replaces_an_export_and_nothing_else(
    short: Path, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder with something in it is refused; with --overwrite only files of an export go, also those left over."""
    (tmp_path / "pycrop").mkdir()
    (tmp_path / "pycrop" / "00007.avi").write_text("left over")
    (tmp_path / "pycrop" / "mine.avi").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    call = ["export-syncnet", "-q", str(short), "-o", str(tmp_path), "--model", tiny]
    assert main(call) == 2
    assert f"{tmp_path}: is not empty; give --overwrite or another -o" in capsys.readouterr().err
    assert (tmp_path / "pycrop" / "00007.avi").read_text() == "left over"
    assert main([*call, "--overwrite"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "pycrop", "pywork"]
    assert sorted(path.name for path in (tmp_path / "pycrop").iterdir()) == ["00000.avi", "mine.avi"]
    assert (tmp_path / "pycrop" / "mine.avi").read_text() == (tmp_path / "notes.txt").read_text() == "mine"


def test_the_input_is_never_replaced(
    short: Path, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A film of an earlier export may be measured, but not into its own place."""
    (tmp_path / "pycrop").mkdir()
    source = tmp_path / "pycrop" / "00000.avi"
    source.write_bytes(short.read_bytes())
    assert main(["export-syncnet", str(source), "-o", str(tmp_path), "--model", tiny, "--overwrite"]) == 2
    assert "the input is never replaced" in capsys.readouterr().err
    assert source.read_bytes() == short.read_bytes()


def test_nothing_is_left_of_an_export_that_fails(
    short: Path, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that is full when the tables are written: no folder, no films, one line and exit code 4."""

    def full(value: Any) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "pickled", full)
    assert main(["export-syncnet", "-q", str(short), "-o", str(tmp_path / "out"), "--model", tiny]) == 4
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").mkdir()
    assert main(["export-syncnet", "-q", str(short), "-o", str(tmp_path / "there"), "--model", tiny]) == 4
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize(("content", "code"), [(b"no video\n" * 100, 4), (None, 4)])
def test_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, code: int
) -> None:
    """One line that names the file, and nothing written."""
    path = tmp_path / "bad.mp4"
    if content is not None:
        path.write_bytes(content)
    assert main(["export-syncnet", str(path), "-o", str(tmp_path / "out")]) == code
    line = capsys.readouterr().err
    assert (line.count("\n"), str(path) in line) == (1, True)
    assert not (tmp_path / "out").exists()


def test_a_file_without_sound_is_refused(tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Films without sound would break every script."""
    make_clip(tmp_path / "mute.mp4", seed=13, duration_s=0.6, audio=False, **SMALL)
    assert main(["export-syncnet", str(tmp_path / "mute.mp4"), "-o", str(tmp_path / "out"), "--model", tiny]) == 4
    assert "has no sound" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_without_a_face_gives_empty_tables(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not an error: scripts find every file that they open, and the reason is told."""
    make_clip(tmp_path / "far.mp4", seed=13, duration_s=0.6, width_px=192, height_px=144, face_px=8)
    assert main(["export-syncnet", str(tmp_path / "far.mp4"), "-o", str(tmp_path / "out"), "--model", tiny]) == 0
    assert "no face tracks; cannot tell: no face was found" in capsys.readouterr().out
    assert load(tmp_path / "out" / "pywork" / "faces.pckl") == [[] for _ in range(15)]
    assert load(tmp_path / "out" / "pywork" / "scene.pckl") == [(0, 15)]
    assert "# file: cannot tell: no face was found" in (tmp_path / "out" / "pywork" / "offsets.txt").read_text()


def test_the_page_tells_of_every_file_and_column(exported: tuple[Path, str]) -> None:
    """Protects docs/export-syncnet.md against files and columns that it does not name."""
    page = PAGE.read_text(encoding="utf-8")
    head = (exported[0] / "pywork" / "offsets.txt").read_text().splitlines()[0]
    assert [name for name in (*WORK, *head.split("\t")) if f"`{name}`" not in page] == []
