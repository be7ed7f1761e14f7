"""Attention over blocks and places: weights, what they pick, absent blocks, and pairs of sounds."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.errors import UsageError  # noqa: E402
from clapboard.training.nets.attention_avs import (  # noqa: E402
    KINDS,
    AttentionAVS,
    Head,
    cut_blocks,
    mean,
    spatio_temporal,
    temporal,
    weights_of_blocks,
)
from clapboard.training.nets.multisensory import Multisensory, MultisensoryConfig  # noqa: E402

TINY = dataclasses.replace(MultisensoryConfig.small(), width=2, picture_px=16)
SHAPE = (2, 4, 5, 3, 2, 2)  # clips, blocks, F, t, h, w
PRESENT = torch.tensor([[True, True, False, True], [False, True, False, False]])
ATTENTIVE = [temporal, spatio_temporal]


def random(*shape: int, seed: int = 0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def confidence(seed: int = 0):
    """A 1x1x1 convolution with weights large enough to pick."""
    convolution = torch.nn.Conv3d(SHAPE[2], 1, 1)
    with torch.no_grad():
        convolution.weight.copy_(random(1, SHAPE[2], 1, 1, 1, seed=seed))
    return convolution


def clips(count: int = 2, blocks: int = 2, seed: int = 0):
    """Blocks of pictures, and two sounds."""
    shape = (count, blocks, 25, 1, TINY.picture_px, TINY.picture_px)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return images, *random(2, count, blocks, TINY.sound_length(25), 40, seed=seed)


def whole(kind: str) -> AttentionAVS:
    torch.manual_seed(0)
    return AttentionAVS(Multisensory(TINY), Head(kind, TINY.features))


@pytest.mark.parametrize("present", [None, PRESENT], ids=["all", "some"])
@pytest.mark.parametrize("pool", ATTENTIVE)
def test_weights_sum_to_one(pool, present) -> None:
    """Protects the softmax: over all blocks of the clip, and over all places; absent blocks have exactly none."""
    with torch.no_grad():
        pooled, weights = pool(random(*SHAPE), confidence(), present)
    assert pooled.shape == (2, 5)
    assert weights.shape == ((2, 4) if pool is temporal else (2, 4, 3, 2, 2))
    assert float(weights.min()) >= 0
    torch.testing.assert_close(weights.flatten(1).sum(1), torch.ones(2))
    if present is not None:
        assert float(weights_of_blocks(weights)[~present].max()) == 0


@pytest.mark.parametrize("present", [None, PRESENT], ids=["all", "some"])
def test_temporal_as_computed_by_hand(present) -> None:
    """Protects the formula: softmax of w . g_n + b over the blocks, and the weighted mean of g_n."""
    features, convolution = random(*SHAPE), confidence()
    with torch.no_grad():
        pooled, weights = temporal(features, convolution, present)
    g = features.numpy().astype(np.float64).mean((3, 4, 5))
    c = g @ convolution.weight.detach().numpy().ravel() + float(convolution.bias.detach())
    raised = np.exp(c) * (1 if present is None else present.numpy())
    wanted = raised / raised.sum(1, keepdims=True)
    np.testing.assert_allclose(weights.numpy(), wanted, atol=1e-6)
    np.testing.assert_allclose(pooled.numpy(), (wanted[:, :, None] * g).sum(1), atol=1e-5)


def test_spatio_temporal_as_computed_by_hand() -> None:
    """Protects the formula: softmax of w . f + b over blocks, times and places, and the weighted sum of f."""
    features, convolution = random(*SHAPE), confidence()
    with torch.no_grad():
        pooled, weights = spatio_temporal(features, convolution)
    f = np.moveaxis(features.numpy().astype(np.float64), 2, -1).reshape(2, -1, 5)
    raised = np.exp(f @ convolution.weight.detach().numpy().ravel())
    wanted = raised / raised.sum(1, keepdims=True)
    np.testing.assert_allclose(weights.numpy().reshape(2, -1), wanted, atol=1e-6)
    np.testing.assert_allclose(pooled.numpy(), (wanted[:, :, None] * f).sum(1), atol=1e-5)


def test_mean_is_attention_without_a_choice() -> None:
    """Protects the baseline: constant confidences give plain means, of blocks and of places."""
    features, constant = random(*SHAPE), confidence()
    torch.nn.init.zeros_(constant.weight)
    for present in (None, PRESENT):
        pooled, weights = mean(features, present)
        with torch.no_grad():
            torch.testing.assert_close(temporal(features, constant, present), (pooled, weights))
            torch.testing.assert_close(spatio_temporal(features, constant, present)[0], pooled)
    torch.testing.assert_close(mean(features)[0], features.mean((1, 3, 4, 5)))


@pytest.mark.parametrize("pool", ATTENTIVE)
def test_a_planted_block_gets_the_weight(pool) -> None:
    """Protects attention: the block whose features agree with the confidence decides nearly alone."""
    convolution, features = confidence(), 0.1 * random(*SHAPE)
    features[1, 2] += 4 * convolution.weight.detach()[0]
    with torch.no_grad():
        pooled, weights = pool(features, convolution)
    assert float(weights_of_blocks(weights)[1, 2]) > 0.99
    torch.testing.assert_close(pooled[1], features[1, 2].mean((1, 2, 3)), atol=0.1, rtol=0)
    assert float(weights_of_blocks(weights)[0].max()) < 0.5, "nothing was planted in the other clip"


def test_a_planted_place_gets_the_weight() -> None:
    """Protects attention over space: one place of one time of one block, and its features come out."""
    convolution, features = confidence(), 0.1 * random(*SHAPE)
    features[0, 3, :, 1, 0, 1] += 4 * convolution.weight.detach().ravel()
    with torch.no_grad():
        pooled, weights = spatio_temporal(features, convolution)
    assert float(weights[0, 3, 1, 0, 1]) > 0.99
    torch.testing.assert_close(pooled[0], features[0, 3, :, 1, 0, 1], atol=0.1, rtol=0)


@pytest.mark.parametrize("pool", ATTENTIVE)
def test_permuting_blocks_permutes_weights(pool) -> None:
    """Protects that order does not matter: the same pooled features, and each block keeps its weight."""
    order, features, convolution = [2, 0, 3, 1], random(*SHAPE), confidence()
    with torch.no_grad():
        pooled, weights = pool(features, convolution, PRESENT)
        again, permuted = pool(features[:, order], convolution, PRESENT[:, order])
    torch.testing.assert_close(permuted, weights[:, order])
    torch.testing.assert_close(again, pooled)


@pytest.mark.parametrize("kind", KINDS)
def test_absent_blocks_do_not_count(kind: str) -> None:
    """Protects batches of clips of unlike length: whatever fills an absent block, a clip is as it is alone."""
    torch.manual_seed(0)
    head = Head(kind, 5)
    features = random(*SHAPE)
    features[~PRESENT] = float("nan")
    logits, weights = head(features, PRESENT)
    assert logits.shape == (2,)
    for clip in range(2):
        alone, its_weights = head(features[clip : clip + 1, PRESENT[clip]])
        torch.testing.assert_close(alone, logits[clip : clip + 1])
        torch.testing.assert_close(its_weights[0], weights[clip, PRESENT[clip]])
    logits.sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in head.parameters())


@pytest.mark.parametrize(
    ("kind", "hidden"), [("mean", None), ("temporal", None), ("spatio-temporal", None), ("temporal", 3)]
)
def test_everything_learns(kind: str, hidden) -> None:
    """Protects learning: the decision teaches the head, its confidences, and the features."""
    torch.manual_seed(0)
    head = Head(kind, 5, hidden)
    features = random(*SHAPE).requires_grad_()
    logits, _ = head(features)
    torch.nn.functional.softplus(-logits).sum().backward()
    assert float(features.grad.abs().amax((2, 3, 4, 5)).min()) > 0
    for name, parameter in head.named_parameters():
        # The last bias of the confidences moves all of them alike, which no softmax sees.
        last_bias = name == ("confidence.bias" if hidden is None else "confidence.2.bias")
        assert (float(parameter.grad.abs().max()) > 1e-6) != last_bias, name


@pytest.mark.parametrize("kind", KINDS)
def test_heads_count_in_full_precision(kind: str) -> None:
    """Protects the softmax over thousands of places: bfloat16 features give float32 logits, weights sum to 1."""
    torch.manual_seed(0)
    head, features = Head(kind, 5), random(1, 4, 5, 7, 8, 8).bfloat16()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits, weights = head(features)
    with torch.no_grad():
        torch.testing.assert_close((logits, weights), head(features.float()))
    assert float(weights.sum()) == pytest.approx(1, abs=1e-5)


def test_the_published_head_is_one_convolution() -> None:
    """Protects the publication: F weights and a bias for confidences, as many for the decision."""
    assert sum(p.numel() for p in Head("spatio-temporal", 512).parameters()) == 2 * 513
    assert sum(p.numel() for p in Head("mean", 512).parameters()) == 513


@pytest.mark.parametrize("kind", KINDS)
def test_two_sounds_for_one_picture(kind: str) -> None:
    """Protects pairs: the picture is seen once, and each sound is answered as if it were alone."""
    net = whole(kind).eval()
    images, a, b = clips()
    passes = []
    net.net.picture.register_forward_hook(lambda *_: passes.append(1))
    present = torch.tensor([[True, True], [True, False]])
    with torch.no_grad():
        logits, weights = net.score_pair(images, a, b, present)
        assert len(passes) == 1
        for n, sound in enumerate((a, b)):
            alone, its_weights = net(images, sound, present)
            torch.testing.assert_close(alone, logits[:, n])
            torch.testing.assert_close(its_weights, weights[:, n])
    assert logits.shape == (2, 2)
    assert float((logits[:, 0] - logits[:, 1]).abs().min()) > 1e-6


def test_batch_statistics_do_not_tell_the_true_sound() -> None:
    """Protects against a short cut: while training, true and moved sounds are normalised as one batch.

    So the answer to one sound depends on the other, and not on which of them comes first.
    """
    net = whole("spatio-temporal")
    images, a, b = clips()
    with torch.no_grad():
        there, back = net.score_pair(images, a, b)[0], net.score_pair(images, b, a)[0]
        louder = net.score_pair(images, a, 3 * b)[0]
    torch.testing.assert_close(there, back.flip(1))
    assert float((louder - there)[:, 0].abs().min()) > 1e-3


def test_a_pair_is_learned() -> None:
    """Protects the whole: a step down the gradient makes the true sound's logit rise above the other's."""
    net = whole("spatio-temporal")
    images, a, b = clips()
    step = torch.optim.Adam(net.parameters(), 0.02)
    margins = []
    for _ in range(12):
        logits, _ = net.score_pair(images, a, b)
        margins.append(float((logits[:, 0] - logits[:, 1]).detach().min()))
        step.zero_grad()
        torch.nn.functional.softplus(logits[:, 1] - logits[:, 0]).mean().backward()
        step.step()
    assert margins[-1] > 1 > margins[0]


def test_blocks_of_a_clip() -> None:
    """Protects the clock: block n holds frames 25 n and on, and the sound from that very time; the rest is left."""
    images = torch.arange(63, dtype=torch.uint8).reshape(1, 63, 1, 1, 1)
    rows = torch.arange(250.0).reshape(1, 250, 1)
    pictures, sound = cut_blocks(images, rows, TINY)
    assert pictures.shape == (1, 2, 25, 1, 1, 1)
    assert pictures[0, :, 0].ravel().tolist() == [0, 25]
    assert sound.shape == (1, 2, 98, 1)
    assert sound[0, :, 0].ravel().tolist() == [0, 100]
    wave = MultisensoryConfig()
    _, samples = cut_blocks(images.repeat(1, 4, 1, 1, 1), torch.arange(200_000.0).reshape(1, -1, 1), wave)
    assert samples[0, :4, 0].ravel().tolist() == [round(n * 25 * 1001 / 30000 * 21000) for n in range(4)]
    # A sound that ends early leaves out the blocks it does not fill.
    assert cut_blocks(images, rows[:, :198], TINY)[0].shape[1] == 2
    assert cut_blocks(images, rows[:, :197], TINY)[0].shape[1] == 1
    with pytest.raises(
        UsageError, match="24 frames and 250 samples or rows of sound hold no block of 25 frames and 98"
    ):
        cut_blocks(images[:, :24], rows, TINY)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Head("temporary", 4), 'no head called "temporary"; there are mean, temporal, spatio-temporal'),
        (lambda: Head("temporal", 4, 0), "at least 1 feature and 1 hidden channel, not 4 and 0"),
        (lambda: AttentionAVS(Multisensory(TINY), Head("mean", 4)), "the head takes 4 features, the network 16"),
        (lambda: mean(random(2, 3, 4)), r"features must be \(clips, blocks, F, t, h, w\), not \(2, 3, 4\)"),
        (lambda: mean(random(*SHAPE), PRESENT[:, 1:]), r"present must be \(2, 4\) torch.bool, not \(2, 3\) torch.bool"),
        (lambda: mean(random(*SHAPE), PRESENT & False), "at least one block that is present"),
        (lambda: whole("mean").score_pair(clips()[0][:, :1], *clips()[1:]), "not blocks of the same clips"),
    ],
)
def test_what_makes_no_sense_is_told(call, words: str) -> None:
    """Protects callers: one line says what was wrong and what there is."""
    with pytest.raises(UsageError, match=words):
        call()
