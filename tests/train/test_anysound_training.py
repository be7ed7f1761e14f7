"""Learning any sound: what the offset network sees, that both trainings learn and can be stopped, what they refuse."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")

from clapboard.errors import MediaError, ModelError, UsageError  # noqa: E402
from clapboard.models.any_session import AnySoundModel  # noqa: E402
from clapboard.timebase import ROWS_PER_FRAME  # noqa: E402
from clapboard.training import task_loop as loops  # noqa: E402
from clapboard.training.anysound.avs import PairTask, load_run, load_scorers, score_pairs  # noqa: E402
from clapboard.training.anysound.calibrating import calibrate, measure  # noqa: E402
from clapboard.training.anysound.clips import make_scene, pairs  # noqa: E402
from clapboard.training.anysound.exporting import export_sound_run  # noqa: E402
from clapboard.training.anysound.offsets import (  # noqa: E402
    FIRST_ROW,
    REACH_FRAMES,
    OffsetTask,
    ambiguous,
    sound_at_frames,
    valid_at_frames,
)
from clapboard.training.anysound.publish import export  # noqa: E402
from clapboard.training.anysound.recipe import Clips, SoundRecipe, is_sound_recipe  # noqa: E402
from clapboard.training.anysound.scenes import Scene  # noqa: E402
from clapboard.training.anysound.sets import Sets, load_sets  # noqa: E402
from clapboard.training.anysound.work import train_sounds  # noqa: E402
from clapboard.training.nets.any_sound import (  # noqa: E402
    PLACES,
    WINDOW_FRAMES,
    WINDOW_ROWS,
    AnySound,
    Seen,
    correlate,
    moving,
)
from clapboard.training.recipe import Optimiser  # noqa: E402
from clapboard.training.rendered_events import main as render  # noqa: E402
from clapboard.training.task_loop import Loop  # noqa: E402
from tiny_any import write_tiny_any  # noqa: E402

pytestmark = pytest.mark.train
TINY = {"width": 4, "sound_width": 6, "embedding": 16}
OFFSETS = SoundRecipe("any-sound", 4, batch=Clips(clips=2, frames=25), network_options=TINY)


def flashes(seed: int, seconds: float = 8.0) -> Scene:
    """A light square jumps to another place whenever a burst of noise is heard, at times without rhythm."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * 25)
    images = np.full((frames, 64, 64), 100, np.uint8)
    samples = rng.normal(0, 0.003, round((seconds + 5) * 16_000)).astype(np.float32)
    for time_s in np.cumsum(rng.uniform(0.4, 0.9, 40)) - 2.5:
        begin = round((time_s + 2.5) * 16_000)
        if begin + 1600 > len(samples):
            break
        burst = rng.normal(0, 0.3, 1600) * np.exp(-np.arange(1600) / 300)
        samples[begin : begin + 1600] += burst.astype(np.float32)
        frame, (y, x) = round(time_s * 25), rng.integers(5, 50, 2)
        if frame < frames:
            images[max(frame, 0) :] = 100
            images[max(frame, 0) :, y : y + 9, x : x + 9] = 220
    return make_scene(images, np.arange(frames) / 25, samples, -2.5, id=str(seed), group=str(seed))


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """A few of them."""
    return [flashes(seed) for seed in range(12)]


@pytest.fixture(scope="module")
def sets(scenes: list[Scene]) -> Sets:
    """The same as one set."""
    return Sets({"flashes": scenes}, {"flashes": 1.0})


# The offset network


def test_windows_of_the_offset_network_see_their_own_frames_and_rows_alone() -> None:
    """What is measured at a time must not depend on how a file is cut into pieces."""
    net = AnySound(**TINY).eval()
    images = torch.randint(0, 256, (1, WINDOW_FRAMES + 4, 64, 64), dtype=torch.uint8)
    rows = torch.randn(1, WINDOW_ROWS + 4, 40)
    with torch.no_grad():
        seen, heard = net.picture(images), net.hear(rows)
        assert seen.values.shape == (1, 5, 16)
        assert seen.places.shape == (1, 5, PLACES, PLACES)
        assert heard.shape == (1, 5, 16)
        later, louder = images.clone(), rows.clone()
        later[:, WINDOW_FRAMES:] = 0
        louder[:, WINDOW_ROWS:] = 9
        assert torch.allclose(net.picture(later).values[:, :1], seen.values[:, :1], atol=1e-5)
        assert torch.allclose(net.hear(louder)[:, :1], heard[:, :1], atol=1e-5)
        assert not torch.allclose(net.hear(louder)[:, 1:], heard[:, 1:], atol=1e-3)


def test_attention_is_positive_and_bounds_the_vector_of_a_window() -> None:
    """Each place gives a vector of length 1 times its attention, so the sum cannot be longer than the attention."""
    net = AnySound(**TINY).eval()
    with torch.no_grad():
        seen = net.picture(torch.randint(0, 256, (2, 20, 64, 64), dtype=torch.uint8))
    assert (seen.places > 0).all()
    assert (seen.values.norm(dim=-1) <= seen.places.sum((2, 3)) * (1 + 1e-5)).all()


def test_exposure_does_not_pass_into_the_network() -> None:
    """A flicker of the whole picture carries no timing."""
    images = torch.randint(0, 200, (1, 8, 64, 64), dtype=torch.uint8)
    flicker = images + torch.arange(8, dtype=torch.uint8)[None, :, None, None]
    assert torch.allclose(moving(images), moving(flicker), atol=1e-4)


def test_middles_of_picture_and_sound_windows_are_the_same_moment() -> None:
    """The zero of the model: rows 4 i to 4 i + 3 lie around frame i, so its middle is half a row after the second."""
    middle_of_picture = ROWS_PER_FRAME * (WINDOW_FRAMES // 2) + 1.5
    assert middle_of_picture == FIRST_ROW + (WINDOW_ROWS - 1) / 2


def test_correlation_is_the_weighted_mean_written_out() -> None:
    """The network's own curve by hand, with sound missing at one end."""
    rng = np.random.default_rng(0)
    values, places = rng.normal(size=(1, 6, 3)), rng.uniform(0.1, 1, (1, 6, 2, 2))
    sound, valid = rng.normal(size=(1, 10, 3)), np.ones((1, 10), bool)
    valid[0, 8:] = False
    expected = []
    for lag in range(5):
        real = [t for t in range(6) if valid[0, t + lag]]
        weight = sum(places[0, t].sum() for t in real)
        expected.append(sum(values[0, t] @ sound[0, t + lag] for t in real) / weight)
    seen = Seen(torch.tensor(values).float(), torch.tensor(places).float())
    found = correlate(seen, torch.tensor(sound).float(), torch.tensor(valid))
    assert np.allclose(found[0].numpy(), expected, atol=1e-6)
    whole = correlate(seen, torch.tensor(sound).float())
    assert np.allclose(whole[0, 0].item(), expected[0], atol=1e-6)


def test_sound_beside_a_chunk_is_the_sound_of_its_frames() -> None:
    """At the middle lag, picture window t lies beside the sound window around its middle frame."""
    frames = 40
    rows = torch.arange(ROWS_PER_FRAME * (frames + 2 * REACH_FRAMES))[None, :, None].float()
    dense = rows.unfold(1, WINDOW_ROWS, 1).mean(-1)  # the middle of what each sound window sees
    beside = sound_at_frames(dense, frames)[0, :, 0]
    windows = frames - WINDOW_FRAMES + 1
    assert len(beside) == windows + 2 * REACH_FRAMES
    frame_of = WINDOW_FRAMES // 2 + np.arange(windows)
    expected = ROWS_PER_FRAME * (REACH_FRAMES + frame_of) + 1.5
    assert np.array_equal(beside[REACH_FRAMES : REACH_FRAMES + windows].numpy(), expected)
    valid = np.ones((1, rows.shape[1]), bool)
    valid[0, :100] = False
    real = valid_at_frames(valid, frames)
    assert real.shape == (1, len(beside))
    first_row = beside.numpy() - (WINDOW_ROWS - 1) / 2
    assert np.array_equal(real[0], first_row >= 100)


def test_whole_periods_are_neither_right_nor_wrong() -> None:
    """A metronome moved by a beat is in sync, so that lag must not be learned to be wrong; the true lag stays."""
    found = ambiguous([0.5, None])
    lags = np.arange(-REACH_FRAMES, REACH_FRAMES + 1)
    assert not found[1].any()
    assert not found[0][REACH_FRAMES]
    assert found[0][lags == 25].all()
    assert found[0][np.isin(lags, (12, 13))].all()
    assert not found[0][np.isin(lags, (6, 7, -6, -7))].any()


# Learning


def test_offsets_are_learned(sets: Sets, tmp_path: Path) -> None:
    """Within seconds the true lag of flashes and bursts is found among 101; chance is 5 %."""
    recipe = replace(
        OFFSETS, steps=30, batch=Clips(clips=6, frames=50), optimiser=Optimiser(learning_rate=6e-3, average=0.9)
    )
    lines = list[str]()
    Loop(recipe, OffsetTask(recipe, sets), tmp_path / "run", say=lines.append)()
    rows = (tmp_path / "run" / "curves.csv").read_text().splitlines()
    first, last = (float(row.split(",")[2]) for row in (rows[1], rows[-1]))
    assert last > 0.5
    assert last > first
    assert "step 30 of 30" in lines[-1]


AVS = SoundRecipe(
    "attention-avs",
    3,
    head="mean",
    shifts=((1.0, "far"),),
    batch=Clips(clips=4, blocks=2),
    network_options={"width": 2},
)


@pytest.mark.parametrize(("sign", "right"), [(1.0, 1.0), (-1.0, 0.0)])
def test_the_loss_of_pairs_asks_for_the_true_sound(sign: float, right: float, sets: Sets) -> None:
    """Scores that follow motion beside loudness win every pair and lose little; turned round they lose all."""

    def score_pair(images: torch.Tensor, *sounds: torch.Tensor) -> tuple[torch.Tensor, None]:
        moved = (images[:, :, 1:].float() - images[:, :, :-1].float()).abs().mean((3, 4, 5))  # (B, N, 24)
        moved = moved - moved.mean((1, 2), keepdim=True)
        found = []
        for sound in sounds:
            loud = sound.mean(3)[:, :, 4:].unfold(2, 4, 4).mean(-1)[:, :, :24]
            found.append(3 * (moved[:, :, : loud.shape[2]] * loud).mean((1, 2)) - 1)
        return sign * torch.stack(found, 1), None

    task = PairTask(replace(AVS, batch=Clips(clips=6, blocks=4)), sets)
    task.net.score_pair = score_pair  # type: ignore[assignment,method-assign]
    losses = [task.loss(task.net, np.random.default_rng(seed), 1.0, "cpu") for seed in range(4)]
    assert np.mean([part for _, part in losses]) == pytest.approx(right, abs=0.1)
    assert (np.mean([float(loss) for loss, _ in losses]) < 1.386) == (sign > 0)


def test_a_head_learns_on_features_that_stay(sets: Sets, scenes: list[Scene], tmp_path: Path) -> None:
    """A frozen network does not change by a bit, its batch statistics neither; a finished run scores clips."""
    Loop(AVS, PairTask(AVS, sets), tmp_path / "runs" / "features", say=lambda _: None)()
    features = load_run(tmp_path / "runs" / "features")
    second = replace(AVS, head="spatio-temporal", freeze=True, begin_from=str(tmp_path / "runs" / "features"))
    task = PairTask(second, sets)
    before = {name: value.clone() for name, value in task.net.state_dict().items() if name.startswith("head.")}
    Loop(second, task, tmp_path / "runs" / "head", say=lambda _: None)()
    head = load_run(tmp_path / "runs" / "head")
    kept, found = features.net.state_dict(), head.net.state_dict()
    assert all(torch.equal(kept[name], found[name]) for name in kept)
    assert not all(torch.equal(before[name], head.state_dict()[name]) for name in before)
    cut = pairs(scenes, np.random.default_rng(0), blocks=2, range_name="far")
    logits, weights = score_pairs(head, cut)
    assert weights[0].shape[0] == 2
    assert weights[0].sum() == pytest.approx(1, abs=1e-3)
    for neighbour, text in (("lips", 'network = "clapboard-s"\nsteps = 1\n'), ("unknown", None)):
        (tmp_path / "runs" / neighbour).mkdir()
        (tmp_path / "runs" / neighbour / "weights.pt").write_bytes(b"of something else")
        if text:
            (tmp_path / "runs" / neighbour / "recipe.toml").write_text(text)
    scorers = load_scorers(tmp_path / "runs")
    assert set(scorers) == {"features", "head"}
    alone = scorers["head"](cut.images[0], cut.rows_true[0])
    assert alone == pytest.approx(float(logits[0, 0]), abs=0.05)
    with pytest.raises(UsageError, match="no finished run"):
        load_scorers(tmp_path)


def test_the_same_recording_is_no_foreign_sound(scenes: list[Scene]) -> None:
    """Clips of one recording have no wrong sound but their own at other times; the loss does without the others."""
    alone = Sets({"one": scenes[:1]}, {"one": 1.0})
    task = OffsetTask(OFFSETS, alone)
    torch.manual_seed(0)
    one, _ = task.loss(task.net.eval(), np.random.default_rng(0), 0.0, "cpu")
    task = OffsetTask(OFFSETS, Sets({"two": [scenes[0], replace(scenes[0], group="elsewhere")]}, {"two": 1.0}))
    losses = [float(task.loss(task.net.eval(), np.random.default_rng(n), 0.0, "cpu")[0].detach()) for n in range(4)]
    # About ln 101 without foreign sounds, about ln 202 with them, for a network that knows nothing.
    assert float(one.detach()) < np.log(101) + 0.5
    assert max(losses) > np.log(202) - 0.5


def test_a_run_that_was_stopped_ends_with_the_same_weights(
    sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches and dropout depend on the seed and the step alone."""
    monkeypatch.setattr(loops, "SAVE_EVERY", 2)
    monkeypatch.setattr(loops, "SAY_EVERY", 1)

    def run(folder: Path, stop_after: int | None = None) -> None:
        def hook(step: str, done: float, total: float | None) -> None:
            if done == stop_after:
                raise KeyboardInterrupt

        Loop(OFFSETS, OffsetTask(OFFSETS, sets), folder, say=lambda _: None, hook=hook)()

    run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", stop_after=3)
    run(tmp_path / "stopped")
    one, two = (torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("whole", "stopped"))
    assert all(torch.equal(one[key], two[key]) for key in one)
    lines = (tmp_path / "stopped" / "curves.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "1", "2", "3", "4"]
    with pytest.raises(UsageError, match="another recipe"):
        Loop(replace(OFFSETS, seed=9), OffsetTask(OFFSETS, sets), tmp_path / "whole")
    (tmp_path / "stopped" / "last.pt").write_bytes(b"no checkpoint")
    with pytest.raises(UsageError, match="remove it to begin again"):
        run(tmp_path / "stopped")


class Straight:
    """One weight; the loss of step ``bad_at`` (from 0), or its gradient alone, is not finite."""

    def __init__(self, bad_at: int, part: str) -> None:
        self.net: torch.nn.Module = torch.nn.Linear(1, 1)
        self._bad_at, self._part, self._step = bad_at, part, 0

    def loss(
        self, net: torch.nn.Module, rng: np.random.Generator, share: float, device: str
    ) -> tuple[torch.Tensor, float]:
        value = net(torch.ones(1, 1)).square().sum()
        if self._step == self._bad_at:
            # The root of 0 is 0, and has no finite slope.
            value = value * float("nan") if self._part == "loss" else (0 * net.weight.sum()).sqrt()
        self._step += 1
        return value, 1.0


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
@pytest.mark.parametrize("part", ["loss", "gradient"])
def test_a_loss_that_is_not_a_number_stops_the_run(
    part: str, clip_norm: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours of steps must not go into weights that are lost, nor over a checkpoint that is good."""
    monkeypatch.setattr(loops, "SAVE_EVERY", 1)
    recipe = replace(OFFSETS, optimiser=Optimiser(clip_norm=clip_norm))
    with pytest.raises(UsageError, match=rf"^step 3: the {part} is not a number; lower optimiser.learning_rate or"):
        Loop(recipe, Straight(2, part), tmp_path, say=lambda _: None)()
    kept = torch.load(tmp_path / "last.pt", weights_only=True)
    assert kept["step"] == 2
    assert all(value.isfinite().all() for name in ("net", "average") for value in kept[name].values())
    assert not (tmp_path / "weights.pt").exists()


@pytest.mark.parametrize("torn", ["", "st"])
def test_curves_that_were_cut_are_mended(torn: str, tmp_path: Path) -> None:
    """A full disk or a killed run leaves a file without its end; the run goes on with whole lines."""
    (tmp_path / "curves.csv").write_text(torn)
    Loop(OFFSETS, Straight(9, "loss"), tmp_path, say=lambda _: None)()
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "4"]
    (tmp_path / "curves.csv").write_text("\n".join([lines[0], "2,0.50000,1.00000,0.1", "3"]))
    Loop(OFFSETS, Straight(9, "loss"), tmp_path, say=lambda _: None)()
    assert (tmp_path / "curves.csv").read_text() == f"{lines[0]}\n2,0.50000,1.00000,0.1\n"


def test_a_recipe_is_kept_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a recipe would keep the run from ever going on."""

    def full(self: Path, text: str, **_: object) -> int:
        with self.open("w", encoding="utf-8") as file:
            file.write(text[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(MediaError, match="No space left"):
        loops.keep_recipe(OFFSETS, tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_run_goes_on_with_its_own_data_alone(scenes: list[Scene], tmp_path: Path) -> None:
    """Data are no part of the recipe, and a run that changes them in the middle is no run of either."""
    sets = Sets({"a": scenes[:4], "b": scenes[4:]}, {"a": 0.5, "b": 0.5})
    kept = sets.digest()
    assert kept == Sets(dict(sets.scenes), dict(sets.shares)).digest()
    changed = replace(scenes[0], images=255 - scenes[0].images)
    others = [{"a": scenes[:5], "b": scenes[5:]}, {"a": scenes[:4]}, {"a": scenes[:4], "c": scenes[4:]}]
    others += [{"a": [changed, *scenes[1:4]], "b": scenes[4:]}, {"b": scenes[4:], "a": scenes[:4]}]
    assert kept not in {Sets(other, {}).digest() for other in others}

    def run(folder: str, clips: str) -> None:
        Loop(OFFSETS, Straight(9, "loss"), tmp_path / folder, say=lambda _: None, clips=clips)()

    run("new", kept)
    run("new", kept)
    with pytest.raises(UsageError, match="was begun with other clips; give those, or another -o"):
        run("new", "other")
    run("without a digest", "")
    run("without a digest", kept)


@pytest.mark.parametrize("bad", [b"", b"no weights"])
def test_damaged_weights_are_told_in_one_line(bad: bytes, tmp_path: Path) -> None:
    """A file that was cut or overwritten must not end in a traceback of what reads it."""
    for recipe, kind in ((AVS, UsageError), (OFFSETS, ModelError)):
        (tmp_path / "recipe.toml").write_text(recipe.toml())
        (tmp_path / "weights.pt").write_bytes(bad)
        with pytest.raises(kind) as caught:
            load_run(tmp_path) if recipe is AVS else export_sound_run(tmp_path, tmp_path / "out")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"foo": 1}, {"width": "a"}, {"dropout": 2}])
def test_options_that_the_offset_network_lacks_are_refused(options: dict[str, object], sets: Sets) -> None:
    """A slip of the pen in network_options must not end in a traceback."""
    with pytest.raises(UsageError):
        OffsetTask(replace(OFFSETS, network_options=options), sets)


# Recipes and data


def test_recipes_are_read_and_written_in_full(tmp_path: Path) -> None:
    """What a run's folder says is what was run."""
    recipe = replace(OFFSETS, head="temporal", freeze=True, begin_from="a run", shifts=((0.4, "far"), (1.0, "near")))
    (tmp_path / "recipe.toml").write_text(recipe.toml())
    assert SoundRecipe.read(tmp_path / "recipe.toml") == recipe
    assert is_sound_recipe(tmp_path / "recipe.toml")
    for path in Path("recipes").glob("*.toml"):
        of_sounds = path.name.startswith(("any-sound", "attention-avs"))
        assert is_sound_recipe(path) == of_sounds
        if of_sounds and "head" not in path.name and "audioset" not in path.name:
            SoundRecipe.read(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": "0"}, "steps must be at least 1"),
        ({"shifts": '[[1.0, "nowhere"]]'}, "shifts names nowhere; there is"),
        ({"shifts": '[[0.5, "far"]]'}, "shifts must end with the part 1.0"),
        ({"freeze": "true"}, "freeze needs begin_from"),
        ({"batch.clips": "1"}, "batch.clips must be at least 2"),
        ({"head": "loudest"}, "head must be one of mean, temporal, spatio-temporal"),
        ({"network": "x"}, "unknown key network"),
        ({"optimiser.average": "1.5"}, "optimiser.average must be"),
        ({"optimiser.warm_up": "1.5"}, "optimiser.warm_up is a part"),
        ({"optimiser.learning_rate": "-1.0"}, "optimiser.learning_rate must be above 0"),
        ({"optimiser.name": '"sgd"'}, "optimiser.name must be adamw"),
        ({"batch.sets": '{"dense":1}'}, "batch.sets must be a table, as {dense = 1}, not"),
        ({"batch.sets": "{a = -1.0, b = 2.0}"}, "a share in batch.sets is 0 or more"),
    ],
)
def test_recipes_that_cannot_be_run_are_refused(change: dict[str, str], said: str, tmp_path: Path) -> None:
    """In one line that names the key."""
    (tmp_path / "recipe.toml").write_text(OFFSETS.toml())
    with pytest.raises(UsageError, match=said):
        SoundRecipe.read(tmp_path / "recipe.toml", change)


def test_batches_are_of_all_sets_by_their_shares(scenes: list[Scene]) -> None:
    """Shares are kept on average, and a batch has as many clips as asked for."""
    two = Sets({"a": scenes[:6], "b": scenes[6:]}, {"a": 0.75, "b": 0.25})
    rng = np.random.default_rng(0)
    counts = [two.counts(rng, 12) for _ in range(200)]
    assert all(sum(count.values()) == 12 for count in counts)
    assert np.mean([count.get("a", 0) for count in counts]) == pytest.approx(9, abs=0.5)
    drawn = two.draw(rng, 8, lambda some, n: pairs(some, rng, blocks=2, range_name="far", clips=n))
    assert drawn.images.shape == (8, 50, 64, 64)
    assert len(drawn.events) == 8


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few undisturbed rendered events as a data set."""
    folder = tmp_path_factory.mktemp("data") / "clean"
    assert render(["-o", str(folder), "--clean", "--clips", "8", "--seconds", "6", "--processes", "1"]) == 0
    return folder


def test_sets_come_from_folders_and_hold_recordings_out(rendered: Path, tmp_path: Path) -> None:
    """A share of the recordings is never learned from; names that fit nothing are told."""
    sets, held = load_sets([rendered], {}, 0.25)
    assert len(sets.scenes["clean"]) == 6
    assert not {s.group for s in sets.scenes["clean"]} & {s.group for s in held["clean"]}
    with pytest.raises(UsageError, match="names the data set drums; the data are clean"):
        load_sets([rendered], {"drums": 1.0}, 0)
    with pytest.raises(UsageError, match="two are equal"):
        load_sets([rendered, rendered], {}, 0)
    with pytest.raises(UsageError, match="no data set is learned from"):
        load_sets([rendered], {}, 0, only_held_out=["clean"])
    frozen, _ = load_sets([rendered], {}, 0, "frozen-picture")
    assert not np.ptp(frozen.scenes["clean"][0].images, axis=0).any()


def test_recipes_of_lips_refuse_whole_pictures(rendered: Path) -> None:
    """Scenes are 64 px wide, as mouths are: a lips network would learn from them without a word."""
    from clapboard.training.recipe import Recipe
    from clapboard.training.work import load_clips

    with pytest.raises(UsageError, match="holds whole pictures, not faces"):
        load_clips(Recipe(steps=1), [rendered], None)


# Out


def test_training_gives_a_model_that_check_can_load(rendered: Path, tmp_path: Path) -> None:
    """From data to a model in one call; with too few recordings held out it is not calibrated, and says so."""
    lines = list[str]()
    recipe = replace(OFFSETS, held_out_share=0.25)
    made = train_sounds(recipe, [rendered], tmp_path / "run", device="cpu", say=lines.append)
    assert made is not None
    model = AnySoundModel(made)
    assert model.spec.calibration is None
    assert any(line.startswith("not calibrated") for line in lines)
    assert model.spec.about["parity"]["picture"] <= model.spec.about["parity"]["bound"]
    (tmp_path / "fewer").mkdir()
    assert render(["-o", str(tmp_path / "fewer" / "clean"), "--clean", "--clips", "4", "--seconds", "6"]) == 0
    with pytest.raises(UsageError, match="other clips"):
        train_sounds(recipe, [tmp_path / "fewer" / "clean"], tmp_path / "run", device="cpu", say=lines.append)
    with pytest.raises(UsageError, match="begins anew"):
        train_sounds(replace(recipe, begin_from="x"), [rendered], tmp_path / "other", device="cpu")
    with pytest.raises(UsageError, match="is no name for a model"):
        export(AnySound(**TINY), tmp_path, "a/b")


def test_known_shifts_are_measured_with_their_sign(scenes: list[Scene], tmp_path: Path) -> None:
    """Pieces of a scene with sound that is early by a known amount: a hand-made network finds it, sign and all."""
    model = AnySoundModel(write_tiny_any(tmp_path))
    found = measure(model, scenes[:6], lengths_s=(4.0, 6.0), foreign=2)
    own = [piece for piece in found if piece.own]
    assert len(own) == 12
    assert {np.sign(piece.offset_ms) for piece in own} >= {-1.0, 1.0}
    assert np.mean([piece.right() for piece in own]) >= 0.9
    assert any(piece.offset_ms % 40 for piece in own)  # files do not keep to the lags that are tried
    assert not any(piece.right() for piece in found if not piece.own)


def test_calibration_trusts_own_sounds_more(scenes: list[Scene], tmp_path: Path) -> None:
    """Probabilities fitted to pieces rank own sounds above foreign ones; too few pieces are refused."""
    model = AnySoundModel(write_tiny_any(tmp_path))
    found = measure(model, scenes, foreign=2)
    with pytest.raises(UsageError, match="not calibrated"):
        calibrate(found[:20])
    fitted = calibrate([replace(piece, data=str(n)) for n in range(3) for piece in found])
    assert fitted.synchronisable is not None
    assert fitted.weights
