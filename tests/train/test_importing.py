"""The published checkpoint: converted whole, refused when it is something else, and code in it never run."""

import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from torch import nn  # noqa: E402

from clapboard.errors import ModelError, UsageError  # noqa: E402
from clapboard.metrics import lse  # noqa: E402
from clapboard.models.session import load_model  # noqa: E402
from clapboard.pipeline import measure, mouths  # noqa: E402
from clapboard.published import published_distances  # noqa: E402
from clapboard.testing import make_clip  # noqa: E402
from clapboard.timebase import offset_ms_of_lag  # noqa: E402
from clapboard.training import from_pretrained  # noqa: E402
from clapboard.training.importing import convert, import_model, names  # noqa: E402
from clapboard.values import Crops, Features  # noqa: E402
from clapboard.vision.mouths import MouthFinder  # noqa: E402


def convolution(inside: int, outside: int, kernel, *steps, pool=None) -> list[nn.Module]:
    """What the published sequences repeat; ``steps`` are stride and padding; three sizes are of time and space."""
    solid = len(kernel) == 3
    kind, norm = (nn.Conv3d, nn.BatchNorm3d) if solid else (nn.Conv2d, nn.BatchNorm2d)
    layers = [kind(inside, outside, kernel, *steps), norm(outside), nn.ReLU()]
    return [*layers, pool] if pool is not None else layers


class Published(nn.Module):
    """The layout of the published network, written from its shapes for this test: windows in, one by one."""

    def __init__(self) -> None:
        super().__init__()
        half, keep = (1, 2, 2), (0, 1, 1)
        self.netcnnaud = nn.Sequential(
            *convolution(1, 64, (3, 3), 1, 1, pool=nn.MaxPool2d(1, 1)),
            *convolution(64, 192, (3, 3), 1, 1, pool=nn.MaxPool2d(3, (1, 2))),
            *convolution(192, 384, (3, 3), 1, 1),
            *convolution(384, 256, (3, 3), 1, 1),
            *convolution(256, 256, (3, 3), 1, 1, pool=nn.MaxPool2d(3, 2)),
            *convolution(256, 512, (5, 4)),
        )
        self.netcnnlip = nn.Sequential(
            *convolution(3, 96, (5, 7, 7), half, 0, pool=nn.MaxPool3d((1, 3, 3), half)),
            *convolution(96, 256, (1, 5, 5), half, keep, pool=nn.MaxPool3d((1, 3, 3), half, keep)),
            *convolution(256, 256, (1, 3, 3), 1, keep),
            *convolution(256, 256, (1, 3, 3), 1, keep),
            *convolution(256, 256, (1, 3, 3), 1, keep, pool=nn.MaxPool3d((1, 3, 3), half)),
            *convolution(256, 512, (1, 6, 6)),
        )
        self.netfcaud, self.netfclip = (
            nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024)) for _ in range(2)
        )


@pytest.fixture(scope="module")
def published() -> Published:
    """The layout with random weights, and statistics that fit them."""
    torch.manual_seed(0)
    net = Published()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        net.netfclip(net.netcnnlip(255 * torch.rand(3, 3, 5, 224, 224)).flatten(1))
        net.netfcaud(net.netcnnaud(5 * torch.randn(8, 1, 13, 20)).flatten(1))
    return net.eval()


@pytest.fixture(scope="module")
def imported(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON of the imported model; with its weights for torch."""
    folder = tmp_path_factory.mktemp("imported")
    torch.save(published.state_dict(), folder / "syncnet_v2.model")
    return import_model(folder / "syncnet_v2.model", folder / "models", with_torch=True)


@pytest.fixture
def checkpoint(published: Published, tmp_path: Path) -> Path:
    """The file that users bring."""
    path = tmp_path / "syncnet_v2.model"
    torch.save(published.state_dict(), path)
    return path


def test_an_imported_model_gives_the_published_numbers(published: Published, imported: Path) -> None:
    """Protects names, order and colours: ONNX embeddings are those of the published layout, window by window.

    Faces come in as RGB; the published code reads them blue first. Sound: 13 coefficients by 20 columns.
    """
    model = load_model(imported)
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (7, 224, 224, 3), dtype=np.uint8)
    rows = rng.normal(0, 5, (24, 13)).astype(np.float32)
    blue_first = torch.from_numpy(faces[..., ::-1].copy()).permute(3, 0, 1, 2)[None].float()
    with torch.no_grad():
        picture = torch.cat([published.netcnnlip(blue_first[:, :, i : i + 5]) for i in range(3)]).flatten(1)
        picture = published.netfclip(picture).numpy()
        sound = torch.cat(
            [published.netcnnaud(torch.from_numpy(rows[i : i + 20].T.copy())[None, None]) for i in range(5)]
        )
        sound = published.netfcaud(sound.flatten(1)).numpy()
    assert np.linalg.norm(picture[0] - picture[1]) > 1e-2 * np.linalg.norm(picture[0]), "windows differ"
    found = model.embed_picture(Crops(0, faces, np.arange(7) / 25)).values
    np.testing.assert_allclose(found, picture, atol=2e-5 * np.linalg.norm(picture[0]), rtol=0)
    found = model.embed_sound(rows, np.ones(24, bool), 0.0125).values
    np.testing.assert_allclose(found, sound, atol=2e-5 * np.linalg.norm(sound[0]), rtol=0)
    assert model.spec.calibration is None, "never sure: nobody has calibrated it"


def test_what_the_published_code_calls_in_sync_is_zero_here(imported: Path) -> None:
    """Protects the zero: frame i against MFCC column 4 i of the same clock is an offset of 0 ms."""
    model = load_model(imported)
    picture = model.embed_picture(Crops(0, np.zeros((9, 224, 224, 3), np.uint8), np.arange(9) / 25))
    sound = model.embed_sound(np.zeros((40, 13), np.float32), np.ones(40, bool), 0.0125)
    for frame in range(5):
        lag_s = sound.time_s[4 * frame] - picture.time_s[frame]
        assert offset_ms_of_lag(lag_s) + model.spec.zero_ms == pytest.approx(0, abs=1e-9)


def test_a_file_gives_the_published_distances(published: Published, imported: Path, tmp_path: Path) -> None:
    """Protects LSE-D and LSE-C: a file, measured here, against the published steps in torch on its crops and sound.

    Crops go in as the published code would read them from its films; its sound is that under the track.
    """
    model, path = load_model(imported), tmp_path / "talk.mkv"
    make_clip(path, seed=12, duration_s=1.0, width_px=192, height_px=144, face_px=80, audio_codec="pcm_s16le")
    measured = measure(path, model)
    found = published_distances(measured, model)[0]
    sound: list[np.ndarray] = []
    finder = MouthFinder(view="face-224")
    crops = list(mouths(measured.clip, finder, lambda run: sound.append(run.samples)))
    images = np.concatenate([part.images for part in crops])
    samples = np.concatenate(sound)[: 640 * len(images)]
    frames = min(len(images), len(samples) // 640) - 5
    levels = model.kind.bands(samples)
    mfcc = model.kind.finish(Features(levels, np.ones(len(levels), bool), 0.0125)).T.copy()
    faces = torch.from_numpy(images[..., ::-1].copy()).permute(3, 0, 1, 2)[None].float()
    heard = torch.from_numpy(mfcc)[None, None]
    with torch.no_grad():
        lips = torch.cat([published.netcnnlip(faces[:, :, i : i + 5]) for i in range(frames)]).flatten(1)
        voice = torch.cat([published.netcnnaud(heard[..., 4 * i : 4 * i + 20]) for i in range(frames)]).flatten(1)
        lips, voice = published.netfclip(lips), published.netfcaud(voice)
        padded = nn.functional.pad(voice, (0, 0, 15, 15))
        apart = [nn.functional.pairwise_distance(lips[[i]].repeat(31, 1), padded[i : i + 31]) for i in range(frames)]
    curve = torch.stack(apart).mean(0)
    assert found.shape == (frames, 31)
    np.testing.assert_allclose(found, torch.stack(apart).numpy(), rtol=2e-3)
    told = lse.published(found)
    assert told.offset_frames == 15 - int(curve.argmin())
    assert told.min_distance == pytest.approx(float(curve.min()), rel=1e-3)
    assert told.confidence == pytest.approx(float(curve.median() - curve.min()), abs=1e-3 * float(curve.min()))


def test_every_weight_has_its_place(published: Published) -> None:
    """Protects the table of names: each tensor but the counters is used once, and fills every one of ours."""
    theirs = {name for name in published.state_dict() if not name.endswith("num_batches_tracked")}
    ours = {name for name in convert(published.state_dict()).state_dict() if not name.endswith("num_batches_tracked")}
    assert set(names()) == theirs
    assert sorted(names().values()) == sorted(ours - {"log_scale"})
    assert sum(p.numel() for p in published.parameters()) == 7_966_912 + 5_664_704


def test_files_of_older_torch_are_taken(published: Published) -> None:
    """Protects old checkpoints: the counters of batch normalisation may be missing; half precision is widened."""
    older = {name: t.half() for name, t in published.state_dict().items() if not name.endswith("num_batches_tracked")}
    net = convert(older)
    assert all(tensor.dtype != torch.float16 for tensor in net.state_dict().values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("netcnnaud.4.bias"), r"it lacks netcnnaud\.4\.bias"),
        (lambda s: s.update({"netcnnlip.0.weight": torch.zeros(96, 1, 5, 7, 7)}),
         r"netcnnlip\.0\.weight is \(96, 1, 5, 7, 7\), not \(96, 3, 5, 7, 7\)"),
        (lambda s: s.update({"netfcaud.3.weight": torch.zeros(512, 512)}),
         r"netfcaud\.3\.weight is \(512, 512\), not \(1024, 512\)"),
        (lambda s: s.update({"head.weight": torch.zeros(3)}), r"it holds head\.weight"),
        (lambda s: [s.pop(name) for name in list(s)], "holds no weights by name"),
    ],
)  # fmt: skip
def test_another_layout_is_told_by_its_first_difference(checkpoint: Path, tmp_path: Path, change, words: str) -> None:
    """Protects users who bring another file: one line with file, tensor and both shapes; nothing is written."""
    state = torch.load(checkpoint, weights_only=True)
    change(state)
    torch.save(state, checkpoint)
    with pytest.raises(ModelError, match=words) as found:
        import_model(checkpoint, tmp_path / "models")
    assert str(checkpoint) in str(found.value)
    assert "\n" not in str(found.value)
    assert not (tmp_path / "models").exists()


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return (Path.touch, (self._path,))


@pytest.mark.parametrize("by", ["torch", "pickle"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, by: str) -> None:
    """Protects users: a checkpoint that would run code when opened ends in one line, and the code does not run."""
    path, ran = tmp_path / "syncnet_v2.model", tmp_path / "ran"
    if by == "torch":
        torch.save({"netcnnlip.0.weight": torch.zeros(1), "x": Trap(ran)}, path)
    else:
        path.write_bytes(pickle.dumps({"x": Trap(ran)}))
    with pytest.raises(ModelError, match="holds more than tensors") as found:
        import_model(path, tmp_path / "models")
    assert "\n" not in str(found.value)
    assert not ran.exists()
    pickle.loads(pickle.dumps(Trap(ran)))
    assert ran.exists(), "the trap works"


def test_a_whole_network_saved_as_an_object_is_refused(published: Published, tmp_path: Path) -> None:
    """Protects against ``torch.save(net)``: such a file names classes that loading would have to import."""
    torch.save(nn.Linear(2, 2), tmp_path / "net.model")
    with pytest.raises(ModelError, match=r"save its state_dict\(\) alone"):
        import_model(tmp_path / "net.model", tmp_path / "models")


def test_no_file_and_no_checkpoint(tmp_path: Path) -> None:
    """Protects messages: a path that leads nowhere, and a file that torch did not save."""
    with pytest.raises(UsageError, match="no such file"):
        import_model(tmp_path / "syncnet_v2.model", tmp_path)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ModelError, match="is damaged"):
        import_model(tmp_path / "text", tmp_path)


def test_an_imported_network_can_be_trained_further(imported: Path, published: Published) -> None:
    """Protects `from_pretrained` on imports: the same weights, in torch."""
    net = from_pretrained(imported)
    torch.testing.assert_close(net.lips[-1].weight, published.netfclip[3].weight)
