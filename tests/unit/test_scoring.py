"""Scores of whole clips, rendered, in both modes; and the metric that gathers them, as torchmetrics would have it."""

import math
import pickle
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clapboard
from clapboard.errors import MediaError, ModelError, UsageError
from clapboard.media.probe import probe
from clapboard.media.read import read_audio, read_frames
from clapboard.media.write import write_clip
from clapboard.metrics import lse
from clapboard.models.session import load_model
from clapboard.models.spec import PUBLISHED
from clapboard.scoring import LipSyncError, Score, difference, pairs, score, score_or_reason, summary
from clapboard.testing import make_clip
from tiny_models import write_tiny

PUBLISHED_JSON = "models/syncnet-v2.json"
"""What a user's imported model is called: it need not be there before a file is scored."""
PEOPLE = 7919
"""A seed this far away is another speaker."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the inputs and the zero of the published one, that says it was imported: it sees dark mouths."""
    folder = tmp_path_factory.mktemp("model")
    about = {"network": PUBLISHED}
    return write_tiny(folder, "face-224", "mfcc-13", name="syncnet-v2", zero_ms=27.5, length=10.0, about=about)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A face with its own sound and with a foreign one, one of a second, one without sound, one without a face."""
    folder = tmp_path_factory.mktemp("clips")
    found = {name: folder / f"{name}.mp4" for name in ("own", "foreign", "second", "mute", "faceless")}
    make_clip(found["own"], seed=3, duration_s=5.0, grain=0.0)
    make_clip(found["foreign"], seed=3, duration_s=5.0, grain=0.0, voice_of=3 + PEOPLE)
    make_clip(found["second"], seed=3, duration_s=1.0, grain=0.0)
    make_clip(found["mute"], seed=3, duration_s=1.0, grain=0.0, audio=False)
    noise = (0.1 * np.random.default_rng(1).standard_normal(32_000)).astype(np.float32)
    write_clip(found["faceless"], [np.full((120, 160), 90, np.uint8)] * 50, 25, noise, 16_000)
    return found


@pytest.mark.parametrize("mode", ["better", "compatible"])
def test_own_sound_scores_better_than_foreign(mode: str, clips: dict[str, Path], published: Path) -> None:
    """What the numbers are for: the face with its own voice is nearer (LSE-D) and clearer (LSE-C), at its offset 0."""
    model = published if mode == "compatible" else None
    own, foreign = (score(clips[name], mode=mode, model=model) for name in ("own", "foreign"))
    assert own.lse_d < foreign.lse_d
    assert own.lse_c > foreign.lse_c + 0.02
    assert abs(own.offset_ms) <= 40
    assert (own.status, own.exit_code, foreign.exit_code) == ("scored", 0, 0)
    assert foreign.status == ("undecided" if mode == "better" else "scored")
    assert bool(foreign.reasons) == (mode == "better")


@pytest.mark.parametrize("mode", ["better", "compatible"])
def test_a_clip_of_one_second_has_numbers(mode: str, clips: dict[str, Path], published: Path) -> None:
    """Where the published scripts print nothing at all; that it is short is said."""
    found = score(clips["second"], mode=mode, model=published if mode == "compatible" else None)
    assert found.status != "not_scored"
    assert found.exit_code == 0
    assert found.lse_d > 0
    assert found.lse_c > 0
    assert math.isfinite(found.offset_ms)
    assert found.windows > 0
    if mode == "compatible":
        assert found.windows == 25 - 5
        assert "more than 100 frames" in found.reasons[0]


@pytest.mark.parametrize("mode", ["better", "compatible"])
@pytest.mark.parametrize("name", ["mute", "faceless"])
def test_what_cannot_be_scored_has_a_row(mode: str, name: str, clips: dict[str, Path], published: Path) -> None:
    """Never dropped in silence, and never a number."""
    code, why = {"mute": (4, "no sound"), "faceless": (3, "no face was found")}[name]
    found = score(clips[name], mode=mode, model=published if mode == "compatible" else None)
    assert (found.status, found.exit_code) == ("not_scored", code)
    assert why in found.reasons[0]
    assert math.isnan(found.lse_d)
    assert math.isnan(found.lse_c)


def test_numbers_are_those_of_the_tracks(clips: dict[str, Path], published: Path) -> None:
    """With one face the file says what its face says."""
    for mode, model in (("better", None), ("compatible", published)):
        found = score(clips["own"], mode=mode, model=model)
        (track,) = found.tracks
        assert track.counts
        assert (track.lse_d, track.lse_c, track.windows) == pytest.approx((found.lse_d, found.lse_c, found.windows))


def test_better_is_what_check_measures(clips: dict[str, Path]) -> None:
    """The same curve as in a report of the same reach, with the median over it."""
    offset = clapboard.check(clips["own"], max_offset_ms=600).offset
    found = score(clips["own"])
    assert found.lse_d == pytest.approx(offset.min_distance, abs=1e-6)
    assert found.lse_c == pytest.approx(np.nanmedian(offset.curve) - offset.min_distance, abs=1e-6)


def test_shots_all_count(tmp_path: Path, published: Path) -> None:
    """A face that is cut to counts in every shot, by its windows: a shot that fails cannot be left out."""
    make_clip(tmp_path / "a.mp4", seed=3, duration_s=6.0, cuts_s=(2.0,), grain=0.0)
    better = score(tmp_path / "a.mp4")
    assert [track.counts for track in better.tracks] == [True, True]
    assert better.windows == sum(track.windows for track in better.tracks)
    # the published pipeline keeps tracks of more than 100 frames: the shot of 4 s has just as many
    compatible = score(tmp_path / "a.mp4", mode="compatible", model=published)
    assert sum(track.counts for track in compatible.tracks) == 1
    assert compatible.reasons


def test_listeners_do_not_count(tmp_path: Path) -> None:
    """Of two faces in one picture the one that speaks."""
    make_clip(tmp_path / "a.mp4", seed=3, duration_s=4.0, faces=2, speaking=1, face_px=120.0, grain=0.0)
    found = score(tmp_path / "a.mp4")
    assert len(found.tracks) == 2
    (counting,) = (track for track in found.tracks if track.counts)
    assert counting.lse_d == min(track.lse_d for track in found.tracks)
    assert found.lse_d == pytest.approx(counting.lse_d)


def test_the_published_model_is_asked_for(published: Path, tmp_path: Path) -> None:
    """One line that says what is missing and what to do, before any file is opened; code 5."""
    for model in (None, "clapboard-s", write_tiny(tmp_path, "face-224", "mfcc-13")):
        with pytest.raises(ModelError, match="clapboard models import") as error:
            score("/nowhere.mp4", mode="compatible", model=model)
        assert error.value.exit_code == 5
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="there is better and compatible"):
        score("/nowhere.mp4", mode="best")  # type: ignore[arg-type]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """An error for who asked for one file, a row for who asked for many."""
    (tmp_path / "a.mp4").write_bytes(b"nonsense")
    with pytest.raises(MediaError):
        score(tmp_path / "a.mp4")
    found = score_or_reason(tmp_path / "a.mp4")
    assert (found.status, found.exit_code) == ("not_scored", 4)
    assert not found.reasons[0].startswith(str(tmp_path))


# The metric


def rows_of(metric: LipSyncError) -> list[dict[str, object]]:
    """Rows as plain values, NaN as a word, so that they can be compared."""
    return [{k: "nan" if str(v) == "nan" else v for k, v in asdict(row).items()} for row in metric.rows]


def fed(metric: LipSyncError, tables: list[np.ndarray]) -> LipSyncError:
    """The metric after some distances, each under a name of its own."""
    for number, table in enumerate(tables):
        metric.update_distances(table, name=f"{number}.mp4")
    return metric


def test_contract(clips: dict[str, Path]) -> None:
    """What torchmetrics promises: empty at first, fed in parts or at once the same, pickled, merged, reset."""
    metric = clapboard.LipSyncError(resamples=50)
    empty = metric.compute()
    assert empty.files == 0
    assert math.isnan(empty.lse_d.mean)
    paths = [clips[name] for name in ("own", "mute", "second")]
    metric.update(*paths)
    first, second = LipSyncError(resamples=50), LipSyncError(resamples=50)
    first.update(paths[0])
    second.update(paths[1])
    second.update(paths[2])
    first.merge(pickle.loads(pickle.dumps(second)))
    assert rows_of(first) == rows_of(metric)
    assert len(second.rows) == 2
    found = first.compute()
    assert found == metric.compute()
    assert (found.files, found.scored, found.not_scored) == (3, 2, 1)
    scored = [row.lse_d for row in metric.rows if row.status != "not_scored"]
    assert found.lse_d.mean == pytest.approx(np.mean(scored))
    assert found.lse_d.low <= found.lse_d.mean <= found.lse_d.high
    metric.reset()
    assert metric.compute().files == 0


def test_distances_of_ones_own() -> None:
    """By hand: means 3 and 5 of minima, in the mode that has the published rule; the same without NaN in the other."""
    near = np.tile([9.0, 6.0, 3.0, 6.0, 9.0], (4, 1))
    for mode in ("compatible", "better"):
        metric = fed(LipSyncError(mode, PUBLISHED_JSON if mode == "compatible" else None), [near, near + 2])
        assert metric.compute().lse_d.mean == pytest.approx(4.0)
        assert metric.compute().lse_c.mean == pytest.approx(3.0)
    nothing = LipSyncError()
    nothing.update_distances(np.full((4, 5), np.nan))
    assert nothing.rows[0].status == "not_scored"
    with pytest.raises(UsageError, match="no gaps"):
        LipSyncError("compatible", PUBLISHED_JSON).update_distances(np.full((4, 5), np.nan))
    with pytest.raises(UsageError, match="counts every window"):
        LipSyncError("compatible", PUBLISHED_JSON).update_distances(near, [True] * 4)


def test_compatible_without_a_model_is_told_at_once() -> None:
    """Protects who has generated for days: the line of the command, before any file is scored."""
    with pytest.raises(ModelError, match=r"compatible scores need the published SyncNet weights.* models import"):
        LipSyncError(mode="compatible")


def test_rows_without_a_name_are_files_of_their_own() -> None:
    """Protects the interval: were they one file, there would be none."""
    metric, other = LipSyncError(resamples=50), LipSyncError(resamples=50)
    for number, one in enumerate((metric, other)):
        one.update_distances(np.tile([9.0, 6.0, 3.0 + number, 6.0, 9.0], (4, 1)))
    metric.merge(other)
    assert metric.compute().lse_c.low < metric.compute().lse_c.high


def test_only_what_can_be_compared_is_merged(tmp_path: Path) -> None:
    """Protects from means over two networks; a path is the same model as text and as a path."""
    LipSyncError(model=tmp_path).merge(LipSyncError(model=str(tmp_path)))
    with pytest.raises(UsageError, match="cannot be compared"):
        LipSyncError().merge(LipSyncError("compatible", PUBLISHED_JSON))
    with pytest.raises(UsageError, match="name or the path"):
        LipSyncError(model=load_model())  # type: ignore[arg-type]


tables = st.lists(
    st.integers(0, 10_000).map(lambda seed: np.random.default_rng(seed).uniform(1, 9, (6, 7))), min_size=1, max_size=5
)


@given(tables, st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_in_parts_as_at_once(some: list[np.ndarray], cut: int) -> None:
    """Two halves, in either order, give what the whole gives."""
    whole = fed(LipSyncError(resamples=20), some)
    halves = LipSyncError(resamples=20), LipSyncError(resamples=20)
    for number, table in enumerate(some):
        halves[number >= cut].update_distances(table, name=f"{number}.mp4")
    halves[1].merge(halves[0])
    found, wanted = halves[1].compute(), whole.compute()
    assert (*found.lse_d, *found.lse_c) == pytest.approx((*wanted.lse_d, *wanted.lse_c), nan_ok=True)


def row(name: str, lse_d: float, lse_c: float) -> Score:
    """A row by hand."""
    return Score(name, "not_scored" if math.isnan(lse_d) else "scored", lse_d, lse_c, 0.0, 10)


def test_pairs() -> None:
    """By hand: two pairs, 0.5 and -0.1 apart; a row without an original, or without a number, makes none."""
    nan = float("nan")
    rows = [row("a", 1.5, 1.0), row("b", 0.9, 2.0), row("c", 1.0, 1.0), row("d", nan, nan), row("e", 1, 1)]
    originals = [row("A", 1.0, 1.5), row("B", 1.0, 1.5), None, row("D", 1.0, 1.0), row("E", nan, nan)]
    assert [a.file for a, _ in pairs(rows, originals)] == ["a", "b"]
    found = difference(rows, originals, 200)
    assert found["lse_d"].mean == pytest.approx(0.2)
    assert found["lse_c"].mean == pytest.approx(0.0)
    assert -0.1 <= found["lse_d"].low <= 0.2 <= found["lse_d"].high <= 0.5


def test_undecided_is_counted_apart() -> None:
    """Their numbers are in the mean; how many there are is told."""
    found = summary([row("a", 1.0, 1.0), replace(row("b", 2.0, 0.0), status="undecided"), row("c", np.nan, np.nan)], 20)
    assert (found.files, found.scored, found.undecided, found.not_scored) == (3, 2, 1, 1)
    assert found.lse_d.mean == pytest.approx(1.5)
    assert isinstance(found.lse_d, lse.Mean)


TALKING = Path(__file__).parents[3] / "shared" / "data" / "talking"
real = pytest.mark.skipif(not TALKING.is_dir(), reason="no real clips here")


@real
@pytest.mark.real
@pytest.mark.parametrize("corpus", ["HDTF", "TCD-TIMIT"])
def test_real_clips_score_better_than_foreign_sound(corpus: str) -> None:
    """The same on real ones: every clip of these corpora is nearer than every one with somebody else's voice."""
    own = [score(path) for path in sorted((TALKING / "dev" / corpus).iterdir())]
    foreign = [score(path) for path in sorted((TALKING / "dev_foreign_sound" / "deepfake-negatives").iterdir())]
    assert max(row.lse_d for row in own) < min(row.lse_d for row in foreign)
    assert {row.status for row in foreign} == {"undecided"}


def one_second(path: Path, out: Path) -> Path:
    """The second of a clip from 0.5 s on, as a file of its own."""
    clip = probe(path)
    frames = [frame for frame in read_frames(clip, until_s=2.0) if frame.time_s >= 0.5][: round(clip.rate)]
    height, width = (size // 2 * 2 for size in frames[0].image.shape)
    runs = read_audio(clip, until_s=frames[0].time_s + 1)
    samples = np.concatenate([run.samples for run in runs])
    first = max(0, round((frames[0].time_s - runs[0].start_s) * runs[0].rate_hz))
    images = [frame.image[:height, :width] for frame in frames]
    write_clip(out, images, clip.rate, samples[first : first + runs[0].rate_hz], runs[0].rate_hz)
    return out


@real
@pytest.mark.real
def test_a_second_of_any_real_clip_has_numbers(tmp_path: Path) -> None:
    """No clip of 1 s with a face and sound goes without, where the published scripts give nothing below 4 s."""
    clips = [path for path in sorted((TALKING / "dev").rglob("*")) if path.is_file()]
    rows = [score(one_second(path, tmp_path / f"{path.stem}.mp4")) for path in clips]
    assert len(rows) > 50
    assert [row.file for row in rows if row.status == "not_scored" or not math.isfinite(row.lse_c)] == []
