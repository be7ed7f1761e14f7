"""ONNX Runtime, without its telemetry: the one place that imports it."""

import os
from typing import Any


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


def onnx_quantization() -> Any:
    """Return ONNX Runtime's tools for 8-bit networks, imported when they are first needed."""
    onnx_runtime()
    from onnxruntime import quantization

    return quantization
