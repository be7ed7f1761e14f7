"""What has to be said to libraries before they are imported: ONNX Runtime, which only this file imports, and BLAS."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Final

_BLAS_THREADS: Final = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def onnx_runtime() -> Any:
    """Return the module ``onnxruntime``, imported when it is first needed.

    From version 1.31 on its packages for Linux keep a device identifier in the home directory, try to send events to
    Microsoft, and let the process wait for that when it ends. Only this variable, set before the import, prevents all
    of it; a program that has imported the package before Clapboard has to set it itself.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let NumPy multiply in one thread where it is imported meanwhile, here or in a new process.

    What the user has set stays. Our matrices are small, and a second thread of OpenBLAS waits in a loop: that cost a
    quarter of the CPU seconds of clips of 4 s.
    """
    ours = [name for name in _BLAS_THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(ours, "1"))
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def onnx_quantization() -> Any:
    """Return ONNX Runtime's tools for 8-bit networks, imported when they are first needed."""
    onnx_runtime()
    from onnxruntime import quantization

    return quantization
