"""What ``fix`` decides, on measurements and shifts that the test makes up: when it writes, and when it must not."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clapboard import repair
from clapboard.errors import MediaError, UndecidedError, UsageError
from clapboard.values import Report

Make = Callable[..., Report]


class Studio:
    """Files whose content is their offset: checking reads it, shifting writes what is left of it."""

    def __init__(self, make_report: Make) -> None:
        self.make_report = make_report
        self.reasons: tuple[str, ...] = ()
        self.works = True
        self.shifts: list[tuple[str, float]] = []

    def check(self, path: Path, **_: object) -> Report:
        return self.make_report(str(path), float(path.read_text()), reasons=self.reasons)

    def shift(self, source: Path, target: Path, delay_audio_s: float, **_: object) -> tuple[str, ...]:
        self.shifts.append((target.name, delay_audio_s))
        left_ms = float(source.read_text()) - (1000 * delay_audio_s if self.works else 0)
        target.write_text(str(left_ms))
        return ("the subtitles",)


@pytest.fixture
def studio(make_report: Make, monkeypatch: pytest.MonkeyPatch) -> Studio:
    made = Studio(make_report)
    monkeypatch.setattr("clapboard.pipeline.check", made.check)
    monkeypatch.setattr("clapboard.media.write.shift", made.shift)
    return made


def clip(folder: Path, offset_ms: float, name: str = "talk.mp4") -> Path:
    path = folder / name
    path.write_text(str(offset_ms))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("offset_ms", [300.0, -120.0, 6.0])
def test_measured_offset_is_taken_out(studio: Studio, tmp_path: Path, offset_ms: float) -> None:
    """The copy is written beside the input under the default name, and the input stays as it was."""
    source = clip(tmp_path, offset_ms)
    done = repair.fix(source)
    assert done.out == tmp_path / "talk.synced.mp4"
    assert done.applied_ms == offset_ms
    assert done.rest_ms == 0
    assert done.before is not None
    assert done.before.offset.offset_ms == offset_ms
    assert done.left_out == ("the subtitles",)
    assert done.after.file == str(done.out)
    assert done.after.clip is not None
    assert done.after.clip.path == done.out
    assert source.read_text() == str(offset_ms)
    assert names(tmp_path) == ["talk.mp4", "talk.synced.mp4"]


def test_result_has_no_final_name_before_it_is_measured(studio: Studio, tmp_path: Path) -> None:
    """Whoever watches the folder never picks up a repair that was not confirmed."""
    repair.fix(clip(tmp_path, 300.0))
    (name, _), *_ = studio.shifts
    assert name != "talk.synced.mp4"
    assert name.endswith(".mp4")


def test_untrusted_offset_is_refused_with_its_reasons(studio: Studio, tmp_path: Path) -> None:
    """A wrong repair is worse than none."""
    studio.reasons = ("no speech", "the face is 20 px wide")
    with pytest.raises(UndecidedError, match=r"no speech; the face is 20 px wide.*--offset-ms"):
        repair.fix(clip(tmp_path, 300.0))
    assert names(tmp_path) == ["talk.mp4"]


def test_without_a_face_the_other_way_is_named(studio: Studio, tmp_path: Path) -> None:
    """Protects who has no face in the picture: ``--any-sound`` is named, and only where it would help."""
    source = clip(tmp_path, 300.0)
    studio.reasons = ("no face was found",)
    with pytest.raises(UndecidedError, match=r"found.*; clapboard fix --any-sound measures.*--offset-ms"):
        repair.fix(source)
    studio.reasons = ("no speech",)
    with pytest.raises(UndecidedError) as caught:
        repair.fix(source)
    assert "--any-sound" not in str(caught.value)


@pytest.mark.parametrize("offset_ms", [300.0, -70.0])
def test_shift_that_does_not_help_leaves_nothing_behind(studio: Studio, tmp_path: Path, offset_ms: float) -> None:
    """When measuring again contradicts the first measurement, no file stays under any name."""
    studio.works = False
    with pytest.raises(UndecidedError, match="not one constant number"):
        repair.fix(clip(tmp_path, offset_ms))
    assert names(tmp_path) == ["talk.mp4"]


def test_file_that_is_together_is_left_alone(studio: Studio, tmp_path: Path) -> None:
    """Less than can be measured is nothing to do: nothing is written, and that is no error."""
    done = repair.fix(clip(tmp_path, -4.0))
    assert not done.written
    assert (done.applied_ms, done.rest_ms) == (0.0, -4.0)
    assert names(tmp_path) == ["talk.mp4"]


def test_given_offset_is_done_as_told(studio: Studio, tmp_path: Path) -> None:
    """``offset_ms`` needs no trust, no first measurement, and its result stays even when it is not confirmed."""
    studio.reasons = ("no face was found",)
    done = repair.fix(clip(tmp_path, 300.0), offset_ms=120.0)
    assert done.before is None
    assert (done.applied_ms, done.rest_ms) == (120.0, 180.0)
    assert names(tmp_path) == ["talk.mp4", "talk.synced.mp4"]


@pytest.mark.parametrize("offset_ms", [0.0, math.nan, math.inf, 1e9])
def test_given_offsets_that_make_no_sense(studio: Studio, tmp_path: Path, offset_ms: float) -> None:
    """Refused before any work."""
    with pytest.raises(UsageError, match="offset"):
        repair.fix(clip(tmp_path, 300.0), offset_ms=offset_ms)
    assert studio.shifts == []


def test_bake_is_passed_on(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``bake`` changes how the shift is written, not the decision."""
    monkeypatch.setattr("clapboard.media.write.bake", studio.shift)
    monkeypatch.setattr("clapboard.media.write.shift", None)
    assert repair.fix(clip(tmp_path, 300.0), bake=True).rest_ms == 0


def test_input_is_never_overwritten(studio: Studio, tmp_path: Path) -> None:
    """Not under its own name, not through a link, not even with ``overwrite``."""
    source = clip(tmp_path, 300.0)
    link = tmp_path / "link.mp4"
    link.hardlink_to(source)
    for target in (source, link, tmp_path / ".." / tmp_path.name / "talk.mp4"):
        with pytest.raises(UsageError, match="is the input"):
            repair.fix(source, target, overwrite=True)
    assert source.read_text() == "300.0"


def test_existing_output_needs_overwrite(studio: Studio, tmp_path: Path) -> None:
    """What is there stays, unless the user says so."""
    source = clip(tmp_path, 300.0)
    target = clip(tmp_path, 1.0, "out.mp4")
    with pytest.raises(UsageError, match="exists already"):
        repair.fix(source, target)
    assert target.read_text() == "1.0"
    assert repair.fix(source, target, overwrite=True).rest_ms == 0
    assert target.read_text() == "0.0"


def test_unconfirmed_repair_keeps_the_old_output(studio: Studio, tmp_path: Path) -> None:
    """``overwrite`` does not cost the user the file that was there when the repair fails."""
    studio.works = False
    target = clip(tmp_path, 1.0, "out.mp4")
    with pytest.raises(UndecidedError):
        repair.fix(clip(tmp_path, 300.0), target, overwrite=True)
    assert target.read_text() == "1.0"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_that_leads_nowhere_is_something(studio: Studio, tmp_path: Path, *, overwrite: bool) -> None:
    """Whoever made the link wants it: it is replaced only when the user says so, like a file."""
    link = tmp_path / "out.mp4"
    link.symlink_to(tmp_path / "disk that is not mounted" / "out.mp4")
    if overwrite:
        assert repair.fix(clip(tmp_path, 300.0), link, overwrite=True).out == link
        return
    with pytest.raises(UsageError, match="exists already"):
        repair.fix(clip(tmp_path, 300.0), link)
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("target", "error", "what"),
    [
        ("out.avi", UsageError, "cannot hold a shift"),
        ("no/out.mp4", UsageError, "no folder"),
        ("out.xyz", UsageError, "cannot write a .xyz file"),
        ("out", UsageError, "cannot write a nameless file"),
        ("", UsageError, "is a directory"),
        ("o" * 300 + ".mp4", MediaError, "cannot be written"),
        ("n" * 300 + "/out.mp4", MediaError, "cannot be written"),
    ],
)
def test_outputs_that_cannot_be(
    studio: Studio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    target: str,
    error: type[Exception],
    what: str,
) -> None:
    """Said before minutes are spent on measuring."""
    monkeypatch.setattr("clapboard.pipeline.check", None)
    with pytest.raises(error, match=what):
        repair.fix(clip(tmp_path, 300.0), tmp_path / target)


def test_a_folder_that_takes_no_files(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before measuring, too; whoever runs the tests may be allowed everything, so the system's answer is made."""
    monkeypatch.setattr("clapboard.pipeline.check", None)
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(MediaError, match=r"out.mp4: .*cannot be written to"):
        repair.fix(clip(tmp_path, 300.0), tmp_path / "out.mp4")


@pytest.mark.parametrize("name", ["", "/", "nowhere.mp4", "no/where.mp4", "n" * 300 + ".mp4", "l" * 251 + ".mp4"])
def test_inputs_that_cannot_be(studio: Studio, tmp_path: Path, name: str) -> None:
    """Names without a file, without a name, and too long to make another from, are told in words."""
    with pytest.raises(MediaError, match=r"no such file|is a directory|File name too long"):
        repair.fix(clip(tmp_path, 300.0, name) if name.startswith("l") else Path(name))


def test_a_copy_that_cannot_be_read_is_told_by_its_name(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hidden name means nothing to anybody, and is gone when the message is read."""

    def check(path: Path, **_: object) -> Report:
        raise MediaError(f"{path}: nothing of its sound (tta) can be decoded")

    monkeypatch.setattr("clapboard.pipeline.check", check)
    source = clip(tmp_path, 300.0)
    with pytest.raises(MediaError, match=r"talk\.synced\.mp4: nothing of its sound"):
        repair.fix(source, offset_ms=100.0)
    assert names(tmp_path) == ["talk.mp4"]


def test_clearing_up_hides_no_error(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is gone the copy cannot be removed either; what went wrong first is what is told."""

    def shift(source: Path, target: Path, delay_audio_s: float, **_: object) -> None:
        def unlink(path: Path, missing_ok: bool = False) -> None:
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(Path, "unlink", unlink)
        raise MediaError(f"{target}: cannot be written")

    monkeypatch.setattr("clapboard.media.write.shift", shift)
    with pytest.raises(MediaError, match=r"talk\.synced\.mp4: cannot be written"):
        repair.fix(clip(tmp_path, 300.0))


@pytest.mark.parametrize(("name", "written"), [("old.AVI", "old.synced.mkv"), ("old.wmv", "old.synced.mkv"),
                                               ("a.b.MOV", "a.b.synced.MOV"), ("bare", "bare.synced.mkv")])  # fmt: skip
def test_default_name(studio: Studio, tmp_path: Path, name: str, written: str) -> None:
    """The kind of file stays, unless it cannot hold a shift (avi) or is not written at all (wmv)."""
    done = repair.fix(clip(tmp_path, 300.0, name))
    assert done.out == tmp_path / written


@pytest.mark.parametrize("error", [MediaError, KeyboardInterrupt])
def test_nothing_is_left_when_writing_fails(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """An error, or Ctrl-C, in the middle leaves no partial file, and the message names the file the user asked for."""

    def shift(source: Path, target: Path, delay_audio_s: float, **_: object) -> None:
        target.write_text("half")
        raise error(f"{target}: webm holds no aac; write .mkv")

    monkeypatch.setattr("clapboard.media.write.shift", shift)
    source = clip(tmp_path, 300.0)
    with pytest.raises(error) as caught:
        repair.fix(source)
    if error is MediaError:
        assert str(caught.value).startswith(f"{tmp_path / 'talk.synced.mp4'}: webm")
    assert names(tmp_path) == ["talk.mp4"]
