"""Models: what they are, where their weights lie, and running them in ONNX Runtime."""

DEFAULT_MODEL = "clapboard-s"
"""What is measured with where nobody says otherwise."""
