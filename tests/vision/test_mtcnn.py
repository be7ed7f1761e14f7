"""The default detector: its nets are the ones expected, computed right, and find faces drawn in code."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from vision_pictures import paint_face, picture

from clapboard.errors import ModelError
from clapboard.testing.contracts import check_detector
from clapboard.vision import mtcnn_nets
from clapboard.vision.detect import overlap
from clapboard.vision.mtcnn import Mtcnn, box_of


def conv(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Plain convolution of (h, w, c) without padding."""
    windows = sliding_window_view(x, kernel.shape[:2], axis=(0, 1))
    return np.einsum("yxcij,ijco->yxo", windows, kernel, optimize=True) + bias


def prelu(x: np.ndarray, slope: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, x * slope.reshape(-1))


def pool(x: np.ndarray, size: int, same: bool) -> np.ndarray:
    """Maximum at stride 2; "same" pads at the end, as TensorFlow does here."""
    if same:
        pad = [max(0, (-(-n // 2) - 1) * 2 + size - n) for n in x.shape[:2]]
        x = np.pad(x, ((0, pad[0]), (0, pad[1]), (0, 0)), constant_values=-np.inf)
    return sliding_window_view(x, (size, size), axis=(0, 1))[::2, ::2].max(axis=(-2, -1))


def by_hand(net: str, image: np.ndarray) -> list[np.ndarray]:
    """A net on an (h, w) picture in the form in which it was trained: three channels, (x - 127.5) / 128."""
    weights = iter(mtcnn_nets.load_weights(net))
    x = np.repeat((image[:, :, None] - 127.5) / 128, 3, axis=2)
    pools = {"pnet": [(2, True), None, None], "rnet": [(3, True), (3, False), None]}
    for step in pools.get(net, [(3, True), (3, False), (2, True), None]):
        x = prelu(conv(x, next(weights), next(weights)), next(weights))
        x = pool(x, *step) if step else x
    if net == "pnet":
        return [conv(x, next(weights), next(weights)) for _ in range(2)]
    x = x.transpose(1, 0, 2).reshape(-1)
    x = prelu(x @ next(weights) + next(weights), next(weights))
    return [x @ next(weights) + next(weights) for _ in range(2 if net == "rnet" else 3)]


@pytest.mark.parametrize(
    ("net", "build", "shape"),
    [
        ("pnet", mtcnn_nets.proposal_net, (31, 46)),
        ("rnet", mtcnn_nets.refinement_net, (24, 24)),
        ("onet", mtcnn_nets.output_net, (48, 48)),
    ],
)
def test_graphs_compute_the_published_nets(net: str, build: Callable[..., Any], shape: tuple[int, int]) -> None:
    """Folding colour, scaling and PReLU into other layers changes nothing, nor do poolings over odd sizes."""
    image = np.random.default_rng(7).uniform(0, 255, shape).astype(np.float32)
    outputs = build().run(None, {"image": image[None, None]})
    for got, want in zip(outputs, by_hand(net, image), strict=True):
        plain = got[0].transpose(1, 2, 0) if got.ndim == 4 else got[0]
        np.testing.assert_allclose(plain, want, atol=2e-4)


GOLDEN_BOX = [98.9, 59.2, 221.8, 182.1]


def test_golden_face(mtcnn: Mtcnn) -> None:
    """One face drawn in code, as it was found when this was written: score, box and landmarks."""
    image = picture()
    truth = paint_face(image, 160.0, 120.0, 50.0)
    faces = mtcnn.detect(image.astype(np.uint8))
    assert len(faces) == 1
    assert faces.scores[0] > 0.99
    np.testing.assert_allclose(faces.boxes[0], GOLDEN_BOX, atol=1.0)
    np.testing.assert_allclose(faces.landmarks[0], truth, atol=5.0)


@pytest.mark.parametrize("width_px", [40, 64, 110, 165])
@pytest.mark.parametrize("roll_deg", [-20, 0, 20])
def test_faces_of_all_sizes_and_tilts_are_found(mtcnn: Mtcnn, width_px: int, roll_deg: int) -> None:
    """From 40 px on and tilted by 20 degrees, mouth shut or open, once and in the right place."""
    for mouth in (0.0, 0.15):
        image = picture()
        truth = paint_face(image, 160.0, 120.0, width_px / 2, roll_deg, mouth=mouth)
        faces = mtcnn.detect(np.clip(image, 0, 255).astype(np.uint8))
        assert len(faces) == 1
        assert overlap(faces.boxes, box_of(truth[None]))[0, 0] > 0.6
        assert np.abs(faces.landmarks[0, 3:].mean(axis=0) - truth[3:].mean(axis=0)).max() < 0.12 * width_px


def test_face_that_fills_the_picture_is_found(mtcnn: Mtcnn) -> None:
    """Close crops are usual in face corpora: forehead and chin may lie outside."""
    image = picture(120, 140)
    truth = paint_face(image, 60.0, 70.0, 62.0)
    faces = mtcnn.detect(np.clip(image, 0, 255).astype(np.uint8))
    assert len(faces) == 1
    assert overlap(faces.boxes, box_of(truth[None]))[0, 0] > 0.6


def test_refine_follows_shifted_boxes(mtcnn: Mtcnn) -> None:
    """The last net alone finds the face when the box is off by a tenth of its side: this carries the tracking."""
    image = picture()
    truth = paint_face(image, 160.0, 120.0, 50.0)
    box = box_of(truth[None])
    moved = np.concatenate([box + shift for shift in (-12, 0, 12)]).astype(np.float32)
    faces = mtcnn.refine(image.astype(np.uint8), moved)
    assert (faces.scores > 0.95).all()
    assert np.abs(faces.landmarks - truth).max() < 8


def test_contract(mtcnn: Mtcnn) -> None:
    """It keeps the promises that any detector makes."""
    check_detector(mtcnn)


@pytest.mark.parametrize("net", ["pnet", "rnet", "onet"])
def test_tampered_weights_are_never_unpickled(net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are pickles, which can run code: one wrong byte and they are not opened."""
    import joblib

    opened: list[Any] = []
    monkeypatch.setattr(joblib, "load", lambda source: opened.append(source) or [])
    for source in mtcnn_nets.weights_folder().glob("*.lz4"):
        shutil.copy(source, tmp_path)
    path = tmp_path / f"{net}.lz4"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="not the one expected"):
        mtcnn_nets.load_weights(net, tmp_path)
    assert opened == []


def test_missing_weights_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file and no package each give one line, not a traceback from below."""
    with pytest.raises(ModelError, match="reinstall"):
        mtcnn_nets.load_weights("pnet", tmp_path)
    monkeypatch.setattr(mtcnn_nets, "PACKAGE", "no_such_package_here")
    with pytest.raises(ModelError, match="not installed"):
        mtcnn_nets.weights_folder()


def test_neither_mtcnn_nor_tensorflow_is_imported() -> None:
    """The package is only a box of arrays: importing it would ask for TensorFlow."""
    code = (
        "import sys; from clapboard.vision.mtcnn import Mtcnn; Mtcnn(); "
        "print([m for m in ('mtcnn', 'tensorflow', 'torch', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_vision_is_cheap_to_import() -> None:
    """ONNX, its runtime and joblib are loaded when a detector is made, not before."""
    code = (
        "import sys; import clapboard.vision.mouths, clapboard.vision.mtcnn; "
        "print([m for m in ('onnx', 'onnxruntime', 'joblib', 'av') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_drawn_landmarks_are_in_order() -> None:
    """The other tests compare with these: left eye, right eye, nose, left and right corner of the mouth."""
    points = paint_face(picture(), 100.0, 100.0, 40.0)
    assert points[0, 0] < points[2, 0] < points[1, 0]
    assert points[3, 0] < points[4, 0]
    assert points[:2, 1].max() < points[2, 1] < points[3:, 1].min()
