"""The three nets of MTCNN as ONNX Runtime sessions, built from the plain arrays that the `mtcnn` package carries.

The package itself is never imported, since that needs TensorFlow: its folder is looked up, the SHA-256 of each file is
checked, and only then is the file unpickled. The graphs are written here, layer by layer, after [1]_.

The nets were trained on (RGB - 127.5) / 128. Video gives luma, so red = green = blue: the first kernels are summed over
colour and the scaling is folded into them, and each net takes one channel of raw 0..255 values.

References
----------
.. [1] K. Zhang, Z. Zhang, Z. Li, Y. Qiao, "Joint face detection and alignment using multitask cascaded convolutional
   networks", IEEE Signal Processing Letters 23(10), 2016, figure 2.
"""

import hashlib
import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np

from clapboard.errors import ModelError
from clapboard.runtime import onnx_runtime
from clapboard.values import F32

PACKAGE = "mtcnn"
SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
"""SHA-256 of the weight files of mtcnn 1.0.0."""
OPSET = 17


def weights_folder() -> Path:
    """Folder of the weight files inside the installed `mtcnn` package, found without importing it.

    Raises
    ------
    ModelError : the package is not installed
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("the face nets are missing: package 'mtcnn' is not installed; run: pip install 'mtcnn<1.1'")
    return Path(spec.submodule_search_locations[0]) / "assets" / "weights"


def load_weights(name: str, folder: Path | None = None) -> list[F32]:
    """Arrays of one net, in the order of its layers; kernels are height, width, in, out.

    The file is a pickle, so its SHA-256 is checked before it is opened as one.

    Parameters
    ----------
    name : "pnet", "rnet" or "onet"
    folder : where the file is; by default inside the `mtcnn` package

    Raises
    ------
    ModelError : the file is missing, cannot be read or is not the one expected
    """
    path = (folder or weights_folder()) / f"{name}.lz4"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the face net {path}: {error.strerror}; reinstall the package 'mtcnn'") from error
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256[name]:
        raise ModelError(
            f"the face net {path} is not the one expected (sha256 {found[:12]}, not {SHA256[name][:12]}): "
            "it was not opened; reinstall mtcnn 1.0.0"
        )
    import joblib

    return [np.asarray(array, np.float32) for array in joblib.load(io.BytesIO(data))]


class _Graph:
    """Writes one net node by node; weights are taken from the list in order."""

    def __init__(self, name: str, weights: list[F32]) -> None:
        from onnx import helper, numpy_helper

        self.name, self._left = name, iter(weights)
        self._helper, self._numpy = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.at = "image"
        self._count = 0

    def take(self) -> F32:
        """The next array of the list."""
        return next(self._left)

    def constant(self, array: Any) -> str:
        """Name of a new initializer."""
        name = f"w{len(self.constants)}"
        self.constants.append(self._numpy.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, op: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Add one node and return the name of its output."""
        self._count += 1
        out = to or f"x{self._count}"
        self.nodes.append(self._helper.make_node(op, list(inputs), [out], **attributes))
        return out

    def conv(self) -> None:
        """A convolution without padding."""
        kernel, bias = self.take(), self.take()
        self.at = self._conv(kernel.transpose(3, 2, 0, 1), bias)

    def prelu(self) -> None:
        """PReLU. Some slopes are negative, so it cannot change places with the pooling after it.

        The runtime keeps what convolutions give in blocks of channels, which its PRelu does not know: behind one of
        them it is written as slope x + (1 - slope) relu(x), by convolutions of each channel with one number.
        """
        slope, before = self.take().reshape(-1), self.at
        if self.nodes[-1].op_type != "Conv":
            self.at = self.node("PRelu", before, self.constant(slope))
            return
        self.at = self.node("Add", self._times(before, slope), self._times(self.node("Relu", before), 1 - slope))

    def first_layer(self) -> None:
        """The first convolution, on raw luma, with its PReLU.

        The runtime's PRelu would take more than half the time of the whole net, its convolutions with a fused Relu
        take little, above all on one channel. So PReLU is written with those, exactly: x + relu((slope - 1) x) where
        no slope is above one, else a 1 x 1 convolution of relu(x) and relu(-x).
        """
        kernel, bias, slope = self.take(), self.take(), self.take().reshape(-1)
        kernel = kernel.sum(axis=2, keepdims=True)
        bias = bias - np.float32(127.5 / 128) * kernel.sum(axis=(0, 1, 2))
        kernel = (kernel / np.float32(128)).transpose(3, 2, 0, 1)
        image = self.at
        if (slope <= 1).all():
            down = self._conv(kernel * (slope - 1)[:, None, None, None], bias * (slope - 1), image)
            self.at = self.node("Add", self._conv(kernel, bias, image), self.node("Relu", down))
            return
        both = self._conv(np.concatenate([kernel, -kernel]), np.concatenate([bias, -bias]), image)
        mix = np.concatenate([np.eye(len(slope)), -np.diag(slope)], axis=1).astype(np.float32)
        self.at = self._conv(mix[:, :, None, None], np.zeros(len(slope), np.float32), self.node("Relu", both))

    def _conv(self, weight: F32, bias: F32, source: str = "") -> str:
        return self.node("Conv", source or self.at, self.constant(weight), self.constant(bias))

    def _times(self, source: str, factors: F32) -> str:
        """Each channel times its own factor."""
        weight = self.constant(factors.astype(np.float32).reshape(-1, 1, 1, 1))
        return self.node("Conv", source, weight, group=len(factors))

    def pool(self, size: int, ceil: bool = False) -> None:
        """Maximum over `size` x `size` at stride 2; with `ceil` over the border where the last one is not whole."""
        self.at = self.node("MaxPool", self.at, kernel_shape=[size, size], strides=[2, 2], ceil_mode=int(ceil))

    def flatten(self) -> None:
        """Width, height, channels: the order in which the dense layers were trained."""
        turned = self.node("Transpose", self.at, perm=[0, 3, 2, 1])
        self.at = self.node("Flatten", turned, axis=1)

    def dense(self, to: str = "") -> str:
        """A dense layer."""
        weight, bias = self.take(), self.take()
        return self.node("Gemm", self.at, self.constant(weight), self.constant(bias), to=to)

    def session(self, inputs: list[Any], outputs: list[str], threads: int) -> Any:
        """Check the graph and open it in ONNX Runtime."""
        from onnx import TensorProto

        onnxruntime = onnx_runtime()
        helper = self._helper

        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, inputs)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def proposal_net(threads: int = 1, folder: Path | None = None) -> Any:
    """P-Net: image (1, 1, h, w) float32 to box (1, 4, h', w') and face (1, 2, h', w'), a cell of 12 px every 2 px."""
    graph = _Graph("pnet", load_weights("pnet", folder))
    graph.first_layer()
    graph.pool(2, ceil=True)
    graph.conv()
    graph.prelu()
    graph.conv()
    graph.prelu()
    trunk = graph.at
    graph.conv()
    graph.node("Identity", graph.at, to="box")
    graph.at = trunk
    graph.conv()
    graph.node("Identity", graph.at, to="face")
    return graph.session([1, 1, "h", "w"], ["box", "face"], threads)


def refinement_net(threads: int = 1, folder: Path | None = None) -> Any:
    """R-Net: image (n, 1, 24, 24) float32 to box (n, 4) and face (n, 2)."""
    graph = _Graph("rnet", load_weights("rnet", folder))
    graph.first_layer()
    graph.pool(3, ceil=True)
    graph.conv()
    graph.prelu()
    graph.pool(3)
    graph.conv()
    graph.prelu()
    graph.flatten()
    graph.at = graph.dense()
    graph.prelu()
    graph.dense(to="box")
    graph.dense(to="face")
    return graph.session(["n", 1, 24, 24], ["box", "face"], threads)


def output_net(threads: int = 1, folder: Path | None = None) -> Any:
    """O-Net: image (n, 1, 48, 48) float32 to box (n, 4), points (n, 10) and face (n, 2)."""
    graph = _Graph("onet", load_weights("onet", folder))
    graph.first_layer()
    graph.pool(3, ceil=True)
    graph.conv()
    graph.prelu()
    graph.pool(3)
    graph.conv()
    graph.prelu()
    graph.pool(2)
    graph.conv()
    graph.prelu()
    graph.flatten()
    graph.at = graph.dense()
    graph.prelu()
    graph.dense(to="box")
    graph.dense(to="points")
    graph.dense(to="face")
    return graph.session(["n", 1, 48, 48], ["box", "points", "face"], threads)
