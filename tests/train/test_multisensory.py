"""The multisensory network: the shape of every layer, its size, what is joined where, and maps of activation."""

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.errors import UsageError  # noqa: E402
from clapboard.training.nets import same  # noqa: E402
from clapboard.training.nets.activation import cam, heat_map  # noqa: E402
from clapboard.training.nets.multisensory import (  # noqa: E402
    Multisensory,
    MultisensoryConfig,
    compand,
    pool_to_length,
)

# What comes out of each layer, (C, length) or (C, t, h, w): table in the network's module, after the released code.
PUBLISHED = {
    125: (
        "64x21897 64x5474 128x1369 128x343 256x86 128x32",
        "64x63x112x112 64x63x56x56 64x63x56x56 64x32x28x28",
        "512x32x28x28 128x32x28x28 128x32x28x28 128x32x28x28 256x16x14x14 256x16x14x14 512x16x7x7 512x16x7x7",
    ),
    25: (
        "64x4380 64x1095 128x274 128x69 256x18 128x7",
        "64x13x112x112 64x13x56x56 64x13x56x56 64x7x28x28",
        "512x7x28x28 128x7x28x28 128x7x28x28 128x7x28x28 256x4x14x14 256x4x14x14 512x4x7x7 512x4x7x7",
    ),
}
TINY_WAVE = MultisensoryConfig(width=2, picture_px=32)
TINY_ROWS = dataclasses.replace(MultisensoryConfig.small(), width=2, picture_px=16)
TINY = [pytest.param(TINY_WAVE, id="wave"), pytest.param(TINY_ROWS, id="log-mel")]


def random(*shape: int, seed: int = 0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pictures(config: MultisensoryConfig, frames: int = 10, clips: int = 2, seed: int = 0):
    """Frames as they are stored."""
    shape = (clips, frames, config.picture_channels, config.picture_px, config.picture_px)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def sounds(config: MultisensoryConfig, frames: int = 10, clips: int = 2, seed: int = 0):
    """Noise as long as the frames."""
    noise = random(clips, config.sound_length(frames), 2 if config.sound == "wave" else 40, seed=seed)
    return noise.clamp(-3, 3) / 3 if config.sound == "wave" else noise


def network(config: MultisensoryConfig):
    torch.manual_seed(0)
    return Multisensory(config)


def without_numbers(config: MultisensoryConfig):
    """A network on torch's device without numbers; moved there, since drawing weights there imports the compiler."""
    return Multisensory(config).to("meta")


def shapes_of(config: MultisensoryConfig, frames: int):
    """Shape of every layer's output by stream, and of the features; on torch's device without numbers."""
    net = without_numbers(config)
    with torch.device("meta"):
        images = torch.empty(1, frames, config.picture_channels, *[config.picture_px] * 2, dtype=torch.uint8)
        sound = torch.empty(1, config.sound_length(frames), 2 if config.sound == "wave" else 40)
    streams = {
        "sound": [*net.sound, net.sound_last],
        "picture": list(net.picture),
        "joint": [net.merge1, net.merge_norm, *net.joint],
    }
    seen: dict[str, list[str]] = {name: [] for name in streams}
    for stream, layers in streams.items():
        for layer in layers:
            layer.register_forward_hook(
                lambda _m, _i, output, stream=stream: seen[stream].append("x".join(map(str, output.shape[1:])))
            )
    features = net(images, sound)
    return tuple(" ".join(found) for found in seen.values()), tuple(features.shape[1:])


@pytest.mark.parametrize("frames", PUBLISHED)
def test_every_layer_gives_the_published_shape(frames: int) -> None:
    """Protects the layout: 4.2 s as the authors trained it, and one block of 25 frames, 512 features of 4x7x7."""
    config = MultisensoryConfig()
    layers, features = shapes_of(config, frames)
    assert layers == PUBLISHED[frames]
    assert features == (512, *config.map_of(frames)) == ((512, 16, 7, 7) if frames == 125 else (512, 4, 7, 7))


def test_maps_of_activation_are_finer() -> None:
    """Protects ``cam``: the last stage keeps 14x14 places, and nothing else changes."""
    config = MultisensoryConfig(cam=True)
    layers, features = shapes_of(config, 25)
    assert features == (512, *config.map_of(25)) == (512, 4, 14, 14)
    assert layers[:2] == PUBLISHED[25][:2]


def test_lengths_of_sound() -> None:
    """Protects the clock: 87,588 samples are 125 frames of 29.97 fps; 98 rows lie wholly within 25 frames of 25 fps."""
    wave, rows = MultisensoryConfig(), MultisensoryConfig.small()
    assert wave.sound_length(125) == 87_588
    assert wave.sound_length(25) == 17_518
    assert wave.sound_per_frame == Fraction(21_000 * 1001, 30_000)
    assert rows.sound_length(25) == 98  # the last begins at 970 ms and is 25 ms wide
    assert rows.sound_per_frame == 4


def test_the_number_of_weights_is_that_of_the_table() -> None:
    """Protects the size, 36.0 million: counted here from the table of layers, (in, out, places of the kernel)."""
    convolutions = [
        (2, 64, 65),
        *[(64, 128, 15), (128, 128, 15), (64, 128, 1)],
        *[(128, 128, 15)] * 2,
        *[(128, 256, 15), (256, 256, 15), (128, 256, 1)],
        (256, 128, 3),
        (3, 64, 5 * 7 * 7),
        *[(64, 64, 27)] * 4,
        *[(192, 512, 1), (512, 128, 1)],
        *[(128, 128, 27)] * 4,
        *[(128, 256, 27), (256, 256, 27), (128, 256, 1), (256, 256, 27), (256, 256, 27)],
        *[(256, 512, 27), (512, 512, 27), (256, 512, 1), (512, 512, 27), (512, 512, 27)],
    ]
    weights = sum(inside * outside * places for inside, outside, places in convolutions)
    # Every convolution has a number for each channel besides: its bias, or the centre of its normalisation; and the
    # second convolution of a residual block, and merge2, have both.
    both = 128 + 128 + 256 + 64 + 64 + 128 + 128 + 128 + 256 + 256 + 512 + 512
    assert (
        sum(p.numel() for p in without_numbers(MultisensoryConfig()).parameters())
        == weights + sum(out for _, out, _ in convolutions) + both
    )
    assert weights == 36_034_624
    assert round(weights / 1e6, 1) == 36.0


def test_the_small_network_is_small() -> None:
    """Protects training on a CPU: about half a million weights, and a map of 8x8."""
    config = MultisensoryConfig.small()
    _, features = shapes_of(config, 25)
    assert features == (64, *config.map_of(25)) == (64, 7, 8, 8)
    assert sum(p.numel() for p in Multisensory.small().parameters()) == 557_016


def test_strides_are_free() -> None:
    """Protects other sizes: 48 px end in 6x6, every frame in time where the strides say so."""
    config = dataclasses.replace(TINY_ROWS, picture_px=48, conv2=(1, 2), conv5=(1, 1))
    _, features = shapes_of(config, 25)
    assert features == (16, *config.map_of(25)) == (16, 25, 6, 6)


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [(9, 3, 1), (8, 3, 2), (9, 3, 2), (10, 5, 4), (3, 7, 4), (8, 1, 3)]
)
def test_padding_as_in_tensorflow(size: int, kernel: int, stride: int) -> None:
    """Protects published weights: places are those of "SAME", ceil(size / stride), one more behind where odd."""
    layer = same.SameConv(1, 1, (kernel,), (stride,), bias=False)
    x = random(1, 1, size)
    places = math.ceil(size / stride)
    total = max((places - 1) * stride + kernel - size, 0)
    padded = np.pad(x[0, 0].numpy(), (total // 2, total - total // 2))
    weight = layer.weight.detach()[0, 0].numpy()
    wanted = [float(padded[n * stride :][:kernel] @ weight) for n in range(places)]
    np.testing.assert_allclose(layer(x).detach()[0, 0].numpy(), wanted, atol=1e-5)
    pooled = same.SameMaxPool((kernel, 1, 1), (stride, 1, 1))(x[..., None, None] - 5)
    low = np.pad(x[0, 0].numpy() - 5, (total // 2, total - total // 2), constant_values=-np.inf)
    np.testing.assert_allclose(pooled[0, 0, :, 0, 0].numpy(), [low[n * stride :][:kernel].max() for n in range(places)])


@pytest.mark.parametrize(("inside", "outside"), [(2, 2), (2, 3)])
def test_residual_block(inside: int, outside: int) -> None:
    """Protects the order: the sum is normalised, then the ReLU; short cuts take places, or convolve."""
    block = same.Residual(inside, outside, (3,), (2,), momentum=0.1, eps=1e-3).eval()
    with torch.no_grad():
        for norm in (m for m in block.modules() if isinstance(m, same.Norm)):
            norm.bias += random(len(norm.bias), seed=1)
            norm.running_mean += random(len(norm.bias), seed=2)
            norm.running_var *= 2
    x = random(1, inside, 8, seed=3)

    def normed(norm, y):
        return (y - norm.running_mean[:, None]) / (norm.running_var[:, None] + 1e-3).sqrt() + norm.bias[:, None]

    with torch.no_grad():
        y = block.second(torch.relu(normed(block.first.norm, block.first.convolution(x))))
        short = x[:, :, ::2] if block.short is None else normed(block.short[1], block.short[0](x))
        torch.testing.assert_close(block(x), torch.relu(normed(block.norm, y + short)))
    assert (block.short is None) == (inside == outside)


def test_companding() -> None:
    """Protects the input of the wave: sign(x) log(1 + 255 |x|) / log(256)."""
    samples = torch.tensor([-1.0, -0.01, 0.0, 0.5, 1.0])
    wanted = [math.copysign(math.log(1 + 255 * abs(x)) / math.log(256), x) for x in samples.tolist()]
    torch.testing.assert_close(compand(samples), torch.tensor(wanted))


@pytest.mark.parametrize(("size", "length"), [(86, 32), (18, 7), (7, 7), (3, 7), (49, 13)])
def test_pooling_to_a_length(size: int, length: int) -> None:
    """Protects the joint: maxima over windows in turn, which hold every place of the sound exactly once."""
    x = random(2, 3, size)
    edges = [n * size // length for n in range(length + 1)]
    wanted = torch.stack([x[..., a : max(b, a + 1)].amax(-1) for a, b in itertools.pairwise(edges)], -1)
    torch.testing.assert_close(pool_to_length(x, length), wanted)


@pytest.mark.parametrize("config", TINY)
def test_early_fusion(config: MultisensoryConfig) -> None:
    """Protects learning: what comes after the joint teaches both streams, and what is heard changes what is seen."""
    net = network(config)
    features = net(pictures(config), sounds(config))
    assert features.shape == (2, config.features, *config.map_of(10))
    features.square().mean().backward()
    for layer in (net.picture[0], net.sound[0]):
        assert float(layer.convolution.weight.grad.abs().max()) > 0
    net.eval()
    with torch.no_grad():
        there = net(pictures(config), sounds(config))
        moved = net(pictures(config), sounds(config).roll(config.sound_length(4), 1))
        other = net(pictures(config, seed=1), sounds(config))
    for changed in (moved, other):
        assert float((changed - there).abs().amax((1, 2)).min()) > 1e-5, "at every place"


@pytest.mark.parametrize("config", TINY)
def test_the_picture_is_seen_once_for_several_sounds(config: MultisensoryConfig) -> None:
    """Protects the shared pass: `see` once and `join` twice is what two whole passes give."""
    net = network(config).eval()
    images, first, second = pictures(config), sounds(config), sounds(config, seed=1)
    with torch.no_grad():
        seen = net.see(images)
        torch.testing.assert_close(net.join(seen, first), net(images, first))
        torch.testing.assert_close(net.join(seen, second), net(images, second))


def test_the_joint() -> None:
    """Protects the layout: the companded sound at every place, and a short cut of the first and the last channels."""
    net, given = network(TINY_WAVE).eval(), {}
    for name in ("sound", "merge1", "merge_norm"):
        getattr(net, name).register_forward_pre_hook(lambda _, inputs, name=name: given.update({name: inputs[0]}))
    sound = sounds(TINY_WAVE)
    with torch.no_grad():
        seen = net.see(pictures(TINY_WAVE))
        net.join(seen, sound)
        both, heard = given["merge1"], net.hear(sound, seen.shape[2])
        torch.testing.assert_close(given["sound"], compand(sound).transpose(1, 2))
        torch.testing.assert_close(both[:, :2], seen)
        assert both.shape[1] == 6
        for row, column in ((0, 0), (1, 3)):
            torch.testing.assert_close(both[:, 2:, :, row, column], heard)
        short = both[:, [0, 1, 4, 5]]
        torch.testing.assert_close(given["merge_norm"], net.merge2(net.merge1(both)) + short)


def test_levels_and_motion() -> None:
    """Protects what goes in: levels as -1 to 1, floats and bytes alike, and the step from the frame before."""
    given = []
    for config in (TINY_WAVE, TINY_ROWS):
        net = network(config).eval()
        net.picture[0].register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
        images = pictures(config, frames=3)
        with torch.no_grad():
            torch.testing.assert_close(net.see(images), net.see(images.float()))
    levels = pictures(TINY_WAVE, frames=3).transpose(1, 2).double() / 255 * 2 - 1
    torch.testing.assert_close(given[0].double(), levels, atol=1e-6, rtol=0)
    assert given[2].shape[1] == 2
    torch.testing.assert_close(given[2][:, 1, 1:], given[2][:, 0].diff(dim=1))
    assert float(given[2][:, 1, 0].abs().max()) == 0


def test_running_statistics() -> None:
    """Protects judging: they follow training by the momentum asked for, rest while judging, and judge a clip alone."""
    config = dataclasses.replace(TINY_ROWS, norm_momentum=0.25)
    net = network(config)
    images, sound = pictures(config), sounds(config)
    norm = net.picture[0].norm
    with torch.no_grad():
        batch = net.picture[0].convolution(
            torch.cat([(x := images.transpose(1, 2) * (2 / 255) - 1), x.diff(dim=2, prepend=x[:, :, :1])], 1)
        )
        net(images, sound)
    torch.testing.assert_close(norm.running_mean, 0.25 * batch.mean((0, 2, 3, 4)))
    kept = norm.running_mean.clone()
    net.eval()
    with torch.no_grad():
        together = net(images, sound)
        torch.testing.assert_close(net(images[1:], sound[1:]), together[1:])
    torch.testing.assert_close(norm.running_mean, kept)


def test_half_precision() -> None:
    """Protects speed: under bfloat16 the features are those of float32 but for rounding."""
    net = network(TINY_ROWS).eval()
    with torch.no_grad():
        whole = net(pictures(TINY_ROWS), sounds(TINY_ROWS))
        with torch.autocast("cpu", torch.bfloat16):
            half = net(pictures(TINY_ROWS), sounds(TINY_ROWS))
    assert half.dtype == torch.bfloat16
    assert float((half.float() - whole).norm() / whole.norm()) < 0.05


def test_class_activation() -> None:
    """Protects maps: their mean is the decision that a linear layer makes of the mean features."""
    features, decision = random(2, 6, 3, 4, 4), torch.nn.Linear(6, 1)
    with torch.no_grad():
        maps = cam(features, decision.weight, decision.bias)
        wanted = decision(features.mean((2, 3, 4)))[:, 0]
    assert maps.shape == (2, 3, 4, 4)
    torch.testing.assert_close(maps.mean((1, 2, 3)), wanted)


def test_heat_maps() -> None:
    """Protects figures: half of the 97th percentile is cold, the percentile and above hot, either sign alike."""
    activation = torch.linspace(-1, 1, 201).reshape(1, 1, 3, 67)
    shown = heat_map(activation)
    hot = float(np.percentile(np.abs(np.linspace(-1, 1, 201)), 97))
    wanted = np.clip((np.abs(np.linspace(-1, 1, 201)) - hot / 2) / (hot / 2), 0, 1)
    np.testing.assert_allclose(shown[0].numpy().ravel(), wanted, atol=1e-5)
    assert heat_map(random(2, 3, 4, 5), over_time=False).shape == (2, 3, 4, 5)
    assert float(heat_map(torch.zeros(1, 2, 3, 3)).max()) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 0}, "must be positive"),
        ({"picture_hz": Fraction(0)}, "must be positive"),
        ({"picture_channels": 2}, "1 \\(gray\\) or 3 \\(RGB\\), not 2"),
        ({"sound": "mfcc"}, '"wave" or "log-mel", not "mfcc"'),
        ({"conv4": (0, 2)}, "conv4 must be two strides of at least 1"),
        ({"pool1": (2,)}, "pool1 must be two strides"),
        ({"norm_momentum": 0.0}, "norm_momentum must lie between 0 and 1"),
    ],
)
def test_sizes_that_make_no_network_are_told(changes, words: str) -> None:
    """Protects recipes: a wrong size is told in one line where it is set."""
    with pytest.raises(UsageError, match=words):
        MultisensoryConfig(**changes)


def test_strides_of_a_recipe() -> None:
    """Protects recipes: TOML gives lists, and the network is the same."""
    assert MultisensoryConfig(conv1=[1, 2]) == MultisensoryConfig(conv1=(1, 2))


def test_inputs_of_another_shape_are_told() -> None:
    """Protects callers: one line says what was expected, before any layer fails."""
    net = network(TINY_ROWS)
    images, sound = pictures(TINY_ROWS), sounds(TINY_ROWS)
    with pytest.raises(UsageError, match=r"pictures must be \(B, T, 1, 16, 16\), not \(2, 10, 1, 16, 15\)"):
        net(images[..., 1:], sound)
    with pytest.raises(UsageError, match=r"sound must be \(B, rows, 40\), not"):
        net(images, sound[..., 1:])
    with pytest.raises(UsageError, match=r"sound must be \(B, 16 samples or more, 2\), not \(2, 15, 2\)"):
        network(TINY_WAVE)(pictures(TINY_WAVE), sounds(TINY_WAVE)[:, :15])
    with pytest.raises(UsageError, match=r"pictures must be .*, not \(2, 0, 1, 16, 16\)"):
        net(images[:, :0], sound)
    with pytest.raises(UsageError, match="2 pictures and 1 sounds"):
        net(images, sound[:1])
