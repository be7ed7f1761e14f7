"""From a silent file to one with a sound: every blow where the picture has it, measured on what was written."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import clapboard
from clapboard.dubbing import run
from clapboard.dubbing.makers import CueMaker, SampleMaker, SampleRnnGenerator, vocoder_of
from clapboard.dubbing.recordings import bank_of_folder, cut, gather, material_of
from clapboard.dubbing.track import Pieces, Take
from clapboard.errors import MediaError, ModelError, NoVideoError, UsageError
from clapboard.media.probe import probe
from clapboard.media.read import read_audio
from clapboard.media.write import write_clip
from clapboard.models.foley_session import load_foley
from clapboard.models.foley_spec import FoleySpec, TextureUse
from clapboard.synthesis.bank import modal_bank
from clapboard.synthesis.cues import MATERIALS, Cues, rows_of
from clapboard.synthesis.griffin_lim import griffin_lim
from clapboard.synthesis.mel import log_mel
from clapboard.synthesis.samplernn import SampleRnn
from clapboard.synthesis.texture import FEATURES
from clapboard.synthesis.vocoder import NetworkVocoder
from clapboard.testing.events import EventClip, render_events
from tiny_foley import appearing, write_tiny_foley, write_tiny_samplernn

HZ = 16_000
WITHIN_S = 0.010
"""What is promised of a blow in a written file."""


@dataclass
class Told:
    """A model that knows the truth of a rendered clip, and tells it as a network would."""

    clip: EventClip
    level: float = 1.0

    def __post_init__(self) -> None:
        files = {"picture": {"name": "none.onnx", "sha256": "0" * 64}}
        self.spec = FoleySpec("told", "cues", "scene-64", 0, files, materials=MATERIALS)
        self.velocity = self.vocoder = None
        self.samples: dict[str, np.ndarray] = {}
        self.versions: dict[str, str] = {}

    def cues(self, images: np.ndarray) -> Cues:
        """The truth, whatever the pictures."""
        rows, lead = 4 * len(images), (len(self.clip.around) - len(self.clip.samples)) // 2
        mel = log_mel(np.float32(self.level) * self.clip.around[lead - 320 : lead - 320 + 160 * rows])
        places = rows_of(np.array([event.time_s for event in self.clip.events]), 0.0)
        onset = np.exp(-0.5 * (np.arange(rows)[:, None] - places) ** 2 / 1.2**2).max(1, initial=0.0)
        materials = np.zeros((rows, len(MATERIALS)), np.float32)
        materials[:, MATERIALS.index(self.clip.materials[0])] = 1
        energy = np.log(np.exp(mel.astype(np.float64)).sum(1))
        return Cues(onset.astype(np.float32), energy.astype(np.float32), materials, mel)


def _rendered(seed: int = 4, seconds: float = 5.0, kind: str = "stick") -> EventClip:
    """A clip whose blows are apart, without anything that disturbs."""
    return render_events(seed, seconds=seconds, split="sparse", kinds=(kind,), clean=True, dry=True)


def _heard(path: Path) -> tuple[np.ndarray, float]:
    """The sound of a file, decoded, and the time of its first sample."""
    runs = read_audio(probe(path))
    start_s = runs[0].start_s
    wave = np.zeros(round((runs[-1].end_s - start_s) * HZ) + 1, np.float32)
    for one in runs:
        begin = round((one.start_s - start_s) * HZ)
        wave[begin : begin + len(one.samples)] = one.samples
    return wave, start_s


def _begins_s(path: Path, near_s: float) -> float:
    """When a blow begins to sound in a file, s: the first sample of a fifth of the peak within 150 ms of a time."""
    wave, start_s = _heard(path)
    first = round((near_s - 0.15 - start_s) * HZ)
    size = np.abs(wave[max(first, 0) : first + round(0.3 * HZ)])
    assert size.max() > 0.05
    return start_s + (max(first, 0) + int(np.argmax(size >= 0.2 * size.max()))) / HZ


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {}),
        ("b.mkv", {"rate": Fraction(25)}),
        ("c.mov", {}),
        ("d.webm", {}),
        ("e.mp4", {"video_start_s": 0.68}),
        ("f.mkv", {"video_start_s": 1.23}),
    ],
    ids=["mp4", "mkv", "mov", "webm", "mp4 that starts later", "mkv that starts later"],
)
def test_a_blow_sounds_when_it_is_seen(tmp_path: Path, name: str, options: dict) -> None:
    """Protects the whole way, on decoded output: within 10 ms of the contact, whatever the container and its start."""
    clip = _rendered()
    start_s = options.pop("video_start_s", 0.0)
    source, out = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    write_clip(source, clip.images, 25, video_start_s=start_s)
    first_s = probe(source).video.start_s  # webm and mkv have whole milliseconds
    assert first_s == pytest.approx(start_s, abs=1e-3)
    report = clapboard.foley(source, out, model=Told(clip), candidates=1)
    assert len(report.onsets_s) == len(clip.events) >= 1
    for event, onset_s in zip(clip.events, report.onsets_s, strict=True):
        assert onset_s == pytest.approx(first_s + event.time_s, abs=0.002)
        shown_s = probe(out).video.start_s + event.time_s
        assert _begins_s(out, shown_s) == pytest.approx(shown_s, abs=WITHIN_S)
    wave, sound_s = _heard(out)
    assert -0.03 < sound_s - probe(out).video.start_s < 0.002  # an encoder's silence may be in front
    assert sound_s + len(wave) / HZ == pytest.approx(probe(out).video.start_s + 5.0, abs=0.05)
    assert report.seconds == pytest.approx(5.0)
    assert report.materials == clip.materials * len(clip.events)
    assert np.abs(wave).max() < 1.0


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(50)])
def test_other_rates_move_nothing(tmp_path: Path, rate: Fraction) -> None:
    """Protects clips that are not of 25 frames a second, whose frames are the nearest ones on the grid."""
    clip = render_events(4, seconds=5.0, rate=rate, split="sparse", kinds=("stick",), clean=True, dry=True)
    write_clip(tmp_path / "a.mp4", clip.images, rate)
    clapboard.foley(tmp_path / "a.mp4", tmp_path / "b.mp4", model=Told(clip), candidates=1)
    for event in clip.events:
        assert _begins_s(tmp_path / "b.mp4", event.time_s) == pytest.approx(event.time_s, abs=WITHIN_S)


def test_a_model_of_files_tells_what_it_did(tmp_path: Path) -> None:
    """Protects a real model read from files: ONNX, its zero, the report and the hook; the same again by its seed."""
    at = (30, 70, 110)
    write_clip(tmp_path / "silent.mp4", appearing(150, at), 25)
    told: list[str] = []
    model = write_tiny_foley(tmp_path / "model", zero_ms=15.0)  # its row is 15 ms before the frame
    report = clapboard.foley(
        tmp_path / "silent.mp4", tmp_path / "out.mp4", model=model, hook=lambda step, *_: told.append(step)
    )
    np.testing.assert_allclose(report.onsets_s, np.array(at) / 25, atol=1e-6)
    assert (report.variant, report.model, report.out) == ("fast", "tiny-foley", tmp_path / "out.mp4")
    assert (len(report.scores), report.chosen, len(report.shots)) == (3, 0, 1)
    assert {"clapboard", "onnxruntime", "av"} <= set(report.versions)
    assert {"read", "rank", "dub"} == set(told)
    for frame in at:
        assert _begins_s(tmp_path / "out.mp4", frame / 25) == pytest.approx(frame / 25, abs=WITHIN_S)
    again = clapboard.foley(tmp_path / "silent.mp4", tmp_path / "again.mkv", model=model)
    np.testing.assert_array_equal(again.onsets_s, report.onsets_s)
    assert again.scores == report.scores


def test_where_the_model_cannot_tell_the_first_is_taken(tmp_path: Path) -> None:
    """Protects against choices by noise: not judged, and said in words."""
    write_clip(tmp_path / "a.mp4", appearing(100, (30, 60)), 25)
    model = write_tiny_foley(tmp_path / "model")
    report = clapboard.foley(tmp_path / "a.mp4", tmp_path / "b.mp4", model=model)
    assert (report.judged, report.chosen, report.in_sync_ms) == (False, 0, None)
    assert any("not judged; the first of 3 candidates was taken" in hint for hint in report.hints)
    one = clapboard.foley(tmp_path / "a.mp4", tmp_path / "c.mp4", model=model, candidates=1)
    assert any(hint.endswith("not judged") for hint in one.hints)


def test_the_candidate_in_sync_is_chosen(tmp_path: Path) -> None:
    """Protects ranking: of tracks that are late by 0, 120 and 400 ms the any-sound model takes the one that is not."""
    from clapboard.anysound import Sight, opened
    from clapboard.dubbing.ranking import rank

    clip = render_events(11, seconds=8.0, kinds=("bounce",), clean=True, dry=True)
    write_clip(tmp_path / "a.mp4", clip.images, 25)
    ears = opened()

    class Keep:
        def push(self, images: np.ndarray) -> None:
            pass

        def end_shot(self, start: int) -> None:
            assert start == -320

    seen = run._watch(probe(tmp_path / "a.mp4"), "scene-64", Sight(ears), Keep(), hook=None, threads=1)
    takes = []
    for late_ms in (400, 0, 120):
        take = Take(None, Pieces())
        take.pieces.add(round(late_ms * HZ / 1000), clip.samples)
        takes.append(take)
    found = rank(probe(tmp_path / "a.mp4"), seen.sight, takes, count=8 * HZ, start_s=0.0, model=ears)
    assert found.judged
    assert found.chosen == 1
    assert found.scores[1] > max(found.scores[0], found.scores[2])
    assert found.offset_ms == pytest.approx(0, abs=60)


def test_no_cue_reaches_over_a_cut_but_ringing_does(tmp_path: Path) -> None:
    """Protects shots: each is told of by itself, at its own time; what was struck before a cut rings on after it."""
    seen: list[int] = []
    clip = render_events(1, seconds=4.0, kinds=("stick",), clean=True, dry=True)
    images = clip.images.copy()
    images[50:] = 255 - images[50:]  # a cut at 2 s

    @dataclass
    class Ringing(Told):
        def cues(self, images: np.ndarray) -> Cues:
            """A blow of metal 40 ms before the end of each shot."""
            seen.append(len(images))
            rows = 4 * len(images)
            onset = np.zeros(rows, np.float32)
            onset[rows - 6] = 1.0
            materials = np.zeros((rows, len(MATERIALS)), np.float32)
            materials[:, MATERIALS.index("metal")] = 1
            mel = np.full((rows, 80), -12.0, np.float32)
            mel[rows - 6 :, 20:30] = -1.0
            return Cues(onset, np.log(np.exp(mel).sum(1)), materials, mel)

    write_clip(tmp_path / "a.mp4", images, 25)
    report = clapboard.foley(tmp_path / "a.mp4", tmp_path / "b.mp4", model=Ringing(clip), candidates=1)
    assert seen == [50, 50]
    assert [shot.start_s for shot in report.shots] == [0.0, 2.0]
    np.testing.assert_allclose(report.onsets_s, [1.925, 3.925], atol=1e-3)
    wave, _ = _heard(tmp_path / "b.mp4")
    after = np.sqrt(np.mean(wave[round(2.02 * HZ) : round(2.15 * HZ)] ** 2))
    assert after > 0.02 * np.abs(wave).max()


def test_models_of_another_scene_are_ranked_all_the_same(tmp_path: Path) -> None:
    """Protects models that see larger pictures in colour: the any-sound model is shown those of its own scene."""
    clip = _rendered()

    class Large(Told):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.spec = replace(self.spec, scene="scene-224")

        def cues(self, images: np.ndarray) -> Cues:
            assert images.shape[1:] == (224, 224, 3)
            return super().cues(images)

    write_clip(tmp_path / "a.mp4", clip.images, 25)
    found = [
        clapboard.foley(tmp_path / "a.mp4", tmp_path / f"{kind.__name__}.mp4", model=kind(clip), candidates=1)
        for kind in (Told, Large)
    ]
    assert found[0].scores[0] != 0
    assert found[0].scores == found[1].scores


def test_what_shows_nothing_is_silent_and_says_so(tmp_path: Path) -> None:
    """Protects stills: a file with silence of the right length, and a hint."""
    write_clip(tmp_path / "a.mp4", appearing(50, ()), 25)
    report = clapboard.foley(tmp_path / "a.mp4", tmp_path / "b.mkv", model=write_tiny_foley(tmp_path / "model"))
    assert len(report.onsets_s) == 0
    assert any("the track is silent" in hint for hint in report.hints)
    wave, _ = _heard(tmp_path / "b.mkv")
    assert np.abs(wave).max() < 1e-3
    assert len(wave) / HZ == pytest.approx(2.0, abs=0.05)


def test_textures_sound_where_the_cues_say_so() -> None:
    """Protects what sounds all the time: waves of the vocoder where water is told, nothing elsewhere, without blows."""
    rows, given = 1600, list[np.ndarray]()
    materials = np.zeros((rows, len(MATERIALS)), np.float32)
    materials[:, 0] = 1
    materials[400:1300] = 0
    materials[400:1300, MATERIALS.index("water")] = 1
    mel = np.full((rows, 80), -12.0, np.float32)
    mel[400:1300] = -5.0
    mel[800:812] = 0.0
    onset = np.zeros(rows, np.float32)
    onset[800] = 0.9
    cues = Cues(onset, np.log(np.exp(mel).sum(1)), materials, mel)

    class Fixed(Told):
        done = 0

        def cues(self, images: np.ndarray) -> Cues:
            self.done += 4 * len(images)
            return cues.part(self.done - 4 * len(images), self.done)

    def vocoder(mel: np.ndarray) -> np.ndarray:
        given.append(mel)
        return np.full(160 * len(mel), 0.1, np.float32)

    maker = CueMaker(Fixed(_rendered()), modal_bank(), vocoder, candidates=2, seed=0)
    maker.push(np.zeros((rows // 4, 64, 64), np.uint8))
    maker.end_shot(1000)
    first, second = maker.takes()
    assert first.pieces is second.pieces
    track = first.wave(0, 1000 + 160 * rows)
    blow = int(first.starts()[0])
    assert blow == pytest.approx(1000 + 160 * 800 + 80, abs=20)
    assert not track[: 1000 + 160 * 380].any()
    assert not track[1000 + 160 * 1320 :].any()
    np.testing.assert_allclose(track[1000 + 160 * 420 : blow], 0.1, atol=1e-4)
    assert len(given) == 2  # 9 s are two windows
    np.testing.assert_allclose(np.concatenate(given)[30:-30], -5.0, atol=1e-2)


def test_a_flow_draws_textures_by_the_seed() -> None:
    """Protects drawn textures: features of the model, another chance in every window, the same again by the seed."""
    rows, calls, given = 1200, list[tuple[float, int]](), list[np.ndarray]()
    materials = np.zeros((rows, len(MATERIALS)), np.float32)
    materials[:, MATERIALS.index("engine")] = 1
    mel = np.full((rows, 80), -4.0, np.float32)
    cues = Cues(np.zeros(rows, np.float32), np.log(np.exp(mel).sum(1)), materials, mel)

    class Drawing(Told):
        def __post_init__(self) -> None:
            super().__post_init__()
            use = TextureUse((-4.0,) * 80, (2.0,) * 80, FEATURES, steps=4, guidance=1.0)
            files = {name: {"name": f"{name}.onnx", "sha256": "0" * 64} for name in ("picture", "texture")}
            self.spec = replace(self.spec, files=files, texture=use, margin_frames=200)

        def cues(self, images: np.ndarray) -> Cues:
            return cues

    def velocity(noisy: np.ndarray, time: float, told: np.ndarray) -> np.ndarray:
        calls.append((time, told.shape[1]))
        return np.zeros_like(noisy)

    def vocoder(mel: np.ndarray) -> np.ndarray:
        given.append(mel)
        return np.zeros(160 * len(mel), np.float32)

    for seed in (0, 0, 1):
        maker = CueMaker(Drawing(_rendered()), modal_bank(), vocoder, velocity, candidates=1, seed=seed)
        maker.push(np.zeros((rows // 4, 64, 64), np.uint8))
        maker.end_shot(0)
    assert len(given) == 6  # 12 s are two windows
    assert {columns for _, columns in calls} == {FEATURES}
    assert len(calls) % len(given) == 0
    assert len(calls) >= 4 * len(given)
    np.testing.assert_array_equal(given[0], given[2])
    assert not np.array_equal(given[0][:100], given[1][:100])
    assert not np.array_equal(given[0], given[4])
    assert given[0].std() == pytest.approx(2.0, rel=0.05)


def test_vocoders_by_name(tmp_path: Path) -> None:
    """Protects ``vocoder``: a model's own, Griffin-Lim, the first there is; and refusal of what is not there."""
    bare = load_foley(write_tiny_foley(tmp_path / "bare"))
    own = load_foley(write_tiny_foley(tmp_path / "own", stages=("vocoder",)))
    assert vocoder_of(bare.vocoder, "auto", "bare") is griffin_lim
    assert vocoder_of(own.vocoder, "auto", "own") is griffin_lim
    assert isinstance(vocoder_of(own.vocoder, "istft", "own"), NetworkVocoder)
    assert vocoder_of(own.vocoder, "griffin-lim", "own") is griffin_lim
    with pytest.raises(UsageError, match="bare has no vocoder"):
        vocoder_of(bare.vocoder, "istft", "bare")
    with pytest.raises(UsageError, match="not wavenet"):
        vocoder_of(own.vocoder, "wavenet", "own")


def _numbered(windows: list[np.ndarray], candidates: int, seed: int) -> list[np.ndarray]:
    """A generator whose sound is the gray of each frame, 640 samples each, and another one a candidate."""
    found = []
    for images in windows:
        wave = np.repeat(images[:, 0, 0].astype(np.float32) / 255, 640)
        found.append(np.stack([wave * 0.5**number for number in range(candidates)]))
    return found


def test_generators_of_samples_are_windowed_and_joined() -> None:
    """Protects long files of the SampleRNN variants: shots of any length come out whole, in place, without a seam."""
    maker = SampleMaker(_numbered, candidates=2, seed=0)
    gray, start, expected = np.random.default_rng(0), 0, []
    for frames in (3, 200, 201, 700):
        values = gray.integers(60, 250, frames).astype(np.uint8)
        images = np.broadcast_to(values[:, None, None], (frames, 64, 64))
        for begin in range(0, frames, 16):
            maker.push(images[begin : begin + 16])
        maker.end_shot(start)
        expected.append(np.repeat(values.astype(np.float32) / 255, 640))
        start += 640 * frames
    whole = np.concatenate(expected)
    for number, take in enumerate(maker.takes()):
        assert len(take.starts()) == 0
        np.testing.assert_allclose(take.wave(0, len(whole)), whole * 0.5**number, atol=1e-3)
        np.testing.assert_allclose(take.wave(5000, 6000), whole[5000:6000] * 0.5**number, atol=1e-3)


def _samplernn_weights(told: int, started: bool) -> dict[str, np.ndarray]:
    """Weights of a small SampleRNN, by chance."""
    rng, w, fine, coarse = np.random.default_rng(0), 8, 4, 16
    shapes: dict[str, tuple[int, ...]] = {
        "coarse_in.weight": (w, coarse + (0 if started else told)), "coarse_in.bias": (w,),
        "coarse_out.weight": (coarse // fine * w, w), "coarse_out.bias": (coarse // fine * w,),
        "middle_in.weight": (w, fine), "middle_in.bias": (w,), "middle_out.weight": (fine * w, w),
        "middle_out.bias": (fine * w,), "embed.weight": (256, 5), "sample_in.weight": (w, fine * 5),
        "sample_hidden.weight": (w, w), "sample_hidden.bias": (w,), "sample_out.weight": (256, w),
        "sample_out.bias": (256,),
    }  # fmt: skip
    for tier in ("coarse", "middle"):
        shapes[f"{tier}_rnn.first"] = (w,)
        for way in ("inward", "onward"):
            shapes |= {f"{tier}_rnn.{way}.weight": (3 * w, w), f"{tier}_rnn.{way}.bias": (3 * w,)}
    if started:
        shapes |= {"start.weight": (w, told), "start.bias": (w,)}
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("kind", ["frame", "seq", "flow"])
def test_variants_of_samplernn_make_files(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects the three variants: encoder, optical flow, samples of a network, of the length of the picture."""
    write_clip(tmp_path / "a.mp4", appearing(14, (5,)), 25)
    model = load_foley(write_tiny_samplernn(tmp_path / "model", kind))
    weights = _samplernn_weights(3, kind == "seq")
    assert SampleRnn(weights).started == (3 if kind == "seq" else 0)
    monkeypatch.setattr(model, "samples", weights)
    report = clapboard.foley(tmp_path / "a.mp4", tmp_path / "b.mkv", variant=kind, model=model, candidates=2)
    assert (report.variant, len(report.onsets_s), len(report.scores)) == (kind, 0, 2)
    wave, _ = _heard(tmp_path / "b.mkv")
    assert len(wave) / HZ == pytest.approx(0.56, abs=0.05)
    assert np.abs(wave).max() > 0.05
    long, short = SampleRnnGenerator(model)([np.zeros((9, 64, 64), np.uint8), np.zeros((2, 64, 64), np.uint8)], 3, 0)
    assert (long.shape, short.shape) == ((3, 640 * 9), (3, 640 * 2))
    assert not np.array_equal(long[0], long[1])
    with pytest.raises(UsageError, match=f"a model of the variant {kind}, not fast; give --variant {kind}"):
        clapboard.foley(tmp_path / "a.mp4", tmp_path / "c.mkv", model=model)
    with pytest.raises(UsageError, match="no blows from a bank"):
        clapboard.foley(tmp_path / "a.mp4", tmp_path / "c.mkv", variant=kind, model=model, bank=tmp_path)


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """Protects users of the function: each mistake by its own error, before anything is written."""
    model = write_tiny_foley(tmp_path / "model")
    source = tmp_path / "a.mp4"
    write_clip(source, appearing(30, (10,)), 25)
    before = sorted(p.name for p in tmp_path.iterdir())
    wave = np.zeros(HZ, np.float32)
    sounding, deaf = tmp_path / "sounding.mkv", tmp_path / "sound-only.mka"
    write_clip(sounding, appearing(25, ()), 25, wave, HZ)
    _write_sound(deaf, np.random.default_rng(0).normal(0, 0.1, HZ).astype(np.float32))
    (tmp_path / "there.mp4").write_bytes(b"mine")
    cases = [
        (NoVideoError, "no picture", deaf, "x.mp4", {}),
        (MediaError, "", tmp_path / "missing.mp4", "x.mp4", {}),
        (UsageError, "no variant slow", source, "x.mp4", {"variant": "slow"}),
        (UsageError, "exists already", source, "there.mp4", {}),
        (UsageError, "is the input", source, "a.mp4", {}),
        (UsageError, "is the input", source, "a.mp4", {"overwrite": True}),
        (UsageError, "has a sound already", sounding, "x.mkv", {}),
        (UsageError, "cannot write a .txt file", source, "x.txt", {}),
        (UsageError, "no folder", source, "nowhere/x.mp4", {}),
        (UsageError, "candidates", source, "x.mp4", {"candidates": 0}),
        (UsageError, "seed", source, "x.mp4", {"seed": -1}),
        (UsageError, "no folder of recordings", source, "x.mp4", {"bank": tmp_path / "nothing"}),
        (UsageError, "a vocoder is one of", source, "x.mp4", {"vocoder": "wavenet"}),
        (ModelError, "", source, "x.mp4", {"model": tmp_path / "no.json"}),
    ]
    for error, words, path, out, options in cases:
        with pytest.raises(error) as raised:
            clapboard.foley(path, tmp_path / out, **{"model": model, **options})
        assert words in str(raised.value)
        assert "\n" not in str(raised.value)
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"
    left = {p.name for p in tmp_path.iterdir()} - set(before)
    assert left == {"sounding.mkv", "sound-only.mka", "there.mp4"}
    report = clapboard.foley(sounding, tmp_path / "there.mp4", model=model, overwrite=True, replace_sound=True)
    assert report.out.stat().st_size > 500


def _write_sound(path: Path, samples: np.ndarray) -> None:
    """Write a file that holds sound alone."""
    import av

    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=HZ, layout="mono")
        data = np.rint(samples[None] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(data, format="s16", layout="mono")
        frame.sample_rate = HZ
        out.mux([*stream.encode(frame), *stream.encode(None)])


def test_a_folder_of_recordings_becomes_a_bank(tmp_path: Path) -> None:
    """Protects ``bank``: blows are cut where they begin, folders name materials, other files are passed over."""
    rng = np.random.default_rng(0)
    bank = modal_bank()
    metal = [bank.samples[i] for i in np.flatnonzero(bank.materials == MATERIALS.index("metal"))[:40:10]]
    track = rng.normal(0, 1e-4, 4 * HZ).astype(np.float32)
    starts = [round((0.4 + 0.9 * n) * HZ) for n in range(4)]
    for start, blow in zip(starts, metal, strict=True):
        track[start : start + len(blow)] += 0.5 * blow
    cuts = list(cut(track))
    assert len(cuts) == 4
    for own, blow in zip(cuts, metal, strict=True):
        lag = int(np.argmax(np.correlate(own[:4000], blow[:2000], "valid")))
        assert lag / HZ == pytest.approx(0.0005, abs=0.0015)  # a blow begins where it is struck
    for name, samples in (
        ("Metal/run.mka", track),
        ("odd/hit.mka", bank.samples[0]),
        ("odd/more/x.mka", bank.samples[1]),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        _write_sound(tmp_path / name, samples)
    (tmp_path / "Metal" / "notes.txt").write_text("no sound")
    write_clip(tmp_path / "silent.mp4", appearing(10, ()), 25)
    said = gather(tmp_path)
    found = said.bank
    assert (said.blows, said.files, said.silent) == (6, 5, 2)
    assert said.words() == (
        "the bank has 6 blows of 3 files, 2 of them of no known material; "
        "passed over, without a sound that clearly begins: 2 files"
    )
    assert [MATERIALS[m] for m in found.materials] == ["metal"] * 4 + ["none"] * 2
    assert found.bodies[:4].tolist() == [found.bodies[0]] * 4
    assert material_of(tmp_path / "Wood" / "a.wav", tmp_path) == "wood"
    assert material_of(tmp_path / "x.wav", tmp_path) == "none"
    clip = _rendered()
    write_clip(tmp_path / "seen.mp4", clip.images, 25)
    report = clapboard.foley(tmp_path / "seen.mp4", tmp_path / "out.mkv", model=Told(clip), bank=tmp_path / "Metal")
    assert report.hints[0].startswith("the bank has 4 blows of 1 file; passed over")
    event = clip.events[0]
    assert _begins_s(tmp_path / "out.mkv", event.time_s) == pytest.approx(event.time_s, abs=WITHIN_S)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="no file in it has a sound"):
        bank_of_folder(tmp_path / "empty")
    _write_sound(tmp_path / "empty" / "still.mka", np.zeros(HZ, np.float32))
    with pytest.raises(MediaError, match="begins to sound"):
        bank_of_folder(tmp_path / "empty")


def test_timestamps_of_days_are_refused(tmp_path: Path) -> None:
    """Protects memory: a wrong timestamp must not ask for a track of days."""
    times = [0.0, 0.04, 0.08, 200_000.0]
    write_clip(tmp_path / "a.mkv", appearing(4, ()), times)
    with pytest.raises(MediaError, match="56 hours"):
        clapboard.foley(tmp_path / "a.mkv", tmp_path / "b.mkv", model=write_tiny_foley(tmp_path / "model"))
