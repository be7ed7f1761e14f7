"""The second round: wrong sound is found, other clips are moved onto their place, nobody measures himself."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.dataset.align import Aligned, align, read_offsets  # noqa: E402
from clapboard.errors import UsageError  # noqa: E402
from clapboard.timebase import FEATURE_HZ  # noqa: E402
from clapboard.training import rounds  # noqa: E402
from clapboard.training.folds import folds, looks  # noqa: E402
from clapboard.training.nets.base import Inputs  # noqa: E402
from clapboard.training.recipe import Batch, Recipe  # noqa: E402
from clapboard.training.refine import (  # noqa: E402
    Decisions,
    Measured,
    decide,
    describe,
    histogram,
    measure,
)
from clapboard.values import Crops, Embeddings  # noqa: E402

Talk = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]
RNG = np.random.default_rng(0)


class KnowsToys:
    """Sees how the toy's mouth opens and hears how loud it is: no learning, but right about toys."""

    spec = Inputs("mouth-64", 1, 64, 64, 64, "log-mel-40", 5, 20, 5, unit=True)

    def embed_picture(self, crops: Crops) -> Embeddings:
        """Opening over five frames."""
        dark = -crops.images[:, 28:40, 20:44].astype(np.float64).mean((1, 2))
        return Embeddings(unit(np.lib.stride_tricks.sliding_window_view(dark, 5)), crops.time_s[2:-2])

    def embed_sound(self, rows: np.ndarray, valid: np.ndarray, first_s: float) -> Embeddings:
        """Loudness over five times four rows."""
        level = np.where(valid, rows.mean(1), np.nan)
        some = np.lib.stride_tricks.sliding_window_view(level, 20).reshape(-1, 5, 4).mean(2)
        return Embeddings(unit(some), first_s + (np.arange(len(some)) + 9.5) / FEATURE_HZ)


def unit(x: np.ndarray) -> np.ndarray:
    """Shape without level: mean 0, length 1."""
    x = x - x.mean(1, keepdims=True)
    return (x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-9)).astype(np.float32)


class Spoiled(NamedTuple):
    """Clips, what was done to each (1 dubbed, 2 shifted), by how much, ms, and what is measured of them."""

    clips: list[Aligned]
    done: np.ndarray
    early_ms: np.ndarray
    found: Measured


@pytest.fixture(scope="module")
def spoiled(talk: Talk) -> Spoiled:
    """40 toys, a fifth with another one's sound, a fifth 200 ms early or late, which their labels do not say."""
    done = np.arange(40) % 5
    early = np.where(done == 2, 200.0 * np.where(np.arange(40) % 2, 1, -1), 0.0)
    clips = []
    for n in range(40):
        images, time_s, samples = talk(n, early_ms=float(early[n]))
        if done[n] == 1:
            samples = talk(500 + n)[2]
        clips.append(align(images, time_s, samples, 0.0, 0.0, corpus="toy", speaker=str(n), file=f"{n}.mp4"))
    return Spoiled(clips, done, early, measure(KnowsToys(), clips))


def test_spoiled_clips_are_found(spoiled: Spoiled) -> None:
    """Protects the second round: foreign sound is dropped, shifted sound moved back, the rest left alone."""
    clips, done, early, found = spoiled
    made = decide(found, clips)
    assert (~made.kept[done == 1]).mean() > 0.7
    assert made.kept[done != 1].mean() > 0.9
    assert 0.1 < made.wrong < 0.35, "a fifth"
    moved = made.moved_ms[made.kept & (done == 2)]
    np.testing.assert_allclose(moved, early[made.kept & (done == 2)], atol=25)
    assert np.abs(made.moved_ms[made.kept & (done != 2) & (done != 1)]).max() <= 25


def test_the_papers_rule_only_drops(spoiled: Spoiled) -> None:
    """Protects the paper's second round: what is distant at its label goes, shifted clips too, and nothing moves."""
    clips, done, _, found = spoiled
    made = decide(found, clips, rule="paper")
    assert not made.moved_ms.any()
    assert (~made.kept[(done == 1) | (done == 2)]).mean() > 0.8
    assert made.kept[(done != 1) & (done != 2)].mean() > 0.9


def test_a_fold_of_one_clip_has_nothing_foreign(spoiled: Spoiled) -> None:
    """Protects small sets: a fold in which nobody else's sound is to be had joins the others."""
    one, others = measure(KnowsToys(), spoiled.clips[:1]), measure(KnowsToys(), spoiled.clips[1:4])
    assert one.foreign_terms.shape == (0, one.terms.shape[1])
    assert len(Measured.joined([one, others], np.arange(4)).foreign_terms) == 3


def test_a_corpus_keeps_its_zero(spoiled: Spoiled) -> None:
    """Protects the zero: a constant of all clips of a corpus is not moved, unless the model's word is taken."""
    clips, done = spoiled.clips, spoiled.done
    some = [c for c, d in zip(clips, done, strict=True) if d not in (1, 2)]
    found = measure(KnowsToys(), some)
    late = dataclasses.replace(found, error_ms=found.error_ms + 70)
    assert np.abs(decide(late, some).moved_ms).max() <= 25
    np.testing.assert_allclose(decide(late, some, zero="model").moved_ms, 70, atol=30)


def test_refining_needs_something_to_compare_with(spoiled: Spoiled) -> None:
    """Protects against thresholds from nothing: one clip alone is refused."""
    alone = spoiled.clips[:1]
    with pytest.raises(UsageError, match="two clips of one corpus"):
        decide(measure(KnowsToys(), alone), alone)


def test_a_clip_that_cannot_be_measured_spoils_no_other(spoiled: Spoiled) -> None:
    """Protects the rest of a corpus: clips in which nothing could be measured go, and no other."""
    found, nothing = spoiled.found, np.arange(40) % 5 == 4
    error, at_label, terms = (np.array(a) for a in (found.error_ms, found.at_label, found.terms))
    error[nothing] = at_label[nothing] = np.nan
    terms[nothing] = 0.0  # as `clapboard.sync.trust.terms` says it
    made = decide(dataclasses.replace(found, error_ms=error, at_label=at_label, terms=terms), spoiled.clips)
    assert not made.kept[nothing].any()
    assert made.kept[(spoiled.done != 1) & ~nothing].mean() > 0.9
    assert {made.reasons[i] for i in np.flatnonzero(nothing)} == {"no match"}
    silent = dataclasses.replace(found, foreign_terms=np.zeros((3, found.terms.shape[1])))
    with pytest.raises(UsageError, match="what a wrong sound looks like"):
        decide(dataclasses.replace(silent, foreign_at_label=np.full(3, np.nan)), spoiled.clips)


def test_nobody_measures_himself(toy_clips: Callable[..., list[Aligned]]) -> None:
    """Protects honest offsets: speakers stay whole, one who is most of a corpus is split, folds are of one size."""
    clips = [dataclasses.replace(c, speaker=str(n % 7)) for n, c in enumerate(toy_clips(42))]
    which = folds(clips, 2)
    for speaker in "0123456":
        assert len({int(f) for f, c in zip(which, clips, strict=True) if c.speaker == speaker}) == 1
    assert abs(int((which == 0).sum()) - 21) <= 6
    one = folds([dataclasses.replace(c, speaker="same") for c in clips], 3)
    assert np.bincount(one).tolist() == [14, 14, 14]


def test_looks_of_clips_without_names(toy_clips: Callable[..., list[Aligned]]) -> None:
    """Protects corpora that do not say who speaks: clips of one look and one voice get the same name."""
    clips = []
    for n, clip in enumerate(toy_clips(90, seconds=0.6)):
        images = np.array(clip.images)
        images[:, :, : 20 * (n % 3) + 10] //= 3  # three sets
        clips.append(dataclasses.replace(clip, images=images, speaker=str(n)))
    found = looks(clips)
    assert all(len(set(found[k::3].tolist())) == 1 for k in range(3))
    which = folds(clips, 2)
    assert all(len(set(which[k::3].tolist())) == 1 for k in range(3)), "a look is never split"


def test_measured_in_folds_keeps_the_order() -> None:
    """Protects the table of offsets: what a fold measured goes to the right clip."""

    def part(values: list[float]) -> Measured:
        x = np.array(values)
        return Measured(x, x[:, None], x, np.ones((1, 1)), np.ones(1))

    joined = Measured.joined([part([1, 3]), part([0, 2])], np.array([1, 3, 0, 2]))
    assert joined.error_ms.tolist() == [0, 1, 2, 3]
    assert len(joined.foreign_at_label) == 2


def test_a_histogram_counts_everything() -> None:
    """Protects the printed counts: what lies outside the edges is in the first and the last line, and NaN nowhere."""
    lines = histogram(np.array([-1e9, -5, 5, 5, 1e9, np.nan]), [-10, 0, 10], "ms", width=4).splitlines()
    assert [line.split()[4] for line in lines] == ["2", "3"]
    assert lines[1].endswith("####")


def test_the_whole_round_on_disk(tmp_path: Path, toy_dataset: Callable[..., Path]) -> None:
    """Protects `refine`: folds are trained, all clips are in the table, and an existing table is not overwritten."""
    recipe = Recipe(steps=2, network_options={"width": 8, "sound_width": 8}, batch=Batch(frames=96))
    data, said = toy_dataset(tmp_path / "data", 6), list[str]()
    out, made = rounds.refine(recipe, [data], tmp_path / "run", device="cpu", say=said.append)
    assert isinstance(made, Decisions)
    text = out.read_text().splitlines()
    assert text[0] == "file,offset_ms,usable,moved_ms,score,reason"
    assert len(text) == 7
    assert set(read_offsets(out)) == {f"{n}.mp4" for n in range(6)}
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"fold-1", "fold-2", "offsets.csv"}
    assert "clips with somebody else's sound" in "\n".join(said)
    with pytest.raises(UsageError, match="there already"):
        rounds.refine(recipe, [data], tmp_path / "run", device="cpu")


def test_a_third_round_keeps_what_the_second_dropped(tmp_path: Path, toy_dataset: Callable[..., Path]) -> None:
    """Protects the table: what an earlier one says of clips not measured now stays, or they come back."""
    recipe = Recipe(steps=1, network_options={"width": 8, "sound_width": 8}, batch=Batch(frames=96))
    data, earlier = toy_dataset(tmp_path / "data", 6), tmp_path / "earlier.csv"
    earlier.write_text("file,offset_ms,usable\n0.mp4,0,drop\n1.mp4,40,yes\nelsewhere.mp4,-30,yes\n")
    out, made = rounds.refine(
        recipe, [data], tmp_path / "run", offsets=earlier, device="cpu", say=lambda line: None, rule="paper"
    )
    found = read_offsets(out)
    assert np.isnan(found["0.mp4"])
    assert found["elsewhere.mp4"] == -30
    assert found["1.mp4"] == 40 or not made.kept[0]
    assert len(found) == 7


def test_the_model_that_measures_must_fit_the_clips(tmp_path: Path, toy_dataset: Callable[..., Path]) -> None:
    """Protects --model: clips are made for the recipe's network, and a model that takes others is refused in words."""
    recipe = Recipe(steps=1, network_options={"context_frames": 15})
    with pytest.raises(UsageError, match=r"clapboard-s takes .* give the recipe"):
        rounds.refine(recipe, [toy_dataset(tmp_path / "data", 2)], tmp_path / "run", model="clapboard-s", device="cpu")


def test_what_is_said_names_every_corpus(spoiled: Spoiled) -> None:
    """Protects the summary: clips, what was dropped and why, how far the others were moved."""
    text = describe(spoiled.clips, decide(spoiled.found, spoiled.clips))
    assert text.startswith("toy: 40 clips; dropped: ")
    assert "no match" in text
    assert "+200" in text
