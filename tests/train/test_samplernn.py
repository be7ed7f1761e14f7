"""SampleRNN: what it may see, that drawing is the teacher-forced pass, and that the fast way is the same network."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra")

from clapboard.errors import ModelError, UsageError  # noqa: E402
from clapboard.synthesis import samplernn as fast  # noqa: E402
from clapboard.synthesis.mu_law import LEVELS, SILENCE  # noqa: E402
from clapboard.training.foley.samples_export import plain_weights  # noqa: E402
from clapboard.training.nets.samplernn import SampleRnn, State, generate, numbers  # noqa: E402

pytestmark = pytest.mark.train
SIZES = {"width": 12, "embedding": 6}


def _net(**options: int) -> SampleRnn:
    """Return a small network with weights large enough that everything matters."""
    torch.manual_seed(3)
    net = SampleRnn(**SIZES, **options).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return net


def _levels(count: int, samples: int, seed: int = 0) -> "torch.Tensor":
    return torch.randint(0, LEVELS, (count, samples), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def _forced(net: SampleRnn, levels: "torch.Tensor", seen: "torch.Tensor | None" = None, **begin: object) -> np.ndarray:
    """Return logits of samples (B, N) from the beginning on."""
    given = torch.cat([net.silence(len(levels)), levels], dim=1)
    return net(given, seen, net.begin(len(levels), **begin))[0].numpy()


def test_shapes_and_states() -> None:
    """Protects the interface: one distribution a sample, a state a tier, and pieces that follow each other."""
    net = _net(conditioning=5)
    levels, seen = _levels(3, 16 + 64), torch.randn(3, 4, 5)
    logits, state = net(levels, seen, net.begin(3))
    assert logits.shape == (3, 64, LEVELS)
    assert state.coarse.shape == state.middle.shape == (3, 12)
    first, between = net(levels[:, : 16 + 32], seen[:, :2], net.begin(3))
    second, last = net(levels[:, 32:], seen[:, 2:], between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), logits)
    torch.testing.assert_close(last.coarse, state.coarse)
    torch.testing.assert_close(last.middle, state.middle)
    assert not state.detached().coarse.requires_grad


@pytest.mark.parametrize("frame_sizes", [(4, 16), (2, 8), (5, 20)])
def test_a_future_sample_changes_nothing(frame_sizes: tuple[int, int]) -> None:
    """Protects causality: the logits of samples up to and including n do not see sample n or any later one."""
    net, rng = _net(frame_sizes=frame_sizes), np.random.default_rng(1)
    levels = _levels(1, 160)
    before = _forced(net, levels)
    for at in rng.choice(160, 12, replace=False):
        other = levels.clone()
        other[0, at] = (other[0, at] + 101) % LEVELS
        after = _forced(net, other)
        np.testing.assert_array_equal(after[0, : at + 1], before[0, : at + 1])
        if at < 159:
            assert np.abs(after[0, at + 1 :] - before[0, at + 1 :]).max() > 1e-4


def test_what_is_seen_later_changes_nothing_before() -> None:
    """Protects the clock: conditioning of a coarse step reaches its own samples and later ones alone."""
    net, levels, seen = _net(conditioning=5), _levels(1, 96), torch.randn(1, 6, 5)
    before, other = _forced(net, levels, seen), seen.clone()
    other[0, 3] += 1
    after = _forced(net, levels, other)
    np.testing.assert_array_equal(after[0, :48], before[0, :48])
    assert np.abs(after[0, 48:64] - before[0, 48:64]).max() > 1e-3


def test_drawing_sample_by_sample_is_the_teacher_forced_pass() -> None:
    """Protects generation: what is drawn has, all at once, the logits that it was drawn from."""
    net, seen = _net(conditioning=5), torch.randn(2, 5, 5)
    drawn = generate(net, 2, 80, seen=seen, seed=4)
    forced = torch.from_numpy(_forced(net, drawn, seen))
    chance = torch.Generator().manual_seed(4)
    again = [torch.multinomial(forced[:, at].softmax(1), 1, generator=chance)[:, 0] for at in range(80)]
    torch.testing.assert_close(torch.stack(again, dim=1), drawn)
    assert len(set(drawn.flatten().tolist())) > 20


@pytest.mark.parametrize(
    ("options", "shape"), [({"conditioning": 5}, (2, 2, 5)), ({"started": 7}, (2, 7)), ({}, (2, 2, 0))]
)
def test_the_fast_way_is_the_same_network(options: dict[str, int], shape: tuple[int, ...]) -> None:
    """Protects speed from errors: tables and fused layers give the logits of the layers themselves."""
    net, given = _net(**options), np.random.default_rng(0).normal(size=shape).astype(np.float32)
    levels = _levels(2, 1280)
    if "started" in options:
        slow = _forced(net, levels, start=torch.from_numpy(given))
    else:
        slow = _forced(net, levels, torch.from_numpy(given).repeat_interleave(40, 1) if shape[2] else None)
    quick = fast.SampleRnn(plain_weights(net)).follow(levels.numpy().astype(np.uint8), given)
    np.testing.assert_allclose(quick, slow, atol=2e-3, rtol=1e-4)
    assert np.abs(slow).max() > 0.5


def test_the_fast_way_draws_from_the_same_distribution() -> None:
    """Protects the Gumbel draw: how often levels come is the softmax of their logits."""
    net = _net()
    with torch.no_grad():  # the first sample alone is looked at: it has a known distribution
        expected = torch.from_numpy(_forced(net, _levels(1, 16)))[0, 0].softmax(0).numpy()
    quick = fast.SampleRnn(plain_weights(net))
    drawn = quick.generate(np.zeros((600, 1, 0), np.float32), seed=1)[:, 0]
    table = fast.TABLE
    likely = np.argsort(expected)[-5:]
    for level in likely:
        if level not in (SILENCE - 1, SILENCE):
            share = np.mean(np.isclose(drawn, table[level]))
            assert abs(share - expected[level]) < 5 * np.sqrt(expected[level] / 600) + 1e-3
    assert np.array_equal(
        quick.generate(np.zeros((2, 1, 0), np.float32), seed=5), quick.generate(np.zeros((2, 1, 0), np.float32), seed=5)
    )


def test_the_first_state_is_learned() -> None:
    """Protects learned first states and weight norm: both get a gradient from the first piece."""
    net = _net(conditioning=5)
    levels = _levels(2, 16 + 32)
    logits, _ = net(levels, torch.randn(2, 2, 5), net.begin(2))
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), levels[:, 16:].flatten()).backward()
    for parameter in (net.coarse_rnn.first, net.middle_rnn.first, net.coarse_in.parametrizations.weight.original0):
        assert parameter.grad is not None
        assert float(parameter.grad.abs().max()) > 0


def test_what_enters_is_between_minus_two_and_two() -> None:
    """Protects the input's range of the published code: silence is 0."""
    assert numbers(torch.tensor([0, SILENCE, 255])).tolist() == [-2.0, 0.0, pytest.approx(1.984375)]


def test_wrong_arguments_are_told() -> None:
    """Protects users of the class: sizes that do not fit, and weights that are none."""
    with pytest.raises(UsageError, match="multiple of the first"):
        SampleRnn(frame_sizes=(4, 6))
    net = _net(conditioning=5)
    with pytest.raises(UsageError, match="conditioning"):
        net(_levels(1, 32), None, net.begin(1))
    with pytest.raises(UsageError, match="multiples of 16"):
        net(_levels(1, 40), torch.zeros(1, 1, 5), State(torch.zeros(1, 12), torch.zeros(1, 12)))
    weights = plain_weights(net)
    with pytest.raises(UsageError, match="temperature"):
        fast.SampleRnn(weights).generate(np.zeros((1, 1, 5), np.float32), temperature=0)
    with pytest.raises(UsageError, match=r"\(B, F, 5\)"):
        fast.SampleRnn(weights).generate(np.zeros((1, 1, 4), np.float32))
    with pytest.raises(ModelError, match="lack embed"):
        fast.SampleRnn({name: array for name, array in weights.items() if name != "embed.weight"})
    with pytest.raises(ModelError, match="do not fit"):
        fast.SampleRnn(weights | {"embed.weight": weights["embed.weight"][:, :3]})
