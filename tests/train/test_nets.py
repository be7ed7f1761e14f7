"""Networks: every layer's output shape, their sizes, what one embedding sees, dense sound, and what goes in."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.errors import UsageError  # noqa: E402
from clapboard.sound import mel80  # noqa: E402
from clapboard.sound.kinds import KINDS  # noqa: E402
from clapboard.training.nets import NETWORKS, build, options_of  # noqa: E402
from clapboard.training.nets.base import middle_sampling  # noqa: E402

SMALL = {
    "clapboard-s": {"width": 4, "sound_width": 4},
    "syncnet-2016": {"channels": (4, 6, 8, 8, 8), "fc6": 16, "fc7": 12},
    "syncnet-v2": {"embedding": 24},
    "wav2lip-expert": {"width": 2},
}
LONGER = {"clapboard-s longer": ("clapboard-s", SMALL["clapboard-s"] | {"context_frames": 20, "input_px": 64})}
EVERY = [pytest.param(name, options, id=name) for name, options in SMALL.items()]
EVERY += [pytest.param(name, options, id=label) for label, (name, options) in LONGER.items()]

# What comes out of each layer for one window: in the picture (C, h, w), in the sound (C, features, time).
LAYERS = {
    "clapboard-s": (
        "24x24x24 24x24x24 48x12x12 96x6x6 192x3x3 192x1x1 192x1x1 192 1x192 1x256",
        "32x20x8 64x20x6 96x10x2 128x5x1 192x1x1 192x1x1 256x1x1",
    ),
    "syncnet-2016": (
        "96x109x109 96x54x54 256x52x52 256x25x25 512x23x23 512x21x21 512x19x19 512x6x6 18432 4096 256",
        "96x13x20 256x13x20 256x11x9 512x11x9 512x11x9 512x11x9 512x5x4 10240 4096 256",
    ),
    "syncnet-v2": (
        "96x109x109 96x54x54 256x26x26 256x13x13 256x13x13 256x13x13 256x13x13 256x6x6 512x1x1 512 512 1024",
        "64x13x20 192x13x20 192x11x9 384x11x9 256x11x9 256x11x9 256x5x4 512x1x1 512 512 1024",
    ),
    "wav2lip-expert": (
        "32x48x96 64x46x47 64x46x47 64x46x47 128x23x24 128x23x24 128x23x24 128x23x24 256x12x12 256x12x12 256x12x12 "
        "512x6x6 512x6x6 512x6x6 512x3x3 512x1x1 512x1x1 512",
        "32x80x16 32x80x16 32x80x16 64x27x16 64x27x16 64x27x16 128x9x6 128x9x6 128x9x6 256x3x3 256x3x3 256x3x3 "
        "512x1x1 512x1x1 512",
    ),
}
# Weights of picture and sound. SyncNet's sound has 5x4 at fc6 as in its figure; the scale of similarity is one more.
WEIGHTS = {
    "clapboard-s": (744_424, 340_160),
    "syncnet-2016": (82_688_000, 49_130_112),
    "syncnet-v2": (7_966_912, 5_664_704),
    "wav2lip-expert": (13_031_808, 3_403_264),
}


def pictures(inputs, frames: int, seed: int = 0):
    """Crops as they come, for one clip."""
    shape = (1, frames, inputs.channels, inputs.crop_px, inputs.crop_px)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def sounds(inputs, rows: int, seed: int = 0):
    return torch.randn(1, rows, KINDS[inputs.sound].features, generator=torch.Generator().manual_seed(seed))


def alive(name: str, options):
    """A network whose batch statistics fit its inputs, so that embeddings differ as in a trained one."""
    torch.manual_seed(0)
    net = build(name, options)
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # plain mean over what follows
    given = net.inputs
    with torch.no_grad():
        net(net.see(pictures(given, given.window_frames + 3)), sounds(given, given.window_rows + 12))
    return net.eval()


def layers_of(net) -> dict[str, list[torch.nn.Module]]:
    """Layers of clapboard-s, which are not all run as modules of a sequence."""
    lips, sound = net.lips, net.sound
    return {
        "lips": [*lips.stem[:1], *lips.body, *lips.head, lips.dropout, lips.last],
        "sound": [*sound.norms, sound.across, sound.dropout, sound.last],
    }


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_gives_the_shape_of_its_paper(name: str) -> None:
    """Protects the layouts: shapes and numbers of weights, layer by layer, on torch's device without numbers."""
    with torch.device("meta"):
        net = build(name, {}).eval()
    seen: dict[str, list[str]] = {"lips": [], "sound": []}
    layers = {"lips": list(net.lips), "sound": list(net.sound)} if name != "clapboard-s" else layers_of(net)
    for stream, modules in layers.items():
        for module in modules:
            module.register_forward_hook(
                lambda _m, _i, output, stream=stream: seen[stream].append("x".join(map(str, output.shape[1:])))
            )
    given = net.inputs
    images = torch.empty(1, given.window_frames, given.channels, given.input_px, given.input_px, device="meta")
    rows = torch.empty(1, given.window_rows, KINDS[given.sound].features, device="meta")
    picture, sound, _ = net(images, rows)
    assert picture.shape == sound.shape == (1, 1, given.embedding)
    assert tuple(" ".join(seen[stream]) for stream in ("lips", "sound")) == LAYERS[name]
    counts = tuple(sum(p.numel() for p in getattr(net, stream).parameters()) for stream in ("lips", "sound"))
    assert counts == WEIGHTS[name]
    assert sum(p.numel() for p in net.parameters()) == sum(counts) + 1


def test_all_networks_are_tested() -> None:
    """The tests here would pass for a network that nobody lists."""
    assert set(SMALL) == set(LAYERS) == set(NETWORKS)


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_dense_sound_is_every_window_by_itself(name: str, options) -> None:
    """Protects 10 ms lags: dense embeddings are those of windows cut out one by one; training takes every fourth."""
    net = alive(name, options)
    given, length = net.inputs, net.inputs.window_rows
    rows = sounds(given, length + 9, seed=1)
    with torch.no_grad():
        dense = net.hear(rows, dense=True)
        alone = torch.cat([net.hear(rows[:, at : at + length]) for at in range(10)], 1)
        strided = net.hear(rows)
    assert dense.shape == (1, 10, given.embedding)
    assert float((dense[0, 0] - dense[0, 5]).norm()) > 1e-3 * float(dense[0, 0].norm()), "windows differ"
    size = float(dense.norm(dim=-1).max())
    torch.testing.assert_close(dense, alone, atol=1e-5 * size, rtol=0)
    torch.testing.assert_close(strided, dense[:, ::4], atol=1e-5 * size, rtol=0)


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_a_picture_window_sees_its_frames_and_no_other(name: str, options) -> None:
    """Protects the clock: changing one frame changes the windows that hold it; a window is the same alone."""
    net = alive(name, options)
    given, length = net.inputs, net.inputs.window_frames
    images = pictures(given, length + 3, seed=1)
    other = images.clone()
    other[0, 1] = 255 - other[0, 1]
    with torch.no_grad():
        picture, changed = net.picture(net.see(images)), net.picture(net.see(other))
        alone = net.picture(net.see(images[:, 2 : 2 + length]))
    size = float(picture.norm(dim=-1).max())
    assert picture.shape == (1, 4, given.embedding)
    torch.testing.assert_close(picture[:, 2:3], alone, atol=1e-5 * size, rtol=0)
    moved = (picture - changed).norm(dim=-1)[0] / size > 1e-4
    assert moved.tolist() == [True, True, False, False]


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_length_of_the_embeddings(name: str, options) -> None:
    """Protects distances: what ``inputs`` says of the embedding is so."""
    net = alive(name, options)
    with torch.no_grad():
        picture, sound, scale = net(
            net.see(pictures(net.inputs, net.inputs.window_frames)), sounds(net.inputs, net.inputs.window_rows)
        )
    lengths = torch.stack([picture.norm(dim=-1), sound.norm(dim=-1)])
    assert bool(torch.isclose(lengths, torch.ones(())).all()) == net.inputs.unit
    assert picture.shape[-1] == sound.shape[-1] == net.inputs.embedding
    assert float(scale) == pytest.approx(10)


@pytest.mark.parametrize("name", ["syncnet-2016", "syncnet-v2"])
def test_published_networks_with_unit_vectors(name: str) -> None:
    """Protects training them by losses of cosines: ``unit`` gives the same directions with length 1."""
    plain, unit = alive(name, SMALL[name]), build(name, SMALL[name] | {"unit": True}).eval()
    unit.load_state_dict(plain.state_dict())
    rows = sounds(plain.inputs, 20, seed=2)
    with torch.no_grad():
        torch.testing.assert_close(unit.hear(rows), torch.nn.functional.normalize(plain.hear(rows), dim=-1))
    assert unit.inputs.unit


def test_middles_of_picture_and_sound_stay_together() -> None:
    """Protects the zero of longer windows: rows of any length begin 27.5 ms before the frames, as clips are aligned."""
    for frames in (5, 9, 20):
        given = build("clapboard-s", SMALL["clapboard-s"] | {"context_frames": frames}).inputs
        picture_ms = (given.window_frames - 1) / 2 * 40
        sound_ms = (given.window_rows - 1) / 2 * 10 + KINDS[given.sound].row_samples / 2 / 16
        assert sound_ms - picture_ms == pytest.approx(27.5)


def test_seeing_takes_the_middle() -> None:
    """Protects the crop: a ramp over 64 px becomes the ramp over the middle 54."""
    seen = middle_sampling(64, 54, 48) @ torch.arange(64.0)
    assert float(seen[0]) == pytest.approx(5 + 0.5 * 54 / 48 - 0.5, abs=1e-4)
    assert float(seen[-1]) == pytest.approx(59 - 0.5 * 54 / 48 - 0.5, abs=1e-4)


def test_seeing_blurs_nothing_where_nothing_is_resized() -> None:
    """Protects syncnet-2016: 111 of 120 px are cut out at a whole pixel; a face of 224 px goes in as it is."""
    small = build("syncnet-2016", SMALL["syncnet-2016"])
    images = pictures(small.inputs, 5)
    torch.testing.assert_close(small.see(images), images[..., 4:115, 4:115].float())
    face = build("syncnet-v2", {})
    images = pictures(face.inputs, 5)
    torch.testing.assert_close(face.see(images), images.float())


def test_colours_and_halves_that_the_published_networks_see() -> None:
    """Protects the preparation: blue first for both; the expert sees 0 to 1 and only the lower half of the face."""
    images = pictures(NETWORKS["syncnet-v2"].inputs, 5).float()
    seen = build("syncnet-v2", SMALL["syncnet-v2"]).normalise(images)
    torch.testing.assert_close(seen[:, :, 0], images[:, :, 2])
    expert = alive("wav2lip-expert", SMALL["wav2lip-expert"])
    images = pictures(expert.inputs, 5).float()
    torch.testing.assert_close(expert.normalise(images)[:, :, 2] * 255, images[:, :, 0])
    upper, lower = images.clone(), images.clone()
    upper[..., :48, :], lower[..., 48:, :] = 0, 0
    with torch.no_grad():
        whole = expert.picture(images)
        torch.testing.assert_close(expert.picture(upper), whole)
        assert float((expert.picture(lower) - whole).norm()) > 1e-3


def test_the_expert_hears_columns_of_80_hz() -> None:
    """Protects the clock of mel-80: the window that begins at row 3 holds the columns from its first sample on.

    A ramp over time, the number of each 2.5 ms in every band: the stream is handed 12, 17, ... 87.
    """
    expert = build("wav2lip-expert", SMALL["wav2lip-expert"]).eval()
    rows = torch.arange(4.0 * 25).repeat_interleave(80).reshape(1, 25, 320)
    given = []
    expert.sound.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    with torch.no_grad():
        expert.hear(rows, dense=True)
    assert given[0].shape == (7, 1, 80, 16)
    assert given[0][3, 0, 0].tolist() == [12 + 5 * column for column in range(16)]
    assert float((given[0] - given[0][:, :, :1]).abs().max()) == 0
    # The last column that a window needs is the first one of its last row but three: 19 rows are enough, 18 are not.
    assert 4 * 18 + 3 == 5 * 15
    assert (mel80.COLUMNS_PER_ROW, mel80.MEL_BINS) == (4, 80)


def test_the_scale_is_learned_and_stays_in_bounds() -> None:
    """Protects small sets: whatever is learned, similarities are never multiplied by more than 40."""
    net = build("clapboard-s", SMALL["clapboard-s"])
    with torch.no_grad():
        net.log_scale += 10
    assert float(net.scale().detach()) == pytest.approx(40)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("clapboard", {}, "no network called clapboard; there are clapboard-s, syncnet-2016"),
        ("clapboard-s", {"wide": 3}, "clapboard-s has no option wide; it has width, sound_width"),
        ("clapboard-s", {"input_px": 50}, "a multiple of 16"),
        ("clapboard-s", {"context_frames": 4}, "at least 5"),
        ("clapboard-s", {"width": "many"}, "cannot be made with"),
        ("syncnet-2016", {"channels": [1, 2]}, "5 numbers"),
    ],
)
def test_what_cannot_be_built_is_told(name: str, options, words: str) -> None:
    """Protects recipes: a slip of the pen gives one line with what there is."""
    with pytest.raises(UsageError, match=words):
        build(name, options)


def test_a_network_knows_how_it_was_built() -> None:
    """Protects exports: name and options travel with the weights, and build the same network again."""
    net = build("clapboard-s", SMALL["clapboard-s"])
    assert net.built_as == ("clapboard-s", SMALL["clapboard-s"])
    again = build(*net.built_as)
    again.load_state_dict(net.state_dict())
    assert options_of("clapboard-s")["input_px"] == 48
    assert dataclasses.asdict(again.inputs) == dataclasses.asdict(net.inputs)
    assert np.isfinite(float(again.log_scale.detach()))
