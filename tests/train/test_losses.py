"""Losses: each against a value computed by hand, masks, chance from a generator alone, and nothing to learn from."""

import inspect
import math

import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.errors import UsageError  # noqa: E402
from clapboard.training.losses import LOSSES, check_options, contrastive, cosine_bce, info_nce, within_clip  # noqa: E402

ALL = sorted(LOSSES)


def everything(clips: int, windows: int, extra: int) -> dict[str, object]:
    """Arguments with no position masked."""
    return {
        "extra": extra,
        "anchors": torch.ones(clips, windows, dtype=torch.bool),
        "real": torch.ones(clips, windows + 2 * extra, dtype=torch.bool),
        "neighbours": 0,
        "generator": torch.Generator().manual_seed(0),
    }


def random_units(*shape: int, seed: int = 0):
    return torch.nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_within_clip_against_a_worked_value() -> None:
    """Protects the loss: two windows, orthogonal vectors, scale ln 3, one extra position on each side.

    Towards the sound a right match has weight 3 against three others with 1: ln((3 + 3) / 3) = ln 2. Towards the
    picture it is 3 against one: ln(4 / 3). The mean of both is the loss.
    """
    picture = torch.eye(4)[None, :2]
    sound = torch.stack([torch.eye(4)[2], torch.eye(4)[0], torch.eye(4)[1], torch.eye(4)[3]])[None]
    loss = within_clip(picture, sound, torch.tensor(math.log(3.0)), **everything(1, 2, 1))
    assert float(loss) == pytest.approx((math.log(2) + math.log(4 / 3)) / 2, abs=1e-5)


def test_info_nce_against_a_worked_value() -> None:
    """Protects the loss: three clips of one window, orthogonal vectors, scale ln 4.

    In both directions the right clip has weight 4 against two others with 1: ln(6 / 4).
    """
    units = torch.eye(3)[:, None]
    loss = info_nce(units, units, torch.tensor(math.log(4.0)), **everything(3, 1, 0))
    assert float(loss) == pytest.approx(math.log(1.5), abs=1e-6)


def test_info_nce_leaves_out_clips_without_sound_there() -> None:
    """Protects the mask across clips: of three clips one is silent, so 4 stands against 1 sound, or 2 pictures."""
    units, given = torch.eye(3)[:, None], everything(3, 1, 0)
    given["real"][2] = False
    loss = info_nce(units, units, torch.tensor(math.log(4.0)), **given)
    assert float(loss) == pytest.approx((math.log(5 / 4) + math.log(6 / 4)) / 2, abs=1e-6)


def test_contrastive_against_a_worked_value() -> None:
    """Protects the paper's loss: two windows, no extra sound, so that each picture's wrong sound is the other's.

    Numbers on a line: pictures 0 and 10, sounds 3 and 14, margin 20. Right pairs: d = 3 and 4, d^2 = 9 and 16. Wrong
    pairs: d = 14 and 7, (20 - d)^2 = 36 and 169. E = (9 + 16 + 36 + 169) / (2 * 4) = 28.75. With a margin of 10 the
    wrong pair at 14 costs nothing and the other 9: (9 + 16 + 0 + 9) / 8 = 4.25.
    """
    picture, sound = torch.tensor([[[0.0], [10.0]]]), torch.tensor([[[3.0], [14.0]]])
    assert float(contrastive(picture, sound, torch.tensor(1.0), **everything(1, 2, 0))) == pytest.approx(28.75)
    smaller = contrastive(picture, sound, torch.tensor(1.0), **everything(1, 2, 0), margin=10.0)
    assert float(smaller) == pytest.approx(4.25)


def test_cosine_bce_against_a_worked_value() -> None:
    """Protects the expert's loss: cosines 0.8 and 0.6 of right pairs, 0.6 and 0.8 of wrong ones.

    Pictures (1, 0) twice, sounds (0.8, 0.6) and (0.6, 0.8), each three times as long, which must not matter. The mean
    of -ln 0.8, -ln 0.6, -ln(1 - 0.6), -ln(1 - 0.8). Halved, cosines become 0.9 and 0.8.
    """
    picture, sound = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), 3 * torch.tensor([[[0.8, 0.6], [0.6, 0.8]]])
    loss = cosine_bce(picture, sound, torch.tensor(1.0), **everything(1, 2, 0))
    assert float(loss) == pytest.approx(-sum(map(math.log, (0.8, 0.6, 0.4, 0.2))) / 4, abs=1e-5)
    halved = cosine_bce(picture, sound, torch.tensor(1.0), **everything(1, 2, 0), half=True)
    assert float(halved) == pytest.approx(-sum(map(math.log, (0.9, 0.8, 0.2, 0.1))) / 4, abs=1e-5)


def test_opposite_vectors_stay_finite_and_halves_keep_their_slope() -> None:
    """Protects training with cosine-bce: a cosine of -1 gives a finite loss, and with ``half`` a gradient near it."""
    picture = torch.tensor([[[1.0, 0.1], [0.0, 1.0]]], requires_grad=True)
    sound = torch.tensor([[[-1.0, 0.0], [0.0, -1.0]]])
    assert torch.isfinite(cosine_bce(picture, sound, torch.tensor(1.0), **everything(1, 2, 0)))
    cosine_bce(picture, sound, torch.tensor(1.0), **everything(1, 2, 0), half=True).backward()
    assert float(picture.grad.abs().max()) > 0.1


@pytest.mark.parametrize("name", ALL)
def test_one_step_down_the_slope_makes_it_better(name: str) -> None:
    """Protects the sign and the gradients: moving both embeddings against their gradients lowers every loss."""
    given = everything(3, 6, 2)
    picture = random_units(3, 6, 8).requires_grad_()
    sound = random_units(3, 10, 8, seed=1).requires_grad_()
    options = {"half": True} if name == "cosine-bce" else {}

    def loss(p, s):
        given["generator"] = torch.Generator().manual_seed(0)
        return LOSSES[name](p, s, torch.tensor(10.0), **given, **options)

    before = loss(picture, sound)
    before.backward()
    after = loss(picture - 0.01 * picture.grad, sound - 0.01 * sound.grad)
    assert float(after.detach()) < float(before.detach()) - 1e-5


@pytest.mark.parametrize("name", ALL)
def test_nothing_to_learn_from_gives_zero(name: str) -> None:
    """Protects long runs: a batch of silence, or one without sound, gives 0 and gradients of 0, not NaN."""
    for masked in ("anchors", "real"):
        given = everything(2, 4, 1)
        given[masked] = torch.zeros_like(given[masked])
        picture = random_units(2, 4, 8).requires_grad_()
        scale = torch.tensor(5.0, requires_grad=True)
        loss = LOSSES[name](picture, random_units(2, 6, 8, seed=1), scale, **given)
        loss.backward()
        assert float(loss.detach()) == 0
        assert float(picture.grad.abs().max()) == 0
        assert float(scale.grad) == 0


@pytest.mark.parametrize("name", ALL)
def test_masked_positions_do_not_matter(name: str) -> None:
    """Protects masks: what stands where the file has no sound changes nothing; nor does a picture without speech."""
    given = everything(2, 5, 3)
    given["real"][0, [0, 4, 9]] = False
    given["anchors"][1, 2] = False
    picture, sound = random_units(2, 5, 8), random_units(2, 11, 8, seed=1)

    def loss(p, s):
        given["generator"] = torch.Generator().manual_seed(0)
        return float(LOSSES[name](p, s, torch.tensor(3.0), **given))

    other = sound.clone()
    other[0, [0, 4, 9]] = random_units(3, 8, seed=2)
    assert loss(picture, other) == pytest.approx(loss(picture, sound), abs=1e-6)
    if name in ("contrastive", "cosine-bce"):  # in the others a picture without speech is still a candidate
        silent = picture.clone()
        silent[1, 2] = random_units(8, seed=3)
        assert loss(silent, sound) == pytest.approx(loss(picture, sound), abs=1e-6)


def test_close_positions_are_left_out_while_coarse() -> None:
    """Protects the curriculum: when all other sounds are neighbours, only the right one is left and nothing is lost."""
    given = everything(1, 2, 1)
    given["real"] = torch.tensor([[False, True, True, False]])
    given["neighbours"] = 1
    picture, sound = torch.eye(4)[None, :2], torch.eye(4)[None]
    assert float(within_clip(picture, sound, torch.tensor(5.0), **given)) == pytest.approx(0, abs=1e-4)
    # Right pairs at d^2 = 2 and no wrong ones: E = 2 / 2.
    assert float(contrastive(picture, sound, torch.tensor(1.0), **given)) == pytest.approx(1)


def test_wrong_sounds_are_shifted_by_up_to_two_seconds_and_never_by_none() -> None:
    """Protects the paper's negatives: all shifts from 1 to 50 frames are drawn, both ways, and no other.

    Sounds are numbers, 1000 apart from zero where a shift is too long or nothing: with pictures at 0 a wrong choice
    shows as a distance over the margin, which costs nothing; the loss tells how many were drawn.
    """
    windows, extra, middle = 1, 60, 60
    seen = set()
    for seed in range(400):
        given = everything(1, windows, extra) | {"generator": torch.Generator().manual_seed(seed)}
        sound = torch.zeros(1, windows + 2 * extra, 1, requires_grad=True)
        with torch.no_grad():
            sound[0, :, 0] = 1.0
        contrastive(torch.zeros(1, 1, 1), sound, torch.tensor(1.0), **given).backward()
        touched = (sound.grad[0, :, 0] != 0).nonzero().flatten().tolist()
        assert middle in touched
        seen |= {place - middle for place in touched if place != middle}
        assert len(touched) == 2
    assert min(seen) >= -50
    assert max(seen) <= 50
    assert len(seen) > 90


def test_more_wrong_sounds_per_right_one() -> None:
    """Protects the ratio: with three wrong sounds each N counts four pairs, and no place is taken twice.

    Picture 0 with sounds 0, 1, 2, 3 (its own is the first): 0 + 81 + 64 + 49 over 2 * 4, margin 10.
    """
    given = everything(1, 1, 3)
    given["real"] = torch.tensor([[False, False, False, True, True, True, True]])
    sound = torch.tensor([[[9.0], [9.0], [9.0], [0.0], [1.0], [2.0], [3.0]]])
    loss = contrastive(torch.zeros(1, 1, 1), sound, torch.tensor(1.0), **given, margin=10.0, negatives=3)
    assert float(loss) == pytest.approx((81 + 64 + 49) / 8)


@pytest.mark.parametrize("name", ["contrastive", "cosine-bce"])
def test_chance_comes_from_the_generator_alone(name: str) -> None:
    """Protects exact resume: the same generator gives the same loss whatever torch's own state is; another differs."""
    picture, sound = random_units(2, 8, 8), random_units(2, 14, 8, seed=1)

    def loss(seed: int, state: int) -> float:
        torch.manual_seed(state)
        given = everything(2, 8, 3) | {"generator": torch.Generator().manual_seed(seed)}
        return float(LOSSES[name](picture, sound, torch.tensor(1.0), **given))

    assert loss(0, 0) == loss(0, 1)
    assert loss(0, 0) != loss(1, 0)


def test_all_losses_have_one_signature() -> None:
    """Protects recipes: a loss is exchanged by its name, so the common arguments of all are the same."""
    first = list(inspect.signature(within_clip).parameters)
    for name, loss in LOSSES.items():
        assert list(inspect.signature(loss).parameters)[: len(first)] == first, name


def test_unknown_losses_and_options_are_named() -> None:
    """Protects recipes: a slip of the pen is told before training starts."""
    check_options("contrastive", {"margin": 1.0, "negatives": 2})
    with pytest.raises(UsageError, match="no loss called contrastiv; there are within-clip, contrastive"):
        check_options("contrastiv", {})
    with pytest.raises(UsageError, match="has no option margins; it has margin, max_shift_s, negatives"):
        check_options("contrastive", {"margins": 1.0})
