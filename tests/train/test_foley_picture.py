"""Learning of the picture network: what takes are, what the network sees, that it learns, what is exported."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")

from clapboard.cli.app import run as command  # noqa: E402
from clapboard.dataset.scenes import KIND, scene_settings  # noqa: E402
from clapboard.dataset.store import Entry, Stored, Writer  # noqa: E402
from clapboard.errors import MediaError, UsageError  # noqa: E402
from clapboard.models.foley_session import FoleyModel  # noqa: E402
from clapboard.synthesis.cues import MATERIALS, TEXTURES, rows_of  # noqa: E402
from clapboard.synthesis.mel import log_mel  # noqa: E402
from clapboard.testing import render_events  # noqa: E402
from clapboard.testing.events.plan import LEAD_S  # noqa: E402
from clapboard.training.foley.picture import PictureTask, curves, judge, loss_of, train_picture  # noqa: E402
from clapboard.training.foley.picture_pieces import (  # noqa: E402
    SILENCE,
    Pieces,
    changed,
    energy_of,
    onset_target,
    stopped,
)
from clapboard.training.foley.picture_recipe import Looks, PictureRecipe  # noqa: E402
from clapboard.training.foley.picture_recipe import Pieces as PiecesOf  # noqa: E402
from clapboard.training.foley.sets import Take, digest, heard_materials, load_takes, split_last, take_of  # noqa: E402
from clapboard.training.foley.work import is_foley_recipe, trainer_of  # noqa: E402
from clapboard.training.nets.foley_picture import MARGIN_FRAMES, FoleyPicture  # noqa: E402
from clapboard.training.recipe import Optimiser  # noqa: E402
from clapboard.training.rendered_sets import as_scene, truth_row  # noqa: E402

pytestmark = pytest.mark.train
UNCHANGED = Looks(mirror=0, gain=0, level=0, gamma=0, shift=0, grain=0, still=0)
TINY = {"width": 4, "features": 16, "row_features": 16, "dropout": 0.0}
RECIPE = PictureRecipe(
    4, network_options=TINY, batch=PiecesOf(clips=2, frames=16), looks=UNCHANGED, held_out_share=0.34
)


def flashing(seed: int, frames: int = 100, *, rng_level: int = 100) -> tuple[Stored, dict[str, Any]]:
    """A square that jumps with a burst of noise at known times, as a data set holds it, and its row of the truth."""
    rng = np.random.default_rng(seed)
    at = np.cumsum(rng.integers(12, 20, frames // 12))
    at = at[at < frames - 4]
    images = np.full((frames, 64, 64), rng_level, np.uint8)
    lead = round(LEAD_S * 16_000)
    samples = np.zeros(frames * 640 + 2 * lead, np.float32)
    for number, frame in enumerate([0, *at.tolist()]):
        y, x = rng.integers(4, 40, 2)
        images[frame:] = rng_level
        images[frame:, y : y + 20, x : x + 20] = 230
        if number:
            begin = lead + frame * 640
            samples[begin : begin + 1600] += 0.5 * rng.standard_normal(1600) * np.exp(-np.arange(1600) / 400)
    stored = Stored(images, np.arange(frames) / 25, np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16), -LEAD_S)
    events = [[frame / 25, 0, 0.5] for frame in at.tolist()]
    return stored, {"id": f"flash{seed}", "events": events, "materials": ["glass"]}


def takes_of(count: int, **how: Any) -> list[Take]:
    """Takes of flashing squares, each a recording of its own."""
    return [
        take_of(*flashing(seed, **how), id=f"flash{seed}", group=f"g{seed}", data="flashes") for seed in range(count)
    ]


def write_set(folder: Path, count: int, *, truth: bool = True, frames: int = 100) -> Path:
    """The same as a data set on disk."""
    with Writer(folder, "scene-64", {"kind": KIND, **scene_settings("scene-64")}) as writer:
        for seed in range(count):
            stored, said = flashing(seed, frames)
            name = said["id"]
            entry = Entry(
                id=name, file=name, corpus="toy", speaker=name, group=f"toy/{name}", track=0, shard=0, start_s=0.0,
                end_s=frames / 25, frames=frames, face_px=0.0, speech_share=1.0, shot_end_s=frames / 25,
            )  # fmt: skip
            writer.add(entry, stored)
            writer.finished()
            if truth:
                with (folder / "truth.jsonl").open("a") as file:
                    file.write(json.dumps(said) + "\n")
    return folder


def test_a_rendered_clip_lies_on_the_grid(tmp_path: Path) -> None:
    """Protects all learning from takes: the sound of a blow begins in its row, and the wave is the clip's."""
    clip = render_events(7, seconds=4, kinds=("stick",), dry=True)
    entry, stored = as_scene("c", "toy", "scene-64", clip)
    take = take_of(stored, json.loads(truth_row("c", clip)), id=entry.id, group=entry.group, data="toy")
    assert (take.images.shape, take.wave.shape, take.rows) == ((100, 64, 64), (64_000,), 400)
    lead = round(LEAD_S * 16_000)
    np.testing.assert_allclose(take.sound(), np.clip(clip.around, -1, 1)[lead - 320 : lead + 63_680], atol=2e-4)
    np.testing.assert_allclose(take.seen_rows(), rows_of(np.array([e.time_s for e in clip.events]), 0.0), atol=1e-3)
    energy = energy_of(log_mel(take.sound()))
    for row in np.floor(take.seen_rows() + 0.5).astype(int):
        if 8 <= row < take.rows - 4:
            assert energy[row - 6] < energy[row + 1 : row + 4].max() - 2
            assert take.materials[row] == MATERIALS.index(clip.materials[0])
            assert take.materials[row - 4] in (0, take.materials[row])
    assert take.told
    assert (take.event_materials == MATERIALS.index(clip.materials[0])).all()


def test_materials_of_rows() -> None:
    """Protects the labels of materials: a blow as long as it rings, a texture where one goes on, else none."""
    rng = np.random.default_rng(0)
    power = np.full(100, 1e-4)
    power[20:30] = 1.0
    power[60:64] = 1.0
    wave = (np.repeat(np.sqrt(power), 160) * rng.choice([-8000, 8000], 16_000)).astype(np.int16)
    still = np.zeros((100, 4), np.float32)
    rows, struck = np.array([20.0, 60.0]), np.array([2, 0], np.uint8)
    found = heard_materials(wave, rows, struck, still)
    assert np.flatnonzero(found == 2).tolist() == list(range(20, 30))
    assert (found[np.r_[:20, 30:100]] == 0).all()
    busy = still.copy()
    busy[:50, TEXTURES.index("rotor")] = 0.5
    found = heard_materials(wave, rows, struck, busy)
    assert np.flatnonzero(found == 2).tolist() == list(range(20, 28))
    assert (found[np.r_[:20, 28:50]] == MATERIALS.index("rotor")).all()
    assert (found[50:] == 0).all()


def test_data_sets_are_loaded_with_and_without_truth(tmp_path: Path) -> None:
    """Protects training on one's own footage, where nothing is told, and refuses what is damaged."""
    told = load_takes([write_set(tmp_path / "told", 3)])
    assert [take.id for take in told] == ["flash0", "flash1", "flash2"]
    assert all(take.told and len(take.seen_rows()) for take in told)
    bare = load_takes([write_set(tmp_path / "bare", 2, truth=False)])
    assert not any(take.told or len(take.seen_rows()) or take.materials.any() for take in bare)
    np.testing.assert_array_equal(bare[0].wave, told[0].wave)
    assert digest(told) != digest(told[:2])
    assert digest(bare) != digest(told[:2])
    assert len(load_takes([tmp_path / "told"], limit=2)) == 2
    assert load_takes([tmp_path / "told"], least_frames=101) == []
    with pytest.raises(UsageError, match="two are equal"):
        load_takes([tmp_path / "told", tmp_path / "told"])
    lines = (tmp_path / "told" / "truth.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "told" / "truth.jsonl").write_text("".join(lines[:2]))
    with pytest.raises(MediaError, match="says nothing of flash2"):
        load_takes([tmp_path / "told"])
    (tmp_path / "told" / "truth.jsonl").write_text("".join(lines[:2]) + lines[2].replace("glass", "cheese"))
    with pytest.raises(MediaError, match="is damaged"):
        load_takes([tmp_path / "told"])


def test_sound_beyond_the_file_is_silence() -> None:
    """Protects shots at the edges of files: what lies before or behind the sound is zero, and nothing moves."""
    stored, said = flashing(0)
    lead = round(LEAD_S * 16_000)
    whole = take_of(stored, said, id="a", group="a", data="d").wave
    short = Stored(stored.images, stored.time_s, stored.samples[lead : lead + 20_000], 0.0)
    cut = take_of(short, said, id="a", group="a", data="d").wave
    assert (cut[:320] == 0).all()
    np.testing.assert_array_equal(cut[320:20_320], whole[320:20_320])
    assert (cut[20_320:] == 0).all()


def test_the_last_recordings_are_held_out() -> None:
    """Protects the choice of thresholds: whole recordings of each data set, the last ones, are not learned from."""
    takes = takes_of(10)
    learn, held = split_last([*takes, *(replace(take, data="other") for take in takes[:4])], 0.2)
    assert [(take.data, take.id) for take in held] == [
        ("flashes", "flash8"),
        ("flashes", "flash9"),
        ("other", "flash3"),
    ]
    assert len(learn) == 11
    assert split_last(takes, 0.0)[1] == []


def test_onset_targets_lie_between_rows() -> None:
    """Protects timing below 10 ms: the curve is highest at the onset's place, and its sides lean towards it."""
    np.testing.assert_allclose(onset_target(np.array([4.0]), 8), [0, 0, 0, 0.5, 1, 0.5, 0, 0])
    np.testing.assert_allclose(onset_target(np.array([4.4]), 8), [0, 0, 0, 0.3, 0.8, 0.7, 0.2, 0], atol=1e-6)
    np.testing.assert_allclose(onset_target(np.array([-0.6, 7.9]), 8)[[0, 7]], [0.7, 0.55], atol=1e-6)


def test_pieces_are_what_lies_there() -> None:
    """Protects the pairing of pictures and rows: unchanged, a piece is the take's own frames and targets."""
    takes = takes_of(1, frames=60)
    pieces = Pieces(takes, {}, 16, MARGIN_FRAMES)
    batch = pieces.draw(np.random.default_rng(0), 1, UNCHANGED)
    begin = _begin_of(batch.images[0], takes[0])
    known = pieces.targets(0)
    rows = slice(4 * begin, 4 * begin + 64)
    np.testing.assert_array_equal(batch.onset[0], known.onset[rows])
    np.testing.assert_allclose(batch.mel[0], known.mel[rows].astype(np.float32))
    np.testing.assert_array_equal(batch.materials[0], takes[0].materials[rows])
    assert batch.heard.min() == batch.told.min() == 1


def _begin_of(images: np.ndarray, take: Take) -> int:
    """First frame of a piece, its margin left aside; the latest possible one."""
    inner = images[MARGIN_FRAMES:-MARGIN_FRAMES]
    fits = [n for n in range(len(take.images) - 15) if (take.images[n : n + 16] == inner).all()]
    assert len(fits) == 1
    return fits[0]


def test_short_shots_end_in_rows_that_do_not_count() -> None:
    """Protects shots shorter than a piece: what lies behind them has no weight."""
    batch = Pieces(takes_of(1, frames=30), {}, 40, MARGIN_FRAMES).draw(np.random.default_rng(1), 1, UNCHANGED)
    assert batch.heard[0].tolist() == [1.0] * 120 + [0.0] * 40


def test_shares_of_data_sets() -> None:
    """Protects recipes: a share draws that set so often, and a name that is no set is refused."""
    takes = [*takes_of(2, frames=30), *(replace(take, data="other", told=False) for take in takes_of(2, frames=30))]
    batch = Pieces(takes, {"other": 1.0}, 8, MARGIN_FRAMES).draw(np.random.default_rng(0), 8, UNCHANGED)
    assert batch.told.max() == 0
    assert batch.heard.min() == 1
    with pytest.raises(UsageError, match="names the data set third"):
        Pieces(takes, {"third": 1.0}, 8, MARGIN_FRAMES)
    with pytest.raises(UsageError, match="nothing to learn from"):
        Pieces([], {}, 8, MARGIN_FRAMES)


def test_pictures_that_stop_fall_silent() -> None:
    """Protects stills: where the picture was stopped, rows are silent or unknown, never those of hidden blows."""
    margin, frames, seen = MARGIN_FRAMES, 40, set()
    at = np.arange(100, 100 + frames + 2 * margin)
    rng = np.random.default_rng(0)
    for _ in range(60):
        shown, heard, silent = stopped(at, margin, rng, 1.0)
        steps = np.diff(shown) != 0
        for frame in range(frames):
            around = steps[frame + margin - 3 : frame + margin + 3]
            if silent[frame]:
                assert not around.any()
                assert heard[frame]
            elif heard[frame]:
                assert shown[margin + frame] == at[margin + frame]
        seen |= {"still"} if silent.all() else {"end"} if silent[-1] else {"begin"} if silent[0] else {"moving"}
    assert {"still", "end", "begin"} <= seen
    shown, heard, silent = stopped(at, margin, rng, 0.0)
    assert (shown == at).all()
    assert heard.all()
    assert not silent.any()


def test_silent_pieces_have_targets_of_silence() -> None:
    """Protects the same in the batch: no onset, the floor of the log-mel, and no material."""
    pieces = Pieces(takes_of(1), {}, 16, MARGIN_FRAMES)
    batch = pieces.draw(np.random.default_rng(3), 40, replace(UNCHANGED, still=1.0))
    still = (np.diff(batch.images, axis=1) == 0).all((1, 2, 3))
    assert still.any()
    silent = still & (batch.heard.min(1) > 0) & (batch.mel.max((1, 2)) == np.float32(SILENCE))
    assert silent.any()
    assert batch.onset[silent].max() == 0
    assert (batch.materials[silent] == 0).all()


def test_changes_keep_time() -> None:
    """Protects augmentation: one draw serves all pictures of a piece, so that what stands still does."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    images = np.stack([image] * 5)
    found = changed(images, np.random.default_rng(1), Looks())
    assert found.shape == (5, 64, 64)
    assert np.ptp(found, axis=0).max() == 0
    assert np.abs(found[0] - image).mean() > 1
    assert 0 <= found.min() <= found.max() <= 255
    np.testing.assert_array_equal(changed(images, np.random.default_rng(1), UNCHANGED), images)


def test_the_network_sees_its_margin_and_no_more() -> None:
    """Protects running in pieces: a row changes with a frame within the margin, and with none beyond."""
    torch.manual_seed(0)
    net = FoleyPicture(**TINY).eval()
    images = torch.randint(0, 256, (1, 30 + 2 * MARGIN_FRAMES, 64, 64)).float()
    with torch.no_grad():
        before = net(images)
        assert before.onset.shape == before.energy.shape == (1, 120)
        assert before.materials.shape == (1, 120, len(MATERIALS))
        assert before.mel.shape == (1, 120, 80)
        images[0, MARGIN_FRAMES + 15] = 255 - images[0, MARGIN_FRAMES + 15]
        moved = (net(images).mel - before.mel).abs().amax((0, 2)) > 0
    rows = torch.nonzero(moved)[:, 0]
    assert rows.min() >= 4 * (15 - MARGIN_FRAMES)
    assert rows.max() < 4 * (15 + MARGIN_FRAMES + 1)
    assert moved[4 * (15 - 3) : 4 * (15 + 4)].all()


def test_the_loss_leaves_out_what_is_not_known() -> None:
    """Protects footage without truth: onsets and materials weigh nothing there, the sound does."""
    torch.manual_seed(0)
    net = FoleyPicture(**TINY).eval()
    pieces = Pieces([replace(take, told=False) for take in takes_of(2)], {}, 16, MARGIN_FRAMES)
    batch = pieces.draw(np.random.default_rng(0), 2, UNCHANGED)
    told, rare = net(torch.from_numpy(batch.images)), pieces.rarity(0.3)
    with torch.no_grad():
        value, _ = loss_of(told, batch, RECIPE.weights, rare)
        other, _ = loss_of(
            told._replace(onset=told.onset + 3, materials=told.materials * 2, view=told.view + 1),
            batch,
            RECIPE.weights,
            rare,
        )
        louder, _ = loss_of(told._replace(mel=told.mel + 30), batch, RECIPE.weights, rare)
    assert value == other
    assert louder > value + 1


def test_onsets_are_judged_beside_a_control() -> None:
    """Protects the choice of the threshold: the best is found where there is one, and its control tells chance."""
    takes = takes_of(4)
    found = []
    for take in takes:
        curve = 0.7 * onset_target(take.seen_rows(), take.rows)
        curve = np.maximum(curve, 0.3 * onset_target(take.seen_rows() + 25, take.rows))
        found.append(curve.astype(np.float32))
    judged = judge(found, takes)
    assert judged.f1 == 1.0
    assert 0.3 < judged.threshold < 0.5  # amid the thresholds that tell the higher peaks from the lower ones
    assert judged.control < 0.6
    assert judged.blows == sum(len(take.events_s) for take in takes)
    with pytest.raises(UsageError, match="no blow is to be seen"):
        judge(found, [replace(take, on_screen=np.zeros(len(take.events_s), np.bool_)) for take in takes])


def test_it_learns_flashes() -> None:
    """Protects the whole: in a few steps the network tells when squares jump, and its control does not."""
    recipe = replace(
        RECIPE,
        steps=40,
        batch=PiecesOf(clips=4, frames=24),
        optimiser=Optimiser(learning_rate=1e-2, average=0.8),
        precision="fp32",
    )
    takes = takes_of(6)
    task = PictureTask(recipe, takes)
    optimiser = torch.optim.AdamW(task.net.parameters(), 1e-2)
    values = []
    for step in range(recipe.steps):
        value, _ = task.loss(task.net, np.random.default_rng(step), 0.0, "cpu")
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(float(value.detach()))
    assert np.mean(values[-5:]) < 0.6 * np.mean(values[:5])
    net = task.net.eval()
    assert isinstance(net, FoleyPicture)
    unseen = [take_of(*flashing(seed), id=str(seed), group=str(seed), data="d") for seed in (50, 51)]
    judged = judge(curves(net, unseen), unseen)
    assert judged.f1 > 0.85
    assert judged.control < 0.5


def test_a_run_becomes_a_model(tmp_path: Path) -> None:
    """Protects export: the same numbers in ONNX Runtime as in torch, the threshold and what it is from kept."""
    data = write_set(tmp_path / "flashes", 6, frames=40)
    lines: list[str] = []
    path = train_picture(RECIPE, [data], tmp_path / "run", device="cpu", say=lines.append)
    model = FoleyModel(path)
    assert model.spec.margin_frames == MARGIN_FRAMES
    assert model.spec.about["parity"]["picture"] <= model.spec.about["parity"]["bound"]
    assert model.spec.about["recipe"]["task"] == "foley-picture"
    assert model.spec.about["held_out"]["shots"] == 2
    take = load_takes([data])[0]
    net = FoleyPicture(**TINY)
    net.load_state_dict(torch.load(tmp_path / "run" / "weights.pt", weights_only=True))
    cues = model.cues(take.images)
    np.testing.assert_allclose(cues.onset, curves(net.eval(), [take])[0], atol=1e-4)
    assert any(line.startswith("onsets of 2 shots held out: F1") for line in lines)


def test_a_stopped_run_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects long trainings: batches and dropout depend on the seed and the number of the step alone."""
    from clapboard.training import task_loop

    data = write_set(tmp_path / "flashes", 4, frames=40)
    recipe = replace(RECIPE, looks=Looks(), network_options={**TINY, "dropout": 0.2})
    train_picture(recipe, [data], tmp_path / "straight", device="cpu", say=lambda _: None)
    monkeypatch.setattr(task_loop, "SAVE_EVERY", 2)

    def stop(_: str, step: float, __: float | None) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_picture(recipe, [data], tmp_path / "stopped", device="cpu", say=lambda _: None, hook=stop)
    train_picture(recipe, [data], tmp_path / "stopped", device="cpu", say=lambda _: None)
    one, other = (torch.load(tmp_path / run / "weights.pt", weights_only=True) for run in ("straight", "stopped"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_recipes(tmp_path: Path) -> None:
    """Protects recipes: written in full and read the same; what cannot be run is refused; the bundled one is fine."""
    path = tmp_path / "r.toml"
    path.write_text(RECIPE.toml())
    assert PictureRecipe.read(path) == RECIPE
    assert is_foley_recipe(path)
    assert trainer_of(path) is train_picture
    for key, value, what in [
        ("steps", "0", "steps must be at least 1"),
        ("held_out_share", "1.0", "held_out_share is a part"),
        ("batch.clips", "0", "batch.clips must be at least 1"),
        ("looks.gain", "-1.0", "looks are 0 or more"),
        ("looks.still", "2.0", "are chances"),
        ("weights.mel", "-1.0", "weights are 0 or more"),
        ("optimiser.name", "sgd", "must be adamw"),
    ]:
        with pytest.raises(UsageError, match=what):
            PictureRecipe.read(path, {key: value})
    with pytest.raises(UsageError, match="network_options do not fit"):
        PictureTask(replace(RECIPE, network_options={"colour": 3}), takes_of(1))
    recipes = Path(__file__).parents[2] / "recipes"
    assert PictureRecipe.read(recipes / "foley-picture.toml").task == "foley-picture"
    (tmp_path / "other.toml").write_text('task = "any-sound"\nsteps = 1\n')
    assert not is_foley_recipe(tmp_path / "other.toml")


def test_clapboard_train_takes_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects the command: data set and recipe in, a model out; options of lips are refused in one line."""
    data = write_set(tmp_path / "flashes", 4, frames=40)
    (tmp_path / "r.toml").write_text(RECIPE.toml())
    words = ["train", str(tmp_path / "r.toml"), "--data", str(data), "-o", str(tmp_path / "run")]
    assert command([*words, "--from", "clapboard-s"]) == 2
    assert "--from is not for recipes that make sound" in capsys.readouterr().err
    assert command(words) == 0
    made = tmp_path / "run" / "model" / "foley-picture.json"
    assert f"what was learned is {made}" in capsys.readouterr().out
    assert FoleyModel(made).spec.name == "foley-picture"


def test_models_export_says_that_it_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects clapboard models export: a run that makes sound has its model already, and is told so in one line."""
    (tmp_path / "recipe.toml").write_text(RECIPE.toml())
    assert command(["models", "export", str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    assert "was exported when it ended" in capsys.readouterr().err
