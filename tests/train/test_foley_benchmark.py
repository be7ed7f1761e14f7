"""The benchmarks of sound made for silent pictures: what is true there, what is measured, and where controls lie."""

import importlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.dataset.store import Entry, Stored, Writer  # noqa: E402
from clapboard.errors import MediaError, UsageError  # noqa: E402
from clapboard.testing.events import render_events  # noqa: E402
from clapboard.training.rendered_events import main as render  # noqa: E402
from tiny_foley import appearing, write_tiny_foley  # noqa: E402

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CLIPS, SECONDS = 6, 4
FRAMES = 25 * SECONDS


@pytest.fixture(scope="module")
def scripts() -> Iterator[Any]:
    """Return a function that imports one of the scripts, which are no part of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few rendered clips with dry sound."""
    folder = tmp_path_factory.mktemp("rendered") / "blows"
    asked = ["--part", "test", "--clips", str(CLIPS), "--seconds", str(SECONDS), "--dry", "--processes", "1"]
    assert render(["-o", str(folder), *asked]) == 0
    return folder


@pytest.fixture(scope="module")
def clips(scripts: Any, rendered: Path) -> list[Any]:
    return scripts("foley_clips").load_clips(rendered)


def clip_of(scripts: Any, seed: int, recording: str = "", label: str = "drum", late_s: float = 0.0) -> Any:
    """A picture that changes at some frames, and blows that begin half a frame before each, or later."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.choice(np.arange(5, FRAMES - 8, 7), 8, replace=False)) + rng.integers(0, 3, 8)
    foley_clips = scripts("foley_clips")
    wave = foley_clips.blows_at(at / 25 + late_s, 640 * FRAMES, rng)
    name = f"clip{seed}"
    return foley_clips.Clip(name, recording or name, label, appearing(FRAMES, tuple(at)), wave, at / 25 + late_s)


def test_truth_is_told_from_the_first_sample(scripts: Any, clips: list[Any], rendered: Path) -> None:
    """Protects the clock: the wave begins 20 ms before the first picture, and moments of contact count from there."""
    first = json.loads((rendered / "truth.jsonl").read_text().splitlines()[0])
    clip = render_events(first["seed"], seconds=SECONDS, part="test", dry=True)
    seen = np.array([event.time_s for event in clip.events if event.source >= 0])
    np.testing.assert_allclose(clips[0].true_s, seen[seen + 0.02 < SECONDS] + 0.02, atol=1e-5)
    assert len(clips[0].wave) == 640 * FRAMES == 640 * len(clips[0].images)
    np.testing.assert_allclose(clips[0].wave[320:], clip.samples[:-320], atol=1e-4)
    assert clips[0].label == clip.materials[0]


def test_onsets_of_true_sound_are_the_moments_of_contact(scripts: Any, clips: list[Any]) -> None:
    """Protects the ceiling: the one picker finds nearly all blows in true sound, at any level, and none in silence."""
    foley_clips, onset_match = scripts("foley_clips"), importlib.import_module("clapboard.metrics.onset_match")
    lengths = [clip.length_s for clip in clips]
    for gain in (1.0, 1e-3):
        found = [foley_clips.onsets_of(np.float32(gain) * clip.wave) for clip in clips]
        result = onset_match.evaluate([clip.true_s for clip in clips], found, lengths, tolerance_s=0.05)
        assert result.f1 > 0.95
    assert not len(foley_clips.onsets_of(np.zeros(64000, np.float32)))


def test_baselines_stand_where_they_should(scripts: Any, clips: list[Any]) -> None:
    """Protects the table: true sound is at the top in all, silence finds nothing, the rest is near its control."""
    foley_clips, foley_measures = scripts("foley_clips"), scripts("foley_measures")
    measure = foley_measures.Measures(clips, None, None)
    rows = {name: measure(waves) for name, waves in foley_clips.baselines(clips).items()}
    assert list(rows) == ["true sound", "another's sound", "silence", "blows at random"]
    true, strange = rows["true sound"], rows["another's sound"]
    assert true["onsets"]["50"]["f1"] > 0.95
    assert true["retrieval"]["top1"] == 1.0
    assert true["envelope"]["correlation"] == pytest.approx(1)
    assert strange["retrieval"]["top1"] == 0.0
    assert strange["onsets"]["50"]["f1"] < 0.5
    assert rows["silence"]["onsets"]["100"] | {"f1": 0.0, "found": 0} == rows["silence"]["onsets"]["100"]
    gaps = np.concatenate([np.diff(c.true_s) for c in clips])
    random = [foley_clips.onsets_of(wave) for wave in foley_clips.at_random(clips).values()]
    assert np.median(np.concatenate([np.diff(r) for r in random])) == pytest.approx(np.median(gaps), rel=0.25)
    lines = list(foley_measures.table(rows))
    assert len({line.count("|") for line in lines}) == 1
    assert lines[-1].startswith("| chance |")
    assert "16.7" in lines[-1], "one of six clips"


def test_sound_in_time_but_late_is_told(scripts: Any, clips: list[Any]) -> None:
    """Protects the tolerances: 70 ms late is right within 100 ms and wrong within 50, and the level counts nothing."""
    measure = scripts("foley_measures").Measures(clips, None, None)
    late = {clip.id: 0.01 * np.concatenate([np.zeros(1120, np.float32), clip.wave[:-1120]]) for clip in clips}
    row = measure(late)
    assert row["onsets"]["100"]["f1"] > 0.9
    assert row["onsets"]["50"]["f1"] < 0.3
    with pytest.raises(UsageError, match="640 for each frame"):
        measure({clip.id: clip.wave[:-1] for clip in clips})


def test_the_model_of_sync_tells_late_sound(scripts: Any, clips: list[Any]) -> None:
    """Protects DeSync: true sound lies near 0, the same 320 ms late near -320, silence has not even a guess."""
    foley_measures = scripts("foley_measures")
    from clapboard.models.any_session import load_any_sound

    sync = foley_measures.Sync(load_any_sound(), clips)
    late = [np.concatenate([np.zeros(5120, np.float32), clip.wave[:-5120]]) for clip in clips]
    own, moved = ([next(iter(sync(c, w)))[0] for c, w in zip(clips, those, strict=True)]
                  for those in ([clip.wave for clip in clips], late))  # fmt: skip
    assert abs(np.median(own)) < 40
    assert np.median(moved) == pytest.approx(-320, abs=40)
    assert np.isnan(next(iter(sync(clips[0], np.zeros_like(clips[0].wave))))[0])
    long = replace(clips[0], images=np.concatenate([clips[0].images] * 2), wave=np.concatenate([clips[0].wave] * 2))
    assert len(list(foley_measures.Sync(load_any_sound(), [long])(long, long.wave))) == 2, "the first and last 4.8 s"


def test_what_models_make_is_kept(scripts: Any, clips: list[Any], tmp_path: Path) -> None:
    """Protects long runs: a clip that was made is not made again, another model's folder is refused in one line."""
    makers = scripts("foley_makers")
    model, said = str(write_tiny_foley(tmp_path)), list[str]()
    first = makers.make(model, clips[:2], tmp_path / "kept", seed=0, hook=said.append)
    assert len(said) == 2
    (tmp_path / "kept" / f"{clips[1].id}.npy").unlink()
    again = makers.make(model, clips[:2], tmp_path / "kept", seed=0, hook=said.append)
    assert len(said) == 3
    for name, wave in first.items():
        np.testing.assert_array_equal(again[name], wave)
    assert len(first[clips[0].id]) == len(clips[0].wave)
    with pytest.raises(UsageError, match="was made by"):
        makers.make(model, clips[:2], tmp_path / "kept", seed=1, hook=said.append)
    with pytest.raises(UsageError, match="has no vocoder of its own"):
        makers.make(f"{model}:istft", clips[:1], tmp_path / "no", seed=0, hook=said.append)
    plain = makers.make(f"{model}:griffin-lim", clips[:1], tmp_path / "gl", seed=0, hook=said.append)
    assert not np.array_equal(plain[clips[0].id], first[clips[0].id])


def test_a_sound_is_laid_where_the_picture_changes(scripts: Any, tmp_path: Path) -> None:
    """Protects the clock of what models make: a network that sees changes is exact, on pictures made of them."""
    some = [clip_of(scripts, seed) for seed in range(3)]
    made = scripts("foley_makers").make(
        str(write_tiny_foley(tmp_path)), some, tmp_path / "kept", seed=0, hook=lambda _: None
    )
    row = scripts("foley_measures").Measures(some, None, None)(made)
    assert row["onsets"]["50"]["f1"] > 0.95
    assert row["onsets"]["50"]["control"] < 0.5


@pytest.mark.parametrize("kind", ["frame", "seq", "flow"])
def test_samples_are_drawn_for_clips_of_any_length(scripts: Any, tmp_path: Path, kind: str) -> None:
    """Protects SampleRNN in the table: clips drawn together come out each as long as its own picture."""
    from clapboard.training.foley.samples import Conditioned, SampleRecipe
    from clapboard.training.foley.samples_export import export_samplernn

    recipe = SampleRecipe(steps=1, encoder=kind, width=8, embedding=4, features=4, encoder_width=4)
    model = export_samplernn(Conditioned(recipe).eval(), tmp_path, "tiny")
    one = clip_of(scripts, 0)
    some = [replace(one, id=f"{n}", images=one.images[:n], wave=one.wave[: 640 * n]) for n in (5, 3)]
    made = scripts("foley_makers").make(str(model), some, tmp_path / "kept", seed=0, hook=lambda _: None)
    assert {name: len(wave) for name, wave in made.items()} == {"5": 3200, "3": 1920}
    with pytest.raises(UsageError, match="takes no griffin-lim"):
        scripts("foley_makers").make(f"{model}:griffin-lim", some, tmp_path / "no", seed=0, hook=lambda _: None)


def test_sounds_that_lie_there_are_read(scripts: Any, clips: list[Any], tmp_path: Path) -> None:
    """Protects --waves: an archive or a folder, whole or not at all, floats or 16 bits."""
    read = scripts("foley_makers").read_waves
    np.savez(tmp_path / "all.npz", **{clip.id: clip.wave for clip in clips})
    for clip in clips:
        np.save(tmp_path / f"{clip.id}.npy", np.round(clip.wave * 32767).astype(np.int16))
    for path in (tmp_path / "all.npz", tmp_path):
        found = read(path, clips)
        np.testing.assert_allclose(found[clips[1].id], clips[1].wave, atol=1e-4)
    np.savez(tmp_path / "some.npz", **{clips[0].id: clips[0].wave})
    with pytest.raises(UsageError, match="has no sound of 5 of 6 clips"):
        read(tmp_path / "some.npz", clips)
    with pytest.raises(MediaError, match="holds no sounds"):
        read(tmp_path / "none.npz", clips)


def test_the_whole_command(
    scripts: Any, rendered: Path, clips: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the table of rendered clips: one command, all rows, bits where there are some, the same in the JSON."""
    main = scripts("foley").main
    np.savez(tmp_path / "true.npz", **{clip.id: clip.wave for clip in clips})
    counts = [640 * FRAMES] * CLIPS
    nats = {"right": [-2.0 * n for n in counts], "wrong": [-2.2 * n for n in counts], "samples": counts}
    (tmp_path / "bits.json").write_text(json.dumps(nats))
    model, out = write_tiny_foley(tmp_path), tmp_path / "out.json"
    call = [str(rendered), "--model", f"tiny={model}", "--waves", f"copy={tmp_path / 'true.npz'}", "--any-sound", ""]
    call += ["--bits", f"copy={tmp_path / 'bits.json'}", "--work", str(tmp_path / "work"), "-o", str(out)]
    assert main(call) == 0
    printed = capsys.readouterr()
    assert printed.out.count("\n| ") == 7
    assert "measuring tiny" in printed.err
    rows = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert rows["silence"]["onsets"]["50"]["precision"] is None
    assert list(rows) == ["true sound", "another's sound", "silence", "blows at random", "copy", "tiny"]
    assert rows["copy"]["onsets"] == rows["true sound"]["onsets"]
    assert rows["copy"]["bits"]["gap"] == pytest.approx(0.2 / np.log(2))
    assert (tmp_path / "work" / rendered.name / "tiny" / "made.json").exists()


WRONG = {
    "nowhere.json": ["--model", "none=nowhere.json"],
    "NAME=PATH": ["--model", "silence"],
    "two sounds are called silence": ["--waves", "silence=a.npz"],
    "bits.json: holds no likelihoods": ["--bits", "strange=bits.json"],
    "20 are needed": ["--train", "SELF"],
}


@pytest.mark.parametrize("said", list(WRONG))
def test_what_cannot_be_done_is_told_in_one_line(
    scripts: Any, rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    """Protects from tracebacks and half tables."""
    asked = [str(rendered) if part == "SELF" else part for part in WRONG[said]]
    with pytest.raises(SystemExit) as stopped:
        scripts("foley").main([str(rendered), *asked, "--work", str(tmp_path)])
    assert stopped.value.code in (2, 4, 5)
    shown = capsys.readouterr()
    assert said in shown.err.splitlines()[-1]
    assert not shown.out


def write_real(folder: Path, those: list[Any]) -> None:
    """A data set of scenes without a truth, as of real clips; file names are those of recordings."""
    with Writer(folder, "scene-64", {"kind": "sounds"}) as writer:
        for clip in those:
            file = f"{folder.name}/{clip.recording}.mp4"
            entry = Entry(
                clip.id, file, "real", clip.recording, f"real/{clip.recording}", 0, 0, 0.0, 4.0, FRAMES, 0.0, 1.0
            )
            samples = np.round(clip.wave * 32767).astype(np.int16)
            writer.add(entry, Stored(clip.images, np.arange(FRAMES) / 25, samples, -0.02))
            writer.finished()


def test_real_clips_have_words(scripts: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects the tables of real clips: by part and by class, and "no evidence" for all that is not in time."""
    names = ["drums", "dog", "fireworks", "snare drum", "baby", "drums", "piano"]
    those = [clip_of(scripts, seed, f"rec{seed}", late_s=0.12) for seed in range(7)]
    write_real(tmp_path / "train", those[:4])
    write_real(tmp_path / "test", those[4:])
    rows = [f"x/rec{n}.mp4,{name},{'A' if n != 4 else 'B'}" for n, name in enumerate(names)]
    (tmp_path / "manifest.csv").write_text("file,class,grade\n" + "\n".join(rows) + "\n")
    out = tmp_path / "out.json"
    call = [str(tmp_path / "test"), str(tmp_path / "train"), "--manifest", str(tmp_path / "manifest.csv")]
    assert scripts("foley_real").main([*call, "--any-sound", "", "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "test: drum, dog, fireworks, baby: 2 recordings" in printed
    assert "all: all events of grade A: 6 recordings, 6 shots, 24 s" in printed
    found = json.loads(out.read_text())
    words = {name: row["evidence"] for name, row in found["all: drum, dog, fireworks, baby"].items()}
    assert words["true sound"] == words["blows by motion"] == "evidence"
    assert {words[name] for name in ("another's sound", "silence", "blows at random")} == {"no evidence"}
    assert {row["evidence"] for row in found["test: drum, dog, fireworks, baby"].values()} == {"no evidence"}, "too few"
    with pytest.raises(SystemExit) as stopped:
        scripts("foley_real").main([call[0], "--manifest", str(tmp_path / "none.csv")])
    assert stopped.value.code == 2


def test_no_recording_teaches_its_own_class(scripts: Any) -> None:
    """Protects the classes of real clips: all shots of a recording are left out; one recording makes no class."""
    real = scripts("foley_real")
    those = [
        clip_of(scripts, n, f"rec{n // 2}", label) for n, label in enumerate(["drum"] * 4 + ["baby"] * 4 + ["dog"])
    ]
    judge = real.LeaveOut(those)
    assert judge.names == ("baby", "drum")
    seen: list[int] = []
    fit = real.fit_pieces
    try:
        real.fit_pieces = lambda rows, labels: seen.append(len(rows)) or fit(rows, labels)
        assert judge(those[0], those[0].wave) in judge.names
        judge(those[1], those[1].wave)
    finally:
        real.fit_pieces = fit
    assert seen == [6], "eight shots, two of them of the recording, and learned once"


def test_motion_is_picked_where_it_is(scripts: Any) -> None:
    """Protects the baseline of real clips: peaks of what changes, on the same clock as sounds; a still has none."""
    motion = scripts("foley_motion")
    at = (10, 30, 52, 75)
    found = motion.motion_onsets(appearing(FRAMES, at), late_s=0.0)
    np.testing.assert_allclose(
        found, np.array(at) / 25, atol=1e-9
    )  # half a frame before frame n, 20 ms after the first
    np.testing.assert_allclose(motion.motion_onsets(appearing(FRAMES, at)) - found, motion.LATE_S)
    assert not len(motion.motion_onsets(np.full((FRAMES, 64, 64), 90, np.uint8)))


def test_figures_show_the_true_moments(scripts: Any, rendered: Path, clips: list[Any], tmp_path: Path) -> None:
    """Protects the pictures: a panel for each sound, a line at every moment of contact, and how many are met."""
    np.savez(tmp_path / "silence.npz", **{clip.id: np.zeros_like(clip.wave) for clip in clips})
    name = clips[2].id
    call = [str(rendered), "--clip", name, "--waves", f"nothing={tmp_path / 'silence.npz'}", "-o", str(tmp_path)]
    assert scripts("foley_figures").main(call) == 0
    svg = ElementTree.fromstring((tmp_path / f"foley-{name}.svg").read_text(encoding="utf-8"))
    space = "{http://www.w3.org/2000/svg}"
    titles = [one.text or "" for one in svg.findall(f"{space}text")]
    count = len(clips[2].true_s)
    assert titles[0].startswith("true sound: ")
    assert titles[1] == f"nothing: 0 of {count} moments within 50 ms, 0 onsets besides"
    lines = [float(one.attrib["x1"]) for one in svg.iter(f"{space}line") if one.attrib["class"] == "true"]
    np.testing.assert_allclose(lines, np.tile(100 * clips[2].true_s, 2), atol=0.06)
    assert len(list(svg.iter(f"{space}image"))) == 2
    with pytest.raises(SystemExit) as stopped:
        scripts("foley_figures").main([str(rendered), "--clip", "none", "-o", str(tmp_path)])
    assert stopped.value.code == 2
